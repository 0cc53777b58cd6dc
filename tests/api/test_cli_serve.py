"""`orebook serve` as a process: how it starts, how it ends, what survives both."""

import http.client
import json
import re
import signal
import subprocess
import sys
import threading

import pytest

from tests.api.serving import (
    PASSWORD, USER_PASSWORD, ServedHouse, claims, environment, orebook, signed)

USAGE, FOLDER_IN_USE, DAMAGED, NO_ADDRESS = 2, 3, 4, 6

# Each test starts processes.
pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path):
    served = ServedHouse(tmp_path / "house")
    yield served
    served.kill_all()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path, number):
    house = ServedHouse(tmp_path / "house")
    assert house.end(number) == 0
    assert "ended cleanly" in house.errors.read_text()
    assert "Traceback" not in house.errors.read_text()


def test_it_says_where_it_answers_and_where_the_files_are(house):
    assert str(house.directory) in house.printed
    assert PASSWORD not in house.printed
    assert json.loads(house.request("GET", "/healthz")[2]) == {"status": "up"}


def test_what_was_answered_is_there_again(tmp_path):
    house = ServedHouse(tmp_path / "house")
    token = house.login_operator()
    session = house.new_user("alice")
    body = {"user": "alice", "coin": "USDT", "amount": "5", "txid": "t"}
    house.done("POST", "deposits", body, token)
    order = house.router("buy", session, pair="BTC/USDT", amount="0.5", price="10")
    state = house.done("GET", "state", token=token)
    assert house.end() == 0
    house = ServedHouse(tmp_path / "house")
    try:
        again = house.done("GET", "state", token=token)
        assert again["state_hash"] == state["state_hash"]
        orders = house.router("get_open_orders", session)
        assert [row["order_id"] for row in orders] == [order["order_id"]]
        assert house.router("login", user="alice", **{"pass": USER_PASSWORD})
    finally:
        house.kill_all()


def test_requests_in_flight_are_answered_at_the_end(house):
    """Orders go in from many connections while the end comes; each yes is in the journal."""
    token = house.login_operator()
    session = house.new_user("alice")
    body = {"user": "alice", "coin": "USDT", "amount": "99", "txid": "t"}
    house.done("POST", "deposits", body, token)
    answered, half, cut = [], threading.Semaphore(0), []

    def trade():
        connection = http.client.HTTPConnection(house.host, house.port, timeout=60)
        body = "pair=BTC/USDT&amount=0.000001&price=0.01"
        headers = {"session": session, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            while True:
                connection.request("POST", "/router?router=buy", body, headers)
                envelope = json.loads(connection.getresponse().read())
                if not envelope["status"]:
                    return
                answered.append(envelope["data"]["order_id"])
                half.release()
        except (http.client.HTTPException, OSError) as error:
            cut.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=trade) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        assert half.acquire(timeout=60)
    assert house.end() == 0
    for thread in threads:
        thread.join(60)
    assert len(cut) == 8 and len(answered) >= 50
    # A connection that was cut in the middle of an answer would be something else than these.
    assert {type(error) for error in cut} <= {
        http.client.RemoteDisconnected, ConnectionRefusedError, ConnectionResetError,
        BrokenPipeError}
    replayed = orebook("replay", str(house.directory), "--report", "orders", "--json")
    shown = json.loads(replayed.stdout)
    assert {int(number) for number in answered} <= {row["order_id"] for row in shown}


def test_a_second_house_on_the_folder_is_refused(house):
    second = orebook("serve", "--port", "0", "--data", str(house.directory))
    assert second.returncode == FOLDER_IN_USE
    assert str(house.process.pid) in second.stderr and "in use" in second.stderr
    assert "Traceback" not in second.stderr
    assert house.login_operator()
    for name in ("snapshot", "rebuild-history"):
        offline = orebook(name, str(house.directory))
        assert (offline.returncode, offline.stdout) == (FOLDER_IN_USE, "")
        assert "in use" in offline.stderr


def test_an_address_that_is_taken(tmp_path, house):
    second = orebook("serve", "--port", str(house.port), "--data", str(tmp_path / "other"))
    assert second.returncode == NO_ADDRESS
    assert f":{house.port}" in second.stderr and "Traceback" not in second.stderr


def test_a_key_file_that_others_may_read(tmp_path):
    house = ServedHouse(tmp_path / "house")
    assert house.end() == 0
    (house.directory / "seal.key").chmod(0o644)
    again = orebook("serve", "--port", "0", "--data", str(house.directory))
    assert again.returncode == DAMAGED
    assert "chmod 600" in again.stderr and "Traceback" not in again.stderr


def test_a_damaged_journal_is_refused(tmp_path):
    house = ServedHouse(tmp_path / "house")
    house.new_user("alice")
    assert house.end() == 0
    segment = min((house.directory / "journal").glob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[content.index(b"Bitcoin")] ^= 1
    segment.write_bytes(content)
    again = orebook("serve", "--port", "0", "--data", str(house.directory))
    assert again.returncode == DAMAGED
    assert segment.name in again.stderr and "Traceback" not in again.stderr


def test_refuses_python_o(tmp_path):
    for flags, changes in ((["-O"], {}), ([], {"PYTHONOPTIMIZE": "1"})):
        ended = subprocess.run(
            [sys.executable, *flags, "-m", "api.cli", "serve", "--data", str(tmp_path / "x")],
            capture_output=True, text=True, timeout=60, env=environment(**changes))
        assert ended.returncode == USAGE
        assert "-O" in ended.stderr
    assert not (tmp_path / "x").exists()


def test_fail_stop_ends_the_process_with_the_reason(tmp_path):
    """The disk is full for the journal: a limit on file sizes below a segment's."""
    script = ("import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
              "resource.setrlimit(resource.RLIMIT_FSIZE, (%d, %d)); "
              "sys.argv = ['orebook', 'serve', '--port', '0', '--data', %r]; "
              "runpy.run_module('api.cli', run_name='__main__')")
    house = ServedHouse(tmp_path / "house")
    assert house.end() == 0
    segment = min((house.directory / "journal").glob("*.seg"))
    # A little behind the last byte that was written.
    limit = len(segment.read_bytes().rstrip(b"\0")) + 20_000
    child = subprocess.Popen(
        [sys.executable, "-c", script % (limit, limit, str(house.directory))], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(OREBOOK_DATA_SEGMENT_MB="1", OREBOOK_MAIL_RETURN_CODES="true",
                        OREBOOK_LIMITS_LOGINS_PER_MINUTE="0"))
    try:
        line = child.stdout.readline()
        assert "answers at" in line, child.communicate()
        house.host, house.port = re.search(r"http://([0-9.]+):([0-9]+)", line).groups()
        answers = 0
        try:
            while child.poll() is None and answers < 1000:
                house.router("make_valid_code", user=f"user-{answers}" + "x" * 40)
                answers += 1
        except (RuntimeError, OSError, http.client.HTTPException, ValueError):
            pass
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 5, errors
    assert "has stopped" in errors


# -- the first start ------------------------------------------------------------------------------

def test_the_first_password_is_made_up_and_printed_once(tmp_path):
    house = ServedHouse(tmp_path / "house", OREBOOK_OPERATOR_PASSWORD="")
    password = re.search(r"has the password (\S+)", house.printed)[1]
    login = {"user": "operator", "password": password}
    assert house.done("POST", "login", login)["token"]
    assert house.end() == 0
    again = ServedHouse(tmp_path / "house", OREBOOK_OPERATOR_PASSWORD="another-password")
    try:
        assert "has the password" not in again.printed
        assert again.done("POST", "login", login)["token"]
    finally:
        again.kill_all()
    files = [path for path in house.directory.rglob("*") if path.is_file()]
    assert not any(password.encode() in path.read_bytes() for path in (*files, house.errors))


CONFIG = """
[[coins]]
name = "GOLD"
scale = 3
withdraw_fee = "0.5"
[[coins]]
name = "EUR"
scale = 6
title = "Euro"
[[pairs]]
pair = "GOLD/EUR"
price_scale = 2
amount_scale = 3
min_amount = "0.01"
maker_fee = "0"
[[credentials]]
client_id = "robot"
secret_key = "a secret of some length"
secret_salt = "the salt of that secret"
scope = "operator"
[[credentials]]
client_id = "miner"
secret_key = "a secret of some length"
secret_salt = "the salt of that secret"
scope = "account"
account = "Farm One"
[limits]
open_orders_per_user = 7
"""


def test_the_first_start_takes_the_configuration_and_later_ones_do_not(tmp_path):
    path = tmp_path / "orebook.toml"
    path.write_text(CONFIG)
    house = ServedHouse(tmp_path / "house", "--config", str(path))
    jwt = signed({"alg": "HS256"}, claims("robot"), b"a secret of some length")
    state = house.done("GET", "state", jwt=jwt)
    assert state["counts"] | {"sessions": 0} == {
        "users": 2, "sub_accounts": 0, "workers": 0, "coins": 2, "pairs": 1, "sessions": 0,
        "deposits": 0, "withdrawals": 0, "credentials": 2}
    body = {"user": "farm one", "coin": "GOLD", "amount": "1.001", "txid": "t"}
    token = house.login_operator()
    assert house.done("POST", "deposits", body, token) == {"duplicate": False}
    state = house.done("GET", "state", token=token)
    assert house.end() == 0
    path.write_text(CONFIG.replace("scale = 3", "scale = 2").replace("robot", "other"))
    house = ServedHouse(tmp_path / "house", "--config", str(path))
    try:
        assert house.done("GET", "state", token=token)["state_hash"] == state["state_hash"]
    finally:
        assert house.end() == 0
    path.write_text(CONFIG.replace("open_orders_per_user = 7", "open_orders_per_user = 8"))
    house = ServedHouse(tmp_path / "house", "--config", str(path))
    try:
        changed = house.done("GET", "state", token=token)
        assert changed["seq"] == state["seq"] + 1
        assert changed["state_hash"] != state["state_hash"]
    finally:
        house.kill_all()


def test_a_first_start_that_was_refused_goes_on_when_mended(tmp_path):
    path = tmp_path / "orebook.toml"
    arguments = ("serve", "--port", "0", "--data", str(tmp_path / "house"), "--config", str(path))
    for written, naming in (('[operator]\npassword = "short"\n', "password"),
                            ("[sever]\nport = 1\n", "sever")):
        path.write_text(written)
        refused = orebook(*arguments)
        assert refused.returncode == USAGE
        assert naming in refused.stderr and "Traceback" not in refused.stderr
    house = ServedHouse(tmp_path / "house")
    try:
        state = house.done("GET", "state", token=house.login_operator())
        assert (state["counts"]["coins"], state["counts"]["pairs"]) == (5, 5)
    finally:
        assert house.end() == 0
