"""The measurement of shares over HTTP, with few rows: what is counted, not how long it takes."""

import pytest

from bench import shares


@pytest.mark.slow
def test_shares_are_measured_and_counted():
    found = shares.run(rows=120, calls=2)
    assert (found["rows"], found["calls"]) == (120, 2)
    for form in shares.FORMS:
        for clients in shares.CLIENTS:
            assert found[f"{form}_{clients}_rows_per_s"] > 0
            assert found[f"{form}_{clients}_cpu_ms_per_call"] >= 0


def test_a_refused_call_is_no_figure(monkeypatch):
    client = object.__new__(shares.Client)
    client.source, client.sent = 1, shares.written(3, "json", 1)
    monkeypatch.setattr(client, "asked", lambda path, body: {"rows": 2, "duplicate": False})
    with pytest.raises(shares.WrongAnswer, match="batch 7 of 1"):
        client.send(7, 1)
