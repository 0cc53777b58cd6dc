"""Houses whose commands have the times that a test chooses, so that days pass in a second; another
may serve such a folder afterwards.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from api.auth.seal import Seal
from api.config import Config
from api.first_start import first_start
from api.mining.settling import Settler
from engine import House, HouseSettings, Kind, Result, add_shares, cold
from pool.share_book import packed_batch

NS_PER_S = 1_000_000_000
ONE = 1 << 16                           # a difficulty of 1
# Never verified: nobody logs in as those users.
NO_PASSWORD = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"


class Clock:
    """Unix seconds as the test says; `ns` is what a house asks for."""

    def __init__(self, now_s: float):
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def ns(self) -> int:
        return int(self.now_s * NS_PER_S)


class PastHouse:
    """A house and what a test does to it; the clock may only be put forward."""

    def __init__(self, house: House, clock: Clock):
        """clock: the house's own, or, of one that has another, what it shows."""
        self.house, self.core, self.clock = house, house.core, clock

    @property
    def now_s(self) -> float:
        return self.clock.now_s

    @now_s.setter
    def now_s(self, moment_s: float) -> None:
        self.clock.now_s = moment_s

    async def send(self, record: bytes):
        """The reply to a command that must be carried out."""
        reply = await self.house.submit(record)
        if reply.code != Result.OK:
            raise RuntimeError(f"{record[:80]}: {reply}")
        return reply

    async def do(self, kind: Kind, **fields):
        """The value of a cold command that must be carried out."""
        return (await self.send(cold(kind, fields))).value

    def coin(self, name: str) -> int:
        return self.core.coins.by_name(name).number

    async def account(self, name: str) -> tuple[int, int]:
        """A user and its first sub-account of that name: their numbers."""
        added = await self.do(Kind.ADD_ACCOUNT, username=name, password_hash=NO_PASSWORD,
                              email=f"{name}@example.org")
        return added["uid"], added["account"]

    async def network(self, coin: int, difficulty: int | str, subsidy: int, fees: int = 0,
                      **fields) -> None:
        await self.do(Kind.SET_NETWORK, coin=coin, difficulty=str(difficulty), subsidy=subsidy,
                      fees_per_block=fees, **fields)

    async def shares(self, rows: list[tuple]) -> None:
        """One batch: (account, worker, coin, accepted, rejected, difficulty, at_s) each,
        difficulty whole."""
        places: dict[tuple[int, str], int] = {}
        packed = [(places.setdefault((account, worker), len(places)), coin, accepted, rejected,
                   difficulty * ONE, at_s)
                  for account, worker, coin, accepted, rejected, difficulty, at_s in rows]
        names = [(account, worker.encode()) for account, worker in places]
        await self.send(add_shares(packed_batch(names, packed)))

    async def settle(self, coin: int, day: int):
        """A UTC day of a coin, to its end, as the house does it by itself; its sum."""
        return (await Settler(self.house).settle(coin, day)).day_sum


@asynccontextmanager
async def opened(directory, clock: Clock) -> AsyncIterator[House]:
    """The house of a folder, at the times of that clock."""
    house = await House.open(directory, HouseSettings(segment_bytes=1 << 20, clock=clock.ns))
    try:
        yield house
    finally:
        await house.close()


async def _past(directory, config: Config, start_s: int,
                story: Callable[[PastHouse], Awaitable[object]]) -> object:
    clock = Clock(start_s)
    async with opened(directory, clock) as house:
        await first_start(house, config, Seal.open(directory))
        return await story(PastHouse(house, clock))


def tell(directory, config: Config, start_s: int,
         story: Callable[[PastHouse], Awaitable[object]]) -> object:
    """What the story gives, told to a house that begins at `start_s` (Unix seconds)."""
    return asyncio.run(_past(directory, config, start_s, story))
