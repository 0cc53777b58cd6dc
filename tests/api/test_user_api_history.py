"""The pool's user API on a house with a past: hours of workers, settled days, payments.

The past is made by a real house whose clock is ours; then a house serves that folder.
"""

import json
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest

from api import config
from engine import Kind
from tests.api.user_apis import BTC, Pool
from tests.support.past import tell

HOUR_S, DAY_S = 3_600, 86_400
BEIJING = timezone(timedelta(hours=8))
ADDRESS = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
NAMES = ("a", 'b"\\', "四川")
HOURS = 60
CROWD, CROWDED = 5_001, (1, HOURS - 2)      # workers, and the hours in which they had shares
DIFFICULTY, SUBSIDY, FEES = 100_000, 625_000_000, 50_000_000


class Story:
    """What has come, hour by hour, and the days that were settled."""

    def __init__(self, first_hour):
        self.first_hour = first_hour
        self.came = []          # (hour, name, accepted, rejected)

    async def told(self, past):
        await past.do(Kind.SET_NETWORK, coin=BTC, difficulty=str(DIFFICULTY), subsidy=SUBSIDY,
                      fees_per_block=FEES)
        self.uid, self.account = await past.account("miner")
        await past.do(Kind.SET_COIN_HARVEST, account=self.account, coin=BTC, address=ADDRESS,
                      min=100_000)
        self.crowd = await past.do(Kind.ADD_SUB_ACCOUNT, uid=self.uid, name="crowd",
                                   theory_speed=0, description="", worker_count=CROWD)
        for number in range(HOURS):
            hour = self.first_hour + number
            # In the middle of each.
            past.now_s = hour * HOUR_S + HOUR_S // 2
            rows = [(hour, name, number * (place + 1) % 7, (number + place + 1) % 3)
                    for place, name in enumerate(NAMES)]
            rows = [row for row in rows if row[2] or row[3]]
            self.came += rows
            await past.shares([(self.account, name, BTC, accepted, rejected, 1, past.now_s)
                               for _, name, accepted, rejected in rows])
            if number in CROWDED:
                await past.shares([(self.crowd, f"w{worker}", BTC, 1 + worker, 0, 1, past.now_s)
                                   for worker in range(CROWD)])
        self.settled = sorted({row[0] // 24 for row in self.came} - {past.now_s // DAY_S})
        for day in self.settled:
            await past.settle(BTC, day)

    def pps(self, day):
        """What a day's accepted shares are worth, in units."""
        shares = sum(accepted for hour, _, accepted, _ in self.came if hour // 24 == day)
        return Fraction(shares * SUBSIDY, DIFFICULTY)

    def net(self, day):
        """By FPPS, less the pool's fee of 0.02."""
        return int(self.pps(day) * (1 + Fraction(FEES, SUBSIDY)) * Fraction(98, 100))


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("past") / "house"


@pytest.fixture(scope="module")
def past(directory):
    """Sixty hours of shares, up to the hour before the running one."""
    story = Story(int(time.time()) // HOUR_S - HOURS)
    settings = config.Config(operator=config.Operator("operator-password"))
    tell(directory, settings, story.first_hour * HOUR_S, story.told)
    return story


@pytest.fixture(scope="module")
def pool(directory, past):
    pool = Pool(directory, mined=False, pool=config.Pool(settle=False))
    pool.names["miner"] = past.account
    pool.own = pool.add_credential("miner-client", past.uid)
    yield pool
    pool.close()


def time_text(moment_s):
    return datetime.fromtimestamp(moment_s, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def row_of(hour, name, accepted, rejected):
    rate = Decimal((2_000 * rejected + accepted + rejected) // (2 * (accepted + rejected))) / 1_000
    return {"worker": name, "at": time_text(hour * HOUR_S),
            "validSpeed": int((accepted << 32) / HOUR_S), "rejectRate": rate}


def hours_of(pool, start_s, end_s, **query):
    answer = pool.request("speed/user-workers/hourly", pool.own, start=time_text(start_s),
                          end=time_text(end_s), **query)
    envelope = json.loads(answer.body, parse_float=Decimal)
    if answer.status != 200 or list(envelope) != ["code", "data", "message"]:
        raise RuntimeError(answer.body)
    return envelope


# -- hours -----------------------------------------------------------------------------------------

def test_the_hours_of_all_workers_are_those_of_their_shares(pool, past):
    """From memory and from files; an hour without a share of a worker has no row."""
    start_s = past.first_hour * HOUR_S
    envelope = hours_of(pool, start_s, start_s + HOURS * HOUR_S)
    assert (envelope["code"], envelope["message"]) == (0, None)
    assert envelope["data"] == [row_of(*one) for one in past.came]
    assert list(envelope["data"][0]) == ["worker", "at", "validSpeed", "rejectRate"]


@pytest.mark.parametrize("first, last, start_late_s, end_late_s", [
    (0, 0, 0, 0), (3, 5, 0, 3_599), (4, 40, -1, 0), (30, 30, 0, 1)])
def test_a_range_of_hours_has_both_its_ends(pool, past, first, last, start_late_s, end_late_s):
    start_s = past.first_hour * HOUR_S
    envelope = hours_of(pool, start_s + first * HOUR_S + start_late_s,
                        start_s + last * HOUR_S + end_late_s)
    assert envelope["data"] == [
        row_of(*one) for one in past.came
        if past.first_hour + first <= one[0] <= past.first_hour + last] != []


def test_a_range_without_work_is_an_empty_list(pool, past):
    for start_s in ((past.first_hour - 48) * HOUR_S, (past.first_hour + HOURS + 48) * HOUR_S, 0):
        assert hours_of(pool, start_s, start_s + HOUR_S)["data"] == []


def test_the_last_24_hours_are_in_all_calls_alike(pool, past):
    rows = pool.done("speed/hourly/24h", pool.own)
    for row in rows:
        shares = [one for one in past.came if time_text(one[0] * HOUR_S) == row["at"]]
        accepted = sum(one[2] for one in shares)
        assert row["validSpeed"] == int((accepted << 32) / HOUR_S)
    assert sum(row["validSpeed"] > 0 for row in rows) >= 20


def test_days_are_those_of_their_hours(pool, past):
    rows = {row["at"]: row for row in pool.done("speed/daily/30d", pool.own)}
    counts = {row["at"]: row["workerNum"]
              for row in pool.done("worker/online-num/daily", pool.own)}
    days = {one[0] // 24 for one in past.came}
    for day in days:
        label = (datetime(1970, 1, 1) + timedelta(days=day)).strftime("%Y-%m-%d")
        shares = [one for one in past.came if one[0] // 24 == day]
        assert counts[label] == len({one[1] for one in shares if one[2]})
        if label in rows:
            assert rows[label]["validSpeed"] == int((sum(one[2] for one in shares) << 32) / DAY_S)
    assert len(days & {(datetime.strptime(at, "%Y-%m-%d") - datetime(1970, 1, 1)).days
                       for at in rows}) >= 2


def test_an_answer_of_many_rows_is_whole(pool, past):
    start_s = past.first_hour * HOUR_S
    envelope = hours_of(pool, start_s, start_s + HOURS * HOUR_S, account="crowd")
    assert envelope == {"code": 0, "message": None, "data": [
        row_of(past.first_hour + hour, f"w{worker}", 1 + worker, 0)
        for hour in CROWDED for worker in range(CROWD)]}


# -- profits ---------------------------------------------------------------------------------------

def day_text(day):
    return (datetime(1970, 1, 1) + timedelta(days=day)).strftime("%Y-%m-%d")


def amount(units):
    return Decimal(int(units)) / 10**8


def read(answer):
    """The `data` of a success, with exact numbers."""
    envelope = json.loads(answer.body, parse_float=Decimal)
    if list(envelope) != ["code", "data", "message"] or envelope["code"] != 0:
        raise RuntimeError(answer.body)
    return envelope["data"]


def listed(pool, past, path, first=0, last=None, coin="btc"):
    """The rows of a range of the settled days."""
    last = len(past.settled) - 1 if last is None else last
    return read(pool.request(path, pool.own, coinType=coin, startDay=day_text(past.settled[first]),
                             endDay=day_text(past.settled[last])))


def test_profits_are_what_the_shares_of_each_settled_day_have_earned(pool, past):
    per_p = Fraction(10**15 * DAY_S * SUBSIDY, DIFFICULTY << 32)
    expected = [{"day": day_text(day), "total": amount(past.net(day)), "netAvgFee": Decimal("0.08"),
                 "profitPerP": amount(per_p + Fraction(1, 2))}
                for day in past.settled]
    assert len(expected) >= 2
    assert listed(pool, past, "profit/list") == expected
    assert listed(pool, past, "profit/list", 1, 1) == expected[1:2]
    assert list(listed(pool, past, "profit/list")[0]) == [
        "day", "total", "netAvgFee", "profitPerP"]
    assert listed(pool, past, "profit/list", coin="bch") == []


def test_the_running_day_has_earned_pps_without_fees_in_or_out(pool, past):
    today = int(time.time()) // DAY_S
    assert read(pool.request("profit/today", pool.own, coinType="btc")) == {
        "total": amount(past.pps(today))}
    assert read(pool.request("profit/today", pool.own, coinType="bch")) == {"total": 0}


def payments(past):
    """What is paid for each day: the balance, once it has reached the minimum of 0.001."""
    balance, rows = 0, []
    for day in past.settled:
        balance += past.net(day)
        if balance >= 100_000:
            rows.append({"day": day_text(day), "amount": amount(balance),
                         "total": amount(balance), "address": ADDRESS})
            balance = 0
    return rows


def test_payments_have_their_amount_under_both_names(pool, past):
    rows = listed(pool, past, "pay/list")
    assert rows == payments(past) != []
    assert list(rows[0]) == ["day", "amount", "total", "address"]
    assert listed(pool, past, "pay/list", coin="bch") == []


def test_a_payment_that_was_rejected_is_none(pool, past):
    *others, last = payments(past)
    withdrawal = pool.house.house.core.withdrawals.of_user(past.account)[0]
    assert listed(pool, past, "pay/list") == [*others, last]
    pool.house.submit(Kind.REJECT_WITHDRAWAL, id=withdrawal.id)
    assert listed(pool, past, "pay/list") == others
