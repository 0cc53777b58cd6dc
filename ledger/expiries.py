"""Which keys may be dropped by now: an index of keys by the second their time is up.

It is derived from a store's records, so it is rebuilt on load and never dumped. Keys are dropped
up to a second late; whether a record still counts is decided by its own `expires_ns`, to the
nanosecond.

Invariants: no bucket is empty; every bucket's second is on the heap. `remove` leaves no more than
one second without a bucket for each that has one, and SPARE_SECONDS.
"""

import heapq
from collections.abc import Hashable

NS_PER_S = 1_000_000_000
SPARE_SECONDS = 64


def second_of(expires_ns: int) -> int:
    """The first whole second at which a record that expires then is over."""
    return -(-expires_ns // NS_PER_S)


class Expiries:
    """Keys by second. `add` and `remove` O(log n) on average, `take_due` O(what is due)."""

    __slots__ = ("_buckets", "_seconds")

    def __init__(self):
        self._buckets: dict[int, dict[Hashable, None]] = {}
        self._seconds: list[int] = []

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def add(self, key: Hashable, expires_ns: int) -> None:
        second = second_of(expires_ns)
        if second not in self._buckets:
            self._buckets[second] = {}
            heapq.heappush(self._seconds, second)
        self._buckets[second][key] = None

    def remove(self, key: Hashable, expires_ns: int) -> None:
        """Forget a key that is here; KeyError where it is not."""
        second = second_of(expires_ns)
        bucket = self._buckets[second]
        del bucket[key]
        if not bucket:
            # Its second stays on the heap and meets an absent bucket, or a new one, later; too many
            # such seconds are swept out. A sorted list is a heap.
            del self._buckets[second]
            if len(self._seconds) > 2 * len(self._buckets) + SPARE_SECONDS:
                self._seconds = sorted(self._buckets)

    def take_due(self, ts_ns: int) -> list[Hashable]:
        """Remove and return the keys whose second has begun, earliest first."""
        due: list[Hashable] = []
        while self._seconds and self._seconds[0] * NS_PER_S <= ts_ns:
            due.extend(self._buckets.pop(heapq.heappop(self._seconds), ()))
        return due
