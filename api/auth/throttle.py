"""Slows down guessing: failed attempts are counted per key, and cost a growing delay.

A key (a user's name, a caller's address) may fail `per_minute` times in a minute. From then on an
attempt is refused until 1 s after the last failure, then 2 s, 4 s … up to DELAY_MAX_S; a minute
without a failure beyond the delay forgets them all. An attempt counts as failed from its
start until it succeeds, so that many at once gain nothing. A success forgets the key's failures.

Times are seconds of any clock that never goes back, given by the caller.
"""

import ipaddress

WINDOW_S = 60
DELAY_MAX_S = 300
KEYS_MAX = 100_000


class Throttle:
    """Failures by key."""

    __slots__ = ("_per_minute", "_failures")

    def __init__(self, per_minute: int):
        """per_minute: free failures of a key, 0 for no limit."""
        self._per_minute = per_minute
        self._failures: dict[str, tuple[int, float]] = {}   # count, time of the last

    def __len__(self) -> int:
        return len(self._failures)

    def delay_s(self, key: str, now_s: float) -> float:
        """How long until the key may try again; 0: now."""
        count, last_s = self._failures.get(key, (0, 0.0))
        return max(0.0, last_s + self._penalty_s(count) - now_s)

    def begin(self, key: str, now_s: float) -> None:
        """Count an attempt as failed until it has succeeded."""
        count, last_s = self._failures.pop(key, (0, now_s))
        if now_s - last_s >= WINDOW_S + self._penalty_s(count):
            count = 0
        if not self._per_minute:
            return
        if len(self._failures) >= KEYS_MAX:
            # They stand in the order of their last failure: the one quiet for longest goes.
            del self._failures[next(iter(self._failures))]
        self._failures[key] = (count + 1, now_s)

    def succeed(self, key: str) -> None:
        """The attempt was right: the key begins anew."""
        self._failures.pop(key, None)

    def take_back(self, key: str) -> None:
        """The attempt was right, but says nothing about the key's others: only it is forgotten."""
        count, last_s = self._failures.get(key, (0, 0.0))
        if count > 1:
            self._failures[key] = (count - 1, last_s)
        else:
            self._failures.pop(key, None)

    def _penalty_s(self, count: int) -> int:
        over = count - self._per_minute
        if not self._per_minute or over < 0:
            return 0
        return min(DELAY_MAX_S, 1 << min(over, 16))


class OrderRate:
    """At most so many orders a second of each user: a bucket that fills evenly."""

    __slots__ = ("per_second", "_buckets")

    def __init__(self, per_second: int):
        """per_second: 0 for no limit, then `take` is not to be asked."""
        self.per_second = per_second
        self._buckets: dict[int, tuple[float, float]] = {}  # orders left, when

    def take(self, uid: int, now_s: float) -> bool:
        """Whether the user may send one more now."""
        left, then_s = self._buckets.get(uid, (self.per_second, now_s))
        left = min(self.per_second, left + (now_s - then_s) * self.per_second)
        allowed = left >= 1
        self._buckets[uid] = (left - 1 if allowed else left, now_s)
        return allowed


def address_key(address: str | None) -> str:
    """One key for those who share a line: the address, of IPv6 its first 64 bits."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "address unknown"
    if parsed.version == 6:
        if parsed.ipv4_mapped is None:
            return f"address {int(parsed) >> 64:x}"
        parsed = parsed.ipv4_mapped
    return f"address {parsed}"
