"""What a run of applied frames means for the history: rows, made in bulk. No SQL here.

A run is several whole frames. Orders become rows when they are placed and one change a run, however
often they were touched; trades become rows as they are; of the cold commands, those that change how
much a user owns become moves, and settlements rows of what accounts have earned.

Invariants:
- The rows after two runs are those after one run of all their frames: how frames are grouped does
  not show (tested).
- Exact: a sum that could leave 64 bits is kept as two (`quote_filled`).
"""

from __future__ import annotations

import enum
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgpack
import numpy as np

from engine.codes import EventKind, Kind, OrderFlag, OrderType, Result, WithdrawalStatus
from engine.commands import PLACE_DTYPE, RESULT_DTYPE
from engine.events import EVENT_DTYPE

STOP_TYPES = (int(OrderType.STOP_LIMIT), int(OrderType.STOP_MARKET))
# A trade's entries have the numbers from its `entry_id` on: what the taker received, paid and gave
# as a fee, then the same of the maker.
ENTRIES_PER_TRADE = 6
EARNING_NET = 7             # the place of `net` in an earning (docs/settlement.md)
LOW_BITS = 32
LOW_MASK = (1 << LOW_BITS) - 1

SIZE = struct.Struct("<I")
HEAD = struct.Struct("<IHH")
COLD_HEAD = struct.Struct("<IHHII")


class What(enum.IntEnum):
    """Why an amount of a user changed; written to the history, never reused."""
    TRADE = 1
    FEE = 2
    DEPOSIT = 3
    WITHDRAWAL = 4
    WITHDRAWAL_FEE = 5
    CREDIT = 6
    DEBIT = 7
    TRANSFER = 8
    EXTRACT = 9
    EARNING = 10
    COMMISSION = 11


class Move(NamedTuple):
    """A change of what a user owns (available and frozen together): signed units of a coin.

    Where `once` is set, (what, ref) is noted a single time: its command may be repeated.
    """
    uid: int
    coin: int
    amount: int
    what: int
    ref: str
    once: bool


def deposit_moves(args: dict, value: dict) -> list[Move]:
    if value["duplicate"]:
        return []
    return [Move(args["uid"], args["coin"], args["amount"], What.DEPOSIT, args["txid"], False)]


def withdrawal_moves(args: dict, value: dict) -> list[Move]:
    """Until it is finished a withdrawal changes nothing but what is frozen."""
    if value["status"] != WithdrawalStatus.FINISHED:
        return []
    uid, coin, fee, ref = value["uid"], value["coin"], value["fee"], str(value["id"])
    moves = [Move(uid, coin, fee - value["amount"], What.WITHDRAWAL, ref, True)]
    if fee:
        moves.append(Move(uid, coin, -fee, What.WITHDRAWAL_FEE, ref, True))
    return moves


def credit_moves(args: dict, value: dict) -> list[Move]:
    if value["duplicate"]:
        return []
    return [Move(args["uid"], args["coin"], args["amount"], What.CREDIT,
                 args.get("request_id") or "", False)]


def debit_moves(args: dict, value: dict) -> list[Move]:
    if value["duplicate"]:
        return []
    return [Move(args["uid"], args["coin"], -args["amount"], What.DEBIT,
                 args.get("request_id") or "", False)]


def transfer_moves(args: dict, value: dict) -> list[Move]:
    """Each side is told the other."""
    if value["duplicate"]:
        return []
    source, target, coin, amount = args["from_uid"], args["to_uid"], args["coin"], args["amount"]
    return [Move(source, coin, -amount, What.TRANSFER, str(target), False),
            Move(target, coin, amount, What.TRANSFER, str(source), False)]


def extract_moves(args: dict, value: dict) -> list[Move]:
    """Who receives is told whose wallet it came from; wallets have no entries of their own."""
    return [Move(value["uid"], value["coin"], args["amount"], What.EXTRACT, str(args["uid"]),
                 False)]


def earning_moves(args: dict, value: dict) -> list[Move]:
    """Who works is told the day that it was paid for, who referred it whose work it was."""
    moves = []
    for earning in value["earnings"]:
        account, coin, day, _, _, commission, refer, net = earning[:EARNING_NET + 1]
        if net:
            moves.append(Move(account, coin, net, What.EARNING, str(day), False))
        if commission:
            moves.append(Move(refer, coin, commission, What.COMMISSION, str(account), False))
    return moves


# The cold commands that move money: given their arguments and their value, the moves.
MOVES: dict[int, Callable[[dict, dict], list[Move]]] = {
    int(Kind.DEPOSIT): deposit_moves,
    int(Kind.FINISH_WITHDRAWAL): withdrawal_moves,
    int(Kind.CREDIT_BALANCE): credit_moves,
    int(Kind.DEBIT_BALANCE): debit_moves,
    int(Kind.TRANSFER_BALANCE): transfer_moves,
    int(Kind.EXTRACT_ORE): extract_moves,
    # SELL_EARNINGS gives an earning again that has been posted; its trades have entries of theirs.
    int(Kind.SETTLE_ACCOUNTS): earning_moves,
}
EARNING_KINDS = (int(Kind.SETTLE_ACCOUNTS), int(Kind.SELL_EARNINGS))


class Rows(NamedTuple):
    """One run for SQLite; the order of fields is that of the statements in engine/history."""
    placed: list[tuple]     # order_id … placed_ns (ORDER_COLUMNS of placed_rows)
    changes: list[tuple]    # see change_rows
    trades: list[tuple]     # see trade_rows
    entries: list[tuple]    # entry_id, uid, coin, amount, what, ref, once, ts_ns, seq
    entry_count: int        # entry numbers that the run used up
    earnings: list[tuple]   # as docs/settlement.md has them; a later one takes the earlier's place


class Run:
    """Frames on their way into the history."""

    def __init__(self):
        self._first_seqs: list[int] = []
        self._ts_ns: list[int] = []
        self._commands: list[bytes] = []
        self._events: list[bytes] = []
        self._moves: list[tuple[int, int, Move]] = []    # (seq, ts_ns, move)
        self._earnings: list[tuple] = []
        self.event_count = 0
        self.command_bytes = 0

    def __len__(self) -> int:
        """Frames."""
        return len(self._first_seqs)

    def add(self, first_seq: int, ts_ns: int, commands: bytes, results: bytes, events: bytes,
            values: dict[int, object]) -> None:
        """The next frame, and the outcome that it had (docs/core.md)."""
        self._first_seqs.append(first_seq)
        self._ts_ns.append(ts_ns)
        self._commands.append(commands)
        self._events.append(events)
        self.event_count += len(events) // EVENT_DTYPE.itemsize
        self.command_bytes += len(commands)
        if values:
            codes = np.frombuffer(results, RESULT_DTYPE)["code"]
            for index, offset in record_offsets(commands, sorted(values)):
                if codes[index] == Result.OK:
                    self._moves += ((first_seq + index, ts_ns, move)
                                    for move in moves_of(commands, offset, values[index]))
                    self._earnings += earnings_of(commands, offset, values[index])

    def rows(self, first_entry_id: int) -> Rows:
        """What the run adds, its entries numbered from `first_entry_id`."""
        events = np.frombuffer(b"".join(self._events), EVENT_DTYPE)
        counts = [len(part) // EVENT_DTYPE.itemsize for part in self._events]
        ts_ns = np.repeat(np.array(self._ts_ns, np.int64), counts)
        is_trade = events["kind"] == EventKind.TRADE
        trades, trades_ns = events[is_trade], ts_ns[is_trade]
        move_seqs = np.array([seq for seq, _, _ in self._moves], np.uint64)
        # An entry's number: all entries of earlier commands, then those before it of its own.
        trade_entry_ids = (first_entry_id + ENTRIES_PER_TRADE * np.arange(len(trades))
                           + np.searchsorted(move_seqs, trades["seq"]))
        move_entry_ids = (first_entry_id + np.arange(len(move_seqs))
                          + ENTRIES_PER_TRADE * np.searchsorted(trades["seq"], move_seqs))
        entries = [(entry_id, *move, ts_ns, seq)
                   for entry_id, (seq, ts_ns, move) in zip(move_entry_ids.tolist(), self._moves)]
        return Rows(
            placed=self._placed_rows(events, ts_ns), changes=change_rows(events, ts_ns),
            trades=trade_rows(trades, trades_ns, trade_entry_ids), entries=entries,
            entry_count=ENTRIES_PER_TRADE * len(trades) + len(entries), earnings=self._earnings)

    def _placed_rows(self, events: np.ndarray, ts_ns: np.ndarray) -> list[tuple]:
        """order_id, uid, pair, side, type, tif, flags, price, qty, quote_amount, stop_price,
        client_id, placed_ns of every order placed."""
        is_placed = events["kind"] == EventKind.ORDER_PLACED
        placed = events[is_placed]
        client_ids: list[str | None] = [None] * len(placed)
        for at in np.flatnonzero(placed["flags"] & int(OrderFlag.HAS_CLIENT_ID)).tolist():
            client_ids[at] = ""
        named = [at for at, client_id in enumerate(client_ids) if client_id is not None]
        for at, client_id in zip(named, self._client_ids(placed["seq"][named].tolist())):
            client_ids[at] = client_id
        names = ("order_id", "user", "pair", "side", "type", "tif", "flags", "price", "qty",
                 "quote_amount", "stop_price")
        columns = [placed[name].tolist() for name in names]
        return list(zip(*columns, client_ids, ts_ns[is_placed].tolist()))

    def _client_ids(self, seqs: list[int]) -> Iterator[str]:
        """The client ids in the PLACE_ORDER commands with these (rising) sequence numbers."""
        by_frame: dict[int, list[int]] = {}
        for seq in seqs:
            by_frame.setdefault(bisect_right(self._first_seqs, seq) - 1, []).append(seq)
        for frame, frame_seqs in by_frame.items():
            commands, first_seq = self._commands[frame], self._first_seqs[frame]
            for _, offset in record_offsets(commands, [seq - first_seq for seq in frame_seqs]):
                at = offset + PLACE_DTYPE.itemsize
                yield commands[at + 1:at + 1 + commands[at]].decode("ascii")


def record_offsets(commands: bytes, wanted: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(index, offset in bytes) of the records with these (rising) indexes."""
    offset = index = 0
    for target in wanted:
        while index < target:
            offset += SIZE.unpack_from(commands, offset)[0]
            index += 1
        yield target, offset


def moves_of(commands: bytes, offset: int, value: object) -> list[Move]:
    """The moves of the command there, which was accepted with this value."""
    kind = HEAD.unpack_from(commands, offset)[1]
    moves = MOVES.get(kind)
    if moves is None:
        return []
    length = COLD_HEAD.unpack_from(commands, offset)[3]
    payload = commands[offset + COLD_HEAD.size:offset + COLD_HEAD.size + length]
    return moves(msgpack.unpackb(payload, raw=False), value)


def earnings_of(commands: bytes, offset: int, value: object) -> list[tuple]:
    """The earnings that the command there, which was accepted with this value, has given."""
    if HEAD.unpack_from(commands, offset)[1] not in EARNING_KINDS:
        return []
    return [tuple(earning) for earning in value["earnings"]]


def trade_rows(trades: np.ndarray, ts_ns: np.ndarray, entry_ids: np.ndarray) -> list[tuple]:
    """trade_id, pair, price, qty, taker_side, taker_order_id, maker_order_id, taker_uid, maker_uid,
    taker_fee, maker_fee, ts_ns, seq, entry_id."""
    names = ("trade_id", "pair", "price", "qty", "side", "order_id", "maker_order_id", "user",
             "maker_user", "taker_fee", "maker_fee")
    columns = [trades[name].tolist() for name in names]
    return list(zip(*columns, ts_ns.tolist(), trades["seq"].tolist(), entry_ids.tolist()))


def change_rows(events: np.ndarray, ts_ns: np.ndarray) -> list[tuple]:
    """One row for every order that something happened to after it was placed:

    order_id; 1 if amended, then price and qty after the last amendment; lots filled; quote filled
    (high, low); 1 if it acted (a stop was triggered, an order by quote amount came); the reason if
    it was cancelled, else 0; the time of the last of all that.
    """
    # An order by quote amount is done when its command is, and no event may say so.
    is_acting = ((events["kind"] == EventKind.ORDER_PLACED) & (events["quote_amount"] > 0)
                 & ~np.isin(events["type"], STOP_TYPES))
    touching = np.flatnonzero((events["kind"] != EventKind.ORDER_PLACED) | is_acting)
    matching = np.flatnonzero(events["kind"] == EventKind.TRADE)
    if not len(touching):
        return []
    places = np.concatenate([touching, matching])
    order_ids = np.concatenate([events["order_id"][touching], events["maker_order_id"][matching]])
    in_order = np.lexsort((places, order_ids))
    places, order_ids = places[in_order], order_ids[in_order]
    starts = np.flatnonzero(np.concatenate([[True], order_ids[1:] != order_ids[:-1]]))
    lasts = np.concatenate([starts[1:], [len(places)]]) - 1

    kinds = events["kind"][places]
    traded = np.where(kinds == EventKind.TRADE, events["qty"][places], 0)
    # price × qty is at most the quote amount, which the core keeps below 2^63; the sum is not.
    value = traded * events["price"][places]
    amended_at = np.maximum.reduceat(
        np.where(kinds == EventKind.ORDER_AMENDED, np.arange(len(places)), -1), starts)
    amendment = events[places[np.maximum(amended_at, 0)]]
    acted = np.isin(kinds, (int(EventKind.ORDER_TRIGGERED), int(EventKind.ORDER_PLACED)))
    reasons = np.where(kinds == EventKind.ORDER_CANCELLED, events["reason"][places], 0)
    columns = (
        order_ids[starts], (amended_at >= 0).astype(np.int64), amendment["price"],
        amendment["qty"], np.add.reduceat(traded, starts),
        np.add.reduceat(value >> LOW_BITS, starts), np.add.reduceat(value & LOW_MASK, starts),
        np.maximum.reduceat(acted.astype(np.int64), starts), np.maximum.reduceat(reasons, starts),
        ts_ns[places[lasts]])
    return list(zip(*(column.tolist() for column in columns)))
