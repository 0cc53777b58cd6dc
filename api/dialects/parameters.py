"""The parameters of a request from query, form and JSON, merged into one dict.

Values are str (JSON numbers as `numbers.Number`), bool, None, list or dict. A name that is given
twice must be given the same value: an order must not depend on which of two amounts is seen first.
Bodies are UTF-8. Everything that is wrong raises InputError naming the parameter, or `body`.
"""

import json
from urllib.parse import unquote_to_bytes

from aiohttp import web

from api.numbers import InputError, Number

PARAMETERS_MAX = 64
NAME_LENGTH_SHOWN_MAX = 64


def add_form(parameters: dict[str, object], encoded: str) -> None:
    """Add what a query string or an urlencoded body holds."""
    if not encoded.isascii():
        _check_text("body", encoded)
    for part in _parts(encoded):
        name, _, value = part.partition("=")
        if "%" in name or "+" in name:
            name = _unquoted("body", name)
        if "%" in value or "+" in value:
            value = _unquoted(name, value)
        if name and parameters.setdefault(name, value) != value:
            raise _given_twice(name)


def add_json(parameters: dict[str, object], text: str) -> None:
    """Add the members of a JSON object."""
    try:
        members = DECODER.decode(text)
    except (ValueError, RecursionError):
        raise InputError("body", "must be JSON") from None
    if not isinstance(members, Members):
        raise InputError("body", "must be a JSON object")
    if len(members) > PARAMETERS_MAX:
        raise InputError("body", f"must have at most {PARAMETERS_MAX} parameters")
    for name, value in members:
        if isinstance(value, str):
            _check_text(name, value)
        if parameters.setdefault(name, value) != value:
            raise _given_twice(name)


async def merged(request: web.Request) -> dict[str, object]:
    """The parameters of a request. Raises InputError, and web.HTTPRequestEntityTooLarge."""
    parameters: dict[str, object] = {}
    query = request.rel_url.raw_query_string
    if query:
        add_form(parameters, query)
    if not request.body_exists:
        return parameters
    content_type = request.headers.get("Content-Type", "")
    if content_type[:10].lower() == "multipart/":
        await _add_multipart(parameters, request)
        return parameters
    try:
        body = (await request.read()).decode()
    except UnicodeDecodeError:
        raise InputError("body", "must be UTF-8") from None
    # What begins with a brace is no form, whatever its type says.
    if body[:1] == "{" or "json" in content_type:
        if body:
            add_json(parameters, body)
    elif body:
        add_form(parameters, body)
    return parameters


class Members(list):
    """The members of a JSON object in the order they came, those given twice included."""


DECODER = json.JSONDecoder(object_pairs_hook=Members, parse_int=Number, parse_float=Number,
                           parse_constant=Number)


async def _add_multipart(parameters: dict[str, object], request: web.Request) -> None:
    try:
        fields = await request.post()
    except (ValueError, LookupError, AssertionError, RuntimeError):
        raise InputError("body", "must be a multipart form") from None
    if len(fields) > PARAMETERS_MAX:
        raise InputError("body", f"must have at most {PARAMETERS_MAX} parameters")
    for name, value in fields.items():
        if not isinstance(value, str):
            raise InputError(name[:NAME_LENGTH_SHOWN_MAX], "must not be a file")
        _check_text(name, value)
        if parameters.setdefault(name, value) != value:
            raise _given_twice(name)


def _parts(encoded: str) -> list[str]:
    parts = encoded.split("&", PARAMETERS_MAX)
    if len(parts) > PARAMETERS_MAX:
        raise InputError("body", f"must have at most {PARAMETERS_MAX} parameters")
    return parts


def _unquoted(name: str, quoted: str) -> str:
    try:
        return unquote_to_bytes(quoted.replace("+", " ")).decode()
    except UnicodeError:
        raise InputError(name[:NAME_LENGTH_SHOWN_MAX], "must be UTF-8") from None


def _check_text(name: str, value: str) -> None:
    """Refuses half surrogate pairs, which JSON can write and no encoding can."""
    if value.isascii():
        return
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(name[:NAME_LENGTH_SHOWN_MAX], "must be text") from None


def _given_twice(name: str) -> InputError:
    return InputError(name[:NAME_LENGTH_SHOWN_MAX], "is given twice with different values")
