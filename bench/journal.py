"""Orders through futures, journal and disk: how many a second, and how long each waits for its yes.

Each of `clients` has one order on its way at a time and sends the next when it is answered, that
is when it is on disk. A real core matches: two prices, so that about every second order trades.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np
import uvloop
from rich.console import Console

from bench import report, venue
from engine.codes import OrderType, Result, Side, Tif
from engine.commands import place_order
from engine.core import Core
from engine.journal import Journal, JournalWriter
from engine.sequencer import Sequencer

ORDERS = 500_000
CLIENTS = 256
PRICE = 10_000


def run(orders: int = ORDERS, clients: int = CLIENTS, directory: Path | None = None) -> dict:
    """Rate (1/s), latencies (µs), frames and their mean size (orders).

    The journal is in a folder within `directory`, by default the working directory: the usual
    folder for temporary files may be in memory, where a sync costs nothing.
    """
    with tempfile.TemporaryDirectory(dir=directory or Path.cwd(), prefix=".bench-") as folder:
        return uvloop.run(measure(Path(folder), orders, clients))


async def measure(folder: Path, orders: int, clients: int) -> dict:
    sequencer = Sequencer(Core(), JournalWriter(Journal.open(folder)))
    replies = await asyncio.gather(*map(sequencer.submit, venue.opening(clients)))
    if any(reply.code != Result.OK for reply in replies):
        raise venue.WrongAnswer("the opening was refused")
    latencies_ns = np.zeros((clients, orders // clients), dtype=np.int64)
    frames = 0

    def count_frame(seq: int, frame_bytes: int) -> None:
        nonlocal frames
        frames += 1

    sequencer.on_durable(count_frame)
    start_ns = time.perf_counter_ns()
    await asyncio.gather(*(
        client(sequencer, uid + 1, latencies_ns[uid]) for uid in range(clients)))
    took_ns = time.perf_counter_ns() - start_ns
    await sequencer.close()
    p50, p99 = np.percentile(latencies_ns, (50, 99))
    return {
        "orders": latencies_ns.size,
        "in_flight": clients,
        "orders_per_s": latencies_ns.size * 1e9 / took_ns,
        "p50_us": p50 / 1e3,
        "p99_us": p99 / 1e3,
        "max_us": float(latencies_ns.max()) / 1e3,
        "frames": frames,
        "orders_per_frame": latencies_ns.size / frames,
    }


async def client(sequencer: Sequencer, user: int, latencies_ns: np.ndarray) -> None:
    """Sell and buy by turns, one order after the other's answer."""
    clock = time.perf_counter_ns
    for at in range(len(latencies_ns)):
        side = Side.SELL if (at + user) & 1 else Side.BUY
        start_ns = clock()
        reply = await sequencer.submit(place_order(
            user, venue.PAIR, side, OrderType.LIMIT, Tif.GTC, price=PRICE, qty=1))
        latencies_ns[at] = clock() - start_ns
        if reply.code != Result.OK:
            raise venue.WrongAnswer(f"an order was refused: {Result(reply.code).name}")


if __name__ == "__main__":
    report.show(Console(), "journal", run())
