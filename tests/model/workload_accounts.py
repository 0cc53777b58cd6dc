"""Commands of a workload about sub-accounts: beginning them, settings, observers, groups, and what
they do with money. Few names, so that they meet; one account is the favorite and full.
"""

from tests.model.commands import (
    AddAccount, AddGroup, AddObserver, AddSubAccount, CancelAll, ChangeObserver, CreateSession,
    CreditBalance, Deposit, LockAccount, OpenWallet, PlaceOrder, RemoveGroup, RemoveObserver,
    RenameGroup, RequestWithdrawal, SetCoinHarvest, SetCoinToMoney, SetContact, SetFees,
    SetMoneyHarvest, SetPassword, SetProfile, SetWithdrawAddress, TransferBalance,
)
from tests.model.money import AMOUNT_MAX

NAMES = [*(f"Main-{number}" for number in range(5)), *(f"sub_{number}" for number in range(20))]
ODD_NAMES = ("", "x" * 33, "a.b", "a b", "é", "a\n")
PHONES = (None, *(f"+86 13{number}" for number in range(3)))
MAILS = (None, "shop@example.org", "Shop@Example.ORG", "farm@example.org")
GROUP_NAMES = 170
ODD_GROUP_NAMES = ("", "x" * 65, "a\0")
BANK = ("北京", "北京", "中国银行", "西二旗支行", "张三", "6217")


def opening() -> list:
    """The favorite account, of the first user."""
    return [AddSubAccount(1, "favorite", 10_000_000, "四川", 10)]


def any_account(workload) -> int:
    """Mostly the favorite; now and then a number that is no sub-account's."""
    choose = workload.random
    if choose.random() < 0.06:
        return choose.choice((0, 1, workload.USERS, -1, 2**32, len(workload.model.users) + 1))
    numbers = list(workload.model.accounts)
    return numbers[0] if choose.random() < 0.7 else choose.choice(numbers)


def any_user(workload) -> int:
    """Mostly one that the house was opened with, else one of all, sub-accounts included."""
    choose = workload.random
    return choose.choice((*[workload.user_or_odd()] * 3,
                          choose.randint(1, len(workload.model.users))))


def any_name(workload) -> str:
    choose = workload.random
    name = choose.choice(ODD_NAMES if choose.random() < 0.05 else NAMES)
    return choose.choice((name, name.upper()))


def odd_or(workload, good, *odd):
    return workload.random.choice(odd) if workload.random.random() < 0.05 else good


def add_account(workload) -> AddAccount:
    choose = workload.random
    username = odd_or(workload, any_name(workload), "user1", "ab", "x" * 65, "with space")
    return AddAccount(username, odd_or(workload, "$argon2id$of-nothing", "", "x" * 257),
                      odd_or(workload, choose.choice(PHONES), "", "1" * 33),
                      odd_or(workload, choose.choice(MAILS), "", "x" * 255))


def add_sub_account(workload) -> AddSubAccount:
    choose = workload.random
    return AddSubAccount(
        any_user(workload), any_name(workload),
        odd_or(workload, choose.choice((0, 10**8, AMOUNT_MAX)), -1, AMOUNT_MAX + 1),
        odd_or(workload, choose.choice(("", "四川", "x" * 128)), "x" * 129, "\x7f"),
        odd_or(workload, choose.choice((0, 10, 2**31 - 1)), -1, 2**31))


def set_contact(workload) -> SetContact:
    choose = workload.random
    return SetContact(any_user(workload),
                      choose.choice((*PHONES, *PHONES, "", "a\nb")),
                      choose.choice((*MAILS, *MAILS, "", "x" * 255)))


def set_fees(workload) -> SetFees:
    choose = workload.random
    command = SetFees(any_account(workload))
    rates = (0, 1, 100, 200, 200, 300, 9_999)
    goods = {"fee_type": (1, 2), "fee": rates, "commission": rates, "bch_pps_fee": rates,
             "bch_commission": rates,
             "refer": (0, *range(1, workload.USERS + 1), *workload.model.accounts)}
    odds = {"fee_type": (0, 3), "refer": (-1, 2**32, command.account)}
    for name in choose.sample(list(goods), choose.choice((0, 1, 1, 2, 3, 6))):
        setattr(command, name, odd_or(workload, choose.choice(goods[name]),
                                      *odds.get(name, (-1, 10_000))))
    return command


def set_coin_harvest(workload) -> SetCoinHarvest:
    choose = workload.random
    coin = odd_or(workload, choose.randint(1, workload.COINS), 0, workload.COINS + 1)
    address = odd_or(workload, f"harvest-{choose.randint(1, 5)}", "", "with space", "x" * 129)
    return SetCoinHarvest(any_account(workload), coin, address,
                          choose.choice((0, 10, 100, 1_000, 10**4, 10**5, 10**6, 10**7, 10**8, -1)))


def set_money_harvest(workload) -> SetMoneyHarvest:
    choose = workload.random
    bank = list(BANK)
    if choose.random() < 0.1:
        bank[choose.randrange(len(bank))] = choose.choice(("", "x" * 65, "x" * 64, "\x85"))
    return SetMoneyHarvest(any_account(workload), *bank, odd_or(
        workload, choose.choice((0, 100, 50_000, AMOUNT_MAX)), 1, 99, -1, AMOUNT_MAX + 1))


def switch(workload):
    choose = workload.random
    command = choose.choice((SetCoinToMoney, LockAccount))
    return command(any_account(workload), choose.choice((True, False)))


def add_observer(workload) -> AddObserver:
    choose = workload.random
    links = list(workload.model.observers.values())
    workload.counter += 1
    token = workload.counter.to_bytes(16, "little")
    if links and choose.random() < 0.05:
        token = choose.choice(links).token
    return AddObserver(any_account(workload), odd_or(workload, token, b"", bytes(15), bytes(17)),
                       odd_or(workload, choose.randint(1, 7), 0, 8, -1),
                       odd_or(workload, choose.choice((None, "", "运维", "x" * 128)), "x" * 129))


def any_link(workload) -> int:
    model = workload.model
    ended_or_none = workload.random.choice((0, -1, 1, 2, 3, model.observers_made + 1))
    return workload.random.choice(([*model.observers] or [0]) + [ended_or_none] * 12)


def change_observer(workload) -> ChangeObserver:
    choose = workload.random
    return ChangeObserver(any_link(workload), choose.choice((None, None, 1, 5, 7, 0, 8)),
                          choose.choice((None, None, "", "财务", "x" * 129, "a\0")))


def remove_observer(workload) -> RemoveObserver:
    return RemoveObserver(any_link(workload))


def group_name(workload) -> str:
    choose = workload.random
    return odd_or(workload, f"group {choose.randint(1, GROUP_NAMES)}", *ODD_GROUP_NAMES)


def of_group(workload) -> tuple[int, int]:
    """(account, group), mostly of each other."""
    number = any_account(workload)
    account = workload.model.accounts.get(number)
    groups = list(account.groups) if account else []
    return number, odd_or(workload, workload.random.choice(groups or [1]), 0, 10**6)


def add_group(workload) -> AddGroup:
    return AddGroup(any_account(workload), group_name(workload))


def rename_group(workload) -> RenameGroup:
    return RenameGroup(*of_group(workload), group_name(workload))


def remove_group(workload) -> RemoveGroup:
    return RemoveGroup(*of_group(workload))


def with_money(workload):
    """What a sub-account does as any user does."""
    choose = workload.random
    number, coin = any_account(workload), choose.choice(workload.SPENDING_COINS)
    pair, side = workload.any_pair(), choose.choice((1, 2))
    order = PlaceOrder(max(number, 0) % 2**32, pair, side, 1, 1, workload.price_near(pair, side),
                       choose.randint(1, 30))
    return choose.choice((
        order, order, order, CancelAll(max(number, 0) % 2**32),
        Deposit(number, coin, choose.randint(1, 10**11), workload.unique("tx")),
        CreditBalance(workload.any_user(), number, coin, 10**9),
        TransferBalance(workload.any_user(), workload.any_user(), number, coin, 10**7),
        TransferBalance(number, number, workload.any_user(), coin, 10**6),
        RequestWithdrawal(number, coin, choose.choice((None, 10**5)))))


def of_people(workload):
    """What a sub-account is refused as if it were not there."""
    number = any_account(workload)
    return workload.random.choice((
        CreateSession(number, bytes(32), 60), SetPassword(number, "hash"), OpenWallet(number),
        SetProfile(number, {"a": "b"}), SetWithdrawAddress(number, 1, "address"),
        SetContact(number, "1"), AddSubAccount(number, "of-an-account", 0, "", 0)))


MAKERS = (
    (add_account, 0.8), (add_sub_account, 1.2), (set_contact, 0.8), (set_fees, 1),
    (set_coin_harvest, 1), (set_money_harvest, 1), (switch, 0.8), (add_observer, 2.2),
    (change_observer, 0.8), (remove_observer, 0.3), (add_group, 2.4), (rename_group, 0.8),
    (remove_group, 0.4), (with_money, 3), (of_people, 0.2),
)
