"""What the pool's user API refuses: with which code, in which words, and that nothing has changed
then, nor the token been spent.
"""

import json
import time

import pytest

from api.dialects.user_api_described import OPERATIONS
from engine import Kind
from tests.api.serving import signed, token_of
from tests.api.user_apis import Pool

INPUT, AUTHENTICATION, OPERATION, RIGHT, SYSTEM = 5010, 5020, 5030, 5040, 5050
HS256 = {"alg": "HS256", "typ": "JWT"}
DAYS = {"startDay": "2020-01-01", "endDay": "2020-01-31"}
TIMES = {"start": "2020-01-01 08:00:00", "end": "2020-01-02 08:00:00"}
# A good request of each call: path, method, parameters.
GOOD = [
    ("profit/list", "GET", {"coinType": "btc", **DAYS}),
    ("pay/list", "GET", {"coinType": "btc", **DAYS}),
    ("profit/today", "GET", {"coinType": "btc"}),
    ("speed/realtime", "GET", {}),
    ("speed/hourly/24h", "GET", {}),
    ("speed/daily/30d", "GET", {}),
    ("speed/user-workers/hourly", "GET", TIMES),
    ("worker/summary", "GET", {}),
    ("worker/list", "GET", {}),
    ("worker/online-num/daily", "GET", {}),
    ("account/pay-setting", "GET", {"coinType": "btc"}),
    ("account/sub-account/list", "GET", {}),
    ("observer/create", "POST", {"rights": "worker_observer"}),
]
EACH = pytest.mark.parametrize("path, method, query", GOOD, ids=[path for path, *_ in GOOD])


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    pool = Pool(tmp_path_factory.mktemp("pool"))
    pool.uid = pool.add_user("miner", "north")
    pool.own = pool.add_credential("miner-client", pool.uid)
    pool.add_user("stranger", "his")
    pool.operator = pool.add_credential("operator-client", None, "operator")
    yield pool
    pool.close()


# -- who calls -------------------------------------------------------------------------------------

@EACH
def test_every_call_wants_a_token(pool, path, method, query):
    code, words = pool.refused(path, method=method, **query)
    assert (code, words) == (AUTHENTICATION, "Authorization must be a JWT")


@EACH
def test_a_credential_of_the_operator_is_for_another_door(pool, path, method, query):
    code, words = pool.refused(path, pool.operator, method=method, **query)
    assert (code, words) == (RIGHT, "the credential's scope is operator, not account")


@pytest.mark.parametrize("changes, head, words", [
    ({"exp": time.time() - 1}, HS256, "the token has expired"),
    ({"exp": time.time() + 3_600}, HS256, "exp must be at most 600 seconds ahead"),
    ({"exp": None}, HS256, "the token lacks exp"),
    ({"rnd": 1_234_567}, HS256, "rnd must have 8 to 64 digits"),
    ({"rnd": "12345678"}, HS256, "rnd must be a whole number of 8 to 64 digits"),
    ({"clientId": "nobody"}, HS256, "the token's signature is wrong, or its clientId is not known"),
    ({}, {"alg": "none"}, "a token's alg must be HS256"),
    ({}, {"alg": "HS512"}, "a token's alg must be HS256")])
def test_a_token_that_shows_nobody_is_refused(pool, changes, head, words):
    claims = {"clientId": pool.own["clientId"], "rnd": time.time_ns(), "exp": time.time() + 60}
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    token = signed(head, claims, pool.own["secretKey"].encode())
    assert pool.refused("worker/list", token=token) == (AUTHENTICATION, words)


def test_a_token_works_once_and_bearer_may_stand_before_it(pool):
    token = token_of(pool.own)
    assert pool.call("worker/list", token=f"Bearer {token}").code == 0
    code, _ = pool.refused("worker/summary", token=token)
    assert code == AUTHENTICATION


def test_a_user_who_may_not_log_in_is_not_served(pool):
    uid = pool.add_user("barred")
    own = pool.add_credential("barred-client", uid)
    assert pool.done("worker/list", own) == []
    pool.house.submit(Kind.SET_PERMISSIONS, uid=uid, fields={"is_allow_login": 0})
    assert pool.refused("worker/list", own)[0] == AUTHENTICATION


# -- whose account ---------------------------------------------------------------------------------

@EACH
def test_an_account_of_somebody_else_is_refused_as_one_that_nobody_has(pool, path, method, query):
    refusals = {pool.refused(path, pool.own, method=method, account=account, **query)
                for account in ("stranger", "his", "nobody", "\x1fnorth", "north.rig", "ñ" * 64)}
    assert refusals == {(RIGHT, "account: is no sub-account of this credential's user")}


def test_a_user_without_a_sub_account_has_nothing_to_ask_for(pool):
    own = pool.add_credential("plain-client", pool.house.new_user("plain").uid)
    for query in ({}, {"account": "plain"}, {"account": "north"}):
        assert pool.refused("worker/list", own, **query)[0] == RIGHT


# -- paths and fields ------------------------------------------------------------------------------

@EACH
def test_other_methods_are_refused(pool, path, method, query):
    for wrong in {"GET", "POST", "PUT", "DELETE", "PATCH"} - {method}:
        assert pool.refused(path, pool.own, method=wrong, **query) == (
            INPUT, f"method: must be {method}")
    answer = pool.request(path, pool.own, method="HEAD", **query)
    assert answer.status == 200 and answer.body == b""


@pytest.mark.parametrize("path", ["", "worker", "worker/list/", "Worker/List", "worker/list/x"])
def test_other_paths_are_refused(pool, path):
    for spelled in (path, path + "?account=north"):
        assert pool.refused(spelled, pool.own) == (INPUT, "path: not known")


@EACH
def test_fields_that_a_call_does_not_have_are_refused_by_name(pool, path, method, query):
    assert pool.refused(path, pool.own, method=method, colour="red", **query) == (
        INPUT, "colour: is not a field of this call")
    with_account = {"account": ["miner", "north"], **query}
    code, words = pool.refused(path, pool.own, method=method, **with_account)
    assert code == INPUT and words.startswith("account: ")


def test_the_calls_are_those_that_are_described():
    described = {(one.path, one.method): one for one in OPERATIONS}
    assert {(f"/user-api/{path}", method) for path, method, _ in GOOD} == described.keys()
    for path, method, query in GOOD:
        fields = {field.name: field.required for field in described[
            f"/user-api/{path}", method].fields}
        assert {name for name, required in fields.items() if required} == query.keys()


LONG = "x" * 65
BAD = {
    "account": ["", LONG],
    "coinType": ["", "xmr", "usdt", "cny", "btc ", LONG, "b\0c"],
    "startDay": ["", "2020-02-30", "2020-1-1", "20200101", "1969-12-31", "today", LONG],
    "endDay": ["", "2019-12-31", "2021-01-02", "2020-13-01", "99999-01-01"],
    "start": ["", "2020-01-01", "2020-01-01T08:00:00", "1577836800", "1969-12-31 00:00:00"],
    "end": ["", "2020-01-01 07:59:59", "2020-02-01 08:00:01", "2020-01-02 08:60:00"],
    "rights": ["", "observer", "WORKER_OBSERVER", "[]", '["worker_observer", 1]', "[[]]", '[""]'],
    "remark": ["r" * 129],
}
BAD_IN_JSON = {
    "account": [1, True, [], {}], "rights": [[], 1, [1], [None], {}, True, ["x"], "", [["a"]]],
    "remark": [1, True, ["x"], {}, "\ud800"],
}


@EACH
def test_a_bad_field_is_refused_by_name_and_the_token_is_good_for_another_try(
        pool, path, method, query):
    operation = next(one for one in OPERATIONS if one.path == f"/user-api/{path}")
    token = token_of(pool.own)
    for field in operation.fields:
        for value in BAD[field.name]:
            code, words = pool.refused(path, token=token, method=method,
                                       **query | {field.name: value})
            assert code == INPUT and words.startswith(f"{field.name}: "), (field.name, value, words)
        if field.required:
            less = {name: value for name, value in query.items() if name != field.name}
            assert pool.refused(path, token=token, method=method, **less) == (
                INPUT, f"{field.name}: is missing")
    if path in ("profit/list", "pay/list", "profit/today"):
        return                      # what they need of a house is tested with its settlements
    assert pool.call(path, token=token, method=method, **query).code == 0


def test_a_body_has_fields_of_their_json_types(pool):
    good = {"rights": ["worker_observer"]}
    for field, values in BAD_IN_JSON.items():
        for value in values:
            code, words = pool.refused("observer/create", pool.own, method="POST",
                                       body=good | {field: value})
            assert code == INPUT and words.startswith((f"{field}: ", "body: ")), (field, value)
    for body in (b"[]", b"{", b"\xff", b'{"rights": "a", "rights": "b"}', b"1", b"null"):
        assert pool.refused("observer/create", pool.own, method="POST", body=body)[0] == INPUT
    body = json.dumps(good | {"remark": "x" * (1 << 20)}).encode()
    assert pool.refused("observer/create", pool.own, method="POST", body=body) == (
        INPUT, "body: is too large")


def test_what_no_encoding_can_write_is_refused_in_json(pool):
    for query in ("?%ff=1", "?account=%ed%a0%80", "?account=%00", "?account"):
        assert pool.refused(f"worker/list{query}", pool.own)[0] in (INPUT, RIGHT)


def test_a_remark_has_no_control_characters(pool):
    before = len(pool.house.house.core.observers)
    for remark in ("a\tb", "\x9f", "\u2028"):
        envelope = pool.call("observer/create", pool.own, method="POST",
                             body={"rights": ["worker_observer"], "remark": remark})
        assert envelope.code == INPUT and envelope.message.startswith("remark: ")
    assert len(pool.house.house.core.observers) == before


# -- not now ---------------------------------------------------------------------------------------

def test_a_sub_account_has_at_most_100_links(pool):
    full = {"account": "miner", "rights": ["profit_observer"]}
    while len(pool.house.house.core.observers.of_account(pool.names["miner"])) < 100:
        assert pool.done("observer/create", pool.own, method="POST", body=full) is True
    envelope = pool.call("observer/create", pool.own, method="POST", body=full)
    assert (envelope.code, envelope.data, envelope.message) == (
        OPERATION, None, "the account has too many observer links")
    other = full | {"account": "north"}
    assert pool.done("observer/create", pool.own, method="POST", body=other) is True


@pytest.mark.slow
def test_a_stopped_house_says_so(tmp_path):
    pool = Pool(tmp_path / "house")
    try:
        own = pool.add_credential("client", pool.add_user("miner"))

        async def stop():
            pool.house.house._sequencer._stop("the disk is gone", [])
        pool.house.run(stop())
        for path, method, query in GOOD:
            code, words = pool.refused(path, own, method=method, **query)
            assert code == SYSTEM and "stopped" in words
    finally:
        pool.close()
