"""Sub-accounts: what is kept of each, by number and by master, and what it costs."""

import tracemalloc

import msgpack
import pytest

from ledger.users import Users
from pool.subaccounts import (
    CoinHarvest, Group, MoneyHarvest, SubAccount, SubAccounts, is_account_name, packed, unpacked,
)

BANK = MoneyHarvest("北京", "北京", "中国银行", "西二旗支行", "张三", "6217 0000 1234", 50_000, 7)


def filled():
    """Master 1 has accounts 3 and 5, master 2 has 4."""
    accounts = SubAccounts()
    accounts.add(3, 1, "Farm")
    accounts.add(4, 2, "hall", theory_speed=12_000_000, description="四川", worker_count=10)
    accounts.add(5, 1, "farm-2")
    accounts.change(4, coin_harvests=(CoinHarvest(2, 0, 7), CoinHarvest(1, 10**6, 8)),
                    money_harvest=BANK, groups=(Group(1, "a"), Group(3, "c")), next_group=5,
                    refer=3, commission=199, locked=True)
    return accounts


def reloaded(accounts):
    return SubAccounts.load(msgpack.unpackb(msgpack.packb(accounts.dump())))


@pytest.mark.parametrize("accounts", [filled(), reloaded(filled())], ids=["live", "reloaded"])
def test_all_that_was_set_is_there(accounts):
    assert accounts.get(3) == SubAccount(3, 1, "Farm")
    hall = accounts.get(4)
    assert (hall.theory_speed, hall.description, hall.worker_count) == (12_000_000, "四川", 10)
    assert hall.money_harvest == BANK and hall.money_harvest.branch == "西二旗支行"
    assert hall.coin_harvest(1) == CoinHarvest(1, 10**6, 8) and hall.coin_harvest(3) is None
    assert hall.group(3) == hall.group_named("c") == Group(3, "c")
    assert hall.group(2) is hall.group_named("C") is None
    assert (hall.refer, hall.commission, hall.locked, hall.coin_to_money) == (3, 199, True, False)
    assert accounts.of_master(1) == (3, 5) and accounts.of_master(3) == ()
    assert [account.number for account in accounts] == [3, 4, 5] and len(accounts) == 3
    assert 4 in accounts and 2 not in accounts and accounts.get(2) is None
    assert accounts.check() == []


def test_a_new_one_has_the_usual_fees():
    new = filled().get(3)
    assert (new.fee_type, new.fee, new.bch_pps_fee) == (2, 200, 200)
    assert (new.commission, new.bch_commission, new.refer) == (0, 0, 0)
    assert new.money_harvest is None and not new.locked and new.next_group == 1


def test_an_account_is_as_it_was_when_asked_for():
    accounts = filled()
    before, digest = accounts.get(3), accounts.digest()
    after = accounts.change(3, locked=True)
    assert not before.locked and after == accounts.get(3) and accounts.digest() != digest
    accounts.change(3, locked=False)
    assert accounts.digest() == digest
    with pytest.raises(KeyError):
        accounts.change(6, locked=True)


def test_a_dump_is_all_of_it():
    accounts = filled()
    again = reloaded(accounts)
    assert (again.dump(), again.digest()) == (accounts.dump(), accounts.digest())
    assert list(again) == list(accounts)
    numbers, records = accounts.dump()
    for broken in ([numbers * 2, records * 2], [numbers, records[1:]], [numbers]):
        with pytest.raises(ValueError):
            SubAccounts.load(broken)


@pytest.mark.parametrize("fields, fault", [
    ({"fee": 10_000}, "fees (10000, 200)"),
    ({"commission": 201}, "commissions (201, 0)"),
    ({"bch_commission": -1}, "commissions (0, -1)"),
    ({"coin_harvests": (CoinHarvest(1, 0, 1), CoinHarvest(1, 5, 2))}, "settings for coins [1, 1]"),
    ({"groups": (Group(1, "a"),)}, "groups [1], the next is 1"),
    ({"groups": (Group(2, "a"), Group(1, "b")), "next_group": 3}, "groups [2, 1]"),
    ({"groups": (Group(0, "a"),)}, "groups [0]"),
    ({"groups": (Group(1, "a"), Group(2, "a")), "next_group": 3}, "one name twice"),
    ({"groups": tuple(Group(n, str(n)) for n in range(1, 102)), "next_group": 102}, "101 groups"),
])
def test_check_notices_a_wrong_field(fields, fault):
    accounts = filled()
    accounts.change(3, **fields)
    assert any(f"sub-account 3: {fault}" in found or fault in found for found in accounts.check())


@pytest.mark.parametrize("tamper, fault", [
    (lambda accounts: accounts._by_master.update({1: (5,)}), "sub-account 3 is not among"),
    (lambda accounts: accounts._by_master.update({2: (4, 5)}), "3 sub-accounts, 4 by master"),
    (lambda accounts: accounts._by_master.update({9: ()}), "user 9 has 0 sub-accounts"),
    (lambda accounts: accounts._records._records.update(
        {3: packed(SubAccount(3, 1, "Mallory"))}), "running hash of the sub-accounts"),
    (lambda accounts: accounts.add(2, 1, "late"), "numbers of the sub-accounts do not rise"),
])
def test_check_notices_what_goes_past_the_store(tamper, fault):
    accounts = filled()
    tamper(accounts)
    assert any(fault in found for found in accounts.check())


@pytest.mark.parametrize("name, expected", [
    ("a", True), ("A-Z_09", True), ("x" * 32, True), ("", False), ("x" * 33, False),
    ("a.b", False), ("a b", False), ("é", False), ("a\n", False), ("\x1fa", False), ("١", False),
])
def test_names(name, expected):
    assert is_account_name(name) == expected


@pytest.mark.slow
def test_an_account_with_all_settings_takes_less_than_a_kibibyte():
    count = 5_000
    tracemalloc.start()
    users, accounts = Users(), SubAccounts()
    for number in range(1, count + 1):
        name = f"sub-account-{number}"
        users.add_sub_account(name, 10**18 + number)
        users.change(number, withdraw_addresses=((1, f"bc1q{number:038}"), (2, f"q{number:041}")))
        accounts.add(number, 10**6 + number // 3, name, theory_speed=10**8, worker_count=1_000,
                     description=f"The {number}th hall beyond the river")
        accounts.change(
            number, coin_harvests=(CoinHarvest(1, 10**6, 10**18), CoinHarvest(2, 10**6, 10**18)),
            money_harvest=BANK._replace(number=f"6217 {number:015}"), refer=number // 2,
            groups=(Group(1, f"row {number}"), Group(2, "四川")), next_group=3)
    size_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size_bytes / count < 1024


def test_a_packed_account_is_what_it_was():
    for account in filled():
        assert unpacked(packed(account)) == account
