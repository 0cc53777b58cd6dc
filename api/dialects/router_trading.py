"""Orders of the exchange router: place, cancel, amend, and the open ones.

The amounts and prices of an order are read with the scales of its pair, and a parameter that its
type does not use is refused. Whether an order may be placed is the core's to say (docs/core.md).
"""

import asyncio

from api import times
from api.dialects.calls import Call, Refused, Routes, accepted, encode
from api.numbers import InputError, text
from engine import OrderFlag, OrderStatus, OrderType, Side, Tif, turn

BUY, SELL = int(Side.BUY), int(Side.SELL)
LIMIT, MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
STOP_LIMIT, STOP_MARKET = int(OrderType.STOP_LIMIT), int(OrderType.STOP_MARKET)
GTC, IOC = int(Tif.GTC), int(Tif.IOC)
POST_ONLY = int(OrderFlag.POST_ONLY)

TYPES = {"limit": LIMIT, "market": MARKET, "stop_limit": STOP_LIMIT, "stop_market": STOP_MARKET}
TIFS = {"GTC": GTC, "IOC": IOC, "FOK": int(Tif.FOK)}
SIDE_NAMES = {BUY: "buy", SELL: "sell"}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
TIF_NAMES = {number: name for name, number in TIFS.items()}
STATUS_NAMES = {int(status): status.name.lower() for status in OrderStatus}

OPEN_ORDERS_MAX = 1000          # of a page; without a limit all are given
OPEN_ORDERS_AT_ONCE = 200
ALL = 1 << 32                    # more than a house can have

ROUTES = Routes()


@ROUTES.serves()
async def buy(call: Call) -> bytes:
    return await _place(call, BUY)


@ROUTES.serves()
async def sell(call: Call) -> bytes:
    return await _place(call, SELL)


@ROUTES.serves()
async def cancel_order(call: Call) -> bytes:
    pair_number = call.pair_number()
    if call.has("order_id"):
        call.without(("client_id",), "is not for a cancellation by order_id")
        order_id, client_id = call.id("order_id"), None
    elif call.has("client_id"):
        order_id, client_id = 0, call.client_id("client_id")
    else:
        raise InputError("order_id", "is missing, and so is client_id")
    pair = _pair_of_open(call, order_id, client_id)
    reply = accepted(await call.house.cancel_order(
        call.uid, order_id, pair_number, client_id.encode() if client_id else None))
    return _state(reply, pair.amount_scale)


@ROUTES.serves()
async def cancel_all(call: Call) -> bytes:
    reply = accepted(await call.house.cancel_all(call.uid, call.pair_number()))
    return b'{"count":%d}' % reply.count


@ROUTES.serves()
async def amend_order(call: Call) -> bytes:
    pair_number = call.pair_number()
    order_id = call.id("order_id")
    pair = _pair_of_open(call, order_id, None)
    price = call.number("price", pair.price_scale) if call.has("price") else 0
    qty = call.number("amount", pair.amount_scale) if call.has("amount") else 0
    if not price and not qty:
        raise InputError("price", "is missing, and so is amount: one must change")
    _count_against_rate(call)
    reply = accepted(await call.house.amend_order(call.uid, order_id, price, qty, pair_number))
    return _state(reply, pair.amount_scale)


@ROUTES.serves(reads=True)
async def get_open_orders(call: Call) -> bytes:
    orders = []
    pair = call.pair_number()
    before = call.id("before") if call.has("before") else 0
    wanted = call.limit(ALL, OPEN_ORDERS_MAX)
    while len(orders) < wanted:
        page = call.core.open_orders(call.uid, pair, before,
                                     min(OPEN_ORDERS_AT_ONCE, wanted - len(orders)))
        if not page:
            break
        orders += page
        before = page[-1].order_id
        # A user may have a hundred thousand: the others' orders go in between.
        await turn()
    # Only what is on disk has a time that stays.
    await call.house.settled()
    placed_ns = await call.house.placed_ns([order.order_id for order in orders])
    shown = []
    for start in range(0, len(orders), OPEN_ORDERS_AT_ONCE):
        shown += [encode(_open(order, placed_ns.get(order.order_id), call))
                  for order in orders[start:start + OPEN_ORDERS_AT_ONCE]]
        await turn()
    return b"[%b]" % b",".join(shown)


async def _place(call: Call, side: int) -> bytes:
    pair = call.pair()
    order_type = call.choice("type", TYPES) if call.has("type") else LIMIT
    if order_type == LIMIT or order_type == STOP_LIMIT:
        price = call.number("price", pair.price_scale)
        tif = GTC
    else:
        call.without(("price",), "is not for a market order")
        price = 0
        tif = IOC
    qty, quote_amount = _size(call, pair, side, order_type)
    stop_price = 0
    flags = 0
    client_id = None
    # The plain limit order, which is nearly every order, has these three parameters and `router`.
    if len(call.parameters) > 4:
        if order_type == STOP_LIMIT or order_type == STOP_MARKET:
            stop_price = call.number("stop_price", pair.price_scale)
        else:
            call.without(("stop_price",), "is only for stop orders")
        if call.has("tif"):
            tif = call.choice("tif", TIFS)
        if call.flag("post_only"):
            flags = POST_ONLY
        client_id = call.client_id("client_id")
        client_id = client_id.encode() if client_id else None
    elif order_type != LIMIT and order_type != MARKET:
        raise InputError("stop_price", "is missing")
    _count_against_rate(call)
    reply = accepted(await call.house.place_order(
        call.uid, pair.number, side, order_type, tif, flags, price, qty, quote_amount, stop_price,
        client_id))
    return _state(reply, pair.amount_scale)


def _size(call: Call, pair, side: int, order_type: int) -> tuple[int, int]:
    """(qty in lots, quote amount in the quote coin's units): one of them, the other 0."""
    if not call.has("quote_amount"):
        return call.number("amount", pair.amount_scale), 0
    if side != BUY or order_type not in (MARKET, STOP_MARKET):
        raise InputError("quote_amount", "is only for a market buy")
    call.without(("amount",), "is not for a buy by quote_amount")
    return 0, call.number("quote_amount", call.core.coins.get(pair.quote).scale)


def _count_against_rate(call: Call) -> None:
    rate = call.shell.order_rate
    if rate.per_second and not rate.take(call.uid, asyncio.get_running_loop().time()):
        raise Refused(f"too many orders: at most {rate.per_second} a second")


def _pair_of_open(call: Call, order_id: int, client_id: str | None):
    """The pair of an open order of the caller's, for its scales; Refused when there is none."""
    field = "order_id"
    if client_id is not None:
        field = "client_id"
        known = call.core.client_order(call.uid, client_id)
        order_id = known[0] if known is not None else 0
    order = call.core.order(order_id) if order_id else None
    if order is None or order.uid != call.uid:
        raise Refused(f"{field}: not an open order of yours")
    return call.core.pairs.get(order.pair)


def _state(reply, amount_scale: int) -> bytes:
    """What an order has come to, as every order call answers."""
    return (f'{{"order_id":{reply.order_id},"filled":"{text(reply.filled, amount_scale)}",'
            f'"remaining":"{text(reply.remaining, amount_scale)}",'
            f'"status":"{STATUS_NAMES[reply.status]}"}}').encode()


def _open(order, placed_ns: int | None, call: Call) -> dict[str, object]:
    """An open order; what it does not have is an empty text."""
    pair = call.core.pairs.get(order.pair)
    filled = order.qty - order.remaining if order.qty else 0
    return described(order, pair, call.core) | {
        "filled": text(filled, pair.amount_scale),
        "remaining": text(order.remaining, pair.amount_scale),
        "placed": times.text(placed_ns, call.shell.zone) if placed_ns is not None else "",
    }


def described(order, pair, core) -> dict[str, object]:
    """What open and past orders have in common, in the pair's decimals."""
    quote_scale = core.coins.get(pair.quote).scale
    return {
        "order_id": order.order_id,
        "client_id": order.client_id or "",
        "pair": pair.name,
        "side": SIDE_NAMES[order.side],
        "type": TYPE_NAMES[order.type],
        "tif": TIF_NAMES[order.tif],
        "post_only": bool(order.flags & POST_ONLY),
        "price": text(order.price, pair.price_scale) if order.price else "",
        "stop_price": text(order.stop_price, pair.price_scale) if order.stop_price else "",
        "amount": text(order.qty, pair.amount_scale) if order.qty else "",
        "quote_amount": text(order.quote_amount, quote_scale) if order.quote_amount else "",
        "status": STATUS_NAMES[order.status],
    }
