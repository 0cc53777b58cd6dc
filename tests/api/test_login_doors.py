"""One lock on all doors: what is guessed in vain at one dialect counts at every other."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.auth.passwords import Passwords
from api.config import Limits
from tests.api.user_centers import Hashing

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
