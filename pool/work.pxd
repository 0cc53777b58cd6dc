"""What is paid for: accepted work of each sub-account, exactly, by coin, day and epoch.

A sheet has the sums of one coin, day and epoch for all accounts. A coin's epoch is the caller's
number for a time in which its network difficulty was one.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from pool.counters cimport COINS_MAX, Sums
from pool.room cimport Reader
from pool.wide cimport wide_t
from pool.worker_names cimport NameTable

cdef enum:
    # Three days of eight coins whose difficulty changes every ten minutes.
    SHEETS_MAX = 4096
    NO_DAY = -1


cdef struct Sheet:
    uint32_t coin              # 0: the sheet is free
    uint32_t day
    uint32_t epoch
    wide_t* work               # by account slot, in 2^-16
    wide_t total               # of all accounts
    wide_t hash


cdef class Work:
    cdef Sheet* sheets
    cdef uint32_t count        # of sheets in use
    cdef uint32_t sheet_top    # sheets from here on were never used
    cdef uint32_t[COINS_MAX + 1] epochs    # by coin; 0: it has none
    cdef int64_t[COINS_MAX + 1] closed     # the last closed day by coin, or NO_DAY
    cdef uint32_t coin_top     # no coin with a greater number has an epoch

    cdef int drop_day(self, uint32_t coin, int64_t day, Sums* sums) except -1
    cdef Sheet* find(self, uint32_t coin, uint32_t day, uint32_t epoch) noexcept
    cdef Sheet* open(self, uint32_t coin, uint32_t day) except NULL
    cdef list of_day(self, coin, int64_t day, NameTable* names)
    cdef list accounts_of(self, coin, int64_t day, NameTable* names)
    cdef list keys(self)
    cdef list pieces(self, NameTable* names)
    cdef int restore(self, Reader* reader, NameTable* names) except -1
    cdef object digest_parts(self)
    cdef list check(self, const Sums* sums, NameTable* names)
    cdef list day_faults(self, dict totals, const Sums* sums, uint32_t coin, int64_t day)


cdef inline int64_t paid_day(const int64_t* closed, uint32_t coin, int64_t day) noexcept nogil:
    """The day for which work of a day is paid: the next one where that is closed."""
    return day + 1 if closed[coin] >= day else day
