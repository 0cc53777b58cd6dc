"""Sub-accounts in the action API: beginning them, their fees, how they are paid. `SubAccount.*`
but for the observer links."""

from api import times
from api.dialects.action_api_calls import NAME_LENGTH_MAX, Call, Handler, action
from api.dialects.described import Field
from api.numbers import InputError, json_number
from api.refusals import CommandRefused
from engine import FeeType, Kind, Result

SPEED_SCALE = 8                 # decimals of a P
RATE_SCALE = 4
RATE_END = 10 ** RATE_SCALE     # 1
CNY_SCALE = 2
WORKER_COUNT_MAX = 2**31 - 1
DESCRIPTION_LENGTH_MAX = 128
ADDRESS_LENGTH_MAX = 512
BANK_LENGTH_MAX = 64
FEE_TYPES = {fee_type.name: fee_type for fee_type in FeeType}
# A field of a bank account, and what the command calls it.
BANK = {"province": "province", "city": "city", "name": "bank", "branch": "branch",
        "owner": "owner", "no": "number"}
# Each commission with the fee that it is paid out of.
COMMISSIONS = {"commission": "fee", "bchCommission": "bchPpsFee"}
RATES = {"fee": "fee", "commission": "commission", "bchPpsFee": "bch_pps_fee",
         "bchCommission": "bch_commission"}

USER_NAME = Field("userName", "text", "the sub-account's name, in any case")
USER_NAMES = Field("userNames", "texts", "at most 1,000 names of sub-accounts")
COIN_TYPE = Field("coinType", "text", "`btc` or `bch`, or another coin that is mined here")
RATE_MEANING = "0 to 0.9999, at most 4 decimals"
BANK_MEANINGS = {"province": "of the bank", "city": "of the bank", "name": "the bank",
                 "branch": "its branch", "owner": "whose account it is",
                 "no": "the account's or card's number"}

OPERATIONS = (
    action("SubAccount.GetUserAll", "The names of a main account's sub-accounts, oldest first.",
           (Field("account", "text", "the main account's name, in any case"),),
           ["username1", "username2"]),
    action("SubAccount.BulkGetBasicInfo", "What sub-accounts are, in the order of the names.",
           (USER_NAMES,), [{"userName": "username1", "theorySpeed": 0.1, "description": "四川",
                            "workerCount": 10, "master": "username1"}]),
    action("SubAccount.Create", "Makes a sub-account, with FPPS and fees of 0.02.", (
        Field("master", "text", "the main account's name, in any case"),
        Field("userName", "text", "1 to 32 of A-Z a-z 0-9 _ -; unique in the pool, whatever its "
                                  "case"),
        Field("theorySpeed", "number", "the speed that is expected, in PH/s; at most 8 decimals"),
        Field("description", "text", "at most 128 characters", required=False),
        Field("workerCount", "integer", "how many workers are expected"))),
    action("SubAccount.BulkGetFeeInfo", "What sub-accounts pay, in the order of the names.",
           (USER_NAMES,), [{"userName": "username1", "feeType": "FPPS", "fee": 0.01,
                            "refer": "username110", "commission": 0.01, "bchPpsFee": 0.01,
                            "bchCommission": 0.01}]),
    action("SubAccount.UpdateFeeInfo", "Changes those of a sub-account's fees that are given.", (
        USER_NAME,
        Field("feeType", "choice", "how the pool pays", required=False, choices=("PPS", "FPPS")),
        Field("fee", "number", RATE_MEANING, required=False),
        Field("refer", "text", "who is paid the commission: a sub-account's name, or else a main "
                               "account's; nobody where it is empty or null", required=False),
        Field("commission", "number", f"{RATE_MEANING}; at most the fee, out of which it is paid",
              required=False),
        Field("bchPpsFee", "number", RATE_MEANING, required=False),
        Field("bchCommission", "number", f"{RATE_MEANING}; at most bchPpsFee", required=False))),
    action("SubAccount.GetCoinHarvestSetting", "How a sub-account is paid in a coin.",
           (USER_NAME, COIN_TYPE), {"address": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "min": 0.01,
                                    "updatedAt": "2020-03-23 10:13:01"}),
    action("SubAccount.SetCoinHarvestSetting", "Sets how a sub-account is paid in a coin.", (
        USER_NAME, COIN_TYPE, Field("address", "text", "an address of the coin"),
        Field("min", "number", "from how much on it is paid: 0.001, 0.01 or 0.1 of the coin; 0: "
                               "not by itself"))),
    action("SubAccount.GetMoneyHarvestSetting", "How a sub-account is paid in CNY.", (USER_NAME,),
           {"address": {"province": "北京", "city": "北京", "name": "中国银行", "branch": "西二旗支行",
                        "owner": "李鸿章", "no": "6223211231313123"},
            "min": 500, "updatedAt": "2020-03-23 10:13:01"}),
    action("SubAccount.SetMoneyHarvestSetting", "Sets how a sub-account is paid in CNY.", (
        USER_NAME,
        *(Field(name, "text", f"{meaning}; 1 to 64 characters")
          for name, meaning in BANK_MEANINGS.items()),
        Field("min", "number", "from how many CNY on it is paid: at least 1, with at most 2 "
                               "decimals; 0: not by itself"))),
    action("SubAccount.GetCoin2MoneySetting", "Whether what a sub-account earns is sold for CNY.",
           (USER_NAME,), {"auto": True}),
    action("SubAccount.SetCoin2MoneySetting", "Sets whether what a sub-account earns is sold.",
           (USER_NAME, Field("auto", "boolean", "whether each day's coins are sold for CNY"))),
)
OWN_WORDS = {
    ("SubAccount.Create", "bad_name"): "userName: must have 1 to 32 of A-Z a-z 0-9 _ -",
    ("SubAccount.Create", "too_many_accounts"): "master: has 1,000 sub-accounts, and can have no "
                                                "more",
    ("SubAccount.SetCoinHarvestSetting", "bad_min"): "min: must be 0, 0.001, 0.01 or 0.1",
    ("SubAccount.SetMoneyHarvestSetting", "bad_min"): "min: must be 0, or at least 1",
}


# -- what they are -------------------------------------------------------------------------------

async def list_names(call: Call) -> list[str]:
    core = call.core
    return [core.sub_accounts.get(number).name
            for number in core.sub_accounts.of_master(call.user("account").uid)]


async def show_all(call: Call) -> list[dict]:
    users = call.core.users
    return [{
        "userName": account.name, "theorySpeed": json_number(account.theory_speed, SPEED_SCALE),
        "description": account.description, "workerCount": account.worker_count,
        "master": users.get(account.master).username,
    } for account in call.accounts("userNames")]


async def create(call: Call) -> None:
    await call.submit(
        Kind.ADD_SUB_ACCOUNT, uid=call.user("master").uid,
        name=call.text("userName", NAME_LENGTH_MAX),
        theory_speed=call.fields.count("theorySpeed", SPEED_SCALE, zero=True),
        description=call.text_or_empty("description", DESCRIPTION_LENGTH_MAX),
        worker_count=call.fields.whole("workerCount", WORKER_COUNT_MAX))


# -- what they pay -------------------------------------------------------------------------------

async def show_fees(call: Call) -> list[dict]:
    return [{
        "userName": account.name, "feeType": FeeType(account.fee_type).name,
        "fee": json_number(account.fee, RATE_SCALE), "refer": _name_of(call, account.refer),
        "commission": json_number(account.commission, RATE_SCALE),
        "bchPpsFee": json_number(account.bch_pps_fee, RATE_SCALE),
        "bchCommission": json_number(account.bch_commission, RATE_SCALE),
    } for account in call.accounts("userNames")]


async def set_fees(call: Call) -> None:
    account = call.account("userName")
    fields: dict[str, int] = {}
    if call.has("feeType"):
        fields["fee_type"] = int(call.fields.choice("feeType", FEE_TYPES))
    for name, kept in RATES.items():
        if call.has(name):
            fields[kept] = _rate(call, name)
    if "refer" in call.given:
        fields["refer"] = _referrer(call)
    try:
        await call.submit(Kind.SET_FEES, account=account.number, **fields)
    except CommandRefused as error:
        if error.code == Result.BAD_COMMISSION:
            raise _too_high(account._replace(**fields)) from None
        raise


def _rate(call: Call, name: str) -> int:
    """A rate below 1, in 10^-4."""
    rate = call.fields.count(name, RATE_SCALE, zero=True)
    if rate >= RATE_END:
        raise InputError(name, "must be less than 1")
    return rate


def _referrer(call: Call) -> int:
    """The number of who is named, 0 for nobody. Raises InputError."""
    if not call.given["refer"]:
        return 0
    name, users = call.text("refer", NAME_LENGTH_MAX), call.core.users
    found = users.sub_account(name) or users.by_name(name)
    if found is None:
        raise CommandRefused(Result.BAD_REFER)
    return found.uid


def _too_high(after) -> InputError:
    """Which commission the core has found above its fee, as the account would have been."""
    name, fee = next(((name, fee) for name, fee in COMMISSIONS.items()
                      if getattr(after, RATES[name]) > getattr(after, RATES[fee])),
                     ("commission", "fee"))
    return InputError(name, f"must not be above {fee}, out of which it is paid")


def _name_of(call: Call, number: int) -> str:
    """The name of a referrer, "" for nobody."""
    if number == 0:
        return ""
    account = call.core.sub_accounts.get(number)
    return account.name if account is not None else call.core.users.get(number).username


# -- how they are paid ---------------------------------------------------------------------------

async def show_coin_harvest(call: Call) -> object:
    account, coin = call.account("userName"), call.coin("coinType")
    harvest = account.coin_harvest(coin.number)
    if harvest is None:
        return {"address": "", "min": 0, "updatedAt": None}
    return {"address": call.core.users.get(account.number).withdraw_address(coin.number),
            "min": json_number(harvest.min, coin.scale),
            "updatedAt": times.text(harvest.updated_ns, call.shell.zone)}


async def set_coin_harvest(call: Call) -> None:
    account, coin = call.account("userName"), call.coin("coinType")
    await call.submit(Kind.SET_COIN_HARVEST, account=account.number, coin=coin.number,
                      address=call.text("address", ADDRESS_LENGTH_MAX),
                      min=call.fields.count("min", coin.scale, zero=True))


async def show_money_harvest(call: Call) -> object:
    harvest = call.account("userName").money_harvest
    if harvest is None:
        return {"address": None, "min": 0, "updatedAt": None}
    return {"address": {name: getattr(harvest, kept) for name, kept in BANK.items()},
            "min": json_number(harvest.min, CNY_SCALE),
            "updatedAt": times.text(harvest.updated_ns, call.shell.zone)}


async def set_money_harvest(call: Call) -> None:
    account = call.account("userName")
    bank = {kept: call.text(name, BANK_LENGTH_MAX) for name, kept in BANK.items()}
    least = call.fields.count("min", CNY_SCALE, zero=True)
    try:
        await call.submit(Kind.SET_MONEY_HARVEST, account=account.number, min=least, **bank)
    except CommandRefused as error:
        if error.code != Result.BAD_BANK:
            raise
        name = next((name for name, kept in BANK.items() if not bank[kept].isprintable()), "name")
        raise InputError(name, "must have no control characters") from None


async def show_coin_to_money(call: Call) -> object:
    return {"auto": call.account("userName").coin_to_money}


async def set_coin_to_money(call: Call) -> None:
    await call.submit(Kind.SET_COIN_TO_MONEY, account=call.account("userName").number,
                      auto=call.flag("auto"))


ACTIONS: dict[str, Handler] = {
    "SubAccount.GetUserAll": list_names,
    "SubAccount.BulkGetBasicInfo": show_all,
    "SubAccount.Create": create,
    "SubAccount.BulkGetFeeInfo": show_fees,
    "SubAccount.UpdateFeeInfo": set_fees,
    "SubAccount.GetCoinHarvestSetting": show_coin_harvest,
    "SubAccount.SetCoinHarvestSetting": set_coin_harvest,
    "SubAccount.GetMoneyHarvestSetting": show_money_harvest,
    "SubAccount.SetMoneyHarvestSetting": set_money_harvest,
    "SubAccount.GetCoin2MoneySetting": show_coin_to_money,
    "SubAccount.SetCoin2MoneySetting": set_coin_to_money,
}
