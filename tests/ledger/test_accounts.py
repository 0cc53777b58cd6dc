"""Accounts against a dict of ints: every posting, every refusal, the trial balance after each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.accounts import Accounts

EXTERNAL, FEES, ISSUANCE = 1, 2, 3
HOUSES = (EXTERNAL, FEES, ISSUANCE)
USERS, COINS = 4, 2
WITH_WALLETS = 2      # the coin
AMOUNT_MAX = 2**63 - 1

amounts = st.one_of(st.integers(0, 20), st.integers(0, AMOUNT_MAX),
                    st.sampled_from([AMOUNT_MAX, AMOUNT_MAX - 1, -1]))
# kind: the account that pays, the account that receives
POSTINGS = {
    "credit": ("house", "available"), "debit": ("available", "house"),
    "hold": ("available", "frozen"), "release": ("frozen", "available"),
    "pay_frozen": ("frozen", "house"), "move": ("available", "available"),
    "credit_wallet": ("house", "wallet"), "debit_wallet": ("wallet", "house"),
    "move_wallet": ("wallet", "wallet"), "extract": ("wallet", "available"),
}
# kind, paying user, other user, coin, amount, house account
postings = st.tuples(st.sampled_from(list(POSTINGS)), st.integers(1, USERS), st.integers(1, USERS),
                     st.integers(1, COINS), amounts, st.sampled_from(HOUSES))


def opened() -> Accounts:
    accounts = Accounts()
    for coin in range(1, COINS + 1):
        accounts.open_coin(coin)
    for user in range(1, USERS + 1):
        accounts.open_user(user)
    accounts.open_wallets(WITH_WALLETS)
    return accounts


def post(accounts: Accounts, kind: str, user: int, other: int, coin: int, amount: int,
         house: int) -> bool:
    call = getattr(accounts, kind)
    if "house" in POSTINGS[kind]:
        return bool(call(user, coin, amount, house))
    if kind in ("hold", "release"):
        return bool(call(user, coin, amount))
    return bool(call(user, other, coin, amount))


def post_naively(balances: dict, kind: str, user: int, other: int, coin: int, amount: int,
                 house: int) -> bool:
    """`balances` maps (kind of balance, owner, coin) to units."""
    source, target = POSTINGS[kind]
    receiver = other if kind in ("move", "move_wallet", "extract") else user
    source = (source, house if source == "house" else user, coin)
    target = (target, house if target == "house" else receiver, coin)
    if amount < 0:
        return False
    after = dict(balances)
    after[source] = after.get(source, 0) - amount
    after[target] = after.get(target, 0) + amount
    if source[0] == "house":
        if sum(max(-after.get(("house", each, coin), 0), 0) for each in HOUSES) > AMOUNT_MAX:
            return False
    elif balances.get(source, 0) < amount:
        return False
    balances |= after
    return True


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(postings, max_size=40))
def test_postings_agree_with_the_naive_ledger(steps):
    accounts, balances = opened(), {}
    for kind, user, other, coin, amount, house in steps:
        if "wallet" in POSTINGS[kind]:
            coin = WITH_WALLETS
        step = kind, user, other, coin, amount, house
        assert post(accounts, *step) == post_naively(balances, *step)
        assert accounts.check() == []
        for each in range(1, USERS + 1):
            assert accounts.available(each, coin) == balances.get(("available", each, coin), 0)
            assert accounts.frozen(each, coin) == balances.get(("frozen", each, coin), 0)
            if coin == WITH_WALLETS:
                assert accounts.wallet(each, coin) == balances.get(("wallet", each, coin), 0)
        for each in HOUSES:
            assert accounts.house(each, coin) == balances.get(("house", each, coin), 0)
    again = Accounts.load(accounts.dump())
    assert again.dump() == accounts.dump()
    assert again.has_wallets(WITH_WALLETS) and not again.has_wallets(1)


def test_a_supply_of_all_64_bits_is_the_limit():
    accounts = opened()
    assert accounts.credit(1, 1, AMOUNT_MAX, EXTERNAL)
    assert not accounts.credit(2, 1, 1, EXTERNAL)
    assert accounts.debit(1, 1, 1, EXTERNAL)
    assert accounts.credit(2, 1, 1, EXTERNAL)
    assert accounts.trial_balance(1) == 0


@pytest.mark.parametrize("first, second", [
    ("credit", "credit"), ("credit", "credit_wallet"), ("credit_wallet", "credit")])
def test_all_house_accounts_have_one_limit(first, second):
    accounts = opened()
    assert getattr(accounts, first)(1, WITH_WALLETS, AMOUNT_MAX - 5, EXTERNAL)
    assert not getattr(accounts, second)(1, WITH_WALLETS, 6, ISSUANCE)
    assert getattr(accounts, second)(1, WITH_WALLETS, 5, ISSUANCE)
    assert not getattr(accounts, second)(1, WITH_WALLETS, 1, FEES)
    assert accounts.check() == []


def test_what_the_house_has_above_zero_may_leave_at_the_limit():
    accounts = opened()
    accounts.credit(1, 1, AMOUNT_MAX, EXTERNAL)
    accounts.debit(1, 1, 100, FEES)
    assert accounts.credit(2, 1, 100, FEES)
    assert not accounts.credit(2, 1, 1, FEES)
    assert (accounts.available(2, 1), accounts.house(FEES, 1)) == (100, 0)


def test_wallets_are_opened_once_and_keep_what_they_hold():
    accounts = opened()
    accounts.credit_wallet(1, WITH_WALLETS, 5, ISSUANCE)
    accounts.open_wallets(WITH_WALLETS)
    assert accounts.wallet(1, WITH_WALLETS) == 5
    accounts.open_wallets(1)
    assert (accounts.wallet(1, 1), accounts.check()) == (0, [])


@pytest.mark.parametrize("kind, args", [
    ("wallet", (1, 1)), ("wallet", (0, WITH_WALLETS)), ("wallet", (USERS + 1, WITH_WALLETS)),
    ("wallet", (1, COINS + 1)), ("credit_wallet", (1, 1, 1, ISSUANCE)),
    ("credit_wallet", (1, WITH_WALLETS, 1, 8)), ("debit_wallet", (1, 1, 0, FEES)),
    ("debit_wallet", (1, WITH_WALLETS, 0, 8)), ("move_wallet", (1, 2, 1, 0)),
    ("move_wallet", (1, USERS + 1, WITH_WALLETS, 0)), ("extract", (1, 2, 1, 0)),
    ("extract", (1, USERS + 1, WITH_WALLETS, 0)), ("move", (1, USERS + 1, 1, 0)),
    ("move", (0, 1, 1, 0)), ("open_wallets", (COINS + 1,)), ("has_wallets", (0,))])
def test_a_wallet_that_does_not_exist_is_an_index_error(kind, args):
    with pytest.raises(IndexError):
        getattr(opened(), kind)(*args)


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
    accounts.credit_wallet(3, 2, 78, EXTERNAL)
    for user in range(USERS + 1, 1500):
        accounts.open_user(user)
    accounts.credit(1499, 2, 5, EXTERNAL)
    accounts.credit_wallet(1499, 2, 6, EXTERNAL)
    for each in (accounts, Accounts.load(accounts.dump())):
        assert (each.available(3, 2), each.available(1499, 2)) == (77, 5)
        assert (each.wallet(3, 2), each.wallet(1499, 2)) == (78, 6)
        assert each.trial_balance(2) == 0


def test_a_dump_of_another_length_is_refused():
    dumped = opened().dump()
    for length in range(len(dumped)):
        with pytest.raises(ValueError):
            Accounts.load(dumped[:length])
    for more in (b"\0", bytes(8)):
        with pytest.raises(ValueError):
            Accounts.load(dumped + more)


@pytest.mark.parametrize("coins, users", [(0, 2**32 - 1), (1, 2**32 - 1), (1000, 2**32 - 2),
                                          (1001, 0), (2**32 - 1, 2**32 - 1)])
def test_numbers_that_no_dump_has_are_refused_before_room_is_made(coins, users):
    with pytest.raises(ValueError):
        Accounts.load(coins.to_bytes(4, "little") + users.to_bytes(4, "little"))


def test_a_coin_has_wallets_or_has_none():
    dumped = bytearray(opened().dump())
    dumped[8] = 2
    with pytest.raises(ValueError):
        Accounts.load(bytes(dumped))


def test_users_may_be_more_than_half_of_all_32_bit_numbers():
    users = 2**31
    assert Accounts.load(b"\0\0\0\0" + users.to_bytes(4, "little")).user_count == users
