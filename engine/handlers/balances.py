"""Balances that others than trades and payments change: credited, debited, transferred, frozen.

Each command says on whose behalf it comes (`by`); whether that user may is the dialects' question.
One with a request id is done once: a repeat is answered `duplicate` and moves nothing.

What is frozen here is held beside what orders and withdrawals hold, and noted apart
(ledger/freezes), so that nothing else can be undone here. A posting that fails although the store
says the amount is frozen means that the books are wrong: Halt.
"""

from engine.codes import HouseAccount, Kind, Result
from engine.handlers.checks import is_amount, is_client_id
from engine.handlers.money import posted
from ledger.request_ids import meaning_of

NAMED_USERS = ("by", "uid", "from_uid", "to_uid")


def credit_balance(core, ts_ns, seq, args):
    """UNKNOWN_USER, UNKNOWN_COIN, BAD_REQUEST_ID, then a request id that counts: OK with nothing
    done or REQUEST_ID_TAKEN; BAD_AMOUNT, AMOUNT_TOO_LARGE (the coin's supply would exceed 64 bits).
    """
    answer = first_answer(core, Kind.CREDIT_BALANCE, args)
    if answer is not None:
        return answer
    if not core.accounts.credit(args["uid"], args["coin"], args["amount"], HouseAccount.EXTERNAL):
        return Result.AMOUNT_TOO_LARGE
    return done(core, Kind.CREDIT_BALANCE, args)


def debit_balance(core, ts_ns, seq, args):
    """UNKNOWN_USER, UNKNOWN_COIN, BAD_REQUEST_ID, then a request id that counts: OK with nothing
    done or REQUEST_ID_TAKEN; BAD_AMOUNT, NOT_ENOUGH_MONEY."""
    answer = first_answer(core, Kind.DEBIT_BALANCE, args)
    if answer is not None:
        return answer
    if not core.accounts.debit(args["uid"], args["coin"], args["amount"], HouseAccount.EXTERNAL):
        return Result.NOT_ENOUGH_MONEY
    return done(core, Kind.DEBIT_BALANCE, args)


def transfer_balance(core, ts_ns, seq, args):
    """UNKNOWN_USER, UNKNOWN_COIN, BAD_REQUEST_ID, then a request id that counts: OK with nothing
    done or REQUEST_ID_TAKEN; BAD_AMOUNT, SAME_ACCOUNT, NOT_ENOUGH_MONEY."""
    answer = first_answer(core, Kind.TRANSFER_BALANCE, args)
    if answer is not None:
        return answer
    if args["from_uid"] == args["to_uid"]:
        return Result.SAME_ACCOUNT
    if not core.accounts.move(args["from_uid"], args["to_uid"], args["coin"], args["amount"]):
        return Result.NOT_ENOUGH_MONEY
    return done(core, Kind.TRANSFER_BALANCE, args)


def freeze_balance(core, ts_ns, seq, args):
    """UNKNOWN_USER, UNKNOWN_COIN, BAD_REQUEST_ID, then a request id that counts: OK with nothing
    done or REQUEST_ID_TAKEN; BAD_AMOUNT, NOT_ENOUGH_MONEY."""
    uid, coin, amount = args["uid"], args["coin"], args["amount"]
    answer = first_answer(core, Kind.FREEZE_BALANCE, args)
    if answer is not None:
        return answer
    if not core.accounts.hold(uid, coin, amount):
        return Result.NOT_ENOUGH_MONEY
    core.freezes.freeze(uid, coin, amount, by_user=args["by"] == uid)
    return done(core, Kind.FREEZE_BALANCE, args)


def unfreeze_balance(core, ts_ns, seq, args):
    """UNKNOWN_USER, UNKNOWN_COIN, BAD_REQUEST_ID, then a request id that counts: OK with nothing
    done or REQUEST_ID_TAKEN; BAD_AMOUNT, NOT_ENOUGH_FROZEN (of what who asks may undo)."""
    uid, coin, amount = args["uid"], args["coin"], args["amount"]
    answer = first_answer(core, Kind.UNFREEZE_BALANCE, args)
    if answer is not None:
        return answer
    by_user = args["by"] == uid
    if amount > core.freezes.undoable(uid, coin, by_user):
        return Result.NOT_ENOUGH_FROZEN
    posted(core.accounts.release(uid, coin, amount), "release", args)
    core.freezes.unfreeze(uid, coin, amount, by_user)
    return done(core, Kind.UNFREEZE_BALANCE, args)


def first_answer(core, kind, args):
    """The answer to a command that needs no look at the balances; None where there is none yet.

    UNKNOWN_USER, UNKNOWN_COIN, BAD_REQUEST_ID, a repeat (OK) or REQUEST_ID_TAKEN, BAD_AMOUNT.
    """
    request_id = args.get("request_id")
    if any(args[name] not in core.users for name in NAMED_USERS if name in args):
        return Result.UNKNOWN_USER
    if core.coins.get(args["coin"]) is None:
        return Result.UNKNOWN_COIN
    if request_id is not None:
        if not is_client_id(request_id):
            return Result.BAD_REQUEST_ID
        earlier = core.request_ids.find(args["by"], request_id)
        if earlier == meaning(kind, args):
            return Result.OK, {"duplicate": True}
        if earlier is not None:
            return Result.REQUEST_ID_TAKEN
    if not is_amount(args["amount"]):
        return Result.BAD_AMOUNT
    return None


def done(core, kind, args):
    """OK, and the request id counts from now on."""
    if args.get("request_id") is not None:
        core.request_ids.add(args["by"], args["request_id"], meaning(kind, args))
    return Result.OK, {"duplicate": False}


def meaning(kind, args) -> int:
    """What makes two commands of one request id the same: all fields, in the order of FIELDS."""
    return meaning_of(kind, *(args[name] for name in FIELDS[kind] if name != "request_id"))


HANDLERS = {
    Kind.CREDIT_BALANCE: credit_balance,
    Kind.DEBIT_BALANCE: debit_balance,
    Kind.TRANSFER_BALANCE: transfer_balance,
    Kind.FREEZE_BALANCE: freeze_balance,
    Kind.UNFREEZE_BALANCE: unfreeze_balance,
}
ONE_USER = {"by": int, "uid": int, "coin": int, "amount": int, "request_id": str | None}
FIELDS = {
    Kind.CREDIT_BALANCE: ONE_USER,
    Kind.DEBIT_BALANCE: ONE_USER,
    Kind.TRANSFER_BALANCE: {"by": int, "from_uid": int, "to_uid": int, "coin": int, "amount": int,
                            "request_id": str | None},
    Kind.FREEZE_BALANCE: ONE_USER,
    Kind.UNFREEZE_BALANCE: ONE_USER,
}
