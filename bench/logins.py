"""Measures what logins do to a house: whether they hold its loop, and what their answers tell.

A house serves in this process, a crowd logs in from another one. First one login after the other:
the right password, a wrong one, a name that nobody has; their times must not tell them apart. Then
more at once than the queue before the hashes takes. All the while each callback of the house's
loop is timed, in CPU time of the loop's thread: by the clock it would have in it what the machine
gives to others, the hashing thread and the crowd first. For that the house runs on asyncio's own
loop here, which is slower than the one it is served on.
"""

import asyncio
import asyncio.events
import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter_ns, thread_time_ns
from urllib.parse import urlsplit

import aiohttp

from api.config import Config, Limits, Operator, Server, Storage
from api.serve import running

SINGLE = 40
CROWD = 400
PASSWORD = "bench-password"
GUESSES = {
    "right": {"user": "operator", "pass": PASSWORD},
    "wrong": {"user": "operator", "pass": "bench-passwerd"},
    "nobody": {"user": "nobody at all", "pass": PASSWORD},
}


def run(single: int = SINGLE, crowd: int = CROWD) -> dict:
    """Medians of `single` logins of each kind in ms, the longest that a callback held the loop in
    ms, and how `crowd` at once were answered."""
    return asyncio.run(measure(single, crowd))


async def measure(single: int, crowd: int) -> dict:
    with tempfile.TemporaryDirectory(prefix="orebook-bench-") as folder:
        config = Config(server=Server(port=0), data=Storage(dir=folder, segment_mb=1),
                        limits=Limits(logins_per_minute=0), operator=Operator(PASSWORD))
        async with running(config) as started:
            port = urlsplit(started.url).port
            return await watch(port, single, crowd)


async def watch(port: int, single: int, crowd: int) -> dict:
    """Let the crowd come, and time the loop's callbacks as long as it is there."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=send, args=(port, single, crowd, there), daemon=True)
    process.start()
    with timed_callbacks() as held_ns:
        answers = asyncio.get_running_loop().run_in_executor(None, here.recv)
        medians_ms, statuses = await answers
    process.join()
    return {
        **{f"login_{kind}_ms": figure for kind, figure in medians_ms.items()},
        "loop_held_max_ms": max(held_ns) / 1e6,
        **{f"crowd_answered_{status}": count for status, count in sorted(statuses.items())},
    }


@contextmanager
def timed_callbacks() -> Iterator[list[int]]:
    """CPU nanoseconds of each callback that a loop of asyncio runs meanwhile."""
    run_callback = asyncio.events.Handle._run
    held_ns: list[int] = []

    def timed(handle):
        begin_ns = thread_time_ns()
        run_callback(handle)
        held_ns.append(thread_time_ns() - begin_ns)

    asyncio.events.Handle._run = timed
    try:
        yield held_ns
    finally:
        asyncio.events.Handle._run = run_callback


def send(port: int, single: int, crowd: int, answers) -> None:
    """The crowd's process: medians by kind, then the HTTP statuses of all at once."""
    answers.send(asyncio.run(guess(port, single, crowd)))


async def guess(port: int, single: int, crowd: int) -> tuple[dict[str, float], dict[int, int]]:
    url = f"http://127.0.0.1:{port}/router?router=login"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def log_in(kind: str) -> tuple[int, float]:
            begin_ns = perf_counter_ns()
            async with client.post(url, data=GUESSES[kind]) as answer:
                await answer.read()
            return answer.status, (perf_counter_ns() - begin_ns) / 1e6

        times_ms: dict[str, list[float]] = {kind: [] for kind in GUESSES}
        for _ in range(single):
            for kind, times in times_ms.items():
                times.append((await log_in(kind))[1])
        kinds = [list(GUESSES)[number % len(GUESSES)] for number in range(crowd)]
        statuses = Counter(status for status, _ in await asyncio.gather(*map(log_in, kinds)))
    return {kind: median(times) for kind, times in times_ms.items()}, dict(statuses)
