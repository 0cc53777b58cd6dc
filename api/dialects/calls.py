"""A call of the exchange router: its checked parameters on the way in, its refusal on the way out.

A handler is `async def (call) -> bytes`: the JSON of `data`. What it refuses is an exception that
names the parameter (InputError) or gives the reason (Refused); nothing has changed then.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from api import errors, numbers
from api.auth import cookies, sessions
from api.dialects.router_described import BY_NAME
from api.numbers import InputError
from api.shell import Shell
from engine import Result

EMPTY = b'""'
NAME_LENGTH_SHOWN_MAX = 64
TEXT_LENGTH_MAX = 1024
CLIENT_ID = re.compile(r"[A-Za-z0-9.:/_-]{1,36}")
TRUE_FALSE = {"true": True, "1": True, "false": False, "0": False}

encode = msgspec.json.encode


class Refused(Exception):
    """The request is understood and not granted; `str()` is the reason."""


class Call:
    """One request. `uid` is 0 on routes without a session. `new_token` becomes the cookie: None
    leaves it, "" deletes it."""

    __slots__ = ("shell", "house", "core", "request", "name", "parameters", "uid", "token",
                 "new_token")

    def __init__(self, shell: Shell, request: web.Request):
        self.shell = shell
        self.house = shell.house
        self.core = shell.house.core
        self.request = request
        self.name = ""          # of the router, once it is a known one
        self.parameters: dict[str, object] = {}
        self.uid = 0
        self.token = ""
        self.new_token: str | None = None

    def find_route(self, routes: Mapping[str, "Route"], parameters: dict[str, object]) -> "Route":
        """The route that the parameters name, if it may be called with them in this way."""
        name = parameters.get("router")
        if name is None or name == "":
            raise InputError("router", "is missing")
        route = routes.get(name) if isinstance(name, str) else None
        if route is None:
            raise InputError("router", f"{str(name)[:NAME_LENGTH_SHOWN_MAX]} is not known")
        self.name = name
        self.parameters = parameters
        if self.request.method != route.method:
            raise InputError("method", f"{name} must be called by {route.method}")
        if not parameters.keys() <= route.parameters:
            unknown = next(field for field in parameters if field not in route.parameters)
            raise InputError(unknown[:NAME_LENGTH_SHOWN_MAX], f"is not a parameter of {name}")
        return route

    def identify(self) -> None:
        """Set `uid` from the session: a parameter, a header or a cookie; else Refused."""
        token = cookies.token_of(self.request, self.parameters)
        self.uid = sessions.find_uid(self.core, token)
        if not self.uid:
            raise Refused("session: not logged in")
        self.token = token

    def has(self, field: str) -> bool:
        """Whether an optional parameter is given; JSON's null is as good as absence."""
        return self.parameters.get(field) is not None

    def given(self, field: str) -> object:
        """A parameter that must be there."""
        value = self.parameters.get(field)
        if value is None:
            raise InputError(field, "is missing")
        if value == "":
            raise InputError(field, "must not be empty")
        return value

    def text(self, field: str) -> str:
        """A form text or a JSON string."""
        value = self.given(field)
        if type(value) is not str:
            raise InputError(field, "must be a text")
        if len(value) > TEXT_LENGTH_MAX:
            raise InputError(field, "is too long")
        return value

    def number(self, field: str, scale: int) -> int:
        """A decimal more than zero, in units of 10^-scale."""
        return numbers.read(field, self.given(field), scale)

    def id(self, field: str) -> int:
        """The number of an order or of a page's last entry."""
        return numbers.read_id(field, self.given(field))

    def limit(self, default: int, most: int) -> int:
        """The parameter `limit`."""
        if not self.has("limit"):
            return default
        return numbers.read_id("limit", self.given("limit"), most=most)

    def choice(self, field: str, choices: Mapping[str, Any]) -> Any:
        """What one of the words in `choices` stands for."""
        word = self.text(field)
        if word not in choices:
            raise InputError(field, "must be one of " + ", ".join(choices))
        return choices[word]

    def flag(self, field: str) -> bool:
        """A boolean; false when it is not given."""
        if not self.has(field):
            return False
        value = self.given(field)
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in TRUE_FALSE:
            return TRUE_FALSE[value.lower()]
        raise InputError(field, "must be true or false")

    def client_id(self, field: str) -> str | None:
        """A name that the client gives an order or a withdrawal, ASCII; None when it gives none."""
        if not self.has(field):
            return None
        value = self.given(field)
        if type(value) is not str or not CLIENT_ID.fullmatch(value):
            raise InputError(field, "must be 1 to 36 characters of A-Z a-z 0-9 . : / _ -")
        return value

    def pair(self):
        """The listed pair that the parameter `pair` names."""
        name = self.text("pair")
        pair = self.core.pairs.by_name(name)
        if pair is None:
            raise InputError("pair", "is not listed")
        return pair

    def pair_number(self) -> int:
        """The number of the pair where one is given, else 0."""
        return self.pair().number if self.has("pair") else 0

    def coin(self):
        """The listed coin that the parameter `coin` names."""
        coin = self.core.coins.by_name(self.text("coin"))
        if coin is None:
            raise InputError("coin", "is not listed")
        return coin

    def coin_number(self) -> int:
        """The number of the coin where one is given, else 0."""
        return self.coin().number if self.has("coin") else 0

    def without(self, fields: tuple[str, ...], reason: str) -> None:
        """Refuse parameters that make no sense with the others."""
        for field in fields:
            if self.has(field):
                raise InputError(field, reason)


def accepted(reply):
    """The reply of a command that was carried out; Refused, in words, for any other."""
    if reply.code != Result.OK:
        raise Refused(errors.words(reply.code))
    return reply


Handler = Callable[[Call], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Route:
    """How a router is called. `reads`: its answer shows state, so it waits for the disk."""
    method: str
    handler: Handler
    parameters: frozenset[str]
    session: bool
    reads: bool


class Routes(dict[str, Route]):
    """Routers by name: `serves` adds a handler as the router of its name, which is called as
    `router_described` says."""

    def serves(self, *, reads: bool = False):
        """reads: as in Route."""
        def add(handler: Handler) -> Handler:
            operation = BY_NAME[handler.__name__]
            # `router` names the call itself; a session may be sent along with anything.
            allowed = frozenset(("router", "session", *(field.name for field in operation.fields)))
            self[operation.name] = Route(operation.method, handler, allowed,
                                         operation.shows == "session", reads)
            return handler
        return add
