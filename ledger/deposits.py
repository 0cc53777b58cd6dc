"""Which deposits have been credited: each (coin, txid, user) once, forever.

A deposit is remembered as a digest of 16 bytes, not as texts: about 120 bytes each. The amount is
not part of it: who reports one transaction twice is told so, even where the amounts differ.

Invariant (`check`): digests are whole.
"""

from ledger.digests import DIGEST_BYTES, digest_of


class Deposits:
    """Digests of deposits, in order of arrival."""

    __slots__ = ("_credited",)

    def __init__(self):
        self._credited: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self._credited)

    def is_credited(self, coin: int, txid: str, uid: int) -> bool:
        return deposit_key(coin, txid, uid) in self._credited

    def add(self, coin: int, txid: str, uid: int) -> None:
        """Remember a deposit."""
        self._credited[deposit_key(coin, txid, uid)] = None

    def dump(self) -> bytes:
        return b"".join(self._credited)

    @classmethod
    def load(cls, dumped: bytes) -> "Deposits":
        """What `dump` gave, as deposits again; ValueError where it is cut off."""
        if len(dumped) % DIGEST_BYTES:
            raise ValueError(f"{len(dumped)} bytes are no digests of {DIGEST_BYTES}")
        deposits = cls()
        for start in range(0, len(dumped), DIGEST_BYTES):
            deposits._credited[dumped[start:start + DIGEST_BYTES]] = None
        return deposits

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        return [f"deposit {key.hex()}" for key in self._credited if len(key) != DIGEST_BYTES]


def deposit_key(coin: int, txid: str, uid: int) -> bytes:
    return digest_of(coin.to_bytes(4, "little"), uid.to_bytes(4, "little"), txid.encode())
