"""Commands of a workload about settlements: days that are over, in small steps, and in vain."""

from tests.model.cold_shares import DAY_NS
from tests.model.commands import (
    BeginSettlement, SellEarnings, SetCoinToMoney, SetFees, SetMoneyHarvest, SetNetwork,
    SettleAccounts,
)
from tests.model.workload_accounts import BANK, any_account, odd_or


def begin(workload) -> BeginSettlement:
    """Mostly of a day that has work; of one that is over, where there is one."""
    choose, model = workload.random, workload.model
    today = workload.ts_ns // DAY_NS
    keys = sorted({key[:2] for key in model.workers.paid if key[1] < today})
    coin, day = choose.choice(keys) if keys and choose.random() < 0.8 else (
        choose.choice(list(model.networks)), today - choose.randint(1, 3))
    return BeginSettlement(odd_or(workload, coin, 0, 6, workload.COINS + 1, -1),
                           odd_or(workload, day, today, today + 1, -1, 2**62))


def step(workload):
    """What comes next, as a house would do; else something of another settlement."""
    choose, its = workload.random, workload.model.settlement
    if its is None:
        return begin(workload)
    coin = odd_or(workload, its.coin, its.coin + 1, 0)
    day = odd_or(workload, its.day, its.day - 1)
    if its.waiting and choose.random() < 0.7 or choose.random() < 0.05:
        return SellEarnings(coin, day)
    return SettleAccounts(coin, day, odd_or(workload, choose.choice((1, 2, 3, 10, 10_000)),
                                            0, -1, 10_001))


def out_of_turn(workload):
    choose = workload.random
    today = workload.ts_ns // DAY_NS
    return choose.choice((
        begin(workload), SettleAccounts(1, today, 5), SellEarnings(1, today - 1)))


def to_money(workload):
    """Accounts whose coins are sold, with a bank that CNY can be paid to."""
    choose = workload.random
    account = any_account(workload)
    return choose.choice((SetCoinToMoney(account, True),
                          SetMoneyHarvest(account, *BANK, choose.choice((100, 100, 0)))))


def worth_some_lots(workload) -> SetNetwork:
    """From now on usual shares bring so much that the book takes all of it."""
    return SetNetwork(1, "98765432.1", 625_000_000, workload.random.choice((0, 10**7)))


def referred(workload) -> SetFees:
    """An account whose earnings bring somebody a commission."""
    choose = workload.random
    account = any_account(workload)
    referrer = choose.choice((*range(1, workload.USERS + 1), *workload.model.accounts))
    return SetFees(account, fee=500, commission=250, refer=referrer)


MAKERS = ((step, 3), (out_of_turn, 0.3), (to_money, 0.3), (referred, 0.3),
          (worth_some_lots, 0.4))
