"""What a user did on the exchange router: past orders, deals, ledger entries, withdrawals.

Lists are newest first, at most `limit` (100, never more than 1,000) entries long; the smallest id
of a page, given as `before`, asks for the next one. `start` is included, `end` is not. Amounts are
texts.
"""

from api import times
from api.dialects.calls import Call, Refused, Routes, encode
from api.dialects.router_account import WITHDRAWAL_STATUS_NAMES
from api.dialects.router_trading import SIDE_NAMES, described
from api.numbers import InputError, text
from engine import Reason, Side, What

LIMIT_DEFAULT = 100
LIMIT_MAX = 1000
REASON_NAMES = {int(reason): reason.name.lower() for reason in Reason} | {0: ""}
ENTRY_NAMES = {int(what): what.name.lower() for what in What}

ROUTES = Routes()


@ROUTES.serves(reads=True)
async def get_order(call: Call) -> bytes:
    if call.has("order_id"):
        call.without(("client_id",), "is not for a question by order_id")
        field, order_id = "order_id", call.id("order_id")
    elif call.has("client_id"):
        field, client_id = "client_id", call.client_id("client_id")
        known = call.core.client_order(call.uid, client_id)
        order_id = known[0] if known is not None else 0
    else:
        raise InputError("order_id", "is missing, and so is client_id")
    order = await call.house.history.order(order_id) if order_id else None
    # Another user's order is as unknown as one that never was.
    if order is None or order.uid != call.uid:
        raise Refused(f"{field}: not an order of yours")
    return encode(_past(order, call))


@ROUTES.serves(reads=True)
async def get_order_history(call: Call) -> bytes:
    pair_number, (start_ns, end_ns) = call.pair_number(), _span(call)
    limit, before = _page(call)
    orders = await call.house.history.orders(call.uid, pair_number, start_ns, end_ns, limit, before)
    return encode([_past(order, call) for order in orders])


@ROUTES.serves(reads=True)
async def get_my_deals(call: Call) -> bytes:
    pair_number, (start_ns, end_ns) = call.pair_number(), _span(call)
    limit, before = _page(call)
    trades = await call.house.history.trades(call.uid, pair_number, start_ns, end_ns, limit, before)
    return encode([_deal(trade, fill, call) for trade in trades for fill in trade.fills(call.uid)])


@ROUTES.serves(reads=True)
async def get_ledger(call: Call) -> bytes:
    coin_number = call.coin_number()
    limit, before = _page(call)
    entries = await call.house.history.ledger(call.uid, coin_number, limit, before)
    return encode([_entry(entry, call) for entry in entries])


@ROUTES.serves(reads=True)
async def get_withdraw_record(call: Call) -> bytes:
    coin_number = call.coin_number()
    limit, before = _page(call)
    withdrawals = call.core.withdrawals.of_user(call.uid, coin_number, before, limit)
    return encode([_withdrawal(withdrawal, call) for withdrawal in withdrawals])


def _page(call: Call) -> tuple[int, int | None]:
    return call.limit(LIMIT_DEFAULT, LIMIT_MAX), call.id("before") if call.has("before") else None


def _span(call: Call) -> tuple[int | None, int | None]:
    """UTC nanoseconds of `start` and `end`, None where they are not given."""
    start_ns, end_ns = (times.read(field, call.given(field), call.shell.zone)
                        if call.has(field) else None for field in ("start", "end"))
    if start_ns is not None and end_ns is not None and end_ns < start_ns:
        raise InputError("end", "must not be before start")
    return start_ns, end_ns


def _past(order, call: Call) -> dict[str, object]:
    """An order as the history knows it, open or closed."""
    pair = call.core.pairs.get(order.pair)
    zone = call.shell.zone
    return described(order, pair, call.core) | {
        "filled": text(order.filled, pair.amount_scale),
        "remaining": text(order.remaining, pair.amount_scale),
        # Price times amount over its trades: what was paid or got before fees.
        "turnover": text(order.quote_filled, pair.price_scale + pair.amount_scale),
        "reason": REASON_NAMES[order.reason],
        "placed": times.text(order.placed_ns, zone),
        "closed": times.text(order.closed_ns, zone) if order.closed_ns else "",
    }


def _deal(trade, fill, call: Call) -> dict[str, object]:
    """One order's part in a trade; its fee is in the coin that it received."""
    pair = call.core.pairs.get(trade.pair)
    coins = call.core.coins
    received = coins.get(pair.base if fill.side == Side.BUY else pair.quote)
    return {
        "deal_id": trade.trade_id,
        "order_id": fill.order_id,
        "pair": pair.name,
        "side": SIDE_NAMES[fill.side],
        "role": "maker" if fill.is_maker else "taker",
        "price": text(trade.price, pair.price_scale),
        "amount": text(trade.qty, pair.amount_scale),
        "fee": text(fill.fee, received.scale),
        "fee_coin": received.name,
        "time": times.text(trade.ts_ns, call.shell.zone),
        "timetick": trade.ts_ns // times.NS_PER_MS,
    }


def _entry(entry, call: Call) -> dict[str, object]:
    coin = call.core.coins.get(entry.coin)
    return {
        "id": entry.entry_id,
        "coin": coin.name,
        "amount": text(entry.amount, coin.scale),
        "type": ENTRY_NAMES[entry.what],
        "reference": entry.ref,
        "time": times.text(entry.ts_ns, call.shell.zone),
    }


def _withdrawal(withdrawal, call: Call) -> dict[str, object]:
    coin = call.core.coins.get(withdrawal.coin)
    return {
        "withdraw_id": withdrawal.id,
        "coin": coin.name,
        "amount": text(withdrawal.amount, coin.scale),
        "fee": text(withdrawal.fee, coin.scale),
        "address": withdrawal.address,
        "status": WITHDRAWAL_STATUS_NAMES[withdrawal.status],
        "txid": withdrawal.txid or "",
        "request_id": withdrawal.request_id or "",
        "time": times.text(withdrawal.requested_ns, call.shell.zone),
    }
