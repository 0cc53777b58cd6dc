"""A request's parameters as fields: each read by name and form, and nothing left over.

Every refusal is an InputError that names the field. Numbers keep the text they were written with
(`numbers.Number`), so an amount is exact whether it comes as a JSON number or as a JSON string.
"""

from collections.abc import Mapping, Set
from typing import TypeVar

from aiohttp import web

from api.dialects.parameters import add_form, add_json
from api.numbers import COUNT_MAX, InputError, Number, read, read_ppm

FIELD_SHOWN_MAX = 64
FLAGS = {"true": True, "false": False, "1": True, "0": False}

Meaning = TypeVar("Meaning")


class Fields:
    """The fields of one request; call `end` after the last one was read."""

    __slots__ = ("_given", "_asked")

    def __init__(self, given: Mapping[str, object]):
        self._given = given
        self._asked: set[str] = set()

    @classmethod
    async def of_body(cls, request: web.Request) -> "Fields":
        """Those of a JSON object; an empty body has none. Raises web.HTTPRequestEntityTooLarge."""
        try:
            body = (await request.read()).decode()
        except UnicodeDecodeError:
            raise InputError("body", "must be UTF-8") from None
        given: dict[str, object] = {}
        if body.strip():
            add_json(given, body)
        return cls(given)

    @classmethod
    def of_query(cls, request: web.Request) -> "Fields":
        given: dict[str, object] = {}
        add_form(given, request.rel_url.raw_query_string)
        return cls(given)

    def has(self, field: str) -> bool:
        """Whether an optional field is given; null counts as not given."""
        self._asked.add(field)
        return self._given.get(field) is not None

    def text(self, field: str, length_max: int = 128) -> str:
        """A string that is not empty; a JSON number is none."""
        value = self._required(field)
        if type(value) is not str:
            raise InputError(field, "must be a string")
        if not 0 < len(value) <= length_max:
            raise InputError(field, f"must have 1 to {length_max} characters")
        return value

    def choice(self, field: str, choices: Mapping[str, Meaning]) -> Meaning:
        """What one of the known words stands for."""
        value = self._required(field)
        if type(value) is not str or value not in choices:
            raise InputError(field, "must be one of " + ", ".join(choices))
        return choices[value]

    def flag(self, field: str) -> bool:
        """True or false, in JSON or as a word."""
        value = self._required(field)
        if type(value) is str and value in FLAGS:
            return FLAGS[value]
        if type(value) is not bool:
            raise InputError(field, "must be true or false")
        return value

    def decimal(self, field: str) -> str:
        """A number, or the text of one, as it was written: for what no count can hold."""
        value = self._required(field)
        if not isinstance(value, str):
            raise InputError(field, "must be a number")
        return value

    def whole(self, field: str, most: int = COUNT_MAX) -> int:
        """A whole number from 0 to `most`."""
        count = read(field, self._required(field), 0, zero=True)
        if count > most:
            raise InputError(field, f"must be at most {most}")
        return count

    def count(self, field: str, scale: int, zero: bool = False) -> int:
        """A decimal in units of 10^-scale, more than zero unless `zero`."""
        return read(field, self._required(field), scale, zero=zero)

    def rate_ppm(self, field: str) -> int:
        """A rate below 1, as `0.002`, in parts per million."""
        return read_ppm(field, self._required(field))

    def name_or_uid(self, field: str) -> str | int:
        """A user: a string is a name, a JSON number a uid."""
        value = self._required(field)
        if type(value) is Number:
            return read(field, value, 0)
        if type(value) is not str:
            raise InputError(field, "must be a string or a number")
        return self.text(field)

    def end(self) -> None:
        """Refuses what nothing has asked for: a misspelt field must not pass in silence."""
        self.only(self._asked)

    def only(self, names: Set[str]) -> None:
        """Refuses what is none of these."""
        for field in self._given:
            if field not in names:
                raise InputError(field[:FIELD_SHOWN_MAX], "is not a field of this call")

    def _required(self, field: str) -> object:
        self._asked.add(field)
        value = self._given.get(field)
        if value is None:
            raise InputError(field, "is missing")
        return value
