"""Who has tried which payment password in vain, and who is locked for it.

A try counts from its start; a right one forgets them all. TRIES_MAX tries lock for LOCK_NS from the
last of them. LOCK_NS after the last try it is forgotten, whether it locked or not, and the next one
begins anew.

Invariants (`check`): nobody has more than TRIES_MAX tries, or none; the running hash is that of all
records.
"""

import struct

from ledger.digests import RunningHash, hash_of
from ledger.expiries import NS_PER_S

TRIES_MAX = 5
LOCK_NS = 15 * 60 * NS_PER_S
RECORD = struct.Struct("<IIq")      # uid, tries, time of the last


class PayTries:
    """Tries by user: only of those who have some."""

    __slots__ = ("_tries", "_hash")

    def __init__(self):
        self._hash = RunningHash()
        self._tries: dict[int, tuple[int, int]] = {}     # uid -> tries, time of the last

    def __len__(self) -> int:
        return len(self._tries)

    def count(self, uid: int, ts_ns: int) -> int:
        """The tries that count against a user at that time."""
        tries, last_ns = self._tries.get(uid, (0, 0))
        return tries if ts_ns < last_ns + LOCK_NS else 0

    def is_locked(self, uid: int, ts_ns: int) -> bool:
        return self.count(uid, ts_ns) >= TRIES_MAX

    def add(self, uid: int, ts_ns: int) -> None:
        """Count a try of a user who is not locked."""
        # Last in the order of the tries, as a dump writes them.
        tries = self.count(uid, ts_ns)
        self.clear(uid)
        self._insert(uid, tries + 1, ts_ns)

    def clear(self, uid: int) -> None:
        """Forget a user's tries. Nothing where there are none."""
        if uid in self._tries:
            self._hash.remove(RECORD.pack(uid, *self._tries.pop(uid)))

    def _insert(self, uid: int, tries: int, last_ns: int) -> None:
        self._tries[uid] = (tries, last_ns)
        self._hash.add(RECORD.pack(uid, tries, last_ns))

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def dump(self) -> list:
        return [[uid, *tries] for uid, tries in self._tries.items()]

    @classmethod
    def load(cls, dumped: list) -> "PayTries":
        """What `dump` gave, as tries again."""
        pay_tries = cls()
        for uid, tries, last_ns in dumped:
            pay_tries._insert(uid, tries, last_ns)
        return pay_tries

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = [f"user {uid} has tried {tries} times" for uid, (tries, _) in self._tries.items()
                  if not 1 <= tries <= TRIES_MAX]
        if self.digest() != hash_of(
                RECORD.pack(uid, *tried) for uid, tried in self._tries.items()):
            faults.append("the running hash of the tries is not that of their records")
        return faults
