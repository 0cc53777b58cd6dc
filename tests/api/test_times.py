"""Times: Beijing by default, and back."""

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import times
from api.numbers import InputError

BEIJING = times.zone("Asia/Shanghai")


def test_a_pool_day_starts_at_eight_in_beijing():
    assert times.text(1_577_836_800_999_999_999, BEIJING) == "2020-01-01 08:00:00"
    assert times.text(1_577_836_800_000_000_000, times.zone("UTC")) == "2020-01-01 00:00:00"


@given(st.integers(0, 253_370_764_799))
def test_what_is_printed_reads_the_same(second):
    where = timezone(timedelta(hours=8))
    assert times.read("start", times.text(second * 10**9, where), where) == second * 10**9


def test_milliseconds():
    assert times.read("start", "1577836800123", BEIJING) == 1_577_836_800_123_000_000


@pytest.mark.parametrize("written", ["", "2020-01-01", "2020-02-30 00:00:00", "1.5", "-1",
                                     "9" * 30, None, "1969-12-31 08:00:00", "2020-01-01T08:00:00",
                                     True])
def test_refusals_name_the_field(written):
    with pytest.raises(InputError, match="^end: "):
        times.read("end", written, BEIJING)


def test_an_unknown_zone():
    with pytest.raises(ValueError, match="Mars"):
        times.zone("Mars/Olympus")
    with pytest.raises(ValueError):
        times.zone("../etc/passwd")
