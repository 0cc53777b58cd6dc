"""The mining wallet as its clients call it: plain HTTP to a house, and users who have mined."""

import json
import urllib.parse
from types import SimpleNamespace

from api.auth import sessions
from api.config import Ore
from engine import Kind
from tests.api.conftest import NO_PASSWORD

FORM = "application/x-www-form-urlencoded"
# Ten million ORE in a second for a new miner, so that a test need not wait for any.
RICH = Ore(rate_per_force_second="100000", force_price="0.25")


def send(house, method, path, fields=None, token=None, way="json", headers=None):
    """The answer to a call: `status`, `envelope`, `headers`. `way` is how the fields are sent:
    json, form or query."""
    headers = dict(headers or {})
    if token is not None:
        headers["session"] = token
    body = None
    if fields and way == "query":
        path = f"{path}?{urllib.parse.urlencode(fields)}"
    elif fields and way == "form":
        headers["Content-Type"], body = FORM, urllib.parse.urlencode(fields)
    elif fields is not None:
        headers["Content-Type"], body = "application/json", json.dumps(fields)
    answer = house.request(method, path, body, headers)
    if not answer.headers["Content-Type"].startswith("application/json"):
        raise RuntimeError(f"{method} {path}: {answer.headers['Content-Type']}")
    envelope = json.loads(answer.body, parse_float=str)
    keys = list(envelope)
    if answer.status == 200:
        whole = envelope["status"] == "success" and keys in (["status"], ["status", "data"])
    else:
        whole = (envelope["status"] == "error" and keys == ["status", "message"]
                 and isinstance(envelope["message"], str) and envelope["message"] != "")
    if not whole:
        raise RuntimeError(f"{method} {path}: {answer.status} {envelope}")
    return SimpleNamespace(status=answer.status, envelope=envelope, headers=answer.headers)


class WalletUser:
    """A user of a house with a session that lasts ten days."""

    def __init__(self, house, username, **fields):
        self.house = house
        self.uid = house.submit(Kind.REGISTER_USER, username=username, password_hash=NO_PASSWORD,
                                group=2, **fields)
        self.token = house.run(sessions.begin(house.house, self.uid, 10 * 86_400))

    def done(self, method, path, fields=None, way="json"):
        """The `data` of a call that must be granted, None where it has none."""
        answer = send(self.house, method, path, fields, self.token, way)
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.envelope}")
        return answer.envelope.get("data")

    def refused(self, method, path, fields=None, way="json"):
        """(HTTP status, message) of a call that must be refused and change nothing."""
        before = self.house.state_hash()
        answer = send(self.house, method, path, fields, self.token, way)
        if answer.status == 200 or self.house.state_hash() != before:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.envelope}, state changed:"
                               f" {self.house.state_hash() != before}")
        return answer.status, answer.envelope["message"]

    @property
    def wallet(self):
        return self.done("GET", "/wallet/get/login/")

    @property
    def miner(self):
        return self.done("GET", "/mining/get/login/")

    def mine(self, ore):
        """Claims so much ORE, as soon as there is so much."""
        while self.done("GET", "/get/may/")["may_num"] < ore:
            pass
        self.done("PATCH", "/mining/gain/", {"num": ore})
        return self
