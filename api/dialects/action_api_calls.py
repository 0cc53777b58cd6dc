"""A call of the action API: its checked fields on the way in, what they name, its command.

A handler is `async def (call) -> object`: what `data` shows, JSON-able, None where there is nothing
to show. It may also be an async iterator of bytes: JSON in parts, of what is on disk already. What
a handler refuses is an exception that `api.refusals` knows; nothing has changed then.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from api.dialects.described import Field, Operation
from api.dialects.fields import FIELD_SHOWN_MAX, Fields
from api.errors import Fault
from api.numbers import InputError, Number
from api.refusals import Refusal, Refused, accepted
from api.shell import Shell
from engine import Kind, cold

METHOD, PATH = "POST", "/action-api"
NAME_LENGTH_MAX = 64            # no user's name is longer, nor a sub-account's
NAME_SHOWN_MAX = 64
NAMES_MAX = 1_000               # of one call
# Mined in every house, or to be mined; others are from their first SET_NETWORK on.
COINS = ("BTC", "BCH")

Handler = Callable[["Call"], Awaitable[object] | AsyncIterator[bytes]]


class Denied(Refused):
    """As Refused, for a reason of this dialect or of the core; the words name the field."""

    def __init__(self, reason: str, words: str, fault: Fault = Fault.OPERATION):
        Exception.__init__(self, words)
        self.refusal = Refusal(fault, reason, words)


class Call:
    """One request, its caller known, its fields of the forms that are described."""

    __slots__ = ("shell", "house", "core", "address", "given", "fields")

    def __init__(self, shell: Shell, address: str | None, given: Mapping[str, object],
                 described: tuple[Field, ...]):
        """Raises InputError for fields that are none of these, missing, or of another form."""
        check_fields(given, described)
        self.shell = shell
        self.house = shell.house
        self.core = shell.house.core
        self.address = address
        self.given = given
        self.fields = Fields(given)

    # -- fields -----------------------------------------------------------------------------------

    def has(self, field: str) -> bool:
        """Whether an optional field is given; null counts as not given."""
        return self.given.get(field) is not None

    def text(self, field: str, length_max: int) -> str:
        """A text of at most so many characters, not empty."""
        return self.fields.text(field, length_max)

    def text_or_empty(self, field: str, length_max: int) -> str:
        """A text that may be empty, or not be given."""
        text = self.given.get(field) or ""
        if len(text) > length_max:
            raise InputError(field, f"must have at most {length_max} characters")
        return text

    def texts(self, field: str, most: int) -> list[str]:
        """A list of at most so many texts."""
        texts = self.given[field]
        if len(texts) > most:
            raise InputError(field, f"must have at most {most:,} entries")
        return texts

    def flag(self, field: str) -> bool:
        return self.given[field]

    # -- what they name ---------------------------------------------------------------------------

    def user(self, field: str):
        """The user of that name. Raises Denied where there is none."""
        user = self.core.users.by_name(self.text(field, NAME_LENGTH_MAX))
        if user is None:
            raise Denied("unknown_user", f"{field}: not a main account")
        return user

    def account(self, field: str):
        """The sub-account of that name. Raises Denied where there is none."""
        return self.account_named(field, self.text(field, NAME_LENGTH_MAX))

    def accounts(self, field: str) -> list:
        """The sub-accounts of the names in a list. Raises Denied where one is not known."""
        return [self.account_named(field, name) for name in self.texts(field, NAMES_MAX)]

    def account_named(self, field: str, name: str):
        """As `account`, with a name that was read before."""
        found = self.core.users.sub_account(name)
        if found is None:
            raise Denied("unknown_account", f"{field}: {name[:NAME_SHOWN_MAX]} is not a "
                                            "sub-account")
        return self.core.sub_accounts.get(found.uid)

    def coin(self, field: str):
        """The coin of that name, in any case, if it is one that is mined. Raises InputError."""
        name = self.text(field, NAME_LENGTH_MAX).upper()
        coin = self.core.coins.by_name(name)
        if coin is None or name not in COINS and self.core.networks.get(coin.number) is None:
            raise InputError(field, "must be btc, bch, or another coin that is mined here")
        return coin

    # -- doing it ---------------------------------------------------------------------------------

    async def submit(self, kind: Kind, **fields: Any) -> Any:
        """One command, on disk; its value. Raises CommandRefused."""
        return accepted(await self.house.submit(cold(kind, fields))).value

    def now_ns(self) -> int:
        """Never before what has happened: the core's time does not follow a clock set back."""
        return max(time.time_ns(), self.core.ts_ns)


def check_fields(given: Mapping[str, object], described: tuple[Field, ...]) -> None:
    """Raises InputError, naming the field, for one that is not described, missing, or of another
    form. An optional one may be null."""
    forms = {field.name: field for field in described}
    for name, value in given.items():
        if name not in forms:
            raise InputError(name[:FIELD_SHOWN_MAX], "is not a field of this action")
        if value is not None:
            check_form(name, value, forms[name].form)
    for field in described:
        if field.required and given.get(field.name) is None:
            raise InputError(field.name, "is missing")


def check_form(name: str, value: object, form: str) -> None:
    """Raises InputError for a value of another form: JSON has texts, numbers and lists, and what
    is one of them is none of the others."""
    if form in ("number", "integer"):
        if type(value) is not Number:
            raise InputError(name, "must be a number")
    elif form == "boolean":
        if type(value) is not bool:
            raise InputError(name, "must be true or false")
    elif form == "texts":
        if type(value) is not list or not all(type(one) is str for one in value):
            raise InputError(name, "must be a list of strings")
    elif type(value) is not str:
        raise InputError(name, "must be a string")


def action(name: str, summary: str, fields: tuple[Field, ...] = (),
           answers: object = None) -> Operation:
    """An action as it is described; `answers` is an example of its `data`."""
    return Operation(name, METHOD, PATH, summary, fields, "signature", answers)
