"""Where bars start: against the calendar of the standard library."""

from calendar import monthrange
from datetime import date, datetime, timezone

import pytest
from hypothesis import given, strategies as st

from kline.bars import Bars
from kline.intervals import INTERVALS
from tests.model.bars import bar_start

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS


def day_ns(year: int, month: int, day: int) -> int:
    return (date(year, month, day) - date(1970, 1, 1)).days * DAY_NS


def start_of(interval: str, ts_ns: int) -> int:
    """Where the bar of a single trade starts."""
    bars = Bars()
    bars.add(ts_ns, 1, 1, 1, 1)
    return bars.bars(interval, ts_ns)[0].open_ts_ns


@pytest.mark.parametrize("interval", INTERVALS)
@given(ts_ns=st.integers(0, day_ns(2200, 1, 1)))
def test_start_agrees_with_the_calendar(interval, ts_ns):
    assert start_of(interval, ts_ns) == bar_start(interval, ts_ns)


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_start_is_its_own_start_and_the_moment_before_is_not(interval):
    start = bar_start(interval, day_ns(2024, 3, 6))
    assert start_of(interval, start) == start
    assert start_of(interval, start - 1) < start


def test_months_start_on_the_first_as_long_as_nanoseconds_fit():
    for year in range(1970, 2262):    # 63 bits of nanoseconds end in 2262
        for month in range(1, 13):
            first = day_ns(year, month, 1)
            last = day_ns(year, month, monthrange(year, month)[1]) + DAY_NS - 1
            assert start_of("1mon", first) == first
            assert start_of("1mon", last) == first


@pytest.mark.parametrize("year, days", [(1972, 29), (2000, 29), (2023, 28), (2024, 29), (2100, 28)])
def test_february_has_its_days(year, days):
    assert start_of("1mon", day_ns(year, 2, 1) + days * DAY_NS) == day_ns(year, 3, 1)
    assert start_of("1mon", day_ns(year, 2, 1) + days * DAY_NS - 1) == day_ns(year, 2, 1)


def test_weeks_start_on_monday():
    for day in range(day_ns(2023, 12, 20), day_ns(2024, 3, 20), DAY_NS):
        start = start_of("1w", day + 5)
        assert datetime.fromtimestamp(start // SECOND_NS, timezone.utc).weekday() == 0
        assert 0 <= day - start < 7 * DAY_NS


def test_the_first_week_of_1970_starts_before_1970():
    assert start_of("1w", 0) == day_ns(1969, 12, 29)
    assert start_of("1mon", 0) == 0
