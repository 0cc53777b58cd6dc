"""Finds an account's workers, and reads them, in slices: an account may have all workers there are,
and nobody shall wait until each of them was looked at. Between two slices shares may be taken.

    roster = workers.roster(account, now_s)
    while not roster.find(20_000): ...
    for first in range(0, len(roster), 1_000): roster.lines(first, first + 1_000, 10, 24) ...

Invariants: once all are found they are the workers that the account has at that moment, and stay
so, whoever comes later. One that is dropped afterwards is left out of what is read, and never taken
for the one that has got its number.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from pool.counters cimport (
    DAY, HOUR, KEPT_MAX, LOW_BITS, MINUTE, Sums, WorkerColumn, low_bits_of, minute_at, unit_of,
    window_of, worker_work)
from pool.share_book cimport DAY_S, SILENT_DAYS
from pool.wide cimport reject_permille, speed_int, wide_of
from pool.worker_names cimport NameTable, Worker, account_slot, name_bytes, name_length

import numpy as np

from pool.worker_views import WorkerLine

cdef extern from "Python.h":
    str name_text "PyUnicode_DecodeUTF8"(const char* at, Py_ssize_t size, const char* errors)

new_view = tuple.__new__

cdef enum:
    HOURS_READ = 24
    HOUR_S = 3600
    ROOM_MORE = 1024
    PARTS = 6                 # of a line's works: three windows, each accepted and rejected


cdef class Roster:
    """The workers that an account has at a moment, in the order of their first shares.

    Slices are from `first` to before `end`, cut to what was found. The moment of reading is
    `now_s`, or the minute that shares have reached meanwhile. ValueError for one beyond 32 bits.
    """

    def __cinit__(self, ShareBook book not None, uint32_t account, int64_t now_s):
        self.book = book
        self.account = account_slot(&book.names.table, account)
        self.now_s = now_s
        minute_at(&book.counters.sums, now_s)
        self.begin(unit_of(book.counters.sums.minute, DAY))

    def __dealloc__(self):
        free(self.numbers)

    def __len__(self):
        return self.count

    cdef int begin(self, int64_t day) except -1:
        cdef NameTable* table = &self.book.names.table
        self.day = day
        self.count = 0
        self.next = table.accounts[self.account].first
        self.room = table.accounts[self.account].count + ROOM_MORE
        free(self.numbers)
        self.numbers = <uint32_t*> malloc(<size_t> self.room * sizeof(uint32_t))
        if self.numbers is NULL:
            raise MemoryError
        return 0

    cdef int add(self, uint32_t number) except -1:
        cdef uint32_t* numbers
        if self.count == self.room:
            numbers = <uint32_t*> realloc(
                self.numbers, 2 * <size_t> self.room * sizeof(uint32_t))
            if numbers is NULL:
                raise MemoryError
            self.numbers = numbers
            self.room *= 2
        self.numbers[self.count] = number
        self.count += 1
        return 0

    def find(self, uint32_t limit):
        """Look at so many workers more; whether these were all.

        When a day has turned in between it begins anew: only then are workers dropped.
        """
        cdef NameTable* table = &self.book.names.table
        cdef int64_t day = unit_of(self.book.counters.sums.minute, DAY)
        cdef int64_t asked_day = unit_of(minute_at(&self.book.counters.sums, self.now_s), DAY)
        cdef int64_t limit_s = 0
        if self.next != 0 and day != self.day:
            self.begin(day)
        if asked_day > day:
            limit_s = (asked_day - SILENT_DAYS) * DAY_S
        while self.next != 0 and limit != 0:
            if table.workers[self.next].last_at_s >= limit_s:
                self.add(self.next)
            self.next = table.links[self.next].next
            limit -= 1
        return self.next == 0

    # -- a slice -----------------------------------------------------------------------------------

    def numbers_of(self, uint32_t first, int64_t end):
        """An array of u32; those of workers that were dropped since are among them."""
        cdef uint32_t last = self.end_of(end)
        cdef uint32_t at
        cdef uint32_t[::1] shown
        numbers = np.empty(max(last - <int64_t> first, 0), np.uint32)
        shown = numbers
        for at in range(first, last):
            shown[at - first] = self.numbers[at]
        return numbers

    def lines(self, uint32_t first, int64_t end, int64_t running_minutes, int64_t stopped_hours):
        """A list of WorkerLine."""
        columns = self.columns(first, end, running_minutes, stopped_hours)
        return [new_view(WorkerLine, line) for line in zip(*columns)]

    def columns(self, uint32_t first, int64_t end, int64_t running_minutes,
                int64_t stopped_hours):
        """The same, a list for each field of a WorkerLine: who goes through them side by side makes
        no objects that the collector counts, so that it does not come in between."""
        cdef Sums* sums = &self.book.counters.sums
        cdef int64_t minute = minute_at(sums, self.now_s)
        cdef uint32_t last = self.end_of(end)
        cdef size_t count = last - first if last > first else 0
        cdef Window[3] windows
        cdef wide_t* works
        cdef int part
        # What is in the 5 minutes is in the 30 too, and looked at once.
        window_of(sums, minute, MINUTE, 5, &windows[0])
        window_of(sums, minute - 5, MINUTE, 25, &windows[1])
        window_of(sums, minute, HOUR, HOURS_READ, &windows[2])
        works = <wide_t*> malloc((PARTS * count + 1) * sizeof(wide_t))
        if works is NULL:
            raise MemoryError
        try:
            for part in range(PARTS):
                self.gather(first, last, part & 1, &windows[part >> 1], works + part * count)
            return self.shown(first, count, works, running_minutes, stopped_hours)
        finally:
            free(works)

    cdef tuple shown(self, uint32_t first, size_t count, const wide_t* works,
                     int64_t running_minutes, int64_t stopped_hours):
        """Part of `columns`, which gives the works of so many workers: six, one behind the other.
        """
        cdef NameTable* table = &self.book.names.table
        cdef int64_t now_s = self.read_at_s()
        cdef Worker* worker
        cdef wide_t accepted, rejected
        cdef uint32_t number
        cdef size_t at
        cdef list numbers = [], names = [], last_at_s = [], statuses = [], groups = []
        cdef list speeds_5m = [], speeds_30m = [], speeds_24h = []
        cdef list rates_5m = [], rates_30m = [], rates_24h = []
        for at in range(count):
            number = self.numbers[first + at]
            if not self.is_there(number):
                continue
            worker = table.workers + number
            numbers.append(number)
            names.append(name_in(table, number))
            accepted = works[at]
            rejected = works[count + at]
            speeds_5m.append(speed_int(accepted, 300))
            rates_5m.append(reject_permille(accepted, rejected))
            accepted += works[2 * count + at]
            rejected += works[3 * count + at]
            speeds_30m.append(speed_int(accepted, 1800))
            rates_30m.append(reject_permille(accepted, rejected))
            accepted = works[4 * count + at]
            rejected = works[5 * count + at]
            speeds_24h.append(speed_int(accepted, DAY_S))
            rates_24h.append(reject_permille(accepted, rejected))
            last_at_s.append(worker.last_at_s)
            statuses.append(status_of(now_s - worker.last_at_s, running_minutes, stopped_hours))
            groups.append(table.groups[number])
        return (numbers, names, speeds_5m, rates_5m, speeds_30m, rates_30m, speeds_24h, rates_24h,
                last_at_s, statuses, groups)

    def counts(self, uint32_t first, int64_t end, int64_t running_minutes, int64_t stopped_hours):
        """(running, stopped, invalid): how many have each status."""
        cdef int64_t now_s = self.read_at_s()
        cdef uint32_t[4] counts       # by status
        cdef uint32_t at, number
        memset(counts, 0, sizeof(counts))
        for at in range(first, self.end_of(end)):
            number = self.numbers[at]
            if self.is_there(number):
                counts[status_of(now_s - self.book.names.table.workers[number].last_at_s,
                                 running_minutes, stopped_hours)] += 1
        return counts[<int> RUNNING], counts[<int> STOPPED], counts[<int> INVALID]

    def fitting(self, uint32_t first, int64_t end, int status, str prefix not None,
                int64_t running_minutes, int64_t stopped_hours):
        """The numbers of those that have a status (0: any) and whose names, without regard to case,
        begin with a prefix that is folded: a list."""
        cdef NameTable* table = &self.book.names.table
        cdef int64_t now_s = self.read_at_s()
        cdef uint32_t at, number
        found = []
        for at in range(first, self.end_of(end)):
            number = self.numbers[at]
            if not self.is_there(number):
                continue
            if status != 0 and status != status_of(now_s - table.workers[number].last_at_s,
                                                   running_minutes, stopped_hours):
                continue
            if not prefix or name_in(table, number).casefold().startswith(prefix):
                found.append(number)
        return found

    def hour_columns(self, uint32_t first, int64_t end, const uint64_t[::1] accepted,
                     const uint64_t[::1] rejected):
        """(names, speeds in H/s, reject rates in thousandths): lists, of those that have work in an
        hour; `accepted` and `rejected` have it of the slice."""
        cdef NameTable* table = &self.book.names.table
        cdef list names = [], speeds = [], rates = []
        cdef uint32_t at, number
        cdef wide_t right, wrong
        for at in range(first, self.end_of(end)):
            number = self.numbers[at]
            if accepted[at - first] | rejected[at - first] and self.is_there(number):
                right = wide_of(accepted[at - first])
                wrong = wide_of(rejected[at - first])
                names.append(name_in(table, number))
                speeds.append(speed_int(right, HOUR_S))
                rates.append(reject_permille(right, wrong))
        return names, speeds, rates

    cdef uint32_t end_of(self, int64_t end) noexcept:
        return <uint32_t> max(min(end, <int64_t> self.count), <int64_t> 0)

    cdef bint is_there(self, uint32_t number) noexcept:
        """Whether a worker that was found was not dropped since."""
        return self.book.names.table.dropped_s[number] <= max(
            (self.day - SILENT_DAYS) * DAY_S, <int64_t> 0)

    cdef int64_t read_at_s(self) except -1:
        return max(self.now_s, 60 * minute_at(&self.book.counters.sums, self.now_s))

    cdef void gather(self, uint32_t first, uint32_t end, int which, const Window* window,
                     wide_t* works) noexcept nogil:
        """The slice's work of a window, into `works`."""
        cdef const Sums* sums = &self.book.counters.sums
        cdef const uint32_t* middles[KEPT_MAX]
        cdef const WorkerColumn* column
        cdef uint64_t edges = 0
        cdef uint32_t columns = 0
        cdef uint32_t low_bits = LOW_BITS
        cdef uint32_t at
        for at in range(window.count):
            column = &sums.workers[which][window.slots[at]]
            low_bits = low_bits_of(window.slots[at])
            edges += column.edges
            if column.is_used:
                middles[columns] = column.middle
                columns += 1
        if edges == 0:
            add_middles(middles, columns, self.numbers + first, end - first if end > first else 0,
                        low_bits, works)
            return
        for at in range(first, end):
            works[at - first] = worker_work(sums, which, self.numbers[at], window)


cdef str name_in(const NameTable* table, uint32_t number):
    """A worker's name."""
    return name_text(name_bytes(&table.workers[number].key, table.arena),
                     name_length(&table.workers[number].key), NULL)


cdef void add_middles(const uint32_t** middles, uint32_t columns, const uint32_t* numbers,
                      uint32_t count, uint32_t low_bits, wide_t* works) noexcept nogil:
    """Part of `gather`: of columns that have no edges. Their sums have no more than 37 bits."""
    cdef uint32_t at, column
    cdef uint64_t sum
    for at in range(count):
        sum = 0
        for column in range(columns):
            sum += middles[column][numbers[at]]
        works[at] = wide_of(sum << low_bits)


cdef int status_of(int64_t age_s, int64_t running_minutes, int64_t stopped_hours) noexcept nogil:
    if age_s < 60 * running_minutes:
        return RUNNING
    return INVALID if age_s >= 3600 * stopped_hours else STOPPED
