"""What sub-accounts have earned and were paid, as the dialects of the pool show it.

Days are those of UTC, counted from 1970-01-01. What was earned comes from the history of settled
days, balances and the state of payments from the core. Amounts are exact: units of a coin become
JSON numbers of their very digits. A payment counts as what its address gets: the amount less the
coin's withdraw_fee; one that was rejected counts as none.

Where an answer rests on state that may not be on disk yet, who sends it awaits `house.settled()`.
"""

from collections.abc import Iterable, Iterator
from math import ldexp

from api.mining import coins
from api.mining.speeds import DAY_S, day_label
from api.numbers import json_number
from engine import House, WithdrawalStatus, pps_of_day

SUMMED = (coins.BTC, coins.BCH, coins.CNY)
MONEY_SCALE = 2             # of the minimum of payments in CNY
RATE_SCALE = 10             # decimals of a rate of fees
PETA_SCALE = 15             # H/s as decimals of a PH/s
WORK_BITS = 16              # work counts 2^-16 of a difficulty of 1, which is 2^32 hashes
NO_ADDRESS = -1             # in the place of a minimum
CLOSED = (WithdrawalStatus.FINISHED, WithdrawalStatus.REJECTED)


def date_text(day: int) -> str:
    """A day as `2020-02-29`."""
    return day_label(day * DAY_S)


# -- an account's days -----------------------------------------------------------------------------

async def earnings_list(house: House, account: int, coin, first_day: int, last_day: int
                        ) -> list[dict[str, object]]:
    """What an account has earned of a listed coin, net, by settled day that it has an earning of.

    `day`, `total` (the coin), `netAvgFee` (fees ÷ subsidies), `profitPerP` (the coin per PH/s).
    Raises HistoryLate.
    """
    shown = []
    for earning, settled in await _earnings(house, account, coin.number, first_day, last_day):
        shown.append({
            "day": date_text(earning.day), "total": json_number(earning.net, coin.scale),
            "netAvgFee": json_number(rounded(settled.fees, settled.subsidies), RATE_SCALE),
            "profitPerP": json_number(settled.profit_per_p, coin.scale)})
    return shown


async def _earnings(house: House, account: int, coin: int, first_day: int, last_day: int
                    ) -> list[tuple]:
    """(earning, the day's sum), days rising; of days that are settled to their end."""
    found = await house.history.earnings(account, coin, first_day, last_day)
    days = ((earning, house.core.settlements.of_day(coin, earning.day)) for earning in found)
    return [(earning, settled) for earning, settled in days if settled is not None]


def rounded(numerator: int, denominator: int) -> int:
    """A rate in 10^-RATE_SCALE, half up; 0 where there is nothing to divide by."""
    if denominator == 0:
        return 0
    return (2 * numerator * 10**RATE_SCALE + denominator) // (2 * denominator)


async def bills_list(house: House, account: int, coin, first_day: int, last_day: int
                     ) -> list[dict[str, object]]:
    """As `earnings_list`, with `at`, `profitPerP`, `speed` (PH/s over the day), `total` and the
    `status` of the day's payment: saved, paying, finish or none. Raises HistoryLate."""
    return [{
        "at": date_text(earning.day), "profitPerP": json_number(settled.profit_per_p, coin.scale),
        "speed": json_number(speed_of(int(earning.work)), PETA_SCALE),
        "total": json_number(earning.net, coin.scale),
        "status": status_of(house.core, earning.net, [earning.payment]),
    } for earning, settled in await _earnings(house, account, coin.number, first_day, last_day)]


async def money_bills_list(house: House, account: int, money, first_day: int, last_day: int
                           ) -> list[dict[str, object]]:
    """As `bills_list`, of the CNY (`money`) that the sale of mined coins has brought.

    The speed is that of the coins sold; no CNY are mined, so `profitPerP` is 0. Raises HistoryLate.
    """
    core = house.core
    by_day: dict[int, list] = {}
    for coin in core.networks.coins():
        for earning, _ in await _earnings(house, account, coin, first_day, last_day):
            if earning.money or earning.paid_coin == money.number:
                by_day.setdefault(earning.day, []).append(earning)
    shown = []
    for day in sorted(by_day):
        earnings = by_day[day]
        got = sum(earning.money for earning in earnings)
        work = sum(int(earning.work) for earning in earnings if earning.sold)
        shown.append({
            "at": date_text(day), "profitPerP": 0,
            "speed": json_number(speed_of(work), PETA_SCALE),
            "total": json_number(got, money.scale),
            "status": status_of(core, got, [earning.payment for earning in earnings
                                            if earning.paid_coin == money.number])})
    return shown


def today(core, account: int, coin, now_s: int) -> dict[str, object]:
    """`total`: what the running day has brought so far, as `today_units`, in the listed coin."""
    return {"total": json_number(today_units(core, account, coin.number, now_s), coin.scale)}


def today_units(core, account: int, coin: int, now_s: int) -> int:
    """Units of a coin that an account's work of the running day is worth by PPS so far: without the
    blocks' fees, and before the pool's fee."""
    return pps_of_day(core, account, coin, now_s // DAY_S)


def speed_of(work: int) -> int:
    """H/s over a day, by the formula of all speeds (docs/pool-core.md)."""
    return int(ldexp(work, WORK_BITS) / DAY_S)


def status_of(core, total: int, payments: Iterable[int]) -> str:
    """What has become of a day's total: the payments are withdrawals' ids, 0 for none."""
    states = [core.withdrawals.get(payment).status for payment in payments if payment]
    if any(state not in CLOSED for state in states):
        return "paying"
    if WithdrawalStatus.FINISHED in states:
        return "finish"
    return "saved" if total else "none"


# -- payments --------------------------------------------------------------------------------------

def payments_list(core, account: int, coin, first_day: int, last_day: int
                  ) -> list[dict[str, object]]:
    """What an account was paid of a listed coin, or is being paid, by the day that was settled.

    `day`, `amount` and `total` (both what the address gets), `address`.
    """
    return [{
        "day": date_text(day), "amount": json_number(got, coin.scale),
        "total": json_number(got, coin.scale), "address": address,
    } for day, got, address in _payments(core, account, coin.number, first_day, last_day)]


def _payments(core, account: int, coin: int, first_day: int, last_day: int
              ) -> Iterator[tuple[int, int, str]]:
    """(day, units that the address gets, address), days rising."""
    for day in range(first_day, last_day + 1):
        # What is paid in CNY is paid for a day of the coin that was sold.
        for settled in core.networks.coins():
            payment = core.withdrawals.by_request_id(account, f"pay|{settled}|{day}")
            if (payment is not None and payment.coin == coin
                    and payment.status != WithdrawalStatus.REJECTED):
                yield day, payment.amount - payment.fee, payment.address


def latest_payment(core, account: int, coin: int) -> int:
    """What the address gets by an account's last payment of a coin, in units; 0 before any."""
    if core.settlements.totals.get(account, coin).last_paid == 0:
        return 0
    before = None
    while found := core.withdrawals.of_user(account, coin, before):
        for payment in found:
            if (payment.status != WithdrawalStatus.REJECTED
                    and (payment.request_id or "").startswith("pay|")):
                return payment.amount - payment.fee
        before = found[-1].id
    return 0


# -- sums ------------------------------------------------------------------------------------------

def account_sums(core, account: int) -> list[dict[str, object]]:
    """An account's `latestPay`, `total` earned net (of CNY: got by sales), `remain` (what is
    available) and `autoPay` of BTC, BCH, CNY and
    all others that are mined, its `type` in small letters."""
    shown = []
    for coin in coins.mined(core, SUMMED):
        total, remain = _sums(core, account, coin)
        latest = latest_payment(core, account, coin.number)
        shown.append({
            "latestPay": json_number(latest, coin.scale), "total": json_number(total, coin.scale),
            "remain": json_number(remain, coin.scale), "autoPay": auto_pay(core, account, coin),
            "type": coin.name.lower()})
    return shown


def master_sums(core, uid: int) -> list[dict[str, object]]:
    """`total`, `remain` and `type` over all sub-accounts of a user, as `account_sums`."""
    shown = []
    for coin in coins.mined(core, SUMMED):
        sums = [_sums(core, account, coin) for account in core.sub_accounts.of_master(uid)]
        total, remain = (sum(column) for column in zip(*sums)) if sums else (0, 0)
        shown.append({"total": json_number(total, coin.scale),
                      "remain": json_number(remain, coin.scale), "type": coin.name.lower()})
    return shown


def auto_pay(core, account: int, coin) -> object:
    """The least amount that is paid by itself: 0 where nothing is, -1 where there is no address."""
    settings = core.sub_accounts.get(account)
    if coin.name == coins.CNY:
        harvest, scale = settings.money_harvest, MONEY_SCALE
    else:
        harvest, scale = settings.coin_harvest(coin.number), coin.scale
    return NO_ADDRESS if harvest is None else json_number(harvest.min, scale)


def _sums(core, account: int, coin) -> tuple[int, int]:
    """(earned, available) of a coin, in its units."""
    earned = core.settlements.totals.get(account, coin.number).earned
    return earned, core.balance(account, coin.number)[0]
