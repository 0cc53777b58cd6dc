"""Rows to a batch: as the plain twin has them byte for byte, or refused at the same place."""

import json
import math
from collections import namedtuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pool.share_packing import RowRefused, is_longer_than, packed_rows
from tests.pool.plain_packing import plain_packed_rows

Row = namedtuple("Row", "user worker coin difficulty accepted rejected at")
GOOD = Row("farm", "rig", "BTC", 1, 1, 0, 1_700_000_000)
ACCOUNTS = {"farm": 3, "FARM": 3, "Field.x": 70_000, "é": 2**32 - 1, "İ": 5}
COINS = {"BTC": 1, "LTC": 2, "z": 65535}

digits = st.text("0123456789", max_size=45)
numbers = st.builds("".join, st.tuples(
    st.sampled_from(("", "", "", "-", "+")), digits, st.sampled_from(("", ".")), digits,
    st.sampled_from(("", "", "e", "E", "e-", "e+")), st.text("0123456789", max_size=2)))
units = st.integers(0, 2**64 + 9).map(lambda count: f"{count >> 16}.{(count & 65535) * 5**16:016}")
texts = st.one_of(
    numbers, units, st.text("0123456789.eE+-_ \u0661\uff11", max_size=8),
    st.sampled_from(("", ".", "e1", "1e999999999999", "-1e-999999999999", "0e99999999999999999",
                     "1" + "0" * 50, "0." + "0" * 60 + "1", "NaN", "Infinity", "0x10", "1 ",
                     "4294967295.99999999999999999999999999999999999", "\ud800")))
doubles = st.one_of(st.floats(), st.integers(0, 2**64).map(lambda count: count / 65536),
                    st.floats(-2, 2**33), st.sampled_from((math.nextafter(2**32, 0), -0.0, 5e-324)))
integers = st.one_of(st.integers(-2, 3), st.integers(-2**70, 2**70), st.integers(2**32 - 2, 2**32))
in_json = st.one_of(
    st.one_of(numbers, units).map(str.encode), st.integers(0, 2**33).map(lambda it: b"%d" % it),
    texts.map(lambda text: json.dumps(text).encode()), st.sampled_from((b"null", b"true", b"[1]")))
values = st.one_of(in_json, integers, doubles)
workers = st.one_of(st.sampled_from((
    "rig", "farm.rig", "FARM.rig", "farm.", "", "é.rig", "field.X.1", "i̇.1", "x" * 64, "x" * 65,
    "é" * 32, "é" * 33, "\ud800")), st.text(max_size=6))
rows = st.builds(
    Row, st.sampled_from((*ACCOUNTS, "farm", "farm", "nobody")), workers,
    st.sampled_from((*COINS, "BTC", "BTC", "none")), st.one_of(values, texts), values, values,
    values)


def outcome(pack, batch):
    try:
        return pack(batch, ACCOUNTS.get, COINS.get)
    except RowRefused as refused:
        return refused.place, refused.field, refused.fault


@given(st.lists(rows, min_size=1, max_size=4))
@example([GOOD._replace(worker="a.b"), GOOD])
def test_rows_are_packed_as_the_twin_has_them(batch):
    assert outcome(packed_rows, batch) == outcome(plain_packed_rows, batch)


@given(st.lists(st.builds(GOOD._replace, user=st.sampled_from(tuple(ACCOUNTS)), worker=workers),
                min_size=1, max_size=12))
def test_names_are_packed_as_the_twin_has_them(batch):
    assert outcome(packed_rows, batch) == outcome(plain_packed_rows, batch)


@pytest.mark.parametrize("field", ["difficulty", "accepted", "rejected", "at"])
@given(value=st.one_of(values, texts))
@example(2**63)
@example(-2**63 - 1)
@example(b"1e-99999999999999999999999999999999")
@example(b'"\\u0031\\u002E5\\u0065\\u002b\\u0031"')
@example(b'"1\\n"')
@example(b'"\\u0661"')
@example(b"0.000015258789062500000000000000000000000000000000000000000000000")
def test_a_number_is_read_as_the_twin_reads_it(field, value):
    if field != "difficulty" and isinstance(value, str):
        value = json.dumps(value).encode()
    batch = [GOOD, GOOD._replace(**{field: value})]
    assert outcome(packed_rows, batch) == outcome(plain_packed_rows, batch)


@pytest.mark.parametrize("changes, field", [
    ({"user": "nobody"}, "user"), ({"worker": ""}, "worker"), ({"coin": "none"}, "coin"),
    ({"difficulty": 0}, "difficulty"), ({"accepted": -1}, "accepted"),
    ({"rejected": 2**32}, "rejected"), ({"at": math.nan}, "at")])
def test_the_first_row_that_is_wrong_is_named(changes, field):
    bad = GOOD._replace(**changes)
    with pytest.raises(RowRefused, match=rf"rows\[2\].{field}"):
        packed_rows([GOOD, GOOD, bad, bad], ACCOUNTS.get, COINS.get)


def test_fields_are_looked_at_in_their_order():
    """One after the other for all rows: what is wrong with a user is told before any number."""
    batch = [GOOD._replace(at=-1), GOOD._replace(rejected=-1), GOOD._replace(accepted=-1),
             GOOD._replace(difficulty=0), GOOD._replace(coin="none"), GOOD._replace(user="nobody")]
    for field in ("user", "coin", "difficulty", "accepted", "rejected", "at"):
        with pytest.raises(RowRefused) as refused:
            packed_rows(batch, ACCOUNTS.get, COINS.get)
        assert (refused.value.place, refused.value.field) == (len(batch) - 1, field)
        batch.pop()


@pytest.mark.parametrize("value", [None, [], {}])
def test_what_is_no_number_at_all_is_the_callers_fault(value):
    with pytest.raises(TypeError):
        packed_rows([GOOD._replace(at=value)], ACCOUNTS.get, COINS.get)


def test_no_row_is_no_batch():
    with pytest.raises(ValueError, match="no row"):
        packed_rows([], ACCOUNTS.get, COINS.get)


ODD = json.dumps([{"worker": '\\",[{' * 20, "b": "{,["}] * 100, indent=4).encode()


@pytest.mark.parametrize("text, rows, is_longer", [
    (b"[" + b"{}," * 100, 100, False), (b"[" + b"{}," * 1000, 100, True), (b"", 0, False),
    (b"[1" + b",1" * 1000, 100, True), (b"[" * 1000, 100, True), (ODD, 100, False),
    (b'"' + b"{" * 1000, 10, False), (b'"\\', 10, False), (b'"\\"' + b"," * 1000, 10, False),
    (b'"\\\\"' + b"," * 1000, 10, True), (b"1" * 10_000, 1, False)])
def test_a_list_that_is_too_long_is_told_by_its_marks(text, rows, is_longer):
    assert is_longer_than(text, rows) is is_longer
