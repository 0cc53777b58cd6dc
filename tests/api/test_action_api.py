"""The action API's frame: paths, envelope, codes, who may call; and that its actions are those of
the published document, with its fields."""

import json
import re

import pytest

from api.config import Server
from api.dialects.action_api import ACTIONS, OPERATIONS
from api.numbers import Number
from tests.api.action_apis import (
    AUTHENTICATION, INPUT, OPERATION, PATH, RIGHT, SYSTEM, ActionApi)
from tests.api.pool_doors import signed_body, state_of, token_of
from tests.api.test_docs_examples import shape
from tests.api.test_published_clients import SEEDS
from tests.support.pages import parsed

# How the document calls the type of a field, and what may be described for it.
FORMS = {"string": ("text", "choice"), "double": ("number",), "int": ("integer",),
         "bool": ("boolean",), "string[]": ("texts",), "date": ("text",), "datetime": ("text",)}
HEAD = "字段 是否必须 类型 描述"


@pytest.fixture(scope="module")
def api(house):
    return ActionApi(house)


def actions_of_the_document():
    """{name: (its fields with their types, the `data` of its example)}"""
    sections = re.split(r"^9\.\d\.\d+\. ", (SEEDS / "pool-action-api.md").read_text(),
                        flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        name = re.search(r"^action: (\S+)$", section, re.MULTILINE)[1]
        asked, _, answered = section.partition("返回值:")
        _, _, table = asked.partition(HEAD)
        rows = re.findall(r"^(\w+) (\w+(?:\[\])?)(?: .*)?$", table, re.MULTILINE)
        example = re.search(r"^\{.*^\}", answered, re.MULTILINE | re.DOTALL)[0]
        found[name] = (dict(rows), parsed(example)["data"])
    return found


@pytest.mark.skipif(not SEEDS.is_dir(), reason="../shared is not beside the checkout")
def test_the_actions_and_their_fields_are_those_of_the_document():
    document = actions_of_the_document()
    assert len(document) == 45
    described = {operation.name: operation for operation in OPERATIONS}
    assert described.keys() == ACTIONS.keys() == document.keys()
    for name, (fields, _) in document.items():
        forms = {field.name: field.form for field in described[name].fields}
        assert forms.keys() == fields.keys(), name
        for field, form in forms.items():
            assert form in FORMS[fields[field]], (name, field)


@pytest.mark.skipif(not SEEDS.is_dir(), reason="../shared is not beside the checkout")
@pytest.mark.parametrize("first", ["Account.", "SubAccount."])
def test_answers_have_the_names_and_types_of_the_document(first):
    described = {operation.name: operation for operation in OPERATIONS}
    for name, (_, example) in actions_of_the_document().items():
        if name.startswith(first):
            answers = parsed(json.dumps(described[name].answers))
            assert names_and_types(answers) == names_and_types(example), name


def names_and_types(value):
    """As `shape`, but the order of names does not count."""
    if isinstance(value, list):
        return sorted({str(names_and_types(entry)) for entry in value})
    if isinstance(value, dict):
        return {name: names_and_types(value[name]) for name in sorted(value)}
    return shape(value)


# -- the way in ------------------------------------------------------------------------------------

def test_both_paths_are_the_same(api):
    api.new_account("both-paths")
    for path in (PATH, "/"):
        body = signed_body(api.own, {"account": "both-paths"}, action="Account.GetBindInfo")
        assert api.post(body, path=path)["data"] == {
            "phone": None, "mail": "both-paths@example.org"}


def test_it_is_called_by_post_only(api):
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        envelope = api.post(b"{}", method=method)
        assert (envelope["code"], envelope["message"]) == (INPUT, "method: must be POST")


def test_the_type_of_the_body_does_not_matter(api):
    body = signed_body(api.own, {"phone": "1"}, action="Account.QueryUserNameByPhone")
    text = json.dumps(body | {"at": Number(body["at"])}).replace(
        json.dumps(body["at"]), body["at"]).encode()
    answer = api.house.request("POST", PATH, text, {
        "Authorization": "Bearer " + token_of(api.own),
        "Content-Type": "application/x-www-form-urlencoded"})
    assert json.loads(answer.body) == {"code": 0, "data": [], "message": None}


def test_who_calls_must_be_shown(api):
    def refused(body, token=None):
        before = state_of(api.house)
        envelope = api.post(body, token=token)
        assert state_of(api.house) == before
        return envelope["code"], envelope["message"]
    fields = {"account": "nobody", "mail": "a@example.org", "password": "deep-enough"}

    def good():
        return signed_body(api.own, fields, action="Account.Create")
    assert refused(good(), token="") == (AUTHENTICATION, "Authorization must be a JWT")
    assert refused(good(), token=token_of(api.own, key="another")) == (
        AUTHENTICATION, "the token's signature is wrong, or its clientId is not known")
    assert refused(good() | {"action": "Account.UpdateMail"}) == (
        AUTHENTICATION, "sign: is wrong")
    assert refused(good() | {"colour": "red"})[0] == INPUT
    token, body = token_of(api.own), good()
    assert api.post(body, token=token)["code"] == 0
    code, message = refused(body, token=token)
    assert (code, "before" in message or "used" in message) == (AUTHENTICATION, True), message
    assert refused(body)[0] == AUTHENTICATION
    assert refused(good(), token=token)[0] == AUTHENTICATION


def test_the_scope_must_be_operator(api):
    uid = api.new_account("scoped")["uid"]
    miner = ActionApi(api.house, "account", uid)
    assert miner.refused("Account.GetBindInfo", account="scoped") == (
        RIGHT, "the credential's scope is account, not operator")


def test_what_is_asked_for_is_checked_by_name(api):
    assert api.refused("Account.Make", account="x") == (INPUT, "action: Account.Make is not known")
    assert api.refused("", account="x") == (INPUT, "action:  is not known")
    code, message = api.refused("x" * 500)
    assert code == INPUT and len(message) < 100
    assert api.refused_text("Account.GetBindInfo", "[]") == (INPUT, "data: must be a JSON object")
    assert api.refused_text("Account.GetBindInfo", "") == (INPUT, "data: must be JSON")
    assert api.refused("Account.GetBindInfo", account="x", **{"y" * 500: 1})[1] == (
        "y" * 64 + ": is not a field of this action")
    assert api.refused_text("Account.GetBindInfo", '{"account": "a", "account": "b"}') == (
        INPUT, "account: is given twice with different values")
    assert api.refused("Account.GetBindInfo", account="nobody's") == (
        OPERATION, "account: not a main account")


def test_a_body_that_is_too_large_is_refused_in_the_envelope(own_house):
    api = ActionApi(own_house(server=Server(port=0, max_body_bytes=2048)))
    names = ["x" * 64] * 100
    assert api.refused("SubAccount.BulkGetFeeInfo", userNames=names) == (
        INPUT, "body: is too large")


def test_a_house_that_has_stopped_says_so(own_house):
    house = own_house()
    api = ActionApi(house)
    api.new_account("late")

    async def stop():
        house.house._sequencer._stop("the disk is gone", [])
    house.run(stop())
    envelope = api.call("Account.UpdatePhone", account="late", phone="1")
    assert (envelope["code"], envelope["data"]) == (SYSTEM, None)
    assert "has stopped" in envelope["message"]


def test_a_fault_of_ours_tells_the_caller_nothing(own_house, monkeypatch, caplog):
    """And the log nothing that is secret."""
    api = ActionApi(own_house(server=Server(port=0, access_log=True)))
    caplog.set_level(0)
    api.new_account("quiet")

    async def broken(*arguments):
        raise RuntimeError("the hasher broke")
    bank = {"province": "p", "city": "c", "name": "n", "branch": "b", "owner": "Owner Ostrich"}
    api.done("SubAccount.SetMoneyHarvestSetting", userName="quiet", no="6223211231313123", min=0,
             **bank)
    api.done("Account.UpdatePassword", account="quiet", password="secret walrus")
    api.done("SubAccount.AddObserverInfo", userName="quiet", rights=["profit_observer"])
    link, = api.done("SubAccount.GetObserverList", userName="quiet")
    monkeypatch.setattr("api.auth.passwords.Passwords.hash", broken)
    envelope = api.call("Account.UpdatePassword", account="quiet", password="secret badger")
    assert (envelope["code"], envelope["message"]) == (SYSTEM, "a fault of ours; it is in the log")
    assert "the hasher broke" in caplog.text and "action_api Account.UpdatePassword" in caplog.text
    for secret in ("walrus", "badger", "6223211231313123", "Ostrich", api.own["secretKey"],
                   api.own["secretSalt"], link["link"].rpartition("/")[2]):
        assert secret not in caplog.text


def test_answers_are_counted_by_action_and_outcome(api):
    def counted():
        text = api.house.request("GET", "/metrics").body.decode()
        return {tuple(re.findall(r'="([^"]*)"', labels)): float(count) for labels, count in
                re.findall(r"^orebook_answers_total\{(.*)\} (\S+)$", text, re.MULTILINE)
                if "action_api" in labels}
    before = counted()
    api.done("Account.QueryUserNameByPhone", phone="1")
    api.refused("Account.QueryUserNameByPhone", phone="")
    api.refused("No.Such")
    rise = {labels: count - before.get(labels, 0) for labels, count in counted().items()}
    assert {labels: count for labels, count in rise.items() if count} == {
        ("Account.QueryUserNameByPhone", "action_api", "ok"): 1,
        ("Account.QueryUserNameByPhone", "action_api", "refused"): 1,
        ("", "action_api", "refused"): 1}


def test_what_was_done_stays_done(own_house, tmp_path):
    api = ActionApi(own_house(tmp_path / "kept"))
    api.done("Account.Create", account="kept", phone="13811012345", password="deep-enough")
    before = api.house.state_hash()
    api.house.close()
    again = own_house(tmp_path / "kept")
    assert again.state_hash() == before
    assert ActionApi(again).done("Account.CheckPassword", account="kept",
                                 password="deep-enough") is True
