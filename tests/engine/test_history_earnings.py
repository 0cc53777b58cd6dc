"""Settled days in a folder: the history has each earning once, as it is in the end, and verifies
clean wherever it is cut."""

import asyncio
import shutil
import sqlite3

import pytest

from engine.codes import Kind, OrderType, SelfTrade, Side, Tif
from engine.commands import add_shares, cold, place_order
from engine.history import (
    Earning, History, open_reader, read_earnings, read_earnings_of_day, read_ledger,
    read_ledger_sums,
)
from engine.history_rows import What
from engine.history_writer import HISTORY_FILE
from engine.replay import rebuild_history
from engine.verify import verify
from pool.share_book import packed_batch
from tests.engine.cold_house import HASH
from tests.engine.folders import Live
from tests.engine.settlement_house import (
    ADDRESS, BANK, BTC, CNY, DAY, DAY_S, FARM, HALL, MAKER, MASTER, NS_PER_S, ONE, SUBSIDY,
)

DAYS = (DAY, DAY + 1)
SHARES = {FARM: 200_000, HALL: 300_001}
OPENING = [
    *(cold(Kind.ADD_COIN, {"name": name, "title": name, "type": "coin", "scale": 8})
      for name in ("BTC", "BCH", "CNY")),
    cold(Kind.ADD_PAIR, {"name": "BTC/CNY", "price_scale": 2, "amount_scale": 6, "min_qty": 1,
                         "maker_fee_ppm": 100, "taker_fee_ppm": 2_000,
                         "self_trade": int(SelfTrade.CANCEL_MAKER)}),
    cold(Kind.REGISTER_USER, {"username": "master", "password_hash": HASH, "group": 2}),
    *(cold(Kind.ADD_SUB_ACCOUNT, {"uid": MASTER, "name": name, "theory_speed": 0,
                                  "description": "", "worker_count": 0})
      for name in ("farm", "hall")),
    cold(Kind.REGISTER_USER, {"username": "maker", "password_hash": HASH, "group": 2}),
    cold(Kind.SET_FEES, {"account": HALL, "fee": 300, "commission": 100, "refer": MAKER}),
    cold(Kind.SET_COIN_HARVEST, {"account": HALL, "coin": BTC, "address": ADDRESS, "min": 10**6}),
    cold(Kind.SET_COIN_TO_MONEY, {"account": FARM, "auto": True}),
    cold(Kind.SET_MONEY_HARVEST, {"account": FARM, "min": 100, **BANK}),
    cold(Kind.DEPOSIT, {"uid": MAKER, "coin": CNY, "amount": 10**15, "txid": "first"}),
    place_order(MAKER, 1, Side.BUY, OrderType.LIMIT, Tif.GTC, price=3_000_000, qty=2_500),
]


class Miner:
    """Each of the batches is a command; the last step of a day is its sale."""

    def __init__(self):
        self.batches = self.all_batches()

    def next_batch(self) -> tuple[bytes, int]:
        return next(self.batches)

    def all_batches(self):
        at_s = DAY * DAY_S
        yield b"".join(OPENING), at_s * NS_PER_S
        yield cold(Kind.SET_NETWORK, {"coin": BTC, "difficulty": str(SUBSIDY), "subsidy": SUBSIDY,
                                      "fees_per_block": 10_000}), at_s * NS_PER_S
        for day in DAYS:
            at_s = day * DAY_S + 60
            yield add_shares(packed_batch(
                [(account, b"w") for account in SHARES],
                [(place, BTC, shares, 0, ONE, at_s)
                 for place, shares in enumerate(SHARES.values())])), at_s * NS_PER_S
        for day in DAYS:
            which = {"coin": BTC, "day": day}
            for kind, more in ((Kind.BEGIN_SETTLEMENT, {}), (Kind.SETTLE_ACCOUNTS, {"count": 9}),
                               (Kind.SELL_EARNINGS, {})):
                yield cold(kind, which | more), (DAYS[-1] + 1) * DAY_S * NS_PER_S
        yield cold(Kind.FINISH_WITHDRAWAL, {"id": 2, "txid": "out"}), (
            (DAYS[-1] + 1) * DAY_S * NS_PER_S)


BATCHES = len(list(Miner().batches))


def folder(directory, batches):
    live = Live(directory)
    live.trader = Miner()
    live.run(batches)
    rebuild_history(directory)
    return live


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("settled"), BATCHES)


@pytest.fixture
def reader(settled):
    connection = open_reader(settled.directory / HISTORY_FILE)
    yield connection
    connection.close()


def test_an_account_has_one_earning_of_a_day_as_it_is_after_the_sale(settled, reader):
    first, second = read_earnings(reader, FARM, BTC, *DAYS)
    assert (first.day, first.work, first.net, first.sold) == (
        DAY, str(200_000 * ONE), 197_960, 197_900)
    assert (second.day, second.net, second.sold, second.paid_coin) == (
        DAY + 1, 197_960, 250_000 - 197_900, CNY)
    assert first.money_remain != second.money_remain and first.payment != second.payment
    assert [one.gross for one in read_earnings(reader, HALL, BTC, *DAYS)] == [303_001] * 2
    done = settled.core.settlements.of_day(BTC, DAY)
    assert done.net == sum(one.net for one in read_earnings_of_day(reader, DAY))


def test_earnings_are_found_by_day_and_by_account(reader):
    assert [(one.account, one.coin, one.day) for one in read_earnings_of_day(reader, DAY + 1)] == [
        (FARM, BTC, DAY + 1), (HALL, BTC, DAY + 1)]
    assert read_earnings_of_day(reader, DAY + 2) == read_earnings(reader, FARM, CNY, 0, 2**62) == []
    assert [one.day for one in read_earnings(reader, FARM, BTC, DAY + 1, 2**62)] == [DAY + 1]
    assert [one.day for one in read_earnings(reader, FARM, BTC, -1, DAY)] == [DAY]


def test_earnings_and_commissions_are_entries_of_who_gets_them(settled, reader):
    def entries(uid, what):
        return [(entry.coin, entry.amount, entry.ref)
                for entry in reversed(read_ledger(reader, uid, 0, 100, None)) if entry.what == what]

    nets = {account: [one.net for one in read_earnings(reader, account, BTC, *DAYS)]
            for account in SHARES}
    for account, amounts in nets.items():
        assert entries(account, What.EARNING) == [
            (BTC, amount, str(day)) for amount, day in zip(amounts, DAYS)]
    assert entries(MAKER, What.COMMISSION) == [(BTC, 3_030, str(HALL))] * 2
    sums = read_ledger_sums(reader)
    for uid in (FARM, HALL, MAKER):
        for coin in (BTC, CNY):
            assert sums.get((uid, coin), 0) == sum(settled.core.balance(uid, coin))


@pytest.mark.parametrize("batches", (BATCHES - 6, BATCHES - 5, BATCHES - 2))
def test_a_history_that_is_cut_anywhere_verifies_clean(tmp_path, batches):
    live = folder(tmp_path, batches)
    report = verify(tmp_path)
    assert report.ok and not report.notes, report
    assert report.history_seq == live.core.seq


@pytest.mark.parametrize("spoil, fault", [
    (f"UPDATE earnings SET net = net + 1 WHERE account = {FARM} AND day = {DAY}",
     "account 2, coin 1: the earnings add up to 395921, not 395920"),
    (f"UPDATE earnings SET money = 0 WHERE account = {FARM}",
     "account 2, coin 3: the earnings add up to 0, not "),
    (f"INSERT INTO earnings SELECT {MAKER}, {', '.join(Earning._fields[1:])} FROM earnings"
     f" WHERE account = {HALL} AND day = {DAY}",
     "account 4, coin 1: earnings of 293910, but there are none"),
    ("UPDATE earnings SET paid = paid - 1 WHERE payment = 2",
     "payment 2 is not as the core has it: "),
    (f"UPDATE earnings SET payment = 99 WHERE account = {HALL} AND day = {DAY}",
     "withdrawal 99 is said to be a payment"),
])
def test_earnings_that_are_not_the_core_s_are_found(settled, tmp_path, spoil, fault):
    copy = shutil.copytree(settled.directory, tmp_path / "copy")
    connection = sqlite3.connect(copy / HISTORY_FILE)
    with connection:
        assert connection.execute(spoil).rowcount > 0
    connection.close()
    assert [found for found in verify(copy).faults if fault in found]


def test_the_house_s_history_answers(settled):
    async def ask():
        async def caught_up():
            pass
        history = History(settled.directory / HISTORY_FILE, caught_up)
        try:
            return (await history.earnings(HALL, BTC, DAY, DAY),
                    await history.earnings_of_day(DAY))
        finally:
            await history.close()

    of_account, of_day = asyncio.run(ask())
    assert of_account == of_day[1:] and type(of_day[0]) is Earning
