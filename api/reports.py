"""What `orebook replay --report` shows of a core: plain rows, every number an exact decimal.

Reads a core and changes nothing. Rows are maps with the same keys in the same order, made one by
one as they are shown: there may be many millions.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from api.numbers import text
from engine import HouseAccount, OrderStatus, OrderType, Side, Tif

# Stands before the name of a sub-account's ledger account.
ACCOUNT_MARK = "\x1f"


def balances(core) -> Iterator[dict]:
    """Every balance that is not zero, the house's own accounts behind the users'.

    A sub-account of the pool is shown as such: a user may have the same name.
    """
    for user in core.users:
        for coin in core.coins:
            available, frozen = core.balance(user.uid, coin.number)
            if available or frozen:
                yield {"uid": user.uid, "user": shown_name(user), "coin": coin.name,
                       "available": text(available, coin.scale),
                       "frozen": text(frozen, coin.scale)}
    for account in HouseAccount:
        for coin in core.coins:
            amount = core.house(account, coin.number)
            if amount:
                yield {"uid": None, "user": f"house {account.name}", "coin": coin.name,
                       "available": text(amount, coin.scale), "frozen": "0"}


def orders(core) -> Iterator[dict]:
    """Every open order, by user and newest first."""
    for user in core.users:
        for order in core.open_orders(user.uid):
            pair = core.pairs.get(order.pair)
            quote_scale = core.coins.get(pair.quote).scale
            yield {
                "order_id": order.order_id, "uid": order.uid, "pair": pair.name,
                "side": _word(Side, order.side), "type": _word(OrderType, order.type),
                "tif": Tif(order.tif).name, "status": _word(OrderStatus, order.status),
                "price": text(order.price, pair.price_scale),
                "amount": text(order.qty, pair.amount_scale),
                "remaining": text(order.remaining, pair.amount_scale),
                "stop_price": text(order.stop_price, pair.price_scale),
                "quote_amount": text(order.quote_amount, quote_scale),
                "client_id": order.client_id,
            }


def trades(batches: Iterable[tuple]) -> Iterator[dict]:
    """Every trade of `engine.replay_trades`: batches of them, each with the core of that moment.

    A fee is in the coin that its payer received.
    """
    for core, batch in batches:
        for trade in batch:
            pair = core.pairs.get(trade.pair)
            base_scale, quote_scale = (core.coins.get(coin).scale
                                       for coin in (pair.base, pair.quote))
            is_buyer = trade.taker_side == Side.BUY
            yield {
                "trade_id": trade.trade_id, "time": _time(trade.ts_ns), "pair": pair.name,
                "taker_side": _word(Side, trade.taker_side),
                "price": text(trade.price, pair.price_scale),
                "amount": text(trade.qty, pair.amount_scale),
                "taker_uid": trade.taker_uid, "taker_order_id": trade.taker_order_id,
                "taker_fee": text(trade.taker_fee, base_scale if is_buyer else quote_scale),
                "maker_uid": trade.maker_uid, "maker_order_id": trade.maker_order_id,
                "maker_fee": text(trade.maker_fee, quote_scale if is_buyer else base_scale),
            }


def state(core) -> dict:
    """How far the replay came, the hash of the state there, and how much there is of what."""
    return {
        "seq": core.seq, "time": _time(core.ts_ns), "state_hash": core.state_hash(),
        "counts": counts(core),
    }


def counts(core) -> dict[str, int]:
    """How much there is of what."""
    return {
        "users": len(core.users) - len(core.sub_accounts),
        "sub_accounts": len(core.sub_accounts), "workers": len(core.workers),
        "coins": len(core.coins), "pairs": len(core.pairs), "sessions": len(core.sessions),
        "deposits": len(core.deposits), "withdrawals": len(core.withdrawals),
        "credentials": len(core.credentials),
    }


def shown_name(user) -> str:
    """A user's name; that of a sub-account with the word before it."""
    if user.username.startswith(ACCOUNT_MARK):
        return f"sub-account {user.username[len(ACCOUNT_MARK):]}"
    return user.username


def _word(names, number: int) -> str:
    return names(number).name.lower()


def _time(ts_ns: int) -> str:
    """UTC, to the nanosecond, in ISO 8601."""
    seconds, nanoseconds = divmod(ts_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
