"""What a call is described to take, as trials on a real house: requests that must be refused if
the description is true, each made from a good request by one change.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from api.catalog import DIALECTS, Dialect
from api.dialects.described import Field, Operation
from tests.support.callers import unsigned
from tests.support.curl import Request
from tests.support.pages import parsed

NO_FIELD = re.compile("is not a (field|parameter) of ")
ONE_OF = re.compile("must be one of (.+)")
CREDENTIALS = ("session", "token", "Authorization")
# What may be passed over: a payment password where the user has set none.
NOT_ALWAYS_READ = frozenset({"pay_password", "paypassword"})
# With these the call is another one, Balance/TransferBalance, and has that one's fields.
OF_ANOTHER_CALL = {"Balance/ReduceBalance": {"buyerUserId", "sellerUserId", "transNum"}}


class Trial(NamedTuple):
    change: str                 # in words
    request: Request
    named: str                  # the field that the refusal must begin with, "" for any refusal
    described: bool = False     # that field is one of the call's
    choices: tuple[object, ...] = ()    # what the refusal must tell, if it tells any


def called(request: Request) -> tuple[Dialect, Operation]:
    """The operation that a request is for. LookupError where none is described."""
    parts = urlsplit(request.url)
    query = dict(parse_qsl(parts.query))
    action = parsed(request.body).get("action") if request.body and request.body[0] == "{" else ""
    for dialect in DIALECTS:
        for operation in dialect.operations:
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation.path))
            if (operation.method != request.method
                    or not re.fullmatch(pattern, parts.path, re.IGNORECASE)):
                continue
            if dialect.signed:
                if action == operation.name:
                    return dialect, operation
            elif not dialect.selector or query.get(dialect.selector) == operation.name:
                return dialect, operation
    raise LookupError(f"{request.method} {request.url} is not described")


def fields_of(request: Request, dialect: Dialect) -> dict[str, object]:
    """The fields of a request, wherever they are, but for those in its path."""
    if dialect.signed:
        return parsed(parsed(request.body)["data"])
    fields: dict[str, object] = dict(parse_qsl(urlsplit(request.url).query))
    if request.body is not None and request.body.startswith("{"):
        fields |= parsed(request.body)
    elif request.body is not None:
        fields |= dict(parse_qsl(request.body))
    fields.pop(dialect.selector, None)
    return fields


def trials(request: Request, dialect: Dialect, operation: Operation) -> Iterator[Trial]:
    """What must be refused, if a request is a good one and its call as it is described."""
    given = fields_of(request, dialect)
    for name in given:
        if name not in {field.name for field in operation.fields}:
            yield Trial(f"{name} is not described", request, name)
    yield Trial("an unknown field", _with(request, dialect, operation, given | {"colour": "red"}),
                "colour")
    for field in operation.fields:
        if f"{{{field.name}}}" in operation.path:
            continue
        if field.required:
            less = {name: value for name, value in given.items() if name != field.name}
            yield Trial(f"without {field.name}", _with(request, dialect, operation, less),
                        field.name)
        if field.name in NOT_ALWAYS_READ and not field.required:
            continue
        if field.name in OF_ANOTHER_CALL.get(operation.name, ()):
            continue
        for value in _wrong(field):
            changed = _with(request, dialect, operation, given | {field.name: value})
            yield Trial(f"{field.name} {value!r}", changed, field.name, True, field.choices)
    if operation.shows != "none":
        headers = {name: value for name, value in request.headers.items()
                   if name not in CREDENTIALS}
        yield Trial("without a sign of who calls",
                    request._replace(headers=headers, cookies={}), "")


def fault_of(trial: Trial, why: str) -> str:
    """What is wrong with that refusal, "" where it is as it should be; `why` "": it was none."""
    if not why:
        return "was not refused"
    if trial.named and not why.startswith(f"{trial.named}:"):
        return f"refused for something else: {why}"
    told = ONE_OF.search(why)
    if told and told[1].split(", ") != [*map(str, trial.choices)]:
        return f"described are {trial.choices}: {why}"
    return ""


def _wrong(field: Field) -> list[object]:
    """Values that no field of that form takes."""
    return [{"a": 1}] if field.form in ("text", "id", "list", "user") else [{"a": 1}, "x"]


def _with(request: Request, dialect: Dialect, operation: Operation,
          fields: dict[str, object]) -> Request:
    """The request with those fields in place of its own."""
    parts = urlsplit(request.url)
    query = {dialect.selector: operation.name} if dialect.selector else {}
    body = None
    headers = dict(request.headers)
    if dialect.signed:
        body = unsigned(operation.name, json.dumps(fields, default=float))
    elif operation.method in ("GET", "DELETE"):
        query |= {name: value if isinstance(value, str) else json.dumps(value)
                  for name, value in fields.items()}
    else:
        body = json.dumps(fields, default=str)
        headers["Content-Type"] = "application/json"
    url = parts._replace(query=urlencode(query, quote_via=quote)).geturl()
    return request._replace(url=url, headers=headers, body=body)
