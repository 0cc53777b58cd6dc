"""The order book of book.pxd: its trie, its growth, its bytes, its invariants.

Invariants (`check`): every level is reached by its key and holds at least one order; its qty is the
sum of theirs; its queue is linked both ways; each node has at least two children that agree above
its bits; `best` has the smallest key; bids and asks do not cross.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from ledger.region cimport region_release, region_reserve

import struct

cdef extern from "Python.h":
    object memory_of "PyMemoryView_FromMemory"(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_READ

cdef extern from * nogil:
    """
    #include <stdint.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    /* One bit for each child that is there. */
    static inline uint32_t children_of(const uint32_t *child) {
        const __m128i zero = _mm_setzero_si128();
        const __m128i *line = (const __m128i *) child;
        __m128i a = _mm_cmpeq_epi32(_mm_loadu_si128(line), zero);
        __m128i b = _mm_cmpeq_epi32(_mm_loadu_si128(line + 1), zero);
        __m128i c = _mm_cmpeq_epi32(_mm_loadu_si128(line + 2), zero);
        __m128i d = _mm_cmpeq_epi32(_mm_loadu_si128(line + 3), zero);
        __m128i bytes = _mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
        return (uint32_t) _mm_movemask_epi8(bytes) ^ 0xFFFFu;
    }
    #else
    static inline uint32_t children_of(const uint32_t *child) {
        uint32_t mask = 0;
        for (int i = 0; i < 16; i++) mask |= (uint32_t) (child[i] != 0) << i;
        return mask;
    }
    #endif
    """
    uint32_t children_of(const uint32_t* child)
    int lowest_bit "__builtin_ctz"(uint32_t mask)
    int leading_zeros "__builtin_clzll"(uint64_t bits)

# A reference is 0 (nothing), LEAF | level number, or (index of the nibble it branches on) << 27 |
# node number.
cdef enum:
    NIBBLE_BITS = 27
    NODE_MASK = (1 << 27) - 1
    LEVEL_MASK = 0x7FFFFFFF

if sizeof(TrieNode) != 64 or sizeof(Level) != 24:
    raise ImportError(f"a trie node has {sizeof(TrieNode)} bytes, not 64;"
                      f" a level {sizeof(Level)}, not 24")

# Mirrors, roots, bests of the four sides; then levels used, free, nodes used, free.
HEAD = struct.Struct("<4Q4I4I4I")


cdef inline bint is_level(uint32_t ref) noexcept nogil:
    return <int32_t> ref < 0


cdef inline uint32_t level_ref(uint32_t level) noexcept nogil:
    return level | (<uint32_t> 1 << 31)


cdef inline uint32_t nibble_of(uint32_t ref) noexcept nogil:
    return ref >> NIBBLE_BITS


cdef inline uint32_t* child_at(Book* book, uint32_t ref, uint64_t key) noexcept nogil:
    """Where the node that `ref` names keeps the reference to the key's side."""
    return &book.nodes[ref & NODE_MASK].child[(key >> (4 * nibble_of(ref))) & 15]


cdef inline uint32_t lowest_level(Book* book, uint32_t ref) noexcept nogil:
    """The level with the smallest key below a reference."""
    cdef uint32_t* child
    while not is_level(ref):
        child = book.nodes[ref & NODE_MASK].child
        ref = child[lowest_bit(children_of(child))]
    return ref & LEVEL_MASK


cdef inline uint32_t new_level(Book* book, int64_t price) noexcept nogil:
    cdef uint32_t number = book.level_free
    if number != 0:
        book.level_free = book.levels[number].head
    else:
        number = book.level_used
        book.level_used += 1
    cdef Level* level = book.levels + number
    level.price = price
    level.qty = 0
    level.head = 0
    level.tail = 0
    return number


cdef inline uint32_t new_node(Book* book) noexcept nogil:
    cdef uint32_t number = book.node_free
    if number != 0:
        book.node_free = book.nodes[number].child[0]
    else:
        number = book.node_used
        book.node_used += 1
    memset(book.nodes + number, 0, sizeof(TrieNode))
    return number


cdef uint32_t level_find(Book* book, BookSide* side, int64_t price) noexcept nogil:
    """The number of the level at a price, 0 where there is none."""
    cdef uint64_t key = key_of(side, price)
    cdef uint32_t ref = side.root
    if ref == 0:
        return 0
    while not is_level(ref):
        ref = child_at(book, ref, key)[0]
        if ref == 0:
            return 0
    ref &= LEVEL_MASK
    return ref if book.levels[ref].price == price else 0


cdef uint32_t level_add(Book* book, BookSide* side, int64_t price) noexcept nogil:
    """The level at a price, a new and empty one where there was none (`book_reserve` first)."""
    cdef uint64_t key = key_of(side, price)
    cdef uint64_t other, difference
    cdef uint32_t* path[16]
    cdef uint32_t* at = &side.root
    cdef uint32_t ref = at[0]
    cdef uint32_t depth = 0
    cdef uint32_t number, nibble, node
    cdef bint better
    while ref != 0 and not is_level(ref):
        path[depth] = at
        depth += 1
        at = child_at(book, ref, key)
        ref = at[0]
    if ref != 0:
        if book.levels[ref & LEVEL_MASK].price == price:
            return ref & LEVEL_MASK
        other = key_of(side, book.levels[ref & LEVEL_MASK].price)
    elif depth != 0:
        other = book.prefixes[path[depth - 1][0] & NODE_MASK]
    else:
        other = key
    number = new_level(book, price)
    # Without a branch, which would be guessed wrong half of the time. (Level 0 may be read.)
    better = (side.best == 0) | (key < key_of(side, book.levels[side.best].price))
    side.best = number if better else side.best
    difference = key ^ other
    nibble = 0 if difference == 0 else <uint32_t> (63 - leading_zeros(difference)) >> 2
    if ref == 0 and (depth == 0 or nibble <= nibble_of(path[depth - 1][0])):
        at[0] = level_ref(number)
        return number
    # A node goes in where the key leaves the path, above everything that agrees below.
    while depth > 0 and nibble_of(path[depth - 1][0]) < nibble:
        depth -= 1
        at = path[depth]
    node = new_node(book)
    book.prefixes[node] = key
    book.nodes[node].child[(other >> (4 * nibble)) & 15] = at[0]
    book.nodes[node].child[(key >> (4 * nibble)) & 15] = level_ref(number)
    at[0] = (nibble << NIBBLE_BITS) | node
    return number


cdef void level_remove(Book* book, BookSide* side, uint32_t level) noexcept nogil:
    """Take an empty level out; its number is free again."""
    cdef uint64_t key = key_of(side, book.levels[level].price)
    cdef uint32_t* at = &side.root
    cdef uint32_t* parent = NULL
    cdef uint32_t node, mask
    while not is_level(at[0]):
        parent = at
        at = child_at(book, at[0], key)
    at[0] = 0
    book.levels[level].head = book.level_free
    book.level_free = level
    if parent is NULL:
        side.best = 0
        return
    node = parent[0] & NODE_MASK
    mask = children_of(book.nodes[node].child)
    if mask & (mask - 1) == 0:
        parent[0] = book.nodes[node].child[lowest_bit(mask)]
        book.nodes[node].child[0] = book.node_free
        book.node_free = node
    if side.best == level:
        # What shared the last node with the smallest key is nearest to it.
        side.best = lowest_level(book, parent[0])


cdef uint32_t level_after(Book* book, BookSide* side, uint32_t level) noexcept nogil:
    """The number of the next worse level, 0 after the last."""
    cdef uint64_t key = key_of(side, book.levels[level].price)
    cdef uint32_t ref = side.root
    cdef uint32_t after = 0
    cdef uint32_t slot, mask
    cdef uint32_t* child
    while not is_level(ref):
        child = book.nodes[ref & NODE_MASK].child
        slot = <uint32_t> (key >> (4 * nibble_of(ref))) & 15
        mask = children_of(child) & ~((<uint32_t> 2 << slot) - 1)
        if mask != 0:
            after = child[lowest_bit(mask)]
        ref = child[slot]
    return lowest_level(book, after) if after != 0 else 0


cdef void level_prefetch(Book* book, BookSide* side, int64_t price, uint32_t nodes) noexcept nogil:
    """Follow a price's path through so many nodes, and ask for the line that comes next."""
    cdef uint64_t key = key_of(side, price)
    cdef uint32_t ref = side.root
    while nodes != 0 and ref != 0 and not is_level(ref):
        ref = child_at(book, ref, key)[0]
        nodes -= 1
    if ref == 0:
        return
    if is_level(ref):
        prefetch_line(book.levels + (ref & LEVEL_MASK))
    else:
        prefetch_line(book.nodes + (ref & NODE_MASK))
        prefetch_line(book.prefixes + (ref & NODE_MASK))


cdef int book_reserve(Book* book) except -1:
    """Make sure that the next `level_add` has a level and a node."""
    if (book.level_free == 0
            and (<size_t> book.level_used + 1) * sizeof(Level) > book.level_region.bytes):
        if region_reserve(&book.level_region, (<size_t> book.level_used + 1) * sizeof(Level)) != 0:
            raise MemoryError
        book.levels = <Level*> book.level_region.base
    if (book.node_free == 0
            and (<size_t> book.node_used + 1) * sizeof(TrieNode) > book.node_region.bytes):
        if book.node_used == NODE_MASK:
            raise MemoryError("a book has at most 2^27 trie nodes")
        if region_reserve(&book.node_region, (<size_t> book.node_used + 1) * sizeof(TrieNode)) != 0:
            raise MemoryError
        book.nodes = <TrieNode*> book.node_region.base
        if region_reserve(&book.prefix_region, book.node_region.bytes >> 3) != 0:
            raise MemoryError
        book.prefixes = <uint64_t*> book.prefix_region.base
    return 0


cdef class OrderBook:

    def __cinit__(self):
        self.book.level_used = 1
        self.book.node_used = 1
        for side in (BIDS, STOP_SELLS):
            self.book.sides[side].mirror = 0x7FFFFFFFFFFFFFFF
        book_reserve(&self.book)

    def __dealloc__(self):
        region_release(&self.book.level_region)
        region_release(&self.book.node_region)
        region_release(&self.book.prefix_region)

    def depth(self, uint32_t side, Py_ssize_t levels):
        """The best `levels` levels of a side (0 bids, 1 asks) as (price, qty), best first."""
        cdef BookSide* its = &self.book.sides[side]
        cdef uint32_t level = its.best
        rows = []
        while level != 0 and levels > 0:
            rows.append((self.book.levels[level].price, self.book.levels[level].qty))
            level = level_after(&self.book, its, level)
            levels -= 1
        return rows

    def add(self, uint32_t side, int64_t price, Orders orders not None, uint32_t slot):
        """Queue an open order (by slot) at a price, its remaining lots counted."""
        book_reserve(&self.book)
        cdef uint32_t level = level_add(&self.book, &self.book.sides[side], price)
        level_append(&self.book, level, orders.table.orders, slot)
        self.book.levels[level].qty += orders.table.orders[slot].remaining

    def remove(self, uint32_t side, Orders orders not None, uint32_t slot):
        """Take an order out of its level."""
        cdef Order* order = orders.table.orders + slot
        self.book.levels[order.level].qty -= order.remaining
        level_unlink(&self.book, &self.book.sides[side], orders.table.orders, order)

    def memory(self):
        """Bytes in use for levels and for trie nodes."""
        return (<size_t> self.book.level_used * sizeof(Level),
                <size_t> self.book.node_used * (sizeof(TrieNode) + sizeof(uint64_t)))

    def pieces(self):
        """The book as buffers: head, levels, nodes, prefixes.

        They show the live memory: to be read before the next command.
        """
        cdef Book* book = &self.book
        sides = [book.sides[side] for side in range(SIDES)]
        return [
            HEAD.pack(*(side["mirror"] for side in sides), *(side["root"] for side in sides),
                      *(side["best"] for side in sides),
                      book.level_used, book.level_free, book.node_used, book.node_free),
            memory_of(<char*> book.levels, <Py_ssize_t> book.level_used * sizeof(Level),
                      PyBUF_READ),
            memory_of(<char*> book.nodes, <Py_ssize_t> book.node_used * sizeof(TrieNode),
                      PyBUF_READ),
            memory_of(<char*> book.prefixes, <Py_ssize_t> book.node_used * sizeof(uint64_t),
                      PyBUF_READ),
        ]

    def dump(self):
        """The book as bytes."""
        return b"".join(self.pieces())

    @staticmethod
    def load(bytes dumped not None):
        """What `dump` gave, as a book again; ValueError where the length is wrong."""
        cdef OrderBook self = OrderBook()
        cdef Book* book = &self.book
        cdef BookSide* its
        cdef const char* at = PyBytes_AS_STRING(dumped)
        head = HEAD.unpack_from(dumped)
        cdef size_t levels = head[12] * sizeof(Level)
        cdef size_t nodes = head[14] * sizeof(TrieNode)
        cdef size_t prefixes = head[14] * sizeof(uint64_t)
        if PyBytes_GET_SIZE(dumped) != <Py_ssize_t> (HEAD.size + levels + nodes + prefixes):
            raise ValueError(f"{len(dumped)} bytes are no book of {head[12]} levels")
        for side in range(SIDES):
            its = &book.sides[side]
            its.mirror, its.root, its.best = head[side::4][:3]
        if (region_reserve(&book.level_region, levels) != 0
                or region_reserve(&book.node_region, nodes) != 0
                or region_reserve(&book.prefix_region, book.node_region.bytes >> 3) != 0):
            raise MemoryError
        book.levels = <Level*> book.level_region.base
        book.nodes = <TrieNode*> book.node_region.base
        book.prefixes = <uint64_t*> book.prefix_region.base
        book.level_used, book.level_free, book.node_used, book.node_free = head[12:]
        at += <Py_ssize_t> HEAD.size
        memcpy(book.levels, at, levels)
        memcpy(book.nodes, at + levels, nodes)
        memcpy(book.prefixes, at + levels + nodes, prefixes)
        return self

    def check(self, Orders orders not None):
        """A list of what is wrong, empty when every invariant holds. O(orders)."""
        faults = []
        best = [self.check_side(side, orders, faults) for side in range(SIDES)]
        # bids and asks do not cross
        if best[BIDS] and best[ASKS] and best[BIDS] >= best[ASKS]:
            faults.append(f"crossed at rest: bid {best[BIDS]}, ask {best[ASKS]}")
        reached = sum(self.count_below(self.book.sides[side].root) for side in range(SIDES))
        free = 0
        cdef uint32_t level = self.book.level_free
        while level != 0 and free <= self.book.level_used:
            free, level = free + 1, self.book.levels[level].head
        # every level in use is reached from a root
        if reached + free != self.book.level_used - 1:
            faults.append(f"{reached} levels reached and {free} free of {self.book.level_used - 1}")
        return faults

    cdef object count_below(self, uint32_t ref):
        if ref == 0:
            return 0
        if is_level(ref):
            return 1
        children = [self.book.nodes[ref & NODE_MASK].child[slot] for slot in range(16)]
        return sum(self.count_below(child) for child in children if child != 0)

    cdef object check_side(self, uint32_t side, Orders orders, list faults):
        """Walk a side from its best level; its best price, 0 where it is empty."""
        cdef Book* book = &self.book
        cdef BookSide* its = &book.sides[side]
        cdef uint32_t level = 0 if its.root == 0 else lowest_level(book, its.root)
        cdef uint32_t slot, before
        cdef int64_t qty
        # best has the smallest key
        if level != its.best:
            faults.append(f"side {side}: best is level {its.best},"
                          f" the smallest key has level {level}")
        while level != 0:
            if level_find(book, its, book.levels[level].price) != level:
                faults.append(f"side {side}: price {book.levels[level].price}"
                              f" does not find level {level}")
                break
            slot, before, qty = book.levels[level].head, 0, 0
            # every level holds at least one order
            if slot == 0:
                faults.append(f"side {side}: level {level} is empty")
            while slot != 0:
                if (orders.table.orders[slot].prev != before
                        or orders.table.orders[slot].level != level):
                    faults.append(f"side {side}: slot {slot} does not belong into level {level}")
                    break
                if side in (BIDS, ASKS):
                    qty += orders.table.orders[slot].remaining
                before, slot = slot, orders.table.orders[slot].next
            # its qty is the sum of theirs, its queue is linked both ways
            if slot == 0 and (qty != book.levels[level].qty or before != book.levels[level].tail):
                faults.append(f"side {side}, price {book.levels[level].price}:"
                              f" qty {book.levels[level].qty}, orders {qty},"
                              f" tail {book.levels[level].tail}, last {before}")
            level = level_after(book, its, level)
        return book.levels[its.best].price if its.best else 0
