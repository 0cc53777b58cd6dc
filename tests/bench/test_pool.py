"""The pool's benchmark: its figures are of shares that were all counted."""

import pytest

from bench import pool
from bench.venue import WrongAnswer
from pool.workers import Workers


@pytest.fixture
def feed():
    return pool.Feed(300, 20)


def opened() -> Workers:
    workers = Workers()
    workers.set_epoch(pool.COIN, 1)
    return workers


def test_figures():
    figures = pool.measure(300, 20, 2)
    assert figures["workers"] == 300
    assert len(figures["million_rows_per_s_shuffled_rounds"]) == 2
    assert all(figure >= 0 for figure in figures.values() if isinstance(figure, float))


def test_everyone_has_worked_in_all_that_is_kept(feed):
    workers = opened()
    pool.fill(workers, feed)
    pool.check_sums(workers, feed)
    assert len(workers) == 300
    now_s = feed.now_s + pool.MINUTE_S
    for number in (1, 300):
        assert all(day.valid_speed for day in workers.days(number, now_s))
        assert all(hour.valid_speed for hour in workers.hours(number, now_s + pool.HOUR_S))
    assert workers.speeds_5m_all(now_s)[1:].all()


def test_shares_that_are_missing_are_noticed(feed):
    workers = opened()
    feed.batches(feed.order)
    pool.take(workers, feed, feed.batches(feed.order))
    with pytest.raises(WrongAnswer, match="work of"):
        pool.check_sums(workers, feed)


def test_a_batch_that_is_refused_is_no_figure(feed):
    with pytest.raises(WrongAnswer, match="BAD_COIN"):
        pool.take(Workers(), feed, feed.batches(feed.order))
