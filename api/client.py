"""Calls a running house over HTTP: what the command line and the demo speak through.

One client is one caller: by name and password, or (operator calls and the pool's actions) by a
client credential, which signs a token of its own for every call. A refusal is an exception that
carries the house's own words; nothing is retried, because a call whose answer is lost may have been
carried out.
"""

import hashlib
import hmac
import json
import secrets
import time
from typing import Any, Self

import aiohttp
from joserfc import jwt
from joserfc.jwk import OctKey

TOKEN_LIFETIME_S = 60
TIMEOUT_S = 60
FILE_TYPE = "text/csv"


class CallRefused(Exception):
    """The house said no. `code` is the dialect's number (0 where it has none)."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


class Unreachable(Exception):
    """No answer that can be understood came from that address."""


class HouseClient:
    """An async context manager around one HTTP session.

    A caller is shown by `login_operator`, `login` or the arguments; without, calls are nobody's.
    """

    def __init__(self, url: str, client_id: str = "", secret_key: str = "", secret_salt: str = ""):
        """url: where the house answers, as `http://127.0.0.1:8088`. Actions need the salt too."""
        self.url = url.rstrip("/")
        self._client_id = client_id
        self._secret_key = secret_key
        self._secret_salt = secret_salt
        self._key = OctKey.import_key(secret_key) if client_id else None
        self._token = ""
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *exc_details) -> None:
        await self._session.close()

    async def login_operator(self, user: str, password: str) -> None:
        """Logs in as a group-1 user; later operator calls are this user's."""
        granted = await self.operator("POST", "login", {"user": user, "password": password})
        self._token = granted["token"]

    async def login(self, user: str, password: str) -> None:
        """Logs in through the router dialect; later router calls are this user's."""
        self._token = await self.router("login", user=user, **{"pass": password})

    async def operator(self, method: str, path: str, body: dict | list | None = None,
                       query: dict[str, str] | None = None) -> Any:
        """One call of the operator API; returns what it answers with. CallRefused, Unreachable."""
        return self._of_envelope(await self._request(
            method, f"/operator/{path}", self._caller(), json=body, params=query))

    async def operator_file(self, path: str, query: dict[str, str]) -> bytes:
        """A file that a GET of the operator API gives. CallRefused, Unreachable."""
        reply = await self._request("GET", f"/operator/{path}", self._caller(), params=query)
        if not isinstance(reply, bytes):
            self._of_envelope(reply)
            raise Unreachable(f"{self.url} does not answer with a file")
        return reply

    async def action(self, name: str, given: dict) -> Any:
        """One signed action of the pool; what it answers with. CallRefused, Unreachable."""
        at, text = str(int(time.time())), json.dumps(given)
        nonce = str(10 ** 9 + secrets.randbelow(10 ** 9))
        signed = name + at + text + nonce + self._secret_salt
        sign = hmac.new(self._secret_key.encode(), signed.encode(), hashlib.sha256).hexdigest()
        body = {"action": name, "at": int(at), "data": text, "signNonce": nonce, "sign": sign}
        return self._of_envelope(await self._request("POST", "/action-api", self._caller(),
                                                     json=body))

    def _of_envelope(self, reply: Any) -> Any:
        """The `data` of `{"code", "data", "message"}`."""
        if not isinstance(reply, dict) or not isinstance(reply.get("code"), int):
            raise Unreachable(f"{self.url} does not answer like an Orebook house")
        if reply["code"] != 0:
            raise CallRefused(reply["code"], str(reply.get("message")))
        return reply["data"]

    async def router(self, name: str, *, method: str = "POST", **parameters: str) -> Any:
        """One call of the exchange router; what it answers with. CallRefused, Unreachable."""
        headers = {"session": self._token} if self._token else {}
        arguments = {"data": parameters} if method == "POST" else {}
        query = {"router": name} | ({} if method == "POST" else parameters)
        reply = await self._request(method, "/router", headers, params=query, **arguments)
        if not isinstance(reply, dict) or not isinstance(reply.get("status"), bool):
            raise Unreachable(f"{self.url} does not answer like an Orebook house")
        if not reply["status"]:
            raise CallRefused(0, str(reply.get("description")))
        return reply["data"]

    def _caller(self) -> dict[str, str]:
        """The header that shows who calls the operator API."""
        if self._key is not None:
            # rnd is eight digits at least: never with a leading zero.
            claims = {"clientId": self._client_id, "rnd": 10 ** 18 + secrets.randbelow(10 ** 18),
                      "exp": int(time.time()) + TOKEN_LIFETIME_S}
            return {"Authorization": jwt.encode({"alg": "HS256"}, claims, self._key)}
        return {"token": self._token} if self._token else {}

    async def _request(self, method: str, path: str, headers: dict[str, str], **arguments) -> Any:
        try:
            async with self._session.request(method, self.url + path, headers=headers,
                                             **arguments) as response:
                if response.content_type == FILE_TYPE:
                    return await response.read()
                return await response.json(content_type=None)
        except TimeoutError:
            raise Unreachable(f"{self.url} did not answer within {TIMEOUT_S} s; what was asked for "
                              "may still have been done") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise Unreachable(f"{self.url}: {error}") from None
