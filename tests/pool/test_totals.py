"""What accounts have earned: as a plain table of the same notes, also after a restart."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool.totals import Total, Totals

NUMBERS = st.sampled_from((1, 2, 7, 200, 5_000, 100_003))
COINS = st.sampled_from((1, 2, 1_000))
NOTES = st.lists(st.tuples(
    NUMBERS, COINS, st.integers(0, 2**31), st.one_of(st.integers(0, 2**63), st.integers(0, 2**100)),
    st.one_of(st.none(), st.integers(0, 2**63 - 1)), st.one_of(
        st.just(0), st.integers(0, 2**63 - 1))), max_size=20)
NOTHING = Total(0, 0, 0, 0)


def noted(notes) -> tuple[Totals, dict]:
    totals, plain = Totals(), {}
    for account, coin, day, earned, unsold, paid in notes:
        totals.note(account, coin, day, earned, unsold, paid)
        before = plain.get((coin, account), NOTHING)
        plain[coin, account] = Total(
            before.earned + earned, before.unsold if unsold is None else unsold,
            paid or before.last_paid, max(day, before.last_day))
    return totals, {key: total for key, total in plain.items() if total != NOTHING}


@given(NOTES)
@settings(max_examples=200, deadline=None)
def test_totals_are_those_of_a_plain_table(notes):
    totals, plain = noted(notes)
    assert [((coin, account), total) for account, coin, total in totals] == sorted(plain.items())
    for account, coin, *_ in notes:
        assert totals.get(account, coin) == plain.get((coin, account), NOTHING)
    assert totals.check() == []
    again = Totals.load(totals.dump())
    assert (again.digest(), again.dump()) == (totals.digest(), totals.dump())
    assert list(again) == list(totals)


@given(NOTES, st.data())
@settings(max_examples=100, deadline=None)
def test_the_digest_tells_any_change_and_no_order(notes, draw):
    totals, plain = noted(notes)
    by_cell = sorted(notes, key=lambda note: note[:2])
    assert noted(by_cell)[0].digest() == totals.digest()
    account, coin = draw.draw(NUMBERS), draw.draw(COINS)
    before = totals.digest()
    totals.note(account, coin, 0, earned=1)
    assert totals.digest() != before


def test_who_is_not_there_has_nothing():
    totals, _ = noted([(7, 2, 3, 5, None, 0)])
    for account, coin in ((7, 1), (6, 2), (2**32 - 1, 2), (7, 0), (7, 2**32 - 1)):
        assert totals.get(account, coin) == NOTHING
    for coin in (0, 1_001):
        with pytest.raises(IndexError):
            totals.note(7, coin, 3, earned=1)
    assert totals.check() == [] and len(list(totals)) == 1


def test_check_tells_what_is_negative():
    totals, _ = noted([(7, 2, 3, 5, -1, 0)])
    assert totals.check() == [f"account 7, coin 2: {Total(5, -1, 0, 3)}"]


@pytest.mark.parametrize("wrong", [
    [[2, b"\7\0\0\0", b""]], [[2, b"\7\0\0", bytes(40)]],
    [[2, b"\7\0\0\0" * 2, bytes(80)]], [[2, b"\7\0\0\0\6\0\0\0", bytes(80)]],
    [[2, b"", b""], [2, b"", b""]], [[2, b"", b""], [1, b"", b""]],
    [[0, b"\7\0\0\0", bytes(40)]], [[1_001, b"\7\0\0\0", bytes(40)]],
])
def test_a_dump_that_cannot_be_one_is_refused(wrong):
    with pytest.raises(ValueError):
        Totals.load(wrong)
