"""Measures the pool's workers: shares a second, what a worker weighs, how fast they are asked.

Each batch names its workers, as front ends do that know no numbers; each row is of another worker.
Batches are packed before the clock starts, and checked and applied within it.

Invariant: figures are reported only if the work of every coin, day and worker is what was sent, and
a loaded dump has the digest of the store.
"""

import struct
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns

import numpy as np

from bench.machine import in_fresh_process, one_core, resident_bytes, without_cycle_search
from bench.venue import WrongAnswer
from pool.shares import Reason
from pool.workers import Workers

WORKERS = 1_000_000
ACCOUNTS = 10_000
LISTED = 10_000                  # workers of the account that is listed
BATCH_ROWS = 50_000
REPEAT = 5
COIN = 1
ONE = 1 << 16                    # a difficulty of 1
DAY_S, HOUR_S, MINUTE_S = 86_400, 3_600, 60
FIRST_DAY = 19_676
NAME_HEAD = struct.Struct("<IB")
ROW = np.dtype([("name", "<u4"), ("coin", "<u2"), ("zero", "<u2"), ("accepted", "<u4"),
                ("rejected", "<u4"), ("difficulty", "<u8"), ("at_s", "<u4"), ("zero_too", "<u4")])


def run(count: int = WORKERS, accounts: int = ACCOUNTS, repeat: int = REPEAT) -> dict:
    """The figures of a pool of `count` workers. Raises WrongAnswer."""
    return in_fresh_process(measure, count, accounts, repeat)


def measure(count: int, accounts: int, repeat: int) -> dict:
    with without_cycle_search(), one_core():
        feed = Feed(count, accounts)
        workers = Workers()
        workers.set_epoch(COIN, 1)
        before = resident_bytes()
        fill(workers, feed)
        figures = {"workers": count, "accounts": accounts,
                   "bytes_per_worker": round((resident_bytes() - before) / count)}
        figures |= share_rates(workers, feed, repeat)
        check_sums(workers, feed)
        figures |= ask(workers, feed, repeat)
        return figures | dump_and_load(workers)


class Feed:
    """Shares of all workers, over and over; it remembers what it has sent.

    The first account has LISTED workers, half of all at most; the others share the rest evenly.
    """

    def __init__(self, count: int, accounts: int):
        chance = np.random.default_rng(7)
        listed = min(LISTED, count // 2)
        others = 2 + np.arange(count - listed) % max(accounts - 1, 1)
        owners = np.concatenate([np.ones(listed, np.int64), others])
        self.names = [NAME_HEAD.pack(owner, len(name)) + name for owner, name in (
            (owner, b"s21x%d" % number) for number, owner in enumerate(owners.tolist()))]
        self.accounts = b"\0" + b"\1" * accounts
        # Miners are given a difficulty at which they find some shares a minute.
        self.difficulty = ONE << chance.integers(10, 18, count).astype(np.uint64)
        self.order = np.arange(count)
        self.shuffled = chance.permutation(count)
        self.chance = chance
        self.sent = 0
        self.now_s = FIRST_DAY * DAY_S

    def batches(self, order: np.ndarray) -> list[bytes]:
        """A row of each worker, in an order; counted as sent."""
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
        return head + bytes(-len(head) % 8) + rows.tobytes()


def take(workers: Workers, feed: Feed, batches: list[bytes]) -> int:
    """Nanoseconds that it takes to check and apply them."""
    begin = perf_counter_ns()
    for batch in batches:
        reason, place = workers.refusal_of(batch, feed.now_s, feed.accounts)
        if reason != Reason.OK:
            raise WrongAnswer(f"place {place} of a batch: {reason.name}")
        workers.take(batch, feed.now_s)
    return perf_counter_ns() - begin


def fill(workers: Workers, feed: Feed) -> None:
    """Shares of everyone in each of the days, hours and minutes that are kept."""
    for day in range(30):
        feed.now_s = (FIRST_DAY + day) * DAY_S
        take(workers, feed, feed.batches(feed.order))
    for hour in range(24):
        feed.now_s = (FIRST_DAY + 30) * DAY_S + hour * HOUR_S
        take(workers, feed, feed.batches(feed.order))
    for _ in range(30):
        feed.now_s += MINUTE_S
        take(workers, feed, feed.batches(feed.order))


def share_rates(workers: Workers, feed: Feed, repeat: int) -> dict:
    """Million rows a second: in the order in which the workers came, and in no order at all."""
    rates = {}
    for name, order in (("in_order", feed.order), ("shuffled", feed.shuffled)):
        elapsed_ns = [take(workers, feed, feed.batches(order)) for _ in range(repeat)]
        rates[f"million_rows_per_s_{name}"] = len(order) * 1_000 / median(elapsed_ns)
        rates[f"million_rows_per_s_{name}_rounds"] = [
            len(order) * 1_000 / one for one in elapsed_ns]
    return rates


def check_sums(workers: Workers, feed: Feed) -> None:
    """What was sent is there, and the store agrees with itself."""
    paid = sum(work for day in workers.work_days(COIN)
               for account in workers.accounts_with_work(COIN, day)
               for _, work in workers.work(account, COIN, day))
    faults = workers.check()
    if paid != feed.sent or faults:
        raise WrongAnswer(f"work of {paid} from shares of {feed.sent}; {faults[:3]}")


def ask(workers: Workers, feed: Feed, repeat: int) -> dict:
    now_s = feed.now_s + MINUTE_S
    return {
        "speeds_5m_all_ms": clock(lambda: workers.speeds_5m_all(now_s), repeat),
        "list_of_10_000_ms": clock(lambda: workers.list_of(1, now_s, 10, 24), repeat),
        "counts_of_10_000_ms": clock(lambda: workers.counts_of(1, now_s, 10, 24), repeat),
        "account_speeds_ms": clock(lambda: workers.account_speeds(1, now_s), repeat),
        "digest_ms": clock(workers.digest, repeat),
        "minute_ms": turn(workers, feed, MINUTE_S),
        "hour_ms": turn(workers, feed, HOUR_S),
        "day_ms": turn(workers, feed, DAY_S),
    }


def clock(ask_once: Callable[[], object], repeat: int) -> float:
    """Milliseconds, the median."""
    elapsed_ns = []
    for _ in range(repeat):
        begin = perf_counter_ns()
        ask_once()
        elapsed_ns.append(perf_counter_ns() - begin)
    return median(elapsed_ns) / 10**6


def turn(workers: Workers, feed: Feed, period_s: int) -> float:
    """Milliseconds that it takes to let the last minute of an hour or day, or any, be over."""
    feed.now_s += period_s - feed.now_s % period_s - 1
    workers.advance(feed.now_s)
    feed.now_s += 1
    begin = perf_counter_ns()
    workers.advance(feed.now_s)
    return (perf_counter_ns() - begin) / 10**6


def dump_and_load(workers: Workers) -> dict:
    begin = perf_counter_ns()
    dumped = workers.dump()
    dumped_ns = perf_counter_ns() - begin
    begin = perf_counter_ns()
    again = Workers.load(dumped)
    loaded_ns = perf_counter_ns() - begin
    if again.digest() != workers.digest():
        raise WrongAnswer("a loaded dump has another digest")
    return {"dump_mb": len(dumped) / 10**6, "dump_s": dumped_ns / 10**9,
            "load_s": loaded_ns / 10**9}
