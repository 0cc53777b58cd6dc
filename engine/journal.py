"""Keeps every batch of commands, durably and in order: recovery, reading, and the writing thread.

Invariants:

- Frames are written one at a time, each synced before the next begins. So only the very last one
  can be torn, and any later trace of the journal proves that a frame before it was durable.
- What `Journal.open` hands out is on disk: it has cut the torn frame and synced the last whole one.
- It is exactly the frames that were written, or JournalDamage with file and offset. Which damage
  can be told from a torn write, and which can't: docs/journal.md.
- The writer's first error is final. Nothing is written or reported as durable after it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from engine.segments import (
    END_MARK, FRAME_BYTES_MAX, HEADER_BYTES, SECTOR_BYTES, SEGMENT_BYTES_MIN, Frame,
    JournalDamage, Place, Segment, UnfinishedFrame, aligned, encode_head, frame_bytes,
    list_segments, make_segment, outcome_digest, segment_name, sync_directory, write_all,
    write_zeros)

__all__ = ["FRAME_BYTES_MAX", "FolderLock", "FolderLocked", "Frame", "Journal", "JournalDamage",
           "JournalReader", "JournalWriter", "Place", "outcome_digest"]

SEGMENT_BYTES = 64 << 20
COMMANDS_BYTES_MAX = FRAME_BYTES_MAX - frame_bytes(0)
NEXT_SEGMENT = "next.tmp"

log = logging.getLogger(__name__)


class FolderLocked(RuntimeError):
    """Another process uses the folder."""


class FolderLock:
    """Holds a folder for one process, by flock on its file LOCK; the kernel drops it at its end."""

    def __init__(self, directory: Path):
        """Raises FolderLocked, naming the other process, and OSError."""
        self.path = Path(directory) / "LOCK"
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(self.descriptor, 20, 0).decode("ascii", "replace").strip()
            self.release()
            raise FolderLocked(f"{directory} is in use by process {pid or 'unknown'}") from error
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        # The file stays: removing it would let two processes lock two files of the same name.
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Tail(NamedTuple):
    """Where the next frame goes, and what it follows. `last` is None if there is no frame yet."""
    path: Path
    offset: int
    segment_bytes: int
    journal_id: int
    previous: int
    last: Frame | None


class JournalReader:
    """Reads frames in order, also while another process writes. Takes no lock, repairs nothing.

    Remembers where it is: each call of `frames` goes on where the last one stopped.
    """

    def __init__(self, directory: Path, after_seq: int = 0):
        """Begin behind command `after_seq`, which must be the last of a frame. Reads nothing."""
        self.directory = Path(directory)
        self.after_seq = after_seq
        self.next_seq = 0
        self.offset = HEADER_BYTES
        self.last: Frame | None = None
        self.segment: Segment | None = None

    def close(self) -> None:
        if self.segment is not None:
            self.segment.close()
            self.segment = None

    def frames(self, until_seq: int | None = None) -> Iterator[Frame]:
        """Every frame up to the one that ends with `until_seq`, which must be durable by now.

        Without `until_seq`: up to where no frame follows, for a journal that nobody writes.
        Raises JournalDamage for anything else than whole frames, and where `until_seq` is missing.
        """
        if self.segment is None:
            self.begin()
        self.segment.forget_window()
        while until_seq is None or self.next_seq <= until_seq:
            frame = self.next_frame()
            if frame is None:
                if until_seq is not None:
                    raise self.segment.damage(
                        self.offset, f"the journal ends with command {self.next_seq - 1}, "
                                     f"{until_seq} is missing")
                return
            if frame.first_seq > self.after_seq:
                yield frame
            elif frame.last_seq > self.after_seq:
                raise self.segment.damage(
                    frame.place.offset, f"command {self.after_seq} is not the last of its frame")

    def begin(self) -> None:
        """Open the segment where reading starts. Raises JournalDamage."""
        segments = list_segments(self.directory)
        # The segment that holds `after_seq` itself, so that the chain is checked from there.
        begins = [entry for entry in segments if entry[0] <= max(self.after_seq, 1)]
        if not begins:
            first = f"it begins with {segments[0][0]}" if segments else "there is no segment"
            raise JournalDamage(self.directory, 0,
                                f"the journal lacks command {max(self.after_seq, 1)}: {first}")
        self.next_seq, path = begins[-1]
        self.segment = Segment(path, self.next_seq)

    def next_frame(self) -> Frame | None:
        """The frame where reading is, None if none was written there. Raises JournalDamage."""
        previous = self.last.checksum if self.last is not None else None
        if self.next_seq == 1:
            previous = 0
        frame = self.segment.frame_at(self.offset, self.next_seq, previous)
        if frame is None and self._enter_next_segment():
            frame = self.segment.frame_at(self.offset, self.next_seq, previous)
        if frame is not None:
            self.offset = aligned(frame.place.offset + frame_bytes(len(frame.commands)))
            self.next_seq += frame.count
            self.last = frame
        return frame

    def _enter_next_segment(self) -> bool:
        path = self.directory / segment_name(self.next_seq)
        if self.next_seq == self.segment.first_seq or not path.exists():
            return False
        following = Segment(path, self.next_seq)
        if following.journal_id != self.segment.journal_id:
            following.close()
            raise following.damage(0, "a segment of another journal")
        self.segment.close()
        self.segment = following
        self.offset = HEADER_BYTES
        return True


class Recovery:
    """One pass over the segments at start: finds the tail, cuts a torn frame, refuses damage.

    `torn` is true where an unfinished frame follows the last whole one.
    """

    def __init__(self, directory: Path, after_seq: int):
        """Begin with the segment that holds `after_seq`; there must be one."""
        self.directory = directory
        self.segments = list_segments(directory)
        self.reader = JournalReader(directory, after_seq)
        self.ends: dict[Path, int] = {}
        self.torn = False

    def run(self) -> Tail:
        """Raises JournalDamage, with nothing changed, and OSError."""
        try:
            tail = self._find_tail()
            self._make_durable()
            return tail
        finally:
            self.reader.close()

    def examine(self) -> Tail:
        """The tail as `run` gives it, but nothing is cut or written. Raises JournalDamage."""
        try:
            return self._find_tail()
        finally:
            self.reader.close()

    def _find_tail(self) -> Tail:
        reader = self.reader
        self.torn = self._walk()
        self._check_remains()
        if reader.next_seq <= reader.after_seq:
            raise reader.segment.damage(reader.offset, f"command {reader.after_seq} is missing")
        previous = reader.last.checksum if reader.last is not None else 0
        return Tail(reader.segment.path, reader.offset, reader.segment.segment_bytes,
                    reader.segment.journal_id, previous, reader.last)

    def _walk(self) -> bool:
        """Read every frame; true where a torn one follows the last whole one."""
        reader = self.reader
        try:
            reader.begin()
            while (frame := reader.next_frame()) is not None:
                self.ends[frame.place.path] = reader.offset
        except UnfinishedFrame as unfinished:
            if not self._in_last_segment() or self._is_followed(unfinished.end):
                raise
            return True
        segment, offset = reader.segment, reader.offset
        if not self._in_last_segment():
            raise segment.damage(offset, f"command {reader.next_seq} is missing, but there is "
                                         f"{self.segments[-1][1].name}")
        trace = segment.trace_after(offset)
        if trace is None:
            return False
        # The head is not there. Unwritten with its whole sector, or is this something else?
        if trace < (offset // SECTOR_BYTES + 1) * SECTOR_BYTES:
            raise segment.damage(trace, "bytes where no frame is")
        later = segment.head_after(trace)
        if later is not None:
            raise segment.damage(offset, f"no frame, but there is one at offset {later}")
        return True

    def _in_last_segment(self) -> bool:
        return self.reader.segment.path == self.segments[-1][1]

    def _is_followed(self, end: int) -> bool:
        return self.reader.segment.trace_after(end) is not None

    def _check_remains(self) -> None:
        """Behind the last frame of a segment that has a successor there are zeros only."""
        for first_seq, path in self.segments:
            if path not in self.ends or path == self.reader.segment.path:
                continue
            segment = Segment(path, first_seq)
            trace = segment.trace_after(self.ends[path])
            segment.close()
            if trace is not None:
                raise segment.damage(trace, "bytes behind the segment's last frame")

    def _make_durable(self) -> None:
        """Cut the torn frame, and write and sync the last whole one again.

        It may be in the kernel's memory only: the process before was killed ahead of its sync, or
        the sync failed, after which the kernel takes the pages for clean.
        """
        reader = self.reader
        segment, last = reader.segment, reader.last
        descriptor = os.open(segment.path, os.O_WRONLY)
        try:
            if last is not None and last.place.path == segment.path:
                start = last.place.offset
                frame = segment.read(start, frame_bytes(len(last.commands)))
                write_all(descriptor, [frame], start)
            if self.torn:
                log.warning("%s, offset %d: cut the torn last frame, whose sync never ended;"
                            " the journal ends with command %d",
                            segment.path, reader.offset, reader.next_seq - 1)
                write_zeros(descriptor, reader.offset, segment.segment_bytes)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(self.directory)


class Journal:
    """A recovered journal: everything in it is whole, in order and on disk.

    The caller holds the folder's lock. `last_seq`, `ts_ns`, `epoch` and `tail` are those of the
    moment of opening; a writer goes on from there.
    """

    def __init__(self, directory: Path, segment_bytes: int, tail: Tail):
        self.directory = directory
        self.segment_bytes = segment_bytes
        self.tail = tail
        last = tail.last
        self.last_seq = last.last_seq if last is not None else 0
        self.ts_ns = last.ts_ns if last is not None else 0
        self.epoch = last.epoch if last is not None else 0

    @classmethod
    def open(cls, directory: Path, segment_bytes: int = SEGMENT_BYTES,
             after_seq: int = 0) -> Journal:
        """Recover the journal in `directory`, or begin one. Raises JournalDamage, OSError.

        `segment_bytes` is the size of segments to come, a multiple of 512. Segments that hold
        nothing behind command `after_seq` (a snapshot's) are neither read nor needed.
        """
        if segment_bytes < SEGMENT_BYTES_MIN or segment_bytes % SECTOR_BYTES:
            raise ValueError(f"a segment has a multiple of {SECTOR_BYTES} bytes, at least "
                             f"{SEGMENT_BYTES_MIN}, not {segment_bytes}")
        directory = Path(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / NEXT_SEGMENT).unlink(missing_ok=True)
        if not list_segments(directory) and after_seq == 0:
            maker = SegmentMaker(directory, segment_bytes, secrets.randbits(64))
            maker.take(directory / segment_name(1))
        return cls(directory, segment_bytes, Recovery(directory, after_seq).run())

    def frames(self, after_seq: int = 0) -> Iterator[Frame]:
        """The frames behind command `after_seq`, the last of a frame. Raises JournalDamage."""
        reader = JournalReader(self.directory, after_seq)
        try:
            yield from reader.frames(self.last_seq)
        finally:
            reader.close()


class SegmentMaker:
    """Makes the segment to come in a thread of its own, so that a roll-over only renames a file."""

    def __init__(self, directory: Path, segment_bytes: int, journal_id: int):
        self.directory = directory
        self.segment_bytes = segment_bytes
        self.journal_id = journal_id
        self.path = directory / NEXT_SEGMENT
        self.thread: threading.Thread | None = None
        self.error: OSError | None = None
        self.closing = False

    def begin(self) -> None:
        """Start to make it, unless that has been done."""
        if self.thread is None:
            self.thread = threading.Thread(target=self._make_ahead, name="segment", daemon=True)
            self.thread.start()

    def _make_ahead(self) -> None:
        try:
            make_segment(self.path, self.segment_bytes, self.journal_id, lambda: self.closing)
        except OSError as error:
            # Not final: nothing has been entrusted to this file. `take` tries once more.
            log.error("the next journal segment cannot be made yet: %s", error)
            self.error = error

    def take(self, path: Path, segment_bytes: int = 0) -> int:
        """Put a new segment at `path` and return its size. Raises OSError.

        That is the one made ahead, or, where `segment_bytes` is more than it has, one made now.
        """
        segment_bytes = max(segment_bytes, self.segment_bytes)
        self._finish()
        if segment_bytes > self.segment_bytes or not self.path.exists() or self.error is not None:
            make_segment(self.path, segment_bytes, self.journal_id)
        os.rename(self.path, path)
        sync_directory(self.directory)
        self.error = None
        return segment_bytes

    def close(self) -> None:
        self.closing = True
        self._finish()
        self.path.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self.thread is not None:
            self.thread.join()
            self.thread = None


class Job(NamedTuple):
    """A batch on its way to the disk; fields as in Frame."""
    first_seq: int
    count: int
    ts_ns: int
    outcome: int
    commands: bytes


class JournalWriter:
    """The thread that writes frames, one at a time, and reports each to the event loop.

    `write` and `close` are for the loop's thread. `failed` is None or the reason of the first
    error; after it nothing is written any more.
    """

    def __init__(self, journal: Journal, epoch: int = 1):
        """`epoch`, at least that of the journal's last frame, goes into every frame written."""
        tail = journal.tail
        self.directory = journal.directory
        self.last_seq = journal.last_seq
        self.ts_ns = journal.ts_ns
        self.epoch = max(epoch, journal.epoch)
        self.failed: str | None = None
        self._path = tail.path
        self._offset = tail.offset
        self._end = tail.segment_bytes
        self._previous = tail.previous
        self._journal_id = tail.journal_id
        self._maker = SegmentMaker(journal.directory, journal.segment_bytes, tail.journal_id)
        self._descriptor = os.open(tail.path, os.O_WRONLY)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop = None
        self._on_done: Callable[[str | None], None] | None = None

    def start(self, loop, on_done: Callable[[str | None], None]) -> None:
        """Start the thread. After each `write` the loop calls `on_done`: with None when the frame
        is on disk, or with the reason why it is not and nothing ever will be again."""
        self._loop = loop
        self._on_done = on_done
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def write(self, first_seq: int, count: int, ts_ns: int, outcome: int, commands: bytes) -> None:
        """Hand over one frame; the one before must have been reported."""
        self._jobs.put(Job(first_seq, count, ts_ns, outcome, commands))

    def close(self) -> None:
        """Wait for what has been handed over, then end the thread."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        self._maker.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _run(self) -> None:
        while self.failed is None and (job := self._jobs.get()) is not None:
            try:
                self._commit(job)
            except Exception as error:  # whatever it is, it is unknown what the disk holds now
                self.failed = f"the journal cannot be written: {self._path}: {error}"
                log.critical("%s", self.failed)
            try:
                self._loop.call_soon_threadsafe(self._on_done, self.failed)
            except RuntimeError:
                # The loop was closed without closing us: nobody is left to wait for an answer.
                return

    def _commit(self, job: Job) -> None:
        """Write and sync one frame. Raises OSError."""
        size = frame_bytes(len(job.commands))
        if size > FRAME_BYTES_MAX:
            raise ValueError(f"a frame of {size} bytes")
        if self._offset + size > self._end:
            self._roll_over(job.first_seq, size)
        head, checksum = encode_head(self._journal_id, self._offset, job.first_seq, job.count,
                                     self.epoch, job.ts_ns, job.outcome, self._previous,
                                     job.commands)
        write_all(self._descriptor, [head, job.commands, END_MARK], self._offset)
        os.fdatasync(self._descriptor)
        self._previous = checksum
        self._offset = aligned(self._offset + size)
        self.last_seq = job.first_seq + job.count - 1
        self.ts_ns = job.ts_ns
        if self._offset > self._end // 4:
            self._maker.begin()

    def _roll_over(self, first_seq: int, size: int) -> None:
        """Go on in a new segment; all frames so far are durable."""
        path = self.directory / segment_name(first_seq)
        sectors = (HEADER_BYTES + size + SECTOR_BYTES - 1) // SECTOR_BYTES
        end = self._maker.take(path, sectors * SECTOR_BYTES)
        descriptor = os.open(path, os.O_WRONLY)
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._path = path
        self._offset = HEADER_BYTES
        self._end = end
