"""Turns a pair's trades into bars, a 24-hour ticker and a tape of the last trades.

A trade touches the open minute and the tape only. The open minute is folded into the rings of all
intervals when the first trade of a later minute comes, and on the fly, into a copy, on reading.

Invariants (`check`): a bar's prices are within its low and high, it has trades, and it starts where
its interval does; a ring's bars are in order of time, none later than the open minute; all rings
that never dropped a bar count the same trades, volume and turnover, and close at the same price;
the tape is in order, and its newest trade made the last price.

Trades come in order of time and of trade id, with prices and quantities above 0 and price x qty at
most 2^63 - 1; a pair's sums then stay within 128 bits.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdio cimport fputs, stderr
from libc.stdlib cimport abort, calloc, free, realloc
from libc.string cimport memcpy

from kline.intervals cimport DAY_1, MIN_1, MINUTE_NS, start_of

import struct

from kline.intervals import INTERVALS
from kline.views import Bar, Ticker, Trade

cdef extern from * nogil:
    """
    /* sum += addend in 128 bits; both {low, high}. */
    static inline void sum_add(uint64_t *sum, const uint64_t *addend) {
        unsigned __int128 total = ((unsigned __int128) sum[1] << 64 | sum[0])
            + ((unsigned __int128) addend[1] << 64 | addend[0]);
        sum[0] = (uint64_t) total;
        sum[1] = (uint64_t) (total >> 64);
    }

    /* sum += a * b in 128 bits. a, b >= 0. */
    static inline void sum_add_product(uint64_t *sum, int64_t a, int64_t b) {
        unsigned __int128 product = (unsigned __int128) (uint64_t) a * (uint64_t) b;
        uint64_t addend[2] = {(uint64_t) product, (uint64_t) (product >> 64)};
        sum_add(sum, addend);
    }
    """
    void sum_add(uint64_t* sum, const uint64_t* addend)
    void sum_add_product(uint64_t* sum, int64_t a, int64_t b)

cdef enum:
    FIRST_CAPACITY = 16
    DAY_MINUTES = 1440
    POINT_MINUTES = 30
    POINTS = 48    # DAY_MINUTES / POINT_MINUTES

if sizeof(BarRow) != 80 or sizeof(TradeRow) != 40:
    raise ImportError(f"a bar has {sizeof(BarRow)} bytes, not 80;"
                      f" a trade {sizeof(TradeRow)}, not 40")
if len(INTERVALS) != INTERVAL_COUNT:
    raise ImportError(f"{len(INTERVALS)} intervals are named, {INTERVAL_COUNT} are numbered")

NUMBERS = {name: number for number, name in enumerate(INTERVALS)}
HEAD = struct.Struct(f"<Q{INTERVAL_COUNT}II")   # trades ever, bars in each ring, 0


cdef class Bars:
    """The bars, ticker and last trades of one pair.

    Prices are in ticks, quantities in lots, times in nanoseconds UTC. A reader's `now_ns` that lies
    before the minute of the last trade counts as that minute.
    """

    def __dealloc__(self):
        cdef int interval
        free(self.tape)
        for interval in range(INTERVAL_COUNT):
            free(self.rings[interval].rows)

    # -- trades ------------------------------------------------------------------------------------

    cdef void on_trade(self, int64_t ts_ns, int64_t price, int64_t qty, uint8_t side,
                       uint64_t trade_id) noexcept nogil:
        cdef BarRow* minute = &self.minute
        cdef TradeRow* row
        if ts_ns >= self.minute_end_ns:
            self.begin_minute(ts_ns, price)
        minute.close = price
        if price > minute.high:
            minute.high = price
        if price < minute.low:
            minute.low = price
        minute.count += 1
        sum_add_product(minute.volume, qty, 1)
        sum_add_product(minute.turnover, price, qty)
        row = self.tape + (self.trade_count & (TRADES_KEPT - 1))
        row.trade_id = trade_id
        row.ts_ns = ts_ns
        row.price = price
        row.qty = qty
        row.side = side
        self.trade_count += 1
        self.last_price = price

    cdef void begin_minute(self, int64_t ts_ns, int64_t price) noexcept nogil:
        """Fold the open minute into all rings, and open the one that holds `ts_ns`."""
        cdef int interval
        if self.tape is NULL:
            self.tape = <TradeRow*> calloc(TRADES_KEPT, sizeof(TradeRow))
            if self.tape is NULL:
                stop_without_memory()
        if self.minute.count != 0:
            for interval in range(INTERVAL_COUNT):
                ring_fold(&self.rings[interval], interval, &self.minute)
        self.minute.open_ts_ns = start_of(MIN_1, ts_ns)
        self.minute.open = self.minute.close = self.minute.high = self.minute.low = price
        self.minute.count = 0
        self.minute.volume[0] = self.minute.volume[1] = 0
        self.minute.turnover[0] = self.minute.turnover[1] = 0
        self.minute_end_ns = self.minute.open_ts_ns + MINUTE_NS

    def add(self, int64_t ts_ns, int64_t price, int64_t qty, uint8_t side, uint64_t trade_id):
        """`on_trade` for Python, checked: ValueError for a trade that is none or out of order."""
        cdef TradeRow* newest
        if ts_ns < 0 or price <= 0 or qty <= 0 or side not in (1, 2) or trade_id == 0:
            raise ValueError(f"trade {trade_id} at {ts_ns}: {qty} lots at {price}, side {side}")
        if self.trade_count != 0:
            newest = self.tape + ((self.trade_count - 1) & (TRADES_KEPT - 1))
            if ts_ns < newest.ts_ns or trade_id <= newest.trade_id:
                raise ValueError(f"trade {trade_id} at {ts_ns} comes after trade {newest.trade_id}"
                                 f" at {newest.ts_ns}")
        self.on_trade(ts_ns, price, qty, side, trade_id)

    # -- reading -----------------------------------------------------------------------------------

    def bars(self, str interval not None, int64_t now_ns, Py_ssize_t limit=BARS_GIVEN):
        """A list of Bar, oldest first, the last one that which holds `now_ns`.

        At most `limit` and 1,440 of them, none before the first trade. Bars without trades carry
        the close before. ValueError for an interval that is not in intervals.INTERVALS.
        """
        cdef BarRow row
        cdef int number = number_of(interval)
        cdef uint32_t older = self.newest(number, &row)
        cdef Ring* ring = &self.rings[number]
        cdef int64_t start, first_ns
        found = []
        if self.trade_count == 0:
            return found
        limit = min(limit, <Py_ssize_t> BARS_GIVEN)
        first_ns = ring_row(ring, 0).open_ts_ns if older > 0 else row.open_ts_ns
        start = start_of(number, self.reading_ns(now_ns))
        while len(found) < limit:
            if start < row.open_ts_ns:      # never before the first: the walk ends there
                older -= 1
                row = ring_row(ring, older)[0]
            found.append(bar_of(&row) if start == row.open_ts_ns else empty_bar(start, row.close))
            if start == first_ns:
                break
            start = start_of(number, start - 1)
        found.reverse()
        return found

    def ticker(self, int64_t now_ns):
        """The Ticker of the 24 hours up to now: the open minute and the 1,440 before it."""
        cdef BarRow total
        cdef BarRow day
        cdef uint32_t first, number
        cdef uint32_t count = self.rings[<int> MIN_1].count
        if self.trade_count == 0:
            return Ticker(0, 0, 0, 0, 0, 0, 0, 0)
        now_ns = self.reading_ns(now_ns)
        first = self.minutes_before(start_of(MIN_1, now_ns) - DAY_MINUTES * <int64_t> MINUTE_NS)
        self.newest(DAY_1, &day)
        day_open = day.open if day.open_ts_ns == start_of(DAY_1, now_ns) else self.last_price
        if first > count:
            close = self.last_price
            return Ticker(close, close, close, close, 0, 0, 0, day_open)
        total = self.minute_row(first)[0]
        for number in range(first + 1, count + 1):
            row_fold(&total, self.minute_row(number))
        open_price = self.minute_row(first - 1).close if first > 0 else total.open
        return Ticker(self.last_price, open_price, total.high, total.low, wide(total.volume),
                      wide(total.turnover), total.count, day_open)

    def simple_k_line(self, int64_t now_ns):
        """48 prices, oldest first: the highest close of each 30 of the last 1,440 minutes.

        The last minute is the one that holds `now_ns`. Minutes without trades carry the close
        before, as in `bars`; those before the first trade count as 0.
        """
        cdef int64_t points[POINTS]
        cdef int64_t start
        cdef int64_t close = 0
        cdef uint32_t number, minute
        cdef uint32_t count = self.rings[<int> MIN_1].count
        if self.trade_count == 0:
            return [0] * POINTS
        start = start_of(MIN_1, self.reading_ns(now_ns)) - (DAY_MINUTES - 1) * <int64_t> MINUTE_NS
        number = self.minutes_before(start)
        if number > 0:
            close = self.minute_row(number - 1).close
        for minute in range(DAY_MINUTES):
            if number <= count and self.minute_row(number).open_ts_ns == start:
                close = self.minute_row(number).close
                number += 1
            if minute % POINT_MINUTES == 0 or close > points[minute // POINT_MINUTES]:
                points[minute // POINT_MINUTES] = close
            start += MINUTE_NS
        return [points[number] for number in range(POINTS)]

    def last_trades(self, Py_ssize_t limit=60):
        """A list of Trade, newest first: at most `limit` of the last 1,024."""
        cdef TradeRow* row
        cdef Py_ssize_t back
        found = []
        limit = min(limit, <Py_ssize_t> tape_length(self.trade_count))
        for back in range(1, limit + 1):
            row = self.tape + ((self.trade_count - back) & (TRADES_KEPT - 1))
            found.append(Trade(row.trade_id, row.ts_ns, row.price, row.qty, row.side))
        return found

    cdef int64_t reading_ns(self, int64_t now_ns) noexcept nogil:
        """The moment to read at: a reader's clock may lag behind the last trade's."""
        return max(now_ns, self.minute.open_ts_ns)

    cdef uint32_t newest(self, int interval, BarRow* row) noexcept nogil:
        """Copy the newest bar, with the open minute in it; the number of ring rows older than it.

        Means nothing before the first trade.
        """
        cdef Ring* ring = &self.rings[interval]
        cdef int64_t start = start_of(interval, self.minute.open_ts_ns)
        if ring.count > 0 and ring_row(ring, ring.count - 1).open_ts_ns == start:
            row[0] = ring_row(ring, ring.count - 1)[0]
            row_fold(row, &self.minute)
            return ring.count - 1
        row[0] = self.minute
        row.open_ts_ns = start
        return ring.count

    cdef BarRow* minute_row(self, uint32_t number) noexcept nogil:
        """A minute with trades, from 0, the oldest kept; the last one is the open minute."""
        cdef Ring* ring = &self.rings[<int> MIN_1]
        return &self.minute if number == ring.count else ring_row(ring, number)

    cdef uint32_t minutes_before(self, int64_t ts_ns) noexcept nogil:
        """How many of the kept minutes, the open one included, start before a moment."""
        cdef uint32_t low = 0
        cdef uint32_t high = self.rings[<int> MIN_1].count + 1
        cdef uint32_t middle
        while low < high:
            middle = (low + high) >> 1
            if self.minute_row(middle).open_ts_ns < ts_ns:
                low = middle + 1
            else:
                high = middle
        return low

    # -- the state as a whole ----------------------------------------------------------------------

    def dump(self):
        """The state as bytes, the same for the same trades: head, open minute, tape, rings.

        Rings and tape are written oldest first, wherever they begin in memory. Little-endian.
        """
        cdef int interval
        cdef Ring* ring
        cdef uint32_t kept = tape_length(self.trade_count)
        cdef uint32_t begin = 0 if kept < TRADES_KEPT else self.trade_count & (TRADES_KEPT - 1)
        counts = [self.rings[interval].count for interval in range(INTERVAL_COUNT)]
        parts = [HEAD.pack(self.trade_count, *counts, 0),
                 PyBytes_FromStringAndSize(<char*> &self.minute, sizeof(BarRow)),
                 run_of(self.tape, begin, kept, sizeof(TradeRow))]
        for interval in range(INTERVAL_COUNT):
            ring = &self.rings[interval]
            parts.append(run_of(ring.rows, ring.oldest, ring.count, sizeof(BarRow)))
        return b"".join(parts)

    @staticmethod
    def load(bytes dumped not None):
        """What `dump` gave, as bars again; ValueError where the length or a count is wrong."""
        cdef Bars bars = Bars()
        cdef const char* at = PyBytes_AS_STRING(dumped)
        cdef uint32_t kept, number
        cdef uint64_t first
        cdef int interval
        if len(dumped) < HEAD.size:
            raise ValueError(f"{len(dumped)} bytes are no bars")
        trade_count, *counts, spare = HEAD.unpack_from(dumped)
        kept = tape_length(trade_count)
        wanted = HEAD.size + sizeof(BarRow) + kept * sizeof(TradeRow) + sum(counts) * sizeof(BarRow)
        if len(dumped) != wanted or max(counts) > BARS_KEPT or spare != 0:
            raise ValueError(f"{len(dumped)} bytes are no bars of {trade_count} trades,"
                             f" {counts} in the rings")
        if trade_count == 0:
            if any(dumped):
                raise ValueError("there are bars, but no trades")
            return bars
        at += <Py_ssize_t> HEAD.size
        memcpy(&bars.minute, at, sizeof(BarRow))
        at += sizeof(BarRow)
        bars.tape = <TradeRow*> calloc(TRADES_KEPT, sizeof(TradeRow))
        if bars.tape is NULL:
            raise MemoryError
        bars.trade_count = trade_count
        first = bars.trade_count - kept
        for number in range(kept):
            memcpy(bars.tape + ((first + number) & (TRADES_KEPT - 1)), at, sizeof(TradeRow))
            at += sizeof(TradeRow)
        for interval in range(INTERVAL_COUNT):
            ring_load(&bars.rings[interval], at, counts[interval])
            at += <size_t> bars.rings[interval].count * sizeof(BarRow)
        bars.last_price = bars.minute.close
        bars.minute_end_ns = bars.minute.open_ts_ns + MINUTE_NS
        return bars

    def check(self):
        """A list of what is wrong, empty when every invariant holds. O(bars kept)."""
        cdef int interval
        faults = []
        if self.trade_count == 0:
            # before the first trade there is nothing at all
            if self.minute.count != 0 or self.last_price != 0 or self.minute_end_ns != 0:
                faults.append("there are bars, but no trades")
            return faults
        faults += row_faults("the open minute", MIN_1, &self.minute)
        for interval in range(INTERVAL_COUNT):
            faults += ring_faults(&self.rings[interval], interval, self.minute.open_ts_ns)
        return faults + self.total_faults() + self.tape_faults()

    def total_faults(self):
        """All trades but those of the open minute are in each ring; part of `check`."""
        cdef Ring* ring
        cdef int interval
        faults = []
        first = None
        for interval, name in enumerate(INTERVALS):
            ring = &self.rings[interval]
            if ring.count == BARS_KEPT:     # full: it may have dropped bars
                continue
            totals = ring_totals(ring)
            if totals[0] + self.minute.count != self.trade_count:
                faults.append(f"{name}: {totals[0]} trades, {self.minute.count} in the open minute,"
                              f" {self.trade_count} in all")
            # their sums and closes agree
            if first is None:
                first = totals
            if totals != first:
                faults.append(f"{name}: (trades, volume, turnover, close) {totals},"
                              f" elsewhere {first}")
        return faults

    def tape_faults(self):
        """The tape is in order, and its newest trade made the last price; part of `check`."""
        faults = []
        trades = self.last_trades(TRADES_KEPT)
        newest = trades[0]
        if not newest.price == self.last_price == self.minute.close:
            faults.append(f"last price {self.last_price}, close {self.minute.close},"
                          f" newest trade {newest}")
        if not self.minute.open_ts_ns <= newest.ts_ns < self.minute_end_ns:
            faults.append(f"the newest trade {newest} is not in the open minute"
                          f" {self.minute.open_ts_ns}")
        for newer, older in zip(trades, trades[1:]):
            if newer.trade_id <= older.trade_id or newer.ts_ns < older.ts_ns:
                faults.append(f"the tape has {newer} behind {older}")
        for trade in trades:
            if trade.price <= 0 or trade.qty <= 0 or trade.side not in (1, 2):
                faults.append(f"the tape has {trade}")
        return faults


# -- rows and rings --------------------------------------------------------------------------------

cdef void row_fold(BarRow* row, const BarRow* later) noexcept nogil:
    """Take a later bar into one."""
    row.close = later.close
    row.high = max(row.high, later.high)
    row.low = min(row.low, later.low)
    row.count += later.count
    sum_add(row.volume, later.volume)
    sum_add(row.turnover, later.turnover)


cdef inline BarRow* ring_row(Ring* ring, uint32_t number) noexcept nogil:
    """A row by age, 0 the oldest; `number` must be below the ring's count."""
    cdef uint32_t at = ring.oldest + number
    return ring.rows + (at if at < BARS_KEPT else at - BARS_KEPT)


cdef void ring_fold(Ring* ring, int interval, const BarRow* minute) noexcept nogil:
    """Take a closed minute into the ring's newest bar, or begin a bar with it."""
    cdef int64_t start = start_of(interval, minute.open_ts_ns)
    cdef BarRow* row
    if ring.count > 0 and ring_row(ring, ring.count - 1).open_ts_ns == start:
        row_fold(ring_row(ring, ring.count - 1), minute)
        return
    if ring.count == BARS_KEPT:
        row = ring.rows + ring.oldest
        ring.oldest = ring.oldest + 1 if ring.oldest + 1 < BARS_KEPT else 0
    else:
        if ring.count == ring.capacity and ring_reserve(ring, ring.count + 1) != 0:
            stop_without_memory()
        row = ring.rows + ring.count
        ring.count += 1
    row[0] = minute[0]
    row.open_ts_ns = start


cdef int ring_reserve(Ring* ring, uint32_t count) noexcept nogil:
    """Make room for `count` rows, at most BARS_KEPT; -1 where there is no memory."""
    cdef uint32_t capacity = max(ring.capacity, <uint32_t> FIRST_CAPACITY)
    cdef BarRow* rows
    while capacity < count:
        capacity *= 2
    capacity = min(capacity, <uint32_t> BARS_KEPT)
    rows = <BarRow*> realloc(ring.rows, capacity * sizeof(BarRow))
    if rows is NULL:
        return -1
    ring.rows = rows
    ring.capacity = capacity
    return 0


cdef void stop_without_memory() noexcept nogil:
    """A trade that is settled but not counted would break the state: no answer is better."""
    fputs("kline.bars: no memory for bars\n", stderr)
    abort()


cdef int ring_load(Ring* ring, const char* rows, uint32_t count) except -1:
    if count > 0:
        if ring_reserve(ring, count) != 0:
            raise MemoryError
        memcpy(ring.rows, rows, count * sizeof(BarRow))
        ring.count = count
    return 0


cdef bytes run_of(const void* rows, uint32_t begin, uint32_t count, size_t row_size):
    """The rows of a ring of `count` in order of age, the one at `begin` first."""
    cdef const char* at = <const char*> rows
    cdef bytes older = PyBytes_FromStringAndSize(at + begin * row_size, (count - begin) * row_size)
    return older + PyBytes_FromStringAndSize(at, begin * row_size) if begin > 0 else older


cdef inline uint32_t tape_length(uint64_t trade_count) noexcept nogil:
    return <uint32_t> min(trade_count, <uint64_t> TRADES_KEPT)


# -- what Python is given --------------------------------------------------------------------------

cdef int number_of(str interval) except -1:
    number = NUMBERS.get(interval)
    if number is None:
        raise ValueError(f"there is no interval {interval!r}")
    return number


cdef object wide(const uint64_t* total):
    """A 128-bit sum as an int."""
    return total[0] if total[1] == 0 else (<object> total[1] << 64) | total[0]


cdef object bar_of(const BarRow* row):
    return Bar(row.open_ts_ns, row.open, row.close, row.high, row.low, wide(row.volume),
               wide(row.turnover), row.count)


cdef object empty_bar(int64_t start, int64_t close):
    return Bar(start, close, close, close, close, 0, 0, 0)


cdef tuple ring_totals(Ring* ring):
    """(trades, volume, turnover, close of the newest) of all rows."""
    cdef BarRow total
    cdef uint32_t number
    if ring.count == 0:
        return (0, 0, 0, 0)
    total = ring_row(ring, 0)[0]
    for number in range(1, ring.count):
        row_fold(&total, ring_row(ring, number))
    return (total.count, wide(total.volume), wide(total.turnover), total.close)


cdef list ring_faults(Ring* ring, int interval, int64_t minute_ns):
    cdef uint32_t number
    cdef int64_t before_ns, start
    cdef str name = INTERVALS[interval]
    faults = []
    for number in range(ring.count):
        faults += row_faults(name, interval, ring_row(ring, number))
        # a ring's bars are in order of time
        start = ring_row(ring, number).open_ts_ns
        if number > 0 and ring_row(ring, number - 1).open_ts_ns >= start:
            faults.append(f"{name}: the bar before {start} is not older")
    # ... and none starts after the open minute, which is in no ring
    if ring.count > 0:
        before_ns = ring_row(ring, ring.count - 1).open_ts_ns
        if before_ns > minute_ns or (interval == MIN_1 and before_ns == minute_ns):
            faults.append(f"{name}: {before_ns} is not before the open minute {minute_ns}")
    return faults


cdef list row_faults(str name, int interval, const BarRow* row):
    faults = []
    # a bar's prices are within its low and high
    if not 0 < row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high:
        faults.append(f"{name}: prices of {bar_of(row)}")
    # it has trades
    if row.count == 0 or wide(row.volume) < row.count or wide(row.turnover) < wide(row.volume):
        faults.append(f"{name}: sums of {bar_of(row)}")
    # it starts where its interval does
    if start_of(interval, max(row.open_ts_ns, 0)) != row.open_ts_ns:
        faults.append(f"{name}: start of {bar_of(row)}")
    return faults
