"""The settlement in a house, of few accounts: what is counted, not how long it takes."""

from bench import settling


def test_a_house_settles_and_serves_a_neighbor():
    found = settling.measure(40)
    assert found["neighbors"] >= 1
    assert 0 < found["neighbor_ms_median"] <= found["neighbor_ms_p99"]
    assert found["neighbor_ms_p99"] <= found["neighbor_ms_slowest"] <= found["in_house_ms"]
