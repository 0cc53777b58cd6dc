"""The pool's sub-accounts: beginning them, their fees, how they are paid; their masters' contacts.

A sub-account has a ledger account of its own, under a number from the sequence of uids, so that
money commands take it as any user. It has no password and no session: commands about logging in
know it as little as a number that nobody has.
"""

from engine.codes import FeeType, Kind, Result
from engine.handlers.checks import AMOUNT_MAX, is_password_hash, is_text
from engine.handlers.users import EMAIL_LENGTH_MAX, PHONE_LENGTH_MAX
from ledger import addresses
from ledger.users import USERS_MAX, is_username
from pool.subaccounts import (
    ACCOUNTS_PER_MASTER_MAX, RATE_MAX, CoinHarvest, MoneyHarvest, is_account_name,
)

ORDINARY_USER = 2
DESCRIPTION_LENGTH_MAX = 128
WORKER_COUNT_MAX = 2**31 - 1
BANK_LENGTH_MAX = 64
BANK_FIELDS = ("province", "city", "bank", "branch", "owner", "number")
MONEY_MIN = 100                     # 1.00 CNY
COIN_MIN_SCALES = (1, 2, 3)         # 0.1, 0.01, 0.001 of a coin
FEE_TYPES = frozenset(int(fee_type) for fee_type in FeeType)
FEE_FIELDS = ("fee_type", "fee", "refer", "commission", "bch_pps_fee", "bch_commission")


def add_account(core, ts_ns, seq, args):
    """BAD_USERNAME, BAD_NAME (a username, but no name of a sub-account), BAD_PASSWORD_HASH,
    BAD_EMAIL, BAD_PHONE, NO_CONTACT (neither), USER_EXISTS, ACCOUNT_EXISTS, TOO_MANY_USERS."""
    username, email, phone = args["username"], args.get("email"), args.get("phone")
    if not is_username(username):
        return Result.BAD_USERNAME
    if not is_account_name(username):
        return Result.BAD_NAME
    if not is_password_hash(args["password_hash"]):
        return Result.BAD_PASSWORD_HASH
    if email is not None and not is_text(email, 1, EMAIL_LENGTH_MAX):
        return Result.BAD_EMAIL
    if phone is not None and not is_text(phone, 1, PHONE_LENGTH_MAX):
        return Result.BAD_PHONE
    if email is None and phone is None:
        return Result.NO_CONTACT
    if core.users.by_name(username) is not None:
        return Result.USER_EXISTS
    if core.users.sub_account(username) is not None:
        return Result.ACCOUNT_EXISTS
    if len(core.users) + 2 > USERS_MAX:
        return Result.TOO_MANY_USERS
    user = core.users.add(username, args["password_hash"], ORDINARY_USER, ts_ns, email, phone)
    core.open_user(user.uid)
    core.contacts.add(user)
    account = open_account(core, ts_ns, user.uid, username)
    return Result.OK, {"uid": user.uid, "account": account}


def add_sub_account(core, ts_ns, seq, args):
    """UNKNOWN_USER (also: a sub-account), BAD_NAME, BAD_SPEED, BAD_DESCRIPTION, BAD_WORKER_COUNT,
    ACCOUNT_EXISTS, TOO_MANY_ACCOUNTS, TOO_MANY_USERS."""
    master, name = core.users.person(args["uid"]), args["name"]
    if master is None:
        return Result.UNKNOWN_USER
    if not is_account_name(name):
        return Result.BAD_NAME
    if not 0 <= args["theory_speed"] <= AMOUNT_MAX:
        return Result.BAD_SPEED
    if not is_text(args["description"], 0, DESCRIPTION_LENGTH_MAX):
        return Result.BAD_DESCRIPTION
    if not 0 <= args["worker_count"] <= WORKER_COUNT_MAX:
        return Result.BAD_WORKER_COUNT
    if core.users.sub_account(name) is not None:
        return Result.ACCOUNT_EXISTS
    if len(core.sub_accounts.of_master(master.uid)) >= ACCOUNTS_PER_MASTER_MAX:
        return Result.TOO_MANY_ACCOUNTS
    if len(core.users) >= USERS_MAX:
        return Result.TOO_MANY_USERS
    return Result.OK, open_account(
        core, ts_ns, master.uid, name, theory_speed=args["theory_speed"],
        description=args["description"], worker_count=args["worker_count"])


def open_account(core, ts_ns, master, name, **fields) -> int:
    """The number of a new sub-account, with a ledger account and without money."""
    number = core.users.add_sub_account(name, ts_ns).uid
    core.open_user(number)
    core.sub_accounts.add(number, master, name, **fields)
    return number


def set_contact(core, ts_ns, seq, args):
    """UNKNOWN_USER, NO_CONTACT (neither is given), BAD_EMAIL, BAD_PHONE."""
    user, email, phone = core.users.person(args["uid"]), args.get("email"), args.get("phone")
    if user is None:
        return Result.UNKNOWN_USER
    if email is None and phone is None:
        return Result.NO_CONTACT
    if email is not None and not is_text(email, 1, EMAIL_LENGTH_MAX):
        return Result.BAD_EMAIL
    if phone is not None and not is_text(phone, 1, PHONE_LENGTH_MAX):
        return Result.BAD_PHONE
    after = core.users.change(user.uid, email=user.email if email is None else email,
                              phone=user.phone if phone is None else phone)
    core.contacts.change(user, after)
    return Result.OK


def set_fees(core, ts_ns, seq, args):
    """UNKNOWN_ACCOUNT, NO_CHANGE, BAD_FEE_TYPE, BAD_FEE (of BCH, too), BAD_REFER (nobody, the
    account itself, its master), BAD_COMMISSION (out of range, or above its fee after it)."""
    account = core.sub_accounts.get(args["account"])
    given = {name: args[name] for name in FEE_FIELDS if args.get(name) is not None}
    if account is None:
        return Result.UNKNOWN_ACCOUNT
    if not given:
        return Result.NO_CHANGE
    after = account._replace(**given)
    if after.fee_type not in FEE_TYPES:
        return Result.BAD_FEE_TYPE
    if not 0 <= after.fee <= RATE_MAX or not 0 <= after.bch_pps_fee <= RATE_MAX:
        return Result.BAD_FEE
    if after.refer in (account.number, account.master):
        return Result.BAD_REFER
    if after.refer != 0 and core.users.get(after.refer) is None:
        return Result.BAD_REFER
    if not 0 <= after.commission <= after.fee:
        return Result.BAD_COMMISSION
    if not 0 <= after.bch_commission <= after.bch_pps_fee:
        return Result.BAD_COMMISSION
    core.sub_accounts.change(account.number, **given)
    return Result.OK


def set_coin_harvest(core, ts_ns, seq, args):
    """UNKNOWN_ACCOUNT, UNKNOWN_COIN, BAD_ADDRESS, BAD_MIN (0, or 0.001, 0.01 or 0.1 of the coin,
    where that is a whole number of its units)."""
    account, coin = core.sub_accounts.get(args["account"]), core.coins.get(args["coin"])
    if account is None:
        return Result.UNKNOWN_ACCOUNT
    if coin is None:
        return Result.UNKNOWN_COIN
    if not addresses.check(coin.name, args["address"]):
        return Result.BAD_ADDRESS
    mins = [10 ** (coin.scale - scale) for scale in COIN_MIN_SCALES if scale <= coin.scale]
    if args["min"] != 0 and args["min"] not in mins:
        return Result.BAD_MIN
    user = core.users.get(account.number)
    core.users.change(user.uid, withdraw_addresses=with_one(
        user.withdraw_addresses, (coin.number, args["address"])))
    core.sub_accounts.change(account.number, coin_harvests=with_one(
        account.coin_harvests, CoinHarvest(coin.number, args["min"], ts_ns)))
    return Result.OK


def with_one(of_coins: tuple, of_coin: tuple) -> tuple:
    """Tuples that begin with a coin, one of which takes the place of another, or comes last."""
    return (*(other for other in of_coins if other[0] != of_coin[0]), of_coin)


def set_money_harvest(core, ts_ns, seq, args):
    """UNKNOWN_ACCOUNT, BAD_BANK (a text is empty, too long, or has a control character), BAD_MIN
    (0, or at least 1.00 CNY)."""
    account = core.sub_accounts.get(args["account"])
    bank = [args[name] for name in BANK_FIELDS]
    if account is None:
        return Result.UNKNOWN_ACCOUNT
    if not all(is_text(text, 1, BANK_LENGTH_MAX) for text in bank):
        return Result.BAD_BANK
    if args["min"] != 0 and not MONEY_MIN <= args["min"] <= AMOUNT_MAX:
        return Result.BAD_MIN
    core.sub_accounts.change(account.number,
                             money_harvest=MoneyHarvest(*bank, args["min"], ts_ns))
    return Result.OK


def set_coin_to_money(core, ts_ns, seq, args):
    """UNKNOWN_ACCOUNT."""
    if args["account"] not in core.sub_accounts:
        return Result.UNKNOWN_ACCOUNT
    core.sub_accounts.change(args["account"], coin_to_money=args["auto"])
    return Result.OK


def lock_account(core, ts_ns, seq, args):
    """UNKNOWN_ACCOUNT."""
    if args["account"] not in core.sub_accounts:
        return Result.UNKNOWN_ACCOUNT
    core.sub_accounts.change(args["account"], locked=args["locked"])
    return Result.OK


HANDLERS = {
    Kind.ADD_ACCOUNT: add_account,
    Kind.ADD_SUB_ACCOUNT: add_sub_account,
    Kind.SET_CONTACT: set_contact,
    Kind.SET_FEES: set_fees,
    Kind.SET_COIN_HARVEST: set_coin_harvest,
    Kind.SET_MONEY_HARVEST: set_money_harvest,
    Kind.SET_COIN_TO_MONEY: set_coin_to_money,
    Kind.LOCK_ACCOUNT: lock_account,
}
FIELDS = {
    Kind.ADD_ACCOUNT: {"username": str, "password_hash": str, "phone": str | None,
                       "email": str | None},
    Kind.ADD_SUB_ACCOUNT: {"uid": int, "name": str, "theory_speed": int, "description": str,
                           "worker_count": int},
    Kind.SET_CONTACT: {"uid": int, "phone": str | None, "email": str | None},
    Kind.SET_FEES: {"account": int} | dict.fromkeys(FEE_FIELDS, int | None),
    Kind.SET_COIN_HARVEST: {"account": int, "coin": int, "address": str, "min": int},
    Kind.SET_MONEY_HARVEST: {"account": int} | dict.fromkeys(BANK_FIELDS, str) | {"min": int},
    Kind.SET_COIN_TO_MONEY: {"account": int, "auto": bool},
    Kind.LOCK_ACCOUNT: {"account": int, "locked": bool},
}
