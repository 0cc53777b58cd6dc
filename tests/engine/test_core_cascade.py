"""Commands that move very much at once: cascades of stops, a long CANCEL_ALL. Memory moves too."""

import numpy as np
import pytest

from engine.codes import Kind, OrderStatus, Result, SelfTrade
from engine.commands import RESULT_DTYPE, cancel_all, cold, place_order
from engine.core import Core

STOPS = 30_000
LIMIT, STOP_LIMIT, STOP_MARKET = 1, 3, 4
GTC, IOC = 1, 2
BUY, SELL = 1, 2
WATCHER, MAKER, STARTER = 1, 2, 3


@pytest.fixture
def send():
    """A function that applies records as one batch to a house of three rich users; its results."""
    core = Core()

    def apply(*records):
        outcome = core.apply(b"".join(records), core.seq + 1, 1)
        core.check()
        return np.frombuffer(outcome.results, RESULT_DTYPE).copy()

    apply.core = core
    opened = apply(
        *(cold(Kind.ADD_COIN, {"name": name, "title": name, "type": "coin", "scale": 8})
          for name in ("AAA", "USD")),
        cold(Kind.ADD_PAIR, {"name": "AAA/USD", "price_scale": 2, "amount_scale": 4, "min_qty": 1,
                             "maker_fee_ppm": 0, "taker_fee_ppm": 0,
                             "self_trade": int(SelfTrade.CANCEL_MAKER)}),
        *(cold(Kind.REGISTER_USER, {"username": f"user{uid}", "password_hash": "x", "group": 2})
          for uid in (WATCHER, MAKER, STARTER)),
        *(cold(Kind.DEPOSIT, {"uid": uid, "coin": coin, "amount": 2**60, "txid": "1"})
          for uid in (WATCHER, MAKER, STARTER) for coin in (1, 2)))
    assert (opened["code"] == Result.OK).all()
    return apply


def test_each_stop_triggers_the_next(send):
    """A stop buys at the price that makes the next one due, from end to end of the book."""
    assert (send(*(place_order(WATCHER, 1, BUY, STOP_LIMIT, GTC, price=101 + i, qty=2,
                               stop_price=100 + i) for i in range(STOPS)))["code"] == 1).all()
    assert (send(*(place_order(MAKER, 1, SELL, LIMIT, GTC, price=100 + i, qty=2)
                   for i in range(STOPS + 1)))["code"] == 1).all()
    (row,) = send(place_order(STARTER, 1, BUY, LIMIT, GTC, price=100, qty=2))
    # Its own trade is counted, those of the stops are not.
    assert (row["status"], row["count"]) == (OrderStatus.FILLED, 1)
    assert send.core.exchange.trade_count == STOPS + 1
    assert send.core.bars(1).last_price == 100 + STOPS
    assert len(send.core.exchange.orders) == 0
    assert send.core.balance(WATCHER, 1) == (2**60 + 2 * STOPS * 10**4, 0)


def test_all_stops_of_one_price_are_triggered_by_one_trade(send):
    send(*(place_order(WATCHER, 1, SELL if i % 2 else BUY, STOP_MARKET, IOC, qty=2, stop_price=100)
           for i in range(STOPS)))
    send(place_order(MAKER, 1, SELL, LIMIT, GTC, price=100, qty=2))
    send(place_order(STARTER, 1, BUY, LIMIT, GTC, price=100, qty=2))
    # Nobody is left to trade with: each is cancelled, and what the sellers held is theirs again.
    assert len(send.core.exchange.orders) == 0
    assert send.core.balance(WATCHER, 1) == (2**60, 0)


def test_one_command_cancels_all_that_wait_and_rest(send):
    send(*(place_order(WATCHER, 1, BUY, LIMIT if i % 2 else STOP_LIMIT, GTC, price=1 + i % 999,
                       qty=1, stop_price=0 if i % 2 else 2_000 + i % 7) for i in range(STOPS)))
    assert send.core.balance(WATCHER, 2)[1] > 0
    (row,) = send(cancel_all(WATCHER))
    assert (row["code"], row["count"]) == (Result.OK, STOPS)
    assert send.core.balance(WATCHER, 2) == (2**60, 0)
    assert send.core.depth(1, 10) == ([], [])
