"""Who is logged in: sessions by the SHA-256 of their token.

A session counts until it is ended or its time is up (`ts_ns < expires_ns`). Ended ones leave at
once, expired ones when the next session is created, so that a mere look changes nothing. A user
has at most SESSIONS_PER_USER_MAX: one more ends its oldest.

Invariants (`check`): each session is in its user's index, and in no other; expired ones are found
by their expiry; no user has too many; the running hash is that of all records.
"""

from typing import NamedTuple

import msgpack

from ledger.digests import RunningHash, hash_of
from ledger.expiries import Expiries

SESSIONS_PER_USER_MAX = 100
LIFETIME_S_MAX = 366 * 86_400


class Session(NamedTuple):
    uid: int
    created_ns: int
    expires_ns: int


class Sessions:
    """Sessions by token digest, oldest first."""

    __slots__ = ("_sessions", "_by_user", "_expiries", "_hash")

    def __init__(self):
        self._hash = RunningHash()
        self._sessions: dict[bytes, Session] = {}
        self._by_user: dict[int, dict[bytes, None]] = {}
        self._expiries = Expiries()

    def __len__(self) -> int:
        """Expired ones that are not dropped yet included."""
        return len(self._sessions)

    def __contains__(self, token_digest: bytes) -> bool:
        """True also for one that is expired and not dropped yet."""
        return token_digest in self._sessions

    def find(self, token_digest: bytes, ts_ns: int) -> Session | None:
        """The session of that token if it counts at that time."""
        session = self._sessions.get(token_digest)
        return session if session is not None and ts_ns < session.expires_ns else None

    def of_user(self, uid: int) -> list[bytes]:
        """The token digests of a user, oldest first."""
        return list(self._by_user.get(uid, ()))

    def create(self, token_digest: bytes, uid: int, ts_ns: int, expires_ns: int) -> None:
        """Begin a session with a token that is not in use, and drop those that have expired."""
        for expired in self._expiries.take_due(ts_ns):
            self._forget(expired)
        if token_digest in self._sessions:
            raise ValueError("the token is in use")
        own = self._by_user.get(uid, ())
        if len(own) >= SESSIONS_PER_USER_MAX:
            self.end(next(iter(own)))
        self._insert(token_digest, Session(uid, ts_ns, expires_ns))

    def end(self, token_digest: bytes) -> None:
        """End a session; KeyError where there is none."""
        self._expiries.remove(token_digest, self._sessions[token_digest].expires_ns)
        self._forget(token_digest)

    def end_all(self, uid: int, keep: bytes | None = None) -> None:
        """End all sessions of a user but one."""
        for token_digest in self.of_user(uid):
            if token_digest != keep:
                self.end(token_digest)

    def _insert(self, token_digest: bytes, session: Session) -> None:
        self._sessions[token_digest] = session
        self._hash.add(record_of(token_digest, session))
        self._by_user.setdefault(session.uid, {})[token_digest] = None
        self._expiries.add(token_digest, session.expires_ns)

    def _forget(self, token_digest: bytes) -> None:
        session = self._sessions.pop(token_digest)
        self._hash.remove(record_of(token_digest, session))
        own = self._by_user[session.uid]
        del own[token_digest]
        if not own:
            del self._by_user[session.uid]

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def dump(self) -> list:
        return [[token_digest, *session] for token_digest, session in self._sessions.items()]

    @classmethod
    def load(cls, dumped: list) -> "Sessions":
        """What `dump` gave, as sessions again."""
        sessions = cls()
        for token_digest, *session in dumped:
            sessions._insert(token_digest, Session(*session))
        return sessions

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds. Digests are not shown."""
        faults = []
        for token_digest, session in self._sessions.items():
            if token_digest not in self._by_user.get(session.uid, ()):
                faults.append(f"{session} is not among its user's")
        for uid, own in self._by_user.items():
            if not 1 <= len(own) <= SESSIONS_PER_USER_MAX:
                faults.append(f"user {uid} has {len(own)} sessions")
        if self.digest() != hash_of(record_of(*entry) for entry in self._sessions.items()):
            faults.append("the running hash of the sessions is not that of their records")
        indexed = sum(map(len, self._by_user.values()))
        if not len(self._sessions) == indexed == len(self._expiries):
            faults.append(f"{len(self._sessions)} sessions, {indexed} by user,"
                          f" {len(self._expiries)} by expiry")
        return faults


def record_of(token_digest: bytes, session: Session) -> bytes:
    return msgpack.packb([token_digest, *session])
