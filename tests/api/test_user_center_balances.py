"""Balances in the user center: what moves, what is refused, request ids, payment passwords."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.auth import sessions
from engine import Kind
from tests.api.user_centers import (
    PAY_PASSWORD, Hashing, balance, done, hashed, new_user, refused, send)

ADD, REDUCE = "Balance/AddBalance", "Balance/ReduceBalance"
TRANSFER, ALLOCATE = "Balance/TransferBalance", "Balance/AllocationBalance"
ONE = 10**8
FREEZE, UNFREEZE = 1, 2


@pytest.fixture(scope="module")
def banker(house):
    return new_user(house, "banker")


@pytest.fixture(scope="module")
def buyer(house):
    return new_user(house)


@pytest.fixture
def user(house):
    return new_user(house, BTC=10 * ONE)


def transfer(seller, buyer, **fields):
    return {"sellerUserId": seller.uid, "buyerUserId": str(buyer.uid), "coinId": "BTC",
            "transNum": "1"} | fields


# -- what moves ------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["json", "form"])
@pytest.mark.parametrize("coin", ["BTC", 1, "1"])
@pytest.mark.parametrize("quantity, units", [
    ("0.00000001", 1), (2, 2 * ONE), ("1e-8", 1), ("1.50000000000", 150_000_000)])
def test_balances_are_credited_and_debited(house, user, banker, way, coin, quantity, units):
    fields = {"coinId": coin, "quantityNum": quantity, "uid": user.uid}
    assert done(house, ADD, fields, banker.token, way=way) == "充值成功"
    assert balance(house, user) == (10 * ONE + units, 0)
    assert done(house, REDUCE, fields, banker.token, way=way) == "操作成功"
    assert balance(house, user) == (10 * ONE, 0)


def test_without_a_uid_it_is_the_callers_own(house, banker):
    before, _ = balance(house, banker)
    done(house, ADD, {"coinId": "BTC", "quantityNum": "3"}, banker.token)
    assert balance(house, banker) == (before + 3 * ONE, 0)


def test_a_credit_shows_in_the_ledger_of_the_exchange(house, user, banker):
    done(house, ADD, {"coinId": "USDT", "quantityNum": "2.5", "uid": user.uid}, banker.token)
    assert house.done("get_user_coin", user.token)["USDT"]["available"] == "2.5"
    assert house.done("get_ledger", user.token, coin="USDT")[0]["amount"] == "2.5"


@pytest.mark.parametrize("name", [TRANSFER, REDUCE])
@pytest.mark.parametrize("way", ["json", "form"])
def test_the_seller_pays_the_buyer(house, user, name, way):
    buyer = new_user(house)
    assert done(house, name, transfer(user, buyer, transNum="0.25"), user.token,
                way=way) == "操作成功"
    assert balance(house, user) == (10 * ONE - ONE // 4, 0)
    assert balance(house, buyer) == (ONE // 4, 0)


@pytest.mark.parametrize("coin", ["BTC", "1"])
def test_a_part_is_frozen_and_set_free(house, user, coin):
    fields = {"UserId": user.uid, "coinId": coin, "AssetsNum": "4"}
    assert done(house, ALLOCATE, fields | {"oper_type": FREEZE}, user.token) == "操作成功"
    assert balance(house, user) == (6 * ONE, 4 * ONE)
    assert refused(house, TRANSFER, transfer(user, user, transNum=7), user.token)
    more = fields | {"AssetsNum": "4.00000001", "oper_type": UNFREEZE}
    assert refused(house, ALLOCATE, more, user.token) == (
        "not_enough_frozen", "AssetsNum: less than that was frozen so")
    assert done(house, ALLOCATE, fields | {"oper_type": UNFREEZE}, user.token) == "操作成功"
    assert balance(house, user) == (10 * ONE, 0)


def test_a_user_does_not_undo_what_others_froze(house, user, banker):
    fields = {"UserId": user.uid, "coinId": "BTC", "AssetsNum": "4"}
    done(house, ALLOCATE, fields | {"oper_type": FREEZE}, banker.token)
    assert refused(house, ALLOCATE, fields | {"oper_type": UNFREEZE},
                   user.token)[0] == "not_enough_frozen"
    done(house, ALLOCATE, fields | {"oper_type": UNFREEZE}, banker.token)


def test_what_orders_hold_stays_held(house, user):
    house.done("sell", user.token, pair="BTC/USDT", amount="2", price="99999")
    fields = {"UserId": user.uid, "coinId": "BTC", "AssetsNum": "1", "oper_type": UNFREEZE}
    assert refused(house, ALLOCATE, fields, user.token)[0] == "not_enough_frozen"
    assert balance(house, user) == (8 * ONE, 2 * ONE)


# -- what is refused -------------------------------------------------------------------------------

AMOUNTS = ["0", "-1", "+1", "NaN", "Infinity", "x", "0.000000001", "1e-9", "92233720369",
           "1e999999", "9" * 400, " 1", "1,5", "", -1, 0, True, [], {}, float("nan")]


@pytest.mark.parametrize("value", AMOUNTS, ids=lambda value: repr(value)[:20])
def test_an_amount_that_cannot_be_taken(house, user, banker, buyer, value):
    for name, field, fields in (
            (REDUCE, "quantityNum", {"uid": user.uid}),
            (REDUCE, "transNum", transfer(user, buyer)),
            (ALLOCATE, "AssetsNum", {"UserId": user.uid, "oper_type": FREEZE})):
        by = user if field == "transNum" else banker
        why, message = refused(house, name, {"coinId": "BTC"} | fields | {field: value}, by.token)
        assert why == "input" and message.startswith(f"{field}: ")


@pytest.mark.parametrize("value", ["", "btc", "DOGE", "0", "-1", "6", "1.0", "²", "9" * 30, 6, 1.5,
                                   "x" * 2000, [], {}, True])
def test_a_coin_that_is_not_listed(house, user, banker, value):
    for name, fields, by in (
            (ADD, {"quantityNum": "1", "uid": user.uid}, banker),
            (ALLOCATE, {"UserId": user.uid, "AssetsNum": "1", "oper_type": FREEZE}, user)):
        why, message = refused(house, name, fields | {"coinId": value}, by.token)
        assert why in ("unknown_coin", "input") and message.startswith("coinId: ")


@pytest.mark.parametrize("value", ["", "0", "-1", "x", "1.5", "9" * 30, 0, -1, 1.5, [], {}, True])
def test_a_uid_that_is_no_number(house, user, banker, value):
    for name, field, fields, by in (
            (ADD, "uid", {"coinId": "BTC", "quantityNum": "1"}, banker),
            (TRANSFER, "buyerUserId", transfer(user, user), user),
            (TRANSFER, "sellerUserId", transfer(user, user), user),
            ("Device/CheckBindDevice", "uid", {"device_id": "d"}, user)):
        why, message = refused(house, name, fields | {field: value}, by.token)
        assert why == "input" and message.startswith(f"{field}: ")


@pytest.mark.parametrize("value", ["", "x" * 37, "a b", "é", "a\n", 7, [], True])
@pytest.mark.parametrize("name", [ADD, TRANSFER, REDUCE, ALLOCATE])
def test_a_request_id_that_is_malformed(house, user, banker, buyer, name, value):
    fields = {ADD: {"coinId": "BTC", "quantityNum": "1"},
              REDUCE: {"coinId": "BTC", "quantityNum": "1"}, TRANSFER: transfer(user, buyer),
              ALLOCATE: {"UserId": user.uid, "coinId": "BTC", "AssetsNum": "1", "oper_type": 1}}
    by = user if name == TRANSFER else banker
    why, message = refused(house, name, fields[name] | {"requestId": value}, by.token)
    assert why in ("bad_request_id", "input") and message.startswith("requestId: ")


def test_too_much_is_refused_by_the_name_of_the_field(house, user, banker, buyer):
    much = {"coinId": "BTC", "quantityNum": "10.00000001", "uid": user.uid}
    assert refused(house, REDUCE, much, banker.token) == (
        "not_enough_money", "quantityNum: not enough money available")
    for name in (TRANSFER, REDUCE):
        sent = transfer(user, buyer, transNum="10.00000001")
        assert refused(house, name, sent, user.token) == (
            "not_enough_money", "transNum: not enough money available")
    sent = {"UserId": user.uid, "coinId": "BTC", "AssetsNum": "11", "oper_type": FREEZE}
    assert refused(house, ALLOCATE, sent, user.token)[0] == "not_enough_money"
    for _ in range(2):
        last = send(house, ADD, much | {"quantityNum": "92233720368"}, banker.token)
    assert (last.reason, last.message) == (
        "amount_too_large", "quantityNum: there would be more of the coin than 2^63 - 1 of its "
                            "units")


def test_a_transfer_to_nobody_or_to_oneself(house, user, banker):
    sent = transfer(user, user)
    assert refused(house, TRANSFER, sent, user.token) == (
        "same_account", "buyerUserId: is the seller")
    assert refused(house, TRANSFER, sent | {"buyerUserId": 10**6}, user.token) == (
        "unknown_user", "buyerUserId: not known")
    assert refused(house, TRANSFER, sent, banker.token)[0] == "no_right"


@pytest.mark.parametrize("fields, named", [
    ({"sellerUserId": "1"}, "sellerUserId"), ({"transNum": "1"}, "transNum"),
    ({"paypassword": "1"}, "paypassword"), ({"quantityNum": None}, "quantityNum"),
    ({"buyerUserId": 1}, "quantityNum"), ({"buyerUserId": 1, "quantityNum": None}, "sellerUserId")])
def test_the_two_forms_of_reduce_balance_do_not_mix(house, banker, fields, named):
    sent = {"coinId": "BTC", "quantityNum": "1"} | fields
    why, message = refused(house, REDUCE, sent, banker.token)
    assert why == "input" and message.startswith(f"{named}: is ")


# -- request ids -----------------------------------------------------------------------------------

@pytest.mark.parametrize("name", [ADD, REDUCE, TRANSFER, ALLOCATE])
def test_a_request_id_counts_once(house, buyer, name):
    user, banker = new_user(house, "banker", BTC=10 * ONE), new_user(house, "banker")
    fields = {ADD: {"coinId": "BTC", "quantityNum": "1"},
              REDUCE: {"coinId": "BTC", "quantityNum": "1"}, TRANSFER: transfer(user, buyer),
              ALLOCATE: {"UserId": user.uid, "coinId": "BTC", "AssetsNum": "1", "oper_type": 1}}
    sent = fields[name] | {"requestId": "once:1"}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: send(house, name, sent, user.token), range(8)))
    assert {(answer.status, answer.message) for answer in answers} == {(1, "")}
    available, frozen = {ADD: (11, 0), REDUCE: (9, 0), TRANSFER: (9, 0), ALLOCATE: (9, 1)}[name]
    assert balance(house, user) == (available * ONE, frozen * ONE)
    amount = next(field for field in ("quantityNum", "transNum", "AssetsNum") if field in sent)
    assert refused(house, name, sent | {amount: "2"}, user.token) == (
        "request_id_taken", "requestId: taken by another request")
    # Another caller's ids are its own.
    if name != TRANSFER:
        other = sent | ({"uid": user.uid} if name != ALLOCATE else {})
        done(house, name, other, banker.token)
        assert balance(house, user) != (available * ONE, frozen * ONE)


# -- payment passwords -----------------------------------------------------------------------------

@pytest.fixture
def careful(house):
    return new_user(house, BTC=10 * ONE, pay_password_hash=hashed(house, PAY_PASSWORD))


@pytest.mark.parametrize("name", [TRANSFER, REDUCE])
def test_a_seller_gives_its_payment_password(house, careful, buyer, name):
    sent = transfer(careful, buyer)
    assert refused(house, name, sent, careful.token) == ("input", "paypassword: is missing")
    answer = send(house, name, sent | {"paypassword": "wrong"}, careful.token)
    assert (answer.reason, answer.message) == ("wrong_password", "paypassword: wrong")
    assert balance(house, careful) == (10 * ONE, 0)
    done(house, name, sent | {"paypassword": PAY_PASSWORD}, careful.token)
    assert balance(house, careful) == (9 * ONE, 0)


def test_five_wrong_tries_lock_it_for_every_door(house, careful, buyer):
    check = {"uid": careful.uid, "paypassword": "wrong", "oper_type": 1}
    for number in range(5):
        name, sent = (("Password/Pay", check) if number % 2 else
                      (TRANSFER, transfer(careful, buyer, paypassword="wrong")))
        assert send(house, name, sent, careful.token).reason == "wrong_password"
    right = {"paypassword": PAY_PASSWORD}
    for name, sent in (("Password/Pay", check | right),
                       (TRANSFER, transfer(careful, buyer, **right)),
                       ("Password/Pay", check | right | {"oper_type": 2})):
        why, message = refused(house, name, sent, careful.token)
        assert why == "pay_password_locked" and "15 minutes" in message
    assert balance(house, careful) == (10 * ONE, 0)
    # One who acts for the user may give it a new one.
    deputy = new_user(house, "deputy")
    assert done(house, "Password/Pay", check | {"paypassword": "new one", "oper_type": 2},
                deputy.token) == "修改成功"
    assert done(house, "Password/Pay", check | {"paypassword": "new one"},
                careful.token) == "验证成功"


def test_a_right_try_forgets_the_wrong_ones(house, careful):
    check = {"uid": careful.uid, "oper_type": 1}
    for _ in range(3):
        for _ in range(4):
            assert send(house, "Password/Pay", check | {"paypassword": "wrong"},
                        careful.token).data == "验证失败"
        assert done(house, "Password/Pay", check | {"paypassword": PAY_PASSWORD}, careful.token)


def test_there_is_nothing_to_check_before_one_is_set(house, user):
    check = {"uid": user.uid, "paypassword": PAY_PASSWORD, "oper_type": 1}
    assert refused(house, "Password/Pay", check, user.token) == (
        "no_pay_password", "no payment password is set")
    done(house, "Password/Pay", check | {"oper_type": 2}, user.token)
    assert done(house, "Password/Pay", check, user.token) == "验证成功"
    for value in ("short", "x" * 129, 123456, ""):
        why, message = refused(house, "Password/Pay",
                               check | {"oper_type": 2, "paypassword": value}, user.token)
        assert why == "input" and message.startswith("paypassword: ")


def test_a_session_that_ends_while_the_payment_password_is_checked_pays_nothing(
        house, careful, buyer, monkeypatch):
    hashing = Hashing(monkeypatch)
    answer = hashing.during(send, house, TRANSFER,
                            transfer(careful, buyer, paypassword=PAY_PASSWORD), careful.token)
    house.submit(Kind.END_SESSION, token_digest=sessions.digest(careful.token))
    assert hashing.ended(answer).reason == "bad_token"
    assert balance(house, careful) == (10 * ONE, 0)


# -- devices ---------------------------------------------------------------------------------------

def test_a_device_is_bound_until_it_is_removed(house, user):
    device = {"uid": user.uid, "device_id": "d" * 128}
    named = device | {"device_name": "手机", "device_os": "x" * 64}
    assert refused(house, "Device/CheckBindDevice", device, user.token) == (
        "unknown_device", "device_id: not bound")
    for _ in range(2):
        assert done(house, "Device/AddBindDevice", named, user.token) == "绑定成功"
    assert done(house, "Device/CheckBindDevice", device, user.token) == {"groupid": "2"}
    assert done(house, "Device/RemoveBindDevice", device, user.token) == "移除成功"
    for name in ("Device/RemoveBindDevice", "Device/CheckBindDevice"):
        assert refused(house, name, device, user.token)[0] == "unknown_device"
    for field, value in (("device_id", "x" * 129), ("device_name", "x" * 65),
                         ("device_os", "x" * 65), ("device_id", "a\n"), ("device_os", "\x00")):
        why, message = refused(house, "Device/AddBindDevice", named | {field: value}, user.token)
        assert why in ("input", "bad_device") and message.startswith("device")


def test_twenty_devices_are_enough(house, user):
    admin = new_user(house, "admin")
    sent = {"uid": user.uid, "device_name": "n", "device_os": "o"}
    for number in range(20):
        done(house, "Device/AddBindDevice", sent | {"device_id": f"{number}"}, admin.token)
    assert refused(house, "Device/AddBindDevice", sent | {"device_id": "x"}, user.token) == (
        "too_many_devices", "too many devices are bound")
    own = {"uid": admin.uid, "device_id": "a", "device_name": "n", "device_os": "o"}
    done(house, "Device/AddBindDevice", own, admin.token)
    assert done(house, "Device/CheckBindDevice", {"uid": admin.uid, "device_id": "a"},
                admin.token) == {"groupid": "1"}
