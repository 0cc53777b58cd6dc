"""Signed bodies: what a client has signed gets in once, and nothing else does."""

import json
import logging
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.auth.signatures import SignedBody, read_signed
from api.numbers import InputError
from engine import Kind
from tests.api.conftest import NO_PASSWORD
from tests.api.pool_doors import (
    AUTHENTICATION, INPUT, RIGHT, Doors, sign_of, signed_body, token_of, written)

GOOD = {"action": "A", "at": 1, "data": "{}", "signNonce": "n", "sign": ""}


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    opened = Doors(tmp_path_factory.mktemp("doors") / "house")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def operator(doors):
    return doors.new_credential("pool-operator")


def refused(doors, own, body):
    """(code, message) of a body that is refused; the token with it stays good for another."""
    token = token_of(own)
    answer = doors.refused(doors.action_api, token, body)
    doors.done(doors.action_api, token, signed_body(own))
    return answer


# -- what gets in ----------------------------------------------------------------------------------

def test_a_signed_call_shows_who_asks_for_what(doors, operator):
    body = signed_body(operator, {"account": "币安 \"a\\b\" \u2028 😀", "list": [1, 2]},
                       action="Account.Create")
    shown = doors.done(doors.action_api, "Bearer " + token_of(operator), body)
    assert shown == {"client": {"client_id": "pool-operator", "scope": "operator", "uid": 0},
                     "action": "Account.Create",
                     "given": {"account": "币安 \"a\\b\" \u2028 😀", "list": ["1", "2"]}}


@pytest.mark.parametrize("form", ["{:.0f}", "{:.1f}", "{:.6f}", "{:.9e}", "{:.9E}", "{:.20f}"])
def test_at_counts_as_it_was_written(doors, operator, form):
    at = form.format(time.time())
    doors.done(doors.action_api, token_of(operator), signed_body(operator, at=at))
    # The same moment, but another text than was signed.
    other = f"{at}0" if "." in at and "e" not in at.lower() else f"{time.time():.0f}.0"
    body = signed_body(operator, at=at) | {"at": other}
    assert refused(doors, operator, body) == (AUTHENTICATION, "sign: is wrong")


def test_strings_count_as_their_escapes_are_read(doors, operator):
    body = signed_body(operator, text='{"name": "ä/\\u00e4"}', nonce="tr/sé")
    escaped = json.dumps(body | {"at": 0}).replace("/", "\\/").encode()
    doors.done(doors.action_api, token_of(operator),
               escaped.replace(b'"at": 0', b'"at": ' + body["at"].encode()))


def test_at_may_be_five_minutes_off(doors, operator):
    for off_s in (-295, 295):
        at = f"{time.time() + off_s:.3f}"
        doors.done(doors.action_api, token_of(operator), signed_body(operator, at=at))


# -- what does not ---------------------------------------------------------------------------------

@pytest.mark.parametrize("at", ["{:.3f}".format(-301), "301", "-0", "0", "1e9", "-1.6e9", "1e18",
                                "1e-999999999", "1e999999", "9" * 100])
def test_an_at_that_is_not_now(doors, operator, at):
    if at in ("-301.000", "301"):
        at = f"{time.time() + int(float(at)):.3f}"
    answer = refused(doors, operator, signed_body(operator, at=at))
    assert answer == (AUTHENTICATION, "at: must be within 300 seconds of now")


@pytest.mark.parametrize("at", ['"{}"', "true", "null", "[{}]", "NaN", "Infinity", "-Infinity",
                                "1e99999999999999999999999", "9" * 101])
def test_an_at_that_is_no_number(doors, operator, at):
    at = at.format(int(time.time()))
    code, message = refused(doors, operator, signed_body(operator, at=at))
    assert code == INPUT and message.startswith("at: ")


@pytest.mark.parametrize("at", ["+1577836800", "01577836800", "1577836800.", ".5", "0x5e0be100",
                                "1_577_836_800", ""])
def test_an_at_that_is_no_json(doors, operator, at):
    body = signed_body(operator, at=at)
    assert refused(doors, operator, body) == (INPUT, "body: must be JSON")


def changed(text, place):
    """The text with one character changed by one bit."""
    return text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1:]


@pytest.mark.parametrize("field", ["action", "at", "data", "signNonce", "sign"])
def test_a_changed_byte_anywhere(doors, operator, field):
    body = signed_body(operator, {"account": "alice"}, at=f"{time.time():.3f}")
    value = body[field]
    # Of `at` only the fraction, of `data` only the name: the rest would be refused for its form.
    places = {"at": (-1, -3), "data": (13, 16)}.get(field, (0, len(value) // 2, -1))
    for place in places:
        altered = body | {field: changed(value, place % len(value))}
        assert doors.refused(doors.action_api, token_of(operator), altered) == \
            (AUTHENTICATION, "sign: is wrong")
    doors.done(doors.action_api, token_of(operator), body)


@pytest.mark.parametrize("sign", [
    str.upper, lambda sign: sign[:-1], lambda sign: sign + "0", lambda sign: " " + sign,
    lambda sign: "", lambda sign: "0x" + sign, lambda sign: "\uff10" + sign[1:],
    lambda sign: "\xe9" * 64])
def test_a_sign_of_another_form(doors, operator, sign):
    body = signed_body(operator)
    assert refused(doors, operator, body | {"sign": sign(body["sign"])}) == \
        (AUTHENTICATION, "sign: is wrong")


def test_a_signature_by_other_secrets(doors, operator):
    other = doors.new_credential("another-operator")
    for wrong in (other, operator | {"secretKey": other["secretKey"]},
                  operator | {"secretSalt": other["secretSalt"]}, operator | {"secretSalt": ""}):
        assert refused(doors, operator, signed_body(wrong)) == (AUTHENTICATION, "sign: is wrong")
    # The token's client is the one whose signature counts.
    doors.done(doors.action_api, token_of(other), signed_body(other))


@pytest.mark.parametrize("text", ["", "[]", "null", "7", '"{}"', "{", "{'a': 1}", "{} {}",
                                  '{"a": 1, "a": 2}', '{"a": "\\ud800"}', "[" * 100_000])
def test_parameters_that_are_no_json_object(doors, operator, text):
    code, message = refused(doors, operator, signed_body(operator, text=text))
    assert code == INPUT and message.startswith(("data: ", "a: "))


@pytest.mark.parametrize("nonce", ["", "a b", " a", "a\n", "{", "}", "a\u00a0b", "\u200e",
                                   "n" * 65, "\x00"])
def test_a_sign_nonce_of_another_form(doors, operator, nonce):
    code, message = refused(doors, operator, signed_body(operator, nonce=nonce))
    assert code == INPUT and message.startswith("signNonce: ")


@pytest.mark.parametrize("field", GOOD)
@pytest.mark.parametrize("value", [None, True, 7, "7", ["7"], {}])
def test_a_field_of_another_type(field, value):
    if isinstance(value, int if field == "at" else str) and value is not True:
        return
    with pytest.raises(InputError, match=f"^{field}: "):
        read_signed(json.dumps(GOOD | {field: value}).encode())


@pytest.mark.parametrize("field", GOOD)
def test_a_field_that_is_missing_or_there_twice(field):
    with pytest.raises(InputError, match=f"^{field}: is missing"):
        read_signed(json.dumps({name: GOOD[name] for name in GOOD if name != field}).encode())
    with pytest.raises(InputError, match=f"^{field}: is given twice"):
        read_signed(json.dumps(GOOD)[:-1].encode() + f', "{field}": "other"}}'.encode())


@pytest.mark.parametrize("body", [
    b"", b"[]", b"7", b"null", b'"{}"', b"{", b"action=A&at=1", b"\xff", b"\xef\xbb\xbf{}",
    json.dumps(GOOD | {"action": "A"}).encode("utf-16"), b'{"a":' * 100_000,
    json.dumps(GOOD | {"more": 1}).encode(), json.dumps(GOOD | {"\ud800": 1}).encode()])
def test_a_body_that_is_no_signed_call(body):
    with pytest.raises(InputError, match="^body: "):
        read_signed(body)


def test_half_a_surrogate_pair_is_no_text():
    for field in ("action", "data", "signNonce", "sign"):
        with pytest.raises(InputError, match=f"^{field}: "):
            read_signed(json.dumps(GOOD | {field: "\ud800"}).encode())


def test_a_bad_body_is_input_and_costs_no_token(doors, operator):
    for body in (b"", b"{}", b"\xff", b"x=1"):
        assert refused(doors, operator, body)[0] == INPUT


# -- in which order --------------------------------------------------------------------------------

def test_the_token_is_looked_at_first_the_nonces_last(doors, operator):
    account = doors.new_credential("account-client", "account", doors.house.submit(
        Kind.REGISTER_USER, username="miner", password_hash=NO_PASSWORD, group=2))
    old = f"{time.time() - 400:.0f}"
    used = signed_body(operator)
    doors.done(doors.action_api, token_of(operator), used)
    wrong_sign = {"sign": "0" * 64}
    rows = [
        (token_of(operator, key="x"), b"no JSON", AUTHENTICATION, "the token"),
        (token_of(operator, rnd="1234567890"), b"no JSON", AUTHENTICATION, "rnd must be a whole"),
        (token_of(account), b"no JSON", RIGHT, "the credential's scope"),
        (token_of(operator), b"no JSON", INPUT, "body: "),
        (token_of(operator), signed_body(operator, at=old, nonce=" "), INPUT, "signNonce: "),
        (token_of(operator), signed_body(operator, at=old) | wrong_sign, AUTHENTICATION, "at: "),
        (token_of(operator), signed_body(operator, text="7") | wrong_sign, AUTHENTICATION,
         "sign: "),
        (token_of(operator), signed_body(operator, text="7", nonce=used["signNonce"]), INPUT,
         "data: "),
        (token_of(operator), used, AUTHENTICATION, "signNonce: "),
    ]
    for token, body, code, begins in rows:
        answer = doors.refused(doors.action_api, token, body)
        assert answer[0] == code and answer[1].startswith(begins), (answer, begins)


# -- once ------------------------------------------------------------------------------------------

def test_a_signed_body_works_once(doors, operator):
    body = signed_body(operator)
    doors.done(doors.action_api, token_of(operator), body)
    again = signed_body(operator, {"other": "call"}, nonce=body["signNonce"])
    for repeated in (body, again):
        assert refused(doors, operator, repeated) == (AUTHENTICATION, "signNonce: was used before")


def test_a_used_token_leaves_the_body_good(doors, operator):
    token, body = token_of(operator), signed_body(operator)
    doors.done(doors.action_api, token, signed_body(operator))
    assert doors.refused(doors.action_api, token, body) == (AUTHENTICATION, "rnd: was used before")
    doors.done(doors.action_api, token_of(operator), body)


def test_rnd_and_sign_nonce_do_not_meet(doors, operator):
    digits = 2718281828459
    doors.done(doors.action_api, token_of(operator, rnd=digits),
               signed_body(operator, nonce=str(digits)))


def test_a_sign_nonce_is_its_clients_own(doors, operator):
    other = doors.new_credential("third-operator")
    for own in (operator, other):
        doors.done(doors.action_api, token_of(own), signed_body(own, nonce="shared"))


def test_of_many_at_once_one_gets_in_and_the_others_keep_their_tokens(doors, operator):
    body = written(signed_body(operator))
    tokens = [token_of(operator) for _ in range(8)]
    envelopes = doors.at_once([("/action-api", token, body) for token in tokens])
    assert sorted(envelope["code"] for envelope in envelopes) == [0] + [AUTHENTICATION] * 7
    for token, envelope in zip(tokens, envelopes):
        answer = doors.action_api(token, signed_body(operator))
        assert answer["code"] == (AUTHENTICATION if envelope["code"] == 0 else 0)


@pytest.mark.slow
def test_nonces_stay_used_after_a_restart(tmp_path):
    doors = Doors(tmp_path / "house")
    try:
        own = doors.new_credential("pool-operator")
        token, unused_token = token_of(own), token_of(own)
        body, unused_body = signed_body(own), signed_body(own)
        doors.done(doors.action_api, token, body)
    finally:
        doors.close()
    doors = Doors(tmp_path / "house")
    try:
        assert doors.refused(doors.action_api, token, unused_body)[1] == "rnd: was used before"
        assert doors.refused(doors.action_api, unused_token, body)[1] == \
            "signNonce: was used before"
        doors.done(doors.action_api, unused_token, unused_body)
    finally:
        doors.close()


# -- what the signature covers ---------------------------------------------------------------------

TEXT_CHARACTERS = st.sampled_from('{}": 1e-\n')


@settings(max_examples=50)
@given(st.text(TEXT_CHARACTERS, max_size=8), st.text(TEXT_CHARACTERS, min_size=1, max_size=8))
def test_only_one_split_of_the_signed_text_is_a_call(inner, nonce):
    """Who moves the border between `data` and `signNonce` would have a nonce that is new."""
    whole = json.dumps({"a": inner}) + " " + nonce
    assert sum(is_call(whole[:cut], whole[cut:]) for cut in range(len(whole) + 1)) <= 1


def is_call(text, nonce):
    try:
        body = read_signed(written(GOOD | {"at": "1.5", "data": text, "signNonce": nonce}))
        return isinstance(json.loads(body.parameters), dict)
    except (InputError, ValueError):
        return False


def test_the_signed_text_is_the_parts_in_their_order():
    body = read_signed(written({"sign": "s", "signNonce": "n", "data": '{"\\u00e4": 1}',
                                "at": "1.50", "action": "\u00e4"}))
    assert body == SignedBody("\u00e4", "1.50", '{"\\u00e4": 1}', "n", "s")
    assert body.signed_text() == '\u00e41.50{"\\u00e4": 1}n'
    # A known answer of OpenSSL's: what the doors take in these tests is what others sign, too.
    own = {"clientId": "c", "secretKey": "key", "secretSalt": "salt"}
    assert sign_of(own, "a", "1", "{}", "n") == (
        "8a499d5f6eebe37b1569a76b27314d3f6dd4a205118b82be935040b820925b02")


def test_secrets_are_in_no_answer_and_in_no_log(doors, operator, caplog):
    with caplog.at_level(logging.DEBUG):
        answers = [doors.action_api(token_of(operator), signed_body(operator, {"a": 1})),
                   doors.action_api(token_of(operator), signed_body(operator) | {"sign": "0"}),
                   doors.action_api(token_of(operator), signed_body(operator, at="1")),
                   doors.action_api(token_of(operator), b"{}"),
                   doors.action_api(token_of(operator, key="x"), signed_body(operator))]
    told = json.dumps(answers) + caplog.text
    assert [answer["code"] for answer in answers] == [0, AUTHENTICATION, AUTHENTICATION, INPUT,
                                                     AUTHENTICATION]
    for secret in ("secretKey", "secretSalt"):
        assert operator[secret] not in told
