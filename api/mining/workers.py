"""Workers as the dialects of the pool show them: how many there are, each of them, how many worked.

Every call reads `core.workers`. A list may have all workers there are, each with six numbers. So it
is read in slices and others are served between two of them; and its JSON is made here, as a text.
All else is for `msgspec.json.encode`.

Invariant: a list is the JSON that `msgspec` would make of the same workers one by one.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from datetime import datetime, tzinfo
from json.encoder import encode_basestring as quoted

import msgspec

from api.config import Pool
from api.mining.speeds import DAY_S, HOUR_S, RATE_TEXTS, day_label, hour_label
from engine import House, turn

# Workers that are found, counted, or shown while nothing else is served: some milliseconds each.
FOUND_AT_ONCE = 10_000
COUNTED_AT_ONCE = 20_000
SHOWN_AT_ONCE = 1_000
# A longer list is sent in parts, of SHOWN_AT_ONCE workers each: what a client that does not read
# holds of it.
WHOLE_WORKERS = 10_000
MINUTE_S = 60
MINUTE_FORMAT = "%Y-%m-%d %H:%M:"
NO_GROUP = "null"

# Of more than WHOLE_WORKERS workers: the parts of the JSON, to be sent in turn.
Listed = msgspec.Raw | AsyncGenerator[bytes]
# Of columns, a list for each field of a WorkerLine (pool/worker_views).
Texts = Callable[[tuple[list, ...]], list[str]]


async def roster_of(core, account: int, now_s: int):
    """A Roster (pool/rosters) of all workers that a sub-account has."""
    roster = core.workers.roster(account, now_s)
    await turn()
    while not roster.find(FOUND_AT_ONCE):
        await turn()
    return roster


async def status_counts(core, account: int, now_s: int, pool: Pool) -> list[int]:
    """How many workers of a sub-account run, have stopped, and are invalid."""
    roster, so_far = await roster_of(core, account, now_s), [0, 0, 0]
    for first in range(0, len(roster), COUNTED_AT_ONCE):
        await turn()
        more = roster.counts(first, first + COUNTED_AT_ONCE, pool.running_minutes,
                             pool.stopped_hours)
        so_far = [before + count for before, count in zip(so_far, more)]
    return so_far


async def summary(core, account: int, now_s: int, pool: Pool) -> dict[str, int]:
    """The same, by name."""
    running, stopped, invalid = await status_counts(core, account, now_s, pool)
    return {"running": running, "stopped": stopped, "invalid": invalid}


async def listed(house: House, account: int, now_s: int, pool: Pool) -> Listed:
    """A sub-account's workers in the order of their first shares, as a JSON list: `name`, the
    speeds `speed5m`, `speed30m`, `speed24h`, and `status`."""
    rates = RATE_TEXTS

    def texts(columns: tuple[list, ...]) -> list[str]:
        return [
            f'{{"name":{quoted(name)},'
            f'"speed5m":{{"validSpeed":{speed_5m},"rejectRate":{rates[rate_5m]}}},'
            f'"speed30m":{{"validSpeed":{speed_30m},"rejectRate":{rates[rate_30m]}}},'
            f'"speed24h":{{"validSpeed":{speed_24h},"rejectRate":{rates[rate_24h]}}},'
            f'"status":{status}}}'
            for _, name, speed_5m, rate_5m, speed_30m, rate_30m, speed_24h, rate_24h, _, status, _
            in zip(*columns)]
    return await _json_list(house, account, now_s, pool, texts)


async def listed_with_groups(house: House, account: int, now_s: int, pool: Pool,
                             zone: tzinfo) -> Listed:
    """As `listed`, each with `lastCommitTime` in that zone and its `group`, null without one."""
    rates, time_of = RATE_TEXTS, _times(zone)

    def texts(columns: tuple[list, ...]) -> list[str]:
        # As they are now: one may get another name between two slices.
        groups = _group_texts(house.core, account)
        return [
            f'{{"name":{quoted(name)},'
            f'"speed5m":{{"validSpeed":{speed_5m},"rejectRate":{rates[rate_5m]}}},'
            f'"speed24h":{{"validSpeed":{speed_24h},"rejectRate":{rates[rate_24h]}}},'
            f'"speed30m":{{"validSpeed":{speed_30m},"rejectRate":{rates[rate_30m]}}},'
            f'"lastCommitTime":"{time_of(last_at_s)}","status":{status},'
            f'"group":{groups.get(group, NO_GROUP)}}}'
            for (_, name, speed_5m, rate_5m, speed_30m, rate_30m, speed_24h, rate_24h, last_at_s,
                 status, group)
            in zip(*columns)]
    return await _json_list(house, account, now_s, pool, texts)


def online_days(core, account: int, now_s: int, first_day: int | None = None,
                last_day: int | None = None) -> list[dict[str, object]]:
    """How many workers had an accepted share in each of the 30 days before today, and so far
    today; of these only what is from `first_day` to `last_day` (since 1970-01-01)."""
    return _counts(core.workers.active_days(account, now_s), DAY_S, day_label, first_day, last_day)


def online_hours(core, account: int, now_s: int, zone: tzinfo, first_hour: int | None = None,
                 last_hour: int | None = None) -> list[dict[str, object]]:
    """As `online_days`, of the 24 hours before the running one and of that."""
    return _counts(core.workers.active_hours(account, now_s), HOUR_S, hour_label(zone), first_hour,
                   last_hour)


def _counts(periods: Iterable, seconds: int, label: Callable[[int], str], first: int | None,
            last: int | None) -> list[dict[str, object]]:
    return [{"at": label(period.start_s), "workerNum": period.workers} for period in periods
            if (first is None or period.start_s >= first * seconds)
            and (last is None or period.start_s <= last * seconds)]


async def _json_list(house: House, account: int, now_s: int, pool: Pool, texts: Texts) -> Listed:
    roster = await roster_of(house.core, account, now_s)
    firsts = range(0, len(roster), SHOWN_AT_ONCE)

    async def part(first: int) -> bytes:
        """Empty where none of a slice is there any more."""
        await turn()
        return ",".join(texts(roster.columns(first, first + SHOWN_AT_ONCE, pool.running_minutes,
                                             pool.stopped_hours))).encode()

    async def parts() -> AsyncGenerator[bytes]:
        before = b"["
        for first in firsts:
            if shown := await part(first):
                # Shares that it counts may have come since the last part.
                await house.settled()
                yield before + shown
                before = b","
        yield b"]" if before == b"," else b"[]"

    if len(roster) > WHOLE_WORKERS:
        return parts()
    return msgspec.Raw(b"[%b]" % b",".join(
        [shown for first in firsts if (shown := await part(first))]))


def _group_texts(core, account: int) -> Mapping[int, str]:
    """An account's groups as JSON, by their ids."""
    return {group.id: f'{{"id":{group.id},"name":{quoted(group.name)}}}'
            for group in core.sub_accounts.get(account).groups}


def _times(zone: tzinfo) -> Callable[[int], str]:
    """Unix seconds as the text of that zone; most of a list's are of a few minutes."""
    minutes: dict[int, str] = {}

    def text(at_s: int) -> str:
        minute, second = divmod(at_s, MINUTE_S)
        begun = minutes.get(minute)
        if begun is None:
            begun = datetime.fromtimestamp(minute * MINUTE_S, zone).strftime(MINUTE_FORMAT)
            minutes[minute] = begun
        return f"{begun}{second:02}"
    return text
