"""Tells the core what a node knows of its chain: one SET_NETWORK for each new block.

    a new tip -> its headers back to what is known -> what each new block brought -> SET_NETWORK

A block is counted on the UTC day of its header's time, with its own fees and subsidy; where the
chain forks, the blocks that are left are taken back first. What is remembered here may be lost at
any time: a new poller goes on from the core's count. While a node is away the last state holds.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiohttp

from api.config import Network as NetworkConfig
from api.errors import words
from api.mining import difficulty
from api.mining.chain_node import (
    NODE_SCALE, TIME_AHEAD_MAX_S, ChainNode, Header, NodeFault)
from api.numbers import COUNT_MAX, InputError
from api.payouts.rpc import Login, NodeAway, RpcClient, RpcError
from api.rounds import all_running
from engine import House, HouseStopped, Kind, Overloaded, Result, cold

DIALECT = "networks"            # under which the outcomes of looks are counted
DAY_S = 86_400
WALK_MAX = 2_000                # headers
# So many blocks make up a median: behind it, none of them can be of the day.
MEDIAN_SPAN = 11
# So close to midnight nothing is sent: the command might be stamped with the other day.
MIDNIGHT_S = 2
OK, NOT_NOW = "ok", "not_now"

log = logging.getLogger("orebook.networks")


class NetworkPoller:
    """`run` looks until it is cancelled or the house stops. Belongs to the house's loop."""

    def __init__(self, house: House, coin: str, node: ChainNode, poll_s: int,
                 count: Callable[[str], None], clock: Callable[[], int | float] = time.time):
        """`count` is told the outcome of each look; `clock`: Unix seconds."""
        self._house = house
        self._coin_name = coin
        self._node = node
        self._poll_s = poll_s
        self._count = count
        self._clock = clock
        self._chain: list[Header] = []      # up to the tip that was told last, oldest first
        self._chain_day = 0                 # of that telling
        self._counted: list[str] = []       # hashes of a day's blocks, as the core counts them
        self._counted_day: int | None = None    # that day; None: what the core counts is not known
        self._told = ""                     # what the log knows

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except HouseStopped:
                return
            await asyncio.sleep(self._poll_s)

    async def look(self) -> None:
        """Tell the core of what is new. Raises HouseStopped."""
        try:
            await self._look()
        except HouseStopped:
            raise
        except (RpcError, NodeAway, NodeFault, InputError, Overloaded) as error:
            self._fail(str(error), is_fault=False)
        except Exception as error:
            self._fail(repr(error), is_fault=True)
        else:
            if self._told:
                log.info("%s: the node answers again", self._coin_name)
            self._told = ""
            self._count(OK)

    def _fail(self, reason: str, is_fault: bool) -> None:
        """Count it, and log it where it is news."""
        if reason != self._told:
            log.warning("%s: the network's state stays as it is: %s", self._coin_name, reason,
                        exc_info=is_fault)
        self._told = reason
        self._count(NOT_NOW)

    async def _look(self) -> None:
        coin = self._house.core.coins.by_name(self._coin_name)
        if coin is None:
            raise NodeFault("the coin is not listed")
        now_s = int(self._clock())
        day = now_s // DAY_S
        if not MIDNIGHT_S <= now_s % DAY_S < DAY_S - MIDNIGHT_S:
            return
        tip = await self._node.tip()
        if self._chain and tip == self._chain[-1].block_hash and day == self._chain_day:
            return
        chain = await self._walk(tip, day)
        await self._tell(coin, day, chain)
        self._chain, self._chain_day = chain, day

    async def _walk(self, tip: str, day: int) -> list[Header]:
        """The headers up to a tip that the day may need, oldest first."""
        known = ({header.block_hash: place for place, header in enumerate(self._chain)}
                 if day == self._chain_day else {})
        since_s = day * DAY_S - TIME_AHEAD_MAX_S
        found: list[Header] = []
        before = 0          # headers that are of earlier days, as far as medians tell
        block_hash = tip
        while block_hash and len(found) < WALK_MAX:
            if block_hash in known:
                return [*self._chain[:known[block_hash] + 1], *reversed(found)]
            header = await self._node.header(block_hash)
            found.append(header)
            before += header.median_s < since_s
            if before == MEDIAN_SPAN:
                break
            block_hash = header.previous
        return found[::-1]

    async def _tell(self, coin, day: int, chain: list[Header]) -> None:
        """Bring the core to the state of a chain's tip, the day's blocks one by one."""
        blocks = [header.block_hash for header in chain if header.time_s // DAY_S == day]
        present = self._house.core.networks.get(coin.number)
        count = present.blocks_today if present is not None and present.day == day else 0
        if self._counted_day is None:
            # After a start: they are the day's first ones, for want of a better knowledge.
            self._counted = blocks[:count]
        elif self._counted_day != day:
            self._counted = []
        self._counted_day = day
        kept = common(self._counted, blocks)
        now_difficulty = difficulty.nearest(
            "difficulty", await self._node.next_difficulty(chain[-1]))
        if count > kept or kept == len(blocks):
            # Some are taken back; or none is new, but the tip is, or the day.
            await self._set(coin, now_difficulty, chain[-1].block_hash, blocks[:kept])
        for number in range(kept, len(blocks)):
            await self._set(coin, now_difficulty, blocks[number], blocks[:number + 1])

    async def _set(self, coin, now_difficulty: str, block_hash: str, counted: list[str]) -> None:
        """One SET_NETWORK with what a block brought, and the day's blocks so far."""
        present = self._house.core.networks.get(coin.number)
        known = scaled(present.subsidy, coin.scale, NODE_SCALE) if present is not None else 0
        reward = await self._node.reward(block_hash, known)
        subsidy = scaled(reward.subsidy, NODE_SCALE, coin.scale)
        fees = scaled(reward.fees, NODE_SCALE, coin.scale)
        if not 0 < subsidy <= COUNT_MAX or fees > COUNT_MAX:
            raise NodeFault(f"block {block_hash}: a subsidy of {reward.subsidy}, "
                            f"fees of {reward.fees}")
        if int(self._clock() + MIDNIGHT_S) // DAY_S != self._counted_day:
            raise NodeFault("the day turns")
        reply = await self._house.submit(cold(Kind.SET_NETWORK, {
            "coin": coin.number, "difficulty": now_difficulty,
            "subsidy": subsidy, "fees_per_block": fees, "blocks_today": len(counted)}))
        if reply.code != Result.OK:
            raise NodeFault(f"block {block_hash}: {words(reply.code)}")
        self._counted = counted


def common(before: list[str], now: list[str]) -> int:
    """How many of the first are the same."""
    for place, (one, other) in enumerate(zip(before, now)):
        if one != other:
            return place
    return min(len(before), len(now))


def scaled(units: int, scale: int, to_scale: int) -> int:
    """Units of one scale in another, rounded down."""
    return units * 10**to_scale // 10**scale


def polling(house: House, networks: tuple[NetworkConfig, ...],
            answers: Counter) -> AbstractAsyncContextManager[list[NetworkPoller]]:
    """Pollers that run while the context is open, one for each network of the configuration."""
    return all_running(networks,
                       lambda network, session: poller_of(house, network, session, answers))


def poller_of(house: House, config: NetworkConfig, session: aiohttp.ClientSession,
              answers: Counter, clock: Callable[[], int | float] = time.time) -> NetworkPoller:
    """A poller that has not begun; it counts its looks in `answers`."""
    rpc = RpcClient(session, config.url, Login(config.user, config.password, config.cookie_file))

    def count(outcome: str) -> None:
        answers[DIALECT, config.coin, outcome] += 1

    return NetworkPoller(house, config.coin, ChainNode(rpc, config.chain), config.poll_seconds,
                         count, clock)
