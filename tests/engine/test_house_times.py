"""engine/house: when an order was placed, from memory or the history, whichever has it."""

import asyncio
import os
import signal

import pytest

from engine import House, HouseSettings
from engine.codes import EventKind
from engine.events import decode
from tests.engine.folders import SEGMENT_BYTES, Trader, outcomes_of
from tests.engine.test_house import records_of
from tests.support.processes import scribe_of, until

# Each test has a house of its own.
pytestmark = pytest.mark.slow

WAIT_S = 100
SETTINGS = HouseSettings(segment_bytes=SEGMENT_BYTES)


def run(coroutine):
    async def limited():
        async with asyncio.timeout(WAIT_S):
            return await coroutine

    return asyncio.run(limited())


async def trade(house, trader, batches):
    for _ in range(batches):
        await asyncio.gather(*map(house.submit, records_of(trader.next_batch()[0])))


def open_ids(house):
    """Of all users' open orders, newest first."""
    return sorted((order.order_id for user in house.core.users
                   for order in house.core.open_orders(user.uid)), reverse=True)


def times_placed(directory):
    """Order id -> time of its command, as the journal has it."""
    return {int(event["order_id"]): frame.ts_ns
            for frame, outcome in outcomes_of(directory)[1] for event in decode(outcome.events)
            if event["kind"] == EventKind.ORDER_PLACED}


def test_every_open_order_has_its_time(tmp_path):
    trader = Trader(6)

    async def life():
        """Times as told at once, and again when the history has them."""
        house = await House.open(tmp_path, SETTINGS)
        await trade(house, trader, 20)
        ids = open_ids(house)
        told = await house.placed_ns(ids)
        await house.history.order(1)
        await trade(house, trader, 1)
        still_open = [order_id for order_id in open_ids(house) if order_id <= house.durable_seq]
        late = await house.placed_ns(still_open)
        assert await house.placed_ns([]) == {}
        await house.close()
        return ids, told, still_open, late

    lives = [run(life()), run(life())]
    placed = times_placed(tmp_path)
    for ids, told, still_open, late in lives:
        assert len(ids) > 10
        assert told == {order_id: placed[order_id] for order_id in ids}
        assert late == {order_id: placed[order_id] for order_id in still_open}


def test_a_scribe_that_stands_still_holds_nobody_up(tmp_path):
    async def scenario():
        house = await House.open(tmp_path, SETTINGS)
        pid = until(lambda: scribe_of(os.getpid()))
        os.kill(pid, signal.SIGSTOP)
        try:
            await trade(house, Trader(6), 10)
            ids = open_ids(house)
            return ids, await house.placed_ns(ids)
        finally:
            os.kill(pid, signal.SIGCONT)
            await house.close()

    ids, told = run(scenario())
    placed = times_placed(tmp_path)
    assert len(ids) > 5 and told == {order_id: placed[order_id] for order_id in ids}
