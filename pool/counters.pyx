"""The columns of counters.pxd: how they turn, their sums over windows, their bytes.

Invariants (`check`): a free number has no sums; in each slot the sums of an account's workers are
its own, those of all accounts are those of all coins, and an account's active workers are those
with accepted work; a column's flags, largest sum and running hash are those of its cells.
"""

cimport cython
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from pool.room cimport room_clear, room_close, room_coarsen, room_fill, room_open, taken
from pool.wide cimport coefficient_of, wide_int, wide_join
from pool.worker_names cimport ACCOUNT_ROOM, WORKER_ROOM

import struct

cdef extern from "Python.h":
    object memory_of "PyMemoryView_FromMemory"(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_READ

cdef enum:
    COIN_ROOM = 1024
    # What a column's byte in a dump says.
    IS_USED = 1
    HAS_MORE = 2               # its edges, or its high halves, follow

cdef uint32_t[3] MINUTES_IN = [1, 60, 1440]
cdef uint32_t[3] KEPT = [MINUTES, HOURS, DAYS]
cdef uint32_t[3] FIRST = [0, FIRST_HOUR, FIRST_DAY]

cdef size_t WORKER_BYTES = <size_t> WORKER_ROOM * sizeof(uint32_t)
cdef size_t ACCOUNT_BYTES = <size_t> ACCOUNT_ROOM * sizeof(uint64_t)
cdef size_t ACTIVE_BYTES = <size_t> ACCOUNT_ROOM * sizeof(uint32_t)
cdef size_t COIN_BYTES = <size_t> COIN_ROOM * sizeof(CoinSums)
cdef size_t ROOM_BYTES = (4 * SLOTS * (WORKER_BYTES + ACCOUNT_BYTES)
                          + ACTIVE_SLOTS * ACTIVE_BYTES + COIN_BYTES)

if sizeof(CoinSums) != 16 * (2 * SLOTS + 2 * DAYS):
    raise ImportError(f"a coin's sums have {sizeof(CoinSums)} bytes")

HEAD = struct.Struct("<qII")      # minute, the last coin, 0
MINUTE_MAX = 2**32 // 60
FORMS = 4 * SLOTS + ACTIVE_SLOTS  # bytes: one for each column


cdef class Counters:

    def __cinit__(self):
        cdef uint32_t which, slot
        cdef char* at
        self.room = <char*> room_open(ROOM_BYTES)
        if self.room is NULL:
            raise MemoryError
        at = self.room
        for which in range(2):
            for slot in range(SLOTS):
                self.sums.workers[which][slot].middle = <uint32_t*> at
                self.sums.workers[which][slot].edge = <uint32_t*> (at + WORKER_BYTES)
                at += 2 * WORKER_BYTES
                self.sums.accounts[which][slot].low = <uint64_t*> at
                self.sums.accounts[which][slot].high = <uint64_t*> (at + ACCOUNT_BYTES)
                at += 2 * ACCOUNT_BYTES
        for slot in range(ACTIVE_SLOTS):
            self.sums.active[slot].count = <uint32_t*> at
            at += ACTIVE_BYTES
        self.sums.coins = <CoinSums*> at

    def __dealloc__(self):
        room_close(self.room, ROOM_BYTES)

    cdef void turn(self, int64_t minute, NameTable* names) noexcept:
        """Let time go on to a minute: what was kept longest makes room."""
        cdef int kind
        cdef int64_t unit, reached
        for kind in range(3):
            reached = unit_of(minute, kind)
            unit = max(unit_of(self.sums.minute, kind), reached - KEPT[kind])
            while unit < reached:
                unit += 1
                slot_clear(&self.sums, slot_of(unit, kind), names)
        self.sums.minute = minute

    # -- the state as a whole ----------------------------------------------------------------------

    cdef list pieces(self, NameTable* names):
        """As buffers: head, a byte for each column, the columns that are used, the coins' sums.

        They show the live memory: to be read before the next change.
        """
        cdef Sums* sums = &self.sums
        cdef Py_ssize_t workers = names.used * sizeof(uint32_t)
        cdef Py_ssize_t accounts = names.account_count
        cdef uint32_t which, slot
        cdef WorkerColumn* column
        cdef AccountColumn* account
        forms = bytearray()
        parts = [HEAD.pack(sums.minute, sums.coin_top, 0), forms]
        for which in range(2):
            for slot in range(SLOTS):
                column = &sums.workers[which][slot]
                account = &sums.accounts[which][slot]
                forms.append(column.is_used * IS_USED | (column.edges != 0) * HAS_MORE)
                forms.append(account.is_used * IS_USED | (account.highs != 0) * HAS_MORE)
                if column.is_used:
                    parts.append(memory_of(<char*> (column.middle + 1), workers, PyBUF_READ))
                if column.edges != 0:
                    parts.append(memory_of(<char*> (column.edge + 1), workers, PyBUF_READ))
                if account.is_used:
                    parts.append(memory_of(<char*> (account.low + 1), 8 * accounts, PyBUF_READ))
                if account.highs != 0:
                    parts.append(memory_of(<char*> (account.high + 1), 8 * accounts, PyBUF_READ))
        for slot in range(ACTIVE_SLOTS):
            forms.append(sums.active[slot].is_used)
            if sums.active[slot].is_used:
                parts.append(memory_of(<char*> (sums.active[slot].count + 1), 4 * accounts,
                                       PyBUF_READ))
        parts.append(memory_of(<char*> (sums.coins + 1), sums.coin_top * sizeof(CoinSums),
                               PyBUF_READ))
        return parts

    cdef int restore(self, Reader* reader, NameTable* names) except -1:
        """Take over a part of a dump, on empty counters; ValueError where it can't be one."""
        cdef Sums* sums = &self.sums
        cdef uint32_t which, slot
        cdef size_t size
        sums.minute, coin_top, zero = HEAD.unpack(taken(reader, HEAD.size)[:HEAD.size])
        forms = iter(taken(reader, FORMS)[:FORMS])
        if coin_top > COINS_MAX or not 0 <= sums.minute <= MINUTE_MAX or zero != 0:
            raise ValueError(f"minute {sums.minute}, coin {coin_top}, {zero}")
        sums.coin_top = coin_top
        for which in range(2):
            for slot in range(SLOTS):
                self.restore_column(reader, &sums.workers[which][slot], slot, names.used,
                                    next(forms))
                restore_account(reader, &sums.accounts[which][slot], names.account_count,
                                next(forms))
        for slot in range(ACTIVE_SLOTS):
            restore_active(reader, &sums.active[slot], names.account_count, next(forms))
        size = coin_top * sizeof(CoinSums)
        memcpy(sums.coins + 1, taken(reader, size), size)
        return 0

    cdef int restore_column(self, Reader* reader, WorkerColumn* column, uint32_t slot,
                            uint32_t used, uint8_t form) except -1:
        cdef size_t size = <size_t> used * sizeof(uint32_t)
        cdef uint32_t number
        cdef uint64_t work
        if form & IS_USED:
            column.is_used = True
            room_coarsen(column.middle, 0, size)
            room_fill(column.middle + 1, taken(reader, size), size)
        if form & HAS_MORE:
            room_fill(column.edge + 1, taken(reader, size), size)
            for number in range(1, used + 1):
                column.edges += column.edge[number] != 0
        check_form(form, column.is_used, column.edges)
        if form != 0:
            for number in range(1, used + 1):
                work = column_get(column, number, low_bits_of(slot))
                column.largest = max(column.largest, work)
                column.hash += wide_product(work, coefficient_of(number))
        return 0

    cdef size_t hashes(self, wide_t* found) noexcept:
        """The running hashes of all columns, in a fixed order; how many: FORMS."""
        cdef wide_t* at = found
        cdef uint32_t which, slot
        for which in range(2):
            for slot in range(SLOTS):
                at[0] = self.sums.workers[which][slot].hash
                at[1] = self.sums.accounts[which][slot].hash
                at += 2
        for slot in range(ACTIVE_SLOTS):
            at[0] = self.sums.active[slot].hash
            at += 1
        return at - found

    cdef list check(self, NameTable* names):
        """What is wrong. O(workers x slots)."""
        cdef size_t accounts = names.account_count + 1
        cdef wide_t* totals = <wide_t*> malloc(accounts * sizeof(wide_t))
        cdef uint32_t* active = <uint32_t*> malloc(accounts * sizeof(uint32_t))
        cdef uint32_t which, slot
        faults = []
        if totals is NULL or active is NULL:
            free(totals)
            free(active)
            raise MemoryError
        for which in range(2):
            for slot in range(SLOTS):
                memset(totals, 0, accounts * sizeof(wide_t))
                memset(active, 0, accounts * sizeof(uint32_t))
                faults += self.slot_faults(which, slot, names, totals, active)
        free(totals)
        free(active)
        return faults

    cdef list slot_faults(self, uint32_t which, uint32_t slot, NameTable* names, wide_t* totals,
                          uint32_t* active):
        """Part of `check`; `totals` and `active` are room by account slot, all zero."""
        cdef WorkerColumn* column = &self.sums.workers[which][slot]
        cdef AccountColumn* accounts = &self.sums.accounts[which][slot]
        cdef uint32_t account, coin
        cdef wide_t total = 0
        cdef wide_t hash = 0
        cdef wide_t active_hash = 0
        cdef uint64_t highs = 0
        cdef wide_t work
        where = f"{('accepted', 'rejected')[which]}, slot {slot}: "
        faults = []
        if not column_holds(column, slot, names, totals, active):
            faults.append(where + "the workers' flags, largest sum or running hash are not those"
                          " of their sums")
        # a free number has no sums
        if totals[0] != 0:
            faults.append(where + "a free number has work")
        for account in range(1, names.account_count + 1):
            work = wide_join(accounts.high[account], accounts.low[account])
            # an account's sums are its workers'
            if work != totals[account]:
                faults.append(where + f"account {names.accounts[account].number} has"
                              f" {wide_int(work)}, its workers have {wide_int(totals[account])}")
            hash += work * wide_of(coefficient_of(account))
            highs += accounts.high[account] != 0
            total += work
            if which == ACCEPTED and slot >= FIRST_HOUR:
                # ... and so are its active workers
                if self.sums.active[slot - FIRST_HOUR].count[account] != active[account]:
                    faults.append(where + f"account {names.accounts[account].number} has"
                                  f" {active[account]} active workers")
                active_hash += wide_product(active[account], coefficient_of(account))
        if (hash != accounts.hash or highs != accounts.highs or (total != 0) != accounts.is_used
                or which == ACCEPTED and slot >= FIRST_HOUR
                and (self.sums.active[slot - FIRST_HOUR].hash != active_hash
                     or self.sums.active[slot - FIRST_HOUR].is_used != (active_hash != 0))):
            faults.append(where + "the accounts' flags or running hash are not those of their sums")
        for coin in range(1, self.sums.coin_top + 1):
            total -= self.sums.coins[coin].work[which][slot]
        # the accounts' sums are the coins'
        if total != 0:
            faults.append(where + f"the accounts have {wide_int(total)} more than the coins")
        return faults


# -- slots and windows -----------------------------------------------------------------------------

cdef int64_t minute_at(const Sums* sums, int64_t now_s) except -1:
    """The minute that a read at a moment is of. ValueError for one beyond 32 bits."""
    if now_s >> 32 != 0:
        raise ValueError(f"{now_s} s is no time here")
    return max(now_s // 60, sums.minute)


@cython.cdivision(True)
cdef int64_t unit_of(int64_t minute, int kind) noexcept nogil:
    """The minute, hour or day, counted from 1970-01-01, that holds a minute."""
    return minute // MINUTES_IN[kind]


@cython.cdivision(True)
cdef uint32_t slot_of(int64_t unit, int kind) noexcept nogil:
    return FIRST[kind] + <uint32_t> (unit % KEPT[kind])


cdef bint is_kept(const Sums* sums, int64_t unit, int kind) noexcept nogil:
    """Whether a minute, hour or day has a slot now."""
    cdef int64_t reached = unit_of(sums.minute, kind)
    return reached - KEPT[kind] < unit <= reached and unit >= 0


cdef void window_of(const Sums* sums, int64_t now_minute, int kind, uint32_t length,
                    Window* window) noexcept nogil:
    """The last whole minutes, hours or days before a moment, at most KEPT_MAX."""
    cdef int64_t now = unit_of(now_minute, kind)
    cdef int64_t unit
    window.seconds = length * MINUTES_IN[kind] * 60
    window.count = 0
    for unit in range(now - length, now):
        if is_kept(sums, unit, kind):
            window.slots[window.count] = slot_of(unit, kind)
            window.count += 1


cdef wide_t worker_work(const Sums* sums, int which, uint32_t number,
                        const Window* window) noexcept nogil:
    cdef wide_t work = 0
    cdef uint32_t at
    for at in range(window.count):
        work += wide_of(column_get(&sums.workers[which][window.slots[at]], number,
                                   low_bits_of(window.slots[at])))
    return work


cdef wide_t account_work(const Sums* sums, int which, uint32_t account,
                         const Window* window) noexcept nogil:
    cdef wide_t work = 0
    cdef uint32_t at
    cdef const AccountColumn* column
    for at in range(window.count):
        column = &sums.accounts[which][window.slots[at]]
        if column.is_used:
            work += wide_join(column.high[account] if column.highs != 0 else 0,
                              column.low[account])
    return work


cdef wide_t coin_work(const Sums* sums, int which, uint32_t coin,
                      const Window* window) noexcept nogil:
    cdef wide_t work = 0
    cdef uint32_t at
    for at in range(window.count):
        work += sums.coins[coin].work[which][window.slots[at]]
    return work


cdef void slot_clear(Sums* sums, uint32_t slot, const NameTable* names) noexcept nogil:
    """Empty a slot's columns, give their memory back, and let long ones have large pages."""
    cdef uint32_t which, coin
    cdef WorkerColumn* column
    cdef AccountColumn* accounts
    cdef ActiveColumn* active
    for which in range(2):
        column = &sums.workers[which][slot]
        accounts = &sums.accounts[which][slot]
        if column.is_used:
            room_clear(column.middle, WORKER_BYTES)
            room_clear(column.edge, WORKER_BYTES)
            column.edges = column.largest = 0
            column.hash = 0
            column.is_used = False
        if accounts.is_used:
            room_clear(accounts.low, ACCOUNT_BYTES)
            room_clear(accounts.high, ACCOUNT_BYTES)
            accounts.highs = 0
            accounts.hash = 0
            accounts.is_used = False
        room_coarsen(column.middle, 0, names.used * sizeof(uint32_t))
        room_coarsen(accounts.low, 0, names.account_count * sizeof(uint64_t))
        for coin in range(1, sums.coin_top + 1):
            sums.coins[coin].work[which][slot] = 0
            if slot >= FIRST_DAY:
                sums.coins[coin].moved[slot - FIRST_DAY] = 0
                sums.coins[coin].dropped[slot - FIRST_DAY] = 0
    if slot >= FIRST_HOUR and sums.active[slot - FIRST_HOUR].is_used:
        active = &sums.active[slot - FIRST_HOUR]
        room_clear(active.count, ACTIVE_BYTES)
        active.hash = 0
        active.is_used = False


# -- columns ---------------------------------------------------------------------------------------

cdef uint64_t column_get(const WorkerColumn* column, uint32_t number,
                         uint32_t low_bits) noexcept nogil:
    """A worker's sum."""
    cdef uint64_t work, edge
    if not column.is_used:
        return 0
    work = <uint64_t> column.middle[number] << low_bits
    if column.edges != 0:
        edge = column.edge[number]
        work |= edge & ((<uint64_t> 1 << low_bits) - 1)
        work |= edge >> low_bits << (32 + low_bits)
    return work


cdef uint64_t column_add_edge(WorkerColumn* column, uint32_t number, uint64_t work,
                              uint32_t low_bits) noexcept nogil:
    """`column_add`, where an edge has or may get a value."""
    cdef uint64_t now
    cdef uint32_t edge
    # The run that will say so may have begun with this row.
    column.is_used = True
    now = column_get(column, number, low_bits) + work
    edge = <uint32_t> (now & ((<uint64_t> 1 << low_bits) - 1)
                       | now >> (32 + low_bits) << low_bits)
    column.middle[number] = <uint32_t> (now >> low_bits)
    # An edge that stays 0 is not written to: its page may have no memory.
    if edge != column.edge[number]:
        column.edges += <uint64_t> (edge != 0) - <uint64_t> (column.edge[number] != 0)
        column.edge[number] = edge
    column.largest = max(column.largest, now)
    return now


cdef bint column_holds(const WorkerColumn* column, uint32_t slot, const NameTable* names,
                       wide_t* totals, uint32_t* active) noexcept nogil:
    """Add a column's sums up by account slot, 0 for free numbers, and count those that are not 0;
    whether its flags, largest sum and running hash are right. Part of `check`."""
    cdef uint32_t low_bits = low_bits_of(slot)
    cdef uint64_t edges = 0
    cdef uint64_t largest = 0
    cdef wide_t hash = 0
    cdef uint32_t number
    cdef uint64_t work, edge
    for number in range(1, names.used + 1):
        edge = column.edge[number]
        work = <uint64_t> column.middle[number] << low_bits
        work |= edge & ((<uint64_t> 1 << low_bits) - 1)
        work |= edge >> low_bits << (32 + low_bits)
        totals[names.workers[number].account] += wide_of(work)
        active[names.workers[number].account] += work != 0
        hash += wide_product(work, coefficient_of(number))
        largest = max(largest, work)
        edges += edge != 0
    return (edges == column.edges and largest == column.largest and hash == column.hash
            and (largest != 0) == column.is_used)


cdef int restore_account(Reader* reader, AccountColumn* column, uint32_t accounts,
                         uint8_t form) except -1:
    cdef size_t size = <size_t> accounts * sizeof(uint64_t)
    cdef uint32_t account
    if form & IS_USED:
        column.is_used = True
        room_fill(column.low + 1, taken(reader, size), size)
    if form & HAS_MORE:
        room_fill(column.high + 1, taken(reader, size), size)
        for account in range(1, accounts + 1):
            column.highs += column.high[account] != 0
    check_form(form, column.is_used, column.highs)
    if form != 0:
        for account in range(1, accounts + 1):
            column.hash += (wide_join(column.high[account] if column.highs != 0 else 0,
                                      column.low[account]) * wide_of(coefficient_of(account)))
    return 0


cdef int restore_active(Reader* reader, ActiveColumn* column, uint32_t accounts,
                        uint8_t form) except -1:
    cdef size_t size = <size_t> accounts * sizeof(uint32_t)
    cdef uint32_t account
    if form & IS_USED:
        column.is_used = True
        room_fill(column.count + 1, taken(reader, size), size)
        for account in range(1, accounts + 1):
            column.hash += wide_product(column.count[account], coefficient_of(account))
    check_form(form, column.is_used, 0)
    return 0


cdef int check_form(uint8_t form, bint is_used, uint64_t more) except -1:
    """ValueError unless a column's byte in a dump is the one that it would be given again."""
    if form != is_used * IS_USED | (more != 0) * HAS_MORE:
        raise ValueError(f"a column is said to be of form {form}")
    return 0
