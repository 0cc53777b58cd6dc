"""Which requests about balances were made: each (who asked, request id) once, forever.

A request is remembered as two digests, not as texts: 16 bytes of who asked and the id, which find
it, and 7 of what it asked for, which tell a repeat from another request under the same id. Only who
asks could make two of one id collide, and would gain that the second is not done. A request takes
127 to 157 bytes (as measured, before and after the dict doubles), and 24 in a dump; a million load
in less than a second.

Invariants (`check`): digests are whole; the running hash is that of all records.
"""

import struct

from ledger.digests import DIGEST_BYTES, RunningHash, digest_of, hash_of

MEANING_BYTES = 7       # as an int they take 32 bytes, one byte more would cost 16
RECORD = struct.Struct(f"<{DIGEST_BYTES}sQ")


class RequestIds:
    """What was asked for, by who asked and request id, in order of arrival."""

    __slots__ = ("_meanings", "_hash")

    def __init__(self):
        self._hash = RunningHash()
        self._meanings: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._meanings)

    def find(self, by: int, request_id: str) -> int | None:
        """The meaning (`meaning_of`) of what a user has asked for under this id, or None."""
        return self._meanings.get(request_key(by, request_id))

    def add(self, by: int, request_id: str, meaning: int) -> None:
        """Remember a request; ValueError where its id is not free."""
        key = request_key(by, request_id)
        if key in self._meanings:
            raise ValueError(f"user {by} has used the request id {request_id}")
        self._meanings[key] = meaning
        self._hash.add(RECORD.pack(key, meaning))

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def dump(self) -> bytes:
        return b"".join(RECORD.pack(*entry) for entry in self._meanings.items())

    @classmethod
    def load(cls, dumped: bytes) -> "RequestIds":
        """What `dump` gave, as request ids again; ValueError where it is cut off or repeats one."""
        if len(dumped) % RECORD.size:
            raise ValueError(f"{len(dumped)} bytes are no records of {RECORD.size}")
        request_ids = cls()
        request_ids._meanings = dict(RECORD.iter_unpack(dumped))
        if len(request_ids) != len(dumped) // RECORD.size:
            raise ValueError(f"{len(dumped) // RECORD.size} records of {len(request_ids)} requests")
        for start in range(0, len(dumped), RECORD.size):
            request_ids._hash.add(dumped[start:start + RECORD.size])
        return request_ids

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = [f"request {key.hex()}: {meaning:x}" for key, meaning in self._meanings.items()
                  if len(key) != DIGEST_BYTES or meaning >> 8 * MEANING_BYTES != 0]
        if not faults and self.digest() != hash_of(
                RECORD.pack(*entry) for entry in self._meanings.items()):
            faults.append("the running hash of the request ids is not that of their records")
        return faults


def request_key(by: int, request_id: str) -> bytes:
    return digest_of(by.to_bytes(4, "little"), request_id.encode())


def meaning_of(kind: int, *fields: int) -> int:
    """What a command asks for: MEANING_BYTES of digest of its kind and its fields in order."""
    digest = digest_of(*(str(number).encode() for number in (int(kind), *fields)))
    return int.from_bytes(digest[:MEANING_BYTES], "little")
