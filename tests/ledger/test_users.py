"""Users by number and by name, and what they cost."""

import tracemalloc

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.users import Users, is_username

HASH = "$argon2id$v=19$m=65536,t=3,p=4$" + "c" * 22 + "$" + "h" * 43


def filled():
    users = Users()
    users.add("Alice", HASH, 1, 5, "a@x.org", "+86 1", "Alice A.")
    users.add("straße", HASH, 2, 6)
    users.change(users.get(1), pay_password_hash="pay")
    users.set_withdraw_address(users.get(1), 2, "T-address")
    users.set_withdraw_address(users.get(1), 1, "B-address")
    users.change(users.get(2), active=False)
    return users


def reloaded(users):
    return Users.load(msgpack.unpackb(msgpack.packb(users.dump())))


def test_names_are_found_without_regard_to_case():
    for users in (filled(), reloaded(filled())):
        for name in ("alice", "ALICE", "Alice"):
            assert users.by_name(name) is users.get(1)
        assert users.by_name("STRASSE") is users.get(2)
        assert users.by_name("bob") is None
        assert users.get(1).username == "Alice"


def test_uids_are_places():
    users = filled()
    assert [user.uid for user in users] == [1, 2]
    for uid in (0, 3, -1, 2**64):
        assert users.get(uid) is None


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
    with pytest.raises(ValueError):
        Users.load(users.dump()[1:])


def test_check_notices_what_is_broken():
    users = filled()
    users.get(1).username = "eve"
    assert "not found" in users.check()[0]
    users = filled()
    users.get(2).uid = 7
    assert "place 2" in users.check()[0]
    users = filled()
    users._by_name["eve"] = users.get(1)
    assert "3 names" in users.check()[0]
    users = filled()
    users.get(1).withdraw_addresses *= 2
    assert "addresses for coins [2, 1, 2, 1]" in users.check()[0]


def test_an_address_replaces_the_one_before():
    users = filled()
    users.set_withdraw_address(users.get(1), 2, "T-other")
    assert users.get(1).withdraw_address(2) == "T-other"
    assert users.get(1).withdraw_address(1) == "B-address" and users.check() == []


@pytest.mark.parametrize("name, expected", [
    ("abc", True), ("x" * 64, True), ("a b", True), ("用户名", True), ("a@x.org", True),
    ("ab", False), ("x" * 65, False), ("", False), ("abc\0", False), ("abc\n", False),
    ("abc\x7f", False), ("abc\x85", False), ("abc\u2028", False), ("abc\u202e", False),
    ("abc\ud800", False),
])
def test_usernames(name, expected):
    assert is_username(name) == expected


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(min_size=3, max_size=8), unique_by=str.casefold, max_size=8))
def test_any_names_survive_a_dump(names):
    users = Users()
    for name in names:
        users.add(name, HASH, 2, 1)
    again = reloaded(users)
    assert [again.by_name(name.casefold()).username for name in names] == names
    assert again.check() == []


def test_a_user_with_everything_takes_about_a_kibibyte():
    count = 5_000
    tracemalloc.start()
    users = Users()
    for number in range(count):
        # Texts of their own for every user, as they come out of a command.
        user = users.add(f"User-{number}", HASH + str(number), 2, 10**18 + number,
                         f"user-{number}@mail.example.org", f"+86 {number:011}", f"Name {number}")
        users.change(user, pay_password_hash=HASH + str(-number))
        users.set_withdraw_address(user, 1, f"bc1q{number:038}")
    size_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size_bytes / count < 1200
    assert not hasattr(user, "__dict__")
