"""A folder of balances moved in every way: it verifies clean, and shows each move to whom it is."""

import random
import sqlite3

import pytest

from engine.codes import Kind, OrderType, SelfTrade, Side, Tif
from engine.commands import cancel_all, cold, place_order
from engine.history import open_reader, read_ledger, read_ledger_sums
from engine.history_rows import What
from engine.history_writer import HISTORY_FILE
from engine.replay import rebuild_history, write_snapshot
from engine.verify import verify
from tests.engine.cold_house import HASH, NS_PER_S, START_NS
from tests.engine.folders import Live

ALICE, BOB, SERVER = 1, 2, 3
ORE, USDT = 1, 2
DAY_S = 86_400
BATCHES = 30
OPENING = [
    *(cold(Kind.ADD_COIN, {"name": name, "title": name, "type": "chain", "scale": scale,
                           "withdraw_fee": 5}) for name, scale in (("ORE", 2), ("USDT", 4))),
    cold(Kind.ADD_PAIR, {"name": "ORE/USDT", "price_scale": 2, "amount_scale": 2, "min_qty": 1,
                         "maker_fee_ppm": 1_000, "taker_fee_ppm": 50_000,
                         "self_trade": int(SelfTrade.ALLOW)}),
    cold(Kind.SET_MINING, {"coin": ORE, "rate": 10**10, "force_price": 3, "sign_in_force": 2,
                           "initial_force": 5}),
    *(cold(Kind.REGISTER_USER, {"username": name, "password_hash": HASH, "group": 2})
      for name in ("alice", "bob", "server")),
    *(cold(Kind.OPEN_WALLET, {"uid": uid}) for uid in (ALICE, BOB)),
    *(cold(Kind.SET_WITHDRAW_ADDRESS, {"uid": uid, "coin": USDT, "address": f"T-{uid}"})
      for uid in (ALICE, BOB)),
    *(cold(Kind.DEPOSIT, {"uid": uid, "coin": coin, "amount": 2_000, "txid": "first"})
      for uid in (ALICE, BOB) for coin in (ORE, USDT)),
]


class Mover:
    """Batches in which everything that moves a balance happens, some of it in vain or repeated."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.ts_ns = START_NS
        self.batch = OPENING

    def next_batch(self) -> tuple[bytes, int]:
        """(commands, ts_ns)"""
        batch, self.batch = self.batch, [self.command() for _ in range(20)]
        self.ts_ns += NS_PER_S * DAY_S // 10
        return b"".join(batch), self.ts_ns

    def command(self) -> bytes:
        choose = self.random
        uid, coin, amount = choose.choice((ALICE, BOB)), choose.choice((ORE, USDT)), (
            choose.randint(1, 300))
        asked = {"by": choose.choice((uid, SERVER)), "coin": coin, "amount": amount,
                 "request_id": choose.choice((None, f"r{choose.randint(1, 60)}"))}
        kind = choose.choice((
            Kind.CREDIT_BALANCE, Kind.DEBIT_BALANCE, Kind.FREEZE_BALANCE, Kind.UNFREEZE_BALANCE,
            Kind.TRANSFER_BALANCE, Kind.CLAIM_ORE, Kind.EXTRACT_ORE, Kind.REQUEST_WITHDRAWAL,
            Kind.FINISH_WITHDRAWAL, Kind.PLACE_ORDER, Kind.PLACE_ORDER, Kind.CANCEL_ALL))
        match kind:
            case Kind.PLACE_ORDER:
                return place_order(uid, 1, choose.choice((Side.BUY, Side.SELL)), OrderType.LIMIT,
                                   Tif.GTC, price=choose.randint(1, 2), qty=amount)
            case Kind.CANCEL_ALL:
                return cancel_all(uid)
            case Kind.TRANSFER_BALANCE:
                return cold(kind, asked | {"from_uid": uid, "to_uid": choose.choice((1, 2, 3))})
            case Kind.CLAIM_ORE:
                return cold(kind, {"uid": uid, "amount": amount})
            case Kind.EXTRACT_ORE:
                return cold(kind, {"uid": uid, "amount": amount,
                                   "wallet": choose.choice((None, 1, 2))})
            case Kind.REQUEST_WITHDRAWAL:
                return cold(kind, {"uid": uid, "coin": USDT, "amount": amount}) + cold(
                    Kind.APPROVE_WITHDRAWAL, {"id": choose.randint(1, 20)})
            case Kind.FINISH_WITHDRAWAL:
                return cold(kind, {"id": choose.randint(1, 20), "txid": "paid"})
        return cold(kind, asked | {"uid": uid})


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """The core and the folder after all batches, with a snapshot in the middle, and the history."""
    directory = tmp_path_factory.mktemp("moved")
    live = Live(directory)
    live.trader = Mover(seed=7)
    live.run(BATCHES // 2)
    write_snapshot(directory)
    live.run(BATCHES - BATCHES // 2)
    rebuild_history(directory)
    return live


@pytest.fixture
def reader(moved):
    connection = open_reader(moved.directory / HISTORY_FILE)
    yield connection
    connection.close()


def ledger(reader, uid):
    return read_ledger(reader, uid, 0, 1_000, None)


def test_a_folder_of_all_moves_verifies_clean(moved, reader):
    assert {entry.what for uid in (ALICE, BOB) for entry in ledger(reader, uid)} == (
        set(What) - {What.EARNING, What.COMMISSION})
    assert moved.core.freezes.get(ALICE, USDT).total > 0 and len(moved.core.request_ids) > 50
    report = verify(moved.directory)
    assert report.ok and not report.notes, report
    assert report.history_seq == report.last_seq == moved.core.seq
    assert report.state_hash == moved.core.state_hash() and len(report.snapshots) == 1


def test_entries_add_up_to_what_users_own(moved, reader):
    sums = read_ledger_sums(reader)
    for uid in (ALICE, BOB, SERVER):
        for coin in (ORE, USDT):
            owned = sum(moved.core.balance(uid, coin))
            assert sums.get((uid, coin), 0) == owned
            assert sum(entry.amount for entry in ledger(reader, uid) if entry.coin == coin) == owned


def test_a_transfer_is_shown_to_both_as_one(reader):
    def transfers(uid, other):
        return [(entry.seq, entry.coin, entry.amount) for entry in ledger(reader, uid)
                if entry.what == What.TRANSFER and entry.ref == str(other)]

    assert len(transfers(ALICE, BOB)) > 5 and len(transfers(SERVER, ALICE)) > 2
    for uid, other in ((ALICE, BOB), (SERVER, ALICE), (SERVER, BOB)):
        assert transfers(uid, other) == [
            (seq, coin, -amount) for seq, coin, amount in transfers(other, uid)]


@pytest.mark.parametrize("what", [What.CREDIT, What.DEBIT, What.TRANSFER, What.EXTRACT])
def test_a_move_that_the_history_lost_is_found(moved, what):
    connection = sqlite3.connect(moved.directory / HISTORY_FILE)
    with connection:
        (row,) = connection.execute(
            "DELETE FROM entries WHERE entry_id = (SELECT max(entry_id) FROM entries"
            " WHERE what = ?) RETURNING *", (int(what),)).fetchall()
    (fault,) = verify(moved.directory).faults
    with connection:
        connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    assert f"user {row[1]}, coin {row[2]}: the entries add up to" in fault
