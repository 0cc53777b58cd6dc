"""engine/house: core, sequencer, journal and scribe together, on real folders and processes.

What each part does alone is tested beside; here is what only the whole can get wrong.
"""

import asyncio
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from engine import (
    FolderLocked, HistoryLate, House, HouseSettings, HouseStopped, JournalDamage, Kind, Overloaded,
    Result, cold)
from engine.core import Core
from engine.history_writer import HISTORY_FILE
from engine.journal import FolderLock
from engine.replay import (
    JOURNAL_FOLDER, SNAPSHOT_FOLDER, ReplayDiverged, rebuild_history, replay)
from engine.segments import list_segments
from engine.snapshot import list_snapshots, read_snapshot
from engine.verify import verify
from tests.engine.folders import SEGMENT_BYTES, Trader, frames_of, outcomes_of
from tests.engine.test_history import rows_of
from tests.engine.test_replay import append_frame
from tests.support.processes import scribe_of, until, wait_ended

pytestmark = pytest.mark.slow   # houses that start, stop and are killed

ROOT = Path(__file__).parents[2]
WAIT_S = 100
# Small enough for several segments and snapshots in a short run.
SETTINGS = HouseSettings(segment_bytes=SEGMENT_BYTES, snapshot_every_bytes=12_000,
                         keep_snapshots=1000)
BATCHES = 60


def records_of(commands: bytes) -> list[bytes]:
    """A batch cut into its records, each with its size in front."""
    records, at = [], 0
    while at < len(commands):
        (size,) = struct.unpack_from("<I", commands, at)
        records.append(commands[at:at + size])
        at += size
    return records


def run(coroutine):
    async def limited():
        async with asyncio.timeout(WAIT_S):
            return await coroutine

    return asyncio.run(limited())


async def trade(house: House, trader: Trader, batches: int) -> dict[int, str]:
    """Submit batches, one after the other; seq -> state hash after each of them."""
    hashes = {}
    for _ in range(batches):
        records = records_of(trader.next_batch()[0])
        await asyncio.gather(*map(house.submit, records))
        hashes[house.seq] = house.core.state_hash()
    return hashes


async def history_complete(house: House) -> None:
    """Return once the history has all that is durable, however busy the machine is."""
    while True:
        try:
            await house.history.order(1)
            return
        except HistoryLate as late:
            if "no scribe" in str(late):
                raise


class Lived:
    """A house that has served, been closed, and left its folder: what others read or copy."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.events: list[tuple[int, int, bytes]] = []
        run(self.live())

    async def live(self):
        house = await House.open(self.directory, SETTINGS)
        house.on_events(lambda *batch: self.events.append(batch))
        self.hashes = await trade(house, Trader(3), BATCHES)
        await history_complete(house)
        self.seq, self.ts_ns = house.core.seq, house.core.ts_ns
        await house.close()


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    return Lived(tmp_path_factory.mktemp("lived") / "house")


@pytest.fixture
def folder(lived, tmp_path):
    directory = tmp_path / "copy"
    shutil.copytree(lived.directory, directory)
    return directory


# Open, close, open again


def test_a_new_folder(tmp_path):
    directory = tmp_path / "deep" / "house"

    async def scenario():
        house = await House.open(directory)
        assert (house.seq, house.durable_seq, house.pending, house.stopped) == (0, 0, 0, None)
        assert house.core.state_hash() == Core().state_hash()
        assert await house.history.order(1) is None
        await house.close()
        await house.close()     # may be repeated

    run(scenario())
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in directory.iterdir()} >= {"LOCK", JOURNAL_FOLDER}
    assert verify(directory).ok


def test_it_goes_on_where_it_was(lived, folder):
    async def scenario():
        house = await House.open(folder, SETTINGS)
        assert (house.seq, house.durable_seq, house.core.ts_ns) == (
            lived.seq, lived.seq, lived.ts_ns)
        assert house.core.state_hash() == lived.hashes[lived.seq]
        reply = await house.submit(cold(Kind.ADD_COIN, {
            "name": "NEW", "title": "New coin", "type": "coin", "scale": 2}))
        assert (reply.code, house.seq) == (Result.OK, lived.seq + 1)
        state_hash = house.core.state_hash()
        await house.close()
        return state_hash

    state_hash = run(scenario())
    assert frames_of(folder)[-1].epoch == frames_of(lived.directory)[-1].epoch + 1
    core = replay(folder)
    assert (core.seq, core.state_hash()) == (lived.seq + 1, state_hash)
    assert core.ts_ns > lived.ts_ns


def test_many_lives_are_one(tmp_path):
    trader, hashes = Trader(8), {}

    async def life():
        house = await House.open(tmp_path, SETTINGS)
        if hashes:
            assert house.core.state_hash() == hashes[house.seq]
        hashes.update(await trade(house, trader, 4))
        await house.close()

    for _ in range(4):
        run(life())
    report = verify(tmp_path)
    assert report.ok and report.frames == 16
    for seq, state_hash in hashes.items():
        assert replay(tmp_path, until_seq=seq).state_hash() == state_hash


def test_close_answers_what_was_accepted(tmp_path):
    async def scenario():
        house = await House.open(tmp_path, SETTINGS)
        answers = [house.submit(record) for record in records_of(Trader(1).next_batch()[0])]
        closing = asyncio.create_task(house.close())
        replies = await asyncio.gather(*answers)
        await closing
        with pytest.raises(HouseStopped, match="closing"):
            house.submit(cold(Kind.SET_LIMITS, {"open_orders_per_user": 1}))
        return len(replies), house.core.state_hash()

    answered, state_hash = run(scenario())
    core = replay(tmp_path)
    assert (core.seq, core.state_hash()) == (answered, state_hash)


def test_a_second_house_is_refused(folder):
    async def scenario():
        house = await House.open(folder, SETTINGS)
        with pytest.raises(FolderLocked, match=f"in use by process {os.getpid()}"):
            await House.open(folder, SETTINGS)
        with pytest.raises(FolderLocked):
            rebuild_history(folder)
        # The refusal has not disturbed the first.
        assert (await house.cancel_all(1)).code == Result.OK
        await house.close()
        await (await House.open(folder, SETTINGS)).close()

    run(scenario())


def damage(folder):
    segment = list_segments(folder / JOURNAL_FOLDER)[0][1]
    content = bytearray(segment.read_bytes())
    content[400] ^= 1
    segment.write_bytes(content)


def another_outcome(folder):
    append_frame(folder, b"\x10\0\0\0\x04\0\0\0" + bytes(8), outcome=5)


@pytest.mark.parametrize("spoil, error", [
    (damage, JournalDamage), (another_outcome, ReplayDiverged)])
def test_a_start_that_is_refused_leaves_the_folder_free(folder, spoil, error):
    shutil.rmtree(folder / SNAPSHOT_FOLDER)     # else the damage is before all that is read
    spoil(folder)
    with pytest.raises(error, match="offset"):
        run(House.open(folder, SETTINGS))
    FolderLock(folder).release()


# What is durable, and what is told


def test_settled_waits_for_the_disk_and_only_then(tmp_path):
    async def scenario():
        house = await House.open(tmp_path, SETTINGS)
        answers = [house.submit(record) for record in records_of(Trader(1).next_batch()[0])]
        await asyncio.sleep(0)      # the turn in which the sequencer applies them
        applied = house.seq
        assert (applied, house.durable_seq) == (len(answers), 0)
        await asyncio.gather(*(house.settled() for _ in range(3)))
        assert house.durable_seq >= applied
        await asyncio.gather(*answers)
        # With nothing on its way it does not even give up its turn.
        with pytest.raises(StopIteration):
            house.settled().send(None)
        await house.close()

    run(scenario())


def test_each_frames_events_are_told_once(lived):
    _, applied = outcomes_of(lived.directory)
    written = [(frame.first_seq, frame.ts_ns, bytes(outcome.events))
               for frame, outcome in applied if outcome.events]
    assert lived.events == written


def test_overload_is_refused_and_passes(tmp_path):
    async def scenario():
        house = await House.open(tmp_path, HouseSettings(SEGMENT_BYTES, queue_max=3))
        answers = [house.cancel_all(1) for _ in range(3)]
        assert house.pending == 3
        with pytest.raises(Overloaded):
            house.cancel_all(1)
        replies = await asyncio.gather(*answers, house.settled())
        assert [reply.code for reply in replies[:3]] == [Result.UNKNOWN_USER] * 3
        assert (await house.cancel_all(1)).code == Result.UNKNOWN_USER
        assert house.seq == 4       # the refused one has left no trace
        await house.close()

    run(scenario())


# Snapshots


def test_live_replayed_and_snapshot_plus_tail_are_one_state(lived):
    """At the end of every frame, and at commands in their middle."""
    snapshots = [seq for seq, _ in list_snapshots(lived.directory / SNAPSHOT_FOLDER)]
    assert len(snapshots) >= 4
    assert len(list_segments(lived.directory / JOURNAL_FOLDER)) >= 2
    single = Core()
    for frame in frames_of(lived.directory):
        records = records_of(frame.commands)
        for record in records[:len(records) // 2]:
            single.apply(record, single.seq + 1, frame.ts_ns)
        middle = replay(lived.directory, until_seq=single.seq)
        assert (middle.seq, middle.state_hash()) == (single.seq, single.state_hash())
        for record in records[len(records) // 2:]:
            single.apply(record, single.seq + 1, frame.ts_ns)
        assert single.state_hash() == lived.hashes[frame.last_seq]
        if frame.last_seq in snapshots or frame.last_seq == lived.seq:
            for use_snapshots in (False, True):
                core = replay(lived.directory, frame.last_seq, use_snapshots=use_snapshots)
                assert core.state_hash() == lived.hashes[frame.last_seq]
                assert core.dump() == single.dump()


def test_each_snapshot_is_the_live_state_of_its_seq(lived):
    report = verify(lived.directory)
    assert report.ok and report.history_seq == lived.seq
    seqs = [seq for seq, _ in list_snapshots(lived.directory / SNAPSHOT_FOLDER)]
    assert report.snapshots == sorted(seqs)
    for seq, path in list_snapshots(lived.directory / SNAPSHOT_FOLDER):
        assert read_snapshot(path)[0].state_hash == lived.hashes[seq]


def test_no_snapshots_where_none_are_wanted(tmp_path):
    async def scenario():
        house = await House.open(tmp_path, HouseSettings(SEGMENT_BYTES, snapshot_every_bytes=0))
        await trade(house, Trader(1), 10)
        await history_complete(house)
        await house.close()

    run(scenario())
    assert not (tmp_path / SNAPSHOT_FOLDER).exists()


def test_lives_shorter_than_the_interval_do_not_put_it_off(tmp_path):
    settings = HouseSettings(SEGMENT_BYTES, snapshot_every_bytes=40_000)
    trader = Trader(5)

    async def life():
        house = await House.open(tmp_path, settings)
        await trade(house, trader, 8)
        await history_complete(house)
        await house.close()
        return [seq for seq, _ in list_snapshots(tmp_path / SNAPSHOT_FOLDER)]

    found = [run(life()) for _ in range(6)]
    assert not found[0] and len(found[-1]) >= 2
    assert verify(tmp_path).ok


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_any_number_of_snapshots_may_be_lost(lived, folder, kept):
    for _, path in list_snapshots(folder / SNAPSHOT_FOLDER)[:-kept or None]:
        path.unlink()

    async def scenario():
        house = await House.open(folder, SETTINGS)
        state_hash = house.core.state_hash()
        await history_complete(house)
        await house.close()
        return state_hash

    assert run(scenario()) == lived.hashes[lived.seq]
    assert verify(folder).ok


# Fail-stop


def test_a_disk_that_fails_stops_the_house(tmp_path):
    """No segment can be made any more, so the journal ends with the present ones."""
    directory = tmp_path / "house"
    reasons, answered = [], []

    async def scenario():
        house = await House.open(directory, SETTINGS)
        house.on_stop(reasons.append)
        trader = Trader(2)
        await trade(house, trader, 1)
        kept = tmp_path / "journal"
        (directory / JOURNAL_FOLDER).rename(kept)
        with pytest.raises(HouseStopped):
            while True:
                for record in records_of(trader.next_batch()[0]):
                    await house.submit(record)
                    answered.append(house.durable_seq)
        assert house.stopped and reasons == [house.stopped]
        for refused in (house.settled(), house.history.order(1)):
            with pytest.raises((HouseStopped, HistoryLate)):
                await refused
        with pytest.raises(HouseStopped, match="journal"):
            house.cancel_all(1)
        await house.close()
        kept.rename(directory / JOURNAL_FOLDER)

    run(scenario())
    # Whatever was answered is there, and the folder is in order once the disk is.
    assert replay(directory).seq >= max(answered) == len(answered) + frames_of(directory)[0].count
    run(trade_once(directory))
    assert verify(directory).ok


async def trade_once(directory):
    house = await House.open(directory, SETTINGS)
    assert (await house.cancel_all(1)).code == Result.OK
    await house.close()


def test_a_core_that_is_not_what_the_journal_gives_stops_the_house(folder, lived, caplog):
    """Money that no command has credited: the next snapshot finds it."""
    async def scenario():
        house = await House.open(folder, SETTINGS)
        stopped = asyncio.get_running_loop().create_future()
        house.on_stop(stopped.set_result)
        assert house.core.accounts.credit(1, 1, 5, 1)
        with pytest.raises(HouseStopped, match="another state"):
            while True:
                await house.cancel_all(1)
                await house.submit(cold(Kind.SET_LIMITS, {"open_orders_per_user": 100_000}))
        assert "another state" in await stopped
        await house.close()

    run(scenario())
    assert "the scribe's state is not the house's" in caplog.text
    assert verify(folder).ok
    run(trade_once(folder))


# The scribe


@pytest.mark.parametrize("batches", [0, 10])
def test_a_killed_scribe_is_restarted_and_the_history_completed(tmp_path, batches, caplog):
    async def scenario():
        house = await House.open(tmp_path, SETTINGS)
        trader = Trader(6)
        await trade(house, trader, batches)
        if batches:
            await history_complete(house)
        pid = until(lambda: scribe_of(os.getpid()))
        os.kill(pid, signal.SIGKILL)
        await trade(house, trader, 20)
        await history_complete(house)
        assert scribe_of(os.getpid()) not in (None, pid)
        trades = await house.history.trades(1)
        await house.close()
        return trades

    assert run(scenario())
    assert "died and is restarted" in caplog.text
    report = verify(tmp_path)
    assert report.ok and report.history_seq == report.last_seq
    found = rows_of(tmp_path / HISTORY_FILE)
    rebuild_history(tmp_path)
    assert rows_of(tmp_path / HISTORY_FILE) == found


def test_a_house_without_a_scribe_trades_on(tmp_path):
    async def scenario():
        house = await House.open(tmp_path, SETTINGS)
        trader = Trader(6)
        for _ in range(2):
            await trade(house, trader, 2)
            await history_complete(house)
            os.kill(until(lambda: scribe_of(os.getpid())), signal.SIGKILL)
        hashes = await trade(house, trader, 20)
        # What the history lacks is refused, not left out.
        with pytest.raises(HistoryLate, match="no scribe"):
            await house.history.order(1)
        assert house.stopped is None
        await house.close()
        return hashes

    hashes = run(scenario())
    core = replay(tmp_path)
    assert core.state_hash() == hashes[core.seq]
    report = verify(tmp_path)
    assert report.ok and report.history_seq < report.last_seq


def test_a_deleted_history_is_written_anew_by_the_next_start(lived, folder):
    for path in folder.glob(f"{HISTORY_FILE}*"):
        path.unlink()

    async def scenario():
        house = await House.open(folder, SETTINGS)
        await history_complete(house)
        await house.close()

    run(scenario())
    assert rows_of(folder / HISTORY_FILE) == rows_of(lived.directory / HISTORY_FILE)


# Killed


# Trades for ever, with snapshots, and prints the seq of each answer.
SERVER = """
import asyncio, sys
from pathlib import Path
from engine import House
from tests.engine.test_house import SETTINGS, Trader, records_of

async def main(directory, seed):
    house = await House.open(directory, SETTINGS)
    trader = Trader(seed)
    while True:
        for record in records_of(trader.next_batch()[0]):
            house.submit(record).add_done_callback(
                lambda answer: print(answer.result().code, house.durable_seq, flush=True))
        await house.settled()
        await asyncio.sleep(0)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def test_killed_while_snapshots_are_made_nothing_durable_is_lost(tmp_path):
    directory = tmp_path / "house"
    answered = 0
    for life, answers in enumerate((500, 1, 1500, 4000)):
        server = subprocess.Popen([sys.executable, "-c", SERVER, str(directory), str(life)],
                                  cwd=ROOT, stdout=subprocess.PIPE, text=True)
        lines = [server.stdout.readline() for _ in range(answers)]
        # The scribe takes its time on a busy machine; the last life waits for it.
        while life == 3 and not list(directory.glob("snapshots/*.snap")):
            lines.append(server.stdout.readline())
        scribe = scribe_of(server.pid)
        server.kill()
        # The last line may have been cut.
        lines += server.communicate()[0].split("\n")[:-1]
        if scribe is not None:
            wait_ended(scribe)      # it still writes what it has begun
        answered = max([answered, *(int(line.split()[1]) for line in lines)])
        report = verify(directory)
        assert report.ok, report.faults
        assert report.last_seq >= answered
    assert answered > 5000
    assert report.snapshots
    run(trade_once(directory))
    assert replay(directory).state_hash() == replay(directory, use_snapshots=False).state_hash()


def test_an_opening_that_fails_late_leaves_no_scribe(tmp_path, monkeypatch):
    def no_writer(*_):
        raise OSError("no file to write to")

    async def scenario():
        monkeypatch.setattr("engine.house.JournalWriter", no_writer)
        with pytest.raises(OSError, match="no file to write to"):
            await House.open(tmp_path, SETTINGS)
        assert scribe_of(os.getpid()) is None
        monkeypatch.undo()
        house = await House.open(tmp_path, SETTINGS)
        await house.close()

    run(scenario())
