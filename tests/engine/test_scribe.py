"""engine/scribe*: a real second process on real folders, also killed and lied to."""

import asyncio
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.history import HistoryLate
from engine.history_writer import HISTORY_FILE, HistoryWriter
from engine.replay import SNAPSHOT_FOLDER, rebuild_history, write_snapshot
from engine.scribe import Scribe, SnapshotResult
from engine.snapshot import list_snapshots, newest_good
from engine.verify import verify
from tests.engine.folders import Live, frames_of
from tests.engine.test_history import rows_of

WAIT_S = 60

# Each test starts a process or two.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    return Live(tmp_path_factory.mktemp("live"), seed=31).run(40)


@pytest.fixture(scope="module")
def wanted(live, tmp_path_factory):
    """The rows of a history that was written in one go, offline."""
    directory = tmp_path_factory.mktemp("wanted") / "copy"
    shutil.copytree(live.directory, directory)
    rebuild_history(directory)
    return rows_of(directory / HISTORY_FILE)


@pytest.fixture
def folder(live, tmp_path):
    directory = tmp_path / "copy"
    shutil.copytree(live.directory, directory)
    return directory


def run(coroutine):
    async def limited():
        async with asyncio.timeout(2 * WAIT_S):
            return await coroutine

    return asyncio.run(limited())


async def ended(pid):
    """Wait until a process, which need not be our child, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, select.select, [descriptor], [], [], WAIT_S)
    assert select.select([descriptor], [], [], 0)[0], f"process {pid} still runs"
    os.close(descriptor)


def test_it_writes_the_history(folder, live, wanted):
    async def follow():
        scribe = await Scribe.start(folder, 0)
        for seq in live.hashes:
            scribe.durable(seq)
        await scribe.wait_history(live.core.seq, WAIT_S)
        assert scribe.history_seq == live.core.seq
        await scribe.wait_history(1)    # long reached: no waiting
        pid = scribe.pid
        await scribe.close()
        await ended(pid)
        assert scribe.pid is None

    run(follow())
    assert rows_of(folder / HISTORY_FILE) == wanted
    assert verify(folder).ok


def test_it_stays_behind_the_durable_seq(folder, live):
    ends = list(live.hashes)

    async def follow():
        scribe = await Scribe.start(folder, ends[9])
        await scribe.wait_history(ends[9], WAIT_S)
        with pytest.raises(HistoryLate, match=f"has come to {ends[9]}, not to {ends[10]}"):
            await scribe.wait_history(ends[10], timeout_s=0.05)
        scribe.durable(ends[10])
        await scribe.wait_history(ends[10], WAIT_S)
        assert scribe.history_seq == ends[10]
        await scribe.close()

    run(follow())
    connection = sqlite3.connect(folder / HISTORY_FILE)
    assert connection.execute("SELECT seq FROM reached").fetchone() == (ends[10],)
    connection.close()


def test_it_follows_a_journal_that_grows(tmp_path):
    live = Live(tmp_path, seed=4)

    async def follow():
        await live.run_async(1)
        scribe = await Scribe.start(tmp_path, live.core.seq)
        for _ in range(10):
            await live.run_async(3)
            scribe.durable(live.core.seq)
            await scribe.wait_history(live.core.seq, WAIT_S)
        await scribe.close()

    run(follow())
    report = verify(tmp_path)
    assert report.ok and report.history_seq == live.core.seq


def test_snapshots_prove_the_state(folder, live):
    ends = list(live.hashes)

    async def follow():
        scribe = await Scribe.start(folder, 0)
        middle = scribe.snapshot(ends[20], live.hashes[ends[20]])
        assert scribe.snapshot(ends[20], live.hashes[ends[20]]) is middle
        wrong = scribe.snapshot(ends[25], "00" * 16)
        inside = scribe.snapshot(ends[30] - 1, live.hashes[ends[30]])
        scribe.durable(ends[-1])
        results = [await middle, await wrong, await inside]
        await scribe.wait_history(ends[-1], WAIT_S)
        # Nothing has happened since: it is due at once. What is past can't be had any more.
        results.append(await scribe.snapshot(ends[-1], live.hashes[ends[-1]]))
        results.append(await scribe.snapshot(ends[3], live.hashes[ends[3]]))
        await scribe.close()
        results.append(await scribe.snapshot(ends[-1], live.hashes[ends[-1]]))
        return results

    assert frames_of(folder)[30].count > 1
    assert run(follow()) == [
        SnapshotResult.WRITTEN, SnapshotResult.MISMATCH, SnapshotResult.LATE,
        SnapshotResult.WRITTEN, SnapshotResult.LATE, SnapshotResult.FAILED]
    report = verify(folder)
    assert report.ok and report.snapshots == [ends[20], ends[-1]]


def test_it_starts_from_a_snapshot_and_keeps_it(folder, live):
    rebuild_history(folder)
    path = write_snapshot(folder)
    before = path.read_bytes()

    async def follow():
        scribe = await Scribe.start(folder, live.core.seq)
        await scribe.ready()
        result = await scribe.snapshot(live.core.seq, live.core.state_hash())
        await scribe.close()
        return result

    assert run(follow()) == SnapshotResult.WRITTEN
    assert path.read_bytes() == before
    assert newest_good(folder / SNAPSHOT_FOLDER)[0].epoch == 1


def test_a_snapshot_that_cannot_be_written_is_told(folder, live):
    (folder / SNAPSHOT_FOLDER).write_bytes(b"a file where a folder should be")

    async def follow():
        scribe = await Scribe.start(folder, 0)
        asked = scribe.snapshot(live.core.seq, live.core.state_hash())
        scribe.durable(live.core.seq)
        result = await asked
        await scribe.wait_history(live.core.seq, WAIT_S)    # goes on all the same
        await scribe.close()
        return result

    assert run(follow()) == SnapshotResult.FAILED


def test_closing_completes_the_history(folder, live, wanted):
    async def follow():
        scribe = await Scribe.start(folder, 0)
        scribe.durable(live.core.seq)
        await scribe.close()
        await scribe.close()
        assert scribe.history_seq == live.core.seq

    run(follow())
    assert {path.name for path in folder.glob("history*")} == {HISTORY_FILE}
    assert rows_of(folder / HISTORY_FILE) == wanted


# Deaths


def test_one_that_dies_while_it_is_closed_is_not_waited_for(folder, live, wanted, caplog):
    async def follow():
        scribe = await Scribe.start(folder, 0)
        await scribe.ready()
        os.kill(scribe.pid, signal.SIGSTOP)
        scribe.durable(live.core.seq)
        closing = asyncio.create_task(scribe.close())
        await asyncio.sleep(0)      # now it waits for the history
        os.kill(scribe.pid, signal.SIGKILL)
        await closing
        assert scribe.pid is None
        again = await Scribe.start(folder, live.core.seq)
        await again.close()

    run(follow())
    assert "the next start writes the rest of the history" in caplog.text
    assert "restarted" not in caplog.text
    assert rows_of(folder / HISTORY_FILE) == wanted


def test_a_killed_scribe_is_restarted_once(folder, live, wanted, caplog):
    ends = list(live.hashes)

    async def follow():
        scribe = await Scribe.start(folder, ends[15])
        await scribe.wait_history(ends[15], WAIT_S)
        lost = scribe.snapshot(ends[-1], live.hashes[ends[-1]])
        os.kill(scribe.pid, signal.SIGKILL)
        assert await lost == SnapshotResult.FAILED
        scribe.durable(ends[-1])
        await scribe.wait_history(ends[-1], WAIT_S)
        assert "died and is restarted: exit -9" in caplog.text
        waiting = asyncio.create_task(scribe.wait_history(ends[-1] + 1, WAIT_S))
        await asyncio.sleep(0)
        os.kill(scribe.pid, signal.SIGKILL)
        with pytest.raises(HistoryLate, match="no scribe"):
            await waiting
        assert scribe.failed == "exit -9" and scribe.pid is None
        assert "died again" in caplog.text
        with pytest.raises(HistoryLate, match="no scribe"):
            await scribe.wait_history(ends[-1] + 1)
        assert await scribe.snapshot(ends[-1], live.hashes[ends[-1]]) == SnapshotResult.FAILED
        scribe.durable(ends[-1])
        await scribe.close()

    run(follow())
    assert rows_of(folder / HISTORY_FILE) == wanted


@pytest.mark.parametrize("kill_after", [0, 20])
def test_killed_anywhere_the_history_is_completed(folder, live, wanted, kill_after):
    ends = list(live.hashes)

    async def follow():
        scribe = await Scribe.start(folder, ends[0])
        for seq in ends:
            scribe.durable(seq)
            if seq == ends[kill_after]:
                os.kill(scribe.pid, signal.SIGKILL)
            await scribe.wait_history(seq, WAIT_S)
        await scribe.close()

    run(follow())
    assert rows_of(folder / HISTORY_FILE) == wanted


def test_a_divergence_is_told_and_ends_it(folder, live, caplog):
    """A journal whose last frame names another outcome than it has."""
    from tests.engine.test_replay import append_frame

    append_frame(folder, b"\x10\0\0\0\x04\0\0\0" + bytes(8), outcome=5)

    async def follow():
        scribe = await Scribe.start(folder, live.core.seq + 1)
        with pytest.raises(HistoryLate, match="when they were live"):
            await scribe.wait_history(live.core.seq + 1, WAIT_S)
        await scribe.close()

    run(follow())
    assert "0000000000000005" in caplog.text


def test_it_ends_with_its_house(folder, live):
    """A house that is killed can't say STOP: the end of stdin does."""
    program = """
import asyncio, sys
from pathlib import Path
from engine.scribe import Scribe
async def main():
    scribe = await Scribe.start(Path(sys.argv[1]), int(sys.argv[2]))
    await scribe.ready()
    print(scribe.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    house = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), str(live.core.seq)],
        stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    pid = int(house.stdout.readline())
    house.kill()
    house.wait()
    house.stdout.close()
    run(ended(pid))


def test_signals_for_the_service_do_not_end_it(folder, live):
    async def follow():
        scribe = await Scribe.start(folder, 0)
        await scribe.ready()
        pid = scribe.pid
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(pid, number)
        scribe.durable(live.core.seq)
        await scribe.wait_history(live.core.seq, WAIT_S)
        assert scribe.pid == pid
        await scribe.close()

    run(follow())


# Histories that are not of this journal


def foreign(folder, tmp_path):
    other = Live(tmp_path / "other", seed=99)
    other.directory.mkdir()
    other.run(40)
    rebuild_history(other.directory)
    shutil.copy(other.directory / HISTORY_FILE, folder / HISTORY_FILE)


def ahead(folder, tmp_path):
    rebuild_history(folder)
    connection = sqlite3.connect(folder / HISTORY_FILE)
    with connection:
        connection.execute("UPDATE reached SET seq = seq + 100000")
    connection.close()


def rubbish(folder, tmp_path):
    (folder / HISTORY_FILE).write_bytes(b"rubbish" * 1000)


@pytest.mark.parametrize("spoil", [foreign, ahead, rubbish])
def test_another_history_is_written_anew(folder, live, wanted, tmp_path, spoil):
    spoil(folder, tmp_path)

    async def follow():
        scribe = await Scribe.start(folder, live.core.seq)
        await scribe.wait_history(live.core.seq, WAIT_S)
        await scribe.close()

    run(follow())
    assert rows_of(folder / HISTORY_FILE) == wanted


def test_a_history_damaged_within_is_written_anew(folder, live, wanted, caplog):
    """The first notices when it writes, removes the file and ends; the second begins anew."""
    ends = list(live.hashes)

    async def first_half():
        scribe = await Scribe.start(folder, ends[20])
        await scribe.wait_history(ends[20], WAIT_S)
        await scribe.close()

    async def second_half():
        scribe = await Scribe.start(folder, ends[-1])
        await scribe.wait_history(ends[-1], WAIT_S)
        await scribe.close()

    run(first_half())
    path = folder / HISTORY_FILE
    HistoryWriter(path).close()     # nothing is left beside the file
    content = bytearray(path.read_bytes())
    content[3 * 4096:] = b"\xa5" * (len(content) - 3 * 4096)
    path.write_bytes(content)
    run(second_half())
    assert "died and is restarted" in caplog.text
    assert rows_of(path) == wanted


def test_snapshots_are_kept_in_number(folder, live):
    ends = list(live.hashes)

    async def follow():
        scribe = await Scribe.start(folder, 0, keep_snapshots=2)
        asked = [scribe.snapshot(seq, live.hashes[seq]) for seq in ends[::8]]
        scribe.durable(ends[-1])
        results = await asyncio.gather(*asked)
        await scribe.close()
        return results

    assert set(run(follow())) == {SnapshotResult.WRITTEN}
    assert [seq for seq, _ in list_snapshots(folder / SNAPSHOT_FOLDER)] == [ends[32], ends[24]]
