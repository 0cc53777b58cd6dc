"""What work is worth: PPS and FPPS of a day, the rate of fees, and what a unit of speed earns.

All of it is exact. A value is a fraction whose denominator grows with the number of epochs, so it
is first held between two bounds, in 2^-BITS of a unit: where both are rounded to the same amount,
that is the amount. Only where a whole unit lies between them the fraction itself is worked out.

Work is in 2^-16 of a share of difficulty 1, network difficulty in 10^-18, money in units.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import gcd

NS_PER_DAY = 86_400 * 10**9
RATE_ONE = 10_000                   # fees and commissions are in 10^-4
BITS = 128
WORK_ONE = 1 << 16
DIFFICULTY_ONE = 10**18
# H/s of which one earns as much as `profit_per_p` says, hashes in a share of difficulty 1.
PETA = 10**15
HASHES = 1 << 32
DAY_S = 86_400


def fees_of_day(states: Iterable, blocks: Iterable, day: int) -> tuple[int, int]:
    """(fees, subsidies) whose quotient is a UTC day's rate of fees.

    Units of the blocks that were counted; where there are none, of the states, weighed by the time
    that each was in force and reduced to lowest terms; (0, 1) where there are none of both.
    """
    fees = subsidies = 0
    for block in blocks:
        fees += block.count * block.fees_per_block
        subsidies += block.count * block.subsidy
    if subsidies != 0:
        return fees, subsidies
    for state, lasted_ns in in_force(states, day):
        fees += lasted_ns * state.fees_per_block
        subsidies += lasted_ns * state.subsidy
    if subsidies == 0:
        return 0, 1
    common = gcd(fees, subsidies)
    return fees // common, subsidies // common


def profit_per_p(states: Iterable, day: int) -> int:
    """Units that 10^15 H/s earn in a day by PPS, half a unit rounded up: the mean over the time of
    the day since its first state. 0 where no state was in force."""
    lasted: dict[tuple[int, int], int] = {}
    for state, lasted_ns in in_force(states, day):
        paid = state.subsidy, state.difficulty
        lasted[paid] = lasted.get(paid, 0) + lasted_ns
    if not lasted:
        return 0
    all_ns = sum(lasted.values())
    values = [(PETA * DAY_S * subsidy * DIFFICULTY_ONE * lasted_ns, difficulty * HASHES)
              for (subsidy, difficulty), lasted_ns in lasted.items()]
    lower = sum((over << BITS) // under for over, under in values)
    found, limit = ((2 * value + (all_ns << BITS)) // (2 * all_ns << BITS)
                    for value in (lower, lower + len(values)))
    if found != limit:
        exact = sum((Fraction(*value) for value in values), Fraction(0))
        return int(exact / all_ns + Fraction(1, 2))
    return found


def in_force(states: Iterable, day: int) -> list[tuple]:
    """(state, nanoseconds of a UTC day that it was in force) of states in the order of their
    `start_ns`."""
    start_ns, end_ns = day * NS_PER_DAY, (day + 1) * NS_PER_DAY
    found = []
    ordered = list(states)
    for state, following in zip(ordered, [*ordered[1:], None]):
        until_ns = end_ns if following is None else min(end_ns, following.start_ns)
        lasted_ns = until_ns - max(start_ns, state.start_ns)
        if lasted_ns > 0:
            found.append((state, lasted_ns))
    return found


class Valuation:
    """What work is worth in the epochs of a coin, at a day's rate of fees.

    `epochs` gives (network difficulty, units of a block's subsidy) of each epoch that work is in;
    KeyError for work of another one.
    """

    __slots__ = ("_epochs", "_rate", "_floors")

    def __init__(self, epochs: Mapping[int, tuple[int, int]], fees: int, subsidies: int):
        self._epochs = epochs
        self._rate = (subsidies + fees, subsidies)
        # By whether fees are paid, then by epoch: units of one work in 2^-BITS, rounded down.
        self._floors: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def amounts(self, works: Iterable[tuple[int, int]], with_fees: bool, fee: int,
                commission: int) -> tuple[int, int, int]:
        """(gross, net, commission) of one account's [(epoch, work)], each rounded down once: by
        FPPS or by PPS, at rates in 10^-4."""
        lower, upper = self._bounds(works, with_fees)
        gross = lower >> BITS
        kept = RATE_ONE - fee
        net = lower * kept // RATE_ONE >> BITS
        part = lower * commission // RATE_ONE >> BITS
        if (gross != upper >> BITS or net != upper * kept // RATE_ONE >> BITS
                or part != upper * commission // RATE_ONE >> BITS):
            value = self.value(works, with_fees)
            return int(value), int(value * kept / RATE_ONE), int(value * commission / RATE_ONE)
        return gross, net, part

    def gross_of_day(self, by_pps: Iterable[tuple[int, int]],
                     by_fpps: Iterable[tuple[int, int]]) -> int:
        """Units that all [(epoch, work)] of a day are worth together, rounded down once."""
        bounds = self._bounds(by_pps, False), self._bounds(by_fpps, True)
        gross, limit = (sum(bound) >> BITS for bound in zip(*bounds))
        if gross != limit:
            return int(self.value(by_pps, False) + self.value(by_fpps, True))
        return gross

    def _bounds(self, works: Iterable[tuple[int, int]], with_fees: bool) -> tuple[int, int]:
        """What [(epoch, work)] are worth, in 2^-BITS of a unit: between these two."""
        floors = self._floors[with_fees]
        lower = all_work = 0
        for epoch, work in works:
            floor = floors.get(epoch)
            if floor is None:
                floor = floors[epoch] = self.floor(epoch, with_fees)
            lower += work * floor
            all_work += work
        return lower, lower + all_work

    def value(self, works: Iterable[tuple[int, int]], with_fees: bool) -> Fraction:
        """Units that [(epoch, work)] are worth, exactly."""
        return sum((work * self.of_one(epoch, with_fees) for epoch, work in works), Fraction(0))

    def of_one(self, epoch: int, with_fees: bool) -> Fraction:
        """Units that one work of an epoch is worth, exactly."""
        difficulty, subsidy = self._epochs[epoch]
        value = Fraction(subsidy * DIFFICULTY_ONE, difficulty * WORK_ONE)
        return value * Fraction(*self._rate) if with_fees else value

    def floor(self, epoch: int, with_fees: bool) -> int:
        """What one work of an epoch is worth, in 2^-BITS of a unit, rounded down."""
        value = self.of_one(epoch, with_fees)
        return (value.numerator << BITS) // value.denominator
