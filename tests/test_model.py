"""docs/core.md in figures worked out by hand, for core and model alike; and the campaign in short.

The machine and the campaign compare the two with each other; these tables tie both to the document.
"""

import numpy as np
import pytest

from engine.codes import (
    EventKind, HouseAccount, OrderFlag, OrderStatus, OrderType, PairStatus, Reason, Result,
    SelfTrade, Side, Tif,
)
from engine.commands import RESULT_DTYPE
from engine.core import Core
from engine.events import EVENT_DTYPE
from tests import campaign
from tests.model import bars
from tests.model.commands import (
    AddCoin, AddPair, AmendOrder, CancelAll, CancelOrder, Deposit, PlaceOrder, RegisterUser,
    SetLimits, SetPairStatus, encode_batch,
)
from tests.model.comparison import Disagreement
from tests.model.exchange import Model

BUY, SELL = map(int, Side)
LIMIT, MARKET, STOP_LIMIT, STOP_MARKET = map(int, OrderType)
GTC, IOC, FOK = map(int, Tif)
POST_ONLY = int(OrderFlag.POST_ONLY)
AMOUNT_MAX = 2**63 - 1
ANN, BEN, CAT, NOBODY = 1, 2, 3, 4
# Units of a lot of the base coin, and of the quote coin for a lot at one tick.
LOT, TICK_LOT = 10**4, 10**2
MONEY = 10**9


class SmallHouse:
    """One pair: 10^4 units a lot, 10^2 a lot and tick; fees of 1,000 (maker) and 2,000 ppm."""

    def __init__(self, subject, self_trade=SelfTrade.CANCEL_MAKER):
        self.subject = subject
        self.seq = 0
        self.do(
            AddCoin("AAA", "A", "coin", 8), AddCoin("USD", "U", "coin", 8),
            AddPair("AAA/USD", 2, 4, 5, 1_000, 2_000, int(self_trade)),
            *[RegisterUser(name) for name in ("ann", "ben", "cat")],
            *[Deposit(uid, coin, MONEY, "first") for uid in (ANN, BEN) for coin in (1, 2)])

    def do(self, *commands) -> tuple[list[tuple], list[tuple]]:
        """(results, events) of a batch, in the order of their dtypes."""
        first_seq, self.seq = self.seq + 1, self.seq + len(commands)
        if isinstance(self.subject, Model):
            outcome = self.subject.apply(list(commands), first_seq, 10**18)
            return outcome.results, outcome.events
        outcome = self.subject.apply(encode_batch(commands), first_seq, 10**18)
        return (np.frombuffer(outcome.results, dtype=RESULT_DTYPE).tolist(),
                np.frombuffer(outcome.events, dtype=EVENT_DTYPE).tolist())

    def codes(self, *commands) -> list[str]:
        return [Result(result[0]).name for result in self.do(*commands)[0]]

    def story(self, *commands) -> list[str]:
        """The events in short: kind, order (its number in this test), qty @ price, reason."""
        return [" ".join(filter(None, (
            EventKind(event[0]).name, str(event[5] - self.seq_before), f"{event[7]}@{event[6]}",
            Reason(event[18]).name if event[18] else ""))) for event in self.do(*commands)[1]]

    def mark(self) -> "SmallHouse":
        """Orders are numbered from 1 from here on."""
        self.seq_before = self.seq
        return self


@pytest.fixture(params=[Model, Core])
def subject(request):
    return request.param()


def limit(user, side, price, qty, tif=GTC, **more) -> PlaceOrder:
    return PlaceOrder(user, 1, side, LIMIT, tif, price, qty, **more)


REFUSALS = [
    (PlaceOrder(0, 1, BUY, LIMIT, GTC, 10, 5), "UNKNOWN_USER"),
    (PlaceOrder(NOBODY, 9, 9, 9, 9), "UNKNOWN_USER"),
    (PlaceOrder(ANN, 2, 9, LIMIT, GTC, 10, 5), "UNKNOWN_PAIR"),
    (PlaceOrder(ANN, 1, 0, 0, 0, 10, 5, flags=4), "BAD_SIDE"),
    (PlaceOrder(ANN, 1, BUY, 5, 0, 10, 5, flags=4), "BAD_TYPE"),
    (PlaceOrder(ANN, 1, BUY, LIMIT, 4, 10, 5, flags=4), "BAD_TIF"),
    (limit(ANN, BUY, 10, 5, flags=4, client_id=b""), "BAD_FLAGS"),
    (limit(ANN, BUY, 0, 5, client_id=b""), "BAD_CLIENT_ID"),
    (limit(ANN, BUY, 0, 5, client_id=b"x" * 37), "BAD_CLIENT_ID"),
    (limit(ANN, BUY, 0, 5, client_id=b"a b"), "BAD_CLIENT_ID"),
    (limit(ANN, BUY, 0, 0), "BAD_PRICE"),
    (limit(ANN, BUY, -1, 5), "BAD_PRICE"),
    (PlaceOrder(ANN, 1, BUY, MARKET, IOC, 1, 5), "BAD_PRICE"),
    (limit(ANN, BUY, 10, 0, stop_price=5), "BAD_QTY"),
    (limit(ANN, BUY, 10, -1, quote_amount=5), "BAD_QTY"),
    (limit(ANN, BUY, 10, 0, quote_amount=5), "BAD_QUOTE_AMOUNT"),
    (limit(ANN, BUY, 10, 5, quote_amount=5), "BAD_QUOTE_AMOUNT"),
    (PlaceOrder(ANN, 1, SELL, MARKET, IOC, quote_amount=5), "BAD_QUOTE_AMOUNT"),
    (PlaceOrder(ANN, 1, BUY, MARKET, IOC, quote_amount=-5), "BAD_QUOTE_AMOUNT"),
    (limit(ANN, BUY, 10, 5, stop_price=5), "BAD_STOP_PRICE"),
    (PlaceOrder(ANN, 1, BUY, STOP_MARKET, GTC, qty=5), "BAD_STOP_PRICE"),
    (PlaceOrder(ANN, 1, BUY, MARKET, GTC, qty=5, flags=POST_ONLY), "BAD_TIF"),
    (PlaceOrder(ANN, 1, BUY, MARKET, FOK, quote_amount=5), "BAD_TIF"),
    (PlaceOrder(ANN, 1, BUY, MARKET, IOC, qty=5, flags=POST_ONLY), "BAD_POST_ONLY"),
    (limit(ANN, BUY, 10, 4, IOC, flags=POST_ONLY), "BAD_POST_ONLY"),
    (limit(ANN, BUY, AMOUNT_MAX, 4), "BELOW_MIN_AMOUNT"),
    (limit(CAT, BUY, AMOUNT_MAX // TICK_LOT // 5 + 1, 5), "AMOUNT_TOO_LARGE"),
    (limit(CAT, BUY, AMOUNT_MAX // TICK_LOT // 5, 5), "NOT_ENOUGH_MONEY"),
    (limit(CAT, SELL, 1, AMOUNT_MAX // LOT + 1), "AMOUNT_TOO_LARGE"),
    (limit(CAT, SELL, 1, AMOUNT_MAX // LOT), "NOT_ENOUGH_MONEY"),
    (limit(ANN, BUY, 1_000, MONEY // TICK_LOT // 1_000 + 1), "NOT_ENOUGH_MONEY"),
    (limit(ANN, BUY, 1_000, MONEY // TICK_LOT // 1_000), "OK"),
    (PlaceOrder(ANN, 1, BUY, MARKET, IOC, quote_amount=MONEY + 1), "NOT_ENOUGH_MONEY"),
    (PlaceOrder(CAT, 1, BUY, MARKET, FOK, qty=5), "OK"),
    (PlaceOrder(CAT, 1, BUY, STOP_MARKET, IOC, qty=5, stop_price=7), "OK"),
]


@pytest.mark.parametrize(("command", "wanted"), REFUSALS)
def test_place_order_is_checked_in_order(subject, command, wanted):
    assert SmallHouse(subject).codes(command) == [wanted]


def test_status_limit_and_crossing_are_checked_in_order(subject):
    house = SmallHouse(subject)
    small = limit(ANN, BUY, 10, 1, flags=POST_ONLY)
    assert house.codes(limit(BEN, SELL, 10, 5), SetPairStatus(1, PairStatus.HALTED), small,
                       SetPairStatus(1, PairStatus.CANCEL_ONLY), small, CancelAll(BEN, 1),
                       SetPairStatus(1, PairStatus.TRADING), small) == [
        "OK", "OK", "PAIR_HALTED", "OK", "PAIR_CANCEL_ONLY", "OK", "OK", "BELOW_MIN_AMOUNT"]
    crossing = limit(CAT, BUY, 10, 5, flags=POST_ONLY)
    sale = limit(BEN, SELL, 10, 5)
    assert house.codes(sale, crossing, SetLimits(1), sale) == [
        "OK", "WOULD_CROSS", "OK", "TOO_MANY_OPEN_ORDERS"]


def test_a_fill_pays_both_net_of_fees_and_returns_what_the_price_saved(subject):
    house = SmallHouse(subject)
    results, events = house.do(limit(BEN, SELL, 100, 30), limit(ANN, BUY, 110, 50))
    sale, purchase = house.seq - 1, house.seq
    assert results[0] == (Result.OK, OrderStatus.OPEN, 0, 0, sale, 0, 30)
    assert results[1] == (Result.OK, OrderStatus.PARTIALLY_FILLED, 0, 1, purchase, 30, 20)
    base, quote = 30 * LOT, 100 * 30 * TICK_LOT
    maker_fee, taker_fee = quote // 1_000, base // 500
    assert events[1] == (EventKind.ORDER_PLACED, BUY, 1, ANN, purchase, purchase, 110, 50, 0, 0,
                         0, 0, 0, 0, 0, LIMIT, GTC, 0, 0)
    assert events[2:] == [(EventKind.TRADE, BUY, 1, ANN, purchase, purchase, 100, 30, 1, sale,
                           maker_fee, taker_fee, 0, 0, BEN, 0, 0, 0, 0)]
    left = 110 * 20 * TICK_LOT
    assert subject.balance(ANN, 1) == (MONEY + base - taker_fee, 0)
    assert subject.balance(ANN, 2) == (MONEY - quote - left, left)
    assert subject.balance(BEN, 1) == (MONEY - base, 0)
    assert subject.balance(BEN, 2) == (MONEY + quote - maker_fee, 0)
    assert subject.house(HouseAccount.FEES, 1) == taker_fee
    assert subject.house(HouseAccount.FEES, 2) == maker_fee
    assert subject.house(HouseAccount.EXTERNAL, 1) == -2 * MONEY


def test_fees_are_rounded_down(subject):
    house = SmallHouse(subject)
    # 7 lots at 3 ticks are 2,100 units, 1,000 ppm of them 2.1; 2,000 ppm of 70,000 are 140.
    _, events = house.do(limit(BEN, SELL, 3, 7), limit(ANN, BUY, 3, 7))
    assert events[-1][10:12] == (2, 140)


@pytest.mark.parametrize(("mode", "wanted"), [
    (SelfTrade.CANCEL_MAKER, ["ORDER_CANCELLED 1 10@10 SELF_TRADE", "TRADE 3 10@11"]),
    (SelfTrade.CANCEL_TAKER, ["ORDER_CANCELLED 3 15@12 SELF_TRADE"]),
    (SelfTrade.CANCEL_BOTH, ["ORDER_CANCELLED 1 10@10 SELF_TRADE",
                             "ORDER_CANCELLED 3 15@12 SELF_TRADE"]),
    (SelfTrade.ALLOW, ["TRADE 3 10@10", "TRADE 3 5@11"]),
])
def test_self_trade(subject, mode, wanted):
    house = SmallHouse(subject, mode).mark()
    house.do(limit(ANN, SELL, 10, 10), limit(BEN, SELL, 11, 10))
    assert house.story(limit(ANN, BUY, 12, 15)) == ["ORDER_PLACED 3 15@12"] + wanted


@pytest.mark.parametrize(("mode", "most"), [
    (SelfTrade.CANCEL_MAKER, 15), (SelfTrade.CANCEL_TAKER, 5), (SelfTrade.CANCEL_BOTH, 5),
    (SelfTrade.ALLOW, 25),
])
def test_fill_or_kill_counts_what_it_will_really_meet(subject, mode, most):
    house = SmallHouse(subject, mode).mark()
    house.do(limit(BEN, SELL, 10, 5), limit(ANN, SELL, 11, 10), limit(BEN, SELL, 12, 10))
    assert house.story(limit(ANN, BUY, 12, most + 1, FOK)) == [
        f"ORDER_PLACED 4 {most + 1}@12", f"ORDER_CANCELLED 4 {most + 1}@12 NOT_FILLED"]
    results, _ = house.do(limit(ANN, BUY, 12, most, FOK))
    assert results[0][1] == OrderStatus.FILLED


# 5 lots stand at 10 ticks, 1,000 units each; 10 more at 20 ticks, 2,000 units each.
@pytest.mark.parametrize(("budget", "filled", "status"), [
    (999, 0, OrderStatus.CANCELLED), (1_000, 1, OrderStatus.FILLED), (5_999, 5, OrderStatus.FILLED),
    (6_999, 5, OrderStatus.FILLED), (7_000, 6, OrderStatus.FILLED),
    (25_000, 15, OrderStatus.FILLED), (25_001, 15, OrderStatus.CANCELLED),
    (90_000, 15, OrderStatus.CANCELLED),
])
def test_buy_by_quote_amount(subject, budget, filled, status):
    house = SmallHouse(subject)
    house.do(limit(BEN, SELL, 10, 5), limit(BEN, SELL, 20, 10))
    results, _ = house.do(PlaceOrder(ANN, 1, BUY, MARKET, IOC, quote_amount=budget))
    cost = min(filled, 5) * 1_000 + max(filled - 5, 0) * 2_000
    assert results[0][1] == status and results[0][5:] == (filled, 0)
    assert subject.balance(ANN, 2) == (MONEY - cost, 0)


def test_market_buy_needs_exactly_what_its_fills_cost(subject):
    house = SmallHouse(subject)
    house.do(limit(ANN, SELL, 10, 20), Deposit(CAT, 2, 19_999, "1"))
    buy = PlaceOrder(CAT, 1, BUY, MARKET, IOC, qty=20)
    assert house.codes(buy, Deposit(CAT, 2, 1, "2"), buy) == ["NOT_ENOUGH_MONEY", "OK", "OK"]
    assert subject.balance(CAT, 2) == (0, 0)


def test_stops_run_buys_from_the_lowest_then_sells_from_the_highest(subject):
    house = SmallHouse(subject).mark()
    house.do(limit(ANN, SELL, 10, 5), limit(ANN, SELL, 12, 50),              # orders 1, 2
             PlaceOrder(BEN, 1, BUY, STOP_MARKET, IOC, qty=6, stop_price=10),    # 3
             PlaceOrder(BEN, 1, BUY, STOP_LIMIT, GTC, 9, 7, stop_price=9),       # 4
             PlaceOrder(BEN, 1, BUY, STOP_LIMIT, FOK, 12, 90, stop_price=9),     # 5
             PlaceOrder(BEN, 1, SELL, STOP_LIMIT, GTC, 30, 8, stop_price=11),    # 6
             PlaceOrder(BEN, 1, SELL, STOP_LIMIT, GTC, 31, 9, stop_price=12))    # 7
    # The last price goes to 10; the market buy takes it to 12, where the stop at 11 is not due.
    assert house.story(limit(BEN, BUY, 10, 5)) == [
        "ORDER_PLACED 8 5@10", "TRADE 8 5@10",
        "ORDER_TRIGGERED 4 7@9",
        "ORDER_TRIGGERED 5 90@12", "ORDER_CANCELLED 5 90@12 NOT_FILLED",
        "ORDER_TRIGGERED 3 6@0", "TRADE 3 6@12",
        "ORDER_TRIGGERED 7 9@31"]


def test_a_stop_that_is_due_on_arrival_triggers_at_once(subject):
    house = SmallHouse(subject).mark()
    house.do(limit(ANN, SELL, 10, 10), limit(BEN, BUY, 10, 5))
    assert house.story(PlaceOrder(CAT, 1, BUY, STOP_MARKET, IOC, qty=5, stop_price=10)) == [
        "ORDER_PLACED 3 5@0", "ORDER_TRIGGERED 3 5@0", "ORDER_CANCELLED 3 5@0 NO_MONEY"]
    assert house.story(PlaceOrder(BEN, 1, BUY, STOP_LIMIT, GTC, 10, 5, stop_price=9,
                                  flags=POST_ONLY)) == [
        "ORDER_PLACED 4 5@10", "ORDER_TRIGGERED 4 5@10", "ORDER_CANCELLED 4 5@10 CROSSED"]


def test_less_keeps_its_place_and_more_loses_it(subject):
    house = SmallHouse(subject).mark()
    house.do(limit(ANN, SELL, 10, 10), limit(BEN, SELL, 10, 10))
    first, second = house.seq_before + 1, house.seq_before + 2
    assert house.codes(AmendOrder(ANN, first, 0, 8), AmendOrder(BEN, second, 10, 11)) == ["OK"] * 2
    house.do(AmendOrder(ANN, first, 0, 9))
    assert house.story(limit(BEN, BUY, 10, 5, IOC)) == [
        "ORDER_PLACED 6 5@10", "ORDER_CANCELLED 2 11@10 SELF_TRADE", "TRADE 6 5@10"]
    results, _ = house.do(AmendOrder(ANN, first, 0, 5), AmendOrder(ANN, first, 11, 0))
    assert results[0] == (Result.BAD_QTY, 0, 0, 0, 0, 0, 0)
    assert results[1] == (Result.OK, OrderStatus.PARTIALLY_FILLED, 0, 0, first, 5, 4)


def test_client_id_again(subject):
    house = SmallHouse(subject)
    order = limit(ANN, BUY, 10, 10, client_id=b"mine")
    other = limit(ANN, BUY, 10, 11, client_id=b"mine")
    house.do(order)
    number = house.seq
    house.do(AmendOrder(ANN, number, 0, 9), limit(BEN, SELL, 10, 5))
    results, events = house.do(order, other, CancelOrder(ANN, client_id=b"mine"), order)
    assert results == [
        (Result.OK, OrderStatus.PARTIALLY_FILLED, 1, 0, number, 5, 4),
        (Result.CLIENT_ID_TAKEN, 0, 0, 0, 0, 0, 0),
        (Result.OK, OrderStatus.CANCELLED, 0, 0, number, 5, 4),
        (Result.OK, OrderStatus.CANCELLED, 1, 0, number, 5, 4)]
    assert len(events) == 1


def test_a_client_id_is_forgotten_after_10_000_closed_ones(subject):
    house = SmallHouse(subject)
    first = limit(ANN, BUY, 10, 5, IOC, client_id=b"0")
    house.do(first, *[limit(ANN, BUY, 10, 5, IOC, client_id=b"%d" % n) for n in range(1, 10_000)])
    results, _ = house.do(first, limit(ANN, BUY, 10, 5, IOC, client_id=b"10000"), first)
    assert [(result[2], result[4]) for result in results] == [
        (1, house.seq - 10_002), (0, house.seq - 1), (0, house.seq)]


def test_a_supply_reaches_the_last_unit(subject):
    house = SmallHouse(subject)
    assert house.codes(Deposit(CAT, 1, AMOUNT_MAX - 2 * MONEY + 1, "a"),
                       Deposit(CAT, 1, AMOUNT_MAX - 2 * MONEY, "b"), Deposit(CAT, 1, 1, "c")) == [
        "AMOUNT_TOO_LARGE", "OK", "AMOUNT_TOO_LARGE"]


def test_bars_are_recomputed_by_hand():
    day = bars.to_ns(bars.EPOCH.replace(year=2024, month=2, day=29))      # a Thursday
    trades = [(1, day, 10, 2, BUY), (2, day + 59 * bars.SECOND_NS, 7, 1, SELL),
              (3, day + 3 * bars.MINUTE_NS, 9, 4, BUY)]
    minutes = [bars.Bar(day, 10, 7, 10, 7, 3, 27, 2)]
    minutes += [bars.Bar(day + n * bars.MINUTE_NS, 7, 7, 7, 7, 0, 0, 0) for n in (1, 2)]
    minutes += [bars.Bar(day + 3 * bars.MINUTE_NS, 9, 9, 9, 9, 4, 36, 1)]
    assert bars.bars(trades, "1min", day + 3 * bars.MINUTE_NS) == minutes
    assert bars.bars(trades, "1min", day + 3 * bars.MINUTE_NS, 2) == minutes[2:]
    whole = (10, 9, 10, 7, 7, 63, 3)
    assert bars.bars(trades, "1w", day + bars.DAY_NS) == [(day - 3 * bars.DAY_NS, *whole)]
    assert bars.bars(trades, "1mon", day) == [(day - 28 * bars.DAY_NS, *whole)]


def test_a_short_campaign():
    """What the long form does is the same (tests/campaign)."""
    run = campaign.Campaign(seed=2)
    run.run(8_000, batches_per_checkpoint=50)
    assert run.model.seq >= 8_000 and run.checkpoints > 1


@pytest.mark.slow
def test_a_campaign_of_30_000_commands_meets_all_that_may_happen():
    run = campaign.Campaign(seed=1)
    run.run(30_000, batches_per_checkpoint=100)
    assert run.tally.missing() == []


@pytest.mark.slow
def test_a_campaign_finds_and_shrinks_a_fault(monkeypatch):
    """With a wrong rule in the model: it forgets client ids after 3 closed orders."""
    monkeypatch.setattr("tests.model.exchange.CLOSED_KEPT", 3)
    run = campaign.Campaign(seed=3)
    with pytest.raises(Disagreement):
        run.run(20_000, batches_per_checkpoint=25)
    steps = campaign.steps_until(3, run.model.seq)
    listings = len(run.workload.first_batch()[0])
    small = campaign.shrink(steps, listings)
    assert campaign.failure_of(small)
    # Four orders with a client id that close, and the first of them once more; some need a partner.
    assert len(small) - listings <= 10
