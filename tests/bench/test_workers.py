"""The measurement of the list of workers, with few of them: what it counts, not how long it
takes."""

import pytest

from bench import workers


@pytest.mark.slow
def test_the_list_of_workers_is_measured_and_looked_at():
    found = workers.run(count=120, requests=2)
    assert (found["workers"], found["requests"]) == (120, 2)
    assert 0 < found["list_ms"] <= found["list_ms_slowest"]
    assert 120 * 150 < found["answer_mb"] * 10**6 < 120 * 250
