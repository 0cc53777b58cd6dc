"""Configuration: files, environment over them, and every mistake named."""

import dataclasses
from pathlib import Path

import pytest

from api import config
from api.config import Coin, Config, ConfigError, Ore, load

WHOLE = """
[server]
host = "::1"
port = 443
cors_origins = ["https://a.example", "https://b.example"]
access_log = true
[mail]
mode = "smtp"
host = "mail.example"
[ore]
rate_per_force_second = 0.00050
force_price = 2
[[coins]]
name = "BTC"
scale = 8
withdraw_fee = 0.00010
[[pairs]]
pair = "BTC/USD"
price_scale = 2
amount_scale = 6
taker_fee = 0
[[credentials]]
client_id = "pool"
secret_key = "k"
secret_salt = "s"
scope = "operator"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "house.toml"
    path.write_text(text)
    return path


def test_without_a_file_all_is_default():
    assert load(None, {}) == Config()
    assert [coin.name for coin in Config().coins] == ["BTC", "BCH", "USDT", "CNY", "ORE"]


def test_a_file(tmp_path):
    loaded = load(written(tmp_path, WHOLE), {})
    assert loaded.server.host == "::1"
    assert loaded.server.port == 443
    assert loaded.server.cors_origins == ("https://a.example", "https://b.example")
    assert loaded.server.access_log is True
    assert loaded.mail.mode == "smtp"
    # The digits that were written, not a float's.
    assert loaded.coins == (Coin("BTC", 8, withdraw_fee="0.00010"),)
    assert loaded.pairs[0].taker_fee == "0"
    assert loaded.ore == Ore("ORE", "0.00050", "2")
    assert loaded.credentials[0].scope == "operator"
    assert loaded.limits == Config().limits


def test_every_key_is_an_environment_variable():
    values = {bool: ("true", True), int: ("25", 25), str: ("outbox", "outbox"),
              tuple[str, ...]: ("a, b", ("a", "b"))}
    special = {"timezone": ("UTC", "UTC"), "max_body_bytes": ("4096", 4096),
               "settle_at": ("03:30", "03:30")}
    for section, table in config.SECTIONS.items():
        for entry in dataclasses.fields(table):
            if entry.name in ("tls_cert", "tls_key"):
                continue
            text, value = special.get(entry.name, values[entry.type])
            loaded = load(None, {f"OREBOOK_{section}_{entry.name}".upper(): text})
            assert getattr(getattr(loaded, section), entry.name) == value
    both = load(None, {"OREBOOK_SERVER_TLS_CERT": "c", "OREBOOK_SERVER_TLS_KEY": "k"})
    assert (both.server.tls_cert, both.server.tls_key) == ("c", "k")


def test_the_environment_beats_the_file(tmp_path):
    loaded = load(written(tmp_path, WHOLE), {
        "OREBOOK_SERVER_PORT": "80", "OREBOOK_COINS": '[{name = "XYZ", scale = 2}]',
        "OREBOOK_SERVER_CORS_ORIGINS": '["*"]', "PATH": "/bin", "OREBOOKISH": "1"})
    assert loaded.server.port == 80
    assert loaded.server.host == "::1"
    assert loaded.server.cors_origins == ("*",)
    assert loaded.coins == (Coin("XYZ", 2),)


NETWORK = """
[[networks]]
coin = "BTC"
url = "http://127.0.0.1:8332"
"""


def test_a_network_has_its_defaults(tmp_path):
    network, = load(written(tmp_path, NETWORK + "user = 'u'\npassword = 'secret'"), {}).networks
    assert (network.chain, network.poll_seconds) == ("main", 10)
    assert "secret" not in repr(network)


@pytest.mark.parametrize("text, named", [
    ("[sevrer]\nport = 1", "sevrer"),
    ("[server]\nprot = 1", "prot"),
    ("port = 1", "port"),
    ("[[coins]]\nname = 'A'\nscale = 1\ncolour = 'red'", "colour"),
    ("[[coins]]\nname = 'A'", "scale"),
    ("coins = [1]", "entry 1"),
    ("[coins]\nname = 'A'", "coins"),
    ("[[server]]\nport = 1", "server"),
    ("[server]\nport = '1'", "port"),
    ("[server]\nport = true", "port"),
    ("[server]\nport = -1", "port"),
    ("[server]\nport = 70000", "port"),
    ("[server]\nhost = 1.5\nhost = 2", "house.toml"),
    ("[server]\naccess_log = 1", "access_log"),
    ("[server]\ncors_origins = 'x'", "cors_origins"),
    ("[server]\ntls_cert = 'x'", "tls_key"),
    ("[server]\nmax_body_bytes = 10", "max_body_bytes"),
    ("[mail]\nmode = 'pigeon'", "mode"),
    ("[mail]\nport = 0", "port"),
    ("[mail]\nmode = 'smtp'\nreturn_codes = true", "return_codes"),
    ("[pool]\ntimezone = 'Mars'", "timezone"),
    ("[pool]\nsettle = 1", "settle"),
    ("[pool]\nrunning_minutes = 0", "running_minutes"),
    (f"[pool]\nrunning_minutes = {2**64}", "running_minutes"),
    ("[pool]\nstopped_hours = 721", "stopped_hours"),
    ("[pool]\nsettle_at = '24:00'", "settle_at"),
    ("[pool]\nsettle_at = '0:10'", "settle_at"),
    ("[[networks]]\ncoin = 'BTC'", "url"),
    (NETWORK.replace("http:", "ftp:"), "BTC: url"),
    (NETWORK.replace("http://", "http://user@"), "BTC: url"),
    (NETWORK + "user = 'u'", "BTC: user and password"),
    (NETWORK + "user = 'u'\npassword = 'p'\ncookie_file = 'c'", "BTC: either"),
    (NETWORK, "BTC: either"),
    (NETWORK + "cookie_file = 'c'\npoll_seconds = 0", "BTC: poll_seconds"),
    (NETWORK + "cookie_file = 'c'\npoll_seconds = 3601", "BTC: poll_seconds"),
    (NETWORK + "cookie_file = 'c'\ncolour = 'red'", "colour"),
    (2 * (NETWORK + "cookie_file = 'c'\n"), "BTC: a coin has one network"),
    ("[ore]\nsign_in_force = 9223372036854775808", "sign_in_force"),
    ("[ore]\ninitial_force = 9223372036854775808", "initial_force"),
    ("[ore]\ninitial_force = -1", "initial_force"),
    ("[ore]\ncoin = 1.5\nrate = 1", "rate"),
    ("[data]\nsegment_mb = 0", "segment_mb"),
    ("[data]\nkeep_snapshots = 0", "keep_snapshots"),
    ("[data]\ndir = ''", "dir"),
    ("not toml", "house.toml"),
])
def test_mistakes_in_a_file_are_named(tmp_path, text, named):
    with pytest.raises(ConfigError, match=named):
        load(written(tmp_path, text), {})


@pytest.mark.parametrize("variable, text", [
    ("OREBOOK_SERVER_PROT", "1"), ("OREBOOK_SERVER_PORT", "many"), ("OREBOOK_SERVER_PORT", "-1"),
    ("OREBOOK_SERVER_PORT", "²"), ("OREBOOK_SERVER_ACCESS_LOG", "maybe"), ("OREBOOK_COINS", "[{"),
    ("OREBOOK_COINS", "1"), ("OREBOOK_COINS", '[{name = "A"}]'),
    ("OREBOOK_SERVER_CORS_ORIGINS", "[1]"), ("OREBOOK_SERVER", "x"),
])
def test_mistakes_in_the_environment_are_named(variable, text):
    with pytest.raises(ConfigError, match=variable):
        load(None, {variable: text})


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="none.toml"):
        load(tmp_path / "none.toml", {})


def test_secrets_are_not_shown():
    loaded = load(None, {"OREBOOK_OPERATOR_PASSWORD": "hidden-1",
                         "OREBOOK_MAIL_PASSWORD": "hidden-2"})
    assert "hidden" not in repr(loaded)


def test_the_documentation_names_every_key():
    documented = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    for section, table in (config.SECTIONS | config.TABLES).items():
        assert f"[{section}]" in documented
        for entry in dataclasses.fields(table):
            assert f"`{entry.name}`" in documented, (section, entry.name)
