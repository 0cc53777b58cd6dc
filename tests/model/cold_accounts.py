"""The cold commands about sub-accounts, observers, groups and contacts.

Each function checks, in the order of its lines, and only then changes something. A sub-account is a
user of group 3 whose name begins with a control character; what the pool knows of it stands beside.
"""

from fractions import Fraction

from engine.codes import FeeType, Result
from tests.model import cold_shares, commands
from tests.model.cold_users import is_text
from tests.model.money import AMOUNT_MAX
from tests.model.state import SUB_ACCOUNT, Account, Observer, User, person

ACCOUNTS_MAX = 1_000             # of one master
OBSERVERS_MAX = 100              # of one account
GROUPS_MAX = 100                 # of one account
RATE_MAX = 9_999
NAME_CHARACTERS = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
COIN_MINS = (0, Fraction(1, 1_000), Fraction(1, 100), Fraction(1, 10))


def is_account_name(text: str) -> bool:
    return 1 <= len(text) <= 32 and NAME_CHARACTERS.issuperset(text)


def is_text_or_empty(text: str, length_max: int) -> bool:
    return text == "" or is_text(text, length_max)


def account_named(model, name: str) -> Account | None:
    return next((account for account in model.accounts.values()
                 if account.name.lower() == name.lower()), None)


def open_account(model, master: int, name: str) -> Account:
    number = len(model.users) + 1
    model.users[number] = User(number, "\x1f" + name, group=SUB_ACCOUNT)
    model.accounts[number] = Account(number, master, name)
    return model.accounts[number]


def note_contacts(model, user: User, **given: str | None) -> None:
    """What is new comes last among those who have it; a mail in other letters is not new."""
    for what, text in given.items():
        old = getattr(user, what)
        if text is None:
            continue
        setattr(user, what, text)
        if what == "email":
            old, text = old and old.casefold(), text.casefold()
        if old != text:
            model.contacts = [entry for entry in model.contacts if entry != (what, old, user.uid)]
            model.contacts.append((what, text, user.uid))


# Accounts

def add_account(model, c: commands.AddAccount) -> tuple[int, object]:
    if len(c.username) < 3 or not is_text(c.username, 64):
        return Result.BAD_USERNAME, None
    if not is_account_name(c.username):
        return Result.BAD_NAME, None
    if not is_text(c.password_hash, 256):
        return Result.BAD_PASSWORD_HASH, None
    if c.email is not None and not is_text(c.email, 254):
        return Result.BAD_EMAIL, None
    if c.phone is not None and not is_text(c.phone, 32):
        return Result.BAD_PHONE, None
    if c.email is None and c.phone is None:
        return Result.NO_CONTACT, None
    if any(user.username.casefold() == c.username.casefold() for user in model.users.values()):
        return Result.USER_EXISTS, None
    if account_named(model, c.username) is not None:
        return Result.ACCOUNT_EXISTS, None
    uid = len(model.users) + 1
    model.users[uid] = User(uid, c.username, group=2)
    note_contacts(model, model.users[uid], phone=c.phone, email=c.email)
    return Result.OK, {"uid": uid, "account": open_account(model, uid, c.username).number}


def add_sub_account(model, c: commands.AddSubAccount) -> tuple[int, object]:
    if person(model, c.uid) is None:
        return Result.UNKNOWN_USER, None
    if not is_account_name(c.name):
        return Result.BAD_NAME, None
    if not 0 <= c.theory_speed <= AMOUNT_MAX:
        return Result.BAD_SPEED, None
    if not is_text_or_empty(c.description, 128):
        return Result.BAD_DESCRIPTION, None
    if not 0 <= c.worker_count < 2**31:
        return Result.BAD_WORKER_COUNT, None
    if account_named(model, c.name) is not None:
        return Result.ACCOUNT_EXISTS, None
    if sum(account.master == c.uid for account in model.accounts.values()) >= ACCOUNTS_MAX:
        return Result.TOO_MANY_ACCOUNTS, None
    account = open_account(model, c.uid, c.name)
    account.theory_speed = c.theory_speed
    account.description = c.description
    account.worker_count = c.worker_count
    return Result.OK, account.number


def set_contact(model, c: commands.SetContact) -> tuple[int, object]:
    user = person(model, c.uid)
    if user is None:
        return Result.UNKNOWN_USER, None
    if c.phone is None and c.email is None:
        return Result.NO_CONTACT, None
    if c.email is not None and not is_text(c.email, 254):
        return Result.BAD_EMAIL, None
    if c.phone is not None and not is_text(c.phone, 32):
        return Result.BAD_PHONE, None
    note_contacts(model, user, phone=c.phone, email=c.email)
    return Result.OK, None


def set_fees(model, c: commands.SetFees) -> tuple[int, object]:
    account = model.accounts.get(c.account)
    if account is None:
        return Result.UNKNOWN_ACCOUNT, None
    given = {name: getattr(c, name) for name in (
        "fee_type", "fee", "refer", "commission", "bch_pps_fee", "bch_commission")
        if getattr(c, name) is not None}
    if not given:
        return Result.NO_CHANGE, None
    if "fee_type" in given and c.fee_type not in FeeType.__members__.values():
        return Result.BAD_FEE_TYPE, None
    if any(name in given and not 0 <= given[name] <= RATE_MAX for name in ("fee", "bch_pps_fee")):
        return Result.BAD_FEE, None
    if given.get("refer") and (c.refer not in model.users
                               or c.refer in (account.number, account.master)):
        return Result.BAD_REFER, None
    for commission, fee in (("commission", "fee"), ("bch_commission", "bch_pps_fee")):
        commission, fee = (given.get(name, getattr(account, name)) for name in (commission, fee))
        if commission < 0 or commission > fee:
            return Result.BAD_COMMISSION, None
    for name, value in given.items():
        setattr(account, name, value)
    return Result.OK, None


def set_coin_harvest(model, c: commands.SetCoinHarvest) -> tuple[int, object]:
    account = model.accounts.get(c.account)
    if account is None:
        return Result.UNKNOWN_ACCOUNT, None
    if c.coin not in model.coins:
        return Result.UNKNOWN_COIN, None
    # The model's coins are none whose addresses have a form of their own.
    if not 1 <= len(c.address) <= 128 or any(not "!" <= one <= "~" for one in c.address):
        return Result.BAD_ADDRESS, None
    if Fraction(c.min, 10 ** model.coins[c.coin].scale) not in COIN_MINS:
        return Result.BAD_MIN, None
    account.coin_harvests[c.coin] = (c.min, model.ts_ns)
    model.users[c.account].addresses[c.coin] = c.address
    return Result.OK, None


def set_money_harvest(model, c: commands.SetMoneyHarvest) -> tuple[int, object]:
    account = model.accounts.get(c.account)
    if account is None:
        return Result.UNKNOWN_ACCOUNT, None
    bank = (c.province, c.city, c.bank, c.branch, c.owner, c.number)
    if not all(is_text(text, 64) for text in bank):
        return Result.BAD_BANK, None
    if c.min < 0 or 0 < c.min < 100 or c.min > AMOUNT_MAX:
        return Result.BAD_MIN, None
    account.money_harvest = (*bank, c.min, model.ts_ns)
    return Result.OK, None


def set_coin_to_money(model, c: commands.SetCoinToMoney) -> tuple[int, object]:
    if c.account not in model.accounts:
        return Result.UNKNOWN_ACCOUNT, None
    model.accounts[c.account].coin_to_money = c.auto
    return Result.OK, None


def lock_account(model, c: commands.LockAccount) -> tuple[int, object]:
    if c.account not in model.accounts:
        return Result.UNKNOWN_ACCOUNT, None
    model.accounts[c.account].locked = c.locked
    return Result.OK, None


# Observers

def add_observer(model, c: commands.AddObserver) -> tuple[int, object]:
    if c.account not in model.accounts:
        return Result.UNKNOWN_ACCOUNT, None
    if len(c.token) != 16:
        return Result.BAD_TOKEN, None
    if c.rights not in range(1, 8):
        return Result.BAD_RIGHTS, None
    if c.remark is not None and not is_text_or_empty(c.remark, 128):
        return Result.BAD_REMARK, None
    if any(link.token == c.token for link in model.observers.values()):
        return Result.OBSERVER_EXISTS, None
    if sum(link.account == c.account for link in model.observers.values()) >= OBSERVERS_MAX:
        return Result.TOO_MANY_OBSERVERS, None
    model.observers_made += 1
    model.observers[model.observers_made] = Observer(
        c.account, c.token, c.rights, model.ts_ns, c.remark or "")
    return Result.OK, model.observers_made


def change_observer(model, c: commands.ChangeObserver) -> tuple[int, object]:
    link = model.observers.get(c.id)
    if link is None:
        return Result.UNKNOWN_OBSERVER, None
    if c.rights is None and c.remark is None:
        return Result.NO_CHANGE, None
    if c.rights is not None and c.rights not in range(1, 8):
        return Result.BAD_RIGHTS, None
    if c.remark is not None and not is_text_or_empty(c.remark, 128):
        return Result.BAD_REMARK, None
    if c.rights is not None:
        link.rights = c.rights
    if c.remark is not None:
        link.remark = c.remark
    return Result.OK, None


def remove_observer(model, c: commands.RemoveObserver) -> tuple[int, object]:
    if c.id not in model.observers:
        return Result.UNKNOWN_OBSERVER, None
    del model.observers[c.id]
    return Result.OK, None


# Groups

def add_group(model, c: commands.AddGroup) -> tuple[int, object]:
    account = model.accounts.get(c.account)
    if account is None:
        return Result.UNKNOWN_ACCOUNT, None
    if not is_text(c.name, 64):
        return Result.BAD_NAME, None
    if c.name in account.groups.values():
        return Result.GROUP_EXISTS, None
    if len(account.groups) >= GROUPS_MAX:
        return Result.TOO_MANY_GROUPS, None
    account.groups_made += 1
    account.groups[account.groups_made] = c.name
    return Result.OK, account.groups_made


def rename_group(model, c: commands.RenameGroup) -> tuple[int, object]:
    account = model.accounts.get(c.account)
    if account is None:
        return Result.UNKNOWN_ACCOUNT, None
    if c.id not in account.groups:
        return Result.UNKNOWN_GROUP, None
    if not is_text(c.name, 64):
        return Result.BAD_NAME, None
    if c.name in account.groups.values() and account.groups[c.id] != c.name:
        return Result.GROUP_EXISTS, None
    account.groups[c.id] = c.name
    return Result.OK, None


def remove_group(model, c: commands.RemoveGroup) -> tuple[int, object]:
    if c.account not in model.accounts:
        return Result.UNKNOWN_ACCOUNT, None
    if c.id not in model.accounts[c.account].groups:
        return Result.UNKNOWN_GROUP, None
    del model.accounts[c.account].groups[c.id]
    cold_shares.ungroup(model, c.account, c.id)
    return Result.OK, None


HANDLERS = {
    commands.AddAccount: add_account,
    commands.AddSubAccount: add_sub_account,
    commands.SetContact: set_contact,
    commands.SetFees: set_fees,
    commands.SetCoinHarvest: set_coin_harvest,
    commands.SetMoneyHarvest: set_money_harvest,
    commands.SetCoinToMoney: set_coin_to_money,
    commands.LockAccount: lock_account,
    commands.AddObserver: add_observer,
    commands.ChangeObserver: change_observer,
    commands.RemoveObserver: remove_observer,
    commands.AddGroup: add_group,
    commands.RenameGroup: rename_group,
    commands.RemoveGroup: remove_group,
}
