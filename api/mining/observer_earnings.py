"""What an observer link shows of a sub-account's money, as text for people: what it has, what its
days earned, and what was paid.

Addresses are not shown in full, nor is anything that leads to one: who may see the earnings need
not learn where they are kept.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from api import numbers
from api.mining import profits
from api.mining.observer_view import day_text
from engine import HistoryLate, House, LockReason, WithdrawalStatus

DAYS_SHOWN = 31
DAY_S = 86_400
MONEY = "CNY"
MONEY_DECIMALS_LEAST = 2
ADDRESS_HEAD, ADDRESS_TAIL = 5, 4
REASONS = {
    LockReason.BELOW_MINIMUM: "kept: below the minimum",
    LockReason.NO_ADDRESS: "kept: nowhere to pay it to",
    LockReason.ACCOUNT_LOCKED: "kept: payments are locked",
    LockReason.NOT_AUTOMATIC: "kept: not paid automatically",
    LockReason.NOT_SOLD: "kept: not sold yet",
    LockReason.TOO_MANY_PAYMENTS: "kept: too many payments are open",
}
KEPT = "kept"
PAYMENTS = {WithdrawalStatus.FINISHED: "paid", WithdrawalStatus.REJECTED: "payment failed: kept"}
ON_ITS_WAY = "payment on its way"


class History(NamedTuple):
    """The days that are shown, since 1970-01-01, and what they earned; None: not to be had now."""
    first: int
    last: int
    earnings: list | None


class CoinSum(NamedTuple):
    """What there is of a coin; of CNY nothing is earned but by sales."""
    name: str
    today: str              # PPS of the running day so far, "" of CNY
    earned: str             # in all settled days
    balance: str            # available
    held: str               # for payments and orders


class DayEarning(NamedTuple):
    day: str
    coin: str
    earned: str
    sold: str               # the CNY got, "" where nothing was sold
    paid: str               # with the coin's name, "" where nothing was paid
    to: str
    state: str


class Earnings(NamedTuple):
    coins: tuple[CoinSum, ...]
    days: tuple[DayEarning, ...] | None         # newest first; None: not to be had now
    first: str
    last: str
    earlier: str            # the link to the days before, "" for none
    later: str


async def read(house: House, account: int, now_s: int, until: int | None) -> History:
    """What the 31 days up to `until` earned, or up to the last whole one."""
    newest = now_s // DAY_S - 1
    last = newest if until is None else max(0, min(until, newest))
    first = max(0, last - DAYS_SHOWN + 1)
    try:
        earnings = [one for coin in house.core.networks.coins()
                    for one in await house.history.earnings(account, coin, first, last)]
    except HistoryLate:
        return History(first, last, None)
    return History(first, last, sorted(earnings, key=lambda one: one.day, reverse=True))


def earnings(core, account: int, now_s: int, history: History,
             href: Callable[[int | None], str]) -> Earnings:
    """All of it. `href` gives the link to the days up to one, None: the newest."""
    newest = now_s // DAY_S - 1
    begun = core.users.get(account).created_ns // (DAY_S * 10**9)
    after = history.last + DAYS_SHOWN
    return Earnings(
        coins=tuple(_coin_sums(core, account, now_s)),
        days=(None if history.earnings is None else
              tuple(_day_earning(core, one) for one in history.earnings)),
        first=day_text(history.first), last=day_text(history.last),
        earlier=href(history.first - 1) if history.first > max(0, begun) else "",
        later=("" if history.last >= newest else href(None if after >= newest else after)))


def _coin_sums(core, account: int, now_s: int) -> Iterator[CoinSum]:
    """Of each coin that is mined, and of CNY where the sub-account has or had any."""
    for number in core.networks.coins():
        coin = core.coins.get(number)
        today = _amount(coin, profits.today_units(core, account, number, now_s))
        yield _coin_sum(core, account, coin, today)
    money = core.coins.by_name(MONEY)
    if money is not None and (core.settlements.totals.get(account, money.number).earned
                              or any(core.balance(account, money.number))):
        yield _coin_sum(core, account, money, "")


def _coin_sum(core, account: int, coin, today: str) -> CoinSum:
    earned = core.settlements.totals.get(account, coin.number).earned
    available, frozen = core.balance(account, coin.number)
    return CoinSum(coin.name, today, *(_amount(coin, units)
                                       for units in (earned, available, frozen)))


def _day_earning(core, one) -> DayEarning:
    coin = core.coins.get(one.coin)
    paid = to = ""
    if one.paid:
        payment, paid_coin = core.withdrawals.get(one.payment), core.coins.get(one.paid_coin)
        # What the address gets.
        paid = f"{_amount(paid_coin, payment.amount - payment.fee)} {paid_coin.name}"
        to = "bank account" if paid_coin.name == MONEY else short(payment.address)
    return DayEarning(
        day_text(one.day), coin.name, _amount(coin, one.net),
        _amount(core.coins.by_name(MONEY), one.money) if one.sold else "", paid, to,
        _state(core, one))


def _state(core, one) -> str:
    """What became of a day's earning."""
    if one.payment:
        return PAYMENTS.get(core.withdrawals.get(one.payment).status, ON_ITS_WAY)
    return REASONS.get(one.reason or one.money_reason, KEPT)


def short(address: str) -> str:
    """Enough of an address to tell two of one's own apart."""
    if len(address) <= 2 * (ADDRESS_HEAD + ADDRESS_TAIL):
        return "…"
    return f"{address[:ADDRESS_HEAD]}…{address[-ADDRESS_TAIL:]}"


def _amount(coin, units: int) -> str:
    """Units with all decimals of their coin, so that a column's points stand in one line."""
    decimals = MONEY_DECIMALS_LEAST if coin.name == MONEY else coin.scale
    whole, point, fraction = numbers.text(units, coin.scale).partition(".")
    return f"{whole}.{fraction.ljust(decimals, '0')}" if decimals else whole
