"""The miners of a house: their force, what they have yielded, and who is the strongest.

A miner takes 64 bytes with its place in the rank, and 4 for each user up to the last that has one.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef struct MinerRow:
    int64_t force
    int64_t opened_ns
    int64_t settled_ns    # up to here, what it yielded is in `accrued`
    int64_t accrued       # units yielded and not claimed
    uint64_t carry        # 10^-18 units that it yielded beside, less than one
    int64_t claimed       # units, all claims together
    uint32_t user
    int32_t signed_day    # of the last sign-in, days since 1970-01-01, or NEVER


cdef class Miners:
    cdef MinerRow* rows           # by number, from 1
    cdef uint32_t* numbers        # by user; 0: it has none
    cdef uint32_t* heap           # numbers, each stronger than the four at 4 * place + 1 ...
    cdef uint32_t* places         # in the heap, by number
    cdef uint32_t count
    cdef size_t capacity          # of rows, heap and places; count < capacity
    cdef size_t users             # capacity of `numbers`
    cdef int64_t latest_ns        # no miner is settled later
    cdef uint32_t coin            # the settings (views.Settings); 0: none yet
    cdef int64_t rate
    cdef int64_t force_price
    cdef int64_t sign_in_force
    cdef int64_t initial_force

    cdef int reserve(self, size_t capacity) except -1
    cdef int reserve_user(self, uint32_t user) except -1
    cdef int append(self, const MinerRow* row) except -1
    cdef MinerRow* row_of(self, uint32_t user) except NULL
    cdef int pass_time(self, int64_t ts_ns) except -1
    cdef void settle(self, MinerRow* row, int64_t ts_ns) noexcept nogil
    cdef object view(self, uint32_t number)
    cdef list row_faults(self, uint32_t number)
    cdef bint is_stronger(self, uint32_t number, uint32_t other) noexcept nogil
    cdef void put(self, uint32_t number, uint32_t place) noexcept nogil
    cdef void rise(self, uint32_t place) noexcept nogil
    cdef void sink(self, uint32_t place) noexcept nogil
    cdef void build_rank(self) noexcept nogil
