"""The table of worker_names.pxd: who comes, who goes, who is found, and its bytes.

Invariants (`check`): the index finds each worker, and has no other entry; an account's list holds
each of its workers once, linked both ways; each account is found by its number; a free number has
no name, no last share, no links and no group; the running hashes are those of what is there.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from pool.room cimport room_clear, room_close, room_coarsen, room_fill, room_open, taken
from pool.wide cimport coefficient_of, wide_join, wide_product

import struct

cdef extern from "Python.h":
    object memory_of "PyMemoryView_FromMemory"(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_READ

cdef enum:
    FIRST_INDEX_BITS = 10
    # No honest run of an index at most half full is as long; names made to collide have longer.
    RUN_MAX = 256
    ARENA_SLACK = 65536
    # From here on an array has large pages: what the last one wastes is little then.
    COARSE_BYTES = 1 << 21

if sizeof(Worker) != 32 or sizeof(Link) != 8 or sizeof(Account) != 16:
    raise ImportError(f"a worker has {sizeof(Worker)} bytes, not 32; its links {sizeof(Link)},"
                      f" not 8; an account {sizeof(Account)}, not 16")

cdef size_t SLOT_ROOM = <size_t> 1 << 32
# Idle bytes are at most as many as the others, and ARENA_SLACK.
cdef size_t ARENA_ROOM = <size_t> 2 * WORKERS_MAX * NAME_BYTES_MAX + 2 * ARENA_SLACK

HEAD = struct.Struct("<IIQ")      # numbers used, accounts, bytes of the names


cdef class WorkerNames:

    def __cinit__(self):
        cdef NameTable* table = &self.table
        table.workers = <Worker*> room_open(<size_t> WORKER_ROOM * sizeof(Worker))
        table.links = <Link*> room_open(<size_t> WORKER_ROOM * sizeof(Link))
        table.groups = <uint32_t*> room_open(<size_t> WORKER_ROOM * sizeof(uint32_t))
        table.dropped_s = <uint32_t*> room_open(<size_t> WORKER_ROOM * sizeof(uint32_t))
        table.arena = <char*> room_open(ARENA_ROOM)
        table.accounts = <Account*> room_open(<size_t> ACCOUNT_ROOM * sizeof(Account))
        table.slots = <uint32_t*> room_open(SLOT_ROOM * sizeof(uint32_t))
        if (table.workers is NULL or table.links is NULL or table.groups is NULL
                or table.dropped_s is NULL or table.arena is NULL or table.accounts is NULL
                or table.slots is NULL):
            raise MemoryError
        room_coarsen(table.workers, COARSE_BYTES, <size_t> WORKER_ROOM * sizeof(Worker))
        table.lowest_free = 1
        self.rehash(FIRST_INDEX_BITS)

    def __dealloc__(self):
        cdef NameTable* table = &self.table
        room_close(table.workers, <size_t> WORKER_ROOM * sizeof(Worker))
        room_close(table.links, <size_t> WORKER_ROOM * sizeof(Link))
        room_close(table.groups, <size_t> WORKER_ROOM * sizeof(uint32_t))
        room_close(table.dropped_s, <size_t> WORKER_ROOM * sizeof(uint32_t))
        room_close(table.arena, ARENA_ROOM)
        room_close(table.accounts, <size_t> ACCOUNT_ROOM * sizeof(Account))
        room_close(table.slots, SLOT_ROOM * sizeof(uint32_t))
        room_close(table.index, sizeof(uint32_t) << table.index_bits)

    # -- the index ---------------------------------------------------------------------------------

    cdef int reserve(self, uint32_t more) except -1:
        """Make sure that the index stays half empty with so many workers more."""
        cdef uint32_t bits = self.table.index_bits
        while <uint64_t> self.table.count + more > <uint64_t> 1 << (bits - 1):
            bits += 1
        if bits != self.table.index_bits:
            self.rehash(bits)
        return 0

    cdef int rehash(self, uint32_t bits) except -1:
        cdef size_t size = sizeof(uint32_t) << bits
        cdef uint32_t* index = <uint32_t*> room_open(size)
        if index is NULL:
            raise MemoryError
        if size >= COARSE_BYTES:
            room_coarsen(index, 0, size)
        room_close(self.table.index, sizeof(uint32_t) << self.table.index_bits)
        self.table.index = index
        self.table.index_bits = bits
        index_build(&self.table)
        return 0

    # -- going -------------------------------------------------------------------------------------

    cdef uint32_t drop_silent(self, uint32_t limit_s) except? 0xFFFFFFFF:
        """Drop the workers whose last share came before a moment; how many. O(workers)."""
        cdef NameTable* table = &self.table
        cdef uint32_t number
        cdef uint32_t count = table.count
        for number in range(1, table.used + 1):
            if table.workers[number].account != 0 and table.workers[number].last_at_s < limit_s:
                worker_drop(table, number)
                table.dropped_s[number] = limit_s
        if table.arena_idle > table.arena_used // 2 + ARENA_SLACK:
            self.compact()
        return count - table.count

    cdef int compact(self) except -1:
        """Let the long names lie close together again, by number."""
        cdef NameTable* table = &self.table
        cdef uint64_t at = 0
        cdef uint32_t number
        cdef uint8_t length
        cdef NameKey* key
        cdef char* names = <char*> malloc(table.arena_used - table.arena_idle + 1)
        if names is NULL:
            raise MemoryError
        for number in range(1, table.used + 1):
            key = &table.workers[number].key
            length = name_length(key)
            if length > NAME_SHORT_MAX:
                memcpy(names + at, table.arena + key.word[1], length)
                key.word[1] = at
                at += length
        room_clear(table.arena, table.arena_used)
        memcpy(table.arena, names, at)
        free(names)
        table.arena_used = at
        table.arena_idle = 0
        return 0

    # -- reading -----------------------------------------------------------------------------------

    def find(self, uint32_t account, str name not None):
        """The number of a worker, 0 where there is none."""
        encoded = name.encode()
        length = len(encoded)
        cdef bytes padded = encoded + bytes(NAME_ROOM)
        cdef const char* at = PyBytes_AS_STRING(padded)
        cdef uint32_t slot = account_slot(&self.table, account)
        cdef NameKey key
        if slot == 0 or not 1 <= length <= NAME_BYTES_MAX:
            return 0
        key = name_key_of(at, length)
        return worker_find(&self.table, slot, &key, at, hash_of(&self.table, slot, &key, at))

    def name_of(self, number):
        """A worker's name; IndexError where the number is free."""
        cdef NameKey* key = &self.table.workers[<uint32_t> self.known(number)].key
        cdef const char* name = name_bytes(key, self.table.arena)
        return name[:name_length(key)].decode()

    def account_of(self, number):
        """The number of a worker's account; IndexError where the worker's is free."""
        cdef Worker* worker = self.table.workers + <uint32_t> self.known(number)
        return self.table.accounts[worker.account].number

    def group_of(self, number):
        """A worker's group, 0 for none; IndexError where the number is free."""
        return self.table.groups[<uint32_t> self.known(number)]

    def last_at_s(self, number):
        """Of a worker's last share; IndexError where the number is free."""
        return self.table.workers[<uint32_t> self.known(number)].last_at_s

    def groups_in_use(self):
        """{account: groups that its workers are in}, of all accounts that ever had a worker."""
        cdef NameTable* table = &self.table
        cdef uint32_t slot, number
        found = {table.accounts[slot].number: set() for slot in range(1, table.account_count + 1)}
        for number in range(1, table.used + 1):
            if table.workers[number].account != 0 and table.groups[number] != 0:
                found[table.accounts[table.workers[number].account].number].add(
                    table.groups[number])
        return found

    def farthest(self):
        """How many entries behind its home the farthest in the index is."""
        cdef NameTable* table = &self.table
        cdef uint32_t at, number
        cdef uint32_t found = 0
        for at in range(<uint32_t> 1 << table.index_bits):
            number = table.index[at] & NUMBER_MASK
            if number != 0:
                found = max(found, (at - index_home(table, hash_in(table, number)))
                            & index_mask(table))
        return found

    def known(self, number):
        """The number of a worker; IndexError for one that is free."""
        if not 1 <= number <= self.table.used or self.table.workers[<uint32_t> number].account == 0:
            raise IndexError(f"there is no worker {number}")
        return number

    def set_group(self, number, uint32_t group):
        """Let a worker belong to a group; 0: to none. IndexError where the number is free."""
        group_set(&self.table, self.known(number), group)

    def ungroup(self, uint32_t account, uint32_t group):
        """Let an account's workers of a group belong to none; how many. O(its workers)."""
        cdef NameTable* table = &self.table
        cdef uint32_t number = table.accounts[account_slot(table, account)].first
        cdef uint32_t count = 0
        while number != 0:
            if group != 0 and table.groups[number] == group:
                group_set(table, number, 0)
                count += 1
            number = table.links[number].next
        return count

    # -- the state as a whole ----------------------------------------------------------------------

    cdef bytes packed_workers(self):
        """Account slot and last share of all workers, by number."""
        cdef NameTable* table = &self.table
        cdef bytes packed = PyBytes_FromStringAndSize(NULL, <Py_ssize_t> 8 * table.used)
        cdef char* at = PyBytes_AS_STRING(packed)
        cdef uint32_t number
        for number in range(1, table.used + 1):
            memcpy(at, table.workers + number, 8)
            at += 8
        return packed

    cdef bytes packed_names(self):
        """All names by number, each behind a byte with its length; a free number has none."""
        cdef NameTable* table = &self.table
        cdef Py_ssize_t size = 0
        cdef uint32_t number
        cdef uint8_t length
        for number in range(1, table.used + 1):
            size += 1 + name_length(&table.workers[number].key)
        cdef bytes packed = PyBytes_FromStringAndSize(NULL, size)
        cdef char* at = PyBytes_AS_STRING(packed)
        for number in range(1, table.used + 1):
            length = name_length(&table.workers[number].key)
            at[0] = <char> length
            memcpy(at + 1, name_bytes(&table.workers[number].key, table.arena), length)
            at += 1 + length
        return packed

    cdef list pieces(self):
        """As buffers: head; account numbers by slot; accounts and last shares, links, groups,
        names of the workers by number. Links and groups show the live memory: to be read before
        the next change."""
        cdef NameTable* table = &self.table
        cdef Py_ssize_t used = table.used
        cdef uint32_t slot
        names = self.packed_names()
        numbers = b"".join([table.accounts[slot].number.to_bytes(4, "little")
                            for slot in range(1, table.account_count + 1)])
        return [HEAD.pack(table.used, table.account_count, len(names)), numbers,
                self.packed_workers(),
                memory_of(<char*> (table.links + 1), used * sizeof(Link), PyBUF_READ),
                memory_of(<char*> (table.groups + 1), used * sizeof(uint32_t), PyBUF_READ), names]

    cdef int restore(self, Reader* reader) except -1:
        """Take over a part of a dump, on an empty table; ValueError where it can't be one."""
        cdef NameTable* table = &self.table
        cdef size_t size
        cdef uint32_t slot, number
        cdef const char* at
        used, accounts, names = HEAD.unpack(taken(reader, HEAD.size)[:HEAD.size])
        if used > WORKERS_MAX or accounts > ACCOUNTS_MAX:
            raise ValueError(f"{used} workers of {accounts} accounts are too many")
        size = used
        for slot in range(<uint32_t> accounts):
            memcpy(&number, taken(reader, sizeof(uint32_t)), sizeof(uint32_t))
            if number == 0 or account_slot(table, number) != 0:
                raise ValueError(f"account {number} is there twice, or is none")
            account_add(table, number)
        at = taken(reader, 8 * size)
        for number in range(1, <uint32_t> used + 1):
            memcpy(table.workers + number, at, 8)
            at += 8
        room_fill(table.links + 1, taken(reader, size * sizeof(Link)), size * sizeof(Link))
        room_fill(table.groups + 1, taken(reader, size * sizeof(uint32_t)),
                  size * sizeof(uint32_t))
        table.used = used
        at = reader.at
        self.restore_names(reader)
        if reader.at - at != names:
            raise ValueError(f"the names have {reader.at - at} bytes, not {names}")
        self.restore_lists()
        self.reserve(0)
        index_build(table)
        return 0

    cdef int restore_names(self, Reader* reader) except -1:
        cdef NameTable* table = &self.table
        cdef char[NAME_ROOM] name
        cdef uint32_t number
        cdef uint8_t length
        memset(name, 0, sizeof(name))
        for number in range(1, table.used + 1):
            length = <uint8_t> taken(reader, 1)[0]
            if (length > NAME_BYTES_MAX or (length == 0) != (table.workers[number].account == 0)
                    or table.workers[number].account > table.account_count):
                raise ValueError(f"worker {number} has an account that is none, or its name"
                                 f" {length} bytes")
            memcpy(name, taken(reader, length), length)
            name_put(table, number, name, length)
        return 0

    cdef int restore_lists(self) except -1:
        """What follows from the workers and their links."""
        cdef NameTable* table = &self.table
        cdef uint32_t number
        cdef uint64_t coefficient
        cdef Account* account
        for number in range(1, table.used + 1):
            if table.links[number].prev > table.used or table.links[number].next > table.used:
                raise ValueError(f"worker {number}'s neighbors do not exist")
            if table.workers[number].account == 0:
                continue
            coefficient = coefficient_of(number)
            table.name_hash += name_record(table, number)
            table.link_hash += wide_product(table.links[number].prev, coefficient)
            table.seen_hash += wide_product(table.workers[number].last_at_s, coefficient)
            table.group_hash += wide_product(table.groups[number], coefficient)
            account = table.accounts + table.workers[number].account
            account.count += 1
            account.first = number if table.links[number].prev == 0 else account.first
            account.last = number if table.links[number].next == 0 else account.last
            table.count += 1
        return 0

    def check(self):
        """A list of what is wrong, empty when every invariant holds. O(workers + accounts)."""
        cdef NameTable* table = &self.table
        cdef uint32_t number, slot, hash
        cdef uint32_t count = 0
        cdef uint32_t entries = 0
        cdef wide_t hashes[5]
        cdef Worker* worker
        cdef const char* name
        memset(hashes, 0, sizeof(hashes))
        faults = []
        for number in range(1, table.used + 1):
            worker = table.workers + number
            # a free number has nothing
            if worker.account == 0:
                if (worker.last_at_s or table.groups[number] or name_length(&worker.key)
                        or table.links[number].prev or table.links[number].next
                        or number < table.lowest_free):
                    faults.append(f"number {number} is free and not empty")
                continue
            count += 1
            name = name_bytes(&worker.key, table.arena)
            # the index finds each worker
            hash = hash_of(table, worker.account, &worker.key, name)
            if worker_find(table, worker.account, &worker.key, name, hash) != number:
                faults.append(f"worker {number}: the index does not find it")
            hashes[0] += name_record(table, number)
            hashes[1] += wide_product(table.links[number].prev, coefficient_of(number))
            hashes[2] += wide_product(worker.last_at_s, coefficient_of(number))
            hashes[3] += wide_product(table.groups[number], coefficient_of(number))
        for number in range(<uint32_t> 1 << table.index_bits):
            entries += table.index[number] != 0
        # ... and has no other entry
        if not count == table.count == entries:
            faults.append(f"{count} workers, {table.count} counted, {entries} in the index")
        for slot in range(1, table.account_count + 1):
            hashes[4] += wide_product(table.accounts[slot].number, coefficient_of(slot))
            faults += self.account_faults(slot)
        if (hashes[0] != table.name_hash or hashes[1] != table.link_hash
                or hashes[2] != table.seen_hash or hashes[3] != table.group_hash
                or hashes[4] != table.account_hash):
            faults.append("workers: a running hash is not that of what is there")
        return faults

    cdef list account_faults(self, uint32_t slot):
        """An account's list, and that it is found; part of `check`."""
        cdef NameTable* table = &self.table
        cdef Account* account = table.accounts + slot
        cdef uint32_t number = account.first
        cdef uint32_t before = 0
        cdef uint32_t count = 0
        while number != 0 and count <= account.count:
            if (number > table.used or table.workers[number].account != slot
                    or table.links[number].prev != before):
                return [f"account {account.number}: worker {number} does not belong into its list"]
            before, number, count = number, table.links[number].next, count + 1
        if (count != account.count or before != account.last
                or account_slot(table, account.number) != slot):
            return [f"account {account.number} in slot {slot}: {count} workers in the list,"
                    f" {account.count} counted, worker {before} is the last"]
        return []


# -- the table, unchecked --------------------------------------------------------------------------

cdef uint32_t account_add(NameTable* table, uint32_t number) noexcept nogil:
    table.account_count += 1
    table.accounts[table.account_count].number = number
    table.slots[number] = table.account_count
    table.account_hash += wide_product(number, coefficient_of(table.account_count))
    return table.account_count


cdef uint32_t find_or_add(NameTable* table, uint32_t account, const char* name,
                          uint8_t length) noexcept nogil:
    """The number of a worker, which comes with this where it is not there (`reserve` first).

    The account is given by its number, and comes too. The limits are the caller's to keep.
    """
    cdef uint32_t slot = account_slot(table, account)
    cdef NameKey key = name_key_of(name, length)
    cdef uint32_t hash, number
    if slot == 0:
        slot = account_add(table, account)
    hash = hash_of(table, slot, &key, name)
    number = worker_find(table, slot, &key, name, hash)
    if number == 0:
        number = worker_add(table, slot, name, length)
        index_insert(table, number, hash)
        if table.is_crowded:
            index_build(table)
    return number


cdef uint32_t worker_add(NameTable* table, uint32_t account, const char* name,
                         uint8_t length) noexcept nogil:
    """Give the lowest free number to a worker of the account in a slot; not to the index."""
    cdef Account* its = table.accounts + account
    cdef uint32_t number = table.lowest_free
    while number <= table.used and table.workers[number].account != 0:
        number += 1
    table.lowest_free = number + 1
    table.used = max(table.used, number)
    table.workers[number].account = account
    name_put(table, number, name, length)
    table.links[number].prev = its.last
    table.link_hash += wide_product(its.last, coefficient_of(number))
    if its.last == 0:
        its.first = number
    else:
        table.links[its.last].next = number
    its.last = number
    its.count += 1
    table.count += 1
    table.name_hash += name_record(table, number)
    return number


cdef void worker_drop(NameTable* table, uint32_t number) noexcept nogil:
    cdef Worker* worker = table.workers + number
    cdef Link* link = table.links + number
    cdef Account* its = table.accounts + worker.account
    index_remove(table, number)
    table.name_hash -= name_record(table, number)
    table.seen_hash -= wide_product(worker.last_at_s, coefficient_of(number))
    group_set(table, number, 0)
    table.link_hash -= wide_product(link.prev, coefficient_of(number))
    if link.prev == 0:
        its.first = link.next
    else:
        table.links[link.prev].next = link.next
    if link.next == 0:
        its.last = link.prev
    else:
        wide_move(&table.link_hash, number, link.prev, coefficient_of(link.next))
        table.links[link.next].prev = link.prev
    its.count -= 1
    table.count -= 1
    if name_length(&worker.key) > NAME_SHORT_MAX:
        table.arena_idle += name_length(&worker.key)
    memset(link, 0, sizeof(Link))
    memset(worker, 0, sizeof(Worker))
    table.lowest_free = min(table.lowest_free, number)


cdef void group_set(NameTable* table, uint32_t number, uint32_t group) noexcept nogil:
    # Most workers never have one: nothing is written for them.
    if table.groups[number] != group:
        wide_move(&table.group_hash, table.groups[number], group, coefficient_of(number))
        table.groups[number] = group


cdef void name_put(NameTable* table, uint32_t number, const char* name,
                   uint8_t length) noexcept nogil:
    cdef Worker* worker = table.workers + number
    worker.key = name_key_of(name, length)
    if length > NAME_SHORT_MAX:
        worker.key.word[1] = table.arena_used
        memcpy(table.arena + table.arena_used, name, length)
        table.arena_used += length


cdef wide_t name_record(NameTable* table, uint32_t number) noexcept nogil:
    """What a worker's number, account and name add to the running hash."""
    cdef Worker* worker = table.workers + number
    cdef const char* name = name_bytes(&worker.key, table.arena)
    cdef uint64_t account = <uint64_t> worker.account << 32 | number
    return wide_join(name_hash(1, account, &worker.key, name),
                     name_hash(2, account, &worker.key, name))


# -- the index, unchecked --------------------------------------------------------------------------

cdef uint32_t hash_in(NameTable* table, uint32_t number) noexcept nogil:
    """The hash of a worker that is there."""
    cdef Worker* worker = table.workers + number
    return hash_of(table, worker.account, &worker.key, name_bytes(&worker.key, table.arena))


cdef void index_insert(NameTable* table, uint32_t number, uint32_t hash) noexcept nogil:
    cdef uint32_t mask = index_mask(table)
    cdef uint32_t home = index_home(table, hash)
    cdef uint32_t at = home
    while table.index[at] != 0:
        at = (at + 1) & mask
    table.index[at] = entry_of(number, hash)
    if ((at - home) & mask) > RUN_MAX:
        table.is_crowded = True


cdef void index_remove(NameTable* table, uint32_t number) noexcept nogil:
    """Take an entry out, and move those behind it to where they are found: no tombstone."""
    cdef uint32_t mask = index_mask(table)
    cdef uint32_t at = index_home(table, hash_in(table, number))
    cdef uint32_t behind, home
    while table.index[at] & NUMBER_MASK != number:
        at = (at + 1) & mask
    behind = at
    while True:
        behind = (behind + 1) & mask
        if table.index[behind] == 0:
            break
        home = index_home(table, hash_in(table, table.index[behind] & NUMBER_MASK))
        if ((behind - home) & mask) >= ((behind - at) & mask):
            table.index[at] = table.index[behind]
            at = behind
    table.index[at] = 0


cdef void index_build(NameTable* table) noexcept nogil:
    """Enter all workers anew, under a seed that follows from all names that are there: who wants
    to choose names that collide would have to know them all."""
    cdef uint32_t number
    table.seed = coefficient_of(table.seed ^ <uint64_t> table.name_hash)
    table.is_crowded = False
    memset(table.index, 0, (<size_t> 1 << table.index_bits) * sizeof(uint32_t))
    for number in range(1, table.used + 1):
        if table.workers[number].account != 0:
            index_insert(table, number, hash_in(table, number))
