"""Client credentials at the operator's door: made, used, refused in every way, replayed."""

import base64
import hashlib
import json
import time

import pytest

from tests.api.serving import ServedHouse, claims, encoded, signed, token_of

INPUT, AUTHENTICATION, OPERATION, RIGHT = 5010, 5020, 5030, 5040
HS256 = {"alg": "HS256", "typ": "JWT"}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    served = ServedHouse(tmp_path_factory.mktemp("tokens") / "house")
    yield served
    served.kill_all()


@pytest.fixture(scope="module")
def token(house):
    return house.login_operator()


@pytest.fixture(scope="module")
def credential(house, token):
    return house.done("POST", "credentials", {"account": "operator", "scope": "operator"}, token)


@pytest.fixture(scope="module")
def key(credential):
    return credential["secretKey"].encode()


def test_a_credential_is_shown_once_and_works(house, token, credential):
    assert list(credential) == ["clientId", "secretKey", "secretSalt"]
    assert len(set(credential.values())) == 3
    assert all(len(secret) >= 16 for secret in credential.values())
    assert house.done("GET", "state", jwt=token_of(credential))["seq"] > 0
    assert house.done("GET", "state", jwt="Bearer " + token_of(credential))["seq"] > 0
    assert house.done("GET", "state", jwt=token_of(credential, rnd="00012345678"))["seq"] > 0


def test_its_secrets_are_in_no_file(house, credential):
    files = [path for path in house.directory.rglob("*") if path.is_file()]
    assert any(credential["clientId"].encode() in path.read_bytes() for path in files)
    for path in files:
        content = path.read_bytes()
        assert credential["secretKey"].encode() not in content, path
        assert credential["secretSalt"].encode() not in content, path


def test_a_command_by_jwt(house, token, credential):
    coin = {"name": "JWT", "title": "J", "type": "coin", "scale": 2}
    assert house.done("POST", "coins", coin, jwt=token_of(credential))["coin"] == "JWT"


def bad_tokens(client_id, key):
    """Every token that must not open, by what is wrong with it."""
    now_s = time.time()
    good = claims(client_id)
    head, body, signature = signed(HS256, claims(client_id), key).split(".")
    raw = json.dumps(claims(client_id, exp=None))[:-1]
    return {
        "none": f"{encoded(json.dumps({'alg': 'none'}).encode())}.{body}.",
        "none, signed": signed({"alg": "none"}, claims(client_id), key),
        "None": signed({"alg": "None"}, claims(client_id), key),
        "HS512": signed({"alg": "HS512"}, claims(client_id), key, hashlib.sha512),
        "HS256 in small letters": signed({"alg": "hs256"}, claims(client_id), key),
        "no alg": signed({"typ": "JWT"}, claims(client_id), key),
        "alg a list": signed({"alg": ["HS256"]}, claims(client_id), key),
        "a critical header": signed(HS256 | {"crit": ["x"], "x": 1}, claims(client_id), key),
        "header a list": signed(["alg"], claims(client_id), key),
        "wrong key": signed(HS256, claims(client_id), key + b"x"),
        "empty key": signed(HS256, claims(client_id), b""),
        "no signature": f"{head}.{body}.",
        "cut signature": f"{head}.{body}.{signature[:-2]}",
        "another payload": f"{head}.{encoded(json.dumps(good).encode())}.{signature}",
        "two parts": f"{head}.{body}",
        "four parts": f"{head}.{body}.{signature}.{signature}",
        "no token": "",
        "words": "Basic b3BlcmF0b3I6eA==",
        "not ASCII": "\xe9\xe9\xe9",
        "too long": signed(HS256, claims(client_id, x="x" * 4000), key),
        "unknown client": signed(HS256, claims("nobody"), key),
        "clientId a number": signed(HS256, claims(client_id) | {"clientId": 7}, key),
        "no clientId": signed(HS256, claims(client_id, clientId=None), key),
        "no rnd": signed(HS256, claims(client_id, rnd=None), key),
        "rnd of 7 digits": signed(HS256, claims(client_id, rnd=1234567), key),
        "rnd negative": signed(HS256, claims(client_id, rnd=-123456789), key),
        "rnd a fraction": signed(HS256, claims(client_id, rnd=123456789.5), key),
        "rnd true": signed(HS256, claims(client_id, rnd=True), key),
        "rnd letters": signed(HS256, claims(client_id, rnd="abcdefgh"), key),
        "rnd Arabic digits": signed(HS256, claims(client_id, rnd="\u0661" * 8), key),
        "rnd of 65 digits": signed(HS256, claims(client_id, rnd="1" * 65), key),
        "no exp": signed(HS256, claims(client_id, exp=None), key),
        "expired": signed(HS256, claims(client_id, exp=now_s - 1), key),
        "exp zero": signed(HS256, claims(client_id, exp=0), key),
        "exp negative": signed(HS256, claims(client_id, exp=-1e300), key),
        "exp far": signed(HS256, claims(client_id, exp=now_s + 660), key),
        "exp in ms": signed(HS256, claims(client_id, exp=int(now_s * 1000)), key),
        "exp text": signed(HS256, claims(client_id, exp=str(int(now_s + 60))), key),
        "exp true": signed(HS256, claims(client_id, exp=True), key),
        "exp huge": signed(HS256, raw + ', "exp": 1e999999999}', key),
        "exp tiny": signed(HS256, raw + ', "exp": 1e-999999999}', key),
        "exp infinite": signed(HS256, raw + ', "exp": Infinity}', key),
        "exp NaN": signed(HS256, raw + ', "exp": NaN}', key),
        "exp of 2000 digits": signed(HS256, raw + f', "exp": {"9" * 2000}' + "}", key),
        "payload a list": signed(HS256, "[1]", key),
        "payload no JSON": signed(HS256, "{", key),
        "payload deep": signed(HS256, "[" * 2500, key),
    }


@pytest.mark.parametrize("fault", bad_tokens("a", b"b"))
def test_a_token_that_does_not_open(house, token, credential, key, fault):
    before = house.state_hash(token)
    bad = bad_tokens(credential["clientId"], key)[fault]
    envelope = house.operator("POST", "coins", {"name": "NEVER"}, jwt=bad)
    assert (envelope["code"], envelope["data"]) == (AUTHENTICATION, None), envelope
    assert house.state_hash(token) == before


def test_unknown_client_and_wrong_key_look_alike(house, credential, key):
    unknown = house.operator("GET", "state", jwt=signed(HS256, claims("nobody"), key))
    other_key = signed(HS256, claims(credential["clientId"]), b"x" * 32)
    wrong = house.operator("GET", "state", jwt=other_key)
    assert unknown == wrong


def test_exp_may_be_up_to_ten_minutes_ahead(house, credential):
    assert house.done("GET", "state", jwt=token_of(credential, exp=time.time() + 590))
    assert house.done("GET", "state", jwt=token_of(credential, exp=int(time.time()) + 60))


def test_a_token_works_once(house, token, credential):
    used = token_of(credential)
    house.done("GET", "state", jwt=used)
    before = house.state_hash(token)
    for again in (used, "Bearer " + used, token_of(credential, rnd=str(json_rnd(used)))):
        envelope = house.operator("GET", "state", jwt=again)
        assert (envelope["code"], envelope["data"]) == (AUTHENTICATION, None)
        assert "rnd" in envelope["message"]
    assert house.state_hash(token) == before


def json_rnd(jwt):
    body = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["rnd"]


def test_a_credential_of_scope_account_may_do_nothing_here(house, token):
    house.new_user("pool-user")
    own = house.done("POST", "credentials", {"account": "pool-user", "scope": "account"}, token)
    before = house.state_hash(token)
    assert house.operator("GET", "state", jwt=token_of(own))["code"] == RIGHT
    assert house.state_hash(token) == before


@pytest.mark.parametrize("body, field", [
    ({"scope": "account"}, "account"), ({"account": "nobody-there", "scope": "account"}, "account"),
    ({"account": "operator", "scope": "root"}, "scope"), ({"account": "operator"}, "scope"),
])
def test_a_credential_that_is_none(house, token, body, field):
    before = house.state_hash(token)
    envelope = house.operator("POST", "credentials", body, token)
    assert envelope["code"] == INPUT
    assert envelope["message"].startswith(f"{field}:")
    assert house.state_hash(token) == before


def test_a_removed_credential_does_not_open(house, token):
    gone = house.done("POST", "credentials", {"scope": "operator"}, token)
    path = f"credentials/{gone['clientId']}"
    house.done("GET", "state", jwt=token_of(gone))
    assert house.done("DELETE", path, token=token) is None
    assert house.operator("GET", "state", jwt=token_of(gone))["code"] == AUTHENTICATION
    assert house.operator("DELETE", path, token=token)["code"] == OPERATION
    assert house.operator("DELETE", "credentials/%00", token=token)["code"] == OPERATION


@pytest.mark.slow
def test_tokens_and_sessions_survive_kill_9(tmp_path):
    house = ServedHouse(tmp_path / "house")
    try:
        token = house.login_operator()
        credential = house.done("POST", "credentials", {"scope": "operator"}, token)
        used = token_of(credential, exp=time.time() + 500)
        coin = {"name": "KEPT", "title": "K", "type": "coin", "scale": 0}
        house.done("POST", "coins", coin, jwt=used)
        before = house.done("GET", "state", token=token)
    finally:
        house.kill_all()
    house = ServedHouse(tmp_path / "house")
    try:
        after = house.done("GET", "state", token=token)
        assert (after["seq"], after["state_hash"]) == (before["seq"], before["state_hash"])
        assert house.operator("GET", "state", jwt=used)["code"] == AUTHENTICATION
        again = house.done("GET", "state", jwt=token_of(credential))
        assert again["state_hash"] != before["state_hash"]
    finally:
        assert house.end() == 0
