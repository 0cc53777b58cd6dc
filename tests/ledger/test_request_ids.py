"""Request ids: found by who asked and id, told apart by what was asked for, compact on disk."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.digests import DIGEST_BYTES
from ledger.request_ids import MEANING_BYTES, RECORD, RequestIds, meaning_of

INTS = st.integers(-2**63, 2**64 - 1)


def filled():
    store = RequestIds()
    store.add(1, "r", meaning_of(95, 1, 2, 3, 4))
    store.add(2, "r", meaning_of(95, 1, 2, 3, 4))
    store.add(1, "R", meaning_of(96, 1, 2, 3, 4))
    return store


def reloaded(store):
    return RequestIds.load(msgpack.unpackb(msgpack.packb(store.dump())))


@pytest.mark.parametrize("store", [filled(), reloaded(filled())], ids=["live", "reloaded"])
def test_a_request_is_found_by_who_asked_and_its_id(store):
    assert len(store) == 3 and store.check() == []
    assert store.find(1, "r") == store.find(2, "r") == meaning_of(95, 1, 2, 3, 4)
    assert store.find(1, "R") == meaning_of(96, 1, 2, 3, 4)
    for by, request_id in ((2, "R"), (3, "r"), (1, ""), (1, "rr"), (2**32 - 2, "r")):
        assert store.find(by, request_id) is None


def test_an_id_is_used_once():
    store = filled()
    before = store.dump(), store.digest()
    with pytest.raises(ValueError, match="user 1 has used the request id r"):
        store.add(1, "r", meaning_of(95, 9, 9, 9, 9))
    assert (store.dump(), store.digest()) == before


@given(st.lists(INTS, min_size=1, max_size=6), st.lists(INTS, min_size=1, max_size=6))
def test_only_equal_requests_mean_the_same(one, other):
    assert (meaning_of(*one) == meaning_of(*other)) == (one == other)
    assert 0 <= meaning_of(*one) < 1 << 8 * MEANING_BYTES


def test_figures_do_not_run_into_each_other():
    meanings = [meaning_of(9, 51, 1), meaning_of(95, 1, 1), meaning_of(9, 5, 11),
                meaning_of(9, 511), meaning_of(9, -5, 11)]
    assert len(set(meanings)) == len(meanings)


def test_a_dump_is_all_of_it_in_the_order_of_arrival():
    store = filled()
    dumped = store.dump()
    assert len(dumped) == 3 * RECORD.size == 3 * 24
    again = RequestIds.load(dumped)
    assert (again.dump(), again.digest()) == (dumped, store.digest())
    again.add(3, "r", 1)
    assert again.dump() == dumped + again.dump()[-RECORD.size:]
    assert RequestIds().dump() == b"" and len(RequestIds.load(b"")) == 0
    other_way = RequestIds.load(dumped[RECORD.size:] + dumped[:RECORD.size])
    assert other_way.digest() == store.digest() and other_way.dump() != dumped


def test_load_refuses_what_no_dump_gave():
    dumped = filled().dump()
    for length in (1, RECORD.size - 1, len(dumped) - 1):
        with pytest.raises(ValueError, match="no records"):
            RequestIds.load(dumped[:length])
    with pytest.raises(ValueError, match="4 records of 3 requests"):
        RequestIds.load(dumped + dumped[:DIGEST_BYTES] + bytes(8))


@pytest.mark.parametrize("key, meaning, fault", [
    (b"short", 1, "request 73686f7274: 1"),
    (bytes(DIGEST_BYTES), 1 << 8 * MEANING_BYTES, "request 00000000000000000000000000000000: 1"),
    (bytes(DIGEST_BYTES), -1, "request 00000000000000000000000000000000: -1"),
    (bytes(DIGEST_BYTES), 7, "running hash"),
])
def test_check_notices_what_is_broken(key, meaning, fault):
    store = filled()
    store._meanings[key] = meaning
    (found,) = store.check()
    assert fault in found
