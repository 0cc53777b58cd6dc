"""Withdrawals: found by id, user and request id however old, packed without loss."""

import sys

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import withdrawals as module
from ledger.withdrawals import Status, Withdrawal, Withdrawals, packed, unpacked

REQUEST = {"coin": 1, "amount": 100, "fee": 1, "address": "address", "requested_ns": 5,
           "request_id": None, "whole": False}


def filled():
    """1 requested, 2 finished, 3 rejected, 4 approved; 3 is user 2's, the others are user 1's."""
    store = Withdrawals()
    for uid, request_id in ((1, "a"), (1, "b"), (2, "a"), (1, None)):
        store.request(uid, **REQUEST | {"request_id": request_id, "coin": uid})
    store.approve(store.get(2))
    store.finish(store.get(2), "交易")
    store.reject(store.get(3))
    store.approve(store.get(4))
    return store


def reloaded(store):
    return Withdrawals.load(msgpack.unpackb(msgpack.packb(store.dump())))


def ids(found):
    return [withdrawal.id for withdrawal in found]


@pytest.mark.parametrize("store", [filled(), reloaded(filled())], ids=["live", "reloaded"])
def test_everything_is_found(store):
    assert store.check() == [] and len(store) == 4
    assert [store.get(number).status for number in (1, 2, 3, 4)] == [
        Status.REQUESTED, Status.FINISHED, Status.REJECTED, Status.APPROVED]
    assert store.get(2).txid == "交易" and store.get(3).txid is None
    for number in (0, 5, -1, 2**64):
        assert store.get(number) is None
    assert ids(store.of_user(1)) == [4, 2, 1]
    assert ids(store.of_user(1, before=4, limit=1)) == [2]
    assert ids(store.of_user(1, before=1)) == [] == ids(store.of_user(3))
    assert ids(store.of_user(2, coin=2)) == [3] and ids(store.of_user(2, coin=1)) == []
    assert ids(store.listed()) == [4, 3, 2, 1]
    assert ids(store.listed(before=99, limit=2)) == [4, 3]
    assert ids(store.listed(Status.FINISHED)) == [2] and ids(store.listed(Status.REQUESTED)) == [1]
    assert ids(store.listed(Status.APPROVED, before=4)) == []
    assert ids(store.open_ones()) == [1, 4]
    assert list(store.holds()) == [(1, 1, 100), (1, 1, 100)]
    assert [store.open_count(uid) for uid in (1, 2, 3)] == [2, 0, 0]


@pytest.mark.parametrize("store", [filled(), reloaded(filled())], ids=["live", "reloaded"])
def test_request_ids_are_each_users_own(store):
    found = [store.by_request_id(uid, request_id)
             for uid, request_id in ((1, "a"), (1, "b"), (2, "a"), (2, "b"), (3, "a"))]
    assert [one and one.id for one in found] == [1, 2, 3, None, None]
    with pytest.raises(ValueError):
        store.request(1, **REQUEST | {"request_id": "a"})


def test_only_the_last_closed_request_ids_count(monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED_MAX", 2)
    store = Withdrawals()
    for request_id in ("a", "b", "c"):
        store.request(1, **REQUEST | {"request_id": request_id})
    for number in (3, 1, 2):        # the order of closing counts, not that of requesting
        store.reject(store.get(number))
    for one in (store, reloaded(store)):
        assert one.by_request_id(1, "c") is None
        assert one.by_request_id(1, "a").id == 1
        assert one.check() == []
        assert one.request(1, **REQUEST | {"request_id": "c"}).id == 4
        one.reject(one.get(4))
        assert one.by_request_id(1, "a") is None and one.by_request_id(1, "c").id == 4
        assert one.check() == []


def test_a_request_id_of_several_users_is_forgotten_for_one_after_the_other(monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED_MAX", 1)
    store = Withdrawals()
    for uid, request_id in ((1, "a"), (2, "a"), (1, "b"), (2, "b")):
        store.request(uid, **REQUEST | {"request_id": request_id})
    for done, number in enumerate((1, 3, 2, 4), 1):
        store.reject(store.get(number))
        for one in (store, reloaded(store)):
            assert [getattr(one.by_request_id(uid, "a"), "id", None) for uid in (1, 2, 3)] == [
                1 if done < 2 else None, 2 if done < 4 else None, None]
            assert [one.by_request_id(uid, "b").id for uid in (1, 2)] == [3, 4]
            assert one.check() == []
    assert store.request(2, **REQUEST | {"request_id": "a"}).id == 5
    assert store.by_request_id(1, "a") is None and store.by_request_id(2, "a").id == 5


def test_an_open_one_keeps_no_second_copy_of_its_texts():
    texts = {"address": "北京" * 40, "request_id": "号" * 20}
    sizes = [sys.getsizeof(text) for text in texts.values()]
    store = Withdrawals()
    store.request(1, **REQUEST | texts)
    store.approve(store.get(1))
    assert [sys.getsizeof(text) for text in texts.values()] == sizes


def test_a_closed_record_cannot_be_changed_through_a_copy():
    store = filled()
    store.get(2).amount = 7
    assert store.get(2).amount == 100


def test_load_refuses_what_contradicts_itself():
    records, remembered, signed = filled().dump()
    with pytest.raises(ValueError):
        Withdrawals.load([records, remembered[:1], signed])
    with pytest.raises(ValueError):
        Withdrawals.load([[records[0][:-1], *records[1:]], remembered, signed])
    with pytest.raises(ValueError):
        Withdrawals.load([[b"", *records[1:]], remembered, signed])
    with pytest.raises(ValueError, match="request id is taken"):
        Withdrawals.load([[*records, records[0]], remembered, signed])


def test_a_dump_without_transactions_is_loaded():
    store = filled()
    assert Withdrawals.load(store.dump()[:2]).digest() == store.digest()


# -- signed ones ----------------------------------------------------------------------------------

def signed():
    """4 to 7 approved, then 7 and 5 signed with `one`, 4 with `two`; 5 is finished."""
    store = filled()
    for number in (5, 6, 7):
        store.request(1, **REQUEST)
        store.approve(store.get(number))
    store.sign([store.get(7), store.get(5)], "one", b"first")
    store.sign([store.get(4)], "two", b"second")
    store.finish(store.get(5), "one")
    return store


@pytest.mark.parametrize("store", [signed(), reloaded(signed())], ids=["live", "reloaded"])
def test_signed_ones_are_found_with_their_transactions(store):
    assert store.check() == []
    assert list(store.signed) == [("one", 1, (7, 5), b"first", 1), ("two", 1, (4,), b"second", 1)]
    assert store.signed.get("two").ids == (4,) and store.signed.get("three") is None
    assert [store.get(number).txid for number in (4, 5, 6, 7)] == ["two", "one", None, "one"]
    assert ids(store.listed(Status.SIGNED)) == [7, 4]
    assert ids(store.approved(1)) == [6] and ids(store.approved(2)) == []
    assert ids(store.open_ones()) == [1, 4, 6, 7] and store.open_count(1) == 4


def test_a_transaction_is_dropped_with_its_last_withdrawal():
    store = signed()
    store.finish(store.get(7), "one")
    assert [one.txid for one in store.signed] == ["two"] and store.check() == []
    store.finish(store.get(4), "two")
    assert len(store.signed) == 0 and store.check() == []
    assert reloaded(store).digest() == store.digest()


def test_a_transaction_that_is_given_up_leaves_no_trace():
    store = signed()
    before = store.digest()
    store.sign([store.get(6)], "three", b"third")
    assert store.digest() != before
    with pytest.raises(ValueError):
        store.signed.add(store.signed.get("three"))
    assert store.unsign("three") == (6,)
    assert store.digest() == before and store.check() == []
    with pytest.raises(KeyError):
        store.unsign("three")


@pytest.mark.parametrize("change, fault", [
    ({"unfinished": 2}, "running hash"), ({"unfinished": 0}, "0 to finish"),
    ({"ids": (7, 7)}, "is kept with"), ({"ids": (7, 4)}, "a second time"),
    ({"ids": (6, 1)}, "[] are signed, 1 said to be"), ({"coin": 2}, "[] are signed, 1 said to be"),
    ({"txid": "three"}, "is kept with"),
])
def test_check_notices_a_transaction_that_does_not_fit(change, fault):
    store = signed()
    kept = store.signed._by_txid
    kept["one"] = kept["one"]._replace(**change)
    assert any(fault in text for text in store.check()), store.check()


def broken(store, how):
    own = store._by_user[1]
    match how:
        case "open":
            store._packed[0] = packed(store._open.pop(1))
        case "packed":
            store._open[2] = unpacked(2, store._packed[1])
            store._packed[1] = None
        case "missing":
            del store._open[1]
        case "txid":
            store.get(1).txid = "t"
        case "fee":
            store.get(1).fee = 100
        case "index":
            del own.ids[-8:]
        case "count":
            own.open_count += 1
        case "request id":
            store._by_request_id["a"][1] = 2
        case "only request id":
            store._by_request_id["b"] = 4
        case "request id of nothing":
            store._by_request_id["c"] = 9
        case "request id of nobody":
            store._by_request_id["a"][3] = 1
        case "remembered":
            del own.remembered[:]
        case "order":
            store._by_user = dict(reversed(store._by_user.items()))


@pytest.mark.parametrize("how, fault", [
    ("open", "is not where its status belongs"),
    ("packed", "is not where its status belongs"),
    ("missing", "neither open nor packed"),
    ("txid", "has a txid"),
    ("fee", "has a fee"),
    ("index", "index [1, 2]"),
    ("count", "3 are said to be open"),
    ("request id", "request ids"),
    ("only request id", "user 1: request ids"),
    ("request id of nothing", "user 0: request ids {'c': 9}, but no withdrawal"),
    ("request id of nobody", "user 3: request ids {'a': 1}, but no withdrawal"),
    ("remembered", "0 of 1 closed"),
    ("order", "users [2, 1]"),
])
def test_check_notices_what_is_broken(how, fault):
    store = filled()
    broken(store, how)
    assert any(fault in text for text in store.check()), store.check()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.builds(
    Withdrawal, id=st.just(1), uid=st.integers(1, 2**32 - 2), coin=st.integers(1, 1000),
    amount=st.integers(1, 2**63 - 1), fee=st.integers(0, 2**63 - 1),
    address=st.text(min_size=1, max_size=128), status=st.sampled_from([1, 2, 3, 4, 5]),
    txid=st.none() | st.text(min_size=1, max_size=128), requested_ns=st.integers(0, 2**63 - 1),
    request_id=st.none() | st.text(st.characters(max_codepoint=127), min_size=1, max_size=36),
    whole=st.booleans()))
def test_packing_loses_nothing(withdrawal):
    assert unpacked(1, packed(withdrawal)) == withdrawal


def test_a_closed_withdrawal_is_small():
    record = packed(Withdrawal(1, 1, 1, 10**8, 10**4, "b" * 42, 3, "t" * 64, 5, "r" * 20, False))
    assert len(record) <= 170
