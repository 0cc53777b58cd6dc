"""The operator's sub-commands for the pool, against a house that has mined yesterday."""

import csv
import json
import time
from datetime import datetime, timedelta, timezone

import pytest

from tests.api.mining_house import mined_yesterday
from tests.api.serving import PASSWORD, ServedHouse, orebook

FAULT, USAGE = 1, 2
DAY = (datetime.now(timezone.utc) - timedelta(1)).date().isoformat()

# Each test starts processes.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cli-pool") / "house"
    mined_yesterday(directory)
    served = ServedHouse(directory, OREBOOK_COINS="[]", OREBOOK_PAIRS="[]",
                         OREBOOK_POOL_SETTLE="false")
    yield served
    served.kill_all()


def run(house, *arguments):
    return orebook("operator", "--url", house.url, "--json", *arguments,
                   OREBOOK_OPERATOR_PASSWORD=PASSWORD)


def answer(house, *arguments):
    ended = run(house, *arguments)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_pools_day_from_the_command_line(house, tmp_path):
    set_to = answer(house, "network", "BTC", "--difficulty", "1.5e3", "--subsidy", "3.125",
                    "--fees", "0.1", "--blocks-today", "1")
    assert (set_to["difficulty"], set_to["blocks"], set_to["epoch"]) == ("1500", 1, 2)
    assert [one["coin"] for one in answer(house, "networks")] == ["BTC"]
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{
        "user": "farm", "worker": "rig", "coin": "BTC", "difficulty": 0.5, "accepted": 3,
        "rejected": 0, "at": time.time()}]))
    numbered = ("--source", "1", "--batch", "1")
    assert answer(house, "shares", str(rows), *numbered) == {"rows": 1, "duplicate": False}
    assert answer(house, "shares", str(rows), *numbered) == {"rows": 0, "duplicate": True}
    assert answer(house, "lock", "field") is None and answer(house, "unlock", "field") is None
    settled = answer(house, "settle", "BTC", DAY)
    assert (settled["day"], settled["accounts"], settled["duplicate"]) == (DAY, 2, False)
    assert answer(house, "settlements", DAY, DAY, "--coin", "BTC")[0]["net"] == settled["net"]
    paid = answer(house, "payments", "--day", DAY)
    file = tmp_path / "payments.csv"
    assert run(house, "payments", "--day", DAY, "--csv", str(file)).stdout == ""
    with open(file, encoding="utf-8", newline="") as read:
        assert [row["btcPaid"] for row in csv.DictReader(read)] == [row["btcPaid"] for row in paid]
    numbers = [str(row["payments"][0]) for row in paid]
    assert answer(house, "payment", numbers[0], "finish", "--txid", "t")["status"] == "finished"
    assert answer(house, "payment", numbers[1], "fail")["status"] == "rejected"
    assert [row["id"] for row in answer(house, "withdrawals", "--account", "farm")] == [
        int(numbers[0])]
    assert answer(house, "transactions") == []


@pytest.mark.parametrize("arguments, code, words", [
    (("settle", "BTC", "yesterday"), FAULT, "5010: day: must be a day"),
    (("payments", "--day", "x", "--csv", "-"), FAULT, "5010: day: must be a day"),
    (("payment", "1", "finish"), USAGE, "--txid"), (("payment", "999", "fail"), FAULT, "5030: id"),
    (("unsign", "tx"), FAULT, "5030: txid: no signed transaction"),
    (("lock", "nobody"), FAULT, "5010: user: is no sub-account"),
    (("shares", __file__), USAGE, "must be JSON"),
])
def test_what_is_refused_is_said(house, arguments, code, words):
    ended = run(house, *arguments)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert words in ended.stderr and "Traceback" not in ended.stderr
