"""Calls a node of the bitcoind family: JSON-RPC over HTTP, one request a call.

A node that answers with an error is told apart from one that does not answer: RpcError has the
node's own code, NodeAway says that nobody knows whether the call was carried out. Numbers with a
decimal point stay the text they came as; no float is made of them.

Neither user, password nor cookie is in any text that this module makes.
"""

import asyncio
import base64
import itertools
import json
from pathlib import Path
from typing import Any

import aiohttp

ANSWER_BYTES_MAX = 16 << 20
TIMEOUT_S = 60
REASON_LENGTH_MAX = 300
UNAUTHORIZED = 401


class RpcError(Exception):
    """The node has refused a call."""

    def __init__(self, method: str, code: int, message: str):
        super().__init__(f"{method}: {message} ({code})")
        self.code = code
        self.message = message


class NodeAway(Exception):
    """No answer, or none that could be read: the call may have been carried out or not."""


class Login:
    """Who calls: a user and a password, or the cookie file that the node writes at its start."""

    def __init__(self, user: str = "", password: str = "", cookie_file: str = ""):
        self._fixed = f"{user}:{password}"
        self._cookie_file = cookie_file

    def header(self) -> str:
        """The value of `Authorization`. Raises NodeAway where the cookie cannot be read."""
        plain = self._fixed
        if self._cookie_file:
            # Read anew for each call: the node writes another one whenever it starts.
            try:
                plain = Path(self._cookie_file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "is no text"
                raise NodeAway(f"cookie file {self._cookie_file}: {reason}") from None
        return "Basic " + base64.b64encode(plain.encode()).decode()


class RpcClient:
    """Calls to one node, or to one wallet of it where the URL ends with `/wallet/NAME`."""

    def __init__(self, session: aiohttp.ClientSession, url: str, login: Login,
                 timeout_s: int = TIMEOUT_S):
        self._session = session
        self._url = url
        self._login = login
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._ids = itertools.count(1)

    async def call(self, method: str, *params: Any) -> Any:
        """The result of a call; decimals in it are texts. Raises RpcError, NodeAway."""
        number = next(self._ids)
        request = {"jsonrpc": "1.0", "id": number, "method": method, "params": params}
        status, body = await self._post(method, json.dumps(request).encode())
        if status == UNAUTHORIZED:
            raise NodeAway(f"{method}: the node does not accept this user and password")
        answer = decoded(body)
        if not isinstance(answer, dict):
            raise NodeAway(f"{method}: status {status} and no answer in JSON")
        error = answer.get("error")
        if isinstance(error, dict):
            code = error.get("code")
            raise RpcError(method, code if type(code) is int else 0,
                           str(error.get("message"))[:REASON_LENGTH_MAX])
        if error is not None or "result" not in answer or answer.get("id") != number:
            raise NodeAway(f"{method}: status {status} and an answer to something else")
        return answer["result"]

    async def _post(self, method: str, body: bytes) -> tuple[int, bytes]:
        headers = {"Authorization": self._login.header(), "Content-Type": "application/json"}
        try:
            async with self._session.post(self._url, data=body, headers=headers,
                                          timeout=self._timeout, allow_redirects=False) as response:
                return response.status, await whole_body(method, response)
        except TimeoutError:
            raise NodeAway(f"{method}: no answer in {self._timeout.total} s") from None
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise NodeAway(f"{method}: {error}"[:REASON_LENGTH_MAX]) from None


async def whole_body(method: str, response: aiohttp.ClientResponse) -> bytes:
    """All of an answer, which has its limit. Raises NodeAway beyond it."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > ANSWER_BYTES_MAX:
            raise NodeAway(f"{method}: an answer of more than {ANSWER_BYTES_MAX} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def decoded(body: bytes) -> Any:
    """JSON without floats; None where it is none."""
    try:
        return json.loads(body, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
