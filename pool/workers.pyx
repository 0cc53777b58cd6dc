"""Reads the pool's workers (docs/pool-core.md): speeds, hours, work; lists by pool/rosters.

A read changes nothing, and at a moment that time has not reached yet gives what it would give then.
"""

from libc.stdint cimport uint64_t

from pool.counters cimport (
    ACCEPTED, ACTIVE_SLOTS, COINS_MAX, DAY, DAYS, FIRST_HOUR, HOUR, HOURS, KEPT_MAX, MINUTE,
    REJECTED, SLOTS, Sums, WorkerColumn, account_work, coin_work, column_get, is_kept, low_bits_of,
    minute_at, slot_of, unit_of, window_of, worker_work)
from pool.rosters cimport Roster
from pool.share_book cimport DAY_S
from pool.wide cimport reject_permille, speed_int, wide_int, wide_join, wide_low
from pool.worker_names cimport WORKERS_MAX, NameTable, account_slot

import numpy as np

from pool.worker_views import Active, Period, Speed, Speeds

cdef extern from * nogil:
    """
    /* One copy for processors with AVX2, one for all others, where that can be had. */
    #if defined(__x86_64__) && defined(__GLIBC__)
    #define FOR_AVX2_TOO __attribute__((target_clones("avx2", "default")))
    #else
    #define FOR_AVX2_TOO
    #endif

    /* Into an array of doubles: the speeds of works in 2^-16 over so many seconds. */
    static void speeds_put(void *speeds, const orebook_wide *works, size_t count,
                           uint32_t seconds) {
        for (size_t at = 0; at < count; at++)
            ((double *) speeds)[at] = speed_double(works[at], seconds);
    }

    /* The same of the middles of some columns, in 2^16. Their sums have no more than 35 bits: all
       is exact but the division, and a double of 2^52 + n has n in its lowest bits. Written, and
       its traps waived, so that compilers take several numbers at a time. */
    __attribute__((always_inline, optimize("no-trapping-math")))
    static inline void speeds_put_of(double *restrict speeds, const uint32_t *const *middles,
                                     int columns, size_t first, size_t count, uint32_t seconds) {
        const double whole = 4503599627370496.0;
        const double divisor = seconds;
        const uint32_t *own[5];
        for (int column = 0; column < columns; column++) own[column] = middles[column] + first;
        for (size_t at = 0; at < count; at++) {
            uint64_t sum = UINT64_C(0x4330000000000000);
            for (int column = 0; column < columns; column++) sum += own[column][at];
            double value;
            memcpy(&value, &sum, sizeof(double));
            double speed = (value - whole) * 4294967296.0 / divisor;
            double near = (speed + whole) - whole;
            double floor = near - (near > speed ? 1.0 : 0.0);
            speeds[at] = speed < whole ? floor : speed;
        }
    }

    /* From a number on; up to five columns: a loop of its own for each count of them. */
    FOR_AVX2_TOO __attribute__((optimize("no-trapping-math")))
    static void speeds_put_middles(void *speeds, const uint32_t *const *middles, uint32_t columns,
                                   size_t first, size_t count, uint32_t seconds) {
        switch (columns) {
            case 0: memset(speeds, 0, count * sizeof(double)); return;
            case 1: speeds_put_of(speeds, middles, 1, first, count, seconds); return;
            case 2: speeds_put_of(speeds, middles, 2, first, count, seconds); return;
            case 3: speeds_put_of(speeds, middles, 3, first, count, seconds); return;
            case 4: speeds_put_of(speeds, middles, 4, first, count, seconds); return;
            default: speeds_put_of(speeds, middles, 5, first, count, seconds);
        }
    }

    /* Whether some cell from a number on is not 0. */
    static int cells_any(const uint32_t *const *columns, uint32_t count, size_t first,
                         size_t cells) {
        uint32_t found = 0;
        for (uint32_t column = 0; column < count; column++)
            for (size_t at = first; at < first + cells; at++) found |= columns[column][at];
        return found != 0;
    }
    """
    void speeds_put(void* speeds, const wide_t* works, size_t count, uint32_t seconds)
    void speeds_put_middles(void* speeds, const uint32_t** middles, uint32_t columns, size_t first,
                            size_t count, uint32_t seconds)
    bint cells_any(const uint32_t** columns, uint32_t count, size_t first, size_t cells)

cdef extern from "Python.h":
    object memory_of "PyMemoryView_FromMemory"(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_READ

cdef enum:
    SPEEDS_AT_ONCE = 1024
    HOURS_READ = 24
    DAYS_READ = 30


cdef class Workers(ShareBook):
    """All workers of the pool. Times are Unix seconds, difficulty and work in 2^-16, speeds H/s.

    What is read of an account or a coin without shares is nothing or 0; of a worker's number that
    is free, IndexError. ValueError for a moment beyond 32 bits.
    """

    # -- speeds ------------------------------------------------------------------------------------

    def speeds(self, number, int64_t now_s):
        """The Speeds of a worker."""
        return self.speeds_of(WORKER, self.names.known(number), now_s)

    def account_speeds(self, uint32_t account, int64_t now_s):
        """The Speeds of a sub-account."""
        return self.speeds_of(ACCOUNT, account_slot(&self.names.table, account), now_s)

    def coin_speeds(self, uint32_t coin, int64_t now_s):
        """The Speeds of all that mine a coin."""
        return self.speeds_of(COIN, known_coin(coin), now_s)

    def all_speeds(self, int64_t now_s):
        """The Speeds of the pool."""
        return self.speeds_of(ALL, 0, now_s)

    def hours(self, number, int64_t now_s):
        """A worker's 24 hours before the running one, a list of Period, oldest first."""
        return self.periods_of(WORKER, self.names.known(number), now_s, HOUR, HOURS_READ)

    def account_hours(self, uint32_t account, int64_t now_s):
        """A sub-account's 24 hours before the running one, as `hours`."""
        return self.periods_of(ACCOUNT, account_slot(&self.names.table, account), now_s, HOUR,
                               HOURS_READ)

    def coin_hours(self, uint32_t coin, int64_t now_s):
        """A coin's 24 hours before the running one, as `hours`."""
        return self.periods_of(COIN, known_coin(coin), now_s, HOUR, HOURS_READ)

    def all_hours(self, int64_t now_s):
        """The pool's 24 hours before the running one, as `hours`."""
        return self.periods_of(ALL, 0, now_s, HOUR, HOURS_READ)

    def days(self, number, int64_t now_s):
        """A worker's 30 days before the running one, a list of Period, oldest first."""
        return self.periods_of(WORKER, self.names.known(number), now_s, DAY, DAYS_READ)

    def account_days(self, uint32_t account, int64_t now_s):
        """A sub-account's 30 days before the running one, as `days`."""
        return self.periods_of(ACCOUNT, account_slot(&self.names.table, account), now_s, DAY,
                               DAYS_READ)

    def coin_days(self, uint32_t coin, int64_t now_s):
        """A coin's 30 days before the running one, as `days`."""
        return self.periods_of(COIN, known_coin(coin), now_s, DAY, DAYS_READ)

    def all_days(self, int64_t now_s):
        """The pool's 30 days before the running one, as `days`."""
        return self.periods_of(ALL, 0, now_s, DAY, DAYS_READ)

    cdef wide_t work_of(self, Owner owner, uint32_t number, int which,
                        const Window* window) noexcept:
        cdef Sums* sums = &self.counters.sums
        cdef wide_t work = 0
        cdef uint32_t coin
        if owner == WORKER:
            return worker_work(sums, which, number, window)
        if owner == ACCOUNT:
            return account_work(sums, which, number, window)
        if owner == COIN:
            return coin_work(sums, which, number, window)
        for coin in range(1, sums.coin_top + 1):
            work += coin_work(sums, which, coin, window)
        return work

    cdef object speed_over(self, Owner owner, uint32_t number, const Window* window):
        cdef wide_t accepted = self.work_of(owner, number, ACCEPTED, window)
        cdef wide_t rejected = self.work_of(owner, number, REJECTED, window)
        return Speed(speed_int(accepted, window.seconds), reject_permille(accepted, rejected))

    cdef object speeds_of(self, Owner owner, uint32_t number, int64_t now_s):
        cdef int64_t minute = minute_at(&self.counters.sums, now_s)
        cdef Window window
        found = []
        for length in (5, 10, 30):
            window_of(&self.counters.sums, minute, MINUTE, length, &window)
            found.append(self.speed_over(owner, number, &window))
        window_of(&self.counters.sums, minute, HOUR, HOURS_READ, &window)
        return Speeds(*found, self.speed_over(owner, number, &window))

    cdef list periods_of(self, Owner owner, uint32_t number, int64_t now_s, int kind,
                         int64_t length):
        cdef Sums* sums = &self.counters.sums
        cdef int64_t now = unit_of(minute_at(&self.counters.sums, now_s), kind)
        cdef int64_t unit
        cdef Window window
        found = []
        for unit in range(max(now - length, <int64_t> 0), now):
            window_of_unit(sums, unit, kind, &window)
            found.append(Period(unit * window.seconds, *self.speed_over(owner, number, &window)))
        return found

    def speeds_5m_all(self, int64_t now_s):
        """The 5-minute speeds of all workers: an array of whole numbers in 64-bit floats, by
        number, 0 for those that are free."""
        cdef Sums* sums = &self.counters.sums
        cdef uint32_t count = self.names.table.used + 1
        cdef const uint32_t* middles[KEPT_MAX]
        cdef const uint32_t* edges[KEPT_MAX]
        cdef const WorkerColumn* column
        cdef uint32_t columns = 0
        cdef uint32_t edged = 0
        cdef uint32_t at, first, part
        cdef Window window
        cdef char* shown
        cdef wide_t[SPEEDS_AT_ONCE] works
        window_of(sums, minute_at(sums, now_s), MINUTE, 5, &window)
        for at in range(window.count):
            column = &sums.workers[ACCEPTED][window.slots[at]]
            if column.is_used:
                middles[columns] = column.middle
                columns += 1
            if column.edges != 0:
                edges[edged] = column.edge
                edged += 1
        speeds = np.empty(count)
        shown = <char*> <size_t> speeds.ctypes.data
        for first in range(0, count, SPEEDS_AT_ONCE):
            part = min(count - first, <uint32_t> SPEEDS_AT_ONCE)
            # A worker with an edge slows its neighbors down, not all.
            if not cells_any(edges, edged, first, part):
                speeds_put_middles(shown + 8 * <size_t> first, middles, columns, first, part,
                                   window.seconds)
                continue
            for at in range(part):
                works[at] = worker_work(sums, ACCEPTED, first + at, &window)
            speeds_put(shown + 8 * <size_t> first, works, part, window.seconds)
        return speeds

    def sums_of_hour(self, int64_t hour):
        """(accepted, rejected) work of all workers in an hour (hours since 1970-01-01): arrays of
        u64 by number. ValueError for an hour that is not among the 25 last."""
        cdef Sums* sums = &self.counters.sums
        cdef uint64_t[::1] works
        cdef uint32_t number
        cdef int which
        if not is_kept(sums, hour, HOUR):
            raise ValueError(f"hour {hour} is not kept in minute {sums.minute}")
        found = []
        for which in (ACCEPTED, REJECTED):
            column = np.zeros(self.names.table.used + 1, np.uint64)
            found.append(column)
            works = column
            for number in range(self.names.table.used + 1):
                works[number] = column_get(&sums.workers[which][slot_of(hour, HOUR)], number,
                                           low_bits_of(FIRST_HOUR))
        return tuple(found)

    def account_sums_of_hour(self, int64_t hour):
        """What all accounts did in an hour (hours since 1970-01-01): arrays of u64 by place. The
        low and the high half of accepted work, those of rejected work, and the active workers.
        ValueError for an hour that is not among the 25 last."""
        cdef Sums* sums = &self.counters.sums
        cdef size_t count = self.names.table.account_count + 1
        cdef uint32_t slot = slot_of(hour, HOUR)
        cdef int which
        if not is_kept(sums, hour, HOUR):
            raise ValueError(f"hour {hour} is not kept in minute {sums.minute}")
        found = []
        for which in (ACCEPTED, REJECTED):
            for half in (<size_t> sums.accounts[which][slot].low,
                         <size_t> sums.accounts[which][slot].high):
                found.append(np.frombuffer(memory_of(<char*> <size_t> half, 8 * count, PyBUF_READ),
                                           np.uint64).copy())
        active = memory_of(<char*> sums.active[slot - FIRST_HOUR].count, 4 * count, PyBUF_READ)
        return (*found, np.frombuffer(active, np.uint32).astype(np.uint64))

    def place_of(self, uint32_t account):
        """An account's place, by which `account_sums_of_hour` is ordered: from 1, in the order of
        the first shares, never another; 0 where it had none."""
        return account_slot(&self.names.table, account)

    def hour_of_workers(self, const uint32_t[::1] numbers, int64_t hour):
        """(accepted, rejected) work of some workers in an hour, arrays of u64; 0 where time has not
        reached it. ValueError for an hour that is no longer kept."""
        cdef Window window
        cdef uint64_t[::1] works
        cdef Py_ssize_t at
        cdef int which
        self.open_hour(hour, &window)
        found = []
        for which in (ACCEPTED, REJECTED):
            column = np.zeros(len(numbers), np.uint64)
            found.append(column)
            works = column
            for at in range(len(numbers)):
                works[at] = wide_low(worker_work(&self.counters.sums, which, numbers[at], &window))
        return tuple(found)

    def hour_of_account(self, uint32_t account, int64_t hour):
        """(accepted work, rejected work, active workers) of an account in an hour, as above."""
        cdef Sums* sums = &self.counters.sums
        cdef uint32_t slot = account_slot(&self.names.table, account)
        cdef Window window
        self.open_hour(hour, &window)
        return (wide_int(account_work(sums, ACCEPTED, slot, &window)),
                wide_int(account_work(sums, REJECTED, slot, &window)),
                sums.active[window.slots[0] - FIRST_HOUR].count[slot] if window.count != 0 else 0)

    cdef int open_hour(self, int64_t hour, Window* window) except -1:
        if hour <= unit_of(self.counters.sums.minute, HOUR) - HOURS:
            raise ValueError(f"hour {hour} is not kept in minute {self.counters.sums.minute}")
        window_of_unit(&self.counters.sums, hour, HOUR, window)
        return 0

    # -- an account's workers ----------------------------------------------------------------------

    def roster(self, uint32_t account, int64_t now_s):
        """A Roster, to read them in slices; none of them is found yet."""
        return Roster(self, account, now_s)

    cdef Roster whole_roster(self, uint32_t account, int64_t now_s):
        cdef Roster roster = Roster(self, account, now_s)
        roster.find(WORKERS_MAX)
        return roster

    def workers_of(self, uint32_t account, int64_t now_s):
        """Their numbers, in the order of their first shares. O(its workers), as the next two."""
        roster = self.whole_roster(account, now_s)
        return roster.numbers_of(0, len(roster)).tolist()

    def list_of(self, uint32_t account, int64_t now_s, int64_t running_minutes,
                int64_t stopped_hours):
        """A list of WorkerLine, in the order of their first shares."""
        roster = self.whole_roster(account, now_s)
        return roster.lines(0, len(roster), running_minutes, stopped_hours)

    def counts_of(self, uint32_t account, int64_t now_s, int64_t running_minutes,
                  int64_t stopped_hours):
        """(running, stopped, invalid): how many workers of an account have each status."""
        roster = self.whole_roster(account, now_s)
        return roster.counts(0, len(roster), running_minutes, stopped_hours)

    def active_hours(self, uint32_t account, int64_t now_s):
        """Workers with accepted shares in each of the 25 hours to the running one, a list of
        Active, oldest first."""
        return self.active_of(account_slot(&self.names.table, account), now_s, HOUR, HOURS)

    def active_days(self, uint32_t account, int64_t now_s):
        """Workers with accepted shares in each of the 31 days to the running one, a list of
        Active, oldest first."""
        return self.active_of(account_slot(&self.names.table, account), now_s, DAY, DAYS)

    cdef list active_of(self, uint32_t account, int64_t now_s, int kind, int64_t length):
        cdef Sums* sums = &self.counters.sums
        cdef int64_t now = unit_of(minute_at(&self.counters.sums, now_s), kind)
        cdef int64_t unit
        cdef Window window
        found = []
        for unit in range(max(now - length + 1, <int64_t> 0), now + 1):
            window_of_unit(sums, unit, kind, &window)
            count = sums.active[slot_of(unit, kind) - FIRST_HOUR].count[account]
            found.append(Active(unit * window.seconds, count if window.count != 0 else 0))
        return found

    # -- work --------------------------------------------------------------------------------------

    def work(self, uint32_t account, coin, int64_t day):
        """[(epoch, work)] of an account for a coin's day, epochs rising."""
        return self.sheets.of_account(account_slot(&self.names.table, account), coin, day)

    def work_of_day(self, coin, int64_t day):
        """[(account, [(epoch, work)])] of all accounts that have work for a coin's day, account
        numbers and epochs rising. O(accounts)."""
        return self.sheets.of_day(coin, day, &self.names.table)

    def accounts_with_work(self, coin, int64_t day):
        """The numbers of the accounts that have work for a coin's day, rising."""
        return self.sheets.accounts_of(coin, day, &self.names.table)

    def work_days(self, coin):
        """The days for which a coin has work, rising."""
        return self.sheets.days(coin)

    def work_epochs(self, coin):
        """The epochs in which a coin has work, of all days that were not dropped, rising."""
        return self.sheets.epochs_of(coin)

    def epoch_of(self, coin):
        """The epoch in which a coin's shares count; IndexError where it has none."""
        return self.sheets.epoch_of(coin)

    # -- names and room ----------------------------------------------------------------------------

    def find(self, uint32_t account, str name not None):
        """The number of an account's worker, 0 where there is none."""
        return self.names.find(account, name)

    def name_of(self, number):
        """A worker's name."""
        return self.names.name_of(number)

    def account_of(self, number):
        """The account a worker belongs to."""
        return self.names.account_of(number)

    @staticmethod
    def load(bytes dumped not None):
        """What `dump` gave, as workers again; ValueError where it can't be that."""
        cdef Workers workers = Workers()
        workers.load_into(dumped)
        return workers

    def memory(self):
        """Bytes that are in use, by part; those of rooms that were once larger are not counted."""
        cdef NameTable* table = &self.names.table
        cdef Sums* sums = &self.counters.sums
        cdef size_t workers = 0
        cdef size_t accounts = 0
        cdef int which, slot
        for which in range(2):
            for slot in range(SLOTS):
                workers += sums.workers[which][slot].is_used
                workers += sums.workers[which][slot].edges != 0
                accounts += 2 * sums.accounts[which][slot].is_used
                accounts += 2 * (sums.accounts[which][slot].highs != 0)
        for slot in range(ACTIVE_SLOTS):
            accounts += sums.active[slot].is_used
        return {
            "names": 44 * <size_t> table.used + table.arena_used,
            "index": <size_t> 4 << table.index_bits,
            "workers' sums": 4 * workers * table.used,
            "accounts' sums": (4 * accounts + 20) * table.account_count,
            "work": 16 * <size_t> self.sheets.count * table.account_count,
        }


def period_of(int64_t hour, accepted, rejected):
    """The Period of an hour (hours since 1970-01-01) with so much work, below 2^117."""
    cdef wide_t right = wide_join(accepted >> 64, accepted & 0xFFFFFFFFFFFFFFFF)
    cdef wide_t wrong = wide_join(rejected >> 64, rejected & 0xFFFFFFFFFFFFFFFF)
    return Period(hour * 3600, speed_int(right, 3600), reject_permille(right, wrong))


cdef void window_of_unit(const Sums* sums, int64_t unit, int kind, Window* window) noexcept nogil:
    """One minute, hour or day; without a slot where it is not kept."""
    window_of(sums, 0, kind, 0, window)
    window.seconds = 60 if kind == MINUTE else 3600 if kind == HOUR else DAY_S
    if is_kept(sums, unit, kind):
        window.slots[0] = slot_of(unit, kind)
        window.count = 1


cdef uint32_t known_coin(uint32_t coin) except 0:
    if not 1 <= coin <= COINS_MAX:
        raise IndexError(f"there is no coin {coin}")
    return coin
