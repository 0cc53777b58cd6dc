"""Main accounts in the action API: each action's answer, what it changes, what it refuses."""

import json

import argon2
import pytest

from api.config import Limits
from api.dialects.action_api import DESCRIBED
from api.shell import ADDRESS_FACTOR
from engine import Kind
from tests.api.action_apis import INPUT, OPERATION, RIGHT, ActionApi, check_fields
from tests.api.pool_doors import state_of

PASSWORD = "deep-enough"


@pytest.fixture(scope="module")
def api(house):
    return ActionApi(house)


def login(house, name, password):
    """The envelope of the router's login: main accounts are users of the whole house."""
    return house.call("login", user=name, pass_=password)


# -- Account.Create --------------------------------------------------------------------------------

def test_an_account_is_a_user_with_a_first_sub_account(api):
    assert api.done("Account.Create", account="Farm-1", phone="13811012345",
                    mail="farm@example.org", password=PASSWORD) is None
    user = api.core.users.by_name("farm-1")
    assert (user.username, user.phone, user.email, user.group) == (
        "Farm-1", "13811012345", "farm@example.org", 2)
    assert user.password_hash.startswith("$argon2id$")
    assert api.done("SubAccount.GetUserAll", account="Farm-1") == ["Farm-1"]
    assert api.done("SubAccount.BulkGetBasicInfo", userNames=["farm-1"]) == [{
        "userName": "Farm-1", "theorySpeed": 0, "description": "", "workerCount": 0,
        "master": "Farm-1"}]
    assert login(api.house, "Farm-1", PASSWORD)["status"]
    assert not login(api.house, "Farm-1", PASSWORD + "x")["status"]


def test_one_of_phone_and_mail_is_needed(api):
    for name, contact in (("phone-only", {"phone": "1", "mail": ""}),
                          ("mail-only", {"mail": "a@b.c", "phone": None})):
        api.done("Account.Create", account=name, password=PASSWORD, **contact)
    assert api.done("Account.GetBindInfo", account="phone-only") == {"phone": "1", "mail": None}
    assert api.done("Account.GetBindInfo", account="mail-only") == {"phone": None, "mail": "a@b.c"}
    for contact in ({}, {"phone": "", "mail": ""}, {"phone": None, "mail": None}):
        assert api.refused("Account.Create", account="neither", password=PASSWORD, **contact) == (
            INPUT, "phone: is needed where there is no mail")


def test_a_name_is_taken_once_whatever_its_case(api):
    uid = api.new_account("taken")["uid"]
    api.house.submit(Kind.ADD_SUB_ACCOUNT, uid=uid, name="taken-too", theory_speed=0,
                     description="", worker_count=0)
    rest = {"mail": "a@b.c", "password": PASSWORD}
    assert api.refused("Account.Create", account="TAKEN", **rest) == (
        OPERATION, "account: this name is taken")
    assert api.refused("Account.Create", account="Taken-Too", **rest) == (
        OPERATION, "account: there is a sub-account of this name")


def test_of_many_who_want_one_name_at_once_one_gets_it(api):
    text = json.dumps({"account": "wanted", "mail": "a@b.c", "password": PASSWORD})
    answers = api.at_once("Account.Create", [text] * 6)
    assert sorted((one["code"], one["message"] or "") for one in answers) == [
        (0, ""), *[(OPERATION, "account: this name is taken")] * 5]
    assert api.done("Account.QueryUserNameByMail", mail="a@b.c").count("wanted") == 1


@pytest.mark.parametrize("changes, message", [
    *(({"account": name}, "account: must have 3 to 32 of A-Z a-z 0-9 _ -")
      for name in ("ab", "a" * 33, "a" * 65, "two words", "dot.ted", "北京分厂", "new\nline",
                   "\x1fmarked")),
    ({"account": ""}, "account: must have 1 to 1024 characters"),
    ({"password": "short"}, "password: must have 6 to 128 characters"),
    ({"password": "x" * 129}, "password: must have 6 to 128 characters"),
    ({"password": ""}, "password: must have 1 to 1024 characters"),
    ({"phone": "1" * 33}, "phone: must have at most 32 characters"),
    ({"phone": "1\x00"}, "phone: not a phone number"),
    ({"mail": "m" * 255}, "mail: must have at most 254 characters"),
    ({"mail": "m\u202e@b.c"}, "mail: not a mail address"),
])
def test_what_makes_no_account(api, changes, message):
    good = {"account": "no-such-farm", "phone": "1", "mail": "a@b.c", "password": PASSWORD}
    assert api.refused("Account.Create", **good | changes) == (INPUT, message)


def test_accounts_of_an_address_are_limited(own_house):
    api = ActionApi(own_house(limits=Limits(registrations_per_minute=2)))
    for number in range(2):
        api.done("Account.Create", account=f"farm-{number}", mail="a@b.c", password=PASSWORD)
    code, message = api.refused("Account.Create", account="farm-2", mail="a@b.c",
                                password=PASSWORD)
    assert code == OPERATION and message.startswith("too many registrations, try again in ")


# -- contacts --------------------------------------------------------------------------------------

def test_contacts_are_changed_and_found(api):
    for name in ("first", "second", "third"):
        api.new_account(name, email=f"{name}@found.org")
    assert api.done("Account.QueryUserNameByPhone", phone="139") == []
    for name in ("third", "first"):
        assert api.done("Account.UpdatePhone", account=name.upper(), phone="139") is None
        assert api.done("Account.UpdateMail", account=name, mail="Shared@Found.org") is None
    assert api.done("Account.QueryUserNameByPhone", phone="139") == ["third", "first"]
    assert api.done("Account.QueryUserNameByMail", mail="shared@found.ORG") == ["third", "first"]
    assert api.done("Account.QueryUserNameByMail", mail="third@found.org") == []
    assert api.done("Account.QueryUserNameByMail", mail="second@found.org") == ["second"]
    assert api.done("Account.GetBindInfo", account="third") == {
        "phone": "139", "mail": "Shared@Found.org"}


def test_unknown_accounts_are_refused_by_name(api):
    """A sub-account is no main account."""
    uid = api.new_account("owner")["uid"]
    api.house.submit(Kind.ADD_SUB_ACCOUNT, uid=uid, name="owners-own", theory_speed=0,
                     description="", worker_count=0)
    for name in ("nobody", "owners-own", "\x1fowners-own"):
        for action, rest in (("GetBindInfo", {}), ("UpdatePhone", {"phone": "1"}),
                             ("UpdateMail", {"mail": "a@b.c"}),
                             ("UpdatePassword", {"password": PASSWORD})):
            assert api.refused(f"Account.{action}", account=name, **rest) == (
                OPERATION, "account: not a main account")


def test_super_administrators_are_not_changed(api):
    for action, rest in (("UpdatePhone", {"phone": "1"}), ("UpdateMail", {"mail": "a@b.c"}),
                         ("UpdatePassword", {"password": PASSWORD})):
        assert api.refused(f"Account.{action}", account="operator", **rest) == (
            RIGHT, "account: a super administrator is not changed here")


# -- passwords -------------------------------------------------------------------------------------

def test_a_new_password_ends_all_sessions(api):
    api.done("Account.Create", account="sessions", mail="a@b.c", password=PASSWORD)
    token = login(api.house, "sessions", PASSWORD)["data"]
    api.house.done("get_user_coin", token)
    assert api.done("Account.UpdatePassword", account="sessions", password="another one") is None
    assert api.house.refused("get_user_coin", token) == "session: not logged in"
    assert not login(api.house, "sessions", PASSWORD)["status"]
    assert login(api.house, "sessions", "another one")["status"]


def test_a_password_is_checked(api):
    api.done("Account.Create", account="Checked", mail="a@b.c", password=PASSWORD)

    def right(account, password):
        before = state_of(api.house)
        answer = api.done("Account.CheckPassword", account=account, password=password)
        assert state_of(api.house) == before
        return answer
    assert right("checked", PASSWORD) is True
    assert right("Checked", PASSWORD + "x") is False
    assert right("Checked", "x" * 1024) is False
    assert right("nobody-at-all", PASSWORD) is False
    uid = api.core.users.by_name("checked").uid
    api.house.submit(Kind.SET_PERMISSIONS, uid=uid, fields={"is_allow_login": 0})
    assert right("Checked", PASSWORD) is False


def test_a_name_that_nobody_has_costs_what_a_known_one_does(api, monkeypatch):
    api.done("Account.Create", account="costly", mail="a@b.c", password=PASSWORD)
    verified, verify = [], argon2.PasswordHasher.verify

    def counted(hasher, password_hash, password):
        verified.append(argon2.extract_parameters(password_hash))
        return verify(hasher, password_hash, password)
    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    for account in ("costly", "nobody-at-all"):
        assert api.done("Account.CheckPassword", account=account, password="guess") is False
    assert len(verified) == 2 and verified[0] == verified[1]


def test_guessing_is_slowed_down_as_at_a_login(own_house):
    api = ActionApi(own_house(limits=Limits(logins_per_minute=3)))
    api.done("Account.Create", account="guessed", mail="a@b.c", password=PASSWORD)
    for account in ("guessed", "nobody"):
        for _ in range(3):
            assert api.done("Account.CheckPassword", account=account, password="guess") is False
        # The right one is as good as any other now, and the router's login is the same door.
        code, message = api.refused("Account.CheckPassword", account=account.upper(),
                                    password=PASSWORD)
        assert code == OPERATION and message.startswith("too many attempts, try again in ")
        assert "too many attempts" in login(api.house, account, PASSWORD)["description"]
    api.done("Account.Create", account="another", mail="a@b.c", password=PASSWORD)
    assert api.done("Account.CheckPassword", account="another", password=PASSWORD) is True


def test_many_users_of_a_website_do_not_slow_each_other_down(own_house):
    api = ActionApi(own_house(limits=Limits(logins_per_minute=1)))
    for number in range(ADDRESS_FACTOR + 1):
        assert api.done("Account.CheckPassword", account=f"n{number}", password="guess") is False


# -- fields ----------------------------------------------------------------------------------------

GOOD = {
    "Account.Create": {"account": "well-formed", "phone": "1", "mail": "a@b.c",
                       "password": PASSWORD},
    "Account.GetBindInfo": {"account": "fields"},
    "Account.UpdatePhone": {"account": "fields", "phone": "1"},
    "Account.UpdateMail": {"account": "fields", "mail": "a@b.c"},
    "Account.UpdatePassword": {"account": "fields", "password": PASSWORD},
    "Account.CheckPassword": {"account": "fields", "password": PASSWORD},
    "Account.QueryUserNameByPhone": {"phone": "1"},
    "Account.QueryUserNameByMail": {"mail": "a@b.c"},
}


@pytest.fixture(scope="module")
def fields(api):
    api.new_account("fields")
    return api


@pytest.mark.parametrize("action", GOOD)
def test_every_field_has_its_form(fields, action):
    check_fields(fields, action, GOOD[action], DESCRIBED[action])
    assert fields.call(action, **GOOD[action])["code"] == 0


@pytest.mark.parametrize("action, long", [
    ("Account.GetBindInfo", {"account": "x" * 65}),
    ("Account.UpdatePhone", {"phone": "1" * 33}),
    ("Account.UpdateMail", {"mail": "m" * 255}),
    ("Account.UpdatePassword", {"password": "x" * 129}),
    ("Account.UpdatePassword", {"password": "x" * 1025}),
    ("Account.CheckPassword", {"account": "x" * 1025}),
    ("Account.CheckPassword", {"password": "x" * 1025}),
    ("Account.QueryUserNameByPhone", {"phone": "1" * 33}),
    ("Account.QueryUserNameByMail", {"mail": "m" * 255}),
    ("Account.UpdatePhone", {"phone": "\x7f"}),
    ("Account.UpdateMail", {"mail": "\u2028"}),
    *((action, {name: ""}) for action in GOOD for name in GOOD[action]
      if action != "Account.Create"),
])
def test_texts_have_their_lengths(fields, action, long):
    (name,) = long
    code, message = fields.refused(action, **GOOD[action] | long)
    assert (code, message.partition(":")[0]) == (INPUT, name), message
