"""The running hash of a store is that of its records, however they came, and check says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.deposits import Deposits
from ledger.digests import RunningHash, hash_of
from ledger.nonces import Nonces
from ledger.pay_tries import LOCK_NS, PayTries
from ledger.sessions import Sessions
from ledger.users import Users, packed
from ledger.withdrawals import Withdrawals

S = 1_000_000_000


@given(records=st.lists(st.binary(max_size=20)), order=st.randoms(use_true_random=False))
def test_it_knows_neither_the_order_nor_what_has_gone(records, order):
    running = RunningHash()
    for record in records:
        running.add(record)
        running.add(record + b"gone")
        running.remove(record + b"gone")
    shuffled = list(records)
    order.shuffle(shuffled)
    assert running.digest() == hash_of(shuffled)
    if records:
        assert running.digest() != hash_of(records[1:])


def filled_users():
    users = Users()
    users.add("alice", "hash", 2, 1)
    users.add("bob", "hash", 2, 1)
    users.change(2, pay_password_hash="pay")
    return users


def filled_sessions():
    sessions = Sessions()
    sessions.create(b"1" * 32, 1, S, 5 * S)
    sessions.create(b"2" * 32, 1, S, 9 * S)
    sessions.create(b"3" * 32, 1, 6 * S, 9 * S)
    return sessions


def filled_deposits():
    deposits = Deposits()
    deposits.add(1, "tx", 1)
    deposits.add(1, "tx", 1)
    deposits.add(1, "tx", 2)
    return deposits


def filled_nonces():
    nonces = Nonces()
    nonces.use("client", "one", S, 2 * S)
    nonces.use("client", "two", 3 * S, 9 * S)
    nonces.use("client", "three", 3 * S, 9 * S)
    return nonces


def filled_pay_tries():
    pay_tries = PayTries()
    pay_tries.add(1, S)
    pay_tries.add(2, S)
    pay_tries.add(1, 2 * S)
    pay_tries.add(3, 2 * S)
    pay_tries.add(2, LOCK_NS + S)
    pay_tries.clear(3)
    pay_tries.clear(4)
    return pay_tries


def filled_withdrawals():
    withdrawals = Withdrawals()
    for request_id in ("a", "b", "c"):
        withdrawals.request(1, 1, 100, 1, "address", S, request_id, False)
    withdrawals.approve(withdrawals.get(1))
    withdrawals.finish(withdrawals.get(1), "tx")
    withdrawals.reject(withdrawals.get(2))
    return withdrawals


@pytest.mark.parametrize("store, tamper", [
    (filled_users(), lambda users: users._records.__setitem__(
        0, packed(users.get(1)._replace(name="Mallory")))),
    (filled_sessions(), lambda sessions: sessions._sessions.update(
        {b"2" * 32: sessions._sessions[b"2" * 32]._replace(created_ns=7)})),
    (filled_deposits(), lambda deposits: deposits._credited.update({b"x" * 16: None})),
    (filled_nonces(), lambda nonces: nonces._expires_ns.update(
        dict.fromkeys(nonces._expires_ns, 8 * S))),
    (filled_withdrawals(), lambda withdrawals: setattr(withdrawals.get(3), "amount", 99)),
    (filled_pay_tries(), lambda pay_tries: pay_tries._tries.update({2: (1, LOCK_NS)})),
], ids=["users", "sessions", "deposits", "nonces", "withdrawals", "pay_tries"])
def test_what_goes_past_the_store_is_noticed(store, tamper):
    assert store.check() == []
    again = type(store).load(store.dump())
    assert again.digest() == store.digest()
    tamper(store)
    assert any("running hash" in fault for fault in store.check())
