"""The configuration: TOML, and the environment over it (docs/configuration.md says each key).

A key `port` of the section `[server]` is also `OREBOOK_SERVER_PORT`. An unknown key, a value of the
wrong type or out of its range is a ConfigError that names it. Money and rates stay text here
(TOML floats keep their digits), because only a coin's or pair's scale can make them integers.
"""

import dataclasses
import os
import re
import tomllib
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_origin

from api import times
from api.numbers import COUNT_MAX, InputError, read

ENVIRONMENT_PREFIX = "OREBOOK_"
# Read by the command line for its own options, under names that look like ours.
FOREIGN_KEYS = frozenset({"OREBOOK_OPERATOR_SECRET_KEY"})
MAIL_MODES = ("outbox", "smtp")
PORT_MAX = 65_535
NODE_SCALE = 8              # decimals of a node's amounts
PER_TRANSACTION_MAX = 1_000
FEE_BLOCKS_MAX = 1_008
POLL_SECONDS_MAX = 3_600
# Both 30 days: then a worker is dropped.
RUNNING_MINUTES_MAX, STOPPED_HOURS_MAX = 43_200, 720
CLOCK_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class ConfigError(Exception):
    """A configuration that cannot be used; the text names file or variable, and key."""


@dataclass(frozen=True, slots=True)
class Server:
    host: str = "127.0.0.1"
    port: int = 8088                    # 0: any free one
    public_url: str = ""                # as users reach it; https:// makes cookies Secure
    tls_cert: str = ""                  # PEM files; both or neither
    tls_key: str = ""
    cors_origins: tuple[str, ...] = ()  # whose pages may call, "*" for all (without cookies)
    max_body_bytes: int = 1 << 20
    access_log: bool = False


@dataclass(frozen=True, slots=True)
class Storage:
    dir: str = "./data"
    segment_mb: int = 64
    snapshot_every_mb: int = 256        # 0: only when asked
    keep_snapshots: int = 3


@dataclass(frozen=True, slots=True)
class Mail:
    mode: str = "outbox"                # one of MAIL_MODES
    host: str = "localhost"
    port: int = 25                      # 465: TLS from the start; else STARTTLS where offered
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = "orebook@localhost"
    return_codes: bool = False          # codes are also returned to who asks: for a demo only


@dataclass(frozen=True, slots=True)
class Limits:
    logins_per_minute: int = 10         # failed ones of a user, 0: no limit; 5 × for an address
    registrations_per_minute: int = 600     # without a code, of an address; 0: no limit
    orders_per_second: int = 0          # of a user; 0: no limit
    open_orders_per_user: int = 100_000     # 0: no limit
    connections: int = 10_000           # 0: no limit


@dataclass(frozen=True, slots=True)
class Pool:
    running_minutes: int = 10           # a worker without a share for so long has stopped
    stopped_hours: int = 24             # and is invalid after so long
    timezone: str = "Asia/Shanghai"     # of all times in replies
    settle: bool = True                 # a day that is over is settled by itself
    settle_at: str = "00:10"            # UTC; a share may come 600 s late


@dataclass(frozen=True, slots=True)
class Ore:
    coin: str = "ORE"                   # what is mined; nothing where it is not listed
    rate_per_force_second: str = "0.0001"   # ORE
    force_price: str = "1"              # ORE for one force
    sign_in_force: int = 10
    initial_force: int = 100


@dataclass(frozen=True, slots=True)
class Coin:
    name: str
    scale: int
    title: str = ""                     # "": the name
    type: str = "coin"
    withdraw_fee: str = "0"             # in the coin


@dataclass(frozen=True, slots=True)
class Pair:
    pair: str                           # BASE/QUOTE
    price_scale: int
    amount_scale: int
    min_amount: str = ""                # "": the smallest amount
    maker_fee: str = "0.002"
    taker_fee: str = "0.002"
    self_trade: str = "cancel_maker"


@dataclass(frozen=True, slots=True)
class Credential:
    client_id: str
    secret_key: str = field(repr=False)
    secret_salt: str = field(repr=False)
    scope: str                          # account or operator
    account: str = ""                   # the user's name, for scope account


@dataclass(frozen=True, slots=True)
class Wallet:
    coin: str
    url: str                            # of the node, with /wallet/NAME where it has several
    user: str = ""                      # user and password, or cookie_file
    password: str = field(default="", repr=False)
    cookie_file: str = ""
    chain: str = "main"                 # as the node names its network
    confirmations: int = 6              # before a withdrawal is finished
    fee_rate: str = ""                  # coins for 1,000 virtual bytes; "": the node estimates
    fee_blocks: int = 6                 # for that estimate
    max_fee: str = "0.01"               # coins, of a whole transaction
    max_per_transaction: int = 100      # withdrawals
    poll_seconds: int = 30


@dataclass(frozen=True, slots=True)
class Network:
    coin: str
    url: str                            # of the node
    user: str = ""                      # user and password, or cookie_file
    password: str = field(default="", repr=False)
    cookie_file: str = ""
    chain: str = "main"                 # as the node names its network
    poll_seconds: int = 10


@dataclass(frozen=True, slots=True)
class Operator:
    password: str = field(default="", repr=False)   # of the first start; "": a random one, printed


DEFAULT_COINS = (
    Coin("BTC", 8, "Bitcoin"), Coin("BCH", 8, "Bitcoin Cash"), Coin("USDT", 8, "Tether"),
    Coin("CNY", 8, "Renminbi", "fiat"), Coin("ORE", 4, "Ore", "mined"),
)
DEFAULT_PAIRS = (
    Pair("BTC/USDT", 2, 6), Pair("BCH/USDT", 2, 6), Pair("BTC/CNY", 2, 6), Pair("BCH/CNY", 2, 6),
    Pair("ORE/USDT", 4, 4),
)


@dataclass(frozen=True, slots=True)
class Config:
    server: Server = Server()
    data: Storage = Storage()
    mail: Mail = Mail()
    limits: Limits = Limits()
    pool: Pool = Pool()
    ore: Ore = Ore()
    coins: tuple[Coin, ...] = DEFAULT_COINS
    pairs: tuple[Pair, ...] = DEFAULT_PAIRS
    credentials: tuple[Credential, ...] = ()
    wallets: tuple[Wallet, ...] = ()
    networks: tuple[Network, ...] = ()
    operator: Operator = Operator()


SECTIONS = {"server": Server, "data": Storage, "mail": Mail, "limits": Limits, "pool": Pool,
            "ore": Ore, "operator": Operator}
TABLES = {"coins": Coin, "pairs": Pair, "credentials": Credential, "wallets": Wallet,
          "networks": Network}


def load(path: str | os.PathLike | None = None,
         environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration of that file (None: all defaults), the environment over it. ConfigError."""
    written: dict[str, Any] = {}
    if path is not None:
        try:
            with open(path, "rb") as file:
                written = tomllib.load(file, parse_float=str)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from None
    source = str(path)
    for name, value in written.items():
        if name not in SECTIONS and name not in TABLES:
            raise ConfigError(f"{source}: unknown section [{name}]")
        if not isinstance(value, dict if name in SECTIONS else list):
            raise ConfigError(f"{source}: {name} must be a "
                              + ("section" if name in SECTIONS else "list of tables"))
    parts: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        parts[name] = _table(section, written.get(name, {}), f"{source}: [{name}]")
    for name, table in TABLES.items():
        if name in written:
            parts[name] = _rows(table, written[name], f"{source}: [[{name}]]")
    config = _with_environment(Config(**parts), environment)
    _check(config)
    return config


def _table(section: type, written: dict[str, Any], place: str) -> Any:
    """One section or row from its keys; `place` is how an error names it."""
    fields = {entry.name: entry for entry in dataclasses.fields(section)}
    for name in written:
        if name not in fields:
            raise ConfigError(f"{place}: unknown key {name}")
    for name, entry in fields.items():
        if name not in written and entry.default is dataclasses.MISSING:
            raise ConfigError(f"{place}: {name} is missing")
    return section(**{name: _typed(fields[name].type, value, f"{place} {name}")
                      for name, value in written.items()})


def _rows(table: type, written: list[Any], place: str) -> tuple:
    rows = []
    for number, row in enumerate(written, 1):
        if not isinstance(row, dict):
            raise ConfigError(f"{place}: entry {number} must be a table")
        rows.append(_table(table, row, f"{place} entry {number}"))
    return tuple(rows)


def _typed(wanted: Any, value: Any, place: str) -> Any:
    """A TOML value as the type of its field."""
    if get_origin(wanted) is tuple:
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise ConfigError(f"{place}: must be a list of texts")
        return tuple(value)
    if wanted is str and type(value) is int:
        # An amount that happens to be whole: `withdraw_fee = 1`.
        return str(value)
    if type(value) is not wanted:
        kinds = {str: "a text", int: "a whole number", bool: "true or false"}
        raise ConfigError(f"{place}: must be {kinds[wanted]}")
    if wanted is int and value < 0:
        raise ConfigError(f"{place}: must not be negative")
    return value


def _with_environment(config: Config, environment: Mapping[str, str]) -> Config:
    changes: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in FOREIGN_KEYS:
            continue
        name = variable[len(ENVIRONMENT_PREFIX):].lower()
        if name in TABLES:
            changes[name] = _rows(TABLES[name], _toml_list(text, variable), variable)
            continue
        section, _, key = name.partition("_")
        # Other programs may have names of their own below the prefix; a section of ours has not.
        if section in SECTIONS:
            base = changes.get(section, getattr(config, section))
            changes[section] = dataclasses.replace(base, **_of_variable(base, key, text, variable))
    return dataclasses.replace(config, **changes)


def _of_variable(section: Any, key: str, text: str, variable: str) -> dict[str, Any]:
    types = {entry.name: entry.type for entry in dataclasses.fields(section)}
    if key not in types:
        raise ConfigError(f"{variable}: unknown key")
    wanted = types[key]
    if wanted is str:
        return {key: text}
    if get_origin(wanted) is tuple:
        if text.lstrip().startswith("["):
            return {key: _typed(wanted, _toml_list(text, variable), variable)}
        return {key: tuple(entry.strip() for entry in text.split(",") if entry.strip())}
    if wanted is bool:
        if text.lower() not in ("true", "false", "1", "0"):
            raise ConfigError(f"{variable}: must be true or false")
        return {key: text.lower() in ("true", "1")}
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ConfigError(f"{variable}: must be a whole number")
    return {key: int(text)}


def _toml_list(text: str, variable: str) -> list[Any]:
    try:
        value = tomllib.loads(f"value = {text}", parse_float=str)["value"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{variable}: {error}") from None
    if not isinstance(value, list):
        raise ConfigError(f"{variable}: must be a list, as TOML writes it")
    return value


def _check(config: Config) -> None:
    """What no type can say."""
    server, mail = config.server, config.mail
    if server.port > PORT_MAX:
        raise ConfigError(f"[server] port: must be at most {PORT_MAX}")
    if bool(server.tls_cert) != bool(server.tls_key):
        raise ConfigError("[server] tls_cert and tls_key: both or neither")
    if server.max_body_bytes < 1024:
        raise ConfigError("[server] max_body_bytes: must be at least 1024")
    if config.data.segment_mb < 1:
        raise ConfigError("[data] segment_mb: must be at least 1")
    if config.data.keep_snapshots < 1:
        raise ConfigError("[data] keep_snapshots: must be at least 1")
    if not config.data.dir:
        raise ConfigError("[data] dir: must not be empty")
    if mail.mode not in MAIL_MODES:
        raise ConfigError("[mail] mode: must be outbox or smtp")
    if not 1 <= mail.port <= PORT_MAX:
        raise ConfigError(f"[mail] port: must be 1 to {PORT_MAX}")
    if mail.return_codes and mail.mode == "smtp":
        raise ConfigError("[mail] return_codes: not with mode smtp, codes would prove nothing")
    for key in ("sign_in_force", "initial_force"):
        if getattr(config.ore, key) > COUNT_MAX:
            raise ConfigError(f"[ore] {key}: must be at most {COUNT_MAX}")
    _check_pool(config.pool)
    for wallet in config.wallets:
        _check_wallet(wallet)
        if sum(wallet.coin == other.coin for other in config.wallets) > 1:
            raise ConfigError(f"[[wallets]] {wallet.coin}: a coin has one wallet")
    for network in config.networks:
        _check_network(network)
        if sum(network.coin == other.coin for other in config.networks) > 1:
            raise ConfigError(f"[[networks]] {network.coin}: a coin has one network")


def _check_pool(pool: Pool) -> None:
    try:
        times.zone(pool.timezone)
    except ValueError as error:
        raise ConfigError(f"[pool] timezone: {error}") from None
    for key, most in (("running_minutes", RUNNING_MINUTES_MAX),
                      ("stopped_hours", STOPPED_HOURS_MAX)):
        if not 1 <= getattr(pool, key) <= most:
            raise ConfigError(f"[pool] {key}: must be 1 to {most}")
    if not CLOCK_TIME.fullmatch(pool.settle_at):
        raise ConfigError("[pool] settle_at: must be a time as 00:10")


def _check_node(place: str, node: Wallet | Network) -> None:
    """How a node is called; its settings have the same names everywhere."""
    try:
        url = urllib.parse.urlsplit(node.url)
        good = (url.scheme in ("http", "https") and url.hostname and url.port != 0
                and url.username is None and not url.query and not url.fragment)
    except ValueError:
        good = False
    if not good:
        raise ConfigError(f"{place}: url: must be http://HOST:PORT, without a user in it")
    if bool(node.user) != bool(node.password):
        raise ConfigError(f"{place}: user and password: both or neither")
    if bool(node.user) == bool(node.cookie_file):
        raise ConfigError(f"{place}: either user and password, or cookie_file")


def _check_network(network: Network) -> None:
    place = f"[[networks]] {network.coin}"
    _check_node(place, network)
    if not 1 <= network.poll_seconds <= POLL_SECONDS_MAX:
        raise ConfigError(f"{place}: poll_seconds: must be 1 to {POLL_SECONDS_MAX}")


def _check_wallet(wallet: Wallet) -> None:
    place = f"[[wallets]] {wallet.coin}"
    _check_node(place, wallet)
    for key, least, most in (("confirmations", 1, COUNT_MAX), ("poll_seconds", 1, POLL_SECONDS_MAX),
                             ("fee_blocks", 1, FEE_BLOCKS_MAX),
                             ("max_per_transaction", 1, PER_TRANSACTION_MAX)):
        if not least <= getattr(wallet, key) <= most:
            raise ConfigError(f"{place}: {key}: must be {least} to {most}")
    for key in ("fee_rate", "max_fee") if wallet.fee_rate else ("max_fee",):
        try:
            read(key, getattr(wallet, key), NODE_SCALE)
        except InputError as error:
            raise ConfigError(f"{place}: {error}") from None
