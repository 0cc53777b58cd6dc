"""Batches of shares: what is refused, why, in which order, and that nothing changes then."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool.share_book import packed_batch
from pool.shares import Reason
from pool.workers import Workers

DAY_S, MINUTE_S = 86_400, 60
ONE = 1 << 16
DAY = 19_676
NOW_S = DAY * DAY_S + 12 * 3_600 + 7
ACCOUNT, OTHER = 3, 5
IS_ACCOUNT = bytes([0, 0, 0, 1, 0, 1])
WORK_MAX = 2**64 - 1

ROW = (0, 1, 1, 0, ONE, NOW_S)
ROW_FIELDS = np.dtype([("name", "<u4"), ("coin", "<u2"), ("zero", "<u2"), ("accepted", "<u4"),
                       ("rejected", "<u4"), ("difficulty", "<u8"), ("at_s", "<u4"),
                       ("zero_too", "<u4")])


@pytest.fixture
def workers() -> Workers:
    """With one worker, that is number 1 of ACCOUNT and called "rig"."""
    workers = Workers()
    workers.set_epoch(1, 1)
    workers.add(ACCOUNT, "rig", 1, ONE, 1, 1, NOW_S, NOW_S)
    return workers


def batch_of(*rows: tuple, names=((ACCOUNT, b"rig"),)) -> bytes:
    return packed_batch(names, rows)


def take(workers: Workers, batch: bytes, ts_s: int = NOW_S) -> None:
    assert workers.refusal_of(batch, ts_s, IS_ACCOUNT) == (Reason.OK, 0)
    workers.take(batch, ts_s)


def refuse(workers: Workers, batch: bytes, reason: Reason, place: int = 0,
           ts_s: int = NOW_S) -> None:
    """The batch is refused, also from then on, and leaves no trace."""
    before = workers.digest(), workers.dump()
    assert workers.refusal_of(batch, ts_s, IS_ACCOUNT) == (reason, place)
    with pytest.raises(ValueError, match="checked last"):
        workers.take(batch, ts_s)
    assert (workers.digest(), workers.dump()) == before
    assert workers.check() == []


def test_a_batch_as_it_lies_in_memory(workers):
    batch = (struct.pack("<II", 2, 1) + struct.pack("<IB", ACCOUNT, 3) + b"rig"
             + struct.pack("<IB", OTHER, 1) + b"x" + bytes(2)
             + struct.pack("<IHHIIQII", 1, 1, 0, 7, 2, 5 * ONE, NOW_S, 0))
    assert batch == batch_of((1, 1, 7, 2, 5 * ONE, NOW_S),
                             names=[(ACCOUNT, b"rig"), (OTHER, b"x")])
    take(workers, batch)
    assert workers.account_of(workers.find(OTHER, "x")) == OTHER
    assert workers.work(OTHER, 1, DAY) == [(1, 35 * ONE)]
    assert [array.tolist() for array in workers.sums_of_hour(NOW_S // 3_600)] == [
        [0, ONE, 35 * ONE], [0, ONE, 10 * ONE]]


AT_NIGHT_S = DAY * DAY_S + 200          # rows may be of the day before
night_rows = st.tuples(
    st.integers(0, 2), st.integers(1, 2), st.integers(0, 3), st.integers(1, 2),
    st.sampled_from((1, ONE // 2, ONE, 16 * ONE, 2**40 + 5)),
    st.integers(AT_NIGHT_S - 600, AT_NIGHT_S + 60))


@given(st.lists(night_rows, min_size=1, max_size=30), st.booleans())
def test_a_batch_counts_as_its_rows_one_by_one(rows, is_closed):
    """However coins, minutes, whole difficulties and others follow each other in it."""
    names = [(ACCOUNT, b"rig"), (OTHER, b"rig"), (OTHER, b"a name of more than 23 bytes")]
    one, other = Workers(), Workers()
    for workers in (one, other):
        workers.set_epoch(1, 1)
        workers.set_epoch(2, 7)
        workers.advance(AT_NIGHT_S)
        if is_closed:
            workers.close_day(2, DAY - 1)
    take(one, batch_of(*rows, names=names), AT_NIGHT_S)
    for name, *row in rows:
        take(other, batch_of((0, *row), names=names[name:name + 1]), AT_NIGHT_S)
    assert one.check() == []
    assert one.dump() == other.dump()
    assert one.digest() == other.digest() == Workers.load(one.dump()).digest()


# -- refusals --------------------------------------------------------------------------------------

def test_a_batch_that_is_cut_short_or_too_long_is_malformed(workers):
    batch = batch_of(ROW, names=[(ACCOUNT, b"rig"), (OTHER, b"another name")])
    for size in range(len(batch)):
        refuse(workers, batch[:size], Reason.MALFORMED)
    for more in (b"\0", bytes(8), bytes(32)):
        refuse(workers, batch + more, Reason.MALFORMED)


@pytest.mark.parametrize("at, value", [
    (0, 0), (0, 2), (0, 2**32 - 1), (4, 0), (4, 2), (4, 2**32 - 1), (12, 2), (12, 255)])
def test_lengths_that_do_not_add_up_are_malformed(workers, at, value):
    batch = bytearray(batch_of(ROW))
    if at == 12:
        batch[at] = value
    else:
        struct.pack_into("<I", batch, at, value)
    refuse(workers, bytes(batch), Reason.MALFORMED)


def test_filling_that_is_not_zero_is_malformed(workers):
    batch = bytearray(batch_of(ROW, names=[(ACCOUNT, b"rig "), (ACCOUNT, b"r")]))
    for at in range(23, 24):
        batch[at] = 1
        refuse(workers, bytes(batch), Reason.MALFORMED)


@pytest.mark.parametrize("name", [
    b"", b"x" * 65, b"\0", b"a\x1f", b"12345678\x7f", b"1234567\n", "c1\x80".encode(),
    "c1 \x9f".encode(), b"\x80", b"\xc3", b"\xc3(", b"\xc0\x80", b"\xe0\x80\xaf", b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"12345678\xff", b"\xe7\x9f",
    b"12345678\x001234567", b"1234567812345678123\x7f5678", b"12345678" * 7 + b"123\x1f5678"])
def test_what_is_no_name(workers, name):
    refuse(workers, batch_of(ROW, names=[(ACCOUNT, b"rig"), (ACCOUNT, name)]), Reason.BAD_NAME, 1)


@pytest.mark.parametrize("name", [
    "x", "x" * 64, " ~!\"'\\/<>", "矿机1号", "\xa0", "é" * 32, "\ud7ff\ue000\uffff", "\U0010ffff",
    "12345678", "1234567 ", "a" * 23, "a" * 24, "a" * 23 + "é"])
def test_what_is_a_name(workers, name):
    take(workers, batch_of(ROW, names=[(OTHER, name.encode())]))
    assert workers.name_of(workers.find(OTHER, name)) == name
    assert (workers.find(ACCOUNT, name), workers.check()) == (0, [])


NAMELESS = Workers()
NAMELESS.set_epoch(1, 1)


@settings(max_examples=200, deadline=None)
@given(name=st.one_of(
    st.binary(max_size=70), st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
    st.tuples(st.text("abc", max_size=9), st.binary(max_size=5)).map(
        lambda parts: parts[0].encode() + parts[1])))
def test_a_name_is_what_python_takes_for_text_without_control_characters(name):
    try:
        text = name.decode()
        is_name = 1 <= len(name) <= 64 and not any(
            ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0 for each in text)
    except UnicodeDecodeError:
        is_name = False
    reason, _ = NAMELESS.refusal_of(batch_of(ROW, names=[(ACCOUNT, name)]), NOW_S, IS_ACCOUNT)
    assert reason == (Reason.OK if is_name else Reason.BAD_NAME)


@pytest.mark.parametrize("account", [0, 4, 6, 2**32 - 1])
def test_an_account_that_is_no_sub_account(workers, account):
    refuse(workers, batch_of(ROW, names=[(ACCOUNT, b"rig"), (account, b"x")]),
           Reason.UNKNOWN_ACCOUNT, 1)


@pytest.mark.parametrize("changes, reason", [
    ({"name": 1}, Reason.MALFORMED), ({"name": 2**32 - 1}, Reason.MALFORMED),
    ({"zero": 1}, Reason.MALFORMED), ({"zero_too": 1}, Reason.MALFORMED),
    ({"coin": 0}, Reason.BAD_COIN), ({"coin": 2}, Reason.BAD_COIN),
    ({"coin": 1_001}, Reason.BAD_COIN), ({"coin": 65_535}, Reason.BAD_COIN),
    ({"difficulty": 0}, Reason.BAD_DIFFICULTY),
    ({"accepted": 0}, Reason.NO_SHARES),
    ({"accepted": 2, "difficulty": 2**63}, Reason.TOO_LARGE),
    ({"rejected": 2**32 - 1, "difficulty": 2**32 + 2}, Reason.TOO_LARGE),
    ({"at_s": NOW_S - 601}, Reason.BAD_TIME), ({"at_s": NOW_S + 61}, Reason.BAD_TIME),
    ({"at_s": 0}, Reason.BAD_TIME), ({"at_s": 2**32 - 1}, Reason.BAD_TIME)])
def test_what_is_wrong_with_a_row(workers, changes, reason):
    batch = bytearray(batch_of(ROW, ROW, ROW))
    rows = np.frombuffer(batch, ROW_FIELDS, offset=len(batch) - 3 * 32)
    for field, value in changes.items():
        rows[1][field] = value
    refuse(workers, bytes(batch), reason, 1)


def test_the_first_check_that_fails_is_the_answer(workers):
    """A row with everything wrong is mended piece by piece."""
    steps = [("name", 0, Reason.MALFORMED), ("coin", 1, Reason.BAD_COIN),
             ("difficulty", 2**63, Reason.BAD_DIFFICULTY), ("rejected", 2, Reason.NO_SHARES),
             ("difficulty", ONE, Reason.TOO_LARGE), ("at_s", NOW_S, Reason.BAD_TIME)]
    batch = bytearray(batch_of((9, 7, 0, 0, 0, 5), (9, 7, 0, 0, 0, 5),
                               names=[(4, b"\n"), (ACCOUNT, b"rig")]))
    rows = np.frombuffer(batch, ROW_FIELDS, offset=len(batch) - 2 * 32)
    rows[1] = (1, 1, 0, 1, 1, ONE, NOW_S, 0)
    refuse(workers, bytes(batch[:-1]), Reason.MALFORMED)
    refuse(workers, bytes(batch), Reason.BAD_NAME)
    batch[13] = ord("x")
    refuse(workers, bytes(batch), Reason.UNKNOWN_ACCOUNT)
    batch[8] = ACCOUNT
    for field, value, reason in steps:
        refuse(workers, bytes(batch), reason)
        rows[0][field] = value
    take(workers, bytes(batch))


@pytest.mark.parametrize("late_s", [-60, -1, 0, 1, 599, 600])
def test_rows_may_be_late_or_ahead_for_a_while(workers, late_s):
    take(workers, batch_of((0, 1, 2, 0, ONE, NOW_S - late_s)))
    assert workers.names.last_at_s(1) == NOW_S
    assert sum(workers.sums_of_hour(NOW_S // 3_600 - (late_s >= 7))[0]) >= 2 * ONE


def test_time_does_not_go_back(workers):
    workers.advance(NOW_S + MINUTE_S)
    early_s = NOW_S - NOW_S % MINUTE_S + MINUTE_S
    for call in (lambda: workers.advance(early_s - 1),
                 lambda: workers.refusal_of(batch_of(ROW), early_s - 1, IS_ACCOUNT),
                 lambda: workers.advance(2**32)):
        with pytest.raises(ValueError, match="time goes"):
            call()
    take(workers, batch_of(ROW), early_s)
    assert workers.minute == early_s // MINUTE_S


def test_a_batch_that_was_checked_is_held_until_it_is_taken(workers):
    """Another of the same size may not lie where it was, and be taken for it."""
    for _ in range(50):
        workers.refusal_of(batch_of(ROW), NOW_S, IS_ACCOUNT)
        with pytest.raises(ValueError, match="checked last"):
            workers.take(batch_of((5, 1, 1, 0, ONE, NOW_S)), NOW_S)


def test_only_the_batch_that_was_checked_last_is_taken(workers):
    first, second = batch_of(ROW), batch_of(ROW, ROW)
    for between in (lambda: workers.refusal_of(second, NOW_S, IS_ACCOUNT),
                    lambda: workers.advance(NOW_S), lambda: workers.set_epoch(1, 2),
                    lambda: workers.close_day(1, DAY - 1), lambda: workers.drop_day(1, DAY - 1)):
        workers.refusal_of(first, NOW_S, IS_ACCOUNT)
        between()
        with pytest.raises(ValueError, match="checked last"):
            workers.take(first, NOW_S)
    workers.refusal_of(first, NOW_S, IS_ACCOUNT)
    with pytest.raises(ValueError, match="checked last"):
        workers.take(first, NOW_S + 1)
    workers.take(first, NOW_S)
    with pytest.raises(ValueError, match="checked last"):
        workers.take(first, NOW_S)


# -- limits of sums --------------------------------------------------------------------------------

@pytest.mark.parametrize("which", [0, 1])
def test_a_workers_day_has_64_bits(workers, which):
    def row(shares, difficulty, at_s=NOW_S):
        return (0, 1, *((shares, 0) if which == 0 else (0, shares)), difficulty, at_s)

    take(workers, batch_of(row(1, WORK_MAX - ONE - 5)))
    for excess in (6, 7, ONE + 6, 2**63, WORK_MAX):
        refuse(workers, batch_of(row(1, excess)), Reason.TOO_LARGE)
    refuse(workers, batch_of(row(1, 3), row(1, 3)), Reason.TOO_LARGE)
    # Other workers, and the worker's other days, have their own.
    take(workers, batch_of(row(1, 2), (1, 1, 9, 9, ONE, NOW_S), row(1, 3),
                           names=[(ACCOUNT, b"rig"), (OTHER, b"x")]))
    assert workers.sums_of_hour(NOW_S // 3_600)[which][1] == WORK_MAX
    refuse(workers, batch_of(row(1, 1)), Reason.TOO_LARGE)
    next_s = (DAY + 1) * DAY_S
    refuse(workers, batch_of(row(1, 1, next_s - 1)), Reason.TOO_LARGE, ts_s=next_s)
    take(workers, batch_of(row(1, WORK_MAX, next_s)), next_s)
    refuse(workers, batch_of(row(1, 1, next_s)), Reason.TOO_LARGE, ts_s=next_s)
    refuse(workers, batch_of(row(1, 1, next_s - 1)), Reason.TOO_LARGE, ts_s=next_s)
    assert workers.check() == []
    again = Workers.load(workers.dump())
    refuse(again, batch_of(row(1, 1, next_s)), Reason.TOO_LARGE, ts_s=next_s)


def test_new_workers_of_a_batch_have_64_bits_together(workers):
    names = [(OTHER, b"x"), (OTHER, b"y")]
    rows = [(0, 1, 1, 0, WORK_MAX, NOW_S), (1, 1, 1, 0, 1, NOW_S)]
    refuse(workers, batch_of(*rows, names=names), Reason.TOO_LARGE)
    for row in rows:
        take(workers, batch_of(row, names=names))
    take(workers, batch_of(rows[1], names=[(OTHER, b"y"), (OTHER, b"y")]))


def test_sums_of_accounts_coins_and_work_have_more_than_64_bits(workers):
    for name in (b"a", b"b", b"c"):
        take(workers, batch_of((0, 1, 1, 1, WORK_MAX, NOW_S), names=[(OTHER, name)]))
    speeds = workers.account_speeds(OTHER, NOW_S + MINUTE_S)
    assert speeds.speed_5m == (int(float(3 * WORK_MAX << 16) / 300), 500)
    assert workers.all_hours(NOW_S + 3_600)[-1].valid_speed == int(
        float((3 * WORK_MAX + ONE) << 16) / 3_600)
    assert workers.work(OTHER, 1, DAY) == [(1, 3 * WORK_MAX)]
    for each in (workers, Workers.load(workers.dump())):
        assert each.check() == []
        assert each.account_speeds(OTHER, NOW_S + MINUTE_S) == speeds
        assert each.speeds_5m_all(NOW_S + MINUTE_S)[2] == int(float(WORK_MAX << 16) / 300)


def test_sums_of_work_are_limited_and_free_again_when_they_are_paid(workers):
    for epoch in range(2, 4_097):
        workers.set_epoch(1, epoch)
        take(workers, batch_of(ROW))
    workers.set_epoch(1, 4_097)
    refuse(workers, batch_of(ROW), Reason.TOO_MANY_EPOCHS)
    take(workers, batch_of((0, 1, 0, 1, ONE, NOW_S)))
    assert len(workers.work(ACCOUNT, 1, DAY)) == 4_096
    next_s = NOW_S + DAY_S
    refuse(workers, batch_of((0, 1, 1, 0, ONE, next_s)), Reason.TOO_MANY_EPOCHS, ts_s=next_s)
    workers.advance(next_s)
    workers.close_day(1, DAY)
    workers.drop_day(1, DAY)
    take(workers, batch_of((0, 1, 1, 0, ONE, next_s)), next_s)
    assert (workers.work_days(1), workers.check()) == ([DAY + 1], [])


# -- limits of numbers -----------------------------------------------------------------------------

def crowd(accounts: np.ndarray, first: int, count: int, at_s: int) -> bytes:
    """A batch with a row for each of so many workers, named by eight hexadecimal digits."""
    name = np.dtype([("account", "<u4"), ("length", "u1"), ("name", "S8")])
    names = np.zeros(count, name)
    names["account"] = accounts
    names["length"] = 8
    names["name"] = [b"%08x" % number for number in range(first, first + count)]
    head = struct.pack("<II", count, count) + names.tobytes()
    rows = np.zeros(count, ROW_FIELDS)
    rows["name"] = np.arange(count)
    rows["coin"], rows["accepted"], rows["difficulty"], rows["at_s"] = 1, 1, ONE, at_s
    return head + bytes(-len(head) % 8) + rows.tobytes()


@pytest.mark.slow
def test_so_many_workers_and_no_more():
    workers, count = Workers(), 4_194_304
    workers.set_epoch(1, 1)
    for first in range(0, count, 1 << 19):
        take(workers, crowd(ACCOUNT, first, 1 << 19, NOW_S))
    assert len(workers) == count
    refuse_new = batch_of(ROW, names=[(ACCOUNT, b"new")])
    assert workers.refusal_of(refuse_new, NOW_S, IS_ACCOUNT) == (Reason.TOO_MANY_WORKERS, 0)
    take(workers, crowd(ACCOUNT, count - 5, 5, NOW_S))
    # Once time drops the others there is room, also for some of them again.
    late_s = (DAY + 31) * DAY_S + 5
    again = crowd(ACCOUNT, 0, 1 << 19, late_s)
    assert workers.refusal_of(again, late_s - DAY_S, IS_ACCOUNT)[0] == Reason.BAD_TIME
    new = batch_of((0, 1, 1, 0, ONE, late_s - DAY_S), names=[(ACCOUNT, b"new")])
    assert workers.refusal_of(new, late_s - DAY_S, IS_ACCOUNT) == (Reason.TOO_MANY_WORKERS, 0)
    new = crowd(ACCOUNT, count - 5, 6, late_s)
    assert workers.refusal_of(new, late_s, IS_ACCOUNT) == (Reason.OK, 0)
    take(workers, again, late_s)
    assert len(workers) == 1 << 19
    assert workers.workers_of(ACCOUNT, late_s) == list(range(1, (1 << 19) + 1))
    assert workers.names.check() == []


@pytest.mark.slow
def test_so_many_accounts_and_no_more():
    workers, count = Workers(), 1_048_576
    workers.set_epoch(1, 1)
    is_account = b"\1" * (count + 2)
    batch = crowd(np.arange(1, count + 1), 0, count, NOW_S)
    assert workers.refusal_of(batch, NOW_S, is_account) == (Reason.OK, 0)
    workers.take(batch, NOW_S)
    more = batch_of(ROW, names=[(count + 1, b"new")])
    assert workers.refusal_of(more, NOW_S, is_account) == (Reason.TOO_MANY_ACCOUNTS, 0)
    assert workers.accounts_with_work(1, DAY) == list(range(1, count + 1))
    assert workers.names.check() == []
