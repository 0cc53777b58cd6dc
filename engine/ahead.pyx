"""The steps of ahead.pxd."""

from libc.stdint cimport uint16_t

from engine.book cimport BookSide, level_prefetch, prefetch_line
from engine.codes cimport AMEND_ORDER, BUY, CANCEL_ORDER, PLACE_ORDER, SELL
from engine.commands cimport AmendOrder, CancelOrder, PlaceOrder
from engine.orders cimport Order, OrderTable, index_home, order_slot_guess
from engine.pair cimport Pair, own_of, paying_balance

cdef enum:
    # Nodes of the trie that are read at each step: those above are few, and so in the caches.
    FIRST_NODES = 4


cdef void ahead_start(Ahead* ahead, const Head* first, const Head* end) noexcept nogil:
    cdef int step, count
    cdef const Head* at = first
    ahead.end = end
    for step in range(STEPS - 1, -1, -1):
        for count in range(STRIDE):
            if at < end:
                at = <const Head*> (<const char*> at + at.size)
        ahead.at[step] = at


cdef void ahead_step(Ahead* ahead, Exchange exchange, uint64_t seq) noexcept nogil:
    """Look at one command per step; `seq` is that of the command applied next."""
    cdef int step
    cdef const Head* head
    for step in range(STEPS):
        head = ahead.at[step]
        if head >= ahead.end:
            continue
        if head.kind == PLACE_ORDER:
            if head.size >= sizeof(PlaceOrder):
                look_at_placement(exchange, <const PlaceOrder*> head, step,
                                  seq + (STEPS - step) * STRIDE)
        elif head.kind == CANCEL_ORDER or head.kind == AMEND_ORDER:
            if head.size >= least_size(head.kind):
                look_at_named(exchange, <const CancelOrder*> head, step)
        ahead.at[step] = <const Head*> (<const char*> head + head.size)


cdef inline size_t least_size(uint16_t kind) noexcept nogil:
    return sizeof(AmendOrder) if kind == AMEND_ORDER else sizeof(CancelOrder)


cdef inline void look_at_placement(Exchange exchange, const PlaceOrder* command, int step,
                                   uint64_t seq) noexcept nogil:
    cdef OrderTable* table = &exchange.orders.table
    cdef Pair* pair
    if (command.user == 0 or command.user > exchange.accounts.user_count
            or command.head.pair == 0 or command.head.pair > exchange.pair_count
            or not BUY <= command.side <= SELL):
        return
    pair = &exchange.pairs[command.head.pair]
    if step == 0:
        prefetch_line(table.users + command.user)
        prefetch_line(table.index + index_home(table, seq))
        prefetch_line(paying_balance(exchange.accounts.coins, pair, command.user, command.side))
        return
    if step == 2 and table.users[command.user].newest != 0:
        prefetch_line(table.orders + table.users[command.user].newest)
    level_prefetch(pair.book, own_of(pair, command.side), command.price, FIRST_NODES - 1 + step)


cdef inline void look_at_named(Exchange exchange, const CancelOrder* command,
                               int step) noexcept nogil:
    cdef OrderTable* table = &exchange.orders.table
    cdef Order* order
    cdef Pair* pair
    cdef BookSide* side
    if step == 0:
        prefetch_line(table.index + index_home(table, command.order_id))
        return
    order = table.orders + order_slot_guess(table, command.order_id)
    if step == 1:
        prefetch_line(order)
        return
    # An id of 0 is a freed record's, and that of a command which names its order otherwise.
    if order.id != command.order_id or order.id == 0:
        return
    pair = &exchange.pairs[order.pair]
    side = own_of(pair, order.side)
    if step == 2:
        prefetch_line(pair.book.levels + order.level)
        prefetch_line(table.users + order.user)
        prefetch_line(paying_balance(exchange.accounts.coins, pair, order.user, order.side))
        prefetch_line(table.orders + order.prev)
        prefetch_line(table.orders + order.next)
        prefetch_line(table.orders + order.older)
        prefetch_line(table.orders + order.newer)
    level_prefetch(pair.book, side, order.price, FIRST_NODES - 2 + step)
    if command.head.kind == AMEND_ORDER:
        level_prefetch(pair.book, side, (<const AmendOrder*> command).price,
                       FIRST_NODES - 2 + step)
