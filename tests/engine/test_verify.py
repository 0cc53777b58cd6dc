"""engine/verify: a whole folder passes; each fault, put there on purpose, is found and named."""

import dataclasses
import shutil
import sqlite3

import numpy as np
import pytest

from engine.history_writer import HISTORY_FILE
from engine.hour_writer import HOURS_DIRECTORY
from engine.replay import JOURNAL_FOLDER, SNAPSHOT_FOLDER, rebuild_history, write_snapshot
from engine.segments import list_segments
from engine.snapshot import read_snapshot, snapshot_path, write_snapshot_file
from engine.verify import FAULTS_MAX, verify
from pool.hour_files import HourFolder
from tests.engine.folders import Live, frames_of


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with two snapshots, and a history that has not come to the end."""
    directory = tmp_path_factory.mktemp("whole")
    live = Live(directory, seed=21).run(20)
    write_snapshot(directory)
    rebuild_history(directory)
    live.run(20)
    write_snapshot(directory)
    return live


@pytest.fixture
def folder(whole, tmp_path):
    directory = tmp_path / "copy"
    shutil.copytree(whole.directory, directory)
    return directory


def sql(folder, statement):
    connection = sqlite3.connect(folder / HISTORY_FILE)
    with connection:
        connection.execute(statement)
    connection.close()


def only_fault(folder):
    (fault,) = verify(folder).faults
    return fault


def test_a_whole_folder_is_good(whole):
    seen = []
    report = verify(whole.directory, lambda seq, last_seq: seen.append((seq, last_seq)))
    assert report.ok and not report.notes
    assert (report.frames, report.last_seq, report.ts_ns) == (40, whole.core.seq, whole.core.ts_ns)
    assert report.state_hash == whole.core.state_hash()
    ends = list(whole.hashes)
    assert report.snapshots == [ends[19], ends[39]]
    assert report.history_seq == ends[19]
    assert report.orders > 400 and report.trades > 100
    assert seen[-1] == (whole.core.seq, whole.core.seq)


def test_a_folder_without_history_is_good(folder):
    (folder / HISTORY_FILE).unlink()
    report = verify(folder)
    assert report.ok and report.history_seq is None
    assert "no history" in report.notes[0]


def test_a_history_of_another_schema_is_a_note(folder):
    sql(folder, "PRAGMA user_version = 9")
    report = verify(folder)
    assert report.ok and "schema 9" in report.notes[0]


def test_an_empty_folder_is_a_fault(tmp_path):
    assert "no segment" in verify(tmp_path).faults[0]


def test_damage_in_the_journal(folder, whole):
    (_, path), *_ = list_segments(folder / JOURNAL_FOLDER)
    frame = frames_of(folder)[30]
    with open(frame.place.path, "r+b") as file:
        file.seek(frame.place.offset + 65)
        file.write(b"\xee")
    report = verify(folder)
    assert f"offset {frame.place.offset}" in report.faults[0]
    # What comes before is looked at all the same; the second snapshot is behind it.
    assert report.last_seq == frame.first_seq - 1
    assert report.snapshots == [list(whole.hashes)[19]] and report.history_seq is not None
    assert len(report.faults) == 2 and "no frame ends with" in report.faults[1]


def test_a_damaged_snapshot(folder, whole):
    path = snapshot_path(folder / SNAPSHOT_FOLDER, whole.core.seq)
    path.write_bytes(path.read_bytes()[:-1])
    assert only_fault(folder) == f"{path}: wrong checksum"


@pytest.mark.parametrize("change, fault", [
    ({"state_hash": "00" * 16}, "its state hash is 0000"),
    ({"ts_ns": 5}, "its time is 5"),
    ({"frame_checksum": 5}, "it names another frame"),
    ({"epoch": 99}, "it names another frame"),
])
def test_a_snapshot_that_is_not_of_this_journal(folder, whole, change, fault):
    snapshots = folder / SNAPSHOT_FOLDER
    snapshot, dump = read_snapshot(snapshot_path(snapshots, whole.core.seq))
    write_snapshot_file(snapshots, dataclasses.replace(snapshot, **change), dump)
    assert fault in only_fault(folder)


def test_a_snapshot_with_another_state(folder, whole):
    snapshots, ends = folder / SNAPSHOT_FOLDER, list(whole.hashes)
    snapshot, _ = read_snapshot(snapshot_path(snapshots, ends[39]))
    _, other = read_snapshot(snapshot_path(snapshots, ends[19]))
    write_snapshot_file(snapshots, snapshot, other)
    assert f"it loads as the state {whole.hashes[ends[19]]}" in only_fault(folder)
    write_snapshot_file(snapshots, snapshot, other[:-9])
    assert "it can't be loaded" in only_fault(folder)


def test_a_snapshot_within_a_frame(folder, whole):
    snapshots = folder / SNAPSHOT_FOLDER
    snapshot, dump = read_snapshot(snapshot_path(snapshots, whole.core.seq))
    frame = next(frame for frame in frames_of(folder) if frame.count > 1)
    inside = dataclasses.replace(snapshot, seq=frame.first_seq)
    path = write_snapshot_file(snapshots, inside, dump)
    assert only_fault(folder) == f"{path}: no frame ends with command {frame.first_seq}"


@pytest.mark.parametrize("statement, fault", [
    ("DELETE FROM orders WHERE order_id = (SELECT max(order_id) FROM orders WHERE status = 4)",
     "orders, "),
    ("UPDATE reached SET trades = trades + 1", "noted, the replay gave"),
    ("UPDATE reached SET outcome = x'0000000000000001'", "is of another journal"),
    ("UPDATE orders SET price = price + 1 WHERE order_id = (SELECT max(order_id) FROM orders"
     " WHERE status = 2 AND type = 1)", "is not as the core has it"),
    ("UPDATE orders SET status = 2 WHERE order_id = (SELECT max(order_id) FROM orders"
     " WHERE status = 5)", "is said to be open"),
    ("UPDATE entries SET amount = amount + 1 WHERE entry_id = (SELECT min(entry_id) FROM entries)",
     "the entries add up to"),
    ("UPDATE reached SET seq = 2", "no frame ends with command 2"),
    ("DROP TABLE trades", "no such table"),
    ("DROP TABLE reached", "no such table"),
])
def test_a_history_that_is_not_the_journals(folder, statement, fault):
    sql(folder, statement)
    report = verify(folder)
    assert any(fault in found and HISTORY_FILE in found for found in report.faults), report.faults


def test_a_damaged_history_file(folder):
    path = folder / HISTORY_FILE
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)
    assert any(HISTORY_FILE in fault for fault in verify(folder).faults)


def test_many_faults_of_a_kind_are_cut_short(folder):
    sql(folder, "UPDATE orders SET price = price + 7 WHERE status < 4")
    faults = verify(folder).faults
    assert len(faults) == FAULTS_MAX + 1
    assert faults[-1].endswith("more like that")


# -- the hours -------------------------------------------------------------------------------------

def test_an_hour_that_is_damaged_is_named(folder):
    hours = HourFolder(folder / HOURS_DIRECTORY)
    for hour in (480_000, 480_001):
        hours.write(hour, [np.arange(9, dtype=np.uint64)] * 2, [np.ones(2, np.uint64)] * 5)
    assert verify(folder).ok
    path = hours.path_of(480_001)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    assert only_fault(folder) == f"{path}: block 1 has a wrong checksum"
