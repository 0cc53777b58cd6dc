"""The exchange router: `/router?router=NAME`, envelope `{"status", "data", "description"}`.

Decode, submit, encode, nothing else. Refusals are `status: false` with HTTP status 200, as its
clients read them; a house that cannot answer (stopped, overloaded, an error of ours) is HTTP 503
or 500 with the same envelope. An answer that shows state goes out once that state is on disk; so
does a refusal, for it may rest on state too.
"""

import logging

from aiohttp import web

from api.auth import cookies
from api.auth.login import LoginRefused
from api.auth.passwords import TooBusy
from api.auth.sessions import SessionRefused
from api.dialects import router_account, router_history, router_market, router_trading
from api.dialects.calls import Call, Refused, Routes
from api.dialects.parameters import merged
from api.errors import words
from api.numbers import InputError
from api.replies import json_reply, refusal_body
from api.shell import SHELL, Shell
from engine import HistoryLate, HouseStopped, Overloaded

PATH = "/router"
DIALECT = "router"

ROUTES = Routes(router_trading.ROUTES | router_market.ROUTES | router_account.ROUTES
                | router_history.ROUTES)

log = logging.getLogger(__name__)


class BodyTooLarge(Exception):
    """More than `[server] max_body_bytes`."""


# What is no refusal of the request, but that it could not be looked at: HTTP status, description.
UNABLE = (
    (BodyTooLarge, 413, "body: is too large"),
    (web.RequestPayloadError, 400, "body: cannot be read"),
    (TooBusy, 429, "too many logins are waiting, try again"),
    (Overloaded, 503, "too many requests are waiting, try again"),
    (HistoryLate, 503, "the history is not up to date yet, try again"),
    (HouseStopped, 503, "the house has stopped; what was asked for may be done or not"),
)


class Router:
    """Answers the requests of one app."""

    __slots__ = ("_shell", "_direct")

    def __init__(self, shell: Shell):
        self._shell = shell
        # Cross-origin headers are added by aiohttp's response only.
        self._direct = not shell.config.server.cors_origins

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The one handler of the dialect."""
        call = Call(self._shell, request)
        try:
            content = await self._content(call)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:
            status, body = await self._refusal(call, error)
            outcome = "refused" if status == 200 else "failed"
        else:
            status, body = 200, b'{"status":true,"data":%b,"description":""}' % content
            outcome = "ok"
        self._shell.answers[DIALECT, call.name, outcome] += 1
        token = call.new_token
        if token is None:
            return json_reply(request, body, status, direct=self._direct)
        response = json_reply(request, body, status, direct=False)
        cookies.keep_token(response, token, self._shell.secure)
        return response

    async def _content(self, call: Call) -> bytes:
        """The JSON of `data`, once what it shows is on disk; what is wrong is raised."""
        try:
            parameters = await merged(call.request)
        except web.HTTPRequestEntityTooLarge:
            raise BodyTooLarge from None
        route = call.find_route(ROUTES, parameters)
        if route.session:
            call.identify()
        content = await route.handler(call)
        if route.reads:
            await call.house.settled()
        return content

    async def _refusal(self, call: Call, error: Exception) -> tuple[int, bytes]:
        """HTTP status and body for what was raised."""
        try:
            if isinstance(error, (InputError, Refused, LoginRefused, SessionRefused)):
                await call.house.settled()
        except HouseStopped as stopped:
            error = stopped
        if isinstance(error, SessionRefused):
            return 200, refusal_body(words(error.code))
        if isinstance(error, (InputError, Refused, LoginRefused)):
            return 200, refusal_body(str(error))
        for kind, status, description in UNABLE:
            if isinstance(error, kind):
                return status, refusal_body(description)
        # The caller is told nothing that only we should know; the log has it all.
        log.error("router %s failed", call.name, exc_info=error)
        return 500, refusal_body("internal error")


def add_routes(app: web.Application) -> None:
    """Put the dialect into an app that has its shell."""
    # All methods are answered, to say which one it should have been.
    app.router.add_route("*", PATH, Router(app[SHELL]).answer)
