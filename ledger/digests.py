"""Digests of 16 bytes: short keys for long names, and the running hash of a large store.

Keys are what the idempotency stores remember instead of the texts themselves: BLAKE2b, an honest
collision among 2^40 keys has a chance below 2^-48, and each part is preceded by its length, so that
no two lists of parts read the same.
"""

import hashlib
from collections.abc import Iterable

import xxhash

DIGEST_BYTES = 16


def digest_of(*parts: bytes) -> bytes:
    """The key of a list of parts, DIGEST_BYTES long."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(4, "little"))
        digest.update(part)
    return digest.digest()


class RunningHash:
    """The hash of a set of records, kept up to date record by record: the sum of theirs.

    So the hash of a store of millions costs no walk over it. It tells faults, not forgeries, and
    says nothing about the records' order.
    """

    __slots__ = ("_sum",)

    def __init__(self):
        self._sum = 0

    def add(self, record: bytes) -> None:
        self._sum += xxhash.xxh3_128_intdigest(record)

    def add_all(self, records: Iterable[bytes]) -> None:
        """As `add` of each, in a third of the time."""
        self._sum += sum(map(xxhash.xxh3_128_intdigest, records))

    def remove(self, record: bytes) -> None:
        self._sum -= xxhash.xxh3_128_intdigest(record)

    def digest(self) -> bytes:
        """DIGEST_BYTES, the same for the same records in whatever order they came and went."""
        return (self._sum % (1 << 8 * DIGEST_BYTES)).to_bytes(DIGEST_BYTES, "little")


def hash_of(records: Iterable[bytes]) -> bytes:
    """The digest that a RunningHash of these records has."""
    running = RunningHash()
    for record in records:
        running.add(record)
    return running.digest()
