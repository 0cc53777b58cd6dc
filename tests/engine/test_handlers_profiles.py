"""Permissions, profile, identity, devices, tries at payment passwords, each refusal included."""

import hashlib

import pytest

from engine.codes import Kind, Result
from engine.halt import Halt
from ledger.pay_tries import LOCK_NS, PayTries
from tests.engine.cold_house import HASH, NS_PER_S, ColdHouse

DAY_S = 86_400
BIND = {"uid": 1, "device_id": "d1", "name": "phone", "os": "Linux"}
SUBJECTS = [
    (Kind.SET_PERMISSIONS, "permissions", 1, 0),
    (Kind.SET_PROFILE, "profile", "CN", "DE"),
    (Kind.SET_IDENTITY, "identity", b"sealed", b"anew"),
]


@pytest.fixture
def house():
    house = ColdHouse()
    for name in ("alice", "bob"):
        house.must(Kind.REGISTER_USER, username=name, password_hash=HASH, group=2)
    return house


def token(number):
    return hashlib.sha256(bytes([number])).digest()


def log_in(house, uid, number):
    house.must(Kind.CREATE_SESSION, uid=uid, token_digest=token(number), lifetime_s=DAY_S)


@pytest.mark.parametrize("kind, subject, first, second", SUBJECTS)
def test_fields_are_set_changed_and_removed(house, kind, subject, first, second):
    house.must(kind, uid=1, fields={"one": first, "two": second})
    house.must(kind, uid=1, fields={"two": first, "three": second})
    assert getattr(house.users.get(1), subject) == {"one": first, "two": first, "three": second}
    house.must(kind, uid=1, fields={"one": None, "never": None})
    assert getattr(house.reloaded().users.get(1), subject) == {"two": first, "three": second}
    assert getattr(house.users.get(2), subject) == {}


@pytest.mark.parametrize("kind, subject, value, _", SUBJECTS)
def test_fields_are_refused_as_a_whole(house, kind, subject, value, _):
    assert house.do(kind, uid=3, fields={"one": value})[0] == Result.UNKNOWN_USER
    assert house.do(kind, uid=1, fields={})[0] == Result.BAD_FIELDS
    for name in ("", "x" * 65, "a-b", "é", "a b", "x\n"):
        assert house.do(kind, uid=1, fields={"one": value, name: value})[0] == Result.BAD_FIELDS
    assert house.do(kind, uid=1, fields={7: value})[0] == Result.BAD_COMMAND
    for wrong in (True, 1.5, [], -1, 2**31, "", "x" * 257, "a\0", b"", b"x" * 1201):
        assert house.do(kind, uid=1, fields={"one": wrong})[0] == Result.BAD_FIELDS
    many = {f"f{number}": value for number in range(64)}
    house.must(kind, uid=1, fields=many)
    assert house.do(kind, uid=1, fields={"one": value})[0] == Result.TOO_MANY_FIELDS
    house.must(kind, uid=1, fields={"one": value, "f0": None})
    assert len(getattr(house.users.get(1), subject)) == 64


def test_who_may_not_log_in_any_more_is_logged_out(house):
    log_in(house, 1, 1)
    log_in(house, 2, 2)
    house.must(Kind.SET_PERMISSIONS, uid=1, fields={"manage_balances": 1})
    assert len(house.sessions) == 2
    house.must(Kind.SET_PERMISSIONS, uid=1, fields={"is_allow_login": 0})
    assert house.sessions.of_user(1) == [] and len(house.sessions.of_user(2)) == 1
    again = house.reloaded()
    for one in (house, again):
        assert one.do(Kind.CREATE_SESSION, uid=1, token_digest=token(3),
                      lifetime_s=DAY_S)[0] == Result.UNKNOWN_USER
        one.must(Kind.SET_PERMISSIONS, uid=1, fields={"is_allow_login": None})
        log_in(one, 1, 4)


def test_a_session_of_who_may_not_log_in_stops_the_house(house):
    house.must(Kind.SET_PERMISSIONS, uid=1, fields={"is_allow_login": 0})
    house.sessions.create(token(1), 1, house.ts_ns, house.ts_ns + DAY_S * NS_PER_S)
    with pytest.raises(Halt, match="user 1 has a session and may not log in"):
        house.core.check()


def test_tries_of_nobody_stop_the_house(house):
    house.pay_tries.add(3, house.ts_ns)
    with pytest.raises(Halt, match="no user 3, who has tried a payment password"):
        house.core.check()


def test_a_user_without_accounts_stops_the_house(house):
    house.users.add("carol", HASH, 2, house.ts_ns)
    with pytest.raises(Halt, match="3 users and 0 coins, accounts of"):
        house.core.check()


def test_a_device_is_bound_named_anew_and_removed(house):
    house.must(Kind.BIND_DEVICE, **BIND)
    house.must(Kind.BIND_DEVICE, **BIND | {"device_id": "d2"})
    house.must(Kind.BIND_DEVICE, **BIND | {"name": "my phone", "os": "BSD"})
    assert house.reloaded().users.get(1).devices == (
        ("d1", "my phone", "BSD"), ("d2", "phone", "Linux"))
    house.must(Kind.REMOVE_DEVICE, uid=1, device_id="d1")
    assert house.users.get(1).devices == (("d2", "phone", "Linux"),)
    assert house.do(Kind.REMOVE_DEVICE, uid=1, device_id="d1")[0] == Result.UNKNOWN_DEVICE
    assert house.do(Kind.REMOVE_DEVICE, uid=2, device_id="d2")[0] == Result.UNKNOWN_DEVICE
    assert house.do(Kind.REMOVE_DEVICE, uid=3, device_id="d2")[0] == Result.UNKNOWN_USER


@pytest.mark.parametrize("change, expected", [
    ({"uid": 3}, Result.UNKNOWN_USER),
    ({"device_id": ""}, Result.BAD_DEVICE),
    ({"device_id": "x" * 129}, Result.BAD_DEVICE),
    ({"name": "x" * 65}, Result.BAD_DEVICE),
    ({"name": "a\nb"}, Result.BAD_DEVICE),
    ({"os": ""}, Result.BAD_DEVICE),
    ({"device_id": "x" * 128, "name": "n" * 64, "os": "o" * 64}, Result.OK),
])
def test_bind_device(house, change, expected):
    assert house.do(Kind.BIND_DEVICE, **BIND | change)[0] == expected


def test_devices_are_limited(house):
    for number in range(20):
        house.must(Kind.BIND_DEVICE, **BIND | {"device_id": f"d{number}"})
    assert house.do(Kind.BIND_DEVICE, **BIND | {"device_id": "d20"})[0] == Result.TOO_MANY_DEVICES
    house.must(Kind.BIND_DEVICE, **BIND | {"device_id": "d19", "name": "another"})


def test_five_tries_lock_the_payment_password(house):
    assert house.do(Kind.TRY_PAY_PASSWORD, uid=1)[0] == Result.NO_PAY_PASSWORD
    assert house.do(Kind.TRY_PAY_PASSWORD, uid=3)[0] == Result.UNKNOWN_USER
    assert house.do(Kind.CLEAR_PAY_TRIES, uid=3)[0] == Result.UNKNOWN_USER
    for uid in (1, 2):
        house.must(Kind.SET_PAY_PASSWORD, uid=uid, password_hash=HASH)
    for _ in range(5):
        house.must(Kind.TRY_PAY_PASSWORD, uid=1)
    fifth_ns = house.ts_ns
    for one in (house, house.reloaded()):
        one.ts_ns = fifth_ns + LOCK_NS - 1
        assert one.do(Kind.TRY_PAY_PASSWORD, uid=1)[0] == Result.PAY_PASSWORD_LOCKED
        one.must(Kind.TRY_PAY_PASSWORD, uid=2)
        one.ts_ns += 1
        one.must(Kind.TRY_PAY_PASSWORD, uid=1)
        assert one.pay_tries.count(1, one.ts_ns) == 1


@pytest.mark.parametrize("kind, more", [
    (Kind.CLEAR_PAY_TRIES, {}), (Kind.SET_PAY_PASSWORD, {"password_hash": HASH})])
def test_tries_are_forgotten(house, kind, more):
    house.must(Kind.SET_PAY_PASSWORD, uid=1, password_hash=HASH)
    for _ in range(5):
        house.must(Kind.TRY_PAY_PASSWORD, uid=1)
    house.must(kind, uid=1, **more)
    assert len(house.pay_tries) == 0
    house.must(Kind.TRY_PAY_PASSWORD, uid=1)


def test_a_quarter_of_an_hour_without_a_try_forgets_them():
    tries = PayTries()
    for _ in range(4):
        tries.add(1, 5 * NS_PER_S)
    assert not tries.is_locked(1, 6 * NS_PER_S)
    tries.add(1, 5 * NS_PER_S + LOCK_NS)
    assert tries.count(1, 5 * NS_PER_S + LOCK_NS) == 1 and tries.check() == []
    broken = PayTries.load([[1, 0, 5], [2, 6, 5], [3, 5, 5]])
    assert broken.check() == ["user 1 has tried 0 times", "user 2 has tried 6 times"]
