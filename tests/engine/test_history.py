"""engine/history*: the rows of real flows, against the model and the core, and the queries."""

import asyncio
import shutil
import sqlite3
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codes import (
    EventKind, Kind, OrderStatus, OrderType, Result, Side, Tif, WithdrawalStatus)
from engine.commands import RESULT_DTYPE, cold
from engine.core import Core
from engine.events import EVENT_DTYPE
from engine.halt import Halt
from engine.history import (
    LIMIT_MAX, History, HistoryLate, open_reader, read_ledger, read_ledger_sums, read_order,
    read_orders, read_trades)
from engine.history_rows import Run, What
from engine.history_writer import (
    HISTORY_FILE, HistoryUnusable, HistoryWriter, open_writer)
from tests.engine.folders import Live, outcomes_of
from tests.model.workload import COINS, USERS

TABLES = ("reached", "pairs", "orders", "trades", "entries", "earnings")
BATCHES = 200
TS_NS = 1_700_000_000_000_000_000


class Flow:
    """What all tests read: frames, the core after them, every order as the model has it."""

    def __init__(self, directory):
        self.live = Live(directory, seed=8)
        self.orders = {}
        open_order = self.live.trader.model.open

        def open_and_remember(order):
            self.orders[order.order_id] = order
            open_order(order)

        self.live.trader.model.open = open_and_remember
        self.live.run(BATCHES)
        self.core, self.applied = outcomes_of(directory)
        self.path = directory / HISTORY_FILE
        write(self.path, self.core, [self.applied])


def write(path, core, runs):
    """Write frames to a history, one commit a run, each with a writer of its own."""
    for run in runs:
        writer = HistoryWriter(path)
        for frame, outcome in run:
            writer.add(frame, outcome)
        writer.commit(core)
        writer.close()


def rows_of(path):
    connection = open_reader(path)
    rows = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
            for table in TABLES}
    connection.close()
    return rows


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    return Flow(tmp_path_factory.mktemp("flow"))


@pytest.fixture
def reader(flow):
    connection = open_reader(flow.path)
    yield connection
    connection.close()


def test_every_order_ends_as_the_model_has_it(flow, reader):
    assert len(flow.orders) > 1_000
    for order_id, order in flow.orders.items():
        past = read_order(reader, order_id)
        placed = order.placed
        client_id = placed.client_id.decode() if placed.client_id is not None else None
        assert past == past._replace(
            uid=order.user, pair=order.pair, side=order.side, type=placed.type, tif=placed.tif,
            price=order.price, qty=order.qty, quote_amount=placed.quote_amount,
            stop_price=placed.stop_price, client_id=client_id, status=order.status,
            filled=order.filled, remaining=order.remaining), order
        is_closed = order.order_id not in flow.live.trader.model.orders
        assert (past.closed_ns >= past.placed_ns) if is_closed else past.closed_ns == 0
        assert (past.reason > 0) == (past.status == OrderStatus.CANCELLED)
    assert reader.execute("SELECT count(*) FROM orders").fetchone() == (len(flow.orders),)
    assert {order.status for order in flow.orders.values()} == set(map(int, OrderStatus))


def test_every_trade_is_there(flow, reader):
    events = np.frombuffer(b"".join(outcome.events for _, outcome in flow.applied), EVENT_DTYPE)
    names = ("trade_id", "pair", "price", "qty", "side", "order_id", "maker_order_id", "user",
             "maker_user", "taker_fee", "maker_fee", "seq")
    wanted = events[events["kind"] == EventKind.TRADE][list(names)].tolist()
    found = reader.execute(
        """SELECT trade_id, pair, price, qty, taker_side, taker_order_id, maker_order_id, taker_uid,
            maker_uid, taker_fee, maker_fee, seq FROM trades ORDER BY trade_id""").fetchall()
    assert len(found) > 300
    assert found == wanted


def test_quote_filled_is_the_sum_of_the_orders_trades(flow, reader):
    sums = {}
    for taker, maker, price, qty in reader.execute(
            "SELECT taker_order_id, maker_order_id, price, qty FROM trades"):
        for order_id in (taker, maker):
            sums[order_id] = sums.get(order_id, 0) + price * qty
    for order_id in flow.orders:
        assert read_order(reader, order_id).quote_filled == sums.get(order_id, 0)


def test_entries_add_up_to_what_users_own(flow, reader):
    uids = range(1, len(flow.core.users) + 1)       # sub-accounts, too
    owned = {(uid, coin): sum(flow.core.balance(uid, coin))
             for uid in uids for coin in range(1, COINS + 1)}
    sums = read_ledger_sums(reader)
    assert {key: sums.get(key, 0) for key in owned} == owned
    for (uid, coin), amount in owned.items():
        entries = pages(lambda before: read_ledger(reader, uid, coin, LIMIT_MAX, before))
        assert sum(entry.amount for entry in entries) == amount
        assert {entry.coin for entry in entries} <= {coin}
    kinds = {entry.what for uid in uids
             for entry in pages(lambda before: read_ledger(reader, uid, 0, LIMIT_MAX, before))}
    assert kinds == set(What)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(cuts=st.sets(st.integers(1, BATCHES - 1), max_size=6))
def test_the_grouping_of_frames_does_not_show(flow, tmp_path_factory, cuts):
    path = tmp_path_factory.mktemp("grouped") / HISTORY_FILE
    bounds = [0, *sorted(cuts), BATCHES]
    write(path, flow.core, [flow.applied[start:end] for start, end in zip(bounds, bounds[1:])])
    assert rows_of(path) == rows_of(flow.path)


def test_what_is_not_committed_is_done_again(flow, tmp_path):
    path = tmp_path / HISTORY_FILE
    half = BATCHES // 2
    write(path, flow.core, [flow.applied[:half]])
    forgetful = HistoryWriter(path)
    for frame, outcome in flow.applied[half:]:
        forgetful.add(frame, outcome)
    forgetful.close()
    resumed = HistoryWriter(path)
    assert resumed.seq == flow.applied[half - 1][0].last_seq
    resumed.close()
    write(path, flow.core, [flow.applied[half:]])
    assert rows_of(path) == rows_of(flow.path)


def test_frames_out_of_order_halt(flow, tmp_path):
    writer = HistoryWriter(tmp_path / HISTORY_FILE)
    with pytest.raises(Halt, match="after command 0"):
        writer.add(*flow.applied[1])
    writer.close()


def test_two_writers_halt(flow, tmp_path):
    first, second = HistoryWriter(tmp_path / HISTORY_FILE), HistoryWriter(tmp_path / HISTORY_FILE)
    for writer in (first, second):
        writer.add(*flow.applied[0])
    first.commit(flow.core)
    with pytest.raises(Halt, match="another process"):
        second.commit(flow.core)
    first.close()
    second.close()


def test_a_change_of_an_unknown_order_halts(flow, tmp_path):
    path = tmp_path / HISTORY_FILE
    writer = HistoryWriter(path)
    frame, outcome = flow.applied[0]
    events = synthetic_events([{"kind": EventKind.ORDER_CANCELLED, "order_id": 9, "reason": 1}])
    writer.add(frame, SimpleNamespace(results=outcome.results, events=events, values={}))
    with pytest.raises(Halt, match="1 orders changed, 0 are known"):
        writer.commit(flow.core)
    writer.close()
    assert rows_of(path)["orders"] == []


# Files that can't be used


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_replaced(tmp_path, caplog, content):
    path = tmp_path / HISTORY_FILE
    path.write_bytes(content)
    with pytest.raises(HistoryUnusable):
        HistoryWriter(path)
    writer = open_writer(path)
    assert writer.seq == 0
    assert "history is rebuilt" in caplog.text
    writer.close()


def test_another_schema_is_replaced(flow, tmp_path):
    path = tmp_path / HISTORY_FILE
    shutil.copy(flow.path, path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(HistoryUnusable, match="schema 999"):
        HistoryWriter(path)
    writer = open_writer(path)
    assert writer.seq == 0
    writer.close()


# Exact numbers, from made-up events


def synthetic_events(fields):
    events = np.zeros(len(fields), EVENT_DTYPE)
    for event, values in zip(events, fields):
        for name, value in values.items():
            event[name] = value
    return events.tobytes()


def test_a_sum_beyond_64_bits_is_exact(tmp_path):
    path = tmp_path / HISTORY_FILE
    price, qty = 2**31 + 1, 2**31 - 1
    placed = [{"kind": EventKind.ORDER_PLACED, "order_id": number, "side": Side.SELL, "user": 1,
               "pair": 1, "seq": number, "price": 1, "qty": 5 * qty, "type": OrderType.LIMIT,
               "tif": Tif.GTC} for number in (1, 2)]
    trades = [{"kind": EventKind.TRADE, "order_id": 2, "maker_order_id": 1, "seq": 2, "user": 2,
               "maker_user": 1, "side": Side.BUY, "pair": 1, "price": price, "qty": qty,
               "trade_id": number} for number in range(1, 6)]
    for events in (placed + trades[:3], trades[3:]):
        writer = HistoryWriter(path)
        frame = SimpleNamespace(first_seq=writer.seq + 1, count=1, ts_ns=TS_NS, outcome=7,
                                commands=bytes(48))
        writer.add(frame, SimpleNamespace(results=b"", events=synthetic_events(events), values={}))
        writer.commit(Core())
        writer.close()
    reader = open_reader(path)
    for order_id in (1, 2):
        order = read_order(reader, order_id)
        assert order.quote_filled == 5 * price * qty > 2**64
        assert (order.status, order.filled) == (OrderStatus.FILLED, 5 * qty)
    reader.close()


BALANCE = {"by": 9, "uid": 1, "coin": 2, "amount": 5, "request_id": "r"}
TRANSFER = {"by": 9, "from_uid": 1, "to_uid": 7, "coin": 2, "amount": 5, "request_id": "r"}


def withdrawal(status):
    return {"id": 3, "uid": 1, "coin": 2, "amount": 100, "fee": 7, "status": int(status)}


def test_a_repeated_finish_is_noted_once(tmp_path):
    path = tmp_path / HISTORY_FILE
    finish = cold(Kind.FINISH_WITHDRAWAL, {"id": 3, "txid": "x"})
    results = np.zeros(2, RESULT_DTYPE)
    results["code"] = Result.OK
    value = withdrawal(WithdrawalStatus.FINISHED)
    for _ in range(2):
        writer = HistoryWriter(path)
        frame = SimpleNamespace(first_seq=writer.seq + 1, count=2, ts_ns=TS_NS, outcome=7,
                                commands=finish + finish)
        writer.add(frame, SimpleNamespace(results=results.tobytes(), events=b"",
                                          values={0: value, 1: value}))
        writer.commit(Core())
        writer.close()
    reader = open_reader(path)
    entries = read_ledger(reader, 1, 0, 10, None)
    assert [(e.entry_id, e.amount, e.what, e.ref, e.seq) for e in entries] == [
        (2, -7, What.WITHDRAWAL_FEE, "3", 1), (1, -93, What.WITHDRAWAL, "3", 1)]
    reader.close()


@pytest.mark.parametrize("kind, args, value, code", [
    (Kind.DEPOSIT, {"uid": 1, "coin": 1, "amount": 5, "txid": "t"}, {"duplicate": True}, Result.OK),
    (Kind.DEPOSIT, {"uid": 1, "coin": 1, "amount": 5, "txid": "t"}, {"duplicate": False},
     Result.AMOUNT_TOO_LARGE),
    (Kind.REQUEST_WITHDRAWAL, {"uid": 1}, withdrawal(WithdrawalStatus.REQUESTED), Result.OK),
    (Kind.APPROVE_WITHDRAWAL, {"id": 3}, withdrawal(WithdrawalStatus.APPROVED), Result.OK),
    (Kind.REJECT_WITHDRAWAL, {"id": 3}, withdrawal(WithdrawalStatus.REJECTED), Result.OK),
    (Kind.ADD_COIN, {"name": "X"}, 1, Result.OK),
    (Kind.CREDIT_BALANCE, BALANCE, {"duplicate": True}, Result.OK),
    (Kind.DEBIT_BALANCE, BALANCE, {"duplicate": True}, Result.OK),
    (Kind.DEBIT_BALANCE, BALANCE, {"duplicate": False}, Result.NOT_ENOUGH_MONEY),
    (Kind.TRANSFER_BALANCE, TRANSFER, {"duplicate": True}, Result.OK),
    (Kind.FREEZE_BALANCE, BALANCE, {"duplicate": False}, Result.OK),
    (Kind.UNFREEZE_BALANCE, BALANCE, {"duplicate": False}, Result.OK),
    (Kind.OPEN_WALLET, {"uid": 1}, 1, Result.OK),
])
def test_what_moves_nothing_gives_no_entry(kind, args, value, code):
    assert entries_of(kind, args, value, code) == []


@pytest.mark.parametrize("kind, args, value, wanted", [
    (Kind.CREDIT_BALANCE, BALANCE, {"duplicate": False}, [(1, 2, 5, What.CREDIT, "r")]),
    (Kind.CREDIT_BALANCE, BALANCE | {"request_id": None}, {"duplicate": False},
     [(1, 2, 5, What.CREDIT, "")]),
    (Kind.DEBIT_BALANCE, BALANCE, {"duplicate": False}, [(1, 2, -5, What.DEBIT, "r")]),
    (Kind.TRANSFER_BALANCE, TRANSFER, {"duplicate": False},
     [(1, 2, -5, What.TRANSFER, "7"), (7, 2, 5, What.TRANSFER, "1")]),
    (Kind.EXTRACT_ORE, {"uid": 1, "amount": 5}, {"uid": 1, "coin": 4},
     [(1, 4, 5, What.EXTRACT, "1")]),
    (Kind.EXTRACT_ORE, {"uid": 1, "amount": 5, "wallet": 3}, {"uid": 7, "coin": 4},
     [(7, 4, 5, What.EXTRACT, "1")]),
])
def test_what_moves_a_balance_gives_each_side_an_entry(kind, args, value, wanted):
    assert entries_of(kind, args, value, Result.OK) == [
        (number, *entry, False, TS_NS, 1) for number, entry in enumerate(wanted, 1)]


def entries_of(kind, args, value, code):
    """The rows of the entries that one command gives."""
    run = Run()
    results = np.zeros(1, RESULT_DTYPE)
    results["code"] = code
    run.add(1, TS_NS, cold(kind, args), results.tobytes(), b"", {0: value})
    return run.rows(1).entries


# Queries


def pages(query):
    """All of a query's rows, page by page."""
    rows, before = [], None
    while page := query(before):
        assert page == sorted(page, reverse=True)
        assert before is None or page[0][0] < before
        rows += page
        before = page[-1][0]
    return rows


@settings(max_examples=25, deadline=None)
@given(uid=st.integers(1, USERS + 1), pair=st.integers(0, 6), limit=st.integers(1, 40))
def test_pages_together_are_all(flow, uid, pair, limit):
    reader = open_reader(flow.path)
    trades = pages(lambda before: read_trades(reader, uid, pair, None, None, limit, before))
    wanted = [row for row, in reader.execute(
        """SELECT trade_id FROM trades WHERE ?1 IN (taker_uid, maker_uid) AND ?2 IN (0, pair)
            ORDER BY trade_id DESC""", (uid, pair))]
    assert [trade.trade_id for trade in trades] == wanted
    orders = pages(lambda before: read_orders(reader, uid, pair, None, None, limit, before, False))
    mine = [order.order_id for order in flow.orders.values()
            if order.user == uid and pair in (0, order.pair)]
    assert [order.order_id for order in orders] == sorted(mine, reverse=True)
    closed = pages(lambda before: read_orders(reader, uid, pair, None, None, limit, before, True))
    assert closed == [order for order in orders if order.closed_ns]
    coin = min(pair, 5)
    entries = pages(lambda before: read_ledger(reader, uid, coin, limit, before))
    assert entries == pages(lambda before: read_ledger(reader, uid, coin, LIMIT_MAX, before))
    reader.close()


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.integers(0, BATCHES - 1), st.integers(-1, 1)),
       st.tuples(st.integers(0, BATCHES - 1), st.integers(-1, 1)), st.integers(1, USERS))
def test_times_bound_what_is_found(flow, start, end, uid):
    reader = open_reader(flow.path)
    start_ns, end_ns = (flow.applied[at][0].ts_ns + step for at, step in (start, end))
    trades = read_trades(reader, uid, 0, start_ns, end_ns, LIMIT_MAX, None)
    every = pages(lambda before: read_trades(reader, uid, 0, None, None, LIMIT_MAX, before))
    assert trades == [trade for trade in every if start_ns <= trade.ts_ns < end_ns][:LIMIT_MAX]
    orders = read_orders(reader, uid, 0, start_ns, end_ns, LIMIT_MAX, None, False)
    every = pages(lambda before: read_orders(reader, uid, 0, None, None, LIMIT_MAX, before, False))
    assert orders == [order for order in every
                      if start_ns <= order.placed_ns < end_ns][:LIMIT_MAX]
    reader.close()


def test_a_user_who_met_himself_has_two_fills(flow, reader):
    both = [trade for uid in range(1, USERS + 1)
            for trade in read_trades(reader, uid, 4, None, None, LIMIT_MAX, None)
            if trade.taker_uid == trade.maker_uid]
    assert both, "pair 4 allows self-trades: the flow should have some"
    taker, maker = both[0].fills(both[0].taker_uid)
    assert (taker.order_id, taker.is_maker, taker.fee) == (
        both[0].taker_order_id, False, both[0].taker_fee)
    assert (maker.order_id, maker.is_maker, maker.fee) == (
        both[0].maker_order_id, True, both[0].maker_fee)
    assert {taker.side, maker.side} == {Side.BUY, Side.SELL}


# The async side


async def caught_up():
    pass


def test_history_answers_and_caps_the_limit(flow):
    async def ask():
        history = History(flow.path, caught_up)
        order_id = next(iter(flow.orders))
        answers = (await history.order(order_id), await history.order(2**64),
                   await history.orders(1, limit=10**9), await history.orders(1, limit=-1),
                   await history.trades(1), await history.ledger(1, coin=3, limit=3))
        await history.close()
        return order_id, answers

    order_id, (order, nothing, orders, none, trades, entries) = asyncio.run(ask())
    assert order.order_id == order_id and nothing is None
    mine = sum(order.user == 1 for order in flow.orders.values())
    assert 100 < len(orders) <= min(mine, LIMIT_MAX) and none == []
    assert len(trades) == 100 and all(trade.fills(1) for trade in trades)
    assert len(entries) == 3 and {entry.coin for entry in entries} == {3}


def test_history_waits_first(flow):
    async def late():
        raise HistoryLate("not yet")

    async def ask():
        history = History(flow.path, late)
        try:
            await history.order(1)
        finally:
            await history.close()

    with pytest.raises(HistoryLate):
        asyncio.run(ask())


def test_history_sees_a_file_that_was_rebuilt(flow, tmp_path):
    path = tmp_path / HISTORY_FILE
    order_id = next(iter(flow.orders))

    async def ask():
        history = History(path, caught_up)
        HistoryWriter(path).close()
        before = await history.order(order_id)
        path.unlink()
        write(path, flow.core, [flow.applied])
        after = await history.order(order_id)
        await history.close()
        return before, after

    before, after = asyncio.run(ask())
    assert before is None and after.order_id == order_id


def test_a_reader_cannot_write(flow, reader):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM orders")
