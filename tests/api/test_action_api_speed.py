"""`Speed.*` of the action API over HTTP, against the shares that the pool was sent: of the last
minutes, of hours in memory and on disk, of days."""

import pytest

from api.dialects.action_api_speed import OPERATIONS
from tests.api.action_apis import check_fields
from tests.api.pool_days import (
    BCH, BTC, DAY, DAY_S, FIRST_DAY, HOUR_S, NOW_S, Days, day_text, hour_text, speed, window)

INPUT, OPERATION = 5010, 5030
HOUR = NOW_S // HOUR_S
NOTHING = {"validSpeed": 0, "rejectRate": 0}
DAY_RANGE = {"start": "2040-03-01", "end": "2040-03-05"}
TIME_RANGE = {"start": "2040-03-02 08:00:00", "end": "2040-03-05 20:07:30"}


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    days = Days(tmp_path_factory)
    yield days
    days.close()


def of(days, account, worker=None):
    return [share for share in days.shares
            if share.account == account and worker in (None, share.worker)]


def by_day(shares, first, last):
    return [{"time": day_text(day), **speed(shares, day * DAY_S, (day + 1) * DAY_S)}
            for day in range(first, last + 1)]


def by_hour(shares, first, last):
    return [{"time": hour_text(hour), **speed(shares, hour * HOUR_S, (hour + 1) * HOUR_S)}
            for hour in range(first, last + 1)]


# -- of a sub-account ------------------------------------------------------------------------------

@pytest.mark.parametrize("account", ["alpha", "beta", "gamma", "other"])
def test_days_of_a_sub_account_are_those_of_its_shares(days, account):
    rows = days.done("Speed.GetSubAccountDailySpeed", userName=account, **DAY_RANGE)
    assert rows == by_day(of(days, account), FIRST_DAY - 1, DAY - 1)
    assert list(rows[0]) == ["time", "validSpeed", "rejectRate"]


def test_days_that_are_not_kept_are_left_out(days):
    rows = days.done("Speed.GetSubAccountDailySpeed", userName="alpha", start="2039-06-01",
                     end="2040-04-01")
    assert len(rows) == 30
    assert (rows[0]["time"], rows[-1]["time"]) == ("2040-02-04", "2040-03-04")


@pytest.mark.parametrize("account", ["alpha", "beta", "gamma", "other"])
def test_hours_of_a_sub_account_come_from_memory_and_disk(days, account):
    rows = days.done("Speed.GetSubAccountHourlySpeed", userName=account, **TIME_RANGE)
    assert rows == by_hour(of(days, account), FIRST_DAY * 24, HOUR - 1)
    assert len(rows) == 84


@pytest.mark.parametrize("start, end, first, last", [
    ("2040-03-03 00:00:00", "2040-03-03 00:00:00", 16, 16),
    ("2040-03-03 00:00:01", "2040-03-03 02:59:59", 17, 18),
    ("2040-03-03 00:00:01", "2040-03-03 00:59:59", 17, 16)])
def test_the_hours_are_those_that_begin_in_the_range(days, start, end, first, last):
    rows = days.done("Speed.GetSubAccountHourlySpeed", userName="alpha", start=start, end=end)
    assert rows == by_hour(of(days, "alpha"), FIRST_DAY * 24 + first, FIRST_DAY * 24 + last)


@pytest.mark.parametrize("account", ["alpha", "beta", "other"])
def test_the_speeds_of_now_are_of_5_10_and_30_minutes_and_24_hours(days, account):
    shares = of(days, account)
    shown = days.done("Speed.GetSubAccountRealtimeSpeed", userName=account.upper())
    assert shown == {
        "speed5m": window(shares, 5), "speed10m": window(shares, 10),
        "speed30m": window(shares, 30),
        "speed24h": speed(shares, (HOUR - 24) * HOUR_S, HOUR * HOUR_S)}
    assert list(shown) == ["speed5m", "speed10m", "speed30m", "speed24h"]
    assert (shown["speed5m"] == NOTHING) == (account != "alpha")


# -- of workers ------------------------------------------------------------------------------------

@pytest.mark.parametrize("account, worker", [
    ("alpha", "rig 1"), ("alpha", '"2"\\四川'), ("beta", "rig 1"), ("gamma", "night")])
def test_days_and_hours_of_a_worker_are_those_of_its_shares(days, account, worker):
    shares = of(days, account, worker)
    assert days.done("Speed.GetWorkerDailySpeed", userName=account, worker=worker,
                     **DAY_RANGE) == by_day(shares, FIRST_DAY - 1, DAY - 1)
    assert days.done("Speed.GetWorkerHourlySpeed", userName=account, worker=worker,
                     **TIME_RANGE) == by_hour(shares, FIRST_DAY * 24, HOUR - 1)


def test_all_workers_are_listed_hour_by_hour_where_they_worked(days):
    rows = days.done("Speed.GetSubAccountAllWorkersHourlySpeedBulk", userName="alpha", **TIME_RANGE)
    expected = []
    for hour in range(FIRST_DAY * 24, HOUR):
        for worker in ("rig 1", '"2"\\四川', "cash"):
            shares = [share for share in of(days, "alpha", worker)
                      if share.at_s // HOUR_S == hour]
            if shares:
                expected += [{"worker": worker, **row} for row in by_hour(shares, hour, hour)]
    ordered = [sorted(listed, key=lambda row: (row["time"], row["worker"]))
               for listed in (rows, expected)]
    assert ordered[0] == ordered[1]
    assert len(rows) == 84 * 2 + 42
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert list(rows[0]) == ["worker", "time", "validSpeed", "rejectRate"]


def test_who_has_no_workers_has_no_hours_of_any(days):
    answer = days.answer("Speed.GetSubAccountAllWorkersHourlySpeedBulk",
                         {"userName": "other", **TIME_RANGE})
    assert answer.body == b'{"code":0,"data":[],"message":null}'


# -- of the pool -----------------------------------------------------------------------------------

def test_days_of_the_pool_are_the_last_30(days):
    rows = days.done("Speed.GetSystemDailySpeed")
    assert rows[-3:] == by_day(days.shares, FIRST_DAY, DAY - 1)
    assert len(rows) == 30 and rows[0] == {"time": "2040-02-04", **NOTHING}


def test_hours_of_the_pool_are_the_last_24(days):
    assert days.done("Speed.GetSystemHourlySpeed") == by_hour(days.shares, HOUR - 24, HOUR - 1)


def totals(shares):
    return {f"speed{minutes}m": {"totalSpeed": shown["validSpeed"],
                                 "rejectRate": shown["rejectRate"]}
            for minutes in (5, 10, 30) for shown in [window(shares, minutes)]}


def test_the_speed_of_the_pool_is_shown_by_coin(days):
    btc, bch = (totals([share for share in days.shares if share.coin == coin])
                for coin in (BTC, BCH))
    assert btc["speed5m"]["totalSpeed"] > bch["speed5m"]["totalSpeed"] > 0
    assert days.done("Speed.GetSystemRealtimeSpeed", coinType="btc") == [btc]
    assert days.done("Speed.GetSystemRealtimeSpeed", coinType="BCH") == [bch]
    assert days.done("Speed.GetSystemRealtimeSpeed", coinType="all") == [btc, bch]


def test_a_speed_of_nothing_is_written_as_whole_numbers(days):
    answer = days.answer("Speed.GetSubAccountRealtimeSpeed", {"userName": "other"})
    nothing = b'{"validSpeed":0,"rejectRate":0}'
    assert answer.body == (
        b'{"code":0,"data":{"speed5m":%b,"speed10m":%b,"speed30m":%b,"speed24h":%b},'
        b'"message":null}' % ((nothing,) * 4))


# -- refusals --------------------------------------------------------------------------------------

ACCOUNT = {"userName": "alpha"}
WORKER = {"userName": "alpha", "worker": "rig 1"}
GOOD = {
    "Speed.GetSubAccountDailySpeed": ACCOUNT | DAY_RANGE,
    "Speed.GetSubAccountHourlySpeed": ACCOUNT | TIME_RANGE,
    "Speed.GetSubAccountRealtimeSpeed": ACCOUNT,
    "Speed.GetWorkerDailySpeed": WORKER | DAY_RANGE,
    "Speed.GetWorkerHourlySpeed": WORKER | TIME_RANGE,
    "Speed.GetSubAccountAllWorkersHourlySpeedBulk": ACCOUNT | TIME_RANGE,
    "Speed.GetSystemDailySpeed": {},
    "Speed.GetSystemHourlySpeed": {},
    "Speed.GetSystemRealtimeSpeed": {"coinType": "all"},
}


def test_there_are_nine(days):
    assert {operation.name: [field.name for field in operation.fields]
            for operation in OPERATIONS} == {name: list(given) for name, given in GOOD.items()}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_field_has_its_form(days, operation):
    check_fields(days, operation.name, GOOD[operation.name], operation, never=('""',))


@pytest.mark.parametrize("action", [action for action in GOOD if "userName" in GOOD[action]])
def test_names_must_be_known(days, action):
    assert days.refused(action, GOOD[action] | {"userName": "nobody"}) == (
        OPERATION, "userName: nobody is not a sub-account")


@pytest.mark.parametrize("action", [action for action in GOOD if "worker" in GOOD[action]])
@pytest.mark.parametrize("worker", ["night", "RIG 1", "四" * 64])
def test_a_worker_must_be_one_of_the_sub_account(days, action, worker):
    assert days.refused(action, GOOD[action] | {"worker": worker}) == (
        OPERATION, "worker: is none of the sub-account's")


@pytest.mark.parametrize("action", [action for action in GOOD if GOOD[action] != {}
                                    and "start" in GOOD[action]])
def test_a_range_must_be_one(days, action):
    is_days = GOOD[action]["start"] == DAY_RANGE["start"]
    form = "day as 2020-02-29" if is_days else "time as 2020-01-01 08:00:00"
    clock = "" if is_days else " 08:00:00"
    for field in ("start", "end"):
        for wrong in ("2040-02-30" + clock, "2040-03-01T08:00:00Z"):
            assert days.refused(action, GOOD[action] | {field: wrong}) == (
                INPUT, f"{field}: must be a {form}")
    assert days.refused(action, GOOD[action] | {"end": "2040-02-01" + clock}) == (
        INPUT, "end: must not be before start")
    start = "2039-03-05" if is_days else "2040-02-03 20:07:29"
    code, message = days.refused(action, GOOD[action] | {"start": start})
    assert code == INPUT and message.startswith("end: must be at most ")
    days.done(action, **GOOD[action] | {
        "start": "2039-03-06" if is_days else "2040-02-03 20:07:30"})


def test_a_coin_must_be_mined(days):
    for wrong in ("cny", "doge", "all of them"):
        assert days.refused("Speed.GetSystemRealtimeSpeed", {"coinType": wrong}) == (
            INPUT, "coinType: must be btc, bch, or another coin that is mined here")


def test_a_name_may_be_too_long_for_any_worker(days):
    given = GOOD["Speed.GetWorkerDailySpeed"] | {"worker": "x" * 100_000}
    assert days.refused("Speed.GetWorkerDailySpeed", given) == (
        INPUT, "worker: must have 1 to 64 characters")


def test_half_a_surrogate_is_no_text(days):
    code, message = days.refused("Speed.GetWorkerDailySpeed",
                                 GOOD["Speed.GetWorkerDailySpeed"] | {"worker": "\ud800"})
    assert (code, message) == (INPUT, "worker: must be text")
