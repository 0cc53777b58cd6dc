"""What the mining wallet refuses: by which HTTP status, naming what, and that nothing changes."""

import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.auth import sessions
from api.config import Coin, Limits, Server
from api.dialects.mining_wallet import OPERATIONS, OWN_WORDS, STATUS_BY_REASON, status_of
from api.errors import MEANINGS, Fault
from api.refusals import REASONS, Refusal
from engine import Result
from tests.api.conftest import HouseThread
from tests.api.wallets import RICH, WalletUser, send

PASSWORD = "correct horse"
REGISTRATION = {"username": "newcomer", "email": "n@example.org", "name": "n", "password": PASSWORD}
WITH_SESSION = [operation for operation in OPERATIONS if operation.shows == "session"]
WITH_NUM = [operation for operation in OPERATIONS
            if "num" in {field.name for field in operation.fields}]


def by_name(operation):
    return operation.name


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    thread = HouseThread(tmp_path_factory.mktemp("mine"), ore=RICH)
    yield thread
    thread.close()


@pytest.fixture(scope="module")
def user(house):
    """Has 10 ORE in the wallet."""
    return WalletUser(house, "user").mine(10)


@pytest.fixture(scope="module")
def other(house):
    """Somebody else, with a wallet."""
    other = WalletUser(house, "other")
    other.address = other.wallet["address"]
    return other


def right_fields(operation, other):
    """Fields with which the call is granted."""
    there = {"num": 1, "address": other.address} | REGISTRATION
    return {field.name: there[field.name] for field in operation.fields if field.required}


# -- who calls -------------------------------------------------------------------------------------

@pytest.mark.parametrize("operation", WITH_SESSION, ids=by_name)
def test_all_but_registering_and_login_need_a_session(house, operation, other):
    before = house.state_hash()
    for headers in ({}, {"session": ""}, {"session": "x" * 43}, {"Cookie": "session=x"},
                    {"Cookie": "a=b"}, {"session": "x" * 1000}):
        answer = send(house, operation.method, operation.path, right_fields(operation, other),
                      headers=headers)
        assert (answer.status, answer.envelope["message"]) == (401, "session: not logged in")
    assert house.state_hash() == before
    assert {operation.name for operation in OPERATIONS} - set(map(by_name, WITH_SESSION)) == {
        "register", "login"}


def test_a_session_ends_after_its_lifetime(house, monkeypatch):
    user = WalletUser(house, "slow")
    token = house.run(sessions.begin(house.house, user.uid))
    assert send(house, "GET", "/get/may/", token=token).status == 200
    later_ns = time.time_ns() + 86_400 * 1_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later_ns)
    assert send(house, "GET", "/get/may/", token=token).status == 401
    assert send(house, "GET", "/get/may/", token=user.token).status == 200


def test_a_session_must_be_a_text(house):
    for session in (True, [], {}):
        answer = send(house, "GET", "/get/may/", {"session": session})
        assert (answer.status, answer.envelope["message"]) == (400, "session: must be a text")


@pytest.mark.parametrize("username, password", [
    ("user", "wrong horse"), ("nobody at all", PASSWORD), ("user", "x" * 1024)])
def test_a_wrong_login_begins_no_session(house, username, password, user):
    before = house.state_hash()
    answer = send(house, "POST", "/user/login/", {"username": username, "password": password})
    assert (answer.status, answer.envelope["message"]) == (401, "username or password: wrong")
    assert "Set-Cookie" not in answer.headers
    assert house.state_hash() == before


def test_guessing_is_slowed_down(own_house):
    house = own_house(limits=Limits(logins_per_minute=2, registrations_per_minute=2))
    guess = {"username": "operator", "password": "guess-1"}
    answers = [send(house, "POST", "/user/login/", guess) for _ in range(3)]
    assert [answer.status for answer in answers] == [401, 401, 429]
    assert "too many attempts" in answers[2].envelope["message"]
    answers = [send(house, "POST", "/user/register/", REGISTRATION | {"username": f"user {number}"})
               for number in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]


# -- what is called --------------------------------------------------------------------------------

@pytest.mark.parametrize("path", [
    "/user/none", "/user/register/more", "/user/register//", "/user/%ff", "/wallet/none/",
    "/mining/none", "/mining/sign/x", "/get/none/", "/sign/x", "/user", "/wallet/", "/get"])
def test_unknown_paths(house, path):
    for method in ("GET", "PATCH"):
        answer = send(house, method, path, token="x")
        assert (answer.status, answer.envelope["message"]) == (404, "path: not known")


@pytest.mark.parametrize("operation", OPERATIONS, ids=by_name)
def test_wrong_methods(house, operation, other, user):
    allowed = [one.method for one in OPERATIONS if one.path == operation.path]
    before = house.state_hash()
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - set(allowed):
        answer = send(house, method, operation.path, right_fields(operation, other), user.token)
        assert answer.status == 405
        assert answer.headers["Allow"] == ", ".join(allowed)
        assert answer.envelope["message"] == "method: must be " + " or ".join(allowed)
    assert house.state_hash() == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=by_name)
def test_fields_that_a_call_does_not_have(operation, other, user):
    fields = right_fields(operation, other)
    for unknown in ("nmu", "Num", "x" * 1000):
        for way in ("json", "form", "query"):
            status, message = user.refused(operation.method, operation.path,
                                           fields | {unknown: "1"}, way)
            assert (status, message) == (400, f"{unknown[:64]}: is not a field of this call")


@pytest.mark.parametrize("operation", OPERATIONS, ids=by_name)
def test_fields_that_are_missing_or_empty(operation, other, user):
    fields = right_fields(operation, other)
    for name in fields:
        rest = {field: value for field, value in fields.items() if field != name}
        for changed in (rest, rest | {name: None}):
            assert user.refused(operation.method, operation.path, changed) == (
                400, f"{name}: is missing")
        for way in ("json", "form"):
            status, message = user.refused(operation.method, operation.path, rest | {name: ""}, way)
            assert (status, message.partition(":")[0]) == (400, name)


@pytest.mark.parametrize("operation", WITH_NUM, ids=by_name)
def test_num_is_a_whole_number_of_more_than_zero(operation, other, user):
    fields = right_fields(operation, other)
    wrong = ["0", "-1", "+1", "0.5", "1.0001", "1e-1", "abc", " 1", "1,0", "0x1", "١", "NaN",
             "Infinity", "9" * 400, "9223372036854775808", "1e999999999"]
    for way, values in (("form", wrong), ("query", wrong[:4]),
                        ("json", [*wrong, 0, -1, 0.5, 10**30, True, [], {}, [1], float("nan")])):
        for value in values:
            status, message = user.refused(operation.method, operation.path,
                                           fields | {"num": value}, way)
            assert (status, message.partition(":")[0]) == (400, "num"), value


@pytest.mark.parametrize("num", [5, 5.0, "5", "5.0", "5e0", "0.5e1", "005"])
def test_a_whole_number_may_be_written_in_many_ways(house, user, num):
    digger = WalletUser(house, f"writes {num!r}").mine(1)
    digger.mine(100).done("PATCH", "/wallet/extract/", {"num": num})
    assert digger.wallet["money"] == 96


def test_bodies_that_cannot_be_read(house, user):
    before = house.state_hash()
    for body, content_type, named in ((b"{", "application/json", "body"),
                                      (b"[]", "application/json", "body"),
                                      (b'{"num": 1, "num": 2}', "application/json", "num"),
                                      (b"num=\xff", "application/x-www-form-urlencoded", "body")):
        answer = house.request("PATCH", "/wallet/extract/", body,
                               {"Content-Type": content_type, "session": user.token})
        assert answer.status == 400
        assert answer.body.startswith(b'{"status":"error","message":"%b: ' % named.encode())
    assert house.state_hash() == before


def test_a_field_given_twice_must_be_the_same(house, user):
    answer = send(house, "PATCH", "/wallet/extract/?num=1", {"num": 2}, user.token)
    assert (answer.status, answer.envelope["message"][:5]) == (400, "num: ")


def test_a_body_that_is_too_large(own_house):
    user = WalletUser(own_house(server=Server(port=0, max_body_bytes=1024)), "long")
    assert user.refused("PATCH", "/mining/gain/", {"num": "1" * 2000}) == (
        413, "body: is too large")


# -- registering -----------------------------------------------------------------------------------

@pytest.mark.parametrize("field, value", [
    ("username", "ab"), ("username", "x" * 65), ("username", "a\nbc"), ("username", "x" * 2000),
    ("username", 12345), ("email", "nobody"), ("email", "a@b@c"), ("email", "@b"), ("email", "a@"),
    ("email", "a b@c"), ("email", "x" * 250 + "@abcd"), ("email", "a\n@b"), ("name", "x" * 65),
    ("name", "a\tb"), ("name", 7), ("password", "12345"), ("password", "x" * 129),
    ("password", "x" * 2000)])
def test_what_cannot_be_registered(house, user, field, value):
    status, message = user.refused("POST", "/user/register/", REGISTRATION | {field: value})
    assert (status, message.partition(":")[0]) == (400, field)


def test_a_name_is_registered_once_whatever_its_case(house):
    fields = REGISTRATION | {"username": "Once"}
    assert send(house, "POST", "/user/register/", fields).status == 200
    before = house.state_hash()
    again = send(house, "POST", "/user/register/", fields | {"username": "oNCE"})
    assert (again.status, again.envelope["message"]) == (409, "username: this name is taken")
    assert house.state_hash() == before


# -- what the state does not allow -----------------------------------------------------------------

@pytest.mark.parametrize("path, fields", [
    ("/wallet/transfer/", {"num": 11, "address": None}), ("/wallet/extract/", {"num": 11}),
    ("/wallet/extract/", {"num": 11, "address": None}),
    ("/wallet/transfer/", {"num": "900000000000000", "address": None}),
    ("/wallet/promote/", {"num": 41})])
def test_more_than_the_wallet_holds(user, other, path, fields):
    if "address" in fields:
        fields = fields | {"address": other.address}
    assert user.refused("PATCH", path, fields) == (
        400, "num: the wallet does not hold enough for it")


@pytest.mark.parametrize("path", ["/wallet/transfer/", "/wallet/extract/", "/mining/gain/"])
def test_more_units_than_can_be_counted(user, other, path):
    fields = {"num": "922337203685478"}
    if path == "/wallet/transfer/":
        fields["address"] = other.address
    assert user.refused("PATCH", path, fields) == (400, "num: is too large")


def test_a_price_that_is_too_large_to_pay(user):
    assert user.refused("PATCH", "/wallet/promote/", {"num": "9223372036854775807"}) == (
        400, "num: is too large")


def test_more_than_the_miner_has_yielded(user):
    assert user.refused("PATCH", "/mining/gain/", {"num": "900000000000000"}) == (
        400, "num: more than can be claimed now")


@pytest.mark.parametrize("path", ["/wallet/transfer/", "/wallet/extract/"])
def test_an_address_that_no_wallet_has(user, other, path):
    for address in ("nowhere", other.address + "x", other.address.swapcase(), "x" * 1024, "\0"):
        assert user.refused("PATCH", path, {"num": 1, "address": address}) == (
            404, "address: no wallet has it")
    assert user.refused("PATCH", path, {"num": 1, "address": 7})[1].startswith("address: ")


def test_the_own_address_is_no_place_to_send_to(user):
    own = {"num": 1, "address": user.wallet["address"]}
    assert user.refused("PATCH", "/wallet/transfer/", own) == (
        400, "address: is that of the user's own wallet")


def test_a_refused_call_opens_no_wallet(house, other):
    user = WalletUser(house, "never")
    for fields in ({"num": 0, "address": other.address}, {"num": 1, "address": "nowhere"}):
        user.refused("PATCH", "/wallet/transfer/", fields)
    user.refused("PATCH", "/mining/gain/", {"num": "1.5"})
    assert house.house.core.miners.of_user(user.uid) is None


def test_without_a_listed_coin_nothing_is_mined(own_house):
    house = own_house(coins=(Coin("BTC", 8),), pairs=())
    user = WalletUser(house, "idle")
    for operation in WITH_SESSION:
        if operation.path.startswith("/user/"):
            continue
        fields = {"num": 1, "address": "a"}
        fields = {field.name: fields[field.name] for field in operation.fields if field.required}
        assert user.refused(operation.method, operation.path, fields) == (
            400, "mining is not set up in this house")
    assert user.done("GET", "/user/get/login/")["username"] == "idle"


# -- the house itself ------------------------------------------------------------------------------

def test_no_answer_is_ahead_of_the_disk(own_house, monkeypatch):
    """Neither one that shows what is not on disk yet, nor a refusal that rests on it."""
    house = own_house()
    user = WalletUser(house, "hasty")
    user.done("GET", "/sign/")
    disk_is_done, sync = threading.Event(), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: disk_is_done.wait(60) and sync(fd))

    def ask(method, path, fields=None):
        answer = send(house, method, path, fields, user.token)
        return disk_is_done.is_set(), answer.status, answer.envelope.get("data")

    with ThreadPoolExecutor(4) as threads:
        signing = threads.submit(ask, "PATCH", "/sign/")
        while house.house.core.miners.of_user(user.uid).signed_day is None:
            house.request("GET", "/healthz")
        asked = [threads.submit(ask, *call) for call in (
            ("GET", "/sign/"), ("GET", "/mining/rank/"),
            ("PATCH", "/wallet/transfer/", {"num": 1, "address": "nowhere"}))]
        # Time enough to answer for a house that would not wait.
        for _ in range(30):
            house.request("GET", "/healthz")
        disk_is_done.set()
        answers = [one.result() for one in (signing, *asked)]
    assert [(waited, status) for waited, status, _ in answers] == [
        (True, 200), (True, 200), (True, 200), (True, 404)]
    assert answers[1][2] == {"signed": True}


def test_a_stopped_house_says_so(own_house):
    house = own_house()
    user = WalletUser(house, "late")
    user.done("GET", "/sign/")

    async def stop():
        house.house._sequencer._stop("the disk is gone", [])

    house.run(stop())
    for method, fields in (("GET", None), ("PATCH", None), ("PATCH", {"no": "field"})):
        answer = send(house, method, "/sign/", fields, user.token)
        assert answer.status == 503 and "stopped" in answer.envelope["message"]


def test_pages_of_other_origins_may_call_where_it_is_configured(own_house):
    origin = "https://page.example"
    house = own_house(server=Server(port=0, cors_origins=(origin,)))
    user = WalletUser(house, "elsewhere")
    for path, status in (("/sign/", 200), ("/sign/none", 404), ("/wallet/transfer/", 405)):
        answer = send(house, "GET", path, token=user.token, headers={"Origin": origin})
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    asked = house.request("OPTIONS", "/sign/", None, {
        "Origin": origin, "Access-Control-Request-Method": "PATCH"})
    assert asked.status == 204 and "PATCH" in asked.headers["Access-Control-Allow-Methods"]


def test_answers_are_counted(own_house):
    house = own_house()
    user = WalletUser(house, "counted")
    user.done("GET", "/sign/")
    user.refused("PATCH", "/wallet/extract/", {"num": 1})
    user.refused("PATCH", "/wallet/none/")
    page = house.request("GET", "/metrics").body.decode().splitlines()
    counted = [line for line in page if 'dialect="mining_wallet"' in line]
    assert sorted(counted) == [
        f'orebook_answers_total{{call="{call}",dialect="mining_wallet",outcome="{outcome}"}} 1.0'
        for call, outcome in (("", "refused"), ("extract", "refused"), ("show_sign_in", "ok"))]


# -- the table of statuses -------------------------------------------------------------------------

REFUSALS = [Refusal(fault, reason, "") for reason, fault in REASONS.items()]
REFUSALS += [Refusal(meaning.fault, result.name.lower(), "")
             for result, meaning in MEANINGS.items() if result != Result.OK]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.reason)
def test_every_refusal_has_a_status_of_its_kind(refusal):
    kinds = {Fault.INPUT: {400, 404, 413}, Fault.AUTHENTICATION: {401}, Fault.RIGHT: {403},
             Fault.OPERATION: {400, 404, 409, 429}, Fault.SYSTEM: {500, 503}}
    assert status_of(refusal) in kinds[refusal.fault]


def test_every_status_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "mining-wallet.md").read_text()
    documented = {int(status) for status in re.findall(r"^\| ([0-9]{3}) \|", page, re.MULTILINE)}
    assert documented == {status_of(refusal) for refusal in REFUSALS} | {405}


def test_every_call_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "mining-wallet.md").read_text()
    assert sorted(re.findall(r"^### (.+)$", page, re.MULTILINE)) == sorted(
        f"{operation.method} {operation.path[1:]}" for operation in OPERATIONS)


def test_all_reasons_are_looked_at():
    reasons = {refusal.reason for refusal in REFUSALS}
    assert reasons == set(REASONS) | {result.name.lower() for result in set(Result) - {Result.OK}}
    assert set(STATUS_BY_REASON) | set(OWN_WORDS) <= reasons
