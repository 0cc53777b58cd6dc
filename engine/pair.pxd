"""A pair as the hot path sees it, and what an order is worth, holds, and may do in it."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from engine.book cimport ASKS, BIDS, STOP_BUYS, STOP_SELLS, Book, BookSide, key_of
from engine.codes cimport BUY, OPEN, PARTIALLY_FILLED, SELL, WAITING
from engine.orders cimport BY_QUOTE, WAITING_STOP, Order
from ledger.accounts cimport Balance, CoinAccounts, balance_of
from ledger.amount cimport product_of

cdef enum:
    PAIRS_MAX = 1000
    ANY_KEY = 0x7FFFFFFFFFFFFFFF    # no key is worse


cdef struct Pair:
    Book* book
    void* bars            # kline.bars.Bars, kept alive by Exchange.bars
    int64_t last_price    # ticks; 0: no trade yet
    int64_t base_unit     # units of the base coin in a lot
    int64_t quote_unit    # units of the quote coin in a lot at a price of one tick
    int64_t min_qty       # lots
    uint32_t base         # coin numbers
    uint32_t quote
    uint32_t maker_fee_ppm
    uint32_t taker_fee_ppm
    uint8_t self_trade    # codes.SelfTrade
    uint8_t status        # codes.PairStatus


cdef inline int64_t unit_of(Pair* pair, uint8_t side, int64_t price) noexcept nogil:
    """Units that one lot holds at a price; a stop_market buy by qty has none and holds nothing."""
    if side == SELL:
        return pair.base_unit
    return price * pair.quote_unit


cdef inline int64_t hold_of(Pair* pair, Order* order) noexcept nogil:
    """Units that an open order holds of what it would pay with."""
    if order.flags & BY_QUOTE:
        return order.remaining
    return order.remaining * unit_of(pair, order.side, order.price)


cdef inline int64_t value_of(Pair* pair, int64_t price, int64_t qty) noexcept nogil:
    """Quote units of a quantity at a price; negative where that exceeds 2^63 - 1."""
    cdef int64_t ticks = product_of(price, qty)
    return ticks if ticks < 0 else product_of(ticks, pair.quote_unit)


cdef inline Balance* paying_balance(CoinAccounts* coins, Pair* pair, uint32_t user,
                                    uint8_t side) noexcept nogil:
    """What an order of this side holds from."""
    return balance_of(coins, user, pair.base if side == SELL else pair.quote)


cdef inline int64_t remaining_of(Order* order) noexcept nogil:
    """Lots not filled yet; 0 for an order by quote amount."""
    return 0 if order.flags & BY_QUOTE else order.remaining


cdef inline int64_t filled_of(Order* order) noexcept nogil:
    return 0 if order.flags & BY_QUOTE else order.qty - order.remaining


cdef inline uint8_t status_of(Order* order) noexcept nogil:
    if order.flags & WAITING_STOP:
        return WAITING
    return OPEN if order.remaining == order.qty else PARTIALLY_FILLED


cdef inline bint is_due(uint8_t side, int64_t stop_price, int64_t last_price) noexcept nogil:
    if last_price == 0:
        return False
    return last_price >= stop_price if side == BUY else last_price <= stop_price


cdef inline BookSide* stops_of(Pair* pair, uint8_t side) noexcept nogil:
    return &pair.book.sides[STOP_BUYS if side == BUY else STOP_SELLS]


cdef inline BookSide* own_of(Pair* pair, uint8_t side) noexcept nogil:
    return &pair.book.sides[BIDS if side == BUY else ASKS]


cdef inline BookSide* opposite_of(Pair* pair, uint8_t side) noexcept nogil:
    return &pair.book.sides[ASKS if side == BUY else BIDS]


cdef inline uint64_t limit_key_of(Pair* pair, uint8_t side, int64_t price) noexcept nogil:
    """The worst key on the opposite side that an order with this limit (0: market) accepts."""
    return <uint64_t> ANY_KEY if price == 0 else key_of(opposite_of(pair, side), price)


cdef inline bint crosses(Pair* pair, uint8_t side, uint64_t limit_key) noexcept nogil:
    cdef BookSide* opposite = opposite_of(pair, side)
    return (opposite.best != 0
            and key_of(opposite, pair.book.levels[opposite.best].price) <= limit_key)
