"""The least that an aiohttp server can do with a request: read its body, answer so many bytes.

`python -m bench.bare PORT BYTES`; what a house's request costs is measured against it.
"""

import asyncio
import sys

import uvloop
from aiohttp import web


def make_app(body: bytes) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/router", answer)
    return app


async def serve(port: int, body: bytes) -> None:
    runner = web.AppRunner(make_app(body), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    port, size = map(int, sys.argv[1:])
    uvloop.run(serve(port, b'{"status":true}'.ljust(size)))
