"""Addresses: known answers that must never change, the way back, and no wrong one that passes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.wallet_addresses import ALPHABET, LENGTH, address_of, number_of

KNOWN = {
    0: "Jrjhih951CMgS9x",
    1: "Wh3hcRWqCqn8yCd",
    2: "Xh2cksYABwaFg18",
    3: "X6BH7Bqza3RtsKf",
    1000: "G8kv9WvupkofwES",
    2**32 - 1: "1VbXcRkxidyfQvT",
}
CHOSEN = [1, 2, 3, 2**31, 2**32 - 1, *random.Random(1).sample(range(2**32), 145)]

numbers = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("number, address", KNOWN.items())
def test_known_addresses_never_change(number, address):
    assert address_of(number) == address
    assert number_of(address) == number


@given(number=numbers)
def test_an_address_leads_back_to_its_number(number):
    address = address_of(number)
    assert len(address) == LENGTH and set(address) <= set(ALPHABET)
    assert number_of(address) == number


def test_a_wrong_character_is_never_another_wallets():
    for number in CHOSEN:
        address = address_of(number)
        for place, right in enumerate(address):
            for wrong in ALPHABET:
                if wrong != right:
                    assert number_of(address[:place] + wrong + address[place + 1:]) is None


def test_two_characters_that_changed_places_are_never_another_wallets():
    for number in CHOSEN:
        address = address_of(number)
        for first in range(LENGTH):
            for second in range(first + 1, LENGTH):
                swapped = list(address)
                swapped[first], swapped[second] = address[second], address[first]
                if swapped != list(address):
                    assert number_of("".join(swapped)) is None


@pytest.mark.parametrize("text", [
    "", "1", KNOWN[1][:-1], KNOWN[1] + "1", "1" + KNOWN[1], " " + KNOWN[1][1:], KNOWN[1].lower(),
    KNOWN[1].upper(), KNOWN[1][:-1] + "0", KNOWN[1][:-1] + "O", KNOWN[1][:-1] + "I",
    KNOWN[1][:-1] + "l", KNOWN[1][:-1] + "\u0661", KNOWN[1] + "\n", "1" * LENGTH, "z" * LENGTH])
def test_what_is_no_address_has_no_number(text):
    assert number_of(text) is None


@given(text=st.one_of(st.text(max_size=20), st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)))
def test_any_text_is_answered(text):
    number = number_of(text)
    assert number is None or address_of(number) == text


def test_neighbours_look_unrelated():
    addresses = [address_of(number) for number in range(1, 2_001)]
    same = [sum(one == other for one, other in zip(*pair))
            for pair in zip(addresses, addresses[1:])]
    # 14 of 58 characters and one of 32: 0.27 places are the same by chance
    assert 0.2 < sum(same) / len(same) < 0.34
    assert max(same) <= 4
    for place in range(1, LENGTH):
        assert len({address[place] for address in addresses}) == len(ALPHABET)


@pytest.mark.parametrize("number", [-1, 2**32])
def test_a_number_beyond_32_bits_has_no_address(number):
    with pytest.raises(ValueError):
        address_of(number)
