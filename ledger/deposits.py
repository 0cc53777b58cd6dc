"""Which deposits have been credited: each (coin, txid, user) once, forever.

A deposit is remembered as a digest of 16 bytes, not as texts: about 120 bytes each. The amount is
not part of it: who reports one transaction twice is told so, even where the amounts differ.

Invariants (`check`): digests are whole; the running hash is that of all.
"""

from ledger.digests import DIGEST_BYTES, RunningHash, digest_of, hash_of


class Deposits:
    """Digests of deposits, in order of arrival."""

    __slots__ = ("_credited", "_hash")

    def __init__(self):
        self._hash = RunningHash()
        self._credited: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self._credited)

    def is_credited(self, coin: int, txid: str, uid: int) -> bool:
        return deposit_key(coin, txid, uid) in self._credited

    def add(self, coin: int, txid: str, uid: int) -> None:
        """Remember a deposit."""
        self._insert(deposit_key(coin, txid, uid))

    def _insert(self, key: bytes) -> None:
        if key not in self._credited:
            self._credited[key] = None
            self._hash.add(key)

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def dump(self) -> bytes:
        return b"".join(self._credited)

    @classmethod
    def load(cls, dumped: bytes) -> "Deposits":
        """What `dump` gave, as deposits again; ValueError where it is cut off."""
        if len(dumped) % DIGEST_BYTES:
            raise ValueError(f"{len(dumped)} bytes are no digests of {DIGEST_BYTES}")
        deposits = cls()
        for start in range(0, len(dumped), DIGEST_BYTES):
            deposits._insert(dumped[start:start + DIGEST_BYTES])
        return deposits

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = [f"deposit {key.hex()}" for key in self._credited if len(key) != DIGEST_BYTES]
        if not faults and self.digest() != hash_of(self._credited):
            faults.append("the running hash of the deposits is not that of their keys")
        return faults


def deposit_key(coin: int, txid: str, uid: int) -> bytes:
    return digest_of(coin.to_bytes(4, "little"), uid.to_bytes(4, "little"), txid.encode())
