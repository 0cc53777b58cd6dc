"""The cold commands by which somebody moves a balance: credit, debit, transfer, freezes.

Each function checks, in the order of its lines, and only then changes something. A request that
was carried out is kept as the command it was; the same again is an equal command.
"""

from collections.abc import Callable

from engine.codes import HouseAccount, Result
from tests.model import commands
from tests.model.commands import CreditBalance, DebitBalance, FreezeBalance, TransferBalance
from tests.model.money import is_amount

REQUEST_ID_CHARACTERS = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:/_-")
OWN, OTHERS = "own", "others"      # who has frozen it: the user, or somebody else


def carried_out(model, c, uids: tuple[int, ...], move: Callable[[], int]) -> tuple[int, object]:
    """The checks that all of them have, then `move`, whose code is the answer."""
    if any(uid not in model.users for uid in (c.by, *uids)):
        return Result.UNKNOWN_USER, None
    if c.coin not in model.coins:
        return Result.UNKNOWN_COIN, None
    if c.request_id is not None:
        if not (1 <= len(c.request_id) <= 36 and REQUEST_ID_CHARACTERS.issuperset(c.request_id)):
            return Result.BAD_REQUEST_ID, None
        earlier = model.requests.get((c.by, c.request_id))
        if earlier is not None:
            if earlier == c:
                model.happened["request repeated", type(c).__name__, ""] += 1
                return Result.OK, {"duplicate": True}
            return Result.REQUEST_ID_TAKEN, None
    if not is_amount(c.amount):
        return Result.BAD_AMOUNT, None
    code = move()
    if code != Result.OK:
        return code, None
    if c.request_id is not None:
        model.requests[c.by, c.request_id] = c
    return Result.OK, {"duplicate": False}


def credit_balance(model, c: CreditBalance) -> tuple[int, object]:
    def move() -> int:
        if not model.money.deposit(c.uid, c.coin, c.amount):
            return Result.AMOUNT_TOO_LARGE
        return Result.OK

    return carried_out(model, c, (c.uid,), move)


def debit_balance(model, c: DebitBalance) -> tuple[int, object]:
    def move() -> int:
        if c.amount > model.money.available[c.uid, c.coin]:
            return Result.NOT_ENOUGH_MONEY
        model.money.available[c.uid, c.coin] -= c.amount
        model.money.house[HouseAccount.EXTERNAL, c.coin] += c.amount
        return Result.OK

    return carried_out(model, c, (c.uid,), move)


def transfer_balance(model, c: TransferBalance) -> tuple[int, object]:
    def move() -> int:
        if c.from_uid == c.to_uid:
            return Result.SAME_ACCOUNT
        if c.amount > model.money.available[c.from_uid, c.coin]:
            return Result.NOT_ENOUGH_MONEY
        model.money.available[c.from_uid, c.coin] -= c.amount
        model.money.available[c.to_uid, c.coin] += c.amount
        return Result.OK

    return carried_out(model, c, (c.from_uid, c.to_uid), move)


def freeze_balance(model, c: FreezeBalance) -> tuple[int, object]:
    def move() -> int:
        if not model.money.hold(c.uid, c.coin, c.amount):
            return Result.NOT_ENOUGH_MONEY
        model.freezes[c.uid, c.coin, OWN if c.by == c.uid else OTHERS] += c.amount
        return Result.OK

    return carried_out(model, c, (c.uid,), move)


def unfreeze_balance(model, c: commands.UnfreezeBalance) -> tuple[int, object]:
    def move() -> int:
        parts = (OWN,) if c.by == c.uid else (OTHERS, OWN)
        if c.amount > sum(model.freezes[c.uid, c.coin, part] for part in parts):
            return Result.NOT_ENOUGH_FROZEN
        note_unfrozen(model, c)
        left = c.amount
        for part in parts:
            taken = min(left, model.freezes[c.uid, c.coin, part])
            model.freezes[c.uid, c.coin, part] -= taken
            left -= taken
        model.money.release(c.uid, c.coin, c.amount)
        return Result.OK

    return carried_out(model, c, (c.uid,), move)


def note_unfrozen(model, c: commands.UnfreezeBalance) -> None:
    if c.by == c.uid:
        whose = "the own part"
    elif c.amount <= model.freezes[c.uid, c.coin, OTHERS]:
        whose = "the other part"
    else:
        whose = "both parts" if model.freezes[c.uid, c.coin, OTHERS] else "the own part"
    model.happened["unfrozen", whose, "by the user" if c.by == c.uid else "by another"] += 1


HANDLERS = {
    commands.CreditBalance: credit_balance,
    commands.DebitBalance: debit_balance,
    commands.TransferBalance: transfer_balance,
    commands.FreezeBalance: freeze_balance,
    commands.UnfreezeBalance: unfreeze_balance,
}
