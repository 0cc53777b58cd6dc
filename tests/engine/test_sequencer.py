"""The sequencer: one order, batches, answers after the disk, and the fail-stop.

The core here echoes: what is tested is the way to the disk and back, whatever the core does.
"""

import asyncio
import struct
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.journal import Journal, JournalReader, JournalWriter, outcome_digest
from engine.sequencer import RESULT, HouseStopped, Overloaded, Reply, Sequencer
from tests.engine.journal_files import record

EXPLODE, VALUE, EVENT = 66, 67, 68


class Outcome:

    def __init__(self, results: bytes, events: bytes, values: dict, count: int):
        self.results = results
        self.events = events
        self.values = values
        self.count = count


class EchoCore:
    """Answers each command with its sequence number and its kind; some kinds do more."""

    def __init__(self, seq: int = 0, ts_ns: int = 0):
        self.seq = seq
        self.ts_ns = ts_ns
        self.batches: list[tuple[int, int, int]] = []

    def apply(self, commands: bytes, first_seq: int, ts_ns: int) -> Outcome:
        results, events, values = [], [], {}
        at = 0
        while at < len(commands):
            size, kind, _ = struct.unpack_from("<IHH", commands, at)
            seq = first_seq + len(results)
            if kind == EXPLODE:
                raise RuntimeError("the state is not what it must be")
            if kind == VALUE:
                values[len(results)] = {"seq": seq}
            if kind == EVENT:
                events.append(struct.pack("<Q88x", seq))
            results.append(RESULT.pack(1, 2, 0, kind, seq, -seq, 3))
            at += size
        self.seq = first_seq + len(results) - 1
        self.ts_ns = ts_ns
        self.batches.append((first_seq, len(results), ts_ns))
        return Outcome(b"".join(results), b"".join(events), values, len(results))


@asynccontextmanager
async def running(directory, **options):
    """A sequencer on a journal of 64 KiB segments, closed at the end."""
    journal = Journal.open(directory, 1 << 16)
    core = EchoCore(journal.last_seq, journal.ts_ns)
    sequencer = Sequencer(core, JournalWriter(journal), **options)
    try:
        yield sequencer
    finally:
        await sequencer.close()


def frames_of(directory):
    return list(Journal.open(directory, 1 << 16).frames())


def test_every_command_gets_its_own_answer(tmp_path):
    async def scenario():
        async with running(tmp_path) as sequencer:
            return await asyncio.gather(*(sequencer.submit(record(kind)) for kind in (5, VALUE, 7)))

    assert asyncio.run(scenario()) == [
        Reply(1, 2, 0, 5, 1, -1, 3, None), Reply(1, 2, 0, VALUE, 2, -2, 3, {"seq": 2}),
        Reply(1, 2, 0, 7, 3, -3, 3, None)]
    (frame,) = frames_of(tmp_path)
    assert frame.commands == record(5) + record(VALUE) + record(7)
    outcome = EchoCore().apply(frame.commands, frame.first_seq, frame.ts_ns)
    assert frame.outcome == outcome_digest(outcome.results, outcome.events)


def test_what_comes_in_one_turn_is_one_frame_and_the_rest_gathers_meanwhile(tmp_path):
    async def scenario():
        async with running(tmp_path) as sequencer:
            first = [sequencer.submit(record(1)) for _ in range(10)]
            assert sequencer.pending == 10 and sequencer.seq == 0
            await asyncio.sleep(0)
            assert (sequencer.pending, sequencer.seq, sequencer.durable_seq) == (0, 10, 0)
            second = [sequencer.submit(record(2)) for _ in range(5)]
            await asyncio.sleep(0)
            # The loop has not turned to the disk's report yet, so these wait.
            assert (sequencer.pending, sequencer.seq) == (5, 10)
            await asyncio.gather(*first, *second)
            assert sequencer.durable_seq == sequencer.seq == 15

    asyncio.run(scenario())
    assert [frame.count for frame in frames_of(tmp_path)] == [10, 5]


@pytest.mark.parametrize("options, counts", [
    ({"batch_max": 3}, [3, 3, 3, 1]),
    ({"batch_bytes_max": 40}, [5, 5]),
    ({"batch_bytes_max": 1}, [1] * 10),
    ({"batch_max": 4, "batch_bytes_max": 8 * 1000}, [4, 4, 2]),
])
def test_a_batch_has_limits_and_nobody_is_left_behind(tmp_path, options, counts):
    async def scenario():
        async with running(tmp_path, **options) as sequencer:
            replies = await asyncio.gather(*(sequencer.submit(record(1)) for _ in range(10)))
            assert [reply.order_id for reply in replies] == list(range(1, 11))

    asyncio.run(scenario())
    assert [frame.count for frame in frames_of(tmp_path)] == counts


def test_a_command_longer_than_a_batch_goes_alone(tmp_path):
    async def scenario():
        async with running(tmp_path, batch_bytes_max=100) as sequencer:
            records = [record(1), record(2, b"x" * 5000), record(3)]
            await asyncio.gather(*map(sequencer.submit, records))

    asyncio.run(scenario())
    assert [frame.count for frame in frames_of(tmp_path)] == [1, 1, 1]


def test_time_never_goes_back(tmp_path):
    readings = iter([1000, 900, 900, 2000, 5])

    async def scenario():
        async with running(tmp_path, clock=lambda: next(readings)) as sequencer:
            for _ in range(4):
                await sequencer.submit(record(1))
        async with running(tmp_path, clock=lambda: next(readings)) as sequencer:
            await sequencer.submit(record(1))

    asyncio.run(scenario())
    assert [frame.ts_ns for frame in frames_of(tmp_path)] == [1000, 1001, 1002, 2000, 2001]


def test_a_full_queue_refuses_and_then_accepts_again(tmp_path):
    async def scenario():
        async with running(tmp_path, queue_max=3) as sequencer:
            accepted = [sequencer.submit(record(1)) for _ in range(3)]
            with pytest.raises(Overloaded):
                sequencer.submit(record(1))
            await asyncio.gather(*accepted)
            await sequencer.submit(record(1))
        async with running(tmp_path, queue_bytes_max=30) as sequencer:
            accepted = [sequencer.submit(record(1)) for _ in range(3)]
            with pytest.raises(Overloaded):
                sequencer.submit(record(1))
            await asyncio.gather(*accepted)
            await sequencer.submit(record(1))

    asyncio.run(scenario())
    assert frames_of(tmp_path)[-1].last_seq == 8


@pytest.mark.parametrize("broken", [b"", b"\1\2\3", record(1)[:-1], record(1) + record(1),
                                    struct.pack("<IHHI", 12, 1, 0, 0)])
def test_what_is_no_whole_record_spoils_nothing(tmp_path, broken):
    async def scenario():
        async with running(tmp_path) as sequencer:
            good = sequencer.submit(record(1))
            with pytest.raises(ValueError):
                sequencer.submit(broken)
            await good

    asyncio.run(scenario())
    assert frames_of(tmp_path)[0].commands == record(1)


def test_an_answer_is_on_disk(tmp_path):
    async def client(sequencer, seen):
        for _ in range(20):
            reply = await sequencer.submit(record(1))
            seen.append(reply.order_id)
            reader = JournalReader(tmp_path)
            assert [frame for frame in reader.frames(sequencer.durable_seq)
                    if frame.first_seq <= reply.order_id <= frame.last_seq]
            reader.close()

    async def scenario():
        seen = []
        async with running(tmp_path) as sequencer:
            await asyncio.gather(*(client(sequencer, seen) for _ in range(8)))
        return seen

    assert sorted(asyncio.run(scenario())) == list(range(1, 161))


def test_a_read_waits_for_what_it_may_have_seen(tmp_path):
    async def scenario():
        async with running(tmp_path) as sequencer:
            await sequencer.settled()
            sequencer.submit(record(1))
            await sequencer.settled()
            assert sequencer.durable_seq == 0, "what is not applied cannot have been seen"
            await asyncio.sleep(0)
            assert sequencer.core.seq == 1
            cancelled = asyncio.ensure_future(sequencer.settled())
            waiting = asyncio.ensure_future(sequencer.settled())
            await asyncio.sleep(0)
            cancelled.cancel()
            await waiting
            assert sequencer.durable_seq == 1

    asyncio.run(scenario())


def test_a_client_that_went_away_disturbs_nobody(tmp_path):
    async def scenario():
        async with running(tmp_path) as sequencer:
            first, gone, last = (sequencer.submit(record(kind)) for kind in (1, 2, 3))
            gone.cancel()
            assert (await first).count == 1 and (await last).count == 3

    asyncio.run(scenario())
    assert frames_of(tmp_path)[0].count == 3


def test_events_go_out_once_they_are_durable(tmp_path):
    seen, faults = [], []

    async def scenario():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: faults.append(context["exception"]))
        async with running(tmp_path, clock=lambda: 50) as sequencer:
            def broken(first_seq, ts_ns, events):
                raise ValueError("a listener's fault")

            sequencer.on_events(broken)
            sequencer.on_events(lambda first_seq, ts_ns, events: seen.append(
                (first_seq, ts_ns, len(events), sequencer.durable_seq)))
            await asyncio.gather(*(sequencer.submit(record(kind)) for kind in (1, EVENT, EVENT)))
            await sequencer.submit(record(1))
            await sequencer.submit(record(EVENT))

    asyncio.run(scenario())
    assert seen == [(1, 50, 192, 3), (5, 52, 96, 5)]
    assert [str(fault) for fault in faults] == ["a listener's fault"] * 2


def test_who_follows_the_journal_hears_how_far_it_is_durable(tmp_path):
    heard = []

    async def scenario():
        async with running(tmp_path) as sequencer:
            sequencer.on_durable(lambda seq, frame_bytes: heard.append((seq, frame_bytes)))
            await asyncio.gather(*(sequencer.submit(record(1)) for _ in range(4)))
            await sequencer.submit(record(1, b"x"))

    asyncio.run(scenario())
    assert heard == [(4, 64 + 4 * 8 + 8), (5, 64 + 16 + 8)]


def test_closing_answers_what_was_accepted(tmp_path):
    async def scenario():
        async with running(tmp_path, batch_max=2) as sequencer:
            futures = [sequencer.submit(record(1)) for _ in range(7)]
        assert all(future.done() for future in futures)
        assert futures[-1].result().order_id == 7
        assert sequencer.stopped is None
        with pytest.raises(HouseStopped, match="closing"):
            sequencer.submit(record(1))
        await sequencer.close()

    asyncio.run(scenario())
    assert frames_of(tmp_path)[-1].last_seq == 7


def test_a_restart_goes_on_where_it_ended(tmp_path):
    async def scenario():
        for life in range(4):
            async with running(tmp_path) as sequencer:
                assert sequencer.seq == sequencer.durable_seq == 3 * life
                await asyncio.gather(*(sequencer.submit(record(1)) for _ in range(3)))

    asyncio.run(scenario())
    assert [frame.first_seq for frame in frames_of(tmp_path)] == [1, 4, 7, 10]


def test_a_core_elsewhere_than_the_journal_is_refused(tmp_path):
    async def scenario():
        with pytest.raises(ValueError, match="core is at command 5, the journal at 0"):
            Sequencer(EchoCore(5), JournalWriter(Journal.open(tmp_path, 1024)))

    asyncio.run(scenario())


def test_a_core_that_fails_stops_everything_and_leaves_no_trace_on_disk(tmp_path):
    reasons = []

    async def scenario():
        async with running(tmp_path, batch_max=2) as sequencer:
            sequencer.on_stop(reasons.append)
            kinds = [1, 2, 3, EXPLODE, 5]
            futures = [sequencer.submit(record(kind)) for kind in kinds]
            answers = await asyncio.gather(*futures, return_exceptions=True)
            assert [answer.order_id for answer in answers[:2]] == [1, 2]
            assert all(isinstance(answer, HouseStopped) for answer in answers[2:])
            with pytest.raises(HouseStopped):
                sequencer.submit(record(1))
            with pytest.raises(HouseStopped):
                await sequencer.settled()
            assert sequencer.pending == 0 and sequencer.durable_seq == 2

    asyncio.run(scenario())
    assert len(reasons) == 1 and "core stopped at command 3" in reasons[0]
    assert [frame.last_seq for frame in frames_of(tmp_path)] == [2]


@settings(max_examples=25, deadline=None)
@given(turns=st.lists(st.integers(0, 12), max_size=12), batch_max=st.integers(1, 7),
       batch_bytes_max=st.integers(1, 200), sizes=st.integers(0, 60))
def test_order_and_answers_hold_for_any_arrival(tmp_path_factory, turns, batch_max, batch_bytes_max,
                                                sizes):
    directory = tmp_path_factory.mktemp("journal")
    records = []

    async def scenario():
        futures = []
        async with running(directory, batch_max=batch_max,
                           batch_bytes_max=batch_bytes_max) as sequencer:
            for turn in turns:
                for _ in range(turn):
                    records.append(record(len(records) + 1 & 63, bytes(len(records) * sizes % 90)))
                    futures.append(sequencer.submit(records[-1]))
                await asyncio.sleep(0)
        return [future.result() for future in futures]

    replies = asyncio.run(scenario())
    assert [reply.order_id for reply in replies] == list(range(1, len(records) + 1))
    assert [reply.count for reply in replies] == [n + 1 & 63 for n in range(len(records))]
    frames = frames_of(directory)
    assert b"".join(frame.commands for frame in frames) == b"".join(records)
    for frame in frames:
        assert frame.count <= batch_max
        assert frame.count == 1 or len(frame.commands) <= batch_bytes_max
