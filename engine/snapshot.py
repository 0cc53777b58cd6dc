"""Snapshots: the whole state at one seq in one file, so that a start need not replay everything.

    head (128 bytes) | what core.dump() gave

The head is little-endian: `8s magic, u32 version, u32 epoch, 16s layout, u64 seq, u64 ts_ns,
u64 frame_checksum, 16s state_hash, u64 length, 32 zero bytes, 16s checksum`. `layout` names the
form of the dump (another program version may write another), `frame_checksum` is that of the frame
that ends with `seq`, `length` counts the bytes of the dump, and the checksum (xxh3_128) covers all
else.

Invariants:
- A file with a snapshot's name is whole: it is written under another name, synced, renamed, and the
  folder is synced. What is not whole nevertheless is damage, and never used.
- A snapshot is a shortcut, not the truth. Without any, the journal gives the same state, later.
"""

from __future__ import annotations

import logging
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import xxhash

from engine.core import LAYOUT
from engine.segments import sync_directory

MAGIC = b"OREBSNAP"
VERSION = 1
HEAD = struct.Struct("<8sII16sQQQ16sQ32x16s")
CHECKSUM_BYTES = 16
WRITE_BYTES = 8 << 20
SUFFIX = ".snap"
KEEP = 3

if HEAD.size != 128 or len(LAYOUT) != 16:
    raise ImportError(f"a snapshot's head has {HEAD.size} bytes, its layout {len(LAYOUT)}")

log = logging.getLogger(__name__)


class SnapshotUnusable(Exception):
    """This file can't be loaded; the message names it and says why."""


class SnapshotDamage(SnapshotUnusable):
    """Its bytes are not those that were written."""


class SnapshotOutdated(SnapshotUnusable):
    """Whole, but of another program version."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the head says. `state_hash` as core.state_hash() gives it: 32 hexadecimal digits."""
    seq: int
    ts_ns: int
    epoch: int
    frame_checksum: int
    state_hash: str


def snapshot_path(directory: Path, seq: int) -> Path:
    return Path(directory) / f"{seq:020d}{SUFFIX}"


def list_snapshots(directory: Path) -> list[tuple[int, Path]]:
    """(seq, path) of every file with a snapshot's name, newest first, not looked into."""
    found = [(int(path.stem), path) for path in Path(directory).glob(f"*{SUFFIX}")
             if path.stem.isascii() and path.stem.isdigit()]
    return sorted(found, reverse=True)


def write_snapshot_file(directory: Path, snapshot: Snapshot, dump: bytes,
                        keep: int = KEEP) -> Path:
    """Write a snapshot durably, then remove all but the newest `keep`. Raises OSError.

    A file that is there already is replaced: it has the same state, or it is damaged.
    """
    directory = Path(directory)
    directory.mkdir(mode=0o700, exist_ok=True)
    path = snapshot_path(directory, snapshot.seq)
    unfinished = path.with_suffix(".tmp")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for part in (encode_head(snapshot, dump), dump):
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(descriptor, rest[:WRITE_BYTES]):]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(unfinished, path)
    sync_directory(directory)
    remove_old(directory, keep)
    return path


def remove_old(directory: Path, keep: int) -> None:
    """Remove what a crash left unfinished, and all but the newest `keep` (at least one)."""
    for path in Path(directory).glob("*.tmp"):
        path.unlink(missing_ok=True)
    for _, path in list_snapshots(directory)[max(keep, 1):]:
        path.unlink(missing_ok=True)


def read_snapshot(path: Path) -> tuple[Snapshot, bytes]:
    """A snapshot and its dump. Raises SnapshotDamage, SnapshotOutdated."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise SnapshotDamage(f"{path}: {error.strerror}") from error
    if len(content) < HEAD.size:
        raise SnapshotDamage(f"{path}: {len(content)} bytes are less than its head")
    (magic, version, epoch, layout, seq, ts_ns, frame_checksum, state_hash, length,
     checksum) = HEAD.unpack_from(content)
    body = memoryview(content)
    if magic != MAGIC:
        raise SnapshotDamage(f"{path}: this is no snapshot")
    if digest_of(body[:HEAD.size - CHECKSUM_BYTES], body[HEAD.size:]) != checksum:
        raise SnapshotDamage(f"{path}: wrong checksum")
    if len(content) - HEAD.size != length or snapshot_path(Path(path).parent, seq) != Path(path):
        raise SnapshotDamage(f"{path}: its head tells of seq {seq} and {length} bytes")
    if version != VERSION or layout != LAYOUT:
        raise SnapshotOutdated(f"{path}: version {version}, layout {layout!r}")
    return Snapshot(seq, ts_ns, epoch, frame_checksum, state_hash.hex()), bytes(body[HEAD.size:])


def newest_good(directory: Path, max_seq: int | None = None,
                max_ns: int | None = None) -> tuple[Snapshot, bytes] | None:
    """The newest snapshot that can be used, at most of seq `max_seq` and time `max_ns`; or None.

    What can't be used is passed over with a line in the log.
    """
    for seq, path in list_snapshots(directory):
        if max_seq is not None and seq > max_seq:
            continue
        try:
            snapshot, dump = read_snapshot(path)
        except SnapshotUnusable as reason:
            log.warning("snapshot passed over: %s", reason)
            continue
        if max_ns is None or snapshot.ts_ns <= max_ns:
            return snapshot, dump
    return None


def encode_head(snapshot: Snapshot, dump: bytes) -> bytes:
    head = HEAD.pack(MAGIC, VERSION, snapshot.epoch, LAYOUT, snapshot.seq, snapshot.ts_ns,
                     snapshot.frame_checksum, bytes.fromhex(snapshot.state_hash), len(dump),
                     bytes(CHECKSUM_BYTES))
    head = head[:-CHECKSUM_BYTES]
    return head + digest_of(head, dump)


def digest_of(*parts: bytes | memoryview) -> bytes:
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(part)
    return digest.digest()
