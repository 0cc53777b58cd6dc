"""The names of the intervals, shortest first; a name's place is its number in intervals.pxd."""

INTERVALS = (
    "1min", "3min", "5min", "15min", "30min", "1h", "2h", "4h", "6h", "12h", "1d", "1w", "1mon",
)
