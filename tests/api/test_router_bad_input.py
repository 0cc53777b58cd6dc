"""Whatever is wrong with a parameter of a router: it is named, and nothing changes."""

import json
import re
from pathlib import Path

import pytest

from api.dialects.router import ROUTES

SEEDS = Path(__file__).parents[3] / "shared" / "seeds" / "exchange-router-api.md"

# By kind of parameter: what is wrong with it in a form, and in JSON besides.
HUGE = "9" * 400
NUMBER = ["", "-1", "0", "0.0", "+1", "NaN", "Infinity", "-Infinity", "1e999999999", "1e-999999999",
          "0.123456789012", "99999999999999999999", HUGE, "abc", " 1", "1,5", "0x1", "١"]
NUMBER_JSON = [True, [], {}, [1], float("nan"), float("inf"), -1, 0, 10**30, 0.1234567891]
WHOLE = ["", "-1", "0", "1.5", "1e3", "NaN", HUGE, "abc", "9223372036854775808"]
WHOLE_JSON = [True, [], {}, 1.5, -1, 0, float("nan")]
TEXT_JSON = [1, 1.5, True, [], {}, float("nan")]
LISTED = ["", "BTC", "btc/usdt", "BTC/USDT ", "NO/SUCH", "x" * 2000, "\0", "é"]
CLIENT_ID = ["", "x" * 37, "a b", "a\n", "é", "a,b"]
TIME = ["", "yesterday", "2020-13-01 00:00:00", "-1", "1.5", HUGE]
WRONG = {
    "amount": (NUMBER, NUMBER_JSON), "price": (NUMBER, NUMBER_JSON),
    "stop_price": (NUMBER, NUMBER_JSON), "quote_amount": (NUMBER, NUMBER_JSON),
    "pair": (LISTED, TEXT_JSON), "coin": (["", "btc", "DOGE", "x" * 2000, "\0"], TEXT_JSON),
    "type": (["", "LIMIT", "none", "limit "], TEXT_JSON), "tif": (["", "gtc", "DAY"], TEXT_JSON),
    "post_only": (["", "yes", "2"], [1.5, [], {}]),
    "client_id": (CLIENT_ID, TEXT_JSON), "request_id": (CLIENT_ID, TEXT_JSON),
    "order_id": (WHOLE, WHOLE_JSON), "limit": (WHOLE + ["1001"], WHOLE_JSON),
    "before": (WHOLE, WHOLE_JSON), "start": (TIME, [True, [], 1.5]), "end": (TIME, [True, [], 1.5]),
    "interval": (["1MIN", "2min", "1month", " "], [1, True, []]),
    "user": (["", "x" * 2000], TEXT_JSON), "pass": (["", "x" * 2000], TEXT_JSON),
    "valid_code": (["", "12345", "1234567", "abcdef", "１２３４５６"], TEXT_JSON),
    "address": (["", "x", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", "x" * 2000], TEXT_JSON),
    "pay_password": (["", "x" * 2000], TEXT_JSON), "session": (["nobody", "", HUGE], [1, True, []]),
}
# A call of each router that is right, so that only one parameter is wrong at a time.
RIGHT = {
    "check_exist_name": {"user": "alice"}, "make_valid_code": {"user": "newcomer"},
    "regeist_user": {"user": "newcomer", "pass": "password", "valid_code": "123456"},
    "login": {"user": "alice", "pass": "password"}, "logout": {}, "get_user_coin": {},
    "get_rank": {},
    "get_coin": {"pair": "BTC/USDT"}, "get_deal_record": {"pair": "BTC/USDT"},
    "get_depth": {"pair": "BTC/USDT", "limit": "5"}, "get_simple_k_line": {"pair": "BTC/USDT"},
    "get_coin_k_line": {"pair": "BTC/USDT", "interval": "1min"},
    "buy": {"pair": "BTC/USDT", "amount": "1", "price": "1"},
    "sell": {"pair": "BTC/USDT", "amount": "1", "price": "1"},
    "withdraw": {"coin": "BTC", "amount": "1", "pay_password": "secret", "request_id": "r"},
    "get_withdraw_address": {"coin": "BTC"},
    "set_withdraw_address": {"coin": "BTC", "address": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"},
    "cancel_order": {"order_id": "1", "pair": "BTC/USDT"}, "cancel_all": {"pair": "BTC/USDT"},
    "amend_order": {"order_id": "1", "price": "1", "amount": "1", "pair": "BTC/USDT"},
    "get_open_orders": {"pair": "BTC/USDT"}, "get_order": {"order_id": "1"},
    "get_order_history": {"pair": "BTC/USDT", "start": "1", "end": "2", "limit": "5",
                          "before": "9"},
    "get_my_deals": {"pair": "BTC/USDT", "start": "1", "end": "2", "limit": "5", "before": "9"},
    "get_ledger": {"coin": "BTC", "limit": "5", "before": "9"},
    "get_withdraw_record": {"coin": "BTC", "limit": "5", "before": "9"},
}
# What else has to be given for a parameter to be looked at.
WITH = {
    "stop_price": {"type": "stop_limit"},
    "quote_amount": {"type": "market", "price": None, "amount": None},
    "client_id": {"order_id": None},
}
REQUIRED = {
    "check_exist_name": ["user"], "make_valid_code": ["user"],
    "regeist_user": ["user", "pass", "valid_code"], "login": ["user", "pass"], "get_coin": ["pair"],
    "get_deal_record": ["pair"], "get_depth": ["pair"], "get_simple_k_line": ["pair"],
    "get_coin_k_line": ["pair"], "buy": ["pair", "amount", "price"],
    "sell": ["pair", "amount", "price"], "withdraw": ["coin", "pay_password"],
    "get_withdraw_address": ["coin"], "set_withdraw_address": ["coin", "address"],
    "cancel_order": ["order_id"], "amend_order": ["order_id"], "get_order": ["order_id"],
}


@pytest.fixture(scope="module")
def alice(house):
    alice = house.new_user("alice", USDT=10**14, BTC=10**10)
    # A payment password, so that `pay_password` is looked at.
    from engine import Kind
    house.submit(Kind.SET_PAY_PASSWORD, uid=alice.uid,
                 password_hash="$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo")
    house.alice_order = house.done("buy", alice.token, pair="BTC/USDT", amount="1",
                                   price="1")["order_id"]
    return alice


def right(house, router, field=None):
    parameters = dict(RIGHT[router])
    if "order_id" in parameters:
        parameters["order_id"] = str(house.alice_order)
    more = {} if field is None or router in ("withdraw",) else WITH.get(field, {})
    for name, value in more.items():
        if name not in ROUTES[router].parameters:
            continue
        if value is None:
            parameters.pop(name, None)
        else:
            parameters[name] = value
    return parameters


def check_refused(envelope, field):
    assert envelope["status"] is False, envelope
    assert re.match(rf"{re.escape(field)}\b", envelope["description"]), envelope


def test_every_router_is_looked_at():
    assert set(RIGHT) == set(ROUTES)
    for router, route in ROUTES.items():
        assert set(RIGHT[router]) <= route.parameters
        assert route.parameters - {"router"} <= set(WRONG)


def test_the_seed_is_all_there():
    if not SEEDS.exists():
        pytest.skip("the seed documents are not beside this checkout")
    sections = re.split(r"####", SEEDS.read_text())[1:]
    assert len(sections) == 17
    for section in sections:
        router = re.search(r"router=(\w+)", section)[1]
        assert ROUTES[router].method == re.search(r"(GET|POST) 请求", section)[1]
        named = re.findall(r"^(\w+)  ", section, re.MULTILINE)
        assert set(named) <= ROUTES[router].parameters
        assert ROUTES[router].session == ("session" in section and "登陆用户" not in section)


@pytest.mark.parametrize("router", ROUTES)
def test_wrong_values_in_a_form(house, alice, router):
    before = house.state_hash()
    for field in sorted(ROUTES[router].parameters - {"router", "session"}):
        for value in WRONG[field][0]:
            if field == "pass" and router == "login" and value:
                continue        # any text may be guessed
            if router == "login" or (router, field) == ("regeist_user", "user") and value:
                continue
            parameters = {**right(house, router, field), field: value}
            check_refused(house.call(router, alice.token, **parameters), field)
    assert house.state_hash() == before


@pytest.mark.parametrize("router", ROUTES)
def test_wrong_values_in_json(house, alice, router):
    before = house.state_hash()
    for field in sorted(ROUTES[router].parameters - {"router", "session"}):
        for value in WRONG[field][1] + [v for v in WRONG[field][0] if v == ""]:
            if field == "interval" and value == "":
                continue        # empty is the default, the seed says
            parameters = {**right(house, router, field), field: value}
            body = json.dumps(parameters)
            envelope = house.envelope(ROUTES[router].method, "/router?router=" + router, body,
                                      {"session": alice.token})
            check_refused(envelope, field)
    assert house.state_hash() == before


@pytest.mark.parametrize("router", REQUIRED)
def test_missing_ones_are_named(house, alice, router):
    before = house.state_hash()
    for field in REQUIRED[router]:
        parameters = right(house, router)
        del parameters[field]
        check_refused(house.call(router, alice.token, **parameters), field)
        envelope = house.envelope(ROUTES[router].method, "/router?router=" + router,
                                  json.dumps(parameters | {field: None}), {"session": alice.token})
        check_refused(envelope, field)
    assert house.state_hash() == before


@pytest.mark.parametrize("router", ROUTES)
def test_unknown_ones_and_wrong_methods(house, alice, router):
    before = house.state_hash()
    check_refused(house.call(router, alice.token, **right(house, router), colour="red"), "colour")
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - {ROUTES[router].method}:
        envelope = house.call(router, alice.token, method=method, **right(house, router))
        check_refused(envelope, "method")
    assert house.state_hash() == before


@pytest.mark.parametrize("router", [router for router, route in ROUTES.items() if route.session])
def test_nobody_gets_in(house, alice, router):
    before = house.state_hash()
    check_refused(house.call(router, **right(house, router)), "session")
    for token in WRONG["session"][0]:
        check_refused(house.call(router, **right(house, router), session=token), "session")
    for token in WRONG["session"][1]:
        check_refused(house.call_json(router, **right(house, router), session=token), "session")
    assert house.state_hash() == before


@pytest.mark.parametrize("path, body, named", [
    ("/router", None, "router"), ("/router?router=", None, "router"),
    ("/router?router=nope", None, "router"),
    ("/router?router=BUY", None, "router"), ("/router?router=__class__", None, "router"),
    ("/router", '{"router": 1}', "router"), ("/router", '{"router": ["buy"]}', "router"),
    ("/router?router=buy", "{", "body"), ("/router?router=buy", b"\xff", "body"),
    ("/router?router=buy&amount=%ff", None, "amount"), ("/router?router=buy&%ff=1", None, "body"),
    ("/router?router=buy&router=sell", None, "router"),
    ("/router?router=%3Cscript%3E", None, "router"),
])
def test_what_names_no_router(house, path, body, named):
    check_refused(house.envelope("POST", path, body, {}), named)


def test_the_orders_of_others_are_not_there(house, alice):
    mallory = house.new_user("mallory", USDT=10**12)
    before = house.state_hash()
    for router in ("cancel_order", "amend_order", "get_order"):
        check_refused(house.call(router, mallory.token, **right(house, router)), "order_id")
    assert house.done("cancel_all", mallory.token) == {"count": 0}
    assert house.done("get_order_history", mallory.token) == []
    assert house.state_hash() == before
