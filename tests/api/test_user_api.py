"""The pool's user API over HTTP: what the thirteen calls answer."""

import json
import re
import time
from datetime import datetime, timedelta, timezone

import pytest

from api import config
from engine import Kind
from tests.api.user_apis import BTC, ONE, Pool

ADDRESS = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
NOTHING = {"validSpeed": 0, "rejectRate": 0}
BEIJING = timezone(timedelta(hours=8))
HOUR_S, DAY_S = 3_600, 86_400
# What a pool has published: the difficulty of all shares of a window, and the speed.
PUBLISHED = {"speed5m": (1_715_585_024, 24_561_271_905_291_252),
             "speed10m": (3_407_036_416, 24_388_516_638_335_084),
             "speed30m": (10_292_576_256, 24_559_043_561_725_624)}
WINDOWS_S = {"speed5m": 300, "speed10m": 600, "speed30m": 1_800, "speed24h": DAY_S}


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    pool = Pool(tmp_path_factory.mktemp("pool"))
    uid = pool.add_user("miner", "north", "south", *PUBLISHED)
    pool.own = pool.add_credential("miner-client", uid)
    pool.add_shares("north", ("rig 1", 993, 7, 64, 120), ('"2"\\四川', 0, 5, 64, 125),
                    ("last", 1, 0, 1, 130))
    for account, (difficulty, _) in PUBLISHED.items():
        pool.add_shares(account, ("all", 1, 0, difficulty, 120))
    yield pool
    pool.close()


def speed_of(work, seconds):
    """H/s of accepted shares × difficulty, in doubles as all speeds are."""
    return int((work * ONE << 16) / seconds)


# -- speeds ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("window", PUBLISHED)
def test_speeds_are_those_that_a_pool_has_published(pool, window):
    """To the last digit, which no double keeps: the JSON has a whole number."""
    answer = pool.request("speed/realtime", pool.own, account=window)
    speed = PUBLISHED[window][1]
    assert f'"{window}":{{"validSpeed":{speed},"rejectRate":0}}'.encode() in answer.body
    assert speed > 2**53


def test_the_speeds_of_now_are_of_5_10_and_30_minutes(pool):
    shown = pool.done("speed/realtime", pool.own, account="north")
    work = 993 * 64 + 1
    assert shown == {window: {"validSpeed": speed_of(work, WINDOWS_S[window]), "rejectRate": 0.012}
                     for window in ("speed5m", "speed10m", "speed30m")}
    assert list(shown) == ["speed5m", "speed10m", "speed30m"]


def test_a_speed_of_nothing_is_nothing(pool):
    answer = pool.request("speed/realtime", pool.own, account="south")
    assert answer.body == (
        b'{"code":0,"data":{"speed5m":{"validSpeed":0,"rejectRate":0},'
        b'"speed10m":{"validSpeed":0,"rejectRate":0},'
        b'"speed30m":{"validSpeed":0,"rejectRate":0}},"message":null}')


def test_hours_are_the_24_whole_ones_before_now_in_beijing_time(pool):
    before_s = time.time()
    rows = pool.done("speed/hourly/24h", pool.own, account="south")
    first = [int(moment // HOUR_S) - 24 for moment in (before_s, time.time())]
    labels = [[datetime.fromtimestamp((hour + number) * HOUR_S, BEIJING).strftime(
        "%Y-%m-%d %H:00:00") for number in range(24)] for hour in first]
    assert [row["at"] for row in rows] in labels
    assert {json.dumps(row | {"at": ""}) for row in rows} == {json.dumps({"at": ""} | NOTHING)}


def test_days_are_the_30_whole_ones_before_today_of_utc(pool):
    before_s = time.time()
    rows = pool.done("speed/daily/30d", pool.own, account="south")
    labels = [[datetime.fromtimestamp(moment - DAY_S * back, timezone.utc).strftime("%Y-%m-%d")
               for back in range(30, 0, -1)] for moment in (before_s, time.time())]
    assert [row["at"] for row in rows] in labels
    assert all(list(row) == ["at", "validSpeed", "rejectRate"] for row in rows)


# -- workers ---------------------------------------------------------------------------------------

def test_workers_are_listed_in_the_order_of_their_first_shares(pool):
    rows = pool.done("worker/list", pool.own, account="north")
    assert [row["name"] for row in rows] == ["rig 1", '"2"\\四川', "last"]
    assert [list(row) for row in rows] == [
        ["name", "speed5m", "speed30m", "speed24h", "status"]] * 3
    assert {row["status"] for row in rows} == {1}
    for window in ("speed5m", "speed30m"):
        assert [row[window] for row in rows] == [
            {"validSpeed": speed_of(993 * 64, WINDOWS_S[window]), "rejectRate": 0.007},
            {"validSpeed": 0, "rejectRate": 1},
            {"validSpeed": speed_of(1, WINDOWS_S[window]), "rejectRate": 0}]
    assert pool.done("worker/list", pool.own, account="south") == []


def test_a_reject_rate_is_written_with_the_digits_that_it_has(pool):
    body = pool.request("worker/list", pool.own, account="north").body.decode()
    assert set(re.findall(r'"rejectRate":([^,}]+)', body)) >= {"0.007", "1", "0"}
    assert set(re.findall(r'"rejectRate":([^,}]+)', body)) <= {"0.007", "1", "0", "0.012"}


def test_the_summary_counts_workers_by_their_status(pool):
    assert pool.done("worker/summary", pool.own, account="north") == {
        "running": 3, "stopped": 0, "invalid": 0}
    assert pool.done("worker/summary", pool.own, account="south") == {
        "running": 0, "stopped": 0, "invalid": 0}


def test_a_worker_stops_when_the_configuration_says(tmp_path):
    pool = Pool(tmp_path / "house", pool=config.Pool(running_minutes=2, timezone="UTC"))
    try:
        own = pool.add_credential("client", pool.add_user("miner"))
        pool.add_shares("miner", ("old", 1, 0, 1, 300), ("new", 1, 0, 1, 0))
        assert pool.done("worker/summary", own) == {"running": 1, "stopped": 1, "invalid": 0}
        assert [row["status"] for row in pool.done("worker/list", own)] == [2, 1]
        last = pool.done("speed/hourly/24h", own)[-1]["at"]
        now = datetime.now(timezone.utc)
        assert last in [(now - timedelta(hours=1, seconds=late)).strftime("%Y-%m-%d %H:00:00")
                        for late in (0, 60)]
    finally:
        pool.close()


def test_online_workers_are_those_with_accepted_shares_of_the_day(pool):
    """Shares of some minutes ago may be yesterday's."""
    rows = pool.done("worker/online-num/daily", pool.own, account="north")
    assert len(rows) == 31 and all(list(row) == ["at", "workerNum"] for row in rows)
    assert sum(row["workerNum"] for row in rows[-2:]) == 2
    assert {row["workerNum"] for row in rows[:-2]} == {0}
    days = [datetime.strptime(row["at"], "%Y-%m-%d") for row in rows]
    assert {after - day for day, after in zip(days, days[1:])} == {timedelta(days=1)}
    assert abs(days[-1] - datetime.now(timezone.utc).replace(tzinfo=None)) < timedelta(days=1.1)


# -- settings --------------------------------------------------------------------------------------

def test_the_pay_setting_is_the_address_and_the_least_amount(pool):
    assert pool.done("account/pay-setting", pool.own, account="north", coinType="btc") == {
        "address": "", "min": 0}
    pool.house.submit(Kind.SET_COIN_HARVEST, account=pool.names["north"], coin=BTC,
                      address=ADDRESS, min=100_000)
    answer = pool.request("account/pay-setting", pool.own, account="north", coinType="BTC")
    assert answer.body == (b'{"code":0,"data":{"address":"%b","min":0.001},"message":null}'
                           % ADDRESS.encode())
    assert pool.done("account/pay-setting", pool.own, account="north", coinType="bch") == {
        "address": "", "min": 0}


def test_sub_accounts_are_listed_by_name_whichever_is_asked(pool):
    names = ["miner", "north", "south", *PUBLISHED]
    assert pool.done("account/sub-account/list", pool.own) == names
    assert pool.done("account/sub-account/list", pool.own, account="south") == names


@pytest.mark.parametrize("options, rights, remark", [
    ({"body": {"account": "south", "rights": ["worker_observer"], "remark": "运维"}}, 2, "运维"),
    ({"body": {"account": "south", "rights": ["profit_observer", "dashboard_observer"]}}, 5, ""),
    ({"body": {"account": "south", "rights": "worker_observer", "remark": ""}}, 2, ""),
    ({"account": "south", "rights": ["worker_observer", "profit_observer"], "remark": "q"}, 6,
     "q"),
    ({"account": "south", "rights": '["dashboard_observer"]'}, 1, "")])
def test_an_observer_link_is_made(pool, options, rights, remark):
    before = pool.house.house.core.observers.of_account(pool.names["south"])
    assert pool.done("observer/create", pool.own, method="POST", **options) is True
    *kept, made = pool.house.house.core.observers.of_account(pool.names["south"])
    assert kept == before and len(made.token) == 16 and made.token not in {
        link.token for link in kept}
    assert (made.rights, made.remark) == (rights, remark)


# -- all of them -----------------------------------------------------------------------------------

def test_an_account_that_is_not_named_is_the_first_one(pool):
    pool.add_shares("miner", ("of the first", 1, 0, 1, 60))
    assert [row["name"] for row in pool.done("worker/list", pool.own)] == ["of the first"]
    assert pool.done("worker/list", pool.own, account="MINER") == pool.done(
        "worker/list", pool.own, account="miner") != []
