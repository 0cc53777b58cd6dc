"""Accounts against a dict of ints: every posting, every refusal, the trial balance after each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.accounts import Accounts

EXTERNAL, FEES = 1, 2
USERS, COINS = 4, 2
AMOUNT_MAX = 2**63 - 1

amounts = st.one_of(st.integers(0, 20), st.integers(0, AMOUNT_MAX),
                    st.sampled_from([AMOUNT_MAX, AMOUNT_MAX - 1, -1]))
postings = st.tuples(st.sampled_from(["credit", "debit", "hold", "release", "pay_frozen"]),
                     st.integers(1, USERS), st.integers(1, COINS), amounts)


def opened() -> Accounts:
    accounts = Accounts()
    for coin in range(1, COINS + 1):
        accounts.open_coin(coin)
    for user in range(1, USERS + 1):
        accounts.open_user(user)
    return accounts


def post_naively(balances: dict, kind: str, user: int, coin: int, amount: int) -> bool:
    """`balances` maps (kind of balance, owner, coin) to units."""
    source, target = {
        "credit": (("house", EXTERNAL, coin), ("available", user, coin)),
        "debit": (("available", user, coin), ("house", EXTERNAL, coin)),
        "hold": (("available", user, coin), ("frozen", user, coin)),
        "release": (("frozen", user, coin), ("available", user, coin)),
        "pay_frozen": (("frozen", user, coin), ("house", EXTERNAL, coin)),
    }[kind]
    if amount < 0:
        return False
    if source[0] == "house":
        if max(-balances.get(source, 0), 0) + amount > AMOUNT_MAX:
            return False
    elif balances.get(source, 0) < amount:
        return False
    balances[source] = balances.get(source, 0) - amount
    balances[target] = balances.get(target, 0) + amount
    return True


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(postings, max_size=40))
def test_postings_agree_with_the_naive_ledger(steps):
    accounts, balances = opened(), {}
    for kind, user, coin, amount in steps:
        call = getattr(accounts, kind)
        if kind in ("hold", "release"):
            done = call(user, coin, amount)
        else:
            done = call(user, coin, amount, EXTERNAL)
        assert bool(done) == post_naively(balances, kind, user, coin, amount)
        assert accounts.check() == []
        for each in range(1, USERS + 1):
            assert accounts.available(each, coin) == balances.get(("available", each, coin), 0)
            assert accounts.frozen(each, coin) == balances.get(("frozen", each, coin), 0)
        assert accounts.house(EXTERNAL, coin) == balances.get(("house", EXTERNAL, coin), 0)
    assert Accounts.load(accounts.dump()).dump() == accounts.dump()


def test_a_supply_of_all_64_bits_is_the_limit():
    accounts = opened()
    assert accounts.credit(1, 1, AMOUNT_MAX, EXTERNAL)
    assert not accounts.credit(2, 1, 1, EXTERNAL)
    assert accounts.debit(1, 1, 1, EXTERNAL)
    assert accounts.credit(2, 1, 1, EXTERNAL)
    assert accounts.trial_balance(1) == 0


@pytest.mark.parametrize("user, coin, house", [
    (0, 1, 1), (USERS + 1, 1, 1), (1, 0, 1), (1, COINS + 1, 1), (1, 1, 8)])
def test_what_does_not_exist_is_an_index_error(user, coin, house):
    with pytest.raises(IndexError):
        opened().credit(user, coin, 1, house)


def test_users_and_coins_come_one_by_one():
    accounts = opened()
    with pytest.raises(IndexError):
        accounts.open_user(USERS + 2)
    with pytest.raises(IndexError):
        accounts.open_coin(COINS + 2)


def test_balances_stay_where_they_are_when_users_come():
    accounts = opened()
    accounts.credit(3, 2, 77, EXTERNAL)
    for user in range(USERS + 1, 1500):
        accounts.open_user(user)
    accounts.credit(1499, 2, 5, EXTERNAL)
    assert (accounts.available(3, 2), accounts.available(1499, 2)) == (77, 5)
    assert accounts.trial_balance(2) == 0
    assert Accounts.load(accounts.dump()).available(1499, 2) == 5


def test_a_dump_of_another_length_is_refused():
    with pytest.raises(ValueError):
        Accounts.load(opened().dump()[:-1])


def test_users_may_be_more_than_half_of_all_32_bit_numbers():
    users = 2**31
    assert Accounts.load(b"\0\0\0\0" + users.to_bytes(4, "little")).user_count == users
