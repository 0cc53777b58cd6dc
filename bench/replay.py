"""Measures how fast a journal is replayed: reading, checksums, applying, comparing outcomes.

The journal is written by the house's own writer: the opening (users and their deposits), the
workload's prefill and its messages, in frames as large as the sequencer's. The clock starts when
`engine.replay.replay` tells that the opening is done, whose commands are of another kind.
"""

import asyncio
import tempfile
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from bench import venue, workload
from bench.machine import one_core, without_cycle_search
from bench.venue import Batch, Stream, WrongAnswer
from engine.core import Core
from engine.journal import Journal, JournalWriter, outcome_digest
from engine.replay import replay
from engine.sequencer import BATCH_MAX

REPEAT = 3


def run(mixes=workload.MIXES, count: int = workload.MESSAGES, repeat: int = REPEAT,
        cache: Path | None = None) -> dict:
    """`{"mixes": {mix: figures}}`. Raises WrongAnswer."""
    found = {"mixes": {}}
    for mix in mixes:
        flow = workload.load(mix, count, cache=cache)
        with without_cycle_search():
            found["mixes"][mix] = measure(flow, repeat)
    return found


def measure(flow: workload.Workload, repeat: int) -> dict:
    opening_count = venue.opening_count(flow.users)
    stream = Stream(flow, opening_count + 1)
    messages = stream.batches(0, len(flow.messages), BATCH_MAX)
    with tempfile.TemporaryDirectory(prefix="orebook-bench-") as folder:
        directory = Path(folder)
        core, frames = write_journal(
            directory, chain(venue.opening_batches(flow.users), messages))
        state_hash = core.state_hash()
        elapsed_ns = []
        with one_core():
            for _ in range(repeat):
                del core
                core, took_ns = clock(directory, opening_count)
                elapsed_ns.append(took_ns)
                if core.state_hash() != state_hash:
                    raise WrongAnswer(f"mix {flow.mix}: the replay ended in another state")
    count = len(flow.messages)
    return {
        "commands": count,
        "frames": frames,
        "million_per_s": count * 1_000 / median(elapsed_ns),
        "million_per_s_rounds": [count * 1_000 / one for one in elapsed_ns],
    }


def clock(directory: Path, after_seq: int) -> tuple[Core, int]:
    """A replayed core, and the nanoseconds that the commands behind `after_seq` took."""
    begin = 0

    def on_frame(seq: int, _last_seq: int) -> None:
        nonlocal begin
        if seq == after_seq:
            begin = perf_counter_ns()

    core = replay(directory, progress=on_frame)
    elapsed_ns = perf_counter_ns() - begin
    if not begin:
        raise WrongAnswer(f"no frame ends with command {after_seq}")
    return core, elapsed_ns


def write_journal(directory: Path, batches: Iterable[Batch]) -> tuple[Core, int]:
    """Apply batches to a fresh core and journal them, a frame each; the core and their number."""
    return asyncio.run(journal(directory, batches))


async def journal(directory: Path, batches: Iterable[Batch]) -> tuple[Core, int]:
    core = Core()
    loop = asyncio.get_running_loop()
    writer = JournalWriter(Journal.open(directory / "journal"))
    reported = asyncio.Queue()
    writer.start(loop, reported.put_nowait)
    frames = 0
    try:
        for batch in batches:
            outcome = venue.apply(core, batch)
            digest = outcome_digest(outcome.results, outcome.events)
            writer.write(batch.first_seq, batch.count, batch.ts_ns, digest, batch.records)
            failure = await reported.get()
            if failure is not None:
                raise OSError(failure)
            frames += 1
    finally:
        writer.close()
    return core, frames
