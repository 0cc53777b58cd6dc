"""Observer links as they are shown and opened: `<public url>/ob/<token>`.

A token is 16 random bytes, written as 32 hex digits in small letters and in no other way. Whoever
has the text of a link may open it, so links enter no log.
"""

import re
import secrets
from collections.abc import Iterable

from api.config import Config, Server
from api.numbers import InputError
from engine import ObserverRight

PATH = "/ob/"
EVERY_HOST = ("", "0.0.0.0", "::")
TOKEN_BYTES = 16
TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)
# As requests and replies name them, in the order in which replies do.
RIGHTS = {
    "dashboard_observer": ObserverRight.DASHBOARD,
    "worker_observer": ObserverRight.WORKER,
    "profit_observer": ObserverRight.PROFIT,
}


def new_token() -> bytes:
    """The token of a link that is to be."""
    return secrets.token_bytes(TOKEN_BYTES)


def link_of(config: Config, token: bytes) -> str:
    """The text of a link: with the house's public address, else with the one that it listens at.
    Where that is all addresses, or any free port, it is a path only."""
    return f"{address_of(config.server)}{PATH}{token.hex()}"


def address_of(server: Server) -> str:
    if server.public_url:
        return server.public_url.rstrip("/")
    if server.host in EVERY_HOST or server.port == 0:
        return ""
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{'https' if server.tls_cert else 'http'}://{host}:{server.port}"


def token_of(text: str) -> bytes | None:
    """The token whose text stands behind PATH; None where it is the text of none."""
    return bytes.fromhex(text) if TOKEN.fullmatch(text) else None


def rights_of(field: str, names: Iterable[str]) -> int:
    """The bits for rights by name. Raises InputError where there is none, or an unknown one."""
    rights = 0
    for name in names:
        if name not in RIGHTS:
            raise InputError(field, "must be some of " + ", ".join(RIGHTS))
        rights |= RIGHTS[name]
    if not rights:
        raise InputError(field, "must have one of " + ", ".join(RIGHTS))
    return int(rights)


def names_of(rights: int) -> list[str]:
    """The names of a link's rights."""
    return [name for name, right in RIGHTS.items() if rights & right]
