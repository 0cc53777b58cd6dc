"""All open orders of a house: one slab of 64-byte records, and the index from order id to record.

A record is named by its slot, a 32-bit number. Slot 0 means none: its record is written to where a
list ends, so that linking needs no branch (half of them would be guessed wrong), and never read.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ledger.region cimport Region

# Bits of an order's flags beyond those of the command (codes.OrderFlag).
cdef enum:
    BY_QUOTE = 4      # a buy by quote amount: `remaining` counts quote units and `qty` is 0
    WAITING_STOP = 8  # not triggered yet: the level is one of stop prices


cdef enum:
    SLOT_BITS = 26                    # 67 million open orders
    SLOT_MASK = (1 << SLOT_BITS) - 1
    ORDERS_MAX = SLOT_MASK - 1
    # An entry has 6 bits for its distance, and an insertion takes no other entry more than one
    # step farther: growing from here on keeps far away from the end.
    CROWDED = 32


cdef struct Order:
    uint64_t id
    int64_t price         # limit, in ticks; 0 for a stop_market
    int64_t qty           # lots in all
    int64_t remaining     # lots not filled yet
    uint32_t prev         # slots of the neighbours in the level's queue
    uint32_t next
    uint32_t level        # number of its price level in the book
    uint32_t user
    uint32_t older        # slots of the neighbours in the user's list of open orders
    uint32_t newer
    uint16_t pair
    uint8_t side
    uint8_t type
    uint8_t tif
    uint8_t flags
    uint16_t spare


cdef struct UserOrders:
    uint32_t newest       # slot
    uint32_t count


cdef struct OrderTable:
    Order* orders         # by slot
    uint32_t* index       # distance from the home << SLOT_BITS | slot; 0: empty
    UserOrders* users     # by user number
    uint32_t index_shift  # 64 - log2 of the index's size
    uint32_t index_mask
    uint32_t farthest     # no entry was ever farther from its home, since the last growth
    uint32_t count        # open orders
    uint32_t used         # slots ever used, slot 0 included
    uint32_t free         # first of the freed slots, linked by `next`
    uint32_t users_capacity
    Region order_region
    Region index_region
    Region user_region


cdef class Orders:
    """Owns the table. All orders of all pairs live here."""
    cdef OrderTable table

    cdef int reserve(self) except -1
    cdef int rehash(self, uint32_t bits) except -1
    cdef int reserve_user(self, uint32_t user) except -1


cdef inline uint32_t index_home(OrderTable* table, uint64_t order_id) noexcept nogil:
    # Fibonacci hashing spreads consecutive ids evenly, so runs stay short (Knuth, TAOCP 3, 6.4).
    return <uint32_t> ((order_id * 0x9E3779B97F4A7C15ULL) >> table.index_shift)


cdef inline uint32_t order_slot(OrderTable* table, uint64_t order_id) noexcept nogil:
    """The slot of an open order, 0 where there is none."""
    cdef uint32_t at = index_home(table, order_id)
    cdef uint32_t distance = 0
    cdef uint32_t entry
    while True:
        entry = table.index[at]
        if entry == 0 or entry >> SLOT_BITS < distance:
            return 0
        # Only an entry as far from its home as we are has the same home.
        if (entry >> SLOT_BITS == distance
                and table.orders[entry & SLOT_MASK].id == order_id):
            return entry & SLOT_MASK
        at = (at + 1) & table.index_mask
        distance += 1


cdef inline uint32_t order_slot_guess(OrderTable* table, uint64_t order_id) noexcept nogil:
    """The slot most likely given by the index, without a look at the record: for reading ahead."""
    cdef uint32_t at = index_home(table, order_id)
    cdef uint32_t distance = 0
    while distance < 4 and table.index[at] >> SLOT_BITS > distance:
        at = (at + 1) & table.index_mask
        distance += 1
    return table.index[at] & SLOT_MASK


cdef inline void index_insert(OrderTable* table, uint64_t order_id, uint32_t slot) noexcept nogil:
    """Enter a slot; those nearer to their homes move on to make room (Robin Hood hashing)."""
    cdef uint32_t at = index_home(table, order_id)
    cdef uint32_t entry = slot
    cdef uint32_t there
    while True:
        there = table.index[at]
        if there == 0:
            break
        if there >> SLOT_BITS < entry >> SLOT_BITS:
            table.index[at] = entry
            entry = there
        at = (at + 1) & table.index_mask
        entry += 1 << SLOT_BITS
        if entry >> SLOT_BITS > table.farthest:
            table.farthest = entry >> SLOT_BITS
    table.index[at] = entry


cdef inline void index_remove(OrderTable* table, uint32_t slot) noexcept nogil:
    """Take a slot out, and move those behind it one nearer to their homes: no tombstone."""
    cdef uint32_t at = index_home(table, table.orders[slot].id)
    cdef uint32_t behind
    while table.index[at] & SLOT_MASK != slot:
        at = (at + 1) & table.index_mask
    behind = (at + 1) & table.index_mask
    while table.index[behind] >> SLOT_BITS != 0:
        table.index[at] = table.index[behind] - (1 << SLOT_BITS)
        at = behind
        behind = (at + 1) & table.index_mask
    table.index[at] = 0


cdef inline Order* order_open(OrderTable* table, uint64_t order_id, uint32_t user) noexcept nogil:
    """A fresh record, indexed and first in its user's list (`Orders.reserve` first)."""
    cdef uint32_t slot = table.free
    cdef Order* order
    cdef UserOrders* mine = table.users + user
    if slot != 0:
        table.free = table.orders[slot].next
    else:
        slot = table.used
        table.used += 1
    order = table.orders + slot
    order.id = order_id
    order.user = user
    order.prev = 0
    order.next = 0
    order.level = 0
    order.spare = 0
    order.newer = 0
    order.older = mine.newest
    table.orders[mine.newest].newer = slot
    mine.newest = slot
    mine.count += 1
    table.count += 1
    index_insert(table, order_id, slot)
    return order


cdef inline void order_close(OrderTable* table, Order* order) noexcept nogil:
    """Forget an order that is in no level any more: index and user's list too, its slot free."""
    cdef uint32_t slot = <uint32_t> (order - table.orders)
    cdef UserOrders* mine = table.users + order.user
    index_remove(table, slot)
    table.orders[order.newer].older = order.older
    table.orders[order.older].newer = order.newer
    mine.newest = order.older if order.newer == 0 else mine.newest
    mine.count -= 1
    table.count -= 1
    order.id = 0
    order.next = table.free
    table.free = slot
