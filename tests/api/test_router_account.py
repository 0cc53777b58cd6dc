"""Users on the exchange router: codes, registering, sessions, balances, withdrawals, over HTTP."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import pytest

from api.config import Limits, Mail, Server
from api.dialects.router_account import code_digest
from engine import Kind
from tests.api.user_centers import hashed

BTC_ADDRESS = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
PASSWORD = "correct horse"


def register(house, name, password=PASSWORD):
    code = house.done("make_valid_code", user=name)
    return house.call("regeist_user", user=name, pass_=password, valid_code=code)


def outbox(house):
    return sorted((Path(house.config.data.dir) / "outbox").glob("*.eml"))


def test_from_the_code_to_the_session(house):
    assert house.refused("check_exist_name", user="Alice") == "user: not known"
    assert register(house, "Alice") == {"status": True, "data": "", "description": ""}
    assert house.done("check_exist_name", user="aLICE") == ""
    assert house.refused("login", user="Alice", pass_="wrong horse") == "user or pass: wrong"
    assert house.refused("login", user="Nobody", pass_=PASSWORD) == "user or pass: wrong"
    token = house.done("login", user="alice", pass_=PASSWORD)
    assert len(token) >= 43
    assert set(house.done("get_user_coin", token)) == {"BTC", "BCH", "USDT", "CNY", "ORE"}
    assert house.done("logout", token) == ""
    assert house.refused("logout", token) == "session: not logged in"
    assert house.refused("get_user_coin", token) == "session: not logged in"


def test_the_code_is_in_the_mail(house):
    code = house.done("make_valid_code", user="mailed@example.org")
    assert re.findall(r"(?<![0-9])[0-9]{6}(?![0-9])", outbox(house)[-1].read_text()) == [code]


def test_codes_come_slowly_and_die(house):
    code = house.done("make_valid_code", user="codes")
    assert "60 s" in house.refused("make_valid_code", user="CODES")
    wrong = "000000" if code != "000000" else "000001"
    for _ in range(5):
        assert house.refused("regeist_user", user="codes", pass_=PASSWORD,
                             valid_code=wrong) == "valid_code: wrong"
    assert "too many wrong tries" in house.refused("regeist_user", user="codes", pass_=PASSWORD,
                                                   valid_code=code)
    assert house.refused("check_exist_name", user="codes")


def test_a_code_is_only_for_its_name(house):
    code = house.done("make_valid_code", user="for me")
    assert "none is valid" in house.refused("regeist_user", user="for you", pass_=PASSWORD,
                                            valid_code=code)
    assert house.done("regeist_user", user="For Me", pass_=PASSWORD, valid_code=code) == ""
    assert "taken" in house.refused("regeist_user", user="for me", pass_=PASSWORD, valid_code=code)
    assert code_digest("Straße", "1") == code_digest("STRASSE", "1") != code_digest("strasse", "2")


def test_codes_are_returned_only_where_it_is_configured(own_house):
    house = own_house(mail=Mail())
    assert house.done("make_valid_code", user="alice") == ""
    assert len(outbox(house)) == 1


def test_by_smtp_a_name_must_be_an_address(own_house):
    house = own_house(mail=Mail(mode="smtp", host="127.0.0.1", port=9))
    assert house.refused("make_valid_code", user="alice") == "user: must be a mail address"
    # The port of the discard service: nobody listens.
    assert "could not be sent" in house.refused("make_valid_code", user="a@example.org")


def test_the_cookie(house):
    register(house, "cookie monster")
    answer = house.request("POST", "/router?router=login", "user=cookie+monster&pass=correct+horse")
    cookie = answer.headers["Set-Cookie"]
    token = re.fullmatch(r"session=([A-Za-z0-9_-]{43}); HttpOnly; Max-Age=86400; Path=/; "
                         r"SameSite=Lax", cookie)[1]
    for headers in ({"Cookie": f"a=b; session={token}; c=d"}, {"Cookie": f'session="{token}"'},
                    {"session": token}):
        assert house.envelope("POST", "/router?router=get_user_coin", None, headers)["status"]
    assert house.done("get_user_coin", session=token)
    answer = house.request("POST", "/router?router=logout", None, {"Cookie": f"session={token}"})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith('session="";') and "Max-Age=0" in cookie
    assert house.refused("get_user_coin", token)


def test_the_cookie_is_secure_where_the_house_is(own_house):
    house = own_house(server=Server(port=0, public_url="https://orebook.example"))
    answer = house.request("POST", "/router?router=login", "user=operator&pass=operator-password")
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_session_survives_a_restart(own_house):
    house = own_house()
    token = house.done("login", user="operator", pass_="operator-password")
    house.close()
    again = own_house()
    assert again.done("get_user_coin", token)


def test_guessing_is_slowed_down(own_house):
    house = own_house(limits=Limits(logins_per_minute=2))
    for _ in range(2):
        assert house.refused("login", user="operator", pass_="guess-1") == "user or pass: wrong"
    assert "too many attempts" in house.refused("login", user="OPERATOR", pass_="guess-2")
    assert "too many attempts" in house.refused("login", user="operator", pass_="operator-password")
    for number in range(8):
        assert house.refused("login", user=f"other {number}",
                             pass_="guess-1") == "user or pass: wrong"
    # Ten failures from one address: now it must wait, whoever it says it is.
    assert "too many attempts" in house.refused("login", user="somebody", pass_="guess-1")


def test_guessing_codes_is_slowed_down(own_house):
    house = own_house(limits=Limits(logins_per_minute=2))
    for number in range(10):
        assert "none is valid" in house.refused("regeist_user", user=f"user {number}",
                                                pass_=PASSWORD, valid_code="123456")
    assert "too many attempts" in house.refused("regeist_user", user="one more", pass_=PASSWORD,
                                                valid_code="123456")


@pytest.mark.slow
def test_two_hundred_logins_at_once_hold_nobody_up(own_house):
    """Each costs a password hash; meanwhile others are answered, and none is turned away."""
    house = own_house(real_hashes=True)
    url = f"http://127.0.0.1:{house.port}/router"

    async def run():
        everyone = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=everyone) as session:
            async def call(method, router, **parameters):
                async with session.request(method, url, params={"router": router},
                                           data=parameters) as answer:
                    return await answer.json()

            logins = [asyncio.create_task(call("POST", "login", user=f"user-{number}",
                                               **{"pass": PASSWORD})) for number in range(200)]
            ranks = [await call("GET", "get_rank") for _ in range(30)]
            still_waiting = sum(not login.done() for login in logins)
            return ranks, still_waiting, await asyncio.gather(*logins)

    ranks, still_waiting, answers = asyncio.run(run())
    assert all(rank["status"] for rank in ranks) and still_waiting > 0
    assert {answer["description"] for answer in answers} == {"user or pass: wrong"}


def test_codes_of_an_address_are_slowed_down(own_house):
    """Names cost nothing, so a pause for each of them holds up nobody."""
    house = own_house(limits=Limits(logins_per_minute=2))
    for number in range(10):
        assert house.done("make_valid_code", user=f"user-{number}")
    seq = house.house.seq
    assert "too many codes" in house.refused("make_valid_code", user="another")
    # Nothing was written for it, and nothing was sent.
    assert house.house.seq == seq
    assert len(outbox(house)) == 10
    # Who is registered already can log in from there.
    assert house.refused("login", user="user-1", pass_=PASSWORD) == "user or pass: wrong"


def test_withdrawing(house):
    alice = house.new_user("withdrawer", BTC=150_000_000)
    assert house.done("get_withdraw_address", alice.token, coin="BTC") == ""
    assert "none is set" in house.refused("withdraw", alice.token, coin="BTC")
    assert "not an address" in house.refused("set_withdraw_address", alice.token, coin="BTC",
                                             address=BTC_ADDRESS[:-1] + "3")
    assert house.done("set_withdraw_address", alice.token, coin="BTC", address=BTC_ADDRESS) == ""
    assert house.done("get_withdraw_address", alice.token, coin="BTC") == BTC_ADDRESS
    first = house.done("withdraw", alice.token, coin="BTC", amount="0.5", request_id="one")
    assert first == {"withdraw_id": first["withdraw_id"], "amount": "0.5", "fee": "0",
                     "status": "requested"}
    assert house.done("withdraw", alice.token, coin="BTC", amount="0.50", request_id="one") == first
    assert "request_id" in house.refused("withdraw", alice.token, coin="BTC", amount="0.6",
                                         request_id="one")
    assert house.done("get_user_coin", alice.token)["BTC"] == {
        "available": "1", "frozen": "0.5", "total": "1.5"}
    assert "not enough" in house.refused("withdraw", alice.token, coin="BTC", amount="1.00000001")
    rest = house.done("withdraw", alice.token, coin="BTC")
    assert rest["amount"] == "1"
    house.submit(Kind.REJECT_WITHDRAWAL, id=rest["withdraw_id"])
    records = house.done("get_withdraw_record", alice.token, coin="BTC")
    assert [(record["withdraw_id"], record["status"], record["amount"]) for record in records] == [
        (rest["withdraw_id"], "rejected", "1"), (first["withdraw_id"], "requested", "0.5")]
    assert records[1]["request_id"] == "one" and records[1]["address"] == BTC_ADDRESS
    assert house.done("get_withdraw_record", alice.token, limit=1,
                      before=records[0]["withdraw_id"]) == records[1:]


def test_the_payment_password(house):
    alice = house.new_user("careful", BTC=100)
    house.done("set_withdraw_address", alice.token, coin="BTC", address=BTC_ADDRESS)
    house.submit(Kind.SET_PAY_PASSWORD, uid=alice.uid,
                 password_hash=hashed(house, "pay me"))
    before = house.state_hash()
    assert house.refused("withdraw", alice.token, coin="BTC") == "pay_password: is missing"
    assert house.state_hash() == before
    assert house.refused("withdraw", alice.token, coin="BTC",
                         pay_password="pay you") == "pay_password: is wrong"
    # The try counts; no money has moved.
    assert house.done("get_user_coin", alice.token)["BTC"] == {
        "available": "0.000001", "frozen": "0", "total": "0.000001"}
    assert house.done("withdraw", alice.token, coin="BTC",
                      pay_password="pay me")["amount"] == "0.000001"


def test_five_wrong_payment_passwords_lock_it(house):
    alice = house.new_user("locked out", BTC=100)
    house.done("set_withdraw_address", alice.token, coin="BTC", address=BTC_ADDRESS)
    house.submit(Kind.SET_PAY_PASSWORD, uid=alice.uid,
                 password_hash=hashed(house, "pay me"))
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda guess: house.refused(
            "withdraw", alice.token, coin="BTC", pay_password=guess), ["pay you"] * 8))
    locked = ("pay_password: the payment password is locked for 15 minutes"
              " after five wrong tries")
    # Many at once gain nothing.
    assert sorted(answers) == ["pay_password: is wrong"] * 5 + [locked] * 3
    assert house.refused("withdraw", alice.token, coin="BTC", pay_password="pay me") == locked


@pytest.mark.parametrize("name, good", [
    ("ab", False), ("abc", True), ("x" * 64, True), ("x" * 65, False), ("a\nb", False),
    ("a\tbc", False), ("矿工一", True)])
def test_names(house, name, good):
    assert house.call("make_valid_code", user=name)["status"] is good
