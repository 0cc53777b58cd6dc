"""Short keys for long names: what the idempotency stores remember instead of the texts themselves.

16 bytes of BLAKE2b: an honest collision among 2^40 keys has a chance below 2^-48, and each part is
preceded by its length, so that no two lists of parts read the same.
"""

import hashlib

DIGEST_BYTES = 16


def digest_of(*parts: bytes) -> bytes:
    """The key of a list of parts, DIGEST_BYTES long."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(4, "little"))
        digest.update(part)
    return digest.digest()
