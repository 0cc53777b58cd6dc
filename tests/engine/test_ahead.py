"""Reading ahead (engine/ahead) changes nothing: with it a core gives what it gives without."""

import pytest

from engine.core import Core
from tests.model.exchange import Model
from tests.model.workload import Workload


@pytest.mark.parametrize("seed", [11, pytest.param(12, marks=pytest.mark.slow)])
def test_results_events_and_state_are_the_same(seed):
    model = Model()
    workload = Workload(seed, model)
    plain, ahead = Core(), Core()
    ahead.reads_ahead = True
    batch, ts_ns = workload.first_batch()
    while model.seq < 15_000:
        records = b"".join(command.encode() for command in batch)
        first, second = (core.apply(records, model.seq + 1, ts_ns) for core in (plain, ahead))
        assert bytes(first.results) == bytes(second.results)
        assert bytes(first.events) == bytes(second.events)
        model.apply(batch, model.seq + 1, ts_ns)
        batch, ts_ns = workload.next_batch()
    assert plain.state_hash() == ahead.state_hash()
