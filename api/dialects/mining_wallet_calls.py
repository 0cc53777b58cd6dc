"""The calls of the mining wallet: users, wallets, miners. Decode, submit, encode, nothing else.

A handler is `async def (call) -> object`: what goes into the envelope as `data`, None where there
is none. What it refuses is an exception that `api.refusals` knows; nothing has changed then (but
that the first use has opened the user's wallet, and that a try at the payment password counts).

ORE in `num` is counted whole; whoever wants parts of one trades on the exchange.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import date, datetime

from aiohttp import web

from api import times
from api.auth import cookies, pay_password, sessions
from api.auth import login as logins
from api.auth.registration import register as register_user
from api.dialects.fields import Fields
from api.numbers import COUNT_MAX, InputError, json_number
from api.refusals import CommandRefused, Refused, accepted
from api.shell import Shell
from engine import Kind, Result, cold

EMAIL_LENGTH_MAX = 254
NAME_LENGTH_MAX = 64
TEXT_LENGTH_MAX = 1024          # of names, passwords and addresses, which have limits of their own
RANKED = 10
EPOCH_DAY = date(1970, 1, 1).toordinal()


class Call:
    """One request. `uid` is 0 on calls without a session. `new_token` becomes the cookie: None
    leaves it, "" deletes it."""

    __slots__ = ("shell", "house", "core", "address", "fields", "uid", "token", "new_token")

    def __init__(self, shell: Shell, request: web.Request):
        self.shell = shell
        self.house = shell.house
        self.core = shell.house.core
        self.address = request.remote
        self.fields = Fields({})
        self.uid = 0
        self.token = ""
        self.new_token: str | None = None

    def identify(self, request: web.Request, parameters: dict[str, object]) -> None:
        """Set `uid` from the session that the request shows. Raises Refused, InputError."""
        self.token = cookies.token_of(request, parameters)
        if not self.token:
            raise Refused("no_token", "session: not logged in")
        self.check_session()

    def check_session(self) -> None:
        """Set `uid` from the session, which may have ended meanwhile. Raises Refused."""
        self.uid = sessions.find_uid(self.core, self.token)
        if not self.uid:
            raise Refused("bad_token", "session: not logged in")

    async def submit(self, kind: Kind, **fields) -> object:
        """One command, on disk; its value. Raises CommandRefused."""
        return accepted(await self.house.submit(cold(kind, fields))).value

    def now_ns(self) -> int:
        """Never before what has happened: the core's time does not follow a clock set back."""
        return max(time.time_ns(), self.core.ts_ns)

    def today(self) -> int:
        """The day in the house's time zone, in days since 1970-01-01."""
        now_s = self.now_ns() // times.NS_PER_S
        return datetime.fromtimestamp(now_s, self.shell.zone).toordinal() - EPOCH_DAY

    def coin(self):
        """The coin that is mined. Raises CommandRefused where none is."""
        settings = self.core.miners.settings
        if settings is None:
            raise CommandRefused(Result.NO_MINING)
        return self.core.coins.get(settings.coin)

    def whole_ore(self) -> int:
        """The field `num`, a whole number of ORE, in the coin's units."""
        amount = self.fields.count("num", 0) * 10 ** self.coin().scale
        if amount > COUNT_MAX:
            raise InputError("num", "is too large")
        return amount

    async def miner(self):
        """The user's miner, opened with its wallet where this is the first use of them."""
        miner = self.core.miners.of_user(self.uid)
        if miner is None:
            await self.submit(Kind.OPEN_WALLET, uid=self.uid)
            miner = self.core.miners.of_user(self.uid)
        return miner


Handler = Callable[[Call], Awaitable[object]]


# -- users -----------------------------------------------------------------------------------------

async def register(call: Call) -> None:
    fields = call.fields
    username, email = fields.text("username", TEXT_LENGTH_MAX), _email(fields)
    name = fields.text("name", NAME_LENGTH_MAX)
    password = fields.text("password", TEXT_LENGTH_MAX)
    await register_user(call.shell, username, password, call.address, email=email, name=name)


async def login(call: Call) -> None:
    username = call.fields.text("username", TEXT_LENGTH_MAX)
    password = call.fields.text("password", TEXT_LENGTH_MAX)
    try:
        logged_in = await logins.login(call.shell, username, password, call.address)
    except logins.TooManyAttempts:
        raise
    except logins.LoginRefused:
        raise Refused("wrong_password", "username or password: wrong") from None
    call.new_token = logged_in.token


async def logout(call: Call) -> None:
    if not await sessions.end(call.house, call.token):
        raise Refused("bad_token", "session: not logged in")
    call.new_token = ""


async def show_user(call: Call) -> object:
    user = call.core.users.get(call.uid)
    return {"username": user.username, "email": user.email or ""}


# -- wallets ---------------------------------------------------------------------------------------

async def transfer(call: Call) -> None:
    amount = call.whole_ore()
    wallet = _wallet_at(call)
    await call.miner()
    await _check_pay_password(call, wallet)
    await call.submit(Kind.TRANSFER_ORE, uid=call.uid, wallet=wallet.number, amount=amount)


async def extract(call: Call) -> None:
    amount = call.whole_ore()
    wallet = _wallet_at(call) if call.fields.has("address") else None
    own = await call.miner()
    wallet = wallet or own
    await _check_pay_password(call, wallet)
    await call.submit(Kind.EXTRACT_ORE, uid=call.uid, amount=amount, wallet=wallet.number)


async def show_wallet(call: Call) -> object:
    coin, miner = call.coin(), await call.miner()
    return {
        "id": miner.number, "user_id": miner.uid, "address": miner.address,
        "money": json_number(call.core.accounts.wallet(miner.uid, coin.number), coin.scale),
    }


# -- miners ----------------------------------------------------------------------------------------

async def show_rank(call: Call) -> object:
    call.coin()
    rows = []
    for miner in call.core.miners.rank(RANKED):
        user = call.core.users.get(miner.uid)
        rows.append(_shown(call, miner) | {"name": user.name or user.username})
    return rows


async def promote(call: Call) -> None:
    call.coin()
    force = call.fields.count("num", 0)
    await call.miner()
    await call.submit(Kind.BUY_FORCE, uid=call.uid, force=force)


async def gain(call: Call) -> None:
    amount = call.whole_ore()
    await call.miner()
    await call.submit(Kind.CLAIM_ORE, uid=call.uid, amount=amount)


async def show_miner(call: Call) -> object:
    return _shown(call, await call.miner())


async def show_claimable(call: Call) -> object:
    await call.miner()
    units = call.core.miners.claimable(call.uid, call.now_ns())
    return {"may_num": units // 10 ** call.coin().scale}


async def show_sign_in(call: Call) -> object:
    last_day = (await call.miner()).signed_day
    # A later one where the house's time zone has been changed since.
    return {"signed": last_day is not None and last_day >= call.today()}


async def sign_in(call: Call) -> None:
    await call.miner()
    await call.submit(Kind.SIGN_IN, uid=call.uid, day=call.today())


def _email(fields: Fields) -> str:
    """A mail address, as far as its form tells."""
    email = fields.text("email", EMAIL_LENGTH_MAX)
    mailbox, _, domain = email.partition("@")
    if not (mailbox and domain) or "@" in domain or " " in email:
        raise InputError("email", "must be a mail address")
    return email


def _wallet_at(call: Call):
    """The wallet, with its miner, that the field `address` names. Raises CommandRefused."""
    wallet = call.core.miners.by_address(call.fields.text("address", TEXT_LENGTH_MAX))
    if wallet is None:
        raise CommandRefused(Result.UNKNOWN_WALLET)
    return wallet


async def _check_pay_password(call: Call, wallet) -> None:
    """Returns where the wallet is the user's own, or the user has no payment password, or has
    given it."""
    if wallet.uid == call.uid or call.core.users.get(call.uid).pay_password_hash is None:
        return
    password = call.fields.text("pay_password", TEXT_LENGTH_MAX)
    try:
        await pay_password.check(call.shell, call.uid, password, call.address)
    except pay_password.WrongPayPassword:
        raise Refused("wrong_password", "pay_password: is wrong") from None
    call.check_session()


def _shown(call: Call, miner) -> dict[str, object]:
    """A miner; its wallet has its number."""
    return {
        "id": miner.number, "user_id": miner.uid, "wallet_id": miner.number, "force": miner.force,
        "add_time": times.text(miner.opened_ns, call.shell.zone),
        "extract": json_number(miner.claimed, call.coin().scale),
    }
