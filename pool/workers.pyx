"""Reads the pool's workers (docs/pool-core.md): speeds, lists, counts, work.

A read changes nothing, and at a moment that time has not reached yet gives what it would give then.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from pool.counters cimport (
    ACCEPTED, ACTIVE_SLOTS, COINS_MAX, DAY, DAYS, FIRST_HOUR, HOUR, HOURS, KEPT_MAX, LOW_BITS,
    MINUTE, REJECTED, SLOTS, Sums, WorkerColumn, account_work, coin_work, column_get, is_kept,
    low_bits_of, slot_of, unit_of, window_of, worker_work)
from pool.share_book cimport DAY_S, SILENT_DAYS
from pool.wide cimport reject_permille, speed_int, wide_int, wide_join, wide_low, wide_of
from pool.worker_names cimport NameTable, Worker, account_slot, name_bytes, name_length

import numpy as np

from pool.worker_views import Active, Period, Speed, Speeds, WorkerLine

cdef extern from * nogil:
    """
    /* Into an array of doubles: the speeds of works in 2^-16 over so many seconds. */
    static void speeds_put(char *speeds, const orebook_wide *works, size_t count, size_t stride,
                           uint32_t seconds) {
        for (size_t at = 0; at < count; at++)
            ((double *) speeds)[at * stride] = speed_double(works[at], seconds);
    }

    #define SPEEDS_AT_ONCE 1024

    /* The same of the middles of up to five columns, in 2^16. Their sums have no more than 35 bits:
       all is exact but the division, and a double of 2^52 + n has n in its lowest bits. Written,
       and its traps waived, so that compilers take several numbers at a time. */
    __attribute__((optimize("no-trapping-math")))
    static void speeds_put_middles(char *speeds, const uint32_t *const *middles, uint32_t columns,
                                   size_t count, uint32_t seconds) {
        const double whole = 4503599627370496.0;
        const double divisor = seconds;
        uint64_t sums[SPEEDS_AT_ONCE];
        double values[SPEEDS_AT_ONCE];
        for (size_t first = 0; first < count; first += SPEEDS_AT_ONCE) {
            size_t part = count - first < SPEEDS_AT_ONCE ? count - first : SPEEDS_AT_ONCE;
            for (size_t at = 0; at < part; at++) sums[at] = UINT64_C(0x4330000000000000);
            for (uint32_t column = 0; column < columns; column++)
                for (size_t at = 0; at < part; at++) sums[at] += middles[column][first + at];
            memcpy(values, sums, part * sizeof(double));
            for (size_t at = 0; at < part; at++) {
                double speed = (values[at] - whole) * 4294967296.0 / divisor;
                double near = (speed + whole) - whole;
                double floor = near - (near > speed ? 1.0 : 0.0);
                values[at] = speed < whole ? floor : speed;
            }
            memcpy((double *) speeds + first, values, part * sizeof(double));
        }
    }
    """
    void speeds_put(char* speeds, const wide_t* works, size_t count, size_t stride,
                    uint32_t seconds)
    void speeds_put_middles(char* speeds, const uint32_t** middles, uint32_t columns, size_t count,
                            uint32_t seconds)

cdef extern from "Python.h":
    str name_text "PyUnicode_DecodeUTF8"(const char* at, Py_ssize_t size, const char* errors)
    object memory_of "PyMemoryView_FromMemory"(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_READ

new_line = tuple.__new__

cdef enum:
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

    cdef int64_t minute_at(self, int64_t now_s) except -1:
        if now_s >> 32 != 0:
            raise ValueError(f"{now_s} s is no time here")
        return max(now_s // 60, self.counters.sums.minute)

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
        cdef int64_t minute = self.minute_at(now_s)
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
        cdef int64_t now = unit_of(self.minute_at(now_s), kind)
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
        cdef size_t count = <size_t> self.names.table.used + 1
        cdef const uint32_t* middles[KEPT_MAX]
        cdef const WorkerColumn* column
        cdef uint64_t edges = 0
        cdef uint32_t columns = 0
        cdef uint32_t at
        cdef Window window
        cdef Listed listed
        cdef wide_t* works
        window_of(sums, self.minute_at(now_s), MINUTE, 5, &window)
        for at in range(window.count):
            column = &sums.workers[ACCEPTED][window.slots[at]]
            edges += column.edges
            if column.is_used:
                middles[columns] = column.middle
                columns += 1
        speeds = np.empty(count)
        if edges == 0:
            speeds_put_middles(address_of(speeds), middles, columns, count, window.seconds)
            return speeds
        works = <wide_t*> malloc(count * sizeof(wide_t))
        if works is NULL:
            raise MemoryError
        listed.numbers = NULL
        listed.count = <uint32_t> count
        self.gather(&listed, ACCEPTED, &window, works)
        speeds_put(address_of(speeds), works, count, 1, window.seconds)
        free(works)
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

    def workers_of(self, uint32_t account, int64_t now_s):
        """Their numbers, in the order of their first shares."""
        cdef Listed listed
        cdef uint32_t at
        self.list_workers(account, now_s, &listed)
        numbers = [listed.numbers[at] for at in range(listed.count)]
        free(listed.numbers)
        return numbers

    def list_of(self, uint32_t account, int64_t now_s, int64_t running_minutes,
                int64_t stopped_hours):
        """A list of WorkerLine, in the order of their first shares."""
        cdef Listed listed
        cdef Window[3] windows
        cdef wide_t* works
        cdef uint32_t at
        cdef int part
        cdef int64_t minute = self.minute_at(now_s)
        # What is in the 5 minutes is in the 30 too, and looked at once.
        window_of(&self.counters.sums, minute, MINUTE, 5, &windows[0])
        window_of(&self.counters.sums, minute - 5, MINUTE, 25, &windows[1])
        window_of(&self.counters.sums, minute, HOUR, HOURS_READ, &windows[2])
        self.list_workers(account, now_s, &listed)
        works = <wide_t*> malloc((6 * <size_t> listed.count + 1) * sizeof(wide_t))
        if works is NULL:
            free(listed.numbers)
            raise MemoryError
        for part in range(6):
            self.gather(&listed, part & 1, &windows[part >> 1],
                        works + part * <size_t> listed.count)
        now_s = max(now_s, 60 * minute)
        lines = [self.line_of(&listed, at, works, now_s, running_minutes, stopped_hours)
                 for at in range(listed.count)]
        free(works)
        free(listed.numbers)
        return lines

    cdef object line_of(self, const Listed* listed, uint32_t at, const wide_t* works,
                        int64_t now_s, int64_t running_minutes, int64_t stopped_hours):
        """A WorkerLine; part of `list_of`, to which `works` belong."""
        cdef size_t count = listed.count
        cdef uint32_t number = listed.numbers[at]
        cdef Worker* worker = self.names.table.workers + number
        cdef wide_t accepted_5m = works[at]
        cdef wide_t rejected_5m = works[count + at]
        cdef wide_t accepted_30m = accepted_5m + works[2 * count + at]
        cdef wide_t rejected_30m = rejected_5m + works[3 * count + at]
        cdef wide_t accepted_24h = works[4 * count + at]
        cdef wide_t rejected_24h = works[5 * count + at]
        return new_line(WorkerLine, (
            number, name_text(name_bytes(&worker.key, self.names.table.arena),
                              name_length(&worker.key), NULL),
            speed_int(accepted_5m, 300), reject_permille(accepted_5m, rejected_5m),
            speed_int(accepted_30m, 1800), reject_permille(accepted_30m, rejected_30m),
            speed_int(accepted_24h, DAY_S), reject_permille(accepted_24h, rejected_24h),
            worker.last_at_s,
            status_of(now_s - worker.last_at_s, running_minutes, stopped_hours),
            self.names.table.groups[number]))

    def counts_of(self, uint32_t account, int64_t now_s, int64_t running_minutes,
                  int64_t stopped_hours):
        """(running, stopped, invalid): how many workers of an account have each status."""
        cdef Listed listed
        cdef uint32_t at
        cdef uint32_t[4] counts       # by status
        cdef int64_t age_s
        memset(counts, 0, sizeof(counts))
        self.list_workers(account, now_s, &listed)
        now_s = max(now_s, 60 * self.counters.sums.minute)
        for at in range(listed.count):
            age_s = now_s - self.names.table.workers[listed.numbers[at]].last_at_s
            counts[status_of(age_s, running_minutes, stopped_hours)] += 1
        free(listed.numbers)
        return counts[<int> RUNNING], counts[<int> STOPPED], counts[<int> INVALID]

    def hours_of_workers(self, uint32_t account, int64_t now_s):
        """(numbers, starts in seconds, speeds, reject rates in thousandths): a row for each of an
        account's workers, a column for each of the 24 hours before the running one."""
        cdef Listed listed
        cdef Window window
        cdef wide_t* works
        cdef uint32_t at, column
        cdef int64_t now = unit_of(self.minute_at(now_s), HOUR)
        cdef int64_t first = max(now - HOURS_READ, <int64_t> 0)
        self.list_workers(account, now_s, &listed)
        works = <wide_t*> malloc((2 * <size_t> listed.count + 1) * sizeof(wide_t))
        if works is NULL:
            free(listed.numbers)
            raise MemoryError
        numbers = [listed.numbers[at] for at in range(listed.count)]
        speeds = np.empty((listed.count, now - first))
        rates = np.empty((listed.count, now - first), np.uint16)
        for column in range(<uint32_t> (now - first)):
            window_of_unit(&self.counters.sums, first + column, HOUR, &window)
            self.gather(&listed, ACCEPTED, &window, works)
            self.gather(&listed, REJECTED, &window, works + listed.count)
            speeds_put(address_of(speeds) + 8 * column, works, listed.count,
                       <size_t> (now - first), window.seconds)
            rates[:, column] = [reject_permille(works[at], works[listed.count + at])
                                for at in range(listed.count)]
        free(works)
        free(listed.numbers)
        return numbers, [unit * 3600 for unit in range(first, now)], speeds, rates

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
        cdef int64_t now = unit_of(self.minute_at(now_s), kind)
        cdef int64_t unit
        cdef Window window
        found = []
        for unit in range(max(now - length + 1, <int64_t> 0), now + 1):
            window_of_unit(sums, unit, kind, &window)
            count = sums.active[slot_of(unit, kind) - FIRST_HOUR].count[account]
            found.append(Active(unit * window.seconds, count if window.count != 0 else 0))
        return found

    cdef int list_workers(self, uint32_t account, int64_t now_s, Listed* listed) except -1:
        """The workers that an account has at a moment; `listed.numbers` is the caller's to free."""
        cdef NameTable* table = &self.names.table
        cdef uint32_t slot = account_slot(table, account)
        cdef uint32_t number = table.accounts[slot].first
        cdef int64_t day = unit_of(self.minute_at(now_s), DAY)
        cdef int64_t limit_s = 0
        if day > unit_of(self.counters.sums.minute, DAY):
            limit_s = (day - SILENT_DAYS) * DAY_S
        listed.count = 0
        listed.numbers = <uint32_t*> malloc(
            (<size_t> table.accounts[slot].count + 1) * sizeof(uint32_t))
        if listed.numbers is NULL:
            raise MemoryError
        while number != 0:
            if table.workers[number].last_at_s >= limit_s:
                listed.numbers[listed.count] = number
                listed.count += 1
            number = table.links[number].next
        return 0

    cdef void gather(self, const Listed* listed, int which, const Window* window,
                     wide_t* works) noexcept nogil:
        """The workers' work of a window, into `works`. Without numbers: of all numbers from 0."""
        cdef const uint32_t* middles[KEPT_MAX]
        cdef const WorkerColumn* column
        cdef uint64_t edges = 0
        cdef uint32_t columns = 0
        cdef uint32_t low_bits = LOW_BITS
        cdef uint32_t at
        for at in range(window.count):
            column = &self.counters.sums.workers[which][window.slots[at]]
            low_bits = low_bits_of(window.slots[at])
            edges += column.edges
            if column.is_used:
                middles[columns] = column.middle
                columns += 1
        if edges == 0 and listed.numbers is not NULL:
            add_middles(middles, columns, listed, low_bits, works)
            return
        for at in range(listed.count):
            works[at] = worker_work(&self.counters.sums, which,
                                    at if listed.numbers is NULL else listed.numbers[at], window)

    # -- work --------------------------------------------------------------------------------------

    def work(self, uint32_t account, coin, int64_t day):
        """[(epoch, work)] of an account for a coin's day, epochs rising."""
        return self.sheets.of_account(account_slot(&self.names.table, account), coin, day)

    def work_of_day(self, coin, int64_t day):
        """[(account, [(epoch, work)])] of all accounts that have work for a coin's day, account
        numbers and epochs rising. O(accounts)."""
        return self.sheets.of_day(coin, day, &self.names.table)

    def works_of(self, coin, int64_t day, numbers):
        """[(epoch, work)] of each of some accounts for a coin's day, a list in the order of their
        numbers as given; epochs rising, empty where there is no work."""
        return self.sheets.of_accounts(coin, day, numbers, &self.names.table)

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


def hour_speeds(const uint64_t[::1] accepted, const uint64_t[::1] rejected):
    """[(valid speed, reject rate in thousandths)] of works in an hour."""
    cdef Py_ssize_t at
    return [(speed_int(wide_of(accepted[at]), 3600),
             reject_permille(wide_of(accepted[at]), wide_of(rejected[at])))
            for at in range(len(accepted))]


cdef void add_middles(const uint32_t** middles, uint32_t columns, const Listed* listed,
                      uint32_t low_bits, wide_t* works) noexcept nogil:
    """Part of `gather`: of columns that have no edges. Their sums have no more than 37 bits."""
    cdef uint32_t at, column, number
    cdef uint64_t sum
    for at in range(listed.count):
        number = listed.numbers[at]
        sum = 0
        for column in range(columns):
            sum += middles[column][number]
        works[at] = wide_of(sum << low_bits)


cdef int status_of(int64_t age_s, int64_t running_minutes, int64_t stopped_hours) noexcept nogil:
    if age_s < 60 * running_minutes:
        return RUNNING
    return INVALID if age_s >= 3600 * stopped_hours else STOPPED


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


cdef char* address_of(array) except NULL:
    return <char*> <size_t> array.ctypes.data
