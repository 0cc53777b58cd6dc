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
from api.auth import pay_password, sessions
from api.auth.login import Attempt
from api.auth.passwords import is_new_password
from api.auth.throttle import address_key
from api.dialects.calls import EMPTY, Call, Refused, Routes, accepted, encode
from api.mail import MailFailed
from api.numbers import InputError, text
from api.refusals import CommandRefused
from engine import Kind, Result, WithdrawalStatus, cold

CODE_DIGITS = 6
CODE_MINUTES = 10
VALID_CODE = re.compile(f"[0-9]{{{CODE_DIGITS}}}")
WRONG_CODES = (Result.CODE_WRONG, Result.CODE_EXPIRED, Result.CODE_DEAD)
GROUP_USER = 2
WITHDRAWAL_STATUS_NAMES = {int(status): status.name.lower() for status in WithdrawalStatus}

ROUTES = Routes()

log = logging.getLogger(__name__)


@ROUTES.serves(reads=True)
async def check_exist_name(call: Call) -> bytes:
    user = call.core.users.by_name(call.text("user"))
    if user is None or not user.active:
        raise Refused("user: not known")
    return EMPTY


@ROUTES.serves()
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


@ROUTES.serves()
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


@ROUTES.serves()
async def login(call: Call) -> bytes:
    logged_in = await logins.login(call.shell, call.text("user"), call.text("pass"),
                                   call.request.remote)
    call.new_token = logged_in.token
    return encode(logged_in.token)


@ROUTES.serves()
async def logout(call: Call) -> bytes:
    if not await sessions.end(call.house, call.token):
        raise Refused("session: not logged in")
    call.new_token = ""
    return EMPTY


@ROUTES.serves(reads=True)
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


@ROUTES.serves()
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


@ROUTES.serves(reads=True)
async def get_withdraw_address(call: Call) -> bytes:
    user = call.core.users.get(call.uid)
    return encode(user.withdraw_address(call.coin().number) or "")


@ROUTES.serves()
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
    if call.core.users.get(call.uid).pay_password_hash is None:
        return
    try:
        await pay_password.check(call.shell, call.uid, call.text("pay_password"),
                                 call.request.remote)
    except pay_password.WrongPayPassword:
        raise InputError("pay_password", "is wrong") from None
    except CommandRefused as error:
        raise InputError("pay_password", str(error)) from None
    # The session may have ended meanwhile.
    if sessions.find_uid(call.core, call.token) != call.uid:
        raise Refused("session: not logged in")


def code_digest(username: str, code: str) -> bytes:
    """What the house knows of a code, 32 bytes."""
    return hashlib.sha256(f"{username.casefold()}\n{code}".encode()).digest()
