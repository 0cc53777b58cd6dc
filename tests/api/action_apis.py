"""The action API as the operator of a pool calls it: signed bodies, over plain HTTP to a house."""

import json
import secrets
from concurrent.futures import ThreadPoolExecutor

from api.auth.client_tokens import sealed_credential
from api.auth.seal import Seal
from engine import Kind
from tests.api.conftest import NO_PASSWORD
from tests.api.pool_doors import signed_body, state_of, token_of, written

PATH = "/action-api"
AT_ONCE = 16
OK, INPUT, AUTHENTICATION, OPERATION, RIGHT, SYSTEM = 0, 5010, 5020, 5030, 5040, 5050


class ActionApi:
    """A house and a credential of scope `operator` for it."""

    def __init__(self, house, scope="operator", uid=None):
        """house: a HouseThread, which it does not close."""
        self.house = house
        self.own = {"clientId": f"client-{secrets.token_hex(4)}",
                    "secretKey": secrets.token_hex(16), "secretSalt": secrets.token_hex(8)}
        house.submit(Kind.ADD_CREDENTIAL, **sealed_credential(
            Seal.open(house.config.data.dir), self.own["clientId"], self.own["secretKey"],
            self.own["secretSalt"], scope, uid))

    @property
    def core(self):
        return self.house.house.core

    def post(self, body, token=None, path=PATH, method="POST"):
        """The envelope of an answer, its form checked. `body`: bytes, or what `signed_body` gives;
        `token` None makes a good one, "" sends none."""
        token = token_of(self.own) if token is None else token
        headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
        answer = self.house.request(
            method, path, body if isinstance(body, bytes) else written(body), headers)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        envelope = json.loads(answer.body)
        assert list(envelope) == ["code", "data", "message"], envelope
        if envelope["code"] == OK:
            assert envelope["message"] is None, envelope
        else:
            assert envelope["data"] is None and envelope["message"], envelope
        return envelope

    def text(self, action, text, **sent):
        """The envelope of an action whose `data` is that text."""
        return self.post(signed_body(self.own, action=action, text=text), **sent)

    def call(self, action, **fields):
        """The envelope of an action with these fields."""
        return self.text(action, json.dumps(fields))

    def at_once(self, action, texts):
        """The envelopes of an action with each of these texts as `data`, sent side by side."""
        signed = [(signed_body(self.own, action=action, text=text), token_of(self.own))
                  for text in texts]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(lambda one: self.post(*one), signed))

    def done(self, action, **fields):
        """The `data` of an action that must be done."""
        envelope = self.call(action, **fields)
        assert envelope["code"] == OK, envelope
        return envelope["data"]

    def refused(self, action, **fields):
        """(code, message) of an action that must be refused, and change nothing."""
        return self.refused_text(action, json.dumps(fields))

    def refused_text(self, action, text):
        """As `refused`, with the text of `data`."""
        before = state_of(self.house)
        envelope = self.text(action, text)
        assert envelope["code"] != OK, envelope
        assert state_of(self.house) == before, f"{action} {text}: refused, and changed something"
        return envelope["code"], envelope["message"]

    def new_account(self, name, password_hash=NO_PASSWORD, **contact):
        """A main account with its first sub-account: uid and account."""
        return self.house.submit(Kind.ADD_ACCOUNT, username=name, password_hash=password_hash,
                                 **(contact or {"email": f"{name}@example.org"}))


# What a field of each form must not take, as JSON; each is refused by the field's name. Of another
# form, for the reason that is named first; then what has the form, and yet is none.
NO_TEXTS = ("must be a string", ("1", "true", '["a"]', '{"a": 1}'), ('"\\ud800"',))
NO_NUMBERS = ("must be a number", ('"1"', "true", "[1]", '{"a": 1}', '""'),
              ("-1", "NaN", "Infinity", "1e999"))
NO_FLAGS = ("must be true or false", ('"true"', "1", "0", "[]", '""'), ())
NO_LISTS = ("must be a list of strings",
            ('"a"', "1", "[1]", '["a", null]', '[["a"]]', '{"a": 1}', "true"), ('["\\ud800"]',))
WRONG = {"text": NO_TEXTS, "choice": (*NO_TEXTS[:2], (*NO_TEXTS[2], '"x"')), "number": NO_NUMBERS,
         "integer": (*NO_NUMBERS[:2], (*NO_NUMBERS[2], "1.5")), "boolean": NO_FLAGS,
         "texts": NO_LISTS}


def misfits(operation, never=()):
    """(field, JSON text, reason or "") for all that the fields of a described action must not
    take; `never`: more that none of its fields may be."""
    for field in operation.fields:
        reason, other_form, none = WRONG[field.form]
        for text in other_form:
            yield field.name, text, reason
        for text in (*none, *never):
            yield field.name, text, ""
        if field.required:
            yield field.name, "null", "is missing"


def check_fields(api, action, good, operation, never=()):
    """Every field of an action refuses what it must, by its name, and nothing has changed: `good`
    are fields that would be taken. So does a field that is missing, and one too many."""
    written_as = {name: json.dumps(value) for name, value in good.items()}
    trials = [(written_as | {name: text}, name, reason)
              for name, text, reason in misfits(operation, never)]
    trials += [({name: text for name, text in written_as.items() if name != field.name},
                field.name, "is missing") for field in operation.fields if field.required]
    trials.append((written_as | {"colour": '"red"'}, "colour", "is not a field of this action"))
    before = state_of(api.house)
    for (fields, name, reason), envelope in zip(trials, api.at_once(action, (
            "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in fields.items()) + "}"
            for fields, _, _ in trials)), strict=True):
        named, _, why = (envelope["message"] or "").partition(": ")
        assert (envelope["code"], named) == (INPUT, name), (fields, envelope)
        assert why == reason or not reason and why, (fields, envelope)
    assert state_of(api.house) == before, f"{action}: what was refused has changed something"
