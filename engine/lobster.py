"""Sends a LOBSTER message file (NASDAQ order flow) through a core and counts how far both agree.

A row of the file is one command: a new order (type 1) is placed, a partial cancel (2) reduces its
order in place, a deletion (3) cancels it, and the execution of a visible order (4) is an IOC from
the other side at the recorded price and size. Executions of hidden orders (5), halts (7) and rows
that name an order of before the file begins are left out.

Invariant: the core's book always holds exactly the known orders of the file. The venue sometimes
executes an order that is not the first of the best level (hidden priority). An IOC would take
another one there, and all rows after it would act on another book; such an execution reduces the
recorded order instead, and is counted. `Queues` is the file's own view of who is first; that the
core agrees is what the count of exact executions proves.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from engine import commands, events
from engine.codes import EventKind, Kind, OrderType, Result, SelfTrade, Side, Tif
from engine.core import Core

PRICE_SCALE = 4            # the file's prices are dollars x 10,000
NEW, REDUCE, DELETE, EXECUTE, EXECUTE_HIDDEN, HALT = 1, 2, 3, 4, 5, 7
LOOK_AHEAD = 400           # rows of the order book file in which a change must turn up
PROGRESS_EVERY_ROWS = 1_000
# Far more than any hour of orders holds, far less than a coin's supply may be.
DEPOSIT = 10**18

CODE = Struct("<H")         # the first field of a result
BASE, QUOTE, PAIR = 1, 2, 1
BUYER, SELLER = 1, 2


class LobsterError(ValueError):
    """The file is no LOBSTER message file, or the core refused one of its rows; names the row."""


class Row(NamedTuple):
    time_ns: int     # since midnight
    type: int
    order: int       # the venue's number
    size: int        # shares, which are lots here
    price: int       # ticks
    side: Side       # of the order acted on


class Top(NamedTuple):
    """The best level of each side, in the order book file's own order; zeros for an empty side."""
    ask: int         # ticks
    ask_size: int    # lots
    bid: int
    bid_size: int


@dataclass(slots=True)
class Summary:
    """What came of it. Rows, except where another unit is named."""
    rows: int = 0
    submissions: int = 0            # new orders
    crossing: int = 0               # of these: traded on arrival
    reductions: int = 0
    deletions: int = 0
    executions: int = 0             # of orders that the file has placed
    exact: int = 0                  # of these: the IOC traded with the recorded order and no other
    behind: int = 0                 # of these: at the best level, but another order is first
    elsewhere: int = 0              # of these: neither
    hidden: int = 0                 # left out: executions of hidden orders
    halts: int = 0                  # left out
    unknown: int = 0                # left out: the order is older than the file
    volume: int = 0                 # lots traded in the core
    changes: int = 0                # of (best ask, size, best bid, size)
    changes_found: int | None = None    # of these: in the order book file; None where there is none


class Queues:
    """The open orders by side and price, oldest first, under the core's ids."""

    def __init__(self):
        self.levels: dict[tuple[Side, int], dict[int, None]] = {}
        self.order_ids: dict[int, int] = {}     # by the venue's number
        self.rows: dict[int, Row] = {}          # that placed it, by order id

    def add(self, row: Row, order_id: int) -> None:
        self.order_ids[row.order] = order_id
        self.rows[order_id] = row
        self.levels.setdefault((row.side, row.price), {})[order_id] = None

    def remove(self, order_id: int) -> None:
        row = self.rows.pop(order_id)
        level = self.levels[row.side, row.price]
        del level[order_id], self.order_ids[row.order]
        if not level:
            del self.levels[row.side, row.price]

    def is_first(self, order_id: int) -> bool:
        row = self.rows[order_id]
        return next(iter(self.levels[row.side, row.price])) == order_id


class LookAhead:
    """Finds changes in an order book file, in order, each at most LOOK_AHEAD rows further on."""

    def __init__(self, path: Path):
        self.rows = [Top(*map(int, fields[:4])) for fields in read_fields(path)]
        self.at = 0
        self.found = 0

    def look_for(self, top: Top) -> None:
        try:
            self.at = self.rows.index(top, self.at, self.at + LOOK_AHEAD) + 1
        except ValueError:
            return
        self.found += 1


class Replay:
    """A core with one pair and two users, one for each side, and what happened in it so far."""

    def __init__(self, pair: str, midnight_ns: int, reference: LookAhead | None):
        self.core = Core()
        self.midnight_ns = midnight_ns
        self.queues = Queues()
        self.summary = Summary(changes_found=None if reference is None else 0)
        self.reference = reference
        self.top = Top(0, 0, 0, 0)
        self.seq = 0
        for record in opening(pair):
            self.apply(record, midnight_ns)

    def apply(self, record: bytes, ts_ns: int) -> list[tuple[int, int]]:
        """Apply one command; its trades as (maker's order id, lots)."""
        self.seq += 1
        outcome = self.core.apply(record, self.seq, ts_ns)
        code, = CODE.unpack_from(outcome.results)
        if code != Result.OK:
            raise LobsterError(f"row {self.summary.rows}: the core answers {Result(code).name}")
        if len(outcome.events) <= events.EVENT_DTYPE.itemsize:
            return []        # one event or none: no trade without the order that makes it
        happened = events.decode(outcome.events)
        traded = happened[happened["kind"] == EventKind.TRADE]
        return list(zip(traded["maker_order_id"].tolist(), traded["qty"].tolist(), strict=True))

    def step(self, row: Row) -> None:
        """Send one row and see what it changed."""
        self.summary.rows += 1
        act = self.ACTIONS.get(row.type)
        if act is None:
            raise LobsterError(f"row {self.summary.rows}: there is no type {row.type}")
        act(self, row)
        top = self.read_top()
        if top != self.top:
            self.top = top
            self.summary.changes += 1
            if self.reference is not None:
                self.reference.look_for(top)
                self.summary.changes_found = self.reference.found

    def read_top(self) -> Top:
        bids, asks = self.core.depth(PAIR, 1)
        return Top(*(asks[0] if asks else (0, 0)), *(bids[0] if bids else (0, 0)))

    def send_order(self, row: Row, side: Side, tif: Tif) -> list[tuple[int, int]]:
        """Place an order with a row's price and size; its trades as (maker's order id, lots)."""
        record = commands.place_order(user_of(side), PAIR, side, OrderType.LIMIT, tif, row.price,
                                      row.size)
        trades = self.apply(record, self.midnight_ns + row.time_ns)
        for maker_order_id, qty in trades:
            self.summary.volume += qty
            if self.core.order(maker_order_id) is None:
                self.queues.remove(maker_order_id)
        return trades

    def place(self, row: Row) -> None:
        self.summary.submissions += 1
        if self.send_order(row, row.side, Tif.GTC):
            self.summary.crossing += 1
        if self.core.order(self.seq) is not None:
            self.queues.add(row, self.seq)

    def known(self, row: Row) -> int | None:
        """The core's id of the open order that a row names."""
        order_id = self.queues.order_ids.get(row.order)
        if order_id is None:
            self.summary.unknown += 1
        return order_id

    def reduce(self, row: Row) -> None:
        order_id = self.known(row)
        if order_id is not None:
            self.summary.reductions += 1
            self.take_off(row, order_id)

    def delete(self, row: Row) -> None:
        order_id = self.known(row)
        if order_id is not None:
            self.summary.deletions += 1
            self.cancel(row, order_id)

    def execute(self, row: Row) -> None:
        order_id = self.known(row)
        if order_id is None:
            return
        self.summary.executions += 1
        best = self.top.bid if row.side == Side.BUY else self.top.ask
        if row.price != best:
            self.summary.elsewhere += 1
            self.take_off(row, order_id)
        elif not self.queues.is_first(order_id):
            self.summary.behind += 1
            self.take_off(row, order_id)
        elif self.send_order(row, other(row.side), Tif.IOC) == [(order_id, row.size)]:
            self.summary.exact += 1
        else:
            self.summary.elsewhere += 1

    def take_off(self, row: Row, order_id: int) -> None:
        """Make an order smaller where it stands."""
        order = self.core.order(order_id)
        if order.remaining <= row.size:
            self.cancel(row, order_id)
            return
        record = commands.amend_order(user_of(row.side), order_id, qty=order.qty - row.size,
                                      pair=PAIR)
        self.apply(record, self.midnight_ns + row.time_ns)

    def cancel(self, row: Row, order_id: int) -> None:
        record = commands.cancel_order(user_of(row.side), order_id, PAIR)
        self.apply(record, self.midnight_ns + row.time_ns)
        self.queues.remove(order_id)

    def leave_out_hidden(self, row: Row) -> None:
        self.summary.hidden += 1

    def leave_out_halt(self, row: Row) -> None:
        self.summary.halts += 1

    ACTIONS = {
        NEW: place, REDUCE: reduce, DELETE: delete, EXECUTE: execute,
        EXECUTE_HIDDEN: leave_out_hidden, HALT: leave_out_halt,
    }


def user_of(side: Side) -> int:
    return BUYER if side == Side.BUY else SELLER


def other(side: Side) -> Side:
    return Side.SELL if side == Side.BUY else Side.BUY


def opening(pair: str) -> Iterator[bytes]:
    """The commands that list the pair, without fees, and give both users what they need."""
    base, _, quote = pair.partition("/")
    for name, scale in ((base, 0), (quote, PRICE_SCALE)):
        coin = {"name": name, "title": name, "type": "coin", "scale": scale}
        yield commands.cold(Kind.ADD_COIN, coin)
    yield commands.cold(Kind.ADD_PAIR, {
        "name": pair, "price_scale": PRICE_SCALE, "amount_scale": 0, "min_qty": 1,
        "maker_fee_ppm": 0, "taker_fee_ppm": 0, "self_trade": int(SelfTrade.ALLOW),
    })
    for username in ("buyer", "seller"):
        yield commands.cold(Kind.REGISTER_USER, {
            "username": username, "password_hash": "!", "group": 2,
        })
    for uid, coin in ((BUYER, QUOTE), (SELLER, BASE)):
        yield commands.cold(Kind.DEPOSIT, {
            "uid": uid, "coin": coin, "amount": DEPOSIT, "txid": "lobster",
        })


def read_fields(path: Path) -> Iterator[list[str]]:
    with path.open(newline="") as file:
        yield from csv.reader(file)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a message file. LobsterError names the first that cannot be read or goes back."""
    last_ns = 0
    for number, fields in enumerate(read_fields(path), 1):
        try:
            time, kind, order, size, price, direction = fields[:6]
            side = {"1": Side.BUY, "-1": Side.SELL}[direction]
            row = Row(nanoseconds(time), int(kind), int(order), int(size), int(price), side)
        except (ValueError, KeyError):
            raise LobsterError(f"row {number} of {path.name} is no message: {fields}") from None
        if row.time_ns < last_ns:
            raise LobsterError(f"row {number} of {path.name} goes back in time")
        last_ns = row.time_ns
        yield row


def nanoseconds(seconds: str) -> int:
    """Seconds as nanoseconds. Files carry noise of binary fractions behind the ninth decimal
    (35821.088778456004): that is cut off.
    """
    whole, _, part = seconds.partition(".")
    if not (whole + part).isdecimal():
        raise ValueError(f"{seconds!r} is no time")
    return int(whole) * 1_000_000_000 + int(part[:9].ljust(9, "0"))


def midnight_of(path: Path) -> int:
    """The day in the file's name, as nanoseconds UTC; the first day of 1970 where there is none.

    The file counts from midnight at the venue; its time zone is left out.
    """
    found = re.search(r"\d{4}-\d{2}-\d{2}", path.name)
    if found is None:
        return 0
    return (date.fromisoformat(found[0]) - date(1970, 1, 1)).days * 86_400_000_000_000


def order_book_beside(path: Path) -> Path | None:
    """`…_orderbook_N.csv` of the same symbol, day and span."""
    stem, found, _ = path.name.partition("_message_")
    beside = sorted(path.parent.glob(f"{stem}_orderbook_*.csv")) if found else []
    return beside[0] if beside else None


def run(path, pair: str = "AAPL/USD", progress: Callable[[int], None] | None = None,
        rows: int | None = None) -> Summary:
    """Send a message file through a fresh core.

    `progress` is called with the number of rows done, now and then. `rows` ends it after so many.
    Raises LobsterError for a row that is none, OSError for a file that cannot be read.
    """
    path = Path(path)
    beside = order_book_beside(path)
    replay = Replay(pair, midnight_of(path), None if beside is None else LookAhead(beside))
    for row in islice(read_rows(path), rows):
        replay.step(row)
        if progress is not None and replay.summary.rows % PROGRESS_EVERY_ROWS == 0:
            progress(replay.summary.rows)
    replay.core.check()
    if progress is not None:
        progress(replay.summary.rows)
    return replay.summary
