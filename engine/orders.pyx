"""The table of open orders: its growth, its bytes, its invariants (per order: orders.pxd).

Invariants (`check`): the index finds each open order and nothing else; each user's list holds just
his open orders, newest first; slots are either open or in the free list.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

from ledger.region cimport region_release, region_reserve

import struct

cdef extern from "Python.h":
    object memory_of "PyMemoryView_FromMemory"(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_READ

cdef enum:
    FIRST_INDEX_BITS = 10

if sizeof(Order) != 64:
    raise ImportError(f"an order has {sizeof(Order)} bytes, not one cache line of 64")

HEAD = struct.Struct("<IIIIII")   # count, used, free, index bits, users, farthest


cdef class Orders:

    def __cinit__(self):
        self.table.used = 1
        if region_reserve(&self.table.order_region, 64 * sizeof(Order)) != 0:
            raise MemoryError
        self.table.orders = <Order*> self.table.order_region.base
        self.rehash(FIRST_INDEX_BITS)
        self.reserve_user(1)

    def __dealloc__(self):
        region_release(&self.table.order_region)
        region_release(&self.table.index_region)
        region_release(&self.table.user_region)

    cdef int reserve(self) except -1:
        """Make sure that the next `order_open` has a slot and an index entry."""
        cdef OrderTable* table = &self.table
        if table.free == 0 and (table.used + 1) * sizeof(Order) > table.order_region.bytes:
            if region_reserve(&table.order_region, (<size_t> table.used + 1) * sizeof(Order)) != 0:
                raise MemoryError
            table.orders = <Order*> table.order_region.base
        if table.count >= table.index_mask >> 1 or table.farthest >= CROWDED:
            self.rehash(65 - table.index_shift)
        return 0

    cdef int rehash(self, uint32_t bits) except -1:
        cdef OrderTable* table = &self.table
        cdef Region old = table.index_region
        cdef uint32_t* entries = table.index
        cdef uint64_t size = 0 if entries is NULL else <uint64_t> table.index_mask + 1
        cdef uint64_t at
        cdef uint32_t slot
        cdef Region new
        new.base = NULL
        new.bytes = 0
        if region_reserve(&new, (<size_t> 1 << bits) * sizeof(uint32_t)) != 0:
            raise MemoryError
        table.index_region = new
        table.index = <uint32_t*> new.base
        table.farthest = 0
        table.index_shift = 64 - bits
        table.index_mask = <uint32_t> ((<uint64_t> 1 << bits) - 1)
        for at in range(size):
            if entries[at] != 0:
                slot = entries[at] & SLOT_MASK
                index_insert(table, table.orders[slot].id, slot)
        region_release(&old)
        return 0

    cdef int reserve_user(self, uint32_t user) except -1:
        """Make room for a user's list head."""
        if region_reserve(&self.table.user_region, (<size_t> user + 1) * sizeof(UserOrders)) != 0:
            raise MemoryError
        self.table.users = <UserOrders*> self.table.user_region.base
        if user > self.table.users_capacity:
            self.table.users_capacity = user
        return 0

    def pieces(self):
        """The table as buffers: head, records, index, list heads.

        They show the live memory: to be read before the next command.
        """
        cdef OrderTable* table = &self.table
        return [
            HEAD.pack(table.count, table.used, table.free, 64 - table.index_shift,
                      table.users_capacity, table.farthest),
            memory_of(<char*> table.orders, <Py_ssize_t> table.used * sizeof(Order), PyBUF_READ),
            memory_of(<char*> table.index,
                      (<Py_ssize_t> table.index_mask + 1) * sizeof(uint32_t), PyBUF_READ),
            memory_of(<char*> table.users,
                      (<Py_ssize_t> table.users_capacity + 1) * sizeof(UserOrders), PyBUF_READ),
        ]

    def dump(self):
        """The table as bytes."""
        return b"".join(self.pieces())

    @staticmethod
    def load(bytes dumped not None):
        """What `dump` gave, as a table again; ValueError where the length is wrong."""
        cdef Orders orders = Orders()
        cdef OrderTable* table = &orders.table
        cdef const char* at = PyBytes_AS_STRING(dumped)
        count, used, free, bits, users, farthest = HEAD.unpack_from(dumped)
        cdef size_t orders_size = <size_t> used * sizeof(Order)
        cdef size_t index_size = (<size_t> 1 << <int> bits) * sizeof(uint32_t)
        cdef size_t users_size = (<size_t> users + 1) * sizeof(UserOrders)
        if (PyBytes_GET_SIZE(dumped)
                != <Py_ssize_t> (HEAD.size + orders_size + index_size + users_size)):
            raise ValueError(f"{len(dumped)} bytes are no table of {used} slots")
        orders.rehash(bits)
        orders.reserve_user(users)
        if region_reserve(&table.order_region, orders_size + sizeof(Order)) != 0:
            raise MemoryError
        table.orders = <Order*> table.order_region.base
        at += <Py_ssize_t> HEAD.size
        memcpy(table.orders, at, orders_size)
        memcpy(table.index, at + orders_size, index_size)
        memcpy(table.users, at + orders_size + index_size, users_size)
        table.count = count
        table.used = used
        table.free = free
        table.farthest = farthest
        return orders

    def __len__(self):
        return self.table.count

    def open(self, uint64_t order_id, uint32_t user, int64_t remaining):
        """Open a record with nothing but these, as the exchange does; returns its slot."""
        self.reserve_user(user)
        self.reserve()
        cdef Order* order = order_open(&self.table, order_id, user)
        order.remaining = remaining
        return order - self.table.orders

    def close(self, uint64_t order_id):
        """Close the record of an order that is in no level; KeyError where there is none."""
        cdef uint32_t slot = order_slot(&self.table, order_id)
        if slot == 0:
            raise KeyError(order_id)
        order_close(&self.table, self.table.orders + slot)

    def slot(self, uint64_t order_id):
        """The slot of an open order, 0 where there is none."""
        return order_slot(&self.table, order_id)

    def of_user(self, uint32_t user):
        """The ids of a user's open orders, newest first."""
        cdef bint known = user <= self.table.users_capacity
        cdef uint32_t slot = self.table.users[user].newest if known else 0
        ids = []
        while slot != 0:
            ids.append(self.table.orders[slot].id)
            slot = self.table.orders[slot].older
        return ids

    def memory(self):
        """Bytes in use for records, index and list heads."""
        cdef OrderTable* table = &self.table
        return (<size_t> table.used * sizeof(Order),
                (<size_t> table.index_mask + 1) * sizeof(uint32_t),
                (<size_t> table.users_capacity + 1) * sizeof(UserOrders))

    def check(self):
        """A list of what is wrong, empty when every invariant holds. O(slots + users)."""
        cdef OrderTable* table = &self.table
        cdef uint32_t slot, user, newer, length
        cdef uint32_t open_count = 0
        cdef uint32_t free_count = 0
        faults = []
        for slot in range(1, table.used):
            if table.orders[slot].id == 0:
                continue
            open_count += 1
            # the index finds each open order
            if order_slot(table, table.orders[slot].id) != slot:
                faults.append(f"order {table.orders[slot].id}: the index does not find slot {slot}")
        # ... and nothing else
        entries = sum(1 for at in range(<Py_ssize_t> table.index_mask + 1) if table.index[at] != 0)
        if not open_count == table.count == entries:
            faults.append(f"{open_count} open slots, {table.count} counted, {entries} in the index")
        slot = table.free
        while slot != 0 and free_count <= table.used:
            free_count += 1
            slot = table.orders[slot].next
        # slots are either open or free
        if open_count + free_count != table.used - 1:
            faults.append(f"{open_count} open and {free_count} free slots of {table.used - 1}")
        # each user's list holds just his open orders, newest first
        for user in range(table.users_capacity + 1):
            slot, newer, length = table.users[user].newest, 0, 0
            while slot != 0 and length <= table.used:
                if table.orders[slot].user != user or table.orders[slot].newer != newer:
                    faults.append(f"user {user}: slot {slot} does not belong into the list there")
                    break
                newer, slot, length = slot, table.orders[slot].older, length + 1
            if length != table.users[user].count:
                faults.append(f"user {user}: {length} orders in the list,"
                              f" {table.users[user].count} counted")
        return faults
