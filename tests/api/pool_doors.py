"""The pool's two doors as their callers knock: a house, requests made and signed here, and the
answer that says who was let in.

The server is aiohttp on a free port over a real house. Its two routes do nothing but authorize.
"""

import asyncio
import hashlib
import hmac
import http.client
import itertools
import json
import time

from aiohttp import web

from api.auth.client_tokens import (
    CallerRefused, ClientTokens, WrongScope, sealed_credential)
from api.auth.seal import Seal
from api.auth.signatures import SignedCalls
from api.numbers import InputError
from engine import Kind
from tests.api.conftest import HouseThread
from tests.api.serving import claims, signed

OK, INPUT, AUTHENTICATION, RIGHT = 0, 5010, 5020, 5040
HS256 = {"alg": "HS256", "typ": "JWT"}
_nonces = itertools.count(time.time_ns())


class Doors:
    """A house with `/user-api` and `/action-api`. Close it; the folder may be opened again."""

    def __init__(self, directory):
        self.house = HouseThread(directory)
        self.seal = Seal.open(directory)
        try:
            self.house.run(self._open())
        except BaseException:
            self.house.close()
            raise

    async def _open(self):
        tokens = ClientTokens(self.house.house, self.seal)
        calls = SignedCalls(self.house.house, tokens, "operator")

        async def user_api(request):
            client = await tokens.client(request.headers.get("Authorization", ""), "account",
                                         rnd_text=False)
            return {"client": client._asdict()}

        async def action_api(request):
            call = await calls.call(request)
            return {"client": call.client._asdict(), "action": call.action, "given": call.given}

        app = web.Application()
        app.router.add_route("*", "/user-api", enveloped(user_api))
        app.router.add_post("/action-api", enveloped(action_api))
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    def close(self):
        self.house.run(self._runner.cleanup())
        self.house.close()

    def new_credential(self, client_id, scope="operator", uid=None):
        """What its owner has of it."""
        own = {"clientId": client_id, "secretKey": f"key of {client_id}, kept well",
               "secretSalt": f"salt of {client_id}, kept well"}
        self.house.submit(Kind.ADD_CREDENTIAL, **sealed_credential(
            self.seal, client_id, own["secretKey"], own["secretSalt"], scope, uid))
        return own

    def post(self, path, token, body=b""):
        """The envelope of an answer; `token` None sends no Authorization."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = token
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
            return json.loads(answer.read())
        finally:
            connection.close()

    def user_api(self, token):
        return self.post("/user-api", token)

    def action_api(self, token, body):
        """`body`: bytes as they are, or what `signed_body` gives."""
        return self.post("/action-api", token, body if isinstance(body, bytes) else written(body))

    def refused(self, call, *arguments):
        """(code, message) of a call that must be refused and leave nothing in the journal."""
        before = self.house.house.seq
        envelope = call(*arguments)
        if envelope["code"] == OK or envelope["data"] is not None or not envelope["message"]:
            raise RuntimeError(f"{arguments}: {envelope}")
        if self.house.house.seq != before:
            raise RuntimeError(f"{arguments}: refused, and yet there was a command")
        return envelope["code"], envelope["message"]

    def done(self, call, *arguments):
        """The `data` of a call that must be let in."""
        envelope = call(*arguments)
        if envelope["code"] != OK or envelope["message"] is not None:
            raise RuntimeError(f"{arguments}: {envelope}")
        return envelope["data"]

    def at_once(self, paths_tokens_bodies):
        """The envelopes of calls that are on their way at the same time."""
        async def together():
            return await asyncio.gather(*(asyncio.to_thread(self.post, *call)
                                          for call in paths_tokens_bodies))
        return asyncio.run(together())


def state_of(house):
    """A hash of all of a house's state but the nonces, which a refused call may have spent."""
    async def hashed():
        digest = hashlib.sha256()
        for name, pieces in house.house.core.parts():
            digest.update(name.encode())
            for piece in pieces if name != "nonces" else ():
                digest.update(piece)
        return digest.hexdigest()
    return house.run(hashed())


def enveloped(call):
    """A route that answers as the pool's documents say."""
    async def answer(request):
        try:
            code, shown, message = OK, await call(request), None
        except CallerRefused as error:
            code, shown, message = AUTHENTICATION, None, str(error)
        except WrongScope as error:
            code, shown, message = RIGHT, None, str(error)
        except InputError as error:
            code, shown, message = INPUT, None, str(error)
        return web.json_response({"code": code, "data": shown, "message": message})
    return answer


def token_of(credential, key=None, head=HS256, **changes):
    """A JWT as a credential's owner makes it, but for the changes."""
    key = credential["secretKey"] if key is None else key
    return signed(head, claims(credential["clientId"], **changes), key.encode())


def sign_of(credential, action, at, text, nonce):
    """The hex HMAC over the parts as they are written; `at` is the literal text."""
    message = action + at + text + nonce + credential["secretSalt"]
    return hmac.new(credential["secretKey"].encode(), message.encode(), hashlib.sha256).hexdigest()


def signed_body(credential, given=None, *, action="Account.GetBindInfo", at=None, text=None,
                nonce=None):
    """The fields of a body that its owner has signed; `at` is the literal text of the number."""
    at = f"{time.time():.3f}" if at is None else at
    text = json.dumps(given or {}) if text is None else text
    nonce = str(next(_nonces)) if nonce is None else nonce
    return {"action": action, "at": at, "data": text, "signNonce": nonce,
            "sign": sign_of(credential, action, at, text, nonce)}


def written(body):
    """A body as bytes, its `at` as the number of that very text."""
    fields = ((name, value if name == "at" else json.dumps(value)) for name, value in body.items())
    return ("{" + ", ".join(f'"{name}": {text}' for name, text in fields) + "}").encode()
