"""Spends the nonces of a request: all of them, or none.

What makes a request count only once may be more than one nonce: a token's rnd, a body's signNonce.
They are commands in the journal, so they stay spent after a crash.

Invariants:
- A request with a nonce that was used leaves its others unspent, and nothing in the journal.
- Of requests that come at once with a nonce in common one goes first; the others wait until what
  became of it is on disk.

The core has the last word on each nonce. So only where the house gets too busy between two of them
(`Overloaded`), the first one is spent alone.
"""

import asyncio
import time
from typing import NamedTuple

from engine import House, Kind, Reply, Result, cold


class NonceRefused(Exception):
    """The request was made before, or is too old by now. The text is for the caller."""


class Nonce(NamedTuple):
    name: str               # as the caller knows it: rnd, signNonce
    text: str               # beginning with a mark of its kind: kinds never collide
    expires_ns: int         # UTC; the request is refused by itself from then on


def now_ns(house: House) -> int:
    """UTC; never before the core's time: by that, spent nonces are forgotten once they expired."""
    return max(time.time_ns(), house.core.ts_ns)


class NonceSpender:
    """The nonces of a house's clients. Two spenders of one house do not wait for each other."""

    __slots__ = ("_house", "_on_the_way")

    def __init__(self, house: House):
        self._house = house
        self._on_the_way: dict[tuple[str, str], asyncio.Future[Reply]] = {}

    async def spend(self, client_id: str, nonces: tuple[Nonce, ...]) -> None:
        """Returns once they are spent on disk, in their order.

        Raises NonceRefused, Overloaded, HouseStopped.
        """
        while others := [self._on_the_way[client_id, nonce.text] for nonce in nonces
                         if (client_id, nonce.text) in self._on_the_way]:
            await asyncio.wait(others)
        # From here to the last submit nothing is awaited: nobody comes in between.
        if refusal := self._refusal(client_id, nonces):
            # What was used a moment ago may not be on disk yet.
            await self._house.settled()
            raise NonceRefused(refusal)
        futures = [self._submit(client_id, nonce) for nonce in nonces]
        # Shielded: who gives up waiting does not take them back, and others still wait for them.
        replies = await asyncio.gather(*map(asyncio.shield, futures))
        for nonce, reply in zip(nonces, replies):
            if reply.code != Result.OK:
                raise NonceRefused(_why(nonce, reply.code))

    def _refusal(self, client_id: str, nonces: tuple[Nonce, ...]) -> str:
        """Why the core would not take one of them as things are, "" where it would take all."""
        core, ts_ns = self._house.core, now_ns(self._house)
        if core.credentials.get(client_id) is None:
            return _why(nonces[0], Result.UNKNOWN_CREDENTIAL)
        for nonce in nonces:
            if nonce.expires_ns <= ts_ns:
                return _why(nonce, Result.BAD_EXPIRY)
            if core.nonces.is_used(client_id, nonce.text, ts_ns):
                return _why(nonce, Result.NONCE_USED)
        return ""

    def _submit(self, client_id: str, nonce: Nonce) -> asyncio.Future[Reply]:
        future = self._house.submit(cold(Kind.USE_NONCE, {
            "client_id": client_id, "nonce": nonce.text, "expires_ns": nonce.expires_ns}))
        key = client_id, nonce.text
        self._on_the_way[key] = future

        def arrived(future: asyncio.Future[Reply]) -> None:
            del self._on_the_way[key]
            # Seen, also where nobody waits for it any more.
            if not future.cancelled():
                future.exception()

        future.add_done_callback(arrived)
        return future


def _why(nonce: Nonce, code: int) -> str:
    if code == Result.NONCE_USED:
        return f"{nonce.name}: was used before"
    if code == Result.UNKNOWN_CREDENTIAL:
        return "the credential is gone"
    return f"{nonce.name}: the request it belongs to has expired"
