"""JSON answers, and the shortest way to send one.

A `DirectReply` writes head and body as one block, made here: aiohttp's own response costs as much
as all the rest of our work on an order. It serves the common case, HTTP/1.1 with keep-alive and a
short body; for everything else `json_reply` gives an ordinary response with the same content.
"""

import time
from email.utils import formatdate

import msgspec
from aiohttp import HttpVersion11, web

CONTENT_TYPE = "application/json"
# A longer answer goes aiohttp's way, which waits for a client that reads slowly.
DIRECT_BYTES_MAX = 256 << 10
# A client that asks on and does not read gets no more than this stored for it.
UNREAD_BYTES_MAX = 4 << 20
HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nDate: %b\r\n"
        b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        b"Content-Length: %d\r\n\r\n%b")
# Which versions we run is nobody's business: aiohttp would name them.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": "orebook"}

_date = (0, b"")        # second, as HTTP writes it


class DirectReply(web.StreamResponse):
    """Status 200 and a JSON body to a HTTP/1.1 request that keeps its connection."""

    def __init__(self, body: bytes):
        super().__init__()
        self._direct_body = body
        self._transport = None

    async def prepare(self, request: web.BaseRequest) -> None:
        self._keep_alive = True
        self._transport = request.transport

    async def write_eof(self, chunk: bytes = b"") -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        transport.write(HEAD % (_http_date(), len(self._direct_body), self._direct_body))
        if transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            transport.abort()

    @property
    def body_length(self) -> int:
        return len(self._direct_body)


def json_reply(request: web.BaseRequest, body: bytes, status: int = 200, *,
               direct: bool = True) -> web.StreamResponse:
    """A response with that JSON; `direct` False where headers are to be added to it."""
    if (direct and status == 200 and request.keep_alive and request.version == HttpVersion11
            and request.method != "HEAD" and len(body) <= DIRECT_BYTES_MAX):
        return DirectReply(body)
    return web.Response(body=body, status=status, content_type=CONTENT_TYPE, charset="utf-8",
                        headers=HEADERS)


def refusal_body(description: str) -> bytes:
    """A refusal in the envelope of the exchange router, and of all that is no dialect's own."""
    # A name that came in the URL may hold what no encoding can write.
    shown = description.encode("utf-8", "replace").decode()
    return b'{"status":false,"data":"","description":%b}' % msgspec.json.encode(shown)


def _http_date() -> bytes:
    global _date
    now_s = int(time.time())
    if _date[0] != now_s:
        _date = (now_s, formatdate(now_s, usegmt=True).encode())
    return _date[1]
