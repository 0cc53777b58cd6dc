"""The settlements' store: what it keeps; a loaded one goes on exactly as the dumped one."""

import msgpack
import pytest

from pool.settlements import DaySum, Sale, Settlements
from pool.totals import Total

BTC, CNY = 1, 3
FARM, HALL = 2, 3
WIDE = 2**100


@pytest.fixture
def settlements():
    """A settled day, a running one that has come to FARM, whose coins wait to be sold."""
    settlements = Settlements()
    running = settlements.begin(BTC, 7, WIDE, WIDE + 1, WIDE)
    running.accounts, running.net, running.commission = 2, 50, 5
    settlements.totals.note(HALL, BTC, 7, earned=30)
    settlements.totals.note(FARM, BTC, 7, earned=20, unsold=4, paid=16)
    settlements.finish(60, 5, 1_000)
    running = settlements.begin(BTC, 8, 1, 10, 99)
    running.cursor = FARM
    running.add_works([(3, WIDE), (9, 1)], True)
    running.add_works([(3, 1)], True)
    running.add_works([(3, 7)], False)
    settlements.sell_later(Sale(FARM, str(WIDE), 12, 1, HALL, 10))
    return settlements


def loaded(settlements):
    return Settlements.load(msgpack.unpackb(msgpack.packb(settlements.dump()),
                                            strict_map_key=False))


def test_a_settled_day_is_kept(settlements):
    assert settlements.of_day(BTC, 7) == DaySum(BTC, 7, 2, 60, 50, 5, 5, WIDE, WIDE + 1, WIDE,
                                                1_000)
    assert settlements.of_day(BTC, 8) is settlements.of_day(CNY, 7) is None
    assert [done.day for done in settlements.sums()] == [7]


def test_totals_add_up(settlements):
    assert settlements.totals.get(FARM, BTC) == Total(20, 4, 16, 7)
    settlements.totals.note(FARM, BTC, 9, earned=2**64)
    assert settlements.totals.get(FARM, BTC) == Total(20 + 2**64, 4, 16, 9)
    settlements.totals.note(FARM, BTC, 5, unsold=0, paid=3)
    assert settlements.totals.get(FARM, BTC) == Total(20 + 2**64, 0, 3, 9)
    assert settlements.totals.get(FARM, CNY) == settlements.totals.get(9, BTC) == Total(0, 0, 0, 0)
    assert [entry[:2] for entry in settlements.totals] == [(FARM, BTC), (HALL, BTC)]
    assert settlements.check() == []


def test_a_loaded_store_goes_on_as_the_dumped_one(settlements):
    again = loaded(settlements)
    assert again.digest() == settlements.digest() and again.dump() == settlements.dump()
    assert again.running == settlements.running
    assert again.running.works == ({3: 7}, {3: WIDE + 1, 9: 1})
    for store in (settlements, again):
        assert store.sell_next() == Sale(FARM, str(WIDE), 12, 1, HALL, 10)
        store.totals.note(HALL, BTC, 8, earned=1)
        store.finish(10, 10, 2_000)
        assert store.check() == [] and store.running is None
    assert again.digest() == settlements.digest() and again.dump() == settlements.dump()


CHANGES = {
    "a cursor": lambda store: setattr(store.running, "cursor", HALL),
    "a sum of the running day": lambda store: setattr(store.running, "net", 1),
    "work": lambda store: store.running.add_works([(3, 1)], False),
    "a sale": lambda store: store.sell_next(),
    "a total": lambda store: store.totals.note(FARM, BTC, 8, earned=1),
    "a settled day": lambda store: (store.sell_next(), store.finish(0, 0, 5)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_digest_tells_every_change(settlements, change):
    before = settlements.digest()
    change(settlements)
    assert settlements.digest() != before
    assert loaded(settlements).digest() == settlements.digest()


def test_a_dump_that_says_something_twice_is_refused(settlements):
    sums, totals, running = settlements.dump()
    (coin, accounts, cells), = totals
    for wrong in ([sums * 2, totals, running], [sums, totals * 2, running],
                  [sums, [[coin, accounts[:4] * 2, cells]], running],
                  [sums, [[coin, accounts, cells[:-1]]], running],
                  [sums, [[coin, accounts + b"1", cells]], running],
                  [sums, [[coin, accounts[:4], cells]], running]):
        with pytest.raises(ValueError):
            Settlements.load(wrong)


def break_sum(store):
    done = store._sums[BTC, 7]
    store._sums[BTC, 7] = done._replace(pool=done.pool + 1)


def sell_twice(store):
    for _ in range(2):
        store.sell_later(Sale(FARM, "1", 0, 0, 0, 0))


@pytest.mark.parametrize("spoil, fault", [
    (break_sum, "does not add up"),
    (break_sum, "running hash"),
    (sell_twice, r"sales of \[2, 2, 2\]"),
    (lambda store: setattr(store.running, "cursor", 1), "settled up to 1"),
    (lambda store: setattr(store.running, "day", 7), "settled and being settled"),
    (lambda store: store.totals.note(FARM, BTC, 7, unsold=-1), "unsold=-1"),
])
def test_check_tells_what_is_wrong(settlements, spoil, fault):
    assert settlements.check() == []
    spoil(settlements)
    with pytest.raises(AssertionError, match=fault):
        raise AssertionError("; ".join(settlements.check()))
