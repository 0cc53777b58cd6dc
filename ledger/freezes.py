"""What is frozen on purpose: units per user and coin, in two parts, by the user and by others.

Only what is frozen takes room, 150 to 170 bytes for a user's coin. The money itself is not moved
here: who freezes or undoes holds or releases as much.

Invariants (`check`): no part is negative and one at least is not zero; both together fit into 64
bits; the running hash is that of all records.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ledger.digests import RunningHash, hash_of

KEY = struct.Struct("<II")      # uid, coin
PARTS = struct.Struct("<qq")    # units: by the user, by others
AMOUNT_MAX = 2**63 - 1


class Frozen(NamedTuple):
    """Units of a user's coin, by who has frozen them."""
    by_user: int
    by_others: int

    @property
    def total(self) -> int:
        return self.by_user + self.by_others


NOTHING = Frozen(0, 0)


class Freezes:
    """All freezes of a house, in the order of each one's beginning."""

    __slots__ = ("_parts", "_hash")

    def __init__(self):
        self._hash = RunningHash()
        self._parts: dict[bytes, bytes] = {}    # as KEY and PARTS say

    def __len__(self) -> int:
        """Coins of users that have something frozen."""
        return len(self._parts)

    def get(self, uid: int, coin: int) -> Frozen:
        """What is frozen of a user's coin."""
        parts = self._parts.get(KEY.pack(uid, coin))
        return NOTHING if parts is None else Frozen(*PARTS.unpack(parts))

    def undoable(self, uid: int, coin: int, by_user: bool) -> int:
        """The units that one may undo: the user its own part, another all of it."""
        frozen = self.get(uid, coin)
        return frozen.by_user if by_user else frozen.total

    def holds(self) -> Iterator[tuple[int, int, int]]:
        """(uid, coin, units) of all that is frozen."""
        return ((*KEY.unpack(key), sum(PARTS.unpack(parts)))
                for key, parts in self._parts.items())

    def freeze(self, uid: int, coin: int, amount: int, by_user: bool) -> None:
        """Add units to the part of who asks."""
        frozen = self.get(uid, coin)
        self._set(uid, coin, Frozen(frozen.by_user + amount, frozen.by_others) if by_user
                  else Frozen(frozen.by_user, frozen.by_others + amount))

    def unfreeze(self, uid: int, coin: int, amount: int, by_user: bool) -> None:
        """Take units from the user's part; or from that of others first, then from the user's.

        ValueError where it is more than `undoable`.
        """
        frozen = self.get(uid, coin)
        if amount > self.undoable(uid, coin, by_user):
            raise ValueError(f"user {uid}, coin {coin}: {amount} of {frozen}")
        of_others = 0 if by_user else min(amount, frozen.by_others)
        self._set(uid, coin, Frozen(frozen.by_user - (amount - of_others),
                                    frozen.by_others - of_others))

    def _set(self, uid: int, coin: int, frozen: Frozen) -> None:
        key = KEY.pack(uid, coin)
        before = self._parts.get(key)
        if before is not None:
            self._hash.remove(key + before)
        if frozen == NOTHING:
            self._parts.pop(key, None)
            return
        after = self._parts[key] = PARTS.pack(*frozen)
        self._hash.add(key + after)

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def dump(self) -> bytes:
        return b"".join(map(b"".join, self._parts.items()))

    @classmethod
    def load(cls, dumped: bytes) -> "Freezes":
        """What `dump` gave, as freezes again; ValueError where it is cut off or repeats one."""
        size = KEY.size + PARTS.size
        if len(dumped) % size:
            raise ValueError(f"{len(dumped)} bytes are no records of {size}")
        freezes = cls()
        for start in range(0, len(dumped), size):
            key, parts = dumped[start:start + KEY.size], dumped[start + KEY.size:start + size]
            if freezes._parts.setdefault(key, parts) is not parts:
                raise ValueError(f"two records of user and coin {KEY.unpack(key)}")
            freezes._hash.add(key + parts)
        return freezes

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = []
        for key, parts in self._parts.items():
            frozen = Frozen(*PARTS.unpack(parts))
            if min(frozen) < 0 or not 1 <= frozen.total <= AMOUNT_MAX:
                uid, coin = KEY.unpack(key)
                faults.append(f"user {uid}, coin {coin}: {frozen}")
        if self.digest() != hash_of(map(b"".join, self._parts.items())):
            faults.append("the running hash of the freezes is not that of their records")
        return faults
