"""The workloads: the published totals, and that an independent book agrees with every message."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import workload
from bench.workload import ADD, CANCEL, MESSAGE_DTYPE, MOVE, TAKE, MixWide, Totals

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
LIVE = 2_000


@pytest.fixture
def small_wide(monkeypatch):
    """Mix `wide` with a small book: a million orders take seconds to place."""
    monkeypatch.setattr(MixWide, "live_target", LIVE)
    monkeypatch.setattr(MixWide, "users", LIVE)


@pytest.mark.parametrize(("mix", "prefill", "totals"), [
    ("A", 1_002, Totals(trades=1_120, volume=9_177, notional=917_685_556, live=1_006)),
    ("B", 10_000, Totals(trades=5_711, volume=246_019, notional=24_610_453_494, live=10_152)),
])
def test_totals_of_the_common_workload(mix, prefill, totals):
    flow = workload.generate(mix, 20_000)
    assert flow.prefill == prefill
    assert len(flow.messages) == prefill + 20_000
    assert flow.totals == totals


@pytest.mark.slow
@pytest.mark.parametrize(("mix", "trades", "volume", "notional"), [
    ("A", 174_019, 1_509_715, 150_679_861_981),
    ("B", 892_783, 37_725_289, 3_774_533_640_003),
])
def test_published_totals(mix, trades, volume, notional):
    totals = workload.generate(mix).totals
    assert (totals.trades, totals.volume, totals.notional) == (trades, volume, notional)


@pytest.mark.parametrize("mix", ["A", "B"])
def test_every_message_is_that_of_the_common_workload(mix, tmp_path):
    generator = SHARED / "bench" / "workload.py"
    if not generator.is_file():
        pytest.skip("the common workload's generator is not beside the checkout")
    out = tmp_path / "messages.bin"
    subprocess.run([sys.executable, generator, mix, out, "3000"], check=True, capture_output=True)
    expected = [
        (kind, side, user, order, price, qty, old_price)
        for kind, side, _, user, order, price, qty, old_price
        in struct.iter_unpack("<BBHIQqqq", out.read_bytes()[64:])
    ]
    number = {ADD: 0, TAKE: 1, CANCEL: 2, MOVE: 3}
    found = [
        (number[action], side - 1, user, order, price, qty, old_price)
        for action, side, _, user, order, price, qty, old_price
        in workload.generate(mix, 3_000).messages.tolist()
    ]
    assert found == expected


class ListBook:
    """Every order in one list, the best by sorting: too simple to be wrong in the same way."""

    def __init__(self):
        self.orders = []    # [side, price, time, order, user, remaining]
        self.time = 0

    def find(self, order):
        return next(row for row in self.orders if row[3] == order)

    def submit(self, side, price, order, user, qty, rests):
        trades = []
        self.time += 1
        while qty:
            sign = 1 if side == 1 else -1
            others = [row for row in self.orders
                      if row[0] != side and (price - row[1]) * sign >= 0]
            if not others:
                break
            best = min(others, key=lambda row: (row[1] * sign, row[2]))
            traded = min(qty, best[5])
            trades.append((best[1], traded))
            qty -= traded
            best[5] -= traded
            if not best[5]:
                self.orders.remove(best)
        if qty and rests:
            self.orders.append([side, price, self.time, order, user, qty])
        return trades


@pytest.mark.slow
@pytest.mark.parametrize("mix", workload.MIXES)
def test_an_independent_book_agrees(mix, small_wide):
    flow = workload.generate(mix, 1_500, seed=7)
    book = ListBook()
    trades = []
    for at, row in enumerate(flow.messages.tolist()):
        action, side, _, user, order, price, qty, old_price = row
        if at == flow.prefill:
            trades.clear()
        if action in (CANCEL, MOVE):
            live = book.find(order)
            resting_price = old_price if action == MOVE else price
            assert [live[0], live[1], live[4], live[5]] == [side, resting_price, user, qty]
            book.orders.remove(live)
        if action != CANCEL:
            trades += book.submit(side, price, order, user, qty, rests=action != TAKE)
    assert flow.totals == Totals(len(trades), sum(qty for _, qty in trades),
                                 sum(price * qty for price, qty in trades), len(book.orders))


def test_wide_keeps_its_promises(small_wide):
    flow = workload.generate("wide", 20_000)
    timed = flow.messages[flow.prefill:]
    shares = {action: np.count_nonzero(timed["action"] == action) / len(timed)
              for action in (ADD, TAKE, CANCEL, MOVE)}
    assert flow.prefill == LIVE
    assert abs(flow.totals.live - LIVE) < 200
    assert shares[ADD] > 0.44 and shares[CANCEL] > 0.38
    assert 0.04 < shares[TAKE] < 0.06 and 0.04 < shares[MOVE] < 0.06
    assert timed["price"].min() >= 1
    assert timed["price"].max() <= MixWide.price_max
    assert len(np.unique(flow.messages["user"])) > LIVE * 9 // 10


def test_the_same_seed_gives_the_same_messages():
    first, second = (workload.generate("B", 500, seed=3) for _ in range(2))
    other = workload.generate("B", 500, seed=4)
    assert np.array_equal(first.messages, second.messages)
    assert not np.array_equal(first.messages, other.messages)


def test_cached_workload_is_the_generated_one(tmp_path):
    made = workload.generate("A", 300, seed=5)
    first = workload.load("A", 300, seed=5, cache=tmp_path)
    again = workload.load("A", 300, seed=5, cache=tmp_path)
    for flow in (first, again):
        assert flow.messages.dtype == MESSAGE_DTYPE
        assert np.array_equal(flow.messages, made.messages)
        assert (flow.prefill, flow.users, flow.totals) == (made.prefill, made.users, made.totals)
    assert len(list(tmp_path.iterdir())) == 2


def test_cache_is_read_and_not_generated_again(tmp_path):
    workload.load("A", 300, cache=tmp_path)
    head_path, = tmp_path.glob("*.json")
    head = json.loads(head_path.read_text())
    head["totals"]["trades"] = -1
    head_path.write_text(json.dumps(head))
    assert workload.load("A", 300, cache=tmp_path).totals.trades == -1
