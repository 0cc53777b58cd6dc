"""Keeps miners: adds up what their force yields, counts their claims, ranks them by force.

A miner yields force x nanoseconds x rate / 10^18 units, in integers; what is less than a unit is
carried. It is settled when its force, the rate or what is left to claim changes, and only then;
how often makes no difference. What has accrued stops at 2^63 - 1 units.

The rank is a heap of four children a place, with the place of each miner: a change moves one miner
along one path, and the strongest are found by walking down from the top. It is not part of a dump:
whatever its shape, it gives the same answers.

Invariants (`check`): a miner is found by its user, and by no other; force, accrued and claimed are
not negative, the carry is less than a unit, and nothing where accrued is at its limit; times are in
order; each place of the rank has a miner weaker than the one above it, and each miner its place;
there are no miners without settings.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from pool.accrual cimport ORE_PARTS, ore_yield

import struct
from heapq import heappop, heappush

from pool.views import Miner, Settings
from pool.wallet_addresses import address_of, number_of

cdef extern from "Python.h":
    object memory_of "PyMemoryView_FromMemory"(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_READ

cdef enum:
    FIRST_CAPACITY = 256
    CHILDREN = 4
    NEVER = -0x7FFFFFFF

if sizeof(MinerRow) != 56:
    raise ImportError(f"a miner has {sizeof(MinerRow)} bytes, not 56")

AMOUNT_MAX = 2**63 - 1
HEAD = struct.Struct("<IIqqqq")     # coin, miners, the other settings


cdef class Miners:
    """All miners, and the settings that hold for them. Each has a wallet of the same number.

    Amounts are in units of the mined coin, force has no unit, times are in nanoseconds UTC. What
    changes something raises ValueError where time goes back or a value is out of range (where it
    has too many bits: OverflowError), IndexError for a user without a miner; then nothing changed.
    """

    def __dealloc__(self):
        free(self.rows)
        free(self.numbers)
        free(self.heap)
        free(self.places)

    def __len__(self):
        return self.count

    def __contains__(self, uid):
        """Whether a user has one."""
        return 1 <= uid < self.users and self.numbers[<uint32_t> uid] != 0

    # -- reading -----------------------------------------------------------------------------------

    @property
    def settings(self):
        """The Settings, or None before the first."""
        if self.coin == 0:
            return None
        return Settings(self.coin, self.rate, self.force_price, self.sign_in_force,
                        self.initial_force)

    def get(self, number):
        """The Miner of that number, or None."""
        return self.view(number) if 1 <= number <= self.count else None

    def of_user(self, uid):
        """The Miner of a user, or None."""
        return self.view(self.numbers[<uint32_t> uid]) if uid in self else None

    def by_address(self, str address not None):
        """The Miner whose wallet has an address, or None."""
        number = number_of(address)
        return None if number is None else self.get(number)

    def claimable(self, uint32_t uid, int64_t ts_ns):
        """Units that a user could claim at a moment; one before it was last settled counts as that.

        IndexError for a user without a miner.
        """
        cdef MinerRow row = self.row_of(uid)[0]
        self.settle(&row, max(ts_ns, row.settled_ns))
        return row.accrued

    def all_claimed(self):
        """Units that all miners together have claimed. O(miners)."""
        cdef uint32_t number
        total = 0
        for number in range(1, self.count + 1):
            total += self.rows[number].claimed
        return total

    def rank(self, Py_ssize_t count):
        """The strongest Miners, strongest first, at most so many; of two equals the older first.

        O(count log count).
        """
        cdef uint32_t number
        found = []
        # What may come next: the places below those that are found, with what orders them.
        frontier = [self.rank_entry(0)] if self.count != 0 else []
        while frontier and len(found) < count:
            _, number, place = heappop(frontier)
            found.append(self.view(number))
            first = CHILDREN * place + 1
            for child in range(first, min(first + CHILDREN, self.count)):
                heappush(frontier, self.rank_entry(child))
        return found

    def rank_entry(self, uint32_t place):
        """(-force, number, place): the smallest is the strongest; part of `rank`."""
        cdef uint32_t number = self.heap[place]
        return -self.rows[number].force, number, place

    cdef object view(self, uint32_t number):
        cdef MinerRow* row = self.rows + number
        return Miner(number, row.user, row.force, row.opened_ns, row.claimed,
                     None if row.signed_day == NEVER else row.signed_day, address_of(number))

    # -- changes -----------------------------------------------------------------------------------

    def set_settings(self, settings not None, int64_t ts_ns):
        """Let other Settings hold from a moment on. The coin must stay. A new rate is O(miners)."""
        cdef uint32_t number
        cdef uint32_t coin = settings.coin
        cdef int64_t rate = settings.rate
        if coin == 0 or self.coin != 0 and coin != self.coin:
            raise ValueError(f"coin {coin} in place of {self.coin}")
        if min(settings[1:]) < 0 or max(settings[1:]) > AMOUNT_MAX or settings.force_price == 0:
            raise ValueError(f"{settings} are out of range")
        self.pass_time(ts_ns)
        if rate != self.rate:
            for number in range(1, self.count + 1):
                self.settle(self.rows + number, ts_ns)
        self.coin = coin
        self.rate = rate
        self.force_price = settings.force_price
        self.sign_in_force = settings.sign_in_force
        self.initial_force = settings.initial_force

    def open(self, uint32_t uid, int64_t ts_ns):
        """Give a user who has none a miner with the initial force; its number."""
        cdef MinerRow row
        if self.coin == 0 or uid == 0 or uid in self:
            raise ValueError(f"user {uid} cannot open a miner")
        memset(&row, 0, sizeof(MinerRow))
        row.force = self.initial_force
        row.opened_ns = row.settled_ns = ts_ns
        row.user = uid
        row.signed_day = NEVER
        self.pass_time(ts_ns)
        self.append(&row)
        self.rise(self.count - 1)
        return self.count

    def set_force(self, uint32_t uid, int64_t force, int64_t ts_ns):
        """Let a user's miner work with another force from a moment on. O(log miners)."""
        cdef MinerRow* row = self.row_of(uid)
        cdef int64_t before = row.force
        cdef uint32_t place = self.places[row - self.rows]
        if force < 0:
            raise ValueError(f"a force of {force}")
        self.pass_time(ts_ns)
        self.settle(row, ts_ns)
        row.force = force
        if force > before:
            self.rise(place)
        elif force < before:
            self.sink(place)

    def claim(self, uint32_t uid, int64_t amount, int64_t ts_ns):
        """Take away units that a user's miner has yielded; ValueError where it has not."""
        cdef MinerRow* row = self.row_of(uid)
        if not 0 <= amount <= self.claimable(uid, ts_ns):
            raise ValueError(f"user {uid} cannot claim {amount}")
        if amount > AMOUNT_MAX - row.claimed:
            raise ValueError(f"user {uid} has claimed {row.claimed}, and now {amount}")
        self.pass_time(ts_ns)
        self.settle(row, ts_ns)
        row.accrued -= amount
        row.claimed += amount

    def sign_in(self, uint32_t uid, int32_t day):
        """Note the day of a user's sign-in, days since 1970-01-01. It must be a later one."""
        cdef MinerRow* row = self.row_of(uid)
        if day <= row.signed_day:
            raise ValueError(f"user {uid} has signed in on day {row.signed_day}, and now on {day}")
        row.signed_day = day

    cdef MinerRow* row_of(self, uint32_t user) except NULL:
        if user >= self.users or self.numbers[user] == 0:
            raise IndexError(f"user {user} has no miner")
        return self.rows + self.numbers[user]

    cdef int pass_time(self, int64_t ts_ns) except -1:
        if ts_ns < self.latest_ns:
            raise ValueError(f"time goes back from {self.latest_ns} to {ts_ns}")
        self.latest_ns = ts_ns
        return 0

    cdef void settle(self, MinerRow* row, int64_t ts_ns) noexcept nogil:
        ore_yield(&row.accrued, &row.carry, row.force, ts_ns - row.settled_ns, self.rate)
        row.settled_ns = ts_ns

    # -- rank --------------------------------------------------------------------------------------

    cdef bint is_stronger(self, uint32_t number, uint32_t other) noexcept nogil:
        cdef int64_t force = self.rows[number].force
        cdef int64_t other_force = self.rows[other].force
        return force > other_force or force == other_force and number < other

    cdef void put(self, uint32_t number, uint32_t place) noexcept nogil:
        self.heap[place] = number
        self.places[number] = place

    cdef void rise(self, uint32_t place) noexcept nogil:
        """Move the miner of a place up until the one above it is stronger."""
        cdef uint32_t number = self.heap[place]
        cdef uint32_t above
        while place > 0:
            above = (place - 1) // CHILDREN
            if not self.is_stronger(number, self.heap[above]):
                break
            self.put(self.heap[above], place)
            place = above
        self.put(number, place)

    cdef void sink(self, uint32_t place) noexcept nogil:
        """Move the miner of a place down until those below it are weaker."""
        cdef uint32_t number = self.heap[place]
        cdef uint64_t first = <uint64_t> CHILDREN * place + 1
        cdef uint64_t child, strongest
        while first < self.count:
            strongest = first
            for child in range(first + 1, min(first + CHILDREN, <uint64_t> self.count)):
                if self.is_stronger(self.heap[child], self.heap[strongest]):
                    strongest = child
            if not self.is_stronger(self.heap[strongest], number):
                break
            self.put(self.heap[strongest], place)
            place = <uint32_t> strongest
            first = CHILDREN * strongest + 1
        self.put(number, place)

    cdef void build_rank(self) noexcept nogil:
        """Put all miners in order, from the last that has another below it up. O(miners)."""
        cdef uint32_t place
        for place in range((self.count + CHILDREN - 2) // CHILDREN, 0, -1):
            self.sink(place - 1)

    # -- room --------------------------------------------------------------------------------------

    cdef int reserve(self, size_t capacity) except -1:
        """Make room for `capacity` rows, the one of number 0 included."""
        self.rows = <MinerRow*> resized(self.rows, capacity * sizeof(MinerRow))
        self.heap = <uint32_t*> resized(self.heap, capacity * sizeof(uint32_t))
        self.places = <uint32_t*> resized(self.places, capacity * sizeof(uint32_t))
        self.capacity = capacity
        return 0

    cdef int reserve_user(self, uint32_t user) except -1:
        cdef size_t users = max(self.users, <size_t> FIRST_CAPACITY)
        while users <= user:
            users *= 2
        if users != self.users:
            self.numbers = <uint32_t*> resized(self.numbers, users * sizeof(uint32_t))
            memset(self.numbers + self.users, 0, (users - self.users) * sizeof(uint32_t))
            self.users = users
        return 0

    cdef int append(self, const MinerRow* row) except -1:
        """Add a miner, at the last place of the rank."""
        if self.count + 1 >= self.capacity:
            self.reserve(max(2 * self.capacity, <size_t> FIRST_CAPACITY))
        self.reserve_user(row.user)
        self.count += 1
        self.rows[self.count] = row[0]
        self.numbers[row.user] = self.count
        self.put(self.count, self.count - 1)
        return 0

    # -- the state as a whole ----------------------------------------------------------------------

    def pieces(self):
        """The miners as buffers: settings and count, then the rows.

        They show the live memory: to be read before the next change.
        """
        parts = [HEAD.pack(self.coin, self.count, self.rate, self.force_price, self.sign_in_force,
                           self.initial_force)]
        if self.count != 0:
            parts.append(memory_of(<char*> (self.rows + 1),
                                   <Py_ssize_t> self.count * sizeof(MinerRow), PyBUF_READ))
        return parts

    def dump(self):
        """The miners as bytes."""
        return b"".join(self.pieces())

    @staticmethod
    def load(bytes dumped not None):
        """What `dump` gave, as miners again; ValueError where the length or a user is wrong."""
        cdef Miners miners = Miners()
        cdef MinerRow row
        cdef uint32_t number, count
        if len(dumped) < HEAD.size:
            raise ValueError(f"{len(dumped)} bytes are no miners")
        (miners.coin, count, miners.rate, miners.force_price, miners.sign_in_force,
         miners.initial_force) = HEAD.unpack_from(dumped)
        if len(dumped) != HEAD.size + count * <Py_ssize_t> sizeof(MinerRow):
            raise ValueError(f"{len(dumped)} bytes are not {count} miners")
        cdef const char* at = PyBytes_AS_STRING(dumped) + <Py_ssize_t> HEAD.size
        for number in range(1, count + 1):
            memcpy(&row, at, sizeof(MinerRow))
            at += sizeof(MinerRow)
            if row.user == 0 or row.user < miners.users and miners.numbers[row.user] != 0:
                raise ValueError(f"miner {number} is user {row.user}'s")
            miners.append(&row)
            miners.latest_ns = max(miners.latest_ns, row.settled_ns)
        miners.build_rank()
        return miners

    def check(self):
        """A list of what is wrong, empty when every invariant holds. O(miners)."""
        cdef uint32_t number, place
        cdef uint32_t indexed = 0
        cdef size_t user
        faults = []
        if self.coin == 0:
            return [f"{self.count} miners without settings"] if self.count != 0 else []
        if min(self.settings) < 0 or self.force_price == 0:
            faults.append(f"{self.settings}")
        for number in range(1, self.count + 1):
            faults += self.row_faults(number)
        for user in range(1, self.users):
            indexed += self.numbers[user] != 0
        if indexed != self.count:
            faults.append(f"{self.count} miners, {indexed} by user")
        for place in range(1, self.count):
            if not self.is_stronger(self.heap[(place - 1) // CHILDREN], self.heap[place]):
                faults.append(f"miner {self.heap[place]} at {place} is not below a stronger one")
        return faults

    cdef list row_faults(self, uint32_t number):
        """Part of `check`."""
        cdef MinerRow* row = self.rows + number
        if (row.user < self.users and self.numbers[row.user] == number
                and row.force >= 0 and row.accrued >= 0 and row.claimed >= 0
                and row.carry < <uint64_t> ORE_PARTS
                and not (row.accrued == AMOUNT_MAX and row.carry != 0)
                and 0 <= row.opened_ns <= row.settled_ns <= self.latest_ns
                and self.places[number] < self.count and self.heap[self.places[number]] == number):
            return []
        return [f"miner {number} at {self.places[number]}: {row[0]}"]


cdef void* resized(void* memory, size_t size) except NULL:
    cdef void* larger = realloc(memory, size)
    if larger is NULL:
        raise MemoryError
    return larger
