"""Users in the user center: registering, logging in, both passwords, devices."""

import time

from api import times
from api.auth import login as logins
from api.auth import pay_password, sessions
from api.auth.registration import register
from api.dialects.user_center_calls import Call, Denied, Handler, check_fields
from api.dialects.user_center_operations import (
    CHECK, LOGIN, OPERATIONS, PAY_PASSWORD, REGISTER)
from api.refusals import CommandRefused, Refused
from engine import Kind, Result

LIFETIME_S = 7 * 86_400
DEVICE_ID_LENGTH_MAX = 128
DEVICE_TEXT_LENGTH_MAX = 64
REGISTER_FIELDS = next(one.fields for one in OPERATIONS if one.name == REGISTER)


# -- in ------------------------------------------------------------------------------------------

async def log_in(call: Call) -> object:
    if call.has("source_type"):
        check_fields(call.given, REGISTER_FIELDS)
        return await add_user(call)
    username, password = call.text("usercount"), call.text("password")
    try:
        checked = await logins.check_password(call.shell, username, password, call.address)
        token = await logins.begin_session(call.shell, checked, LIFETIME_S)
    except logins.TooManyAttempts:
        raise
    except logins.LoginRefused:
        raise Refused("wrong_password", "usercount or password: wrong") from None
    session = call.core.sessions.find(sessions.digest(token), call.core.ts_ns)
    if session is None:
        raise Refused("bad_token", "token: its session has just been ended")
    return {"token": token, "deadLine": session.expires_ns // times.NS_PER_S,
            "uid": str(checked.uid)}


async def add_user(call: Call) -> None:
    username, password = call.text("usercount"), call.text("password")
    await register(call.shell, username, password, call.address,
                   source=call.choice("source_type"))


# -- passwords -----------------------------------------------------------------------------------

async def set_password(call: Call) -> None:
    call.user_named("usercount")
    password_hash = await call.shell.passwords.hash(call.new_password("password"))
    call.identify()
    user = call.user_named("usercount")
    own = user.uid == call.caller.uid
    await call.submit(Kind.SET_PASSWORD, uid=user.uid, password_hash=password_hash,
                      keep_token_digest=sessions.digest(call.token) if own else None)


async def use_pay_password(call: Call) -> None:
    user = call.user("uid")
    if call.choice("oper_type") == CHECK:
        await pay_password.check(call.shell, user.uid, call.text("paypassword"), call.address)
        return
    password = call.new_password("paypassword")
    _check_unlocked(call, user)
    password_hash = await call.shell.passwords.hash(password)
    call.identify()
    user = call.user("uid")
    _check_unlocked(call, user)
    await call.submit(Kind.SET_PAY_PASSWORD, uid=user.uid, password_hash=password_hash)


def _check_unlocked(call: Call, user) -> None:
    """A new password would end the lock: whoever has guessed in vain must wait like all others."""
    now_ns = max(time.time_ns(), call.core.ts_ns)
    if user.uid == call.caller.uid and call.core.pay_tries.is_locked(user.uid, now_ns):
        raise CommandRefused(Result.PAY_PASSWORD_LOCKED)


# -- devices -------------------------------------------------------------------------------------

async def bind_device(call: Call) -> None:
    user = call.user("uid")
    await call.submit(Kind.BIND_DEVICE, uid=user.uid, device_id=_device_id(call),
                      name=call.text("device_name", DEVICE_TEXT_LENGTH_MAX),
                      os=call.text("device_os", DEVICE_TEXT_LENGTH_MAX))


async def remove_device(call: Call) -> None:
    user = call.user("uid")
    await call.submit(Kind.REMOVE_DEVICE, uid=user.uid, device_id=_device_id(call))


async def check_device(call: Call) -> object:
    user = call.user("uid")
    if user.device(_device_id(call)) is None:
        raise Denied("unknown_device", "device_id: not bound")
    return {"groupid": str(user.group)}


def _device_id(call: Call) -> str:
    return call.text("device_id", DEVICE_ID_LENGTH_MAX)


HANDLERS: dict[str, Handler] = {
    LOGIN: log_in,
    REGISTER: add_user,
    "Password/Login": set_password,
    PAY_PASSWORD: use_pay_password,
    "Device/AddBindDevice": bind_device,
    "Device/RemoveBindDevice": remove_device,
    "Device/CheckBindDevice": check_device,
}
