"""The benchmark of many users: its house is what it says, and a wrong one is noticed."""

import json

import pytest
from click.testing import CliRunner

from bench import users, venue
from bench.__main__ import main
from bench.venue import WrongAnswer
from engine.core import Core

COUNT = 300


@pytest.fixture
def core():
    core = Core()
    venue.apply(core, users.opening())
    return core


def test_each_user_has_all_that_is_said(core):
    elapsed_ns, applied = users.fill(core, COUNT)
    assert elapsed_ns > 0 and applied == core.seq - 3 == 8 * COUNT
    core.check()
    last = core.users.get(COUNT)
    assert last.email == last.username and last.password_hash == last.pay_password_hash
    assert len(last.devices) == 1 and len(last.profile) == 2 and len(last.withdraw_addresses) == 1
    assert [core.balance(COUNT, coin) for coin in (users.COIN, users.ORE)] == [(users.FUNDS, 0)] * 2
    assert core.miners.of_user(COUNT).force == 100


def test_money_that_nobody_was_to_get_is_noticed(core):
    users.fill(core, 1)
    with pytest.raises(WrongAnswer, match="1 of 16 commands refused"):
        users.fill(core, 2)     # the first is there
    with pytest.raises(WrongAnswer, match="the house owes"):
        users.fill(core, 0)     # and has been given something


def test_questions_are_answered_rightly_or_not_at_all(core, monkeypatch):
    users.fill(core, COUNT)
    assert all(figure > 0 for figure in users.ask(core, 20).values())
    monkeypatch.setattr(users, "RANK", 5)
    with pytest.raises(WrongAnswer, match="refused"):
        users.ask(core, 10)         # they have signed in


def test_the_command_line_shows_and_writes_the_figures(tmp_path):
    path = tmp_path / "out.json"
    result = CliRunner().invoke(main, ["users", "--users", str(COUNT), "--json", str(path)],
                                catch_exceptions=False)
    assert result.exit_code == 0 and "bytes per user" in result.output
    figures = json.loads(path.read_text())["results"]["users"]
    assert (figures["users"], figures["commands"]) == (COUNT, 8 * COUNT)
    assert min(figures.values()) > 0
