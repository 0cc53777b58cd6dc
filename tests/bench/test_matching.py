"""The matching benchmark refuses to show a figure that the engine has not earned."""

import dataclasses

import pytest

from bench import matching, venue, workload
from bench.venue import Stream, WrongAnswer
from bench.workload import MixWide
from engine.core import Core

COUNT = 3_000


@pytest.fixture
def small_wide(monkeypatch):
    monkeypatch.setattr(MixWide, "live_target", 2_000)
    monkeypatch.setattr(MixWide, "users", 2_000)


@pytest.mark.parametrize("mix", workload.MIXES)
def test_the_engine_meets_the_totals(mix, small_wide):
    flow = workload.generate(mix, COUNT)
    figures = matching.measure(flow, 2)
    assert figures["commands"] == COUNT
    assert figures["trades"] == flow.totals.trades
    assert figures["live_orders"] == flow.totals.live
    assert len(figures["million_per_s_rounds"]) == 2
    assert min(figures["million_per_s_rounds"]) > 0


@pytest.mark.parametrize("field", ["trades", "volume", "notional", "live"])
def test_wrong_totals_are_refused(field):
    flow = workload.generate("B", COUNT)
    one_more = dataclasses.replace(
        flow.totals, **{field: getattr(flow.totals, field) + 1})
    with pytest.raises(WrongAnswer, match="mix B"):
        matching.measure(dataclasses.replace(flow, totals=one_more), 1)


def test_a_refused_command_is_no_figure():
    flow = workload.generate("A", 10)
    batch, *_ = Stream(flow, 1).batches(0, 10)
    with pytest.raises(WrongAnswer, match="10 of 10 commands refused, the first UNKNOWN_USER"):
        venue.apply(Core(), batch)


def test_everybody_gets_the_same_funds():
    users = 50
    core = Core.load(matching.open_house(users))
    funds = {core.balance(uid, coin) for uid in range(1, users + 1)
             for coin in (venue.BASE, venue.QUOTE)}
    assert funds == {(venue.funds(users), 0)}


def test_weights_are_whole_bytes(small_wide, tmp_path):
    # What an order and a balance cannot do without: two 64-bit numbers.
    assert matching.weigh_balances(100_000) >= 16
    assert matching.weigh_orders(2_000, tmp_path) >= 0
