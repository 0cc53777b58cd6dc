"""`Worker.*` of the action API over HTTP: lists and counts against the shares that the pool was
sent, and groups of workers."""

import pytest

from api.dialects.action_api_worker import OPERATIONS
from engine import Kind
from tests.api.action_apis import check_fields
from tests.api.pool_days import (
    DAY, DAY_S, FIRST_DAY, HOUR_S, NOW_S, Days, day_text, hour_text, speed, window)

INPUT, OPERATION = 5010, 5030
HOUR = NOW_S // HOUR_S
RUNNING, STOPPED, INVALID = 1, 2, 3


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    days = Days(tmp_path_factory)
    yield days
    days.close()


@pytest.fixture
def groups(days):
    """Three groups of alpha, gone after the test; ids by name."""
    account = days.numbers["alpha"]
    ids = {name: days.house.submit(Kind.ADD_GROUP, account=account, name=name)
           for name in ("四川", 'a "b"\\', "empty")}
    yield ids
    for group in days.core.sub_accounts.get(account).groups:
        days.house.submit(Kind.REMOVE_GROUP, account=account, id=group.id)


def workers_of(days, account):
    """Worker names in the order of their first shares."""
    return list(dict.fromkeys(share.worker for share in days.shares if share.account == account))


def listed(days, account):
    return {row["name"]: row for row in days.done("Worker.GetSubAccountWorkerList",
                                                  userName=account)}


# -- lists and counts ------------------------------------------------------------------------------

def line_of(days, account, worker):
    """A worker as its shares say it must be shown."""
    own = [share for share in days.shares if (share.account, share.worker) == (account, worker)]
    last_s = max(share.at_s for share in own)
    age_s = NOW_S - last_s
    local_s = last_s + 8 * HOUR_S
    minutes, seconds = divmod(local_s % DAY_S, 60)
    return {
        "name": worker, "speed5m": window(own, 5),
        "speed24h": speed(own, (HOUR - 24) * HOUR_S, HOUR * HOUR_S), "speed30m": window(own, 30),
        "lastCommitTime": f"{day_text(local_s // DAY_S)} {minutes // 60:02}:{minutes % 60:02}:"
                          f"{seconds:02}",
        "status": RUNNING if age_s < 600 else INVALID if age_s >= DAY_S else STOPPED,
        "group": None}


@pytest.mark.parametrize("account", ["alpha", "beta", "gamma", "other"])
def test_workers_are_listed_as_their_shares_say(days, account):
    rows = days.done("Worker.GetSubAccountWorkerList", userName=account)
    assert rows == [line_of(days, account, worker) for worker in workers_of(days, account)]
    assert {tuple(row) for row in rows} <= {("name", "speed5m", "speed24h", "speed30m",
                                             "lastCommitTime", "status", "group")}


@pytest.mark.parametrize("account", ["alpha", "beta", "gamma", "other"])
def test_a_summary_counts_what_the_list_shows(days, account):
    states = [line_of(days, account, worker)["status"] for worker in workers_of(days, account)]
    summary = days.done("Worker.GetSubAccountWorkerSummary", userName=account)
    assert summary == {name: states.count(status) for name, status in (
        ("running", RUNNING), ("stopped", STOPPED), ("invalid", INVALID))}
    assert list(summary) == ["running", "stopped", "invalid"]


def active(days, account, start_s, end_s):
    return len({share.worker for share in days.shares if share.account == account
                and share.accepted and start_s <= share.at_s < end_s})


@pytest.mark.parametrize("account", ["alpha", "beta", "gamma", "other"])
def test_active_workers_are_counted_by_the_hour(days, account):
    """Hours on disk, hours in memory, and the running one."""
    rows = days.done("Worker.GetSubAccountWorkerHourlyActiveNumList", userName=account,
                     start="2040-03-02", end="2040-03-05")
    assert rows == [
        {"at": hour_text(hour), "workerNum": active(days, account, hour * HOUR_S,
                                                    (hour + 1) * HOUR_S)}
        for hour in range(FIRST_DAY * 24, HOUR + 1)]


def test_the_hours_are_those_of_utc_days(days):
    rows = days.done("Worker.GetSubAccountWorkerHourlyActiveNumList", userName="alpha",
                     start="2040-03-03", end="2040-03-04")
    assert [row["at"] for row in rows] == [
        hour_text(hour) for hour in range((FIRST_DAY + 1) * 24, (FIRST_DAY + 3) * 24)]
    assert days.done("Worker.GetSubAccountWorkerHourlyActiveNumList", userName="alpha",
                     start="2040-03-06", end="2040-03-07") == []


@pytest.mark.parametrize("account", ["alpha", "beta", "gamma", "other"])
def test_active_workers_are_counted_by_the_day(days, account):
    rows = days.done("Worker.GetSubAccountWorkerDailyActiveNumList", userName=account,
                     start="2040-03-02", end="2040-03-09")
    assert rows == [{"at": day_text(day), "workerNum": active(days, account, day * DAY_S,
                                                              (day + 1) * DAY_S)}
                    for day in range(FIRST_DAY, DAY + 1)]


# -- groups ----------------------------------------------------------------------------------------

def test_groups_are_listed_oldest_first(days, groups):
    assert days.done("Worker.GetSubAccountWorkerGroupList", userName="alpha") == [
        {"id": group, "name": name} for name, group in groups.items()]
    assert days.done("Worker.GetSubAccountWorkerGroupList", userName="other") == []


def test_a_group_lives_from_its_creation_to_its_end(days):
    assert days.done("Worker.CreateGroup", userName="gamma", name="一") is None
    assert days.done("Worker.GetSubAccountWorkerGroupList", userName="gamma") == [
        {"id": 1, "name": "一"}]
    assert days.done("Worker.UpdateGroup", userName="gamma", groupId=1, name="二") is None
    assert days.done("Worker.SetWorkerGroupBulk", userName="gamma", groupId=1,
                     workers=["night"]) is None
    assert listed(days, "gamma")["night"]["group"] == {"id": 1, "name": "二"}
    assert days.done("Worker.DeleteGroup", userName="gamma", groupId=1) is None
    assert listed(days, "gamma")["night"]["group"] is None
    assert days.done("Worker.GetSubAccountWorkerGroupList", userName="gamma") == []
    assert days.refused("Worker.DeleteGroup", {"userName": "gamma", "groupId": 1}) == (
        OPERATION, "groupId: not a group of this sub-account")


def test_workers_are_put_into_groups_and_out_of_them(days, groups):
    quoted, sichuan = groups['a "b"\\'], groups["四川"]
    days.done("Worker.SetWorkerGroupBulk", userName="alpha", groupId=quoted,
              workers=['"2"\\四川', "cash"])
    days.done("Worker.SetWorkerGroupBulk", userName="alpha", groupId=sichuan, workers=["cash"])
    shown = {name: row["group"] for name, row in listed(days, "alpha").items()}
    assert shown == {"rig 1": None, '"2"\\四川': {"id": quoted, "name": 'a "b"\\'},
                     "cash": {"id": sichuan, "name": "四川"}}
    days.done("Worker.SetWorkerGroupBulk", userName="alpha", groupId=0,
              workers=['"2"\\四川', "cash", "rig 1"])
    assert {row["group"] for row in listed(days, "alpha").values()} == {None}


def test_all_workers_are_put_into_a_group_or_none(days, groups):
    given = {"userName": "alpha", "groupId": groups["empty"], "workers": ["rig 1", "night"]}
    assert days.refused("Worker.SetWorkerGroupBulk", given) == (
        OPERATION, "workers: one is none of the account's")
    assert listed(days, "alpha")["rig 1"]["group"] is None


# -- refusals --------------------------------------------------------------------------------------

ACCOUNT = {"userName": "alpha"}
DAY_RANGE = {"start": "2040-03-01", "end": "2040-03-05"}
GOOD = {
    "Worker.GetSubAccountWorkerList": ACCOUNT,
    "Worker.GetSubAccountWorkerSummary": ACCOUNT,
    "Worker.GetSubAccountWorkerGroupList": ACCOUNT,
    "Worker.CreateGroup": ACCOUNT | {"name": "new"},
    "Worker.UpdateGroup": ACCOUNT | {"name": "new", "groupId": 1},
    "Worker.DeleteGroup": ACCOUNT | {"groupId": 1},
    "Worker.SetWorkerGroupBulk": ACCOUNT | {"groupId": 0, "workers": ["rig 1"]},
    "Worker.GetSubAccountWorkerHourlyActiveNumList": ACCOUNT | DAY_RANGE,
    "Worker.GetSubAccountWorkerDailyActiveNumList": ACCOUNT | DAY_RANGE,
}


def test_there_are_nine(days):
    assert {operation.name: [field.name for field in operation.fields]
            for operation in OPERATIONS} == {name: list(given) for name, given in GOOD.items()}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_field_has_its_form(days, operation):
    check_fields(days, operation.name, GOOD[operation.name], operation)


@pytest.mark.parametrize("action", GOOD)
def test_names_must_be_known(days, action):
    assert days.refused(action, GOOD[action] | {"userName": "nobody"}) == (
        OPERATION, "userName: nobody is not a sub-account")


@pytest.mark.parametrize("action", ["Worker.CreateGroup", "Worker.UpdateGroup"])
@pytest.mark.parametrize("name, code, message", [
    ("", INPUT, "name: must have 1 to 64 characters"),
    ("x" * 65, INPUT, "name: must have 1 to 64 characters"),
    ("a\tb", INPUT, "name: too short, too long, or with a character not allowed"),
    ("\udc00", INPUT, "name: must be text"),
    ("empty", OPERATION, "name: the account has a group of this name")])
def test_a_group_needs_a_name_of_its_own(days, groups, action, name, code, message):
    given = ACCOUNT | {"name": name}
    if action == "Worker.UpdateGroup":
        given["groupId"] = groups["四川"]
    assert days.refused(action, given) == (code, message)


@pytest.mark.parametrize("group, code, message", [
    (-1, INPUT, "groupId: must have no sign"),
    (1.5, INPUT, "groupId: must have at most 0 decimals"),
    (2**32, INPUT, "groupId: must be at most 4294967295"),
    (2**32 - 1, OPERATION, "groupId: not a group of this sub-account")])
def test_a_group_must_be_one_of_the_sub_account(days, group, code, message):
    for action in ("Worker.UpdateGroup", "Worker.DeleteGroup", "Worker.SetWorkerGroupBulk"):
        assert days.refused(action, GOOD[action] | {"groupId": group}) == (code, message)


@pytest.mark.parametrize("workers, code, message", [
    ([], INPUT, "workers: must have one entry"),
    (["x"] * 10_001, INPUT, "workers: must have at most 10,000 entries"),
    ([1], INPUT, "workers: must be a list of strings"),
    (["\ud800"], INPUT, "workers: must be text"),
    (["nobody"], OPERATION, "workers: one is none of the account's"),
    (["x" * 65], OPERATION, "workers: one is none of the account's")])
def test_the_workers_must_be_names_of_its_workers(days, workers, code, message):
    given = GOOD["Worker.SetWorkerGroupBulk"] | {"workers": workers}
    assert days.refused("Worker.SetWorkerGroupBulk", given) == (code, message)


def test_ten_thousand_names_are_taken_at_once(days, groups):
    days.done("Worker.SetWorkerGroupBulk", userName="alpha", groupId=groups["四川"],
              workers=["rig 1", "cash"] * 5_000)
    assert listed(days, "alpha")["cash"]["group"] == {"id": groups["四川"], "name": "四川"}


def test_a_hundred_groups_are_the_most(days):
    for number in range(100):
        days.house.submit(Kind.ADD_GROUP, account=days.numbers["other"], name=str(number))
    assert days.refused("Worker.CreateGroup", {"userName": "other", "name": "one more"}) == (
        OPERATION, "the account has too many groups")


@pytest.mark.parametrize("action, start, message", [
    ("Worker.GetSubAccountWorkerHourlyActiveNumList", "2040-02-03", "31"),
    ("Worker.GetSubAccountWorkerDailyActiveNumList", "2039-03-05", "366")])
def test_a_range_must_be_one(days, action, start, message):
    good = GOOD[action]
    assert days.refused(action, good | {"start": start}) == (
        INPUT, f"end: must be at most {message} days from start, both included")
    assert days.refused(action, good | {"start": "2040-03-06"}) == (
        INPUT, "end: must not be before start")
    for field in ("start", "end"):
        assert days.refused(action, good | {field: "2040-03-01 08:00:00"}) == (
            INPUT, f"{field}: must be a day as 2020-02-29")
