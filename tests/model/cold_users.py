"""The cold commands about users that move no money: sessions, passwords, fields, devices.

Each function checks, in the order of its lines, and only then changes something.
"""

from engine.codes import Result
from tests.model import commands
from tests.model.state import User, person

SECOND_NS = 1_000_000_000
LOCK_NS = 15 * 60 * SECOND_NS
TRIES_MAX = 5
LIFETIME_S_MAX = 366 * 86_400
SESSIONS_MAX = 100               # of one user
FIELDS_MAX = 64
DEVICES_MAX = 20
PERMISSION_MAX = 2**31 - 1
FIELD_NAME_CHARACTERS = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


def is_text(text: object, length_max: int) -> bool:
    """So many characters, at least one, no control ones."""
    return type(text) is str and 1 <= len(text) <= length_max and not any(
        character < " " or "\x7f" <= character <= "\x9f" for character in text)


# Sessions and passwords

def create_session(model, c: commands.CreateSession) -> tuple[int, object]:
    user = person(model, c.uid)
    # Chosen: who may not log in is answered as if it were not there.
    if user is None or user.permissions.get("is_allow_login") == 0:
        return Result.UNKNOWN_USER, None
    if len(c.token_digest) != 32:
        return Result.BAD_DIGEST, None
    if not 1 <= c.lifetime_s <= LIFETIME_S_MAX:
        return Result.BAD_LIFETIME, None
    # Chosen: a session whose time is up still has its token until one is created in a later
    # second, counted from 1970.
    if any(c.token_digest in other.sessions for other in model.users.values()):
        return Result.SESSION_EXISTS, None
    for other in model.users.values():
        other.sessions = {digest: expires_ns for digest, expires_ns in other.sessions.items()
                          if -(-expires_ns // SECOND_NS) > model.ts_ns // SECOND_NS}
    if len(user.sessions) == SESSIONS_MAX:
        del user.sessions[next(iter(user.sessions))]
    user.sessions[c.token_digest] = model.ts_ns + c.lifetime_s * SECOND_NS
    return Result.OK, None


def end_session(model, c: commands.EndSession) -> tuple[int, object]:
    for user in model.users.values():
        if user.sessions.get(c.token_digest, 0) > model.ts_ns:
            del user.sessions[c.token_digest]
            return Result.OK, None
    return Result.UNKNOWN_SESSION, None


def set_password(model, c: commands.SetPassword) -> tuple[int, object]:
    user = person(model, c.uid)
    if user is None:
        return Result.UNKNOWN_USER, None
    if c.keep_token_digest is not None and len(c.keep_token_digest) != 32:
        return Result.BAD_DIGEST, None
    user.sessions = {digest: expires_ns for digest, expires_ns in user.sessions.items()
                     if digest == c.keep_token_digest}
    return Result.OK, None


def set_pay_password(model, c: commands.SetPayPassword) -> tuple[int, object]:
    user = person(model, c.uid)
    if user is None:
        return Result.UNKNOWN_USER, None
    user.pay_password_hash = c.password_hash
    user.pay_tries = []
    return Result.OK, None


def pay_tries(user: User, ts_ns: int) -> list[int]:
    """When the tries were made that still count: none if the last is 15 minutes ago or more."""
    return user.pay_tries if user.pay_tries and ts_ns - user.pay_tries[-1] < LOCK_NS else []


def try_pay_password(model, c: commands.TryPayPassword) -> tuple[int, object]:
    user = person(model, c.uid)
    if user is None:
        return Result.UNKNOWN_USER, None
    if user.pay_password_hash is None:
        return Result.NO_PAY_PASSWORD, None
    tries = pay_tries(user, model.ts_ns)
    if len(tries) == TRIES_MAX:
        return Result.PAY_PASSWORD_LOCKED, None
    if user.pay_tries and not tries:
        what = "unlocked" if len(user.pay_tries) == TRIES_MAX else "forgotten"
        model.happened["pay tries", what, "15 minutes later"] += 1
        if user.pay_tries[-1] + LOCK_NS == model.ts_ns:
            model.happened["pay tries", what, "to the nanosecond"] += 1
    user.pay_tries = [*tries, model.ts_ns]
    return Result.OK, None


def clear_pay_tries(model, c: commands.ClearPayTries) -> tuple[int, object]:
    user = person(model, c.uid)
    if user is None:
        return Result.UNKNOWN_USER, None
    user.pay_tries = []
    return Result.OK, None


# Fields and devices

def set_fields(model, c, subject: str, is_value) -> tuple[int, object]:
    user = person(model, c.uid)
    if user is None:
        return Result.UNKNOWN_USER, None
    if not c.fields:
        return Result.BAD_FIELDS, None
    for name, value in c.fields.items():
        if not (type(name) is str and 1 <= len(name) <= 64
                and FIELD_NAME_CHARACTERS.issuperset(name)):
            return Result.BAD_FIELDS, None
        if value is not None and not is_value(value):
            return Result.BAD_FIELDS, None
    after = dict(getattr(user, subject))
    for name, value in c.fields.items():
        if value is not None:
            after[name] = value
        elif name in after:
            del after[name]
    if len(after) > FIELDS_MAX:
        return Result.TOO_MANY_FIELDS, None
    setattr(user, subject, after)
    return Result.OK, None


def set_permissions(model, c: commands.SetPermissions) -> tuple[int, object]:
    code, _ = set_fields(model, c, "permissions", lambda value:
                         type(value) is int and 0 <= value <= PERMISSION_MAX)
    if code == Result.OK and model.users[c.uid].permissions.get("is_allow_login") == 0:
        if model.users[c.uid].sessions:
            model.happened["sessions", "ended", "by a permission"] += 1
        model.users[c.uid].sessions = {}
    return code, None


def set_profile(model, c: commands.SetProfile) -> tuple[int, object]:
    return set_fields(model, c, "profile", lambda value: is_text(value, 256))


def set_identity(model, c: commands.SetIdentity) -> tuple[int, object]:
    return set_fields(model, c, "identity", lambda value:
                      type(value) is bytes and 1 <= len(value) <= 1_200)


def bind_device(model, c: commands.BindDevice) -> tuple[int, object]:
    user = person(model, c.uid)
    if user is None:
        return Result.UNKNOWN_USER, None
    if not (is_text(c.device_id, 128) and is_text(c.name, 64) and is_text(c.os, 64)):
        return Result.BAD_DEVICE, None
    if c.device_id not in user.devices and len(user.devices) == DEVICES_MAX:
        return Result.TOO_MANY_DEVICES, None
    user.devices[c.device_id] = (c.name, c.os)
    return Result.OK, None


def remove_device(model, c: commands.RemoveDevice) -> tuple[int, object]:
    user = person(model, c.uid)
    if user is None:
        return Result.UNKNOWN_USER, None
    if c.device_id not in user.devices:
        return Result.UNKNOWN_DEVICE, None
    del user.devices[c.device_id]
    return Result.OK, None


HANDLERS = {
    commands.CreateSession: create_session,
    commands.EndSession: end_session,
    commands.SetPassword: set_password,
    commands.SetPayPassword: set_pay_password,
    commands.TryPayPassword: try_pay_password,
    commands.ClearPayTries: clear_pay_tries,
    commands.SetPermissions: set_permissions,
    commands.SetProfile: set_profile,
    commands.SetIdentity: set_identity,
    commands.BindDevice: bind_device,
    commands.RemoveDevice: remove_device,
}
