"""Which nonces of signed requests are used up, until the requests expire by themselves.

A nonce is remembered as a digest of 16 bytes of (client id, nonce). It counts while `ts_ns <
expires_ns`; what has expired is dropped when the next nonce is used.

Invariants (`check`): digests are whole; expired ones are found by their expiry; the running hash
is that of all.
"""

from ledger.digests import DIGEST_BYTES, RunningHash, digest_of, hash_of
from ledger.expiries import NS_PER_S, Expiries

NONCE_LIFETIME_NS_MAX = 3600 * NS_PER_S


class Nonces:
    """Expiry times by nonce, in order of use."""

    __slots__ = ("_expires_ns", "_expiries", "_hash")

    def __init__(self):
        self._hash = RunningHash()
        self._expires_ns: dict[bytes, int] = {}
        self._expiries = Expiries()

    def __len__(self) -> int:
        """Expired ones that are not dropped yet included."""
        return len(self._expires_ns)

    def is_used(self, client_id: str, nonce: str, ts_ns: int) -> bool:
        return ts_ns < self._expires_ns.get(nonce_key(client_id, nonce), ts_ns)

    def use(self, client_id: str, nonce: str, ts_ns: int, expires_ns: int) -> None:
        """Remember a nonce that `is_used` calls free, and drop those that have expired."""
        for expired in self._expiries.take_due(ts_ns):
            self._forget(expired)
        key = nonce_key(client_id, nonce)
        if key in self._expires_ns:
            # Expired within this second, so not dropped yet.
            self._expiries.remove(key, self._expires_ns[key])
            self._forget(key)
        self._insert(key, expires_ns)

    def _insert(self, key: bytes, expires_ns: int) -> None:
        self._expires_ns[key] = expires_ns
        self._expiries.add(key, expires_ns)
        self._hash.add(record_of(key, expires_ns))

    def _forget(self, key: bytes) -> None:
        self._hash.remove(record_of(key, self._expires_ns.pop(key)))

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def dump(self) -> list:
        return [b"".join(self._expires_ns), list(self._expires_ns.values())]

    @classmethod
    def load(cls, dumped: list) -> "Nonces":
        """What `dump` gave, as nonces again; ValueError where keys and times do not pair up."""
        keys, times = dumped
        if len(keys) != len(times) * DIGEST_BYTES:
            raise ValueError(f"{len(keys)} bytes of keys for {len(times)} times")
        nonces = cls()
        for place, expires_ns in enumerate(times):
            nonces._insert(keys[place * DIGEST_BYTES:(place + 1) * DIGEST_BYTES], expires_ns)
        return nonces

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = [f"nonce {key.hex()}" for key in self._expires_ns if len(key) != DIGEST_BYTES]
        if self.digest() != hash_of(record_of(*entry) for entry in self._expires_ns.items()):
            faults.append("the running hash of the nonces is not that of their records")
        if len(self._expires_ns) != len(self._expiries):
            faults.append(f"{len(self._expires_ns)} nonces, {len(self._expiries)} by expiry")
        return faults


def nonce_key(client_id: str, nonce: str) -> bytes:
    return digest_of(client_id.encode(), nonce.encode())


def record_of(key: bytes, expires_ns: int) -> bytes:
    return key + expires_ns.to_bytes(8, "little")
