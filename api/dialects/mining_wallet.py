"""The mining wallet: `/user/…`, `/wallet/…`, `/mining/…`, `/get/may/`, `/sign/`.

The envelope is `{"status": "success"}`, with `data` where a call has any, or
`{"status": "error", "message"}` with an HTTP status that says whose fault it is. OPERATIONS is what
there is: each call with its method, its path (served with and without the last slash) and its
fields; any other method or field is refused by name. An answer goes out once the state that it
shows is on disk; so does a refusal, for it may rest on state too.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping

import msgspec
from aiohttp import web

from api.auth import cookies
from api.dialects import mining_wallet_calls as calls
from api.dialects.described import Field, Operation
from api.dialects.fields import Fields
from api.dialects.mining_wallet_calls import Call, Handler
from api.dialects.parameters import merged
from api.errors import Fault
from api.numbers import InputError
from api.refusals import Refusal, once_settled, refusal_of
from api.replies import json_reply
from api.shell import SHELL, Shell

DIALECT = "mining_wallet"
BAD_REQUEST, NOT_FOUND, WRONG_METHOD = 400, 404, 405
SERVER_FAULTS = range(500, 600)

# The HTTP status of a refusal: by its reason, else by whose fault it is.
STATUS_BY_REASON = {
    "no_such_call": NOT_FOUND, "unknown_wallet": NOT_FOUND,
    "user_exists": 409, "signed_in_already": 409,
    "too_large": 413,
    "throttled": 429, "crowded": 429, "pay_password_locked": 429,
    "busy": 503, "stopped": 503, "session_exists": 503,
}
STATUS_BY_FAULT = {Fault.INPUT: BAD_REQUEST, Fault.AUTHENTICATION: 401,
                   Fault.OPERATION: BAD_REQUEST, Fault.RIGHT: 403, Fault.SYSTEM: 500}

# Where the words that all dialects share would name a field that these calls do not have.
OWN_WORDS = {
    "amount_too_large": "num: is too large",
    "bad_username": "username: must have 3 to 64 characters, no control ones",
    "not_enough_money": "num: the wallet does not hold enough for it",
    "same_account": "address: is that of the user's own wallet",
    "user_exists": "username: this name is taken",
}

ADDRESS = "a wallet's address, as wallet/get/login/ shows it"
PAY_PASSWORD = Field("pay_password", "text", "the payment password, where the user has set one",
                     required=False)
MINER = {"id": 2, "user_id": 7, "wallet_id": 2, "force": 100, "add_time": "2018-06-10 21:24:26",
         "extract": 0}

OPERATIONS = (
    Operation("register", "POST", "/user/register/", "Registers a user.", (
        Field("username", "text", "3 to 64 characters; unique, whatever its case"),
        Field("email", "text", "a mail address, at most 254 characters"),
        Field("name", "text", "the name that the rank shows, 1 to 64 characters"),
        Field("password", "text", "6 to 128 characters"),
    )),
    Operation("login", "POST", "/user/login/", "Begins a session and puts it into the cookie.", (
        Field("username", "text", "in any case"),
        Field("password", "text", "the login password"),
    )),
    Operation("logout", "GET", "/user/logout/", "Ends the session and deletes the cookie.",
              shows="session"),
    Operation("show_user", "GET", "/user/get/login/", "The user who is logged in.",
              shows="session", answers={"username": "123456789", "email": "123@qq.com"}),
    Operation("transfer", "PATCH", "/wallet/transfer/", "Moves ORE to another wallet.", (
        Field("num", "whole", "how much ORE"), Field("address", "text", ADDRESS), PAY_PASSWORD,
    ), "session"),
    Operation("extract", "PATCH", "/wallet/extract/",
              "Moves ORE from the wallet to an exchange balance.", (
                  Field("num", "whole", "how much ORE"),
                  Field("address", "text", f"{ADDRESS}: the exchange balance of its user is "
                        "credited; without it the own one", required=False),
                  PAY_PASSWORD,
              ), "session"),
    Operation("show_wallet", "GET", "/wallet/get/login/", "The wallet of the user.",
              shows="session",
              answers={"id": 2, "user_id": 7, "address": "g7vKBka8MzdWqRx", "money": 0}),
    Operation("show_rank", "GET", "/mining/rank/", "The ten strongest miners, strongest first.",
              shows="session", answers=[MINER | {"name": "123456789"}]),
    Operation("promote", "PATCH", "/wallet/promote/", "Buys force, paid in ORE from the wallet.",
              (Field("num", "whole", "how much force"),), "session"),
    Operation("gain", "PATCH", "/mining/gain/", "Moves claimable ORE to the wallet.",
              (Field("num", "whole", "how much ORE"),), "session"),
    Operation("show_miner", "GET", "/mining/get/login/", "The miner of the user.",
              shows="session", answers=MINER),
    Operation("show_claimable", "GET", "/get/may/", "How much ORE can be claimed now.",
              shows="session", answers={"may_num": 1852}),
    Operation("show_sign_in", "GET", "/sign/", "Whether the user has signed in today.",
              shows="session", answers={"signed": False}),
    Operation("sign_in", "PATCH", "/sign/", "Signs in for today, which adds force.",
              shows="session"),
)
HANDLERS: dict[str, Handler] = {
    operation.name: getattr(calls, operation.name) for operation in OPERATIONS}
# Served below mining/ too.
PATHS_BELOW_MINING = ("/get/may/", "/sign/")

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal."""
    return STATUS_BY_REASON.get(refusal.reason) or STATUS_BY_FAULT[refusal.fault]


class MiningWallet:
    """Answers the requests of one app."""

    __slots__ = ("_shell", "_direct")

    def __init__(self, shell: Shell):
        self._shell = shell
        # Cross-origin headers are added by aiohttp's response only.
        self._direct = not shell.config.server.cors_origins

    def route(self, operations: Mapping[str, Operation]) -> Answer:
        """The handler of one path, whose operations those are by method."""
        async def answer(request: web.Request) -> web.StreamResponse:
            operation = operations.get(request.method)
            if operation is None:
                return self._no_such_call(request, operations)
            return await self._answer(request, operation)
        return answer

    async def _answer(self, request: web.Request, operation: Operation) -> web.StreamResponse:
        call = Call(self._shell, request)
        status = 200
        try:
            content = await self._content(call, request, operation)
        except ConnectionError:
            raise
        except Exception as error:
            refusal = await self._refusal(call, operation, error)
            status, body = status_of(refusal), _error_body(refusal.words)
            call.new_token = None
        else:
            body = b'{"status":"success"}'
            if content is not None:
                body = b'{"status":"success","data":%b}' % msgspec.json.encode(content)
        self._count(operation.name, status)
        if call.new_token is None:
            return json_reply(request, body, status, direct=self._direct)
        response = json_reply(request, body, status, direct=False)
        cookies.keep_token(response, call.new_token, self._shell.secure)
        return response

    async def _content(self, call: Call, request: web.Request, operation: Operation) -> object:
        """What `data` is to show, once it is on disk; what is wrong is raised."""
        parameters = await merged(request)
        if operation.shows == "session":
            call.identify(request, parameters)
        # A session may be sent along with any call.
        parameters.pop(cookies.NAME, None)
        call.fields = _checked(parameters, operation)
        content = await HANDLERS[operation.name](call)
        await call.house.settled()
        return content

    async def _refusal(self, call: Call, operation: Operation, error: Exception) -> Refusal:
        called = f"{operation.method} {operation.path}"
        refusal = await once_settled(refusal_of(error, called), call.house, called)
        return refusal._replace(words=OWN_WORDS.get(refusal.reason, refusal.words))

    def _no_such_call(self, request: web.Request,
                      operations: Mapping[str, Operation]) -> web.StreamResponse:
        """The answer to an unknown path, or to a known one in a method that it does not have."""
        status = WRONG_METHOD if operations else NOT_FOUND
        self._count("", status)
        if not operations:
            return json_reply(request, _error_body("path: not known"), status)
        words = "method: must be " + " or ".join(operations)
        response = json_reply(request, _error_body(words), status)
        response.headers["Allow"] = ", ".join(operations)
        return response

    def _count(self, name: str, status: int) -> None:
        outcome = "ok"
        if status != 200:
            outcome = "failed" if status in SERVER_FAULTS else "refused"
        self._shell.answers[DIALECT, name, outcome] += 1


def add_routes(app: web.Application) -> None:
    """Put the dialect into an app that has its shell."""
    dialect = MiningWallet(app[SHELL])
    tops = set()
    for path, operations in _paths():
        # All methods are answered, to say which one it should have been.
        for spelled in (path, path.rstrip("/")):
            app.router.add_route("*", spelled, dialect.route(operations))
        tops.add(path.split("/")[1])
    app.router.add_route("*", "/{path:(?:%s)(?:/.*)?}" % "|".join(sorted(tops)), dialect.route({}))


def _paths() -> Iterator[tuple[str, dict[str, Operation]]]:
    """Each path with its operations by method."""
    paths: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation
    yield from paths.items()
    for path in PATHS_BELOW_MINING:
        yield f"/mining{path}", paths[path]


def _checked(parameters: dict[str, object], operation: Operation) -> Fields:
    """The parameters as the operation's fields. Raises InputError for one that is none of them,
    and for one that is missing."""
    fields = Fields(parameters)
    fields.only({field.name for field in operation.fields})
    for field in operation.fields:
        if field.required and not fields.has(field.name):
            raise InputError(field.name, "is missing")
    return fields


def _error_body(words: str) -> bytes:
    # A name that came in the URL may hold what no encoding can write.
    shown = words.encode("utf-8", "replace").decode()
    return b'{"status":"error","message":%b}' % msgspec.json.encode(shown)
