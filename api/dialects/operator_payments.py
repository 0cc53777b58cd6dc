"""The operator's list of what a day's sub-accounts are paid: as JSON, or as a file of CSV.

There may be a hundred thousand rows: they are made and written in slices, and others are served
between two.
"""

import csv
import io
from collections.abc import Iterator

import msgspec
from aiohttp import web

from api.dialects.fields import Fields
from api.dialects.operator_desk import Desk
from api.mining import ranges
from api.mining.day_payments import DayPayment, payments_of_day
from api.mining.profits import date_text
from api.replies import HEADERS
from engine import turn

ROWS_AT_ONCE = 500
JSON, CSV = "json", "csv"
FORMATS = {JSON: JSON, CSV: CSV}
# What a row has beside those of the action API: the ids that POST payments/{id} takes.
PAYMENTS = "payments"
NAMES = (*(field.encode_name for field in msgspec.structs.fields(DayPayment)), PAYMENTS)


class PaymentCalls:
    """The call, bound to one house."""

    def __init__(self, desk: Desk):
        self._desk = desk
        self._house = desk.house

    async def list_payments(self, request: web.Request, query: Fields
                            ) -> msgspec.Raw | web.Response:
        day = ranges.day(query, "day")
        form = query.choice("format", FORMATS) if query.has("format") else JSON
        query.end()
        rows = await payments_of_day(self._house, day)
        pieces = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            shown = self._shown(day, rows[start:start + ROWS_AT_ONCE])
            pieces.append(written(shown) if form == CSV
                          else b",".join(map(msgspec.json.encode, shown)))
            await turn()
        if form == JSON:
            return msgspec.Raw(b"[%b]" % b",".join(pieces))
        name = f"payments-{date_text(day)}.csv"
        return web.Response(
            body=b"".join((",".join(NAMES).encode() + b"\r\n", *pieces)),
            content_type="text/csv", charset="utf-8",
            headers=HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'})

    def _shown(self, day: int, rows: list[DayPayment]) -> Iterator[dict[str, object]]:
        """Rows with the ids of their payments."""
        core = self._house.core
        coins = core.networks.coins()
        for row in rows:
            number = core.users.sub_account(row.user_name).uid
            found = (core.withdrawals.by_request_id(number, f"pay|{coin}|{day}") for coin in coins)
            yield msgspec.to_builtins(row) | {
                PAYMENTS: [payment.id for payment in found if payment is not None]}


def written(rows: Iterator[dict[str, object]]) -> bytes:
    """Rows as CSV; ids with a space between them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([*list(row.values())[:-1], " ".join(map(str, row[PAYMENTS]))])
    return text.getvalue().encode()
