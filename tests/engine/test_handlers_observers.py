"""Observer links and groups of sub-accounts: each refusal, in order, and what OK changes."""

import pytest

from engine.codes import Kind, ObserverRight, Result
from pool.observers import LINKS_PER_ACCOUNT_MAX, RIGHTS_ALL, Link
from pool.subaccounts import GROUP_ID_MAX, GROUPS_MAX
from tests.engine.cold_house import HASH, ColdHouse

ALICE, FARM = 1, 2
TOKEN = bytes(range(16))
LINK = {"account": FARM, "token": TOKEN, "rights": ObserverRight.WORKER, "remark": "运维"}


@pytest.fixture
def house():
    house = ColdHouse()
    house.must(Kind.ADD_ACCOUNT, username="alice", password_hash=HASH, phone="1")
    return house


def test_all_rights_together_are_all_bits():
    assert sum(ObserverRight.__members__.values()) == RIGHTS_ALL


@pytest.mark.parametrize("change, expected", [
    ({"account": ALICE, "token": b""}, Result.UNKNOWN_ACCOUNT),
    ({"account": -1}, Result.UNKNOWN_ACCOUNT),
    ({"token": TOKEN[1:], "rights": 0}, Result.BAD_TOKEN),
    ({"token": TOKEN + b"x"}, Result.BAD_TOKEN),
    ({"rights": 0, "remark": "\0"}, Result.BAD_RIGHTS),
    ({"rights": 8}, Result.BAD_RIGHTS),
    ({"rights": -1}, Result.BAD_RIGHTS),
    ({"remark": "x" * 129, "token": bytes(16)}, Result.BAD_REMARK),
    ({"remark": "a\nb"}, Result.BAD_REMARK),
    ({"token": bytes(16)}, Result.OBSERVER_EXISTS),
    ({}, Result.OK),
    ({"rights": 7, "remark": "x" * 128}, Result.OK),
    ({"remark": None}, Result.OK),
    ({"remark": ""}, Result.OK),
])
def test_add_observer(house, change, expected):
    house.must(Kind.ADD_OBSERVER, **LINK | {"token": bytes(16)})
    args = LINK | change
    result, link_id = house.do(Kind.ADD_OBSERVER, **args)
    assert result == expected
    if expected == Result.OK:
        link = house.reloaded().observers.by_token(TOKEN)
        assert link == Link(2, FARM, TOKEN, args["rights"], house.ts_ns, args["remark"] or "")
        assert link_id == 2


def test_observers_are_limited(house):
    for number in range(LINKS_PER_ACCOUNT_MAX):
        house.observers.add(FARM, number.to_bytes(16, "big"), 1, 1, "")
    assert house.do(Kind.ADD_OBSERVER, **LINK | {"token": bytes(16)})[0] == Result.OBSERVER_EXISTS
    assert house.do(Kind.ADD_OBSERVER, **LINK)[0] == Result.TOO_MANY_OBSERVERS
    house.must(Kind.REMOVE_OBSERVER, id=7)
    assert house.must(Kind.ADD_OBSERVER, **LINK) == LINKS_PER_ACCOUNT_MAX + 1


@pytest.mark.parametrize("args, expected", [
    ({"id": 2}, Result.UNKNOWN_OBSERVER),
    ({"id": 1}, Result.NO_CHANGE),
    ({"id": 1, "rights": 0, "remark": "\0"}, Result.BAD_RIGHTS),
    ({"id": 1, "rights": 8}, Result.BAD_RIGHTS),
    ({"id": 1, "remark": "\0"}, Result.BAD_REMARK),
    ({"id": 1, "remark": "x" * 129}, Result.BAD_REMARK),
    ({"id": 1, "rights": 5}, Result.OK),
    ({"id": 1, "remark": ""}, Result.OK),
    ({"id": 1, "rights": 1, "remark": "财务"}, Result.OK),
])
def test_change_observer(house, args, expected):
    house.must(Kind.ADD_OBSERVER, **LINK)
    before = house.observers.get(1)
    assert house.do(Kind.CHANGE_OBSERVER, **args)[0] == expected
    after = before._replace(**args) if expected == Result.OK else before
    assert house.reloaded().observers.get(1) == after


def test_a_link_that_was_removed_is_over(house):
    house.must(Kind.ADD_OBSERVER, **LINK)
    house.must(Kind.REMOVE_OBSERVER, id=1)
    assert house.observers.by_token(TOKEN) is None and house.observers.of_account(FARM) == []
    for kind, more in ((Kind.REMOVE_OBSERVER, {}), (Kind.CHANGE_OBSERVER, {"rights": 1})):
        assert house.do(kind, id=1, **more)[0] == Result.UNKNOWN_OBSERVER
    assert house.reloaded().must(Kind.ADD_OBSERVER, **LINK) == 2


# -- groups -------------------------------------------------------------------------------------

def add_group(house, name, account=FARM):
    return house.do(Kind.ADD_GROUP, account=account, name=name)


def test_groups_are_added_renamed_and_removed(house):
    assert [add_group(house, name) for name in ("四川", "x" * 64, "X" * 64)] == [
        (Result.OK, number) for number in (1, 2, 3)]
    house.must(Kind.REMOVE_GROUP, account=FARM, id=3)
    house.must(Kind.RENAME_GROUP, account=FARM, id=1, name="新疆")
    house.must(Kind.RENAME_GROUP, account=FARM, id=2, name="x" * 64)
    again = house.reloaded()
    assert again.sub_accounts.get(FARM).groups == ((1, "新疆"), (2, "x" * 64))
    assert add_group(again, "四川") == (Result.OK, 4)


@pytest.mark.parametrize("kind, args, expected", [
    (Kind.ADD_GROUP, {"account": ALICE, "name": ""}, Result.UNKNOWN_ACCOUNT),
    (Kind.ADD_GROUP, {"name": ""}, Result.BAD_NAME),
    (Kind.ADD_GROUP, {"name": "x" * 65}, Result.BAD_NAME),
    (Kind.ADD_GROUP, {"name": "a\0"}, Result.BAD_NAME),
    (Kind.ADD_GROUP, {"name": "a"}, Result.GROUP_EXISTS),
    (Kind.RENAME_GROUP, {"account": ALICE, "id": 9, "name": ""}, Result.UNKNOWN_ACCOUNT),
    (Kind.RENAME_GROUP, {"id": 3, "name": ""}, Result.UNKNOWN_GROUP),
    (Kind.RENAME_GROUP, {"id": 1, "name": ""}, Result.BAD_NAME),
    (Kind.RENAME_GROUP, {"id": 1, "name": "b"}, Result.GROUP_EXISTS),
    (Kind.REMOVE_GROUP, {"account": ALICE, "id": 9}, Result.UNKNOWN_ACCOUNT),
    (Kind.REMOVE_GROUP, {"id": 0}, Result.UNKNOWN_GROUP),
    (Kind.REMOVE_GROUP, {"id": 3}, Result.UNKNOWN_GROUP),
])
def test_groups_are_refused(house, kind, args, expected):
    add_group(house, "a")
    add_group(house, "b")
    assert house.do(kind, **{"account": FARM} | args)[0] == expected


def test_groups_are_limited(house):
    for number in range(GROUPS_MAX):
        assert add_group(house, f"g{number}")[0] == Result.OK
    assert add_group(house, "g0")[0] == Result.GROUP_EXISTS
    assert add_group(house, "more")[0] == Result.TOO_MANY_GROUPS
    house.must(Kind.REMOVE_GROUP, account=FARM, id=100)
    assert add_group(house, "more") == (Result.OK, 101)


def test_the_numbers_of_groups_end(house):
    house.sub_accounts.change(FARM, next_group=GROUP_ID_MAX)
    assert add_group(house, "last") == (Result.OK, GROUP_ID_MAX)
    assert add_group(house, "more")[0] == Result.TOO_MANY_GROUPS
