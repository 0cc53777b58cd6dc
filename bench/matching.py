"""Measures the core: commands a second on one processor, and what an order and a balance weigh.

The core does all it does in a house: ledger, fees, bars and ticker, results and events. Only the
journal is left out. The commands are encoded before the clock starts, and it runs only inside
`Core.apply`.

Invariant: a figure is reported only if trades, volume and notional of the workload were exactly
met. That is counted from the events of a first round, which no clock sees; each timed round must
end in the same state hash as that one.
"""

from pathlib import Path
from statistics import median
from time import perf_counter_ns

import numpy as np

from bench import venue, workload
from bench.machine import (
    in_fresh_process, one_core, resident_bytes, without_cycle_search)
from bench.venue import Batch, Stream, WrongAnswer
from bench.workload import Workload
from engine import events
from engine.codes import EventKind, HouseAccount
from engine.core import Core
from ledger.accounts import Accounts

REPEAT = 5
WEIGHED_ORDERS = 1_000_000
WEIGHED_USERS = 1_000_000
# The orders to weigh belong to few users, whose own lists weigh nothing then.
WEIGHED_ORDER_USERS = 1_000


def run(mixes=workload.MIXES, count: int = workload.MESSAGES, repeat: int = REPEAT,
        cache: Path | None = None, weigh: bool = True) -> dict:
    """`{"mixes": {mix: figures}, "memory": {…}}`. Raises WrongAnswer."""
    found = {"mixes": {}}
    for mix in mixes:
        flow = workload.load(mix, count, cache=cache)
        with without_cycle_search():
            found["mixes"][mix] = measure(flow, repeat)
    if weigh:
        found["memory"] = {
            "bytes_per_resting_order": in_fresh_process(weigh_orders, WEIGHED_ORDERS, cache),
            "bytes_per_balance": in_fresh_process(weigh_balances, WEIGHED_USERS),
        }
    return found


def measure(flow: Workload, repeat: int) -> dict:
    """Send a workload through fresh cores, once to check and `repeat` times against the clock."""
    opened = open_house(flow.users)
    stream = Stream(flow, venue.opening_count(flow.users) + 1)
    prefill = list(stream.batches(0, flow.prefill))
    timed = list(stream.batches(flow.prefill, len(flow.messages)))
    core = filled(opened, prefill)
    check_totals(core, timed, flow)
    state_hash = core.state_hash()
    elapsed_ns = []
    with one_core():
        for _ in range(repeat):
            del core
            core = filled(opened, prefill)
            elapsed_ns.append(clock(core, timed))
            if core.state_hash() != state_hash:
                raise WrongAnswer(f"mix {flow.mix}: two rounds ended in different states")
    count = sum(batch.count for batch in timed)
    return {
        "commands": count,
        "live_orders": flow.totals.live,
        "trades": flow.totals.trades,
        "million_per_s": count * 1_000 / median(elapsed_ns),
        "million_per_s_rounds": [count * 1_000 / one for one in elapsed_ns],
    }


def open_house(users: int) -> bytes:
    """The state of a core that has the pair and its funded users."""
    core = Core()
    for batch in venue.opening_batches(users):
        venue.apply(core, batch)
    return core.dump()


def filled(opened: bytes, prefill: list[Batch]) -> Core:
    core = Core.load(opened)
    for batch in prefill:
        venue.apply(core, batch)
    return core


def check_totals(core: Core, timed: list[Batch], flow: Workload) -> None:
    """Apply the batches and compare their TRADE events with the reference's totals."""
    trades = volume = notional = 0
    for batch in timed:
        happened = events.decode(venue.apply(core, batch).events)
        traded = happened[happened["kind"] == EventKind.TRADE]
        trades += len(traded)
        volume += int(traded["qty"].sum())
        notional += int(np.dot(traded["price"], traded["qty"]))
    live = sum(len(core.open_orders(uid)) for uid in range(1, flow.users + 1))
    if (trades, volume, notional, live) != (flow.totals.trades, flow.totals.volume,
                                            flow.totals.notional, flow.totals.live):
        raise WrongAnswer(f"mix {flow.mix}: {trades} trades, volume {volume}, notional {notional}, "
                          f"{live} live orders; the reference has {flow.totals}")


def clock(core: Core, timed: list[Batch]) -> int:
    """Nanoseconds that the batches take."""
    apply = core.apply
    calls = [(batch.records, batch.first_seq, batch.ts_ns) for batch in timed]
    begin = perf_counter_ns()
    for call in calls:
        apply(*call)
    return perf_counter_ns() - begin


def weigh_orders(count: int, cache: Path | None) -> int:
    """Bytes by which the process grows for each of `count` resting orders, price levels included:
    those of mix `wide`, where nearly every order has a level of its own.
    """
    flow = workload.load("wide", 0, cache=cache)
    messages = flow.messages[:count].copy()
    messages["user"] = messages["user"] % WEIGHED_ORDER_USERS + 1
    flow = Workload(flow.mix, flow.seed, WEIGHED_ORDER_USERS, count, messages, flow.totals)
    stream = Stream(flow, venue.opening_count(flow.users) + 1)
    prefill = list(stream.batches(0, count))
    core = Core.load(open_house(flow.users))
    # One command first, so that what a core sets up once is not charged to the orders.
    venue.apply(core, Batch(prefill[0].first_seq, 1, prefill[0].records[:48]))
    rest = Batch(prefill[0].first_seq + 1, prefill[0].count - 1, prefill[0].records[48:])
    before = resident_bytes()
    for batch in (rest, *prefill[1:]):
        core.apply(batch.records, batch.first_seq, batch.ts_ns)
    return round((resident_bytes() - before) / count)


def weigh_balances(users: int) -> int:
    """Bytes by which the process grows for each balance of `users` users in two coins."""
    accounts = Accounts()
    coins = (1, 2)
    for coin in coins:
        accounts.open_coin(coin)
    before = resident_bytes()
    for uid in range(1, users + 1):
        accounts.open_user(uid)
        for coin in coins:
            accounts.credit(uid, coin, uid, HouseAccount.EXTERNAL)
    return round((resident_bytes() - before) / (users * len(coins)))
