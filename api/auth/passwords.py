"""Hashes and checks passwords: argon2id, in one thread of its own, never on the event loop.

One thread, because a hash fills 19 MiB and a core for some 20 ms: more of them at once would take
the time from the orders. The queue before it is bounded; beyond it the answer is TooBusy.

A check against no user costs the same as one against a user: it hashes against a stand-in.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PASSWORD_LENGTHS = range(6, 129)
QUEUE_MAX = 256
# The second of the settings that OWASP names for argon2id.
MEMORY_KIB = 19_456
PASSES = 2
LANES = 1


class TooBusy(Exception):
    """More passwords wait than one thread can hash in a few seconds."""


class Passwords:
    """A worker thread; close it with `close()`."""

    def __init__(self, *, queue_max: int = QUEUE_MAX):
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._thread = ThreadPoolExecutor(1, "passwords")
        self._queue_max = queue_max
        self._stand_in: str | None = None
        self.waiting = 0

    async def hash(self, password: str) -> str:
        """The text to store for a password. Raises TooBusy."""
        with self.place():
            return await self._run(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str, *,
                     placed: bool = False) -> bool:
        """Whether the password is the one of that hash; None (no such user) is False, as slowly.

        Raises TooBusy; not where the caller holds a `place`.
        """
        if placed:
            return await self._run(self._verify, password_hash, password)
        with self.place():
            return await self._run(self._verify, password_hash, password)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, for who must know that he has one before he asks. Raises TooBusy.
        """
        if self.waiting >= self._queue_max:
            raise TooBusy
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """Ends the thread after the hash it works on; what waits is cancelled."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work, *arguments):
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        if self._stand_in is None:
            # Both kinds of caller pay for it, whoever comes first.
            self._stand_in = self._hasher.hash("nobody's password")
        try:
            return (self._hasher.verify(password_hash or self._stand_in, password)
                    and password_hash is not None)
        except (VerificationError, InvalidHashError):
            return False


def is_new_password(password: str) -> bool:
    """Whether a password is long and short enough for a new account."""
    return len(password) in PASSWORD_LENGTHS
