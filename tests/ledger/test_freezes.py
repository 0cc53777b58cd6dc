"""Freezes: two parts that never mix, nothing kept of what is undone, no more undone than frozen."""

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.freezes import KEY, PARTS, Freezes, Frozen

ALICE, BOB = 1, 2
BTC, USDT = 1, 2
BY_USER, BY_OTHERS = True, False


def filled():
    """Alice's BTC is frozen by both, her USDT by others; Bob's BTC by himself."""
    freezes = Freezes()
    freezes.freeze(ALICE, BTC, 30, BY_USER)
    freezes.freeze(BOB, BTC, 2**63 - 1, BY_USER)
    freezes.freeze(ALICE, BTC, 5, BY_OTHERS)
    freezes.freeze(ALICE, USDT, 7, BY_OTHERS)
    return freezes


def reloaded(freezes):
    return Freezes.load(msgpack.unpackb(msgpack.packb(freezes.dump())))


@pytest.mark.parametrize("freezes", [filled(), reloaded(filled())], ids=["live", "reloaded"])
def test_the_parts_are_kept_apart(freezes):
    assert freezes.check() == [] and len(freezes) == 3
    assert freezes.get(ALICE, BTC) == Frozen(by_user=30, by_others=5)
    assert freezes.get(BOB, USDT) == freezes.get(3, BTC) == Frozen(0, 0)
    assert list(freezes.holds()) == [
        (ALICE, BTC, 35), (BOB, BTC, 2**63 - 1), (ALICE, USDT, 7)]
    assert [freezes.undoable(ALICE, BTC, by_user) for by_user in (BY_USER, BY_OTHERS)] == [30, 35]
    assert [freezes.undoable(ALICE, USDT, by_user) for by_user in (BY_USER, BY_OTHERS)] == [0, 7]


@pytest.mark.parametrize("amount, by_user, left", [
    (1, BY_USER, Frozen(29, 5)),
    (30, BY_USER, Frozen(0, 5)),
    (4, BY_OTHERS, Frozen(30, 1)),
    (5, BY_OTHERS, Frozen(30, 0)),
    (6, BY_OTHERS, Frozen(29, 0)),      # what others have frozen first, then the user's own
    (35, BY_OTHERS, Frozen(0, 0)),
])
def test_who_undoes_takes_from_the_right_part(amount, by_user, left):
    freezes = filled()
    freezes.unfreeze(ALICE, BTC, amount, by_user)
    assert freezes.get(ALICE, BTC) == left
    assert freezes.check() == []
    assert freezes.get(ALICE, USDT) == Frozen(0, 7)
    assert len(freezes) == (3 if left.total else 2)


@pytest.mark.parametrize("uid, coin, amount, by_user", [
    (ALICE, BTC, 31, BY_USER), (ALICE, BTC, 36, BY_OTHERS), (ALICE, USDT, 1, BY_USER),
    (3, BTC, 1, BY_OTHERS)])
def test_more_than_was_frozen_is_not_undone(uid, coin, amount, by_user):
    freezes = filled()
    before = freezes.dump(), freezes.digest()
    with pytest.raises(ValueError, match=f"user {uid}, coin {coin}: {amount} of"):
        freezes.unfreeze(uid, coin, amount, by_user)
    assert (freezes.dump(), freezes.digest()) == before


def test_what_is_undone_leaves_nothing_behind():
    freezes = filled()
    for uid, coin, amount in list(freezes.holds()):
        freezes.unfreeze(uid, coin, amount, BY_OTHERS)
    assert len(freezes) == 0 and freezes.dump() == b""
    assert freezes.digest() == Freezes().digest()


def test_load_refuses_what_no_dump_gave():
    dumped = filled().dump()
    for length in (1, len(dumped) - 1):
        with pytest.raises(ValueError, match="no records of 24"):
            Freezes.load(dumped[:length])
    with pytest.raises(ValueError, match=r"two records of user and coin \(1, 1\)"):
        Freezes.load(dumped + dumped[:24])


@pytest.mark.parametrize("parts, fault", [
    ((0, 0), "user 1, coin 2: Frozen(by_user=0, by_others=0)"),
    ((-1, 2), "user 1, coin 2: Frozen(by_user=-1, by_others=2)"),
    ((2, -1), "user 1, coin 2: Frozen(by_user=2, by_others=-1)"),
    ((2**63 - 1, 1), "user 1, coin 2"),
    ((0, 8), "running hash"),
])
def test_check_notices_what_is_broken(parts, fault):
    freezes = filled()
    freezes._parts[KEY.pack(ALICE, USDT)] = PARTS.pack(*parts)
    assert any(fault in found for found in freezes.check()), freezes.check()


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 2), st.integers(1, 2), st.integers(1, 9),
                          st.booleans()), max_size=40))
def test_any_order_of_freezing_and_undoing(steps):
    freezes, plain = Freezes(), {}
    for is_freeze, uid, coin, amount, by_user in steps:
        own, others = plain.get((uid, coin), (0, 0))
        if is_freeze:
            freezes.freeze(uid, coin, amount, by_user)
            own, others = (own + amount, others) if by_user else (own, others + amount)
        elif amount <= freezes.undoable(uid, coin, by_user):
            freezes.unfreeze(uid, coin, amount, by_user)
            for _ in range(amount):
                own, others = (own, others - 1) if others and not by_user else (own - 1, others)
        plain[uid, coin] = own, others
        assert min(own, others) >= 0 and freezes.get(uid, coin) == (own, others)
    assert freezes.check() == []
    assert sorted(freezes.holds()) == sorted(
        (*key, sum(parts)) for key, parts in plain.items() if sum(parts))
    again = reloaded(freezes)
    assert (again.dump(), again.digest()) == (freezes.dump(), freezes.digest())
