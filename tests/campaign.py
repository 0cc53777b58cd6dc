"""A long seeded run of the core beside the model: `python -m tests.campaign --commands N --seed S`.

Every batch's results, events and values are compared, the whole state at every checkpoint. Beside
the live core go two others that must have its state hash at each checkpoint: one gets the same
commands in other batches, one is loaded from the live one's dump at each checkpoint and gets the
tail. A disagreement is shrunk to a short list of commands and printed; so is whatever the list of
expectations (tests/model/tally) misses.
"""

import argparse
import random
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.core import Core
from tests.model.commands import AmendOrder, CancelOrder
from tests.model.comparison import apply_both, compare_bars, compare_state, require_equal
from tests.model.exchange import Model
from tests.model.tally import Tally
from tests.model.workload import Workload

BARS_EVERY = 20               # checkpoints: bars are recomputed from all trades, which takes long
SHRINK_SECONDS = 120
SHRINK_TAILS = (1_000, 10_000, 100_000)


@dataclass(slots=True)
class Step:
    """One command of a run, with the number and time it had there."""
    seq: int
    ts_ns: int
    command: object


class Followers:
    """Cores that see the live one's commands differently and must come to the same state."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.split = Core()
        self.resumed = Core()

    def apply(self, batch: list, first_seq: int, ts_ns: int) -> None:
        records = [command.encode() for command in batch]
        self.resumed.apply(b"".join(records), first_seq, ts_ns)
        at = 0
        while at < len(records):
            size = self.random.choice((1, 2, 7, len(records)))
            self.split.apply(b"".join(records[at:at + size]), first_seq + at, ts_ns)
            at += size

    def compare(self, live: Core) -> None:
        """The same hash as the live core; then go on from its dump."""
        live_hash = live.state_hash()
        require_equal("hash of other batches", self.split.state_hash(), live_hash)
        require_equal("hash of dump and tail", self.resumed.state_hash(), live_hash)
        self.resumed = Core.load(live.dump())
        require_equal("hash after load", self.resumed.state_hash(), live_hash)


class Campaign:
    """A run in progress. Every method raises Disagreement, or whatever the core raises."""

    def __init__(self, seed: int):
        self.core = Core()
        self.model = Model()
        self.tally = Tally()
        self.followers = Followers(seed)
        self.workload = Workload(seed, self.model)
        self.checkpoints = 0
        self.send(*self.workload.first_batch())

    def send(self, batch: list, ts_ns: int) -> None:
        first_seq = self.model.seq + 1
        self.tally.note(self.model, batch, apply_both(self.core, self.model, batch, ts_ns))
        self.followers.apply(batch, first_seq, ts_ns)

    def run(self, commands: int, batches_per_checkpoint: int,
            progress: Callable[[int], None] = lambda seq: None) -> None:
        """Send batches until `commands` commands, or a few more, are through; tell progress."""
        batches = 0
        while self.model.seq < commands:
            self.send(*self.workload.next_batch())
            batches += 1
            if batches % batches_per_checkpoint == 0:
                self.checkpoint(with_bars=self.checkpoints % BARS_EVERY == 0)
                progress(self.model.seq)
        self.checkpoint(with_bars=True)

    def checkpoint(self, with_bars: bool) -> None:
        compare_state(self.core, self.model)
        self.followers.compare(self.core)
        if with_bars:
            compare_bars(self.core, self.model)
        self.checkpoints += 1


# From a disagreement to a short list of commands

def steps_until(seed: int, last_seq: int) -> list[Step]:
    """The commands of a run once more, made with the model alone."""
    model = Model()
    workload = Workload(seed, model)
    batch, ts_ns = workload.first_batch()
    steps = []
    while True:
        first_seq = model.seq + 1
        steps += [Step(first_seq + i, ts_ns, command) for i, command in enumerate(batch)]
        if steps[-1].seq >= last_seq:
            return steps
        model.apply(batch, first_seq, ts_ns)
        batch, ts_ns = workload.next_batch()


def renumbered(steps: list[Step]) -> list[Step]:
    """The steps numbered from 1 without gaps; order ids, which are such numbers, follow."""
    numbers = {step.seq: number for number, step in enumerate(steps, 1)}
    out = []
    for number, step in enumerate(steps, 1):
        command = step.command
        if isinstance(command, (AmendOrder, CancelOrder)) and command.order_id in numbers:
            command = replace(command, order_id=numbers[command.order_id])
        out.append(Step(number, step.ts_ns, command))
    return out


def failure_of(steps: list[Step]) -> str:
    """What goes wrong when a fresh core and model get these commands one by one; '': nothing."""
    core, model = Core(), Model()
    try:
        for step in renumbered(steps):
            apply_both(core, model, [step.command], step.ts_ns)
        compare_state(core, model)
        require_equal("hash after load", Core.load(core.dump()).state_hash(), core.state_hash())
        compare_bars(core, model)
    except Exception as failure:    # a Halt of the core shrinks as well as a disagreement
        return f"{type(failure).__name__}: {failure}"
    return ""


def subject_of(failure: str) -> str:
    """What a failure is about, without its figures: 'Disagreement: result of command '."""
    return re.split("[0-9(]", failure, maxsplit=1)[0]


def shrink(steps: list[Step], kept: int) -> list[Step]:
    """A short list of steps, the first `kept` among them, that fails alike; [] where none does.

    Drops ever smaller runs of commands (Zeller's ddmin, simplified), for a limited time.
    """
    listings, rest = steps[:kept], steps[kept:]
    candidates = [rest[-length:] for length in SHRINK_TAILS if length < len(rest)] + [rest]
    rest = next((tail for tail in candidates if failure_of(listings + tail)), [])
    wanted = subject_of(failure_of(listings + rest))
    if not wanted:
        return []
    until = time.monotonic() + SHRINK_SECONDS
    size = max(1, len(rest) // 2)
    while time.monotonic() < until:
        shorter = rest
        at = len(rest)
        while at > 0 and time.monotonic() < until:
            candidate = shorter[:max(0, at - size)] + shorter[at:]
            if subject_of(failure_of(listings + candidate)) == wanted:
                shorter = candidate
            at -= size
        if size == 1 and len(shorter) == len(rest):
            break
        rest, size = shorter, max(1, size // 2)
    return listings + rest


def explain(seed: int, last_seq: int, failure: Exception) -> str:
    """Seed, command number, and the shrunk commands, or the last ones where none fail."""
    steps = steps_until(seed, last_seq)
    listings = sum(1 for step in steps if step.ts_ns == steps[0].ts_ns)
    small = shrink(steps, listings)
    lines = [f"seed {seed}, before or at command {last_seq}: {type(failure).__name__}: {failure}"]
    if not small:
        lines.append("One command a batch it does not happen. The last commands:")
        shown = steps[-40:]
    else:
        lines.append(f"{len(small) - listings} commands after the {listings} that open the house:")
        shown = renumbered(small)[listings:]
        lines.append(failure_of(small))
    return "\n".join(lines + [f"{step.seq:>8} {step.ts_ns} {step.command}" for step in shown[-60:]])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", type=int, default=400, help="batches between checkpoints")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    started = time.monotonic()

    def progress(seq: int) -> None:
        print(f"\r{seq:,} commands, {time.monotonic() - started:.0f} s", end="", file=sys.stderr)

    campaign = Campaign(arguments.seed)
    try:
        campaign.run(arguments.commands, arguments.checkpoint, progress)
    except Exception as failure:
        print(f"\n{explain(arguments.seed, campaign.model.seq + 1, failure)}")
        return 1
    print(f"\n{campaign.tally.table()}")
    missing = campaign.tally.missing()
    for key in missing:
        print("never happened:", *key)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
