"""The settlement of the pool's days: what work was worth, and how it is paid.

All in fractions, from the list of what was done; a day is worked out from its beginning each time
that something about it is asked. Each function checks, in the order of its lines, and only then
changes something.
"""

import json
from dataclasses import astuple, dataclass, field
from fractions import Fraction

from engine.codes import (
    EventKind, HouseAccount, LockReason, OrderType, PairStatus, Result, Side, Tif,
    WithdrawalStatus,
)
from tests.model import commands
from tests.model.cold_shares import DAY_NS
from tests.model.money import AMOUNT_MAX
from tests.model.state import Account

CNY = "CNY"
FPPS = 2
OPEN_WITHDRAWALS_MAX = 1_000
OPEN_STATUSES = (WithdrawalStatus.REQUESTED, WithdrawalStatus.APPROVED, WithdrawalStatus.SIGNED)
PETA_DAY = Fraction(10**15 * 86_400, 2**32)       # shares of difficulty 1 that 10^15 H/s find
BANK = ("bank", "branch", "city", "number", "owner", "province")      # sorted


@dataclass(slots=True)
class Due:
    """What a day has brought an account."""
    account: int
    work: int = 0                  # in 2^-16
    value: Fraction = Fraction(0)  # of the work that was paid for
    net: int = 0
    commission: int = 0
    refer: int = 0
    is_lost: bool = False          # the supply could not bear it


@dataclass(slots=True)
class Settlement:
    """One day of a coin; it runs until `settled` has its sum."""
    coin: int
    day: int
    rate: Fraction
    profit_per_p: int
    cursor: int = 0
    dues: list[Due] = field(default_factory=list)     # of accounts with work
    waiting: list[Due] = field(default_factory=list)  # to be sold


@dataclass(slots=True)
class Total:
    """Of one account and coin, in units."""
    earned: int = 0
    unsold: int = 0
    last_paid: int = 0
    last_day: int = 0


# The commands

def begin_settlement(model, c: commands.BeginSettlement) -> tuple[int, object]:
    if c.coin not in model.coins:
        return Result.UNKNOWN_COIN, None
    if c.coin not in model.networks:
        return Result.NO_NETWORK, None
    # Chosen: once no share can have a time, no day can be closed.
    if c.day < 0 or (c.day + 1) * DAY_NS > model.ts_ns or model.ts_ns >= 2**32 * 10**9:
        return Result.BAD_DAY, None
    if (c.coin, c.day) in model.settled:
        return Result.OK, {"duplicate": True, "done": True}
    if running(model, c) is not None:
        return Result.OK, {"duplicate": True, "done": False}
    if model.settlement is not None:
        return Result.SETTLEMENT_RUNNING, None
    model.workers.advance(model.ts_ns // 10**9)
    model.workers.closed[c.coin] = max(c.day, model.workers.closed.get(c.coin, -1))
    chain = model.networks[c.coin]
    model.settlement = Settlement(c.coin, c.day, rate_of(chain, c.day), profit_of(chain, c.day))
    return Result.OK, {"duplicate": False, "done": False}


def settle_accounts(model, c: commands.SettleAccounts) -> tuple[int, object]:
    its = running(model, c)
    if its is None:
        return Result.NO_SETTLEMENT, None
    if not 1 <= c.count <= 10_000:
        return Result.BAD_LIMIT, None
    earnings = []
    dues_before = len(its.dues)
    for number in left(model)[:c.count]:
        its.cursor = number
        earnings += settle_one(model, model.accounts[number])
    return done(model, earnings,
                [due.account for due in its.dues[dues_before:] if due.is_lost])


def sell_earnings(model, c: commands.SellEarnings) -> tuple[int, object]:
    its = running(model, c)
    if its is None or not its.waiting:
        return Result.NO_SETTLEMENT, None
    due = its.waiting.pop(0)
    account = model.accounts[due.account]
    if not account.coin_to_money:
        return done(model, pay(model, account, due))
    sold, money, unsold = sell(model, account)
    return done(model, pay(model, account, due, sold, money, unsold=unsold))


def running(model, c) -> Settlement | None:
    its = model.settlement
    return its if its is not None and (its.coin, its.day) == (c.coin, c.day) else None


def left(model) -> list[int]:
    return sorted(number for number in model.accounts if number > model.settlement.cursor)


def done(model, earnings: list, lost: list[int] = ()) -> tuple[int, object]:
    its = model.settlement
    is_done = not its.waiting and not left(model)
    if is_done:
        finish(model, its)
    return Result.OK, {"earnings": earnings, "lost": list(lost), "done": is_done,
                       "sales": len(its.waiting)}


def finish(model, its: Settlement) -> None:
    gross = int(sum(due.value for due in its.dues))
    net, commission = (sum(getattr(due, name) for due in its.dues)
                       for name in ("net", "commission"))
    pool = gross - net - commission
    if not model.money.issue(its.coin, pool, HouseAccount.MINED):
        pool = 0
    model.money.house[HouseAccount.POOL, its.coin] += pool
    model.settled[its.coin, its.day] = {
        "accounts": len(its.dues), "gross": net + commission + pool, "net": net,
        "commission": commission, "pool": pool, "profit_per_p": its.profit_per_p,
        "settled_ns": model.ts_ns, "rate": its.rate}
    model.workers.drop_day(its.coin, its.day)
    days = [day for coin, day, *_ in model.workers.paid if coin == its.coin and day < its.day]
    forget(model.networks[its.coin], min([its.day, *(day - 1 for day in days)]))
    model.settlement = None


def forget(chain, day: int) -> None:
    """Drop what only days up to this one needed. What is said of such a day, should it be settled
    yet, comes from what is left: a state that was set again as it was has held all the time."""
    start_ns = (day + 1) * DAY_NS
    states = chain.states
    # In the first moment of the next day shares may have come before its first state did.
    first = max((at for at, state in enumerate(states) if state.start_ns < start_ns), default=0)
    while first > 0 and astuple(states[first - 1])[1:] == astuple(states[first])[1:]:
        first -= 1
    del states[:first]
    chain.blocks = {of_day: blocks for of_day, blocks in chain.blocks.items() if of_day > day}


# What a day is worth

def rate_of(chain, day: int) -> Fraction:
    """Fees by subsidies: of the blocks, or by the time that each state held."""
    blocks = chain.blocks.get(day)
    if blocks:
        return Fraction(sum(fees for _, fees in blocks), sum(subsidy for subsidy, _ in blocks))
    periods = chain.in_force(day)
    if not periods:
        return Fraction(0)
    return Fraction(sum((end - start) * fees for start, end, *_, fees in periods),
                    sum((end - start) * subsidy for start, end, _, _, subsidy, _ in periods))


def profit_of(chain, day: int) -> int:
    periods = chain.in_force(day)
    lasted = sum(end - start for start, end, *_ in periods)
    if lasted == 0:
        return 0
    value = sum((end - start) * PETA_DAY * subsidy / difficulty
                for start, end, _, difficulty, subsidy, _ in periods) / lasted
    return int(value + Fraction(1, 2))


def due_of(model, account: Account) -> Due:
    """What the account's work of the day is worth, before anything is posted."""
    its = model.settlement
    states = {state.epoch: state for state in model.networks[its.coin].states}
    due = Due(account.number)
    fee, commission = account.fee, account.commission
    is_bch = model.coins[its.coin].name == "BCH"
    if is_bch:
        fee, commission = account.bch_pps_fee, account.bch_commission
    for epoch, work in model.workers.work(account.number, its.coin, its.day):
        due.work += work
        due.value += Fraction(work, 2**16) * states[epoch].subsidy / states[epoch].difficulty
    if account.fee_type == FPPS and not is_bch:
        due.value *= 1 + its.rate
    due.net = int(due.value * Fraction(10_000 - fee, 10_000))
    if account.refer:
        due.commission = int(due.value * Fraction(commission, 10_000))
        due.refer = account.refer if due.commission else 0
    return due


def settle_one(model, account: Account) -> list:
    """The earnings to be told: one or none."""
    its, money = model.settlement, model.money
    due = due_of(model, account)
    cny = coin_named(model, CNY)
    if not due.work and not money.available[account.number, its.coin] and not (
            cny and money.available[account.number, cny]):
        return []
    if due.work:
        if due.value >= AMOUNT_MAX + 1 or not credit(model, due):
            due = Due(account.number, due.work, is_lost=True)
        its.dues.append(due)
    if not account.coin_to_money:
        return pay(model, account, due, earned=due.net)
    unsold = min(total(model, account.number, its.coin).unsold + due.net,
                 money.available[account.number, its.coin])
    pair = trading_pair(model)
    if pair is None or unsold < pair.lot_units:
        return pay(model, account, due, earned=due.net, unsold=unsold)
    its.waiting.append(due)
    model.happened["settlement", "waits for a sale", ""] += 1
    if not due.work:
        return []
    note(model, account.number, its.coin, earned=due.net, unsold=unsold)
    has_money = money.available[account.number, cny]
    return [earning(model, due, reason=LockReason.NOT_SOLD,
                    money_reason=LockReason.NOT_SOLD if has_money else 0)]


def credit(model, due: Due) -> bool:
    """Both or none."""
    coin, money = model.settlement.coin, model.money
    if not money.issue(coin, due.net, HouseAccount.MINED):
        return False
    if not money.issue(coin, due.commission, HouseAccount.MINED):
        money.house[HouseAccount.MINED, coin] += due.net
        return False
    money.available[due.account, coin] += due.net
    if due.commission:
        money.available[due.refer, coin] += due.commission
        refer = model.accounts.get(due.refer)
        if refer is not None and refer.coin_to_money:
            model.happened["settlement", "a commission waits for a sale", ""] += 1
            note(model, due.refer, coin,
                 unsold=total(model, due.refer, coin).unsold + due.commission)
    return True


# How it is paid

def coin_named(model, name: str) -> int:
    return next((coin.number for coin in model.coins.values() if coin.name == name), 0)


def trading_pair(model):
    """The pair on which the settled coin is sold, if it trades."""
    name = f"{model.coins[model.settlement.coin].name}/{CNY}"
    return next((pair for pair in model.pairs.values()
                 if pair.name == name and pair.status == PairStatus.TRADING), None)


def sell(model, account: Account) -> tuple[int, int, int]:
    """(units of the coin, units of CNY net) of a market order for all that is to be sold, and what
    is left of that."""
    number, coin, pair = account.number, model.settlement.coin, trading_pair(model)
    unsold = min(total(model, number, coin).unsold, model.money.available[number, coin])
    lots = unsold // pair.lot_units if pair else 0
    sold = money = 0
    if lots:
        seen = len(model.events)
        model.place_order(commands.PlaceOrder(
            number, pair.number, int(Side.SELL), int(OrderType.MARKET), int(Tif.IOC), qty=lots))
        for event in model.events[seen:]:
            if event[0] == EventKind.TRADE and event[5] == model.seq:
                sold += pair.base_amount(event[7])
                money += pair.quote_amount(event[6], event[7]) - event[11]
    wanted = lots * pair.lot_units if pair else unsold
    model.happened["settlement", "sold",
                   "nothing" if not sold else "all" if sold == wanted else "in part"] += 1
    return sold, money, min(unsold - sold, model.money.available[number, coin])


def pay(model, account: Account, due: Due, sold: int = 0, money: int = 0, earned: int = 0,
        unsold: int | None = None) -> list:
    """Pay what can be paid: the earnings to be told, one or none."""
    number, coin, cny = account.number, model.settlement.coin, coin_named(model, CNY)
    available = model.money.available
    if account.coin_to_money:
        paid_coin = cny
        hundredths = available[number, cny] * 100 // 10 ** model.coins[cny].scale if cny else 0
        amount = hundredths * 10 ** model.coins[cny].scale // 100 if cny else 0
        minimum = account.money_harvest and account.money_harvest[6]
        money_reason = why_not(model, account, cny, minimum, hundredths, amount)
        payment = 0 if money_reason or not amount else withdraw(
            model, number, cny, amount, bank_text(account))
        paid = amount if payment else 0
        reason = LockReason.NOT_SOLD if available[number, coin] else 0
    else:
        paid_coin, amount = coin, available[number, coin]
        harvest = account.coin_harvests.get(coin)
        reason = why_not(model, account, coin, harvest and harvest[0], amount, amount)
        payment = 0 if reason or not amount else withdraw(
            model, number, coin, amount, model.users[number].addresses[coin])
        paid = amount if payment else 0
        money_reason = LockReason.NOT_AUTOMATIC if cny and available[number, cny] else 0
        unsold = 0 if paid else unsold
    if not (due.work or paid or sold):
        return []
    note(model, number, coin, earned, unsold, paid if paid_coin == coin else 0)
    if money or (paid and paid_coin != coin):
        note(model, number, cny, money, paid=paid)
    model.happened["settlement", "paid" if paid else "not paid", model.coins[coin].name] += 1
    for one in (reason, money_reason):
        model.happened["settlement", "reason", LockReason(one).name if one else ""] += 1
    return [earning(model, due, sold, money, paid_coin if paid else 0, paid, payment, reason,
                    money_reason)]


def why_not(model, account: Account, coin: int, minimum, counted: int, amount: int) -> int:
    """`minimum` is None where there is no address, else in the unit of `counted`."""
    if not coin or model.money.available[account.number, coin] == 0:
        return 0
    if account.locked:
        return LockReason.ACCOUNT_LOCKED
    if minimum is None:
        return LockReason.NO_ADDRESS
    if minimum == 0:
        return LockReason.NOT_AUTOMATIC
    if counted < minimum or amount <= model.coins[coin].withdraw_fee:
        return LockReason.BELOW_MINIMUM
    open_ones = sum(withdrawal["uid"] == account.number and withdrawal["status"] in OPEN_STATUSES
                    for withdrawal in model.withdrawals.values())
    return LockReason.TOO_MANY_PAYMENTS if open_ones >= OPEN_WITHDRAWALS_MAX else 0


def bank_text(account: Account) -> str:
    province, city, bank, branch, owner, number, *_ = account.money_harvest
    return json.dumps(dict(zip(BANK, (bank, branch, city, number, owner, province))),
                      ensure_ascii=False)


def withdraw(model, number: int, coin: int, amount: int, address: str) -> int:
    """The id of an approved withdrawal."""
    its = model.settlement
    model.money.hold(number, coin, amount)
    withdrawal = {
        "id": len(model.withdrawals) + 1, "uid": number, "coin": coin, "amount": amount,
        "fee": model.coins[coin].withdraw_fee, "address": address, "txid": None,
        "status": int(WithdrawalStatus.APPROVED), "requested_ns": model.ts_ns,
        "request_id": f"pay|{its.coin}|{its.day}"}
    model.withdrawals[withdrawal["id"]] = withdrawal
    return withdrawal["id"]


# What is told and kept

def total(model, account: int, coin: int) -> Total:
    return model.totals.get((account, coin), Total())


def note(model, account: int, coin: int, earned: int = 0, unsold: int | None = None,
         paid: int = 0) -> None:
    its = model.totals.setdefault((account, coin), Total())
    its.earned += earned
    its.unsold = its.unsold if unsold is None else unsold
    its.last_paid = paid or its.last_paid
    its.last_day = max(its.last_day, model.settlement.day)


def earning(model, due: Due, sold: int = 0, money: int = 0, paid_coin: int = 0, paid: int = 0,
            payment: int = 0, reason: int = 0, money_reason: int = 0) -> list:
    its, cny = model.settlement, coin_named(model, CNY)
    available = model.money.available
    return [due.account, its.coin, its.day, str(due.work), int(due.value), due.commission,
            due.refer, due.net, sold, money, paid_coin, paid, payment,
            available[due.account, its.coin], available[due.account, cny] if cny else 0,
            int(reason), int(money_reason)]


HANDLERS = {
    commands.BeginSettlement: begin_settlement,
    commands.SettleAccounts: settle_accounts,
    commands.SellEarnings: sell_earnings,
}
