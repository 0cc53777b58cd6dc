"""Users by number and by name, and what they cost."""

import tracemalloc

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.users import Device, Users, is_username, packed

HASH = "$argon2id$v=19$m=65536,t=3,p=4$" + "c" * 22 + "$" + "h" * 43


def filled():
    users = Users()
    users.add("Alice", HASH, 1, 5, "a@x.org", "+86 1", "Alice A.")
    users.add("straße", HASH, 2, 6)
    users.change(1, pay_password_hash="pay",
                 withdraw_addresses=((2, "T-address"), (1, "B-address")),
                 devices=(Device("d1", "phone", "Linux"), Device("d2", "slate", "BSD")),
                 profile={"mobile": "13"}, identity={"first_name": b"sealed"})
    users.change(2, permissions={"is_allow_login": 0, "manage_balances": 1})
    return users


def reloaded(users):
    return Users.load(msgpack.unpackb(msgpack.packb(users.dump())))


def test_names_are_found_without_regard_to_case():
    for users in (filled(), reloaded(filled())):
        for name in ("alice", "ALICE", "Alice"):
            assert users.by_name(name) == users.get(1)
        assert users.by_name("STRASSE") == users.get(2)
        assert users.by_name("bob") is None
        assert users.get(1).username == "Alice"


def test_uids_are_places():
    users = filled()
    assert [user.uid for user in users] == [1, 2]
    for uid in (0, 3, -1, 2**64):
        assert users.get(uid) is None


def test_only_those_who_registered_are_there():
    users = filled()
    there = len(users)
    assert [uid in users for uid in (1, there)] == [True, True]
    for uid in (0, there + 1, -1, 2**32, 2**64 - 1):
        assert uid not in users and users.get(uid) is None and not users.is_active(uid)


def test_a_name_cannot_be_taken_twice():
    users = filled()
    with pytest.raises(ValueError):
        users.add("aLICE", HASH, 2, 7)
    assert len(users) == 2 and users.check() == []


def test_a_dump_is_all_of_it():
    users = filled()
    again = reloaded(users)
    assert list(again) == list(users) and again.dump() == users.dump()
    assert again.check() == users.check() == []
    assert again.get(1).withdraw_addresses == ((2, "T-address"), (1, "B-address"))
    assert again.get(2).withdraw_address(1) is None and again.get(2).active is False
    assert again.get(1).device("d2").name == "slate" and again.get(1).device("d3") is None
    with pytest.raises(ValueError):
        Users.load([users.dump()[0] * 2, []])


def test_who_may_not_log_in_is_not_active():
    for users in (filled(), reloaded(filled())):
        assert [users.is_active(uid) for uid in (0, 1, 2, 3)] == [False, True, False, False]
        users.change(2, permissions={"is_allow_login": 1})
        assert users.is_active(2) and users.get(2).active and users.check() == []


def test_a_sub_account_is_no_user_by_name_and_never_active():
    users = filled()
    assert users.add_sub_account("Alice", 7).uid == 3
    for one in (users, reloaded(users)):
        assert one.by_name("alice").uid == 1 and one.sub_account("aLICE").uid == 3
        assert one.by_name("\x1fAlice") is None and one.sub_account("straße") is None
        assert [one.is_person(uid) for uid in (0, 1, 2, 3, 4)] == [False, True, True, False, False]
        assert one.person(3) is None and one.person(2) == one.get(2)
        one.change(3, permissions={"is_allow_login": 1})
        assert not one.is_active(3) and not one.get(3).active and one.check() == []
    with pytest.raises(ValueError):
        users.add_sub_account("ALICE", 8)


def test_a_user_is_as_it_was_when_asked_for():
    users = filled()
    before = users.get(1)
    after = users.change(1, pay_password_hash="other")
    assert before.pay_password_hash == "pay" and after == users.get(1) != before


def test_check_notices_what_is_broken():
    users = filled()
    users._records[0] = packed(users.get(1)._replace(username="eve"))
    assert "user 1 is not found" in users.check()[0] and "running hash" in users.check()[1]
    users = filled()
    users._by_name["eve"] = 1
    assert "3 names" in users.check()[0]
    users = filled()
    users.change(1, withdraw_addresses=users.get(1).withdraw_addresses * 2)
    assert "addresses for coins [2, 1, 2, 1]" in users.check()[0]
    users = filled()
    users.change(1, devices=users.get(1).devices * 2)
    assert "one device twice" in users.check()[0]
    users = filled()
    users._barred.clear()
    assert "users [2]" in users.check()[0]
    users = filled()
    users.change(2, group=3)
    assert "user 2, 'straße', is of group 3" in users.check()[0]


@pytest.mark.parametrize("name, expected", [
    ("abc", True), ("x" * 64, True), ("a b", True), ("用户名", True), ("a@x.org", True),
    ("ab", False), ("x" * 65, False), ("", False), ("abc\0", False), ("abc\n", False),
    ("abc\x7f", False), ("abc\x85", False), ("abc\u2028", False), ("abc\u202e", False),
    ("abc\ud800", False),
])
def test_usernames(name, expected):
    assert is_username(name) == expected


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(min_size=3, max_size=8).filter(is_username), unique_by=str.casefold,
                max_size=8))
def test_any_names_survive_a_dump(names):
    users = Users()
    for name in names:
        users.add(name, HASH, 2, 1)
    again = reloaded(users)
    assert [again.by_name(name.casefold()).username for name in names] == names
    assert again.check() == []


def test_a_user_with_everything_takes_less_than_a_kibibyte():
    count = 5_000
    tracemalloc.start()
    users = Users()
    for number in range(count):
        # Texts of their own for every user, as they come out of a command.
        user = users.add(f"User-{number}", HASH + str(number), 2, 10**18 + number,
                         f"user-{number}@mail.example.org", f"+86 {number:011}", f"Name {number}")
        users.change(user.uid, pay_password_hash=HASH + str(-number),
                     withdraw_addresses=((1, f"bc1q{number:038}"),),
                     devices=(Device(f"device-{number:020}", "A phone of mine", "Android 14"),),
                     profile={"mobile": f"138{number:08}", "country": "CN"})
    size_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size_bytes / count < 1024
