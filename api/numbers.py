"""Text to integers and back: the one place where the decimals of a request become counts.

A count is an integer number of units of 10^-scale (units of a coin, ticks of a price, lots of an
amount). No float is made on either way: JSON numbers keep the text they were written with
(`Number`), and replies carry exact digits, as text or as a JSON number made of that text
(`json_number`).

Invariants: a text is read exactly or refused, never rounded; what is read fits 63 bits; the work
is bounded by the text's length, whatever its exponent says; `read(text(count)) == count`.
"""

import re

import msgspec

COUNT_MAX = 2**63 - 1
TEXT_LENGTH_MAX = 100
# ASCII digits only: int() would take those of every script. A sign is looked for on its own.
DECIMAL = re.compile(r"([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
# Beyond it a number is too large or has too many decimals in any scale and any text that we take.
EXPONENT_MAX = 10 * TEXT_LENGTH_MAX
PPM_SCALE = 6


class Number(str):
    """A JSON number (or NaN, Infinity, -Infinity) as the text it was written with."""

    __slots__ = ()


class InputError(ValueError):
    """A parameter that cannot be taken. `str()` gives `field: reason`."""

    def __init__(self, field: str, reason: str):
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def read(field: str, value: object, scale: int, *, zero: bool = False) -> int:
    """The count that a JSON number, JSON string or form text stands for, in units of 10^-scale.

    Trailing zeros are no decimals: `1.50` has one. Raises InputError, naming the field, for
    anything that is no decimal number, for a sign, for zero (unless `zero`), for more decimals
    than the scale, and for what exceeds 63 bits.
    """
    if not isinstance(value, str):
        raise InputError(field, "must be a number")
    # Nearly every number comes as plain digits with at most one point.
    whole, point, fraction = value.partition(".")
    if (len(fraction) <= scale and len(whole) <= 19 and value.isascii() and whole.isdigit()
            and (fraction.isdigit() or not point)):
        count = int(whole + fraction) * 10 ** (scale - len(fraction))
        if 0 < count <= COUNT_MAX:
            return count
    return _read_any(field, value, scale, zero)


def _read_any(field: str, value: str, scale: int, zero: bool) -> int:
    """As `read`, for every notation and with the reason for a refusal."""
    if len(value) > TEXT_LENGTH_MAX:
        raise InputError(field, f"must be a number of at most {TEXT_LENGTH_MAX} characters")
    if value[:1] in ("+", "-") and DECIMAL.fullmatch(value[1:]):
        raise InputError(field, "must have no sign")
    parts = DECIMAL.fullmatch(value)
    if parts is None or not (parts[1] or parts[2]):
        raise InputError(field, "must be a number")
    # As digits × 10^exponent without zeros at either end, so that only what counts is counted.
    fraction = (parts[2] or "").rstrip("0")
    all_digits = (parts[1] + fraction).lstrip("0")
    digits = all_digits.rstrip("0")
    if not digits:
        if zero:
            return 0
        raise InputError(field, "must be more than zero")
    exponent = _exponent(parts[3]) - len(fraction) + len(all_digits) - len(digits)
    shift = exponent + scale
    if shift < 0:
        raise InputError(field, f"must have at most {scale} decimals")
    if len(digits) + shift > 19:
        raise InputError(field, "is too large")
    count = int(digits) * 10 ** shift
    if count > COUNT_MAX:
        raise InputError(field, "is too large")
    return count


def _exponent(written: str | None) -> int:
    """The exponent, held within EXPONENT_MAX: int() of a long text would be slow."""
    if written is None:
        return 0
    digits = written.lstrip("+-").lstrip("0")
    size = EXPONENT_MAX if len(digits) > 3 else int(digits or "0")
    return -size if written[0] == "-" else size


def read_id(field: str, value: object, *, most: int = COUNT_MAX) -> int:
    """A whole positive number in plain digits: an order's id, a limit. Raises InputError."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()):
        raise InputError(field, "must be a whole number")
    significant = value.lstrip("0")
    number = int(significant) if 0 < len(significant) <= 19 else 0
    if not significant:
        raise InputError(field, "must be more than zero")
    if not 0 < number <= most:
        raise InputError(field, f"must be at most {most}")
    return number


def read_ppm(field: str, value: object) -> int:
    """A rate below 1 (`0.002`) in parts per million. InputError names the field."""
    rate_ppm = read(field, value, PPM_SCALE, zero=True)
    if rate_ppm >= 10 ** PPM_SCALE:
        raise InputError(field, "must be less than 1")
    return rate_ppm


def text(count: int, scale: int) -> str:
    """The exact decimal of a count, without trailing zeros: `text(150, 2)` is "1.5"."""
    if count < 0:
        return "-" + text(-count, scale)
    if scale == 0:
        return str(count)
    digits = str(count)
    if len(digits) <= scale:
        digits = digits.zfill(scale + 1)
    fraction = digits[-scale:].rstrip("0")
    return f"{digits[:-scale]}.{fraction}" if fraction else digits[:-scale]


def json_number(count: int, scale: int) -> msgspec.Raw:
    """A count as a JSON number with its exact digits, for `msgspec.json.encode`."""
    return msgspec.Raw(text(count, scale).encode())


def percent(now: int, before: int) -> str:
    """How much `now` is above `before`, in percent with at most two decimals ("-1.25").

    Rounded half away from zero; "0" where there was nothing before.
    """
    if before <= 0:
        return "0"
    moved = now - before
    hundredths = (abs(moved) * 20_000 + before) // (2 * before)
    return text(-hundredths if moved < 0 else hundredths, 2)
