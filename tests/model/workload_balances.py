"""Commands of a workload that move balances, with and without request ids, again and changed."""

from dataclasses import replace

from tests.model.cold_balances import OTHERS, OWN
from tests.model.commands import (
    CreditBalance, DebitBalance, FreezeBalance, TransferBalance, UnfreezeBalance,
)
from tests.model.money import AMOUNT_MAX, SOURCES

ODD_REQUEST_IDS = ("", "white space", "x" * 37, "é")
FLOOD = 2**61             # units of ORE: nobody has so much by fair means


def request_id(workload) -> str | None:
    choose = workload.random
    kind = choose.random()
    if kind < 0.4:
        return None
    if kind < 0.45:
        return choose.choice(ODD_REQUEST_IDS)
    # A withdrawal of the same name counts for itself.
    return workload.unique("move:") if kind < 0.9 else f"request-{choose.randint(1, 20)}"


def coin_or_odd(workload) -> int:
    choose = workload.random
    if choose.random() < 0.03:
        return choose.choice((0, workload.COINS + 1))
    return choose.choice(workload.SPENDING_COINS)


def amount_of(workload, available: int) -> int:
    """Some of what there is, now and then all of it or one more; or an odd one."""
    choose = workload.random
    kind = choose.random()
    if kind < 0.04:
        return choose.choice((0, -1, -2**63, AMOUNT_MAX))
    if kind < 0.12:
        return min(AMOUNT_MAX, available + choose.choice((0, 1)))
    return choose.randint(1, max(1, min(available, 10**10) // choose.choice((1, 10, 1_000))))


def credit(workload) -> CreditBalance:
    choose = workload.random
    amount = choose.choice((choose.randint(1, 10**10), choose.randint(1, 10**10), 0, -1, 1))
    coin = choose.choice((4, 5)) if choose.random() < 0.05 else coin_or_odd(workload)
    return CreditBalance(workload.user_or_odd(), workload.user_or_odd(), coin, amount,
                         request_id(workload))


def debit(workload) -> DebitBalance:
    uid, coin = workload.user_or_odd(), coin_or_odd(workload)
    return DebitBalance(workload.user_or_odd(), uid, coin,
                        amount_of(workload, workload.model.money.available[uid, coin]),
                        request_id(workload))


def transfer(workload) -> TransferBalance:
    uid, coin = workload.user_or_odd(), coin_or_odd(workload)
    return TransferBalance(workload.user_or_odd(), uid, workload.user_or_odd(), coin,
                           amount_of(workload, workload.model.money.available[uid, coin]),
                           request_id(workload))


def freeze(workload) -> FreezeBalance:
    uid, coin = workload.user_or_odd(), coin_or_odd(workload)
    by = workload.random.choice((uid, workload.user_or_odd()))
    return FreezeBalance(by, uid, coin,
                         amount_of(workload, workload.model.money.available[uid, coin]),
                         request_id(workload))


def unfreeze(workload) -> UnfreezeBalance:
    """Mostly about as much as one of the parts, or both, or all that is frozen for whatever."""
    choose = workload.random
    uid, coin = workload.user_or_odd(), coin_or_odd(workload)
    freezes = workload.model.freezes
    own, others = freezes[uid, coin, OWN], freezes[uid, coin, OTHERS]
    frozen = workload.model.money.frozen[uid, coin]
    return UnfreezeBalance(choose.choice((uid, workload.user_or_odd())), uid, coin,
                           amount_of(workload, choose.choice((own, others, own + others, frozen))),
                           request_id(workload))


def again(workload):
    """One of the last requests once more: as it was, or with something changed."""
    choose = workload.random
    last = list(workload.model.requests.values())[-200:]
    if not last:
        return credit(workload)
    command = choose.choice(last)
    if choose.random() < 0.6:
        return command
    if choose.random() < 0.3:
        if isinstance(command, TransferBalance):
            return replace(command, to_uid=command.to_uid % workload.USERS + 1)
        other = choose.choice((CreditBalance, DebitBalance, FreezeBalance, UnfreezeBalance))
        return other(command.by, command.uid, command.coin, command.amount, command.request_id)
    field = choose.choice(("by", "coin", "amount"))
    return replace(command, **{field: getattr(command, field) % workload.COINS + 1})


def flood(workload):
    """All ORE that can still exist, more or less a unit; what is too much goes again soon."""
    choose = workload.random
    money = workload.model.money
    for uid in range(1, workload.USERS + 1):
        if money.available[uid, workload.ORE] > FLOOD and choose.random() < 0.8:
            return DebitBalance(1, uid, workload.ORE, money.available[uid, workload.ORE] - 10**9)
    supply = -sum(money.house[account, workload.ORE] for account in SOURCES)
    amount = AMOUNT_MAX - supply + choose.choice((-10**6, -1, 0, 0, 1))
    return CreditBalance(1, choose.randint(1, workload.USERS), workload.ORE, max(1, amount))


MAKERS = (
    (credit, 0.8), (debit, 1), (transfer, 1.2), (freeze, 1.4), (unfreeze, 1.4), (again, 1),
    (flood, 0.3),
)
