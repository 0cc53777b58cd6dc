"""The replay benchmark: its journal is a real one, and its replays end where the live core did."""

from itertools import chain

import pytest

from bench import replay, venue, workload
from bench.venue import Batch, Stream, WrongAnswer
from engine.journal import Journal


@pytest.fixture
def flow():
    return workload.generate("A", 2_000)


def test_figures(flow):
    figures = replay.measure(flow, 2)
    assert figures["commands"] == len(flow.messages)
    assert len(figures["million_per_s_rounds"]) == 2


def test_the_journal_holds_every_command(flow, tmp_path):
    stream = Stream(flow, venue.opening_count(flow.users) + 1)
    batches = list(chain(venue.opening_batches(flow.users),
                         stream.batches(0, len(flow.messages), 500)))
    core, frames = replay.write_journal(tmp_path, batches)
    written = [Batch(frame.first_seq, frame.count, bytes(frame.commands))
               for frame in Journal.open(tmp_path / "journal").frames()]
    assert written == batches
    assert frames == len(batches)
    again, elapsed_ns = replay.clock(tmp_path, venue.opening_count(flow.users))
    assert again.state_hash() == core.state_hash()
    assert elapsed_ns > 0


def test_the_clock_needs_the_end_of_a_frame(flow, tmp_path):
    replay.write_journal(tmp_path, venue.opening_batches(flow.users))
    with pytest.raises(WrongAnswer, match="no frame ends with command 5"):
        replay.clock(tmp_path, 5)
