"""The proof that a data folder holds together: every frame, every snapshot, the history, the hours.

The whole journal is replayed from its first command. On the way each snapshot is loaded and
compared with the state at its seq, and the history with the core at the seq that it has reached.
Of the workers' hours it is looked at whether each file is as it was written.

Invariant: nothing is changed on the disk, and no fault stops the search where it can go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.codes import EventKind, OrderStatus
from engine.core import Core
from engine.events import decode
from engine.halt import Halt
from engine.history import open_reader, read_ledger_sums
from engine.history_writer import (
    APPLICATION_ID, HISTORY_FILE, SCHEMA_VERSION, Reached, read_reached)
from engine.hour_writer import HOURS_DIRECTORY
from engine.journal import Frame, JournalDamage, JournalReader
from engine.replay import (
    JOURNAL_FOLDER, SNAPSHOT_FOLDER, Progress, apply_frame, last_frame)
from engine.snapshot import (
    Snapshot, SnapshotOutdated, SnapshotUnusable, list_snapshots, read_snapshot)
from pool.hour_files import HourFolder

MONEY = "CNY"       # what coins are sold for
PAYMENT = "pay|"    # so begin the request ids of withdrawals that a settlement made
FAULTS_MAX = 20     # differences of one kind that are spelled out


@dataclass(slots=True)
class Report:
    """What `verify` has seen. No fault means: all of it was compared, and is as it must be.

    `notes` are remarks that are no faults. `history_seq` is None where there is no history.
    """
    frames: int = 0
    last_seq: int = 0
    ts_ns: int = 0
    state_hash: str = ""
    orders: int = 0
    trades: int = 0
    snapshots: list[int] = field(default_factory=list)     # seqs of those that proved good
    history_seq: int | None = None
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults


def verify(directory: Path, progress: Progress | None = None) -> Report:
    """Check a data folder from the journal's first frame on. Faults go into the report.

    The folder's house should not be running: what it writes meanwhile may look like a fault.
    """
    return Verification(Path(directory), progress).run()


class Verification:
    """One pass over a data folder."""

    def __init__(self, directory: Path, progress: Progress | None):
        self.directory = directory
        self.progress = progress
        self.report = Report()
        self.core = Core()
        self.snapshots: dict[int, Path] = {
            seq: path for seq, path in list_snapshots(directory / SNAPSHOT_FOLDER)}
        self.history: sqlite3.Connection | None = None
        self.reached: Reached | None = None

    def run(self) -> Report:
        report = self.report
        try:
            self.open_history()
            self.replay_all()
            report.last_seq, report.ts_ns = self.core.seq, self.core.ts_ns
            report.state_hash = self.core.state_hash()
            self.core.check()
        except Halt as halt:
            report.faults.append(str(halt))
        finally:
            if self.history is not None:
                self.history.close()
        hours = HourFolder(self.directory / HOURS_DIRECTORY)
        faults = map(hours.fault_of, hours.hours())
        report.faults += capped(str(fault) for fault in faults if fault is not None)
        for seq, path in self.snapshots.items():
            report.faults.append(f"{path}: no frame ends with command {seq}")
        if self.history is not None and report.history_seq is None:
            report.faults.append(f"{HISTORY_FILE}: no frame ends with command {self.reached.seq}")
        return report

    def replay_all(self) -> None:
        """Apply every frame, and stop at the first places that are due for comparison."""
        try:
            last = last_frame(self.directory, whole=True)
        except JournalDamage as damage:
            self.report.faults.append(str(damage))
            last = None
        last_seq = last.last_seq if last is not None else 0
        self.compare(None)
        reader = JournalReader(self.directory / JOURNAL_FOLDER)
        try:
            # After damage the frames before it are replayed all the same.
            for frame in reader.frames(last_seq if last is not None else None):
                outcome = apply_frame(self.core, frame)
                kinds = np.bincount(decode(outcome.events)["kind"], minlength=256)
                self.report.frames += 1
                self.report.orders += int(kinds[EventKind.ORDER_PLACED])
                self.report.trades += int(kinds[EventKind.TRADE])
                self.compare(frame)
                if self.progress is not None:
                    self.progress(self.core.seq, max(last_seq, self.core.seq))
        except JournalDamage as damage:
            if str(damage) not in self.report.faults:
                self.report.faults.append(str(damage))
        finally:
            reader.close()

    def compare(self, frame: Frame | None) -> None:
        """Hold snapshot and history of this very seq against the core. `frame` ends with it."""
        path = self.snapshots.pop(self.core.seq, None)
        if path is not None:
            self.compare_snapshot(path, frame)
        if (self.history is not None and self.report.history_seq is None
                and self.reached.seq == self.core.seq):
            self.report.history_seq = self.core.seq
            self.report.faults += (
                f"{HISTORY_FILE}: {fault}" for fault in self.history_faults(frame))

    def compare_snapshot(self, path: Path, frame: Frame | None) -> None:
        try:
            snapshot, dump = read_snapshot(path)
        except SnapshotOutdated as outdated:
            self.report.notes.append(f"not compared: {outdated}")
            return
        except SnapshotUnusable as damage:
            self.report.faults.append(str(damage))
            return
        faults = list(snapshot_faults(snapshot, dump, self.core, frame))
        self.report.faults += (f"{path}: {fault}" for fault in faults)
        if not faults:
            self.report.snapshots.append(snapshot.seq)

    def open_history(self) -> None:
        path = self.directory / HISTORY_FILE
        if not path.exists():
            self.report.notes.append("there is no history: the next start writes it")
            return
        try:
            self.history = open_reader(path)
            # All of it is read as of one moment.
            self.history.execute("BEGIN")
            version = self.history.execute("PRAGMA user_version").fetchone()[0]
            application = self.history.execute("PRAGMA application_id").fetchone()[0]
            if (version, application) != (SCHEMA_VERSION, APPLICATION_ID):
                self.report.notes.append(f"{HISTORY_FILE}: schema {version}, not compared")
                self.close_history()
                return
            self.reached = read_reached(self.history)
        except (sqlite3.Error, TypeError) as error:
            self.report.faults.append(f"{path}: {error}")
            self.close_history()

    def close_history(self) -> None:
        if self.history is not None:
            self.history.close()
            self.history = None

    def history_faults(self, frame: Frame | None) -> Iterator[str]:
        """What is wrong with the history, which has reached the core's seq."""
        try:
            (verdict,) = self.history.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                yield verdict
                return
            if frame is not None and frame.outcome != self.reached.outcome:
                yield f"command {frame.last_seq} is of another journal"
            for table, count in (("orders", self.report.orders), ("trades", self.report.trades)):
                (rows,) = self.history.execute(f"SELECT count(*) FROM {table}").fetchone()
                noted = getattr(self.reached, table)
                if not rows == noted == count:
                    yield f"{rows} {table}, {noted} noted, the replay gave {count}"
            yield from capped(open_order_faults(self.history, self.core))
            yield from capped(ledger_faults(self.history, self.core))
            yield from capped(earning_faults(self.history, self.core))
            yield from capped(payment_faults(self.history, self.core))
        except sqlite3.Error as error:
            yield str(error)


def capped(faults: Iterator[str]) -> Iterator[str]:
    """The first FAULTS_MAX, then how many more there are."""
    more = 0
    for place, fault in enumerate(faults):
        if place < FAULTS_MAX:
            yield fault
        else:
            more += 1
    if more:
        yield f"and {more} more like that"


def snapshot_faults(snapshot: Snapshot, dump: bytes, core: Core,
                    frame: Frame | None) -> Iterator[str]:
    """What is wrong with a whole snapshot, given the replayed core at its seq."""
    state_hash = core.state_hash()
    if snapshot.state_hash != state_hash:
        yield f"its state hash is {snapshot.state_hash}, the replay's {state_hash}"
    if snapshot.ts_ns != core.ts_ns:
        yield f"its time is {snapshot.ts_ns}, the replay's {core.ts_ns}"
    if frame is not None and (snapshot.epoch, snapshot.frame_checksum) != (
            frame.epoch, frame.checksum):
        yield f"it names another frame than the one that ends with command {frame.last_seq}"
    try:
        loaded = Core.load(dump)
    except (ValueError, KeyError) as error:
        yield f"it can't be loaded: {error}"
        return
    if (loaded.seq, loaded.ts_ns, loaded.state_hash()) != (core.seq, core.ts_ns, state_hash):
        yield f"it loads as the state {loaded.state_hash()} of command {loaded.seq}"


def open_order_faults(history: sqlite3.Connection, core: Core) -> Iterator[str]:
    """Where the history's open orders are not the core's."""
    noted = {order_id: fields for order_id, *fields in history.execute(
        f"""SELECT order_id, uid, pair, status, price, iif(quote_amount > 0, 0, qty - filled),
            client_id FROM orders WHERE status < {int(OrderStatus.FILLED)}""")}
    for uid in range(1, core.accounts.user_count + 1):
        for order in core.open_orders(uid):
            fields = [uid, order.pair, order.status, order.price, order.remaining, order.client_id]
            if noted.pop(order.order_id, None) != fields:
                yield f"order {order.order_id} is not as the core has it: {order}"
    for order_id in noted:
        yield f"order {order_id} is said to be open"


def ledger_faults(history: sqlite3.Connection, core: Core) -> Iterator[str]:
    """Where a user's entries do not add up to what the user owns."""
    sums = read_ledger_sums(history)
    for coin in range(1, core.accounts.coin_count + 1):
        for uid in range(1, core.accounts.user_count + 1):
            owned = sum(core.balance(uid, coin))
            noted = sums.pop((uid, coin), 0)
            if noted != owned:
                yield f"user {uid}, coin {coin}: the entries add up to {noted}, not {owned}"
    for (uid, coin), noted in sums.items():
        if noted:
            yield f"user {uid}, coin {coin}: the entries add up to {noted}, but there is none"


def earning_faults(history: sqlite3.Connection, core: Core) -> Iterator[str]:
    """Where an account's earnings do not add up to the total that the core keeps."""
    money = core.coins.by_name(MONEY)
    money_number = 0 if money is None else money.number
    sums: dict[tuple[int, int], int] = {}
    for account, coin, net, got in history.execute(
            "SELECT account, coin, net, money FROM earnings"):
        sums[account, coin] = sums.get((account, coin), 0) + net
        if got:
            sums[account, money_number] = sums.get((account, money_number), 0) + got
    for account, coin, total in core.settlements.totals:
        noted = sums.pop((account, coin), 0)
        if noted != total.earned:
            yield (f"account {account}, coin {coin}: the earnings add up to {noted}, not"
                   f" {total.earned}")
    for (account, coin), noted in sums.items():
        if noted:
            yield f"account {account}, coin {coin}: earnings of {noted}, but there are none"


def payment_faults(history: sqlite3.Connection, core: Core) -> Iterator[str]:
    """Where the payments that earnings name are not the withdrawals that settlements made."""
    noted = {payment: fields for payment, *fields in history.execute(
        "SELECT payment, account, coin, day, paid_coin, paid FROM earnings WHERE payment > 0")}
    for number in range(1, len(core.withdrawals) + 1):
        made = core.withdrawals.get(number)
        if made.request_id is None or not made.request_id.startswith(PAYMENT):
            continue
        coin, day = map(int, made.request_id.removeprefix(PAYMENT).split("|"))
        if noted.pop(number, None) != [made.uid, coin, day, made.coin, made.amount]:
            yield f"payment {number} is not as the core has it: {made}"
    for number in noted:
        yield f"withdrawal {number} is said to be a payment"
