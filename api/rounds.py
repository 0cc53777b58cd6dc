"""Who calls other servers by itself, as long as the house serves: each thing that a configuration
lists has a task of its own, all of them one HTTP client. Ended at any point a task loses nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

import aiohttp


class Runner(Protocol):
    async def run(self) -> None:
        """Goes on until it is cancelled, or the house has stopped."""


Config = TypeVar("Config")
Made = TypeVar("Made", bound=Runner)


@asynccontextmanager
async def all_running(configs: Sequence[Config],
                      made: Callable[[Config, aiohttp.ClientSession], Made],
                      ) -> AsyncIterator[list[Made]]:
    """What `made` gives for each of the configurations runs while the context is open."""
    if not configs:
        yield []
        return
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        runners = [made(config, session) for config in configs]
        tasks = [asyncio.create_task(runner.run()) for runner in runners]
        try:
            yield runners
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
