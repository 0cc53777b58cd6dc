"""Users and their money on the exchange router: names, codes, sessions, balances, withdrawals.

A valid code is known to the house as SHA-256 of the name in lower case (casefold), a line feed,
and the code; no name holds a line feed. Six digits are soon tried: what protects a code is that it
dies of five wrong tries and of ten minutes, so who can read the journal could read a code that is
still alive.
"""

import asyncio
import hashlib
import logging
import re
import secrets

from api.auth import login as logins
from api.auth import sessions
from api.auth.login import Attempt, check_secret
from api.auth.passwords import is_new_password
from api.auth.throttle import address_key
from api.dialects.calls import EMPTY, Call, Refused, Routes, accepted, encode
from api.mail import MailFailed
from api.numbers import InputError, text
from engine import Kind, Result, WithdrawalStatus, cold

CODE_DIGITS = 6
CODE_MINUTES = 10
VALID_CODE = re.compile(f"[0-9]{{{CODE_DIGITS}}}")
WRONG_CODES = (Result.CODE_WRONG, Result.CODE_EXPIRED, Result.CODE_DEAD)
GROUP_USER = 2
WITHDRAWAL_STATUS_NAMES = {int(status): status.name.lower() for status in WithdrawalStatus}

ROUTES = Routes()

log = logging.getLogger(__name__)


@ROUTES.on_post("user", reads=True)
async def check_exist_name(call: Call) -> bytes:
    user = call.core.users.by_name(call.text("user"))
    if user is None or not user.active:
        raise Refused("user: not known")
    return EMPTY


@ROUTES.on_post("user")
async def make_valid_code(call: Call) -> bytes:
    username = call.text("user")
    if not call.shell.mailer.takes(username):
        raise InputError("user", "must be a mail address")
    _count_code(call)
    code = f"{secrets.randbelow(10 ** CODE_DIGITS):0{CODE_DIGITS}d}"
    accepted(await call.house.submit(cold(Kind.ISSUE_CODE, {
        "username": username, "code_digest": code_digest(username, code),
    })))
    try:
        await call.shell.mailer.send_code(username, code, CODE_MINUTES)
    except MailFailed as failure:
        log.error("a code could not be mailed: %s", failure)
        raise Refused("the mail could not be sent, try again in a minute") from None
    return encode(code) if call.shell.config.mail.return_codes else EMPTY


@ROUTES.on_post("user", "pass", "valid_code")
async def regeist_user(call: Call) -> bytes:
    username, password, code = call.text("user"), call.text("pass"), call.text("valid_code")
    if not is_new_password(password):
        raise InputError("pass", "must have 6 to 128 characters")
    if not VALID_CODE.fullmatch(code):
        raise InputError("valid_code", f"must be {CODE_DIGITS} digits")
    # A code is guessed like a password, and each guess costs a hash.
    with Attempt(call.shell, f"code of {username.casefold()}", call.request.remote) as attempt:
        reply = await call.house.submit(cold(Kind.REGISTER_USER, {
            "username": username, "password_hash": await call.shell.passwords.hash(password),
            "group": GROUP_USER, "code_digest": code_digest(username, code),
        }))
        if reply.code in WRONG_CODES:
            attempt.fail()
        elif reply.code == Result.OK:
            attempt.succeed()
    accepted(reply)
    return EMPTY


@ROUTES.on_post("user", "pass")
async def login(call: Call) -> bytes:
    logged_in = await logins.login(call.shell, call.text("user"), call.text("pass"),
                                   call.request.remote)
    call.new_token = logged_in.token
    return encode(logged_in.token)


@ROUTES.on_post(session=True)
async def logout(call: Call) -> bytes:
    if not await sessions.end(call.house, call.token):
        raise Refused("session: not logged in")
    call.new_token = ""
    return EMPTY


@ROUTES.on_post(session=True, reads=True)
async def get_user_coin(call: Call) -> bytes:
    balances = {}
    for coin in call.core.coins:
        available, frozen = call.core.balance(call.uid, coin.number)
        balances[coin.name] = {
            "available": text(available, coin.scale),
            "frozen": text(frozen, coin.scale),
            "total": text(available + frozen, coin.scale),
        }
    return encode(balances)


@ROUTES.on_post("coin", "amount", "pay_password", "request_id", session=True)
async def withdraw(call: Call) -> bytes:
    coin = call.coin()
    amount = call.number("amount", coin.scale) if call.has("amount") else None
    request_id = call.client_id("request_id")
    await _check_pay_password(call)
    reply = accepted(await call.house.submit(cold(Kind.REQUEST_WITHDRAWAL, {
        "uid": call.uid, "coin": coin.number, "amount": amount, "request_id": request_id,
    })))
    withdrawal = reply.value
    return encode({
        "withdraw_id": withdrawal["id"],
        "amount": text(withdrawal["amount"], coin.scale),
        "fee": text(withdrawal["fee"], coin.scale),
        "status": WITHDRAWAL_STATUS_NAMES[withdrawal["status"]],
    })


@ROUTES.on_post("coin", session=True, reads=True)
async def get_withdraw_address(call: Call) -> bytes:
    user = call.core.users.get(call.uid)
    return encode(user.withdraw_address(call.coin().number) or "")


@ROUTES.on_post("coin", "address", session=True)
async def set_withdraw_address(call: Call) -> bytes:
    coin = call.coin()
    accepted(await call.house.submit(cold(Kind.SET_WITHDRAW_ADDRESS, {
        "uid": call.uid, "coin": coin.number, "address": call.text("address"),
    })))
    return EMPTY


def _count_code(call: Call) -> None:
    """Each code asked for counts against the caller's address: every name may have one a minute,
    and names cost nothing."""
    throttle, address = call.shell.code_throttle, address_key(call.request.remote)
    now_s = asyncio.get_running_loop().time()
    delay_s = throttle.delay_s(address, now_s)
    if delay_s > 0:
        raise Refused(f"too many codes, try again in {int(delay_s) + 1} s")
    throttle.begin(address, now_s)


async def _check_pay_password(call: Call) -> None:
    """Returns where the user has no payment password or has given it."""
    password_hash = call.core.users.get(call.uid).pay_password_hash
    if password_hash is None:
        return
    password = call.text("pay_password")
    try:
        await check_secret(call.shell, f"payment of {call.uid}", password_hash, password,
                           call.request.remote)
    except logins.TooManyAttempts:
        raise
    except logins.LoginRefused:
        raise InputError("pay_password", "is wrong") from None
    # It may have been changed, and the session ended, while the old one was being checked.
    if (call.core.users.get(call.uid).pay_password_hash != password_hash
            or sessions.find_uid(call.core, call.token) != call.uid):
        raise InputError("pay_password", "has just been changed")


def code_digest(username: str, code: str) -> bytes:
    """What the house knows of a code, 32 bytes."""
    return hashlib.sha256(f"{username.casefold()}\n{code}".encode()).digest()
