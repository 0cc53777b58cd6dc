"""Days are settled by themselves, and when asked to: on a house whose clock the test sets."""

import asyncio
import logging

import pytest

from api.config import Pool
from api.mining.settling import Settler, Settling, SettlingRefused, seconds_of
from engine import Kind, OrderType, Result, Side, Tif, place_order
from tests.api.mining_house import BCH, BTC, CNY, DAY_S, PoolDoor, mine, mined_yesterday
from tests.support.past import Clock
from tests.support.processes import until

# Each test has a house of its own.
pytestmark = pytest.mark.slow

DAY = 20_000                        # 2024-10-04
NOON = DAY * DAY_S + DAY_S // 2
TEN_PAST = seconds_of("00:10")


def run(test):
    """An async test on an event loop of its own."""
    def wrapped(tmp_path, caplog):
        caplog.set_level(logging.INFO, "orebook.settling")
        asyncio.run(asyncio.wait_for(test(tmp_path, caplog), 60))
    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


def at_work(one):
    """What settles by itself, with the house's clock."""
    return Settling(one.house, Settler(one.house), TEN_PAST, one.clock)


def settled_days(one, coin=BTC):
    return [done.day for done in one.core.settlements.sums() if done.coin == coin]


@run
async def test_a_day_is_due_ten_minutes_after_its_end(tmp_path, caplog):
    clock = Clock(NOON)
    async with mine(tmp_path / "house", clock) as one:
        await one.list_coins()
        await one.networked()
        farm = await one.farm("farm")
        await one.work(farm, 1000)
        settling = at_work(one)
        for clock.now_s in (NOON, (DAY + 1) * DAY_S, (DAY + 1) * DAY_S + TEN_PAST - 1):
            assert settling.due() == []
            await settling.round()
        assert settled_days(one) == []
        clock.now_s = (DAY + 1) * DAY_S + TEN_PAST
        assert settling.due() == [(BTC, DAY)]
        await settling.round()
        assert settled_days(one) == [DAY] and settling.due() == []
        done = one.core.settlements.of_day(BTC, DAY)
        assert done.net > 0 and one.core.settlements.running is None
        paid, = one.core.withdrawals.of_user(farm)
        assert paid.amount == done.net
        assert [record.message for record in caplog.records] == [
            "BTC, 2024-10-04 is settled: 1 accounts earned 1.25154783: net 1.22651687, "
            "commissions 0, the pool 0.02503096"]
        seq = one.house.seq
        await settling.round()
        assert one.house.seq == seq
        one.core.check()


@run
async def test_days_that_were_missed_are_settled_in_their_order(tmp_path, caplog):
    clock = Clock(NOON)
    async with mine(tmp_path / "house", clock) as one:
        await one.list_coins()
        await one.networked()
        farm = await one.farm("farm", least=0)
        for _ in range(3):
            await one.work(farm, 1000)
            clock.now_s += DAY_S
        await one.networked(BCH)
        clock.now_s += 2 * DAY_S
        settling = at_work(one)
        # Days without work are settled too: somebody's balance may be paid on them.
        assert settling.due() == [(BTC, DAY + number) for number in range(5)] + [
            (BCH, DAY + 3), (BCH, DAY + 4)]
        await settling.round()
        assert settled_days(one) == [DAY + number for number in range(5)]
        assert settled_days(one, BCH) == [DAY + 3, DAY + 4]
        assert [done.accounts for done in one.core.settlements.sums()] == [1, 1, 1, 0, 0, 0, 0]
        assert one.core.workers.work_days(BTC) == []


@run
async def test_after_long_only_a_month_is_caught_up_with_and_all_work(tmp_path, caplog):
    clock = Clock(NOON)
    async with mine(tmp_path / "house", clock) as one:
        await one.list_coins()
        await one.networked()
        await one.work(await one.farm("farm"), 1000)
        clock.now_s += 40 * DAY_S
        settling = at_work(one)
        assert settling.due() == [(BTC, day) for day in (DAY, *range(DAY + 9, DAY + 40))]
        await settling.round()
        assert settling.due() == []
        clock.now_s -= 20 * DAY_S
        assert settling.due() == []


@run
async def test_what_was_left_running_goes_on_after_a_restart(tmp_path, caplog):
    clock = Clock(NOON)
    async with mine(tmp_path / "house", clock) as one:
        await one.list_coins()
        await one.networked()
        for name in ("one", "two", "three"):
            await one.work(await one.farm(name), 1000)
        await one.networked(BCH)
        clock.now_s = (DAY + 1) * DAY_S + 60
        await one.do(Kind.BEGIN_SETTLEMENT, coin=BTC, day=DAY)
        await one.do(Kind.SETTLE_ACCOUNTS, coin=BTC, day=DAY, count=2)
    async with mine(tmp_path / "house", clock) as one:
        settling = at_work(one)
        # It is no time to begin one, but this has begun.
        assert settling.due() == [(BTC, DAY)]
        with pytest.raises(SettlingRefused) as refused:
            await Settler(one.house).settle(BCH, DAY)
        assert refused.value.code == Result.SETTLEMENT_RUNNING
        await settling.round()
        assert settled_days(one) == [DAY]
        assert one.core.settlements.of_day(BTC, DAY).accounts == 3
        assert len(one.core.withdrawals) == 3
        one.core.check()


@run
async def test_one_day_at_a_time_whoever_asks(tmp_path, caplog):
    clock = Clock(NOON)
    async with mine(tmp_path / "house", clock) as one:
        await one.list_coins()
        await one.networked()
        await one.networked(BCH)
        await one.work(await one.farm("farm"), 1000)
        clock.now_s += 2 * DAY_S
        settler = Settler(one.house)
        asked = [(BTC, DAY), (BCH, DAY), (BTC, DAY), (BTC, DAY + 1), (BCH, DAY)]
        answers = await asyncio.gather(*(settler.settle(coin, day) for coin, day in asked),
                                       Settling(one.house, settler, TEN_PAST, clock).round())
        assert [answer.duplicate for answer in answers[:-1]] == [False, False, True, False, True]
        assert [(done.coin, done.day) for done, _ in answers[:-1]] == asked
        assert len(list(one.core.settlements.sums())) == 4


@run
async def test_a_refusal_is_told_once_and_tried_again(tmp_path, caplog):
    """The shell's clock is ahead of the core's."""
    house_clock, shell_clock = Clock(NOON), Clock(NOON + DAY_S)
    async with mine(tmp_path / "house", house_clock) as one:
        await one.list_coins()
        await one.networked()
        settling = Settling(one.house, Settler(one.house), TEN_PAST, shell_clock)
        for _ in range(3):
            await settling.round()
        assert [(record.levelname, "BTC, 2024-10-04: cannot be settled now" in record.message)
                for record in caplog.records] == [("WARNING", True)]
        assert settled_days(one) == []
        house_clock.now_s += DAY_S
        await settling.round()
        assert settled_days(one) == [DAY]


@run
async def test_what_was_earned_is_sold_where_it_is_asked_for(tmp_path, caplog):
    """More accounts than are sold at once, in a house that takes fewer commands than that."""
    clock = Clock(NOON)
    async with mine(tmp_path / "house", clock) as one:
        await one.list_coins()
        await one.do(Kind.ADD_PAIR, name="BTC/CNY", price_scale=2, amount_scale=6, min_qty=1,
                     maker_fee_ppm=0, taker_fee_ppm=0, self_trade=1)
        buyer = await one.do(Kind.REGISTER_USER, username="buyer", group=2,
                             password_hash="$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYQ")
        await one.do(Kind.DEPOSIT, uid=buyer, coin=CNY, amount=10**15, txid="t")
        placed = await one.house.submit(place_order(
            buyer, 1, Side.BUY, OrderType.LIMIT, Tif.GTC, 50_000_00, 150_000_000))
        assert placed.code == Result.OK
        await one.networked()
        accounts = await asyncio.gather(*(one.farm(f"farm-{number}") for number in range(120)))
        await asyncio.gather(*(one.do(Kind.SET_COIN_TO_MONEY, account=account, auto=True)
                               for account in accounts))
        await asyncio.gather(*(one.work(account, 1000) for account in accounts))
        clock.now_s += DAY_S
        one.house._sequencer.queue_max = 50
        await at_work(one).round()
        done = one.core.settlements.of_day(BTC, DAY)
        assert done.accounts == 120
        each = done.net // 120
        for account in accounts:
            btc, cny = (one.core.balance(account, coin)[0] for coin in (BTC, CNY))
            assert (btc, cny) == (each % 100, each // 100 * 100 * 50_000)
        one.core.check()


@run
async def test_what_no_coin_can_bear_is_named(tmp_path, caplog):
    """Less than a unit is not."""
    clock = Clock(NOON)
    async with mine(tmp_path / "house", clock) as one:
        await one.list_coins()
        await one.networked(difficulty="1", subsidy=2**62)
        await one.networked(BCH, difficulty="1" + "0" * 19, subsidy=1)
        most, least = await one.farm("most"), await one.farm("least")
        await one.work(most, 1 << 10)
        await one.work(least, 1, coin=BCH)
        clock.now_s += DAY_S
        await at_work(one).round()
        error, = [record.message for record in caplog.records if record.levelname == "ERROR"]
        assert error.startswith(f"BTC, 2024-10-04: sub-account {most} has worked")
        assert settled_days(one) == settled_days(one, BCH) == [DAY]
        one.core.check()


def test_a_served_house_settles_by_itself(tmp_path):
    mined_yesterday(tmp_path / "house")
    door = PoolDoor(tmp_path / "house", pool=Pool(settle_at="00:00"), coins=(), pairs=())
    try:
        until(lambda: len(list(door.house.core.settlements.sums())) == 1)
        done, = door.house.core.settlements.sums()
        assert (done.coin, done.accounts) == (BTC, 2)
    finally:
        door.close()


def test_a_time_of_a_day_in_seconds():
    assert [seconds_of(text) for text in ("00:00", "00:10", "23:59")] == [0, 600, DAY_S - 60]
