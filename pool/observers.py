"""Observer links: who has the token of one sees a sub-account without logging in.

Links have numbers from 1 over all accounts, never reused. A token is 16 bytes, drawn at random by
whoever makes the link; it is the secret and the address of the link at once.

Invariants (`check`): each link is found by its token and among its account's, and nothing else is;
no account has too many; each link has a right, and none that is unknown; numbers rise and are below
the next one; the running hash is that of all records.
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from pool.records import Records

LINKS_PER_ACCOUNT_MAX = 100
TOKEN_BYTES = 16
RIGHTS_ALL = 7                          # every bit of engine.codes.ObserverRight
HEAD = struct.Struct("<I16sBq")         # account, token, rights, created_ns; then the remark


class Link(NamedTuple):
    """An observer link as it was when asked for."""
    id: int
    account: int            # number of the sub-account
    token: bytes            # TOKEN_BYTES
    rights: int             # bits: engine.codes.ObserverRight
    created_ns: int
    remark: str


class Observers:
    """All observer links of a house."""

    __slots__ = ("_records", "_by_token", "_by_account", "_next_id")

    def __init__(self):
        self._records = Records()
        self._by_token: dict[bytes, int] = {}
        self._by_account: dict[int, tuple[int, ...]] = {}
        self._next_id = 1

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Link]:
        """In the order of their numbers, which is that of their beginning."""
        return map(self.get, self._records)

    def get(self, link_id: int) -> Link | None:
        record = self._records.get(link_id)
        return None if record is None else unpacked(link_id, record)

    def by_token(self, token: bytes) -> Link | None:
        return self.get(self._by_token.get(token, 0))

    def of_account(self, account: int) -> list[Link]:
        """The links of a sub-account, oldest first."""
        return [self.get(link_id) for link_id in self._by_account.get(account, ())]

    def count_of(self, account: int) -> int:
        """How many links a sub-account has."""
        return len(self._by_account.get(account, ()))

    def add(self, account: int, token: bytes, rights: int, created_ns: int, remark: str) -> Link:
        """Begin the next link; ValueError where the token is in use."""
        link = Link(self._next_id, account, token, rights, created_ns, remark)
        self._insert(link)
        self._records.add(link.id, packed(link))
        self._next_id += 1
        return link

    def change(self, link_id: int, **fields: Any) -> Link:
        """Set rights or remark of a link; KeyError where there is none."""
        link = self._known(link_id)._replace(**fields)
        self._records.change(link_id, packed(link))
        return link

    def remove(self, link_id: int) -> None:
        """End a link; KeyError where there is none."""
        link = self._known(link_id)
        self._records.remove(link_id)
        del self._by_token[link.token]
        left = tuple(own for own in self._by_account[link.account] if own != link_id)
        if left:
            self._by_account[link.account] = left
        else:
            del self._by_account[link.account]

    def _known(self, link_id: int) -> Link:
        link = self.get(link_id)
        if link is None:
            raise KeyError(link_id)
        return link

    def _insert(self, link: Link) -> None:
        if self._by_token.setdefault(link.token, link.id) != link.id:
            raise ValueError(f"the token of link {link.id} is in use")
        self._by_account[link.account] = (*self._by_account.get(link.account, ()), link.id)

    def digest(self) -> bytes:
        """The running hash, and the next number. O(1)."""
        return self._records.digest() + self._next_id.to_bytes(8, "little")

    def dump(self) -> list:
        return [self._next_id, *self._records.dump()]

    @classmethod
    def load(cls, dumped: list) -> "Observers":
        """What `dump` gave, as links again; ValueError where it is not whole."""
        observers = cls()
        observers._next_id, *records = dumped
        observers._records = Records.load(records)
        for link in observers:
            observers._insert(link)
        return observers

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds. Tokens are not shown."""
        faults = self._records.check("the observer links")
        for link in self:
            if self._by_token.get(link.token) != link.id:
                faults.append(f"link {link.id} is not found by its token")
            if link.id not in self._by_account.get(link.account, ()):
                faults.append(f"link {link.id} is not among its account's")
            if not 1 <= link.rights <= RIGHTS_ALL:
                faults.append(f"link {link.id} has rights {link.rights}")
            if not 1 <= link.id < self._next_id:
                faults.append(f"link {link.id}, the next is {self._next_id}")
        faults += [f"sub-account {account} has {len(own)} links"
                   for account, own in self._by_account.items()
                   if not 1 <= len(own) <= LINKS_PER_ACCOUNT_MAX]
        listed = sum(map(len, self._by_account.values()))
        if not len(self) == listed == len(self._by_token):
            faults.append(f"{len(self)} links, {listed} by account, {len(self._by_token)} tokens")
        return faults


def packed(link: Link) -> bytes:
    """A link without its number, as bytes."""
    return HEAD.pack(link.account, link.token, link.rights, link.created_ns) + link.remark.encode()


def unpacked(link_id: int, record: bytes) -> Link:
    """What `packed` gave, as a link again."""
    return Link(link_id, *HEAD.unpack_from(record), record[HEAD.size:].decode())
