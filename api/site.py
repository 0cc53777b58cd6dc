"""The address that a house answers at, with a limit on the connections held at once.

aiohttp's own site has none: without it one caller could take every file descriptor of the process,
the journal's next segment included.
"""

import asyncio
import ssl

from aiohttp import web

CROWDED_BODY = b'{"status":false,"data":"","description":"too many connections"}'
CROWDED = (b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"
           b"Retry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
           % (len(CROWDED_BODY), CROWDED_BODY))


class LimitedSite(web.BaseSite):
    """An address that holds at most so many connections; the next one is told so and closed."""

    def __init__(self, runner: web.BaseRunner, host: str, port: int, *, connections_max: int,
                 ssl_context: ssl.SSLContext | None = None, backlog: int = 128):
        """connections_max: 0 for no limit. port: 0 for any free one (see `runner.addresses`)."""
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog)
        self._host = host
        self._port = port
        self._connections_max = connections_max

    @property
    def name(self) -> str:
        return f"{'https' if self._ssl_context else 'http'}://{self._host}:{self._port}"

    async def start(self) -> None:
        await super().start()
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol, self._host, self._port, ssl=self._ssl_context, backlog=self._backlog)

    def _protocol(self) -> asyncio.Protocol:
        server = self._runner.server
        if self._connections_max and len(server.connections) >= self._connections_max:
            return Crowded()
        return server()


class Crowded(asyncio.Protocol):
    """Says that there is no room, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(CROWDED)
        transport.close()
