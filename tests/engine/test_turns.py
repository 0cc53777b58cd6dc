"""Turns of those who read in slices: one in a turn of the loop, in the order of coming."""

import asyncio

import pytest

from engine.turns import turn

READERS, SLICES = 20, 5


class Loop:
    """Counts the turns of the loop it is made on."""

    def __init__(self):
        self.turns = 0
        self._loop = asyncio.get_running_loop()
        self._count()

    def _count(self):
        self.turns += 1
        self._loop.call_soon(self._count)


async def read(loop, seen, name):
    for _ in range(SLICES):
        await turn()
        seen.append((loop.turns, name))


async def all_read(loop, seen):
    await asyncio.gather(*(read(loop, seen, name) for name in range(READERS)))


@pytest.mark.parametrize("loops", [1, 2])
def test_one_goes_on_in_a_turn_and_each_in_its_order(loops):
    async def main():
        loop, seen = Loop(), []
        await all_read(loop, seen)
        return seen
    for _ in range(loops):
        at, names = zip(*asyncio.run(main()))
        assert list(at) == list(range(at[0], at[0] + READERS * SLICES))
        assert names == SLICES * tuple(range(READERS))


def test_who_goes_away_holds_nobody_up():
    async def main():
        loop, seen = Loop(), []
        gone = [asyncio.ensure_future(read(loop, seen, "gone")) for _ in range(READERS)]
        reading = asyncio.ensure_future(all_read(loop, seen))
        await asyncio.sleep(0)
        for one in gone:
            one.cancel()
        await asyncio.wait_for(reading, 60)
        # ... and after all have left the next one comes at once.
        await asyncio.wait_for(read(loop, seen, "late"), 60)
        return [name for _, name in seen]
    assert asyncio.run(main()) == [*SLICES * list(range(READERS)), *SLICES * ["late"]]
