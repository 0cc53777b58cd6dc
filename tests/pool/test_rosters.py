"""An account's workers in slices: what they show of everyone is what a recount of all shares says
at the moment at which a slice is read, whatever comes in between."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool.workers import Workers
from tests.pool.plain_workers import DAY_S, HOUR_S, MINUTE_S, ONE, PlainWorkers
from tests.pool.test_workers import (
    ACCOUNTS, START_S, filled, gaps_s, step_plain, step_workers, steps_of, take)

ACCOUNT = ACCOUNTS[0]
RUNNING_MINUTES, STOPPED_HOURS = 10, 24


def whole(roster, step=1):
    while not roster.find(step):
        pass
    return roster


class Both:
    """The workers and their plain twin, one step after the other."""

    def __init__(self):
        self.workers = filled()
        self.plain = PlainWorkers(START_S // 60, epochs={1: 1, 2: 1})
        self.ts_s = START_S

    def do(self, step):
        self.ts_s += step[1]
        step_plain(self.plain, step, self.ts_s)
        step_workers(self.workers, self.plain, step, self.ts_s)

    def expected(self, members, now_s):
        """The lines of those of the members that were not dropped."""
        now_s = max(now_s, 60 * self.plain.minute)
        return [self.plain.line(number, worker, now_s, RUNNING_MINUTES, STOPPED_HOURS)
                for number, worker in members if self.plain.workers.get(number) is worker]


def compare_slice(roster, first, end, lines):
    """All that a slice tells, with its lines as they must be."""
    asked = first, end, RUNNING_MINUTES, STOPPED_HOURS
    assert roster.lines(*asked) == lines
    assert roster.counts(*asked) == tuple(
        sum(line.status == status for line in lines) for status in (1, 2, 3))
    for status in range(4):
        for prefix in ("", "rig", "矿"):
            assert roster.fitting(first, end, status, prefix, *asked[2:]) == [
                line.number for line in lines
                if status in (0, line.status) and line.name.casefold().startswith(prefix)]


@settings(max_examples=100, deadline=None)
@given(before=steps_of, between=steps_of, later_s=gaps_s, size=st.integers(1, 4),
       account=st.sampled_from((*ACCOUNTS, 5)))
def test_slices_agree_with_a_recount_whatever_comes_between_them(before, between, later_s, size,
                                                                 account):
    both, to_come = Both(), iter([step for step in between if step[0] != "restart"])

    def go_on():
        for step in to_come:
            both.do(step)
            return

    for step in before:
        if step[0] != "restart":
            both.do(step)
    both.ts_s = now_s = max(both.ts_s, 60 * both.plain.minute) + later_s
    roster = both.workers.roster(account, now_s)
    while not roster.find(size):
        go_on()
    members = list(both.plain.listed(account, max(now_s, 60 * both.plain.minute)).items())
    assert roster.numbers_of(0, len(roster)).tolist() == [number for number, _ in members]
    for first in range(0, len(members) + 1, size):
        go_on()
        compare_slice(roster, first, first + size,
                      both.expected(members[first:first + size], now_s))
    for step in to_come:
        both.do(step)
    compare_slice(roster, 0, 2**40, both.expected(members, now_s))


@pytest.fixture
def five():
    """Workers of one account, each with shares of another size."""
    both = Both()
    names = [(ACCOUNT, f"rig{number}") for number in range(5)]
    take_both(both, names, [(number, 1, 1 + number, 1, ONE << number, START_S)
                            for number in range(5)], START_S)
    return both


def take_both(both, names, rows, ts_s):
    both.plain.take(names, rows, ts_s)
    take(both.workers, names, rows, ts_s)


@pytest.mark.parametrize("first, end", [
    (0, 0), (0, 5), (0, 2**62), (4, 5), (5, 6), (3, 3), (4, 2), (2**32 - 1, 2**33), (0, -1)])
def test_a_slice_ends_where_the_workers_do(five, first, end):
    roster = whole(five.workers.roster(ACCOUNT, START_S + 300))
    numbers = list(range(1, 6))[first:max(end, 0)]
    assert roster.numbers_of(first, end).tolist() == numbers
    compare_slice(roster, first, end, five.expected(
        [(number, five.plain.workers[number]) for number in numbers], START_S + 300))


def test_who_comes_before_all_are_found_is_found_and_later_ones_are_not(five):
    roster = five.workers.roster(ACCOUNT, START_S)
    assert (len(roster), roster.find(3), len(roster)) == (0, False, 3)
    # More than there was room for.
    names = [(ACCOUNT, f"new{number}") for number in range(5_000)]
    take(five.workers, names, [(number, 1, 1, 0, ONE, START_S) for number in range(5_000)], START_S)
    assert (roster.find(2), roster.find(5_000), len(roster)) == (False, True, 5_005)
    take(five.workers, [(ACCOUNT, "late")], [(0, 1, 1, 0, ONE, START_S)], START_S)
    assert (roster.find(1), len(roster)) == (True, 5_005)
    assert roster.numbers_of(0, 2**40).tolist() == list(range(1, 5_006))


def test_finding_begins_anew_when_a_day_turns(five):
    roster = five.workers.roster(ACCOUNT, START_S)
    assert not roster.find(4)
    late_s = START_S + 29 * DAY_S
    take_both(five, [(ACCOUNT, "rig4"), (ACCOUNT, "rig1")],
              [(0, 1, 1, 0, ONE, late_s), (1, 1, 1, 0, ONE, late_s)], late_s)
    assert not roster.find(4)
    five.workers.advance(START_S + 31 * DAY_S)
    # The worker where it had stopped is not there any more.
    assert not roster.find(1)
    assert (roster.find(1), roster.numbers_of(0, 9).tolist()) == (True, [2, 5])


def test_nobody_is_taken_for_who_had_the_number_before(five):
    roster = whole(five.workers.roster(ACCOUNT, START_S))
    late_s = START_S + 29 * DAY_S
    take_both(five, [(ACCOUNT, "rig3")], [(0, 1, 1, 0, ONE, late_s)], late_s)
    new_s = START_S + 31 * DAY_S
    take_both(five, [(ACCOUNT, "rig1"), (7, "rig2")],
              [(0, 1, 1, 0, ONE, new_s), (1, 1, 1, 0, ONE, new_s)], new_s)
    assert five.workers.find(ACCOUNT, "rig1") == 1
    assert [line.name for line in roster.lines(0, 5, 10, 24)] == ["rig3"]
    assert roster.counts(0, 5, 10, 24) == (0, 0, 1)
    works = np.ones(5, np.uint64)
    assert roster.hour_columns(0, 5, works, works)[0] == ["rig3"]
    again = whole(five.workers.roster(ACCOUNT, new_s))
    assert [line.name for line in again.lines(0, 5, 10, 24)] == ["rig3", "rig1"]


def test_a_roster_is_of_workers_that_were_loaded_too(five):
    loaded = Workers.load(five.workers.dump())
    assert whole(loaded.roster(ACCOUNT, START_S), 2).lines(0, 5, 10, 24) == (
        five.workers.list_of(ACCOUNT, START_S, 10, 24))


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_an_hours_columns_are_those_of_who_had_work_in_it(five, size):
    take_both(five, [(ACCOUNT, "bad")], [(0, 1, 0, 3, ONE, START_S)], START_S)
    take_both(five, [(ACCOUNT, "idle")], [(0, 1, 1, 0, ONE, START_S + HOUR_S)], START_S + HOUR_S)
    roster = whole(five.workers.roster(ACCOUNT, START_S + HOUR_S), size)
    hour, found = START_S // HOUR_S, []
    for first in range(0, len(roster), size):
        works = five.workers.hour_of_workers(roster.numbers_of(first, first + size), hour)
        found += zip(*roster.hour_columns(first, first + size, *works))
    assert found == [
        (worker.name, *five.plain.speed(lambda share, its=worker: share.worker is its,
                                        hour * HOUR_S, (hour + 1) * HOUR_S))
        for worker in five.plain.workers.values() if worker.name != "idle"]
    assert [name for name, *_ in found] == [*(f"rig{number}" for number in range(5)), "bad"]


def test_where_there_is_nobody_nobody_is_found():
    workers = filled()
    roster = workers.roster(5, START_S + MINUTE_S)
    assert (roster.find(1), len(roster), roster.lines(0, 9, 10, 24)) == (True, 0, [])
    assert (roster.counts(0, 9, 10, 24), roster.numbers_of(0, 9).tolist()) == ((0, 0, 0), [])
