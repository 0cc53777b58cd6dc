"""Who may do what to whom in the user center: every call, by every kind of caller, to every kind of
user."""

import pytest

from api.dialects.user_center import OPERATIONS
from engine import Kind
from tests.api.user_centers import new_user, refused, send

CALLERS = {
    "user": ("itself", "user", "deputy", "banker", "admin", "nobody"),
    "deputy": ("itself", "user", "deputy", "banker", "admin"),
    "banker": ("itself", "user", "deputy", "banker", "admin"),
    "admin": ("itself", "user", "deputy", "banker", "admin"),
}
ITSELF = {f"{caller}, itself" for caller in CALLERS}
ADMINS = {f"admin, {user}" for user in CALLERS["admin"]}
ACTING = ITSELF | ADMINS | {"deputy, user"}
BANKING = ADMINS | {"banker, itself", "banker, user", "banker, deputy", "banker, banker"}
GRANTING = ADMINS | {"deputy, user"}
READING = ITSELF | ADMINS

# Who may, by call: pairs of caller and user.
MAY = {
    "Password/Login": ACTING,
    "Password/Pay": ACTING,
    "Device/AddBindDevice": ACTING,
    "Device/RemoveBindDevice": ACTING,
    "Device/CheckBindDevice": ACTING,
    "User/Auth": GRANTING,
    "User/Auth look up": ACTING,
    "User/Info": ACTING,
    "User/Info look up": ACTING,
    "User/RealInfo": ACTING,
    "User/RealInfo look up": READING,
    "Balance/AddBalance": BANKING,
    "Balance/ReduceBalance": BANKING,
    "Balance/ReduceBalance transfer": ACTING,
    "Balance/TransferBalance": ACTING,
    "Balance/AllocationBalance": ACTING | BANKING,
}


def fields_of(call, uid, username, buyer):
    """The fields of a call that names that user."""
    field = {"column": "vip", "value": "1", "uid": uid}
    looked_up = {"column": "vip", "uid": uid}
    device = {"uid": uid, "device_id": "d"}
    move = {"uid": uid, "coinId": "BTC", "quantityNum": "0.1"}
    transfer = {"sellerUserId": uid, "buyerUserId": buyer, "coinId": "BTC", "transNum": "0.1",
                "paypassword": "123456"}
    return {
        "Password/Login": {"usercount": username, "password": "another horse"},
        "Password/Pay": {"uid": uid, "paypassword": "123456", "oper_type": 2},
        "Device/AddBindDevice": device | {"device_name": "n", "device_os": "o"},
        "Device/RemoveBindDevice": device,
        "Device/CheckBindDevice": device,
        "User/Auth": field | {"oper_type": 1},
        "User/Auth look up": looked_up | {"oper_type": 3},
        "User/Info": field | {"oper_type": 1},
        "User/Info look up": looked_up | {"oper_type": 2},
        "User/RealInfo": field | {"oper_type": 1},
        "User/RealInfo look up": looked_up | {"oper_type": 2},
        "Balance/AddBalance": move,
        "Balance/ReduceBalance": move,
        "Balance/ReduceBalance transfer": transfer,
        "Balance/TransferBalance": transfer,
        "Balance/AllocationBalance": {"UserId": uid, "coinId": "BTC", "AssetsNum": "0.1",
                                      "oper_type": 1},
    }[call]


@pytest.fixture(scope="module")
def callers(house):
    return {kind: new_user(house, kind, BTC=10**9) for kind in CALLERS}


@pytest.fixture(scope="module")
def users(house):
    """Those who are named: they lose nothing that a later call needs."""
    return {kind: new_user(house, kind, BTC=10**9) for kind in CALLERS}


def test_every_call_that_takes_a_token_is_here():
    names = {call.partition(" ")[0] for call in MAY}
    assert names == {operation.name for operation in OPERATIONS if operation.shows == "token"}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("call", MAY)
def test_who_may(house, callers, users, call, caller):
    """A caller who may not is told the same of every user, and of one who does not exist."""
    by = callers[caller]
    name, _, look_up = call.partition(" ")
    told = set()
    for kind in CALLERS[caller]:
        user = by if kind == "itself" else users.get(kind)
        uid, username = (user.uid, user.name) if user else (10**6, "who is nobody")
        if user is not None and not look_up:
            make_ready(house, name, user)
        buyer = callers["user" if user is not callers["user"] else "banker"]
        fields = fields_of(call, uid, username, buyer.uid)
        if f"{caller}, {kind}" in MAY[call]:
            answer = send(house, name, fields, by.token)
            assert answer.status == 1, (kind, answer)
        else:
            told.add(refused(house, name, fields, by.token))
    assert told <= {("no_right", "token: its user may not do this")}


def make_ready(house, name, user):
    """What has to be there, or not yet, for the call to be possible."""
    if name in ("Device/RemoveBindDevice", "Device/CheckBindDevice"):
        house.submit(Kind.BIND_DEVICE, uid=user.uid, device_id="d", name="n", os="o")
    if name == "User/Auth":
        house.submit(Kind.SET_PERMISSIONS, uid=user.uid, fields={"vip": None})


@pytest.mark.parametrize("call", MAY)
def test_a_user_that_does_not_exist(house, callers, call):
    """Told to those who may name others."""
    if "banker, user" in MAY[call] and "deputy, user" not in MAY[call]:
        by = callers["banker"]
    else:
        by = callers["admin" if call == "User/RealInfo look up" else "deputy"]
    fields = fields_of(call, 10**6, "who is nobody", callers["user"].uid)
    why, message = refused(house, call.partition(" ")[0], fields, by.token)
    named = {"Password/Login": "usercount", "Balance/TransferBalance": "sellerUserId",
             "Balance/ReduceBalance transfer": "sellerUserId",
             "Balance/AllocationBalance": "UserId"}.get(call, "uid")
    assert (why, message) == ("unknown_user", f"{named}: not known")


def test_who_holds_both_rights(house):
    """It has each of them, and the one does not reach further by the other."""
    people = {kind: new_user(house, kind, BTC=10**9)
              for kind in ("user", "deputy", "banker", "steward", "admin")}
    other = new_user(house, "steward")

    def may(call, caller, user):
        fields = fields_of(call, user.uid, user.name, people["user"].uid)
        return send(house, call, fields, caller.token).status == 1

    for call, kinds in (("User/Info", ("user", "banker")),
                        ("Balance/AddBalance", ("user", "deputy", "banker", "steward"))):
        assert tuple(kind for kind, user in people.items() if may(call, other, user)) == kinds
        assert tuple(kind for kind, caller in people.items() if may(call, caller, other)) == (
            ("admin",) if call == "User/Info" else ("banker", "steward", "admin"))
    # Another deputy, once it was taken over, could grant what nobody grants itself.
    assert not may("Password/Login", people["deputy"], new_user(house, "deputy"))


# -- permissions -----------------------------------------------------------------------------------

@pytest.mark.parametrize("column", ["act_for_users", "manage_balances"])
@pytest.mark.parametrize("oper_type", [1, 2])
@pytest.mark.parametrize("value", [0, 1, None])
def test_only_administrators_set_the_permissions_that_give_rights(house, callers, column,
                                                                  oper_type, value):
    user = new_user(house)
    if oper_type == 2:
        house.submit(Kind.SET_PERMISSIONS, uid=user.uid, fields={column: 0})
    fields = {"uid": user.uid, "column": ["vip", column], "value": [1, value],
              "oper_type": oper_type}
    if oper_type == 2:
        fields |= {"column": [column], "value": [value]}
    assert refused(house, "User/Auth", fields, callers["deputy"].token)[0] == "no_right"
    answer = send(house, "User/Auth", fields, callers["admin"].token)
    assert (answer.status == 1) == (value is not None or oper_type == 2)


def test_nobody_grants_itself_anything(house, callers):
    for caller in ("user", "deputy", "banker"):
        for column in ("vip", "is_allow_login", "act_for_users"):
            fields = {"column": column, "value": 1, "oper_type": 1}
            why = refused(house, "User/Auth", fields, callers[caller].token)
            assert why == ("no_right", "token: its user may not do this")
    assert send(house, "User/Auth", {"column": "level", "value": 1, "oper_type": 1},
                callers["admin"].token).status == 1


def test_an_administrator_does_not_lock_itself_out(house, callers):
    admin, other = callers["admin"], new_user(house, "admin")
    fields = {"column": "is_allow_login", "value": 0, "oper_type": 1}
    assert refused(house, "User/Auth", fields, admin.token)[0] == "no_right"
    assert send(house, "User/Auth", fields | {"uid": other.uid}, admin.token).status == 1
    assert refused(house, "User/Auth", fields, other.token)[0] == "bad_token"
    assert send(house, "User/Auth", fields | {"value": 1}, admin.token).status == 1


def test_a_right_that_is_taken_away_counts_at_once(house):
    deputy, user = new_user(house, "deputy"), new_user(house)
    fields = {"uid": user.uid, "column": "a", "value": "b", "oper_type": 1}
    assert send(house, "User/Info", fields, deputy.token).status == 1
    house.submit(Kind.SET_PERMISSIONS, uid=deputy.uid, fields={"act_for_users": 0})
    assert refused(house, "User/Info", fields, deputy.token)[0] == "no_right"


# -- the payment password of a seller --------------------------------------------------------------

def test_who_sells_by_its_own_token_gives_its_payment_password(house, callers):
    for caller, asked in (("user", True), ("banker", True), ("deputy", False), ("admin", False)):
        seller = new_user(house, caller, BTC=10**9)
        fields = fields_of("Balance/TransferBalance", seller.uid, "", callers["user"].uid)
        del fields["paypassword"]
        assert send(house, "Balance/TransferBalance", fields, seller.token).status == 1
        house.submit(Kind.SET_PAY_PASSWORD, uid=seller.uid, password_hash="$argon2id$x")
        for name in ("Balance/TransferBalance", "Balance/ReduceBalance"):
            if asked:
                why = refused(house, name, fields, seller.token)
                assert why == ("input", "paypassword: is missing")
            else:
                assert send(house, name, fields, seller.token).status == 1
        # Who acts for the seller does not know it.
        assert send(house, "Balance/TransferBalance", fields,
                    callers["admin"].token).status == 1
