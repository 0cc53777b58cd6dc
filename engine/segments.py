"""The journal's files: a segment is a header and frames, made ahead in full size, zero-filled.

The format, and why a torn frame can be told from a damaged one: docs/journal.md. In short:

- A frame starts at a multiple of 64 bytes, so its head never straddles a sector of 512 bytes.
- A head states how many sectors of its commands are blank (all zero) as written, and a mark ends
  each frame. What a crash left unwritten still reads as zeros. So more blank sectors than stated
  or an unwritten mark mean: unfinished. Neither, and yet a wrong checksum: damaged.
- Checksums are seeded with the journal's own random number. No frame of another journal, and no
  bytes inside a command, can pass for a frame of this one.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_64, xxh3_64_intdigest

ALIGNMENT_BYTES = 64
SECTOR_BYTES = 512
FRAME_BYTES_MAX = 16 << 20
SEGMENT_BYTES_MIN = 1024

FRAME_MAGIC = 0x464F
FRAME_MAGIC_BYTES = FRAME_MAGIC.to_bytes(2, "little")
# magic, blank sectors, length, first_seq, count, epoch, ts_ns, outcome, previous, the commands'
# checksum; then the checksum of these fields
HEAD_FIELDS = struct.Struct("<HHIQIIQQQQ")
HEAD = struct.Struct("<HHIQIIQQQQQ")
HEAD_BYTES = HEAD.size
# No flip of one bit makes a byte of it zero.
END_MARK = b"ENDFRAME"

SEGMENT_MAGIC = b"OREBOOK1"
# magic, journal id, size of the file, 32 zero bytes; then the checksum of these fields
HEADER_FIELDS = struct.Struct("<8sQQ32x")
HEADER = struct.Struct("<8sQQ32xQ")
HEADER_BYTES = HEADER.size

CHUNK_BYTES = 1 << 20
WINDOW_BYTES_MIN = 16 << 10
ZEROS = bytes(CHUNK_BYTES)
BLANK_HEAD = bytes(HEAD_BYTES)
BLANK_SECTOR = bytes(SECTOR_BYTES)

if HEAD_BYTES != 64 or HEADER_BYTES != 64 or FRAME_BYTES_MAX // SECTOR_BYTES + 1 > 0xFFFF:
    raise ImportError("the frame's layout does not hold together")


class JournalDamage(RuntimeError):
    """The journal is not what was written: where, and what is wrong. Nothing has been changed."""

    def __init__(self, path: Path, offset: int, reason: str):
        super().__init__(f"{path}, offset {offset}: {reason}")
        self.path = path
        self.offset = offset
        self.reason = reason


class UnfinishedFrame(JournalDamage):
    """A frame with sectors that were never written: torn if it is the very last, else damage.

    `end` is the offset where the frame after it would begin.
    """

    def __init__(self, path: Path, offset: int, end: int):
        super().__init__(path, offset, "a frame was not written to its end")
        self.end = end


class Place(NamedTuple):
    """Where a frame is: the segment's file and the offset in it, in bytes."""
    path: Path
    offset: int


class Frame(NamedTuple):
    """One batch as it was applied. `outcome` is the outcome_digest of its results and events."""
    first_seq: int
    count: int
    epoch: int
    ts_ns: int
    outcome: int
    commands: bytes
    place: Place
    checksum: int

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.count - 1


def outcome_digest(results: bytes, events: bytes) -> int:
    """xxh3_64 over a batch's results, then its events: what a replay must reproduce."""
    digest = xxh3_64(results)
    digest.update(events)
    return digest.intdigest()


def aligned(offset: int) -> int:
    """The first place at or after `offset` where a frame may start."""
    return (offset + ALIGNMENT_BYTES - 1) & -ALIGNMENT_BYTES


def blank_sectors(commands: bytes, frame_offset: int) -> int:
    """How many sectors within the commands of a frame at `frame_offset` are zero throughout.

    The frame's first and last sector never are: there are the head and the end mark.
    """
    first = SECTOR_BYTES - frame_offset % SECTOR_BYTES - HEAD_BYTES
    blank = 0
    for at in range(first, len(commands) - SECTOR_BYTES + 1, SECTOR_BYTES):
        if commands[at:at + SECTOR_BYTES] == BLANK_SECTOR:
            blank += 1
    return blank


def frame_bytes(commands_bytes: int) -> int:
    """The length of a frame with that many bytes of commands."""
    return HEAD_BYTES + commands_bytes + len(END_MARK)


def encode_head(journal_id: int, offset: int, first_seq: int, count: int, epoch: int, ts_ns: int,
                outcome: int, previous: int, commands: bytes) -> tuple[bytes, int]:
    """The 64 bytes before `commands` in a frame at `offset`, and their checksum.

    `previous` is the checksum of the frame before, 0 for the first of all.
    """
    fields = HEAD_FIELDS.pack(
        FRAME_MAGIC, blank_sectors(commands, offset), frame_bytes(len(commands)), first_seq,
        count, epoch, ts_ns, outcome, previous, xxh3_64_intdigest(commands, journal_id))
    checksum = xxh3_64_intdigest(fields, journal_id)
    return fields + checksum.to_bytes(8, "little"), checksum


def segment_name(first_seq: int) -> str:
    return f"{first_seq:020}.seg"


def list_segments(directory: Path) -> list[tuple[int, Path]]:
    """(first_seq, path) of every segment, in order. A .seg file with another name is refused."""
    segments = []
    for path in directory.glob("*.seg"):
        if not re.fullmatch("[0-9]{20}", path.stem):
            raise JournalDamage(path, 0, "a segment has its first command's number as name")
        segments.append((int(path.stem), path))
    return sorted(segments)


def write_all(descriptor: int, parts: list[bytes], offset: int) -> None:
    """Write `parts` one behind the other at `offset`. Raises OSError."""
    size = sum(map(len, parts))
    written = os.pwritev(descriptor, parts, offset)
    while written < size:
        # Only a nearly full disk, a limit or a signal ends a write early; the next one says which.
        rest = memoryview(b"".join(parts))[written:]
        count = os.pwrite(descriptor, rest, offset + written)
        if count == 0:
            raise OSError(f"the file takes no more bytes at offset {offset + written}")
        written += count


def write_zeros(descriptor: int, start: int, end: int) -> None:
    for offset in range(start, end, CHUNK_BYTES):
        write_all(descriptor, [ZEROS[:min(CHUNK_BYTES, end - offset)]], offset)


def sync_directory(directory: Path) -> None:
    """Make created, renamed and removed names in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Segment:
    """A segment open for reading, with one window of it in memory.

    Invariant: the file has the size that its header states. It got it before its first frame, so
    a shorter one was cut by something else than a crash, and frames may be missing.
    """

    def __init__(self, path: Path, first_seq: int):
        self.path = path
        self.first_seq = first_seq
        self.descriptor = os.open(path, os.O_RDONLY)
        self.forget_window()
        try:
            self.segment_bytes = os.fstat(self.descriptor).st_size
            self.journal_id = self._read_header()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def forget_window(self) -> None:
        """Read anew what is asked for next: the file may have got more frames."""
        self.window = b""
        self.window_offset = 0
        self.window_bytes = WINDOW_BYTES_MIN

    def _read_header(self) -> int:
        header = self.read(0, HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            raise self.damage(0, f"the file has only {self.segment_bytes} bytes: it was cut")
        magic, journal_id, segment_bytes, checksum = HEADER.unpack(header)
        if magic != SEGMENT_MAGIC or xxh3_64_intdigest(header[:-8]) != checksum:
            raise self.damage(0, "this is no segment's header")
        if segment_bytes != self.segment_bytes:
            raise self.damage(0, f"the file has {self.segment_bytes} bytes, not {segment_bytes}")
        return journal_id

    def damage(self, offset: int, reason: str) -> JournalDamage:
        return JournalDamage(self.path, offset, reason)

    def read(self, offset: int, size: int) -> bytes:
        """The bytes there, fewer at the file's end. Raises JournalDamage if they are unreadable."""
        at = offset - self.window_offset
        if at < 0 or at + size > len(self.window):
            try:
                self.window = os.pread(self.descriptor, max(size, self.window_bytes), offset)
            except OSError as error:
                raise self.damage(offset, f"unreadable: {error.strerror}") from error
            self.window_offset = offset
            # A follower reads a frame at a time, a replay all of it: grow with what is asked for.
            self.window_bytes = min(4 * self.window_bytes, CHUNK_BYTES)
            at = 0
        return self.window[at:at + size]

    def frame_at(self, offset: int, first_seq: int, previous: int | None) -> Frame | None:
        """The frame there, or None where none was written (64 zero bytes, or no room for a head).

        `first_seq` is the number it must begin with; `previous` the checksum of the frame before,
        or None where that is not known. Raises UnfinishedFrame, JournalDamage.
        """
        head = self.read(offset, HEAD_BYTES)
        if len(head) < HEAD_BYTES or head == BLANK_HEAD:
            return None
        (magic, blank, length, head_first_seq, count, epoch, ts_ns, outcome, head_previous, body,
         checksum) = HEAD.unpack(head)
        if magic != FRAME_MAGIC or xxh3_64_intdigest(head[:-8], self.journal_id) != checksum:
            # A whole frame has its end mark behind the head. With nothing there, the write ended
            # within the head.
            if self.trace_after(offset + HEAD_BYTES) is None:
                raise UnfinishedFrame(self.path, offset, offset + HEAD_BYTES)
            raise self.damage(offset, "a frame's head has a wrong checksum")
        if head_first_seq != first_seq:
            raise self.damage(offset, f"a frame begins with command {head_first_seq}, "
                                      f"not {first_seq}")
        if previous is not None and head_previous != previous:
            raise self.damage(offset, "a frame does not follow the one before it")
        if length < frame_bytes(0) or offset + length > self.segment_bytes:
            raise self.damage(offset, f"a frame of {length} bytes does not fit into its segment")
        rest = self.read(offset + HEAD_BYTES, length - HEAD_BYTES)
        commands, mark = rest[:-len(END_MARK)], rest[-len(END_MARK):]
        if mark != END_MARK or xxh3_64_intdigest(commands, self.journal_id) != body:
            written = mark.rstrip(b"\0")
            if mark != END_MARK and END_MARK.startswith(written) \
                    or blank_sectors(commands, offset) > blank:
                raise UnfinishedFrame(self.path, offset, aligned(offset + length))
            raise self.damage(offset, "a frame's commands have a wrong checksum")
        place = Place(self.path, offset)
        return Frame(first_seq, count, epoch, ts_ns, outcome, commands, place, checksum)

    def trace_after(self, offset: int) -> int | None:
        """Offset of the first byte at or after `offset` that is not zero."""
        while chunk := self.read(offset, CHUNK_BYTES):
            if chunk != ZEROS[:len(chunk)]:
                return offset + len(chunk) - len(chunk.lstrip(b"\0"))
            offset += len(chunk)
        return None

    def head_after(self, offset: int) -> int | None:
        """Offset of the first valid head of a frame of this journal at or after `offset`."""
        for base in range(aligned(offset), self.segment_bytes, CHUNK_BYTES):
            chunk = self.read(base, CHUNK_BYTES)
            at = chunk.find(FRAME_MAGIC_BYTES)
            while at >= 0:
                head = chunk[at:at + HEAD_BYTES]
                if at % ALIGNMENT_BYTES == 0 and len(head) == HEAD_BYTES:
                    checksum = int.from_bytes(head[-8:], "little")
                    if checksum == xxh3_64_intdigest(head[:-8], self.journal_id):
                        return base + at
                at = chunk.find(FRAME_MAGIC_BYTES, at + 1)
        return None


def make_segment(path: Path, segment_bytes: int, journal_id: int, stop=lambda: False) -> None:
    """Create a segment without frames, every byte of it really written and synced. Raises OSError.

    It goes to disk piece by piece: one sync of all of it would make a commit of that moment wait.
    `stop()` is asked between two pieces; true ends the work with the file unfinished.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, segment_bytes)
        for start in range(0, segment_bytes, CHUNK_BYTES):
            write_zeros(descriptor, start, min(start + CHUNK_BYTES, segment_bytes))
            os.fdatasync(descriptor)
            if stop():
                return
        fields = HEADER_FIELDS.pack(SEGMENT_MAGIC, journal_id, segment_bytes)
        write_all(descriptor, [fields, xxh3_64_intdigest(fields).to_bytes(8, "little")], 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
