"""The days of the pool: what each sub-account has earned, and how it is paid (docs/settlement.md).

A settlement runs over many commands, and is wholly in the core's state in between. An account is
posted to once, when its turn comes; where its coins are to be sold, what it is paid waits for the
sale, and its earning is given twice: as it is before, and as it is after.
"""

from engine.codes import HouseAccount, Kind, Result
from engine.halt import Halt
from engine.handlers.checks import AMOUNT_MAX
from engine.pay_desk import PayDesk, valuation_of
from pool.pps import NS_PER_DAY, fees_of_day, profit_per_p

NS_PER_S = 1_000_000_000
SHARES_END_NS = (1 << 32) * NS_PER_S        # from here on no share has a time
ACCOUNTS_AT_ONCE_MAX = 10_000


def begin_settlement(core, ts_ns, seq, args):
    """UNKNOWN_COIN, NO_NETWORK, BAD_DAY (not over, or in 2106), then OK for a day that is settled
    or being settled; SETTLEMENT_RUNNING (of another one)."""
    coin, day = args["coin"], args["day"]
    if core.coins.get(coin) is None:
        return Result.UNKNOWN_COIN
    if coin not in core.networks:
        return Result.NO_NETWORK
    if not 0 <= day < ts_ns // NS_PER_DAY or ts_ns >= SHARES_END_NS:
        return Result.BAD_DAY
    if core.settlements.of_day(coin, day) is not None:
        return Result.OK, {"duplicate": True, "done": True}
    if running_one(core, args) is not None:
        return Result.OK, {"duplicate": True, "done": False}
    if core.settlements.running is not None:
        return Result.SETTLEMENT_RUNNING
    core.workers.advance(ts_ns // NS_PER_S)
    core.workers.close_day(coin, day)
    states = core.networks.states_of_day(coin, day)
    fees, subsidies = fees_of_day(states, core.networks.blocks_of_day(coin, day), day)
    core.settlements.begin(coin, day, fees, subsidies, profit_per_p(states, day))
    return Result.OK, {"duplicate": False, "done": False}


def settle_accounts(core, ts_ns, seq, args):
    """NO_SETTLEMENT (this one is not running), BAD_LIMIT."""
    running = running_one(core, args)
    if running is None:
        return Result.NO_SETTLEMENT
    if not 1 <= args["count"] <= ACCOUNTS_AT_ONCE_MAX:
        return Result.BAD_LIMIT
    numbers = accounts_behind(core.sub_accounts.flags, running.cursor, args["count"])
    desk = PayDesk(core, running, ts_ns)
    desk.settle(numbers)
    return answer(core, ts_ns, running, desk)


def sell_earnings(core, ts_ns, seq, args):
    """NO_SETTLEMENT (this one is not running, or nothing of it waits to be sold)."""
    running = running_one(core, args)
    if running is None or not running.sales:
        return Result.NO_SETTLEMENT
    desk = PayDesk(core, running, ts_ns)
    desk.sell(core.settlements.sell_next())
    return answer(core, ts_ns, running, desk)


def running_one(core, args):
    """The running settlement, if it is of this coin and day; else None."""
    running = core.settlements.running
    is_it = running is not None and (running.coin, running.day) == (args["coin"], args["day"])
    return running if is_it else None


def accounts_behind(flags: bytearray, cursor: int, count: int) -> list[int]:
    """The next sub-accounts' numbers, at most `count`."""
    found = []
    number = flags.find(1, cursor + 1)
    while number != -1 and len(found) < count:
        found.append(number)
        number = flags.find(1, number + 1)
    return found


def answer(core, ts_ns, running, desk: PayDesk):
    """OK, after the end of the settlement where nothing is left to do."""
    desk.leave()
    is_done = not running.sales and core.sub_accounts.flags.find(1, running.cursor + 1) == -1
    if is_done:
        finish(core, ts_ns, running)
    return Result.OK, {"earnings": desk.earnings, "lost": desk.lost, "done": is_done,
                       "sales": len(running.sales)}


def finish(core, ts_ns, running) -> None:
    """Post what the pool keeps, keep the day's sum, forget what the day needed."""
    coin, day = running.coin, running.day
    gross = valuation_of(core, running).gross_of_day(*(paid.items() for paid in running.works))
    pool = gross - running.net - running.commission
    # The books post between a user and the house only: what the pool keeps goes through the last
    # account. Where the coin's supply cannot bear it, it is settled as nothing; the parts of many
    # accounts together may not even be an amount.
    mined, kept = HouseAccount.MINED, HouseAccount.POOL
    if 0 < pool <= AMOUNT_MAX and core.accounts.credit(running.cursor, coin, pool, mined):
        if not core.accounts.debit(running.cursor, coin, pool, kept):
            raise Halt(f"the books refuse the pool's part of {running}")
    else:
        pool = 0
    core.settlements.finish(running.net + running.commission + pool, pool, ts_ns)
    core.workers.drop_day(coin, day)
    # A day before it that was not settled yet still needs what its work is worth.
    unsettled = [before - 1 for before in core.workers.work_days(coin) if before < day]
    core.networks.forget(coin, min([day, *unsettled]))


HANDLERS = {
    Kind.BEGIN_SETTLEMENT: begin_settlement,
    Kind.SETTLE_ACCOUNTS: settle_accounts,
    Kind.SELL_EARNINGS: sell_earnings,
}
FIELDS = {
    Kind.BEGIN_SETTLEMENT: {"coin": int, "day": int},
    Kind.SETTLE_ACCOUNTS: {"coin": int, "day": int, "count": int},
    Kind.SELL_EARNINGS: {"coin": int, "day": int},
}
