"""What a house is given before its first request: coins, pairs, credentials, its first operator.

All of it as commands in the journal, so that a replay needs no configuration. The first start is
over once the user `operator` is there. It comes in one burst with the credentials, after all else:
a start that was cut short, or refused, is repeated, and finds done what is done. From then on
`[[coins]]`, `[[pairs]]`, `[[credentials]]` and the operator's password are not looked at again: a
changed configuration never changes a listing. `[limits]` and `[ore]` are no listings: they are sent
whenever they differ from what is in force.
"""

import asyncio
import logging
import re
import secrets
from typing import Any

from api.auth.client_tokens import sealed_credential
from api.auth.passwords import Passwords, is_new_password
from api.auth.seal import Seal
from api.config import Config, Credential, Ore, Pair
from api.dialects.operator import GROUP_OPERATOR, SCOPE_ACCOUNT, SCOPES, SELF_TRADES, why
from api.errors import words
from api.numbers import InputError, read, read_ppm
from engine import House, Kind, Result, cold

OPERATOR = "operator"
GROUP_USER = 2
SECRET_MIN, SECRET_MAX = 16, 256
CLIENT_ID = re.compile(r"[A-Za-z0-9.:/_-]{1,36}")
USERNAME_LENGTHS = range(3, 65)
RATE_DECIMALS = 9           # of SET_MINING's rate, beyond those of the coin

log = logging.getLogger(__name__)


class FirstStartFailed(Exception):
    """The configuration asks for what the house refuses; the text names the entry."""


async def first_start(house: House, config: Config, seal: Seal) -> str | None:
    """Makes a new house ready; does nothing for one that is, but for its limits and its mining.

    Returns the operator's password where it was made up now, else None. Raises FirstStartFailed.
    """
    generated = None
    is_new = house.core.users.by_name(OPERATOR) is None
    if is_new:
        for coin in config.coins:
            await _add_coin(house, coin)
        for pair in config.pairs:
            await _add_pair(house, pair)
    # Before the accounts: what is wrong with it is found before they end the first start.
    mining = _mining(house, config.ore)
    if is_new:
        generated = await _add_accounts(house, config, seal)
    limits = {"open_orders_per_user": config.limits.open_orders_per_user}
    if house.core.limits != limits:
        await _send(house, "[limits]", Kind.SET_LIMITS, limits)
    if mining is not None:
        await _set_mining(house, mining)
    return generated


async def _add_coin(house: House, coin) -> None:
    place = f"[[coins]] {coin.name}"
    try:
        fee = read("withdraw_fee", coin.withdraw_fee, coin.scale, zero=True)
    except InputError as error:
        raise FirstStartFailed(f"{place}: {error}") from None
    await _send(house, place, Kind.ADD_COIN, {
        "name": coin.name, "title": coin.title or coin.name, "type": coin.type, "scale": coin.scale,
        "withdraw_fee": fee,
    }, done=Result.COIN_EXISTS)


async def _add_pair(house: House, pair: Pair) -> None:
    place = f"[[pairs]] {pair.pair}"
    if pair.self_trade not in SELF_TRADES:
        raise FirstStartFailed(f"{place}: self_trade: must be {', '.join(SELF_TRADES)}")
    try:
        min_qty = read("min_amount", pair.min_amount, pair.amount_scale) if pair.min_amount else 1
        maker_fee_ppm = read_ppm("maker_fee", pair.maker_fee)
        taker_fee_ppm = read_ppm("taker_fee", pair.taker_fee)
    except InputError as error:
        raise FirstStartFailed(f"{place}: {error}") from None
    await _send(house, place, Kind.ADD_PAIR, {
        "name": pair.pair, "price_scale": pair.price_scale, "amount_scale": pair.amount_scale,
        "min_qty": min_qty, "maker_fee_ppm": maker_fee_ppm, "taker_fee_ppm": taker_fee_ppm,
        "self_trade": int(SELF_TRADES[pair.self_trade]),
    }, done=Result.PAIR_EXISTS)


async def _add_accounts(house: House, config: Config, seal: Seal) -> str | None:
    """The operator, the credentials, and users for those accounts that credentials name."""
    client_ids = [credential.client_id for credential in config.credentials]
    for credential in config.credentials:
        _check(credential)
        if client_ids.count(credential.client_id) > 1:
            raise FirstStartFailed(f"[[credentials]] {credential.client_id}: is there twice")
    given = config.operator.password
    if given and not is_new_password(given):
        raise FirstStartFailed("[operator] password: must have 6 to 128 characters")
    passwords = Passwords()
    try:
        password = given or secrets.token_urlsafe(18)
        operator_hash = await passwords.hash(password)
        # Of such a user nobody knows the password: it is there for its credential.
        nobody_hash = await passwords.hash(secrets.token_urlsafe(32))
    finally:
        passwords.close()
    # By folded name, as they are registered; a credential may name the operator too.
    names = {OPERATOR: OPERATOR}
    for credential in config.credentials:
        if credential.account:
            names.setdefault(credential.account.casefold(), credential.account)
    uids = {folded: len(house.core.users) + number for number, folded in enumerate(names, 1)}
    # Submitted without a pause between them: one frame, all or nothing on disk.
    sent = [("the operator", house.submit(_user(OPERATOR, operator_hash, GROUP_OPERATOR)))]
    sent += [(f"user {name}", house.submit(_user(name, nobody_hash, GROUP_USER)))
             for name in list(names.values())[1:]]
    sent += [(f"[[credentials]] {credential.client_id}",
              house.submit(cold(Kind.ADD_CREDENTIAL, sealed_credential(
                  seal, credential.client_id, credential.secret_key, credential.secret_salt,
                  credential.scope, uids.get(credential.account.casefold())))))
             for credential in config.credentials]
    replies = await asyncio.gather(*(future for _, future in sent))
    for (place, _), reply in zip(sent, replies, strict=True):
        if reply.code != Result.OK:
            raise FirstStartFailed(f"{place}: {words(reply.code)}")
    return None if given else password


def _mining(house: House, ore: Ore) -> dict[str, int] | None:
    """The fields of the SET_MINING that the configuration asks for, None where it can be none."""
    coin = house.core.coins.by_name(ore.coin)
    if coin is None:
        if house.core.miners.settings is not None:
            raise FirstStartFailed("[ore] coin: another one is mined here, and this is not listed")
        log.warning("[ore] coin: %r is not listed, so nothing is mined", ore.coin)
        return None
    try:
        return {
            "coin": coin.number,
            "rate": read("rate_per_force_second", ore.rate_per_force_second,
                         coin.scale + RATE_DECIMALS, zero=True),
            "force_price": read("force_price", ore.force_price, coin.scale),
            "sign_in_force": ore.sign_in_force, "initial_force": ore.initial_force,
        }
    except InputError as error:
        raise FirstStartFailed(f"[ore] {error}") from None


async def _set_mining(house: House, mining: dict[str, int]) -> None:
    in_force = house.core.miners.settings
    if in_force is None or any(getattr(in_force, name) != value for name, value in mining.items()):
        await _send(house, "[ore]", Kind.SET_MINING, mining)


def _check(credential: Credential) -> None:
    """All that the house could refuse of a credential, or of the user it names: found before the
    first command of the burst, because the burst ends the first start."""
    place = f"[[credentials]] {credential.client_id}"
    if not CLIENT_ID.fullmatch(credential.client_id):
        raise FirstStartFailed(f"{place}: client_id: 1 to 36 of A-Z a-z 0-9 . : / _ -")
    if credential.scope not in SCOPES:
        raise FirstStartFailed(f"{place}: scope: must be {', '.join(SCOPES)}")
    if credential.scope == SCOPE_ACCOUNT and not credential.account:
        raise FirstStartFailed(f"{place}: account: is missing")
    account = credential.account
    if account and not (len(account) in USERNAME_LENGTHS and account.isprintable()):
        raise FirstStartFailed(f"{place}: account: must have 3 to 64 printable characters")
    for name in ("secret_key", "secret_salt"):
        if not SECRET_MIN <= len(getattr(credential, name).encode()) <= SECRET_MAX:
            raise FirstStartFailed(f"{place}: {name}: must have {SECRET_MIN} to {SECRET_MAX} bytes")


def _user(name: str, password_hash: str, group: int) -> bytes:
    return cold(Kind.REGISTER_USER, {
        "username": name, "password_hash": password_hash, "group": group})


async def _send(house: House, place: str, kind: Kind, fields: dict[str, Any],
                done: Result = Result.OK) -> None:
    """One command, on disk; `done` is the refusal that says an earlier try has done it."""
    reply = await house.submit(cold(kind, fields))
    if reply.code not in (Result.OK, done):
        raise FirstStartFailed(f"{place}: {why(kind, reply.code)}")
