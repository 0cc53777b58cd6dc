"""A house whose commands have the times that a test chooses, so that days pass in a second; another
may serve its folder afterwards.
"""

import asyncio
from collections.abc import Awaitable, Callable

from api.auth.seal import Seal
from api.config import Config
from api.first_start import first_start
from api.mining.settling import Settler
from engine import House, HouseSettings, Kind, Result, add_shares, cold
from pool.share_book import packed_batch

NS_PER_S = 1_000_000_000
WORK_BITS = 16
# Never verified: nobody logs in as those users.
NO_PASSWORD = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"


class PastHouse:
    """A house at `now_s` (Unix seconds), which the test moves on."""

    def __init__(self, now_s: int, house: House | None = None):
        """house: one that is open, whose clock is its own."""
        self.now_s = now_s
        self.house = house

    @property
    def core(self):
        return self.house.core

    def now_ns(self) -> int:
        """What the house's clock shows."""
        return self.now_s * NS_PER_S

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
        await self.do(Kind.ADD_ACCOUNT, username=name, password_hash=NO_PASSWORD,
                      email=f"{name}@example.com")
        user = self.core.users.by_name(name).uid
        return user, self.core.sub_accounts.of_master(user)[0]

    async def shares(self, rows: list[tuple]) -> None:
        """(account, worker, coin, accepted, rejected, difficulty, at_s) each, difficulty whole."""
        places: dict[tuple[int, str], int] = {}
        packed = [(places.setdefault((account, worker), len(places)), coin, accepted, rejected,
                   difficulty << WORK_BITS, at_s)
                  for account, worker, coin, accepted, rejected, difficulty, at_s in rows]
        names = [(account, worker.encode()) for account, worker in places]
        await self.send(add_shares(packed_batch(names, packed)))

    async def settle(self, coin: int, day: int):
        """A UTC day of a coin, to its end, as the house does it by itself; its sum."""
        return (await Settler(self.house).settle(coin, day)).day_sum


async def _past(directory, config: Config, start_s: int,
                story: Callable[[PastHouse], Awaitable[object]]) -> object:
    past = PastHouse(start_s)
    past.house = house = await House.open(
        directory, HouseSettings(segment_bytes=1 << 20, clock=past.now_ns))
    try:
        await first_start(house, config, Seal.open(directory))
        return await story(past)
    finally:
        await house.close()


def tell(directory, config: Config, start_s: int,
         story: Callable[[PastHouse], Awaitable[object]]) -> object:
    """What the story gives, told to a house that begins at `start_s` (Unix seconds)."""
    return asyncio.run(_past(directory, config, start_s, story))
