"""Questions about the workers' hours of the last 30 days: from memory what the core still keeps,
from the files of engine/hour_writer what is older.

Hours count from 1970-01-01; a range has its first and its last one. Those that are still to come,
the running one, and those before the day 30 days ago are left out, whatever is asked for. So is one
whose file is damaged or lost: what it was is not known.

Invariants:
- Memory and files give the same numbers: an hour is written when nothing can change it any more,
  and speeds come from its work by the same code.
- What memory has is read in one step, before the first file; files are read in a thread.
- Who shows an answer awaits `House.settled` before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from engine.core import Core
from engine.history import HistoryLate
from engine.hour_writer import HOURS_DIRECTORY, HOURS_IN_CORE
from pool.hour_files import AccountHour, HourDamage, HourFile, HourFolder, first_hour_kept
from pool.worker_views import Active, Period
from pool.workers import hour_speeds, period_of

HOURS_AT_ONCE = 48       # files that the thread reads before it takes another question
NAMES_AT_ONCE = 10_000   # workers that are looked at before others are served

Found = TypeVar("Found")

log = logging.getLogger(__name__)


class WorkerHour(NamedTuple):
    """What a worker did in an hour."""

    name: str
    valid_speed: int              # H/s
    reject_rate_permille: int


class Members(NamedTuple):
    """An account's workers at a moment, in the order of their first shares."""

    names: list[str]
    numbers: np.ndarray           # rising
    places: np.ndarray            # in `names`, of each number


class WorkerHours:
    """The hours of one house. Belongs to its event loop."""

    def __init__(self, directory: Path, core: Core, clock: Callable[[], int],
                 caught_up: Callable[[], Awaitable[None]]):
        """`clock` gives UTC in nanoseconds. `caught_up()` returns once all files are there that
        follow from what is durable now; else HistoryLate."""
        self.folder = HourFolder(Path(directory) / HOURS_DIRECTORY)
        self._core = core
        self._clock = clock
        self._caught_up = caught_up
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hours")
        self._unknown: set[int] = set()    # hours that the log has heard of

    async def of_worker(self, account: int, name: str, first_hour: int,
                        last_hour: int) -> list[Period]:
        """A worker's hours, oldest first; none where the account has no worker of this name."""
        workers = self._core.workers
        number = workers.find(account, name)
        # One that was silent for so long is dropped as soon as time goes on.
        if number == 0 or workers.names.last_at_s(number) < 3600 * first_hour_kept(self._now_s()):
            return []
        numbers = np.array([number], np.uint32)

        def from_memory(hour: int) -> tuple[int, int]:
            accepted, rejected = workers.hour_of_workers(numbers, hour)
            return int(accepted[0]), int(rejected[0])

        return [period_of(hour, *works) for hour, works in await self._range(
            first_hour, last_hour, from_memory, lambda file: file.worker(number))]

    async def of_account(self, account: int, first_hour: int, last_hour: int) -> list[Period]:
        """A sub-account's hours, oldest first."""
        return [period_of(hour, found.accepted, found.rejected)
                for hour, found in await self._account(account, first_hour, last_hour)]

    async def active_of_account(self, account: int, first_hour: int,
                                last_hour: int) -> list[Active]:
        """How many of an account's workers had accepted shares in each hour, oldest first."""
        return [Active(hour * 3600, found.active)
                for hour, found in await self._account(account, first_hour, last_hour)]

    async def of_workers(self, account: int, first_hour: int,
                         last_hour: int) -> AsyncIterator[tuple[int, list[WorkerHour]]]:
        """(start in seconds, the workers with a share in the hour) of each hour, oldest first.

        They are those that the account has at the beginning, in the order of their first shares.
        """
        hours = self._hours(first_hour, last_hour)
        first_in_memory = self._first_in_memory()
        members = await self._members(account)
        filed = await self._filed([hour for hour in hours if hour < first_in_memory])
        for hour in (*filed, *(hour for hour in hours if hour >= first_in_memory)):
            if hour >= self._first_in_memory():
                works = self._core.workers.hour_of_workers(members.numbers, hour)
            else:
                # Time may have gone on: then the hour has got its file meanwhile.
                read = await self._from_files([hour], lambda file: file.workers(members.numbers))
                if hour not in read:
                    continue
                works = read[hour]
            yield hour * 3600, await self._in_thread(rows_of, members, *works)

    async def close(self) -> None:
        """Wait for the files that are being read. May be repeated."""
        await asyncio.to_thread(self._thread.shutdown)

    # -- which hours -------------------------------------------------------------------------------

    def _now_s(self) -> int:
        # Time never goes back for who reads, as it does not in the core.
        return max(self._clock(), self._core.ts_ns) // 1_000_000_000

    def _hours(self, first_hour: int, last_hour: int) -> range:
        now_s = self._now_s()
        return range(max(first_hour, first_hour_kept(now_s)),
                     min(last_hour, now_s // 3600 - 1) + 1)

    def _first_in_memory(self) -> int:
        """What follows is in memory, or time has passed over it: then there was no work."""
        minute = self._core.workers.minute
        return (minute // 60 if minute else self._now_s() // 3600) - HOURS_IN_CORE + 1

    # -- reading -----------------------------------------------------------------------------------

    async def _account(self, account: int, first_hour: int,
                       last_hour: int) -> list[tuple[int, AccountHour]]:
        workers = self._core.workers
        place = workers.place_of(account)
        return await self._range(
            first_hour, last_hour,
            lambda hour: AccountHour(*workers.hour_of_account(account, hour)),
            lambda file: file.account(place))

    async def _range(self, first_hour: int, last_hour: int, from_memory: Callable[[int], Found],
                     from_file: Callable[[HourFile], Found]) -> list[tuple[int, Found]]:
        """What is known of each hour of a range, oldest first."""
        hours = self._hours(first_hour, last_hour)
        first_in_memory = self._first_in_memory()
        remembered = [(hour, from_memory(hour)) for hour in hours if hour >= first_in_memory]
        filed = await self._filed([hour for hour in hours if hour < first_in_memory])
        return sorted((await self._from_files(filed, from_file)).items()) + remembered

    async def _from_files(self, hours: list[int],
                          from_file: Callable[[HourFile], Found]) -> dict[int, Found]:
        """By hour, of those whose files can be read."""
        found: dict[int, Found] = {}
        for at in range(0, len(hours), HOURS_AT_ONCE):
            part, faults = await self._in_thread(
                read_files, self.folder, hours[at:at + HOURS_AT_ONCE], from_file)
            found |= part
            for hour, fault in faults.items():
                self._tell(hour, str(fault))
        return found

    async def _filed(self, hours: list[int]) -> list[int]:
        """Those of some hours, which memory does not have, that have a file."""
        # Before the first share there is no file, and nothing to be known.
        if not hours or self._core.workers.minute == 0:
            return []
        there = await self._in_thread(self.folder.hours)
        # They are written in their order: what is before the first one does not come any more.
        if not there or not set(range(max(hours[0], there[0]), hours[-1] + 1)) <= set(there):
            try:
                await self._caught_up()
            except HistoryLate as late:
                log.info("the hours of the workers may lack some: %s", late)
            there = await self._in_thread(self.folder.hours)
        known = set(there)
        for hour in hours:
            if hour not in known and there and hour > there[0]:
                self._tell(hour, f"{self.folder.path_of(hour)}: it is not there")
        return [hour for hour in hours if hour in known]

    def _tell(self, hour: int, fault: str) -> None:
        if hour not in self._unknown:
            self._unknown.add(hour)
            log.warning("an hour of the workers is not known: %s", fault)

    async def _in_thread(self, function: Callable[..., Found], *arguments: object) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def _members(self, account: int) -> Members:
        workers = self._core.workers
        while True:
            minute = workers.minute
            numbers = workers.workers_of(account, self._now_s())
            names: list[str] = []
            # On a new day workers are dropped and their numbers given out again.
            while len(names) < len(numbers) and workers.minute // 1440 == minute // 1440:
                names += map(workers.name_of, numbers[len(names):len(names) + NAMES_AT_ONCE])
                await asyncio.sleep(0)
            if len(names) == len(numbers):
                return await self._in_thread(members_of, names, numbers)


def read_files(folder: HourFolder, hours: Iterable[int], from_file: Callable[[HourFile], Found],
               ) -> tuple[dict[int, Found], dict[int, HourDamage]]:
    """What was read of each hour; what is wrong with the others."""
    found: dict[int, Found] = {}
    faults: dict[int, HourDamage] = {}
    for hour in hours:
        try:
            with folder.open(hour) as file:
                found[hour] = from_file(file)
        except HourDamage as fault:
            faults[hour] = fault
    return found, faults


def members_of(names: list[str], numbers: list[int]) -> Members:
    listed = np.array(numbers, np.uint32)
    places = np.argsort(listed, kind="stable")
    return Members(names, listed[places], places)


def rows_of(members: Members, accepted: np.ndarray, rejected: np.ndarray) -> list[WorkerHour]:
    """Of those that have work, in the order of the names."""
    busy = np.flatnonzero(accepted | rejected)
    busy = busy[np.argsort(members.places[busy])]
    rows = []
    # In parts, because the loop stands still while speeds are made.
    for at in range(0, len(busy), NAMES_AT_ONCE):
        part = busy[at:at + NAMES_AT_ONCE]
        rows += [WorkerHour(members.names[place], *speed) for place, speed in zip(
            members.places[part].tolist(), hour_speeds(accepted[part], rejected[part]))]
    return rows
