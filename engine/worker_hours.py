"""Questions about the workers' hours of the last 30 days: from memory what the core still keeps,
from the files of engine/hour_writer what is older.

Hours count from 1970-01-01; a range has its first and its last one. Those that are still to come,
the running one, and those before the day 30 days ago are left out, whatever is asked for. So is one
whose file is damaged or lost: what it was is not known.

Invariants:
- Memory and files give the same numbers: an hour is written when nothing can change it any more,
  and speeds come from its work by the same code.
- What memory has of one worker or one account is read in one step, before the first file; files
  are read in a thread. Of many workers it is read in slices, others are served in between.
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
from engine.turns import turn
from pool.hour_files import AccountHour, HourDamage, HourFile, HourFolder, first_hour_kept
from pool.rosters import Roster
from pool.worker_views import Active, Period
from pool.workers import period_of

HOURS_AT_ONCE = 48       # files that the thread reads before it takes another question
FOUND_AT_ONCE = 10_000   # workers that are found, or their work, before others are served
SHOWN_AT_ONCE = 2_000    # workers of a part

Found = TypeVar("Found")
# Of workers in an hour: names, speeds in H/s, reject rates in thousandths.
HourColumns = tuple[list[str], list[int], list[int]]

log = logging.getLogger(__name__)


class Members(NamedTuple):
    """An account's workers at a moment, in the order of their first shares."""

    roster: Roster
    numbers: np.ndarray
    rising: np.ndarray            # the same, rising
    places: np.ndarray            # in `numbers`, of each of those


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
                         last_hour: int) -> AsyncIterator[tuple[int, HourColumns]]:
        """(start in seconds, columns of the workers with a share in the hour) of each hour, oldest
        first: in parts, one at least, of SHOWN_AT_ONCE workers or fewer.

        They are those that the account has at the beginning, in the order of their first shares;
        one that is dropped meanwhile is left out from then on.
        """
        hours = self._hours(first_hour, last_hour)
        first_in_memory = self._first_in_memory()
        members = await self._members(account)
        filed = await self._filed([hour for hour in hours if hour < first_in_memory])
        for hour in (*filed, *(hour for hour in hours if hour >= first_in_memory)):
            works = await self._remembered(members, hour)
            if works is None:
                # Time may have gone on: then the hour has got its file meanwhile.
                read = await self._from_files([hour], lambda file: filed_works(file, members))
                if hour not in read:
                    continue
                works = read[hour]
            for first in range(0, max(len(members.numbers), 1), SHOWN_AT_ONCE):
                end = first + SHOWN_AT_ONCE
                await turn()
                yield hour * 3600, members.roster.hour_columns(
                    first, end, *(column[first:end] for column in works))

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
        roster = self._core.workers.roster(account, self._now_s())
        await turn()
        while not roster.find(FOUND_AT_ONCE):
            await turn()
        return await self._in_thread(members_of, roster, roster.numbers_of(0, len(roster)))

    async def _remembered(self, members: Members,
                          hour: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Accepted and rejected work of an account's workers; None where the hour is no longer in
        memory."""
        accepted, rejected = (np.empty(len(members.numbers), np.uint64) for _ in range(2))
        for first in range(0, max(len(members.numbers), 1), FOUND_AT_ONCE):
            await turn()
            if hour < self._first_in_memory():
                return None
            part = slice(first, first + FOUND_AT_ONCE)
            accepted[part], rejected[part] = self._core.workers.hour_of_workers(
                members.numbers[part], hour)
        return accepted, rejected


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


def members_of(roster: Roster, numbers: np.ndarray) -> Members:
    # Sorted twice: what picks elements lets nobody else run, sorting does.
    return Members(roster, numbers, np.sort(numbers), np.argsort(numbers, kind="stable"))


def filed_works(file: HourFile, members: Members) -> tuple[np.ndarray, np.ndarray]:
    """Accepted and rejected work of an account's workers."""
    accepted, rejected = (np.empty(len(members.numbers), np.uint64) for _ in range(2))
    rising = file.workers(members.rising)
    for first in range(0, len(members.numbers), FOUND_AT_ONCE):
        part = slice(first, first + FOUND_AT_ONCE)
        places = members.places[part]
        accepted[places], rejected[places] = rising[0][part], rising[1][part]
    return accepted, rejected
