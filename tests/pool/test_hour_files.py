"""pool/hour_files: what was written is read, and what was not written is never told."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool.hour_files import (
    ACCOUNT_COLUMNS, BLOCK_ROWS, ENTRY_DTYPE, HEAD, WORKER_COLUMNS, HourDamage, HourFile,
    HourFolder, HourMissing, encoded, first_hour_kept, name_of)
from pool.workers import Workers

HOUR = 472_224
DAY_S, HOUR_S = 86_400, 3_600
ONE = 1 << 16
ROWS = 3 * BLOCK_ROWS

works = st.one_of(st.just(0), st.integers(0, 2**64 - 1), st.integers(0, 2**20).map(ONE.__mul__))
rows = st.one_of(st.integers(0, 40), st.sampled_from(
    [at + step for at in (BLOCK_ROWS, 2 * BLOCK_ROWS) for step in (-1, 0, 1)]))


def tables(columns):
    """Row -> its columns; the other rows are zero."""
    return st.dictionaries(rows, st.tuples(*[works] * columns), max_size=12)


def columns_of(table, count, length=ROWS):
    columns = [np.zeros(length, np.uint64) for _ in range(count)]
    for row, values in table.items():
        for column, value in zip(columns, values):
            column[row] = value
    return columns


def written(directory, workers, accounts, hour=HOUR):
    path = directory / name_of(hour)
    path.write_bytes(encoded(hour, columns_of(workers, WORKER_COLUMNS),
                             columns_of(accounts, ACCOUNT_COLUMNS)))
    return path


def joined(accepted, accepted_high, rejected, rejected_high, active):
    return accepted_high << 64 | accepted, rejected_high << 64 | rejected, active


@settings(max_examples=60, deadline=None)
@given(tables(WORKER_COLUMNS), tables(ACCOUNT_COLUMNS), st.sets(rows, max_size=20))
def test_what_was_written_is_read(tmp_path_factory, workers, accounts, asked):
    path = written(tmp_path_factory.mktemp("hours"), workers, accounts)
    with HourFile(path) as file:
        file.check()
        for row in asked | set(workers) | set(accounts) | {0, ROWS - 1, ROWS, 10**9}:
            assert file.worker(row) == workers.get(row, (0, 0))
            assert file.account(row) == joined(*accounts.get(row, (0,) * ACCOUNT_COLUMNS))
        numbers = sorted(asked | set(workers) | {ROWS, 2**31})
        accepted, rejected = file.workers(np.array(numbers, np.uint32))
        assert list(zip(accepted.tolist(), rejected.tolist())) == [
            workers.get(number, (0, 0)) for number in numbers]


def test_the_same_sums_give_the_same_file_however_long_the_columns_are():
    table = {3: (5 * ONE, ONE), BLOCK_ROWS + 1: (ONE, 0)}
    files = {encoded(HOUR, columns_of(table, 2, length), columns_of({}, 5, length))
             for length in (BLOCK_ROWS + 2, ROWS, ROWS + 7)}
    assert len(files) == 1


def test_a_block_of_zeros_costs_nothing():
    near, far = (encoded(HOUR, columns_of({BLOCK_ROWS - 1: (ONE, 0), row: (ONE, 0)}, 2),
                         columns_of({}, 5)) for row in (BLOCK_ROWS, 2 * BLOCK_ROWS))
    assert len(far) - len(near) == ENTRY_DTYPE.itemsize
    assert len(encoded(HOUR, columns_of({}, 2), columns_of({}, 5))) == HEAD.size


@pytest.fixture
def damaged(tmp_path):
    """Write other bytes in the place of a file; what a reader tells of it, row by row."""
    workers = {1: (77 * ONE, ONE), 2: (2**64 - 1, 5), BLOCK_ROWS + 3: (9, 1 << 40)}
    accounts = {1: (5, 1, 6, 0, 2), 2: (2**64 - 1, 2**20, 0, 7, 1)}
    path = written(tmp_path, workers, accounts)
    content = path.read_bytes()

    def told(changed):
        path.write_bytes(changed)
        found, faults = [], 0
        for ask, row, right in (
                [(HourFile.worker, row, works) for row, works in workers.items()]
                + [(HourFile.account, row, joined(*works)) for row, works in accounts.items()]
                + [(lambda file, row: file.check(), 0, None)]):
            try:
                with HourFile(path) as file:
                    found.append((ask(file, row), right))
            except HourDamage as damage:
                assert str(path) in str(damage)
                faults += 1
        return found, faults

    return content, told


def test_a_cut_file_tells_nothing(damaged):
    content, told = damaged
    assert told(content)[1] == 0
    for length in range(len(content)):
        assert told(content[:length]) == ([], 6), length
    assert told(content + b"\0") == ([], 6)


def test_a_flipped_bit_is_never_a_wrong_number(damaged):
    content, told = damaged
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        found, faults = told(bytes(changed))
        assert faults > 0 and all(value == right for value, right in found), at
        # What is in no block is in everybody's way; a block's fault is in that of its rows only.
        assert faults == 6 or at >= HEAD.size


def test_bytes_in_the_place_of_others_are_never_a_wrong_number(damaged):
    content, told = damaged
    for at in range(0, len(content) - 8, 4):
        for size in (8, 12, 24):
            swapped = bytearray(content)
            swapped[at:at + size] = content[at + size:at + 2 * size]
            if bytes(swapped) != content:
                found, faults = told(bytes(swapped))
                assert faults > 0 and all(value == right for value, right in found), (at, size)


def test_a_file_under_another_hours_name_is_damage(tmp_path):
    path = written(tmp_path, {1: (ONE, 0)}, {})
    path.rename(tmp_path / name_of(HOUR + 1))
    with pytest.raises(HourDamage, match=f"tells of hour {HOUR} "):
        HourFile(tmp_path / name_of(HOUR + 1))
    with pytest.raises(HourMissing):
        HourFile(path)
    path.mkdir()
    with pytest.raises(HourDamage):
        HourFile(path)


def test_the_folder_writes_replaces_and_removes(tmp_path):
    folder = HourFolder(tmp_path / "hours")
    assert folder.hours() == []
    for hour in (HOUR, HOUR + 2, HOUR + 1):
        folder.write(hour, columns_of({1: (hour, 0)}, 2), columns_of({}, 5))
    (tmp_path / "hours" / "notes.hrs").write_text("of somebody else")
    assert folder.hours() == [HOUR, HOUR + 1, HOUR + 2]
    os.truncate(folder.path_of(HOUR + 1), 60)
    assert "tells of" in str(folder.fault_of(HOUR + 1)) or "checksum" in str(
        folder.fault_of(HOUR + 1))
    folder.write(HOUR + 1, columns_of({1: (5, 0)}, 2), columns_of({}, 5))
    assert folder.fault_of(HOUR + 1) is None and folder.fault_of(HOUR) is None
    with folder.open(HOUR + 1) as file:
        assert file.worker(1) == (5, 0)
    unfinished = folder.path_of(HOUR + 9).with_suffix(".tmp")
    unfinished.write_bytes(b"half")
    folder.remove_before(HOUR + 1)
    assert folder.hours() == [HOUR + 1, HOUR + 2] and not unfinished.exists()
    folder.remove_all()
    assert folder.hours() == []


def test_an_unfinished_file_is_never_there_under_the_hours_name(tmp_path, monkeypatch):
    folder = HourFolder(tmp_path)
    folder.write(HOUR, columns_of({1: (1, 0)}, 2), columns_of({}, 5))
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        folder.write(HOUR, columns_of({1: (2, 0)}, 2), columns_of({}, 5))
    with folder.open(HOUR) as file:
        assert file.worker(1) == (1, 0)


# -- whose number it was ---------------------------------------------------------------------------

@pytest.mark.parametrize("last_s, late_s", [
    (0, 0), (0, 600), (DAY_S - 1, 0), (DAY_S - 1, 600), (DAY_S // 2, 300)])
def test_no_hour_that_may_be_read_belongs_to_an_earlier_worker_of_a_number(last_s, late_s):
    """The last share comes at any time of a day; the number is given out as early as can be."""
    day = HOUR // 24
    workers = Workers()
    workers.set_epoch(1, 1)
    workers.add(1, "old", 1, ONE, 1, 0, day * DAY_S + last_s, day * DAY_S + last_s)
    number = workers.find(1, "old")
    for came_s in range((day + 29) * DAY_S, (day + 33) * DAY_S, DAY_S):
        workers.add(1, f"new {came_s}", 1, ONE, 1, 0, came_s - late_s, came_s)
        if workers.find(1, f"new {came_s}") == number:
            break
    else:
        raise AssertionError("the number was not given out again")
    assert came_s == (day + 31) * DAY_S
    last_hour, first_hour = (day * DAY_S + last_s) // HOUR_S, (came_s - late_s) // HOUR_S
    assert last_hour < first_hour_kept(came_s) <= first_hour
    # ... nor later, as what may be read moves on with the days.
    assert first_hour_kept(came_s + 40 * DAY_S) > first_hour_kept(came_s)
