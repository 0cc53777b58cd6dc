"""The operator dialect: `/operator/…`, what it takes to run the house.

Decode, submit, encode. Every call but `login` shows its caller first: a group-1 user by the header
`token`, or a client credential of scope `operator` by a JWT in `Authorization`. Nothing of a
request is looked at before that. The envelope is `{"code", "data", "message"}`, HTTP status 200
also for a refusal; a code other than 0 means that nothing has changed (but that a good JWT is
spent).
"""

import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from aiohttp import web

from api import times
from api.auth import login, sessions
from api.auth.client_tokens import ClientTokens, TokenRefused, WrongScope, sealed_credential
from api.auth.passwords import TooBusy
from api.auth.seal import Seal
from api.dialects.described import Operation
from api.dialects.fields import Fields
from api.dialects.operator_described import OPERATIONS
from api.errors import MEANINGS, Fault, words
from api.numbers import InputError, read_id, text
from api.replies import json_reply
from api.shell import SHELL, Shell
from api.version import version
from engine import (
    HouseStopped, Kind, Overloaded, PairStatus, Result, SelfTrade, WithdrawalStatus, cold)

GROUP_OPERATOR = 1
SCOPE_ACCOUNT, SCOPE_OPERATOR = "account", "operator"
SCALE_MAX = 8
WITHDRAWALS_DEFAULT = 100
WITHDRAWALS_MAX = 1000
OK = 0
CODES = {Fault.INPUT: 5010, Fault.AUTHENTICATION: 5020, Fault.OPERATION: 5030, Fault.RIGHT: 5040,
         Fault.SYSTEM: 5050}

OUTCOMES = {OK: "ok", CODES[Fault.SYSTEM]: "failed"}     # for /metrics

SELF_TRADES = {"cancel_maker": SelfTrade.CANCEL_MAKER, "cancel_taker": SelfTrade.CANCEL_TAKER,
               "cancel_both": SelfTrade.CANCEL_BOTH, "none": SelfTrade.ALLOW}
PAIR_STATUSES = {"open": PairStatus.TRADING, "cancel_only": PairStatus.CANCEL_ONLY,
                 "halted": PairStatus.HALTED}
WITHDRAWAL_STATUSES = {status.name.lower(): status for status in WithdrawalStatus}
STEPS = {"approve": Kind.APPROVE_WITHDRAWAL, "reject": Kind.REJECT_WITHDRAWAL,
         "finish": Kind.FINISH_WITHDRAWAL}
SCOPES = {SCOPE_ACCOUNT: SCOPE_ACCOUNT, SCOPE_OPERATOR: SCOPE_OPERATOR}

# Where the words that all dialects share would name a field that these calls do not have.
OWN_WORDS = {
    (Kind.ADD_PAIR, Result.BAD_NAME): "pair: must be two different coins as BASE/QUOTE",
    (Kind.ADD_PAIR, Result.UNKNOWN_COIN): "pair: both coins must be listed",
    (Kind.ADD_PAIR, Result.BAD_SCALE): "price_scale, amount_scale: an amount has at most the base "
                                       "coin's decimals, both together at most the quote coin's",
    (Kind.ADD_PAIR, Result.BAD_QTY): "min_amount: out of range",
    (Kind.DEPOSIT, Result.AMOUNT_TOO_LARGE): "amount: there would be more of the coin than "
                                             "2^63 - 1 of its units",
}

Handler = Callable[[web.Request], Awaitable[Any]]
# A name in a path that may hold slashes.
PATTERNS = {"{clientId}": "{clientId:.+}"}

log = logging.getLogger("orebook")


class Refused(Exception):
    """Ends a call: whose fault it is, and the message for the caller."""

    def __init__(self, fault: Fault, message: str):
        super().__init__(message)
        self.fault = fault


def why(kind: Kind, code: int) -> str:
    """The words for a command's refusal, naming the field of the call or of the configuration."""
    return OWN_WORDS.get((kind, code)) or words(code)


def add_routes(app: web.Application) -> None:
    """The dialect on an app that has a SHELL. Raises SealError when the key file cannot be used."""
    shell = app[SHELL]
    OperatorDialect(shell, Seal.open(shell.config.data.dir)).add_routes(app)


class OperatorDialect:
    """The calls, bound to one house. Each gets its fields and returns what goes into the envelope's
    `data`."""

    def __init__(self, shell: Shell, seal: Seal):
        house = shell.house
        self._shell = shell
        self._house = house
        self._seal = seal
        self._client_tokens = ClientTokens(house, seal)
        self._started_s = time.monotonic()

    def add_routes(self, app: web.Application) -> None:
        """Every call of the dialect; other paths and methods are refused in its envelope."""
        for operation in OPERATIONS:
            path = operation.path
            for name, pattern in PATTERNS.items():
                path = path.replace(name, pattern)
            app.router.add_route(operation.method, path, self._enveloped(self._checked(operation)))
        for path in ("/operator", "/operator/{path:.*}"):
            app.router.add_route("*", path, self._enveloped(self.no_such_call))

    # -- who calls, and the envelope --------------------------------------------------------------

    def _checked(self, operation: Operation) -> Handler:
        """The call for those who may, with fields that it has; the others are told why not, and
        nothing else happens."""
        handler = getattr(self, operation.name)
        names = frozenset(field.name for field in operation.fields)

        @wraps(handler)
        async def call(request: web.Request) -> Any:
            if operation.shows == "operator":
                await self._check_caller(request)
            in_body = operation.method == "POST"
            fields = await Fields.of_body(request) if in_body else Fields.of_query(request)
            fields.only(names.difference(request.match_info))
            return await handler(request, fields)
        return call

    async def _check_caller(self, request: web.Request) -> None:
        """Raises Refused for anyone but a group-1 user or a client of scope operator."""
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            try:
                await self._client_tokens.client(authorization, SCOPE_OPERATOR)
            except TokenRefused as error:
                raise Refused(Fault.AUTHENTICATION, str(error)) from None
            except WrongScope as error:
                raise Refused(Fault.RIGHT, str(error)) from None
            return
        token = request.headers.get("token", "")
        if not token:
            raise Refused(Fault.AUTHENTICATION, "not logged in: send the header token, or a JWT")
        uid = sessions.find_uid(self._house.core, token)
        if not uid:
            raise Refused(Fault.AUTHENTICATION, "token: its session has ended, or never was")
        self._check_group(uid)

    def _check_group(self, uid: int) -> None:
        if self._house.core.users.get(uid).group != GROUP_OPERATOR:
            raise Refused(Fault.RIGHT, "only for super administrators")

    def _enveloped(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A route handler: what the call returns or why it was refused, in the envelope."""
        async def answer(request: web.Request) -> web.Response:
            code, answered, message = OK, None, None
            try:
                answered = await handler(request)
            except Refused as refused:
                code, message = CODES[refused.fault], str(refused)
            except InputError as error:
                code, message = CODES[Fault.INPUT], str(error)
            except web.HTTPRequestEntityTooLarge:
                code, message = CODES[Fault.INPUT], "body: is too large"
            except web.RequestPayloadError:
                code, message = CODES[Fault.INPUT], "body: cannot be read"
            except (Overloaded, TooBusy):
                code, message = CODES[Fault.SYSTEM], "too busy now; nothing was done"
            except HouseStopped:
                code, message = CODES[Fault.SYSTEM], "the house has stopped"
            except ConnectionError:
                raise
            except Exception:
                log.exception("operator call %s %s failed", request.method, request.path)
                code, message = CODES[Fault.SYSTEM], "a fault of ours; it is in the log"
            if OUTCOMES.get(code) is None:
                # It may rest on what is not on disk yet, as a session that has just ended.
                try:
                    await self._house.settled()
                except HouseStopped:
                    code, message = CODES[Fault.SYSTEM], "the house has stopped"
            outcome = OUTCOMES.get(code, "refused")
            self._shell.answers["operator", handler.__name__, outcome] += 1
            body = {"code": code, "data": answered, "message": message}
            # A name in a request may hold what no encoding can write.
            encoded = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
            # Not the direct way: other origins' headers are added to aiohttp's response only.
            return json_reply(request, encoded, direct=False)
        return answer

    async def _submit(self, kind: Kind, fields: dict[str, Any]) -> Any:
        """One command, on disk; its value. A result other than OK ends the call."""
        reply = await self._house.submit(cold(kind, fields))
        if reply.code != Result.OK:
            raise Refused(MEANINGS[reply.code].fault, why(kind, reply.code))
        return reply.value

    async def no_such_call(self, request: web.Request) -> None:
        """Any path or method that is none of ours."""
        raise Refused(Fault.INPUT, f"there is no {request.method} {request.path}")

    # -- the calls --------------------------------------------------------------------------------

    async def add_coin(self, request: web.Request, body: Fields) -> dict:
        name, title, kind = body.text("name", 16), body.text("title"), body.text("type")
        scale = body.whole("scale", SCALE_MAX)
        fee = body.count("withdraw_fee", scale, zero=True) if body.has("withdraw_fee") else 0
        body.end()
        number = await self._submit(Kind.ADD_COIN, {
            "name": name, "title": title, "type": kind, "scale": scale, "withdraw_fee": fee})
        return {"coin": name, "number": number}

    async def add_pair(self, request: web.Request, body: Fields) -> dict:
        name = body.text("pair", 33)
        price_scale = body.whole("price_scale", SCALE_MAX)
        amount_scale = body.whole("amount_scale", SCALE_MAX)
        min_qty = body.count("min_amount", amount_scale) if body.has("min_amount") else 1
        maker_fee_ppm, taker_fee_ppm = body.rate_ppm("maker_fee"), body.rate_ppm("taker_fee")
        self_trade = (body.choice("self_trade", SELF_TRADES) if body.has("self_trade")
                      else SelfTrade.CANCEL_MAKER)
        body.end()
        number = await self._submit(Kind.ADD_PAIR, {
            "name": name, "price_scale": price_scale, "amount_scale": amount_scale,
            "min_qty": min_qty, "maker_fee_ppm": maker_fee_ppm, "taker_fee_ppm": taker_fee_ppm,
            "self_trade": int(self_trade)})
        return {"pair": name, "number": number}

    async def set_pair_status(self, request: web.Request, body: Fields) -> None:
        pair = self._listed("pair", self._house.core.pairs, body.text("pair"))
        status = body.choice("status", PAIR_STATUSES)
        body.end()
        await self._submit(Kind.SET_PAIR_STATUS, {"pair": pair.number, "status": int(status)})

    async def deposit(self, request: web.Request, body: Fields) -> dict:
        user = self._user("user", body.name_or_uid("user"))
        coin = self._listed("coin", self._house.core.coins, body.text("coin"))
        amount, txid = body.count("amount", coin.scale), body.text("txid")
        body.end()
        return await self._submit(Kind.DEPOSIT, {
            "uid": user.uid, "coin": coin.number, "amount": amount, "txid": txid})

    async def list_withdrawals(self, request: web.Request, query: Fields) -> list[dict]:
        status = query.choice("status", WITHDRAWAL_STATUSES) if query.has("status") else 0
        user = self._user("user", query.text("user")) if query.has("user") else None
        limit = query.whole("limit", WITHDRAWALS_MAX) if query.has("limit") else WITHDRAWALS_DEFAULT
        before = query.whole("before") if query.has("before") else None
        query.end()
        store = self._house.core.withdrawals
        if user is None:
            found = store.listed(int(status), before, limit)
        else:
            found = store.of_user(user.uid, before=before, limit=WITHDRAWALS_MAX)
            found = [one for one in found if status in (0, one.status)][:limit]
        shown = [self._withdrawal_view(one.view()) for one in found]
        await self._house.settled()
        return shown

    async def step_withdrawal(self, request: web.Request, body: Fields) -> dict:
        kind = body.choice("action", STEPS)
        fields: dict[str, Any] = {"id": read_id("id", request.match_info["id"])}
        if kind == Kind.FINISH_WITHDRAWAL:
            fields["txid"] = body.text("txid")
        body.end()
        return self._withdrawal_view(await self._submit(kind, fields))

    async def add_credential(self, request: web.Request, body: Fields) -> dict:
        scope = body.choice("scope", SCOPES)
        user = None
        if scope == SCOPE_ACCOUNT or body.has("account"):
            user = self._user("account", body.name_or_uid("account"))
        body.end()
        client_id, secret_key, secret_salt = (
            secrets.token_hex(8), secrets.token_hex(32), secrets.token_hex(16))
        uid = user.uid if user is not None else None
        await self._submit(Kind.ADD_CREDENTIAL, sealed_credential(
            self._seal, client_id, secret_key, secret_salt, scope, uid))
        return {"clientId": client_id, "secretKey": secret_key, "secretSalt": secret_salt}

    async def remove_credential(self, request: web.Request, query: Fields) -> None:
        await self._submit(Kind.REMOVE_CREDENTIAL, {"client_id": request.match_info["clientId"]})

    async def state(self, request: web.Request, query: Fields) -> dict:
        house, core = self._house, self._house.core
        shown = {
            "seq": house.seq, "durable_seq": None, "state_hash": core.state_hash(),
            "version": version(), "uptime": int(time.monotonic() - self._started_s),
            "counts": {
                "users": len(core.users), "coins": len(core.coins), "pairs": len(core.pairs),
                "sessions": len(core.sessions), "deposits": len(core.deposits),
                "withdrawals": len(core.withdrawals), "credentials": len(core.credentials),
            },
        }
        # What was shown is on disk before it is told; by then more may be.
        await house.settled()
        shown["durable_seq"] = house.durable_seq
        return shown

    async def login(self, request: web.Request, body: Fields) -> dict:
        user, password = body.text("user"), body.text("password", login.PASSWORD_LENGTH_MAX)
        body.end()
        try:
            checked = await login.check_password(self._shell, user, password, request.remote)
            # Before there is a session: a refusal leaves none behind.
            self._check_group(checked.uid)
            return {"token": await login.begin_session(self._shell, checked)}
        except login.LoginRefused as error:
            raise Refused(Fault.AUTHENTICATION, str(error)) from None
        except sessions.SessionRefused as error:
            raise Refused(MEANINGS[error.code].fault, words(error.code)) from None

    async def logout(self, request: web.Request, body: Fields) -> None:
        token = request.headers.get("token", "")
        if not token:
            raise Refused(Fault.OPERATION, "a client credential has no session to end")
        await sessions.end(self._house, token)

    # -- names to what they stand for, and back ---------------------------------------------------

    def _listed(self, field: str, listings, name: str):
        """The listed coin or pair of that name."""
        listed = listings.by_name(name)
        if listed is None:
            raise InputError(field, "is not listed")
        return listed

    def _user(self, field: str, name_or_uid: str | int):
        users = self._house.core.users
        user = users.by_name(name_or_uid) if type(name_or_uid) is str else users.get(name_or_uid)
        if user is None:
            raise InputError(field, "is no user")
        return user

    def _withdrawal_view(self, withdrawal: dict) -> dict:
        """A withdrawal as docs/commands.md gives it, in the words and decimals of a reply."""
        core = self._house.core
        coin = core.coins.get(withdrawal["coin"])
        return {
            "id": withdrawal["id"], "uid": withdrawal["uid"],
            "user": core.users.get(withdrawal["uid"]).username, "coin": coin.name,
            "amount": text(withdrawal["amount"], coin.scale),
            "fee": text(withdrawal["fee"], coin.scale), "address": withdrawal["address"],
            "status": WithdrawalStatus(withdrawal["status"]).name.lower(),
            "txid": withdrawal["txid"], "request_id": withdrawal["request_id"],
            "requested_at": times.text(withdrawal["requested_ns"], self._shell.zone),
        }
