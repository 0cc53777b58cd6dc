"""Who may act: the users of a house, by number and by name.

Numbers (uid) are given out from 1 without gaps and never reused. Names are unique without regard
to case. A user is kept as one packed record and unpacked when asked for: a million of them load in
seconds, and the collector of garbage has nothing to walk over. With both passwords, mail, name, an
address, a device and two profile fields it takes about 1 KiB, the index by name included.

A sub-account of the pool is one of them, too: it has a number and balances, but nobody logs in as
it. Its name stands behind ACCOUNT_MARK, which no user's name has, so the two never meet.

Case is Python's casefold: a house must not be replayed under a Python whose Unicode tables fold a
character differently. Characters that were assigned by Unicode 14 are stable.

Invariants (`check`): every name finds its user and no other; a marked name is a sub-account's;
those who may not log in are listed; a user has one address a coin and each device once; the running
hash is that of all records.
"""

import re
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgpack

from ledger.digests import RunningHash, hash_of

USERS_MAX = 2**32 - 2
USERNAME_LENGTHS = range(3, 65)
GROUPS = (1, 2)             # super administrator, ordinary user
SUB_ACCOUNT = 3             # the group of sub-accounts; no registration gives it
ACCOUNT_MARK = "\x1f"
MAY_LOG_IN = "is_allow_login"
# What a record begins with (user_records.pxd): bytes of the name, number of addresses; then come
# the name, and each address behind its coin and its length in bytes.
HEAD = struct.Struct("<HH")
ADDRESS_HEAD = struct.Struct("<HH")
# C0, DEL, C1, line and paragraph separators, marks that turn the reading direction, surrogates.
# Written out, not asked of unicodedata: its answer changes with the Python version.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Device(NamedTuple):
    """A machine that a user has bound."""
    device_id: str
    name: str
    os: str


class User(NamedTuple):
    """A user as it was when asked for: a later change does not show in it."""
    uid: int
    username: str                           # as registered
    password_hash: str                      # argon2id
    group: int                              # one of GROUPS, or SUB_ACCOUNT
    created_ns: int
    email: str | None = None
    phone: str | None = None
    name: str | None = None
    source: int | None = None               # the front end where it was registered
    pay_password_hash: str | None = None
    permissions: dict[str, int] = {}        # never changed in place, as all of a user
    profile: dict[str, str] = {}
    identity: dict[str, bytes] = {}         # sealed
    devices: tuple[Device, ...] = ()        # in the order they were bound
    withdraw_addresses: tuple[tuple[int, str], ...] = ()    # (coin, address), one a coin

    @property
    def active(self) -> bool:
        """Whether it may log in."""
        return self.group != SUB_ACCOUNT and self.permissions.get(MAY_LOG_IN) != 0

    def withdraw_address(self, coin: int) -> str | None:
        return next((address for of_coin, address in self.withdraw_addresses if of_coin == coin),
                    None)

    def device(self, device_id: str) -> Device | None:
        return next((device for device in self.devices if device.device_id == device_id), None)


def is_username(text: str) -> bool:
    return len(text) in USERNAME_LENGTHS and CONTROLS.search(text) is None


class Users:
    """All users of a house."""

    __slots__ = ("_records", "_by_name", "_barred", "_hash")

    def __init__(self):
        self._hash = RunningHash()
        self._records: list[bytes] = []         # by uid - 1
        self._by_name: dict[str, int] = {}      # folded name -> uid
        self._barred: set[int] = set()          # uids that may not log in

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[User]:
        """In order of their uids, sub-accounts included."""
        return (unpacked(uid, record) for uid, record in enumerate(self._records, 1))

    def __contains__(self, uid: int) -> bool:
        """Whether there is such a user: at once, however much is kept about it."""
        return 1 <= uid <= len(self._records)

    def get(self, uid: int) -> User | None:
        if uid not in self:
            return None
        return unpacked(uid, self._records[uid - 1])

    def records(self) -> list[bytes]:
        """What `packed` gave, by uid - 1. For reading."""
        return self._records

    def person(self, uid: int) -> User | None:
        """The user of that number, unless it is a sub-account."""
        user = self.get(uid)
        return None if user is None or user.group == SUB_ACCOUNT else user

    def is_person(self, uid: int) -> bool:
        """Whether there is such a user and it is no sub-account."""
        return uid in self and (uid not in self._barred or self.person(uid) is not None)

    def is_active(self, uid: int) -> bool:
        """Whether a user is there and may log in."""
        return uid in self and uid not in self._barred

    def by_name(self, username: str) -> User | None:
        """The user of that name, whatever its case; never a sub-account."""
        return None if username.startswith(ACCOUNT_MARK) else self._named(username)

    def sub_account(self, name: str) -> User | None:
        """The sub-account of that name, whatever its case."""
        return self._named(ACCOUNT_MARK + name)

    def _named(self, username: str) -> User | None:
        uid = self._by_name.get(username.casefold())
        return None if uid is None else unpacked(uid, self._records[uid - 1])

    def add(self, username: str, password_hash: str, group: int, created_ns: int,
            email: str | None = None, phone: str | None = None, name: str | None = None,
            source: int | None = None) -> User:
        """Register the next user, whose name must be new. O(1)."""
        user = User(len(self._records) + 1, username, password_hash, group, created_ns,
                    email, phone, name, source)
        self._append(packed(user))
        if not user.active:
            self._barred.add(user.uid)
        return user

    def add_sub_account(self, name: str, created_ns: int) -> User:
        """Give a sub-account, whose name must be new, the next number. O(1)."""
        return self.add(ACCOUNT_MARK + name, "", SUB_ACCOUNT, created_ns)

    def change(self, uid: int, **fields: Any) -> User:
        """Set fields of a user but uid and username; the only way to do so."""
        record = self._records[uid - 1]
        user = unpacked(uid, record)._replace(**fields)
        self._hash.remove(record_of(uid, record))
        record = self._records[uid - 1] = packed(user)
        self._hash.add(record_of(uid, record))
        if user.active:
            self._barred.discard(uid)
        else:
            self._barred.add(uid)
        return user

    def _append(self, record: bytes) -> None:
        uid = len(self._records) + 1
        folded = username_of(record).casefold()
        if self._by_name.setdefault(folded, uid) != uid:
            raise ValueError(f"user {uid}: the name is taken")
        self._records.append(record)
        self._hash.add(record_of(uid, record))

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def dump(self) -> list:
        """Records by uid, and who may not log in."""
        return [self._records, sorted(self._barred)]

    @classmethod
    def load(cls, dumped: list) -> "Users":
        """What `dump` gave, as users again; ValueError where names do not fit."""
        users = cls()
        records, barred = dumped
        users._records = records
        users._by_name = dict(zip(
            (username_of(record).casefold() for record in records), range(1, len(records) + 1)))
        if len(users._by_name) != len(records):
            raise ValueError(f"{len(records)} users with {len(users._by_name)} names")
        users._hash.add_all(map(record_of, range(1, len(records) + 1), records))
        users._barred.update(barred)
        return users

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = []
        barred = set()
        for user in self:
            if self._by_name.get(user.username.casefold()) != user.uid:
                faults.append(f"user {user.uid} is not found by its name")
            if user.username.startswith(ACCOUNT_MARK) != (user.group == SUB_ACCOUNT):
                faults.append(f"user {user.uid}, {user.username!r}, is of group {user.group}")
            coins = [coin for coin, _ in user.withdraw_addresses]
            if len(coins) != len(set(coins)):
                faults.append(f"user {user.uid} has addresses for coins {coins}")
            if len({device.device_id for device in user.devices}) != len(user.devices):
                faults.append(f"user {user.uid} has bound one device twice")
            if not user.active:
                barred.add(user.uid)
        if barred != self._barred:
            faults.append(f"users {sorted(barred ^ self._barred)} are or are not barred from login")
        if self.digest() != hash_of(
                record_of(uid, record) for uid, record in enumerate(self._records, 1)):
            faults.append("the running hash of the users is not that of their records")
        if len(self._by_name) != len(self._records):
            faults.append(f"{len(self._by_name)} names for {len(self._records)} users")
        return faults


def packed(user: User) -> bytes:
    """A user without its uid, as bytes: the name and the addresses, all else as msgpack.

    So a load, which needs the names only, and a payment, which needs one address, leave the rest
    as it is.
    """
    name = user.username.encode()
    parts = [HEAD.pack(len(name), len(user.withdraw_addresses)), name]
    for coin, address in user.withdraw_addresses:
        encoded = address.encode()
        parts += [ADDRESS_HEAD.pack(coin, len(encoded)), encoded]
    parts.append(msgpack.packb(user[2:-1]))
    return b"".join(parts)


def username_of(record: bytes) -> str:
    return record[HEAD.size:HEAD.size + record[0] + (record[1] << 8)].decode()


def unpacked(uid: int, record: bytes) -> User:
    """What `packed` gave, as a user again."""
    name_bytes, count = HEAD.unpack_from(record)
    at = HEAD.size + name_bytes
    username = record[HEAD.size:at].decode()
    addresses = []
    for _ in range(count):
        coin, size = ADDRESS_HEAD.unpack_from(record, at)
        at += ADDRESS_HEAD.size + size
        addresses.append((coin, record[at - size:at].decode()))
    *fields, devices = msgpack.unpackb(record[at:])
    return User(uid, username, *fields, tuple([Device(*device) for device in devices]),
                tuple(addresses))


def record_of(uid: int, record: bytes) -> bytes:
    """What the running hash takes of a user: its uid, and what `packed` gave."""
    return uid.to_bytes(4, "little") + record
