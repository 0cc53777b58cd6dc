"""A pair's past prices: bars of all intervals, the last trades, the last price."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from kline.intervals cimport INTERVAL_COUNT

cdef enum:
    # Bars with trades that each interval keeps. 24 h on a resolution of a minute touch 1,441
    # minutes, and the open price is the close of the one before them.
    BARS_KEPT = 1442
    BARS_GIVEN = 1440
    TRADES_KEPT = 1024    # a power of two


cdef struct BarRow:
    int64_t open_ts_ns       # start of the bar
    int64_t open             # ticks
    int64_t close
    int64_t high
    int64_t low
    uint64_t count           # trades, at least 1 in a bar that is kept
    uint64_t volume[2]       # lots, 128 bits, low half first
    uint64_t turnover[2]     # ticks x lots, 128 bits, low half first


cdef struct TradeRow:
    uint64_t trade_id
    int64_t ts_ns
    int64_t price            # ticks
    int64_t qty              # lots
    uint64_t side            # the taker's; as wide as the rest, so that a row has no padding


cdef struct Ring:
    BarRow* rows
    uint32_t count
    uint32_t capacity        # rows there is room for, at most BARS_KEPT
    uint32_t oldest          # index of the oldest row; 0 until the ring is full


cdef class Bars:
    cdef BarRow minute                  # the open minute, in no ring; count 0: no trade yet
    cdef int64_t minute_end_ns          # where the open minute ends; 0: no trade yet
    cdef TradeRow* tape                 # TRADES_KEPT rows, trade n (from 0) at n % TRADES_KEPT
    cdef readonly uint64_t trade_count  # trades of this pair, ever
    cdef readonly int64_t last_price    # ticks; 0: no trade yet
    cdef Ring rings[INTERVAL_COUNT]

    cdef void on_trade(self, int64_t ts_ns, int64_t price, int64_t qty, uint8_t side,
                       uint64_t trade_id) noexcept nogil
    cdef void begin_minute(self, int64_t ts_ns, int64_t price) noexcept nogil
    cdef uint32_t newest(self, int interval, BarRow* row) noexcept nogil
    cdef BarRow* minute_row(self, uint32_t number) noexcept nogil
    cdef uint32_t minutes_before(self, int64_t ts_ns) noexcept nogil
    cdef int64_t reading_ns(self, int64_t now_ns) noexcept nogil
