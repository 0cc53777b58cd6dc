"""Who counts shares: the number of the last batch that was taken of each source.

A batch that comes again is known by its number, so nothing is counted twice.

Invariants (`check`): sources and batches are in their ranges; the running hash is that of all.
"""

from pool.records import DIGEST_BYTES, hash_of

SOURCE_MAX = 2**16 - 1
BATCH_MAX = 2**64 - 1
BATCH_BYTES = 8


class ShareSources:
    """Sources by their number, 1 to 65,535; batches of each rise from 1."""

    __slots__ = ("_last", "_sum")

    def __init__(self):
        self._last: dict[int, int] = {}
        self._sum = 0

    def __len__(self) -> int:
        return len(self._last)

    def last(self, source: int) -> int:
        """The number of the last batch of a source, 0 where there was none."""
        return self._last.get(source, 0)

    def take(self, source: int, batch: int) -> None:
        """Note a batch, whose number is above the last one."""
        if source in self._last:
            self._sum -= hash_of_batch(source, self._last[source])
        self._last[source] = batch
        self._sum += hash_of_batch(source, batch)

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return (self._sum % (1 << 8 * DIGEST_BYTES)).to_bytes(DIGEST_BYTES, "little")

    def dump(self) -> list:
        return sorted(self._last.items())

    @classmethod
    def load(cls, dumped: list) -> "ShareSources":
        """What `dump` gave, as sources again; ValueError where one is there twice."""
        sources = cls()
        for source, batch in dumped:
            sources.take(source, batch)
        if len(sources) != len(dumped):
            raise ValueError(f"{len(dumped)} batches of {len(sources)} sources")
        return sources

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = [f"source {source} is at batch {batch}" for source, batch in self._last.items()
                  if not (1 <= source <= SOURCE_MAX and 1 <= batch <= BATCH_MAX)]
        if not faults and self._sum != sum(
                hash_of_batch(*entry) for entry in self._last.items()):
            faults.append("the running hash of the sources is not that of their batches")
        return faults


def hash_of_batch(source: int, batch: int) -> int:
    return hash_of(source, batch.to_bytes(BATCH_BYTES, "little"))
