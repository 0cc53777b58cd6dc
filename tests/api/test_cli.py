"""The command line: offline commands on a folder that a house has left, operator sub-commands."""

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.api.serving import PASSWORD, ServedHouse, environment, orebook

FAULT, USAGE, DAMAGED = 1, 2, 4
LOBSTER = Path(__file__).parents[3] / "shared" / "data" / "lobster"

# Each test starts processes.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """A folder after some trading, and what its house said about it last."""
    house = ServedHouse(tmp_path_factory.mktemp("cli") / "house")
    try:
        token = house.login_operator()
        maker, taker = house.new_user("maker"), house.new_user("taker")
        for user, coin, amount in (("maker", "BTC", "2"), ("taker", "USDT", "1000")):
            house.done("POST", "deposits",
                       {"user": user, "coin": coin, "amount": amount, "txid": "t"}, token)
        middle = house.done("GET", "state", token=token)
        house.router("sell", maker, pair="BTC/USDT", amount="1", price="100")
        house.router("buy", taker, pair="BTC/USDT", amount="0.25", price="100.5")
        end = house.done("GET", "state", token=token)
    finally:
        assert house.end() == 0
    return house.directory, middle, end


def shown(*arguments):
    ended = orebook(*arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_replay_gives_the_state_that_the_house_had(left):
    directory, middle, end = left
    state = shown("replay", str(directory))
    assert (state["seq"], state["state_hash"]) == (end["seq"], end["state_hash"])
    state = shown("replay", str(directory), "--until-seq", str(middle["seq"]))
    assert (state["seq"], state["state_hash"]) == (middle["seq"], middle["state_hash"])
    at = shown("replay", str(directory), "--until-time", state["time"])
    assert at["seq"] == middle["seq"]


def test_reports(left):
    directory, middle, _ = left
    balances = {(row["user"], row["coin"]): (row["available"], row["frozen"])
                for row in shown("replay", str(directory), "--report", "balances")}
    assert balances["maker", "BTC"] == ("1", "0.75")
    assert balances["taker", "BTC"] == ("0.2495", "0")
    assert balances["taker", "USDT"] == ("975", "0")
    assert balances["house FEES", "BTC"] == ("0.0005", "0")
    for coin in ("BTC", "USDT"):
        rows = [row for (_, name), row in balances.items() if name == coin]
        assert sum(Decimal(part) for row in rows for part in row) == 0
    orders = shown("replay", str(directory), "--report", "orders")
    assert [(row["pair"], row["side"], row["price"], row["remaining"]) for row in orders] == [
        ("BTC/USDT", "sell", "100", "0.75")]
    trades = shown("replay", str(directory), "--report", "trades")
    assert [(row["trade_id"], row["price"], row["amount"], row["taker_side"], row["taker_uid"],
             row["taker_fee"], row["maker_uid"], row["maker_fee"])
            for row in trades] == [(1, "100", "0.25", "buy", 3, "0.0005", 2, "0.05")]
    until = ("--until-seq", str(middle["seq"]))
    assert shown("replay", str(directory), "--report", "trades", *until) == []
    table = orebook("replay", str(directory), "--report", "balances")
    assert "maker" in table.stdout and table.returncode == 0
    assert orebook("replay", str(directory), "--report", "orders", *until).stdout == "none\n"


@pytest.mark.parametrize("arguments, naming", [
    (("--until-seq", "999999999"), "999999999"), (("--until-seq", "-1"), "until-seq"),
    (("--until-time", "yesterday"), "yesterday"), (("--report", "weather"), "weather"),
])
def test_replay_to_where_there_is_nothing(left, arguments, naming):
    ended = orebook("replay", str(left[0]), *arguments)
    assert ended.returncode in (FAULT, USAGE)
    assert naming in ended.stderr and "Traceback" not in ended.stderr


def test_verify_snapshot_and_history(left):
    directory, _, end = left
    report = shown("verify", str(directory))
    assert (report["last_seq"], report["state_hash"], report["faults"]) == (
        end["seq"], end["state_hash"], [])
    written = orebook("snapshot", str(directory))
    assert written.returncode == 0, written.stderr
    assert Path(written.stdout.strip()).is_file()
    assert shown("verify", str(directory))["snapshots"] == [end["seq"]]
    rebuilt = orebook("rebuild-history", str(directory))
    assert rebuilt.stdout == f"the history is at command {end['seq']}\n"
    text = orebook("verify", str(directory))
    assert (text.returncode, "all is as it must be" in text.stdout) == (0, True)


def test_verify_names_the_fault(tmp_path):
    house = ServedHouse(tmp_path / "house")
    house.new_user("alice")
    assert house.end() == 0
    segment = min((house.directory / "journal").glob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[content.index(b"Bitcoin")] ^= 1
    segment.write_bytes(content)
    ended = orebook("verify", str(house.directory))
    assert ended.returncode == FAULT
    assert "FAULT" in ended.stdout and segment.name in ended.stdout
    replayed = orebook("replay", str(house.directory))
    assert replayed.returncode == DAMAGED
    assert segment.name in replayed.stderr and "Traceback" not in replayed.stderr


def test_operator_sub_commands(tmp_path):
    house = ServedHouse(tmp_path / "house")

    def run(*arguments, **changes):
        return orebook("operator", "--url", house.url, "--json", *arguments,
                       **({"OREBOOK_OPERATOR_PASSWORD": PASSWORD} | changes))

    def answer(*arguments, **changes):
        ended = run(*arguments, **changes)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    try:
        session = house.new_user("alice")
        assert answer("add-coin", "LTC", "--scale", "8")["coin"] == "LTC"
        assert answer("add-pair", "LTC/USDT", "--price-scale", "2", "--amount-scale", "4",
                      "--min-amount", "0.01")["pair"] == "LTC/USDT"
        assert answer("pair-status", "LTC/USDT", "halted") is None
        assert answer("deposit", "alice", "BTC", "0.5", "t") == {"duplicate": False}
        assert answer("deposit", "2", "BTC", "0.5", "t", "--by-uid") == {"duplicate": True}
        house.router("set_withdraw_address", session, coin="BTC",
                     address="1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")
        number = house.router("withdraw", session, coin="BTC")["withdraw_id"]
        assert [row["amount"] for row in answer("withdrawals", "--status", "requested")] == ["0.5"]
        assert answer("withdrawal", str(number), "approve")["status"] == "approved"
        assert answer("withdrawal", str(number), "finish", "--txid", "p")["status"] == "finished"
        made = answer("add-credential", "operator", "--scope", "operator")
        by_credential = ("--client-id", made["clientId"])
        secret = {"OREBOOK_OPERATOR_SECRET_KEY": made["secretKey"]}
        assert answer(*by_credential, "state", **secret)["counts"]["credentials"] == 1
        assert answer("remove-credential", made["clientId"]) is None
        refused = run(*by_credential, "state", **secret)
        assert (refused.returncode, refused.stdout) == (FAULT, "")
        assert "5020" in refused.stderr
        wrong = run("state", OREBOOK_OPERATOR_PASSWORD="wrong-password")
        assert (wrong.returncode, wrong.stdout) == (FAULT, "") and "5020" in wrong.stderr
        assert run("withdrawal", "1", "finish").returncode == USAGE
    finally:
        assert house.end() == 0
    gone = run("state")
    assert gone.returncode == FAULT and house.url in gone.stderr and "Traceback" not in gone.stderr


def test_demo_trades_and_ends_by_itself(tmp_path):
    # A machine with other things to do may not come to a trade in three seconds.
    for seconds in ("3", "10", "30"):
        home = tmp_path / seconds
        home.mkdir()
        ended = orebook("demo", "--port", "0", "--seconds", seconds, "--keep", TMPDIR=str(home))
        assert ended.returncode == 0, ended.stderr
        assert "Traceback" not in ended.stderr
        assert "Ended after" in ended.stdout
        directory, = home.iterdir()
        if trades := shown("replay", str(directory), "--report", "trades"):
            break
    assert {row["pair"] for row in trades} == {
        "BTC/USDT", "BCH/USDT", "BTC/CNY", "BCH/CNY", "ORE/USDT"}


def test_demo_ends_by_control_c(tmp_path):
    """As a terminal sends it: to all processes of the demo, its scribe too."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "demo", "--port", "0"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=environment(TMPDIR=str(tmp_path)))
    while "orders sent" not in demo.stdout.readline():
        pass
    os.killpg(demo.pid, signal.SIGINT)
    printed, errors = demo.communicate(timeout=60)
    assert (demo.returncode, errors) == (0, "")
    assert printed.splitlines()[-1].startswith("Ended after ")
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_command():
    ended = orebook("--help")
    for name in ("serve", "demo", "replay", "verify", "snapshot", "rebuild-history", "bench",
                 "operator", "import"):
        assert f"\n  {name} " in ended.stdout
    assert "--repeat" in orebook("bench", "--help").stdout


@pytest.mark.skipif(not LOBSTER.is_dir(), reason="../shared is not beside the checkout")
def test_import_lobster(tmp_path):
    source, = LOBSTER.glob("*_message_*.csv")
    rows = source.read_text().splitlines(keepends=True)[:2000]
    short = tmp_path / source.name
    short.write_text("".join(rows))
    summary = shown("import", "lobster", str(short))
    assert summary["rows"] == 2000
    assert summary["submissions"] == sum(row.split(",")[1] == "1" for row in rows)
