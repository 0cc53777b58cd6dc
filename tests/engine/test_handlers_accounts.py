"""Sub-accounts, their fees and payments, and their masters' contacts: each refusal, in order."""

import pytest

from engine.codes import (
    FeeType, HouseAccount, Kind, OrderType, Result, SelfTrade, Side, Tif,
)
from engine.commands import place_order
from engine.halt import Halt
from ledger.users import USERS_MAX
from pool.subaccounts import ACCOUNTS_PER_MASTER_MAX, CoinHarvest, MoneyHarvest
from tests.engine.cold_house import HASH, ColdHouse

ALICE, FARM, BOB = 1, 2, 3          # FARM is Alice's sub-account
BTC, CNY, TINY = 1, 2, 3
AMOUNT_MAX = 2**63 - 1
ADDRESS = "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu"
ADD = {"username": "carol", "password_hash": HASH, "phone": "138", "email": "c@x.org"}
SUB = {"uid": ALICE, "name": "hall", "theory_speed": 12_000_000, "description": "四川",
       "worker_count": 10}
BANK = {"account": FARM, "province": "北京", "city": "北京", "bank": "中国银行",
        "branch": "西二旗支行", "owner": "张三", "number": "6217", "min": 100}
COIN = {"account": FARM, "coin": BTC, "address": ADDRESS, "min": 10**6}


@pytest.fixture
def house():
    house = ColdHouse()
    for name, scale in (("BTC", 8), ("CNY", 8), ("TINY", 2)):
        house.must(Kind.ADD_COIN, name=name, title=name, type="coin", scale=scale)
    house.must(Kind.REGISTER_USER, username="alice", password_hash=HASH, group=2,
               email="Alice@x.org")
    house.must(Kind.ADD_SUB_ACCOUNT, **SUB | {"name": "Farm"})
    house.must(Kind.REGISTER_USER, username="bob", password_hash=HASH, group=1, phone="139")
    return house


# -- beginning ----------------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"username": "ab"}, Result.BAD_USERNAME),
    ({"username": "ab\n"}, Result.BAD_USERNAME),
    ({"username": "\x1ffarm"}, Result.BAD_USERNAME),
    ({"username": "carol smith"}, Result.BAD_NAME),
    ({"username": "卡罗尔"}, Result.BAD_NAME),
    ({"username": "x" * 33, "password_hash": ""}, Result.BAD_NAME),
    ({"password_hash": "", "email": ""}, Result.BAD_PASSWORD_HASH),
    ({"email": "", "phone": ""}, Result.BAD_EMAIL),
    ({"email": "x" * 255}, Result.BAD_EMAIL),
    ({"phone": "", "username": "bob"}, Result.BAD_PHONE),
    ({"phone": "1\n"}, Result.BAD_PHONE),
    ({"phone": None, "email": None, "username": "bob"}, Result.NO_CONTACT),
    ({"username": "BOB"}, Result.USER_EXISTS),
    ({"username": "farm"}, Result.ACCOUNT_EXISTS),
    ({"phone": None}, Result.OK),
    ({"email": None, "username": "x" * 32}, Result.OK),
])
def test_add_account(house, change, expected):
    result, value = house.do(Kind.ADD_ACCOUNT, **ADD | change)
    assert result == expected
    if expected == Result.OK:
        assert value == {"uid": 4, "account": 5}
        user = house.users.get(4)
        assert (user.group, user.active, user.created_ns) == (2, True, house.ts_ns)
        assert house.sub_accounts.get(5).name == user.username
        assert house.sub_accounts.get(5).master == 4
    else:
        assert value is None and len(house.users) == 3


@pytest.mark.parametrize("change, expected", [
    ({"uid": 4, "name": ""}, Result.UNKNOWN_USER),
    ({"uid": FARM, "name": ""}, Result.UNKNOWN_USER),
    ({"name": "", "theory_speed": -1}, Result.BAD_NAME),
    ({"name": "x" * 33}, Result.BAD_NAME),
    ({"name": "a.b"}, Result.BAD_NAME),
    ({"theory_speed": -1, "description": "\0"}, Result.BAD_SPEED),
    ({"theory_speed": 2**63}, Result.BAD_SPEED),
    ({"description": "x" * 129, "worker_count": -1}, Result.BAD_DESCRIPTION),
    ({"description": "a\nb"}, Result.BAD_DESCRIPTION),
    ({"worker_count": -1, "name": "FARM"}, Result.BAD_WORKER_COUNT),
    ({"worker_count": 2**31}, Result.BAD_WORKER_COUNT),
    ({"name": "FARM"}, Result.ACCOUNT_EXISTS),
    ({"uid": BOB, "name": "alice"}, Result.OK),
    ({"name": "x" * 32, "theory_speed": AMOUNT_MAX, "worker_count": 2**31 - 1}, Result.OK),
    ({"theory_speed": 0, "description": "", "worker_count": 0}, Result.OK),
])
def test_add_sub_account(house, change, expected):
    args = SUB | change
    result, number = house.do(Kind.ADD_SUB_ACCOUNT, **args)
    assert result == expected
    if expected == Result.OK:
        account = house.reloaded().sub_accounts.get(number)
        assert number == 4 and account.master == args["uid"] and account.name == args["name"]
        assert (account.theory_speed, account.description, account.worker_count) == (
            args["theory_speed"], args["description"], args["worker_count"])
        assert (account.fee_type, account.fee, account.commission, account.bch_pps_fee,
                account.bch_commission, account.refer) == (FeeType.FPPS, 200, 0, 200, 0, 0)
        assert house.sub_accounts.of_master(args["uid"])[-1] == number


def test_sub_accounts_of_a_master_are_limited(house):
    for number in range(1, ACCOUNTS_PER_MASTER_MAX):
        house.users.add_sub_account(f"a{number}", 1)
        house.core.open_user(number + BOB)
        house.sub_accounts.add(number + BOB, ALICE, f"a{number}")
    assert house.do(Kind.ADD_SUB_ACCOUNT, **SUB | {"name": "a1"})[0] == Result.ACCOUNT_EXISTS
    assert house.do(Kind.ADD_SUB_ACCOUNT, **SUB)[0] == Result.TOO_MANY_ACCOUNTS
    house.must(Kind.ADD_SUB_ACCOUNT, **SUB | {"uid": BOB})


def test_users_and_sub_accounts_are_limited_together(house, monkeypatch):
    monkeypatch.setattr("engine.handlers.accounts.USERS_MAX", len(house.users) + 1)
    assert USERS_MAX == 2**32 - 2
    assert house.do(Kind.ADD_ACCOUNT, **ADD)[0] == Result.TOO_MANY_USERS
    house.must(Kind.ADD_SUB_ACCOUNT, **SUB)
    assert house.do(Kind.ADD_SUB_ACCOUNT, **SUB | {"name": "more"})[0] == Result.TOO_MANY_USERS


def test_the_two_name_spaces_never_meet(house):
    assert house.do(Kind.REGISTER_USER, username="\x1fx", password_hash=HASH, group=2)[0] == (
        Result.BAD_USERNAME)
    assert house.do(Kind.REGISTER_USER, username="farm", password_hash=HASH, group=3)[0] == (
        Result.BAD_GROUP)
    assert house.must(Kind.REGISTER_USER, username="farm", password_hash=HASH, group=2) == 4
    assert house.must(Kind.ADD_SUB_ACCOUNT, **SUB | {"name": "ALICE"}) == 5
    assert house.users.by_name("farm").uid == 4 and house.users.sub_account("FARM").uid == FARM


# -- a ledger account like any other ------------------------------------------------------------

OF_PEOPLE = [
    (Kind.CREATE_SESSION, {"token_digest": bytes(32), "lifetime_s": 60}),
    (Kind.SET_PASSWORD, {"password_hash": HASH}),
    (Kind.SET_PAY_PASSWORD, {"password_hash": HASH}),
    (Kind.TRY_PAY_PASSWORD, {}),
    (Kind.CLEAR_PAY_TRIES, {}),
    (Kind.SET_WITHDRAW_ADDRESS, {"coin": BTC, "address": ADDRESS}),
    (Kind.SET_PERMISSIONS, {"fields": {"is_allow_login": 1}}),
    (Kind.SET_PROFILE, {"fields": {"a": "b"}}),
    (Kind.SET_IDENTITY, {"fields": {"a": b"b"}}),
    (Kind.BIND_DEVICE, {"device_id": "d", "name": "phone", "os": "x"}),
    (Kind.REMOVE_DEVICE, {"device_id": "d"}),
    (Kind.ADD_CREDENTIAL, {"client_id": "c", "sealed_key": b"k", "sealed_salt": b"s",
                           "scope": "account"}),
    (Kind.OPEN_WALLET, {}),
    (Kind.SET_CONTACT, {"phone": "1"}),
    (Kind.ADD_SUB_ACCOUNT, {"name": "x", "theory_speed": 0, "description": "",
                            "worker_count": 0}),
]


@pytest.mark.parametrize("kind, args", OF_PEOPLE, ids=lambda value: getattr(value, "name", ""))
def test_nobody_logs_in_as_a_sub_account(house, kind, args):
    house.must(Kind.SET_MINING, coin=TINY, rate=1, force_price=1, sign_in_force=1, initial_force=1)
    house.must(Kind.SET_PAY_PASSWORD, uid=BOB, password_hash=HASH)
    house.must(Kind.BIND_DEVICE, uid=BOB, device_id="d", name="phone", os="x")
    assert house.do(kind, uid=FARM, **args)[0] == Result.UNKNOWN_USER
    house.must(kind, uid=BOB, **args)


def test_it_is_paid_sells_and_pays_out(house):
    house.must(Kind.ADD_PAIR, name="BTC/CNY", price_scale=2, amount_scale=4, min_qty=1,
               maker_fee_ppm=0, taker_fee_ppm=0, self_trade=SelfTrade.CANCEL_MAKER)
    house.must(Kind.DEPOSIT, uid=BOB, coin=CNY, amount=10**12, txid="t")
    house.must(Kind.CREDIT_BALANCE, by=BOB, uid=FARM, coin=BTC, amount=10**8)
    house.send(place_order(BOB, 1, Side.BUY, OrderType.LIMIT, Tif.GTC, 100, 10**4))
    result, _ = house.send(place_order(FARM, 1, Side.SELL, OrderType.MARKET, Tif.IOC, 0, 5_000))
    assert result == Result.OK
    assert house.core.balance(FARM, BTC) == (10**8 // 2, 0)
    assert house.core.balance(FARM, CNY) == (5_000 * 100 * 100, 0)
    house.must(Kind.SET_COIN_HARVEST, **COIN)
    withdrawal = house.must(Kind.REQUEST_WITHDRAWAL, uid=FARM, coin=BTC)
    assert (withdrawal["amount"], withdrawal["address"]) == (10**8 // 2, ADDRESS)
    house.must(Kind.APPROVE_WITHDRAWAL, id=withdrawal["id"])
    house.must(Kind.FINISH_WITHDRAWAL, id=withdrawal["id"], txid="out")
    again = house.reloaded()
    assert again.core.balance(FARM, BTC) == (0, 0)
    assert again.core.house(HouseAccount.EXTERNAL, BTC) == -10**8 // 2


# -- contacts -----------------------------------------------------------------------------------

@pytest.mark.parametrize("args, expected", [
    ({"uid": 9}, Result.UNKNOWN_USER),
    ({"uid": ALICE}, Result.NO_CONTACT),
    ({"uid": ALICE, "email": "", "phone": ""}, Result.BAD_EMAIL),
    ({"uid": ALICE, "email": "x" * 255}, Result.BAD_EMAIL),
    ({"uid": ALICE, "email": "a@x", "phone": ""}, Result.BAD_PHONE),
    ({"uid": ALICE, "phone": "1" * 33}, Result.BAD_PHONE),
    ({"uid": ALICE, "email": "x" * 254, "phone": "1" * 32}, Result.OK),
])
def test_set_contact(house, args, expected):
    assert house.do(Kind.SET_CONTACT, **args)[0] == expected


def test_users_are_found_by_phone_and_mail(house):
    house.must(Kind.ADD_ACCOUNT, **ADD | {"phone": "139", "email": "alice@X.org"})
    house.must(Kind.SET_CONTACT, uid=ALICE, phone="139")
    for one in (house, house.reloaded()):
        assert one.contacts.by_phone(one.users, "139") == [BOB, 4, ALICE]
        assert one.contacts.by_email(one.users, "ALICE@x.ORG") == [ALICE, 4]
        one.must(Kind.SET_CONTACT, uid=BOB, phone="140", email="b@x")
        assert one.contacts.by_phone(one.users, "139") == [4, ALICE]
        assert one.users.get(BOB).email == "b@x" and one.users.get(ALICE).email == "Alice@x.org"


# -- fees ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"account": ALICE, "fee": 1}, Result.UNKNOWN_ACCOUNT),
    ({"account": 9}, Result.UNKNOWN_ACCOUNT),
    ({}, Result.NO_CHANGE),
    ({"fee_type": 0, "fee": -1}, Result.BAD_FEE_TYPE),
    ({"fee_type": 3}, Result.BAD_FEE_TYPE),
    ({"fee": -1, "refer": 99}, Result.BAD_FEE),
    ({"fee": 10_000}, Result.BAD_FEE),
    ({"bch_pps_fee": -1}, Result.BAD_FEE),
    ({"bch_pps_fee": 10_000}, Result.BAD_FEE),
    ({"refer": FARM, "commission": 201}, Result.BAD_REFER),
    ({"refer": ALICE}, Result.BAD_REFER),
    ({"refer": 4}, Result.BAD_REFER),
    ({"refer": -1}, Result.BAD_REFER),
    ({"commission": 201}, Result.BAD_COMMISSION),
    ({"commission": -1}, Result.BAD_COMMISSION),
    ({"fee": 0, "commission": 1}, Result.BAD_COMMISSION),
    ({"bch_commission": 201}, Result.BAD_COMMISSION),
    ({"bch_commission": -1}, Result.BAD_COMMISSION),
    ({"commission": 200, "bch_commission": 200}, Result.OK),
    ({"fee": 9_999, "commission": 9_999, "bch_pps_fee": 0}, Result.OK),
    ({"fee_type": 1, "refer": BOB}, Result.OK),
    ({"refer": 0}, Result.OK),
])
def test_set_fees(house, change, expected):
    before = house.sub_accounts.get(FARM)
    assert house.do(Kind.SET_FEES, **{"account": FARM} | change)[0] == expected
    changes = {name: value for name, value in change.items() if name != "account"}
    after = before._replace(**changes) if expected == Result.OK else before
    assert house.reloaded().sub_accounts.get(FARM) == after


def test_a_fee_below_its_commission_is_refused_until_the_commission_falls(house):
    house.must(Kind.SET_FEES, account=FARM, commission=150, refer=BOB)
    assert house.do(Kind.SET_FEES, account=FARM, fee=149)[0] == Result.BAD_COMMISSION
    house.must(Kind.SET_FEES, account=FARM, fee=149, commission=149)
    house.must(Kind.ADD_SUB_ACCOUNT, **SUB)
    house.must(Kind.SET_FEES, account=4, refer=FARM)
    assert house.sub_accounts.get(4).refer == FARM


# -- how it is paid -----------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"account": BOB, "coin": 9}, Result.UNKNOWN_ACCOUNT),
    ({"coin": 9, "address": ""}, Result.UNKNOWN_COIN),
    ({"address": ADDRESS + "x", "min": 1}, Result.BAD_ADDRESS),
    ({"min": 1}, Result.BAD_MIN),
    ({"min": -1}, Result.BAD_MIN),
    ({"min": 10**8}, Result.BAD_MIN),
    ({"min": 10**4}, Result.BAD_MIN),
    ({"coin": TINY, "min": 100}, Result.BAD_MIN),
    ({"min": 0}, Result.OK),
    ({"min": 10**5}, Result.OK),
    ({"min": 10**7}, Result.OK),
    ({"coin": TINY, "min": 1, "address": "anything"}, Result.OK),     # 0.01
    ({"coin": TINY, "min": 10, "address": "anything"}, Result.OK),    # 0.1
])
def test_set_coin_harvest(house, change, expected):
    args = COIN | change
    assert house.do(Kind.SET_COIN_HARVEST, **args)[0] == expected
    if expected == Result.OK:
        again = house.reloaded()
        assert again.sub_accounts.get(FARM).coin_harvest(args["coin"]) == CoinHarvest(
            args["coin"], args["min"], house.ts_ns)
        assert again.users.get(FARM).withdraw_address(args["coin"]) == args["address"]


def test_a_coin_without_decimals_has_no_least_amount(house):
    house.must(Kind.ADD_COIN, name="WHOLE", title="x", type="coin", scale=0)
    whole = COIN | {"coin": 4, "address": "x"}
    assert house.do(Kind.SET_COIN_HARVEST, **whole | {"min": 1})[0] == Result.BAD_MIN
    house.must(Kind.SET_COIN_HARVEST, **whole | {"min": 0})


def test_a_coin_is_set_anew(house):
    house.must(Kind.SET_COIN_HARVEST, **COIN)
    house.must(Kind.SET_COIN_HARVEST, **COIN | {"coin": TINY, "address": "first", "min": 0})
    house.ts_ns += 5
    house.must(Kind.SET_COIN_HARVEST, **COIN | {"coin": TINY, "address": "second", "min": 1})
    assert house.sub_accounts.get(FARM).coin_harvests == (
        (BTC, 10**6, house.ts_ns - 5), (TINY, 1, house.ts_ns))
    assert house.users.get(FARM).withdraw_addresses == ((BTC, ADDRESS), (TINY, "second"))


@pytest.mark.parametrize("change, expected", [
    ({"account": BOB, "city": ""}, Result.UNKNOWN_ACCOUNT),
    *[({name: text, "min": 1}, Result.BAD_BANK)
      for name in ("province", "city", "bank", "branch", "owner", "number")
      for text in ("", "x" * 65, "a\0")],
    ({"min": 1}, Result.BAD_MIN),
    ({"min": 99}, Result.BAD_MIN),
    ({"min": -1}, Result.BAD_MIN),
    ({"min": 2**63}, Result.BAD_MIN),
    ({"min": 0}, Result.OK),
    ({"min": 101}, Result.OK),
    ({"owner": "x" * 64, "min": AMOUNT_MAX}, Result.OK),
])
def test_set_money_harvest(house, change, expected):
    args = BANK | change
    assert house.do(Kind.SET_MONEY_HARVEST, **args)[0] == expected
    harvest = house.reloaded().sub_accounts.get(FARM).money_harvest
    if expected == Result.OK:
        assert harvest == MoneyHarvest(*list(args.values())[1:], house.ts_ns)
        assert (harvest.province, harvest.number, harvest.min) == (
            args["province"], args["number"], args["min"])
    else:
        assert harvest is None


@pytest.mark.parametrize("kind, field, subject", [
    (Kind.SET_COIN_TO_MONEY, "auto", "coin_to_money"), (Kind.LOCK_ACCOUNT, "locked", "locked")])
def test_switches(house, kind, field, subject):
    assert house.do(kind, account=BOB, **{field: True})[0] == Result.UNKNOWN_ACCOUNT
    assert house.do(kind, account=FARM, **{field: 1})[0] == Result.BAD_COMMAND
    for value in (True, True, False):
        house.must(kind, account=FARM, **{field: value})
        assert getattr(house.reloaded().sub_accounts.get(FARM), subject) is value


# -- what the whole core checks -----------------------------------------------------------------

@pytest.mark.parametrize("tamper, fault", [
    (lambda house: house.sub_accounts.add(BOB, ALICE, "bob"), "user 3, 'bob', is sub-account"),
    (lambda house: house.sub_accounts.change(FARM, name="other"), r"user 2, '\\x1fFarm', is sub-"),
    (lambda house: house.sub_accounts.add(9, ALICE, "x"), "sub-account 9 has no ledger account"),
    (lambda house: house.users.add_sub_account("x", 1), "is sub-account None"),
    (lambda house: house.sub_accounts.change(FARM, refer=9), "sub-account 2 was referred by 9"),
    (lambda house: house.sub_accounts.change(FARM, coin_harvests=(CoinHarvest(1, 0, 1),)),
     r"settings for coins \[1\], addresses for \[\]"),
    (lambda house: house.sub_accounts.change(FARM, coin_harvests=(CoinHarvest(9, 0, 1),)),
     "sub-account 2 has a setting for coin 9"),
    (lambda house: house.users.change(FARM, withdraw_addresses=((1, ADDRESS),)),
     r"settings for coins \[\], addresses for \[1\]"),
    (lambda house: house.sub_accounts._by_master.update({ALICE: ()}), "0 sub-accounts"),
    (lambda house: house.observers.add(BOB, bytes(16), 1, 1, ""), "link 1 shows 3"),
    (lambda house: house.users.change(BOB, phone="1"), "user 3 is not found by its phone"),
])
def test_what_does_not_fit_stops_the_house(house, tamper, fault):
    tamper(house)
    with pytest.raises(Halt, match=fault):
        house.core.check()


def test_a_sub_account_of_nobody_stops_the_house(house):
    number = house.users.add_sub_account("x", 1).uid
    house.core.open_user(number)
    house.sub_accounts.add(number, FARM, "x")
    with pytest.raises(Halt, match="sub-account 4 is of 2, who is no user"):
        house.core.check()
