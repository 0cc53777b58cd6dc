"""A call of the user center: who calls, its fields on the way in, its refusal on the way out.

A handler is `async def (call) -> object`: what `data` shows, None for the text of success. What it
refuses is an exception that `api.refusals` knows; nothing has changed then (but that a try at a
payment password counts). It looks at the caller's rights before all else, and again after it has
waited for anything but its command: session and rights may have ended meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from api.auth import rights, sessions
from api.auth.passwords import is_new_password
from api.auth.seal import Seal
from api.dialects.described import Field
from api.dialects.fields import FIELD_SHOWN_MAX, Fields
from api.errors import Fault
from api.numbers import InputError, read_id
from api.refusals import Refusal, Refused, accepted
from api.shell import Shell
from engine import Kind, cold

TEXT_LENGTH_MAX = 1024      # of names and passwords, which have limits of their own
OWN_USER_ONLY = "token: its user may not do this"


class Denied(Refused):
    """As Refused, for a reason of this dialect or of the core, by the name it has in `codes`."""

    def __init__(self, reason: str, words: str):
        Exception.__init__(self, words)
        self.refusal = Refusal(Fault.OPERATION, reason, words)


@dataclass(frozen=True, slots=True)
class Means:
    """What the calls work with, once for an app. `permissions`: held from looking at permissions
    until what was decided by them is on disk."""
    shell: Shell
    seal: Seal
    permissions: asyncio.Lock = field(default_factory=asyncio.Lock)


class Call:
    """One request. `caller` is the user whose token came with it, as it was then; None on calls
    that take none. `given`: the parameters, which `fields` reads."""

    __slots__ = ("shell", "house", "core", "seal", "permissions", "address", "token", "given",
                 "fields", "caller", "_choices")

    def __init__(self, means: Means, request: web.Request, given: Mapping[str, object],
                 fields: tuple[Field, ...]):
        self.shell = means.shell
        self.house = means.shell.house
        self.core = means.shell.house.core
        self.seal = means.seal
        self.permissions = means.permissions
        self.address = request.remote
        self.token = request.headers.get("token", "")
        self.given = given
        self.fields = Fields(given)
        self.caller = None
        self._choices = {field.name: field.choices for field in fields}

    # -- who calls, and for whom ------------------------------------------------------------------

    def identify(self) -> None:
        """Set `caller` from the token. Raises Refused."""
        if not self.token:
            raise Refused("no_token", "token: send the header token, from UserCenter/Login")
        uid = sessions.find_uid(self.core, self.token)
        if not uid:
            raise Refused("bad_token", "token: its session has ended, or never was")
        self.caller = self.core.users.get(uid)

    def user(self, name: str, may: Callable[..., bool] = rights.may_act_for):
        """The user that a field names, the caller where it is not given.

        Raises InputError, Refused where `may(caller, user)` is False, Denied.
        """
        uid = self.uid(name) if self.fields.has(name) else self.caller.uid
        return self.allowed(name, self.core.users.person(uid), may)

    def user_named(self, name: str):
        """The user of the username in a field. Raises as `user`."""
        user = self.core.users.by_name(self.text(name))
        return self.allowed(name, user, rights.may_act_for)

    def allowed(self, name: str, user, may: Callable[..., bool]):
        """The user if there is one and the caller may. Who may not is told the same of all."""
        if not may(self.caller, user):
            raise Refused("no_right", OWN_USER_ONLY)
        if user is None:
            raise Denied("unknown_user", f"{name}: not known")
        return user

    # -- the fields -------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether an optional field is given; null counts as not given."""
        return self.fields.has(name)

    def text(self, name: str, length_max: int = TEXT_LENGTH_MAX) -> str:
        return self.fields.text(name, length_max)

    def choice(self, name: str) -> int:
        """One of the numbers that the call's description offers."""
        number = self.fields.whole(name)
        if number not in self._choices[name]:
            raise InputError(name, "must be " + " or ".join(map(str, self._choices[name])))
        return number

    def new_password(self, name: str) -> str:
        password = self.text(name)
        if not is_new_password(password):
            raise InputError(name, "must have 6 to 128 characters")
        return password

    def uid(self, name: str) -> int:
        """The number of a user that may exist or not."""
        return self._number(name, self.fields.name_or_uid(name))

    def coin(self, name: str):
        """The listed coin that a field names: a name, or else a number."""
        given = self.fields.name_or_uid(name)
        coin = self.core.coins.by_name(given) if type(given) is str else None
        if coin is None and (type(given) is int or given.isdigit()):
            coin = self.core.coins.get(self._number(name, given))
        if coin is None:
            raise Denied("unknown_coin", f"{name}: not listed")
        return coin

    def request_id(self) -> str | None:
        return self.text("requestId") if self.has("requestId") else None

    def _number(self, name: str, given: str | int) -> int:
        return given if type(given) is int else read_id(name, given)

    # -- commands ---------------------------------------------------------------------------------

    async def submit(self, kind: Kind, **fields) -> object:
        """One command, on disk; its value. Raises CommandRefused."""
        return accepted(await self.house.submit(cold(kind, fields))).value


Handler = Callable[[Call], Awaitable[object]]


def check_fields(given: Mapping[str, object], fields: tuple[Field, ...]) -> None:
    """Refuse parameters that are none of the fields, and fields that are missing: InputError."""
    allowed = {field.name for field in fields}
    for name in given:
        if name not in allowed:
            raise InputError(name[:FIELD_SHOWN_MAX], "is not a field of this call")
    for field in fields:
        if field.required and given.get(field.name) is None:
            raise InputError(field.name, "is missing")
