"""Sessions: random tokens that a client shows instead of its password.

A token is 256 random bits as text; the core knows only its SHA-256, so neither the journal nor the
memory of a house gives a token away. All dialects share them: a token from one opens the others.
"""

import hashlib
import secrets
import time

from engine import House, Kind, Result, cold

TOKEN_BYTES = 32
TOKEN_LENGTH_MAX = 128
LIFETIME_S = 86_400


class SessionRefused(Exception):
    """The core gave no session: `code` is its Result."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code


def digest(token: str) -> bytes:
    """What the core knows a token by, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def find_uid(core, token: str) -> int:
    """The uid of an active user whose live session that token is, 0 where there is none."""
    if not token or len(token) > TOKEN_LENGTH_MAX:
        return 0
    # The core's time never goes back: a clock that was must not bring a session to life again.
    session = core.sessions.find(digest(token), max(time.time_ns(), core.ts_ns))
    if session is None or not core.users.is_active(session.uid):
        return 0
    return session.uid


async def begin(house: House, uid: int, lifetime_s: int = LIFETIME_S) -> str:
    """A new session's token, on disk. Raises SessionRefused."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    reply = await house.submit(cold(Kind.CREATE_SESSION, {
        "uid": uid, "token_digest": digest(token), "lifetime_s": lifetime_s,
    }))
    if reply.code != Result.OK:
        raise SessionRefused(reply.code)
    return token


async def end(house: House, token: str) -> bool:
    """Ends a session; False where there was none."""
    reply = await house.submit(cold(Kind.END_SESSION, {"token_digest": digest(token)}))
    return reply.code == Result.OK
