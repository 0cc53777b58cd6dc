"""Whether a text is an address that a coin can be paid out to. Pure functions, no state.

Sources: base58check with Bitcoin's version bytes; BIP 173 (bech32, witness version 0) and BIP 350
(bech32m, the later ones); the cashaddr specification 1.1. Only payable kinds pass: a cashaddr of a
hash size that no script has (there are P2PKH of 20 bytes, P2SH of 20 or 32) would burn what is sent
there, and so would the address of another network.

A coin that is not named here has no rule we could know: its address is 1 to 128 printable ASCII
characters, no space.
"""

import hashlib
import re
from typing import NamedTuple

BASE58 = {character: value for value, character in
          enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
BASE32 = {character: value for value, character in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
BASE58_LENGTH_MAX = 40
BECH32_LENGTH_MAX = 90
CASHADDR_LENGTH_MAX = 512
BECH32_CONSTANT = 1
BECH32M_CONSTANT = 0x2BC830A3
BECH32_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
CASHADDR_GENERATORS = (0x98F2BC8E61, 0x79B76D99E2, 0xF33E5FB3C4, 0xAE2EABE2A8, 0x1E4F43E470)
CASHADDR_SIZES_BYTES = (20, 24, 28, 32, 40, 48, 56, 64)
CASHADDR_P2PKH = 0
CASHADDR_P2SH = 1
OTHER = re.compile(r"[!-~]{1,128}")


class Network(NamedTuple):
    """What tells the addresses of one network from those of the others."""
    legacy_versions: tuple[int, int]    # P2PKH, P2SH
    segwit_prefix: str
    cashaddr_prefix: str


NETWORKS = {
    "mainnet": Network((0x00, 0x05), "bc", "bitcoincash"),
    "testnet": Network((0x6F, 0xC4), "tb", "bchtest"),
    "regtest": Network((0x6F, 0xC4), "bcrt", "bchreg"),
}


def check(coin_name: str, address: str, network: str = "mainnet") -> bool:
    """True where the coin of that name can be paid out to the address; names are in upper case.

    `network` is a key of NETWORKS, KeyError for any other. The loose rule is the same in all.
    """
    of_network = NETWORKS[network]
    if coin_name == "BTC":
        return is_legacy(address, of_network) or is_segwit(address, of_network)
    if coin_name == "BCH":
        return is_legacy(address, of_network) or is_cashaddr(address, of_network)
    return OTHER.fullmatch(address) is not None


def is_legacy(address: str, network: Network) -> bool:
    """P2PKH and P2SH: a version byte and a hash of 20 bytes in base58check."""
    payload = base58check_bytes(address)
    return payload is not None and len(payload) == 21 and payload[0] in network.legacy_versions


def is_segwit(address: str, network: Network) -> bool:
    """A witness program: version 0 of 20 or 32 bytes in bech32, 1 to 16 of 2 to 40 in bech32m."""
    parts = bech32_parts(address)
    if parts is None:
        return False
    prefix, values, constant = parts
    if prefix != network.segwit_prefix or not values or values[0] > 16:
        return False
    program = bytes_of_fives(values[1:])
    if program is None or not 2 <= len(program) <= 40:
        return False
    if values[0] == 0:
        return constant == BECH32_CONSTANT and len(program) in (20, 32)
    return constant == BECH32M_CONSTANT


def is_cashaddr(address: str, network: Network) -> bool:
    """P2PKH of 20 bytes, P2SH of 20 or 32, with the network's prefix or without one."""
    kind_and_hash = cashaddr_hash(address, network.cashaddr_prefix)
    if kind_and_hash is None:
        return False
    kind, script_hash = kind_and_hash
    if kind == CASHADDR_P2PKH:
        return len(script_hash) == 20
    return kind == CASHADDR_P2SH and len(script_hash) in (20, 32)


def base58check_bytes(text: str) -> bytes | None:
    """What base58check encodes, version byte first and checksum off; None if it is none."""
    # The bound comes first: the conversion below is quadratic in the length.
    if not 1 <= len(text) <= BASE58_LENGTH_MAX:
        return None
    if any(character not in BASE58 for character in text):
        return None
    number = 0
    for character in text:
        number = number * 58 + BASE58[character]
    # Leading zero bytes have no digits in a number: base58 writes a "1" for each.
    zeros = len(text) - len(text.lstrip("1"))
    whole = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, checksum = whole[:-4], whole[-4:]
    if not payload or hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4] != checksum:
        return None
    return payload


def bech32_parts(text: str) -> tuple[str, list[int], int] | None:
    """The lower-case prefix, the values before the checksum, and which constant the checksum has.

    None where the text is neither bech32 nor bech32m: length, case, characters, checksum.
    """
    if len(text) > BECH32_LENGTH_MAX or not is_one_case(text):
        return None
    if any(not "!" <= character <= "~" for character in text):
        return None
    prefix, separator, tail = text.lower().rpartition("1")
    values = [BASE32.get(character, -1) for character in tail]
    if not separator or not prefix or len(values) < 6 or -1 in values:
        return None
    expanded = [ord(character) >> 5 for character in prefix] + [0]
    expanded += [ord(character) & 31 for character in prefix]
    constant = polynomial(expanded + values, BECH32_GENERATORS, 25)
    if constant not in (BECH32_CONSTANT, BECH32M_CONSTANT):
        return None
    return prefix, values[:-6], constant


def cashaddr_hash(address: str, prefix: str) -> tuple[int, bytes] | None:
    """Type bits and hash of a cashaddr whose hash is as long as its size bits say; else None."""
    payload = cashaddr_bytes(address, prefix)
    if not payload or payload[0] & 0x80:
        return None
    if len(payload) - 1 != CASHADDR_SIZES_BYTES[payload[0] & 7]:
        return None
    return payload[0] >> 3, payload[1:]


def cashaddr_bytes(address: str, prefix: str) -> bytes | None:
    """Type byte and hash of a cashaddr of that (lower-case) prefix, which may be left out.

    None for another prefix, two of them, mixed case, a foreign character, a wrong checksum.
    """
    values = cashaddr_values(address, prefix)
    return None if values is None else bytes_of_fives(values)


def cashaddr_values(address: str, prefix: str) -> list[int] | None:
    """The 5-bit values of a cashaddr before its checksum; None as in `cashaddr_bytes`."""
    if len(address) > CASHADDR_LENGTH_MAX or not is_one_case(address):
        return None
    before, separator, tail = address.lower().rpartition(":")
    if before != prefix if separator else before:
        return None
    values = [BASE32.get(character, -1) for character in tail]
    if len(values) < 8 or -1 in values:
        return None
    expanded = [ord(character) & 31 for character in prefix] + [0]
    if polynomial(expanded + values, CASHADDR_GENERATORS, 35) != 1:
        return None
    return values[:-8]


def polynomial(values: list[int], generators: tuple[int, ...], top_bits: int) -> int:
    """The remainder that both checksums compare; `top_bits` is its width less one value of 5."""
    remainder = 1
    mask = (1 << top_bits) - 1
    for value in values:
        top = remainder >> top_bits
        remainder = (remainder & mask) << 5 ^ value
        for bit, generator in enumerate(generators):
            if top >> bit & 1:
                remainder ^= generator
    return remainder


def bytes_of_fives(values: list[int]) -> bytes | None:
    """5-bit values regrouped to bytes.

    None where the rest is a whole value or not zero: one hash would have several texts.
    """
    number = 0
    for value in values:
        number = number << 5 | value
    count, padding_bits = divmod(5 * len(values), 8)
    if padding_bits > 4 or number & ((1 << padding_bits) - 1):
        return None
    return (number >> padding_bits).to_bytes(count, "big")


def is_one_case(text: str) -> bool:
    # ASCII first: the lower case of the Kelvin sign is a "k".
    return text.isascii() and text in (text.lower(), text.upper())
