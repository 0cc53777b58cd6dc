"""The address of a wallet: its number and a check, as 15 characters of base58.

    address = base58(check, mask(check) xor number)

The check is 55 bits of a hash of the number; the mask, 32 bits of a hash of the check. Thus each
character depends on the whole number, neighbours look unrelated, and no table is needed in either
direction. A text that is not an address passes for one with a chance of 1 in 2^55 or less.

What is computed here must never change: addresses are written down in other people's books.
"""

from hashlib import sha256

# Without 0, O, I and l, which are taken for one another.
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
LENGTH = 15
NUMBER_BITS = 32
CHECK_BITS = 55
NUMBERS = range(1 << NUMBER_BITS)
VALUES = {character: value for value, character in enumerate(ALPHABET)}
CHECK_SEED = b"orebook wallet check"
MASK_SEED = b"orebook wallet mask"


def address_of(number: int) -> str:
    """The address of a wallet; ValueError for a number that does not fit into 32 bits."""
    if number not in NUMBERS:
        raise ValueError(f"{number} is no number of a wallet")
    check = check_of(number)
    rest = check << NUMBER_BITS | number ^ mask_of(check)
    characters = []
    for _ in range(LENGTH):
        rest, value = divmod(rest, len(ALPHABET))
        characters.append(ALPHABET[value])
    return "".join(reversed(characters))


def number_of(address: str) -> int | None:
    """The wallet that an address is of; None for a text that is no address."""
    if len(address) != LENGTH or not VALUES.keys() >= set(address):
        return None
    whole = 0
    for character in address:
        whole = whole * len(ALPHABET) + VALUES[character]
    check, masked = whole >> NUMBER_BITS, whole & NUMBERS[-1]
    number = masked ^ mask_of(check)
    return number if check == check_of(number) else None


def check_of(number: int) -> int:
    return hashed(CHECK_SEED, number, CHECK_BITS)


def mask_of(check: int) -> int:
    return hashed(MASK_SEED, check, NUMBER_BITS)


def hashed(seed: bytes, value: int, bits: int) -> int:
    """So many bits of a hash. A value has at most 64 bits."""
    digest = sha256(seed + value.to_bytes(8, "big")).digest()
    return int.from_bytes(digest[:8], "big") >> 64 - bits
