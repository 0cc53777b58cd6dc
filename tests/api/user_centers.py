"""The user center as its callers see it: plain HTTP to a house, and users with a right each."""

import json
import secrets
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import argon2

from api.auth import sessions
from api.auth.passwords import Passwords
from api.dialects.user_center_codes import NUMBERS, code_of
from engine import Kind
from tests.api.conftest import NO_PASSWORD, cheap_hashes

FORM = "application/x-www-form-urlencoded"
PASSWORD = "correct horse"
PAY_PASSWORD = "135790"
RIGHTS = {"deputy": {"act_for_users": 1}, "banker": {"manage_balances": 1},
          "steward": {"act_for_users": 1, "manage_balances": 1}}
REASONS = {number: reason for reason, number in NUMBERS.items()}


def multipart(fields):
    """Body and type of a form whose lists are repeated names."""
    boundary = secrets.token_hex(8)
    body = ""
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            body += (f"--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n"
                     f"{one}\r\n")
    return f"{body}--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def send(house, name, fields=None, token=None, way="json", path=None, method="POST"):
    """The answer to a call: `http`, `status`, `data`, `code`, `message`, `reason`. `way` is how the
    fields are sent: json, form (lists as repeated names), multipart or query."""
    path, headers, body = path or f"/api/{name}", {}, None
    if token is not None:
        headers["token"] = token
    if way == "json" and fields is not None:
        headers["Content-Type"], body = "application/json", json.dumps(fields)
    elif way == "form":
        headers["Content-Type"], body = FORM, urllib.parse.urlencode(fields, doseq=True)
    elif way == "multipart":
        body, headers["Content-Type"] = multipart(fields)
    elif way == "query":
        path += "?" + urllib.parse.urlencode(fields, doseq=True)
    return read(house.request(method, path, body, headers), name)


def read(answer, name):
    """An answer to that call, its envelope checked."""
    envelope = json.loads(answer.body)
    assert answer.headers["Content-Type"].startswith("application/json")
    assert list(envelope) == ["status", "data", "code", "message"], envelope
    reason = None
    if envelope["status"] == 1:
        assert (answer.status, envelope["code"], envelope["message"]) == (200, 0, ""), envelope
    else:
        assert envelope["status"] == 0 and envelope["message"], envelope
        reason = REASONS.get(envelope["code"] % 100)
        assert envelope["code"] == code_of(name, reason or "") , envelope
    return SimpleNamespace(http=answer.status, reason=reason, **envelope)


def done(house, name, fields, token=None, **way):
    """The `data` of a call that must be granted."""
    answer = send(house, name, fields, token, **way)
    assert answer.status == 1, answer
    return answer.data


def refused(house, name, fields, token=None, **way):
    """(reason, message) of a call that must be refused and change nothing."""
    before = house.state_hash()
    answer = send(house, name, fields, token, **way)
    assert answer.status == 0 and answer.http == 200, answer
    assert house.state_hash() == before
    return answer.reason, answer.message


_users = 0


def new_user(house, kind="user", password_hash=NO_PASSWORD, pay_password_hash=None, **deposits):
    """A user with a session: an ordinary one, one of RIGHTS, or an `admin`."""
    global _users
    _users += 1
    name = f"{kind}{_users}"
    uid = house.submit(Kind.REGISTER_USER, username=name, password_hash=password_hash,
                       group=1 if kind == "admin" else 2)
    if kind in RIGHTS:
        house.submit(Kind.SET_PERMISSIONS, uid=uid, fields=RIGHTS[kind])
    if pay_password_hash is not None:
        house.submit(Kind.SET_PAY_PASSWORD, uid=uid, password_hash=pay_password_hash)
    for coin, amount in deposits.items():
        house.submit(Kind.DEPOSIT, uid=uid, coin=house.house.core.coins.by_name(coin).number,
                     amount=amount, txid=f"{name}-{coin}")
    return SimpleNamespace(uid=uid, name=name, token=new_token(house, uid))


def new_token(house, uid):
    return house.run(sessions.begin(house.house, uid))


def hashed(house, password):
    """A real hash, cheap to check."""
    async def run():
        passwords = Passwords()
        try:
            return await passwords.hash(password)
        finally:
            passwords.close()
    with cheap_hashes():
        return house.run(run())


def balance(house, user, coin="BTC"):
    """(available, frozen) in units."""
    number = house.house.core.coins.by_name(coin).number
    return tuple(house.house.core.balance(user.uid, number))



class Hashing:
    """Holds up the hashing of passwords, so that something can happen meanwhile."""

    def __init__(self, monkeypatch):
        self._begun, self._may_go_on = threading.Event(), threading.Event()
        for work in ("hash", "verify"):
            monkeypatch.setattr(argon2.PasswordHasher, work,
                                self._held(getattr(argon2.PasswordHasher, work)))

    def _held(self, work):
        def held(*arguments):
            self._begun.set()
            self._may_go_on.wait(60)
            return work(*arguments)
        return held

    def during(self, call, *arguments):
        """Begins a call in a thread; returns once its password is being hashed."""
        thread = ThreadPoolExecutor(1)
        answer = thread.submit(call, *arguments)
        thread.shutdown(wait=False)
        self._begun.wait(60)
        return answer

    def ended(self, answer):
        """What that call was answered."""
        self._may_go_on.set()
        return answer.result(60)
