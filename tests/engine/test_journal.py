"""The journal: what is written is read again, over segments, restarts, and while it grows."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.journal import FolderLock, FolderLocked, Journal, JournalDamage, JournalReader
from engine.segments import END_MARK, HEAD_BYTES, HEADER_BYTES, blank_sectors, segment_name
from tests.engine.journal_files import (
    TIME_NS, append, append_async, commands_of, contents, folder_in_memory, record)

payloads = st.one_of(st.binary(max_size=64), st.integers(0, 1500).map(bytes))
batches_of_records = st.lists(
    st.lists(st.builds(record, st.integers(1, 99), payloads), min_size=1, max_size=5), max_size=8)


def test_a_new_journal_is_empty(tmp_path):
    journal = Journal.open(tmp_path / "journal", 1024)
    assert (journal.last_seq, journal.ts_ns, journal.epoch) == (0, 0, 0)
    assert list(journal.frames()) == []
    assert list(contents(tmp_path / "journal")) == [segment_name(1)]
    assert (tmp_path / "journal" / segment_name(1)).stat().st_mode & 0o777 == 0o600


def test_frames_come_back_with_all_their_fields(tmp_path):
    batches = [[record(1, b"a"), record(2)], [record(3, b"b" * 100)]]
    append(tmp_path, batches)
    journal = Journal.open(tmp_path, 1024)
    first, second = journal.frames()
    assert (first.first_seq, first.count, first.epoch, first.ts_ns, first.outcome) == (
        1, 2, 1, TIME_NS, 0)
    assert first.commands == b"".join(batches[0])
    assert first.place == (tmp_path / segment_name(1), HEADER_BYTES)
    assert (second.first_seq, second.last_seq, second.ts_ns, second.outcome) == (
        3, 3, TIME_NS + 2, 14)
    assert second.place.offset % 64 == 0
    assert (journal.last_seq, journal.ts_ns, journal.epoch) == (3, TIME_NS + 2, 1)


@settings(max_examples=60, deadline=None)
@given(batches=batches_of_records, more=batches_of_records, segment_sectors=st.integers(2, 12))
def test_what_is_written_in_two_lives_is_read(batches, more, segment_sectors):
    with folder_in_memory() as directory:
        append(directory, batches, 512 * segment_sectors)
        assert append(directory, more, 1024).last_seq == sum(map(len, batches))
        frames = list(Journal.open(directory, 1024).frames())
    assert [frame.commands for frame in frames] == [b"".join(batch) for batch in batches + more]
    seq = 0
    for frame, batch in zip(frames, batches + more):
        assert (frame.first_seq, frame.count) == (seq + 1, len(batch))
        seq = frame.last_seq


@given(commands=st.lists(st.sampled_from([bytes(8), b"\1" + bytes(7), bytes(520), b"\2" * 600])),
       slot=st.integers(0, 8))
def test_blank_sectors_are_those_an_absent_write_would_not_change(commands, slot):
    commands = b"".join(commands)
    offset = 64 * slot
    frame = b"\xff" * HEAD_BYTES + commands + END_MARK
    sectors = (bytes(offset) + frame)[offset // 512 * 512:]
    parts = [sectors[at:at + 512] for at in range(0, len(sectors), 512)]
    assert blank_sectors(commands, offset) == sum(not any(part) for part in parts)


def test_segments_roll_over(tmp_path):
    batches = [[record(1, bytes([n] * 200))] for n in range(1, 21)]
    append(tmp_path, batches)
    names = list(contents(tmp_path))
    assert len(names) > 5 and names[0] == segment_name(1)
    assert all(len(content) == 1024 for content in contents(tmp_path).values())
    frames = list(Journal.open(tmp_path, 1024).frames())
    assert [frame.first_seq for frame in frames] == list(range(1, 21))
    # A segment is named by the first command in it.
    assert {frame.place.path.name for frame in frames
            if frame.place.offset == HEADER_BYTES} == set(names)


def test_a_frame_longer_than_a_segment_gets_its_own(tmp_path):
    batches = [[record(1, b"x")], [record(2, os.urandom(5000))], [record(3, b"y")]]
    append(tmp_path, batches)
    sizes = {name: len(content) for name, content in contents(tmp_path).items()}
    assert sizes == {segment_name(1): 1024, segment_name(2): 5632}
    assert commands_of(tmp_path) == [batch[0] for batch in batches]


def test_frames_longer_than_the_reader_reads_at_once(tmp_path):
    batches = [[record(1, os.urandom(size))] for size in (900_000, 3_000_000, 10, 1_100_000, 5)]
    append(tmp_path, batches, 4 << 20)
    assert commands_of(tmp_path, 4 << 20) == [batch[0] for batch in batches]


def test_frames_after_a_snapshot(tmp_path):
    append(tmp_path, [[record(1, bytes([n] * 150)), record(2)] for n in range(1, 11)])
    journal = Journal.open(tmp_path, 1024, after_seq=12)
    assert journal.last_seq == 20
    assert [frame.first_seq for frame in journal.frames(12)] == [13, 15, 17, 19]
    assert list(journal.frames(20)) == []
    with pytest.raises(JournalDamage, match="command 13 is not the last of its frame"):
        list(journal.frames(13))


def test_segments_before_a_snapshot_may_be_gone(tmp_path):
    append(tmp_path, [[record(1, bytes([n] * 150)), record(2)] for n in range(1, 11)])
    frames = list(Journal.open(tmp_path, 1024).frames())
    holder = next(frame.place.path for frame in frames if frame.last_seq == 12)
    for path in list(tmp_path.iterdir()):
        if path.name < holder.name:
            path.unlink()
    journal = Journal.open(tmp_path, 1024, after_seq=12)
    assert [frame.last_seq for frame in journal.frames(12)] == [14, 16, 18, 20]
    with pytest.raises(JournalDamage, match="lacks command 1"):
        Journal.open(tmp_path, 1024)


def test_a_journal_that_ends_before_the_snapshot_is_refused(tmp_path):
    append(tmp_path, [[record(1)]])
    with pytest.raises(JournalDamage, match="command 2 is missing"):
        Journal.open(tmp_path, 1024, after_seq=2)
    with pytest.raises(JournalDamage, match="lacks command 5"):
        Journal.open(tmp_path / "other", 1024, after_seq=5)


def test_what_a_crash_left_of_the_next_segment_is_removed(tmp_path):
    append(tmp_path, [[record(1)]])
    (tmp_path / "next.tmp").write_bytes(b"half")
    assert commands_of(tmp_path) == [record(1)]
    assert list(contents(tmp_path)) == [segment_name(1)]


async def follow(directory: Path) -> list[int]:
    seen = []
    reader = JournalReader(directory)
    for round_number in range(1, 40):
        batch = [record(1, bytes([round_number] * 90)), record(2)]
        await append_async(directory, [batch] * (round_number % 4), 1024)
        until_seq = Journal.open(directory, 1024).last_seq
        seen.extend(frame.first_seq for frame in reader.frames(until_seq))
        assert reader.next_seq == until_seq + 1
    reader.close()
    return seen


def test_a_reader_follows_a_growing_journal_over_segments(tmp_path):
    Journal.open(tmp_path, 1024)
    seen = asyncio.run(follow(tmp_path))
    assert seen == list(range(1, 2 * len(seen), 2))
    assert len(contents(tmp_path)) > 10


def test_a_reader_asked_for_more_than_there_is_says_so(tmp_path):
    append(tmp_path, [[record(1)]])
    reader = JournalReader(tmp_path)
    with pytest.raises(JournalDamage, match="ends with command 1, 2 is missing"):
        list(reader.frames(2))
    reader.close()


def test_the_folder_is_for_one_process(tmp_path):
    lock = FolderLock(tmp_path)
    program = ("import sys; from engine.journal import FolderLock, FolderLocked\n"
               "try: FolderLock(sys.argv[1])\n"
               "except FolderLocked as error: sys.exit(str(error))")
    command = [sys.executable, "-c", program, str(tmp_path)]
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 1
    assert f"is in use by process {os.getpid()}" in second.stderr
    with pytest.raises(FolderLocked, match=str(os.getpid())):
        FolderLock(tmp_path)
    lock.release()
    assert subprocess.run(command).returncode == 0


@pytest.mark.parametrize("segment_bytes", [0, 512, 1023, 1025, 1600])
def test_a_segment_size_that_cannot_be(tmp_path, segment_bytes):
    with pytest.raises(ValueError):
        Journal.open(tmp_path, segment_bytes)
