"""Counts of shares as they come in: JSON or MessagePack to the batch of docs/pool-core.md.

Ten thousand rows are read in some milliseconds: typed decoding, then `packed_rows`. Numbers of JSON
stay text until then. Difficulties are exact: a decimal that is no multiple of 2^-16 is refused,
never rounded. A refusal is an InputError whose field has its row, as `rows[17].difficulty`.
"""

import re
from collections.abc import Callable
from typing import Annotated, NamedTuple

import msgspec

from api.numbers import TEXT_LENGTH_MAX, InputError
from engine import NumberFault, RowRefused, is_longer_than, packed_rows

DIALECT = "shares"              # under which rows are counted
TAKEN, DUPLICATE = "taken", "duplicate"
ROWS_MAX = 10_000
ROWS_COUNT = f"must be 1 to {ROWS_MAX:,}"
COUNT_REASON = f"must be a whole number from 0 to {2**32 - 1}"
WORKER_BYTES_MAX = 64
SHOWN_MAX = 64
# Of a list of ten thousand rows; a longer body is looked at first: a hundred thousand small rows
# would hold the loop for as long as ten calls.
BODY_BYTES_USUAL = 2 << 20
TOO_LONG = "Expected `array` of length"
# What the decoder writes between a reason, which may hold a key of the body, and a place.
PLACED_AT = " - at `$"
NAMED = {"Object contains unknown field `": "is not a field of this call",
         "Object missing required field `": "is missing"}
WHOLE = re.compile(rb"-?[0-9]+")
NO_JSON = "must be JSON"
NULL = b"null"
NOT_GIVEN = msgspec.Raw(NULL)
FORMS = {"user": "must be a string", "worker": "must be a string", "coin": "must be a string",
         "difficulty": "must be a number", "at": "must be a number",
         "source": "must be a whole number", "batch": "must be a whole number",
         "rows": "must be a list"}
REASONS = {"user": "is no sub-account", "worker": f"must have 1 to {WORKER_BYTES_MAX} bytes",
           "coin": "is not listed", "accepted": COUNT_REASON, "rejected": COUNT_REASON,
           "at": "must be Unix seconds"}
FAULTS = {NumberFault.NO_NUMBER: "must be a number", NumberFault.IS_ZERO: "must be more than zero",
          NumberFault.IS_NEGATIVE: "must have no sign", NumberFault.IS_TOO_LARGE: "is too large",
          NumberFault.IS_INEXACT: "must be a multiple of 2^-16"}


class Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The shares of one worker in a short span."""
    user: str                           # the sub-account
    worker: str
    coin: str
    difficulty: msgspec.Raw             # of each share
    accepted: msgspec.Raw
    rejected: msgspec.Raw
    at: msgspec.Raw                     # Unix seconds; what is behind the point is cut off


class PackedRow(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """As MessagePack has it: a double is a difficulty as exact as any."""
    user: str
    worker: str
    coin: str
    difficulty: int | float | str
    accepted: int
    rejected: int
    at: int | float


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """Rows with the pair that makes a call repeatable."""
    rows: list[Row]
    source: msgspec.Raw = NOT_GIVEN
    batch: msgspec.Raw = NOT_GIVEN


PackedRows = Annotated[list[PackedRow], msgspec.Meta(max_length=ROWS_MAX)]


class PackedBatch(msgspec.Struct, forbid_unknown_fields=True):
    rows: PackedRows
    source: int | str | None = None
    batch: int | str | None = None


JSON_DECODER = msgspec.json.Decoder(list[Row] | Batch)
TEXT_DECODER = msgspec.json.Decoder(str)
PACKED_DECODER = msgspec.msgpack.Decoder(PackedRows | PackedBatch)


class Shares(NamedTuple):
    """Rows, and what came with them: a whole number or a text that may be one, or None."""
    rows: list[Row]
    source: int | str | None
    batch: int | str | None


class Packed(NamedTuple):
    """A batch as docs/pool-core.md has it."""
    batch: bytes
    first_rows: list[int]       # the row in which each of its names is first
    first_work: int             # the greater work of its first row, in 2^-16


def decoded(body: bytes, is_packed: bool) -> Shares:
    """The rows of a body, 1 to ROWS_MAX. Raises InputError."""
    if not is_packed and len(body) > BODY_BYTES_USUAL and is_longer_than(body, ROWS_MAX):
        raise InputError("rows", ROWS_COUNT)
    try:
        found = (PACKED_DECODER if is_packed else JSON_DECODER).decode(body)
    except msgspec.ValidationError as error:
        raise refused_form(str(error)) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InputError("body", "must be MessagePack" if is_packed else NO_JSON) from None
    if isinstance(found, list):
        shares = Shares(found, None, None)
    elif is_packed:
        shares = Shares(found.rows, found.source, found.batch)
    else:
        shares = Shares(found.rows, _given("source", found.source), _given("batch", found.batch))
    if not 1 <= len(shares.rows) <= ROWS_MAX:
        raise InputError("rows", ROWS_COUNT)
    return shares


def _given(field: str, value: msgspec.Raw) -> str | None:
    """The text of a JSON string, or of a whole number, cut off behind TEXT_LENGTH_MAX; None of a
    null. Raises InputError."""
    written = bytes(value)
    if written == NULL:
        return None
    if written.startswith(b'"'):
        try:
            return TEXT_DECODER.decode(written)
        except (msgspec.DecodeError, ValueError):
            raise InputError("body", NO_JSON) from None
    start = written[:TEXT_LENGTH_MAX + 1]
    if not WHOLE.fullmatch(start):
        raise InputError(field, FORMS[field])
    return start.decode()


def refused_form(message: str) -> InputError:
    """What the decoder says of a value of another form, in our words."""
    if message.startswith(TOO_LONG):
        return InputError("rows", ROWS_COUNT)
    # The key may be as long as the body: no step for each of its characters.
    reason, placed_at, place = message.rpartition(PLACED_AT)
    if not placed_at:
        reason, place = message, ""
    place = place[:SHOWN_MAX].removesuffix("`").removeprefix(".")
    place = f"rows{place}" if place.startswith("[") else place
    for start, words in NAMED.items():
        if reason.startswith(start):
            field = reason.removeprefix(start).removesuffix("`")[:SHOWN_MAX]
            return InputError(f"{place}.{field}" if place else field, words)
    if not place:
        return InputError("body", "must be a list of rows, or an object that has one")
    name = place.rpartition(".")[2]
    if name in ("accepted", "rejected"):
        return InputError(place, COUNT_REASON)
    return InputError(place, FORMS.get(name, "must be an object"))


def packed(rows: list[Row] | list[PackedRow], account_of: Callable[[str], int | None],
           coin_of: Callable[[str], int | None]) -> Packed:
    """Rows as a batch. `account_of` and `coin_of` give the number of a sub-account or coin, None
    where there is none. Raises InputError."""
    try:
        return Packed(*packed_rows(rows, account_of, coin_of))
    except RowRefused as refused:
        raise InputError(str(refused), _reason(refused)) from None


def _reason(refused: RowRefused) -> str:
    """Why a field's value cannot be taken."""
    if refused.field == "difficulty":
        return FAULTS[refused.fault]
    if refused.field == "at" and refused.fault == NumberFault.NO_NUMBER:
        return FORMS["at"]
    return REASONS[refused.field]
