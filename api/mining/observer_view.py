"""What an observer link shows of a sub-account, as text for people: its speeds and its workers.

It reads the same counters as the dialects of the pool and rounds speeds down for reading: the exact
one goes along. Nothing here is escaped for a page; names are as their owners wrote them.
"""

from array import array
from collections.abc import Callable
from datetime import date, datetime, tzinfo
from typing import NamedTuple

from api import numbers
from api.config import Pool
from api.mining.workers import roster_of, status_counts
from api.times import FORMAT
from engine import turn

WORKERS_PER_PAGE = 200
LOOKED_AT_ONCE = 5_000                  # workers, some milliseconds
ANY_STATUS = 0
MINUTE_S, HOUR_S = 60, 3_600
# As core.workers numbers them.
STATUSES = {1: "running", 2: "stopped", 3: "invalid"}
UNITS = ("H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s", "ZH/s")
CHART_HEIGHT = 1_000
PERMILLE_SCALE = 1                      # of percent
EPOCH_DAY = date(1970, 1, 1).toordinal()


class ShownSpeed(NamedTuple):
    speed: str              # "24.56 PH/s"
    exact: str              # "24561271905291252 H/s"
    rejected: str           # "0.7 %" of all work


class Hour(NamedTuple):
    """A bar of the chart; its height is in parts of CHART_HEIGHT."""
    begins: str             # "2026-01-31 08:00"
    height: int
    shown: ShownSpeed


class Dashboard(NamedTuple):
    speeds: tuple[tuple[str, ShownSpeed], ...]      # over which time, oldest last
    hours: tuple[Hour, ...]                         # whole ones, oldest first
    top: str                # the speed at the chart's upper edge, "" where there was none
    middle: str             # and half of it


class WorkerRow(NamedTuple):
    name: str
    status: str             # one of STATUSES
    speed_5m: ShownSpeed
    speed_30m: ShownSpeed
    speed_24h: ShownSpeed
    last_share: str
    group: str              # "" for none


class WorkerPage(NamedTuple):
    rows: tuple[WorkerRow, ...]
    found: int              # workers that fit
    page: int               # from 1
    pages: int              # at least 1


def dashboard(core, account: int, now_s: int, zone: tzinfo) -> Dashboard:
    """A sub-account's speeds now, and in each of the 24 hours before the running one."""
    speeds = core.workers.account_speeds(account, now_s)
    hours = core.workers.account_hours(account, now_s)
    top = scale_top(max((hour.valid_speed for hour in hours), default=0))
    when = clock(zone)
    return Dashboard(
        speeds=(("5 minutes", shown(*speeds.speed_5m)), ("10 minutes", shown(*speeds.speed_10m)),
                ("30 minutes", shown(*speeds.speed_30m)), ("24 hours", shown(*speeds.speed_24h))),
        hours=tuple(Hour(when(hour.start_s)[:-3], bar_height(hour.valid_speed, top),
                         shown(*hour[1:])) for hour in hours),
        top=scale_text(top), middle=scale_text(top, 2))


async def worker_counts(core, account: int, now_s: int, pool: Pool) -> dict[str, int]:
    """How many workers have each of STATUSES."""
    return dict(zip(STATUSES.values(), await status_counts(core, account, now_s, pool)))


async def fitting_workers(core, account: int, now_s: int, pool: Pool, *, prefix: str,
                          status: str) -> array:
    """The numbers of the workers whose names begin so, without regard to case, that have this
    status ("": any), in the order of their first shares.

    Others are served while it looks, so a number may be another worker's at the end.
    """
    roster, folded = await roster_of(core, account, now_s), prefix.casefold()
    fitting = array("I")
    if not folded and not status:
        fitting.frombytes(roster.numbers_of(0, len(roster)).tobytes())
        return fitting
    asked = next((number for number, name in STATUSES.items() if name == status), ANY_STATUS)
    for first in range(0, len(roster), LOOKED_AT_ONCE):
        await turn()
        fitting.extend(roster.fitting(first, first + LOOKED_AT_ONCE, asked, folded,
                                      pool.running_minutes, pool.stopped_hours))
    return fitting


def is_of(core, account: int, number: int) -> bool:
    """Whether it is the number of one of the account's workers."""
    try:
        return core.workers.account_of(number) == account
    except IndexError:
        return False


def status_at(core, number: int, now_s: int, pool: Pool) -> str:
    """A worker's status, as docs/pool-core.md defines it."""
    workers = core.workers
    age_s = max(now_s, MINUTE_S * workers.minute) - workers.names.last_at_s(number)
    if age_s < pool.running_minutes * MINUTE_S:
        return STATUSES[1]
    return STATUSES[3 if age_s >= pool.stopped_hours * HOUR_S else 2]


def worker_page(core, account: int, now_s: int, pool: Pool, zone: tzinfo, found: array,
                page: int) -> WorkerPage:
    """A page of the workers of these numbers. A page behind the last is the last."""
    workers, when = core.workers, clock(zone)
    pages = max(1, -(-len(found) // WORKERS_PER_PAGE))
    page = min(page, pages)
    groups = {group.id: group.name for group in core.sub_accounts.get(account).groups}
    first = (page - 1) * WORKERS_PER_PAGE
    rows = []
    for number in found[first:first + WORKERS_PER_PAGE]:
        if is_of(core, account, number):
            speeds = workers.speeds(number, now_s)
            rows.append(WorkerRow(
                workers.name_of(number), status_at(core, number, now_s, pool),
                shown(*speeds.speed_5m), shown(*speeds.speed_30m), shown(*speeds.speed_24h),
                when(workers.names.last_at_s(number)),
                groups.get(workers.names.group_of(number), "")))
    return WorkerPage(tuple(rows), len(found), page, pages)


def clock(zone: tzinfo) -> Callable[[int], str]:
    """Moments (Unix seconds) as text in that zone."""
    return lambda at_s: datetime.fromtimestamp(at_s, zone).strftime(FORMAT)


def day_text(day: int) -> str:
    """A day since 1970-01-01 as `2026-01-31`."""
    return date.fromordinal(EPOCH_DAY + day).isoformat()


def day_of(text: str) -> int | None:
    """The day that a text names; None where it names none since 1970."""
    try:
        day = date.fromisoformat(text).toordinal() - EPOCH_DAY
    except ValueError:
        return None
    return day if day >= 0 else None


def shown(valid_speed: int, reject_rate_permille: int) -> ShownSpeed:
    """Of H/s and thousandths."""
    return ShownSpeed(speed_text(valid_speed), f"{valid_speed} H/s",
                      f"{numbers.text(reject_rate_permille, PERMILLE_SCALE)} %")


def speed_text(valid_speed: int) -> str:
    """H/s in the largest unit that leaves no zero before the point, rounded down."""
    power = min((len(str(valid_speed)) - 1) // 3, len(UNITS) - 1)
    if power == 0:
        return f"{valid_speed} {UNITS[0]}"
    hundredths = valid_speed * 100 // 1_000**power
    return f"{hundredths // 100}.{hundredths % 100:02} {UNITS[power]}"


def scale_top(most: int) -> int:
    """The speed at the top of a chart that shows up to `most`, with few digits; 0 of 0."""
    if most == 0:
        return 0
    power = 10 ** (len(str(most)) - 1)
    return next(power * factor // 2 for factor in (2, 3, 4, 5, 6, 8, 10, 12, 16, 20)
                if 2 * most <= power * factor)


def scale_text(top: int, part: int = 1) -> str:
    """A part of a chart's height as a speed; "" where nothing is shown."""
    if top == 0:
        return ""
    power = min((len(str(top)) - 1) // 3, len(UNITS) - 1)
    # In thousandths of the unit: a half of it has no more decimals.
    return f"{numbers.text(top * 1_000 // part // 1_000**power, 3)} {UNITS[power]}"


def bar_height(speed: int, top: int) -> int:
    """In parts of CHART_HEIGHT. What is not nothing is seen."""
    if speed == 0:
        return 0
    return max(speed * CHART_HEIGHT // top, CHART_HEIGHT // 100)
