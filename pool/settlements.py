"""The settlement that runs, the sums of the days that are settled, and what accounts have earned.

One day of one coin is settled at a time, account by account in the order of their numbers. Work is
added up by epoch and by how it is paid, so that the day's exact worth is known at its end. An
account whose coins are to be sold is kept as a `Sale` until they are.

The running hash of sums and sales follows record by record, that of the totals (pool.totals) cell
by cell. They tell faults, not forgeries.

Invariants (`check`): what a settled day is worth is what its accounts, their referrers and the pool
got; nothing is negative; sales are of accounts that the settlement has come past, one each, in the
order of their numbers; the running hash is that of all records.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgpack
import xxhash

from pool.totals import Totals

DIGEST_BYTES = 16
record_hash = xxhash.xxh3_128_intdigest
# A sum's fields that may exceed 64 bits, and so are text in a record.
WIDE_FIELDS = ("fees", "subsidies", "profit_per_p")


class DaySum(NamedTuple):
    """A settled day of a coin; units. gross = net + commission + pool."""
    coin: int
    day: int                # since 1970-01-01, UTC
    accounts: int           # that had work
    gross: int
    net: int
    commission: int
    pool: int               # what the pool kept
    fees: int               # fees / subsidies is the day's rate of fees
    subsidies: int
    profit_per_p: int       # what 10^15 H/s earned in the day by PPS
    settled_ns: int


class Sale(NamedTuple):
    """An account whose coins are to be sold, with what the day has brought it."""
    account: int
    work: str               # in 2^-16; it may exceed 64 bits
    gross: int
    commission: int
    refer: int
    net: int


@dataclass(slots=True)
class Running:
    """A settlement that has begun and is not at its end."""
    coin: int
    day: int
    fees: int
    subsidies: int
    profit_per_p: int
    cursor: int = 0         # the last account that was settled
    accounts: int = 0       # that had work
    net: int = 0
    commission: int = 0
    # Work that was paid for by PPS, and by FPPS, of each epoch; in the order of their coming.
    works: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    sales: deque[Sale] = field(default_factory=deque)

    def add_works(self, works: Iterable[tuple[int, int]], with_fees: bool) -> None:
        """Count [(epoch, work)] as paid for."""
        paid = self.works[with_fees]
        for epoch, work in works:
            paid[epoch] = paid.get(epoch, 0) + work

    def head(self) -> list:
        """All but the sales, for msgpack; what may exceed 64 bits is text."""
        return [self.coin, self.day, str(self.fees), str(self.subsidies), str(self.profit_per_p),
                self.cursor, self.accounts, self.net, self.commission,
                *([[epoch, str(work)] for epoch, work in paid.items()] for paid in self.works)]

    @classmethod
    def load(cls, head: list, sales: list) -> "Running":
        coin, day, fees, subsidies, profit_per_p, *counts, by_pps, by_fpps = head
        works = ({epoch: int(work) for epoch, work in by_pps},
                 {epoch: int(work) for epoch, work in by_fpps})
        return cls(coin, day, int(fees), int(subsidies), int(profit_per_p), *counts, works,
                   deque(Sale(*sale) for sale in sales))


class Settlements:
    """All settlements of a house."""

    __slots__ = ("running", "totals", "_sums", "_hash")

    def __init__(self):
        self.running: Running | None = None         # for reading; its sales but by `sell_next`
        self.totals = Totals()
        self._sums: dict[tuple[int, int], DaySum] = {}
        self._hash = 0

    # -- a settlement ------------------------------------------------------------------------------

    def begin(self, coin: int, day: int, fees: int, subsidies: int, profit_per_p: int) -> Running:
        """Start a day's settlement, while none runs."""
        self.running = Running(coin, day, fees, subsidies, profit_per_p)
        return self.running

    def sell_later(self, sale: Sale) -> None:
        """Keep an account of the running settlement until its coins are sold."""
        self.running.sales.append(sale)
        self._hash += record_hash(msgpack.packb(sale))

    def sell_next(self) -> Sale:
        """The account whose turn it is to sell; it is kept no longer."""
        sale = self.running.sales.popleft()
        self._hash -= record_hash(msgpack.packb(sale))
        return sale

    def finish(self, gross: int, pool: int, settled_ns: int) -> DaySum:
        """The running settlement is at its end: its sum is kept."""
        its = self.running
        done = DaySum(its.coin, its.day, its.accounts, gross, its.net, its.commission, pool,
                      its.fees, its.subsidies, its.profit_per_p, settled_ns)
        self._sums[its.coin, its.day] = done
        self._hash += record_hash(sum_record(done))
        self.running = None
        return done

    # -- reading -----------------------------------------------------------------------------------

    def of_day(self, coin: int, day: int) -> DaySum | None:
        """The sum of a settled day, None for one that is not."""
        return self._sums.get((coin, day))

    def sums(self) -> Iterator[DaySum]:
        """Of all settled days, in the order in which they were settled."""
        return iter(self._sums.values())

    # -- the state as a whole ----------------------------------------------------------------------

    def digest(self) -> bytes:
        """What tells the state: the running hash, and the running settlement without its sales."""
        head = None if self.running is None else self.running.head()
        own = self._hash + record_hash(msgpack.packb(head)) + self.totals.digest()
        return (own % (1 << 8 * DIGEST_BYTES)).to_bytes(DIGEST_BYTES, "little")

    def dump(self) -> list:
        running = None if self.running is None else [
            self.running.head(), [list(sale) for sale in self.running.sales]]
        return [[sum_fields(done) for done in self.sums()], self.totals.dump(), running]

    @classmethod
    def load(cls, dumped: list) -> "Settlements":
        """What `dump` gave, as settlements again; ValueError where it is not whole."""
        settlements = cls()
        sums, totals, running = dumped
        for fields in sums:
            done = DaySum(*fields)
            done = done._replace(**{name: int(getattr(done, name)) for name in WIDE_FIELDS})
            settlements._sums[done.coin, done.day] = done
        if len(settlements._sums) != len(sums):
            raise ValueError("a settled day is there twice")
        settlements.totals = Totals.load(totals)
        if running is not None:
            settlements.running = Running.load(*running)
        settlements._hash = sum(map(record_hash, settlements._records()))
        return settlements

    def _records(self) -> Iterator[bytes]:
        """What the running hash covers."""
        yield from map(sum_record, self.sums())
        if self.running is not None:
            yield from map(msgpack.packb, self.running.sales)

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds. O(totals)."""
        faults = [f"{done} does not add up" for done in self.sums()
                  if done.gross != done.net + done.commission + done.pool or min(done) < 0
                  or done.subsidies == 0]
        faults += self.totals.check()
        if self._hash != sum(map(record_hash, self._records())):
            faults.append("the running hash of the settlements is not that of their records")
        running = self.running
        if running is None:
            return faults
        if (running.coin, running.day) in self._sums:
            faults.append(f"coin {running.coin}, day {running.day} is settled and being settled")
        sellers = [sale.account for sale in running.sales]
        if sellers != sorted(set(sellers)) or sellers and sellers[-1] > running.cursor:
            faults.append(f"sales of {sellers}, settled up to {running.cursor}")
        return faults


def sum_fields(done: DaySum) -> list:
    """For msgpack; what may exceed 64 bits is text."""
    return list(done._replace(**{name: str(getattr(done, name)) for name in WIDE_FIELDS}))


def sum_record(done: DaySum) -> bytes:
    return msgpack.packb(sum_fields(done))
