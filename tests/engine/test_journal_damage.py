"""Damaged journals: each cut, flipped bit and torn write gives the whole frames or is refused.

What is never allowed: a frame that had been synced is gone, or another is there, without a word.
"""

import logging
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from engine.journal import Journal, JournalDamage, Recovery
from engine.segments import (
    END_MARK, HEAD_BYTES, HEADER_BYTES, SECTOR_BYTES, frame_bytes, segment_name)
from tests.engine.journal_files import (
    append, commands_of, contents, folder_in_memory, put_contents, record)

SEGMENT_BYTES = 2048
BATCHES = [
    [record(1, b"first"), record(2)],
    [record(3, bytes(600))],  # with a sector that is blank as written
    [record(4, b"last" * 30)],
]
COMMANDS = [b"".join(batch) for batch in BATCHES]
STARTS = (HEADER_BYTES, HEADER_BYTES + 128, HEADER_BYTES + 128 + 704)
ENDS = tuple(start + frame_bytes(len(commands)) for start, commands in zip(STARTS, COMMANDS))
END = ENDS[-1]
NAME = segment_name(1)


@pytest.fixture
def directory():
    with folder_in_memory() as path:
        yield path


@pytest.fixture
def segment(directory):
    """The bytes of a segment with the frames of BATCHES."""
    append(directory, BATCHES, SEGMENT_BYTES)
    content = (directory / NAME).read_bytes()
    assert any(content[END - 80:END]) and not any(content[END:])
    return content


def refused(directory: Path) -> JournalDamage:
    """The journal is refused, and not a byte has changed."""
    before = contents(directory)
    with pytest.raises(JournalDamage) as caught:
        Journal.open(directory, SEGMENT_BYTES)
    assert contents(directory) == before
    return caught.value


def test_a_file_cut_at_any_byte_is_refused(directory, segment):
    # A segment has its full size before its first frame, so no crash of ours cuts one.
    for size in range(len(segment)):
        put_contents(directory, {NAME: segment[:size]})
        damage = refused(directory)
        assert damage.path == directory / NAME and damage.offset == 0
    put_contents(directory, {NAME: segment + b"\0"})
    refused(directory)
    put_contents(directory, {NAME: segment})
    assert commands_of(directory, SEGMENT_BYTES) == COMMANDS


@pytest.mark.slow
def test_no_flipped_bit_loses_a_frame(directory, segment):
    path = directory / NAME
    for offset in range(len(segment)):
        for bit in range(8):
            flipped = bytearray(segment)
            flipped[offset] ^= 1 << bit
            path.write_bytes(flipped)
            try:
                found = commands_of(directory, SEGMENT_BYTES)
            except JournalDamage as damage:
                assert path.read_bytes() == flipped
                assert damage.path == path and damage.offset <= offset
                continue
            # Only where no frame is; what was written is whole then.
            assert found == COMMANDS, f"bit {bit} of byte {offset}"
            assert offset >= HEADER_BYTES
            assert not any(start <= offset < end for start, end in zip(STARTS, ENDS))


def test_a_flip_behind_the_end_of_an_earlier_segment_is_refused(directory):
    append(directory, [[record(1, b"x" * 300)], [record(2, b"y" * 1800)]], SEGMENT_BYTES)
    assert len(contents(directory)) == 2
    content = bytearray((directory / NAME).read_bytes())
    content[1900] = 4
    (directory / NAME).write_bytes(content)
    damage = refused(directory)
    assert (damage.path, damage.offset) == (directory / NAME, 1900)


def torn(content: bytes, start: int, end: int, lost: set[int]) -> bytes:
    """`content` with those of its sectors as before the frame at start..end was written."""
    torn_content = bytearray(content)
    for sector in lost:
        first = max(start, sector * SECTOR_BYTES)
        last = min(end, (sector + 1) * SECTOR_BYTES)
        torn_content[first:last] = bytes(max(last - first, 0))
    return bytes(torn_content)


parts = st.sampled_from([bytes(400), bytes(1000), b"\7" * 30, b"\0\1" * 300, b"\xff" * 700])


@pytest.mark.slow
@settings(max_examples=150, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(st.integers(0, 300), max_size=3), payload=st.lists(parts, max_size=4),
       draw=st.randoms(use_true_random=False))
def test_any_torn_last_frame_is_cut(directory, before, payload, draw):
    put_contents(directory, {})
    whole = [record(1, b"\5" * size) for size in before]
    last = record(2, b"".join(payload))
    append(directory, [[command] for command in [*whole, last]], 8192)
    frame = list(Journal.open(directory, 8192).frames())[-1]
    assume(frame.place.path.name == NAME)
    start = frame.place.offset
    end = start + frame_bytes(len(last))
    content = (directory / NAME).read_bytes()
    sectors = range(start // SECTOR_BYTES, (end + SECTOR_BYTES - 1) // SECTOR_BYTES)
    lost = {sector for sector in sectors if draw.random() < 0.5}
    (directory / NAME).write_bytes(torn(content, start, end, lost))
    unharmed = torn(content, start, end, lost) == content
    assert commands_of(directory, 8192) == (whole + [last] if unharmed else whole)
    # Cut for good: the rest is as if it had never been, and the journal goes on from there.
    left = (directory / NAME).read_bytes()
    assert left[:start] == content[:start]
    assert left == content if unharmed else not any(left[start:])
    append(directory, [[record(3)]], 8192)
    assert commands_of(directory, 8192)[-1] == record(3)


def test_a_write_that_ended_at_any_byte_is_cut(directory, segment):
    for size in range(HEADER_BYTES, END + 1):
        put_contents(directory, {NAME: segment[:size].ljust(SEGMENT_BYTES, b"\0")})
        whole = sum(end <= size for end in ENDS)
        assert commands_of(directory, SEGMENT_BYTES) == COMMANDS[:whole], size
        assert not any((directory / NAME).read_bytes()[ENDS[whole - 1] if whole else HEADER_BYTES:])


def test_the_cut_is_logged(directory, segment, caplog):
    (directory / NAME).write_bytes(torn(segment, STARTS[2], END, {1}))
    with caplog.at_level(logging.WARNING):
        assert commands_of(directory, SEGMENT_BYTES) == COMMANDS[:2]
    assert f"offset {STARTS[2]}: cut the torn last frame" in caplog.text
    assert "ends with command 3" in caplog.text


def test_examining_changes_nothing(directory, segment):
    torn_content = torn(segment, STARTS[2], END, {2})
    (directory / NAME).write_bytes(torn_content)
    recovery = Recovery(directory, 0)
    assert recovery.examine().last.last_seq == 3
    assert recovery.torn
    assert (directory / NAME).read_bytes() == torn_content


def test_a_lost_sector_before_the_last_frame_is_refused(directory):
    batches = [[record(1, b"\1" * 2000)], [record(2, b"\2" * 2000)], [record(3, b"\3" * 2000)]]
    append(directory, batches, 8192)
    content = (directory / NAME).read_bytes()
    frames = list(Journal.open(directory, 8192).frames())
    for frame in frames[:2]:
        start = frame.place.offset
        end = start + frame_bytes(len(frame.commands))
        for sector in range(start // SECTOR_BYTES, end // SECTOR_BYTES + 1):
            put_contents(directory, {NAME: torn(content, start, end, {sector})})
            damage = refused(directory)
            assert (damage.path, damage.offset) == (directory / NAME, start)


def test_an_unfinished_frame_with_bytes_behind_it_is_refused(directory, segment):
    content = bytearray(torn(segment, STARTS[2], END, {2}))
    # The head is there and says where the frame would end: only zeros may follow.
    content[END + 100] = 1
    (directory / NAME).write_bytes(content)
    refused(directory)


def test_bytes_in_a_command_do_not_pass_for_a_later_frame(directory):
    append(directory, [[record(1)]], 8192)
    other_head = contents(directory)[NAME][HEADER_BYTES:HEADER_BYTES + HEAD_BYTES]
    put_contents(directory, {})
    append(directory, [[record(1)], [record(2, (b"\1" * 56 + other_head * 60))]], 8192)
    frame = list(Journal.open(directory, 8192).frames())[-1]
    content = (directory / NAME).read_bytes()
    assert other_head in content[512:]
    end = frame.place.offset + frame_bytes(len(frame.commands))
    (directory / NAME).write_bytes(torn(content, frame.place.offset, end, {0}))
    assert commands_of(directory, 8192) == [record(1)]


def three_segments(directory: Path) -> dict[str, bytes]:
    append(directory, [[record(n, bytes([n] * 800))] for n in (1, 2, 3)], 1024)
    files = contents(directory)
    assert len(files) == 3
    return files


def test_a_missing_segment_is_refused(directory):
    files = three_segments(directory)
    for name in list(files)[:2]:
        put_contents(directory, {key: files[key] for key in files if key != name})
        refused(directory)


def test_a_torn_frame_before_another_segment_is_refused(directory):
    files = three_segments(directory)
    middle = segment_name(2)
    for lost in ({0}, {1}, {0, 1}):
        content = torn(files[middle], HEADER_BYTES, 1024, lost)
        put_contents(directory, {**files, middle: content})
        assert refused(directory).path == directory / middle


def test_a_segment_of_another_journal_is_refused(directory):
    files = three_segments(directory)
    put_contents(directory, {})
    others = three_segments(directory)
    put_contents(directory, {**files, segment_name(3): others[segment_name(3)]})
    assert "another journal" in refused(directory).reason


def test_a_segment_under_another_name_is_refused(directory):
    files = three_segments(directory)
    put_contents(directory, {**files, "4.seg": b""})
    refused(directory)
    content = files.pop(segment_name(3))
    put_contents(directory, {**files, segment_name(4): content})
    refused(directory)


def test_a_last_segment_without_frames_is_fine(directory):
    files = three_segments(directory)
    empty = torn(files[segment_name(3)], HEADER_BYTES, 1024, {0, 1})
    put_contents(directory, {**files, segment_name(3): empty})
    assert len(commands_of(directory)) == 2
    append(directory, [[record(4)]])
    assert commands_of(directory)[2] == record(4)


def test_random_garbage_never_passes(directory):
    chance = random.Random(7)
    files = three_segments(directory)
    truth = commands_of(directory)
    for _ in range(300):
        name = chance.choice(list(files))
        content = bytearray(files[name])
        start = chance.randrange(len(content))
        size = chance.choice((1, 2, 8, 64, 512))
        content[start:start + size] = chance.randbytes(len(content[start:start + size]))
        put_contents(directory, {**files, name: bytes(content)})
        try:
            found = commands_of(directory)
        except JournalDamage:
            continue
        assert found == truth
