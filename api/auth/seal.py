"""Seals what must be readable again (a client's secretKey, a user's identity) before it enters a
command.

AES-256-GCM with one key for a house, in the file `seal.key` beside its journal. A sealed secret is
bound to a context (whose it is, and what for): moved to another owner it does not open.

    sealed = version (1 byte, 1) | nonce (12 bytes, random) | ciphertext and tag

Who has the journal without the key file has no secret. Who loses the key file loses the
credentials, which are removed and made anew, and the identity fields of users, which are gone.
"""

import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_FILE = "seal.key"
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
VERSION = b"\x01"


class SealError(Exception):
    """The key file cannot be used, or a sealed secret does not open with it."""


class Seal:
    """One key; `seal` and `unseal` are each other's inverse for equal contexts."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes):
        """key: 32 random bytes."""
        if len(key) != KEY_BYTES:
            raise SealError(f"a seal key has {KEY_BYTES} bytes, not {len(key)}")
        self._cipher = AESGCM(key)

    @classmethod
    def open(cls, directory: str | os.PathLike) -> "Seal":
        """The seal of a data folder; makes the key file (mode 0600) when there is none.

        Raises SealError for a key file that others may read, or that is not a key.
        """
        path = Path(directory) / KEY_FILE
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            _make_key_file(path)
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SealError(f"{path} may be read by others (mode {mode:04o}): chmod 600 it")
            key = file.read(KEY_BYTES + 1)
        if len(key) != KEY_BYTES:
            raise SealError(f"{path} is not a seal key: it must hold exactly {KEY_BYTES} bytes")
        return cls(key)

    def seal(self, secret: bytes, context: str) -> bytes:
        """The sealed secret; sealing twice gives different bytes."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return VERSION + nonce + self._cipher.encrypt(nonce, secret, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """The secret; SealError when key, context or any bit is not the one it was sealed with."""
        if len(sealed) < len(VERSION) + NONCE_BYTES + TAG_BYTES or sealed[:1] != VERSION:
            raise SealError("not a sealed secret")
        nonce = sealed[1:1 + NONCE_BYTES]
        try:
            return self._cipher.decrypt(nonce, sealed[1 + NONCE_BYTES:], context.encode())
        except InvalidTag:
            raise SealError("a sealed secret does not open: another key, or damage") from None


def _make_key_file(path: Path) -> None:
    """Written whole and on disk before it has its name: a crash leaves no half key behind."""
    draft = path.with_name(f"{KEY_FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # link, not rename: a key that someone else made meanwhile is never replaced.
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
    finally:
        os.unlink(draft)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
