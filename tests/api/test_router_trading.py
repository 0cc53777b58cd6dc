"""Orders and market prices of the exchange router over HTTP, against the core's own numbers."""

import asyncio
import json
import time
from datetime import datetime
from decimal import Decimal

import pytest

from api.config import Limits
from api.dialects.router_history import ENTRY_NAMES
from engine import OrderType, Side, Tif

USDT = 10**8
BTC = 10**8


def with_traders(house):
    """A house with two more users who have money."""
    names = (f"{name} {len(house.house.core.users)}" for name in ("alice", "bob"))
    house.alice = house.new_user(next(names), USDT=1_000_000 * USDT)
    house.bob = house.new_user(next(names), BTC=100 * BTC)
    return house


@pytest.fixture
def market(house):
    """The house with nobody's orders, and two new users who have money."""
    yield with_traders(house)
    for user in (house.alice, house.bob):
        house.done("cancel_all", user.token)


@pytest.fixture
def fresh(own_house):
    """A house of its own that has seen no trade, with two users who have money."""
    return with_traders(own_house())


def buy(house, amount, price, **more):
    return house.done("buy", house.alice.token, pair="BTC/USDT", amount=amount, price=price, **more)


def sell(house, amount, price, **more):
    return house.done("sell", house.bob.token, pair="BTC/USDT", amount=amount, price=price, **more)


def test_an_order_rests_and_trades(market):
    resting = buy(market, "1.5", "50000.10")
    assert resting == {"order_id": resting["order_id"], "filled": "0", "remaining": "1.5",
                       "status": "open"}
    taking = sell(market, "0.5", "50000.1")
    assert (taking["filled"], taking["remaining"], taking["status"]) == ("0.5", "0", "filled")
    # 0.5 × 50000.10 frozen less is paid; 0.2 % of what is received is the fee.
    coins = market.done("get_user_coin", market.alice.token)
    assert coins["BTC"] == {"available": "0.499", "frozen": "0", "total": "0.499"}
    assert coins["USDT"] == {"available": "924999.85", "frozen": "50000.1", "total": "974999.95"}
    coins = market.done("get_user_coin", market.bob.token)
    assert coins["USDT"]["available"] == "24950.0499"
    assert coins["BTC"]["total"] == "99.5"


def test_numbers_are_exact_in_every_form(market):
    for body in ('{"pair": "BTC/USDT", "amount": 0.000001, "price": 50000.01}',
                 '{"pair": "BTC/USDT", "amount": "1e-6", "price": 5.000001e4}',
                 '{"router": "buy", "pair": "BTC/USDT", "amount": 1E-6, "price": "50000.010"}'):
        envelope = market.envelope("POST", "/router?router=buy", body,
                                   {"session": market.alice.token})
        assert envelope["data"]["remaining"] == "0.000001", envelope
    orders = market.done("get_open_orders", market.alice.token)
    assert [(order["price"], order["amount"]) for order in orders] == [("50000.01", "0.000001")] * 3


def test_open_orders_say_when_they_were_placed(fresh, own_house):
    before = int(time.time())
    placed = [buy(fresh, "1", price)["order_id"] for price in ("10", "11", "12")]
    orders = fresh.done("get_open_orders", fresh.alice.token)
    assert [order["order_id"] for order in orders] == placed[::-1]
    for order in orders:
        past = fresh.done("get_order", fresh.alice.token, order_id=order["order_id"])
        assert order["placed"] == past["placed"]
        at = datetime.strptime(order["placed"] + " +0800", "%Y-%m-%d %H:%M:%S %z")
        assert before <= at.timestamp() <= time.time()
    fresh.close()
    again = own_house()
    assert again.done("get_open_orders", fresh.alice.token) == orders


def test_many_open_orders_arrive_whole_and_in_pages(fresh):
    count = 20_000

    async def place_all():
        answers = [fresh.house.place_order(fresh.bob.uid, 1, Side.SELL, OrderType.LIMIT, Tif.GTC,
                                           price=1_000 + number, qty=1)
                   for number in range(count)]
        return [reply.order_id for reply in await asyncio.gather(*answers)]

    placed = fresh.run(place_all())
    orders = fresh.done("get_open_orders", fresh.bob.token)
    assert [order["order_id"] for order in orders] == placed[::-1]
    pages, before = [], {}
    while page := fresh.done("get_open_orders", fresh.bob.token, limit=999, pair="BTC/USDT",
                             **before):
        pages += page
        before = {"before": page[-1]["order_id"]}
    assert pages == orders
    assert "limit: " in fresh.refused("get_open_orders", fresh.bob.token, limit=1001)


def test_types(market):
    sell(market, "1", "100")
    sell(market, "1", "101")
    assert buy_market(market, amount="0.5")["status"] == "filled"
    assert buy_market(market, quote_amount="60")["filled"] == "0.599009"
    assert "price: " in market.refused("buy", market.alice.token, pair="BTC/USDT", type="market",
                                       amount="1", price="1")
    assert "quote_amount: " in market.refused("sell", market.bob.token, pair="BTC/USDT",
                                              type="market", quote_amount="1")
    assert "amount: " in market.refused("buy", market.alice.token, pair="BTC/USDT", type="market",
                                        quote_amount="1", amount="1")
    stop = buy(market, "1", "120", type="stop_limit", stop_price="110")
    assert stop["status"] == "waiting"
    stop = market.done("sell", market.bob.token, pair="BTC/USDT", amount="1", type="stop_market",
                       stop_price="90")
    assert stop["status"] == "waiting"
    assert market.refused("sell", market.bob.token, pair="BTC/USDT", amount="1",
                          type="stop_market") == "stop_price: is missing"
    assert "stop_price: " in market.refused("buy", market.alice.token, pair="BTC/USDT", amount="1",
                                            price="1", stop_price="2")
    assert buy(market, "9", "50", tif="IOC")["status"] == "cancelled"
    assert buy(market, "9", "101", tif="FOK")["status"] == "cancelled"
    assert "post_only" in market.refused("buy", market.alice.token, pair="BTC/USDT", amount="1",
                                         price="101", post_only="true")
    assert buy(market, "1", "99", post_only="1")["status"] == "open"


def buy_market(house, **size):
    return house.done("buy", house.alice.token, pair="BTC/USDT", type="market", **size)


def test_client_ids(market):
    first = buy(market, "1", "10", client_id="mine/1")
    assert buy(market, "1", "10", client_id="mine/1") == first
    assert "client_id: taken" in market.refused("buy", market.alice.token, pair="BTC/USDT",
                                                amount="2", price="10", client_id="mine/1")
    assert market.refused("cancel_order", market.bob.token,
                          client_id="mine/1") == "client_id: not an open order of yours"
    assert market.done("cancel_order", market.alice.token,
                       client_id="mine/1")["status"] == "cancelled"
    assert market.done("get_order", market.alice.token, client_id="mine/1")["reason"] == "by_user"
    assert buy(market, "1", "10", client_id="mine/1")["status"] == "cancelled"


def test_amend_and_cancel(market):
    order_id = buy(market, "1", "10")["order_id"]
    amended = market.done("amend_order", market.alice.token, order_id=order_id, amount="0.4")
    assert amended == {"order_id": order_id, "filled": "0", "remaining": "0.4", "status": "open"}
    assert "price: " in market.refused("amend_order", market.alice.token, order_id=order_id)
    for router, more in (("amend_order", {"price": "11"}), ("cancel_order", {}), ("get_order", {})):
        assert "order_id: " in market.refused(router, market.bob.token, order_id=order_id, **more)
    assert market.refused("cancel_order", market.alice.token, order_id=order_id,
                          pair="ORE/USDT").startswith("order_id: ")
    assert market.done("cancel_order", market.alice.token, order_id=order_id,
                       pair="BTC/USDT")["remaining"] == "0.4"
    assert "order_id: " in market.refused("cancel_order", market.alice.token, order_id=order_id)
    buy(market, "1", "10")
    buy(market, "1", "11")
    market.done("buy", market.alice.token, pair="ORE/USDT", amount="1", price="1")
    assert market.done("cancel_all", market.alice.token, pair="BTC/USDT") == {"count": 2}
    assert market.done("cancel_all", market.alice.token) == {"count": 1}
    assert market.done("get_open_orders", market.alice.token) == []


def test_depth_deals_and_prices(fresh):
    for price in ("100", "99.5", "98"):
        buy(fresh, "1", price)
    sell(fresh, "0.25", "99.5")
    answer = fresh.request("GET", "/router?router=get_depth&pair=BTC/USDT&limit=2")
    # Numbers with exact digits, not a float's.
    assert b'"bid":[[100,0.75],[99.5,1]],"ask":[]' in answer.body
    deals = fresh.done("get_deal_record", pair="BTC/USDT")
    assert [deal[:2] for deal in deals] == [[100, 0.25]]
    sell(fresh, "1", "99")
    prices = [deal[0] for deal in fresh.done("get_deal_record", pair="BTC/USDT")]
    assert prices == [99.5, 100, 100]
    assert fresh.done("get_coin", pair="BTC/USDT") == ["BTC/USDT", "99.5", "1.25", "-0.5", "100"]
    rank = fresh.done("get_rank")
    assert [row["name"] for row in rank] == ["BCH/USDT", "ORE/USDT", "BTC/USDT"]
    assert rank[2] == {"name": "BTC/USDT", "price": "99.5", "amount": "1.25", "increase": "-0.5"}
    bars = fresh.done("get_coin_k_line", pair="BTC/USDT", interval="1d")
    assert bars[-1] == {"open": "100", "close": "99.5", "max": "100", "min": "99.5",
                        "timetick": bars[-1]["timetick"], "amount": "1.25"}
    minutes = fresh.done("get_coin_k_line", pair="BTC/USDT", interval="")
    assert sum(Decimal(bar["amount"]) for bar in minutes) == Decimal("1.25")
    assert int(minutes[-1]["timetick"]) % 60_000 == 0
    closes = fresh.done("get_simple_k_line", pair="BTC/USDT")
    assert len(closes) == 48 and closes[-1] == "99.5"


def test_what_was_is_found(market):
    bought = buy(market, "2", "100", client_id="old")
    sold = sell(market, "0.5", "90")
    order = market.done("get_order", market.alice.token, order_id=bought["order_id"])
    del order["order_id"], order["placed"]
    assert order == {
        "client_id": "old", "pair": "BTC/USDT", "side": "buy", "type": "limit", "tif": "GTC",
        "post_only": False, "price": "100", "stop_price": "", "amount": "2", "quote_amount": "",
        "filled": "0.5", "remaining": "1.5", "turnover": "50", "status": "partially_filled",
        "reason": "", "closed": ""}
    history = market.done("get_order_history", market.bob.token, pair="BTC/USDT")
    assert [(row["order_id"], row["status"]) for row in history] == [(sold["order_id"], "filled")]
    deal, = market.done("get_my_deals", market.alice.token)
    assert (deal["order_id"], deal["role"], deal["price"], deal["amount"], deal["fee"],
            deal["fee_coin"]) == (bought["order_id"], "maker", "100", "0.5", "0.001", "BTC")
    deal, = market.done("get_my_deals", market.bob.token, start="2020-01-01 00:00:00")
    assert (deal["side"], deal["role"]) == ("sell", "taker")
    assert (deal["fee"], deal["fee_coin"]) == ("0.1", "USDT")
    assert market.done("get_my_deals", market.bob.token, end="2020-01-01 00:00:00") == []
    assert "end: " in market.refused("get_my_deals", market.bob.token, start="2", end="1")
    entries = market.done("get_ledger", market.alice.token, coin="BTC")
    assert sorted((entry["type"], entry["amount"]) for entry in entries) == [
        ("fee", "-0.001"), ("trade", "0.5")]
    entries = market.done("get_ledger", market.bob.token)
    of_btc = [Decimal(entry["amount"]) for entry in entries if entry["coin"] == "BTC"]
    assert sum(of_btc) == Decimal("99.5")
    page = market.done("get_ledger", market.bob.token, limit=1)
    assert page == entries[:1]
    assert market.done("get_ledger", market.bob.token, before=page[0]["id"]) == entries[1:]


def test_names_of_ledger_entries_are_complete():
    assert ENTRY_NAMES == {1: "trade", 2: "fee", 3: "deposit", 4: "withdrawal",
                           5: "withdrawal_fee", 6: "credit", 7: "debit", 8: "transfer",
                           9: "extract", 10: "earning", 11: "commission"}


def test_get_and_post_take_parameters_from_everywhere(market):
    headers = {"session": market.alice.token}
    assert market.envelope("GET", "/router", "router=get_coin&pair=BTC%2FUSDT")["status"]
    assert market.envelope("GET", "/router", '{"router": "get_coin", "pair": "BTC/USDT"}')["status"]
    for path, body in (("/router?router=buy&pair=BTC/USDT", "amount=1&price=1"),
                       ("/router?router=buy&amount=1", '{"pair": "BTC/USDT", "price": 1}'),
                       ("/router?router=buy&amount=1&price=1&pair=BTC/USDT", None)):
        assert market.envelope("POST", path, body, headers)["status"]
    form = ("--x\r\nContent-Disposition: form-data; name=\"price\"\r\n\r\n1\r\n--x--\r\n")
    assert market.envelope("POST", "/router?router=buy&amount=1&pair=BTC/USDT", form,
                           headers | {"Content-Type": "multipart/form-data; boundary=x"})["status"]
    refused = market.envelope("POST", "/router?router=buy&amount=1&price=2", "price=3", headers)
    assert refused["description"] == "price: is given twice with different values"


def test_orders_of_a_user_can_be_limited(own_house):
    house = own_house(limits=Limits(orders_per_second=3, open_orders_per_user=2))
    alice = house.new_user("alice", USDT=USDT)
    order = {"pair": "BTC/USDT", "amount": "0.001", "price": "1"}
    descriptions = [house.call("buy", alice.token, **order)["description"] for _ in range(20)]
    assert descriptions[:3] == ["", "", "too many open orders"]
    assert any(text == "too many orders: at most 3 a second" for text in descriptions)


def test_json_replies_are_whole_on_a_kept_connection(market):
    """The direct reply has its own head: two answers must come one after the other, both whole."""
    import socket
    request = (b"GET /router?router=get_coin&pair=BTC/USDT HTTP/1.1\r\nHost: x\r\n\r\n"
               b"HEAD /router?router=get_rank HTTP/1.1\r\nHost: x\r\n\r\n"
               b"GET /router?router=get_coin&pair=BCH/USDT HTTP/1.0\r\n\r\n")
    with socket.create_connection(("127.0.0.1", market.port)) as client:
        client.sendall(request)
        answer = b""
        while part := client.recv(65536):
            answer += part
    first, second, third = answer.split(b"HTTP/1.")[1:]
    assert json.loads(first.partition(b"\r\n\r\n")[2])["data"][0] == "BTC/USDT"
    assert second.partition(b"\r\n\r\n")[2] == b""
    assert json.loads(third.partition(b"\r\n\r\n")[2])["data"][0] == "BCH/USDT"
