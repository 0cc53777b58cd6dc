"""The operator's call that counts shares: rows to one ADD_SHARES command (docs/pool-core.md)."""

from typing import Any

from aiohttp import web

from api.dialects.fields import Fields
from api.dialects.operator_desk import Desk, Refused
from api.errors import MEANINGS
from api.mining.share_rows import DIALECT, DUPLICATE, TAKEN, Packed, Row, decoded, packed
from api.numbers import InputError, read
from engine import Kind, Reply, Result, add_shares

BODY_BYTES_MAX = 8 << 20            # ten thousand rows of JSON have 1.3 to 2 MB
PACKED_TYPES = frozenset({"application/msgpack", "application/x-msgpack"})
SOURCE_MAX = 2**16 - 1
BATCH_MAX = 2**64 - 1
BATCH_DIGITS_MAX = 20
WORK_LIMIT = 2**64
KNOWN_ACCOUNTS_MAX = 1 << 20        # spellings of names
NAME_LENGTH_MAX = 256               # no account's or coin's is longer; one of 8 MB takes 0.2 s
# What a refusal of the core is about; a row of the first name where it counts names.
OF_NAMES = {Result.BAD_NAME: "worker", Result.UNKNOWN_ACCOUNT: "user"}
OF_ROWS = {Result.NO_NETWORK: "coin", Result.BAD_DIFFICULTY: "difficulty",
           Result.NO_SHARES: "accepted", Result.BAD_TIME: "at",
           Result.AMOUNT_TOO_LARGE: "difficulty"}
OWN_WORDS = {
    Result.BAD_NAME: "must have no control characters",
    Result.NO_NETWORK: "is not mined: POST network comes first",
    Result.AMOUNT_TOO_LARGE: "is too large for so many shares",
}
ALL_TOO_LARGE = "a worker's work of a day would exceed 2^64 - 1"


class ShareCalls:
    """The call, bound to one house."""

    def __init__(self, desk: Desk):
        self._desk = desk
        self._house = desk.house
        self._accounts: dict[str, int] = {}     # numbers by name as it was written: they stay

    async def add_shares(self, request: web.Request) -> dict[str, Any]:
        query = Fields.of_query(request)
        given = {name: query.text(name) for name in ("source", "batch") if query.has(name)}
        query.end()
        limit = max(BODY_BYTES_MAX, self._desk.shell.config.server.max_body_bytes)
        body = await request.clone(client_max_size=limit).read()
        shares = decoded(body, request.content_type in PACKED_TYPES)
        source, batch = numbered(given, {"source": shares.source, "batch": shares.batch})
        made = packed(shares.rows, self._account_of, self._coin_of)
        reply = await self._house.submit(add_shares(made.batch, source, batch))
        if reply.code != Result.OK:
            raise refusal(reply, shares.rows, made)
        outcome = DUPLICATE if reply.duplicate else TAKEN
        self._desk.shell.answers[DIALECT, "", outcome] += len(shares.rows)
        return {"rows": reply.count, "duplicate": bool(reply.duplicate)}

    def _account_of(self, name: str) -> int | None:
        number = self._accounts.get(name)
        if number is None and len(name) <= NAME_LENGTH_MAX:
            found = self._house.core.users.sub_account(name)
            if found is None:
                return None
            if len(self._accounts) >= KNOWN_ACCOUNTS_MAX:
                self._accounts.clear()
            number = self._accounts[name] = found.uid
        return number

    def _coin_of(self, name: str) -> int | None:
        if len(name) > NAME_LENGTH_MAX:
            return None
        coins = self._house.core.coins
        coin = coins.by_name(name) or coins.by_name(name.upper())
        return None if coin is None else coin.number


def numbered(query: dict[str, str], body: dict[str, object]) -> tuple[int, int]:
    """Source and batch of a call, from its query or its body; 0 and 0 where it has none."""
    given = dict(query)
    for field, value in body.items():
        if value is not None:
            if field in given:
                raise InputError(field, "is given twice")
            given[field] = str(value)
    if not given:
        return 0, 0
    for field in body:
        if field not in given:
            raise InputError(field, "is missing: source and batch belong together")
    return (_number("source", given["source"], SOURCE_MAX),
            _number("batch", given["batch"], BATCH_MAX))


def _number(field: str, written: str, most: int) -> int:
    if len(written) <= BATCH_DIGITS_MAX and written.isascii() and written.isdigit():
        number = int(written)
    else:
        number = read(field, written, 0)
    if not 1 <= number <= most:
        raise InputError(field, f"must be 1 to {most}")
    return number


def refusal(reply: Reply, rows: list[Row], made: Packed) -> Refused:
    """Why the core has refused a batch, with the row and the field where it is one's."""
    result = Result(reply.code)
    fault, words = MEANINGS[result]
    reason = OWN_WORDS.get(result) or words.rpartition(": ")[2]
    if result in OF_NAMES:
        return Refused(fault, f"rows[{made.first_rows[reply.count]}].{OF_NAMES[result]}: {reason}")
    # Place 0 is the first row, or all of them.
    is_all = result == Result.AMOUNT_TOO_LARGE and reply.count == 0 and made.first_work < WORK_LIMIT
    if result in OF_ROWS and not is_all:
        return Refused(fault, f"rows[{reply.count}].{OF_ROWS[result]}: {reason}")
    return Refused(fault, f"rows: {ALL_TOO_LARGE if is_all else reason}")
