"""Hours of work on disk: what every worker and every account did in one, a file each.

    head (48 bytes) | index | blocks

The head is little-endian: `8s magic, u32 version, u32 rows of a block, i64 hour, u32 workers,
u32 accounts, u64 length of the file, u64 checksum`. There are two tables of u64: of workers, by
number, with accepted and rejected work; of accounts, by place (pool/workers), with the low and the
high half of both and how many workers were active. A table ends behind its last row that is not
zero. It is cut into blocks; the index has 12 bytes for each, the workers' first: `u64 checksum, u32
size`. A block has the lowest bytes of its first column, then the next ones and so on, and that
compressed by zlib; one of zeros has size 0. Checksums are xxh3_64: the head's covers the head
before it and the index, a block's its bytes as they lie there.

A worker's number names one worker within the hours that may be read. It is given out again only
after its worker was dropped, which happens when a day D begins and the last share came before the
day D - 30: so the old worker's hours end before hour 24 (D - 30). The new one comes on day D or
later, and its shares count from 600 s before that on. Whoever reads on a day T >= D reads nothing
before hour 24 (T - 30) (`first_hour_kept`), so only hours of the new one.

Invariants:
- The same sums give the same file, at whatever time they are written.
- A file with an hour's name is whole: it is written under another name, synced, renamed, and the
  folder is synced. What is not whole nevertheless is damage, and none of its numbers is told.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash

MAGIC = b"OREHOURS"
VERSION = 1
HEAD = struct.Struct("<8sIIqIIQQ")
CHECKSUM_BYTES = 8
ENTRY_DTYPE = np.dtype([("checksum", "<u8"), ("size", "<u4")])
BLOCK_ROWS = 4096
ROWS_MAX = 1 << 23
COMPRESSION_LEVEL = 1
WORKER_COLUMNS = 2
ACCOUNT_COLUMNS = 5
FIRST_READ_BYTES = 8192    # head and index of a million workers
SUFFIX = ".hrs"
HOURS_KEPT = 31 * 24       # files; a day more than may be read
DAYS_READ = 30

if HEAD.size != 48 or ENTRY_DTYPE.itemsize != 12:
    raise ImportError(f"a head has {HEAD.size} bytes, an entry {ENTRY_DTYPE.itemsize}")


class HourDamage(Exception):
    """This file can't be read; the message names it and says why."""


class HourMissing(HourDamage):
    """There is no file of this hour."""


class AccountHour(NamedTuple):
    """What an account's workers did in an hour; work in 2^-16."""

    accepted: int
    rejected: int
    active: int           # workers with accepted work


def first_hour_kept(now_s: int) -> int:
    """The first hour that may be read at a moment: where the day 30 days before begins."""
    return max((now_s // 86400 - DAYS_READ) * 24, 0)


# -- writing ---------------------------------------------------------------------------------------

def encoded(hour: int, workers: Sequence[np.ndarray], accounts: Sequence[np.ndarray]) -> bytes:
    """A file's bytes. The columns of `workers` are arrays of u64 by number, those of `accounts` by
    place (pool/workers: `sums_of_hour`, `account_sums_of_hour`)."""
    tables = [rows_of(workers, WORKER_COLUMNS), rows_of(accounts, ACCOUNT_COLUMNS)]
    blocks = [packed(table[first:first + BLOCK_ROWS]) for table in tables
              for first in range(0, len(table), BLOCK_ROWS)]
    index = np.zeros(len(blocks), ENTRY_DTYPE)
    index["checksum"] = [xxhash.xxh3_64_intdigest(block) for block in blocks]
    index["size"] = [len(block) for block in blocks]
    length = HEAD.size + index.nbytes + sum(map(len, blocks))
    head = HEAD.pack(MAGIC, VERSION, BLOCK_ROWS, hour, *map(len, tables), length, 0)
    head = head[:-CHECKSUM_BYTES]
    checksum = xxhash.xxh3_64_intdigest(head + index.tobytes())
    return b"".join([head, checksum.to_bytes(CHECKSUM_BYTES, "little"), index.tobytes(), *blocks])


def rows_of(columns: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Columns side by side, up to the last row that is not zero."""
    if len(columns) != count:
        raise ValueError(f"{len(columns)} columns, not {count}")
    used = [int(filled[-1]) + 1 for filled in map(np.flatnonzero, columns) if len(filled)]
    length = max(used, default=0)
    if length > ROWS_MAX:
        raise ValueError(f"{length} rows are too many")
    return np.column_stack([column[:length] for column in columns]).astype("<u8", copy=False)


def packed(rows: np.ndarray) -> bytes:
    """A block's bytes."""
    if not rows.any():
        return b""
    # Byte by byte: the upper ones of all rows are zero, or nearly the same.
    planes = rows.view(np.uint8).reshape(len(rows), -1).T
    return zlib.compress(planes.tobytes(), COMPRESSION_LEVEL)


# -- reading ---------------------------------------------------------------------------------------

class HourFile:
    """An hour's file, open for reading: `with HourFile(path) as file`. Every call raises HourDamage
    where the bytes it needs are not those that were written."""

    def __init__(self, path: Path):
        self.path = Path(path)
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            raise HourMissing(f"{self.path}: it is not there") from None
        except OSError as error:
            raise HourDamage(f"{self.path}: {error.strerror}") from error
        try:
            self._read_index()
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> HourFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def worker(self, number: int) -> tuple[int, int]:
        """Accepted and rejected work of a worker."""
        return self._row(0, number, WORKER_COLUMNS)

    def account(self, place: int) -> AccountHour:
        """What was done for the account in a place."""
        accepted, accepted_high, rejected, rejected_high, active = self._row(
            1, place, ACCOUNT_COLUMNS)
        return AccountHour(accepted_high << 64 | accepted, rejected_high << 64 | rejected, active)

    def workers(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Accepted and rejected work of workers, whose numbers rise."""
        works = np.zeros((len(numbers), WORKER_COLUMNS), np.uint64)
        blocks = -(-self._rows[0] // BLOCK_ROWS)
        ends = np.searchsorted(numbers, np.arange(blocks + 1) * BLOCK_ROWS)
        for block in range(blocks):
            first, end = ends[block], ends[block + 1]
            # Behind the table's last row there are zeros.
            end = first + np.searchsorted(numbers[first:end], self._rows[0])
            if first < end and (content := self._block(0, block, WORKER_COLUMNS)):
                planes = np.frombuffer(content, np.uint8).reshape(8 * WORKER_COLUMNS, -1)
                wanted = planes[:, numbers[first:end] - block * BLOCK_ROWS]
                works[first:end] = np.ascontiguousarray(wanted.T).view("<u8")
        return works[:, 0], works[:, 1]

    def check(self) -> None:
        """Look at every byte."""
        for at, entry in enumerate(self._index):
            self._bytes_of(at, entry)

    def _read_index(self) -> None:
        head = self._read(0, FIRST_READ_BYTES)
        if len(head) < HEAD.size:
            raise HourDamage(f"{self.path}: {len(head)} bytes are less than its head")
        (magic, version, block_rows, hour, workers, accounts, length,
         checksum) = HEAD.unpack_from(head)
        if magic != MAGIC or version != VERSION or block_rows != BLOCK_ROWS:
            raise HourDamage(f"{self.path}: this is no hour, or one of version {version}")
        if workers > ROWS_MAX or accounts > ROWS_MAX:
            raise HourDamage(f"{self.path}: {workers} workers, {accounts} accounts")
        self._rows = workers, accounts
        self._first_account_block = -(-workers // BLOCK_ROWS)
        count = self._first_account_block - (-accounts // BLOCK_ROWS)
        end = HEAD.size + count * ENTRY_DTYPE.itemsize
        if end > len(head):
            head += self._read(len(head), end - len(head))
        checked = head[:HEAD.size - CHECKSUM_BYTES] + head[HEAD.size:end]
        if len(head) < end or xxhash.xxh3_64_intdigest(checked) != checksum:
            raise HourDamage(f"{self.path}: wrong checksum")
        self._index = np.frombuffer(head, ENTRY_DTYPE, count, HEAD.size)
        self._ends = end + np.cumsum(self._index["size"], dtype=np.int64)
        if (os.fstat(self._descriptor).st_size != length or length != (
                self._ends[-1] if count else end) or self.path.name != name_of(hour)):
            raise HourDamage(f"{self.path}: its head tells of hour {hour} and {length} bytes")

    def _read(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise HourDamage(f"{self.path}: {error.strerror}") from error

    def _bytes_of(self, at: int, entry: np.void) -> bytes:
        """A block as it lies there."""
        size = int(entry["size"])
        content = self._read(int(self._ends[at]) - size, size) if size else b""
        if len(content) != size or xxhash.xxh3_64_intdigest(content) != entry["checksum"]:
            raise HourDamage(f"{self.path}: block {at} has a wrong checksum")
        return content

    def _block(self, table: int, block: int, columns: int) -> bytes:
        """A block's planes, empty where all is zero."""
        at = block + table * self._first_account_block
        content = self._bytes_of(at, self._index[at])
        if not content:
            return b""
        rows = min(self._rows[table] - block * BLOCK_ROWS, BLOCK_ROWS)
        try:
            planes = zlib.decompress(content, bufsize=8 * columns * rows)
        except zlib.error as error:
            raise HourDamage(f"{self.path}: block {at}: {error}") from error
        if len(planes) != 8 * columns * rows:
            raise HourDamage(f"{self.path}: block {at} has {len(planes)} bytes")
        return planes

    def _row(self, table: int, number: int, columns: int) -> tuple[int, ...]:
        if number >= self._rows[table]:
            return (0,) * columns
        block, row = divmod(number, BLOCK_ROWS)
        planes = self._block(table, block, columns)
        if not planes:
            return (0,) * columns
        return struct.unpack(f"<{columns}Q", planes[row::len(planes) // (8 * columns)])


# -- the folder ------------------------------------------------------------------------------------

def name_of(hour: int) -> str:
    return f"{hour:010d}{SUFFIX}"


class HourFolder:
    """The hours that are on disk. An hour counts from 1970-01-01."""

    def __init__(self, directory: Path):
        self.directory = Path(directory)

    def path_of(self, hour: int) -> Path:
        return self.directory / name_of(hour)

    def hours(self) -> list[int]:
        """Those that have a file, rising; the files are not looked into."""
        return sorted(int(path.stem) for path in self.directory.glob(f"*{SUFFIX}")
                      if path.stem.isascii() and path.stem.isdigit())

    def open(self, hour: int) -> HourFile:
        """Raises HourMissing, HourDamage."""
        return HourFile(self.path_of(hour))

    def fault_of(self, hour: int) -> HourDamage | None:
        """What is wrong with an hour's file; None where it is whole."""
        try:
            with self.open(hour) as file:
                file.check()
        except HourDamage as damage:
            return damage
        return None

    def write(self, hour: int, workers: Sequence[np.ndarray],
              accounts: Sequence[np.ndarray]) -> None:
        """Write an hour's file durably, in the place of one that is there. Raises OSError."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        path = self.path_of(hour)
        unfinished = path.with_suffix(".tmp")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            rest = memoryview(encoded(hour, workers, accounts))
            while rest:
                rest = rest[os.write(descriptor, rest):]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(unfinished, path)
        self._sync()

    def remove_before(self, hour: int) -> None:
        """Remove the files of earlier hours, and what a crash left unfinished. Raises OSError."""
        for path in self.directory.glob("*.tmp"):
            path.unlink(missing_ok=True)
        for earlier in self.hours():
            if earlier < hour:
                self.path_of(earlier).unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Raises OSError."""
        for hour in self.hours():
            self.path_of(hour).unlink(missing_ok=True)

    def _sync(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
