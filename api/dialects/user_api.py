"""The pool's user API: `/user-api/…`, what a miner's own programs ask for.

Each call shows its caller by a JWT in `Authorization`, of a client credential of the scope
`account` (docs/pool-callers.md), and is answered for the sub-accounts of that credential's user.
The envelope is that of api/mining/envelopes.

Checked in this order: path and method; the token; the fields, by name and then one by one; last,
that the token was not used. So what is refused has not spent it, but for what the core refuses.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from aiohttp import web

from api.dialects import user_api_calls
from api.dialects.described import Operation
from api.dialects.parameters import merged
from api.dialects.user_api_calls import Call
from api.dialects.user_api_described import OPERATIONS
from api.errors import Fault
from api.mining import bulk
from api.mining.envelopes import DONE_HEAD, DONE_TAIL, done_body, refusal_of, refused_body
from api.refusals import Refusal, Refused, once_settled
from api.replies import json_reply
from api.shell import SHELL, Shell

DIALECT = "user_api"
SCOPE = "account"
# Names that a query may repeat.
LISTS = frozenset({"rights"})
HANDLERS = {operation.name: getattr(user_api_calls, operation.name) for operation in OPERATIONS}

Route = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(app: web.Application) -> None:
    """Put the dialect into an app that has its shell."""
    dialect = UserApi(app[SHELL])
    paths: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation
    for path, operations in paths.items():
        # All methods are answered, to say which one it should have been.
        app.router.add_route("*", path, dialect.route(operations))
    app.router.add_route("*", "/{path:user-api(?:/.*)?}", dialect.route({}))


class UserApi:
    """Answers the requests of one app."""

    __slots__ = ("_shell", "_direct")

    def __init__(self, shell: Shell):
        self._shell = shell
        # Cross-origin headers are added by aiohttp's response only.
        self._direct = not shell.config.server.cors_origins

    def route(self, operations: Mapping[str, Operation]) -> Route:
        """The handler of one path, whose operations those are by method."""
        async def answer(request: web.Request) -> web.StreamResponse:
            operation = operations.get(request.method)
            if operation is None:
                words = ("method: must be " + " or ".join(operations) if operations
                         else "path: not known")
                return self._refuse(request, "", Refusal(Fault.INPUT, "no_such_call", words))
            return await self._answer(request, operation)
        return answer

    async def _answer(self, request: web.Request, operation: Operation) -> web.StreamResponse:
        try:
            content = await self._content(request, operation)
            if isinstance(content, AsyncGenerator):
                response = await bulk.send(request, DONE_HEAD, content, DONE_TAIL)
            else:
                response = json_reply(request, done_body(content), direct=self._direct)
        except ConnectionError:
            raise
        except Exception as error:
            refusal = await self._refusal(operation, error)
            return self._refuse(request, operation.name, refusal)
        self._shell.answers[DIALECT, operation.name, "ok"] += 1
        return response

    async def _content(self, request: web.Request, operation: Operation) -> object:
        """What the answer shows, once it is on disk; what is wrong is raised."""
        tokens, house = self._shell.client_tokens, self._shell.house
        shown = tokens.check(request.headers.get("Authorization", ""), SCOPE, rnd_text=False)
        call = Call(self._shell, shown.client, await merged(request, LISTS))
        call.fields.only({field.name for field in operation.fields})
        answer = HANDLERS[operation.name](call)
        await tokens.spend(shown)
        content = await answer()
        await house.settled()
        return content

    async def _refusal(self, operation: Operation, error: Exception) -> Refusal:
        call = f"{operation.method} {operation.path}"
        return await once_settled(refusal_of(error, call), self._shell.house, call)

    def _refuse(self, request: web.Request, name: str, refusal: Refusal) -> web.StreamResponse:
        outcome = "failed" if refusal.fault is Fault.SYSTEM else "refused"
        self._shell.answers[DIALECT, name, outcome] += 1
        return json_reply(request, refused_body(refusal), direct=self._direct)
