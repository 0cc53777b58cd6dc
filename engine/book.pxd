"""One pair's order book: price levels in a 16-way Patricia trie of cache-line nodes.

Four sides share one book: resting bids and asks, and the waiting stops of both directions by stop
price. A side orders its levels by key: the price itself where the lowest is best, its mirror image
(2^63 - 1 - price) where the highest is. So every side's best level has its smallest key, and one
piece of code serves all four.

The trie branches on 4 bits of the key at a time and skips bits in which all keys below a node agree
(Morrison 1968). No node has a single child, so n levels need fewer than n nodes whatever the prices
are: a narrow book stays in the first-level cache, a book spread over 10^9 ticks is about as deep as
log16 of its levels.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from engine.orders cimport Order, OrderTable, Orders
from ledger.region cimport Region

cdef enum:
    BIDS = 0
    ASKS = 1
    STOP_BUYS = 2
    STOP_SELLS = 3
    SIDES = 4


cdef struct Level:
    int64_t price     # ticks
    int64_t qty       # lots resting here; 0 on the stop sides
    uint32_t head     # slot of the oldest order; of a freed level: the next freed level
    uint32_t tail     # slot of the newest order


cdef struct BookSide:
    uint64_t mirror   # price ^ mirror = key
    uint32_t root     # reference to a node or level, 0: the side is empty
    uint32_t best     # number of the best level, 0: none


cdef struct TrieNode:
    uint32_t child[16]


cdef struct Book:
    BookSide sides[SIDES]
    Level* levels           # by number; 0 is never used
    TrieNode* nodes         # by number; 0 is never used
    uint64_t* prefixes      # by node: a key that agrees with all below it in the bits above its own
    uint32_t level_used
    uint32_t level_free
    uint32_t node_used
    uint32_t node_free
    Region level_region
    Region node_region
    Region prefix_region


cdef uint32_t level_find(Book* book, BookSide* side, int64_t price) noexcept nogil
cdef uint32_t level_add(Book* book, BookSide* side, int64_t price) noexcept nogil
cdef void level_remove(Book* book, BookSide* side, uint32_t level) noexcept nogil
cdef uint32_t level_after(Book* book, BookSide* side, uint32_t level) noexcept nogil
cdef void level_prefetch(Book* book, BookSide* side, int64_t price, uint32_t nodes) noexcept nogil
cdef int book_reserve(Book* book) except -1

cdef extern from * nogil:
    """
    #define prefetch_line(address) __builtin_prefetch(address, 1, 3)
    """
    void prefetch_line(const void* address)


cdef inline int book_ready(Book* book) except -1:
    """`book_reserve`, where there may be need for it."""
    if book.level_free != 0 and book.node_free != 0:
        return 0
    return book_reserve(book)


cdef inline uint64_t key_of(BookSide* side, int64_t price) noexcept nogil:
    return <uint64_t> price ^ side.mirror


cdef inline void level_append(Book* book, uint32_t number, Order* orders,
                              uint32_t slot) noexcept nogil:
    """Put an order behind all others of its level. `qty` is the caller's to add."""
    cdef Level* level = book.levels + number
    cdef Order* order = orders + slot
    order.level = number
    order.next = 0
    order.prev = level.tail
    orders[level.tail].next = slot
    level.head = slot if level.tail == 0 else level.head
    level.tail = slot


cdef inline void level_unlink(Book* book, BookSide* side, Order* orders,
                              Order* order) noexcept nogil:
    """Take an order out of its level, and the level out of the book if it was the last.

    The level's `qty` is the caller's to take off.
    """
    cdef Level* level = book.levels + order.level
    orders[order.prev].next = order.next
    orders[order.next].prev = order.prev
    level.head = order.next if order.prev == 0 else level.head
    level.tail = order.prev if order.next == 0 else level.tail
    if level.head == 0:
        level_remove(book, side, order.level)


cdef class OrderBook:
    """Owns a book. The exchange works on `book`; Python sees depth, bytes and invariants."""
    cdef Book book

    cdef object count_below(self, uint32_t ref)
    cdef object check_side(self, uint32_t side, Orders orders, list faults)
