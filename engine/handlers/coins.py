"""Listing coins and pairs, opening and halting trade, the limits of the house."""

import re

from engine.codes import Kind, PairStatus, Result, SelfTrade
from engine.handlers.checks import AMOUNT_MAX, is_text
from ledger.listings import COINS_MAX, PAIRS_MAX, SCALE_MAX

COIN_NAME = re.compile(r"[A-Z0-9]{1,16}")
FEE_RATE_PPM_MAX = 999_999
OPEN_ORDERS_MAX = 2**32 - 1
SELF_TRADES = frozenset(int(rule) for rule in SelfTrade)
PAIR_STATUSES = frozenset(int(status) for status in PairStatus)


def add_coin(core, ts_ns, seq, args):
    """BAD_NAME, BAD_TITLE, BAD_TYPE, BAD_SCALE, BAD_FEE, COIN_EXISTS, TOO_MANY_COINS."""
    name, scale, withdraw_fee = args["name"], args["scale"], args.get("withdraw_fee") or 0
    if COIN_NAME.fullmatch(name) is None:
        return Result.BAD_NAME
    if not is_text(args["title"], 1, 64):
        return Result.BAD_TITLE
    if not is_text(args["type"], 1, 32):
        return Result.BAD_TYPE
    if not 0 <= scale <= SCALE_MAX:
        return Result.BAD_SCALE
    if not 0 <= withdraw_fee <= AMOUNT_MAX:
        return Result.BAD_FEE
    if core.coins.by_name(name) is not None:
        return Result.COIN_EXISTS
    if len(core.coins) >= COINS_MAX:
        return Result.TOO_MANY_COINS
    coin = core.coins.add(name, args["title"], args["type"], scale, withdraw_fee)
    core.open_coin(coin.number)
    return Result.OK, coin.number


def add_pair(core, ts_ns, seq, args):
    """BAD_NAME, UNKNOWN_COIN, BAD_SCALE, BAD_QTY, BAD_FEE, BAD_SELF_TRADE, PAIR_EXISTS,
    TOO_MANY_PAIRS."""
    name, price_scale, amount_scale = args["name"], args["price_scale"], args["amount_scale"]
    base_name, separator, quote_name = name.partition("/")
    if not separator or base_name == quote_name:
        return Result.BAD_NAME
    if any(COIN_NAME.fullmatch(part) is None for part in (base_name, quote_name)):
        return Result.BAD_NAME
    base, quote = core.coins.by_name(base_name), core.coins.by_name(quote_name)
    if base is None or quote is None:
        return Result.UNKNOWN_COIN
    if not 0 <= amount_scale <= base.scale:
        return Result.BAD_SCALE
    # So that price x amount is a whole number of the quote coin's units.
    if price_scale < 0 or price_scale + amount_scale > quote.scale:
        return Result.BAD_SCALE
    # A minimum above every amount there can be would list a pair nobody can trade.
    if not 1 <= args["min_qty"] <= AMOUNT_MAX // 10 ** (base.scale - amount_scale):
        return Result.BAD_QTY
    if not 0 <= args["maker_fee_ppm"] <= FEE_RATE_PPM_MAX:
        return Result.BAD_FEE
    if not 0 <= args["taker_fee_ppm"] <= FEE_RATE_PPM_MAX:
        return Result.BAD_FEE
    if args["self_trade"] not in SELF_TRADES:
        return Result.BAD_SELF_TRADE
    if core.pairs.by_name(name) is not None:
        return Result.PAIR_EXISTS
    if len(core.pairs) >= PAIRS_MAX:
        return Result.TOO_MANY_PAIRS
    pair = core.pairs.add(name, base.number, quote.number, price_scale, amount_scale,
                          args["min_qty"], args["maker_fee_ppm"], args["taker_fee_ppm"],
                          args["self_trade"], int(PairStatus.TRADING),
                          base_unit=10 ** (base.scale - amount_scale),
                          quote_unit=10 ** (quote.scale - price_scale - amount_scale))
    core.open_pair(pair)
    return Result.OK, pair.number


def set_pair_status(core, ts_ns, seq, args):
    """UNKNOWN_PAIR, BAD_STATUS."""
    pair = core.pairs.get(args["pair"])
    if pair is None:
        return Result.UNKNOWN_PAIR
    if args["status"] not in PAIR_STATUSES:
        return Result.BAD_STATUS
    pair.status = args["status"]
    core.set_pair_status(pair.number, pair.status)
    return Result.OK


def set_limits(core, ts_ns, seq, args):
    """BAD_LIMIT."""
    if not 0 <= args["open_orders_per_user"] <= OPEN_ORDERS_MAX:
        return Result.BAD_LIMIT
    core.set_limits(args["open_orders_per_user"])
    return Result.OK


HANDLERS = {
    Kind.ADD_COIN: add_coin,
    Kind.ADD_PAIR: add_pair,
    Kind.SET_PAIR_STATUS: set_pair_status,
    Kind.SET_LIMITS: set_limits,
}
FIELDS = {
    Kind.ADD_COIN: {"name": str, "title": str, "type": str, "scale": int,
                    "withdraw_fee": int | None},
    Kind.ADD_PAIR: {"name": str, "price_scale": int, "amount_scale": int, "min_qty": int,
                    "maker_fee_ppm": int, "taker_fee_ppm": int, "self_trade": int},
    Kind.SET_PAIR_STATUS: {"pair": int, "status": int},
    Kind.SET_LIMITS: {"open_orders_per_user": int},
}
