"""What work is worth: figures that pools have published, and fractions that are always right."""

from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool.pps import NS_PER_DAY, Valuation, fees_of_day, profit_per_p

BTC = 10**8
DIFFICULTY_ONE = 10**18
WORK_ONE = 1 << 16
DAY = 18_000
HOUR_NS = NS_PER_DAY // 24


class State(NamedTuple):
    start_ns: int
    difficulty: int
    subsidy: int
    fees_per_block: int = 0


class Blocks(NamedTuple):
    count: int
    subsidy: int
    fees_per_block: int


def exact(text: str, one: int) -> int:
    value = Fraction(text) * one
    assert value.denominator == 1
    return int(value)


def at(hour: int, day: int = DAY) -> int:
    return day * NS_PER_DAY + hour * HOUR_NS


# -- profitPerP ------------------------------------------------------------------------------------

@pytest.mark.parametrize("difficulty, subsidy, published", [
    ("520808749422.14", "12.5", "0.48282041"),
    ("13798783827516.42", "12.5", "0.01822313"),
    ("19298087186262.61", "6.25", "0.00651508"),
    ("21448277761059.71", "6.25", "0.00586194"),
])
def test_what_a_petahash_earns_is_as_published(difficulty, subsidy, published):
    state = State(at(-100), exact(difficulty, DIFFICULTY_ONE), exact(subsidy, BTC))
    assert profit_per_p([state], DAY) == exact(published, BTC)


def test_the_states_of_a_day_count_by_time():
    one = exact("20116567.6116943359375", DIFFICULTY_ONE)     # 10^15 × 86400 / 2^32 / 1000
    states = [State(at(-30), one, 1), State(at(6), one // 2, 1), State(at(24), 1, 10**9)]
    # 1,000 for six hours, 2,000 for eighteen.
    assert profit_per_p(states, DAY) == 1_750


def test_the_time_before_the_first_state_does_not_count():
    one = exact("20116567.6116943359375", DIFFICULTY_ONE)
    assert profit_per_p([State(at(18), one, 3)], DAY) == 3_000
    assert profit_per_p([State(at(18), one, 3), State(at(21), one, 5)], DAY) == 4_000
    assert profit_per_p([State(at(24), one, 3)], DAY) == profit_per_p([], DAY) == 0


STATES = st.lists(st.tuples(
    st.integers(1, 24), st.one_of(st.integers(1, 10**38 - 1), st.just(2**16 * 10**18)),
    st.one_of(st.integers(1, 2**63 - 1), st.just(2**16))), min_size=1, max_size=8)


@given(STATES)
@settings(max_examples=200, deadline=None)
def test_what_a_petahash_earns_is_that_of_exact_fractions(changes):
    states, hour = [], 0
    for hours, difficulty, subsidy in changes:
        states.append(State(at(hour), difficulty, subsidy))
        hour += hours
    ends = [*(state.start_ns for state in states[1:]), at(24)]
    value, all_ns = Fraction(0), 0
    for state, end_ns in zip(states, ends):
        lasted_ns = max(min(end_ns, at(24)) - state.start_ns, 0)
        value += Fraction(10**15 * 86_400 * state.subsidy * DIFFICULTY_ONE * lasted_ns,
                          state.difficulty << 32)
        all_ns += lasted_ns
    assert profit_per_p(states, DAY) == (2 * value / all_ns + 1) // 2


def test_half_a_unit_is_rounded_up():
    one = exact("20116567611.6943359375", DIFFICULTY_ONE)   # 10^15 × 86400 / 2^32
    assert [profit_per_p([State(at(0), 2 * one + off, 1)], DAY) for off in (-1, 0, 1)] == [1, 1, 0]
    assert profit_per_p([State(at(0), 2 * one, 3)], DAY) == 2


# -- the rate of fees ------------------------------------------------------------------------------

def test_the_rate_of_fees_of_149_blocks_is_as_published():
    subsidies, fees = exact("931.25", BTC), exact("110.36520932", BTC)
    blocks = [Blocks(148, subsidies // 149, fees // 149),
              Blocks(1, subsidies // 149, fees - 148 * (fees // 149))]
    assert fees_of_day([State(at(0), 1, 1, 1)], blocks, DAY) == (fees, subsidies)
    assert round(1 + Fraction(fees, subsidies), 10) == Fraction("1.1185129765")


def test_without_blocks_the_fees_are_those_of_the_states_by_time():
    states = [State(at(-5), 1, 100, 8), State(at(6), 1, 50, 0), State(at(18), 1, 100, 16)]
    fees, subsidies = fees_of_day(states, [], DAY)
    # Six hours of 8 in 100, twelve of 0 in 50, six of 16 in 100: 144 in 1,800.
    assert (fees, subsidies) == (2, 25)


def test_blocks_count_with_what_each_of_them_bore():
    blocks = [Blocks(2, 100, 10), Blocks(3, 50, 30)]
    assert fees_of_day([], blocks, DAY) == (110, 350)


def test_a_day_without_blocks_and_states_has_no_fees():
    assert fees_of_day([], [], DAY) == (0, 1)
    assert fees_of_day([State(at(24), 1, 1, 1)], [Blocks(0, 5, 5)], DAY) == (0, 1)


# -- amounts ---------------------------------------------------------------------------------------

def rounded(epochs, fees, subsidies, works, with_fees, *rates):
    """Gross and its parts, from fractions alone."""
    value = sum((Fraction(work, WORK_ONE) * epochs[epoch][1]
                 * Fraction(DIFFICULTY_ONE, epochs[epoch][0]) for epoch, work in works),
                Fraction(0))
    if with_fees:
        value *= 1 + Fraction(fees, subsidies)
    return tuple(int(value * Fraction(rate, 10_000)) for rate in (10_000, *rates))


def test_a_whole_number_of_units_is_not_lost_to_rounding():
    valuation = Valuation({1: (3 * DIFFICULTY_ONE, 1), 2: (7 * DIFFICULTY_ONE, 1)}, 1, 10)
    assert valuation.amounts([(1, 30 * WORK_ONE), (2, 70 * WORK_ONE)], False, 0, 0) == (20, 20, 0)
    assert valuation.amounts([(1, 30 * WORK_ONE - 1), (2, 70 * WORK_ONE)], False, 0, 0)[0] == 19
    assert valuation.amounts([(1, 30 * WORK_ONE), (2, 70 * WORK_ONE)], True, 5_000, 2_500) == (
        22, 11, 5)


def test_each_amount_is_rounded_once():
    # 1.99 less a half is 0.995, not half of 1.
    valuation = Valuation({1: (100 * DIFFICULTY_ONE, 1)}, 0, 1)
    assert valuation.amounts([(1, 199 * WORK_ONE)], False, 5_000, 5_025) == (1, 0, 0)
    assert valuation.amounts([(1, 201 * WORK_ONE)], False, 5_000, 4_976) == (2, 1, 1)


def test_no_work_is_worth_nothing():
    assert Valuation({}, 0, 1).amounts([], True, 1, 1) == (0, 0, 0)


DIFFICULTIES = st.one_of(
    st.integers(1, 10**38 - 1),
    st.integers(1, 12).map(lambda whole: whole * DIFFICULTY_ONE),
    st.integers(0, 120).map(lambda exponent: 1 << exponent))
EPOCHS = st.dictionaries(
    st.integers(1, 2**32 - 1),
    st.tuples(DIFFICULTIES, st.one_of(st.integers(1, 2**63 - 1), st.integers(1, 20))),
    min_size=1, max_size=6)
WORKS = st.one_of(st.integers(1, 2**117), st.integers(1, 5_000).map(lambda one: one * WORK_ONE))


@given(EPOCHS, st.data(), st.integers(0, 2**70), st.integers(1, 2**70), st.booleans(),
       st.integers(0, 9_999))
@settings(max_examples=300, deadline=None)
def test_amounts_are_those_of_exact_fractions(epochs, draw, fees, subsidies, with_fees, fee):
    commission = draw.draw(st.integers(0, fee))
    works = [(epoch, draw.draw(WORKS)) for epoch in epochs]
    valuation = Valuation(epochs, fees, subsidies)
    expected = rounded(epochs, fees, subsidies, works, with_fees, 10_000 - fee, commission)
    assert valuation.amounts(works, with_fees, fee, commission) == expected
    assert int(valuation.value(works, with_fees)) == expected[0]
    # A day's gross is rounded once, however its work is paid for.
    half = len(works) // 2
    by_fpps, by_pps = works[:half], works[half:]
    assert valuation.gross_of_day(by_pps, by_fpps) == int(
        valuation.value(by_pps, False) + valuation.value(by_fpps, True))
    assert expected[1] + expected[2] <= expected[0]
