"""What readers of a pair's bars are given: plain tuples, detached from the rings.

Prices are in ticks, volumes and quantities in lots, turnover in ticks x lots (the sum of price x
qty), times in nanoseconds UTC; all exact integers, volumes and turnovers of up to 128 bits.
"""

from typing import NamedTuple


class Bar(NamedTuple):
    """One bar. Without trades: all four prices are the close before, the sums are 0."""

    open_ts_ns: int    # the start of the bar, not the time of its first trade
    open: int
    close: int
    high: int
    low: int
    volume: int
    turnover: int
    count: int         # trades


class Trade(NamedTuple):
    """One trade; `side` is the taker's, 1 buy, 2 sell."""

    trade_id: int
    ts_ns: int
    price: int
    qty: int
    side: int


class Ticker(NamedTuple):
    """The last 24 hours, on a resolution of a minute: nothing younger than 24 h is missing.

    `open_price` is the last price before that time, or that of the first trade where there was none
    before; `day_open` is the open of the present UTC day's bar. Without trades in the 24 hours,
    high and low are the last price. All is 0 before a pair's first trade.
    """

    last_price: int
    open_price: int
    high: int
    low: int
    volume: int
    turnover: int
    count: int
    day_open: int

    @property
    def change(self) -> tuple[int, int]:
        """The change of 24 h as a fraction: (last - open, open); (0, 1) before any trade."""
        return (self.last_price - self.open_price, self.open_price) if self.open_price else (0, 1)
