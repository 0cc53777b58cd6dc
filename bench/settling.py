"""Measures a settlement in a house: the day of bench/settlement, settled by the house's Settler.

Beside it a client sends small commands, each as soon as the one before is answered, so that one is
always on its way: the slowest of them has waited for whatever kept the house from serving.

Invariant: figures are reported only if the day's sum adds up to the unit and every command was
done.
"""

import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from time import perf_counter_ns, process_time_ns

import numpy as np
import uvloop

from api.mining.settling import Settler
from bench.settlement import BTC, DAY, NS_PER_S, Day, check_sums
from bench.venue import WrongAnswer
from engine import HistoryLate, House, HouseSettings, Kind, Result, cold

SEGMENT_BYTES = 16 << 20
AT_ONCE = 5_000                 # commands that wait, below the house's limit
NEIGHBORS_COMMAND = cold(Kind.SET_LIMITS, {"open_orders_per_user": 0})


class HouseDay(Day):
    """DAY in a house, whose clock is the day's; its loop runs only while something is done."""

    def __init__(self, count: int, folder: str, runner: asyncio.Runner):
        super().__init__(count)
        self.runner = runner
        self.house = runner.run(House.open(Path(folder), HouseSettings(
            segment_bytes=SEGMENT_BYTES, snapshot_every_bytes=0,
            clock=lambda: self.now_s * NS_PER_S)))
        self.core = self.house.core

    def do(self, *records: bytes) -> dict[int, object]:
        """As of a core: values by the places of their commands."""
        return dict(enumerate(self.runner.run(self.sent(records))))

    async def sent(self, records: Iterable[bytes]) -> list:
        values = []
        pending = list(records)
        for at in range(0, len(pending), AT_ONCE):
            for reply in await asyncio.gather(*map(self.house.submit, pending[at:at + AT_ONCE])):
                if reply.code != Result.OK:
                    raise WrongAnswer(f"{Result(reply.code).name} in a house")
                values.append(reply.value)
        return values

    async def history_is_there(self) -> None:
        """The scribe has read all: from here on it works on what comes."""
        while True:
            try:
                await self.house.history.earnings_of_day(DAY)
                return
            except HistoryLate:
                await asyncio.sleep(0)


def measure(count: int) -> dict:
    """Milliseconds of the settlement, of its commands' neighbors, and of CPU time of this process.
    Raises WrongAnswer."""
    with (tempfile.TemporaryDirectory(prefix="orebook-bench-") as folder,
          asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner):
        day = HouseDay(count, folder, runner)
        try:
            day.open()
            day.work()
            runner.run(day.history_is_there())
            figures = runner.run(settle(day.house))
            check_sums(day)
        finally:
            runner.run(day.house.close())
        return figures


async def settle(house: House) -> dict:
    """The house's own settlement, with a neighbor beside it."""
    settling = asyncio.ensure_future(Settler(house).settle(BTC, DAY))
    waited_ns = []
    cpu_ns, begin_ns = process_time_ns(), perf_counter_ns()
    while not settling.done():
        sent_ns = perf_counter_ns()
        reply = await house.submit(NEIGHBORS_COMMAND)
        waited_ns.append(perf_counter_ns() - sent_ns)
        if reply.code != Result.OK:
            raise WrongAnswer(f"{Result(reply.code).name} beside a settlement")
    elapsed_ns, cpu_ns = perf_counter_ns() - begin_ns, process_time_ns() - cpu_ns
    if settling.result().duplicate:
        raise WrongAnswer("the day was settled before")
    return {"in_house_ms": elapsed_ns / 10**6, "in_house_cpu_ms": cpu_ns / 10**6,
            "neighbors": len(waited_ns), "neighbor_ms_median": median(waited_ns) / 10**6,
            "neighbor_ms_p99": float(np.quantile(waited_ns, 0.99)) / 10**6,
            "neighbor_ms_slowest": max(waited_ns) / 10**6}
