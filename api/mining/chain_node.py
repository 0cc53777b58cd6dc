"""What the pool asks of a node about its chain: headers, what blocks brought, the difficulty.

Amounts are units of the node, 10^-8 of its coin. A node that answers with something else than was
asked for is a NodeFault; nothing of its answer is believed then.
"""

from typing import Any, NamedTuple

from api.numbers import InputError, read
from api.payouts.rpc import RpcClient, RpcError

NODE_SCALE = 8
# A block's time may be two hours ahead of its node's clock.
TIME_AHEAD_MAX_S = 7_200
TIME_MAX_S = 2**32 - 1


class NodeFault(Exception):
    """An answer that says something else than was asked for."""


class Header(NamedTuple):
    """A block as its header has it."""
    block_hash: str
    previous: str           # "" of the first
    time_s: int
    median_s: int           # of it and the ten before: it never goes back along a chain
    difficulty: str


class Reward(NamedTuple):
    """What a block brought, in the node's units."""
    subsidy: int
    fees: int


class ChainNode:
    """Calls to one node. All raise RpcError, NodeAway and NodeFault."""

    def __init__(self, rpc: RpcClient, chain: str):
        self._rpc = rpc
        self._chain = chain

    async def tip(self) -> str:
        """The hash of the best block. NodeFault for another network, or while it is read."""
        state = await self._rpc.call("getblockchaininfo")
        chain = of_type(state, "chain", str)
        if chain != self._chain:
            raise NodeFault(f"the node is of the network {chain}, not {self._chain}")
        if state.get("initialblockdownload") is not False:
            raise NodeFault("the node still reads the chain")
        return of_type(state, "bestblockhash", str)

    async def header(self, block_hash: str) -> Header:
        shown = await self._rpc.call("getblockheader", block_hash)
        time_s, median_s = of_type(shown, "time", int), of_type(shown, "mediantime", int)
        if not 0 <= median_s <= TIME_MAX_S or not 0 <= time_s <= TIME_MAX_S:
            raise NodeFault("getblockheader: a time that is none")
        return Header(of_type(shown, "hash", str), str(shown.get("previousblockhash") or ""),
                      time_s, median_s, number_of(shown, "difficulty"))

    async def next_difficulty(self, tip: Header) -> str:
        """Of the block that is mined now where the node tells, else of the last one."""
        shown = await self._rpc.call("getmininginfo")
        following = shown.get("next") if isinstance(shown, dict) else None
        return number_of(following, "difficulty") if following is not None else tip.difficulty

    async def reward(self, block_hash: str, known_subsidy: int) -> Reward:
        """What a block brought. `known_subsidy` (0: none) counts where the node tells neither
        subsidy nor fees but only their sum."""
        try:
            shown = await self._rpc.call("getblockstats", block_hash, ["subsidy", "totalfee"])
        except RpcError:
            # An old node, or one that has thrown away what it takes.
            return await self._reward_of_block(block_hash, known_subsidy)
        return Reward(amount_of(shown, "subsidy"), amount_of(shown, "totalfee"))

    async def _reward_of_block(self, block_hash: str, known_subsidy: int) -> Reward:
        shown = await self._rpc.call("getblock", block_hash, 2)
        first, *others = of_type(shown, "tx", list)
        total = sum(coins_of(output, "value") for output in of_type(first, "vout", list))
        if all(isinstance(one, dict) and "fee" in one for one in others):
            fees = sum(coins_of(one, "fee") for one in others)
        elif 0 < known_subsidy <= total:
            fees = total - known_subsidy
        else:
            raise NodeFault("the node does not tell a block's fees: POST network with its subsidy")
        if fees >= total:
            raise NodeFault(f"block {block_hash}: fees of {fees} of {total}")
        return Reward(total - fees, fees)


def of_type(answer: Any, name: str, kind: type) -> Any:
    """A field of an answer; NodeFault where it is not there, or another thing."""
    value = answer.get(name) if isinstance(answer, dict) else None
    if type(value) is not kind or (kind is list and not value):
        raise NodeFault(f"the node's answer has no {name}")
    return value


def number_of(answer: Any, name: str) -> str:
    """A number of an answer as it was written."""
    value = answer.get(name) if isinstance(answer, dict) else None
    if type(value) not in (int, str):
        raise NodeFault(f"the node's answer has no {name}")
    return str(value)


def amount_of(answer: Any, name: str) -> int:
    """Units of an amount: a whole number counts them, a decimal counts coins."""
    value = answer.get(name) if isinstance(answer, dict) else None
    try:
        if type(value) is int and value >= 0:
            return value
        return read(name, value, NODE_SCALE, zero=True)
    except InputError as error:
        raise NodeFault(f"the node's answer: {error}") from None


def coins_of(answer: Any, name: str) -> int:
    """Units of an amount that is in coins, also where it is a whole number."""
    value = answer.get(name) if isinstance(answer, dict) else None
    try:
        return read(name, str(value) if type(value) is int else value, NODE_SCALE, zero=True)
    except InputError as error:
        raise NodeFault(f"the node's answer: {error}") from None
