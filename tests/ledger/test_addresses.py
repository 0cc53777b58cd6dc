"""The vectors of BIP 173, BIP 350 and the cashaddr specification, and what must not pass."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import addresses
from ledger.addresses import BECH32_CONSTANT, BECH32M_CONSTANT, bech32_parts, cashaddr_hash, check

BIP173_VALID = [
    "A12UEL5L",
    "a12uel5l",
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    "?1ezyfcl",
]
BIP350_VALID = [
    "A1LQFN3A",
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
]
NEITHER_VALID = [
    # BIP 173
    "\x201nwldj5", "\x7f1axkwrx", "\x801eym55h",
    "an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
    "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "de1lg7wt\xff", "A1G7SGD8",
    "10a06t8", "1qzzfhee",
    # BIP 350
    "\x201xj0phk", "\x7f1g6xzxy", "\x801vctc34",
    "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4",
    "qyrz8wqd2c9m", "1qyrz8wqd2c9m", "y1b0jsk6g", "lt1igcx5c0", "in1muywd", "mm1crxm3i",
    "au1s5cgom", "M1VUXWEZ", "16plkw9", "1p2gdwpf",
]
SEGWIT_VALID = [   # address, scriptPubKey: BIP 350
    ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    ("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
     "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"),
    ("bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
     "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6"),
    ("BC1SW50QGDZ25J", "6002751e"),
    ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"),
    ("tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
     "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"),
    ("tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
     "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"),
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
     "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
]
SEGWIT_INVALID = [
    # BIP 350
    "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
    "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
    "bc1pw5dgrnzv",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",
    "bc1gmk9yu",
    # BIP 173; its bech32 addresses of version 1 and up are invalid since BIP 350
    "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
    "bc1rw5uspcuh",
    "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
    "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx",
    "BC1SW50QA3JX3S",
    "bc1zw508d6qejxtdg4y5r3zarvaryvg6kdaj",
]
TRANSLATIONS = [   # legacy, cashaddr without its prefix: the specification's table
    ("1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu", "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"),
    ("1KXrWXciRDZUpQwQmuM1DbwsKDLYAYsVLR", "qr95sy3j9xwd2ap32xkykttr4cvcu7as4y0qverfuy"),
    ("16w1D5WRVKJuZUsSRzdLp9w3YGcgoxDXb", "qqq3728yw0y47sqn6l2na30mcw6zm78dzqre909m2r"),
    ("3CWFddi6m4ndiGyKqzYvsFYagqDLPVMTzC", "ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq"),
    ("3LDsS579y7sruadqu11beEJoTjdFiFCdX4", "pr95sy3j9xwd2ap32xkykttr4cvcu7as4yc93ky28e"),
    ("31nwvkZwyPdgzjBJZXfDmSWsC4ZLKpYyUw", "pqq3728yw0y47sqn6l2na30mcw6zm78dzq5ucqzc37"),
]
CASHADDR_CHECKSUMS = [
    "prefix:x64nx6hz", "p:gpf8m4h7", "bitcoincash:qpzry9x8gf2tvdw0s3jn54khce6mua7lcw20ayyn",
    "bchtest:spectestnetaddressrealrealaddressqpan2k9lh",
    "bchreg:555555555555555555555555555555555555555555555udxmlmrz",
]
VECTORS = [line.split("|") for line in
           (Path(__file__).parent / "cashaddr_vectors.txt").read_text().splitlines()
           if not line.startswith("#")]
CASHADDRS = [(int(size), int(kind), text, bytes.fromhex(script_hash))
             for size, kind, text, script_hash in (row for row in VECTORS if len(row) == 4)]
UNDEFINED_TYPES = [(text, int(kind) << 3 | int(size_bits), bytes.fromhex(payload))
                   for _, kind, size_bits, text, payload in
                   (row for row in VECTORS if len(row) == 5)]
BTC_MAINNET = ["1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu", "3CWFddi6m4ndiGyKqzYvsFYagqDLPVMTzC",
               "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"]


def network_of(address):
    return "testnet" if address.lower().startswith("tb1") else "mainnet"


@pytest.mark.parametrize("text", BIP173_VALID)
def test_bech32_strings_are_read_as_bech32(text):
    assert bech32_parts(text)[2] == BECH32_CONSTANT


@pytest.mark.parametrize("text", BIP350_VALID)
def test_bech32m_strings_are_read_as_bech32m(text):
    assert bech32_parts(text)[2] == BECH32M_CONSTANT


@pytest.mark.parametrize("text", NEITHER_VALID)
def test_broken_bech32_strings_are_refused(text):
    assert bech32_parts(text) is None


@pytest.mark.parametrize("address, script", SEGWIT_VALID)
def test_segwit_addresses_of_their_network_pass_and_name_their_program(address, script):
    assert check("BTC", address, network_of(address))
    version, program = int(script[:2], 16), bytes.fromhex(script[4:])
    _, values, _ = bech32_parts(address)
    assert values[0] == (version - 0x50 if version else 0)
    assert addresses.bytes_of_fives(values[1:]) == program


@pytest.mark.parametrize("address", [address for address, _ in SEGWIT_VALID])
def test_segwit_addresses_of_another_network_are_refused(address):
    assert not check("BTC", address, "mainnet" if network_of(address) == "testnet" else "testnet")
    assert not check("BTC", address, "regtest")


@pytest.mark.parametrize("address", SEGWIT_INVALID)
@pytest.mark.parametrize("network", ["mainnet", "testnet"])
def test_invalid_segwit_addresses_are_refused(address, network):
    assert not check("BTC", address, network)


@pytest.mark.parametrize("legacy, bare", TRANSLATIONS)
def test_both_forms_of_a_cash_address_pass_and_name_the_same_hash(legacy, bare):
    cashaddr = "bitcoincash:" + bare
    assert check("BCH", legacy)
    kind, script_hash = cashaddr_hash(cashaddr, "bitcoincash")
    version_and_hash = addresses.base58check_bytes(legacy)
    assert version_and_hash == bytes([(0x00, 0x05)[kind]]) + script_hash
    for form in (cashaddr, bare, cashaddr.upper(), bare.upper()):
        assert check("BCH", form)
        assert not check("BCH", form, "testnet")
        assert not check("BTC", form)


@pytest.mark.parametrize("form", [
    "bitcoincash:QPM2QSZNHKS23Z7629MMS6S4CWEF74VCWVY22GDX6A",     # mixed case
    "BITCOINCASH:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
    "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6A",
    "bitcoincash:bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
    ":qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",     # empty is not left out
    "bchtest:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
    "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6q",     # checksum
    "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6b",     # no base32 character
    "QPM2QSZNH\u212aS23Z7629MMS6S4CWEF74VCWVY22GDX6A",             # a Kelvin sign for the K
    "bitcoincash:",
    "",
])
def test_broken_cash_addresses_are_refused(form):
    assert not check("BCH", form)


@pytest.mark.parametrize("text", CASHADDR_CHECKSUMS)
def test_cashaddr_checksums_without_a_valid_payload(text):
    prefix = text.partition(":")[0]
    assert addresses.cashaddr_values(text, prefix) is not None
    assert addresses.cashaddr_values(text[:-1] + ("q" if text[-1] != "q" else "p"), prefix) is None
    assert not check("BCH", text)


@pytest.mark.parametrize("size, kind, text, script_hash", CASHADDRS)
def test_cashaddrs_of_all_sizes_are_decoded(size, kind, text, script_hash):
    prefix = text.partition(":")[0]
    assert cashaddr_hash(text, prefix) == (kind, script_hash)
    assert len(script_hash) == size
    networks = {"bitcoincash": "mainnet", "bchtest": "testnet"}
    payable = prefix in networks and (size == 20 or kind == 1 and size == 32)
    assert check("BCH", text, networks.get(prefix, "mainnet")) == payable


@pytest.mark.parametrize("text, type_byte, payload", UNDEFINED_TYPES)
def test_cashaddrs_of_an_undefined_type_are_decoded_but_not_payable(text, type_byte, payload):
    assert addresses.cashaddr_bytes(text, "prefix") == bytes([type_byte]) + payload
    assert not check("BCH", text)


def test_a_size_that_is_not_the_one_of_the_size_bits_is_refused():
    text = UNDEFINED_TYPES[2][0]     # 32 bytes, size bits say 20
    assert addresses.cashaddr_bytes(text, "prefix") is not None
    assert cashaddr_hash(text, "prefix") is None


@pytest.mark.parametrize("address, network, passes", [
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "mainnet", True),      # the first block's
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "mainnet", False),     # checksum
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN0", "mainnet", False),     # 0 is no base58 character
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "testnet", False),
    ("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "testnet", True),
    ("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "mainnet", False),
    ("11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "mainnet", False),    # one zero byte too many
    ("1" * 41, "mainnet", False),
    ("1", "mainnet", False),
])
def test_legacy_addresses(address, network, passes):
    assert check("BTC", address, network) == passes
    assert check("BCH", address, network) == passes


@pytest.mark.parametrize("address, passes", [
    ("TXLAQ63Xg1NAzckPwKHvzw7CSEmLMEqcdj", True), ("x", True), ("~" * 128, True),
    ("", False), ("a b", False), ("x" * 129, False), ("地址", False), ("x\n", False),
    ("x\x7f", False),
])
def test_other_coins_take_any_printable_ascii(address, passes):
    for coin_name in ("USDT", "ORE", "CNY"):
        assert check(coin_name, address) == passes


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(BTC_MAINNET), st.integers(0, 80),
       st.sampled_from("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0OIl"))
def test_one_wrong_character_never_passes(address, place, character):
    place %= len(address)
    changed = address[:place] + character + address[place + 1:]
    assert check("BTC", changed) == (changed == address)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=200))
def test_any_text_has_an_answer(text):
    for coin_name in ("BTC", "BCH", "USDT"):
        check(coin_name, text)


def test_an_unknown_network_is_an_error():
    with pytest.raises(KeyError):
        check("BTC", BTC_MAINNET[0], "mainet")
