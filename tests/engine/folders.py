"""Data folders with a journal that the real core and writer have made, for the tests beside.

The commands are those of tests/model/workload: every kind, often refused, often matched.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from engine.core import Core, Outcome
from engine.journal import Frame, Journal, JournalReader, JournalWriter, outcome_digest
from engine.replay import JOURNAL_FOLDER, Follower
from tests.model.exchange import Model
from tests.model.workload import Workload

SEGMENT_BYTES = 64 << 10


class Trader:
    """A model and the workload that looks at it: an endless run of batches, the same for a seed."""

    def __init__(self, seed: int):
        self.model = Model()
        self.workload = Workload(seed, self.model)
        self._is_first = True

    def next_batch(self) -> tuple[bytes, int]:
        """(commands, ts_ns)"""
        batch, ts_ns = (self.workload.first_batch if self._is_first else self.workload.next_batch)()
        self._is_first = False
        self.model.apply(batch, self.model.seq + 1, ts_ns)
        return b"".join(command.encode() for command in batch), ts_ns


@dataclass
class Live:
    """A house without its shell: a core whose batches go to the journal of a data folder."""
    directory: Path
    seed: int = 1
    core: Core = field(default_factory=Core)
    hashes: dict[int, str] = field(default_factory=dict)    # seq -> state hash, at frames' ends

    def __post_init__(self):
        self.trader = Trader(self.seed)

    def run(self, batches: int) -> "Live":
        """Apply some batches and write them to the journal."""
        asyncio.run(self.run_async(batches))
        return self

    async def run_async(self, batches: int) -> None:
        journal = Journal.open(self.directory / JOURNAL_FOLDER, SEGMENT_BYTES)
        writer = JournalWriter(journal)
        done: asyncio.Queue[str | None] = asyncio.Queue()
        writer.start(asyncio.get_running_loop(), done.put_nowait)
        for _ in range(batches):
            commands, ts_ns = self.trader.next_batch()
            first_seq, ts_ns = self.core.seq + 1, max(ts_ns, self.core.ts_ns)
            outcome = self.core.apply(commands, first_seq, ts_ns)
            writer.write(first_seq, outcome.count, ts_ns,
                         outcome_digest(outcome.results, outcome.events), commands)
            if (failure := await done.get()) is not None:
                raise OSError(failure)
            self.hashes[self.core.seq] = self.core.state_hash()
        writer.close()


def frames_of(directory: Path) -> list[Frame]:
    return list(JournalReader(directory / JOURNAL_FOLDER).frames())


def outcomes_of(directory: Path) -> tuple[Core, list[tuple[Frame, Outcome]]]:
    """Every frame with what it gave, and the core after all of them."""
    follower = Follower(directory, Core())
    frames = frames_of(directory)
    applied = list(follower.advance(frames[-1].last_seq))
    follower.close()
    return follower.core, applied
