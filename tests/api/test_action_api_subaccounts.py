"""Sub-accounts and observer links in the action API: each action's answer, what it changes, what
it refuses."""

import json
import re

import pytest

from api.config import Server
from api.dialects.action_api import DESCRIBED
from api.mining.observer_links import token_of
from engine import Kind
from tests.api.action_apis import INPUT, OPERATION, ActionApi, check_fields
from tests.api.pool_doors import signed_body, token_of as jwt_of, written

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
BTC_ADDRESS = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
BCH_ADDRESS = "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"
BANK = {"province": "北京", "city": "北京", "name": "中国银行", "branch": "西二旗支行", "owner": "李鸿章",
        "no": "6223211231313123"}
RIGHTS = ["dashboard_observer", "worker_observer", "profit_observer"]


@pytest.fixture(scope="module")
def api(house):
    opened = ActionApi(house)
    opened.new_account("farm")
    opened.new_account("agent")
    opened.done("SubAccount.Create", master="farm", userName="north", theorySpeed=0.11,
                description="四川", workerCount=12)
    return opened


def shown(api, action, **fields):
    """The `data` of an answer with the numbers as they are written."""
    answer = api.house.request("POST", "/action-api", written(signed_body(
        api.own, fields, action=action)), {"Authorization": jwt_of(api.own)})
    return json.loads(answer.body, parse_float=str, parse_int=str)["data"]


# -- what they are ---------------------------------------------------------------------------------

def test_sub_accounts_are_listed_oldest_first(api):
    api.new_account("many")
    for name in ("zeta", "Alpha", "mid_dle"):
        assert api.done("SubAccount.Create", master="MANY", userName=name, theorySpeed=0,
                        workerCount=0) is None
    assert api.done("SubAccount.GetUserAll", account="many") == ["many", "zeta", "Alpha", "mid_dle"]
    # A user of the house who has none.
    api.house.new_user("trader")
    assert api.done("SubAccount.GetUserAll", account="trader") == []
    api.done("SubAccount.Create", master="trader", userName="traders", theorySpeed=1, workerCount=1)
    assert api.done("SubAccount.GetUserAll", account="Trader") == ["traders"]


def test_what_was_told_is_shown_exactly(api):
    for name, speed, written_speed in (("exact", "0.00000001", "0.00000001"),
                                       ("large", "92233720368.54775807", "92233720368.54775807"),
                                       ("whole", "2.50e1", "25"), ("none", "0.0", "0")):
        text = json.dumps({"master": "farm", "userName": name, "description": f"<{name}> \"'&",
                           "workerCount": 2**31 - 1, "theorySpeed": 7}).replace("7}", speed + "}")
        assert api.text("SubAccount.Create", text)["code"] == 0
        assert shown(api, "SubAccount.BulkGetBasicInfo", userNames=[name]) == [{
            "userName": name, "theorySpeed": written_speed, "description": f"<{name}> \"'&",
            "workerCount": str(2**31 - 1), "master": "farm"}]


def test_bulk_calls_keep_the_order_of_the_names(api):
    for action in ("SubAccount.BulkGetBasicInfo", "SubAccount.BulkGetFeeInfo"):
        rows = api.done(action, userNames=["NORTH", "farm", "north"])
        assert [row["userName"] for row in rows] == ["north", "farm", "north"]
        assert api.done(action, userNames=[]) == []
        assert len(api.done(action, userNames=["farm"] * 1000)) == 1000
        assert api.refused(action, userNames=["farm"] * 1001) == (
            INPUT, "userNames: must have at most 1,000 entries")
        assert api.refused(action, userNames=["north", "no-such", "nor-this"]) == (
            OPERATION, "userNames: no-such is not a sub-account")
        # A main account that has no sub-account of its name is none.
        assert api.refused(action, userNames=["operator"])[0] == OPERATION


@pytest.mark.parametrize("changes, code, message", [
    *(({"userName": name}, INPUT, "userName: must have 1 to 32 of A-Z a-z 0-9 _ -")
      for name in ("a" * 33, "dot.ted", "two words", "北京", "nul\0")),
    ({"userName": "x" * 65}, INPUT, "userName: must have 1 to 64 characters"),
    ({"userName": "North"}, OPERATION, "userName: this sub-account's name is taken"),
    ({"userName": "AGENT"}, OPERATION, "userName: this sub-account's name is taken"),
    ({"master": "nobody"}, OPERATION, "master: not a main account"),
    ({"master": "north"}, OPERATION, "master: not a main account"),
    ({"theorySpeed": 1e-9}, INPUT, "theorySpeed: must have at most 8 decimals"),
    ({"theorySpeed": 10**11}, INPUT, "theorySpeed: is too large"),
    ({"workerCount": 2**31}, INPUT, "workerCount: must be at most 2147483647"),
    ({"description": "x" * 129}, INPUT, "description: must have at most 128 characters"),
    ({"description": "bell\x07"}, INPUT,
     "description: more than 128 characters, or a control one"),
])
def test_what_makes_no_sub_account(api, changes, code, message):
    good = {"master": "farm", "userName": "not-yet", "theorySpeed": 1, "description": "d",
            "workerCount": 1}
    assert api.refused("SubAccount.Create", **good | changes) == (code, message)


@pytest.mark.slow
def test_a_main_account_has_at_most_a_thousand(api):
    uid = api.new_account("crowded")["uid"]
    for number in range(999):
        api.house.submit(Kind.ADD_SUB_ACCOUNT, uid=uid, name=f"crowd-{number}", theory_speed=0,
                         description="", worker_count=0)
    assert api.refused("SubAccount.Create", master="crowded", userName="one-more", theorySpeed=0,
                       workerCount=0) == (
        OPERATION, "master: has 1,000 sub-accounts, and can have no more")


# -- what they pay ---------------------------------------------------------------------------------

def fees(api, name):
    row, = shown(api, "SubAccount.BulkGetFeeInfo", userNames=[name])
    return row


def test_new_sub_accounts_have_the_usual_fees(api):
    assert fees(api, "north") == {
        "userName": "north", "feeType": "FPPS", "fee": "0.02", "refer": "", "commission": "0",
        "bchPpsFee": "0.02", "bchCommission": "0"}


def test_only_what_is_given_of_the_fees_is_changed(api):
    api.done("SubAccount.Create", master="farm", userName="fees", theorySpeed=0, workerCount=0)
    now = fees(api, "fees")
    for given, written_as in (
            ({"feeType": "PPS"}, {"feeType": "PPS"}), ({"fee": 0.0301}, {"fee": "0.0301"}),
            ({"refer": "Agent"}, {"refer": "agent"}),
            ({"commission": 0.0301, "fee": None}, {"commission": "0.0301"}),
            ({"bchPpsFee": 0.9999, "bchCommission": 0.5},
             {"bchPpsFee": "0.9999", "bchCommission": "0.5"}),
            ({"feeType": "FPPS", "fee": 1e-4, "commission": 0},
             {"feeType": "FPPS", "fee": "0.0001", "commission": "0"})):
        assert api.done("SubAccount.UpdateFeeInfo", userName="FEES", **given) is None
        now |= written_as
        assert fees(api, "fees") == now


def test_a_referrer_is_a_sub_account_or_else_a_main_account(api):
    """`both` is a user without a sub-account of that name, and somebody else's sub-account."""
    api.house.new_user("both")
    api.house.new_user("user-only")
    api.done("SubAccount.Create", master="agent", userName="both", theorySpeed=0, workerCount=0)
    api.done("SubAccount.Create", master="farm", userName="referred", theorySpeed=0, workerCount=0)
    number = api.core.users.sub_account("referred").uid
    for name, uid in (("both", api.core.users.sub_account("both").uid),
                      ("user-only", api.core.users.by_name("user-only").uid)):
        api.done("SubAccount.UpdateFeeInfo", userName="referred", refer=name)
        assert api.core.sub_accounts.get(number).refer == uid
        assert fees(api, "referred")["refer"] == name
    for nobody in ("", None):
        api.done("SubAccount.UpdateFeeInfo", userName="referred", refer="both")
        api.done("SubAccount.UpdateFeeInfo", userName="referred", refer=nobody)
        assert fees(api, "referred")["refer"] == ""


@pytest.mark.parametrize("changes, code, message", [
    ({}, INPUT, "nothing to change is given"),
    ({"fee": None}, INPUT, "nothing to change is given"),
    ({"fee": 1}, INPUT, "fee: must be less than 1"),
    ({"bchPpsFee": 1.5}, INPUT, "bchPpsFee: must be less than 1"),
    ({"fee": 0.00001}, INPUT, "fee: must have at most 4 decimals"),
    ({"commission": 0.0201}, INPUT,
     "commission: must not be above fee, out of which it is paid"),
    ({"bchCommission": 0.0201}, INPUT,
     "bchCommission: must not be above bchPpsFee, out of which it is paid"),
    ({"fee": 0.01, "commission": 0.011}, INPUT,
     "commission: must not be above fee, out of which it is paid"),
    ({"feeType": "fpps"}, INPUT, "feeType: must be one of PPS, FPPS"),
    ({"refer": "nobody"}, INPUT, "refer: not known, or the account itself or its master"),
    ({"refer": "north"}, INPUT, "refer: not known, or the account itself or its master"),
    # The first sub-account of its main account is another one.
    ({"userName": "nobody", "fee": 0.01}, OPERATION, "userName: nobody is not a sub-account"),
])
def test_fees_that_cannot_be(api, changes, code, message):
    assert api.refused("SubAccount.UpdateFeeInfo", **{"userName": "north"} | changes) == (
        code, message)


def test_a_main_account_does_not_refer_its_own(api):
    api.house.new_user("refers")
    api.done("SubAccount.Create", master="refers", userName="refers-own", theorySpeed=0,
             workerCount=0)
    assert api.refused("SubAccount.UpdateFeeInfo", userName="refers-own", refer="refers") == (
        INPUT, "refer: not known, or the account itself or its master")


# -- how they are paid -----------------------------------------------------------------------------

def test_a_coin_is_paid_to_an_address(api):
    nothing = {"address": "", "min": "0", "updatedAt": None}
    for coin in ("btc", "bch"):
        assert shown(api, "SubAccount.GetCoinHarvestSetting", userName="farm",
                     coinType=coin) == nothing
    for coin, address, least, written_as in (
            ("BTC", BTC_ADDRESS, 0.001, "0.001"), ("btc", BTC_ADDRESS, 0.1, "0.1"),
            ("bch", BCH_ADDRESS, 0.01, "0.01"), ("bch", BCH_ADDRESS, 0, "0")):
        assert api.done("SubAccount.SetCoinHarvestSetting", userName="farm", coinType=coin,
                        address=address, min=least) is None
        setting = shown(api, "SubAccount.GetCoinHarvestSetting", userName="FARM",
                        coinType=coin.lower())
        assert TIME.fullmatch(setting.pop("updatedAt"))
        assert setting == {"address": address, "min": written_as}
    number = api.core.users.sub_account("farm").uid
    assert api.core.users.get(number).withdraw_address(1) == BTC_ADDRESS


def test_times_are_those_of_beijing(api):
    api.done("SubAccount.SetMoneyHarvestSetting", userName="farm", min=0, **BANK)
    account = api.core.sub_accounts.get(api.core.users.sub_account("farm").uid)
    seconds = account.money_harvest.updated_ns // 10**9 + 8 * 3600
    hours, minutes = divmod(seconds // 60 % 1440, 60)
    told = api.done("SubAccount.GetMoneyHarvestSetting", userName="farm")["updatedAt"]
    assert told[11:] == f"{hours:02}:{minutes:02}:{seconds % 60:02}"


@pytest.mark.parametrize("changes, message", [
    ({"address": "coin-address-xxx"}, "address: not an address of this coin"),
    ({"address": BTC_ADDRESS[:-1] + "3"}, "address: not an address of this coin"),
    ({"address": "x" * 513}, "address: must have 1 to 512 characters"),
    ({"min": 0.02}, "min: must be 0, 0.001, 0.01 or 0.1"),
    ({"min": 1}, "min: must be 0, 0.001, 0.01 or 0.1"),
    ({"min": 1e-9}, "min: must have at most 8 decimals"),
    *(({"coinType": coin}, "coinType: must be btc, bch, or another coin that is mined here")
      for coin in ("cny", "usdt", "doge", "b\u0131tc")),
])
def test_coins_that_cannot_be_paid_so(api, changes, message):
    good = {"userName": "north", "coinType": "btc", "address": BTC_ADDRESS, "min": 0.01}
    assert api.refused("SubAccount.SetCoinHarvestSetting", **good | changes) == (INPUT, message)


def test_another_coin_is_paid_once_it_is_mined(own_house):
    api = ActionApi(own_house())
    api.new_account("farm")
    setting = {"userName": "farm", "coinType": "ltc", "address": "any-address-of-it", "min": 0.1}
    coin = api.house.submit(Kind.ADD_COIN, name="LTC", title="Litecoin", type="coin", scale=8)
    assert api.refused("SubAccount.SetCoinHarvestSetting", **setting)[0] == INPUT
    api.house.submit(Kind.SET_NETWORK, coin=coin, difficulty="1000", subsidy=625_000_000,
                     fees_per_block=0)
    code, message = api.refused("SubAccount.SetCoinHarvestSetting", **setting | {"min": 2})
    assert message == "min: must be 0, 0.001, 0.01 or 0.1"
    assert api.done("SubAccount.GetCoinHarvestSetting", userName="farm", coinType="LTC") == {
        "address": "", "min": 0, "updatedAt": None}


def test_money_is_paid_to_a_bank(api):
    assert api.done("SubAccount.GetMoneyHarvestSetting", userName="north") == {
        "address": None, "min": 0, "updatedAt": None}
    for least, written_as in ((500, "500"), (1.25, "1.25"), (1, "1"), (0, "0")):
        assert api.done("SubAccount.SetMoneyHarvestSetting", userName="north", min=least,
                        **BANK) is None
        setting = shown(api, "SubAccount.GetMoneyHarvestSetting", userName="north")
        assert TIME.fullmatch(setting.pop("updatedAt"))
        assert setting == {"address": BANK, "min": written_as}
        assert list(setting["address"]) == list(BANK)


@pytest.mark.parametrize("changes, message", [
    *(({name: text}, f"{name}: {reason}") for name in BANK for text, reason in (
        ("x" * 65, "must have 1 to 64 characters"), ("", "must have 1 to 64 characters"),
        ("a\tb", "must have no control characters"))),
    ({"min": 0.99}, "min: must be 0, or at least 1"),
    ({"min": 1.001}, "min: must have at most 2 decimals"),
    ({"min": 10**18}, "min: is too large"),
])
def test_banks_that_cannot_be(api, changes, message):
    good = BANK | {"userName": "north", "min": 500}
    assert api.refused("SubAccount.SetMoneyHarvestSetting", **good | changes) == (INPUT, message)


def test_coins_may_be_sold(api):
    for auto in (True, True, False):
        assert api.done("SubAccount.SetCoin2MoneySetting", userName="north", auto=auto) is None
        assert api.done("SubAccount.GetCoin2MoneySetting", userName="North") == {"auto": auto}
    assert api.done("SubAccount.GetCoin2MoneySetting", userName="agent") == {"auto": False}


# -- observer links --------------------------------------------------------------------------------

def test_a_link_lives_from_its_making_to_its_end(api):
    for rights, remark in ((["worker_observer"], {"remark": "运维"}), (RIGHTS[::-1] * 2, {}),
                           (["profit_observer", "dashboard_observer"], {"remark": ""})):
        assert api.done("SubAccount.AddObserverInfo", userName="agent", rights=rights,
                        **remark) is None
    links = api.done("SubAccount.GetObserverList", userName="Agent")
    assert [(link["rights"], link["remark"]) for link in links] == [
        (["worker_observer"], "运维"), (RIGHTS, ""), ([RIGHTS[0], RIGHTS[2]], "")]
    for link in links:
        assert list(link) == ["link", "remark", "linkId", "rights"]
        token = token_of(link["link"].removeprefix("/ob/"))
        assert api.core.observers.by_token(token).id == link["linkId"]
    first, second, third = links
    for given in ({"rights": ["profit_observer"], "remark": "财务"}, {"remark": ""},
                  {"rights": RIGHTS, "remark": None}):
        assert api.done("SubAccount.UpdateObserverInfo", linkId=first["linkId"], **given) is None
        first |= {name: value for name, value in given.items() if value is not None}
        assert api.done("SubAccount.GetObserverList", userName="agent")[0] == first
    assert api.done("SubAccount.DeleteObserverInfo", linkId=second["linkId"]) is None
    assert api.done("SubAccount.GetObserverList", userName="agent") == [first, third]
    assert api.core.observers.by_token(bytes.fromhex(second["link"][-32:])) is None
    for action, rest in (("DeleteObserverInfo", {}), ("UpdateObserverInfo", {"remark": "x"})):
        assert api.refused(f"SubAccount.{action}", linkId=second["linkId"], **rest) == (
            OPERATION, "linkId: not an observer link")
    assert api.done("SubAccount.GetObserverList", userName="north") == []


def test_links_begin_with_the_public_address(own_house):
    api = ActionApi(own_house(server=Server(port=0, public_url="https://pool.example/")))
    api.new_account("farm")
    api.done("SubAccount.AddObserverInfo", userName="farm", rights=["worker_observer"])
    link, = api.done("SubAccount.GetObserverList", userName="farm")
    assert re.fullmatch(r"https://pool\.example/ob/[0-9a-f]{32}", link["link"])


def test_tokens_are_written_in_one_way_only():
    token = bytes(range(0xa0, 0xb0))
    assert token_of(token.hex()) == token
    for text in ("", token.hex().upper(), token.hex()[:-1], token.hex() + "0", token.hex() + "\n",
                 " " + token.hex()[1:], "０" * 32, "../" + token.hex()):
        assert token_of(text) is None


@pytest.mark.parametrize("action, changes, message", [
    *((action, {"rights": rights}, message) for action in ("AddObserverInfo", "UpdateObserverInfo")
      for rights, message in (
          ([], "rights: must have one of " + ", ".join(RIGHTS)),
          (["worker_observer", "operator"], "rights: must be some of " + ", ".join(RIGHTS)),
          ([""], "rights: must be some of " + ", ".join(RIGHTS)),
          (["Worker_observer"], "rights: must be some of " + ", ".join(RIGHTS)))),
    *((action, {"remark": remark}, message)
      for action in ("AddObserverInfo", "UpdateObserverInfo")
      for remark, message in (
          ("x" * 129, "remark: must have at most 128 characters"),
          ("\x1b[31m", "remark: more than 128 characters, or a control one"))),
    ("UpdateObserverInfo", {"rights": None, "remark": None}, "nothing to change is given"),
])
def test_links_that_cannot_be(api, action, changes, message):
    api.done("SubAccount.AddObserverInfo", userName="farm", rights=RIGHTS)
    link = api.done("SubAccount.GetObserverList", userName="farm")[-1]["linkId"]
    good = {"AddObserverInfo": {"userName": "farm", "rights": RIGHTS, "remark": "r"},
            "UpdateObserverInfo": {"linkId": link, "rights": RIGHTS, "remark": "r"}}[action]
    assert api.refused(f"SubAccount.{action}", **good | changes) == (INPUT, message)


def test_a_sub_account_has_at_most_a_hundred_links(api):
    api.new_account("watched")
    number = api.core.users.sub_account("watched").uid
    for one in range(100):
        api.house.submit(Kind.ADD_OBSERVER, account=number, token=one.to_bytes(16, "big"), rights=1)
    assert api.refused("SubAccount.AddObserverInfo", userName="watched", rights=RIGHTS) == (
        OPERATION, "the account has too many observer links")


# -- fields ----------------------------------------------------------------------------------------

GOOD = {
    "SubAccount.GetUserAll": {"account": "farm"},
    "SubAccount.BulkGetBasicInfo": {"userNames": ["farm"]},
    "SubAccount.Create": {"master": "farm", "userName": "formed", "theorySpeed": 1.5,
                          "description": "d", "workerCount": 3},
    "SubAccount.BulkGetFeeInfo": {"userNames": ["farm"]},
    "SubAccount.UpdateFeeInfo": {
        "userName": "north", "feeType": "PPS", "fee": 0.01, "refer": "agent", "commission": 0.01,
        "bchPpsFee": 0.01, "bchCommission": 0.01},
    "SubAccount.GetCoinHarvestSetting": {"userName": "north", "coinType": "btc"},
    "SubAccount.SetCoinHarvestSetting": {"userName": "north", "coinType": "btc",
                                         "address": BTC_ADDRESS, "min": 0.01},
    "SubAccount.GetMoneyHarvestSetting": {"userName": "north"},
    "SubAccount.SetMoneyHarvestSetting": {"userName": "north", "min": 1, **BANK},
    "SubAccount.GetCoin2MoneySetting": {"userName": "north"},
    "SubAccount.SetCoin2MoneySetting": {"userName": "north", "auto": True},
    "SubAccount.GetObserverList": {"userName": "north"},
    "SubAccount.AddObserverInfo": {"userName": "north", "rights": RIGHTS, "remark": "r"},
    "SubAccount.UpdateObserverInfo": {"linkId": 1, "rights": RIGHTS, "remark": "r"},
    "SubAccount.DeleteObserverInfo": {"linkId": 1},
}


@pytest.mark.parametrize("action", GOOD)
def test_every_field_has_its_form(api, action):
    check_fields(api, action, GOOD[action], DESCRIBED[action])


@pytest.mark.parametrize("action", [action for action in GOOD if "userName" in GOOD[action]
                                    and action != "SubAccount.Create"])
def test_unknown_sub_accounts_are_refused_by_name(api, action):
    """A user's name is none."""
    for name in ("nobody", "operator"):
        assert api.refused(action, **GOOD[action] | {"userName": name}) == (
            OPERATION, f"userName: {name} is not a sub-account")
    assert api.refused(action, **GOOD[action] | {"userName": "x" * 65})[0] == INPUT
