"""A network's difficulty as SET_NETWORK takes it: at most 20 digits, and 18 behind a point."""

from decimal import Context, Decimal, InvalidOperation

from api.numbers import DECIMAL, TEXT_LENGTH_MAX, InputError

DIGITS_MAX = 20
SCALE = 18
UNIT = Decimal(1).scaleb(-SCALE)
# Enough for every digit of what is taken, so nothing is rounded without being asked to.
EXACT = Context(prec=DIGITS_MAX + TEXT_LENGTH_MAX)


def exact(field: str, written: str) -> str:
    """A decimal, in any notation, as plain digits. Raises InputError where it has more than can be
    taken, or is not above zero."""
    value = _value(field, written)
    rounded = _rounded(field, value)
    if rounded != value:
        raise InputError(field, f"must have at most {SCALE} decimals")
    return plain(rounded)


def nearest(field: str, written: str) -> str:
    """As `exact`, but rounded to what can be taken: a node of a test network says 4.656e-10, with
    more digits than that."""
    return plain(_rounded(field, _value(field, written)))


def _value(field: str, written: str) -> Decimal:
    if len(written) > TEXT_LENGTH_MAX:
        raise InputError(field, f"must be a number of at most {TEXT_LENGTH_MAX} characters")
    if DECIMAL.fullmatch(written) is None:
        raise InputError(field, "must be a number")
    try:
        value = Decimal(written)
    except InvalidOperation:
        raise InputError(field, "must be a number") from None
    if value.is_zero():
        raise InputError(field, "must be more than zero")
    if value.adjusted() >= DIGITS_MAX:
        raise InputError(field, "is too large")
    return value


def _rounded(field: str, value: Decimal) -> Decimal:
    rounded = value.quantize(UNIT, context=EXACT)
    if rounded.is_zero():
        raise InputError(field, "is too small")
    if rounded.adjusted() >= DIGITS_MAX:
        raise InputError(field, "is too large")
    return rounded


def plain(value: Decimal) -> str:
    """Without an exponent and without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
