"""Who has tried which payment password in vain, and who is locked for it.

A try counts from its start; a right one forgets them all. TRIES_MAX tries lock for LOCK_NS from the
last of them. LOCK_NS after the last try it is forgotten, whether it locked or not, and the next one
begins anew.

Invariants (`check`): nobody has more than TRIES_MAX tries, or none.
"""

from ledger.expiries import NS_PER_S

TRIES_MAX = 5
LOCK_NS = 15 * 60 * NS_PER_S


class PayTries:
    """Tries by user: only of those who have some."""

    __slots__ = ("_tries",)

    def __init__(self):
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
        self._tries.pop(uid, None)
        self._tries[uid] = (tries + 1, ts_ns)

    def clear(self, uid: int) -> None:
        self._tries.pop(uid, None)

    def dump(self) -> list:
        return [[uid, *tries] for uid, tries in self._tries.items()]

    @classmethod
    def load(cls, dumped: list) -> "PayTries":
        """What `dump` gave, as tries again."""
        pay_tries = cls()
        for uid, tries, last_ns in dumped:
            pay_tries._tries[uid] = (tries, last_ns)
        return pay_tries

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        return [f"user {uid} has tried {tries} times" for uid, (tries, _) in self._tries.items()
                if not 1 <= tries <= TRIES_MAX]
