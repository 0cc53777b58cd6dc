"""Names and numbers of workers: thousands that come and go, and names that were made to collide."""

import random

import pytest

from pool.share_book import packed_batch
from pool.shares import Reason
from pool.workers import Workers

DAY_S = 86_400
ONE = 1 << 16
START_S = 19_676 * DAY_S + 5
IS_ACCOUNT = b"\0" + b"\1" * 200


def add_all(workers: Workers, names: list[tuple[int, str]], ts_s: int) -> None:
    """A share for each, in order."""
    batch = packed_batch([(account, name.encode()) for account, name in names],
                         [(place, 1, 1, 0, ONE, ts_s) for place in range(len(names))])
    assert workers.refusal_of(batch, ts_s, IS_ACCOUNT) == (Reason.OK, 0)
    workers.take(batch, ts_s)


def name_of(number: int) -> str:
    """A different name for each number; every third is a long one."""
    return f"rig{number}" + ("-" * 15 + f"{number}" * 3 if number % 3 == 0 else "")


def test_workers_come_and_go_by_the_thousand():
    chance = random.Random(5)
    workers = Workers()
    workers.set_epoch(1, 1)
    there: dict[tuple[int, str], list[int]] = {}     # [number, day of the last share], by coming
    for day in range(0, 200, 9):
        ts_s = START_S + day * DAY_S
        names = list(dict.fromkeys(
            (1 + (number := chance.randrange(6_000)) % 50, name_of(number)) for _ in range(700)))
        there = {key: entry for key, entry in there.items() if entry[1] >= day - 30}
        taken = {entry[0] for entry in there.values()}
        free = iter(number for number in range(1, 10_000) if number not in taken)
        for key in names:
            there.setdefault(key, [0, 0])[1] = day
        for entry in there.values():
            entry[0] = entry[0] or next(free)
        add_all(workers, names, ts_s)
        assert len(workers) == len(there)
        for (account, name), (number, _) in there.items():
            assert workers.find(account, name) == number
            assert workers.name_of(number) == name
        for account in range(1, 51):
            assert workers.workers_of(account, ts_s) == [
                number for (owner, _), (number, _) in there.items() if owner == account]
        assert workers.names.check() == []
        assert workers.names.farthest() < 64
    assert workers.check() == []
    assert workers.memory()["index"] <= 32 * 4_000


def test_long_names_give_their_room_back():
    workers = Workers()
    workers.set_epoch(1, 1)
    staying = [(2, f"{number}".rjust(64, "s")) for number in range(100)]
    going = [(1, f"{number}".rjust(64, "g")) for number in range(3_000)]
    both = [name for place, name in enumerate(going) for name in (name, *staying[place:place + 1])]
    add_all(workers, both, START_S)
    full = workers.memory()["names"]
    add_all(workers, staying, START_S + 20 * DAY_S)
    assert workers.memory()["names"] == full
    assert workers.advance(START_S + 40 * DAY_S) == 3_000
    assert workers.memory()["names"] == full - 3_000 * 64
    for account, name in staying:
        assert workers.name_of(workers.find(account, name)) == name
    assert workers.check() == []
    add_all(workers, going[:10], START_S + 40 * DAY_S)
    assert [workers.find(*name) for name in going[:4]] == [1, 3, 5, 7]


def test_a_name_belongs_to_its_account():
    workers = Workers()
    workers.set_epoch(1, 1)
    names = [(account, name) for account in (1, 2) for name in ("a", "b", "ab", "a" * 40)]
    add_all(workers, names + names[::-1], START_S)
    assert [workers.find(*name) for name in names] == list(range(1, 9))
    assert [workers.find(3, "a"), workers.find(1, "c"), workers.find(1, "a" * 39)] == [0, 0, 0]
    assert workers.work(1, 1, START_S // DAY_S) == [(1, 8 * ONE)]


def test_names_of_a_batch_without_a_share_bring_no_worker():
    workers = Workers()
    workers.set_epoch(1, 1)
    batch = packed_batch([(1, b"a"), (2, b"b"), (1, b"c")], [(2, 1, 1, 0, ONE, START_S)])
    assert workers.refusal_of(batch, START_S, IS_ACCOUNT) == (Reason.OK, 0)
    workers.take(batch, START_S)
    assert (len(workers), workers.find(1, "c"), workers.find(2, "b")) == (1, 1, 0)
    assert workers.names.check() == []


def test_workers_come_in_the_order_of_their_rows():
    workers = Workers()
    workers.set_epoch(1, 1)
    batch = packed_batch([(1, b"a"), (1, b"b"), (1, b"c")],
                         [(place, 1, 1, 0, ONE, START_S) for place in (2, 0, 2, 1)])
    workers.refusal_of(batch, START_S, IS_ACCOUNT)
    workers.take(batch, START_S)
    assert [workers.name_of(number) for number in workers.workers_of(1, START_S)] == ["c", "a", "b"]


# -- names that collide ----------------------------------------------------------------------------

ALL = 2**64 - 1
FIRST_HOMES = 1_024


def fold(a: int, b: int) -> int:
    product = a * b
    return product & ALL ^ product >> 64


def coefficient(number: int) -> int:
    z = (number + 1) * 0x9E3779B97F4A7C15 & ALL
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & ALL
    z = (z ^ z >> 27) * 0x94D049BB133111EB & ALL
    return (z ^ z >> 31) | 1


def first_home(name: bytes) -> int:
    """Where a short name of the first account lies in an index that never grew."""
    seed = coefficient(0)
    key = (bytes([len(name)]) + name).ljust(24, b"\0")
    words = [int.from_bytes(key[at:at + 8], "little") for at in (0, 8, 16)]
    hashed = fold(seed ^ 0xA0761D6478BD642F, 1 ^ 0xE7037ED1A0B428DB)
    hashed = fold(fold(hashed ^ words[0], seed ^ 0x589965CC75374CC3),
                  fold(hashed ^ words[1], words[2] ^ 0x1D8E4E27C47D124F))
    return hashed >> 54


@pytest.mark.slow
def test_names_that_were_made_to_collide_are_spread_again():
    colliding, number = [], 0
    while len(colliding) < 400:
        name = f"{number:x}"
        number += 1
        if first_home(name.encode()) == 77:
            colliding.append((1, name))
    few, many = Workers(), Workers()
    for workers, count in ((few, 200), (many, 400)):
        workers.set_epoch(1, 1)
        add_all(workers, colliding[:count], START_S)
        assert [workers.find(*name) for name in colliding[:count]] == list(range(1, count + 1))
        assert workers.check() == []
    # This many are borne with; that the first are that far proves that the rest would be, too.
    assert few.names.farthest() == 199
    assert many.names.farthest() < 100
    assert Workers.load(many.dump()).digest() == many.digest()
