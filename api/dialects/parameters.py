"""The parameters of a request from query, form and JSON, merged into one dict.

Values are str (JSON numbers as `numbers.Number`), bool, None, list or dict. A name that is given
twice must be given the same value: an order must not depend on which of two amounts is seen first.
Where a call takes lists, a form may repeat their names, or hold a JSON list. Bodies are UTF-8.
Everything that is wrong raises InputError naming the parameter, or `body`.
"""

import json
from urllib.parse import unquote_to_bytes

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from api.numbers import InputError, Number

PARAMETERS_MAX = 64
LISTED_MAX = 256                # parts of a form, where it may repeat some names
NO_LISTS: frozenset[str] = frozenset()
NAME_LENGTH_SHOWN_MAX = 64


def add_form(parameters: dict[str, object], encoded: str,
             lists: frozenset[str] = NO_LISTS) -> None:
    """Add what a query string or an urlencoded body holds. `lists`: see `merged`."""
    if not encoded.isascii():
        _check_text("body", encoded)
    listed: dict[str, list[str]] = {}
    for part in _parts(encoded, LISTED_MAX if lists else PARAMETERS_MAX):
        name, _, value = part.partition("=")
        if "%" in name or "+" in name:
            name = _unquoted("body", name)
        if "%" in value or "+" in value:
            value = _unquoted(name, value)
        if name in lists:
            listed.setdefault(name, []).append(value)
        elif name:
            _add(parameters, name, value)
    if listed:
        _add_lists(parameters, listed)


def add_json(parameters: dict[str, object], text: str) -> None:
    """Add the members of a JSON object."""
    try:
        members = DECODER.decode(text)
    except (ValueError, RecursionError):
        raise InputError("body", "must be JSON") from None
    if not isinstance(members, Members):
        raise InputError("body", "must be a JSON object")
    _check_count(len(members), PARAMETERS_MAX)
    for name, value in members:
        if isinstance(value, str):
            _check_text(name, value)
        elif type(value) is list:
            _check_texts(name, value)
        _add(parameters, name, value)


async def merged(request: web.Request,
                 lists: frozenset[str] = NO_LISTS) -> dict[str, object]:
    """The parameters of a request. Raises InputError, and web.HTTPRequestEntityTooLarge.

    `lists` are names whose value may be a list: in a form or query one that is there more than
    once, or that begins with `[` (a JSON list), is one; once, and anything else, is a text.
    """
    parameters: dict[str, object] = {}
    query = request.rel_url.raw_query_string
    if query:
        add_form(parameters, query, lists)
    if not request.body_exists:
        return parameters
    content_type = request.headers.get("Content-Type", "").lower()
    if content_type[:10] == "multipart/":
        await _add_multipart(parameters, request, lists)
        return parameters
    try:
        body = (await request.read()).decode()
    except UnicodeDecodeError:
        raise InputError("body", "must be UTF-8") from None
    # What begins with a brace is no form, whatever its type says.
    if body.lstrip()[:1] == "{" or "json" in content_type:
        if body:
            add_json(parameters, body)
    elif body:
        add_form(parameters, body, lists)
    return parameters


class Members(list):
    """The members of a JSON object in the order they came, those given twice included."""


DECODER = json.JSONDecoder(object_pairs_hook=Members, parse_int=Number, parse_float=Number,
                           parse_constant=Number)


async def _add_multipart(parameters: dict[str, object], request: web.Request,
                         lists: frozenset[str]) -> None:
    try:
        fields = await request.post()
    except (ValueError, LookupError, AssertionError, RuntimeError, HttpProcessingError):
        raise InputError("body", "must be a multipart form") from None
    _check_count(len(fields), LISTED_MAX if lists else PARAMETERS_MAX)
    listed: dict[str, list[str]] = {}
    for name, value in fields.items():
        if not isinstance(value, str):
            raise InputError(name[:NAME_LENGTH_SHOWN_MAX], "must not be a file")
        _check_text(name, value)
        if name in lists:
            listed.setdefault(name, []).append(value)
        else:
            _add(parameters, name, value)
    _add_lists(parameters, listed)


def _add_lists(parameters: dict[str, object], listed: dict[str, list[str]]) -> None:
    """Add what a form holds under names that may be lists."""
    for name, values in listed.items():
        value: object = values if len(values) > 1 else values[0]
        if len(values) == 1 and values[0][:1] == "[":
            value = _json_list(name, values[0])
        _add(parameters, name, value)


def _json_list(name: str, text: str) -> list:
    try:
        value = DECODER.decode(text)
    except (ValueError, RecursionError):
        raise InputError(name, "begins with [ and is no JSON list") from None
    _check_texts(name, value)
    return value


def _parts(encoded: str, most: int) -> list[str]:
    parts = encoded.split("&", most)
    _check_count(len(parts), most)
    return parts


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise InputError("body", f"must have at most {most} parameters")


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


def _check_texts(name: str, values: list) -> None:
    for value in values:
        if isinstance(value, str):
            _check_text(name, value)


def _add(parameters: dict[str, object], name: str, value: object) -> None:
    """Add a parameter, or see that it is there with the same value."""
    try:
        same = parameters.setdefault(name, value) == value
    except RecursionError:
        # What can just be read may still be too deep to be compared.
        same = False
    if not same:
        raise InputError(name[:NAME_LENGTH_SHOWN_MAX], "is given twice with different values")
