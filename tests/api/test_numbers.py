"""Numbers: what is read is exact, what is not is refused, what is printed reads the same."""

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.numbers import (
    COUNT_MAX, InputError, Number, json_number, percent, read, read_id, read_ppm, text)

scales = st.integers(0, 18)


@given(st.integers(1, COUNT_MAX), scales)
@example(COUNT_MAX, 8)
@example(1, 18)
def test_what_is_printed_reads_the_same(count, scale):
    shown = text(count, scale)
    assert read("amount", shown, scale) == count
    assert read("amount", Number(shown), scale) == count
    assert Decimal(shown) == Decimal(count).scaleb(-scale)
    assert msgspec.json.encode([json_number(count, scale)]) == f"[{shown}]".encode()
    assert text(-count, scale) == "-" + shown


@given(st.from_regex(r"\A[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,4})?\Z"), scales)
@example("1e-8", 8)
@example("000000000000000000000000000000000001", 0)
@example("0.0000000000000000000000000000000000000000000000000001e52", 0)
def test_agrees_with_exact_arithmetic(written, scale):
    try:
        exact = Fraction(Decimal(written)) * 10 ** scale
    except ArithmeticError:
        exact = None        # no digits at all
    if exact is not None and exact.denominator == 1 and 0 < exact <= COUNT_MAX:
        assert read("amount", written, scale) == exact
    else:
        with pytest.raises(InputError, match="^amount: "):
            read("amount", written, scale)


@given(st.text(max_size=130))
def test_any_text_is_read_or_refused_by_name(written):
    try:
        count = read("price", written, 8)
    except InputError as error:
        assert error.field == "price"
    else:
        assert count == Fraction(Decimal(written)) * 10 ** 8


@pytest.mark.parametrize("written, reason", [
    ("", "must be a number"), (".", "must be a number"), ("e5", "must be a number"),
    ("1e", "must be a number"), ("1e+", "must be a number"), ("1.2.3", "must be a number"),
    ("NaN", "must be a number"), ("Infinity", "must be a number"),
    ("-Infinity", "must be a number"),
    ("0x10", "must be a number"), ("1_000", "must be a number"), ("1,5", "must be a number"),
    (" 1", "must be a number"), ("1\n", "must be a number"), ("١٢", "must be a number"),
    ("²", "must be a number"), ("--1", "must be a number"), ("- 1", "must be a number"),
    (None, "must be a number"), (True, "must be a number"), (["1"], "must be a number"),
    ("-1", "must have no sign"), ("+1", "must have no sign"), ("-0", "must have no sign"),
    ("0", "must be more than zero"), ("0.00", "must be more than zero"),
    ("0e999999999", "must be more than zero"), ("0.123", "must have at most 2 decimals"),
    ("1e-3", "must have at most 2 decimals"), ("1e-999999999", "must have at most 2 decimals"),
    ("92233720368547758.08", "is too large"), ("1e999999999", "is too large"),
    ("1e17", "is too large"), ("9" * 100, "is too large"),
    ("1" + "0" * 100, "must be a number of at most 100 characters"),
    ("0." + "0" * 99 + "e5", "must be a number of at most 100 characters"),
])
def test_refusals(written, reason):
    with pytest.raises(InputError) as raised:
        read("amount", written, 2)
    assert str(raised.value) == f"amount: {reason}"


def test_trailing_zeros_are_no_decimals():
    assert read("amount", "1.50000000000", 1) == 15
    assert read("amount", "92233720368547758.070", 2) == COUNT_MAX
    assert read("amount", "1" + "0" * 50 + "e-50", 2) == 100


def test_zero_where_it_may_be():
    assert read("fee", "0", 8, zero=True) == 0
    assert read("fee", "0e-99999", 8, zero=True) == 0


@pytest.mark.parametrize("written", ["", "0", "00", "1.0", "1e3", "-1", "1" * 30,
                                     "9223372036854775808", None, False, "³"])
def test_ids_are_plain_digits(written):
    with pytest.raises(InputError, match="^order_id: "):
        read_id("order_id", written)


def test_ids():
    assert read_id("order_id", "9223372036854775807") == COUNT_MAX
    assert read_id("order_id", Number("7")) == 7
    assert read_id("limit", "0" * 30 + "50", most=50) == 50
    with pytest.raises(InputError, match="at most 50"):
        read_id("limit", "51", most=50)


def test_rates():
    assert read_ppm("fee", "0.002") == 2000
    assert read_ppm("fee", "0") == 0
    for written in ("1", "0.0000001", "-0.1"):
        with pytest.raises(InputError, match="^fee: "):
            read_ppm("fee", written)


@given(st.integers(0, COUNT_MAX), st.integers(1, COUNT_MAX))
def test_percent_is_rounded_half_away_from_zero(now, before):
    exact = Fraction(now - before, before) * 100
    shown = Fraction(Decimal(percent(now, before)))
    assert abs(shown - exact) <= Fraction(1, 200)
    if abs(shown - exact) == Fraction(1, 200):
        assert abs(shown) > abs(exact)


def test_percent_of_nothing():
    assert percent(5, 0) == "0"
    assert percent(10125, 10000) == "1.25"
    assert percent(9999, 10000) == "-0.01"
