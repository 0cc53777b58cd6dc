"""Bars of a pair, recomputed from the list of all its trades: no ring, no folding, no state.

A trade is (trade_id, ts_ns, price, qty, side); prices in ticks, quantities in lots, times in
nanoseconds UTC.
"""

from collections import namedtuple
from datetime import datetime, timedelta, timezone

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
FIXED_NS = {
    "1min": MINUTE_NS, "3min": 3 * MINUTE_NS, "5min": 5 * MINUTE_NS, "15min": 15 * MINUTE_NS,
    "30min": 30 * MINUTE_NS, "1h": HOUR_NS, "2h": 2 * HOUR_NS, "4h": 4 * HOUR_NS, "6h": 6 * HOUR_NS,
    "12h": 12 * HOUR_NS, "1d": DAY_NS,
}
INTERVALS = (*FIXED_NS, "1w", "1mon")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

Bar = namedtuple("Bar", "open_ts_ns open close high low volume turnover count")


def to_datetime(ts_ns: int) -> datetime:
    return EPOCH + timedelta(seconds=ts_ns // SECOND_NS)


def to_ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1) * SECOND_NS


def bar_start(interval: str, ts_ns: int) -> int:
    """Where the bar begins that holds a moment: weeks on Monday, months on the 1st."""
    if interval in FIXED_NS:
        return ts_ns - ts_ns % FIXED_NS[interval]
    day = to_datetime(ts_ns).replace(hour=0, minute=0, second=0)
    if interval == "1w":
        return to_ns(day - timedelta(days=day.weekday()))
    return to_ns(day.replace(day=1))


def bars(trades: list[tuple], interval: str, now_ns: int, limit: int = 1440) -> list[Bar]:
    """Up to the one that holds now_ns, oldest first; empty ones carry the last close."""
    by_start = {}
    for _, ts_ns, price, qty, _ in trades:
        by_start.setdefault(bar_start(interval, ts_ns), []).append((price, qty))
    if not by_start:
        return []
    first = min(by_start)
    found = []
    start = bar_start(interval, now_ns)
    while start >= first and len(found) < limit:
        found.append(start)
        start = bar_start(interval, start - 1)
    found.reverse()
    closed_before = [key for key in by_start if key < found[0]]
    close = by_start[max(closed_before)][-1][0] if closed_before else 0
    out = []
    for start in found:
        fills = by_start.get(start, [])
        prices = [price for price, _ in fills] or [close]
        close = prices[-1]
        out.append(Bar(
            start, prices[0], close, max(prices), min(prices), sum(qty for _, qty in fills),
            sum(price * qty for price, qty in fills), len(fills)))
    return out
