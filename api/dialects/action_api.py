"""The action API of the pool: `POST /action-api`, and the same at `POST /`, one path for all.

A request is a signed body (api/auth/signatures) whose `action` names the call and whose `data` is
the text of its fields; the caller is a client credential of scope `operator`. The envelope is
`{"code", "data", "message"}`, HTTP status 200 also for a refusal, which has changed nothing (but
that the nonces of a good request are spent). An answer goes out once all that it may rest on is on
disk; so does a refusal.
"""

from collections.abc import AsyncIterator

from aiohttp import web

from api.auth.signatures import SignedCall, SignedCalls
from api.dialects import (
    action_api_accounts, action_api_observers, action_api_profit, action_api_speed,
    action_api_subaccounts, action_api_worker)
from api.dialects.action_api_calls import METHOD, PATH, Call, Handler
from api.dialects.described import Operation
from api.errors import Fault
from api.mining import bulk
from api.mining.envelopes import DONE_HEAD, DONE_TAIL, done_body, refusal_of, refused_body
from api.numbers import InputError
from api.refusals import Refusal, once_settled
from api.replies import json_reply
from api.shell import SHELL, Shell

__all__ = ["ACTIONS", "DIALECT", "OPERATIONS", "add_routes"]

DIALECT = "action_api"
SCOPE = "operator"
NAME_SHOWN_MAX = 64

# Each has its ACTIONS, handlers by name; its OPERATIONS, the same as they are described; and, where
# it needs any, OWN_WORDS: what a refusal says, by action and reason.
MODULES = (action_api_accounts, action_api_subaccounts, action_api_observers, action_api_profit,
           action_api_speed, action_api_worker)
OPERATIONS: tuple[Operation, ...] = tuple(
    operation for module in MODULES for operation in module.OPERATIONS)
ACTIONS: dict[str, Handler] = {
    name: handler for module in MODULES for name, handler in module.ACTIONS.items()}
DESCRIBED = {operation.name: operation for operation in OPERATIONS}

# Where the words that all dialects share would name a field that an action does not have.
OWN_WORDS = {
    key: words for module in MODULES
    for key, words in getattr(module, "OWN_WORDS", {}).items()}


class ActionApi:
    """Answers the requests of one app."""

    __slots__ = ("_shell", "_calls", "_direct")

    def __init__(self, shell: Shell):
        self._shell = shell
        self._calls = SignedCalls(shell.house, shell.client_tokens, SCOPE)
        # Cross-origin headers are added by aiohttp's response only.
        self._direct = not shell.config.server.cors_origins

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The one handler of the dialect."""
        if request.method != METHOD:
            refusal = Refusal(Fault.INPUT, "no_such_call", f"method: must be {METHOD}")
            return self._refused(request, "", refusal)
        name = ""
        try:
            signed = await self._calls.call(request)
            name = _known(signed.action)
            response = await self._done(request, name, signed)
        except ConnectionError:
            raise
        except Exception as error:
            return self._refused(request, name, await self._refusal(error, name))
        self._count(name, "ok")
        return response

    async def _done(self, request: web.Request, name: str,
                    signed: SignedCall) -> web.StreamResponse:
        """The answer to a call that could be done; what is wrong is raised."""
        call = Call(self._shell, request.remote, signed.given, DESCRIBED[name].fields)
        shown = ACTIONS[name](call)
        if not isinstance(shown, AsyncIterator):
            shown = await shown
        await self._shell.house.settled()
        if isinstance(shown, AsyncIterator):
            return await bulk.send(request, DONE_HEAD, shown, DONE_TAIL)
        return json_reply(request, done_body(shown), direct=self._direct)

    async def _refusal(self, error: Exception, name: str) -> Refusal:
        call = f"{DIALECT} {name}"
        refusal = await once_settled(refusal_of(error, call), self._shell.house, call)
        return refusal._replace(words=OWN_WORDS.get((name, refusal.reason), refusal.words))

    def _refused(self, request: web.Request, name: str, refusal: Refusal) -> web.StreamResponse:
        self._count(name, "failed" if refusal.fault is Fault.SYSTEM else "refused")
        return json_reply(request, refused_body(refusal), direct=self._direct)

    def _count(self, name: str, outcome: str) -> None:
        self._shell.answers[DIALECT, name, outcome] += 1


def _known(action: str) -> str:
    """The name of an action. Raises InputError for one that there is not."""
    if action not in ACTIONS:
        raise InputError("action", f"{action[:NAME_SHOWN_MAX]} is not known")
    return action


def add_routes(app: web.Application) -> None:
    """Put the dialect into an app that has its shell."""
    answer = ActionApi(app[SHELL]).answer
    # All methods are answered, to say which one it should have been.
    app.router.add_route("*", PATH, answer)
    app.router.add_route(METHOD, "/", answer)
