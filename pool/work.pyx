"""The sheets of work.pxd: opened by the first share, closed, read and dropped by the caller.

Invariants (`check`): no two sheets have the same coin, day and epoch, and none an epoch that its
coin has not reached; the work of a coin's day, with what was dropped of it, is the coin's accepted
work of that day, without what closing moved to the next one and with what came so from the one
before; each running hash and each sum of all accounts is that of its sheet.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset

from pool.counters cimport (
    ACCEPTED, DAY, DAYS, FIRST_DAY, CoinSums, is_kept, slot_of, unit_of)
from pool.room cimport room_close, room_fill, room_open, taken
from pool.wide cimport coefficient_of, wide_high, wide_int, wide_low, wide_of
from pool.worker_names cimport ACCOUNT_ROOM

import struct

cdef extern from "Python.h":
    object memory_of "PyMemoryView_FromMemory"(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_READ

cdef size_t SHEET_BYTES = <size_t> ACCOUNT_ROOM * sizeof(wide_t)

HEAD = struct.Struct("<II")       # the last coin, sheets
COIN = struct.Struct("<Iiq")      # epoch, 0, last closed day
KEY = struct.Struct("<IIII")      # coin, day, epoch, 0
HASHED = struct.Struct("<IIIQQ")  # coin, day, epoch, running hash


cdef class Work:
    """Days count from 1970-01-01; work is in 2^-16."""

    def __cinit__(self):
        cdef uint32_t coin
        self.sheets = <Sheet*> calloc(SHEETS_MAX, sizeof(Sheet))
        if self.sheets is NULL:
            raise MemoryError
        for coin in range(COINS_MAX + 1):
            self.closed[coin] = NO_DAY

    def __dealloc__(self):
        cdef uint32_t at
        if self.sheets is not NULL:
            for at in range(SHEETS_MAX):
                room_close(self.sheets[at].work, SHEET_BYTES)
            free(self.sheets)

    # -- changes -----------------------------------------------------------------------------------

    def set_epoch(self, uint32_t coin, uint32_t epoch):
        """Let a coin's shares count in an epoch from now on; it never falls."""
        if not 1 <= coin <= COINS_MAX or epoch == 0 or epoch < self.epochs[coin]:
            raise ValueError(f"coin {coin} cannot have epoch {epoch}")
        self.epochs[coin] = epoch
        self.coin_top = max(self.coin_top, coin)

    def close_day(self, uint32_t coin, int64_t day, int64_t running_day):
        """Let a coin's shares of the days up to one that is over count for the running day."""
        self.known(coin)
        if not 0 <= day < running_day:
            raise ValueError(f"day {day} is not over on day {running_day}")
        self.closed[coin] = max(self.closed[coin], day)

    cdef int drop_day(self, uint32_t coin, int64_t day, Sums* sums) except -1:
        """Forget the work of a coin's closed day. O(sheets)."""
        cdef Sheet* sheet
        cdef uint32_t at
        self.known(coin)
        if day > self.closed[coin]:
            raise ValueError(f"day {day} of coin {coin} is not closed")
        for at in range(self.sheet_top):
            sheet = self.sheets + at
            if sheet.coin != coin or sheet.day != day:
                continue
            if is_kept(sums, day, DAY):
                sums.coins[coin].dropped[slot_of(day, DAY) - FIRST_DAY] += sheet.total
            room_close(sheet.work, SHEET_BYTES)
            memset(sheet, 0, sizeof(Sheet))
            self.count -= 1
        return 0

    cdef Sheet* find(self, uint32_t coin, uint32_t day, uint32_t epoch) noexcept:
        """The sheet in use, or NULL."""
        cdef uint32_t at
        for at in range(self.sheet_top):
            if (self.sheets[at].coin == coin and self.sheets[at].day == day
                    and self.sheets[at].epoch == epoch):
                return self.sheets + at
        return NULL

    cdef Sheet* open(self, uint32_t coin, uint32_t day) except NULL:
        """The sheet of a coin's day and present epoch, a fresh one if need be."""
        cdef Sheet* sheet = self.find(coin, day, self.epochs[coin])
        cdef uint32_t at = 0
        if sheet is not NULL:
            return sheet
        while at < SHEETS_MAX and self.sheets[at].coin != 0:
            at += 1
        if at == SHEETS_MAX:
            raise ValueError("there is no sheet left")
        sheet = self.sheets + at
        sheet.work = <wide_t*> room_open(SHEET_BYTES)
        if sheet.work is NULL:
            raise MemoryError
        sheet.coin = coin
        sheet.day = day
        sheet.epoch = self.epochs[coin]
        self.count += 1
        self.sheet_top = max(self.sheet_top, at + 1)
        return sheet

    # -- reading -----------------------------------------------------------------------------------

    def known(self, coin):
        """The number of a coin that has an epoch; IndexError for another."""
        if not 1 <= coin <= COINS_MAX or self.epochs[<uint32_t> coin] == 0:
            raise IndexError(f"coin {coin} has no epoch")
        return coin

    def epoch_of(self, coin):
        """The epoch in which a coin's shares count now; IndexError where it has none."""
        return self.epochs[<uint32_t> self.known(coin)]

    def days(self, coin):
        """The days that have work, rising."""
        return sorted({day for its, day, _ in self.keys() if its == coin})

    def epochs_of(self, coin):
        """The epochs that have work, rising."""
        return sorted({epoch for its, _, epoch in self.keys() if its == coin})

    def places_of_day(self, uint32_t coin, int64_t day):
        """(epoch, place in `sheets`) of each sheet of a coin's day, epochs rising."""
        cdef uint32_t at
        return sorted([(self.sheets[at].epoch, at) for at in range(self.sheet_top)
                       if self.sheets[at].coin == coin and self.sheets[at].day == day])

    def of_account(self, uint32_t slot, uint32_t coin, int64_t day):
        """[(epoch, work)] of the account in a slot, epochs rising, without zeros."""
        cdef Sheet* sheet
        found = []
        for its, its_day, epoch in self.keys():
            if its == coin and its_day == day:
                sheet = self.find(coin, <uint32_t> day, epoch)
                if slot != 0 and sheet.work[slot] != 0:
                    found.append((epoch, wide_int(sheet.work[slot])))
        return found

    cdef list of_day(self, coin, int64_t day, NameTable* names):
        """[(account, [(epoch, work)])] of a coin's day: account numbers and epochs rising."""
        cdef uint32_t slot
        cdef Sheet* sheet
        found = {}
        for its, its_day, epoch in self.keys():
            if its == coin and its_day == day:
                sheet = self.find(coin, <uint32_t> day, epoch)
                for slot in range(1, names.account_count + 1):
                    if sheet.work[slot] != 0:
                        found.setdefault(names.accounts[slot].number, []).append(
                            (epoch, wide_int(sheet.work[slot])))
        return sorted(found.items())

    cdef list accounts_of(self, coin, int64_t day, NameTable* names):
        """The numbers of the accounts that have work of a coin's day, rising."""
        cdef uint32_t slot
        cdef Sheet* sheet
        found = set()
        for its, its_day, epoch in self.keys():
            if its == coin and its_day == day:
                sheet = self.find(coin, <uint32_t> day, epoch)
                for slot in range(1, names.account_count + 1):
                    if sheet.work[slot] != 0:
                        found.add(names.accounts[slot].number)
        return sorted(found)

    cdef list keys(self):
        """(coin, day, epoch) of all sheets, in order."""
        cdef uint32_t at
        found = []
        for at in range(self.sheet_top):
            if self.sheets[at].coin != 0:
                found.append((self.sheets[at].coin, self.sheets[at].day, self.sheets[at].epoch))
        return sorted(found)

    # -- the state as a whole ----------------------------------------------------------------------

    cdef list pieces(self, NameTable* names):
        """As buffers: head, epoch and last closed day of each coin, the sheets in order.

        They show the live memory: to be read before the next change.
        """
        cdef uint32_t coin
        cdef Sheet* sheet
        parts = [HEAD.pack(self.coin_top, self.count)]
        for coin in range(1, self.coin_top + 1):
            parts.append(COIN.pack(self.epochs[coin], 0, self.closed[coin]))
        for its, day, epoch in self.keys():
            sheet = self.find(its, day, epoch)
            parts += [KEY.pack(its, day, epoch, 0),
                      memory_of(<char*> (sheet.work + 1),
                                <Py_ssize_t> names.account_count * sizeof(wide_t), PyBUF_READ)]
        return parts

    cdef int restore(self, Reader* reader, NameTable* names) except -1:
        """Take over a part of a dump, where there is no work; ValueError where it can't be one."""
        cdef size_t size = <size_t> names.account_count * sizeof(wide_t)
        cdef uint32_t coin, account
        cdef Sheet* sheet
        coin_top, count = HEAD.unpack(taken(reader, HEAD.size)[:HEAD.size])
        if coin_top > COINS_MAX or count > SHEETS_MAX:
            raise ValueError(f"{count} sheets of {coin_top} coins are too many")
        self.coin_top = coin_top
        epochs = [0]
        for coin in range(1, self.coin_top + 1):
            epoch, zero, self.closed[coin] = COIN.unpack(taken(reader, COIN.size)[:COIN.size])
            epochs.append(epoch)
            if zero != 0 or self.closed[coin] < NO_DAY:
                raise ValueError(f"coin {coin} is closed up to day {self.closed[coin]}, {zero}")
        for _ in range(count):
            coin, day, epoch, zero = KEY.unpack(taken(reader, KEY.size)[:KEY.size])
            if not 1 <= coin <= self.coin_top or epoch == 0 or zero != 0:
                raise ValueError(f"a sheet of coin {coin}, epoch {epoch}, {zero}")
            self.epochs[coin] = epoch
            sheet = self.open(coin, day)
            room_fill(sheet.work + 1, taken(reader, size), size)
            for account in range(1, names.account_count + 1):
                sheet.total += sheet.work[account]
                sheet.hash += sheet.work[account] * wide_of(coefficient_of(account))
        for coin in range(1, self.coin_top + 1):
            self.epochs[coin] = epochs[coin]
        return 0

    cdef object digest_parts(self):
        """What tells the state: coins and sheets in order, with their running hashes."""
        cdef uint32_t coin
        cdef Sheet* sheet
        parts = [COIN.pack(self.epochs[coin], 0, self.closed[coin])
                 for coin in range(1, self.coin_top + 1)]
        for its, day, epoch in self.keys():
            sheet = self.find(its, day, epoch)
            parts.append(HASHED.pack(its, day, epoch, wide_high(sheet.hash),
                                     wide_low(sheet.hash)))
        return b"".join(parts)

    cdef list check(self, const Sums* sums, NameTable* names):
        """What is wrong. O(sheets x accounts)."""
        cdef uint32_t account
        cdef wide_t hash, work
        cdef Sheet* sheet
        faults = []
        totals = {}
        keys = self.keys()
        if len(set(keys)) != len(keys) or len(keys) != self.count:
            faults.append(f"{self.count} sheets counted, these are there: {keys}")
        for coin, day, epoch in keys:
            sheet = self.find(coin, day, epoch)
            hash = work = 0
            for account in range(1, names.account_count + 1):
                work += sheet.work[account]
                hash += sheet.work[account] * wide_of(coefficient_of(account))
            if (hash != sheet.hash or work != sheet.total or coin > self.coin_top
                    or epoch > self.epochs[<uint32_t> coin]):
                faults.append(f"coin {coin}, day {day}, epoch {epoch}: the running hash, the sum or"
                              " the epoch is wrong")
            totals[coin, day] = totals.get((coin, day), 0) + wide_int(work)
        for coin in range(1, sums.coin_top + 1):
            for back in range(DAYS):
                faults += self.day_faults(totals, sums, coin, unit_of(sums.minute, DAY) - back)
        return faults

    cdef list day_faults(self, dict totals, const Sums* sums, uint32_t coin, int64_t day):
        """Whether a day's work is the coin's accepted work; part of `check`."""
        cdef const CoinSums* its = sums.coins + coin
        cdef uint32_t slot
        if not is_kept(sums, day, DAY):
            return []
        slot = slot_of(day, DAY)
        found = totals.get((coin, day), 0) + wide_int(its.dropped[slot - FIRST_DAY])
        due = wide_int(its.work[ACCEPTED][slot] + its.moved[slot - FIRST_DAY])
        if is_kept(sums, day + 1, DAY):
            due -= wide_int(its.moved[slot_of(day + 1, DAY) - FIRST_DAY])
        return [] if found == due else [
            f"coin {coin}, day {day}: work of {found} in place of {due}"]
