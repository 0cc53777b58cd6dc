"""The forms of single fields that several subjects share. Types have been checked before."""

import re

from ledger.users import CONTROLS

AMOUNT_MAX = 2**63 - 1
CLIENT_ID = re.compile(r"[A-Za-z0-9.:/_-]{1,36}")
DIGEST_BYTES = 32


def is_text(text: str, length_min: int, length_max: int) -> bool:
    """So many characters, none a control character."""
    return length_min <= len(text) <= length_max and CONTROLS.search(text) is None


def is_client_id(text: str) -> bool:
    """What a client may name its orders, requests and itself."""
    return CLIENT_ID.fullmatch(text) is not None


def is_digest(digest: bytes) -> bool:
    """A whole SHA-256."""
    return len(digest) == DIGEST_BYTES


def is_amount(amount: int) -> bool:
    """Units of a coin that can be moved: positive, within 64 bits."""
    return 1 <= amount <= AMOUNT_MAX


def is_password_hash(text: str) -> bool:
    """An encoded argon2id hash, as far as the core can tell."""
    return is_text(text, 1, 256) and text.isascii()


def is_txid(text: str) -> bool:
    return is_text(text, 1, 128)
