"""Writes journals with the real writer, and reads and damages their files, for the tests beside."""

import asyncio
import os
import struct
import tempfile
from contextlib import contextmanager
from pathlib import Path

from engine.journal import Journal, JournalWriter

MEMORY = Path("/dev/shm")
TIME_NS = 1_700_000_000_000_000_000


def record(kind: int, payload: bytes = b"") -> bytes:
    """A command record as far as journal and sequencer look into it: its size, and bytes."""
    size = 8 + len(payload) + -len(payload) % 8
    return struct.pack("<IHH", size, kind, 0) + payload.ljust(size - 8, b"\0")


@contextmanager
def folder_in_memory():
    """A folder whose syncs cost nothing, where the machine has one, for thousands of recoveries."""
    parent = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=parent) as name:
        yield Path(name)


def append(directory: Path, batches: list[list[bytes]], segment_bytes: int = 1024) -> Journal:
    """Open the journal and write one frame a batch; returns the journal as it was opened."""
    return asyncio.run(append_async(directory, batches, segment_bytes))


async def append_async(directory: Path, batches: list[list[bytes]], segment_bytes: int) -> Journal:
    journal = Journal.open(directory, segment_bytes)
    writer = JournalWriter(journal)
    done: asyncio.Queue[str | None] = asyncio.Queue()
    writer.start(asyncio.get_running_loop(), done.put_nowait)
    seq = journal.last_seq
    for batch in batches:
        writer.write(seq + 1, len(batch), TIME_NS + seq, seq * 7, b"".join(batch))
        if (failure := await done.get()) is not None:
            raise OSError(failure)
        seq += len(batch)
    writer.close()
    return journal


def commands_of(directory: Path, segment_bytes: int = 1024) -> list[bytes]:
    """Recover, and give each frame's commands."""
    return [frame.commands for frame in Journal.open(directory, segment_bytes).frames()]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def put_contents(directory: Path, files: dict[str, bytes]) -> None:
    """Make `directory` hold exactly `files`."""
    directory.mkdir(exist_ok=True)
    for name in os.listdir(directory):
        if name not in files:
            (directory / name).unlink()
    for name, content in files.items():
        (directory / name).write_bytes(content)
