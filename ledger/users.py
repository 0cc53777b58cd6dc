"""Who may act: the users of a house, by number and by name.

Numbers (uid) are given out from 1 without gaps and never reused. Names are unique without regard
to case. A user with all fields and one address takes about 1 KiB, the indexes included.

Case is Python's casefold: a house must not be replayed under a Python whose Unicode tables fold a
character differently. Characters that were assigned by Unicode 14 are stable.

Invariants (`check`): uids are places; every name finds its user and no other; a user has one
address a coin; the running hash is that of all records.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgpack

from ledger.digests import RunningHash, hash_of

USERS_MAX = 2**32 - 2
USERNAME_LENGTHS = range(3, 65)
GROUPS = (1, 2)             # super administrator, ordinary user
# C0, DEL, C1, line and paragraph separators, marks that turn the reading direction, surrogates.
# Written out, not asked of unicodedata: its answer changes with the Python version.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(slots=True)
class User:
    uid: int
    username: str                           # as registered
    password_hash: str                      # argon2id
    group: int                              # one of GROUPS
    created_ns: int
    email: str | None = None
    phone: str | None = None
    name: str | None = None
    pay_password_hash: str | None = None
    # (coin, address), one a coin: few, and half the size of a dict.
    withdraw_addresses: tuple[tuple[int, str], ...] = ()
    active: bool = True

    def withdraw_address(self, coin: int) -> str | None:
        return next((address for of_coin, address in self.withdraw_addresses if of_coin == coin),
                    None)

    def record(self) -> list:
        """All fields, for a dump."""
        return [self.uid, self.username, self.password_hash, self.group, self.created_ns,
                self.email, self.phone, self.name, self.pay_password_hash,
                self.withdraw_addresses, self.active]


def is_username(text: str) -> bool:
    return len(text) in USERNAME_LENGTHS and CONTROLS.search(text) is None


class Users:
    """All users of a house."""

    __slots__ = ("_users", "_by_name", "_hash")

    def __init__(self):
        self._hash = RunningHash()
        self._users: list[User] = []
        self._by_name: dict[str, User] = {}

    def __len__(self) -> int:
        return len(self._users)

    def __iter__(self) -> Iterator[User]:
        """In order of their uids."""
        return iter(self._users)

    def get(self, uid: int) -> User | None:
        return self._users[uid - 1] if 1 <= uid <= len(self._users) else None

    def by_name(self, username: str) -> User | None:
        """The user of that name, whatever its case."""
        return self._by_name.get(username.casefold())

    def add(self, username: str, password_hash: str, group: int, created_ns: int,
            email: str | None = None, phone: str | None = None, name: str | None = None) -> User:
        """Register the next user, whose name must be new. O(1)."""
        user = User(len(self._users) + 1, username, password_hash, group, created_ns,
                    email, phone, name)
        self._append(user)
        return user

    def change(self, user: User, **fields: Any) -> None:
        """Set fields of a user but uid and username; the only way to do so."""
        self._hash.remove(msgpack.packb(user.record()))
        for name, value in fields.items():
            setattr(user, name, value)
        self._hash.add(msgpack.packb(user.record()))

    def set_withdraw_address(self, user: User, coin: int, address: str) -> None:
        others = (pair for pair in user.withdraw_addresses if pair[0] != coin)
        self.change(user, withdraw_addresses=(*others, (coin, address)))

    def _append(self, user: User) -> None:
        folded = user.username.casefold()
        if folded in self._by_name:
            raise ValueError(f"user {user.uid}: the name is taken")
        # One text for both where the name is in lower case anyway.
        self._by_name[user.username if folded == user.username else folded] = user
        self._users.append(user)
        self._hash.add(msgpack.packb(user.record()))

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def dump(self) -> list:
        return [user.record() for user in self._users]

    @classmethod
    def load(cls, dumped: list) -> "Users":
        """What `dump` gave, as users again; ValueError where uids or names do not fit."""
        users = cls()
        for uid, *fields, addresses, active in dumped:
            if uid != len(users) + 1:
                raise ValueError(f"user {uid} is out of order")
            users._append(User(uid, *fields, tuple(map(tuple, addresses)), active))
        return users

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = []
        for place, user in enumerate(self._users, 1):
            if user.uid != place:
                faults.append(f"user {user.uid} stands at place {place}")
            if self._by_name.get(user.username.casefold()) is not user:
                faults.append(f"user {user.uid} is not found by its name")
            coins = [coin for coin, _ in user.withdraw_addresses]
            if len(coins) != len(set(coins)):
                faults.append(f"user {user.uid} has addresses for coins {coins}")
        if self.digest() != hash_of(msgpack.packb(user.record()) for user in self._users):
            faults.append("the running hash of the users is not that of their records")
        if len(self._by_name) != len(self._users):
            faults.append(f"{len(self._by_name)} names for {len(self._users)} users")
        return faults
