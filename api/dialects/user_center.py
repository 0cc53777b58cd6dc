"""The user center: `POST /api/{0}/{1}`, envelope `{"status", "data", "code", "message"}`.

Decode, submit, encode. Paths are read without regard to case, with or without a slash at the end.
Refusals are `status` 0 with HTTP status 200, as its callers read them; what could not be looked at
is 413, 429, 500 or 503 in the same envelope. An answer goes out once all that it may rest on is on
disk; so does a refusal.
"""

import msgspec
from aiohttp import web

from api.auth.seal import Seal
from api.dialects import user_center_accounts, user_center_balances, user_center_profile
from api.dialects.described import Operation
from api.dialects.parameters import merged
from api.dialects.user_center_calls import Call, Handler, Means, check_fields
from api.dialects.user_center_codes import code_of
from api.dialects.user_center_operations import LISTS, OPERATIONS, texts_of
from api.errors import Fault
from api.refusals import Refusal, Refused, once_settled, refusal_of
from api.replies import json_reply
from api.shell import SHELL

__all__ = ["DIALECT", "OPERATIONS", "add_routes"]

DIALECT = "user_center"
PREFIX = "/api"
METHOD = "POST"

HANDLERS: dict[str, Handler] = {
    **user_center_accounts.HANDLERS, **user_center_profile.HANDLERS,
    **user_center_balances.HANDLERS}
CALLS: dict[str, tuple[Operation, Handler]] = {
    operation.path.lower(): (operation, HANDLERS[operation.name]) for operation in OPERATIONS}

HTTP_STATUS = {"too_large": 413, "crowded": 429, "busy": 503, "stopped": 503}

# Where the words that all dialects share would say what is not so here.
OWN_WORDS = {
    "amount_too_large": "amount: there would be more of the coin than 2^63 - 1 of its units",
    "same_account": "buyerUserId: is the seller",
}
# What the shared words call a field, and which of a request's fields that is. Input errors name the
# request's own.
FIELD_NAMES = {
    "user": ("usercount", "uid", "UserId"), "coin": ("coinId",),
    "amount": ("quantityNum", "transNum", "AssetsNum"), "request_id": ("requestId",),
    "device": ("device_id",), "payment password": ("paypassword",),
}


class UserCenter:
    """Answers the requests of one app."""

    __slots__ = ("_means", "_shell", "_direct")

    def __init__(self, means: Means):
        self._means = means
        self._shell = means.shell
        # Cross-origin headers are added by aiohttp's response only.
        self._direct = not means.shell.config.server.cors_origins

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The one handler of the dialect."""
        operation, handler = _called(request)
        name = operation.name if operation is not None else ""
        given: dict[str, object] = {}
        try:
            if operation is None:
                raise Refused("no_such_call", "path: not known")
            if request.method != METHOD:
                raise Refused("no_such_call", f"method: must be {METHOD}")
            given |= await merged(request, LISTS)
            shown = await self._shown(request, operation, handler, given)
        except ConnectionError:
            raise
        except Exception as error:
            call = f"{DIALECT} {name}"
            refusal = await once_settled(refusal_of(error, call), self._shell.house, call)
            outcome = "failed" if refusal.fault is Fault.SYSTEM else "refused"
            status, body = _http_status(refusal), _refusal_body(name, refusal, given)
        else:
            outcome, status = "ok", 200
            done = texts_of(name, given).done if shown is None else shown
            body = b'{"status":1,"data":%b,"code":0,"message":""}' % msgspec.json.encode(done)
        self._shell.answers[DIALECT, name, outcome] += 1
        return json_reply(request, body, status, direct=self._direct)

    async def _shown(self, request: web.Request, operation: Operation, handler: Handler,
                     given: dict[str, object]) -> object:
        """What `data` is to show, once it is on disk, None for the text; what is wrong is raised.
        """
        call = Call(self._means, request, given, operation.fields)
        if operation.shows == "token":
            call.identify()
        check_fields(given, operation.fields)
        shown = await handler(call)
        await self._shell.house.settled()
        return shown


def _called(request: web.Request) -> tuple[Operation | None, Handler | None]:
    """The call that a request's path names."""
    path = request.rel_url.raw_path.lower().removesuffix("/")
    return CALLS.get(path, (None, None))


def _http_status(refusal: Refusal) -> int:
    return HTTP_STATUS.get(refusal.reason, 500 if refusal.fault is Fault.SYSTEM else 200)


def _refusal_body(name: str, refusal: Refusal, given: dict[str, object]) -> bytes:
    """The envelope of a refusal of that call, "" for none, with those parameters."""
    message = OWN_WORDS.get(refusal.reason, refusal.words)
    if refusal.reason != "input":
        head, separator, rest = message.partition(": ")
        field = next((field for field in FIELD_NAMES.get(head, ()) if field in given), head)
        message = f"{field}{separator}{rest}"
    # A call in a method that it does not have is none.
    ranged = "" if refusal.reason == "no_such_call" else name
    return msgspec.json.encode({
        "status": 0, "data": texts_of(name, given).failed, "code": code_of(ranged, refusal.reason),
        # A name that came in the body may hold what no encoding can write.
        "message": message.encode("utf-8", "replace").decode(),
    })


def add_routes(app: web.Application) -> None:
    """The dialect on an app that has a SHELL. Raises SealError when the key file cannot be used."""
    shell = app[SHELL]
    answer = UserCenter(Means(shell, Seal.open(shell.config.data.dir))).answer
    # All methods are answered, to say which one it should have been; the paths as they are
    # documented are found faster than those in another case.
    for operation in OPERATIONS:
        app.router.add_route("*", operation.path, answer)
    app.router.add_route("*", "/{call:(?is:%s(?:/.*)?)}" % PREFIX.strip("/"), answer)
