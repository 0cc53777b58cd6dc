"""Packed records by number, in the order of their numbers, and the running hash of all of them.

A record is bytes: a hundred thousand of them load in a blink, and the collector of garbage has
nothing to walk over. The hash is kept up to date record by record: the sum of theirs. It tells
faults, not forgeries.

Invariants (`check`): numbers rise; the running hash is that of all records.
"""

from collections.abc import Iterator

import xxhash

NUMBER_BYTES = 4
DIGEST_BYTES = 16


class Records:
    """Records by number. A number that is added is higher than all that are here."""

    __slots__ = ("_records", "_sum")

    def __init__(self):
        self._records: dict[int, bytes] = {}
        self._sum = 0

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, number: int) -> bool:
        return number in self._records

    def __iter__(self) -> Iterator[int]:
        """The numbers, rising."""
        return iter(self._records)

    @property
    def by_number(self) -> dict[int, bytes]:
        """For reading."""
        return self._records

    def get(self, number: int) -> bytes | None:
        return self._records.get(number)

    def add(self, number: int, record: bytes) -> None:
        """Keep a record under a new number."""
        self._records[number] = record
        self._sum += hash_of(number, record)

    def change(self, number: int, record: bytes) -> None:
        """Put a record in the place of another; KeyError where there is none."""
        self._sum += hash_of(number, record) - hash_of(number, self._records[number])
        self._records[number] = record

    def remove(self, number: int) -> None:
        """Forget a record; KeyError where there is none."""
        self._sum -= hash_of(number, self._records.pop(number))

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return (self._sum % (1 << 8 * DIGEST_BYTES)).to_bytes(DIGEST_BYTES, "little")

    def dump(self) -> list:
        return [list(self._records), list(self._records.values())]

    @classmethod
    def load(cls, dumped: list) -> "Records":
        """What `dump` gave, as records again; ValueError where it is not whole."""
        numbers, packed = dumped
        records = cls()
        records._records = dict(zip(numbers, packed, strict=True))
        if len(records) != len(numbers):
            raise ValueError(f"{len(numbers)} records of {len(records)} numbers")
        records._sum = sum(map(hash_of, numbers, packed))
        return records

    def check(self, subject: str) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = []
        numbers = list(self._records)
        if numbers != sorted(numbers):
            faults.append(f"the numbers of {subject} do not rise")
        if self._sum != sum(map(hash_of, numbers, self._records.values())):
            faults.append(f"the running hash of {subject} is not that of their records")
        return faults


def hash_of(number: int, record: bytes) -> int:
    return xxhash.xxh3_128_intdigest(number.to_bytes(NUMBER_BYTES, "little") + record)
