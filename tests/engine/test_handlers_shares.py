"""ADD_SHARES through the core: each refusal in its order, with its place; sources, time, groups."""

import struct

import numpy as np
import pytest

from engine.codes import Kind, Result
from engine.commands import RESULT_DTYPE, add_shares, cancel_all
from engine.core import Core
from engine.halt import Halt
from pool.share_book import packed_batch
from tests.engine.cold_house import HASH, START_NS, ColdHouse

ALICE, FARM, HALL = 1, 2, 3         # FARM and HALL are Alice's sub-accounts
BTC, BCH, ORE = 1, 2, 3             # the last one has no network
NS_PER_S, MINUTE_S, DAY_S = 10**9, 60, 86_400
NOW_S = START_NS // NS_PER_S
TODAY = NOW_S // DAY_S
ONE = 1 << 16
WORK_MAX = 2**64 - 1
RIG = (FARM, b"rig")
ROW = (0, BTC, 3, 1, 5 * ONE, NOW_S)
NETWORK = {"difficulty": "5", "subsidy": 50, "fees_per_block": 0}


class ShareHouse(ColdHouse):
    """A house that tells whole answers to shares."""

    def shares(self, *rows, names=(RIG,), source=0, number=0):
        """(result, count, duplicate); all else of an answer is zero."""
        return self.answer(add_shares(packed_batch(names, rows), source, number))

    def answer(self, record):
        before = self.core.state_hash()
        outcome = self.core.apply(record, self.core.seq + 1, self.ts_ns)
        row = np.frombuffer(outcome.results, RESULT_DTYPE)[0]
        result = Result(int(row["code"]))
        if result != Result.OK or row["duplicate"]:
            assert self.core.state_hash() == before
        self.core.check()
        assert (row["status"], row["order_id"], row["filled"], row["remaining"]) == (0, 0, 0, 0)
        assert bytes(outcome.events) == b"" and outcome.values == {}
        return result, int(row["count"]), bool(row["duplicate"])

    def at(self, ts_s):
        self.ts_ns = ts_s * NS_PER_S
        return self

    def of_day(self, account=FARM, coin=BTC, day=TODAY):
        """Work in whole difficulties."""
        return sum(work for _, work in self.core.workers.work(account, coin, day)) / ONE


def opened(ts_ns=START_NS) -> ShareHouse:
    house = ShareHouse(ts_ns=ts_ns)
    for name in ("BTC", "BCH", "ORE"):
        house.must(Kind.ADD_COIN, name=name, title=name, type="coin", scale=8)
    house.must(Kind.ADD_ACCOUNT, username="alice", password_hash=HASH, phone="1")
    house.must(Kind.ADD_SUB_ACCOUNT, uid=ALICE, name="hall", theory_speed=0, description="",
               worker_count=0)
    for coin in (BTC, BCH):
        house.must(Kind.SET_NETWORK, coin=coin, **NETWORK)
    return house


@pytest.fixture
def house():
    return opened()


def test_what_a_batch_brings(house):
    assert house.shares(ROW, (1, BCH, 0, 2, ONE, NOW_S), names=[RIG, (HALL, b"other")]) == (
        Result.OK, 2, False)
    assert [house.of_day(), house.of_day(HALL), house.of_day(HALL, BCH)] == [15, 0, 0]
    assert house.workers.account_speeds(FARM, NOW_S + MINUTE_S).speed_5m.reject_rate_permille == 250
    assert house.workers.counts_of(HALL, NOW_S, 10, 24) == (1, 0, 0)
    assert house.reloaded().workers.find(HALL, "other") == 2


# Each row or name has all the faults that are looked for later.
@pytest.mark.parametrize("names, rows, expected, place", [
    ([], [], Result.BAD_COMMAND, 0),
    ([RIG, (9, b"")], [], Result.BAD_COMMAND, 0),
    ([RIG, (9, b"")], [(7, 0, 0, 0, 0, 0)], Result.BAD_NAME, 1),
    ([RIG, (FARM, b"x" * 65)], [ROW], Result.BAD_NAME, 1),
    ([RIG, RIG, (FARM, b"\x80")], [ROW], Result.BAD_NAME, 2),
    ([RIG, (9, b"x")], [(7, 0, 0, 0, 0, 0)], Result.UNKNOWN_ACCOUNT, 1),
    ([RIG, (ALICE, b"x"), (FARM, b"")], [ROW], Result.UNKNOWN_ACCOUNT, 1),
    ([(0, b"x")], [ROW], Result.UNKNOWN_ACCOUNT, 0),
    ([(2**32 - 1, b"x")], [ROW], Result.UNKNOWN_ACCOUNT, 0),
    ([RIG], [ROW, (1, ORE, 0, 0, 0, 0)], Result.BAD_COMMAND, 1),
    ([RIG], [ROW, ROW, (2**32 - 1, BTC, 1, 0, ONE, NOW_S)], Result.BAD_COMMAND, 2),
    ([RIG], [ROW, (0, ORE, 0, 0, 0, 0)], Result.NO_NETWORK, 1),
    ([RIG], [(0, 0, 0, 0, 0, 0)], Result.NO_NETWORK, 0),
    ([RIG], [(0, 9, 1, 0, ONE, NOW_S)], Result.NO_NETWORK, 0),
    ([RIG], [(0, 1_001, 1, 0, ONE, NOW_S)], Result.NO_NETWORK, 0),
    ([RIG], [(0, 65_535, 1, 0, ONE, NOW_S)], Result.NO_NETWORK, 0),
    ([RIG], [ROW, (0, BTC, 0, 0, 0, 0)], Result.BAD_DIFFICULTY, 1),
    ([RIG], [ROW, (0, BTC, 0, 0, ONE, 0)], Result.NO_SHARES, 1),
    ([RIG], [ROW, (0, BTC, 2, 0, 1 << 63, 0)], Result.AMOUNT_TOO_LARGE, 1),
    ([RIG], [ROW, (0, BTC, 0, 2**32 - 1, 1 << 33, 0)], Result.AMOUNT_TOO_LARGE, 1),
    ([RIG], [ROW, (0, BTC, 1, 0, ONE, NOW_S - 601)], Result.BAD_TIME, 1),
    ([RIG], [ROW, (0, BTC, 1, 0, ONE, NOW_S + 61)], Result.BAD_TIME, 1),
    ([RIG], [ROW, (0, BTC, 1, 0, WORK_MAX, NOW_S)], Result.AMOUNT_TOO_LARGE, 0),
    ([RIG], [(0, BTC, 0, 1, 1 << 63, NOW_S)] * 2, Result.AMOUNT_TOO_LARGE, 0),
    ([RIG, (HALL, b"x")], [(at, BTC, 1, 0, 1 << 63, NOW_S) for at in (0, 1)],
     Result.AMOUNT_TOO_LARGE, 0),
    ([RIG], [(0, BTC, 1, 0, WORK_MAX, NOW_S)], Result.OK, 1),
    ([RIG], [(0, BTC, 2**32 - 1, 2**32 - 1, 2**32, NOW_S)], Result.OK, 1),
    ([RIG], [(0, BTC, 1, 0, ONE, NOW_S - 600), (0, BTC, 1, 0, ONE, NOW_S + 60)], Result.OK, 2),
])
def test_a_batch_is_refused_for_its_first_fault(house, names, rows, expected, place):
    assert house.shares(*rows, names=names) == (expected, place, False)
    if expected != Result.OK:
        assert len(house.workers) == 0


def test_a_batch_that_is_refused_moves_no_time(house):
    minute = house.workers.minute
    house.at(NOW_S + 10 * DAY_S)
    assert house.shares(ROW) == (Result.BAD_TIME, 0, False)
    assert house.workers.minute == minute


def test_a_record_that_is_not_whole_is_refused(house):
    record = add_shares(packed_batch([RIG, (HALL, b"long enough")], [ROW, ROW]))
    for size in range(8, len(record) + 40, 8):
        spoiled = struct.pack("<I", size) + record[4:size].ljust(size - 4, b"\0")
        assert house.answer(spoiled) == (
            (Result.OK, 2, False) if size == len(record) else (Result.BAD_COMMAND, 0, False))


@pytest.mark.parametrize("at, value", [
    (16, 0), (16, 3), (16, 2**32 - 1), (20, 0), (20, 1), (20, 3), (20, 2**32 - 1), (28, 4),
    (28, 255)])
def test_lengths_that_do_not_add_up_are_refused(house, at, value):
    record = bytearray(add_shares(packed_batch([RIG, (HALL, b"x")], [ROW, ROW])))
    if at == 28:
        record[at] = value
    else:
        struct.pack_into("<I", record, at, value)
    assert house.answer(bytes(record)) == (Result.BAD_COMMAND, 0, False)


def test_what_has_to_be_zero_is(house):
    record = add_shares(packed_batch([(FARM, b"r")], [ROW, ROW]))
    first = len(record) - 64
    for at, place in ((-65, 0), (-66, 0), (6, 0), (7, 0), (32 + 6, 1), (28, 0), (63, 1)):
        spoiled = bytearray(record)
        spoiled[first + at if at >= 0 else at] = 1
        assert house.answer(bytes(spoiled)) == (Result.BAD_COMMAND, place, False)


def test_a_batch_lies_anywhere_in_a_frame(house):
    """Between records of all lengths; and each counts once."""
    batches = [packed_batch([(FARM, b"x" * length)], [(0, BTC, 1, 0, ONE, NOW_S)])
               for length in range(1, 20)]
    records = [record for at, batch in enumerate(batches)
               for record in (cancel_all(ALICE), add_shares(batch, 7, at + 1),
                              add_shares(b""), add_shares(batch, 7, at + 1))]
    outcome = house.core.apply(b"".join(records), house.core.seq + 1, house.ts_ns)
    rows = np.frombuffer(outcome.results, RESULT_DTYPE)
    assert [Result(code) for code in rows["code"].tolist()] == [
        Result.OK, Result.OK, Result.BAD_COMMAND, Result.OK] * len(batches)
    assert rows["duplicate"].tolist() == [0, 0, 0, 1] * len(batches)
    assert (len(house.workers), house.of_day()) == (len(batches), len(batches))
    house.core.check()


# -- sources ---------------------------------------------------------------------------------------

def test_a_batch_counts_once_for_each_source(house):
    answers = [house.shares(ROW, source=source, number=number) for source, number in (
        (1, 5), (1, 5), (1, 4), (2, 4), (1, 6), (65_535, 2**64 - 1), (65_535, 1), (1, 1_000),
        (1, 999), (0, 0), (0, 0))]
    taken, known = (Result.OK, 1, False), (Result.OK, 0, True)
    assert answers == [taken, known, known, taken, taken, taken, known, taken, known, taken, taken]
    assert house.of_day() == 15 * answers.count(taken)
    again = house.reloaded()
    assert [again.share_sources.last(source) for source in (1, 2, 3, 65_535)] == [
        1_000, 4, 0, 2**64 - 1]
    assert again.state_hash() == house.state_hash()


def test_a_batch_that_was_refused_may_come_again_with_its_number(house):
    assert house.shares((0, ORE, 1, 0, ONE, NOW_S), source=1, number=1)[0] == Result.NO_NETWORK
    assert house.shares(ROW, source=1, number=1) == (Result.OK, 1, False)


@pytest.mark.parametrize("source, number", [(0, 1), (1, 0)])
def test_a_source_and_its_number_come_together(house, source, number):
    assert house.shares(ROW, source=source, number=number) == (Result.BAD_COMMAND, 0, False)


def test_a_number_that_was_taken_is_told_before_anything_is_looked_at(house):
    house.shares(ROW, source=1, number=1)
    assert house.shares(source=1, number=1) == (Result.OK, 0, True)
    assert house.at(NOW_S + 400 * DAY_S).shares(ROW, source=1, number=1)[2]


# -- time ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("now_s", [0, 1, 599, 600, DAY_S - 1, DAY_S, 31 * DAY_S, 2**32 - 61])
def test_a_clock_may_show_any_time(now_s):
    house = opened(ts_ns=now_s * NS_PER_S)
    row = (0, BTC, 3, 1, ONE, now_s)
    assert house.shares(row) == (Result.OK, 1, False)
    assert house.shares(row[:-1] + (max(now_s - 600, 0),), row[:-1] + (now_s + 60,))[0] == Result.OK
    assert house.of_day(day=now_s // DAY_S) + house.of_day(day=now_s // DAY_S - 1) == 9
    reads = house.workers.account_speeds(FARM, now_s), house.workers.list_of(FARM, now_s, 10, 24)
    again = house.reloaded()
    assert (again.workers.account_speeds(FARM, now_s),
            again.workers.list_of(FARM, now_s, 10, 24)) == reads


@pytest.mark.parametrize("now_s", [2**32, 2**33])
def test_shares_have_no_time_after_2106(house, now_s):
    house.at(now_s)
    row = (0, BTC, 1, 0, ONE, 2**32 - 1)
    assert house.shares(row) == (Result.BAD_TIME, 0, False)
    assert house.shares(row, (0, ORE, 1, 0, ONE, 0)) == (Result.NO_NETWORK, 1, False)
    assert house.shares() == (Result.BAD_COMMAND, 0, False)


def test_months_may_lie_between_two_batches(house):
    house.shares(ROW)
    for months, workers in ((1, 1), (2, 1), (5, 1), (200, 1)):
        now_s = NOW_S + months * 31 * DAY_S
        house.at(now_s)
        assert house.workers.workers_of(FARM, now_s) == []
        row = (0, BTC, 1, 0, ONE, now_s)
        assert house.shares(row, names=[(FARM, b"rig%d" % months)]) == (Result.OK, 1, False)
        assert (len(house.workers), house.of_day(day=now_s // DAY_S)) == (workers, 1)
        assert house.reloaded().state_hash() == house.state_hash()
    assert len(house.workers.work_days(BTC)) == 5


def test_many_rows_and_names_make_one_batch(house):
    names = [(FARM + at % 2, b"rig%d" % at) for at in range(20_000)]
    rows = [(at, BTC, 1, 0, ONE, NOW_S) for at in range(20_000)]
    assert house.shares(*rows, names=names) == (Result.OK, 20_000, False)
    assert house.shares(*rows, ROW[:4] + (0, NOW_S), names=names) == (
        Result.BAD_DIFFICULTY, 20_000, False)
    assert (len(house.workers), house.of_day(), house.of_day(HALL)) == (20_000, 10_000, 10_000)


def test_work_counts_in_the_epoch_in_which_it_comes(house):
    house.shares(ROW)
    house.must(Kind.SET_NETWORK, coin=BTC, **NETWORK | {"difficulty": "6"})
    house.shares(ROW, ROW)
    house.must(Kind.SET_NETWORK, coin=BTC, **NETWORK | {"difficulty": "6", "fees_per_block": 9})
    house.shares(ROW)
    assert house.workers.work(FARM, BTC, TODAY) == [(1, 15 * ONE), (2, 45 * ONE)]


def test_a_house_that_is_never_settled_takes_no_more_epochs(house):
    """4,096 sums of work by coin, day and epoch are kept; nothing is lost by itself."""
    for number in range(4_096):
        house.core.apply(
            add_shares(packed_batch([RIG], [ROW])), house.core.seq + 1, house.ts_ns)
        house.core.networks.set(BTC, house.ts_ns, 10**18 * (number + 6), 50, 0, None)
        house.core.workers.set_epoch(BTC, number + 2)
    assert house.shares(ROW) == (Result.TOO_MANY_EPOCHS, 0, False)
    assert house.shares((0, BTC, 0, 1, ONE, NOW_S)) == (Result.OK, 1, False)
    assert house.of_day() == 15 * 4_096


# -- groups ----------------------------------------------------------------------------------------

@pytest.fixture
def sorted_house(house):
    """FARM has the workers a, b, c and the group 1; HALL has a and its own group 1."""
    house.shares(*[(at, BTC, 1, 0, ONE, NOW_S) for at in range(4)],
                 names=[(FARM, b"a"), (FARM, b"b"), (HALL, b"a"), (FARM, "矿".encode())])
    for account in (FARM, HALL):
        house.must(Kind.ADD_GROUP, account=account, name="first")
    return house


def groups(house, account=FARM) -> dict:
    return {line.name: line.group for line in house.core.workers.list_of(account, NOW_S, 10, 24)}


@pytest.mark.parametrize("change, expected", [
    ({"account": ALICE, "id": 9, "workers": []}, Result.UNKNOWN_ACCOUNT),
    ({"account": -1}, Result.UNKNOWN_ACCOUNT),
    ({"account": 2**40}, Result.UNKNOWN_ACCOUNT),
    ({"id": 2, "workers": []}, Result.UNKNOWN_GROUP),
    ({"id": -1}, Result.UNKNOWN_GROUP),
    ({"id": 2**32}, Result.UNKNOWN_GROUP),
    ({"workers": []}, Result.BAD_WORKERS),
    ({"workers": ["nobody", 1]}, Result.BAD_WORKERS),
    ({"workers": ["a", b"b"]}, Result.BAD_WORKERS),
    ({"workers": ["a"] * 10_001}, Result.BAD_WORKERS),
    ({"workers": ["a", "nobody"]}, Result.UNKNOWN_WORKER),
    ({"workers": ["a", ""]}, Result.UNKNOWN_WORKER),
    ({"workers": ["a", "x" * 1_000]}, Result.UNKNOWN_WORKER),
    ({"workers": ["a", "A"]}, Result.UNKNOWN_WORKER),
    ({"workers": ["a", "a\0"]}, Result.UNKNOWN_WORKER),
    ({"account": HALL, "workers": ["b"]}, Result.UNKNOWN_WORKER),
    ({"workers": "a"}, Result.BAD_COMMAND),
    ({"workers": None}, Result.BAD_COMMAND),
    ({"workers": ["a"] * 10_000}, Result.OK),
    ({"workers": ["a", "矿"]}, Result.OK),
])
def test_set_worker_group(sorted_house, change, expected):
    args = {"account": FARM, "id": 1, "workers": ["a", "b"]} | change
    assert sorted_house.do(Kind.SET_WORKER_GROUP, **args) == (expected, None)
    wanted = args["workers"] if expected == Result.OK else []
    assert groups(sorted_house) == {name: int(name in wanted) for name in ("a", "b", "矿")}
    assert groups(sorted_house, HALL) == {"a": 0}


def test_a_group_that_is_removed_leaves_its_workers_ungrouped(sorted_house):
    house = sorted_house
    house.must(Kind.ADD_GROUP, account=FARM, name="second")
    house.must(Kind.SET_WORKER_GROUP, account=FARM, id=1, workers=["a", "b"])
    house.must(Kind.SET_WORKER_GROUP, account=FARM, id=2, workers=["矿"])
    house.must(Kind.SET_WORKER_GROUP, account=HALL, id=1, workers=["a"])
    house.must(Kind.SET_WORKER_GROUP, account=FARM, id=0, workers=["b"])
    assert groups(house) == {"a": 1, "b": 0, "矿": 2}
    house.must(Kind.REMOVE_GROUP, account=FARM, id=1)
    for same in (house, house.reloaded()):
        assert groups(same) == {"a": 0, "b": 0, "矿": 2}
        assert groups(same, HALL) == {"a": 1}


# -- the state as a whole --------------------------------------------------------------------------

def test_a_loaded_house_goes_on_as_the_other(sorted_house):
    house, again = sorted_house, ShareHouse(Core.load(sorted_house.dump()))
    for now_s in (NOW_S + 61, NOW_S + DAY_S, NOW_S + 31 * DAY_S):
        for one in (house, again):
            one.at(now_s)
            assert one.shares((0, BTC, 2, 1, 3 * ONE, now_s), (1, BCH, 1, 0, ONE, now_s - 600),
                              names=[(FARM, b"b"), (HALL, b"new")], source=3,
                              number=now_s) == (Result.OK, 2, False)
        assert again.state_hash() == house.state_hash()
    assert again.dump() == house.dump()


def test_the_hash_covers_what_a_batch_brings(house):
    hashes = {house.state_hash()}
    for batch in (
            lambda: house.shares(ROW), lambda: house.shares(ROW),
            lambda: house.shares(ROW, source=1, number=1),
            lambda: house.shares(ROW, source=1, number=2),
            lambda: house.shares(ROW, source=2, number=2),
            lambda: house.shares(ROW, names=[(FARM, b"other")])):
        assert batch()[0] == Result.OK
        hashes.add(house.state_hash())
    assert len(hashes) == 7


@pytest.mark.parametrize("spoil, fault", [
    (lambda core: core.workers.add(ALICE, "x", BTC, ONE, 1, 0, NOW_S, NOW_S),
     "1 had workers and is no sub-account"),
    (lambda core: core.workers.set_group(1, 2), "sub-account 2 has workers in the groups"),
    (lambda core: core.networks.forget(BTC, TODAY), "which are gone"),
    (lambda core: core.share_sources.take(0, 1), "source 0 is at batch 1"),
    (lambda core: core.share_sources._last.update({1: 9}), "running hash of the sources"),
    (lambda core: core.sub_accounts.flags.append(1), "the flags of the sub-accounts"),
])
def test_check_compares_workers_and_accounts(sorted_house, spoil, fault):
    house = sorted_house
    house.must(Kind.SET_NETWORK, coin=BTC, **NETWORK | {"difficulty": "6"})
    house.shares(ROW, source=1, number=1)
    spoil(house.core)
    with pytest.raises(Halt, match=fault):
        house.core.check()
