"""The user center's calls as they are described: paths, fields, rights to call, texts, code ranges.

The dispatch takes from here which fields a call has and which it must have, so what is described is
what is served.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from api.dialects.described import Field, Operation
from api.numbers import InputError, read

LOGIN, REGISTER = "UserCenter/Login", "UserCenter/Regist"
PAY_PASSWORD = "Password/Pay"
CHECK, CHANGE = 1, 2            # oper_type of Password/Pay
ADD, ALTER, LOOK_UP = 1, 2, 3   # of User/Auth
SET, SHOW = 1, 2                # of User/Info, User/RealInfo
FREEZE, UNFREEZE = 1, 2         # of Balance/AllocationBalance
LISTS = frozenset({"column", "value"})


class Texts(NamedTuple):
    """What `data` says of a call that shows nothing else."""
    done: str
    failed: str


OPERATED = Texts("操作成功", "操作失败")
ADDED = Texts("添加成功", "添加失败")
LOGGED_IN = Texts("登录成功", "登录失败")
CHECKED = Texts("验证成功", "验证失败")
CHANGED = Texts("修改成功", "修改失败")
PASSWORD_CHANGED = Texts("密码修改成功", "密码修改失败")
BOUND = Texts("绑定成功", "绑定失败")
REMOVED = Texts("移除成功", "移除失败")
CREDITED = Texts("充值成功", "充值失败")

UID = Field("uid", "id", "the user: the caller, or one that it may act for")
OPTIONAL_UID = Field("uid", "id", "the user; the caller where it is not given", required=False)
USERCOUNT = Field("usercount", "text", "the username, 3 to 64 characters, in any case")
NEW_PASSWORD = Field("password", "text", "the new login password, 6 to 128 characters")
DEVICE_ID = Field("device_id", "text", "what tells the device from all others, 1 to 128 characters")
COLUMN = Field("column", "list", "1 to 64 names of fields, each 1 to 64 of A-Z a-z 0-9 _; one name "
                                 "needs no list")
VALUE = Field("value", "list", "a value for each column, null to remove the field; one value needs "
                               "no list. A look-up without it shows the values, with it compares",
              required=False)
COIN = Field("coinId", "id", "a coin's name or number")
REQUEST_ID = Field("requestId", "text", "1 to 36 of A-Z a-z 0-9 . : / _ -: the same call with the "
                                        "same id again is done once", required=False)
PAY = Field("paypassword", "text", "the seller's payment password, where it is the caller, has set "
                                   "one, and acts for nobody else", required=False)
BUYER = Field("buyerUserId", "id", "who receives the coin")
SELLER = Field("sellerUserId", "id", "who pays it: the caller, or a user that it may act for")
TRANSFERRED = Field("transNum", "decimal", "how much of the coin")
QUANTITY = Field("quantityNum", "decimal", "how much of the coin")

BALANCE_FIELDS = (COIN, QUANTITY, OPTIONAL_UID, REQUEST_ID)
TRANSFER_FIELDS = (BUYER, SELLER, COIN, TRANSFERRED, PAY, REQUEST_ID)


def oper_type(**choices: int) -> Field:
    """The field that says what is to be done: `name=number`."""
    meaning = ", ".join(f"{number}: {name.replace('_', ' ')}" for name, number in choices.items())
    return Field("oper_type", "choice", meaning, choices=tuple(choices.values()))


SOURCE_TYPE = Field("source_type", "choice", "the front end, 1: ukex, 2: ukexpay", choices=(1, 2))
PROFILE_TYPES = oper_type(change=SET, look_up=SHOW)


def call(name: str, summary: str, fields: tuple[Field, ...], answers: object,
         shows: str = "token") -> Operation:
    return Operation(name, "POST", f"/api/{name}", summary, fields, shows, answers)


OPERATIONS = (
    call(LOGIN, "Begins a session of 7 days; with source_type registers a user.", (
        USERCOUNT, Field("password", "text", "the login password"),
        Field("source_type", "choice", "where it is given, the call is UserCenter/Regist",
              required=False, choices=(1, 2)),
    ), {"token": "Xo1vTzB5t3vJx2mQkq0cY9dRr7hUe4wLZ8sGfPnK6aI", "deadLine": 1577750400, "uid": "7"},
        shows="none"),
    call(REGISTER, "Registers a user.", (
        USERCOUNT, Field("password", "text", "the login password, 6 to 128 characters"),
        SOURCE_TYPE,
    ), ADDED.done, shows="none"),
    call("Password/Login", "Changes a login password and ends all other sessions of the user.", (
        Field("usercount", "text", "the username of the caller, or of a user that it may act for"),
        NEW_PASSWORD,
    ), PASSWORD_CHANGED.done),
    call(PAY_PASSWORD, "Checks or changes a payment password; five wrong checks lock it for 15 "
                       "minutes.", (
        UID, Field("paypassword", "text", "the payment password; a new one has 6 to 128 "
                                          "characters"),
        oper_type(check=CHECK, change=CHANGE),
    ), CHECKED.done),
    call("Device/AddBindDevice", "Binds a device, or names one that is bound anew.", (
        UID, DEVICE_ID, Field("device_name", "text", "1 to 64 characters"),
        Field("device_os", "text", "its system, 1 to 64 characters"),
    ), BOUND.done),
    call("Device/RemoveBindDevice", "Forgets a device.", (UID, DEVICE_ID), REMOVED.done),
    call("Device/CheckBindDevice", "Says of a device that is bound which group its user is in.",
         (UID, DEVICE_ID), {"groupid": "2"}),
    call("User/Auth", "Adds, changes, shows or compares permissions.", (
        COLUMN, VALUE, oper_type(add=ADD, change=ALTER, look_up=LOOK_UP), OPTIONAL_UID,
    ), {"is_allow_login": 1}),
    call("User/Info", "Changes, shows or compares fields of the profile.",
         (COLUMN, VALUE, PROFILE_TYPES, OPTIONAL_UID), {"mobile": "13628379881", "country": None}),
    call("User/RealInfo", "Changes, shows or compares who the user really is.",
         (COLUMN, VALUE, PROFILE_TYPES, OPTIONAL_UID), {"first_name": "wu"}),
    call("Balance/AddBalance", "Credits a balance from outside.", BALANCE_FIELDS, CREDITED.done),
    call("Balance/ReduceBalance", "Debits a balance to the outside; with buyerUserId it is "
                                  "Balance/TransferBalance.",
         (COIN, *(replace(field, required=False) for field in (
             QUANTITY, OPTIONAL_UID, BUYER, SELLER, TRANSFERRED, PAY, REQUEST_ID))), OPERATED.done),
    call("Balance/TransferBalance", "Moves a coin from seller to buyer.", TRANSFER_FIELDS,
         OPERATED.done),
    call("Balance/AllocationBalance", "Freezes a part of a balance, or undoes that.", (
        Field("UserId", "id", "the user: the caller, or one that it may act for or whose balances "
                              "it may manage"),
        COIN, Field("AssetsNum", "decimal", "how much of the coin"),
        oper_type(freeze=FREEZE, unfreeze=UNFREEZE), REQUEST_ID,
    ), OPERATED.done),
)

TEXTS = {
    LOGIN: LOGGED_IN, REGISTER: ADDED, "Password/Login": PASSWORD_CHANGED,
    "Device/AddBindDevice": BOUND, "Device/RemoveBindDevice": REMOVED,
    "Balance/AddBalance": CREDITED,
}
PAY_TEXTS = {CHECK: CHECKED, CHANGE: CHANGED}


def texts_of(name: str, given: Mapping[str, object]) -> Texts:
    """What that call says when it is done or not, with those parameters."""
    if name == LOGIN and given.get("source_type") is not None:
        return ADDED
    if name == PAY_PASSWORD:
        try:
            return PAY_TEXTS.get(read("oper_type", given.get("oper_type"), 0), OPERATED)
        except InputError:
            return OPERATED
    return TEXTS.get(name, OPERATED)
