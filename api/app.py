"""The HTTP application: every dialect on one house.

Every answer is JSON of a dialect (but /metrics, /docs and /ob/), also for a path that nobody knows.
There is no middleware (but where other origins may call): a dialect turns what goes wrong into its
own envelope, and the orders' way is as short as it can be.
"""

from collections.abc import AsyncIterator

from aiohttp import web

from api import documentation
from api.config import Config
from api.cors import add_cors
from api.dialects import (
    action_api, mining_wallet, observer_page, operator, router, user_api, user_center)
from api.metrics import CONTENT_TYPE as METRICS_TYPE
from api.metrics import Metrics
from api.replies import HEADERS, json_reply, refusal_body
from api.shell import SHELL, make_shell
from engine import House

# Each puts its routes into an app that has its shell.
DIALECTS = (router.add_routes, user_center.add_routes, mining_wallet.add_routes,
            user_api.add_routes, action_api.add_routes, operator.add_routes)


def make_app(house: House, config: Config) -> web.Application:
    """An application that answers for an open house, which it does not close.

    Raises SealError when the house's key file cannot be used.
    """
    app = web.Application(client_max_size=config.server.max_body_bytes)
    app[SHELL] = make_shell(house, config)
    for add_routes in DIALECTS:
        add_routes(app)
    documentation.add_routes(app)
    observer_page.add_routes(app)
    metrics = Metrics(app[SHELL])

    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(body=metrics.text(), headers=HEADERS | {"Content-Type": METRICS_TYPE})

    app.router.add_get("/metrics", page)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    # The last: what no other route takes, wrong methods included.
    app.router.add_route("*", "/{path:.*}", not_found)
    if config.server.cors_origins:
        add_cors(app, config.server.cors_origins)
    app.cleanup_ctx.append(_services)
    return app


async def healthz(request: web.Request) -> web.StreamResponse:
    """The process is up."""
    return json_reply(request, b'{"status":"up"}', direct=False)


async def readyz(request: web.Request) -> web.StreamResponse:
    """The replay is done (else nobody would answer) and the journal can be written."""
    if request.app[SHELL].house.stopped is not None:
        return json_reply(request, b'{"status":"stopped"}', 503)
    return json_reply(request, b'{"status":"ready"}', direct=False)


async def not_found(request: web.Request) -> web.StreamResponse:
    return json_reply(request, refusal_body("path: not known"), 404)


async def _services(app: web.Application) -> AsyncIterator[None]:
    yield
    app[SHELL].passwords.close()
