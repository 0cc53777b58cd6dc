"""Lets pages of other origins call, those that `[server] cors_origins` names and no others.

With "*" any page may call, but without cookies: a page that nobody knows must not act as the user.
"""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

ANY = "*"
METHODS = "GET, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = "Authorization, Content-Type, session, token"
MAX_AGE_S = 600


class Origins:
    """The origins that may call."""

    def __init__(self, origins: tuple[str, ...]):
        self._origins = frozenset(origin.rstrip("/") for origin in origins)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """A signal of aiohttp: runs before each response's headers go out."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if origin in self._origins:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
        elif ANY in self._origins:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = ANY


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def answer_preflights(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What a browser asks before it sends a request that a form could not; the rest goes on."""
    if (request.method != hdrs.METH_OPTIONS
            or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers):
        return await handler(request)
    return web.Response(status=204, headers={
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: METHODS,
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: REQUEST_HEADERS,
        hdrs.ACCESS_CONTROL_MAX_AGE: str(MAX_AGE_S),
    })


def add_cors(app: web.Application, origins: tuple[str, ...]) -> None:
    """Answer preflights on every path, and mark all other answers."""
    app.middlewares.append(answer_preflights)
    app.on_response_prepare.append(Origins(origins).add_headers)
