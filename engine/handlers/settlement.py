"""The days of the pool: what each sub-account has earned, and how it is paid (docs/settlement.md).

A settlement runs over many commands, and is wholly in the core's state in between. An account is
posted to once, when its turn comes; where its coins are to be sold, what it is paid waits for the
sale, and its earning is given twice: as it is before, and as it is after.
"""

import json
from functools import cached_property

from engine.codes import FeeType, HouseAccount, Kind, LockReason, PairStatus, Result
from engine.halt import Halt
from engine.handlers.accounts import BANK_FIELDS
from engine.handlers.checks import AMOUNT_MAX
from ledger.withdrawals import OPEN_PER_USER_MAX
from pool.pps import NS_PER_DAY, Valuation, fees_of_day, profit_per_p
from pool.settlements import Sale

NS_PER_S = 1_000_000_000
SHARES_END_NS = (1 << 32) * NS_PER_S        # from here on no share has a time
ACCOUNTS_AT_ONCE_MAX = 10_000
PPS_ONLY = "BCH"                # the coin that has a fee and a commission of its own
MONEY = "CNY"
MONEY_ONE = 100                 # a minimum counts 0.01 CNY
NO_WORK = "0"
FPPS = int(FeeType.FPPS)
TRADING = int(PairStatus.TRADING)
MINED, POOL = int(HouseAccount.MINED), int(HouseAccount.POOL)
BELOW_MINIMUM, NO_ADDRESS = int(LockReason.BELOW_MINIMUM), int(LockReason.NO_ADDRESS)
ACCOUNT_LOCKED, NOT_AUTOMATIC = int(LockReason.ACCOUNT_LOCKED), int(LockReason.NOT_AUTOMATIC)
NOT_SOLD, TOO_MANY_PAYMENTS = int(LockReason.NOT_SOLD), int(LockReason.TOO_MANY_PAYMENTS)


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
    desk = Desk(core, running, ts_ns)
    earnings = []
    for number, works in zip(numbers, core.workers.works_of(running.coin, running.day, numbers)):
        earning = desk.settle(number, works)
        running.cursor = number
        if earning is not None:
            earnings.append(earning)
    return answer(core, ts_ns, running, earnings)


def sell_earnings(core, ts_ns, seq, args):
    """NO_SETTLEMENT (this one is not running, or nothing of it waits to be sold)."""
    running = running_one(core, args)
    if running is None or not running.sales:
        return Result.NO_SETTLEMENT
    earning = Desk(core, running, ts_ns).sell(core.settlements.sell_next())
    return answer(core, ts_ns, running, [] if earning is None else [earning])


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


def answer(core, ts_ns, running, earnings):
    """OK, after the end of the settlement where nothing is left to do."""
    is_done = not running.sales and core.sub_accounts.flags.find(1, running.cursor + 1) == -1
    if is_done:
        finish(core, ts_ns, running)
    return Result.OK, {"earnings": earnings, "done": is_done, "sales": len(running.sales)}


def finish(core, ts_ns, running) -> None:
    """Post what the pool keeps, keep the day's sum, forget what the day needed."""
    coin, day = running.coin, running.day
    gross = valuation_of(core, running).gross_of_day(*(paid.items() for paid in running.works))
    pool = gross - running.net - running.commission
    # The books post between a user and the house only: what the pool keeps goes through the last
    # account. Where the coin's supply cannot bear it, it is settled as nothing; the parts of many
    # accounts together may not even be an amount.
    if 0 < pool <= AMOUNT_MAX and core.accounts.credit(running.cursor, coin, pool, MINED):
        posted(core.accounts.debit(running.cursor, coin, pool, POOL), "the pool's part", running)
    else:
        pool = 0
    core.settlements.finish(running.net + running.commission + pool, pool, ts_ns)
    core.workers.drop_day(coin, day)
    # A day before it that was not settled yet still needs what its work is worth.
    unsettled = [before - 1 for before in core.workers.work_days(coin) if before < day]
    core.networks.forget(coin, min([day, *unsettled]))


def valuation_of(core, running) -> Valuation:
    return Valuation(core.networks.epochs(running.coin), running.fees, running.subsidies)


def posted(done: bool, posting: str, subject: object) -> None:
    if not done:
        raise Halt(f"the books refuse {posting} of {subject}")


class Desk:
    """One command's work on the running settlement."""

    def __init__(self, core, running, ts_ns: int):
        self.core = core
        self.running = running
        self.ts_ns = ts_ns
        self.accounts = core.accounts
        self.available = core.accounts.available
        self.coin = core.coins.get(running.coin)
        self.number = running.coin
        self.is_pps_only = self.coin.name == PPS_ONLY
        self.money = core.coins.by_name(MONEY)
        pair = core.pairs.by_name(f"{self.coin.name}/{MONEY}")
        self.pair = pair if pair is not None and pair.status == TRADING else None
        self.request_id = f"pay|{running.coin}|{running.day}"

    @cached_property
    def valuation(self) -> Valuation:
        """Made for who needs it: a sale does not, and a coin may have many epochs."""
        return valuation_of(self.core, self.running)

    def coins_of(self, number: int) -> int:
        """Available units of the coin."""
        return self.available(number, self.number)

    def money_of(self, number: int) -> int:
        return 0 if self.money is None else self.available(number, self.money.number)

    # -- an account's turn -------------------------------------------------------------------------

    def settle(self, number: int, works: list) -> list | None:
        """Post what an account has earned, and pay it unless it waits for a sale; its earning."""
        if not works and not self.coins_of(number) and not self.money_of(number):
            return None
        account = self.core.sub_accounts.get(number)
        due = self.post(account, works)
        unsold = None
        if account.coin_to_money:
            unsold = self.to_sell(number, due.net)
            if self.pair is not None and unsold >= self.pair.base_unit:
                return self.wait(due, unsold)
        return self.close(account, due, due.net, unsold)

    def post(self, account, works: list) -> Sale:
        """Credit the account and its referrer."""
        number = account.number
        if not works:
            return Sale(number, NO_WORK, 0, 0, 0, 0)
        running = self.running
        fee, rate = account.fee, account.commission
        with_fees = account.fee_type == FPPS
        if self.is_pps_only:
            fee, rate, with_fees = account.bch_pps_fee, account.bch_commission, False
        gross, net, commission = self.valuation.amounts(
            works, with_fees, fee, rate if account.refer else 0)
        running.accounts += 1
        work = str(sum([work for _, work in works]))
        if gross > AMOUNT_MAX or not self.credit(account, net, commission):
            return Sale(number, work, 0, 0, 0, 0)
        running.net += net
        running.commission += commission
        running.add_works(works, with_fees)
        return Sale(number, work, gross, commission, account.refer if commission else 0, net)

    def credit(self, account, net: int, commission: int) -> bool:
        """False, and nothing is posted, where the coin's supply cannot bear both."""
        accounts, coin = self.accounts, self.coin.number
        if not accounts.credit(account.number, coin, net, MINED):
            return False
        if commission and not accounts.credit(account.refer, coin, commission, MINED):
            posted(accounts.debit(account.number, coin, net, MINED), "the return", account)
            return False
        return True

    # -- sales -------------------------------------------------------------------------------------

    def to_sell(self, number: int, net: int) -> int:
        """Units: the day's net and what earlier sales left, so far as it is still there."""
        unsold = self.core.settlements.total(number, self.coin.number).unsold
        return min(unsold + net, self.coins_of(number))

    def wait(self, due: Sale, unsold: int) -> list | None:
        """Let an account wait for its sale; its earning until then, None where it had no work."""
        self.core.settlements.sell_later(due)
        if due.work == NO_WORK:
            return None
        self.note(due.account, due.net, unsold)
        return self.earning(due, reason=NOT_SOLD,
                            money_reason=NOT_SOLD if self.money_of(due.account) else 0)

    def sell(self, due: Sale) -> list | None:
        """Sell what the book takes of an account's coins, then pay it; its earning, as `close`."""
        core, number = self.core, due.account
        account = core.sub_accounts.get(number)
        if not account.coin_to_money:
            return self.close(account, due, 0, None)
        unsold, filled, money = self.to_sell(number, 0), 0, 0
        lots = 0 if self.pair is None else unsold // self.pair.base_unit
        if lots:
            _, filled, money = core.sell_at_market(number, self.pair.number, lots)
        sold = filled * self.pair.base_unit if filled else 0
        return self.close(account, due, 0, min(unsold - sold, self.coins_of(number)),
                          sold, money)

    # -- payments ----------------------------------------------------------------------------------

    def close(self, account, due: Sale, earned: int, unsold: int | None, sold: int = 0,
              money: int = 0) -> list | None:
        """Pay an account what can be paid, and note it: its earning, None where there is nothing
        to tell. `unsold` (None: as it was) is what stays to be sold."""
        number = account.number
        if account.coin_to_money:
            paid_coin = self.money
            paid, payment, money_reason = self.pay_money(account)
            reason = NOT_SOLD if self.coins_of(number) else 0
        else:
            paid_coin = self.coin
            paid, payment, reason = self.pay_coin(account)
            money_reason = NOT_AUTOMATIC if self.money_of(number) else 0
            unsold = 0 if paid else unsold
        if not paid and not sold and due.work == NO_WORK:
            return None
        self.note(number, earned, unsold, paid if paid_coin is self.coin else 0)
        if money or (paid and paid_coin is not self.coin):
            self.core.settlements.note(number, self.money.number, self.running.day, money,
                                       paid=paid)
        return self.earning(due, sold, money, paid_coin.number if paid else 0, paid, payment,
                            reason, money_reason)

    def pay_coin(self, account) -> tuple[int, int, int]:
        """(units paid, the payment, 0), or (0, 0, why not)."""
        available = self.coins_of(account.number)
        if available == 0:
            return 0, 0, 0
        harvest = account.coin_harvest(self.coin.number)
        reason = self.lock_reason(account, harvest, available, available, self.coin)
        if reason:
            return 0, 0, reason
        address = self.core.users.withdraw_address(account.number, self.coin.number)
        return available, self.pay(account.number, self.coin, available, address), 0

    def pay_money(self, account) -> tuple[int, int, int]:
        """As `pay_coin`, of CNY: in whole 0.01, to the bank."""
        available = self.money_of(account.number)
        if available == 0:
            return 0, 0, 0
        one = 10 ** self.money.scale
        hundredths = available * MONEY_ONE // one
        amount = hundredths * one // MONEY_ONE
        bank = account.money_harvest
        reason = self.lock_reason(account, bank, hundredths, amount, self.money)
        if reason:
            return 0, 0, reason
        address = json.dumps({name: getattr(bank, name) for name in BANK_FIELDS}, sort_keys=True,
                             ensure_ascii=False)
        return amount, self.pay(account.number, self.money, amount, address), 0

    def lock_reason(self, account, harvest, counted: int, amount: int, coin) -> int:
        """Why an amount is not paid, 0 where it is: `counted` is in the unit of the minimum."""
        if account.locked:
            return ACCOUNT_LOCKED
        if harvest is None:
            return NO_ADDRESS
        if harvest.min == 0:
            return NOT_AUTOMATIC
        if counted < harvest.min or amount <= coin.withdraw_fee:
            return BELOW_MINIMUM
        if self.core.withdrawals.open_count(account.number) >= OPEN_PER_USER_MAX:
            return TOO_MANY_PAYMENTS
        return 0

    def pay(self, number: int, coin, amount: int, address: str) -> int:
        """The id of an approved withdrawal, whose amount is frozen from now on."""
        posted(self.accounts.hold(number, coin.number, amount), "a payment", number)
        return self.core.withdrawals.request_approved(
            number, coin.number, amount, coin.withdraw_fee, address, self.ts_ns,
            self.request_id).id

    # -- what is told ------------------------------------------------------------------------------

    def note(self, number: int, earned: int, unsold: int | None, paid: int = 0) -> None:
        self.core.settlements.note(number, self.coin.number, self.running.day, earned, unsold, paid)

    def earning(self, due: Sale, sold: int = 0, money: int = 0, paid_coin: int = 0, paid: int = 0,
                payment: int = 0, reason: int = 0, money_reason: int = 0) -> list:
        """In the order of docs/settlement.md."""
        return [due.account, self.coin.number, self.running.day, due.work, due.gross,
                due.commission, due.refer, due.net, sold, money, paid_coin, paid, payment,
                self.coins_of(due.account), self.money_of(due.account),
                reason, money_reason]


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
