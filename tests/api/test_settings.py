"""Every key of the configuration has its effect on a real `orebook serve`.

Those of tables and of the operator are in test_cli_serve, SMTP is in test_mail; `[pool]
running_minutes`, `stopped_hours` and `[ore]` wait for the mining pool.
"""

import datetime
import http.client
import ipaddress
import json
import re
import socket
import sqlite3
import ssl
from email import message_from_bytes

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.api.serving import USER_PASSWORD, ServedHouse, orebook
from tests.support.processes import until

USAGE = 2
LOGIN = {"Content-Type": "application/x-www-form-urlencoded"}

# Each test starts processes.
pytestmark = pytest.mark.slow


@pytest.fixture
def serve(tmp_path):
    """Starts houses with a configuration file: `serve('[server]\\n…')`."""
    houses = []

    def start(written, **changes):
        path = tmp_path / "house.toml"
        path.write_text(written)
        houses.append(ServedHouse(tmp_path / "house", "--config", str(path), **changes))
        return houses[-1]

    yield start
    for house in houses:
        house.kill_all()


def set_cookie(house, connection=None):
    """The Set-Cookie header of a login."""
    connection = connection or http.client.HTTPConnection(house.host, house.port, timeout=60)
    connection.request("POST", "/router?router=login", f"user=alice&pass={USER_PASSWORD}", LOGIN)
    answer = connection.getresponse()
    assert json.loads(answer.read())["status"]
    connection.close()
    return answer.headers["Set-Cookie"]


# -- [server] --------------------------------------------------------------------------------------

def self_signed(directory):
    """Paths of a certificate for 127.0.0.1 and of its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "house")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256()))
    paths = directory / "cert.pem", directory / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    return paths


def test_tls(serve, tmp_path):
    certificate, key = self_signed(tmp_path)
    house = serve(f'[server]\ntls_cert = "{certificate}"\ntls_key = "{key}"\n')
    assert house.url.startswith("https://")
    context = ssl.create_default_context(cafile=certificate)

    def connect():
        return http.client.HTTPSConnection(house.host, house.port, timeout=60, context=context)

    def call(router, body):
        connection = connect()
        connection.request("POST", f"/router?router={router}", body, LOGIN)
        envelope = json.loads(connection.getresponse().read())
        connection.close()
        assert envelope["status"], envelope
        return envelope["data"]

    code = call("make_valid_code", "user=alice")
    call("regeist_user", f"user=alice&pass={USER_PASSWORD}&valid_code={code}")
    assert "Secure" in set_cookie(house, connect())
    # The command line and its operator speak TLS too, to whom they can verify.
    arguments = ("operator", "--url", house.url, "state")
    password = {"OREBOOK_OPERATOR_PASSWORD": "operator-password"}
    assert orebook(*arguments, SSL_CERT_FILE=str(certificate), **password).returncode == 0
    refused = orebook(*arguments, SSL_CERT_FILE="", **password)
    assert refused.returncode == 1 and "certificate" in refused.stderr.lower()
    assert house.end() == 0


def test_tls_files_that_cannot_be_used(tmp_path):
    certificate, key = self_signed(tmp_path)
    for files in ({"CERT": certificate, "KEY": tmp_path / "none"}, {"CERT": key, "KEY": key},
                  {"CERT": certificate}):
        changes = {f"OREBOOK_SERVER_TLS_{name}": str(path) for name, path in files.items()}
        refused = orebook("serve", "--port", "0", "--data", str(tmp_path / "house"), **changes)
        assert refused.returncode == USAGE
        assert "tls_" in refused.stderr and "Traceback" not in refused.stderr


@pytest.mark.parametrize("url, secure", [
    ("https://house.example", True), ("http://house.example", False)])
def test_public_url(serve, url, secure):
    house = serve(f'[server]\npublic_url = "{url}"\n')
    house.new_user("alice")
    assert ("Secure" in set_cookie(house)) is secure


def test_host_body_size_origins_and_access_log(serve):
    house = serve('[server]\nhost = "127.0.0.2"\nmax_body_bytes = 2048\naccess_log = true\n'
                  'cors_origins = ["https://page.example"]\n')
    assert house.host == "127.0.0.2"
    status, _, body = house.request("POST", "/router?router=login", b"user=" + b"x" * 2048)
    assert status == 413 and json.loads(body)["description"] == "body: is too large"
    connection = http.client.HTTPConnection(house.host, house.port, timeout=60)
    connection.request("GET", "/router?router=get_rank", headers={"Origin": "https://page.example"})
    headers = connection.getresponse().headers
    connection.close()
    assert headers["Access-Control-Allow-Origin"] == "https://page.example"
    house.router("make_valid_code", user="alice")
    session = house.new_user("bob")
    house.request("POST", f"/router?router=get_user_coin&session={session}")
    assert house.end() == 0
    log = house.errors.read_text()
    assert "orebook.access: 127.0.0.1 POST /router?router=make_valid_code 200 " in log
    assert "POST /router?router=get_user_coin 200 " in log
    assert session not in log and USER_PASSWORD not in log


# -- [data] ----------------------------------------------------------------------------------------

def test_segments_and_snapshots(serve):
    house = serve("[data]\nsnapshot_every_mb = 1\nkeep_snapshots = 2\n",
                  OREBOOK_DATA_SEGMENT_MB="2")
    headers = LOGIN | {"session": house.new_user("alice")}
    connection = http.client.HTTPConnection(house.host, house.port, timeout=60)
    # A command that is refused is in the journal like any other: some 4 MB.
    body = "coin=BTC&address=" + "%F0%9F%AA%99" * 1000      # a character of four bytes
    for _ in range(975):
        connection.request("POST", "/router?router=set_withdraw_address", body, headers)
        connection.getresponse().read()
    connection.close()
    assert house.end() == 0
    segments = list((house.directory / "journal").glob("*.seg"))
    assert len(segments) >= 2
    assert {path.stat().st_size for path in segments} == {2 << 20}
    assert len(list((house.directory / "snapshots").glob("*.snap"))) == 2
    report = json.loads(orebook("verify", str(house.directory), "--json").stdout)
    assert report["faults"] == [] and len(report["snapshots"]) == 2


def test_the_history_is_complete_after_a_clean_end(serve):
    house = serve("")
    token = house.login_operator()
    house.new_user("alice")
    house.done("POST", "deposits",
               {"user": "alice", "coin": "BTC", "amount": "1", "txid": "t"}, token)
    last_seq = house.done("GET", "state", token=token)["seq"]
    assert house.end() == 0
    history = house.directory / "history.sqlite"
    assert not history.with_name("history.sqlite-wal").exists()
    with sqlite3.connect(f"file:{history}?mode=ro", uri=True) as connection:
        assert connection.execute("SELECT seq FROM reached").fetchone() == (last_seq,)
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (1,)
    connection.close()


# -- [mail] ----------------------------------------------------------------------------------------

def test_codes_go_to_the_outbox_and_nowhere_else(serve):
    house = serve('[mail]\nsender = "desk@house.example"\n', OREBOOK_MAIL_RETURN_CODES="false")
    assert house.router("make_valid_code", user="alice") == ""
    mail, = (house.directory / "outbox").glob("*.eml")
    message = message_from_bytes(mail.read_bytes())
    assert message["From"] == "desk@house.example"
    code = re.search(r"code is ([0-9]{6})\b", message.get_payload())[1]
    house.router("regeist_user", user="alice", valid_code=code, **{"pass": USER_PASSWORD})
    assert house.end() == 0
    assert code not in house.errors.read_text() + house.printed


# -- [limits] --------------------------------------------------------------------------------------

def test_limits(serve):
    house = serve("[limits]\nlogins_per_minute = 2\norders_per_second = 1\n"
                  "open_orders_per_user = 1\nconnections = 3\n")
    token = house.login_operator()
    alice = house.new_user("alice")
    house.done("POST", "deposits",
               {"user": "alice", "coin": "USDT", "amount": "100", "txid": "t"}, token)

    def refusals(router, count, **parameters):
        for _ in range(count):
            try:
                house.router(router, alice, **parameters)
            except RuntimeError as refused:
                yield str(refused)

    order = {"pair": "BTC/USDT", "amount": "1", "price": "1"}
    # However slowly they are sent, the second one is refused.
    refused, = refusals("buy", 2, **order)
    assert refused in (
        "too many orders: at most 1 a second", "too many open orders")
    assert len(house.router("get_open_orders", alice)) == 1
    wrong = list(refusals("login", 4, user="alice", **{"pass": "wrong-password"}))
    assert wrong[:2] == ["user or pass: wrong"] * 2 and "too many attempts" in wrong[2]
    # One code was sent above; ten are free for an address, whatever the names.
    codes = [list(refusals("make_valid_code", 1, user=f"user-{number}")) for number in range(12)]
    assert codes[:9] == [[]] * 9 and "too many codes" in codes[11][0]

    def answered():
        connection = socket.create_connection((house.host, house.port))
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        if connection.recv(65536).startswith(b"HTTP/1.1 200 "):
            return connection
        connection.close()

    # The house may not have seen yet that the connections above are closed.
    held = [until(answered) for _ in range(3)]
    assert house.request("GET", "/healthz")[0] == 503
    for connection in held:
        connection.close()


# -- [pool] ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("zone, hours", [("Asia/Shanghai", 8), ("UTC", 0)])
def test_timezone(serve, zone, hours):
    house = serve(f'[pool]\ntimezone = "{zone}"\n')
    token, alice = house.login_operator(), house.new_user("alice")
    house.done("POST", "deposits",
               {"user": "alice", "coin": "BTC", "amount": "2", "txid": "t"}, token)
    house.router("sell", alice, pair="BTC/USDT", amount="1", price="1")
    order, = house.router("get_open_orders", alice)
    at = datetime.datetime.strptime(order["placed"], "%Y-%m-%d %H:%M:%S")
    passed = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - at
    assert abs(passed + datetime.timedelta(hours=hours)) < datetime.timedelta(minutes=10)
