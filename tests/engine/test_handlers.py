"""Cold commands except those of money: each documented refusal, in order, and what OK changes."""

import hashlib
import inspect
import re
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.codes import Kind, OrderType, PairStatus, Result, SelfTrade, Side, Tif
from engine.commands import place_order
from engine.handlers import FIELDS, HANDLERS
from engine.handlers.schema import fits
from ledger.listings import COINS_MAX, PAIRS_MAX
from ledger.sessions import SESSIONS_PER_USER_MAX
from tests.engine.cold_house import HASH, NS_PER_S, ColdHouse

COIN = {"name": "BTC", "title": "Bitcoin", "type": "chain", "scale": 8}
PAIR = {"name": "BTC/USDT", "price_scale": 2, "amount_scale": 6, "min_qty": 1,
        "maker_fee_ppm": 2000, "taker_fee_ppm": 2000, "self_trade": SelfTrade.CANCEL_MAKER}
USER = {"username": "alice", "password_hash": HASH, "group": 2}
CREDENTIAL = {"client_id": "c-1", "sealed_key": b"k", "sealed_salt": b"s", "scope": "operator"}
LEGACY_ADDRESS = "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu"
INT64_MAX = 2**63 - 1


def sha(text):
    return hashlib.sha256(text.encode()).digest()


@pytest.fixture
def house():
    house = ColdHouse()
    house.must(Kind.ADD_COIN, **COIN)
    house.must(Kind.ADD_COIN, **COIN | {"name": "USDT"})
    house.must(Kind.REGISTER_USER, **USER)
    return house


def test_every_cold_kind_has_a_handler_and_fields():
    cold = {kind for kind in Kind if kind >= Kind.ADD_COIN}
    assert set(HANDLERS) == set(FIELDS) == cold


def test_every_handler_documents_the_results_it_gives():
    for handler in HANDLERS.values():
        documented = set(re.findall(r"[A-Z]+_[A-Z_]+", handler.__doc__))
        given_back = set(re.findall(r"Result\.(\w+_\w+)", inspect.getsource(handler)))
        assert given_back <= documented <= {result.name for result in Result}, handler


# -- fields -------------------------------------------------------------------------------------

@pytest.mark.parametrize("args, expected", [
    ({"uid": 1, "coin": 2, "amount": 3, "request_id": "r"}, True),
    ({"uid": 1, "coin": 2, "amount": None, "request_id": None}, True),
    ({"uid": 1, "coin": 2}, True),
    ({"uid": 1}, False),
    ({"uid": None, "coin": 2}, False),
    ({"uid": True, "coin": 2}, False),
    ({"uid": 1.0, "coin": 2}, False),
    ({"uid": "1", "coin": 2}, False),
    ({"uid": 1, "coin": 2, "request_id": b"r"}, False),
    ({"uid": 1, "coin": 2, "address": "x"}, False),
    ({"uid": 1, "coin": 2, 3: 4}, False),
    ([1, 2], False),
    (None, False),
])
def test_fields_are_exact(house, args, expected):
    assert fits(args, FIELDS[Kind.REQUEST_WITHDRAWAL]) == expected
    if type(args) is dict and not expected:
        assert house.do(Kind.REQUEST_WITHDRAWAL, **{
            str(name): value for name, value in args.items()})[0] == Result.BAD_COMMAND


def fields_of(kind):
    """Arguments of the right types and any value."""
    by_type = {int: st.integers(-2**63, 2**64 - 1), str: st.text(max_size=40),
               bytes: st.binary(max_size=40), bool: st.booleans(), type(None): st.none()}
    values = st.one_of(*by_type.values())
    by_type[dict] = st.dictionaries(by_type[str], values, max_size=3)
    by_type[list] = st.lists(values, max_size=3)
    return st.fixed_dictionaries({
        name: st.one_of(*(by_type[one] for one in get_args(declared) or (declared,)))
        for name, declared in FIELDS[kind].items()})


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_fields_of_the_right_type_get_a_result(data):
    house = ColdHouse()
    house.must(Kind.ADD_COIN, **COIN)
    house.must(Kind.REGISTER_USER, **USER)
    for kind in data.draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=4)):
        assert house.do(kind, **data.draw(fields_of(kind)))[0] != Result.BAD_COMMAND


# -- coins and pairs ----------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"name": ""}, Result.BAD_NAME),
    ({"name": "btc"}, Result.BAD_NAME),
    ({"name": "B-C"}, Result.BAD_NAME),
    ({"name": "BTC\n"}, Result.BAD_NAME),
    ({"name": "X" * 17}, Result.BAD_NAME),
    ({"name": "١"}, Result.BAD_NAME),                     # a digit, but not of ASCII
    ({"title": ""}, Result.BAD_TITLE),
    ({"title": "a\x00b"}, Result.BAD_TITLE),
    ({"type": ""}, Result.BAD_TYPE),
    ({"scale": -1}, Result.BAD_SCALE),
    ({"scale": 9}, Result.BAD_SCALE),
    ({"withdraw_fee": -1}, Result.BAD_FEE),
    ({"withdraw_fee": 2**63}, Result.BAD_FEE),
    ({}, Result.COIN_EXISTS),
    ({"name": "X" * 16, "withdraw_fee": INT64_MAX}, Result.OK),
    ({"name": "8", "scale": 0, "withdraw_fee": None}, Result.OK),
])
def test_add_coin(house, change, expected):
    result, number = house.do(Kind.ADD_COIN, **COIN | change)
    assert result == expected
    if expected == Result.OK:
        coin = house.coins.get(number)
        assert number == 3 and house.coins.by_name(change["name"]) is coin
        assert coin.withdraw_fee == (change["withdraw_fee"] or 0)
        assert house.accounts.house(1, number) == 0


def test_coins_are_limited(house):
    for number in range(3, COINS_MAX + 1):
        house.coins.add(f"C{number}", "", "", 8, 0)
        house.core.open_coin(number)
    assert house.do(Kind.ADD_COIN, **COIN | {"name": "MORE"})[0] == Result.TOO_MANY_COINS


@pytest.mark.parametrize("change, expected", [
    ({"name": "BTCUSDT"}, Result.BAD_NAME),
    ({"name": "BTC/"}, Result.BAD_NAME),
    ({"name": "/BTC"}, Result.BAD_NAME),
    ({"name": "BTC/BTC"}, Result.BAD_NAME),
    ({"name": "BTC/USDT/X"}, Result.BAD_NAME),
    ({"name": "BTC/usdt"}, Result.BAD_NAME),
    ({"name": "BTC/EUR"}, Result.UNKNOWN_COIN),
    ({"name": "EUR/BTC"}, Result.UNKNOWN_COIN),
    ({"amount_scale": -1}, Result.BAD_SCALE),
    ({"amount_scale": 9, "price_scale": 0}, Result.BAD_SCALE),
    ({"price_scale": -1}, Result.BAD_SCALE),
    ({"price_scale": 3}, Result.BAD_SCALE),
    ({"min_qty": 0}, Result.BAD_QTY),
    ({"min_qty": INT64_MAX // 100 + 1}, Result.BAD_QTY),
    ({"maker_fee_ppm": -1}, Result.BAD_FEE),
    ({"maker_fee_ppm": 1_000_000}, Result.BAD_FEE),
    ({"taker_fee_ppm": -1}, Result.BAD_FEE),
    ({"taker_fee_ppm": 1_000_000}, Result.BAD_FEE),
    ({"self_trade": 0}, Result.BAD_SELF_TRADE),
    ({"self_trade": 5}, Result.BAD_SELF_TRADE),
    ({"min_qty": INT64_MAX // 100, "maker_fee_ppm": 0, "taker_fee_ppm": 999_999}, Result.OK),
    ({"name": "USDT/BTC"}, Result.OK),
])
def test_add_pair(house, change, expected):
    result, number = house.do(Kind.ADD_PAIR, **PAIR | change)
    assert result == expected
    if expected == Result.OK:
        pair = house.pairs.by_name((PAIR | change)["name"])
        coins = [house.coins.get(pair.base).name, house.coins.get(pair.quote).name]
        assert "/".join(coins) == pair.name and pair.status == PairStatus.TRADING
        assert (pair.base_unit, pair.quote_unit) == (100, 1)
        assert house.depth(number, 1) == ([], [])
        assert house.do(Kind.ADD_PAIR, **PAIR | change)[0] == Result.PAIR_EXISTS


def test_pairs_are_limited(house):
    for number in range(1, PAIRS_MAX + 1):
        house.pairs.add(f"P{number}", 1, 2, 2, 6, 1, 0, 0, 1, 1, 100, 1)
    assert house.do(Kind.ADD_PAIR, **PAIR)[0] == Result.TOO_MANY_PAIRS


def test_set_pair_status(house):
    number = house.must(Kind.ADD_PAIR, **PAIR)
    assert house.do(Kind.SET_PAIR_STATUS, pair=2, status=9)[0] == Result.UNKNOWN_PAIR
    assert house.do(Kind.SET_PAIR_STATUS, pair=-1, status=1)[0] == Result.UNKNOWN_PAIR
    for status in (0, 4):
        assert house.do(Kind.SET_PAIR_STATUS, pair=1, status=status)[0] == Result.BAD_STATUS
    house.must(Kind.SET_PAIR_STATUS, pair=number, status=PairStatus.HALTED)
    assert house.pairs.get(number).status == PairStatus.HALTED
    order = place_order(1, number, Side.BUY, OrderType.LIMIT, Tif.GTC, price=1, qty=1)
    assert house.send(order)[0] == Result.PAIR_HALTED
    assert house.reloaded().send(order)[0] == Result.PAIR_HALTED


@pytest.mark.parametrize("limit, expected", [
    (-1, Result.BAD_LIMIT), (2**32, Result.BAD_LIMIT), (0, Result.OK), (2**32 - 1, Result.OK)])
def test_set_limits(house, limit, expected):
    house.must(Kind.SET_LIMITS, open_orders_per_user=7)
    assert house.do(Kind.SET_LIMITS, open_orders_per_user=limit)[0] == expected
    now = {"open_orders_per_user": limit if expected == Result.OK else 7}
    assert house.limits == house.reloaded().limits == now


# -- users and codes ----------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"username": "ab"}, Result.BAD_USERNAME),
    ({"username": "x" * 65}, Result.BAD_USERNAME),
    ({"username": "bob\n"}, Result.BAD_USERNAME),
    ({"username": "b\x7fob"}, Result.BAD_USERNAME),
    ({"username": "b\u202eob"}, Result.BAD_USERNAME),
    ({"password_hash": ""}, Result.BAD_PASSWORD_HASH),
    ({"password_hash": "x" * 257}, Result.BAD_PASSWORD_HASH),
    ({"group": 0}, Result.BAD_GROUP),
    ({"group": 3}, Result.BAD_GROUP),
    ({"email": ""}, Result.BAD_EMAIL),
    ({"email": "x" * 255}, Result.BAD_EMAIL),
    ({"phone": "1" * 33}, Result.BAD_PHONE),
    ({"name": "x" * 65}, Result.BAD_NAME),
    ({"code_digest": b"x" * 31}, Result.BAD_DIGEST),
    ({"username": "alice"}, Result.USER_EXISTS),
    ({"username": "ALICE", "code_digest": b"x" * 32}, Result.USER_EXISTS),
    ({"code_digest": b"x" * 32}, Result.CODE_EXPIRED),
    ({"username": "用户名"}, Result.OK),
    ({"email": "b@x.org", "phone": "+861", "name": "Bob", "group": 1}, Result.OK),
])
def test_register_user(house, change, expected):
    args = USER | {"username": "bob"} | change
    result, uid = house.do(Kind.REGISTER_USER, **args)
    assert result == expected
    if expected == Result.OK:
        user = house.users.get(uid)
        assert uid == 2 and house.users.by_name(args["username"].upper()) == user
        assert user.username == args["username"] and user.password_hash == HASH
        assert user.group == args["group"]
        assert [user.email, user.phone, user.name] == [
            change.get(field) for field in ("email", "phone", "name")]
        assert user.created_ns == house.ts_ns and user.active and user.pay_password_hash is None
        assert house.accounts.available(uid, 1) == 0


def test_users_are_limited(house, monkeypatch):
    monkeypatch.setattr("engine.handlers.users.USERS_MAX", 1)
    args = USER | {"username": "bob"}
    assert house.do(Kind.REGISTER_USER, **args)[0] == Result.TOO_MANY_USERS


def test_a_right_code_registers_and_is_used_up(house):
    house.must(Kind.ISSUE_CODE, username="Bob", code_digest=sha("123456"))
    args = USER | {"code_digest": sha("123456")}
    assert house.do(Kind.REGISTER_USER, **args | {"username": "eve"})[0] == Result.CODE_EXPIRED
    house.must(Kind.REGISTER_USER, **args | {"username": "bOB"})
    assert len(house.codes) == 0


def test_five_wrong_tries_kill_a_code(house):
    house.must(Kind.ISSUE_CODE, username="bob", code_digest=sha("123456"))
    args = USER | {"username": "bob"}
    for _ in range(5):
        assert house.do(Kind.REGISTER_USER, **args, code_digest=sha("0"))[0] == Result.CODE_WRONG
    assert house.do(Kind.REGISTER_USER, **args, code_digest=sha("123456"))[0] == Result.CODE_DEAD
    house.ts_ns += 60 * NS_PER_S
    house.must(Kind.ISSUE_CODE, username="bob", code_digest=sha("654321"))
    assert house.do(Kind.REGISTER_USER, **args, code_digest=sha("123456"))[0] == Result.CODE_WRONG
    house.must(Kind.REGISTER_USER, **args, code_digest=sha("654321"))


def test_four_wrong_tries_do_not(house):
    house.must(Kind.ISSUE_CODE, username="bob", code_digest=sha("123456"))
    for _ in range(4):
        house.do(Kind.REGISTER_USER, **USER | {"username": "bob"}, code_digest=sha("0"))
    house.must(Kind.REGISTER_USER, **USER | {"username": "bob"}, code_digest=sha("123456"))


@pytest.mark.parametrize("passed_ns, expected", [
    (600 * NS_PER_S - 1, Result.OK), (600 * NS_PER_S, Result.CODE_EXPIRED)])
def test_a_code_lives_ten_minutes(house, passed_ns, expected):
    house.must(Kind.ISSUE_CODE, username="bob", code_digest=sha("1"))
    house.ts_ns += passed_ns
    args = USER | {"username": "bob", "code_digest": sha("1")}
    assert house.do(Kind.REGISTER_USER, **args)[0] == expected


@pytest.mark.parametrize("passed_ns, expected", [
    (60 * NS_PER_S - 1, Result.CODE_TOO_SOON), (60 * NS_PER_S, Result.OK)])
def test_a_second_code_comes_after_a_minute(house, passed_ns, expected):
    house.must(Kind.ISSUE_CODE, username="bob", code_digest=sha("1"))
    house.ts_ns += passed_ns
    assert house.do(Kind.ISSUE_CODE, username="BOB", code_digest=sha("2"))[0] == expected
    assert house.do(Kind.ISSUE_CODE, username="eve", code_digest=sha("2"))[0] == Result.OK


def test_issue_code_checks_its_fields(house):
    assert house.do(Kind.ISSUE_CODE, username="b", code_digest=b"")[0] == Result.BAD_USERNAME
    assert house.do(Kind.ISSUE_CODE, username="bob", code_digest=b"")[0] == Result.BAD_DIGEST


def test_set_passwords(house):
    for kind in (Kind.SET_PASSWORD, Kind.SET_PAY_PASSWORD):
        assert house.do(kind, uid=2, password_hash="")[0] == Result.UNKNOWN_USER
        assert house.do(kind, uid=1, password_hash="")[0] == Result.BAD_PASSWORD_HASH
    assert house.do(Kind.SET_PASSWORD, uid=1, password_hash="h",
                    keep_token_digest=b"")[0] == Result.BAD_DIGEST
    house.must(Kind.SET_PASSWORD, uid=1, password_hash="new")
    house.must(Kind.SET_PAY_PASSWORD, uid=1, password_hash="pay")
    user = house.users.get(1)
    assert (user.password_hash, user.pay_password_hash) == ("new", "pay")


def test_set_withdraw_address(house):
    kind = Kind.SET_WITHDRAW_ADDRESS
    assert house.do(kind, uid=2, coin=9, address="")[0] == Result.UNKNOWN_USER
    assert house.do(kind, uid=1, coin=9, address="")[0] == Result.UNKNOWN_COIN
    assert house.do(kind, uid=1, coin=1, address="T" + LEGACY_ADDRESS)[0] == Result.BAD_ADDRESS
    house.must(kind, uid=1, coin=1, address=LEGACY_ADDRESS)
    house.must(kind, uid=1, coin=2, address="anything")
    user = house.users.get(1)
    assert [user.withdraw_address(coin) for coin in (1, 2, 3)] == [LEGACY_ADDRESS, "anything", None]


# -- sessions -----------------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"uid": 0}, Result.UNKNOWN_USER),
    ({"uid": 2}, Result.UNKNOWN_USER),
    ({"token_digest": b"x"}, Result.BAD_DIGEST),
    ({"lifetime_s": 0}, Result.BAD_LIFETIME),
    ({"lifetime_s": 366 * 86_400 + 1}, Result.BAD_LIFETIME),
    ({}, Result.OK),
])
def test_create_session(house, change, expected):
    args = {"uid": 1, "token_digest": sha("t"), "lifetime_s": 60} | change
    assert house.do(Kind.CREATE_SESSION, **args)[0] == expected
    if expected == Result.OK:
        assert house.do(Kind.CREATE_SESSION, **args)[0] == Result.SESSION_EXISTS
        assert house.sessions.find(sha("t"), house.ts_ns).uid == 1


def test_a_session_ends_with_its_lifetime_and_is_dropped_by_the_next(house):
    house.must(Kind.CREATE_SESSION, uid=1, token_digest=sha("t"), lifetime_s=60)
    house.ts_ns += 60 * NS_PER_S - 1
    assert house.sessions.find(sha("t"), house.ts_ns) is not None
    house.ts_ns += 1
    assert house.sessions.find(sha("t"), house.ts_ns) is None
    assert house.do(Kind.END_SESSION, token_digest=sha("t"))[0] == Result.UNKNOWN_SESSION
    assert len(house.sessions) == 1
    house.ts_ns += NS_PER_S
    house.must(Kind.CREATE_SESSION, uid=1, token_digest=sha("u"), lifetime_s=60)
    assert house.sessions.of_user(1) == [sha("u")]


def test_end_session(house):
    house.must(Kind.CREATE_SESSION, uid=1, token_digest=sha("t"), lifetime_s=60)
    assert house.do(Kind.END_SESSION, token_digest=sha("u"))[0] == Result.UNKNOWN_SESSION
    house.must(Kind.END_SESSION, token_digest=sha("t"))
    assert house.do(Kind.END_SESSION, token_digest=sha("t"))[0] == Result.UNKNOWN_SESSION


def test_a_new_password_ends_all_sessions_but_the_one_kept(house):
    house.must(Kind.REGISTER_USER, **USER | {"username": "bob"})
    for uid, token in ((1, "a"), (2, "b"), (1, "c")):
        house.must(Kind.CREATE_SESSION, uid=uid, token_digest=sha(token), lifetime_s=60)
    house.must(Kind.SET_PASSWORD, uid=1, password_hash=HASH, keep_token_digest=sha("c"))
    assert house.sessions.of_user(1) == [sha("c")] and house.sessions.of_user(2) == [sha("b")]
    # Somebody else's token keeps nothing.
    house.must(Kind.SET_PASSWORD, uid=1, password_hash=HASH, keep_token_digest=sha("b"))
    assert house.sessions.of_user(1) == [] and house.sessions.of_user(2) == [sha("b")]


def test_one_session_too_many_ends_the_oldest(house):
    for number in range(SESSIONS_PER_USER_MAX + 1):
        house.must(Kind.CREATE_SESSION, uid=1, token_digest=sha(str(number)), lifetime_s=60)
    own = house.sessions.of_user(1)
    assert len(own) == SESSIONS_PER_USER_MAX and own[0] == sha("1")


# -- credentials and nonces ---------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"client_id": ""}, Result.BAD_CLIENT_ID),
    ({"client_id": "a b"}, Result.BAD_CLIENT_ID),
    ({"client_id": "x" * 37}, Result.BAD_CLIENT_ID),
    ({"sealed_key": b""}, Result.BAD_SEALED_KEY),
    ({"sealed_salt": b"x" * 1025}, Result.BAD_SEALED_KEY),
    ({"scope": "root"}, Result.BAD_SCOPE),
    ({"scope": "account"}, Result.UNKNOWN_USER),
    ({"scope": "account", "uid": 2}, Result.UNKNOWN_USER),
    ({"uid": 2}, Result.UNKNOWN_USER),
    ({"uid": 1}, Result.OK),
    ({"scope": "account", "uid": 1}, Result.OK),
    ({}, Result.OK),
])
def test_add_credential(house, change, expected):
    args = CREDENTIAL | change
    assert house.do(Kind.ADD_CREDENTIAL, **args)[0] == expected
    if expected == Result.OK:
        credential = house.credentials.get("c-1")
        assert credential._asdict() == {"uid": None} | args
        assert house.do(Kind.ADD_CREDENTIAL, **args)[0] == Result.CREDENTIAL_EXISTS


def test_remove_credential(house):
    assert house.do(Kind.REMOVE_CREDENTIAL, client_id="c-1")[0] == Result.UNKNOWN_CREDENTIAL
    house.must(Kind.ADD_CREDENTIAL, **CREDENTIAL)
    house.must(Kind.REMOVE_CREDENTIAL, client_id="c-1")
    assert house.credentials.get("c-1") is None


@pytest.mark.parametrize("change, ahead_ns, expected", [
    ({"client_id": "c-2"}, 1, Result.UNKNOWN_CREDENTIAL),
    ({"nonce": ""}, 1, Result.BAD_NONCE),
    ({"nonce": "x" * 129}, 1, Result.BAD_NONCE),
    ({}, 0, Result.BAD_EXPIRY),
    ({}, 3600 * NS_PER_S + 1, Result.BAD_EXPIRY),
    ({}, 3600 * NS_PER_S, Result.OK),
    ({}, 1, Result.OK),
])
def test_use_nonce(house, change, ahead_ns, expected):
    house.must(Kind.ADD_CREDENTIAL, **CREDENTIAL)
    args = {"client_id": "c-1", "nonce": "n", "expires_ns": house.ts_ns + ahead_ns} | change
    assert house.do(Kind.USE_NONCE, **args)[0] == expected
    if expected == Result.OK:
        assert house.do(Kind.USE_NONCE, **args)[0] == Result.NONCE_USED


def test_a_nonce_is_its_clients_and_free_again_once_expired(house):
    house.must(Kind.ADD_CREDENTIAL, **CREDENTIAL)
    house.must(Kind.ADD_CREDENTIAL, **CREDENTIAL | {"client_id": "c-2"})
    for client_id in ("c-1", "c-2"):
        house.must(Kind.USE_NONCE, client_id=client_id, nonce="n", expires_ns=house.ts_ns + 500)
    house.ts_ns += 499
    again = {"client_id": "c-1", "nonce": "n"}
    assert house.do(Kind.USE_NONCE, **again,
                    expires_ns=house.ts_ns + 500)[0] == Result.NONCE_USED
    house.ts_ns += 1
    house.must(Kind.USE_NONCE, **again, expires_ns=house.ts_ns + 500)
    house.ts_ns += 2 * NS_PER_S
    house.must(Kind.USE_NONCE, client_id="c-1", nonce="m", expires_ns=house.ts_ns + 500)
    assert len(house.nonces) == 1
