"""Sends the same workload through other order books from PyPI, on one thread, in the same run.

Each peer runs in a process of its own, under any Python that has it: this module needs only numpy
beside the peer. What is not installed is reported as missing. The clock runs only while the peer
works: its calls are prepared, and its trades counted, between two stretches of CHUNK messages.

`python -m bench.peers NAME MIX COUNT FOLDER` prints one line of JSON.
"""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from time import perf_counter_ns

from bench import workload
from bench.machine import without_cycle_search
from bench.workload import ADD, CANCEL, MOVE, TAKE, Workload

CHUNK = 65_536
TIMEOUT_S = 1_800


class LimitOrderBook:
    """limit-order-book: a C++ book behind ctypes. It reports no trades, so that what is left in the
    book at the end is all that can be checked.
    """
    distribution = "limit-order-book"
    module = "limit_order_book"

    def __init__(self):
        from limit_order_book import LimitOrderBook as Book
        self.book = Book()

    def prepare(self, messages) -> list[tuple]:
        fields = ("action", "side", "order", "price", "qty")
        return list(zip(*(messages[field].tolist() for field in fields), strict=True))

    def process(self, calls: list[tuple]) -> None:
        book = self.book
        limit, market, cancel = book.limit, book.market, book.cancel
        for action, side, order, price, qty in calls:
            buys = side == 1
            if action == ADD:
                limit(buys, order, qty, price)
            elif action == CANCEL:
                cancel(order)
            elif action == MOVE:
                cancel(order)
                limit(buys, order, qty, price)
            else:
                # It has no IOC at a price; every limit of a TAKE here is beyond the whole book.
                market(buys, order, qty)

    def gather(self) -> None:
        pass

    def forget(self) -> None:
        pass

    def totals(self) -> dict[str, int]:
        return {"live": self.book.count()}


class MatchingEngine:
    """matching-engine: pure Python; its engine alone, without its log and its gateway."""
    distribution = "matching-engine"
    module = "matching_engine"

    def __init__(self):
        from matching_engine import domain
        from matching_engine.engine import MatchingEngine as Engine
        from matching_engine.events import Trade
        self.domain = domain
        self.engine = Engine()
        self.trade_class = Trade
        self.seq = 0
        self.answers = []
        self.forget()

    def prepare(self, messages) -> list:
        domain = self.domain
        sides = (None, domain.Side.BUY, domain.Side.SELL)
        out = []
        fields = ("action", "side", "user", "order", "price", "qty")
        for action, side, user, order, price, qty in zip(
                *(messages[field].tolist() for field in fields), strict=True):
            asked = []
            if action in (CANCEL, MOVE):
                asked.append(domain.CancelOrder(order, user))
            if action != CANCEL:
                tif = domain.TimeInForce.IOC if action == TAKE else domain.TimeInForce.GTC
                asked.append(domain.NewOrder(
                    order, user, sides[side], price, qty, tif=tif,
                    stp=domain.SelfTradePrevention.NONE))
            for command in asked:
                self.seq += 1
                out.append(domain.SequencedCommand(self.seq, self.seq, command))
        return out

    def process(self, calls: list) -> None:
        process = self.engine.process
        keep = self.answers.append
        for command in calls:
            keep(process(command))

    def gather(self) -> None:
        for answer in self.answers:
            for event in answer:
                if type(event) is self.trade_class:
                    self.trades += 1
                    self.volume += event.qty
                    self.notional += event.price * event.qty
        self.answers.clear()

    def forget(self) -> None:
        self.trades = self.volume = self.notional = 0

    def totals(self) -> dict[str, int]:
        return {"trades": self.trades, "volume": self.volume, "notional": self.notional,
                "live": len(self.engine.book)}


PEERS = {peer.distribution: peer for peer in (LimitOrderBook, MatchingEngine)}


def measure(peer, flow: Workload) -> dict:
    """Send a workload through a peer: rate, and whether its totals are the reference's."""
    elapsed_ns = 0
    for start, stop in ((0, flow.prefill), (flow.prefill, len(flow.messages))):
        elapsed_ns = 0
        peer.forget()
        for at in range(start, stop, CHUNK):
            calls = peer.prepare(flow.messages[at:min(at + CHUNK, stop)])
            begin = perf_counter_ns()
            peer.process(calls)
            elapsed_ns += perf_counter_ns() - begin
            peer.gather()
    totals = peer.totals()
    count = len(flow.messages) - flow.prefill
    return {
        "million_per_s": count * 1_000 / elapsed_ns,
        "checked": sorted(totals),
        "right": all(getattr(flow.totals, name) == total for name, total in totals.items()),
    }


def run(mixes=("A", "B"), count: int = workload.MESSAGES, cache: Path | None = None,
        python: str = sys.executable) -> dict:
    """`{peer: {mix: figures}}`, or `{peer: {"missing": why}}`; `python` is one that has them."""
    folder = cache if cache is not None else workload.default_cache()
    found = {}
    for name in PEERS:
        found[name] = {}
        for mix in mixes:
            workload.load(mix, count, cache=folder)
            figures = run_apart(python, name, mix, count, folder)
            if "missing" in figures:
                found[name] = figures
                break
            found[name][mix] = figures
    return found


def run_apart(python: str, name: str, mix: str, count: int, folder: Path) -> dict:
    root = Path(__file__).resolve().parent.parent
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    child = subprocess.run(
        [python, "-m", "bench.peers", name, mix, str(count), str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )
    if child.returncode != 0:
        lines = child.stderr.strip().splitlines() or [f"exit {child.returncode}"]
        return {"missing": lines[-1]}
    return json.loads(child.stdout)


def main(name: str, mix: str, count: str, folder: str) -> None:
    try:
        peer = PEERS[name]()
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    flow = workload.load(mix, int(count), cache=Path(folder))
    with without_cycle_search():
        figures = measure(peer, flow)
    figures["version"] = metadata.version(name)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
