"""Measures a house of many miners: shares a second, what a worker weighs, how fast they are asked.

Each batch names its workers, as front ends do that know no numbers; each row is of another worker.
All of it goes through `Core.apply`, a batch a command, in a process of its own; the commands are
encoded beside the clock.

Invariant: figures are reported only if every batch was taken, the work of every coin, day and
worker is what was sent, and a loaded dump has the state hash of the core.
"""

import struct
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter_ns

import numpy as np

from bench.machine import in_fresh_process, one_core, resident_bytes, without_cycle_search
from bench.venue import WrongAnswer
from engine import commands
from engine.codes import Kind, Result
from engine.core import Core

WORKERS = 1_000_000
ACCOUNTS = 10_000
ACCOUNTS_PER_MASTER = 1_000
LISTED = 10_000                  # workers of the account that is listed
SLICE = 1_000                    # workers of a list that are read at once
BATCH_ROWS = 10_000
REPEAT = 5
COIN = 1
ONE = 1 << 16                    # a difficulty of 1
DAY_S, HOUR_S, MINUTE_S = 86_400, 3_600, 60
NS_PER_S = 10**9
FIRST_DAY = 19_676
NAME_HEAD = struct.Struct("<IB")
ROW = np.dtype([("name", "<u4"), ("coin", "<u2"), ("zero", "<u2"), ("accepted", "<u4"),
                ("rejected", "<u4"), ("difficulty", "<u8"), ("at_s", "<u4"), ("zero_too", "<u4")])


def run(count: int = WORKERS, accounts: int = ACCOUNTS, repeat: int = REPEAT) -> dict:
    """The figures of a pool of `count` workers. Raises WrongAnswer."""
    return in_fresh_process(measure, count, accounts, repeat)


def measure(count: int, accounts: int, repeat: int) -> dict:
    with without_cycle_search(), one_core():
        core = Core()
        feed = Feed(count, opened(core, accounts))
        before = resident_bytes()
        fill(core, feed)
        figures = {"workers": count, "accounts": accounts,
                   "bytes_per_worker": round((resident_bytes() - before) / count)}
        figures |= share_rates(core, feed, repeat)
        check_sums(core, feed)
        figures |= ask(core, feed, repeat)
        figures |= dump_and_load(core)
        # Last, for what is old makes room.
        return figures | {"minute_ms": turn(core, feed, MINUTE_S),
                          "hour_ms": turn(core, feed, HOUR_S), "day_ms": turn(core, feed, DAY_S)}


def opened(core: Core, accounts: int) -> list[int]:
    """Let a house have a coin that is mined, and so many sub-accounts; their numbers."""
    apply(core, [
        commands.cold(Kind.ADD_COIN, {"name": "BTC", "title": "BTC", "type": "coin", "scale": 8}),
        commands.cold(Kind.SET_NETWORK, {
            "coin": COIN, "difficulty": "16307420938523.983", "subsidy": 1_250_000_000,
            "fees_per_block": 10_000_000})])
    return [number for first in range(0, accounts, ACCOUNTS_PER_MASTER)
            for number in opened_master(core, first, min(first + ACCOUNTS_PER_MASTER, accounts))]


def opened_master(core: Core, first: int, end: int) -> Iterator[int]:
    """Let a user come in with the sub-accounts of these places, one at least."""
    made = apply(core, [commands.cold(Kind.ADD_ACCOUNT, {
        "username": f"farm-{first}", "password_hash": "!", "phone": f"{first}"})])[0]
    yield made["account"]
    yield from apply(core, [commands.cold(Kind.ADD_SUB_ACCOUNT, {
        "uid": made["uid"], "name": f"farm-{place}", "theory_speed": 0, "description": "",
        "worker_count": 0}) for place in range(first + 1, end)]).values()


def apply(core: Core, records: list[bytes], now_s: int = FIRST_DAY * DAY_S) -> dict:
    """Apply some commands; their values. WrongAnswer where one is refused."""
    outcome = core.apply(b"".join(records), core.seq + 1, now_s * NS_PER_S)
    rows = np.frombuffer(outcome.results, commands.RESULT_DTYPE)
    refused = rows[rows["code"] != Result.OK]
    if len(refused):
        raise WrongAnswer(f"place {refused['count'][0]} of a command:"
                          f" {Result(refused['code'][0]).name}")
    return outcome.values


class Feed:
    """Shares of all workers, over and over; it remembers what it has sent.

    The first account has LISTED workers, half of all at most; the others share the rest evenly.
    """

    def __init__(self, count: int, accounts: list[int]):
        chance = np.random.default_rng(7)
        listed = min(LISTED, count // 2)
        others = 1 + np.arange(count - listed) % (len(accounts) - 1)
        owners = np.array(accounts)[np.concatenate([np.zeros(listed, np.int64), others])]
        self.names = [NAME_HEAD.pack(owner, len(name)) + name for owner, name in (
            (owner, b"s21x%d" % number) for number, owner in enumerate(owners.tolist()))]
        self.account = accounts[0]
        # Miners are given a difficulty at which they find some shares a minute.
        self.difficulty = ONE << chance.integers(10, 18, count).astype(np.uint64)
        self.order = np.arange(count)
        self.shuffled = chance.permutation(count)
        self.chance = chance
        self.sent = 0
        self.now_s = FIRST_DAY * DAY_S

    def batches(self, order: np.ndarray) -> list[bytes]:
        """A row of each worker, in an order, as commands; counted as sent."""
        return [self.batch(order[at:at + BATCH_ROWS]) for at in range(0, len(order), BATCH_ROWS)]

    def batch(self, chosen: np.ndarray) -> bytes:
        head = struct.pack("<II", len(chosen), len(chosen)) + b"".join(
            [self.names[number] for number in chosen.tolist()])
        rows = np.zeros(len(chosen), ROW)
        rows["name"] = np.arange(len(chosen))
        rows["coin"] = COIN
        rows["accepted"] = self.chance.integers(1, 20, len(chosen))
        rows["rejected"] = self.chance.integers(0, 50, len(chosen)) == 0
        rows["difficulty"] = self.difficulty[chosen]
        rows["at_s"] = self.now_s
        self.sent += int((rows["accepted"] * rows["difficulty"]).sum())
        return commands.add_shares(head + bytes(-len(head) % 8) + rows.tobytes())


def take(core: Core, feed: Feed, batches: list[bytes]) -> int:
    """Nanoseconds that it takes to apply them."""
    begin = perf_counter_ns()
    for batch in batches:
        apply(core, [batch], feed.now_s)
    return perf_counter_ns() - begin


def fill(core: Core, feed: Feed) -> None:
    """Shares of everyone in each of the days, hours and minutes that are kept."""
    for day in range(30):
        feed.now_s = (FIRST_DAY + day) * DAY_S
        take(core, feed, feed.batches(feed.order))
    for hour in range(24):
        feed.now_s = (FIRST_DAY + 30) * DAY_S + hour * HOUR_S
        take(core, feed, feed.batches(feed.order))
    for _ in range(30):
        feed.now_s += MINUTE_S
        take(core, feed, feed.batches(feed.order))


def share_rates(core: Core, feed: Feed, repeat: int) -> dict:
    """Million rows a second: in the order in which the workers came, and in no order at all."""
    rates = {}
    for name, order in (("in_order", feed.order), ("shuffled", feed.shuffled)):
        elapsed_ns = [take(core, feed, feed.batches(order)) for _ in range(repeat)]
        rates[f"million_rows_per_s_{name}"] = len(order) * 1_000 / median(elapsed_ns)
        rates[f"million_rows_per_s_{name}_rounds"] = [
            len(order) * 1_000 / one for one in elapsed_ns]
    return rates


def check_sums(core: Core, feed: Feed) -> None:
    """What was sent is there, and the house agrees with itself."""
    paid = sum(work for day in core.workers.work_days(COIN)
               for _, works in core.workers.work_of_day(COIN, day) for _, work in works)
    if paid != feed.sent:
        raise WrongAnswer(f"work of {paid} from shares of {feed.sent}")
    core.check()


def ask(core: Core, feed: Feed, repeat: int) -> dict:
    now_s, workers = feed.now_s + MINUTE_S, core.workers
    return {
        "speeds_5m_all_ms": clock(lambda: workers.speeds_5m_all(now_s), repeat),
        "list_of_10_000_ms": clock(lambda: workers.list_of(feed.account, now_s, 10, 24), repeat),
        "slowest_slice_of_1_000_ms": slowest_slice(core, feed, now_s, repeat),
        "counts_of_10_000_ms": clock(
            lambda: workers.counts_of(feed.account, now_s, 10, 24), repeat),
        "account_speeds_ms": clock(lambda: workers.account_speeds(feed.account, now_s), repeat),
        "state_hash_ms": clock(core.state_hash, repeat),
        "one_row_ms": clock(lambda: take(core, feed, [feed.batch(feed.order[:1])]), repeat),
    }


def slowest_slice(core: Core, feed: Feed, now_s: int, repeat: int) -> float:
    """Milliseconds for which the list of the first account's workers, read as the dialects read it,
    holds what else is to be served."""
    roster = core.workers.roster(feed.account, now_s)
    slices = [clock(lambda: roster.find(LISTED), 1)]
    for first in range(0, len(roster), SLICE):
        slices.append(clock(lambda first=first: roster.columns(first, first + SLICE, 10, 24),
                            repeat))
    return max(slices)


def clock(ask_once: Callable[[], object], repeat: int) -> float:
    """Milliseconds, the median."""
    elapsed_ns = []
    for _ in range(repeat):
        begin = perf_counter_ns()
        ask_once()
        elapsed_ns.append(perf_counter_ns() - begin)
    return median(elapsed_ns) / 10**6


def turn(core: Core, feed: Feed, period_s: int) -> float:
    """Milliseconds of the first row of a minute, hour or day: what is old makes room."""
    feed.now_s += period_s - feed.now_s % period_s - 1
    take(core, feed, [feed.batch(feed.order[:1])])
    feed.now_s += 1
    return take(core, feed, [feed.batch(feed.order[:1])]) / 10**6


def dump_and_load(core: Core) -> dict:
    begin = perf_counter_ns()
    dumped = core.dump()
    dumped_ns = perf_counter_ns() - begin
    begin = perf_counter_ns()
    again = Core.load(dumped)
    loaded_ns = perf_counter_ns() - begin
    if again.state_hash() != core.state_hash():
        raise WrongAnswer("a loaded dump has another state")
    return {"dump_mb": len(dumped) / 10**6, "dump_s": dumped_ns / 10**9,
            "load_s": loaded_ns / 10**9}
