"""Workers as the dialects of the pool show them: how many there are, each of them, how many worked.

Every call reads `core.workers`. A list may have ten thousand workers, each with six numbers, so its
JSON is made here, as a text; all else is for `msgspec.json.encode`.

Invariant: a list is the JSON that `msgspec` would make of the same workers one by one.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from datetime import datetime, tzinfo
from json.encoder import encode_basestring as quoted

import msgspec

from api.config import Pool
from api.mining.speeds import DAY_S, HOUR_S, RATE_TEXTS, day_label, hour_label

# Nothing else is served while the JSON of so many is made: some 10 ms.
WORKERS_AT_ONCE = 20_000
MINUTE_S = 60
MINUTE_FORMAT = "%Y-%m-%d %H:%M:"
NO_GROUP = "null"

# Of more than WORKERS_AT_ONCE workers: the parts of the JSON, of one moment, to be sent in turn.
Listed = msgspec.Raw | AsyncGenerator[bytes]


def summary(core, account: int, now_s: int, pool: Pool) -> dict[str, int]:
    """How many workers of a sub-account run, have stopped, and are invalid."""
    running, stopped, invalid = core.workers.counts_of(
        account, now_s, pool.running_minutes, pool.stopped_hours)
    return {"running": running, "stopped": stopped, "invalid": invalid}


def listed(core, account: int, now_s: int, pool: Pool) -> Listed:
    """A sub-account's workers in the order of their first shares, as a JSON list: `name`, the
    speeds `speed5m`, `speed30m`, `speed24h`, and `status`."""
    rates = RATE_TEXTS

    def texts(lines: list) -> list[str]:
        return [
            f'{{"name":{quoted(name)},'
            f'"speed5m":{{"validSpeed":{speed_5m},"rejectRate":{rates[rate_5m]}}},'
            f'"speed30m":{{"validSpeed":{speed_30m},"rejectRate":{rates[rate_30m]}}},'
            f'"speed24h":{{"validSpeed":{speed_24h},"rejectRate":{rates[rate_24h]}}},'
            f'"status":{status}}}'
            for _, name, speed_5m, rate_5m, speed_30m, rate_30m, speed_24h, rate_24h, _, status, _
            in lines]
    return _json_list(_lines(core, account, now_s, pool), texts)


def listed_with_groups(core, account: int, now_s: int, pool: Pool, zone: tzinfo) -> Listed:
    """As `listed`, each with `lastCommitTime` in that zone and its `group`, null without one."""
    rates, groups, time_of = RATE_TEXTS, _group_texts(core, account), _times(zone)

    def texts(lines: list) -> list[str]:
        return [
            f'{{"name":{quoted(name)},'
            f'"speed5m":{{"validSpeed":{speed_5m},"rejectRate":{rates[rate_5m]}}},'
            f'"speed24h":{{"validSpeed":{speed_24h},"rejectRate":{rates[rate_24h]}}},'
            f'"speed30m":{{"validSpeed":{speed_30m},"rejectRate":{rates[rate_30m]}}},'
            f'"lastCommitTime":"{time_of(last_at_s)}","status":{status},'
            f'"group":{groups.get(group, NO_GROUP)}}}'
            for (_, name, speed_5m, rate_5m, speed_30m, rate_30m, speed_24h, rate_24h, last_at_s,
                 status, group)
            in lines]
    return _json_list(_lines(core, account, now_s, pool), texts)


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


def _lines(core, account: int, now_s: int, pool: Pool) -> list:
    return core.workers.list_of(account, now_s, pool.running_minutes, pool.stopped_hours)


def _json_list(lines: list, texts: Callable[[list], list[str]]) -> Listed:
    if len(lines) > WORKERS_AT_ONCE:
        return _parts(lines, texts)
    return msgspec.Raw(f"[{','.join(texts(lines))}]".encode())


async def _parts(lines: list, texts: Callable[[list], list[str]]) -> AsyncGenerator[bytes]:
    before = "["
    for at in range(0, len(lines), WORKERS_AT_ONCE):
        yield (before + ",".join(texts(lines[at:at + WORKERS_AT_ONCE]))).encode()
        before = ","
        await asyncio.sleep(0)
    yield b"]"


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
