"""Turns for who reads much in slices: one slice in each turn of the event loop, whoever it is for.

    for first in range(0, len(roster), 1_000):
        await turn()
        ...

A slice takes some milliseconds, and everybody else is served between two of them. Were it enough
that each reader lets the loop go on, a hundred readers would take a hundred slices in each of its
turns.

Invariants: whoever waits is let go on in the order of coming, one in a turn of the loop; nobody
waits while the loop has nothing else to do.
"""

import asyncio
from collections import deque
from weakref import WeakKeyDictionary


class Turns:
    """The turns of one event loop."""

    __slots__ = ("_waiting", "_is_going")

    def __init__(self):
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_going = False

    def wait(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Done when it is the caller's turn."""
        waiting = loop.create_future()
        self._waiting.append(waiting)
        if not self._is_going:
            self._is_going = True
            loop.call_soon(self._next, loop)
        return waiting

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            # Who was cancelled has no use for a turn.
            if not waiting.done():
                waiting.set_result(None)
                loop.call_soon(self._next, loop)
                return
        self._is_going = False


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


async def turn() -> None:
    """Wait until everybody else was served, and for who waits already; then read one slice."""
    loop = asyncio.get_running_loop()
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = Turns()
    await turns.wait(loop)
