"""What accounts have earned of each coin: a column a coin, by account number."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from pool.counters cimport COINS_MAX
from pool.wide cimport wide_t


cdef struct AccountTotal:
    uint64_t earned_low       # units, of all days
    uint64_t earned_high
    int64_t unsold            # units of that, and of commissions, which wait for the next sale
    int64_t last_paid         # units, 0: there was no payment
    int64_t last_day          # since 1970-01-01, that something was earned or paid for


cdef struct Column:
    AccountTotal* cells
    uint32_t room             # account numbers below this one have a cell


cdef class Totals:
    cdef Column* columns      # by coin number
    cdef uint32_t coin_top    # no coin with a greater number has totals
    cdef wide_t hash

    cdef AccountTotal* cell(self, uint32_t account, uint32_t coin) except NULL
    cdef int grow(self, Column* column, uint32_t account) except -1
    cdef int add(self, uint32_t account, uint32_t coin, int64_t day, wide_t earned,
                 const int64_t* unsold, int64_t paid) except -1
    cdef wide_t hash_of_all(self) noexcept


cdef inline const AccountTotal* total_at(Totals totals, uint32_t account, uint32_t coin) noexcept:
    """NULL where an account has none of a coin."""
    if coin > COINS_MAX or account >= totals.columns[coin].room:
        return NULL
    return totals.columns[coin].cells + account
