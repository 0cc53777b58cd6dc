"""The pool's benchmark: its figures are of shares that were all counted."""

import pytest

from bench import pool
from bench.venue import WrongAnswer
from engine.core import Core


@pytest.fixture
def core():
    return Core()


@pytest.fixture
def feed(core):
    return pool.Feed(300, pool.opened(core, 20))


def test_figures():
    figures = pool.measure(300, 20, 2)
    assert figures["workers"] == 300
    assert len(figures["million_rows_per_s_shuffled_rounds"]) == 2
    assert all(figure >= 0 for figure in figures.values() if isinstance(figure, float))


def test_sub_accounts_are_shared_among_masters(core, monkeypatch):
    monkeypatch.setattr(pool, "ACCOUNTS_PER_MASTER", 3)
    assert pool.opened(core, 7) == [2, 3, 4, 6, 7, 8, 10]
    assert [account.master for account in core.sub_accounts] == [1, 1, 1, 5, 5, 5, 9]


def test_everyone_has_worked_in_all_that_is_kept(core, feed):
    pool.fill(core, feed)
    pool.check_sums(core, feed)
    workers, now_s = core.workers, feed.now_s + pool.MINUTE_S
    assert (len(workers), len(workers.workers_of(feed.account, now_s))) == (300, 150)
    for number in (1, 300):
        assert all(day.valid_speed for day in workers.days(number, now_s))
        assert all(hour.valid_speed for hour in workers.hours(number, now_s + pool.HOUR_S))
    assert workers.speeds_5m_all(now_s)[1:].all()


def test_shares_that_are_missing_are_noticed(core, feed):
    feed.batches(feed.order)
    pool.take(core, feed, feed.batches(feed.order))
    with pytest.raises(WrongAnswer, match="work of"):
        pool.check_sums(core, feed)


def test_a_batch_that_is_refused_is_no_figure(feed):
    with pytest.raises(WrongAnswer, match="place 0 of a command: UNKNOWN_ACCOUNT"):
        pool.take(Core(), feed, feed.batches(feed.order))
