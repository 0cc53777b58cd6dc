"""A user's open orders come in pages that leave out nothing and repeat nothing."""

import pytest

from engine import commands
from engine.codes import Kind, OrderType, SelfTrade, Side, Tif
from engine.core import Core


def house_of_orders(count: int) -> Core:
    """One user with `count` bids, every third on another pair."""
    core = Core()
    records = [commands.cold(Kind.ADD_COIN, {"name": name, "title": name, "type": "coin",
                                             "scale": 0}) for name in ("A", "B", "C")]
    for name in ("A/B", "C/B"):
        records.append(commands.cold(Kind.ADD_PAIR, {
            "name": name, "price_scale": 0, "amount_scale": 0, "min_qty": 1, "maker_fee_ppm": 0,
            "taker_fee_ppm": 0, "self_trade": int(SelfTrade.ALLOW)}))
    records.append(commands.cold(Kind.REGISTER_USER, {
        "username": "alice", "password_hash": "x", "group": 2}))
    records.append(commands.cold(Kind.DEPOSIT, {"uid": 1, "coin": 2, "amount": 10**9, "txid": "t"}))
    records += [commands.place_order(1, 2 if n % 3 == 0 else 1, Side.BUY, OrderType.LIMIT, Tif.GTC,
                                     price=n + 1, qty=1) for n in range(count)]
    core.apply(b"".join(records), 1, 1)
    return core


@pytest.mark.parametrize("pair", [0, 1, 2])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_are_the_whole_list(pair, size):
    core = house_of_orders(50)
    whole = core.open_orders(1, pair)
    assert [order.order_id for order in whole] == sorted((o.order_id for o in whole), reverse=True)
    paged, before = [], 0
    while page := core.open_orders(1, pair, before, size):
        assert len(page) <= size
        paged += page
        before = page[-1].order_id
    assert paged == whole and len(whole) == {0: 50, 1: 33, 2: 17}[pair]


def test_a_page_goes_on_behind_an_order_that_has_closed():
    core = house_of_orders(9)
    page = core.open_orders(1, 0, 0, 4)
    rest = core.open_orders(1)[4:]
    core.apply(commands.cancel_order(1, page[-1].order_id), core.seq + 1, core.ts_ns + 1)
    assert core.open_orders(1, 0, page[-1].order_id) == rest
    assert core.open_orders(1, 0, 0, 0) == []
