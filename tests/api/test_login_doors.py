"""One lock on all doors: what is guessed in vain at one dialect counts at every other."""

import asyncio
import json
import logging
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from api.auth.login import Attempt
from api.auth.passwords import Passwords
from api.auth.throttle import Throttle, address_key
from api.config import Limits, Server
from engine import Kind, cold
from tests.api.conftest import NO_PASSWORD
from tests.api.user_centers import Hashing

# Each test starts a house of its own.
pytestmark = pytest.mark.slow

RIGHT = "operator-password"
# The path of each door's login, and what it calls name and password.
DOORS = {
    "router": ("/router?router=login", "user", "pass"),
    "user center": ("/api/UserCenter/Login", "usercount", "password"),
    "mining wallet": ("/user/login/", "username", "password"),
    "operator": ("/operator/login", "user", "password"),
}


def log_in(house, door, name, password):
    """(let in, HTTP status, the words of a refusal)"""
    path, name_field, password_field = DOORS[door]
    answer = house.request("POST", path, json.dumps({name_field: name, password_field: password}),
                           {"Content-Type": "application/json"})
    envelope = json.loads(answer.body)
    let_in = envelope.get("status") in (True, 1, "success") or envelope.get("code") == 0
    return let_in, answer.status, envelope.get("message") or envelope.get("description") or ""


def test_every_door_lets_in_who_knows_the_password(own_house):
    house = own_house()
    for door in DOORS:
        assert log_in(house, door, "OPERATOR", RIGHT)[0]
        assert not log_in(house, door, "operator", "guess-1")[0]


@pytest.mark.parametrize("tried", DOORS)
def test_guesses_at_one_door_close_all(own_house, tried):
    house = own_house(limits=Limits(logins_per_minute=2))
    for _ in range(2):
        assert "wrong" in log_in(house, tried, "operator", "guess-1")[2]
    for door in DOORS:
        let_in, _, words = log_in(house, door, "Operator", RIGHT)
        assert not let_in and "too many attempts" in words, door


def test_an_address_that_guesses_names_waits_at_all_doors(own_house):
    house = own_house(limits=Limits(logins_per_minute=1))
    for number in range(5):
        door = list(DOORS)[number % len(DOORS)]
        assert "wrong" in log_in(house, door, f"somebody {number}", "guess-1")[2]
    for door in DOORS:
        let_in, _, words = log_in(house, door, "operator", RIGHT)
        assert not let_in and "too many attempts" in words, door


def test_a_wrong_password_and_an_unknown_name_are_one_answer(own_house):
    house = own_house()
    for door in DOORS:
        assert (log_in(house, door, "operator", "guess-1")
                == log_in(house, door, "nobody here", "guess-1"))


def test_who_knows_a_password_does_not_lengthen_the_wait_of_his_address():
    """Users of one front end share it."""
    by_address = Throttle(2)
    doors = SimpleNamespace(user_throttle=Throttle(2), address_throttle=by_address)
    key = address_key("192.0.2.1")

    async def log_in(name, is_right):
        with Attempt(doors, f"login of {name}", "192.0.2.1") as attempt:
            (attempt.succeed if is_right else attempt.fail)()

    async def in_turn():
        await log_in("alice", False)
        failed = by_address._failures[key]
        for name in ("bob", "carol", "dave"):
            await log_in(name, True)
        return failed, by_address._failures[key]

    failed, left = asyncio.run(in_turn())
    assert (left.count, left.since_s, left.last_s) == (1, failed.since_s, failed.last_s)


@pytest.mark.parametrize("door", DOORS)
def test_a_new_password_that_is_on_its_way_lets_nobody_in_with_the_old_one(
        own_house, monkeypatch, door):
    """Commands wait while the disk is busy: the session would begin after all others had ended."""
    house = own_house()
    uid = house.house.core.users.by_name("operator").uid
    disk_is_done, sync = threading.Event(), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: disk_is_done.wait(60) and sync(fd))

    async def submit(kind, **fields):
        house.house.submit(cold(kind, fields))

    house.run(submit(Kind.SET_PROFILE, uid=uid, fields={"disk": "busy"}))
    while "disk" not in house.house.core.users.get(uid).profile:
        house.request("GET", "/healthz")
    house.run(submit(Kind.SET_PASSWORD, uid=uid, password_hash=NO_PASSWORD))
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(log_in, house, door, "operator", RIGHT)
        while house.house.pending < 2:
            house.request("GET", "/healthz")
        disk_is_done.set()
        let_in, _, words = answer.result()
    assert not let_in and "wrong" in words
    assert len(house.house.core.sessions) == 0


MULTIPART = "multipart/form-data; boundary=b"
DEEP = b'{"a":' * 800 + b"1" + b"}" * 800


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("body, headers", [
    (b'{"a": %b, "a": %b}' % (DEEP, DEEP), {}),
    (b"--b\r\nno header\r\n\r\nx\r\n--b--\r\n", {"Content-Type": MULTIPART}),
    (b"--b\r\nA: %b\r\n\r\nx\r\n--b--\r\n" % (b"b" * 9000), {"Content-Type": MULTIPART}),
    (b"not gzip", {"Content-Encoding": "gzip"})], ids=["deep", "header", "long header", "gzip"])
def test_a_body_that_cannot_be_read_is_no_fault_of_ours(house, caplog, door, body, headers):
    answer = house.request("POST", DOORS[door][0], body, headers)
    envelope = json.loads(answer.body)
    words = envelope.get("message") or envelope.get("description")
    assert answer.status in (200, 400) and words.startswith(("body: ", "a: ")), answer.body
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


def test_who_hangs_up_in_the_middle_of_a_request_is_no_fault_of_ours(own_house, caplog):
    """A log that strangers can fill is soon read by nobody."""
    caplog.set_level(logging.INFO, "orebook.access")
    house = own_house(server=Server(port=0, access_log=True))
    for path, *_ in DOORS.values():
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
        with socket.create_connection(("127.0.0.1", house.port)) as client:
            client.sendall(head.encode() + b"{")
        while f"POST {path}" not in caplog.text:
            house.request("GET", "/healthz")
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_more_passwords_than_can_be_hashed_soon_are_turned_away(own_house, monkeypatch):
    monkeypatch.setattr(Passwords.__init__, "__kwdefaults__", {"queue_max": 1})
    house = own_house()
    hashing = Hashing(monkeypatch)
    waiting = hashing.during(log_in, house, "router", "operator", RIGHT)
    with ThreadPoolExecutor(4) as clients:
        answers = dict(zip(DOORS, clients.map(
            lambda door: log_in(house, door, "operator", RIGHT), DOORS)))
    assert {door: (let_in, status) for door, (let_in, status, _) in answers.items()} == {
        "router": (False, 429), "user center": (False, 429), "mining wallet": (False, 429),
        "operator": (False, 200)}
    # The house goes on meanwhile, and who waits is let in at last.
    assert house.request("GET", "/healthz").status == 200
    assert hashing.ended(waiting)[0]
