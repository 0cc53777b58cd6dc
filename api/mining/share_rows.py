"""Counts of shares as they come in: JSON or MessagePack to the batch of docs/pool-core.md.

Ten thousand rows are read in some milliseconds: typed decoding, then columns. Difficulties are
exact: a decimal that is no multiple of 2^-16 is refused, never rounded. A refusal is an InputError
whose field has its row, as `rows[17].difficulty`.
"""

import re
import struct
from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np

from api.numbers import COUNT_MAX, InputError

DIALECT = "shares"              # under which rows are counted
TAKEN, DUPLICATE = "taken", "duplicate"
ROWS_MAX = 10_000
FRACTION = 1 << 16              # a difficulty is counted in 2^-16
DIFFICULTY_MAX = 2**64 - 1
# Enough for each digit of what is taken, in 2^-16. What has more is told by Inexact: the exact
# ratio of a million digits takes half a minute.
EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])
COUNT_U32_MAX = 2**32 - 1
WORKER_BYTES_MAX = 64
SHOWN_MAX = 64
ACCOUNT = struct.Struct("<I")
LENGTHS = [bytes([size]) for size in range(WORKER_BYTES_MAX + 1)]
ROW_DTYPE = np.dtype([("name", "<u4"), ("coin", "<u2"), ("zero", "<u2"), ("accepted", "<u4"),
                      ("rejected", "<u4"), ("difficulty", "<u8"), ("at_s", "<u4"), ("end", "<u4")])
OWNER = attrgetter("user", "worker")
PLACE = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<place>.+)`)?", re.DOTALL)
NAMED = re.compile(r"Object (?P<what>contains unknown|missing required) field `(?P<name>.*)`",
                   re.DOTALL)
FORMS = {"user": "must be a string", "worker": "must be a string", "coin": "must be a string",
         "difficulty": "must be a number", "at": "must be a number",
         "source": "must be a whole number", "batch": "must be a whole number",
         "rows": "must be a list"}


class Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The shares of one worker in a short span."""
    user: str                           # the sub-account
    worker: str
    coin: str
    difficulty: int | Decimal           # of each share
    accepted: int
    rejected: int
    at: int | float                     # Unix seconds; what is behind the point is cut off


class PackedRow(Row):
    """As MessagePack has it: a double is a difficulty as exact as any."""
    difficulty: int | float | str


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """Rows with the pair that makes a call repeatable."""
    rows: list[Row]
    source: int | str | None = None
    batch: int | str | None = None


class PackedBatch(Batch):
    rows: list[PackedRow]


JSON_DECODER = msgspec.json.Decoder(list[Row] | Batch)
PACKED_DECODER = msgspec.msgpack.Decoder(list[PackedRow] | PackedBatch)


class Shares(NamedTuple):
    """Rows, and what came with them."""
    rows: list[Row]
    source: object
    batch: object


class Packed(NamedTuple):
    """A batch as docs/pool-core.md has it."""
    batch: bytes
    first_rows: list[int]       # the row in which each of its names is first
    first_work: int             # the greater work of its first row, in 2^-16


def decoded(body: bytes, is_packed: bool) -> Shares:
    """The rows of a body, 1 to ROWS_MAX. Raises InputError."""
    try:
        found = (PACKED_DECODER if is_packed else JSON_DECODER).decode(body)
    except msgspec.ValidationError as error:
        raise refused_form(str(error)) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InputError("body", "must be MessagePack" if is_packed else "must be JSON") from None
    shares = (Shares(found, None, None) if isinstance(found, list)
              else Shares(found.rows, found.source, found.batch))
    if not 1 <= len(shares.rows) <= ROWS_MAX:
        raise InputError("rows", f"must be 1 to {ROWS_MAX:,}")
    return shares


def refused_form(message: str) -> InputError:
    """What the decoder says of a value of another form, in our words."""
    parts = PLACE.fullmatch(message)
    place = (parts["place"] or "").replace("$", "")
    place = f"rows{place}" if place.startswith("[") else place
    if named := NAMED.fullmatch(parts["reason"]):
        field = named["name"][:SHOWN_MAX]
        place = f"{place}.{field}" if place else field
        is_missing = named["what"].startswith("missing")
        return InputError(place, "is missing" if is_missing else "is not a field of this call")
    if not place:
        return InputError("body", "must be a list of rows, or an object that has one")
    name = place.rpartition(".")[2]
    if name in ("accepted", "rejected"):
        return InputError(place, f"must be a whole number from 0 to {COUNT_U32_MAX}")
    return InputError(place, FORMS.get(name, "must be an object"))


def packed(rows: list[Row], account_of: Callable[[str], int | None],
           coin_of: Callable[[str], int | None]) -> Packed:
    """Rows as a batch. `account_of` and `coin_of` give the number of a sub-account or coin, None
    where there is none. Raises InputError."""
    table = np.zeros(len(rows), ROW_DTYPE)
    owners = list(map(OWNER, rows))
    places = dict(zip(dict.fromkeys(owners), range(len(owners))))
    table["name"] = column = np.fromiter(map(places.__getitem__, owners), np.int64, len(owners))
    # Places are in the order of their first rows: those where the highest so far is passed.
    first_rows = np.flatnonzero(np.diff(np.maximum.accumulate(column), prepend=-1)).tolist()
    names = _names(places, first_rows, account_of)
    table["coin"] = _column(rows, "coin", lambda name: _coin(name, coin_of))
    table["difficulty"] = _column(rows, "difficulty", _difficulty)
    table["accepted"] = _column(rows, "accepted", _count)
    table["rejected"] = _column(rows, "rejected", _count)
    table["at_s"] = _column(rows, "at", _second)
    head = struct.pack("<II", len(names), len(rows))
    written = b"".join((head, *names))
    first_work = max(int(table["accepted"][0]), int(table["rejected"][0]))
    return Packed(written + bytes(-len(written) % 8) + table.tobytes(), first_rows,
                  first_work * int(table["difficulty"][0]))


class _Wrong(Exception):
    """A value that cannot be taken; the text says why."""


def _column(rows: list[Row], field: str, meaning: Callable[[Any], int]) -> np.ndarray:
    """One field of all rows as numbers; each value that comes is looked at once."""
    values = list(map(attrgetter(field), rows))
    meanings: dict[Any, int] = {}
    for value in dict.fromkeys(values):
        try:
            meanings[value] = meaning(value)
        except _Wrong as error:
            raise InputError(f"rows[{values.index(value)}].{field}", str(error)) from None
    return np.fromiter(map(meanings.__getitem__, values), np.uint64, len(values))


def _names(places: dict[tuple[str, str], int], first_rows: list[int],
           account_of: Callable[[str], int | None]) -> list[bytes]:
    """The workers as a batch has them, in order."""
    heads: dict[str, bytes] = {}
    names = []
    for (user, worker), place in places.items():
        head = heads.get(user)
        if head is None:
            account = account_of(user)
            if account is None:
                raise InputError(f"rows[{first_rows[place]}].user", "is no sub-account")
            head = heads[user] = ACCOUNT.pack(account)
        if "." in worker and worker[:len(user) + 1].lower() == f"{user.lower()}.":
            worker = worker[len(user) + 1:]
        name = worker.encode("utf-8", "replace")
        size = len(name)
        if not 0 < size <= WORKER_BYTES_MAX:
            raise InputError(f"rows[{first_rows[place]}].worker",
                             f"must have 1 to {WORKER_BYTES_MAX} bytes")
        names.append(head + LENGTHS[size] + name)
    return names


def _coin(name: str, coin_of: Callable[[str], int | None]) -> int:
    number = coin_of(name)
    if number is None:
        raise _Wrong("is not listed")
    return number


def _count(value: int) -> int:
    if not 0 <= value <= COUNT_U32_MAX:
        raise _Wrong(f"must be a whole number from 0 to {COUNT_U32_MAX}")
    return value


def _second(value: int | float) -> int:
    try:
        second = int(value)
    except (ValueError, OverflowError):
        second = -1
    if not 0 <= second <= COUNT_U32_MAX:
        raise _Wrong("must be Unix seconds")
    return second


def _difficulty(value: int | float | str | Decimal) -> int:
    """In 2^-16, exactly."""
    try:
        if type(value) is not int:
            value = _checked(Decimal(value))
        counted, rest = divmod(value * FRACTION, 1) if type(value) is int else _scaled(value)
    except (InvalidOperation, ValueError, OverflowError):
        raise _Wrong("must be a number") from None
    except Inexact:
        raise _Wrong("must be a multiple of 2^-16") from None
    if counted > DIFFICULTY_MAX:
        raise _Wrong("is too large")
    if counted < 0:
        raise _Wrong("must have no sign")
    if rest:
        raise _Wrong("must be a multiple of 2^-16")
    if counted == 0:
        raise _Wrong("must be more than zero")
    return counted


def _checked(value: Decimal) -> Decimal:
    """A decimal whose exponent is none that would make work: it is refused for its size anyhow."""
    if not value.is_finite():
        raise _Wrong("must be a number")
    if value.is_zero():
        raise _Wrong("must be more than zero")
    if value.adjusted() > len(str(COUNT_MAX)):
        raise _Wrong("is too large")
    if value.adjusted() < -len(str(COUNT_MAX)):
        raise _Wrong("must be a multiple of 2^-16")
    return value


def _scaled(value: Decimal) -> tuple[int, int]:
    """Value × 2^16 as a whole number, and what is left of it."""
    numerator, denominator = EXACT.multiply(value, FRACTION).as_integer_ratio()
    return divmod(numerator, denominator)
