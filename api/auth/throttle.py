"""Slows down guessing: failed attempts are counted per key, and cost a growing delay.

A key (a user's name, a caller's address) may fail `per_minute` times in a minute, which begins with
its first failure; what is fewer is forgotten at its end. From then on an attempt is refused until
1 s after the last failure, then 2 s, 4 s … up to DELAY_MAX_S; a minute without a failure beyond the
delay forgets them all. An attempt counts as failed from its start until it succeeds, so that many
at once gain nothing. A success forgets the key's failures, or only itself (`take_back`): then
successes, as many as they are, neither keep failures alive nor end them.

`Quota` and `OrderRate` limit what is no failure.

Times are seconds of any clock that never goes back, given by the caller.
"""

import ipaddress
from typing import NamedTuple

WINDOW_S = 60
DELAY_MAX_S = 300
KEYS_MAX = 100_000


class Failures(NamedTuple):
    """Those of a key: `since_s` is the time of the first, `last_s` of the last, `before_s` of the
    last but one."""
    count: int
    since_s: float
    last_s: float
    before_s: float


class Throttle:
    """Failures by key."""

    __slots__ = ("_per_minute", "_failures")

    def __init__(self, per_minute: int):
        """per_minute: free failures of a key, 0 for no limit."""
        self._per_minute = per_minute
        self._failures: dict[str, Failures] = {}

    def __len__(self) -> int:
        return len(self._failures)

    def delay_s(self, key: str, now_s: float) -> float:
        """How long until the key may try again; 0: now."""
        failures = self._failures.get(key)
        if failures is None:
            return 0.0
        return max(0.0, failures.last_s + self._penalty_s(failures.count) - now_s)

    def begin(self, key: str, now_s: float) -> None:
        """Count an attempt as failed until it has succeeded."""
        if not self._per_minute:
            return
        failures = self._failures.pop(key, None)
        if failures is None or self._is_over(failures, now_s):
            failures = Failures(0, now_s, now_s, now_s)
        if len(self._failures) >= KEYS_MAX:
            # They stand in the order of their last failure: the one quiet for longest goes.
            del self._failures[next(iter(self._failures))]
        self._failures[key] = Failures(
            failures.count + 1, failures.since_s, now_s, failures.last_s)

    def succeed(self, key: str) -> None:
        """The attempt was right: the key begins anew."""
        self._failures.pop(key, None)

    def take_back(self, key: str, begun_s: float) -> None:
        """The attempt begun then was right, but says nothing about the key's others: only it is
        forgotten."""
        failures = self._failures.get(key)
        if failures is None or failures.count == 1:
            self._failures.pop(key, None)
            return
        # Where another one has begun since, that is the last.
        last_s = failures.before_s if failures.last_s == begun_s else failures.last_s
        self._failures[key] = failures._replace(count=failures.count - 1, last_s=last_s)

    def _is_over(self, failures: Failures, now_s: float) -> bool:
        """Whether they are to be forgotten."""
        if failures.count < self._per_minute:
            return now_s - failures.since_s >= WINDOW_S
        return now_s - failures.last_s >= WINDOW_S + self._penalty_s(failures.count)

    def _penalty_s(self, count: int) -> int:
        over = count - self._per_minute
        if not self._per_minute or over < 0:
            return 0
        return min(DELAY_MAX_S, 1 << min(over, 16))


class Quota:
    """At most so many of each key in a minute, which begins with the first of them."""

    __slots__ = ("_per_minute", "_taken")

    def __init__(self, per_minute: int):
        """per_minute: 0 for no limit."""
        self._per_minute = per_minute
        self._taken: dict[str, tuple[int, float]] = {}      # how many, since when

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, key: str, now_s: float) -> float:
        """0 where the key may have one more, which it has then; else how long it must wait, s."""
        if not self._per_minute:
            return 0.0
        count, since_s = self._taken.get(key, (0, now_s))
        if now_s - since_s >= WINDOW_S:
            del self._taken[key]
            count, since_s = 0, now_s
        if count >= self._per_minute:
            return since_s + WINDOW_S - now_s
        if count == 0 and len(self._taken) >= KEYS_MAX:
            # They stand in the order of their first: the oldest goes.
            del self._taken[next(iter(self._taken))]
        self._taken[key] = (count + 1, since_s)
        return 0.0


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
