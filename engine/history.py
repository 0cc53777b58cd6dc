"""Questions about what was: closed orders, trades, ledger entries, earnings.

The house's read side of `history.sqlite` (engine/history_writer). Each query waits until the scribe
has written all that was durable when it came, then runs in the one thread that owns the connection,
which can only read.

Invariants:
- An answer shows everything that was durable when the question came, or HistoryLate is raised
  (but `placed_ns`, which does not wait).
- Pages are cut by id (`before`), newest first, so what arrives meanwhile shifts no page.
- Times are found by bisection over ids (both only rise), so an old day costs as little as today.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from engine.codes import OrderStatus, Side
from engine.history_rows import ENTRIES_PER_TRADE, LOW_BITS, LOW_MASK, What

LIMIT_MAX = 1000
ID_MAX = (1 << 63) - 1
BUSY_TIMEOUT_S = 5
ORDER_COLUMNS = """order_id, uid, pair, side, type, tif, flags, price, qty, quote_amount,
    stop_price, client_id, placed_ns, status, filled, quote_filled_high, quote_filled_low,
    reason, changed_ns"""
TRADE_COLUMNS = """trade_id, pair, price, qty, taker_side, taker_order_id, maker_order_id,
    taker_uid, maker_uid, taker_fee, maker_fee, ts_ns, seq"""


class HistoryLate(TimeoutError):
    """The scribe did not reach in time what the answer has to show."""


class PastOrder(NamedTuple):
    """An order that was accepted once. price, stop_price in ticks; qty, filled, remaining in lots;
    quote_amount in quote units; quote_filled: the sum of price × qty over its trades.

    `closed_ns` and `reason` are 0 for an open one; `remaining` is 0 for one by quote amount.
    """
    order_id: int
    uid: int
    pair: int
    side: int
    type: int
    tif: int
    flags: int
    price: int
    qty: int
    quote_amount: int
    stop_price: int
    client_id: str | None
    placed_ns: int
    status: int
    filled: int
    remaining: int
    quote_filled: int
    reason: int
    closed_ns: int


class Fill(NamedTuple):
    """One side of a trade: an order's part. `fee` in units of what it received."""
    order_id: int
    uid: int
    side: int
    is_maker: bool
    fee: int


class Trade(NamedTuple):
    """price in ticks, qty in lots, fees in units of what each side received."""
    trade_id: int
    pair: int
    price: int
    qty: int
    taker_side: int
    taker_order_id: int
    maker_order_id: int
    taker_uid: int
    maker_uid: int
    taker_fee: int
    maker_fee: int
    ts_ns: int
    seq: int

    def fills(self, uid: int) -> list[Fill]:
        """The parts of a user's orders: one, or two (the taker's first) where he met himself."""
        maker_side = int(Side.SELL) if self.taker_side == Side.BUY else int(Side.BUY)
        taker = Fill(self.taker_order_id, self.taker_uid, self.taker_side, False, self.taker_fee)
        maker = Fill(self.maker_order_id, self.maker_uid, maker_side, True, self.maker_fee)
        return [fill for fill in (taker, maker) if fill.uid == uid]


class Entry(NamedTuple):
    """A change of what a user owns: signed units of a coin, and why (`What`).

    `ref` is the trade's or the withdrawal's id, the deposit's txid, the request id of a credit or
    debit ("": it had none), of a transfer or an extraction the uid of the other side, of an earning
    the day, of a commission the account that has earned it. Ids rise, with gaps.
    """
    entry_id: int
    uid: int
    coin: int
    amount: int
    what: int
    ref: str
    ts_ns: int
    seq: int


class Earning(NamedTuple):
    """What an account has earned on a day of a coin, and how it was paid (docs/settlement.md).

    Amounts in units: `sold`, `net` and those before it of the coin, `money` of CNY, `paid` of
    `paid_coin`. `remain` and `money_remain` were available afterwards, of the coin and of CNY.
    """
    account: int
    coin: int
    day: int                # since 1970-01-01, UTC
    work: str               # in 2^-16; it may exceed 64 bits
    gross: int
    commission: int
    refer: int              # who got the commission, 0: nobody
    net: int
    sold: int
    money: int
    paid_coin: int          # 0: nothing was paid
    paid: int
    payment: int            # the withdrawal's id, 0: there is none
    remain: int
    money_remain: int
    reason: int             # LockReason of what remains of the coin, 0: nothing remains unpaid
    money_reason: int       # the same of CNY


class History:
    """Queries, newest first. `limit` is capped at LIMIT_MAX; times are UTC nanoseconds, the start
    included, the end not; `before` is the smallest id of the page before.

    All raise HistoryLate, and sqlite3.Error where the file can't be read.
    """

    def __init__(self, path: Path, caught_up: Callable[[], Awaitable[None]]):
        """`caught_up()` returns once the file holds all that is durable now; else HistoryLate."""
        self.path = Path(path)
        self._caught_up = caught_up
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._closed = False

    async def order(self, order_id: int) -> PastOrder | None:
        """Any order that was ever accepted, open or closed."""
        return await self._ask(read_order, order_id)

    async def orders(self, uid: int, pair: int = 0, start_ns: int | None = None,
                     end_ns: int | None = None, limit: int = 100, before: int | None = None,
                     closed_only: bool = True) -> list[PastOrder]:
        """A user's closed orders (or all), by when they were placed; of one pair or (0) of all."""
        return await self._ask(read_orders, uid, pair, start_ns, end_ns, limit, before, closed_only)

    async def trades(self, uid: int, pair: int = 0, start_ns: int | None = None,
                     end_ns: int | None = None, limit: int = 100,
                     before: int | None = None) -> list[Trade]:
        """The trades that a user took part in; `Trade.fills(uid)` gives the user's side."""
        return await self._ask(read_trades, uid, pair, start_ns, end_ns, limit, before)

    async def ledger(self, uid: int, coin: int = 0, limit: int = 100,
                     before: int | None = None) -> list[Entry]:
        """What changed a user's coins: of one coin or (0) of all."""
        return await self._ask(read_ledger, uid, coin, limit, before)

    async def earnings(self, account: int, coin: int, first_day: int,
                       last_day: int) -> list[Earning]:
        """What an account has earned of a coin, days rising, both included."""
        return await self._ask(read_earnings, account, coin, first_day, last_day)

    async def earnings_of_day(self, day: int) -> list[Earning]:
        """What all accounts have earned on a day, of all coins: accounts, then coins rising."""
        return await self._ask(read_earnings_of_day, day)

    async def placed_ns(self, order_ids: list[int]) -> dict[int, int]:
        """When these orders were placed (UTC), of those that are here by now: nothing is waited
        for, and no error is raised where there is no history yet."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._thread, partial(self._answer, read_placed_ns, order_ids))
        except (sqlite3.Error, FileNotFoundError):
            return {}

    async def close(self) -> None:
        """Wait for the query that runs, and close the file. May be repeated."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    async def _ask(self, query: Callable, *args):
        # A number beyond 64 bits names nothing; SQLite would raise.
        args = [max(-ID_MAX, min(arg, ID_MAX)) if isinstance(arg, int) else arg for arg in args]
        await self._caught_up()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(self._answer, query, *args))

    def _answer(self, query: Callable, *args):
        """In the thread: one query on one state of the file."""
        connection = self._connect()
        connection.execute("BEGIN")
        try:
            return query(connection, *args)
        finally:
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        # A history that was rebuilt meanwhile is another file of the same name.
        inode = os.stat(self.path).st_ino
        if self._connection is None or inode != self._inode:
            self._disconnect()
            self._connection = open_reader(self.path)
            self._inode = inode
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can't write. Raises sqlite3.Error, also where there is no file."""
    connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True,
                                 isolation_level=None, timeout=BUSY_TIMEOUT_S,
                                 check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


def capped(limit: int) -> int:
    return max(0, min(limit, LIMIT_MAX))


def first_id_from(connection: sqlite3.Connection, table: str, id_column: str, time_column: str,
                  ts_ns: int) -> int:
    """The smallest id with a time of at least `ts_ns`; one above all ids where there is none.

    Ids and times rise together, so this is a bisection: O(log ids) look-ups.
    """
    newest = connection.execute(f"SELECT max({id_column}) FROM {table}").fetchone()[0]
    low, high = 1, (newest or 0) + 1
    look_up = (f"SELECT {id_column}, {time_column} FROM {table} WHERE {id_column} >= ?"
               f" ORDER BY {id_column} LIMIT 1")
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(look_up, (middle,)).fetchone()
        if row is None or row[1] >= ts_ns:
            high = middle
        else:
            low = row[0] + 1
    return low


def id_range(connection: sqlite3.Connection, table: str, id_column: str, time_column: str,
             start_ns: int | None, end_ns: int | None, before: int | None) -> tuple[int, int]:
    """(first, end) of the ids that the times and `before` leave; the end is not part of it."""
    find = partial(first_id_from, connection, table, id_column, time_column)
    first = 0 if start_ns is None else find(start_ns)
    end = ID_MAX if end_ns is None else find(end_ns)
    return first, end if before is None else min(end, before)


def past_order(row: tuple) -> PastOrder:
    """An order from its ORDER_COLUMNS."""
    *fields, status, filled, high, low, reason, changed_ns = row
    is_closed = status in (OrderStatus.FILLED, OrderStatus.CANCELLED)
    qty, quote_amount = fields[8], fields[9]
    return PastOrder(*fields, status, filled, 0 if quote_amount else qty - filled,
                     (high << LOW_BITS) + low, reason, changed_ns if is_closed else 0)


def read_order(connection: sqlite3.Connection, order_id: int) -> PastOrder | None:
    row = connection.execute(
        f"SELECT {ORDER_COLUMNS} FROM orders WHERE order_id = ?", (order_id,)).fetchone()
    return None if row is None else past_order(row)


def read_placed_ns(connection: sqlite3.Connection, order_ids: list[int]) -> dict[int, int]:
    return dict(connection.execute(
        """SELECT order_id, placed_ns FROM orders
            WHERE order_id IN (SELECT value FROM json_each(?))""", (json.dumps(order_ids),)))


def read_orders(connection: sqlite3.Connection, uid: int, pair: int, start_ns: int | None,
                end_ns: int | None, limit: int, before: int | None,
                closed_only: bool) -> list[PastOrder]:
    first, end = id_range(connection, "orders", "order_id", "placed_ns", start_ns, end_ns, before)
    rows = connection.execute(
        f"""SELECT {ORDER_COLUMNS} FROM orders INDEXED BY orders_of_user
            WHERE uid = ?1 AND order_id >= ?2 AND order_id < ?3 AND (?4 = 0 OR pair = ?4)
            AND (status >= {int(OrderStatus.FILLED)} OR NOT ?5)
            ORDER BY order_id DESC LIMIT ?6""",
        (uid, first, end, pair, closed_only, capped(limit)))
    return [past_order(row) for row in rows]


def read_trades(connection: sqlite3.Connection, uid: int, pair: int, start_ns: int | None,
                end_ns: int | None, limit: int, before: int | None) -> list[Trade]:
    first, end = id_range(connection, "trades", "trade_id", "ts_ns", start_ns, end_ns, before)
    # A user's trades are indexed by entry_id, which rises with trade_id.
    bounds = [bound_entry_id(connection, trade_id) for trade_id in (first, end)]
    pairs = None if pair == 0 else [pair]
    both = [Trade(*row[:-1]) for role in ("taker", "maker")
            for row in user_trades(connection, role, uid, pairs, *bounds, capped(limit))]
    # Where a user met himself the trade is found twice.
    return sorted(set(both), reverse=True)[:capped(limit)]


def bound_entry_id(connection: sqlite3.Connection, trade_id: int) -> int:
    """The first entry of a trade; below all where the trade is before the first, else above all."""
    row = connection.execute(
        "SELECT entry_id FROM trades WHERE trade_id = ?", (trade_id,)).fetchone()
    return row[0] if row is not None else 0 if trade_id < 1 else ID_MAX


def user_trades(connection: sqlite3.Connection, role: str, uid: int, pairs: list[int] | None,
                first_entry_id: int, end_entry_id: int, limit: int) -> list[tuple]:
    """TRADE_COLUMNS and entry_id of the trades where a user was the `role` (taker, maker)."""
    of_pairs = "" if pairs is None else f"AND pair IN ({', '.join(map(str, pairs))})"
    return connection.execute(
        f"""SELECT {TRADE_COLUMNS}, entry_id FROM trades INDEXED BY trades_of_{role}
            WHERE {role}_uid = ? AND entry_id >= ? AND entry_id < ? {of_pairs}
            ORDER BY entry_id DESC LIMIT ?""",
        (uid, first_entry_id, end_entry_id, limit)).fetchall()


def read_ledger(connection: sqlite3.Connection, uid: int, coin: int, limit: int,
                before: int | None) -> list[Entry]:
    end = ID_MAX if before is None else before
    limit = capped(limit)
    stored = connection.execute(
        """SELECT entry_id, uid, coin, amount, what, ref, ts_ns, seq
            FROM entries INDEXED BY entries_of_user
            WHERE uid = ?1 AND entry_id < ?2 AND (?3 = 0 OR coin = ?3)
            ORDER BY entry_id DESC LIMIT ?4""", (uid, end, coin, limit))
    entries = [Entry(*row) for row in stored]
    units = {row[0]: row[1:] for row in connection.execute("SELECT * FROM pairs")}
    pairs = [pair for pair, (base, quote, *_) in units.items() if coin in (0, base, quote)]
    for role in ("taker", "maker"):
        # Each trade gives an entry or more, but of the one that `before` cuts perhaps none is left.
        for row in user_trades(connection, role, uid, pairs, 0, end, limit + 1):
            found = trade_entries(Trade(*row[:-1]), row[-1], role == "maker", *units[row[1]])
            entries += (entry for entry in found
                        if entry.entry_id < end and coin in (0, entry.coin))
    return sorted(entries, reverse=True)[:limit]


def trade_entries(trade: Trade, entry_id: int, is_maker: bool, base: int, quote: int,
                  base_unit: int, quote_unit: int) -> list[Entry]:
    """What one side of a trade received, paid, and gave as a fee (if any), in units."""
    base_amount = trade.qty * base_unit
    quote_amount = trade.price * trade.qty * quote_unit
    uid, fee = ((trade.maker_uid, trade.maker_fee) if is_maker
                else (trade.taker_uid, trade.taker_fee))
    is_buyer = (trade.taker_side == Side.BUY) != is_maker
    received, paid = (base, quote) if is_buyer else (quote, base)
    received_amount, paid_amount = (
        (base_amount, quote_amount) if is_buyer else (quote_amount, base_amount))
    first = entry_id + (ENTRIES_PER_TRADE // 2 if is_maker else 0)
    changes = [(received, received_amount, What.TRADE), (paid, -paid_amount, What.TRADE),
               (received, -fee, What.FEE)]
    return [Entry(first + place, uid, coin, amount, int(what), str(trade.trade_id), trade.ts_ns,
                  trade.seq)
            for place, (coin, amount, what) in enumerate(changes) if amount]


def read_earnings(connection: sqlite3.Connection, account: int, coin: int, first_day: int,
                  last_day: int) -> list[Earning]:
    rows = connection.execute(
        f"""SELECT {', '.join(Earning._fields)} FROM earnings INDEXED BY earnings_of_account
            WHERE account = ? AND coin = ? AND day BETWEEN ? AND ? ORDER BY day""",
        (account, coin, first_day, last_day))
    return [Earning(*row) for row in rows]


def read_earnings_of_day(connection: sqlite3.Connection, day: int) -> list[Earning]:
    rows = connection.execute(
        f"""SELECT {', '.join(Earning._fields)} FROM earnings
            WHERE day = ? ORDER BY account, coin""", (day,))
    return [Earning(*row) for row in rows]


def read_ledger_sums(connection: sqlite3.Connection) -> dict[tuple[int, int], int]:
    """{(uid, coin): units}: the sums of all entries. A long read, for `verify`."""
    changes = ["SELECT uid, coin, amount FROM entries"]
    for role, side in (("taker", Side.BUY), ("maker", Side.SELL)):
        is_buyer = f"taker_side = {int(side)}"
        base, quote = "qty * base_unit", "price * qty * quote_unit"
        changes += [
            f"""SELECT {role}_uid, iif({is_buyer}, base, quote),
                iif({is_buyer}, {base}, {quote}) - {role}_fee
                FROM trades JOIN pairs USING (pair)""",
            f"""SELECT {role}_uid, iif({is_buyer}, quote, base),
                -iif({is_buyer}, {quote}, {base}) FROM trades JOIN pairs USING (pair)"""]
    # SQLite's sum fails beyond 64 bits; two halves never get there.
    rows = connection.execute(
        f"""WITH changes (uid, coin, amount) AS ({" UNION ALL ".join(changes)})
            SELECT uid, coin, sum(amount >> {LOW_BITS}), sum(amount & {LOW_MASK})
            FROM changes GROUP BY uid, coin""")
    return {(uid, coin): (high << LOW_BITS) + low for uid, coin, high, low in rows}
