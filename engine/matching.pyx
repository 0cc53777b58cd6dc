"""Matching, stops, cancellation (docs/core.md); the state they work on is in matching.pxd.

Control flow lives here, the leaves do the work: engine/orders keeps records, engine/book keeps
levels, ledger/transfers moves money, kline/bars counts trades. What a resting order holds is always
`hold_of` it.
"""

from libc.stdlib cimport calloc, free

from engine.book cimport (
    STOP_BUYS, STOP_SELLS, Book, Level, OrderBook, book_ready, key_of, level_add, level_after,
    level_append, level_unlink,
)
from engine.codes cimport (
    ALLOW, BUY, CANCELLED, CANCEL_BOTH, CANCEL_MAKER, CROSSED, FEES, FILLED, FOK, HAS_CLIENT_ID,
    NOT_FILLED, NO_MONEY, OPEN, ORDER_CANCELLED, ORDER_TRIGGERED, POST_ONLY, SELF_TRADE, SELL,
    TRADE,
)
from engine.events cimport Event, next_event
from engine.orders cimport BY_QUOTE, WAITING_STOP, OrderTable, order_close
from engine.pair cimport (
    PAIRS_MAX, crosses, filled_of, hold_of, is_due, limit_key_of, opposite_of, own_of,
    paying_balance, stops_of,
    remaining_of, status_of, value_of,
)
from kline.bars cimport Bars
from ledger.accounts cimport CoinAccounts, balance_of
from ledger.amount cimport fee_of, sum_of
from ledger.transfers cimport hold, release, settle_fill

from engine.client_ids import ClientIds


cdef class Matching:

    def __cinit__(self):
        self.pairs = <Pair*> calloc(PAIRS_MAX + 1, sizeof(Pair))
        if self.pairs is NULL:
            raise MemoryError

    def __init__(self, Accounts accounts, Orders orders):
        self.accounts = accounts
        self.orders = orders
        self.books = [None]
        self.bars = [None]
        self.client_ids = ClientIds()

    def __dealloc__(self):
        free(self.pairs)

    def open_pair(self, listing, OrderBook book, Bars bars):
        """Trade the next pair (ledger.listings.Pair) with the book and the bars it starts with."""
        if listing.number != self.pair_count + 1 or listing.number > PAIRS_MAX:
            raise IndexError(f"pair {listing.number} is not the next of {self.pair_count}")
        cdef Pair* pair = &self.pairs[<uint32_t> listing.number]
        pair.base, pair.quote = listing.base, listing.quote
        pair.base_unit, pair.quote_unit = listing.base_unit, listing.quote_unit
        pair.min_qty = listing.min_qty
        pair.maker_fee_ppm, pair.taker_fee_ppm = listing.maker_fee_ppm, listing.taker_fee_ppm
        pair.self_trade = listing.self_trade
        pair.status = listing.status
        pair.last_price = bars.last_price
        pair.book = &book.book
        pair.bars = <void*> bars
        self.books.append(book)
        self.bars.append(bars)
        self.pair_count = listing.number

    def set_pair_status(self, uint32_t number, uint8_t status):
        if not 1 <= number <= self.pair_count:
            raise IndexError(f"there is no pair {number}")
        self.pairs[number].status = status

    def open_user(self, uint32_t user):
        """Make room for the next user's balances and orders."""
        self.accounts.open_user(user)
        self.orders.reserve_user(user)

    # -- matching ----------------------------------------------------------------------------------

    cdef int match(self, Pair* pair, Taker* taker) except -1:
        """Fill the taker from the opposite side as far as limit, quantity and budget allow."""
        cdef Book* book = pair.book
        cdef BookSide* opposite = opposite_of(pair, taker.side)
        cdef OrderTable* table = &self.orders.table
        cdef Level* level
        cdef Order* maker
        cdef int64_t qty
        while (opposite.best != 0
                and (taker.budget != 0 if taker.by_quote else taker.remaining != 0)):
            level = book.levels + opposite.best
            if key_of(opposite, level.price) > taker.limit_key:
                break
            maker = table.orders + level.head
            if taker.by_quote:
                # A budget that pays no lot is spent: it meets nobody, not even its own user.
                qty = min(maker.remaining, taker.budget // (level.price * pair.quote_unit))
                if qty == 0:
                    taker.spent = True
                    break
            else:
                qty = min(maker.remaining, taker.remaining)
            if maker.user == taker.user and pair.self_trade != ALLOW:
                if pair.self_trade == CANCEL_MAKER:
                    self.drop(pair, maker, SELF_TRADE)
                    continue
                if pair.self_trade == CANCEL_BOTH:
                    self.drop(pair, maker, SELF_TRADE)
                taker.met_own = True
                break
            self.fill(pair, taker, maker, qty)
        return 0

    cdef int fill(self, Pair* pair, Taker* taker, Order* maker, int64_t qty) except -1:
        """One trade: settle it, take it off both orders, tell bars and events."""
        cdef int64_t price = maker.price
        cdef int64_t base_amount = qty * pair.base_unit
        cdef int64_t quote_amount = price * qty * pair.quote_unit
        cdef CoinAccounts* coins = self.accounts.coins
        cdef uint32_t buyer, seller
        cdef int64_t buyer_fee, seller_fee
        cdef Event* event
        if taker.side == BUY:
            buyer, seller = taker.user, maker.user
            buyer_fee = fee_of(base_amount, pair.taker_fee_ppm)
            seller_fee = fee_of(quote_amount, pair.maker_fee_ppm)
        else:
            buyer, seller = maker.user, taker.user
            buyer_fee = fee_of(base_amount, pair.maker_fee_ppm)
            seller_fee = fee_of(quote_amount, pair.taker_fee_ppm)
        settle_fill(balance_of(coins, buyer, pair.base), balance_of(coins, buyer, pair.quote),
                    balance_of(coins, seller, pair.base), balance_of(coins, seller, pair.quote),
                    &coins[pair.base].house[<int> FEES], &coins[pair.quote].house[<int> FEES],
                    base_amount, quote_amount, buyer_fee, seller_fee)
        if taker.side == BUY and taker.price > price:
            release(balance_of(coins, buyer, pair.quote),
                    (taker.price - price) * qty * pair.quote_unit)
        taker.filled += qty
        taker.trades += 1
        if taker.by_quote:
            taker.budget -= quote_amount
        else:
            taker.remaining -= qty
        pair.last_price = price
        self.trade_count += 1
        (<Bars> pair.bars).on_trade(self.ts_ns, price, qty, taker.side, self.trade_count)
        event = next_event(self.events)
        event.kind = TRADE
        event.side = taker.side
        event.pair = maker.pair
        event.user = taker.user
        event.seq = self.seq
        event.order_id = taker.order_id
        event.price = price
        event.qty = qty
        event.trade_id = self.trade_count
        event.maker_order_id = maker.id
        event.maker_fee = seller_fee if taker.side == BUY else buyer_fee
        event.taker_fee = buyer_fee if taker.side == BUY else seller_fee
        event.stop_price = 0
        event.quote_amount = 0
        event.maker_user = maker.user
        event.type = 0
        event.tif = 0
        event.flags = 0
        event.reason = 0
        maker.remaining -= qty
        pair.book.levels[maker.level].qty -= qty
        if maker.remaining == 0:
            level_unlink(pair.book, opposite_of(pair, taker.side), self.orders.table.orders, maker)
            self.close(maker, FILLED, maker.qty, 0)
        return 0

    cdef int walk(self, Pair* pair, uint32_t user, uint8_t side, uint64_t limit_key, int64_t qty,
                  int64_t* fillable, int64_t* cost) except -1:
        """How much of `qty` would fill now, and at what cost, with self-trade in mind.

        The cost is in quote units, -1 where it is beyond 2^63 - 1.
        """
        cdef BookSide* opposite = opposite_of(pair, side)
        cdef OrderTable* table = &self.orders.table
        cdef bint own_matters = pair.self_trade != ALLOW and table.users[user].count != 0
        cdef uint32_t level = opposite.best
        cdef uint32_t slot
        cdef int64_t left = qty
        cdef int64_t here, total, value
        cdef bint stopped = False
        total = 0
        while (level != 0 and left != 0 and not stopped
                and key_of(opposite, pair.book.levels[level].price) <= limit_key):
            here = pair.book.levels[level].qty
            if own_matters:
                here = 0
                slot = pair.book.levels[level].head
                while slot != 0 and here < left:
                    if table.orders[slot].user != user:
                        here += table.orders[slot].remaining
                    elif pair.self_trade != CANCEL_MAKER:
                        stopped = True
                        break
                    slot = table.orders[slot].next
            here = min(here, left)
            left -= here
            value = value_of(pair, pair.book.levels[level].price, here)
            total = -1 if total < 0 or value < 0 else sum_of(total, value)
            level = level_after(pair.book, opposite, level)
        fillable[0] = qty - left
        cost[0] = total
        return 0

    cdef int rest(self, Pair* pair, Order* order) except -1:
        """Queue an order at its limit price."""
        cdef uint32_t slot = <uint32_t> (order - self.orders.table.orders)
        book_ready(pair.book)
        cdef BookSide* side = own_of(pair, order.side)
        cdef uint32_t level = level_add(pair.book, side, order.price)
        level_append(pair.book, level, self.orders.table.orders, slot)
        pair.book.levels[level].qty += order.remaining
        return 0

    # -- stops -------------------------------------------------------------------------------------

    cdef int trigger_stops(self, Pair* pair) except -1:
        """Trigger stops while one is due; each may trade, and so make the next one due."""
        cdef BookSide* buys = &pair.book.sides[STOP_BUYS]
        cdef BookSide* sells = &pair.book.sides[STOP_SELLS]
        cdef Level* levels
        cdef ResultRow unread
        while True:
            levels = pair.book.levels
            if buys.best != 0 and is_due(BUY, levels[buys.best].price, pair.last_price):
                self.trigger(pair, buys, self.orders.table.orders + levels[buys.best].head, &unread)
            elif sells.best != 0 and is_due(SELL, levels[sells.best].price, pair.last_price):
                self.trigger(pair, sells, self.orders.table.orders + levels[sells.best].head,
                             &unread)
            else:
                return 0

    cdef int trigger(self, Pair* pair, BookSide* stops, Order* order, ResultRow* result) except -1:
        """A waiting stop becomes a limit or market order now."""
        cdef uint64_t limit_key = limit_key_of(pair, order.side, order.price)
        cdef uint8_t refusal = 0
        cdef Taker taker
        level_unlink(pair.book, stops, self.orders.table.orders, order)
        order.flags &= ~WAITING_STOP
        emit(self.events, self.seq, ORDER_TRIGGERED, order, remaining_of(order), 0)
        if order.flags & POST_ONLY and crosses(pair, order.side, limit_key):
            refusal = CROSSED
        else:
            refusal = self.hold_on_trigger(pair, order, limit_key)
        if refusal != 0:
            return self.give_up(pair, order, refusal, result)
        begin(&taker, order.id, order.user, order.side, order.price, remaining_of(order),
              order.remaining if order.flags & BY_QUOTE else 0, limit_key)
        self.match(pair, &taker)
        return self.finish_record(pair, order, &taker, result)

    cdef uint8_t hold_on_trigger(self, Pair* pair, Order* order, uint64_t limit_key) except? 255:
        """Judge a triggered FOK, hold for a triggered market buy: 0, or why it is cancelled."""
        cdef bint market_buy = order.price == 0 and order.side == BUY and not order.flags & BY_QUOTE
        cdef int64_t possible, cost
        if not market_buy and order.tif != FOK:
            return 0
        self.walk(pair, order.user, order.side, limit_key, order.remaining, &possible, &cost)
        if order.tif == FOK and possible != order.remaining:
            return NOT_FILLED
        if market_buy and (cost < 0 or not hold(
                balance_of(self.accounts.coins, order.user, pair.quote), cost)):
            return NO_MONEY
        return 0

    cdef int finish_record(self, Pair* pair, Order* order, Taker* taker,
                           ResultRow* result) except -1:
        """What becomes of an order that had a record before it matched."""
        cdef uint8_t status = outcome_of(taker, order.tif)
        order.remaining = taker.budget if taker.by_quote else taker.remaining
        if status == CANCELLED:
            return self.give_up(pair, order, SELF_TRADE if taker.met_own else NOT_FILLED, result,
                                taker)
        if status == OPEN:
            self.rest(pair, order)
            answer(result, status_of(order), order.id, filled_of(order), order.remaining,
                   taker.trades)
            return 0
        release(paying_balance(self.accounts.coins, pair, order.user, order.side), taker.budget)
        answer(result, FILLED, order.id, taker.filled if taker.by_quote else order.qty, 0,
               taker.trades)
        return self.close(order, FILLED, result.filled, 0)

    # -- leaving -----------------------------------------------------------------------------------

    cdef int drop(self, Pair* pair, Order* order, uint8_t reason) except -1:
        """Cancel an order that rests or waits: out of the book, its hold returned."""
        cdef BookSide* side = own_of(pair, order.side)
        cdef ResultRow unread
        if order.flags & WAITING_STOP:
            side = stops_of(pair, order.side)
        else:
            pair.book.levels[order.level].qty -= order.remaining
        level_unlink(pair.book, side, self.orders.table.orders, order)
        return self.give_up(pair, order, reason, &unread)

    cdef int give_up(self, Pair* pair, Order* order, uint8_t reason, ResultRow* result,
                     Taker* taker=NULL) except -1:
        """Cancel an order that is in no level: its hold returned, its record closed.

        `taker` tells how it has matched before.
        """
        cdef int64_t filled = filled_of(order)
        if order.flags & BY_QUOTE and taker is not NULL:
            filled = taker.filled
        release(paying_balance(self.accounts.coins, pair, order.user, order.side),
                hold_of(pair, order))
        emit(self.events, self.seq, ORDER_CANCELLED, order, remaining_of(order), reason)
        answer(result, CANCELLED, order.id, filled, remaining_of(order),
               0 if taker is NULL else taker.trades)
        return self.close(order, CANCELLED, filled, remaining_of(order))

    cdef int close(self, Order* order, uint8_t status, int64_t filled, int64_t remaining) except -1:
        """Forget an order that is in no level and holds nothing."""
        if order.flags & HAS_CLIENT_ID:
            self.client_ids.close(order.id, status, filled, remaining)
        order_close(&self.orders.table, order)
        return 0
