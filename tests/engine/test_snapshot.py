"""engine/snapshot: what is written is read again; what is not whole is never used."""

import os

import pytest

from engine.core import LAYOUT, Core
from engine.snapshot import (
    HEAD, Snapshot, SnapshotDamage, SnapshotOutdated, encode_head, list_snapshots, newest_good,
    read_snapshot, snapshot_path, write_snapshot_file)
from tests.engine.folders import Trader

SNAPSHOT = Snapshot(seq=70, ts_ns=10**18, epoch=3, frame_checksum=2**64 - 1, state_hash="0f" * 16)
DUMP = bytes(range(256))


def at(seq, ts_ns=10**18):
    return Snapshot(seq, ts_ns, 1, 5, "ab" * 16)


def test_what_is_written_is_read(tmp_path):
    path = write_snapshot_file(tmp_path / "new", SNAPSHOT, DUMP)
    assert read_snapshot(path) == (SNAPSHOT, DUMP)
    assert path == tmp_path / "new" / "00000000000000000070.snap"
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_real_core_goes_on_from_it(tmp_path):
    trader, core = Trader(3), Core()
    for _ in range(10):
        commands, ts_ns = trader.next_batch()
        core.apply(commands, core.seq + 1, ts_ns)
    snapshot = Snapshot(core.seq, core.ts_ns, 1, 5, core.state_hash())
    write_snapshot_file(tmp_path, snapshot, core.dump())
    found, dump = newest_good(tmp_path)
    loaded = Core.load(dump)
    assert found == snapshot
    assert (loaded.seq, loaded.ts_ns, loaded.state_hash()) == (
        core.seq, core.ts_ns, found.state_hash)


@pytest.fixture
def damaged(tmp_path):
    """A function that gives the snapshot's file with other content."""
    path = write_snapshot_file(tmp_path, SNAPSHOT, DUMP)
    whole = path.read_bytes()

    def put(content):
        path.write_bytes(content)
        return path

    return whole, put


def test_every_flipped_bit_is_noticed(damaged):
    whole, put = damaged
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path = put(bytes(flipped))
        with pytest.raises(SnapshotDamage):
            read_snapshot(path)


def test_every_cut_and_any_addition_is_noticed(damaged):
    whole, put = damaged
    for content in [whole[:size] for size in range(len(whole))] + [whole + b"\0"]:
        path = put(content)
        with pytest.raises(SnapshotDamage):
            read_snapshot(path)


def test_a_file_under_another_seq_is_damage(damaged, tmp_path):
    whole, _ = damaged
    other = snapshot_path(tmp_path, 71)
    other.write_bytes(whole)
    with pytest.raises(SnapshotDamage, match="seq 70"):
        read_snapshot(other)


def test_a_missing_file_is_damage(tmp_path):
    with pytest.raises(SnapshotDamage, match="No such file"):
        read_snapshot(tmp_path / "00000000000000000001.snap")


def test_another_programs_layout_is_outdated(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.snapshot.LAYOUT", b"orebook state 0\n")
    path = write_snapshot_file(tmp_path, SNAPSHOT, DUMP)
    monkeypatch.setattr("engine.snapshot.LAYOUT", LAYOUT)
    with pytest.raises(SnapshotOutdated, match="state 0"):
        read_snapshot(path)
    assert newest_good(tmp_path) is None


def test_the_newest_that_fits_is_taken(tmp_path):
    for seq in (10, 20, 30):
        write_snapshot_file(tmp_path, at(seq, ts_ns=seq * 1000), b"dump %d" % seq)
    assert newest_good(tmp_path)[0].seq == 30
    assert newest_good(tmp_path, max_seq=30)[0].seq == 30
    assert newest_good(tmp_path, max_seq=29)[1] == b"dump 20"
    assert newest_good(tmp_path, max_seq=9) is None
    assert newest_good(tmp_path, max_ns=20_000)[0].seq == 20
    assert newest_good(tmp_path, max_ns=9_999) is None
    assert newest_good(tmp_path / "nowhere") is None


def test_a_damaged_one_is_passed_over_with_a_line_in_the_log(tmp_path, caplog):
    for seq in (10, 20, 30):
        write_snapshot_file(tmp_path, at(seq), b"dump")
    path = snapshot_path(tmp_path, 30)
    path.write_bytes(path.read_bytes()[:-1])
    assert newest_good(tmp_path)[0].seq == 20
    assert f"snapshot passed over: {path}: wrong checksum" in caplog.text


def test_old_and_unfinished_ones_are_removed(tmp_path):
    unfinished = tmp_path / "00000000000000000005.tmp"
    unfinished.write_bytes(b"half")
    stranger = tmp_path / "notes.snap"
    stranger.write_bytes(b"")
    for seq in (10, 20, 30, 40):
        write_snapshot_file(tmp_path, at(seq), b"dump", keep=2)
    assert [seq for seq, _ in list_snapshots(tmp_path)] == [40, 30]
    assert not unfinished.exists() and stranger.exists()
    write_snapshot_file(tmp_path, at(50), b"dump", keep=0)
    assert [seq for seq, _ in list_snapshots(tmp_path)] == [50]


def test_an_interrupted_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = write_snapshot_file(tmp_path, at(10), b"first")

    def no_more(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_more)
    with pytest.raises(OSError):
        write_snapshot_file(tmp_path, at(20), b"second")
    assert [found for _, found in list_snapshots(tmp_path)] == [path]
    assert newest_good(tmp_path)[1] == b"first"


def test_it_is_synced_before_it_has_its_name_and_so_is_the_name(tmp_path, monkeypatch):
    steps, fsync, rename = [], os.fsync, os.rename

    def noted_fsync(descriptor):
        steps.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def noted_rename(old, new):
        steps.append(("rename", str(new)))
        rename(old, new)

    monkeypatch.setattr("os.fsync", noted_fsync)
    monkeypatch.setattr("os.rename", noted_rename)
    path = write_snapshot_file(tmp_path, SNAPSHOT, DUMP)
    assert steps == [("sync", str(path.with_suffix(".tmp"))), ("rename", str(path)),
                     ("sync", str(tmp_path))]


def test_the_head_is_128_bytes():
    assert len(encode_head(SNAPSHOT, DUMP)) == HEAD.size == 128
