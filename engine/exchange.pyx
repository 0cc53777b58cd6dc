"""Place, cancel, cancel all, amend: the checks of docs/core.md, then engine/matching."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from engine.book cimport BookSide, book_ready, level_add, level_append, level_unlink
from engine.codes cimport (
    AMOUNT_TOO_LARGE, BAD_CLIENT_ID, BAD_FLAGS, BAD_POST_ONLY, BAD_PRICE, BAD_QTY, BAD_QUOTE_AMOUNT,
    BAD_SIDE, BAD_STOP_PRICE, BAD_TIF, BAD_TYPE, BELOW_MIN_AMOUNT, BUY, BY_USER, CANCELLED,
    CANCEL_ONLY, CLIENT_ID_TAKEN, FILLED, FOK, GTC, HAS_CLIENT_ID, IOC, LIMIT, MARKET,
    NOT_ENOUGH_MONEY, NOT_FILLED, OK, OPEN, ORDER_AMENDED, ORDER_CANCELLED, ORDER_PLACED,
    PAIR_CANCEL_ONLY, PAIR_HALTED, POST_ONLY, SELF_TRADE, SELL, STOP_LIMIT, STOP_MARKET,
    TOO_MANY_OPEN_ORDERS, TRADING, UNKNOWN_ORDER, UNKNOWN_PAIR, UNKNOWN_USER, WAITING, WOULD_CROSS,
)
from engine.commands cimport CLIENT_ID_MAX, Head
from engine.events cimport Event
from engine.matching cimport Taker, answer, begin, blank_event, emit, outcome_of
from engine.orders cimport BY_QUOTE, ORDERS_MAX, WAITING_STOP, OrderTable, order_open, order_slot
from engine.pair cimport (
    crosses, filled_of, hold_of, is_due, limit_key_of, own_of, paying_balance, remaining_of,
    status_of, stops_of, unit_of, value_of,
)
from engine.records cimport RecordBuffer
from ledger.accounts cimport Balance, balance_of
from ledger.amount cimport product_of
from ledger.transfers cimport hold, release

cdef extern from * nogil:
    """
    #define prefetch_line(address) __builtin_prefetch(address, 1, 3)
    """
    void prefetch_line(const void* address)

CLIENT_ID_CHARACTERS = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:/_-")


cdef inline uint16_t check_place(const PlaceOrder* command) noexcept nogil:
    """Checks 7 to 11 of docs/core.md: those that need nothing but the command."""
    cdef bint market = command.type == MARKET or command.type == STOP_MARKET
    cdef bint stop = command.type == STOP_LIMIT or command.type == STOP_MARKET
    if (command.price != 0) if market else (command.price <= 0):
        return BAD_PRICE
    if command.qty < 0 or (command.qty == 0 and command.quote_amount == 0):
        return BAD_QTY
    if command.quote_amount != 0 and (
            command.quote_amount < 0 or command.qty != 0 or not market or command.side != BUY):
        return BAD_QUOTE_AMOUNT
    if (command.stop_price <= 0) if stop else (command.stop_price != 0):
        return BAD_STOP_PRICE
    if market and (command.tif == GTC or (command.quote_amount != 0 and command.tif != IOC)):
        return BAD_TIF
    if command.flags & POST_ONLY and (market or command.tif != GTC):
        return BAD_POST_ONLY
    return OK


cdef inline void describe(Order* order, const PlaceOrder* command) noexcept nogil:
    """A fresh record, as commanded and not filled at all."""
    order.price = command.price
    order.qty = command.qty
    order.remaining = command.qty
    order.pair = command.head.pair
    order.side = command.side
    order.type = command.type
    order.tif = command.tif
    order.flags = command.flags
    if command.quote_amount != 0:
        order.flags |= BY_QUOTE
        order.remaining = command.quote_amount


cdef inline bint has_client_id_behind(const Head* head, size_t size) noexcept nogil:
    """Whether a client id follows a record's `size` fixed bytes and ends within the record."""
    return head.size > size and head.size - size > (<const uint8_t*> head)[size]


cdef bytes client_id_behind(const Head* head, size_t size):
    """That client id."""
    cdef const char* behind = <const char*> head + size
    return (behind + 1)[:<uint8_t> behind[0]]


cdef bytes fields_of(const PlaceOrder* command):
    """What a repeated placement has in common with the first: the pair, all fields but the user."""
    cdef const char* fields = <const char*> &command.side
    return (<const char*> &command.head.pair)[:2] + fields[:sizeof(PlaceOrder) - sizeof(Head) - 4]


cdef inline int emit_placed(RecordBuffer events, uint64_t seq, const PlaceOrder* command) except -1:
    cdef Event* event = blank_event(events, ORDER_PLACED, seq)
    event.side = command.side
    event.pair = command.head.pair
    event.user = command.user
    event.order_id = seq
    event.price = command.price
    event.qty = command.qty
    event.stop_price = command.stop_price
    event.quote_amount = command.quote_amount
    event.type = command.type
    event.tif = command.tif
    event.flags = command.flags
    return 0


cdef inline int emit_unfilled(RecordBuffer events, uint64_t seq, const PlaceOrder* command,
                              int64_t qty, uint8_t reason) except -1:
    """The rest of an order that never had a record is cancelled."""
    cdef Event* event = blank_event(events, ORDER_CANCELLED, seq)
    event.side = command.side
    event.pair = command.head.pair
    event.user = command.user
    event.order_id = seq
    event.price = command.price
    event.qty = qty
    event.reason = reason
    return 0


cdef class Exchange(Matching):

    # -- placing -----------------------------------------------------------------------------------

    cdef int place(self, const PlaceOrder* command, uint64_t seq, ResultRow* result) except -1:
        cdef uint16_t code
        cdef bytes client_id = None
        cdef Pair* pair
        self.seq = seq
        if (command.flags & HAS_CLIENT_ID
                and not has_client_id_behind(&command.head, sizeof(PlaceOrder))):
            return 0
        if command.user == 0 or command.user > self.accounts.user_count:
            result.code = UNKNOWN_USER
            return 0
        if command.head.pair == 0 or command.head.pair > self.pair_count:
            result.code = UNKNOWN_PAIR
            return 0
        if command.side != BUY and command.side != SELL:
            result.code = BAD_SIDE
            return 0
        if command.type < LIMIT or command.type > STOP_MARKET:
            result.code = BAD_TYPE
            return 0
        if command.tif < GTC or command.tif > FOK:
            result.code = BAD_TIF
            return 0
        if command.flags & ~(POST_ONLY | HAS_CLIENT_ID):
            result.code = BAD_FLAGS
            return 0
        if command.flags & HAS_CLIENT_ID:
            client_id = client_id_behind(&command.head, sizeof(PlaceOrder))
            if self.known_client_id(command, client_id, result):
                return 0
        code = check_place(command)
        if code != OK:
            result.code = code
            return 0
        pair = &self.pairs[command.head.pair]
        if pair.status != TRADING:
            result.code = PAIR_CANCEL_ONLY if pair.status == CANCEL_ONLY else PAIR_HALTED
        elif command.quote_amount == 0 and command.qty < pair.min_qty:
            result.code = BELOW_MIN_AMOUNT
        elif command.qty != 0 and (
                product_of(command.qty, pair.base_unit) < 0
                or (command.price != 0
                    and value_of(pair, command.price, command.qty) < 0)):
            result.code = AMOUNT_TOO_LARGE
        elif ((self.open_orders_per_user != 0
               and self.orders.table.users[command.user].count >= self.open_orders_per_user)
              or self.orders.table.count >= ORDERS_MAX):
            result.code = TOO_MANY_OPEN_ORDERS
        else:
            return self.place_checked(command, client_id, result)
        return 0

    cdef int known_client_id(self, const PlaceOrder* command, bytes client_id,
                             ResultRow* result) except -1:
        """1 where the client id decides the answer: it is bad, or the order was placed before."""
        if (not 1 <= len(client_id) <= CLIENT_ID_MAX
                or not CLIENT_ID_CHARACTERS.issuperset(client_id)):
            result.code = BAD_CLIENT_ID
            return 1
        named = self.client_ids.find(command.user, client_id.decode("ascii"))
        if named is None:
            return 0
        if named.fields != fields_of(command):
            result.code = CLIENT_ID_TAKEN
            return 1
        cdef Order* order
        if named.status:
            answer(result, named.status, named.order_id, named.filled, named.remaining, 0)
        else:
            order = self.orders.table.orders + order_slot(&self.orders.table, named.order_id)
            answer(result, status_of(order), order.id, filled_of(order), remaining_of(order), 0)
        result.duplicate = 1
        return 1

    cdef int place_checked(self, const PlaceOrder* command, bytes client_id,
                           ResultRow* result) except -1:
        """Checks 16 and 17, then the order itself."""
        cdef Pair* pair = &self.pairs[command.head.pair]
        cdef uint64_t limit_key = limit_key_of(pair, command.side, command.price)
        cdef bint fillable = True
        cdef bint held
        cdef Taker taker
        cdef Order* order
        cdef uint8_t status
        if command.type == STOP_LIMIT or command.type == STOP_MARKET:
            return self.place_stop(pair, command, client_id, result)
        if command.flags & POST_ONLY and crosses(pair, command.side, limit_key):
            result.code = WOULD_CROSS
            return 0
        if command.type == LIMIT and command.tif != FOK:
            held = hold(paying_balance(self.accounts.coins, pair, command.user, command.side),
                        command.qty * unit_of(pair, command.side, command.price))
        else:
            held = self.hold_for(pair, command, limit_key, &fillable)
        if not held:
            result.code = NOT_ENOUGH_MONEY
            return 0
        emit_placed(self.events, self.seq, command)
        begin(&taker, self.seq, command.user, command.side, command.price, command.qty,
              command.quote_amount, limit_key)
        if fillable and crosses(pair, command.side, limit_key):
            self.match(pair, &taker)
        status = outcome_of(&taker, command.tif)
        if taker.by_quote:
            release(balance_of(self.accounts.coins, command.user, pair.quote), taker.budget)
        if status == OPEN:
            self.orders.reserve()
            order = order_open(&self.orders.table, self.seq, command.user)
            describe(order, command)
            order.remaining = taker.remaining
            self.rest(pair, order)
            status = status_of(order)
        elif status == CANCELLED:
            if command.side == SELL:
                release(balance_of(self.accounts.coins, command.user, pair.base),
                        taker.remaining * pair.base_unit)
            elif not taker.by_quote:   # a market buy has no price and holds nothing any more
                release(balance_of(self.accounts.coins, command.user, pair.quote),
                        command.price * taker.remaining * pair.quote_unit)
            emit_unfilled(self.events, self.seq, command, taker.remaining,
                          SELF_TRADE if taker.met_own else NOT_FILLED)
        answer(result, status, self.seq, taker.filled, taker.remaining, taker.trades)
        if client_id is not None:
            self.client_ids.add(command.user, client_id.decode("ascii"), self.seq,
                                fields_of(command))
            if status == FILLED or status == CANCELLED:
                self.client_ids.close(self.seq, status, taker.filled, taker.remaining)
        if taker.trades != 0:
            self.trigger_stops(pair)
        return 0

    cdef int hold_for(self, Pair* pair, const PlaceOrder* command, uint64_t limit_key,
                      bint* fillable) except -1:
        """Take what an order to be matched now must hold: 1, or 0 where that is not available.

        Judges on the way whether a FOK is fillable.
        """
        cdef Balance* balance = paying_balance(self.accounts.coins, pair, command.user,
                                               command.side)
        cdef int64_t possible, cost
        cdef bint market_buy = (command.type == MARKET and command.side == BUY
                                and command.quote_amount == 0)
        if market_buy or command.tif == FOK:
            self.walk(pair, command.user, command.side, limit_key, command.qty, &possible, &cost)
            fillable[0] = command.tif != FOK or possible == command.qty
        if command.quote_amount != 0:
            return hold(balance, command.quote_amount)
        if not market_buy:
            return hold(balance, command.qty * unit_of(pair, command.side, command.price))
        if not fillable[0]:
            return 1
        return cost >= 0 and hold(balance, cost)

    cdef int place_stop(self, Pair* pair, const PlaceOrder* command, bytes client_id,
                        ResultRow* result) except -1:
        cdef BookSide* stops = stops_of(pair, command.side)
        cdef OrderTable* table = &self.orders.table
        cdef Order wanted
        cdef Order* order
        describe(&wanted, command)
        if not hold(paying_balance(self.accounts.coins, pair, command.user, command.side),
                    hold_of(pair, &wanted)):
            result.code = NOT_ENOUGH_MONEY
            return 0
        emit_placed(self.events, self.seq, command)
        self.orders.reserve()
        book_ready(pair.book)
        order = order_open(table, self.seq, command.user)
        describe(order, command)
        order.flags |= WAITING_STOP
        level_append(pair.book, level_add(pair.book, stops, command.stop_price), table.orders,
                     <uint32_t> (order - table.orders))
        answer(result, WAITING, self.seq, 0, command.qty, 0)
        if client_id is not None:
            self.client_ids.add(command.user, client_id.decode("ascii"), self.seq,
                                fields_of(command))
        if is_due(command.side, command.stop_price, pair.last_price):
            self.trigger(pair, stops, order, result)
            self.trigger_stops(pair)
        return 0

    # -- cancelling --------------------------------------------------------------------------------

    cdef int cancel(self, const CancelOrder* command, uint64_t seq, ResultRow* result) except -1:
        cdef uint64_t order_id = command.order_id
        cdef uint32_t slot
        cdef Order* order
        self.seq = seq
        if command.user == 0 or command.user > self.accounts.user_count:
            result.code = UNKNOWN_USER
            return 0
        if order_id == 0:
            order_id = self.named_order(command)
        slot = order_slot(&self.orders.table, order_id)
        order = self.orders.table.orders + slot
        if (slot == 0 or order.user != command.user
                or (command.head.pair != 0 and order.pair != command.head.pair)):
            result.code = UNKNOWN_ORDER
            return 0
        answer(result, CANCELLED, order.id, filled_of(order), remaining_of(order), 0)
        return self.drop(&self.pairs[order.pair], order, BY_USER)

    cdef uint64_t named_order(self, const CancelOrder* command) except? 0:
        """The id of the open order with the client id behind the command, 0 where there is none."""
        if not has_client_id_behind(&command.head, sizeof(CancelOrder)):
            return 0
        client_id = client_id_behind(&command.head, sizeof(CancelOrder)).decode("latin-1")
        named = self.client_ids.find(command.user, client_id)
        return 0 if named is None or named.status else named.order_id

    cdef int cancel_all(self, const CancelAll* command, uint64_t seq, ResultRow* result) except -1:
        cdef uint32_t slot, older
        cdef uint32_t count = 0
        cdef Order* order
        self.seq = seq
        if command.user == 0 or command.user > self.accounts.user_count:
            result.code = UNKNOWN_USER
            return 0
        if command.head.pair > self.pair_count:
            result.code = UNKNOWN_PAIR
            return 0
        slot = self.orders.table.users[command.user].newest
        while slot != 0:
            order = self.orders.table.orders + slot
            older = order.older
            if command.head.pair == 0 or order.pair == command.head.pair:
                self.drop(&self.pairs[order.pair], order, BY_USER)
                count += 1
            slot = older
        answer(result, 0, 0, 0, 0, count)
        return 0

    # -- amending ----------------------------------------------------------------------------------

    cdef int amend(self, const AmendOrder* command, uint64_t seq, ResultRow* result) except -1:
        cdef uint32_t slot
        cdef Order* order
        cdef Pair* pair
        cdef int64_t price, qty
        self.seq = seq
        if command.user == 0 or command.user > self.accounts.user_count:
            result.code = UNKNOWN_USER
            return 0
        slot = order_slot(&self.orders.table, command.order_id)
        order = self.orders.table.orders + slot
        if (slot == 0 or order.user != command.user
                or (command.head.pair != 0 and order.pair != command.head.pair)):
            result.code = UNKNOWN_ORDER
            return 0
        pair = &self.pairs[order.pair]
        price = command.price if command.price != 0 else order.price
        qty = command.qty if command.qty != 0 else order.qty
        if command.price < 0 or (command.price != 0 and order.type == STOP_MARKET):
            result.code = BAD_PRICE
        elif (command.qty < 0 or (command.price == 0 and command.qty == 0)
              or (command.qty != 0 and order.flags & BY_QUOTE)):
            result.code = BAD_QTY
        elif pair.status != TRADING:
            result.code = PAIR_CANCEL_ONLY if pair.status == CANCEL_ONLY else PAIR_HALTED
        elif qty <= order.qty - order.remaining:
            result.code = BAD_QTY
        elif qty < pair.min_qty:
            result.code = BELOW_MIN_AMOUNT
        elif product_of(qty, pair.base_unit) < 0 or value_of(pair, price, qty) < 0:
            result.code = AMOUNT_TOO_LARGE
        elif price == order.price and qty <= order.qty:
            return self.amend_in_place(pair, order, qty, result)
        else:
            return self.amend_again(pair, order, price, qty, result)
        return 0

    cdef int amend_in_place(self, Pair* pair, Order* order, int64_t qty,
                            ResultRow* result) except -1:
        """Less of the same: it keeps its place."""
        cdef int64_t held = hold_of(pair, order)
        cdef int64_t less = order.qty - qty
        order.qty = qty
        order.remaining -= less
        if not order.flags & WAITING_STOP:
            pair.book.levels[order.level].qty -= less
        release(paying_balance(self.accounts.coins, pair, order.user, order.side),
                held - hold_of(pair, order))
        emit(self.events, self.seq, ORDER_AMENDED, order, qty, 0)
        answer(result, status_of(order), order.id, filled_of(order), order.remaining, 0)
        return 0

    cdef int amend_again(self, Pair* pair, Order* order, int64_t price, int64_t qty,
                         ResultRow* result) except -1:
        """More, or another price: it leaves the book and comes again."""
        cdef Balance* balance = paying_balance(self.accounts.coins, pair, order.user, order.side)
        cdef bint waiting = order.flags & WAITING_STOP != 0
        cdef uint64_t limit_key = limit_key_of(pair, order.side, price)
        cdef int64_t old_price = order.price
        cdef int64_t old_qty = order.qty
        cdef int64_t old_remaining = order.remaining
        cdef int64_t held = hold_of(pair, order)
        cdef int64_t more, stop_price
        cdef Taker taker
        cdef BookSide* side
        if not waiting and order.flags & POST_ONLY and crosses(pair, order.side, limit_key):
            result.code = WOULD_CROSS
            return 0
        order.price = price
        order.qty = qty
        order.remaining += qty - old_qty
        more = hold_of(pair, order) - held
        if balance.available < more:
            order.price, order.qty, order.remaining = old_price, old_qty, old_remaining
            result.code = NOT_ENOUGH_MONEY
            return 0
        balance.available -= more
        balance.frozen += more
        emit(self.events, self.seq, ORDER_AMENDED, order, qty, 0)
        if waiting:
            book_ready(pair.book)
            side = stops_of(pair, order.side)
            stop_price = pair.book.levels[order.level].price
            level_unlink(pair.book, side, self.orders.table.orders, order)
            level_append(pair.book, level_add(pair.book, side, stop_price),
                         self.orders.table.orders,
                         <uint32_t> (order - self.orders.table.orders))
            answer(result, WAITING, order.id, 0, qty, 0)
            return 0
        side = own_of(pair, order.side)
        pair.book.levels[order.level].qty -= old_remaining
        level_unlink(pair.book, side, self.orders.table.orders, order)
        if not crosses(pair, order.side, limit_key):
            self.rest(pair, order)
            answer(result, status_of(order), order.id, filled_of(order), order.remaining, 0)
            return 0
        begin(&taker, order.id, order.user, order.side, price, order.remaining, 0, limit_key)
        self.match(pair, &taker)
        self.finish_record(pair, order, &taker, result)
        if taker.trades != 0:
            self.trigger_stops(pair)
        return 0
