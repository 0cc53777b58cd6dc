"""The trading state of a house; how orders in the book fill, trigger and are cancelled.

`Matching` drives the leaves: holds and fills go to the ledger, trades to the bars, what happened to
the events. Its methods take what has been checked; engine/exchange does the checking.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from engine.book cimport BookSide
from engine.codes cimport CANCELLED, FILLED, GTC, OK, OPEN
from engine.commands cimport ResultRow
from engine.events cimport Event, next_event
from engine.orders cimport Order, Orders
from engine.pair cimport Pair
from engine.records cimport RecordBuffer
from ledger.accounts cimport Accounts


cdef extern from * nogil:
    """
    /* Six wide stores; gcc makes a slow `rep stos` of a memset of this size. */
    static inline void blank_96(void *record) {
        typedef long long wide __attribute__((vector_size(16), aligned(1)));
        const wide zero = {0, 0};
        wide *part = (wide *) record;
        part[0] = zero; part[1] = zero; part[2] = zero;
        part[3] = zero; part[4] = zero; part[5] = zero;
    }
    """
    void blank "blank_96"(Event* event)


cdef struct Taker:
    # An order while it matches. It has a record only if it had one before, or rests after.
    uint64_t order_id
    uint64_t limit_key    # worst key of the opposite side that it accepts
    int64_t price         # ticks; 0: market
    int64_t remaining     # lots
    int64_t filled        # lots, in this command
    int64_t budget        # quote units left, of a buy by quote amount
    uint32_t user
    uint32_t trades
    uint8_t side
    bint by_quote
    bint spent            # a budget that does not pay the next lot
    bint met_own          # stopped at an order of its own user


cdef class Matching:
    cdef readonly Accounts accounts
    cdef readonly Orders orders
    cdef readonly list books          # OrderBook by pair number, None at 0
    cdef readonly list bars           # Bars by pair number, None at 0
    cdef readonly object client_ids   # engine.client_ids.ClientIds
    cdef RecordBuffer events          # of the batch that is being applied
    cdef Pair* pairs                  # by pair number
    cdef readonly uint32_t pair_count
    cdef public uint64_t trade_count
    cdef uint64_t seq                 # of the command that is being applied
    cdef int64_t ts_ns

    cdef int walk(self, Pair* pair, uint32_t user, uint8_t side, uint64_t limit_key, int64_t qty,
                  int64_t* fillable, int64_t* cost) except -1
    cdef int rest(self, Pair* pair, Order* order) except -1
    cdef int match(self, Pair* pair, Taker* taker) except -1
    cdef int fill(self, Pair* pair, Taker* taker, Order* maker, int64_t qty) except -1
    cdef int trigger_stops(self, Pair* pair) except -1
    cdef int trigger(self, Pair* pair, BookSide* stops, Order* order, ResultRow* result) except -1
    cdef uint8_t hold_on_trigger(self, Pair* pair, Order* order, uint64_t limit_key) except? 255
    cdef int finish_record(self, Pair* pair, Order* order, Taker* taker,
                           ResultRow* result) except -1
    cdef int drop(self, Pair* pair, Order* order, uint8_t reason) except -1
    cdef int give_up(self, Pair* pair, Order* order, uint8_t reason, ResultRow* result,
                     Taker* taker=*) except -1
    cdef int close(self, Order* order, uint8_t status, int64_t filled, int64_t remaining) except -1


cdef inline void answer(ResultRow* result, uint8_t status, uint64_t order_id, int64_t filled,
                        int64_t remaining, uint32_t count) noexcept nogil:
    result.code = OK
    result.status = status
    result.duplicate = 0
    result.count = count
    result.order_id = order_id
    result.filled = filled
    result.remaining = remaining


cdef inline void begin(Taker* taker, uint64_t order_id, uint32_t user, uint8_t side,
                       int64_t price, int64_t remaining, int64_t budget,
                       uint64_t limit_key) noexcept nogil:
    taker.order_id = order_id
    taker.limit_key = limit_key
    taker.price = price
    taker.remaining = remaining
    taker.filled = 0
    taker.budget = budget
    taker.user = user
    taker.trades = 0
    taker.side = side
    taker.by_quote = budget != 0
    taker.spent = False
    taker.met_own = False


cdef inline uint8_t outcome_of(Taker* taker, uint8_t tif) noexcept nogil:
    """The status after matching: OPEN or PARTIALLY_FILLED where what remains is to rest."""
    if taker.by_quote:
        return FILLED if taker.filled != 0 and (taker.spent or taker.budget == 0) else CANCELLED
    if taker.remaining == 0:
        return FILLED
    if taker.met_own or tif != GTC:
        return CANCELLED
    return OPEN


cdef inline Event* blank_event(RecordBuffer events, uint8_t kind, uint64_t seq) except NULL:
    """One more event, all zero but its kind and its command."""
    cdef Event* event = next_event(events)
    blank(event)
    event.kind = kind
    event.seq = seq
    return event


cdef inline int emit(RecordBuffer events, uint64_t seq, uint8_t kind, Order* order, int64_t qty,
                     uint8_t reason) except -1:
    """An event about one order that has a record."""
    cdef Event* event = blank_event(events, kind, seq)
    event.side = order.side
    event.pair = order.pair
    event.user = order.user
    event.order_id = order.id
    event.price = order.price
    event.qty = qty
    event.reason = reason
    return 0
