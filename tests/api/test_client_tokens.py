"""The pool's tokens: who is let in by a JWT, who is not, and that nothing lets in twice.

That it stays so after a restart is in test_signatures.
"""

import hashlib
import json
import logging
import time

import pytest

from engine import Kind
from tests.api.conftest import NO_PASSWORD
from tests.api.pool_doors import AUTHENTICATION, HS256, RIGHT, Doors, signed_body, token_of
from tests.api.serving import claims, encoded, signed


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    opened = Doors(tmp_path_factory.mktemp("doors") / "house")
    yield opened
    opened.close()


def new_miner(doors, name):
    """A user, and its credential of scope account."""
    uid = doors.house.submit(Kind.REGISTER_USER, username=name, password_hash=NO_PASSWORD, group=2)
    return uid, doors.new_credential(f"client:{name}", "account", uid)


@pytest.fixture(scope="module")
def miner(doors):
    return new_miner(doors, "miner")[1]


@pytest.fixture(scope="module")
def operator(doors):
    return doors.new_credential("pool-operator")


def test_a_token_shows_its_client_and_its_user(doors):
    uid, own = new_miner(doors, "shown")
    shown = {"client": {"client_id": "client:shown", "scope": "account", "uid": uid}}
    for token in (token_of(own), "Bearer " + token_of(own), f"  {token_of(own)} ",
                  token_of(own, iat=int(time.time())), token_of(own, exp=time.time() + 599),
                  token_of(own, exp=int(time.time()) + 60), token_of(own, head={"alg": "HS256"})):
        assert doors.done(doors.user_api, token) == shown


def test_rnd_has_eight_digits_or_more(doors, miner):
    for rnd in (12345678, 9999999999, 2**53, 2**63, 10**63):
        doors.done(doors.user_api, token_of(miner, rnd=rnd))


def bad_tokens(own):
    """Tokens of a known client that must not open, by what is wrong with them."""
    now_s, client_id, key = time.time(), own["clientId"], own["secretKey"].encode()
    head, body, signature = token_of(own).split(".")
    no_exp, no_rnd = (json.dumps(claims(client_id, **{name: None}))[:-1] for name in ("exp", "rnd"))
    unsigned = encoded(b'{"alg":"none"}')
    return {
        "none": f"{unsigned}.{body}.",
        "none, with the signature of HS256": f"{unsigned}.{body}.{signature}",
        "NONE": signed({"alg": "NONE"}, claims(client_id), key),
        "HS384": signed({"alg": "HS384"}, claims(client_id), key, hashlib.sha384),
        "HS512": signed({"alg": "HS512"}, claims(client_id), key, hashlib.sha512),
        "RS256 by the same bytes": signed({"alg": "RS256"}, claims(client_id), key),
        "no alg": signed({"typ": "JWT"}, claims(client_id), key),
        "wrong key": token_of(own, key=own["secretKey"] + " "),
        "the salt for a key": token_of(own, key=own["secretSalt"]),
        "no key": token_of(own, key=""),
        "no signature": f"{head}.{body}.",
        "another payload": f"{head}.{token_of(own).split('.')[1]}.{signature}",
        "no rnd": token_of(own, rnd=None),
        "rnd of 7 digits": token_of(own, rnd=9999999),
        "rnd a fraction": token_of(own, rnd=1234567890.5),
        "rnd a whole fraction": token_of(own, rnd=1234567890.0),
        "rnd with an exponent": signed(HS256, no_rnd + ', "rnd": 1e9}', key),
        "rnd negative": token_of(own, rnd=-1234567890),
        "rnd of 65 digits": token_of(own, rnd=10**64),
        "rnd of 2000 digits": token_of(own, rnd=10**1999),
        "rnd a text": token_of(own, rnd="1234567890"),
        "rnd true": token_of(own, rnd=True),
        "rnd a list": token_of(own, rnd=[1234567890]),
        "no exp": token_of(own, exp=None),
        "exp past": token_of(own, exp=now_s - 0.001),
        "exp far": token_of(own, exp=now_s + 601),
        "exp in ms": token_of(own, exp=int(now_s * 1000) + 60_000),
        "exp a text": token_of(own, exp=str(int(now_s) + 60)),
        "exp huge": signed(HS256, no_exp + ', "exp": 1e999999999}', key),
        "exp without end": signed(HS256, no_exp + ', "exp": Infinity}', key),
        "no clientId": token_of(own | {"clientId": None}),
        "clientId in other letters": token_of(own | {"clientId": client_id.upper()}),
        "no token": "", "Bearer alone": "Bearer ", "words": "open, please",
    }


@pytest.mark.parametrize("fault", bad_tokens({"clientId": "a", "secretKey": "b", "secretSalt": ""}))
def test_a_bad_token_opens_nothing_and_spends_nothing(doors, miner, fault):
    assert doors.refused(doors.user_api, bad_tokens(miner)[fault])[0] == AUTHENTICATION


@pytest.mark.parametrize("fault", [
    "none", "none, with the signature of HS256", "NONE", "HS384", "HS512",
    "RS256 by the same bytes"])
def test_the_algorithm_is_refused_before_anything_else(doors, miner, fault):
    for own in (miner, miner | {"clientId": "nobody"}):
        assert doors.refused(doors.user_api, bad_tokens(own)[fault]) == (
            AUTHENTICATION, "a token's alg must be HS256")


def test_no_token_opens_nothing(doors):
    assert doors.refused(doors.user_api, None)[0] == AUTHENTICATION
    assert doors.refused(doors.action_api, None, b"{}")[0] == AUTHENTICATION


def test_another_clients_key_opens_nothing(doors, miner):
    other = new_miner(doors, "other")[1]
    assert doors.refused(doors.user_api, token_of(miner, key=other["secretKey"]))[0] == \
        AUTHENTICATION


def test_an_unknown_client_and_a_wrong_key_look_alike(doors, miner):
    unknown = miner | {"clientId": "nobody"}
    assert doors.refused(doors.user_api, token_of(unknown)) == \
        doors.refused(doors.user_api, token_of(miner, key="x" * 32))


def test_a_token_works_once(doors, miner):
    token = token_of(miner)
    doors.done(doors.user_api, token)
    same_rnd = token_of(miner, rnd=9876543210), token_of(miner, rnd=9876543210)
    doors.done(doors.user_api, same_rnd[0])
    for again in (token, "Bearer " + token, same_rnd[1]):
        assert doors.refused(doors.user_api, again) == (AUTHENTICATION, "rnd: was used before")


def test_an_rnd_is_its_clients_own(doors, miner):
    other = new_miner(doors, "same-rnd")[1]
    for own in (miner, other):
        doors.done(doors.user_api, token_of(own, rnd=31415926535))


def test_of_many_at_once_one_is_let_in(doors, miner):
    token = token_of(miner)
    envelopes = doors.at_once([("/user-api", token)] * 8)
    assert sorted(envelope["code"] for envelope in envelopes) == [0] + [AUTHENTICATION] * 7


def test_each_scope_has_its_door(doors, miner, operator):
    wrong_here, wrong_there = token_of(operator), token_of(miner)
    body = signed_body(operator)
    assert doors.refused(doors.user_api, wrong_here)[0] == RIGHT
    assert doors.refused(doors.action_api, wrong_there, signed_body(miner))[0] == RIGHT
    # Nothing was spent at the wrong door.
    doors.done(doors.action_api, wrong_here, body)
    doors.done(doors.user_api, wrong_there)
    # A token that is also bad in another way does not tell its scope.
    for fault in ("exp past", "wrong key", "rnd a text"):
        assert doors.refused(doors.user_api, bad_tokens(operator)[fault])[0] == AUTHENTICATION


def test_a_removed_credential_opens_nothing(doors):
    gone = doors.new_credential("gone")
    doors.done(doors.action_api, token_of(gone), signed_body(gone))
    doors.house.submit(Kind.REMOVE_CREDENTIAL, client_id="gone")
    assert doors.refused(doors.action_api, token_of(gone), signed_body(gone)) == \
        doors.refused(doors.action_api, token_of(gone, key="x" * 32), signed_body(gone))


def test_the_credential_of_a_barred_user_opens_nothing(doors):
    uid, own = new_miner(doors, "barred")
    token = token_of(own)
    doors.house.submit(Kind.SET_PERMISSIONS, uid=uid, fields={"is_allow_login": 0})
    code, message = doors.refused(doors.user_api, token)
    assert code == AUTHENTICATION and "may not log in" in message
    doors.house.submit(Kind.SET_PERMISSIONS, uid=uid, fields={"is_allow_login": 1})
    doors.done(doors.user_api, token)


def test_a_credential_that_cannot_be_read_is_told_in_the_log_once(doors, miner, caplog):
    doors.house.submit(Kind.ADD_CREDENTIAL, client_id="of-another-key", sealed_key=b"\x01" * 60,
                       sealed_salt=b"\x01" * 60, scope="operator")
    with caplog.at_level(logging.WARNING, "orebook"):
        for _ in range(2):
            assert doors.refused(doors.user_api, token_of(miner | {"clientId": "of-another-key"})) \
                == doors.refused(doors.user_api, token_of(miner | {"clientId": "nobody"}))
    assert [record.message for record in caplog.records if "of-another-key" in record.message] == [
        "credential of-another-key: a sealed secret does not open: another key, or damage; "
        "remove it and make it anew"]
