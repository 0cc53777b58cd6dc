"""The journal turned into state again: for the scribe as it grows, for the command line offline.

There is no second way to apply a command: a replay is `Core.apply` on the frames as they were
written. Each frame has a digest of what it gave when it was live, and must give the same again.

Invariants:
- A difference is never passed over: ReplayDiverged names the first frame that had one.
- `replay` changes nothing on the disk. `write_snapshot` and `rebuild_history` hold the folder's
  lock, so no house runs meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from engine.codes import EventKind
from engine.core import Core, Outcome
from engine.events import decode
from engine.halt import Halt
from engine.history import Trade
from engine.history_rows import record_offsets, trade_rows
from engine.history_writer import HISTORY_FILE, HistoryWriter, Reached, remove_history
from engine.hour_writer import HourWriter
from engine.journal import FolderLock, Frame, JournalReader, Recovery, outcome_digest
from engine.segments import list_segments
from engine.snapshot import KEEP, Snapshot, newest_good, write_snapshot_file

JOURNAL_FOLDER = "journal"
SNAPSHOT_FOLDER = "snapshots"

# progress(seq, last_seq) is called after each frame.
Progress = Callable[[int, int], None]


class ReplayDiverged(Halt):
    """A frame gave something else than when it was live: the core or the machine is at fault."""

    def __init__(self, frame: Frame, reason: str):
        super().__init__(f"{frame.place.path}, offset {frame.place.offset}: the commands "
                         f"{frame.first_seq} to {frame.last_seq} {reason}")
        self.seq = frame.first_seq


def apply_frame(core: Core, frame: Frame) -> Outcome:
    """Apply a frame as a whole; its outcome. Raises ReplayDiverged."""
    try:
        outcome = core.apply(frame.commands, frame.first_seq, frame.ts_ns)
    except ValueError as error:
        raise ReplayDiverged(frame, f"can't be applied: {error}") from error
    digest = outcome_digest(outcome.results, outcome.events)
    if digest != frame.outcome or outcome.count != frame.count:
        raise ReplayDiverged(
            frame, f"gave {frame.outcome:016x} when they were live, now {digest:016x}")
    return outcome


def apply_part(core: Core, frame: Frame, until_seq: int) -> Outcome:
    """Apply a frame's commands up to `until_seq`: what they gave is known for the whole only."""
    count = until_seq - frame.first_seq + 1
    (_, end), = record_offsets(frame.commands, [count])
    return core.apply(frame.commands[:end], frame.first_seq, frame.ts_ns)


def load_newest(directory: Path, max_seq: int | None = None,
                max_ns: int | None = None) -> tuple[Core, Snapshot | None]:
    """A core from the newest usable snapshot of a data folder; an empty one where there is none."""
    found = newest_good(Path(directory) / SNAPSHOT_FOLDER, max_seq, max_ns)
    if found is None:
        return Core(), None
    snapshot, dump = found
    return Core.load(dump), snapshot


class Follower:
    """A core that replays a data folder's journal, also while it grows. `frame`: the last one."""

    def __init__(self, directory: Path, core: Core,
                 before: Callable[[Core, int], None] | None = None):
        """Begin behind the core's last command. Reads nothing yet.

        `before(core, ts_ns)` is called before each frame, of that time, is applied.
        """
        self.core = core
        self.frame: Frame | None = None
        self._before = before
        self._reader = JournalReader(Path(directory) / JOURNAL_FOLDER, core.seq)

    def advance(self, until_seq: int) -> Iterator[tuple[Frame, Outcome]]:
        """Apply and give each frame up to the one with `until_seq`, which must be durable by now.

        Raises ReplayDiverged, JournalDamage.
        """
        for frame in self._reader.frames(until_seq):
            if self._before is not None:
                self._before(self.core, frame.ts_ns)
            outcome = apply_frame(self.core, frame)
            self.frame = frame
            yield frame, outcome

    def close(self) -> None:
        self._reader.close()


def last_frame(directory: Path, whole: bool = False) -> Frame | None:
    """The last frame of a data folder's journal, a torn one not counted; None in an empty journal.

    Reads the last segments only, or the whole journal. Raises JournalDamage.
    """
    directory = Path(directory) / JOURNAL_FOLDER
    segments = [] if whole else list_segments(directory)
    # The last segment may be without frames yet; the one before it then has the last frame.
    after_seq = segments[-1][0] - 1 if segments else 0
    return Recovery(directory, after_seq).examine().last


def last_seq_of(directory: Path) -> int:
    """The last command in a data folder's journal. Raises JournalDamage."""
    frame = last_frame(directory)
    return frame.last_seq if frame is not None else 0


def replay(directory: Path, until_seq: int | None = None, until_ns: int | None = None,
           progress: Progress | None = None, use_snapshots: bool = True) -> Core:
    """The state right after command `until_seq`, or after the last one of a time up to `until_ns`
    (UTC); at the journal's end where both are None.

    Raises JournalDamage, ReplayDiverged, and ValueError where the journal has no `until_seq`.
    """
    core, _ = load_newest(directory, until_seq, until_ns) if use_snapshots else (Core(), None)
    for _ in outcomes_until(directory, core, until_seq, until_ns, progress):
        pass
    return core


def replay_trades(directory: Path, until_seq: int | None = None, until_ns: int | None = None,
                  progress: Progress | None = None) -> Iterator[tuple[Core, list[Trade]]]:
    """All trades up to the same point as `replay`, oldest first: those of one frame at a time, with
    the core at that frame's end. However many there are, a frame's are in memory. Raises as
    `replay`, on the way.
    """
    core = Core()
    for ts_ns, outcome in outcomes_until(directory, core, until_seq, until_ns, progress):
        events = decode(outcome.events)
        trades = events[events["kind"] == EventKind.TRADE]
        if len(trades):
            yield core, trades_of(trades, ts_ns)


def outcomes_until(directory: Path, core: Core, until_seq: int | None, until_ns: int | None,
                   progress: Progress | None) -> Iterator[tuple[int, Outcome]]:
    """Take a core on to the point that `replay` speaks of; the time and outcome of each frame."""
    end_seq = last_seq_of(directory)
    if until_seq is None:
        until_seq = end_seq
    if until_seq > end_seq:
        raise ValueError(f"the journal ends with command {end_seq}, there is no {until_seq}")
    reader = JournalReader(Path(directory) / JOURNAL_FOLDER, core.seq)
    try:
        for frame in reader.frames(until_seq):
            if until_ns is not None and frame.ts_ns > until_ns:
                break
            if frame.last_seq <= until_seq:
                outcome = apply_frame(core, frame)
            else:
                outcome = apply_part(core, frame, until_seq)
            if progress is not None:
                progress(core.seq, until_seq)
            yield frame.ts_ns, outcome
    finally:
        reader.close()


def trades_of(trades: np.ndarray, ts_ns: int) -> list[Trade]:
    """The TRADE events of one batch, as the history knows trades."""
    return [Trade(*row[:-1]) for row in trade_rows(
        trades, np.full(len(trades), ts_ns), np.zeros(len(trades), np.int64))]


def take_snapshot(directory: Path, core: Core, state_hash: str, frame: Frame | None,
                  keep: int = KEEP) -> Path:
    """Write a snapshot of a core with this state hash; its path. Raises OSError.

    `frame` is the one that ends with the core's seq, None at seq 0.
    """
    epoch, checksum = (frame.epoch, frame.checksum) if frame is not None else (0, 0)
    snapshot = Snapshot(core.seq, core.ts_ns, epoch, checksum, state_hash)
    return write_snapshot_file(Path(directory) / SNAPSHOT_FOLDER, snapshot, core.dump(), keep)


def write_snapshot(directory: Path, progress: Progress | None = None, keep: int = KEEP) -> Path:
    """Write a snapshot of the state at the journal's end, and check the state before; its path.

    Raises FolderLocked while a house runs, JournalDamage, ReplayDiverged, Halt, OSError.
    """
    lock = FolderLock(directory)
    try:
        core = replay(directory, progress=progress)
        core.check()
        return take_snapshot(directory, core, core.state_hash(), last_frame(directory), keep)
    finally:
        lock.release()


def rebuild_history(directory: Path, progress: Progress | None = None) -> Reached:
    """Delete the history and write it anew from the journal's first frame; how far it has come.
    Hours of the workers that have no whole file get one.

    Interrupted, it leaves the history of a prefix, which the next start of the house completes.
    Raises FolderLocked while a house runs, JournalDamage, ReplayDiverged, sqlite3.Error, OSError.
    """
    lock = FolderLock(directory)
    try:
        end = last_frame(directory)
        end_seq, end_ns = (end.last_seq, end.ts_ns) if end is not None else (0, 0)
        remove_history(Path(directory) / HISTORY_FILE)
        writer = HistoryWriter(Path(directory) / HISTORY_FILE)
        follower = Follower(directory, Core(), HourWriter(directory, end_ns).write_final)
        try:
            for frame, outcome in follower.advance(end_seq):
                writer.add(frame, outcome)
                if writer.is_full:
                    writer.commit(follower.core)
                if progress is not None:
                    progress(frame.last_seq, end_seq)
            writer.commit(follower.core)
            return writer.reached
        finally:
            follower.close()
            writer.close()
    finally:
        lock.release()
