"""A house: a core with its journal, its sequencer and its scribe, in one data folder.

Invariants:
- The folder belongs to one house at a time. What `open` gives is at the journal's durable end.
- A future of `submit` resolves only when its command is on disk; whoever reads `core` awaits
  `settled` before he shows what he read.
- After a fail-stop (`stopped` says why) nothing is answered any more; the process must end.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine import commands
from engine.core import Core
from engine.history import History
from engine.history_writer import HISTORY_FILE
from engine.journal import SEGMENT_BYTES, FolderLock, Journal, JournalWriter
from engine.replay import JOURNAL_FOLDER, Follower, load_newest
from engine.scribe import Scribe, SnapshotResult
from engine.segments import frame_bytes
from engine.sequencer import QUEUE_MAX, Reply, Sequencer
from engine.worker_hours import WorkerHours

# So many frames may the history be behind before the newest orders' times are not known at once.
FRAME_TIMES_MAX = 65_536

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HouseSettings:
    """What a house may be told beside its folder."""

    segment_bytes: int = SEGMENT_BYTES     # of a journal segment
    snapshot_every_bytes: int = 256 << 20  # of frames; 0: no snapshots while it runs
    keep_snapshots: int = 3
    queue_max: int = QUEUE_MAX             # commands that may wait; beyond it Overloaded
    clock: Callable[[], int] = time.time_ns    # UTC in nanoseconds; it may go back


class House:
    """The one door to the core. Belongs to the event loop it was opened in; no call is thread-safe.

    `core` is for reading. `history` has what the core has forgotten, `worker_hours` the workers'
    hours of 30 days.
    """

    def __init__(self, lock: FolderLock, core: Core, writer: JournalWriter, scribe: Scribe,
                 settings: HouseSettings, tail_bytes: int):
        self.core = core
        self.history = History(lock.path.parent / HISTORY_FILE, self._history_caught_up)
        self.worker_hours = WorkerHours(lock.path.parent, core, settings.clock,
                                        self._history_caught_up)
        self._lock = lock
        self._scribe = scribe
        self._settings = settings
        # What this start had to replay counts too: lives may all be shorter than an interval.
        self._bytes_to_snapshot = settings.snapshot_every_bytes - tail_bytes
        self._sequencer = Sequencer(core, writer, settings.clock, settings.queue_max)
        self._sequencer.on_durable(self._durable)
        self._sequencer.on_events(self._note_time)
        # (first command, time) of the frames whose orders may not be in the history yet.
        self._frame_times: deque[tuple[int, int]] = deque(maxlen=FRAME_TIMES_MAX)
        self.submit: Callable[[bytes], asyncio.Future[Reply]] = self._sequencer.submit
        self.settled = self._sequencer.settled
        self.on_events = self._sequencer.on_events
        self.on_stop = self._sequencer.on_stop

    @classmethod
    async def open(cls, directory: Path, settings: HouseSettings = HouseSettings()) -> House:
        """Lock the folder, recover what is in it, start to serve.

        Raises FolderLocked, JournalDamage, ReplayDiverged, OSError.
        """
        directory = Path(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FolderLock(directory)
        scribe = None
        try:
            core, journal, tail_bytes = recover(directory, settings.segment_bytes)
            scribe = await Scribe.start(directory, core.seq, settings.keep_snapshots)
            writer = JournalWriter(journal, journal.epoch + 1)
            return cls(lock, core, writer, scribe, settings, tail_bytes)
        except BaseException:
            if scribe is not None:
                await scribe.close()
            lock.release()
            raise

    @property
    def seq(self) -> int:
        """The last command applied."""
        return self._sequencer.seq

    @property
    def durable_seq(self) -> int:
        """The last command on disk."""
        return self._sequencer.durable_seq

    @property
    def pending(self) -> int:
        """Commands that wait to be applied."""
        return self._sequencer.pending

    @property
    def stopped(self) -> str | None:
        """Why the house has stopped, None while it serves."""
        return self._sequencer.stopped

    def place_order(self, uid: int, pair: int, side: int, type: int, tif: int, flags: int = 0,
                    price: int = 0, qty: int = 0, quote_amount: int = 0, stop_price: int = 0,
                    client_id: bytes | None = None) -> asyncio.Future[Reply]:
        """PLACE_ORDER (docs/core.md)."""
        return self.submit(commands.place_order(uid, pair, side, type, tif, price, qty,
                                                quote_amount, stop_price, flags, client_id))

    def cancel_order(self, uid: int, order_id: int = 0, pair: int = 0,
                     client_id: bytes | None = None) -> asyncio.Future[Reply]:
        """CANCEL_ORDER, by order id or by client id."""
        return self.submit(commands.cancel_order(uid, order_id, pair, client_id))

    def amend_order(self, uid: int, order_id: int, price: int = 0, qty: int = 0,
                    pair: int = 0) -> asyncio.Future[Reply]:
        """AMEND_ORDER."""
        return self.submit(commands.amend_order(uid, order_id, price, qty, pair))

    def cancel_all(self, uid: int, pair: int = 0) -> asyncio.Future[Reply]:
        """CANCEL_ALL."""
        return self.submit(commands.cancel_all(uid, pair))

    async def placed_ns(self, order_ids: list[int]) -> dict[int, int]:
        """When these orders, of ids that fall, were placed (UTC): order id -> time.

        Nothing is waited for. Those that the history lacks because it is far behind are left out.
        """
        found: dict[int, int] = {}
        at = 0
        for first_seq, ts_ns in reversed(self._frame_times):
            while at < len(order_ids) and order_ids[at] >= first_seq:
                found[order_ids[at]] = ts_ns
                at += 1
            if at == len(order_ids):
                return found
        return found | await self.history.placed_ns(order_ids[at:])

    async def close(self) -> None:
        """Answer what was accepted, sync, complete the history, free the folder; repeatable."""
        await self._sequencer.close()
        # The scribe is the last to have the history's file open: so SQLite leaves one whole file.
        await self.history.close()
        await self.worker_hours.close()
        await self._scribe.close()
        self._lock.release()

    def _durable(self, seq: int, command_bytes: int) -> None:
        """A frame is on disk: the scribe may read it; now and then it is to write a snapshot."""
        if self._settings.snapshot_every_bytes:
            self._bytes_to_snapshot -= command_bytes
            if self._bytes_to_snapshot <= 0:
                self._bytes_to_snapshot = self._settings.snapshot_every_bytes
                # Of the state as it is now, at the end of the last frame applied; the scribe
                # compares when it has come that far. So it must be asked before it may read on.
                done = self._scribe.snapshot(self.seq, self.core.state_hash())
                done.add_done_callback(self._snapshot_done)
        self._scribe.durable(seq)

    def _note_time(self, first_seq: int, ts_ns: int, events: bytes) -> None:
        """A frame with events is on disk: an order's id is the number of its command."""
        times = self._frame_times
        times.append((first_seq, ts_ns))
        while len(times) > 1 and times[1][0] <= self._scribe.history_seq:
            times.popleft()

    def _snapshot_done(self, done: asyncio.Future[SnapshotResult]) -> None:
        if done.result() is SnapshotResult.MISMATCH:
            self._sequencer.stop("the scribe's replay gives another state than the house has")

    async def _history_caught_up(self) -> None:
        await self._scribe.wait_history(self.durable_seq)


def recover(directory: Path, segment_bytes: int) -> tuple[Core, Journal, int]:
    """The core at the journal's end; the journal, cut where its last frame was torn; and how many
    bytes of it were replayed."""
    # Nothing that a start makes is garbage, and it may be millions of objects: the collector would
    # walk over them again and again, now and at each later collection.
    gc.disable()
    try:
        core, journal, tail_bytes = replayed(directory, segment_bytes)
    finally:
        gc.enable()
    gc.freeze()
    log.info("recovered up to command %d", core.seq)
    return core, journal, tail_bytes


def replayed(directory: Path, segment_bytes: int) -> tuple[Core, Journal, int]:
    """The newest snapshot, the journal behind it, and that tail's bytes."""
    core, _ = load_newest(directory)
    journal = Journal.open(directory / JOURNAL_FOLDER, segment_bytes, core.seq)
    follower = Follower(directory, core)
    tail_bytes = 0
    try:
        for frame, _ in follower.advance(journal.last_seq):
            tail_bytes += frame_bytes(len(frame.commands))
    finally:
        follower.close()
    return core, journal, tail_bytes
