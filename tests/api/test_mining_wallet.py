"""The mining wallet over HTTP: what its fourteen calls do, and what other dialects see of it."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from api.auth.passwords import Passwords
from api.config import Ore, Pool
from api.dialects.mining_wallet import HANDLERS, OPERATIONS
from engine import Kind
from tests.api.conftest import HouseThread
from tests.api.user_centers import hashed
from tests.api.wallets import RICH, WalletUser, send

PASSWORD = "correct horse"
WAYS = ("json", "form", "query")
NS_PER_DAY = 86_400 * 1_000_000_000
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    thread = HouseThread(tmp_path_factory.mktemp("mine"), ore=RICH)
    yield thread
    thread.close()


def exchange_balance(user):
    return user.house.done("get_user_coin", user.token)["ORE"]["available"]


def test_these_are_the_calls():
    assert {(operation.method, operation.path) for operation in OPERATIONS} == {
        ("POST", "/user/register/"), ("POST", "/user/login/"), ("GET", "/user/logout/"),
        ("GET", "/user/get/login/"), ("PATCH", "/wallet/transfer/"), ("PATCH", "/wallet/extract/"),
        ("GET", "/wallet/get/login/"), ("GET", "/mining/rank/"), ("PATCH", "/wallet/promote/"),
        ("PATCH", "/mining/gain/"), ("GET", "/mining/get/login/"), ("GET", "/get/may/"),
        ("GET", "/sign/"), ("PATCH", "/sign/")}
    assert len(OPERATIONS) == len(HANDLERS) == 14


# -- users -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", WAYS)
def test_from_registering_to_the_end_of_the_session(house, way):
    name = f"digger {way}"
    fields = {"username": name, "email": "d@example.org", "name": "记不得哦", "password": PASSWORD}
    assert send(house, "POST", "/user/register/", fields, way=way).envelope == {"status": "success"}
    login = send(house, "POST", "/user/login", {"username": name.upper(), "password": PASSWORD},
                 way=way)
    assert login.envelope == {"status": "success"}
    token = re.fullmatch(r"session=([A-Za-z0-9_-]{43}); HttpOnly; Max-Age=86400; Path=/; "
                         r"SameSite=Lax", login.headers["Set-Cookie"])[1]
    cookie = {"Cookie": f"session={token}"}
    shown = send(house, "GET", "/user/get/login/", headers=cookie)
    assert shown.envelope["data"] == {"username": name, "email": "d@example.org"}
    for given in ({"token": token}, {"fields": {"session": token}, "way": "query"},
                  {"fields": {"session": token}}):
        assert send(house, "GET", "/user/get/login/", **given).envelope == shown.envelope
    logout = send(house, "GET", "/user/logout/", headers=cookie)
    assert logout.envelope == {"status": "success"}
    assert logout.headers["Set-Cookie"].startswith('session="";')
    assert send(house, "GET", "/user/get/login/", headers=cookie).status == 401


def test_who_has_no_mail_address_shows_none(house):
    assert WalletUser(house, "no mail").done("GET", "/user/get/login/") == {
        "username": "no mail", "email": ""}


def test_a_session_opens_the_other_dialect_too(house):
    send(house, "POST", "/user/register/", {"username": "both doors", "email": "b@example.org",
                                            "name": "b", "password": PASSWORD})
    token = house.done("login", user="both doors", pass_=PASSWORD)
    cookie = {"Cookie": f"session={token}"}
    assert send(house, "GET", "/wallet/get/login/", headers=cookie).status == 200
    assert house.done("logout", token) == ""
    assert send(house, "GET", "/wallet/get/login/", headers=cookie).status == 401
    login = send(house, "POST", "/user/login/", {"username": "both doors", "password": PASSWORD})
    cookie = {"Cookie": login.headers["Set-Cookie"].split(";")[0]}
    assert house.envelope("POST", "/router?router=get_user_coin", None, cookie)["status"]
    assert send(house, "GET", "/user/logout/", headers=cookie).status == 200
    assert not house.envelope("POST", "/router?router=get_user_coin", None, cookie)["status"]


# -- wallets ---------------------------------------------------------------------------------------

def test_the_first_use_opens_wallet_and_miner(house):
    user = WalletUser(house, "first use")
    wallet = user.wallet
    assert wallet == {"id": wallet["id"], "user_id": user.uid, "address": wallet["address"],
                      "money": 0}
    assert re.fullmatch("[0-9A-Za-z]{15}", wallet["address"])
    miner = user.miner
    assert miner == {"id": wallet["id"], "user_id": user.uid, "wallet_id": wallet["id"],
                     "force": 100, "add_time": miner["add_time"], "extract": 0}
    assert TIME.fullmatch(miner["add_time"])
    opened = datetime.strptime(miner["add_time"], "%Y-%m-%d %H:%M:%S")
    age = datetime.now(ZoneInfo("Asia/Shanghai")).replace(tzinfo=None) - opened
    assert timedelta(0) <= age < timedelta(minutes=5)
    assert user.wallet == wallet


@pytest.mark.parametrize("method, path", [
    (operation.method, operation.path) for operation in OPERATIONS
    if operation.path.startswith(("/mining/", "/get/", "/sign/")) and not operation.fields
    and operation.name != "show_rank"])
def test_every_miner_call_may_be_the_first(house, method, path):
    user = WalletUser(house, f"first {method} {path}")
    user.done(method, path)
    assert user.wallet["money"] == 0


@pytest.mark.parametrize("way", WAYS)
def test_ore_goes_to_another_wallet(house, way):
    giver, taker = WalletUser(house, f"giver {way}").mine(50), WalletUser(house, f"taker {way}")
    address = taker.wallet["address"]
    assert giver.done("PATCH", "/wallet/transfer/", {"num": 20, "address": address}, way) is None
    assert (giver.wallet["money"], taker.wallet["money"]) == (30, 20)
    giver.done("PATCH", "/wallet/transfer", {"num": "3e1", "address": address}, way)
    assert (giver.wallet["money"], taker.wallet["money"]) == (0, 50)
    assert giver.miner["extract"] == 50


@pytest.mark.parametrize("way", WAYS)
def test_extracted_ore_can_be_traded(house, way):
    user, friend = WalletUser(house, f"seller {way}").mine(9), WalletUser(house, f"friend {way}")
    assert user.done("PATCH", "/wallet/extract/", {"num": 4}, way) is None
    assert exchange_balance(user) == "4"
    user.done("PATCH", "/wallet/extract/", {"num": 1, "address": user.wallet["address"]}, way)
    assert exchange_balance(user) == "5"
    user.done("PATCH", "/wallet/extract/", {"num": 2, "address": friend.wallet["address"]}, way)
    assert (exchange_balance(user), exchange_balance(friend)) == ("5", "2")
    assert (user.wallet["money"], friend.wallet["money"]) == (2, 0)
    order = house.done("sell", user.token, pair="ORE/USDT", amount="5", price="1.5")
    assert order["status"] == "open"


def test_only_what_goes_to_others_asks_for_the_payment_password(house):
    user, friend = WalletUser(house, "careful").mine(10), WalletUser(house, "friend")
    to_friend = {"num": 1, "address": friend.wallet["address"]}
    user.done("PATCH", "/wallet/transfer/", to_friend)
    house.submit(Kind.SET_PAY_PASSWORD, uid=user.uid, password_hash=hashed(house, "pay me"))
    user.done("PATCH", "/wallet/extract/", {"num": 1})
    user.done("PATCH", "/wallet/extract/", {"num": 1, "address": user.wallet["address"]})
    for path in ("/wallet/transfer/", "/wallet/extract/"):
        assert user.refused("PATCH", path, to_friend) == (400, "pay_password: is missing")
        wrong = send(house, "PATCH", path, to_friend | {"pay_password": "pay you"}, user.token)
        assert (wrong.status, wrong.envelope["message"]) == (401, "pay_password: is wrong")
        assert user.done("PATCH", path, to_friend | {"pay_password": "pay me"}) is None
    assert (user.wallet["money"], friend.wallet["money"]) == (5, 2)
    assert exchange_balance(friend) == "1"


def test_a_payment_password_is_locked_after_five_wrong_tries(house):
    user, friend = WalletUser(house, "guessed").mine(1), WalletUser(house, "guesser")
    house.submit(Kind.SET_PAY_PASSWORD, uid=user.uid, password_hash=hashed(house, "pay me"))
    fields = {"num": 1, "address": friend.wallet["address"], "pay_password": "pay you"}
    answers = [send(house, "PATCH", "/wallet/transfer/", fields, user.token) for _ in range(5)]
    assert [answer.status for answer in answers] == [401] * 5
    status, message = user.refused("PATCH", "/wallet/transfer/", fields | {
        "pay_password": "pay me"})
    assert (status, "locked" in message) == (429, True)
    assert user.wallet["money"] == 1


def test_a_session_that_ends_meanwhile_moves_nothing(house, monkeypatch):
    """Somebody else has it: the user logs out while a payment password is being checked."""
    user, friend = WalletUser(house, "robbed").mine(1), WalletUser(house, "robber")
    house.submit(Kind.SET_PAY_PASSWORD, uid=user.uid, password_hash=hashed(house, "pay me"))
    fields = {"num": 1, "address": friend.wallet["address"], "pay_password": "pay me"}
    begun, go_on, verify = threading.Event(), threading.Event(), Passwords._verify

    def slowly(*arguments):
        begun.set()
        go_on.wait(60)
        return verify(*arguments)

    monkeypatch.setattr(Passwords, "_verify", slowly)
    with ThreadPoolExecutor(1) as thread:
        transfer = thread.submit(send, house, "PATCH", "/wallet/transfer/", fields, user.token)
        assert begun.wait(60)
        user.done("GET", "/user/logout/")
        go_on.set()
        assert transfer.result().status == 401
    assert friend.wallet["money"] == 0


# -- miners ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", WAYS)
def test_claimed_ore_is_in_the_wallet(house, way):
    user = WalletUser(house, f"claims {way}").mine(1)
    assert user.done("PATCH", "/mining/gain/", {"num": "1"}, way) is None
    assert user.wallet["money"] == user.miner["extract"] == 2


@pytest.mark.parametrize("way", WAYS)
def test_force_is_bought_with_ore(house, way):
    user = WalletUser(house, f"stronger {way}").mine(10)
    assert user.done("PATCH", "/wallet/promote/", {"num": 3}, way) is None
    # At 0.25 ORE each: a number with its exact digits, no float's.
    assert (user.wallet["money"], user.miner["force"]) == ("9.25", 103)
    user.done("PATCH", "/wallet/promote/", {"num": 37}, way)
    assert (user.wallet["money"], user.miner["force"]) == (0, 140)
    assert user.miner["extract"] == 10


def test_what_can_be_claimed_grows_with_time_and_shrinks_by_claims(own_house, monkeypatch):
    """At the rate of the default: 0.0001 ORE a second for each of 100 force, so 36 in an hour."""
    user = WalletUser(own_house(), "patient")
    user.done("GET", "/mining/get/login/")
    opened_ns = user.house.house.core.miners.of_user(user.uid).opened_ns
    shown = []
    for passed_s in (0, 99, 100, 3_600, 36_000):
        now_ns = opened_ns + passed_s * 1_000_000_000
        monkeypatch.setattr(time, "time_ns", lambda: now_ns)
        shown.append(user.done("GET", "/mining/get/may/"))
    monkeypatch.undo()
    assert shown == [{"may_num": whole} for whole in (0, 0, 1, 36, 360)]
    # The core has its own clock.
    assert user.refused("PATCH", "/mining/gain/", {"num": 1}) == (
        400, "num: more than can be claimed now")


def test_signing_in_adds_force_once_a_day(own_house, monkeypatch):
    user = WalletUser(own_house(pool=Pool(timezone="UTC")), "daily")
    for below in ("", "/mining"):
        assert user.done("GET", f"{below}/sign/") == {"signed": False}
    assert user.done("PATCH", "/sign/") is None
    assert user.done("GET", "/mining/sign") == {"signed": True}
    assert user.refused("PATCH", "/mining/sign/") == (409, "signed in today already")
    assert user.miner["force"] == 110
    tomorrow_ns = time.time_ns() + NS_PER_DAY
    monkeypatch.setattr(time, "time_ns", lambda: tomorrow_ns)
    assert user.done("GET", "/sign/") == {"signed": False}
    assert user.done("PATCH", "/sign/") is None
    assert user.done("GET", "/sign/") == {"signed": True}
    assert user.miner["force"] == 120


def test_a_day_is_that_of_the_houses_time_zone(house, monkeypatch):
    """At 20:00 UTC it is tomorrow in Beijing."""
    user = WalletUser(house, "far east")
    evening = datetime.now(UTC).replace(hour=20, minute=0, second=0, microsecond=0)
    evening_ns = int(evening.timestamp()) * 1_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: evening_ns)
    user.done("PATCH", "/sign/")
    tomorrow = evening.date() + timedelta(days=1)
    signed_day = house.house.core.miners.of_user(user.uid).signed_day
    assert signed_day == (tomorrow - date(1970, 1, 1)).days


def test_the_rank_shows_the_ten_strongest(own_house):
    house = own_house(ore=RICH)
    users = [WalletUser(house, f"ranked-{number}") for number in range(12)]
    named = WalletUser(house, "unseen", name="记不得哦")
    for strength, user in enumerate(users[2:]):
        user.mine(10).done("PATCH", "/wallet/promote/", {"num": 1 + strength})
    for user in users[:2]:
        assert user.miner["force"] == 100
    named.mine(10).done("PATCH", "/wallet/promote/", {"num": 20})
    rank = named.done("GET", "/mining/rank/")
    assert rank[0] == named.miner | {"name": "记不得哦"}
    assert rank[0]["extract"] == 10
    assert [row["name"] for row in rank[1:]] == [f"ranked-{number}" for number in range(11, 2, -1)]
    assert [row["force"] for row in rank] == [120, *range(110, 101, -1)]
    assert users[0].done("GET", "/mining/rank") == rank


def test_mined_ore_survives_a_restart(own_house):
    house = own_house(ore=RICH)
    user = WalletUser(house, "survivor").mine(7)
    wallet, miner = user.wallet, user.miner
    house.close()
    # From now on nothing is yielded, and what was stays.
    user.house = own_house(ore=Ore(rate_per_force_second="0"))
    assert (user.wallet, user.miner) == (wallet, miner)
    claimable = user.done("GET", "/get/may/")
    assert claimable["may_num"] > 0 and user.done("GET", "/get/may/") == claimable
