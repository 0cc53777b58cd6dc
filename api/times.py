"""Times to text and back, in the house's time zone: `2026-01-31 08:00:00`.

Only for replies and for the bounds of queries; the core counts UTC nanoseconds and knows no zone.
"""

from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from api.numbers import InputError, read_id

FORMAT = "%Y-%m-%d %H:%M:%S"
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
BEIJING = "Asia/Shanghai"
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# The last second of the year 9999, the last that the format can show.
TIME_MAX_MS = 253_402_300_799_000


def zone(name: str) -> tzinfo:
    """A zone by its name (`Asia/Shanghai`, `UTC`). ValueError for one that is not known."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # A machine without time zone files knows at least the house's own.
        if name == BEIJING:
            return timezone(timedelta(hours=8), BEIJING)
        if name == "UTC":
            return timezone.utc
        raise ValueError(f"{name} is no known time zone") from None


def text(ts_ns: int, where: tzinfo) -> str:
    """A time of the core as the text of that zone, to the second."""
    return datetime.fromtimestamp(ts_ns // NS_PER_S, where).strftime(FORMAT)


def read(field: str, value: object, where: tzinfo) -> int:
    """UTC nanoseconds of a time as `text` prints it, or of milliseconds. Raises InputError."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return read_id(field, value, most=TIME_MAX_MS) * NS_PER_MS
    try:
        local = datetime.strptime(value, FORMAT)
    except (TypeError, ValueError):
        raise InputError(field, "must be a time as 2026-01-31 08:00:00, or milliseconds") from None
    passed = local.replace(tzinfo=where) - EPOCH
    if passed < timedelta(0):
        raise InputError(field, "must not be before 1970")
    return (passed.days * 86_400 + passed.seconds) * NS_PER_S
