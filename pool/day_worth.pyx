"""The worths of day_worth.pxd, exact to the unit: between two bounds in 2^-128 of a unit where both
round to the same amounts, by the fractions of pool.pps where they do not, or are too large for it.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset

from pool.wide cimport wide_high, wide_int, wide_join, wide_low, wide_of
from pool.worker_names cimport account_slot
from pool.worth cimport Worth, worth_add, worth_part, worth_raise

cdef enum:
    RATE_ONE = 10_000         # rates are in 10^-4

cdef uint64_t AMOUNT_MAX = <uint64_t> 0x7FFFFFFFFFFFFFFF
cdef uint64_t LOW_MASK = <uint64_t> 0xFFFFFFFFFFFFFFFF


cdef class DayWorth:
    """Of a coin's closed day, whose work does not change while this is used."""

    def __init__(self, Workers workers not None, uint32_t coin, int64_t day, valuation):
        """`valuation` (pool.pps.Valuation) knows the epochs of the day's work."""
        self.workers = workers
        self.valuation = valuation
        places = workers.sheets.places_of_day(coin, day)
        self.count = len(places)
        self.epochs = <Epoch*> calloc(self.count + 1, sizeof(Epoch))
        self.works = <EpochWork*> calloc(self.count + 1, sizeof(EpochWork))
        if self.epochs is NULL or self.works is NULL:
            raise MemoryError
        for at, (number, place) in enumerate(places):
            self.epochs[<uint32_t> at].number = number
            self.epochs[<uint32_t> at].sheet = workers.sheets.sheets + <uint32_t> place

    def __dealloc__(self):
        free(self.epochs)
        free(self.works)

    cdef int read(self, uint32_t account) except -1:
        """Take an account's work into `works`, and its sum into `work`."""
        cdef uint32_t slot = account_slot(&self.workers.names.table, account)
        cdef uint32_t at
        cdef wide_t work
        self.work_count = 0
        self.work = wide_of(0)
        if slot == 0:
            return 0
        for at in range(self.count):
            work = self.epochs[at].sheet.work[slot]
            if work != wide_of(0):
                self.works[self.work_count].at = at
                self.works[self.work_count].work = work
                self.work_count += 1
                self.work += work
        return 0

    cdef int amounts(self, bint with_fees, uint32_t fee, uint32_t commission,
                     Amounts* found) except -1:
        """What the work that was read is worth, and net of a fee, and a commission of it: each
        rounded down once."""
        cdef Worth lower, upper
        cdef const EpochWork* work
        cdef const OfOne* one
        cdef uint32_t at
        memset(&lower, 0, sizeof(Worth))
        for at in range(self.work_count):
            work = self.works + at
            one = self.of_one(self.epochs + work.at, with_fees)
            if one.is_wide or wide_high(work.work) != 0:
                return self.exact(with_fees, fee, commission, found)
            worth_add(&lower, wide_low(work.work), one.value)
        upper = lower
        worth_raise(&upper, self.work)
        if lower.whole != upper.whole or upper.whole > wide_of(AMOUNT_MAX):
            return self.exact(with_fees, fee, commission, found)
        found.gross = <int64_t> wide_low(lower.whole)
        found.net = <int64_t> worth_part(&lower, RATE_ONE - fee)
        found.commission = <int64_t> worth_part(&lower, commission)
        if (found.net != <int64_t> worth_part(&upper, RATE_ONE - fee)
                or found.commission != <int64_t> worth_part(&upper, commission)):
            return self.exact(with_fees, fee, commission, found)
        return 0

    cdef int exact(self, bint with_fees, uint32_t fee, uint32_t commission,
                   Amounts* found) except -1:
        """As `amounts`, by pool.pps."""
        cdef uint32_t at
        works = [(self.epochs[self.works[at].at].number, wide_int(self.works[at].work))
                 for at in range(self.work_count)]
        gross, net, part = self.valuation.amounts(works, with_fees, fee, commission)
        found.gross = TOO_MUCH
        if gross <= AMOUNT_MAX:
            found.gross, found.net, found.commission = gross, net, part
        return 0

    cdef const OfOne* of_one(self, Epoch* epoch, bint with_fees) except NULL:
        """What one work of an epoch is worth, rounded down; worked out when first asked for."""
        cdef OfOne* one = &epoch.of_one[with_fees]
        if not one.is_known:
            value = self.valuation.floor(epoch.number, with_fees)
            one.is_wide = value >> 128 != 0
            if not one.is_wide:
                one.value = wide_join(value >> 64, value & LOW_MASK)
            one.is_known = True
        return one

    cdef void count_as_paid(self, bint with_fees) noexcept:
        """The work that was read has been paid for."""
        cdef uint32_t at
        for at in range(self.work_count):
            self.epochs[self.works[at].at].paid[with_fees] += self.works[at].work

    def paid(self, bint with_fees):
        """[(epoch, work)] of what has been counted as paid, epochs rising, without zeros."""
        cdef uint32_t at
        return [(self.epochs[at].number, wide_int(self.epochs[at].paid[with_fees]))
                for at in range(self.count) if self.epochs[at].paid[with_fees] != wide_of(0)]

    def of_account(self, uint32_t account, bint with_fees, uint32_t fee, uint32_t commission):
        """(work, gross, net, commission) of an account at rates in 10^-4; None for the amounts
        where the gross is above 2^63 - 1."""
        cdef Amounts found
        self.read(account)
        self.amounts(with_fees, fee, commission, &found)
        if found.gross == TOO_MUCH:
            return wide_int(self.work), None, None, None
        return wide_int(self.work), found.gross, found.net, found.commission
