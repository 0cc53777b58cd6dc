"""Real failures of disk and process: nothing counts as durable that is not, and nobody hangs."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.journal import Journal, JournalWriter
from engine.sequencer import HouseStopped, Sequencer
from tests.engine.journal_files import append_async, commands_of, record
from tests.engine.test_sequencer import EchoCore

ROOT = Path(__file__).parents[2]
SEGMENT_BYTES = 4096

# Submits commands for ever and prints each acknowledged number; a limit on file sizes may stop it.
SERVER = """
import asyncio, resource, sys
from engine.journal import Journal, JournalWriter
from engine.sequencer import HouseStopped, Sequencer
from tests.engine.journal_files import record
from tests.engine.test_sequencer import EchoCore

async def client(sequencer):
    while True:
        reply = await sequencer.submit(record(1, b"x" * 40))
        print(reply.order_id, flush=True)

async def main(directory, limit_bytes):
    journal = Journal.open(directory, 4096)
    sequencer = Sequencer(EchoCore(journal.last_seq, journal.ts_ns), JournalWriter(journal))
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    answers = await asyncio.gather(*(client(sequencer) for _ in range(5)), return_exceptions=True)
    if not all(isinstance(answer, HouseStopped) for answer in answers):
        raise SystemExit(repr(answers))
    await sequencer.close()
    raise SystemExit("stopped: " + sequencer.stopped)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def serve(directory: Path, limit_bytes: int = 0) -> subprocess.Popen:
    command = [sys.executable, "-c", SERVER, str(directory), str(limit_bytes)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)


def last_seq(directory: Path) -> int:
    return Journal.open(directory, SEGMENT_BYTES).last_seq


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_kill(tmp_path):
    acknowledged = 0
    for life in range(3):
        server = serve(tmp_path)
        for line in server.stdout:
            acknowledged = int(line)
            if acknowledged >= 300 * (life + 1):
                break
        server.send_signal(signal.SIGKILL)
        rest = server.communicate()[0].splitlines()
        acknowledged = max([acknowledged, *map(int, rest)])
        assert last_seq(tmp_path) >= acknowledged
    assert len(list(tmp_path.glob("*.seg"))) > 3


@pytest.mark.slow
@pytest.mark.parametrize("limit_bytes", [1000, 2048, 4000])
def test_a_file_limit_stops_the_house_with_every_yes_on_disk(tmp_path, limit_bytes):
    server = serve(tmp_path, limit_bytes)
    out, err = server.communicate()
    assert server.returncode == 1
    assert "stopped: the journal cannot be written" in err and "File too large" in err
    acknowledged = max(map(int, out.split()), default=0)
    assert acknowledged <= last_seq(tmp_path) <= acknowledged + 5


@pytest.mark.slow
def test_a_full_disk_stops_the_house_and_room_lets_it_go_on(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        server = serve(disk)
        out, err = server.communicate()
        assert "stopped: the journal cannot be written" in err and "No space left" in err
        acknowledged = max(map(int, out.split()))
        assert last_seq(disk) == acknowledged
        subprocess.run(["mount", "-o", "remount,size=256k", str(disk)], check=True)
        asyncio.run(append_async(disk, [[record(2, bytes(1000))]] * 5, SEGMENT_BYTES))
        assert last_seq(disk) == acknowledged + 5
    finally:
        subprocess.run(["umount", str(disk)], check=True)


async def break_the_disk(directory: Path, exchange_descriptor) -> None:
    journal = Journal.open(directory, SEGMENT_BYTES)
    writer = JournalWriter(journal)
    sequencer = Sequencer(EchoCore(), writer)
    reasons = []
    sequencer.on_stop(reasons.append)
    await sequencer.submit(record(1))
    exchange_descriptor(writer)
    futures = [sequencer.submit(record(2)) for _ in range(3)]
    await asyncio.sleep(0)
    later = [sequencer.submit(record(3)) for _ in range(3)]
    read = asyncio.ensure_future(sequencer.settled())
    for answer in await asyncio.gather(*futures, *later, read, return_exceptions=True):
        assert isinstance(answer, HouseStopped)
    with pytest.raises(HouseStopped, match="cannot be written"):
        sequencer.submit(record(4))
    with pytest.raises(HouseStopped):
        await sequencer.settled()
    assert sequencer.durable_seq == 1
    assert reasons == [sequencer.stopped] == [writer.failed]
    await sequencer.close()


def read_only(writer: JournalWriter) -> None:
    """The writer's file, open for reading only: EBADF at the first write."""
    descriptor = os.open(writer._path, os.O_RDONLY)
    os.dup2(descriptor, writer._descriptor)
    os.close(descriptor)


def always_full(writer: JournalWriter) -> None:
    """A device that takes no byte: ENOSPC."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    os.dup2(descriptor, writer._descriptor)
    os.close(descriptor)


def without_sync(writer: JournalWriter) -> None:
    """A device that takes everything and cannot sync: the write succeeds, fdatasync is EINVAL."""
    descriptor = os.open("/dev/null", os.O_WRONLY)
    os.dup2(descriptor, writer._descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("exchange_descriptor", [read_only, always_full, without_sync])
def test_the_first_error_is_final(tmp_path, exchange_descriptor):
    asyncio.run(break_the_disk(tmp_path, exchange_descriptor))
    # The disk has what was answered; the commands in flight never reached it.
    assert commands_of(tmp_path, SEGMENT_BYTES) == [record(1)]


@pytest.mark.slow   # on the disk: in memory the next segment is needed before it is tried
def test_a_segment_that_cannot_be_made_ahead_is_tried_again(tmp_path, caplog):
    async def scenario():
        directory = tmp_path / "journal"
        journal = Journal.open(directory, SEGMENT_BYTES)
        writer = JournalWriter(journal)
        sequencer = Sequencer(EchoCore(), writer)
        # A folder where the file should be: it can't be opened for writing.
        (directory / "next.tmp").mkdir()
        while "cannot be made yet" not in caplog.text:
            await sequencer.submit(record(1, bytes(400)))
        (directory / "next.tmp").rmdir()
        for _ in range(20):
            await sequencer.submit(record(2, bytes(400)))
        await sequencer.close()
        return sequencer.stopped

    assert asyncio.run(scenario()) is None
    assert len(list((tmp_path / "journal").glob("*.seg"))) > 1
