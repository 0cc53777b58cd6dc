"""The history's file: its schema, and the writer that the scribe feeds with applied frames.

Many frames become rows in one transaction, which also notes how far they go.

Invariants:
- The file is that of exactly the commands up to `reached.seq`: going on there gives the same rows
  as one run from the start (tested).
- Amounts are exact integers. What may leave 64 bits (`quote_filled`) is kept as two columns,
  value = high × 2^32 + low. A trade's base and quote amounts follow from its pair's units.
- The ledger entries of a trade are not stored but read off the trade, so they can't contradict it.
  The sum of a user's entries of a coin is what the user owns of it, available and frozen.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from engine.halt import Halt
from engine.history_rows import Run

HISTORY_FILE = "history.sqlite"
SCHEMA_VERSION = 2
APPLICATION_ID = 0x4F524548
CACHE_KIB = 64 << 10
BUSY_TIMEOUT_S = 10
# What one transaction takes: about a second's work, some 100 MB.
RUN_EVENTS_MAX = 200_000
RUN_COMMAND_BYTES_MAX = 16 << 20
SQLITE_CORRUPT, SQLITE_NOTADB = 11, 26

SCHEMA = """
CREATE TABLE reached (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,           -- last command whose rows are all here
    ts_ns INTEGER NOT NULL,         -- its time
    outcome BLOB NOT NULL,          -- its frame's outcome, 8 bytes: tells another journal
    next_entry_id INTEGER NOT NULL,
    orders INTEGER NOT NULL,        -- rows of these tables
    trades INTEGER NOT NULL
) STRICT;
CREATE TABLE pairs (
    pair INTEGER PRIMARY KEY,
    base INTEGER NOT NULL,          -- coin numbers
    quote INTEGER NOT NULL,
    base_unit INTEGER NOT NULL,     -- base units of a lot
    quote_unit INTEGER NOT NULL     -- quote units of a lot at a price of one tick
) STRICT;
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY,
    uid INTEGER NOT NULL,
    pair INTEGER NOT NULL,
    side INTEGER NOT NULL,
    type INTEGER NOT NULL,
    tif INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    price INTEGER NOT NULL,         -- ticks, as last amended
    qty INTEGER NOT NULL,           -- lots, as last amended
    quote_amount INTEGER NOT NULL,  -- quote units
    stop_price INTEGER NOT NULL,    -- ticks
    client_id TEXT,
    placed_ns INTEGER NOT NULL,
    status INTEGER NOT NULL,
    filled INTEGER NOT NULL,        -- lots
    quote_filled_high INTEGER NOT NULL,     -- ticks × lots
    quote_filled_low INTEGER NOT NULL,
    reason INTEGER NOT NULL,        -- of a cancelled one
    changed_ns INTEGER NOT NULL     -- of its last event: a closed one's end
) STRICT;
CREATE INDEX orders_of_user ON orders (uid, order_id, pair);
CREATE TABLE trades (
    trade_id INTEGER PRIMARY KEY,
    pair INTEGER NOT NULL,
    price INTEGER NOT NULL,         -- ticks
    qty INTEGER NOT NULL,           -- lots
    taker_side INTEGER NOT NULL,
    taker_order_id INTEGER NOT NULL,
    maker_order_id INTEGER NOT NULL,
    taker_uid INTEGER NOT NULL,
    maker_uid INTEGER NOT NULL,
    taker_fee INTEGER NOT NULL,     -- units of what each received
    maker_fee INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    entry_id INTEGER NOT NULL       -- the first of its six
) STRICT;
CREATE INDEX trades_of_taker ON trades (taker_uid, entry_id, pair);
CREATE INDEX trades_of_maker ON trades (maker_uid, entry_id, pair);
CREATE TABLE entries (
    entry_id INTEGER PRIMARY KEY,
    uid INTEGER NOT NULL,
    coin INTEGER NOT NULL,
    amount INTEGER NOT NULL,        -- units, signed
    what INTEGER NOT NULL,
    ref TEXT NOT NULL,
    once INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    seq INTEGER NOT NULL
) STRICT;
CREATE INDEX entries_of_user ON entries (uid, entry_id, coin);
CREATE UNIQUE INDEX entries_once ON entries (what, ref) WHERE once;
CREATE TABLE earnings (
    account INTEGER NOT NULL,
    coin INTEGER NOT NULL,          -- that was settled
    day INTEGER NOT NULL,           -- since 1970-01-01
    work TEXT NOT NULL,             -- in 2^-16, a number
    gross INTEGER NOT NULL,         -- units, as all amounts
    commission INTEGER NOT NULL,
    refer INTEGER NOT NULL,
    net INTEGER NOT NULL,
    sold INTEGER NOT NULL,
    money INTEGER NOT NULL,
    paid_coin INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    payment INTEGER NOT NULL,       -- the withdrawal's id
    remain INTEGER NOT NULL,
    money_remain INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    money_reason INTEGER NOT NULL,
    PRIMARY KEY (day, account, coin)
) STRICT, WITHOUT ROWID;
CREATE INDEX earnings_of_account ON earnings (account, coin, day);
INSERT INTO reached VALUES (1, 0, 0, x'0000000000000000', 1, 0, 0);
"""
INSERT_ORDER = """INSERT INTO orders VALUES (?, ?, ?, ?, ?5, ?, ?, ?, ?, ?, ?, ?, ?13,
    iif(?5 IN (3, 4), 1, 2), 0, 0, 0, 0, ?13)"""
CHANGE_ORDER = """UPDATE orders SET
    price = iif(?2, ?3, price), qty = iif(?2, ?4, qty), filled = filled + ?5,
    quote_filled_high = quote_filled_high + ?6, quote_filled_low = quote_filled_low + ?7,
    status = CASE
        WHEN ?9 THEN 5
        WHEN quote_amount > 0 THEN iif(?8, 4, status)
        WHEN filled + ?5 = iif(?2, ?4, qty) THEN 4
        WHEN filled + ?5 > 0 THEN 3
        WHEN ?8 THEN 2
        ELSE status END,
    reason = ?9, changed_ns = ?10
    WHERE order_id = ?1"""
INSERT_TRADE = "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_ENTRY = """INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (what, ref) WHERE once DO NOTHING"""
INSERT_EARNING = f"INSERT OR REPLACE INTO earnings VALUES ({', '.join('?' * 17)})"
INSERT_PAIR = "INSERT INTO pairs VALUES (?, ?, ?, ?, ?)"
REACH = """UPDATE reached SET seq = ?, ts_ns = ?, outcome = ?, next_entry_id = ?,
    orders = orders + ?, trades = trades + ?"""

log = logging.getLogger(__name__)


class HistoryUnusable(Exception):
    """The file is damaged, of another version, or of another journal: it has to be rebuilt."""


class Reached(NamedTuple):
    """How far a history file has come."""
    seq: int
    ts_ns: int
    outcome: int
    next_entry_id: int
    orders: int
    trades: int


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is no (whole) database."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF in (SQLITE_CORRUPT, SQLITE_NOTADB)


def remove_history(path: Path) -> None:
    """Delete a history file and what SQLite keeps beside it. Only when nobody writes it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def read_reached(connection: sqlite3.Connection) -> Reached:
    seq, ts_ns, outcome, *counts = connection.execute(
        "SELECT seq, ts_ns, outcome, next_entry_id, orders, trades FROM reached").fetchone()
    return Reached(seq, ts_ns, int.from_bytes(outcome, "little"), *counts)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


class HistoryWriter:
    """Adds applied frames, in order and without gaps, and commits many of them at once.

    Not durable by itself (WAL, synchronous=NORMAL): after a power cut it may have gone back to an
    earlier commit, and the journal gives the rest again.
    """

    def __init__(self, path: Path):
        """Open or create. Raises HistoryUnusable, sqlite3.Error."""
        self.path = Path(path)
        self._connection = sqlite3.connect(
            self.path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        try:
            os.chmod(self.path, 0o600)
            self._prepare()
            self.reached = read_reached(self._connection)
            self._pair_count = self._connection.execute("SELECT count(*) FROM pairs").fetchone()[0]
        except sqlite3.Error as error:
            self._connection.close()
            if is_damage(error):
                raise HistoryUnusable(f"{path}: {error}") from error
            raise
        except BaseException:
            self._connection.close()
            raise
        self._run = Run()
        self._last_seq = self.reached.seq
        self._last_ts_ns = self.reached.ts_ns
        self._last_outcome = self.reached.outcome

    def _prepare(self) -> None:
        connection = self._connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        if (version, application) == (SCHEMA_VERSION, APPLICATION_ID):
            return
        if version or application or connection.execute(
                "SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise HistoryUnusable(f"{self.path}: schema {version}, not {SCHEMA_VERSION}")
        connection.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION};"
            f"PRAGMA application_id = {APPLICATION_ID}; COMMIT;")

    @property
    def seq(self) -> int:
        """The last command whose rows are committed."""
        return self.reached.seq

    @property
    def is_full(self) -> bool:
        """Whether it is time to commit: more would only need more memory."""
        return (self._run.event_count >= RUN_EVENTS_MAX
                or self._run.command_bytes >= RUN_COMMAND_BYTES_MAX)

    def add(self, frame, outcome) -> None:
        """The next frame (engine.journal.Frame) with the outcome that a core gave for it."""
        if frame.first_seq != self._last_seq + 1:
            raise Halt(f"history: frame {frame.first_seq} after command {self._last_seq}")
        self._run.add(frame.first_seq, frame.ts_ns, frame.commands, outcome.results,
                      outcome.events, outcome.values)
        self._last_seq = frame.first_seq + frame.count - 1
        self._last_ts_ns = frame.ts_ns
        self._last_outcome = frame.outcome

    def commit(self, core) -> int:
        """Write what was added since the last commit, and how far that is: the seq reached.

        `core` is asked for the units of pairs that are new. Raises sqlite3.Error, and Halt where
        the file is not what this writer left.
        """
        if not self._run:
            return self.reached.seq
        rows = self._run.rows(self.reached.next_entry_id)
        connection = self._connection
        with transaction(connection):
            if read_reached(connection) != self.reached:
                raise Halt(f"{self.path}: another process writes to it")
            new_pairs = [units_of(core, pair) for pair in core.pairs
                         if pair.number > self._pair_count]
            connection.executemany(INSERT_PAIR, new_pairs)
            connection.executemany(INSERT_ORDER, rows.placed)
            changed = connection.executemany(CHANGE_ORDER, rows.changes).rowcount
            if rows.changes and changed != len(rows.changes):
                raise Halt(f"{self.path}: {len(rows.changes)} orders changed, {changed} are known")
            connection.executemany(INSERT_TRADE, rows.trades)
            connection.executemany(INSERT_ENTRY, rows.entries)
            connection.executemany(INSERT_EARNING, rows.earnings)
            next_entry_id = self.reached.next_entry_id + rows.entry_count
            connection.execute(REACH, (
                self._last_seq, self._last_ts_ns, self._last_outcome.to_bytes(8, "little"),
                next_entry_id, len(rows.placed), len(rows.trades)))
            reached = read_reached(connection)
        self.reached = reached
        self._pair_count += len(new_pairs)
        self._run = Run()
        return reached.seq

    def close(self) -> None:
        """Forget what is not committed, and close the file."""
        self._connection.close()


def units_of(core, pair) -> tuple[int, int, int, int, int]:
    """A row of `pairs` for a listed pair."""
    base_scale, quote_scale = core.coins.get(pair.base).scale, core.coins.get(pair.quote).scale
    return (pair.number, pair.base, pair.quote, 10 ** (base_scale - pair.amount_scale),
            10 ** (quote_scale - pair.price_scale - pair.amount_scale))


def open_writer(path: Path) -> HistoryWriter:
    """A writer; on a new file where the one that is there can't be used, with a line in the log."""
    try:
        return HistoryWriter(path)
    except HistoryUnusable as reason:
        log.warning("history is rebuilt: %s", reason)
        remove_history(path)
        return HistoryWriter(path)
