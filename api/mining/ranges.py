"""Ranges of days and hours in a request: `2020-02-29` and, in the house's zone, `2020-01-01
08:00:00`, both ends included.

A day is one of UTC, counted from 1970-01-01; so is an hour. Every refusal is an InputError that
names one of the two fields.
"""

import re
from datetime import date, datetime, timedelta, timezone, tzinfo

from api.dialects.fields import Fields
from api.numbers import InputError
from api.times import FORMAT

DAYS_MAX = 366
HOUR_DAYS_MAX = 31
HOURS_A_DAY = 24
HOUR_S = 3_600
EPOCH_DAY = date(1970, 1, 1).toordinal()
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
LENGTH_MAX = 64


def days(fields: Fields, start: str, end: str, days_max: int = DAYS_MAX) -> tuple[int, int]:
    """The first and the last day that the fields `start` and `end` name."""
    first, last = day(fields, start), day(fields, end)
    if last < first:
        raise InputError(end, f"must not be before {start}")
    if last - first >= days_max:
        raise InputError(end, f"must be at most {days_max} days from {start}, both included")
    return first, last


def hours(fields: Fields, start: str, end: str, zone: tzinfo) -> tuple[int, int]:
    """The first and the last hour that begins in the time from field `start` to field `end`.

    Where no hour does, the last one is before the first.
    """
    start_s, end_s = moment_s(fields, start, zone), moment_s(fields, end, zone)
    if end_s < start_s:
        raise InputError(end, f"must not be before {start}")
    if end_s - start_s > HOUR_DAYS_MAX * HOURS_A_DAY * HOUR_S:
        raise InputError(end, f"must be at most {HOUR_DAYS_MAX} days after {start}")
    return -(-start_s // HOUR_S), end_s // HOUR_S


def hours_of_days(fields: Fields, start: str, end: str) -> tuple[int, int]:
    """The first hour of the day in `start` and the last one of that in `end`."""
    first, last = days(fields, start, end, HOUR_DAYS_MAX)
    return first * HOURS_A_DAY, (last + 1) * HOURS_A_DAY - 1


def day(fields: Fields, field: str) -> int:
    """The day that a field names."""
    written = fields.text(field, LENGTH_MAX)
    try:
        if DAY.fullmatch(written) is None:
            raise ValueError
        counted = date.fromisoformat(written).toordinal() - EPOCH_DAY
    except ValueError:
        raise InputError(field, "must be a day as 2020-02-29") from None
    if counted < 0:
        raise InputError(field, "must not be before 1970")
    return counted


def moment_s(fields: Fields, field: str, zone: tzinfo) -> int:
    """The moment that a field names in that zone, as Unix seconds."""
    written = fields.text(field, LENGTH_MAX)
    try:
        if TIME.fullmatch(written) is None:
            raise ValueError
        passed = datetime.strptime(written, FORMAT).replace(tzinfo=zone) - EPOCH
    except (ValueError, OverflowError):
        raise InputError(field, "must be a time as 2020-01-01 08:00:00") from None
    if passed < timedelta(0):
        raise InputError(field, "must not be before 1970")
    return passed.days * 86_400 + passed.seconds
