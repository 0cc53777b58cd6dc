"""The pool's user API as a miner's program calls it: plain HTTP with a JWT of its own, and shares
as a front end of the pool counts them."""

import json
import time
from types import SimpleNamespace
from urllib.parse import quote, urlencode

from api.auth.client_tokens import sealed_credential
from api.auth.seal import Seal
from engine import Kind, Result, add_shares
from pool.share_book import packed_batch
from tests.api.conftest import NO_PASSWORD, HouseThread
from tests.api.serving import token_of

ONE = 1 << 16               # a difficulty of 1
BTC = 1
MINUTE_S = 60


class Pool:
    """A house that mines BTC; `names` has the number of each sub-account."""

    def __init__(self, directory, mined=True, **sections):
        """mined: whether BTC's network is to be set."""
        self.house = HouseThread(directory, **sections)
        self.seal = Seal.open(directory)
        self.names: dict[str, int] = {}
        if mined:
            self.set_network(BTC)

    def close(self):
        self.house.close()

    def set_network(self, coin, difficulty="1000", subsidy=625_000_000, fees=0):
        self.house.submit(Kind.SET_NETWORK, coin=coin, difficulty=difficulty, subsidy=subsidy,
                          fees_per_block=fees)

    def add_user(self, name, *sub_accounts):
        """A main account with its first sub-account and others; the uid."""
        added = self.house.submit(Kind.ADD_ACCOUNT, username=name, password_hash=NO_PASSWORD,
                                  email=f"{name}@example.org")
        self.names[name] = added["account"]
        for own in sub_accounts:
            self.names[own] = self.house.submit(
                Kind.ADD_SUB_ACCOUNT, uid=added["uid"], name=own, theory_speed=0, description="",
                worker_count=0)
        return added["uid"]

    def add_credential(self, client_id, uid, scope="account"):
        """What its owner has of it."""
        own = {"clientId": client_id, "secretKey": f"key of {client_id}, kept well",
               "secretSalt": f"salt of {client_id}, kept well"}
        self.house.submit(Kind.ADD_CREDENTIAL, **sealed_credential(
            self.seal, client_id, own["secretKey"], own["secretSalt"], scope, uid))
        return own

    def add_shares(self, account, *rows):
        """Shares of a sub-account's workers: (worker, accepted, rejected, difficulty, seconds
        ago). The difficulty is a whole number."""
        now_s = int(time.time())
        batch = packed_batch(
            [(self.names[account], worker.encode()) for worker, *_ in rows],
            [(number, BTC, accepted, rejected, difficulty * ONE, now_s - ago_s)
             for number, (_, accepted, rejected, difficulty, ago_s) in enumerate(rows)])

        async def submit():
            return await self.house.house.submit(add_shares(batch))
        reply = self.house.run(submit())
        if reply.code != Result.OK:
            raise RuntimeError(f"{rows}: {reply}")

    # -- calls ------------------------------------------------------------------------------------

    def request(self, path, credential=None, method="GET", body=None, token=None, **query):
        """The answer as it came; `token` in place of one that the credential's owner makes."""
        headers = {"Content-Type": "application/json"}
        if credential is not None:
            token = token_of(credential)
        if token is not None:
            headers["Authorization"] = token
        path = f"/user-api/{path}"
        if query:
            path += "?" + urlencode(query, quote_via=quote, doseq=True)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return self.house.request(method, path, body, headers)

    def call(self, path, credential=None, **options):
        """The envelope of a call, its form checked."""
        answer = self.request(path, credential, **options)
        if answer.status != 200 or answer.headers["Content-Type"] != CONTENT_TYPE:
            raise RuntimeError(f"{path}: {answer.status} {answer.headers['Content-Type']}")
        envelope = SimpleNamespace(**json.loads(answer.body))
        if list(vars(envelope)) != ["code", "data", "message"]:
            raise RuntimeError(f"{path}: {envelope}")
        if (envelope.code == 0) != (envelope.message is None):
            raise RuntimeError(f"{path}: {envelope}")
        if envelope.code != 0 and (envelope.data is not None or not envelope.message):
            raise RuntimeError(f"{path}: {envelope}")
        return envelope

    def done(self, path, credential, **options):
        """The `data` of a call that must be granted."""
        envelope = self.call(path, credential, **options)
        if envelope.code != 0:
            raise RuntimeError(f"{path}: {envelope}")
        return envelope.data

    def refused(self, path, credential=None, **options):
        """(code, message) of a call that must be refused and leave nothing in the journal."""
        before = self.house.house.seq
        envelope = self.call(path, credential, **options)
        if envelope.code == 0:
            raise RuntimeError(f"{path}: {envelope}")
        if self.house.house.seq != before:
            raise RuntimeError(f"{path}: refused, and yet there was a command")
        return envelope.code, envelope.message


CONTENT_TYPE = "application/json; charset=utf-8"
