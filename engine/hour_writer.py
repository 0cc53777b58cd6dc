"""Writes the workers' hours to disk as a replay passes them (docs/worker-hours.md).

A share counts at most 600 s after it was made, so an hour is final for all commands of a time that
is 600 s past its end. The core keeps the last 25 hours; what is older lies in files only.

Invariants:
- Before a command is applied that may let an hour go, the hour has its file.
- An hour's file that is whole is left as it is; any other is written anew.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from engine.core import Core
from pool.hour_files import HOURS_KEPT, HourFolder, HourMissing

HOURS_DIRECTORY = "hours"
LATE_MAX_S = 600
HOURS_IN_CORE = 25
NS_PER_S = 1_000_000_000
NO_WORKERS = (np.zeros(0, np.uint64),) * 2
NO_ACCOUNTS = (np.zeros(0, np.uint64),) * 5

log = logging.getLogger(__name__)


def final_end(ts_ns: int) -> int:
    """The first hour that commands of a time, or later ones, can change."""
    return (ts_ns // NS_PER_S - LATE_MAX_S) // 3600


class HourWriter:
    """The hours of one data folder."""

    def __init__(self, directory: Path, end_ns: int = 0):
        """No hour is written that would be removed at the time `end_ns`."""
        self.folder = HourFolder(Path(directory) / HOURS_DIRECTORY)
        self._first_hour = final_end(end_ns) - HOURS_KEPT
        self._whole: set[int] = set()     # hours whose files were looked at, or written
        self._due_ns = 0

    def write_final(self, core: Core, ts_ns: int) -> None:
        """Write the hours of a core that no command of `ts_ns` or later can change and that have no
        file yet. A house without a worker writes nothing.

        What the disk does not take is logged, and tried again an hour later.
        """
        if ts_ns < self._due_ns:
            return
        end = final_end(ts_ns)
        self._due_ns = ((end + 1) * 3600 + LATE_MAX_S) * NS_PER_S
        if core.workers.minute == 0:
            return
        reached = core.workers.minute // 60
        first = max(reached - HOURS_IN_CORE + 1, end - HOURS_KEPT, self._first_hour, 0)
        try:
            for hour in range(first, end):
                self._write(core, hour, hour <= reached)
            self.folder.remove_before(end - HOURS_KEPT)
        except OSError as error:
            log.error("the hours of the workers are not on disk: %s", error)

    def remove_all(self) -> None:
        """Remove all files: they are of another journal. Raises OSError."""
        self.folder.remove_all()
        self._whole.clear()
        self._due_ns = 0

    def _write(self, core: Core, hour: int, is_reached: bool) -> None:
        if hour in self._whole:
            return
        fault = self.folder.fault_of(hour)
        if fault is not None:
            if not isinstance(fault, HourMissing):
                log.warning("an hour of the workers is written anew: %s", fault)
            # Hours that time has passed over have no work: a file says that this is known.
            workers = core.workers.sums_of_hour(hour) if is_reached else NO_WORKERS
            accounts = core.workers.account_sums_of_hour(hour) if is_reached else NO_ACCOUNTS
            self.folder.write(hour, workers, accounts)
        self._whole.add(hour)
