"""A connection to the house: aiohttp's own, but for what an attacker or a broken client sends.

Whatever cannot be read as HTTP is answered in JSON, as a refused request is, and nothing of it
reaches the log: a header that is one byte too long may be the one with a session in it. A
connection that stays silent, or whose request never ends, is closed by its site after HELD_MAX_S.
"""

import logging
from asyncio import AbstractEventLoop
from collections.abc import Awaitable

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from api.replies import json_reply, refusal_body

HELD_MAX_S = 75
TOO_LONG = "request: its address or a header is too long"
UNREADABLE = "request: cannot be read as HTTP"
FAILED = "internal error"
DESCRIPTIONS = {404: "path: not known", 413: "body: is too large",
                417: "Expect: only 100-continue is known"}

log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """One of a server's connections. `held_since_s`: since when it has been silent, or since when
    it has been busy with one request and its answer has not got on, in the loop's time."""

    __slots__ = ("held_since_s", "_is_silent")

    def __init__(self, server: web.Server, *, loop: AbstractEventLoop, **settings):
        super().__init__(server, loop=loop, **settings)
        self.held_since_s = loop.time()
        self._is_silent = True

    def data_received(self, received: bytes) -> None:
        """The first bytes of a request start its time; those after them do not."""
        if self._is_silent:
            self._is_silent = False
            self.held_since_s = self._loop.time()
        super().data_received(received)

    def get_on(self) -> None:
        """Part of a long answer has gone out: the time for the rest begins anew."""
        self.held_since_s = self._loop.time()

    def finish_response(self, request: web.BaseRequest, resp: web.StreamResponse,
                        start_time: float | None):
        """Send an answer; one that aiohttp has made is replaced by one of ours."""
        self._is_silent = True
        self.held_since_s = self._loop.time()
        if isinstance(resp, web.HTTPException):
            description = DESCRIPTIONS.get(resp.status, resp.reason)
            resp = json_reply(request, refusal_body(description), resp.status, direct=False)
        # Not a coroutine of its own: this is on every order's way.
        finished = super().finish_response(request, resp, start_time)
        if request.content.is_eof() or "Content-Encoding" not in request.headers:
            return finished
        return self._then_hang_up(finished)

    async def _then_hang_up(self, finished: Awaitable[tuple[web.StreamResponse, bool]]
                            ) -> tuple[web.StreamResponse, bool]:
        """After an answer that did not want the rest of a compressed body: aiohttp would unpack
        that for nothing, some hundred times its size."""
        answer = await finished
        self.force_close()
        return answer

    def log_exception(self, *args: object, **settings) -> None:
        """A fault that nobody has caught. A body that turns out to be unreadable after its request
        was answered is none of ours."""
        if not isinstance(settings.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **settings)

    def handle_error(self, request: web.BaseRequest, status: int = 500,
                     exc: BaseException | None = None,
                     message: str | None = None) -> web.StreamResponse:
        """The answer to what is no HTTP, and to what no handler has caught; the last one here."""
        if status >= 500:
            # Who hangs up in the middle of a request is no fault of ours.
            if not isinstance(exc, ConnectionError):
                log.error("a request failed", exc_info=exc)
            description = FAILED
        else:
            log.debug("unreadable request from %s: %s", request.remote, type(exc).__name__)
            description = TOO_LONG if isinstance(exc, LineTooLong) else UNREADABLE
        if request.writer.output_size > 0:
            raise ConnectionError("part of another answer is out already")
        response = json_reply(request, refusal_body(description), status, direct=False)
        response.force_close()
        return response
