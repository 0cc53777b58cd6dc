"""What the dialects of the pool share: ranges in requests, lists of workers, speeds as JSON."""

import asyncio
import json
from datetime import timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from api.config import Pool
from api.dialects.fields import Fields
from api.mining import ranges, speeds, workers
from api.numbers import InputError
from engine.codes import Kind, Result
from engine.commands import add_shares
from pool.share_book import packed_batch
from tests.engine.cold_house import HASH, NS_PER_S, ColdHouse

BEIJING = ZoneInfo("Asia/Shanghai")
ONE = 1 << 16
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
DAY = 18_262                        # 2020-01-01
NOON_S = DAY * DAY_S + 12 * HOUR_S
NAMES = ("rig", 'q"\\/', "四川", "\u2028é", "x" * 64)


class Counting:
    """A core with a sub-account, shares for it, and a plain list of what came."""

    def __init__(self, start_s=NOON_S):
        self.cold = ColdHouse(ts_ns=start_s * NS_PER_S)
        self.core = self.cold.core
        self.cold.must(Kind.ADD_COIN, name="BTC", title="B", type="coin", scale=8)
        self.cold.must(Kind.SET_NETWORK, coin=1, difficulty="1", subsidy=1, fees_per_block=0)
        self.account = self.cold.must(Kind.ADD_ACCOUNT, username="miner", password_hash=HASH,
                                      phone="13800000000")["account"]
        self.came = []
        self.settled_at = []

    async def settled(self):
        """Nothing of it is on a disk."""
        self.settled_at.append(self.core.seq)

    def add(self, at_s, name, accepted, rejected=0, difficulty=1):
        self.cold.ts_ns = max(self.cold.ts_ns, at_s * NS_PER_S)
        record = add_shares(packed_batch(
            [(self.account, name.encode())],
            [(0, 1, accepted, rejected, difficulty * ONE, at_s)]))
        result, _ = self.cold.send(record)
        if result != Result.OK:
            raise RuntimeError(f"{result!r}")
        self.came.append((at_s, name, accepted * difficulty, rejected * difficulty))

    def add_each(self, at_s, names):
        """One share of each worker and up to seven."""
        self.cold.ts_ns = at_s * NS_PER_S
        self.cold.send(add_shares(packed_batch(
            [(self.account, name.encode()) for name in names],
            [(number, 1, 1 + number % 7, 0, ONE, at_s) for number in range(len(names))])))

    def speed(self, first_s, end_s, name=None):
        """What was counted from one moment to another, as a speed in a reply."""
        mine = [row for row in self.came if first_s <= row[0] < end_s and name in (None, row[1])]
        accepted, rejected = sum(row[2] for row in mine), sum(row[3] for row in mine)
        rate = Decimal(0)
        if rejected:
            rate = (Decimal(2_000 * rejected) / (accepted + rejected) + 1) // 2 / 1_000
        return {"validSpeed": int((accepted << 32) / (end_s - first_s)), "rejectRate": rate}


def read(shown):
    """What a reply says, with exact numbers."""
    return json.loads(msgspec.json.encode(shown), parse_float=Decimal)


@pytest.fixture(scope="module")
def counting():
    """Two days and some hours of five workers."""
    counting = Counting()
    for hour in range(50):
        for number, name in enumerate(NAMES[:1 + hour % 5]):
            counting.add(NOON_S + hour * HOUR_S + 7 * number, name, 1 + hour * number,
                         hour % (number + 2), 1 + 3**number)
    return counting


# -- speeds ----------------------------------------------------------------------------------------

def test_every_rate_is_written_exactly_and_short():
    assert [Decimal(text) * 1_000 for text in speeds.RATE_TEXTS] == list(range(1_001))
    assert not [text for text in speeds.RATE_TEXTS if "." in text and text.endswith(("0", "."))]
    assert (speeds.RATE_TEXTS[0], speeds.RATE_TEXTS[7], speeds.RATE_TEXTS[1_000]) == (
        "0", "0.007", "1")


@pytest.mark.parametrize("count", [0, 2**53 + 1, 2**64 - 1, 2**64, 10**25 + 1])
def test_a_speed_of_any_size_is_a_whole_number(count):
    assert msgspec.json.encode(speeds.speed(count, 15)) == (
        b'{"validSpeed":%d,"rejectRate":0.015}' % count)


def test_realtime_speeds_are_those_of_what_came(counting):
    now_s = NOON_S + 49 * HOUR_S + 4 * MINUTE_S + 30
    minute_s = now_s - now_s % MINUTE_S
    expected = {f"speed{length}m": counting.speed(minute_s - length * MINUTE_S, minute_s)
                for length in (5, 10, 30)}
    core = counting.core
    assert read(speeds.realtime(core, counting.account, now_s)) == expected
    day = {"speed24h": counting.speed(NOON_S + 25 * HOUR_S, NOON_S + 49 * HOUR_S)}
    assert read(speeds.realtime(core, counting.account, now_s, True)) == expected | day
    total = {window: {"totalSpeed": speed["validSpeed"], "rejectRate": speed["rejectRate"]}
             for window, speed in expected.items()}
    assert read(speeds.system_realtime(core, 1, now_s)) == total
    assert read(speeds.system_realtime(core, None, now_s)) == total


def test_hours_are_labelled_in_the_zone_and_days_by_utc(counting):
    now_s = NOON_S + 50 * HOUR_S + 5
    hours = read(speeds.hourly_24h(counting.core, counting.account, now_s, BEIJING, "time"))
    # Noon of UTC is 20:00 in Beijing; 26 hours later it is 22:00 of the next day.
    assert [hours[0]["time"], hours[-1]["time"]] == ["2020-01-02 22:00:00", "2020-01-03 21:00:00"]
    assert [{name: row[name] for name in ("validSpeed", "rejectRate")} for row in hours] == [
        counting.speed(NOON_S + hour * HOUR_S, NOON_S + (hour + 1) * HOUR_S)
        for hour in range(26, 50)]
    assert read(speeds.system_hourly(counting.core, now_s, BEIJING, "at"))[0]["at"] == (
        "2020-01-02 22:00:00")
    days = read(speeds.daily_30d(counting.core, counting.account, now_s, "at"))
    assert [len(days), days[0]["at"], days[-1]["at"]] == [30, "2019-12-04", "2020-01-02"]
    assert days[-1] == {"at": "2020-01-02", **counting.speed((DAY + 1) * DAY_S, (DAY + 2) * DAY_S)}
    assert read(speeds.system_daily(counting.core, now_s, "at")) == days
    assert read(speeds.daily(counting.core, counting.account, DAY, DAY + 366, now_s, "at")) == (
        days[-2:])
    assert read(speeds.daily(counting.core, counting.account, 0, DAY - 31, now_s, "at")) == []
    number = counting.core.workers.find(counting.account, NAMES[4])
    assert read(speeds.worker_daily(counting.core, number, DAY, DAY, now_s, "time")) == [
        {"time": "2020-01-01", **counting.speed(DAY * DAY_S, (DAY + 1) * DAY_S, NAMES[4])}]


# -- workers ---------------------------------------------------------------------------------------

def one_by_one(counting, now_s, pool):
    """The list of workers as its fields are described."""
    minute_s, hour_s = now_s - now_s % MINUTE_S, now_s - now_s % HOUR_S
    for name in NAMES:
        silent_s = now_s - max(row[0] for row in counting.came if row[1] == name)
        status = (1 if silent_s < pool.running_minutes * MINUTE_S
                  else 3 if silent_s >= pool.stopped_hours * HOUR_S else 2)
        yield {"name": name, "speed5m": counting.speed(minute_s - 300, minute_s, name),
               "speed30m": counting.speed(minute_s - 1_800, minute_s, name),
               "speed24h": counting.speed(hour_s - DAY_S, hour_s, name), "status": status}


@pytest.mark.parametrize("after_s", [61, 700, HOUR_S, DAY_S - 30, DAY_S + 5 * HOUR_S])
def test_a_list_is_what_its_workers_are_one_by_one(counting, after_s):
    now_s, pool = NOON_S + 49 * HOUR_S + after_s, Pool()
    found = read(asyncio.run(workers.listed(counting, counting.account, now_s, pool)))
    assert found == list(one_by_one(counting, now_s, pool))
    counts = {"running": 1, "stopped": 2, "invalid": 3}
    assert asyncio.run(workers.summary(counting.core, counting.account, now_s, pool)) == {
        name: sum(row["status"] == status for row in found) for name, status in counts.items()}


def test_a_list_with_groups_says_when_a_worker_was_last_heard_of(counting):
    now_s, pool = NOON_S + 49 * HOUR_S + 61, Pool()
    group = counting.cold.must(Kind.ADD_GROUP, account=counting.account, name='"四川"')
    counting.cold.must(Kind.SET_WORKER_GROUP, account=counting.account, id=group,
                       workers=[NAMES[1]])
    rows = read(asyncio.run(
        workers.listed_with_groups(counting, counting.account, now_s, pool, BEIJING)))
    assert [row.pop("group") for row in rows] == [
        None, {"id": group, "name": '"四川"'}, None, None, None]
    assert [row.pop("lastCommitTime") for row in rows] == [
        f"2020-01-03 21:00:{7 * number:02}" for number in range(5)]
    assert rows == list(one_by_one(counting, now_s, pool))


def names_and_speeds(rows):
    return [(row["name"], row["speed5m"]["validSpeed"]) for row in rows]


@pytest.mark.parametrize("find, show", [(1, 1), (2, 3), (7, 5), (100, 100)])
def test_slices_of_any_size_make_the_same_answer(counting, monkeypatch, find, show):
    now_s, pool = NOON_S + 49 * HOUR_S + 61, Pool()
    asked = counting, counting.account, now_s, pool
    whole = asyncio.run(workers.listed(*asked)), asyncio.run(workers.summary(counting.core,
                                                                              *asked[1:]))
    monkeypatch.setattr(workers, "FOUND_AT_ONCE", find)
    monkeypatch.setattr(workers, "COUNTED_AT_ONCE", show)
    monkeypatch.setattr(workers, "SHOWN_AT_ONCE", show)
    assert (asyncio.run(workers.listed(*asked)),
            asyncio.run(workers.summary(counting.core, *asked[1:]))) == whole


@pytest.mark.parametrize("more", [0, 1])
def test_a_list_of_very_many_workers_comes_in_parts(more):
    """Of those that there were when it was asked for, each as it is when its part is made; no part
    goes out before what it shows is on disk."""
    counting, count = Counting(), 2 * workers.WHOLE_WORKERS * more or workers.WHOLE_WORKERS
    names = [f"w{number}" for number in range(count)]
    counting.add_each(NOON_S, names)

    async def asked():
        found = await workers.listed(counting, counting.account, NOON_S + 60, Pool())
        if not more:
            return read(found)
        parts = [await anext(found)]
        counting.add_each(NOON_S + 59, ["late", names[0], names[-1]])
        parts += [part async for part in found]
        assert counting.settled_at == [
            counting.core.seq - 1, *(len(parts) - 2) * [counting.core.seq]]
        return json.loads(b"".join(parts))
    shares = [1 + number % 7 for number in range(count)]
    shares[-1] += 3 * more
    assert names_and_speeds(asyncio.run(asked())) == [
        (name, 2**32 * shares // 300) for name, shares in zip(names, shares)]


def test_lists_that_are_read_at_once_do_not_add_up(counting, monkeypatch):
    """Others are served between any two slices, whatever list each is of."""
    monkeypatch.setattr(workers, "SHOWN_AT_ONCE", 1)
    shown_at = []

    async def asked():
        loop, loop_turns = asyncio.get_running_loop(), 0

        def count():
            nonlocal loop_turns
            loop_turns += 1
            loop.call_soon(count)

        def texts(columns):
            shown_at.append(loop_turns)
            return [str(number) for number, *_ in zip(*columns)]
        count()
        return await asyncio.gather(*(
            workers._json_list(counting, counting.account, NOON_S + 50 * HOUR_S, Pool(), texts)
            for _ in range(20)))
    assert len({bytes(found) for found in asyncio.run(asked())}) == 1
    assert len(shown_at) == len(set(shown_at)) == 20 * len(NAMES)


def test_who_is_dropped_before_a_part_is_made_is_not_in_it():
    counting, count = Counting(), workers.WHOLE_WORKERS + 3
    names = [f"w{number}" for number in range(count)]
    counting.add_each(NOON_S, names)

    async def asked(left):
        found = await workers.listed(counting, counting.account, NOON_S + 60, Pool())
        counting.add_each(NOON_S + 30 * DAY_S, left)
        # All others are dropped, and their numbers given out again.
        counting.add_each(NOON_S + 31 * DAY_S, ["new", "newer"])
        return [row["name"] for row in json.loads(b"".join([part async for part in found]))]
    assert asyncio.run(asked(left := [names[5], names[-2]])) == left
    counting = Counting()
    counting.add_each(NOON_S, names)
    assert asyncio.run(asked([])) == []


def test_online_workers_are_counted_by_hour_and_by_day_with_the_running_one(counting):
    core, now_s = counting.core, NOON_S + 49 * HOUR_S + 61
    hours = workers.online_hours(core, counting.account, now_s, BEIJING)
    assert [row["workerNum"] for row in hours] == [1 + hour % 5 for hour in range(25, 50)]
    assert hours[-1]["at"] == "2020-01-03 21:00:00"
    first = (NOON_S + 47 * HOUR_S) // HOUR_S
    assert workers.online_hours(core, counting.account, now_s, BEIJING, first, first + 1) == (
        hours[-3:-1])
    days = workers.online_days(core, counting.account, now_s)
    assert days[-4:] == [{"at": "2019-12-31", "workerNum": 0}, *(
        {"at": f"2020-01-0{day}", "workerNum": 5} for day in (1, 2, 3))]
    assert workers.online_days(core, counting.account, now_s, DAY - 1, DAY) == days[-4:-2]


# -- ranges ----------------------------------------------------------------------------------------

def given(start, end):
    return Fields({"start": start, "end": end})


@pytest.mark.parametrize("start, end, first, last", [
    ("2020-01-01", "2020-01-01", DAY, DAY), ("1970-01-01", "1970-01-02", 0, 1),
    ("2020-02-29", "2020-03-01", DAY + 59, DAY + 60),
    ("2020-01-01", "2020-12-31", DAY, DAY + 365)])
def test_days_are_read_with_both_ends(start, end, first, last):
    assert ranges.days(given(start, end), "start", "end") == (first, last)


@pytest.mark.parametrize("start, end, why", [
    ("2020-01-02", "2020-01-01", "end: must not be before start"),
    ("2020-01-01", "2021-01-01", "end: must be at most 366 days"),
    ("2020-02-30", "2020-03-01", "start: must be a day as 2020-02-29"),
    ("2020-1-1", "2020-03-01", "start: must be a day"),
    ("20200101", "2020-03-01", "start: must be a day"),
    ("２０２０-01-01", "2020-03-01", "start: must be a day"),
    ("2020-01-01", "2020-03-01 00:00:00", "end: must be a day"),
    ("2020-01-01\n", "2020-03-01", "start: must be a day"),
    ("0000-01-01", "2020-03-01", "start: must be a day"),
    ("1969-12-31", "2020-03-01", "start: must not be before 1970"),
    ("2020-01-01", None, "end: is missing"), ("", "2020-01-01", "start: must have 1 to 64"),
    (["2020-01-01"], "2020-01-01", "start: must be a string")])
def test_days_that_are_no_range_are_refused_by_name(start, end, why):
    with pytest.raises(InputError, match=why):
        ranges.days(given(start, end), "start", "end")


@pytest.mark.parametrize("start, end, hours", [
    ("2020-01-01 08:00:00", "2020-01-01 08:00:00", (0, 0)),
    ("2020-01-01 08:00:01", "2020-01-01 10:59:59", (1, 2)),
    ("2020-01-01 08:00:01", "2020-01-01 08:59:59", (1, 0)),
    ("2020-01-01 08:00:00", "2020-02-01 08:00:00", (0, 744))])
def test_hours_are_those_that_begin_within_and_the_zone_is_the_houses(start, end, hours):
    found = ranges.hours(given(start, end), "start", "end", BEIJING)
    assert found == (DAY * 24 + hours[0], DAY * 24 + hours[1])
    later = ranges.hours(given(start, end), "start", "end", timezone(timedelta(hours=0)))
    assert later == (found[0] + 8, found[1] + 8)


@pytest.mark.parametrize("start, end, why", [
    ("2020-01-01 08:00:01", "2020-01-01 08:00:00", "end: must not be before start"),
    ("2020-01-01 08:00:00", "2020-02-01 08:00:01", "end: must be at most 31 days after start"),
    ("2020-01-01", "2020-02-01 08:00:00", "start: must be a time as 2020-01-01 08:00:00"),
    ("2020-01-01 24:00:00", "2020-02-01 08:00:00", "start: must be a time"),
    ("2020-01-01T08:00:00", "2020-02-01 08:00:00", "start: must be a time"),
    ("1970-01-01 07:59:59", "1970-01-01 09:00:00", "start: must not be before 1970"),
    ("0001-01-01 00:00:00", "1970-01-01 09:00:00", "start: must not be before 1970"),
    (None, "2020-02-01 08:00:00", "start: is missing")])
def test_hours_that_are_no_range_are_refused_by_name(start, end, why):
    with pytest.raises(InputError, match=why):
        ranges.hours(given(start, end), "start", "end", BEIJING)


def test_the_hours_of_days_are_whole_days_of_utc():
    assert ranges.hours_of_days(given("2020-01-01", "2020-01-31"), "start", "end") == (
        DAY * 24, DAY * 24 + 31 * 24 - 1)
    with pytest.raises(InputError, match="end: must be at most 31 days"):
        ranges.hours_of_days(given("2020-01-01", "2020-02-01"), "start", "end")
