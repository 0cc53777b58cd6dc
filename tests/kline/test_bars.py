"""Bars, ticker and tape against a plain recomputation from the list of all trades."""

import random
import struct
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings, strategies as st

from kline.bars import Bars
from kline.intervals import INTERVALS
from kline.views import Bar, Ticker, Trade
from tests.model import bars as model

SECOND_NS, MINUTE_NS = model.SECOND_NS, model.MINUTE_NS
HOUR_NS, DAY_NS = model.HOUR_NS, model.DAY_NS
BUY, SELL = 1, 2
BARS_KEPT = 1_442
TRADES_KEPT = 1_024
AMOUNT_MAX = 2**63 - 1
# Layout of a dump: head, open minute, tape, rings.
HEAD_BYTES, BAR_BYTES, TRADE_BYTES = 64, 80, 40


def moment(*fields: int) -> int:
    return model.to_ns(datetime(*fields, tzinfo=timezone.utc))


START_NS = moment(2024, 2, 28, 23, 58)    # two minutes before a leap day


def filled(trades: list[tuple]) -> Bars:
    bars = Bars()
    add_all(bars, trades)
    return bars


def add_all(bars: Bars, trades: list[tuple]) -> None:
    for trade_id, ts_ns, price, qty, side in trades:
        bars.add(ts_ns, price, qty, side, trade_id)


def expected_ticker(trades: list[tuple], now_ns: int) -> Ticker:
    """From the trades alone: all since the start of the minute that holds now - 24 h."""
    if not trades:
        return Ticker(0, 0, 0, 0, 0, 0, 0, 0)
    window_ns = now_ns - now_ns % MINUTE_NS - DAY_NS
    before = [trade[2] for trade in trades if trade[1] < window_ns]
    fills = [(price, qty) for _, ts_ns, price, qty, _ in trades if ts_ns >= window_ns]
    last = trades[-1][2]
    prices = [price for price, _ in fills] or [last]
    today = [trade[2] for trade in trades if trade[1] >= now_ns - now_ns % DAY_NS]
    return Ticker(
        last, before[-1] if before else prices[0], max(prices), min(prices),
        sum(qty for _, qty in fills), sum(price * qty for price, qty in fills), len(fills),
        today[0] if today else last)


def expected_simple_k_line(trades: list[tuple], now_ns: int) -> list[int]:
    minutes = model.bars(trades, "1min", now_ns)
    closes = [0] * (1440 - len(minutes)) + [bar.close for bar in minutes]
    return [max(closes[at:at + 30]) for at in range(0, 1440, 30)]


def compare(bars: Bars, trades: list[tuple], now_ns: int, limit: int = 50) -> None:
    for interval in INTERVALS:
        given_bars = bars.bars(interval, now_ns, limit)
        assert given_bars == model.bars(trades, interval, now_ns, limit), interval
    assert bars.ticker(now_ns) == expected_ticker(trades, now_ns)
    assert bars.simple_k_line(now_ns) == expected_simple_k_line(trades, now_ns)
    assert bars.last_trades(2_000) == trades[:-TRADES_KEPT - 1:-1]
    assert bars.last_price == (trades[-1][2] if trades else 0)
    assert bars.trade_count == len(trades)
    assert bars.check() == []


# -- strategies: gaps that stay within a minute, cross one interval or the other, or skip years ----

gaps_ns = st.one_of(
    st.just(0),
    st.integers(0, 2 * MINUTE_NS),
    st.integers(1, 400).map(lambda minutes: minutes * MINUTE_NS),
    st.integers(0, 3 * DAY_NS),
    st.integers(1, 20).map(lambda days: days * DAY_NS - 1),
    st.integers(0, 800 * DAY_NS),
)
starts_ns = st.one_of(
    st.sampled_from([
        0, START_NS, moment(2023, 12, 31, 23, 59), moment(2024, 2, 29, 12), moment(2099, 12, 31),
    ]),
    st.integers(0, moment(2100, 1, 1)),
)


@st.composite
def trade_lists(draw, size_max: int = 40) -> list[tuple]:
    ts_ns = draw(starts_ns)
    trade_id = 0
    trades = []
    for gap_ns in draw(st.lists(gaps_ns, max_size=size_max)):
        ts_ns += gap_ns
        trade_id += draw(st.integers(1, 5))
        price = draw(st.one_of(st.integers(1, 20), st.integers(1, AMOUNT_MAX)))
        qty = draw(st.one_of(st.integers(1, 20), st.integers(1, AMOUNT_MAX)))
        trades.append((trade_id, ts_ns, price, min(qty, AMOUNT_MAX // price), draw(
            st.sampled_from([BUY, SELL]))))
    return trades


@settings(max_examples=200, deadline=None)
@given(trades=trade_lists(), later_ns=gaps_ns, limit=st.integers(1, 60))
def test_everything_agrees_with_a_recomputation(trades, later_ns, limit):
    now_ns = (trades[-1][1] if trades else START_NS) + later_ns
    compare(filled(trades), trades, now_ns, limit)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(trades=trade_lists(), later_ns=gaps_ns, cut=st.integers(0, 40))
def test_loaded_bars_go_on_as_the_dumped_ones(trades, later_ns, cut):
    bars = filled(trades[:cut])
    dumped = bars.dump()
    loaded = Bars.load(dumped)
    assert loaded.dump() == dumped
    add_all(bars, trades[cut:])
    add_all(loaded, trades[cut:])
    assert loaded.dump() == bars.dump()
    compare(loaded, trades, (trades[-1][1] if trades else START_NS) + later_ns)


def test_reading_changes_nothing():
    trades = random_trades(random.Random(1), 300, 5 * HOUR_NS)
    bars = filled(trades)
    dumped = bars.dump()
    compare(bars, trades, trades[-1][1] + 40 * DAY_NS)
    assert bars.dump() == dumped


# -- full rings ------------------------------------------------------------------------------------

def random_trades(chance: random.Random, count: int, gap_ns_max: int) -> list[tuple]:
    ts_ns = START_NS
    trades = []
    for trade_id in range(1, count + 1):
        ts_ns += chance.choice((0, chance.randrange(MINUTE_NS), chance.randrange(gap_ns_max)))
        trades.append((trade_id, ts_ns, chance.randrange(1, 1_000), chance.randrange(1, 10**9),
                       chance.choice((BUY, SELL))))
    return trades


@pytest.mark.parametrize("gap_ns_max", [3 * MINUTE_NS, 12 * MINUTE_NS, 20 * HOUR_NS])
def test_rings_that_dropped_bars_give_what_is_asked(gap_ns_max):
    trades = random_trades(random.Random(gap_ns_max), 6_000, gap_ns_max)
    now_ns = trades[-1][1]
    bars = filled(trades)
    for later_ns in (0, HOUR_NS, 23 * HOUR_NS, DAY_NS + MINUTE_NS):
        compare(bars, trades, now_ns + later_ns, 1440)
    loaded = Bars.load(bars.dump())
    compare(loaded, trades, now_ns, 1440)
    more = [(trade_id + 6_000, ts_ns - START_NS + now_ns, price, qty, side)
            for trade_id, ts_ns, price, qty, side in trades[:500]]
    add_all(loaded, more)
    add_all(bars, more)
    assert loaded.dump() == bars.dump()
    compare(loaded, trades + more, more[-1][1], 1440)


def test_a_trade_in_every_minute_of_two_days_keeps_the_last_24_hours():
    trades = [(minute + 1, START_NS + minute * MINUTE_NS, minute + 1, 1, BUY)
              for minute in range(2_880)]
    bars = filled(trades)
    for minute in (2_879, 2_880, 2_890, 4_000, 4_318, 4_319, 4_320):
        compare(bars, trades, START_NS + minute * MINUTE_NS, 1440)
    ticker = bars.ticker(trades[-1][1])
    assert (ticker.count, ticker.low, ticker.open_price) == (1_441, 1_440, 1_439)
    assert len(bars.bars("1min", trades[-1][1])) == 1_440


def test_an_idle_pair_is_small_and_a_busy_one_bounded():
    assert len(Bars().dump()) == HEAD_BYTES + BAR_BYTES
    day = filled([(day + 1, START_NS + day * DAY_NS, 5, 1, BUY) for day in range(4_000)])
    kept = struct.unpack_from("<Q13I", day.dump())
    assert kept[0] == 4_000
    assert kept[1:12] == (BARS_KEPT,) * 11
    assert kept[12] < 600 and kept[13] < 140    # weeks and months
    assert len(day.dump()) == (HEAD_BYTES + BAR_BYTES + TRADES_KEPT * TRADE_BYTES
                               + sum(kept[1:]) * BAR_BYTES)


# -- cases worth a name ----------------------------------------------------------------------------

def test_nothing_before_the_first_trade():
    compare(Bars(), [], START_NS)
    assert Bars().bars("1d", START_NS) == []
    assert Bars().ticker(START_NS).change == (0, 1)
    assert Bars().simple_k_line(START_NS) == [0] * 48
    assert Bars().last_trades() == []


def test_a_bar_in_full():
    bars = filled([(1, START_NS + 1, 100, 3, BUY), (2, START_NS + 2, 120, 1, SELL),
                   (5, START_NS + 3, 90, 2, BUY), (6, START_NS + 59 * SECOND_NS, 95, 4, SELL)])
    assert bars.bars("1min", START_NS + MINUTE_NS) == [
        Bar(START_NS, 100, 95, 120, 90, 10, 980, 4),
        Bar(START_NS + MINUTE_NS, 95, 95, 95, 95, 0, 0, 0),
    ]
    assert bars.last_trades(2) == [Trade(6, START_NS + 59 * SECOND_NS, 95, 4, SELL),
                                   Trade(5, START_NS + 3, 90, 2, BUY)]


def test_sums_exceed_64_bits():
    # as much in each trade as an order can be worth
    trades = [(number, START_NS + number, 1, AMOUNT_MAX, BUY) for number in range(1, 201)]
    bars = filled(trades)
    bar = bars.bars("1d", trades[-1][1])[0]
    assert bar.volume == bar.turnover == 200 * AMOUNT_MAX
    compare(bars, trades, trades[-1][1])
    compare(Bars.load(bars.dump()), trades, trades[-1][1])


def test_half_hours_count_the_close_carried_into_them():
    bars = filled([(1, START_NS, 50, 1, BUY), (2, START_NS + 1, 70, 1, BUY),
                   (3, START_NS + 45 * MINUTE_NS, 10, 1, BUY)])
    points = bars.simple_k_line(START_NS + 119 * MINUTE_NS)
    # the highest close, not the highest price of a trade; then carried, until 10 is all there is
    assert points == [0] * 44 + [70, 70, 10, 10]


def test_a_day_without_trades_shows_the_last_price_and_no_volume():
    bars = filled([(1, START_NS, 50, 8, BUY)])
    assert bars.ticker(START_NS + DAY_NS) == Ticker(50, 50, 50, 50, 8, 400, 1, 50)
    quiet = bars.ticker(START_NS + DAY_NS + MINUTE_NS)
    assert quiet == Ticker(50, 50, 50, 50, 0, 0, 0, 50)
    assert quiet.change == (0, 50)


def test_change_is_from_the_price_24_hours_ago():
    bars = filled([(1, START_NS, 80, 1, BUY), (2, START_NS + 2 * DAY_NS, 100, 1, BUY)])
    assert bars.ticker(START_NS + 2 * DAY_NS).change == (20, 80)
    # the pair's first trade opens a window that has none before it
    assert filled([(1, START_NS, 80, 1, BUY), (2, START_NS + 1, 60, 1, SELL)]).ticker(
        START_NS + 1).change == (-20, 80)


def test_a_reader_whose_clock_lags_sees_the_minute_of_the_last_trade():
    bars = filled([(1, START_NS, 50, 1, BUY), (2, START_NS + DAY_NS, 60, 1, BUY)])
    late_ns = START_NS + DAY_NS
    for interval in INTERVALS:
        assert bars.bars(interval, START_NS) == bars.bars(interval, late_ns)
    assert bars.ticker(0) == bars.ticker(late_ns)
    assert bars.simple_k_line(0) == bars.simple_k_line(late_ns)


@pytest.mark.parametrize("limit, length", [(-1, 0), (0, 0), (1, 1), (1_440, 1_440), (5_000, 1_440)])
def test_the_limit_of_bars(limit, length):
    bars = filled([(1, START_NS, 50, 1, BUY)])
    now_ns = START_NS + 3_000 * MINUTE_NS
    found = bars.bars("1min", now_ns, limit)
    assert len(found) == length
    assert not found or found[-1].open_ts_ns == now_ns


@pytest.mark.parametrize("limit, length", [(-1, 0), (0, 0), (3, 3), (5_000, TRADES_KEPT)])
def test_the_limit_of_last_trades(limit, length):
    bars = filled([(number, START_NS, 50, 1, BUY) for number in range(1, 1_100)])
    assert [trade.trade_id for trade in bars.last_trades(limit)] == list(
        range(1_099, 1_099 - length, -1))


@pytest.mark.parametrize("interval", ["", "1m", "2min", "1MIN"])
def test_an_unknown_interval_is_an_error(interval):
    with pytest.raises(ValueError, match="no interval"):
        Bars().bars(interval, START_NS)


@pytest.mark.parametrize("ts_ns, price, qty, side, trade_id", [
    (START_NS - 1, 1, 1, BUY, 8),
    (START_NS, 0, 1, BUY, 8),
    (START_NS, 1, 0, BUY, 8),
    (START_NS, 1, 1, 0, 8),
    (START_NS, 1, 1, 3, 8),
    (START_NS, 1, 1, BUY, 7),
    (START_NS, 1, 1, BUY, 0),
])
def test_what_is_no_next_trade_is_refused(ts_ns, price, qty, side, trade_id):
    bars = filled([(7, START_NS, 5, 5, SELL)])
    dumped = bars.dump()
    with pytest.raises(ValueError):
        bars.add(ts_ns, price, qty, side, trade_id)
    assert bars.dump() == dumped


# -- dumps that are not whole, states that cannot be -----------------------------------------------

def two_minutes() -> bytes:
    """A dump with two trades, one in the rings (a row in each of 13), one in the open minute."""
    return filled([(1, START_NS, 50, 3, BUY), (2, START_NS + MINUTE_NS, 60, 4, SELL)]).dump()


def test_a_dump_of_another_length_or_shape_is_refused():
    dumped = two_minutes()
    crowded = bytearray(HEAD_BYTES + BAR_BYTES + BARS_KEPT * 2 * BAR_BYTES)
    struct.pack_into("<QI", crowded, 0, 0, 2 * BARS_KEPT)
    for wrong in (b"", dumped[:40], dumped[:-1], dumped + bytes(1), bytes(crowded),
                  bytes(HEAD_BYTES + BAR_BYTES - 1) + b"\1"):
        with pytest.raises(ValueError):
            Bars.load(wrong)


MINUTE_AT = HEAD_BYTES
TAPE_AT = MINUTE_AT + BAR_BYTES
RING_AT = TAPE_AT + 2 * TRADE_BYTES                   # the one row of the 1min ring
DAY_AT = RING_AT + 10 * BAR_BYTES                     # ... and of the 1d ring
OPEN_TS, OPEN, CLOSE, HIGH, LOW, COUNT, VOLUME, VOLUME_HIGH, TURNOVER = range(0, 72, 8)


@pytest.mark.parametrize("at, value, fault", [
    (MINUTE_AT + HIGH, 59, "the open minute: prices"),
    (MINUTE_AT + COUNT, 2, "2 in the open minute, 2 in all"),
    (MINUTE_AT + CLOSE, 61, "close 61"),
    (RING_AT + LOW, 51, "1min: prices"),
    (RING_AT + LOW, 0, "1min: prices"),
    (RING_AT + OPEN, 49, "1min: prices"),
    (RING_AT + COUNT, 0, "1min: sums"),
    (RING_AT + VOLUME, 2**63, "1min: sums"),
    (DAY_AT + VOLUME_HIGH, 1, "1d: sums"),
    (DAY_AT + TURNOVER, 151, "1d: (trades, volume, turnover, close) (1, 3, 151, 50)"),
    (DAY_AT + COUNT, 2, "1d: 2 trades"),
    (RING_AT + OPEN_TS, START_NS + 1, "1min: start"),
    (DAY_AT + OPEN_TS, START_NS, "1d: start"),
    (RING_AT + OPEN_TS, START_NS + MINUTE_NS, "1min: 1709164740000000000 is not before"),
    (DAY_AT + OPEN_TS, moment(2024, 3, 1), "1d: 1709251200000000000 is not before"),
    (TAPE_AT, 2, "the tape has"),
    (TAPE_AT + 8, START_NS + HOUR_NS, "the tape has"),
    (TAPE_AT + 24, 0, "the tape has"),
    (TAPE_AT + TRADE_BYTES + 8, START_NS + HOUR_NS, "is not in the open minute"),
    (TAPE_AT + TRADE_BYTES + 16, 61, "newest trade"),
])
def test_check_names_what_cannot_be(at, value, fault):
    dumped = bytearray(two_minutes())
    struct.pack_into("<Q", dumped, at, value)
    faults = Bars.load(bytes(dumped)).check()
    assert any(fault in line for line in faults), faults


def test_check_wants_a_rings_bars_in_order_of_time():
    trades = [(number, START_NS + number * MINUTE_NS, 50, 1, BUY) for number in range(1, 4)]
    dumped = bytearray(filled(trades).dump())
    ring_at = TAPE_AT + 3 * TRADE_BYTES
    first, second = struct.unpack_from("<Q", dumped, ring_at), struct.unpack_from(
        "<Q", dumped, ring_at + BAR_BYTES)
    struct.pack_into("<Q", dumped, ring_at, *second)
    struct.pack_into("<Q", dumped, ring_at + BAR_BYTES, *first)
    assert any("is not older" in line for line in Bars.load(bytes(dumped)).check())
