"""The translation of a workload into command records."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import venue, workload
from bench.venue import Stream
from bench.workload import ADD, CANCEL, MESSAGE_DTYPE, MOVE, TAKE, Workload
from engine import commands
from engine.codes import OrderType, Side, Tif

FIRST_SEQ = 100
MESSAGES = np.array([
    (ADD, 1, 0, 7, 1, 1_000, 5, 0),
    (ADD, 2, 0, 8, 2, 1_010, 6, 0),
    (MOVE, 1, 0, 7, 1, 1_005, 5, 1_000),
    (TAKE, 2, 0, 9, 3, 900, 2, 0),
    (CANCEL, 2, 0, 8, 2, 1_010, 6, 0),
    (ADD, 1, 0, 9, 4, 2**62, 2**61, 0),
    (CANCEL, 1, 0, 9, 4, 2**62, 2**61, 0),
], dtype=MESSAGE_DTYPE)
# An order's id is the sequence number of the command that places it: 100, 101, 103, 105.
RECORDS = [
    commands.place_order(7, 1, Side.BUY, OrderType.LIMIT, Tif.GTC, 1_000, 5),
    commands.place_order(8, 1, Side.SELL, OrderType.LIMIT, Tif.GTC, 1_010, 6),
    commands.amend_order(7, 100, 1_005, 0, pair=1),
    commands.place_order(9, 1, Side.SELL, OrderType.LIMIT, Tif.IOC, 900, 2),
    commands.cancel_order(8, 101, pair=1),
    commands.place_order(9, 1, Side.BUY, OrderType.LIMIT, Tif.GTC, 2**62, 2**61),
    commands.cancel_order(9, 105, pair=1),
]


def flow_of(messages):
    return Workload("test", 0, 10, 0, messages, None)


@pytest.mark.parametrize("records", [1, 2, 3, 7, 100])
def test_records_are_those_of_engine_commands(records):
    stream = Stream(flow_of(MESSAGES), FIRST_SEQ)
    batches = list(stream.batches(0, len(MESSAGES), records))
    assert b"".join(batch.records for batch in batches) == b"".join(RECORDS)
    assert sum(batch.count for batch in batches) == len(MESSAGES)
    assert [batch.first_seq for batch in batches] == list(
        range(FIRST_SEQ, FIRST_SEQ + len(MESSAGES), records))
    assert [batch.ts_ns for batch in batches] == sorted(batch.ts_ns for batch in batches)


I64 = st.integers(0, 2**63 - 1)


@given(
    drawn=st.lists(st.tuples(
        st.sampled_from((ADD, TAKE, CANCEL, MOVE)), st.sampled_from((1, 2)),
        st.integers(0, 2**32 - 1), I64, I64, I64), min_size=1, max_size=40),
    first_seq=st.integers(1, 2**40), records=st.integers(1, 50))
def test_any_messages_become_their_records(drawn, first_seq, records):
    messages, expected, order_ids = [], [], [0]
    for at, (action, side, user, price, qty, old_price) in enumerate(drawn):
        order = len(order_ids) if action in (ADD, TAKE) else len(order_ids) - 1
        messages.append((action, side, 0, user, order, price, qty, old_price))
        if action in (ADD, TAKE):
            order_ids.append(first_seq + at)
            tif = Tif.GTC if action == ADD else Tif.IOC
            record = commands.place_order(user, 1, side, OrderType.LIMIT, tif, price, qty)
        elif action == CANCEL:
            record = commands.cancel_order(user, order_ids[order], pair=1)
        else:
            record = commands.amend_order(user, order_ids[order], price, pair=1)
        expected.append(record)
    stream = Stream(flow_of(np.array(messages, dtype=MESSAGE_DTYPE)), first_seq)
    batches = stream.batches(0, len(messages), records)
    assert b"".join(batch.records for batch in batches) == b"".join(expected)


def test_a_part_of_a_stream():
    batch, = Stream(flow_of(MESSAGES), FIRST_SEQ).batches(3, 5)
    assert (batch.first_seq, batch.count) == (103, 2)
    assert batch.records == RECORDS[3] + RECORDS[4]


def test_orders_must_be_numbered_without_gaps():
    with pytest.raises(ValueError, match="not numbered"):
        Stream(flow_of(MESSAGES[1:]), FIRST_SEQ)


def test_every_record_of_a_mix_has_its_size():
    flow = workload.generate("A", 1_000)
    sizes = {ADD: 48, TAKE: 48, CANCEL: 24, MOVE: 40}
    batch, = Stream(flow, 1).batches(0, len(flow.messages))
    expected = sum(sizes[action] for action in flow.messages["action"].tolist())
    assert len(batch.records) == expected


def test_opening_is_counted_and_batched():
    users = 4_000
    batches = list(venue.opening_batches(users))
    assert sum(batch.count for batch in batches) == venue.opening_count(users)
    assert b"".join(batch.records for batch in batches) == b"".join(venue.opening(users))
    assert batches[1].first_seq == batches[0].count + 1


@pytest.mark.parametrize("users", [1, 1_000, 1_000_000])
def test_funds_fit_into_a_supply(users):
    assert 0 < users * venue.funds(users) < 2**63
