"""engine/replay: a journal gives the state it was written from, up to any command, or says why."""

import asyncio
import shutil

import pytest

from engine.codes import EventKind
from engine.core import Core
from engine.events import decode
from engine.history_rows import record_offsets
from engine.history_writer import HISTORY_FILE
from engine.journal import FolderLock, FolderLocked, Journal, JournalDamage, JournalWriter
from engine.replay import (
    JOURNAL_FOLDER, SNAPSHOT_FOLDER, Follower, ReplayDiverged, last_frame, last_seq_of,
    rebuild_history, replay, replay_trades, write_snapshot)
from engine.segments import list_segments
from engine.snapshot import list_snapshots, read_snapshot
from tests.engine.folders import SEGMENT_BYTES, Live, frames_of, outcomes_of

BATCHES = 40


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A folder with a journal of several segments; tests that change it work on a copy."""
    return Live(tmp_path_factory.mktemp("live"), seed=11).run(BATCHES)


@pytest.fixture
def copy(live, tmp_path):
    directory = tmp_path / "copy"
    shutil.copytree(live.directory, directory)
    return directory


def append_frame(directory, commands, outcome):
    """Write one more frame, whatever it says that its outcome was."""
    async def append():
        journal = Journal.open(directory / JOURNAL_FOLDER, SEGMENT_BYTES)
        writer, done = JournalWriter(journal), asyncio.Queue()
        writer.start(asyncio.get_running_loop(), done.put_nowait)
        writer.write(journal.last_seq + 1, 1, journal.ts_ns, outcome, commands)
        failure = await done.get()
        writer.close()
        return failure

    assert asyncio.run(append()) is None


def test_the_end_is_the_live_state(live):
    assert len(list_segments(live.directory / JOURNAL_FOLDER)) > 1
    core = replay(live.directory)
    assert (core.seq, core.ts_ns) == (live.core.seq, live.core.ts_ns)
    assert core.state_hash() == live.core.state_hash()
    assert core.dump() == live.core.dump()


def test_every_frames_end_is_the_live_state(live):
    for seq, state_hash in live.hashes.items():
        core = replay(live.directory, until_seq=seq)
        assert (core.seq, core.state_hash()) == (seq, state_hash)


def test_any_command_can_be_the_last(live):
    """Against a core that got the same commands one at a time."""
    single = Core()
    for frame in frames_of(live.directory)[:6]:
        (*_, (_, end)) = record_offsets(frame.commands, [frame.count])
        assert end == len(frame.commands)
        places = [offset for _, offset in record_offsets(frame.commands, range(frame.count + 1))]
        for start, stop in zip(places, places[1:]):
            single.apply(frame.commands[start:stop], single.seq + 1, frame.ts_ns)
            core = replay(live.directory, until_seq=single.seq)
            assert (core.seq, core.state_hash()) == (single.seq, single.state_hash())


def test_seq_0_is_the_empty_core(live):
    assert replay(live.directory, until_seq=0).state_hash() == Core().state_hash()


def test_until_a_time(live):
    frames = frames_of(live.directory)
    for frame in frames[::7]:
        last = max(one.last_seq for one in frames if one.ts_ns <= frame.ts_ns)
        assert replay(live.directory, until_ns=frame.ts_ns).seq == last
        first = min(one.first_seq for one in frames if one.ts_ns >= frame.ts_ns)
        assert replay(live.directory, until_ns=frame.ts_ns - 1).seq == first - 1


def test_a_seq_behind_the_end_is_refused(live):
    with pytest.raises(ValueError, match=f"ends with command {live.core.seq}"):
        replay(live.directory, until_seq=live.core.seq + 1)


def test_progress_rises_to_the_end(live):
    seen = []
    replay(live.directory, progress=lambda seq, last_seq: seen.append((seq, last_seq)))
    assert [seq for seq, _ in seen] == list(live.hashes)
    assert {last_seq for _, last_seq in seen} == {live.core.seq}


def test_nothing_is_changed(live):
    def contents():
        return {path: path.read_bytes() for path in live.directory.rglob("*") if path.is_file()}

    before = contents()
    replay(live.directory)
    assert contents() == before


def test_with_and_without_snapshots(copy, live):
    path = write_snapshot(copy)
    snapshot, _ = read_snapshot(path)
    assert (snapshot.seq, snapshot.state_hash) == (live.core.seq, live.core.state_hash())
    assert snapshot.frame_checksum == frames_of(copy)[-1].checksum
    seen = []
    core = replay(copy, progress=lambda *place: seen.append(place))
    assert core.dump() == live.core.dump() and not seen
    assert replay(copy, use_snapshots=False).dump() == live.core.dump()
    middle = list(live.hashes)[BATCHES // 2]
    assert replay(copy, until_seq=middle).state_hash() == live.hashes[middle]
    # Times before the snapshot's do not use it.
    assert replay(copy, until_ns=0).seq == 0


def test_it_goes_on_behind_a_snapshot(copy, live):
    write_snapshot(copy)
    more = Live(copy, seed=11)
    for _ in range(BATCHES):
        more.trader.next_batch()
    more.core = replay(copy)
    more.run(5)
    assert replay(copy).dump() == more.core.dump() == replay(copy, use_snapshots=False).dump()


def test_a_follower_follows_a_growing_journal(tmp_path):
    live, follower = Live(tmp_path, seed=2), None
    for _ in range(4):
        live.run(5)
        follower = follower or Follower(tmp_path, Core())
        frames = [frame for frame, _ in follower.advance(live.core.seq)]
        assert len(frames) == 5 and follower.frame is frames[-1]
        assert follower.core.state_hash() == live.core.state_hash()
    assert list(follower.advance(live.core.seq)) == []
    with pytest.raises(JournalDamage, match="is missing"):
        list(follower.advance(live.core.seq + 1))
    follower.close()


# What must not be passed over


def test_another_outcome_diverges(copy, live):
    commands, _ = live.trader.next_batch()
    (_, end), = record_offsets(commands, [1])
    append_frame(copy, commands[:end], outcome=12345)
    with pytest.raises(ReplayDiverged, match="gave 0000000000003039 when they were live") as caught:
        replay(copy)
    assert caught.value.seq == live.core.seq + 1
    assert replay(copy, until_seq=live.core.seq).dump() == live.core.dump()


def test_commands_that_are_none_diverge(copy, live):
    append_frame(copy, b"\1" * 16, outcome=12345)
    with pytest.raises(ReplayDiverged, match="can't be applied") as caught:
        replay(copy)
    assert caught.value.seq == live.core.seq + 1


def test_damage_names_file_and_offset(copy):
    first, *_ = list_segments(copy / JOURNAL_FOLDER)
    frame = frames_of(copy)[3]
    with open(first[1], "r+b") as file:
        file.seek(frame.place.offset + 70)
        file.write(b"\xff" * 4)
    with pytest.raises(JournalDamage) as caught:
        replay(copy)
    assert (caught.value.path, caught.value.offset) == (first[1], frame.place.offset)


def test_a_torn_last_frame_does_not_count(copy, live):
    last = frames_of(copy)[-1]
    with open(last.place.path, "r+b") as file:
        file.seek(last.place.offset)
        file.write(bytes(64 + len(last.commands) + 64))
    core = replay(copy)
    assert core.seq == last.first_seq - 1
    assert core.state_hash() == live.hashes[core.seq]
    assert last_seq_of(copy) == core.seq


def test_a_missing_journal_is_damage(tmp_path):
    with pytest.raises(JournalDamage, match="no segment"):
        replay(tmp_path)


def test_an_empty_journal_is_the_empty_core(tmp_path):
    Live(tmp_path).run(0)
    assert replay(tmp_path).seq == 0
    assert last_frame(tmp_path) is None
    assert rebuild_history(tmp_path).seq == 0
    assert read_snapshot(write_snapshot(tmp_path))[0].seq == 0


# What writes


def test_a_running_house_is_left_alone(copy):
    lock = FolderLock(copy)
    try:
        for function in (write_snapshot, rebuild_history):
            with pytest.raises(FolderLocked):
                function(copy)
    finally:
        lock.release()
    write_snapshot(copy)    # the lock is free again, and again after that
    write_snapshot(copy)


def test_snapshots_are_kept_in_number(copy, live):
    write_snapshot(copy)
    for _ in range(3):
        more = Live(copy, core=replay(copy))
        more.run(1)
        write_snapshot(copy, keep=2)
    assert len(list_snapshots(copy / SNAPSHOT_FOLDER)) == 2


def test_history_is_rebuilt(copy, live):
    seen = []
    (copy / HISTORY_FILE).write_bytes(b"rubbish")
    (copy / f"{HISTORY_FILE}-wal").write_bytes(b"more of it")
    reached = rebuild_history(copy, lambda seq, last_seq: seen.append((seq, last_seq)))
    assert reached.seq == live.core.seq
    assert reached.orders > 100 and reached.trades > 100
    assert seen[-1] == (live.core.seq, live.core.seq)
    assert rebuild_history(copy) == reached


# All trades


def trades_until(directory, **point):
    """Every trade up to a point, and the sequence number of each batch's core."""
    given = [(core.seq, trade) for core, trades in replay_trades(directory, **point)
             for trade in trades]
    return [trade for _, trade in given], [seq for seq, _ in given]


def test_all_trades_are_given_in_order(live, copy):
    write_snapshot(copy)        # a snapshot has forgotten them: it must not be begun from
    events = [(event, frame) for frame, outcome in outcomes_of(copy)[1]
              for event in decode(outcome.events) if event["kind"] == EventKind.TRADE]
    trades, seqs = trades_until(copy)
    assert [trade.trade_id for trade in trades] == list(range(1, len(events) + 1))
    for trade, seq, (event, frame) in zip(trades, seqs, events, strict=True):
        assert trade == (
            event["trade_id"], event["pair"], event["price"], event["qty"], event["side"],
            event["order_id"], event["maker_order_id"], event["user"], event["maker_user"],
            event["taker_fee"], event["maker_fee"], frame.ts_ns, event["seq"])
        assert seq == frame.last_seq


def test_trades_end_where_the_replay_does(live):
    trades, _ = trades_until(live.directory)
    middle = trades[len(trades) // 2]
    for point, wanted in (
            ({"until_seq": middle.seq}, [one for one in trades if one.seq <= middle.seq]),
            ({"until_seq": middle.seq - 1}, [one for one in trades if one.seq < middle.seq]),
            ({"until_ns": middle.ts_ns}, [one for one in trades if one.ts_ns <= middle.ts_ns]),
            ({"until_ns": middle.ts_ns - 1}, [one for one in trades if one.ts_ns < middle.ts_ns])):
        assert trades_until(live.directory, **point)[0] == wanted
    with pytest.raises(ValueError, match="there is no"):
        trades_until(live.directory, until_seq=live.core.seq + 1)
