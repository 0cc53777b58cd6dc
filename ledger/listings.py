"""The coins and pairs that are listed, by number and by name.

Numbers are given out from 1 without gaps and never reused; names are unique. A coin never changes;
of a pair only the status does. Whether a listing makes sense (scales, fees) is checked by who adds
it.

Invariants (`check`): numbers are places, names find their listing, a pair's coins are two listed
ones.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass

COINS_MAX = 1000
PAIRS_MAX = 1000
SCALE_MAX = 8


@dataclass(frozen=True, slots=True)
class Coin:
    number: int
    name: str               # 1 to 16 of A-Z 0-9
    title: str
    type: str
    scale: int              # its unit is 10^-scale
    withdraw_fee: int       # units, part of what is withdrawn


@dataclass(slots=True)
class Pair:
    number: int
    name: str               # BASE/QUOTE
    base: int               # coin number
    quote: int              # coin number
    price_scale: int        # a tick is 10^-price_scale quote per base
    amount_scale: int       # a lot is 10^-amount_scale base
    min_qty: int            # lots
    maker_fee_ppm: int      # parts per million of what the resting side receives
    taker_fee_ppm: int
    self_trade: int         # engine.codes.SelfTrade
    status: int             # engine.codes.PairStatus
    base_unit: int          # units of the base coin in a lot
    quote_unit: int         # units of the quote coin in a lot at a price of one tick


class Listings:
    """Numbered and named entries of one kind; subclasses name the kind."""

    __slots__ = ("_listed", "_by_name")
    entry: type

    def __init__(self):
        self._listed: list = []
        self._by_name: dict[str, object] = {}

    def __len__(self) -> int:
        return len(self._listed)

    def __iter__(self) -> Iterator:
        """In order of their numbers."""
        return iter(self._listed)

    def get(self, number: int):
        """The entry of that number, or None."""
        return self._listed[number - 1] if 1 <= number <= len(self._listed) else None

    def by_name(self, name: str):
        """The entry of exactly that name, or None."""
        return self._by_name.get(name)

    def add(self, name: str, *fields, **named_fields):
        """List the next entry: its fields after the number and the name. The name must be new."""
        if name in self._by_name:
            raise ValueError(f"{name} is listed already")
        listed = self.entry(len(self._listed) + 1, name, *fields, **named_fields)
        self._listed.append(listed)
        self._by_name[name] = listed
        return listed

    def dump(self) -> list:
        return [list(astuple(listed)) for listed in self._listed]

    @classmethod
    def load(cls, dumped: list):
        """What `dump` gave, listed again; ValueError where the numbers are not 1, 2, 3 …"""
        listings = cls()
        for number, *fields in dumped:
            if listings.add(*fields).number != number:
                raise ValueError(f"{cls.__name__}: {number} is out of order")
        return listings

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = []
        for place, listed in enumerate(self._listed, 1):
            if listed.number != place:
                faults.append(f"{listed} stands at place {place}")
            if self._by_name.get(listed.name) is not listed:
                faults.append(f"{listed} is not found by its name")
        if len(self._by_name) != len(self._listed):
            faults.append(f"{len(self._by_name)} names for {len(self._listed)} entries")
        return faults


class Coins(Listings):
    """`add(name, title, type, scale, withdraw_fee) -> Coin`."""

    __slots__ = ()
    entry = Coin


class Pairs(Listings):
    """`add(name, base, quote, price_scale, amount_scale, min_qty, maker_fee_ppm, taker_fee_ppm,
    self_trade, status, base_unit, quote_unit) -> Pair`."""

    __slots__ = ()
    entry = Pair

    def check(self) -> list[str]:
        faults = super().check()
        faults += [f"{pair} has one coin on both sides" for pair in self if pair.base == pair.quote]
        return faults
