"""Sealing: the key file, and that nothing but the right key, context and bytes opens a secret."""

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.seal import KEY_FILE, Seal, SealError

SEAL = Seal(bytes(range(32)))


@given(st.binary(max_size=300), st.text(max_size=60))
def test_opens_to_what_was_sealed(secret, context):
    context = context.encode("utf-8", "replace").decode()
    sealed = SEAL.seal(secret, context)
    assert SEAL.unseal(sealed, context) == secret
    assert SEAL.seal(secret, context) != sealed


def test_every_flipped_bit_is_noticed():
    sealed = SEAL.seal(b"secret", "credential a")
    for bit in range(len(sealed) * 8):
        damaged = bytearray(sealed)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealError):
            SEAL.unseal(bytes(damaged), "credential a")


@pytest.mark.parametrize("length", range(0, 36))
def test_a_cut_one_does_not_open(length):
    sealed = SEAL.seal(b"secret", "a")
    assert len(sealed) > length or length == 35
    with pytest.raises(SealError):
        SEAL.unseal(sealed[:min(length, len(sealed) - 1)], "a")


def test_another_context_or_key_does_not_open_it():
    sealed = SEAL.seal(b"secret", "a")
    with pytest.raises(SealError):
        SEAL.unseal(sealed, "b")
    with pytest.raises(SealError):
        Seal(bytes(32)).unseal(sealed, "a")


def test_the_key_file_is_made_once_and_only_for_its_owner(tmp_path):
    old_mask = os.umask(0)
    try:
        first = Seal.open(tmp_path)
    finally:
        os.umask(old_mask)
    path = tmp_path / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == 32
    assert [entry.name for entry in tmp_path.iterdir()] == [KEY_FILE]
    assert Seal.open(tmp_path).unseal(first.seal(b"secret", "a"), "a") == b"secret"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700 | 0o010])
def test_a_key_file_that_others_may_read_is_refused(tmp_path, mode):
    Seal.open(tmp_path)
    (tmp_path / KEY_FILE).chmod(mode)
    with pytest.raises(SealError, match="chmod 600"):
        Seal.open(tmp_path)


@pytest.mark.parametrize("size", [0, 31, 33, 1000])
def test_a_key_file_of_another_size_is_refused_and_kept(tmp_path, size):
    path = tmp_path / KEY_FILE
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(SealError, match="32 bytes"):
        Seal.open(tmp_path)
    assert path.stat().st_size == size
