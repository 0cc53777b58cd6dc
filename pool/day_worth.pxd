"""What each account's work of a coin's day is worth, read from the sheets where it lies."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from pool.wide cimport wide_t
from pool.work cimport Sheet
from pool.workers cimport Workers

cdef enum:
    TOO_MUCH = -1             # units: more than an amount may be


cdef struct Amounts:
    int64_t gross             # units, or TOO_MUCH: then there is neither of the others
    int64_t net
    int64_t commission


# One work's, in 2^-128 of a unit.
cdef struct OfOne:
    wide_t value
    bint is_known
    bint is_wide              # it does not fit: by fractions, then


# The sheet of an epoch.
cdef struct Epoch:
    uint32_t number
    const Sheet* sheet
    OfOne[2] of_one           # by whether fees are paid
    wide_t[2] paid            # work that was paid for, so


# An account's work in an epoch.
cdef struct EpochWork:
    uint32_t at               # of `epochs`
    wide_t work


cdef class DayWorth:
    cdef Workers workers
    cdef object valuation     # pool.pps.Valuation
    cdef Epoch* epochs        # rising
    cdef uint32_t count
    cdef EpochWork* works     # of the account that was read last, without zeros
    cdef uint32_t work_count
    cdef wide_t work          # their sum

    cdef int read(self, uint32_t account) except -1
    cdef int amounts(self, bint with_fees, uint32_t fee, uint32_t commission,
                     Amounts* found) except -1
    cdef int exact(self, bint with_fees, uint32_t fee, uint32_t commission,
                   Amounts* found) except -1
    cdef const OfOne* of_one(self, Epoch* epoch, bint with_fees) except NULL
    cdef void count_as_paid(self, bint with_fees) noexcept
