"""The state of the workers as a whole: dumps, digests, and that nothing changes unnoticed."""

import ctypes
import random

import numpy as np
import pytest

from pool.workers import Workers

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
ONE = 1 << 16
DAY = 19_676
NOON_S = DAY * DAY_S + 12 * HOUR_S


def filled(seed: int = 1, count: int = 60) -> Workers:
    """Workers with something everywhere: edges, carries, groups, freed numbers, moved work."""
    chance = random.Random(seed)
    workers = Workers()
    for coin in (1, 2):
        workers.set_epoch(coin, 1)
    for name in ("goes", "also goes, and had a long name"):
        workers.add(3, name, 1, ONE, 1, 1, NOON_S - 40 * DAY_S, NOON_S - 40 * DAY_S)
    ts_s = NOON_S - 35 * DAY_S
    for number in range(count):
        ts_s += chance.choice((7, MINUTE_S, HOUR_S, 2 * DAY_S if number < 10 else 0))
        workers.add(chance.choice((3, 4, 70_000)), f"rig{number % 7}" + "x" * (number % 5) * 6,
                    chance.choice((1, 2)), chance.choice((ONE << 12, 3, 2**62)),
                    chance.randrange(1, 4), chance.randrange(3), ts_s - chance.randrange(600), ts_s)
        if number == count // 2:
            workers.set_epoch(2, 5)
    for number in workers.workers_of(3, ts_s):
        workers.set_group(number, 9)
    midnight_s = ts_s - ts_s % DAY_S + DAY_S
    workers.add(3, "rig0", 1, ONE, 1, 1, midnight_s, midnight_s)
    workers.close_day(1, midnight_s // DAY_S - 1)
    workers.add(3, "rig0", 1, ONE, 1, 1, midnight_s - 1, midnight_s + 3)
    assert workers.check() == []
    return workers


def test_a_loaded_store_goes_on_as_the_dumped_one():
    workers = filled()
    again = Workers.load(workers.dump())
    assert (again.check(), again.digest()) == ([], workers.digest())
    now_s = 60 * workers.minute
    for step in range(40):
        now_s += 1_000 * step
        for each in (workers, again):
            each.add(3 + step % 2, f"new{step}", 1, ONE + step, 5, 1, now_s, now_s)
        assert again.digest() == workers.digest()
    assert again.dump() == workers.dump()
    assert again.check() == []


def test_a_dump_does_not_show_how_the_state_came_about():
    """One store had many more workers once, long names, and an index for them."""
    lean, rich = Workers(), Workers()
    for number in range(2_000):
        rich.set_epoch(1, 1)
        rich.add(3, f"{number}" * 10, 1, ONE, 1, 0, NOON_S, NOON_S)
    later_s = NOON_S + 40 * DAY_S
    rich.advance(later_s)
    rich.close_day(1, DAY)
    rich.drop_day(1, DAY)
    assert len(rich) == 0
    loaded = Workers.load(rich.dump())
    for each in (rich, loaded):
        for name in ("short", "long" * 10):
            each.add(3, name, 1, ONE, 1, 1, later_s, later_s)
    assert rich.dump() == loaded.dump()
    assert rich.digest() == loaded.digest()
    assert (rich.find(3, "long" * 10), rich.check(), loaded.check()) == (2, [], [])
    assert lean.digest() != rich.digest()


def test_every_byte_of_the_live_columns_is_watched():
    """Whatever is changed past the store, `check` finds."""
    workers = filled(count=12)
    pieces = [np.frombuffer(piece, np.uint8) for piece in workers.pieces()
              if isinstance(piece, memoryview) and len(piece)]
    assert len(pieces) > 30
    for piece in pieces:
        for at in range(len(piece)):
            byte = ctypes.c_uint8.from_address(piece.ctypes.data + at)
            byte.value ^= 0x55
            assert workers.check() != [], (at, len(piece))
            byte.value ^= 0x55
    assert workers.check() == []


def test_a_damaged_dump_is_refused_or_found_or_another_state():
    workers = filled(count=12)
    dumped, digest = workers.dump(), workers.digest()
    chance = random.Random(3)
    for at in sorted(chance.sample(range(len(dumped)), 300)):
        damaged = bytearray(dumped)
        damaged[at] ^= 1 << chance.randrange(8)
        try:
            again = Workers.load(bytes(damaged))
        except (ValueError, UnicodeDecodeError):
            continue
        assert again.check() or again.digest() != digest, at


def test_a_dump_of_another_length_is_refused():
    dumped = filled(count=12).dump()
    for length in (*range(0, 200), *range(200, len(dumped), 37)):
        with pytest.raises(ValueError):
            Workers.load(dumped[:length])
    for more in (b"\0", bytes(8)):
        with pytest.raises(ValueError):
            Workers.load(dumped + more)


def test_each_value_counts_in_the_digest():
    """Two stores that differ in one thing only."""
    def built(account=3, name="rig", coin=1, difficulty=ONE, accepted=2, rejected=2, at_s=NOON_S,
              epoch=1, group=0, closed=False):
        workers = Workers()
        for its in (1, 2):
            workers.set_epoch(its, epoch)
        workers.add(account, name, coin, difficulty, accepted, rejected, at_s, NOON_S + 3)
        workers.set_group(1, group)
        if closed:
            workers.close_day(1, DAY - 1)
        return workers

    usual = built().digest()
    assert built().digest() == usual
    for change in ({"account": 4}, {"name": "Rig"}, {"coin": 2}, {"difficulty": ONE + 1},
                   {"accepted": 3}, {"rejected": 1}, {"at_s": NOON_S + 1}, {"at_s": NOON_S - 60},
                   {"epoch": 2}, {"group": 1}, {"closed": True}):
        assert built(**change).digest() != usual, change
    later = built()
    later.advance(NOON_S + MINUTE_S)
    assert later.digest() != usual


def test_two_workers_who_change_places_have_another_digest():
    digests = set()
    for first, second in (("a", "b"), ("b", "a")):
        workers = Workers()
        workers.set_epoch(1, 1)
        for name in (first, second):
            workers.add(3, name, 1, ONE, 1, 0, NOON_S, NOON_S)
        digests.add(workers.digest())
    assert len(digests) == 2


def test_reading_changes_nothing():
    workers = filled()
    before = workers.dump(), workers.digest()
    for now_s in (60 * workers.minute, 60 * workers.minute + 3 * DAY_S):
        workers.list_of(3, now_s, 10, 24)
        workers.speeds_5m_all(now_s)
        workers.all_days(now_s)
        workers.roster(3, now_s).find(1)
        workers.work(3, 1, DAY)
        workers.memory()
    assert (workers.dump(), workers.digest()) == before


def test_memory_is_what_whole_difficulties_need():
    workers = Workers()
    workers.set_epoch(1, 1)
    for number in range(200):
        workers.add(3, f"rig{number}", 1, ONE << 12, 3, 1, NOON_S, NOON_S)
    assert workers.memory()["workers' sums"] == 200 * 4 * 2 * 3
    workers.add(3, "rig0", 1, ONE + 1, 1, 0, NOON_S, NOON_S)
    assert workers.memory()["workers' sums"] == 200 * 4 * (2 * 3 + 3)
    workers.advance(NOON_S + 40 * DAY_S)
    assert workers.memory()["workers' sums"] == 0
