"""Speeds as the dialects of the pool show them: of sub-accounts, workers, coins, all.

Every call reads `core.workers`, so two of them never disagree about one speed. What is given is for
`msgspec.json.encode`: a `validSpeed` in H/s is a whole number of any length, a `rejectRate` in
rejected of all work has at most three decimals. A speed of nothing is 0 with a rate of 0.

Speeds of hours and days are those of whole ones: the 24 hours and the 30 days before the running
one, oldest first, also where there was no work. Days are those of UTC; hours begin with the zone's.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, tzinfo

import msgspec

from api.times import FORMAT

HOUR_S, DAY_S = 3_600, 86_400
JSON_WHOLE_MAX = 2**64 - 1          # what msgspec writes by itself
EPOCH_DAY = date(1970, 1, 1).toordinal()


def _rate_text(permille: int) -> str:
    """Thousandths as a decimal without trailing zeros."""
    whole, thousandths = divmod(permille, 1_000)
    return f"{whole}.{thousandths:03}".rstrip("0").rstrip(".")


# The text of every reject rate, by its thousandths: lists have them by the ten thousand.
RATE_TEXTS = tuple(map(_rate_text, range(1_001)))
RATES = tuple(msgspec.Raw(text.encode()) for text in RATE_TEXTS)


def whole(count: int) -> int | msgspec.Raw:
    """A whole number for `msgspec.json.encode`, which takes no longer ones than of 64 bits."""
    return count if count <= JSON_WHOLE_MAX else msgspec.Raw(b"%d" % count)


def speed(valid_speed: int, reject_rate_permille: int,
          speed_field: str = "validSpeed") -> dict[str, object]:
    """One speed; H/s and thousandths."""
    return {speed_field: whole(valid_speed), "rejectRate": RATES[reject_rate_permille]}


# -- now -------------------------------------------------------------------------------------------

def realtime(core, account: int, now_s: int, with_24h: bool = False) -> dict[str, object]:
    """A sub-account's speeds of the last 5, 10 and 30 minutes (and 24 hours)."""
    return _realtime(core.workers.account_speeds(account, now_s), with_24h, "validSpeed")


def system_realtime(core, coin: int | None, now_s: int) -> dict[str, object]:
    """Those of all who mine a coin, None: of the whole pool; its speed is the `totalSpeed`."""
    speeds = (core.workers.all_speeds(now_s) if coin is None
              else core.workers.coin_speeds(coin, now_s))
    return _realtime(speeds, False, "totalSpeed")


def _realtime(speeds, with_24h: bool, speed_field: str) -> dict[str, object]:
    shown = {"speed5m": speed(*speeds.speed_5m, speed_field),
             "speed10m": speed(*speeds.speed_10m, speed_field),
             "speed30m": speed(*speeds.speed_30m, speed_field)}
    if with_24h:
        shown["speed24h"] = speed(*speeds.speed_24h, speed_field)
    return shown


# -- hours -----------------------------------------------------------------------------------------

def hourly_24h(core, account: int, now_s: int, zone: tzinfo, time_field: str
               ) -> list[dict[str, object]]:
    """A sub-account's speed in each of the last 24 hours."""
    return _rows(core.workers.account_hours(account, now_s), time_field, hour_label(zone))


def system_hourly(core, now_s: int, zone: tzinfo, time_field: str) -> list[dict[str, object]]:
    """The pool's, as `hourly_24h`."""
    return _rows(core.workers.all_hours(now_s), time_field, hour_label(zone))


# -- days ------------------------------------------------------------------------------------------

def daily_30d(core, account: int, now_s: int, time_field: str) -> list[dict[str, object]]:
    """A sub-account's speed in each of the last 30 days."""
    return _rows(core.workers.account_days(account, now_s), time_field, day_label)


def system_daily(core, now_s: int, time_field: str) -> list[dict[str, object]]:
    """The pool's, as `daily_30d`."""
    return _rows(core.workers.all_days(now_s), time_field, day_label)


def daily(core, account: int, first_day: int, last_day: int, now_s: int, time_field: str
          ) -> list[dict[str, object]]:
    """A sub-account's speed in each of these days (since 1970-01-01) that is among the last 30."""
    return _rows(_within(core.workers.account_days(account, now_s), first_day, last_day),
                 time_field, day_label)


def worker_daily(core, number: int, first_day: int, last_day: int, now_s: int, time_field: str
                 ) -> list[dict[str, object]]:
    """A worker's, as `daily`. IndexError for a number that is free."""
    return _rows(_within(core.workers.days(number, now_s), first_day, last_day),
                 time_field, day_label)


def _within(days: Iterable, first_day: int, last_day: int) -> Iterable:
    return (day for day in days if first_day <= day.start_s // DAY_S <= last_day)


# -- labels ----------------------------------------------------------------------------------------

def _rows(periods: Iterable, time_field: str, label: Callable[[int], str]
          ) -> list[dict[str, object]]:
    return [{time_field: label(period.start_s), **speed(*period[1:])} for period in periods]


def hour_label(zone: tzinfo) -> Callable[[int], str]:
    """How the hour that begins at a moment is called: by its first second in that zone."""
    return lambda start_s: datetime.fromtimestamp(start_s, zone).strftime(FORMAT)


def day_label(start_s: int) -> str:
    """The UTC day that begins at a moment, as `2020-02-29`."""
    return date.fromordinal(EPOCH_DAY + start_s // DAY_S).isoformat()
