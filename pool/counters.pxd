"""Sums of work in the last minutes, hours and days: of each worker, sub-account and coin.

A slot is one minute, hour or day; a column has one slot's sums of all workers or all accounts. A
worker's sum has 64 bits in two columns: the middle 32, and an edge with what is below and above.
With the difficulties that pools use the edges are 0, and so have no memory.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from pool.room cimport Reader
from pool.wide cimport wide_of, wide_product, wide_t
from pool.worker_names cimport NameTable

cdef enum:
    MINUTES = 31              # kept: 30 whole ones and the running one
    HOURS = 25
    DAYS = 31
    FIRST_HOUR = MINUTES      # slots: minute m has m % MINUTES, hour h FIRST_HOUR + h % HOURS ...
    FIRST_DAY = FIRST_HOUR + HOURS
    SLOTS = FIRST_DAY + DAYS
    ACTIVE_SLOTS = HOURS + DAYS
    ACCEPTED = 0
    REJECTED = 1
    COINS_MAX = 1000
    LOW_BITS = 16             # below the middle, of minutes and hours
    DAY_LOW_BITS = 20
    KEPT_MAX = 31             # slots of a kind, at most

# A kind of slots.
cdef enum:
    MINUTE = 0
    HOUR = 1
    DAY = 2


cdef struct WorkerColumn:
    uint32_t* middle          # by worker number
    uint32_t* edge            # the low bits, and above them those that are above the middle
    uint64_t edges            # cells of `edge` that are not 0
    uint64_t largest          # sum
    wide_t hash
    bint is_used              # some sum is not 0


cdef struct AccountColumn:
    uint64_t* low             # by account slot
    uint64_t* high
    uint64_t highs            # cells of `high` that are not 0
    wide_t hash
    bint is_used


cdef struct ActiveColumn:
    uint32_t* count           # by account slot: workers with accepted work
    wide_t hash
    bint is_used


cdef struct CoinSums:
    wide_t work[2][SLOTS]
    wide_t moved[DAYS]        # of the day before, but paid as this day's: it was closed already
    wide_t dropped[DAYS]      # work of the day that was forgotten: it is paid


cdef struct Sums:
    int64_t minute            # that time has reached, since 1970-01-01
    uint32_t coin_top         # no coin with a greater number has sums
    CoinSums* coins           # by coin number
    WorkerColumn workers[2][SLOTS]
    AccountColumn accounts[2][SLOTS]
    ActiveColumn active[ACTIVE_SLOTS]


cdef struct Moment:
    uint32_t minute           # slots
    uint32_t hour
    uint32_t day
    uint32_t days_ago         # 0, or 1: the day before the running one


# What rows of one coin and moment, one behind the other, bring to sums that they share.
cdef struct Run:
    uint32_t coin
    const Moment* moment
    wide_t work[2]            # accepted, rejected
    wide_t hash[2]            # of the workers' columns
    wide_t account_hash[2]


cdef struct Window:
    uint32_t seconds
    uint32_t count
    uint32_t slots[KEPT_MAX]  # those of the window's minutes, hours or days that are kept


cdef class Counters:
    cdef Sums sums
    cdef char* room

    cdef void turn(self, int64_t minute, NameTable* names) noexcept
    cdef list pieces(self, NameTable* names)
    cdef int restore(self, Reader* reader, NameTable* names) except -1
    cdef int restore_column(self, Reader* reader, WorkerColumn* column, uint32_t slot,
                            uint32_t used, uint8_t form) except -1
    cdef size_t hashes(self, wide_t* found) noexcept
    cdef list check(self, NameTable* names)
    cdef list slot_faults(self, uint32_t which, uint32_t slot, NameTable* names, wide_t* totals,
                          uint32_t* active)


cdef void window_of(const Sums* sums, int64_t now_minute, int kind, uint32_t length,
                    Window* window) noexcept nogil
cdef int64_t minute_at(const Sums* sums, int64_t now_s) except -1
cdef int64_t unit_of(int64_t minute, int kind) noexcept nogil
cdef uint32_t slot_of(int64_t unit, int kind) noexcept nogil
cdef bint is_kept(const Sums* sums, int64_t unit, int kind) noexcept nogil
cdef wide_t worker_work(const Sums* sums, int which, uint32_t number,
                        const Window* window) noexcept nogil
cdef wide_t account_work(const Sums* sums, int which, uint32_t account,
                         const Window* window) noexcept nogil
cdef wide_t coin_work(const Sums* sums, int which, uint32_t coin,
                      const Window* window) noexcept nogil
cdef uint64_t column_add_edge(WorkerColumn* column, uint32_t number, uint64_t work,
                              uint32_t low_bits) noexcept nogil
cdef uint64_t column_get(const WorkerColumn* column, uint32_t number,
                         uint32_t low_bits) noexcept nogil


cdef inline uint32_t low_bits_of(uint32_t slot) noexcept nogil:
    return DAY_LOW_BITS if slot >= FIRST_DAY else LOW_BITS


cdef inline uint64_t column_add(WorkerColumn* column, uint32_t number, uint64_t work,
                                uint32_t low_bits) noexcept nogil:
    """Add work of at least 1 to a worker's sum, but to no hash; the sum after it."""
    cdef uint64_t middle
    if column.edges == 0 and work & ((<uint64_t> 1 << low_bits) - 1) == 0:
        middle = column.middle[number] + (work >> low_bits)
        if middle >> 32 == 0:
            column.middle[number] = <uint32_t> middle
            if middle << low_bits > column.largest:
                column.largest = middle << low_bits
            return middle << low_bits
    return column_add_edge(column, number, work, low_bits)


cdef inline void account_add(AccountColumn* column, uint32_t account,
                             uint64_t work) noexcept nogil:
    column.low[account] += work
    if column.low[account] < work:
        column.highs += column.high[account] == 0
        column.high[account] += 1


cdef inline void active_add(ActiveColumn* column, uint32_t account,
                            uint64_t coefficient) noexcept nogil:
    column.hash += wide_of(coefficient)
    column.is_used = True
    column.count[account] += 1


cdef inline void sums_add(Sums* sums, int which, uint32_t number, uint32_t account, Run* run,
                          uint64_t work, uint64_t coefficient,
                          uint64_t account_coefficient) noexcept nogil:
    """Add work of at least 1 to a worker's and its account's sums, and to a run's."""
    cdef const Moment* moment = run.moment
    cdef WorkerColumn* workers = sums.workers[which]
    cdef AccountColumn* accounts = sums.accounts[which]
    cdef uint64_t of_hour, of_day
    run.work[which] += wide_of(work)
    run.hash[which] += wide_product(work, coefficient)
    run.account_hash[which] += wide_product(work, account_coefficient)
    column_add(workers + moment.minute, number, work, LOW_BITS)
    of_hour = column_add(workers + moment.hour, number, work, LOW_BITS)
    of_day = column_add(workers + moment.day, number, work, DAY_LOW_BITS)
    account_add(accounts + moment.minute, account, work)
    account_add(accounts + moment.hour, account, work)
    account_add(accounts + moment.day, account, work)
    if which == ACCEPTED:
        # Sums only grow until they are emptied: only the first share finds one at zero.
        if of_hour == work:
            active_add(&sums.active[moment.hour - FIRST_HOUR], account, account_coefficient)
        if of_day == work:
            active_add(&sums.active[moment.day - FIRST_HOUR], account, account_coefficient)


cdef inline void run_add(Sums* sums, int which, Run* run) noexcept nogil:
    """Add a run's accepted or rejected work, at least 1, to its coin's sums and to the hashes; it
    has none then."""
    cdef wide_t* totals = sums.coins[run.coin].work[which]
    cdef uint32_t[3] slots = [run.moment.minute, run.moment.hour, run.moment.day]
    cdef uint32_t kind, slot
    for kind in range(3):
        slot = slots[kind]
        totals[slot] += run.work[which]
        sums.workers[which][slot].hash += run.hash[which]
        sums.workers[which][slot].is_used = True
        sums.accounts[which][slot].hash += run.account_hash[which]
        sums.accounts[which][slot].is_used = True
    run.work[which] = run.hash[which] = run.account_hash[which] = 0
