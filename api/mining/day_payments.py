"""What each sub-account is paid for a settled day, and why the rest is not: for who pays it out.

A row comes from the earnings of the day, so it shows balances as the settlement left them; whether
a payment has failed since is looked at now. Amounts are texts of 8 and (CNY) 2 decimals, cut down,
never up. A payment is what its address gets: the amount less the coin's withdraw_fee.

There may be a hundred thousand rows: they are made in slices, and others are served between two.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from itertools import groupby, islice
from operator import attrgetter
from types import SimpleNamespace
from typing import NamedTuple

import msgspec

from api.mining.coins import BCH, BTC, CNY
from api.mining.profits import date_text
from api.numbers import text as decimal
from engine import House, LockReason, WithdrawalStatus, turn

ROWS_AT_ONCE = 250
DECIMALS = (8, 8, 2)        # of BTC, BCH, CNY
BANK = "BANK"
# What is set, and what the action API calls it.
BANK_NAMES = {"province": "province", "city": "city", "bank": "name", "branch": "branch",
              "owner": "owner", "number": "no"}
REASONS = {
    0: "",
    LockReason.BELOW_MINIMUM: "below the minimum",
    LockReason.NO_ADDRESS: "no address",
    LockReason.ACCOUNT_LOCKED: "account locked",
    LockReason.NOT_AUTOMATIC: "not paid automatically",
    LockReason.NOT_SOLD: "not sold yet",
    LockReason.TOO_MANY_PAYMENTS: "too many open payments",
}
FAILED = "payment failed"


class DayPayment(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One sub-account on one day. Its names on the way out are the action API's."""
    user_name: str
    at: str
    btc_paid: str
    bch_paid: str
    rmb_paid: str
    btc_remain: str
    bch_remain: str
    rmb_remain: str
    btc_lock_reason: str
    bch_lock_reason: str
    rmb_lock_reason: str
    pay_type: str               # BTC, or BANK for CNY
    address: str                # of a bank: its parts as JSON
    bch_address: str


class Part(NamedTuple):
    """An account's day in one coin."""
    paid: int = 0               # units that the address gets
    remain: int = 0             # units
    reason: str = ""
    address: str = ""           # that was paid, "" where none was


async def payments_of_day(house: House, day: int) -> list[DayPayment]:
    """The rows of a UTC day, by sub-accounts' numbers; without those that had neither work nor a
    payment. Raises HistoryLate, HouseStopped."""
    return [row async for rows in slices_of_day(house, day) for row in rows]


async def slices_of_day(house: House, day: int) -> AsyncIterator[list[DayPayment]]:
    """The same rows, a slice at a time, each on disk before it is given."""
    core = house.core
    places = coins_by_settlement(core, day)
    earnings = await house.history.earnings_of_day(day)
    await asyncio.to_thread(earnings.sort, key=lambda one: (one.account, places[one.coin]))
    accounts = groupby(earnings, key=attrgetter("account"))
    while rows := [_row(core, number, day, list(own))
                   for number, own in islice(accounts, ROWS_AT_ONCE)]:
        await house.settled()
        yield rows
        await turn()


def coins_by_settlement(core, day: int) -> dict[int, int]:
    """The place of each mined coin in the order in which a day of theirs was settled; those that
    are not settled to the end come last."""
    sums = {coin: core.settlements.of_day(coin, day) for coin in core.networks.coins()}
    order = sorted(sums, key=lambda coin: (sums[coin] is None,
                                           0 if sums[coin] is None else sums[coin].settled_ns))
    return {coin: place for place, coin in enumerate(order)}


def _row(core, number: int, day: int, earnings: list) -> DayPayment:
    account, user = core.sub_accounts.get(number), core.users.get(number)
    btc, bch, cny = (core.coins.by_name(name) for name in (BTC, BCH, CNY))
    parts = [_coin_part(core, coin, earnings) for coin in (btc, bch)]
    money = _money_part(core, cny, earnings)
    is_bank = money.paid > 0 or account.coin_to_money and parts[0].paid == 0
    if is_bank:
        # That of a payment is what was set when it was made.
        address = bank_text(SimpleNamespace(**json.loads(money.address)) if money.address
                            else account.money_harvest)
    else:
        address = parts[0].address or _address(user, btc)
    shown = [*zip((*parts, money), (btc, bch, cny), DECIMALS)]
    paid = [fixed(part.paid, coin, decimals) for part, coin, decimals in shown]
    remain = [fixed(part.remain, coin, decimals) for part, coin, decimals in shown]
    # What is too little to be shown needs no reason.
    reasons = [part.reason if text.strip("0.") else "" for (part, _, _), text in zip(shown, remain)]
    return DayPayment(
        account.name, date_text(day), *paid, *remain, *reasons, BANK if is_bank else BTC, address,
        parts[1].address or _address(user, bch))


def _coin_part(core, coin, earnings: list) -> Part:
    """What became of a mined coin."""
    for earning in earnings:
        if coin is not None and earning.coin == coin.number:
            part = Part(0, earning.remain, REASONS[earning.reason])
            return _paid(core, part, [earning] if earning.paid_coin == coin.number else [])
    return Part()


def _money_part(core, money, earnings: list) -> Part:
    """What became of the CNY. Those of two coins are one balance: the later settlement left it."""
    part = Part()
    for earning in earnings:
        part = Part(0, earning.money_remain, REASONS[earning.money_reason])
    return _paid(core, part, [earning for earning in earnings
                              if money is not None and earning.paid_coin == money.number])


def _paid(core, part: Part, earnings: Iterable) -> Part:
    """The part with the payments of these earnings; a failed one remains."""
    for earning in earnings:
        payment = core.withdrawals.get(earning.payment)
        if payment.status == WithdrawalStatus.REJECTED:
            part = part._replace(remain=part.remain + payment.amount, reason=FAILED)
        else:
            part = part._replace(paid=part.paid + payment.amount - payment.fee,
                                 address=payment.address)
    return part


def _address(user, coin) -> str:
    """Where an account's coin would go by now."""
    return "" if coin is None else user.withdraw_address(coin.number) or ""


def fixed(count: int, coin, decimals: int) -> str:
    """Units as a text of that many decimals, cut down; of a coin that is not listed there are 0."""
    scale = decimals if coin is None else coin.scale
    whole, _, fraction = decimal(count, scale).partition(".")
    return f"{whole}.{fraction[:decimals].ljust(decimals, '0')}"


def bank_text(bank) -> str:
    """A bank account as JSON, by the names that the action API has for its parts; "" for none."""
    if bank is None:
        return ""
    return json.dumps({shown: getattr(bank, name) for name, shown in BANK_NAMES.items()},
                      ensure_ascii=False)
