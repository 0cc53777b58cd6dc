"""Contacts: several users of one phone or mail, in the order in which they set it."""

import tracemalloc

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.contacts import ENTRY, Contacts, email_key, phone_key
from ledger.users import Users

HASH = "$argon2id$of-nothing"
ANN, BEN, CAT = 1, 2, 3


def filled():
    """Ann and Ben have one phone, Ann and Cat one mail; there is a sub-account besides."""
    users, contacts = Users(), Contacts()
    for name, email, phone in (("ann", "Shop@X.org", "138"), ("ben", None, "138"),
                               ("cat", "shop@x.ORG", None)):
        contacts.add(users.add(name, HASH, 2, 5, email, phone))
    contacts.add(users.add_sub_account("ann", 5))
    return users, contacts


def reloaded(contacts):
    return Contacts.load(msgpack.unpackb(msgpack.packb(contacts.dump())))


def set_contact(users, contacts, uid, **fields):
    before = users.get(uid)
    contacts.change(before, users.change(uid, **fields))


def test_all_who_have_it_are_found_in_order():
    users, contacts = filled()
    for one in (contacts, reloaded(contacts)):
        assert one.by_phone(users, "138") == [ANN, BEN]
        assert one.by_email(users, "SHOP@x.org") == [ANN, CAT]
        assert one.by_phone(users, "shop@x.org") == one.by_email(users, "138") == []
        assert one.by_phone(users, "1380") == one.by_email(users, "\ud800") == []
        assert len(one) == 4 and one.check() == one.faults_of(users) == []


def test_what_is_set_anew_comes_last_and_what_stays_keeps_its_place():
    users, contacts = filled()
    set_contact(users, contacts, ANN, phone="139", email="SHOP@x.org")
    assert contacts.by_phone(users, "138") == [BEN] and contacts.by_phone(users, "139") == [ANN]
    assert contacts.by_email(users, "shop@x.org") == [ANN, CAT]
    set_contact(users, contacts, ANN, phone="138")
    assert contacts.by_phone(users, "138") == [BEN, ANN] and contacts.by_phone(users, "139") == []
    assert contacts.check() == contacts.faults_of(users) == []
    assert reloaded(contacts).dump() == contacts.dump()


def test_a_text_of_the_same_digest_finds_nobody_wrong():
    users, contacts = filled()
    contacts._insert(phone_key("200"), BEN)
    contacts._insert(email_key("a@b.org"), BEN)
    assert contacts.by_phone(users, "200") == contacts.by_email(users, "a@b.org") == []


def test_load_refuses_what_no_dump_gave():
    _, contacts = filled()
    dumped = contacts.dump()
    with pytest.raises(ValueError, match="no entries of 12"):
        Contacts.load(dumped[:-1])
    for twice in (dumped[:12], dumped[-12:]):
        with pytest.raises(ValueError, match="has it already"):
            Contacts.load(dumped + twice)


def test_check_notices_what_is_broken():
    _, contacts = filled()
    contacts._uids[phone_key("138")] = {ANN: None}
    faults = contacts.check()
    assert "kept for 1 users" in faults[0] and "3 phones and mails, 4 counted" in faults[1]
    assert "running hash" in faults[2]


@pytest.mark.parametrize("tamper, fault", [
    (lambda users, contacts: users.change(CAT, email="cat@x.org"), "user 3 is not found"),
    (lambda users, contacts: users.change(CAT, phone="1"), "users have 5 phones and mails, 4"),
    (lambda users, contacts: contacts._remove(phone_key("138"), BEN), "user 2 is not found"),
    (lambda users, contacts: contacts._insert(phone_key("1"), BEN), "users have 4"),
])
def test_what_does_not_fit_the_users_is_noticed(tamper, fault):
    users, contacts = filled()
    tamper(users, contacts)
    assert any(fault in found for found in contacts.faults_of(users))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from([None, "1", "2"]),
                          st.sampled_from([None, "a@x", "A@x", "b@x"])), max_size=30))
def test_any_order_of_setting(steps):
    users, contacts, phones, mails = Users(), Contacts(), [], []
    for uid in range(1, 5):
        users.add(f"user{uid}", HASH, 2, 1)
    for uid, phone, email in steps:
        for value, texts in ((phone, phones), (email and email.casefold(), mails)):
            if value is not None and (uid, value) not in texts:
                texts[:] = [other for other in texts if other[0] != uid] + [(uid, value)]
        given_ = {"phone": phone, "email": email}
        set_contact(users, contacts, uid,
                    **{name: value for name, value in given_.items() if value is not None})
    again = reloaded(contacts)
    for one in (contacts, again):
        for text in ("1", "2"):
            assert one.by_phone(users, text) == [uid for uid, value in phones if value == text]
        for text in ("A@X", "b@x"):
            assert one.by_email(users, text) == [
                uid for uid, value in mails if value == text.casefold()]
        assert one.check() == one.faults_of(users) == []
    assert (again.dump(), again.digest()) == (contacts.dump(), contacts.digest())


@pytest.mark.slow
def test_a_phone_takes_no_more_than_said():
    count = 20_000
    users = Users()
    for number in range(count):
        users.add(f"user{number}", HASH, 2, 1, phone=f"138{number}")
    tracemalloc.start()
    contacts = Contacts()
    for user in users:
        contacts.add(user)
    size_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size_bytes / count < 125
    assert len(contacts.dump()) == count * ENTRY.size == count * 12
