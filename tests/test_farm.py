"""A farm of a thousand workers lives for three days: whatever the house says of speeds, states,
profits and payments is what a plain recomputation gives from the list of shares, in the core, over
both dialects of the pool, and after a kill.
"""

import json
import signal
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from engine import HouseAccount, Kind, WithdrawalStatus
from tests.api.pool_doors import signed_body, written
from tests.api.serving import ServedHouse, token_of
from tests.support import past
from tests.support.farm import DAY_S, DAYS, HOUR_S, SECRETS, WORKERS, config_of, story

pytestmark = pytest.mark.slow
BEIJING = timezone(timedelta(hours=8))
UNIT = Decimal(10) ** -8
OBSERVER = bytes(range(16))
CLIENTS = {name: {"clientId": name, "secretKey": SECRETS["secret_key"],
                  "secretSalt": SECRETS["secret_salt"]} for name in ("farm-client", "pool-client")}


async def lived(told):
    """The farm, and what the core says of it at its end."""
    farm = await story(told)
    await told.do(Kind.ADD_OBSERVER, account=farm.names["farmer"], token=OBSERVER, rights=7,
                  remark="")
    core, now_s = told.core, farm.end_s
    core.check()
    farm.lists = {number: core.workers.list_of(number, now_s, 10, 24)
                  for number in farm.names.values()}
    farm.hours = {line.number: core.workers.hours(line.number, now_s)
                  for lines in farm.lists.values() for line in lines}
    farm.days = {line.number: core.workers.days(line.number, now_s)[-DAYS:]
                 for lines in farm.lists.values() for line in lines}
    farm.account_speeds = {number: core.workers.account_speeds(number, now_s)
                           for number in farm.names.values()}
    farm.coin_speeds = {coin: core.workers.coin_speeds(coin, now_s)
                        for coin in (farm.btc, farm.bch)}
    farm.active = {number: (core.workers.active_hours(number, now_s),
                            core.workers.active_days(number, now_s)[-DAYS - 1:])
                   for number in farm.names.values()}
    farm.balances = {(uid, coin): core.balance(uid, coin)
                     for uid in range(1, len(core.users) + 1)
                     for coin in (farm.btc, farm.bch, farm.cny)}
    farm.told_earnings = [earning for day in range(farm.first_day, farm.first_day + DAYS)
                          for earning in await told.house.history.earnings_of_day(day)]
    farm.sums = {key: core.settlements.of_day(*key) for key in farm.pool.days}
    farm.withdrawals = {key: core.withdrawals.by_request_id(key[0], f"pay|{key[1]}|{key[2]}")
                        for key in farm.pool.payments}
    farm.withdrawal_count = len(core.withdrawals)
    farm.pool_kept = {coin: core.house(HouseAccount.POOL, coin) for coin in (farm.btc, farm.bch)}
    return farm


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    directory = tmp_path_factory.mktemp("farm") / "house"
    start_s = (int(time.time()) // DAY_S - DAYS) * DAY_S - 600
    farm = past.tell(directory, config_of(directory), start_s, lived)
    farm.directory = directory
    return farm


# -- in the core -----------------------------------------------------------------------------------

def test_every_worker_is_there_once_and_in_its_order(farm):
    assert sum(map(len, farm.lists.values())) == WORKERS == len(farm.shares.last_s)
    for number, lines in farm.lists.items():
        assert [line.name for line in lines] == farm.shares.workers(number)


def test_every_workers_speeds_status_and_last_share(farm):
    states = set()
    for number, lines in farm.lists.items():
        for line in lines:
            five, _, thirty, day = farm.shares.speeds((number, line.name), farm.end_s)
            assert line[2:10] == (*five, *thirty, *day, farm.shares.last_s[number, line.name],
                                  farm.shares.status(number, line.name, farm.end_s)), line
            states.add(line.status)
    assert states == {1, 2, 3}


def test_every_workers_hours_and_days(farm):
    for number, lines in farm.lists.items():
        for line in lines:
            owner = number, line.name
            assert farm.hours[line.number] == farm.shares.periods(owner, HOUR_S, 24, farm.end_s)
            assert farm.days[line.number] == farm.shares.periods(owner, DAY_S, DAYS, farm.end_s)


def test_sums_of_accounts_and_coins(farm):
    for number, speeds in farm.account_speeds.items():
        assert list(speeds) == farm.shares.speeds((number,), farm.end_s)
    for coin, speeds in farm.coin_speeds.items():
        assert list(speeds) == farm.shares.speeds((coin, "coin"), farm.end_s)
        assert all(speed.valid_speed > 0 for speed in speeds)


def test_active_workers(farm):
    for number, periods in farm.active.items():
        for length, counts in zip((HOUR_S, DAY_S), periods):
            assert [count.workers for count in counts] == [
                len(farm.shares.active[number, length, count.start_s // length])
                for count in counts]


def test_every_days_earning_of_every_account(farm):
    told = {(one.account, one.coin, one.day): [*one[:12], *one[13:]] for one in farm.told_earnings}
    assert len(told) == len(farm.told_earnings) and told == farm.pool.earnings
    assert all(bool(one.payment) == bool(one.paid) for one in farm.told_earnings)
    # What the farm is there for has happened.
    reasons = {reason for one in farm.told_earnings for reason in (one.reason, one.money_reason)}
    assert reasons == {0, 1, 2, 3, 4, 5}
    assert {bool(one.sold) for one in farm.told_earnings} == {False, True}
    assert any(one.sold and one.remain for one in farm.told_earnings)
    assert farm.shares.late > 10
    idle, = (one for one in farm.told_earnings if one.account == farm.names["idle"])
    assert (idle.work, idle.net) == ("0", 0) and idle.paid > 0


def test_the_sum_of_every_day(farm):
    assert len(farm.sums) == 2 * DAYS
    for key, plain in farm.pool.days.items():
        told = farm.sums[key]
        assert (told.gross, told.pool, told.profit_per_p) == (
            plain["gross"], plain["pool"], plain["profit_per_p"])
        assert told.fees * plain["rate"].denominator == told.subsidies * plain["rate"].numerator
        assert told.gross == told.net + told.commission + told.pool


def test_every_balance(farm):
    plain = {(account.number, coin): (account.available[coin], account.frozen[coin])
             for account in farm.pool.accounts.values() for coin in (farm.btc, farm.bch, farm.cny)}
    plain |= {key: (units, 0) for key, units in farm.pool.users.items()}
    assert {key: farm.balances[key] for key in plain} == plain
    others = {uid for (uid, _), both in farm.balances.items() if any(both)} - {
        uid for uid, _ in plain}
    assert others == {farm.maker}
    for coin, kept in farm.pool_kept.items():
        assert kept == sum(day["pool"] for (of, _), day in farm.pool.days.items() if of == coin)


def test_every_payment_and_no_other(farm):
    assert len(farm.pool.payments) == farm.withdrawal_count
    states = {"paying": WithdrawalStatus.APPROVED, "finish": WithdrawalStatus.FINISHED,
              "saved": WithdrawalStatus.REJECTED}
    for key, (coin, amount, address, state) in farm.pool.payments.items():
        told = farm.withdrawals[key]
        if isinstance(address, dict):
            address = json.dumps(address, sort_keys=True)
        assert (told.uid, told.coin, told.amount, told.address) == (key[0], coin, amount, address)
        assert told.status == states[state]
    assert {state for *_, state in farm.pool.payments.values()} == set(states)


# -- over HTTP -------------------------------------------------------------------------------------

class Served:
    """A house on the farm's folder, and both dialects."""

    def __init__(self, farm):
        self.farm = farm
        self.house = ServedHouse(farm.directory, OREBOOK_POOL_SETTLE="false")

    def user(self, call, **parameters):
        """What a call of the user API shows."""
        return self._shown(self.house.request(
            "GET", f"/user-api/{call}?{urlencode(parameters)}", None,
            {"Authorization": token_of(CLIENTS["farm-client"])}))

    def act(self, action, **fields):
        """What an action shows."""
        client = CLIENTS["pool-client"]
        return self._shown(self.house.request(
            "POST", "/action-api", written(signed_body(client, fields, action=action)),
            {"Authorization": token_of(client), "Content-Type": "application/json"}))

    @staticmethod
    def _shown(answer):
        status, _, body = answer
        envelope = json.loads(body, parse_float=Decimal)
        assert (status, envelope["code"], envelope["message"]) == (200, 0, None), envelope
        return envelope["data"]

    def agrees(self, ask, plain):
        """An answer about the present is what the plain sums give at one moment of the asking."""
        before = plain(self._now_s())
        shown = ask()
        after = plain(self._now_s())
        assert shown in (before, after)

    def _now_s(self):
        return max(int(time.time()), self.farm.end_s)


def speed(valid_speed, permille, field="validSpeed"):
    return {field: valid_speed, "rejectRate": Decimal(permille) / 1_000}


def hour_text(start_s):
    return datetime.fromtimestamp(start_s, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def day_text(day):
    return datetime.fromtimestamp(day * DAY_S, timezone.utc).strftime("%Y-%m-%d")


def coins(units):
    return units * UNIT


def check_speeds(served, farm):
    shares = farm.shares
    windows = ("speed5m", "speed10m", "speed30m", "speed24h")
    for name, number in farm.names.items():
        def realtime(now_s):
            return {window: speed(*one)
                    for window, one in zip(windows, shares.speeds((number,), now_s))}
        served.agrees(lambda: served.act("Speed.GetSubAccountRealtimeSpeed", userName=name),
                      realtime)
        served.agrees(lambda: served.user("speed/realtime", account=name), lambda now_s: {
            window: realtime(now_s)[window] for window in windows[:3]})
        served.agrees(lambda: served.user("speed/hourly/24h", account=name), lambda now_s: [
            {"at": hour_text(start_s), **speed(*one)}
            for start_s, *one in shares.periods((number,), HOUR_S, 24, now_s)])
        served.agrees(lambda: served.user("worker/summary", account=name), lambda now_s: dict(zip(
            ("running", "stopped", "invalid"),
            ([shares.status(number, worker, now_s) for worker in shares.workers(number)].count(one)
             for one in (1, 2, 3)))))
    served.agrees(
        lambda: served.act("Speed.GetSystemRealtimeSpeed", coinType="all"), lambda now_s: [
            {window: speed(*one, "totalSpeed")
             for window, one in zip(windows[:3], shares.speeds((coin, "coin"), now_s))}
            for coin in (farm.btc, farm.bch)])


def check_workers(served, farm):
    shares = farm.shares
    for name in ("farmer", "sells_both"):
        number = farm.names[name]

        def workers(now_s):
            return [(worker, *(speed(*shares.speeds((number, worker), now_s)[window])
                               for window in (0, 2, 3)), shares.status(number, worker, now_s))
                    for worker in shares.workers(number)]
        served.agrees(lambda: [
            (row["name"], row["speed5m"], row["speed30m"], row["speed24h"], row["status"])
            for row in served.user("worker/list", account=name)], workers)
        served.agrees(lambda: [
            (row["name"], row["speed5m"], row["speed30m"], row["speed24h"], row["status"])
            for row in served.act("Worker.GetSubAccountWorkerList", userName=name)], workers)


def check_money(served, farm):
    pool = farm.pool
    first, last = day_text(farm.first_day), day_text(farm.first_day + DAYS - 1)
    for name, number in farm.names.items():
        account = pool.accounts[number]
        for coin, kind in ((farm.btc, "btc"), (farm.bch, "bch")):
            earned = [pool.earnings[number, coin, day] for day in range(
                farm.first_day, farm.first_day + DAYS) if (number, coin, day) in pool.earnings]
            shown = served.user("profit/list", account=name, coinType=kind, startDay=first,
                                endDay=last)
            assert shown == [{
                "day": day_text(one[2]), "total": coins(one[7]),
                "netAvgFee": Decimal(int(pool.days[coin, one[2]]["rate"] * 10**10 * 2 + 1) // 2)
                / 10**10,
                "profitPerP": coins(pool.days[coin, one[2]]["profit_per_p"])} for one in earned]
            paid = [(day, payment) for (owner, of, day), payment in pool.payments.items()
                    if (owner, payment[0]) == (number, coin) and payment[3] != "saved"]
            got = {day: coins(payment[1] - pool.withdraw_fees[coin]) for day, payment in paid}
            assert served.user("pay/list", account=name, coinType=kind, startDay=first,
                               endDay=last) == [
                {"day": day_text(day), "amount": got[day], "total": got[day],
                 "address": payment[2]} for day, payment in sorted(paid)]
            bills = served.act("Profit.GetByDay", userName=name, coinType=kind, start=first,
                               end=last)
            assert [(bill["at"], bill["total"], bill["status"]) for bill in bills] == [
                (day_text(one[2]), coins(one[7]), status_of(pool, one)) for one in earned]
            served.agrees(lambda: served.user("profit/today", account=name, coinType=kind),
                          lambda now_s: {"total": coins(int(pool.networks[coin].pps(
                              farm.shares.work[coin, now_s // DAY_S][number])))})
        sums = {row["type"]: (row["total"], row["remain"]) for row in served.act(
            "Profit.GetSubAccountSummary", userName=name)}
        money = sum(one[9] for one in pool.earnings.values() if one[0] == number)
        assert sums == {
            "btc": (coins(account.earned[farm.btc]), coins(account.available[farm.btc])),
            "bch": (coins(account.earned[farm.bch]), coins(account.available[farm.bch])),
            "cny": (coins(money), coins(account.available[farm.cny]))}


def status_of(pool, earning):
    """Of a day's own payment."""
    payment = pool.payments.get(tuple(earning[:3]))
    if payment is not None and payment[3] != "saved":
        return payment[3]
    return "saved" if earning[7] else "none"


def check_payments(served, farm):
    pool = farm.pool
    for day in range(farm.first_day, farm.first_day + DAYS):
        rows = {row["userName"]: row for row in served.act("Profit.GetAllUserPaymentByDay",
                                                           day=day_text(day))}
        assert set(rows) == {pool.accounts[one[0]].name for one in pool.earnings.values()
                             if one[2] == day}
        for name, row in rows.items():
            paid = {"btcPaid": 0, "bchPaid": 0, "rmbPaid": 0}
            fields = {farm.btc: "btcPaid", farm.bch: "bchPaid", farm.cny: "rmbPaid"}
            for (owner, _, of), (coin, amount, _, state) in pool.payments.items():
                if (owner, of) == (farm.names[name], day) and state != "saved":
                    paid[fields[coin]] += amount - pool.withdraw_fees.get(coin, 0)
            assert {field: row[field] for field in paid} == {
                "btcPaid": f"{coins(paid['btcPaid']):.8f}",
                "bchPaid": f"{coins(paid['bchPaid']):.8f}",
                "rmbPaid": f"{coins(paid['rmbPaid']):.2f}"}, (name, day)
            assert row["payType"] == ("BANK" if pool.accounts[farm.names[name]].sells else "BTC")


def check_page(served, farm):
    status, _, body = served.house.request("GET", f"/ob/{OBSERVER.hex()}")
    page = body.decode()
    assert status == 200 and "farmer" in page
    number = farm.names["farmer"]
    for day in range(farm.first_day, farm.first_day + DAYS):
        assert f"{coins(farm.pool.earnings[number, farm.btc, day][7]):.8f}" in page


def check_all(served, farm):
    assert sorted(served.user("account/sub-account/list")) == sorted(farm.names)
    check_speeds(served, farm)
    check_workers(served, farm)
    check_money(served, farm)
    check_payments(served, farm)
    check_page(served, farm)


def test_both_dialects_say_so_and_say_it_again_after_a_kill(farm):
    for ending in (signal.SIGKILL, signal.SIGTERM):
        served = Served(farm)
        try:
            check_all(served, farm)
        finally:
            served.house.end(ending)


def test_settling_again_changes_nothing(farm):
    served = Served(farm)
    try:
        token = served.house.login_operator()
        for coin in ("BTC", "BCH"):
            for day in range(farm.first_day, farm.first_day + DAYS):
                again = served.house.done("POST", "settle", {"coin": coin, "day": day_text(day)},
                                          token=token)
                assert again["duplicate"] is True
        check_money(served, farm)
    finally:
        served.house.end(signal.SIGTERM)
