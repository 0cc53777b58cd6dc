"""Registering users, proving names by codes, passwords, withdrawal addresses."""

from engine.codes import Kind, Result
from engine.handlers.checks import is_digest, is_password_hash, is_text
from ledger import addresses
from ledger.codes import Match
from ledger.users import GROUPS, USERS_MAX, is_username

EMAIL_LENGTH_MAX = 254
PHONE_LENGTH_MAX = 32
NAME_LENGTH_MAX = 64
SOURCE_MAX = 99
REFUSED_CODES = {Match.WRONG: Result.CODE_WRONG, Match.NONE: Result.CODE_EXPIRED,
                 Match.DEAD: Result.CODE_DEAD}


def register_user(core, ts_ns, seq, args):
    """BAD_USERNAME, BAD_PASSWORD_HASH, BAD_GROUP, BAD_EMAIL, BAD_PHONE, BAD_NAME,
    BAD_SOURCE, BAD_DIGEST, USER_EXISTS, TOO_MANY_USERS, then the code: CODE_EXPIRED (also where
    none was issued), CODE_DEAD, CODE_WRONG (which counts a try)."""
    username, code_digest = args["username"], args.get("code_digest")
    email, phone, name = args.get("email"), args.get("phone"), args.get("name")
    source = args.get("source")
    if not is_username(username):
        return Result.BAD_USERNAME
    if not is_password_hash(args["password_hash"]):
        return Result.BAD_PASSWORD_HASH
    if args["group"] not in GROUPS:
        return Result.BAD_GROUP
    if email is not None and not is_text(email, 1, EMAIL_LENGTH_MAX):
        return Result.BAD_EMAIL
    if phone is not None and not is_text(phone, 1, PHONE_LENGTH_MAX):
        return Result.BAD_PHONE
    if name is not None and not is_text(name, 1, NAME_LENGTH_MAX):
        return Result.BAD_NAME
    if source is not None and not 1 <= source <= SOURCE_MAX:
        return Result.BAD_SOURCE
    if code_digest is not None and not is_digest(code_digest):
        return Result.BAD_DIGEST
    if core.users.by_name(username) is not None:
        return Result.USER_EXISTS
    if len(core.users) >= USERS_MAX:
        return Result.TOO_MANY_USERS
    if code_digest is not None:
        # Last, because a wrong try is counted: no other refusal may follow it.
        refused = REFUSED_CODES.get(core.codes.match(username, code_digest, ts_ns))
        if refused == Result.CODE_WRONG:
            core.codes.count_wrong_try(username)
        if refused is not None:
            return refused
        core.codes.use(username)
    user = core.users.add(username, args["password_hash"], args["group"], ts_ns,
                          email, phone, name, source)
    core.open_user(user.uid)
    core.contacts.add(user)
    return Result.OK, user.uid


def issue_code(core, ts_ns, seq, args):
    """BAD_USERNAME, BAD_DIGEST, CODE_TOO_SOON."""
    if not is_username(args["username"]):
        return Result.BAD_USERNAME
    if not is_digest(args["code_digest"]):
        return Result.BAD_DIGEST
    if not core.codes.may_issue(args["username"], ts_ns):
        return Result.CODE_TOO_SOON
    core.codes.issue(args["username"], args["code_digest"], ts_ns)
    return Result.OK


def set_password(core, ts_ns, seq, args):
    """UNKNOWN_USER, BAD_PASSWORD_HASH, BAD_DIGEST."""
    user, keep = core.users.person(args["uid"]), args.get("keep_token_digest")
    if user is None:
        return Result.UNKNOWN_USER
    if not is_password_hash(args["password_hash"]):
        return Result.BAD_PASSWORD_HASH
    if keep is not None and not is_digest(keep):
        return Result.BAD_DIGEST
    core.users.change(user.uid, password_hash=args["password_hash"])
    core.sessions.end_all(user.uid, keep)
    return Result.OK


def set_pay_password(core, ts_ns, seq, args):
    """UNKNOWN_USER, BAD_PASSWORD_HASH."""
    user = core.users.person(args["uid"])
    if user is None:
        return Result.UNKNOWN_USER
    if not is_password_hash(args["password_hash"]):
        return Result.BAD_PASSWORD_HASH
    core.users.change(user.uid, pay_password_hash=args["password_hash"])
    core.pay_tries.clear(user.uid)
    return Result.OK


def try_pay_password(core, ts_ns, seq, args):
    """UNKNOWN_USER, NO_PAY_PASSWORD, PAY_PASSWORD_LOCKED."""
    user = core.users.person(args["uid"])
    if user is None:
        return Result.UNKNOWN_USER
    if user.pay_password_hash is None:
        return Result.NO_PAY_PASSWORD
    if core.pay_tries.is_locked(user.uid, ts_ns):
        return Result.PAY_PASSWORD_LOCKED
    core.pay_tries.add(user.uid, ts_ns)
    return Result.OK


def clear_pay_tries(core, ts_ns, seq, args):
    """UNKNOWN_USER."""
    if not core.users.is_person(args["uid"]):
        return Result.UNKNOWN_USER
    core.pay_tries.clear(args["uid"])
    return Result.OK


def set_withdraw_address(core, ts_ns, seq, args):
    """UNKNOWN_USER, UNKNOWN_COIN, BAD_ADDRESS."""
    user, coin = core.users.person(args["uid"]), core.coins.get(args["coin"])
    if user is None:
        return Result.UNKNOWN_USER
    if coin is None:
        return Result.UNKNOWN_COIN
    if not addresses.check(coin.name, args["address"]):
        return Result.BAD_ADDRESS
    others = (pair for pair in user.withdraw_addresses if pair[0] != coin.number)
    core.users.change(user.uid, withdraw_addresses=(*others, (coin.number, args["address"])))
    return Result.OK


HANDLERS = {
    Kind.REGISTER_USER: register_user,
    Kind.ISSUE_CODE: issue_code,
    Kind.SET_PASSWORD: set_password,
    Kind.SET_PAY_PASSWORD: set_pay_password,
    Kind.TRY_PAY_PASSWORD: try_pay_password,
    Kind.CLEAR_PAY_TRIES: clear_pay_tries,
    Kind.SET_WITHDRAW_ADDRESS: set_withdraw_address,
}
FIELDS = {
    Kind.REGISTER_USER: {"username": str, "password_hash": str, "group": int, "email": str | None,
                         "phone": str | None, "name": str | None, "source": int | None,
                         "code_digest": bytes | None},
    Kind.ISSUE_CODE: {"username": str, "code_digest": bytes},
    Kind.SET_PASSWORD: {"uid": int, "password_hash": str, "keep_token_digest": bytes | None},
    Kind.SET_PAY_PASSWORD: {"uid": int, "password_hash": str},
    Kind.TRY_PAY_PASSWORD: {"uid": int},
    Kind.CLEAR_PAY_TRIES: {"uid": int},
    Kind.SET_WITHDRAW_ADDRESS: {"uid": int, "coin": int, "address": str},
}
