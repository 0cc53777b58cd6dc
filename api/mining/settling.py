"""Settles the pool's days: each UTC day of a mined coin once, by itself or when it is asked to.

A day is settled by commands of bounded length (docs/settlement.md), so others are served in
between. Nothing is remembered here: what is settled, and how far the running settlement is, the
core knows, so this may be cut off anywhere and goes on from the core's state.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

from aiohttp import web

from api.config import Pool
from api.errors import words
from api.mining.profits import date_text
from api.numbers import text
from engine import House, HouseStopped, Kind, Overloaded, Result, cold

DAY_S = 86_400
CLOCK_FORMAT = "%H:%M"
DAYS_BACK_MAX = 31
ACCOUNTS_PER_COMMAND = 500      # a millisecond or two, where half of them are paid
SALES_AT_ONCE = 100             # each of them a command
LOOK_S = 20                     # between two looks at the clock, which may be set meanwhile
BUSY_PAUSE_S = 0.1

log = logging.getLogger("orebook.settling")


class SettlingRefused(Exception):
    """The core has refused a step; `code` is its result."""

    def __init__(self, kind: Kind, code: int):
        super().__init__(words(code))
        self.kind = kind
        self.code = code


class Settled(NamedTuple):
    """The sum of a settled day, as the core keeps it; `duplicate`: it was settled before."""
    day_sum: object
    duplicate: bool


class Settler:
    """Settles one day at a time, whoever asks."""

    def __init__(self, house: House):
        self._house = house
        self._lock = asyncio.Lock()

    async def settle(self, coin: int, day: int) -> Settled:
        """Settle a coin's day (days since 1970-01-01, UTC) to its end, whatever is left of it.

        Raises SettlingRefused, HouseStopped.
        """
        async with self._lock:
            begun = await self._step(Kind.BEGIN_SETTLEMENT, coin, day)
            if not begun["done"]:
                await self._finish(coin, day)
            return Settled(self._house.core.settlements.of_day(coin, day), begun["done"])

    async def _finish(self, coin: int, day: int) -> None:
        """All accounts, then all sales; accounts that come meanwhile have their turn, too."""
        core = self._house.core
        is_done = False
        while not is_done:
            running = core.settlements.running
            if running.sales and core.sub_accounts.flags.find(1, running.cursor + 1) == -1:
                is_done = await self._sell(coin, day, min(len(running.sales), SALES_AT_ONCE))
            else:
                step = await self._step(Kind.SETTLE_ACCOUNTS, coin, day,
                                        count=ACCOUNTS_PER_COMMAND)
                for account in step["lost"]:
                    log.error("%s, %s: sub-account %d has worked and earned nothing: there would "
                              "be more of the coin than can be",
                              core.coins.get(coin).name, date_text(day), account)
                is_done = step["done"]

    async def _sell(self, coin: int, day: int, count: int) -> bool:
        """The next sales, as many of them as the house takes now; whether the day is settled."""
        record = cold(Kind.SELL_EARNINGS, {"coin": coin, "day": day})
        sales = []
        try:
            for _ in range(count):
                sales.append(self._house.submit(record))
        except Overloaded:
            await asyncio.sleep(BUSY_PAUSE_S)
        is_done = False
        for reply in await asyncio.gather(*sales):
            is_done = checked(Kind.SELL_EARNINGS, reply)["done"]
        return is_done

    async def _step(self, kind: Kind, coin: int, day: int, **fields: int) -> dict:
        record = cold(kind, {"coin": coin, "day": day} | fields)
        while True:
            try:
                reply = await self._house.submit(record)
                break
            except Overloaded:
                await asyncio.sleep(BUSY_PAUSE_S)
        return checked(kind, reply)


def checked(kind: Kind, reply) -> dict:
    """A step's value; SettlingRefused where the core has refused it."""
    if reply.code != Result.OK:
        raise SettlingRefused(kind, reply.code)
    return reply.value


SETTLER: web.AppKey[Settler] = web.AppKey("settler", Settler)


class Settling:
    """Settles by itself: `run` looks until it is cancelled or the house stops."""

    def __init__(self, house: House, settler: Settler, settle_at_s: int,
                 clock: Callable[[], int | float] = time.time):
        """`settle_at_s`: how long after a UTC day's end it is settled; `clock`: Unix seconds."""
        self._house = house
        self._settler = settler
        self._settle_at_s = settle_at_s
        self._clock = clock
        self._told: dict[tuple[int, int], str] = {}     # what the log knows, by coin and day

    async def run(self) -> None:
        while True:
            try:
                await self.round()
            except HouseStopped:
                return
            except Exception:
                log.exception("a fault of ours; it is tried again")
            await asyncio.sleep(LOOK_S)

    async def round(self) -> None:
        """Settle all that is due now, one after the other. Raises HouseStopped."""
        for coin, day in self.due():
            await self._settle(coin, day)

    def due(self) -> list[tuple[int, int]]:
        """(coin, day) of what is to be settled now: what is left of a running settlement, then
        coin by coin the days since the last settled one, DAYS_BACK_MAX of them, and all older ones
        that have work."""
        core = self._house.core
        last = (int(self._clock()) - self._settle_at_s) // DAY_S - 1
        running = core.settlements.running
        found = [] if running is None else [(running.coin, running.day)]
        for coin in core.networks.coins():
            settled = max((one.day for one in core.settlements.sums() if one.coin == coin),
                          default=0)
            days = {day for day in core.workers.work_days(coin) if day <= last}
            days.update(day for day in range(max(settled + 1, last - DAYS_BACK_MAX + 1), last + 1)
                        if core.networks.states_of_day(coin, day))
            found += [(coin, day) for day in sorted(days)
                      if core.settlements.of_day(coin, day) is None and (coin, day) not in found]
        return found

    async def _settle(self, coin: int, day: int) -> None:
        name = self._house.core.coins.get(coin).name
        try:
            settled = await self._settler.settle(coin, day)
        except HouseStopped:
            raise
        except Exception as error:
            if self._told.get((coin, day)) != repr(error):
                self._told[coin, day] = repr(error)
                log.warning("%s, %s: cannot be settled now and is tried again: %r", name,
                            date_text(day), error, exc_info=not isinstance(error, SettlingRefused))
            return
        self._told.pop((coin, day), None)
        if not settled.duplicate:
            log.info("%s", told(self._house.core, settled.day_sum))


def told(core, done) -> str:
    """The sum of a settled day as a line of the log."""
    coin = core.coins.get(done.coin)
    gross, net, commission, pool = (text(amount, coin.scale) for amount in (
        done.gross, done.net, done.commission, done.pool))
    return (f"{coin.name}, {date_text(done.day)} is settled: {done.accounts} accounts earned "
            f"{gross}: net {net}, commissions {commission}, the pool {pool}")


@asynccontextmanager
async def settling(house: House, settler: Settler, settings: Pool) -> AsyncIterator[None]:
    """Days are settled by themselves while the context is open, where the settings say so."""
    if not settings.settle:
        yield
        return
    task = asyncio.create_task(Settling(house, settler, seconds_of(settings.settle_at)).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def seconds_of(clock_time: str) -> int:
    """`00:10` as seconds of a day. ValueError for what is no time of a day."""
    moment = datetime.strptime(clock_time, CLOCK_FORMAT)
    return moment.hour * 3_600 + moment.minute * 60
