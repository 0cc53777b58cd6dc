"""The operator dialect against a real house: each call's success, and every way it is refused."""

from decimal import Decimal

import pytest

from tests.api.serving import PASSWORD, USER_PASSWORD, ServedHouse

INPUT, AUTHENTICATION, OPERATION, RIGHT = 5010, 5020, 5030, 5040
BTC_ADDRESS = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
COIN = {"name": "LTC", "title": "Litecoin", "type": "coin", "scale": 8}
PAIR = {"pair": "BCH/BTC", "price_scale": 4, "amount_scale": 4, "min_amount": "0.01",
        "maker_fee": "0.001", "taker_fee": "0.002", "self_trade": "cancel_taker"}
# A good body for each call, so that only the caller can be what is wrong.
CALLS = {
    "coins": ("POST", "coins", COIN),
    "pairs": ("POST", "pairs", PAIR),
    "pairs/status": ("POST", "pairs/status", {"pair": "BTC/USDT", "status": "halted"}),
    "deposits": ("POST", "deposits", {"user": "alice", "coin": "BTC", "amount": "1", "txid": "tx"}),
    "list withdrawals": ("GET", "withdrawals", None),
    "withdrawals": ("POST", "withdrawals/1", {"action": "approve"}),
    "credentials": ("POST", "credentials", {"account": "alice", "scope": "operator"}),
    "remove credential": ("DELETE", "credentials/nobody", None),
    "state": ("GET", "state", None),
    "logout": ("POST", "logout", None),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    served = ServedHouse(tmp_path_factory.mktemp("operator") / "house")
    yield served
    served.kill_all()


@pytest.fixture(scope="module")
def token(house):
    return house.login_operator()


@pytest.fixture(scope="module")
def alice(house):
    return house.new_user("alice")


def refused(house, code, naming, method, path, body, token):
    """The call is refused with that code and words, and the state is what it was."""
    before = house.state_hash(token)
    envelope = house.operator(method, path, body, token)
    assert envelope["code"] == code, envelope
    assert naming in envelope["message"]
    assert envelope["data"] is None
    assert house.state_hash(token) == before


# -- who calls ------------------------------------------------------------------------------------

@pytest.mark.parametrize("call", CALLS)
def test_without_a_token_nothing_happens(house, token, alice, call):
    before = house.state_hash(token)
    envelope = house.operator(*CALLS[call])
    assert (envelope["code"], envelope["data"]) == (AUTHENTICATION, None)
    assert house.state_hash(token) == before


@pytest.mark.parametrize("wrong", ["x", "A" * 43, "A" * 5000, "é"])
@pytest.mark.parametrize("call", CALLS)
def test_with_a_wrong_token_nothing_happens(house, token, alice, call, wrong):
    before = house.state_hash(token)
    assert house.operator(*CALLS[call], token=wrong)["code"] == AUTHENTICATION
    assert house.state_hash(token) == before


@pytest.mark.parametrize("call", CALLS)
def test_an_ordinary_user_may_do_nothing(house, token, alice, call):
    before = house.state_hash(token)
    assert house.operator(*CALLS[call], token=alice)["code"] == RIGHT
    assert house.state_hash(token) == before


def test_the_caller_is_checked_before_the_body(house):
    assert house.operator("POST", "coins", b"no json")["code"] == AUTHENTICATION


def test_login(house):
    token = house.login_operator()
    assert house.done("GET", "state", token=token)["seq"] > 0


@pytest.mark.parametrize("user, password, code", [
    ("operator", "wrong-password", AUTHENTICATION),
    ("nobody-there", PASSWORD, AUTHENTICATION),
    ("alice", USER_PASSWORD, RIGHT),
])
def test_login_refused_leaves_no_session(house, token, alice, user, password, code):
    sessions = house.done("GET", "state", token=token)["counts"]["sessions"]
    envelope = house.operator("POST", "login", {"user": user, "password": password})
    assert (envelope["code"], envelope["data"]) == (code, None)
    assert house.done("GET", "state", token=token)["counts"]["sessions"] == sessions


@pytest.mark.parametrize("body, field", [
    ({"user": "operator"}, "password"), ({"password": "x"}, "user"),
    ({"user": 1, "password": "x"}, "user"), ({"user": "operator", "password": ["x"]}, "password"),
    ({"user": "operator", "password": ""}, "password"),
    ({"user": "operator", "password": "x", "extra": 1}, "extra"),
])
def test_login_input(house, body, field):
    envelope = house.operator("POST", "login", body)
    assert envelope["code"] == INPUT
    assert envelope["message"].startswith(f"{field}:")


def test_logout_ends_the_session(house):
    token = house.login_operator()
    assert house.done("POST", "logout", token=token) is None
    assert house.operator("GET", "state", token=token)["code"] == AUTHENTICATION


# -- input in general -----------------------------------------------------------------------------

@pytest.mark.parametrize("body, naming", [
    (b"{", "body"), (b"[]", "body"), (b"7", "body"), (b"\xff\xfe", "body"), (b"", "name"),
    (b'{"\\ud800": 1, "name": "X", "title": "X", "type": "x", "scale": 2}', "?"),
    (b"[" * 100_000, "body"), (b'{"name": "\\ud800"}', "name"),
    (b'{"name": "A", "name": "B"}', "name"), (b"x" * 2_000_000, "body"),
])
def test_a_body_that_is_no_json_object(house, token, body, naming):
    refused(house, INPUT, naming, "POST", "coins", body, token)


@pytest.mark.parametrize("method, path", [
    ("GET", "coins"), ("PUT", "state"), ("POST", "nothing"), ("GET", ""), ("DELETE", "credentials"),
    ("POST", "pairs/status/more"), ("POST", "withdrawals"),
])
def test_no_such_call(house, token, method, path):
    refused(house, INPUT, path, method, path, None, token)


@pytest.mark.parametrize("call", ["coins", "pairs", "pairs/status", "deposits", "withdrawals",
                                  "credentials"])
def test_every_field_is_missed_and_none_is_passed_over(house, token, alice, call):
    method, path, body = CALLS[call]
    optional = {"min_amount", "self_trade", "account"}
    for field in body:
        if field not in optional:
            rest = {name: value for name, value in body.items() if name != field}
            refused(house, INPUT, f"{field}: is missing", method, path, rest, token)
        refused(house, INPUT, f"{field}: ", method, path, body | {field: []}, token)
        refused(house, INPUT, f"{field}: ", method, path, body | {field: ""}, token)
    refused(house, INPUT, "surprise: ", method, path, body | {"surprise": 1}, token)


# -- listing --------------------------------------------------------------------------------------

def test_a_coin_is_listed_once(house, token):
    answer = house.done("POST", "coins", COIN | {"name": "DOGE", "withdraw_fee": "0.5"}, token)
    assert answer["coin"] == "DOGE"
    refused(house, OPERATION, "listed", "POST", "coins", COIN | {"name": "DOGE"}, token)


@pytest.mark.parametrize("changes, naming", [
    ({"name": "ltc"}, "name"), ({"name": "L-C"}, "name"), ({"name": "A" * 17}, "name"),
    ({"scale": 9}, "scale"), ({"scale": 18}, "scale"), ({"scale": -1}, "scale"),
    ({"scale": 1.5}, "scale"), ({"scale": "x"}, "scale"), ({"scale": True}, "scale"),
    ({"title": "T" * 65}, "title"), ({"title": "a\nb"}, "title"),
    ({"withdraw_fee": "0.000000001"}, "withdraw_fee"), ({"withdraw_fee": "-1"}, "withdraw_fee"),
    ({"withdraw_fee": "1e300"}, "withdraw_fee"),
])
def test_a_coin_that_is_none(house, token, changes, naming):
    refused(house, INPUT, naming, "POST", "coins", COIN | changes, token)


def test_a_pair_is_listed_and_traded(house, token):
    assert house.done("POST", "pairs", PAIR | {"pair": "ORE/BTC"}, token)["pair"] == "ORE/BTC"
    refused(house, OPERATION, "pair", "POST", "pairs", PAIR | {"pair": "ORE/BTC"}, token)
    depth = house.router("get_depth", method="GET", pair="ORE/BTC")
    assert (depth["bid"], depth["ask"]) == ([], [])


@pytest.mark.parametrize("changes, naming", [
    ({"pair": "BCHBTC"}, "pair"), ({"pair": "BTC/BTC"}, "pair"), ({"pair": "XXX/BTC"}, "pair"),
    ({"price_scale": 5}, "scale"), ({"amount_scale": 9}, "amount_scale"),
    ({"min_amount": "0"}, "min_amount"), ({"min_amount": "0.00001"}, "min_amount"),
    ({"maker_fee": "1"}, "maker_fee"), ({"taker_fee": "0.0000001"}, "taker_fee"),
    ({"taker_fee": "-0.1"}, "taker_fee"), ({"maker_fee": "NaN"}, "maker_fee"),
    ({"self_trade": "maybe"}, "self_trade"),
])
def test_a_pair_that_is_none(house, token, changes, naming):
    refused(house, INPUT, naming, "POST", "pairs", PAIR | changes, token)


def test_a_pair_is_stopped_and_opened(house, token, alice):
    house.done("POST", "deposits",
               {"user": "alice", "coin": "USDT", "amount": "10", "txid": "for orders"}, token)
    order = {"pair": "BCH/USDT", "amount": "1", "price": "2"}
    for status in ("cancel_only", "halted"):
        house.done("POST", "pairs/status", {"pair": "BCH/USDT", "status": status}, token)
        with pytest.raises(RuntimeError, match="pair"):
            house.router("buy", alice, **order)
    house.done("POST", "pairs/status", {"pair": "BCH/USDT", "status": "open"}, token)
    assert house.router("buy", alice, **order)["order_id"]
    refused(house, INPUT, "pair", "POST", "pairs/status", {"pair": "X/Y", "status": "open"}, token)
    refused(house, INPUT, "status", "POST", "pairs/status",
            {"pair": "BTC/USDT", "status": "TRADING"}, token)


# -- deposits -------------------------------------------------------------------------------------

def balance(house, session, coin):
    coins = house.router("get_user_coin", session)
    return coins[coin]["available"], coins[coin]["frozen"]


def test_a_deposit_is_credited_once(house, token):
    session = house.new_user("depositor")
    body = {"user": "depositor", "coin": "BTC", "amount": "0.94418618", "txid": "first"}
    assert house.done("POST", "deposits", body, token) == {"duplicate": False}
    assert house.done("POST", "deposits", body, token) == {"duplicate": True}
    assert balance(house, session, "BTC") == ("0.94418618", "0")
    assert house.done("POST", "deposits", body | {"txid": "second"}, token) == {"duplicate": False}
    assert balance(house, session, "BTC") == ("1.88837236", "0")


def test_amounts_come_as_numbers_too_and_exactly(house, token):
    house.done("POST", "coins", COIN | {"name": "ALL"}, token)
    session = house.new_user("exact-one")
    # The last user so far; the number of users is its uid.
    uid = house.done("GET", "state", token=token)["counts"]["users"]
    body = b'{"user": %d, "coin": "ALL", "amount": %b, "txid": "%b"}'
    for amount in (b"92233720368.54775807", b"1e-8"):
        answer = house.operator("POST", "deposits", body % (uid, amount, amount), token)
        if amount == b"1e-8":
            # All there can be of a coin is there already.
            assert (answer["code"], answer["data"]) == (INPUT, None)
            assert "2^63" in answer["message"]
        assert balance(house, session, "ALL") == ("92233720368.54775807", "0")


@pytest.mark.parametrize("changes, naming", [
    ({"user": "nobody-there"}, "user"), ({"user": 0}, "user"), ({"user": 999_999}, "user"),
    ({"user": "1"}, "user"), ({"user": 1.5}, "user"), ({"user": True}, "user"),
    ({"coin": "XXX"}, "coin"), ({"coin": "btc"}, "coin"), ({"coin": 1}, "coin"),
    ({"amount": "0"}, "amount"), ({"amount": "-1"}, "amount"), ({"amount": "+1"}, "amount"),
    ({"amount": "1.000000001"}, "amount"), ({"amount": "NaN"}, "amount"),
    ({"amount": "1e999999999"}, "amount"), ({"amount": "92233720368.54775808"}, "amount"),
    ({"amount": "1,5"}, "amount"), ({"amount": True}, "amount"), ({"amount": None}, "amount"),
    ({"txid": "t" * 129}, "txid"), ({"txid": "a\x00b"}, "txid"), ({"txid": 7}, "txid"),
])
def test_a_deposit_that_is_none(house, token, alice, changes, naming):
    body = {"user": "alice", "coin": "BTC", "amount": "1", "txid": "never"} | changes
    refused(house, INPUT, naming, "POST", "deposits", body, token)


# -- withdrawals ----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def leaver(house, token):
    """A user with 10 BTC and an address for them."""
    session = house.new_user("leaver")
    house.done("POST", "deposits",
               {"user": "leaver", "coin": "BTC", "amount": "10", "txid": "leaver"}, token)
    house.router("set_withdraw_address", session, coin="BTC", address=BTC_ADDRESS)
    return session


def withdraw(house, session, amount):
    answer = house.router("withdraw", session, coin="BTC", amount=amount)
    return int(answer["withdraw_id"])


def test_a_withdrawal_is_finished(house, token, leaver):
    before, _ = balance(house, leaver, "BTC")
    number = withdraw(house, leaver, "1.5")
    asked = house.done("GET", "withdrawals?status=requested", token=token)[0]
    assert asked["requested_at"].count(":") == 2
    del asked["requested_at"], asked["uid"], asked["request_id"]
    assert asked == {
        "id": number, "user": "leaver", "coin": "BTC", "amount": "1.5", "fee": "0",
        "address": BTC_ADDRESS, "status": "requested", "txid": None}
    path = f"withdrawals/{number}"
    refused(house, OPERATION, "action", "POST", path, {"action": "finish", "txid": "t"}, token)
    for _ in range(2):
        assert house.done("POST", path, {"action": "approve"}, token)["status"] == "approved"
    assert balance(house, leaver, "BTC")[1] == "1.5"
    for _ in range(2):
        finished = house.done("POST", path, {"action": "finish", "txid": "paid"}, token)
        assert (finished["status"], finished["txid"]) == ("finished", "paid")
    left, frozen = balance(house, leaver, "BTC")
    assert (Decimal(left), frozen) == (Decimal(before) - Decimal("1.5"), "0")
    refused(house, OPERATION, "action", "POST", path, {"action": "finish", "txid": "again"}, token)
    refused(house, OPERATION, "action", "POST", path, {"action": "reject"}, token)


def test_a_withdrawal_is_rejected_and_the_money_returns(house, token, leaver):
    before = balance(house, leaver, "BTC")
    number = withdraw(house, leaver, "2")
    path = f"withdrawals/{number}"
    assert house.done("POST", path, {"action": "reject"}, token)["status"] == "rejected"
    assert balance(house, leaver, "BTC") == before
    refused(house, OPERATION, "action", "POST", path, {"action": "approve"}, token)


def test_withdrawals_are_listed(house, token, alice, leaver):
    numbers = [withdraw(house, leaver, "0.001") for _ in range(3)]
    listed = house.done("GET", "withdrawals?status=requested", token=token)
    assert [row["id"] for row in listed][:3] == numbers[::-1]
    newest = house.done("GET", "withdrawals?user=leaver&limit=2", token=token)
    assert [row["id"] for row in newest] == numbers[:0:-1]
    older = house.done("GET", f"withdrawals?before={numbers[1]}&status=requested", token=token)
    assert older[0]["id"] == numbers[0]
    assert house.done("GET", "withdrawals?user=alice", token=token) == []


@pytest.mark.parametrize("query, naming", [
    ("status=open", "status"), ("user=nobody-there", "user"), ("limit=1001", "limit"),
    ("limit=x", "limit"), ("before=-1", "before"), ("colour=red", "colour"),
    ("limit=1&limit=2", "limit"),
])
def test_a_list_that_is_none(house, token, query, naming):
    refused(house, INPUT, naming, "GET", f"withdrawals?{query}", None, token)


@pytest.mark.parametrize("number, body, code, naming", [
    ("999999", {"action": "approve"}, OPERATION, "id"), ("0", {"action": "approve"}, INPUT, "id"),
    ("-1", {"action": "approve"}, INPUT, "id"), ("x", {"action": "approve"}, INPUT, "id"),
    ("1", {"action": "pay"}, INPUT, "action"), ("1", {"action": "finish"}, INPUT, "txid"),
    ("1", {"action": "approve", "txid": "t"}, INPUT, "txid"),
    ("1", {"action": "finish", "txid": "t" * 129}, INPUT, "txid"),
])
def test_a_step_that_is_none(house, token, number, body, code, naming):
    refused(house, code, naming, "POST", f"withdrawals/{number}", body, token)


# -- state ----------------------------------------------------------------------------------------

def test_state_tells_where_the_house_is(house, token):
    state = house.done("GET", "state", token=token)
    assert list(state) == ["seq", "durable_seq", "state_hash", "version", "uptime", "counts"]
    assert state["durable_seq"] == state["seq"] > 0
    assert len(state["state_hash"]) == 32
    assert state["counts"]["coins"] >= 5
    body = {"user": "operator", "coin": "ORE", "amount": "1", "txid": "s"}
    house.done("POST", "deposits", body, token)
    later = house.done("GET", "state", token=token)
    assert later["seq"] == state["seq"] + 1
    assert later["state_hash"] != state["state_hash"]
    refused(house, INPUT, "verbose", "GET", "state?verbose=1", None, token)
