"""The totals of totals.pxd: added to by settlements, read by everyone.

A cell of zeros is an account that has no total. The running hash follows each change: the sum of
value x coefficient over all cells, modulo 2^128. It tells faults, not forgeries.

Invariants (`check`): nothing is negative; the running hash is that of all cells.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from pool.room cimport room_close, room_fill, room_open
from pool.wide cimport (
    coefficient_of, wide_high, wide_int, wide_join, wide_low, wide_of, wide_product, wide_t)

from typing import NamedTuple

cdef enum:
    FIELDS = 5                # of a cell
    NUMBER_BYTES = 4

cdef uint32_t FIRST_ROOM = 1024
cdef uint32_t LAST_ROOM = <uint32_t> 0xFFFFFFFF     # users' numbers are below it
cdef uint64_t LOW_MASK = <uint64_t> 0xFFFFFFFFFFFFFFFF


class Total(NamedTuple):
    """What an account has earned of a coin, in units; of what its coins are sold for: got."""
    earned: int             # of all days
    unsold: int             # of that, and of commissions, what waits for the next sale
    last_paid: int          # the last payment's amount, 0: there was none
    last_day: int           # the last day, since 1970-01-01, that something was earned or paid for


NOTHING = Total(0, 0, 0, 0)


cdef class Totals:
    """All totals of a house. Accounts are any numbers, coins those from 1 to COINS_MAX."""

    def __cinit__(self):
        self.columns = <Column*> calloc(COINS_MAX + 1, sizeof(Column))
        if self.columns is NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef uint32_t coin
        if self.columns is not NULL:
            for coin in range(1, self.coin_top + 1):
                room_close(self.columns[coin].cells, bytes_of(self.columns[coin].room))
            free(self.columns)

    cdef AccountTotal* cell(self, uint32_t account, uint32_t coin) except NULL:
        """The cell of an account, made where there is none."""
        cdef Column* column = self.columns + coin
        if not 1 <= coin <= COINS_MAX or account == LAST_ROOM:
            raise IndexError(f"there is no coin {coin}, or no account {account}")
        if account >= column.room:
            self.grow(column, account)
            self.coin_top = max(self.coin_top, coin)
        return column.cells + account

    cdef int grow(self, Column* column, uint32_t account) except -1:
        """Give a column cells up to an account's, twice as many as before at least. Pages of zeros
        cost no memory."""
        cdef uint32_t room = max(FIRST_ROOM, column.room)
        cdef AccountTotal* cells
        while room <= account:
            room = 2 * room if room < LAST_ROOM // 2 else LAST_ROOM
        cells = <AccountTotal*> room_open(bytes_of(room))
        if cells is NULL:
            raise MemoryError
        if column.cells is not NULL:
            room_fill(cells, <const char*> column.cells, bytes_of(column.room))
            room_close(column.cells, bytes_of(column.room))
        column.cells, column.room = cells, room
        return 0

    cdef int add(self, uint32_t account, uint32_t coin, int64_t day, wide_t earned,
                 const int64_t* unsold, int64_t paid) except -1:
        """As `note`; `unsold` NULL: as it was."""
        cdef AccountTotal* total = self.cell(account, coin)
        self.hash -= total_hash(total, account, coin)
        earned += wide_join(total.earned_high, total.earned_low)
        total.earned_low = wide_low(earned)
        total.earned_high = wide_high(earned)
        if unsold is not NULL:
            total.unsold = unsold[0]
        if paid != 0:
            total.last_paid = paid
        total.last_day = max(total.last_day, day)
        self.hash += total_hash(total, account, coin)
        return 0

    def note(self, uint32_t account, uint32_t coin, int64_t day, earned=0, unsold=None,
             int64_t paid=0):
        """Add to an account's total: what it earned of a coin, what was paid; None: as it was."""
        cdef int64_t left = 0 if unsold is None else unsold
        self.add(account, coin, day, wide_join(earned >> 64, earned & LOW_MASK),
                 NULL if unsold is None else &left, paid)

    def get(self, uint32_t account, uint32_t coin):
        """What an account has earned of a coin; zeros where that is nothing."""
        cdef const AccountTotal* total = total_at(self, account, coin)
        return NOTHING if total is NULL else total_of(total)

    def __iter__(self):
        """(account, coin, Total) of all that have one: coins rising, then accounts."""
        cdef uint32_t coin, account
        cdef const AccountTotal* total
        for coin in range(1, self.coin_top + 1):
            for account in range(self.columns[coin].room):
                total = self.columns[coin].cells + account
                if not is_empty(total):
                    yield account, coin, total_of(total)

    def digest(self):
        """The running hash, a number below 2^128. O(1)."""
        return wide_int(self.hash)

    cdef wide_t hash_of_all(self) noexcept:
        cdef wide_t hash = wide_of(0)
        cdef uint32_t coin, account
        for coin in range(1, self.coin_top + 1):
            for account in range(self.columns[coin].room):
                hash += total_hash(self.columns[coin].cells + account, account, coin)
        return hash

    def dump(self):
        """[[coin, account numbers of 4 bytes, cells]] of all coins that have totals, rising."""
        return [dumped for dumped in map(self.column, range(1, self.coin_top + 1)) if dumped[1]]

    def column(self, uint32_t coin):
        """One coin's part of `dump`."""
        cdef const AccountTotal* cells = self.columns[coin].cells
        cdef uint32_t account
        cdef size_t count = 0
        cdef bytes numbers, totals
        for account in range(self.columns[coin].room):
            count += not is_empty(cells + account)
        numbers = PyBytes_FromStringAndSize(NULL, count * NUMBER_BYTES)
        totals = PyBytes_FromStringAndSize(NULL, count * sizeof(AccountTotal))
        count = 0
        for account in range(self.columns[coin].room):
            if not is_empty(cells + account):
                memcpy(PyBytes_AS_STRING(numbers) + count * NUMBER_BYTES, &account, NUMBER_BYTES)
                memcpy(PyBytes_AS_STRING(totals) + count * sizeof(AccountTotal), cells + account,
                       sizeof(AccountTotal))
                count += 1
        return [coin, numbers, totals]

    @staticmethod
    def load(dumped):
        """What `dump` gave, as totals again; ValueError where it is not whole, or not in order."""
        cdef Totals totals = Totals()
        cdef uint32_t number
        cdef uint32_t last = 0
        for number, accounts, cells in dumped:
            if not last < number <= COINS_MAX:
                raise ValueError(f"totals of coin {number} after those of coin {last}")
            totals.restore(number, accounts, cells)
            last = number
        totals.hash = totals.hash_of_all()
        return totals

    def restore(self, uint32_t coin, bytes accounts not None, bytes cells not None):
        """Take over one coin's part of a dump; ValueError where it cannot be one."""
        cdef Py_ssize_t count = PyBytes_GET_SIZE(accounts) // NUMBER_BYTES
        cdef Py_ssize_t at
        cdef uint32_t account
        cdef int64_t last = -1
        if (PyBytes_GET_SIZE(accounts) != count * NUMBER_BYTES
                or PyBytes_GET_SIZE(cells) != count * <Py_ssize_t> sizeof(AccountTotal)):
            raise ValueError(f"coin {coin}: {len(cells)} bytes of {count} totals")
        for at in range(count):
            memcpy(&account, PyBytes_AS_STRING(accounts) + at * NUMBER_BYTES, NUMBER_BYTES)
            if account <= last:
                raise ValueError(f"coin {coin}: the total of {account} after that of {last}")
            last = account
            memcpy(self.cell(account, coin),
                   PyBytes_AS_STRING(cells) + at * sizeof(AccountTotal), sizeof(AccountTotal))

    def check(self):
        """What is wrong, empty when every invariant holds. O(totals)."""
        faults = [f"account {account}, coin {coin}: {total}"
                  for account, coin, total in self if min(total) < 0]
        if self.hash_of_all() != self.hash:
            faults.append("the running hash of the totals is not that of their cells")
        return faults


cdef inline size_t bytes_of(uint32_t room) noexcept:
    return <size_t> room * sizeof(AccountTotal)


cdef inline bint is_empty(const AccountTotal* total) noexcept:
    return (total.earned_low | total.earned_high | <uint64_t> total.unsold
            | <uint64_t> total.last_paid | <uint64_t> total.last_day) == 0


cdef inline wide_t total_hash(const AccountTotal* total, uint32_t account, uint32_t coin) noexcept:
    cdef uint64_t first = (<uint64_t> coin << 32 | account) * FIELDS
    return (wide_product(total.earned_low, coefficient_of(first))
            + wide_product(total.earned_high, coefficient_of(first + 1))
            + wide_product(<uint64_t> total.unsold, coefficient_of(first + 2))
            + wide_product(<uint64_t> total.last_paid, coefficient_of(first + 3))
            + wide_product(<uint64_t> total.last_day, coefficient_of(first + 4)))


cdef inline object total_of(const AccountTotal* total):
    return Total(<object> total.earned_high << 64 | total.earned_low, total.unsold,
                 total.last_paid, total.last_day)
