"""A keep-alive HTTP/1.1 connection with one request at a time, for clients whose server dies.

Whatever arrived whole before the connection broke counts as answered; only the rest is Cut.
"""

import asyncio
import json
import urllib.parse


class Cut(Exception):
    """The connection ended before the whole answer: nobody knows whether it was carried out."""


class Connection(asyncio.Protocol):
    """Use `connect`, then `post` and `get`; they give the answer's JSON."""

    def __init__(self):
        self._buffer = bytearray()
        self._answer: asyncio.Future[dict] | None = None
        self._lost = False
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, host: str, port: int) -> "Connection":
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def router(self, name: str, session: str, **parameters: str) -> dict:
        """The envelope of a router call."""
        return await self.request(
            "POST", f"/router?router={name}", urllib.parse.urlencode(parameters),
            {"session": session, "Content-Type": "application/x-www-form-urlencoded"})

    async def operator(self, method: str, path: str, token: str, body: dict | None = None) -> dict:
        """The envelope of an operator call."""
        return await self.request(
            method, f"/operator/{path}", "" if body is None else json.dumps(body),
            {"token": token, "Content-Type": "application/json"})

    async def request(self, method: str, path: str, body: str, headers: dict[str, str]) -> dict:
        """Raises Cut."""
        if self._lost:
            raise Cut
        content = body.encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: house\r\nContent-Length: {len(content)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + b"\r\n" + content)
        return await self._answer

    def close(self) -> None:
        self._transport.close()

    # -- asyncio.Protocol -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, part: bytes) -> None:
        self._buffer += part
        head, blank, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not blank:
            return
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length:"))
        if len(rest) < length:
            return
        # One request at a time: nothing can follow its answer.
        self._buffer.clear()
        self._answer.set_result(json.loads(rest[:length]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Cut())
