"""The address that a house answers at, with limits on its connections: how many, and how long.

aiohttp's own site has none: without them one caller could take every file descriptor of the
process, the journal's next segment included, or hold all connections for ever and say nothing.
"""

import asyncio
import logging
import ssl

from aiohttp import web

from api.access_log import AccessLog
from api.connection import HELD_MAX_S, Connection

LOOK_EVERY_S = 5
CROWDED_BODY = b'{"status":false,"data":"","description":"too many connections"}'
CROWDED = (b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"
           b"Retry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
           % (len(CROWDED_BODY), CROWDED_BODY))


class LimitedSite(web.BaseSite):
    """An address that holds at most so many connections; the next one is told so and closed."""

    def __init__(self, runner: web.BaseRunner, host: str, port: int, *, connections_max: int,
                 held_max_s: float = HELD_MAX_S, ssl_context: ssl.SSLContext | None = None,
                 backlog: int = 128, access_log: logging.Logger | None = None):
        """connections_max: 0 for no limit. port: 0 for any free one (see `runner.addresses`).

        held_max_s: how long a connection may be silent, and how long a request may take.
        """
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog)
        self._host = host
        self._port = port
        self._connections_max = connections_max
        self._held_max_s = held_max_s
        self._access_log = access_log
        self._looking: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        return f"{'https' if self._ssl_context else 'http'}://{self._host}:{self._port}"

    async def start(self) -> None:
        await super().start()
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol, self._host, self._port, ssl=self._ssl_context, backlog=self._backlog)
        self._close_held()

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        await super().stop()

    def _protocol(self) -> asyncio.Protocol:
        server = self._runner.server
        if self._connections_max and len(server.connections) >= self._connections_max:
            return Crowded()
        return Connection(server, loop=asyncio.get_running_loop(), access_log=self._access_log,
                          access_log_class=AccessLog)

    def _close_held(self) -> None:
        """Close the connections that were held for too long, now and every few seconds."""
        loop = asyncio.get_running_loop()
        # First, so that a fault of one connection does not end the watch over all others.
        self._looking = loop.call_later(min(LOOK_EVERY_S, self._held_max_s), self._close_held)
        oldest_s = loop.time() - self._held_max_s
        for connection in self._runner.server.connections:
            if connection.held_since_s < oldest_s:
                transport = connection.transport
                connection.force_close()
                # Else it would wait for ever until its client has read what is left.
                if transport is not None and transport.get_write_buffer_size():
                    transport.abort()


class Crowded(asyncio.Protocol):
    """Says that there is no room, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(CROWDED)
        transport.close()
