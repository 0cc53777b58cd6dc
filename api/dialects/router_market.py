"""Market prices of the exchange router: rank, ticker, depth, trades, bars. No session needed.

Where the seed's clients do arithmetic (depth, trades) numbers are JSON numbers with exact digits,
elsewhere texts; times are milliseconds since 1970. Changes are in percent of the price 24 hours
ago.
"""

import time

from api.dialects.calls import Call, Routes, encode
from api.numbers import InputError, percent, text
from api.times import NS_PER_MS

DEPTH_DEFAULT = 50
DEPTH_MAX = 1000
DEALS = 60
BARS_MAX = 1440
INTERVAL_DEFAULT = "1min"
# Those of the seed, and the rest of what a pair keeps.
INTERVALS = {name: name for name in (
    "1min", "5min", "30min", "4h", "1d", "3min", "15min", "1h", "2h", "6h", "12h", "1w", "1mon")}

ROUTES = Routes()


@ROUTES.serves(reads=True)
async def get_rank(call: Call) -> bytes:
    now_ns = _now_ns(call)
    rows = []
    for pair in call.core.pairs:
        ticker = call.core.bars(pair.number).ticker(now_ns)
        rows.append((pair, ticker, _Change(ticker)))
    # Pairs of the same change stay in the order of their listing.
    rows.sort(key=lambda row: row[2], reverse=True)
    return encode([{
        "name": pair.name,
        "price": text(ticker.last_price, pair.price_scale),
        "amount": text(ticker.volume, pair.amount_scale),
        "increase": percent(ticker.last_price, ticker.open_price),
    } for pair, ticker, _ in rows])


@ROUTES.serves(reads=True)
async def get_coin(call: Call) -> bytes:
    pair = call.pair()
    ticker = call.core.bars(pair.number).ticker(_now_ns(call))
    return encode([
        pair.name,
        text(ticker.last_price, pair.price_scale),
        text(ticker.volume, pair.amount_scale),
        percent(ticker.last_price, ticker.open_price),
        text(ticker.day_open, pair.price_scale),
    ])


@ROUTES.serves(reads=True)
async def get_deal_record(call: Call) -> bytes:
    pair = call.pair()
    trades = call.core.bars(pair.number).last_trades(DEALS)
    return _array(f"[{text(trade.price, pair.price_scale)},{text(trade.qty, pair.amount_scale)},"
                  f"{trade.ts_ns // NS_PER_MS}]" for trade in trades)


@ROUTES.serves(reads=True)
async def get_depth(call: Call) -> bytes:
    pair = call.pair()
    bids, asks = call.core.depth(pair.number, call.limit(DEPTH_DEFAULT, DEPTH_MAX))
    return (b'{"timetick":%d,"bid":%b,"ask":%b}'
            % (_now_ns(call) // NS_PER_MS, _levels(bids, pair), _levels(asks, pair)))


@ROUTES.serves(reads=True)
async def get_simple_k_line(call: Call) -> bytes:
    pair = call.pair()
    closes = call.core.bars(pair.number).simple_k_line(_now_ns(call))
    return encode([text(close, pair.price_scale) for close in closes])


@ROUTES.serves(reads=True)
async def get_coin_k_line(call: Call) -> bytes:
    pair = call.pair()
    interval = INTERVAL_DEFAULT
    # The seed says that it may be empty.
    if call.parameters.get("interval"):
        interval = call.choice("interval", INTERVALS)
    elif call.parameters.get("interval") not in (None, ""):
        raise InputError("interval", "must be a text")
    bars = call.core.bars(pair.number).bars(interval, _now_ns(call), BARS_MAX)
    return encode([{
        "open": text(bar.open, pair.price_scale),
        "close": text(bar.close, pair.price_scale),
        "max": text(bar.high, pair.price_scale),
        "min": text(bar.low, pair.price_scale),
        "timetick": str(bar.open_ts_ns // NS_PER_MS),
        "amount": text(bar.volume, pair.amount_scale),
    } for bar in bars])


class _Change:
    """Orders pairs by their 24 h change exactly: fractions are compared by cross multiplication."""

    __slots__ = ("moved", "before")

    def __init__(self, ticker):
        self.moved, self.before = ticker.change

    def __lt__(self, other: "_Change") -> bool:
        return self.moved * other.before < other.moved * self.before


def _now_ns(call: Call) -> int:
    """Never before what has happened: the core's time does not follow a clock that is set back."""
    return max(time.time_ns(), call.core.ts_ns)


def _levels(levels, pair) -> bytes:
    return _array(f"[{text(price, pair.price_scale)},{text(qty, pair.amount_scale)}]"
                  for price, qty in levels)


def _array(entries) -> bytes:
    return f"[{','.join(entries)}]".encode()
