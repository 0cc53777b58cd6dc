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

import msgspec
from aiohttp import web

from api.auth import login, sessions
from api.auth.client_tokens import TokenRefused, WrongScope, sealed_credential
from api.auth.passwords import TooBusy
from api.auth.seal import Seal
from api.dialects.described import Operation
from api.dialects.fields import Fields
from api.dialects.operator_described import OPERATIONS
from api.dialects.operator_desk import Desk, Refused, why
from api.dialects.operator_payments import PaymentCalls
from api.dialects.operator_pool import PoolCalls
from api.dialects.operator_shares import ShareCalls
from api.errors import MEANINGS, Fault, words
from api.mining.settling import SETTLER, Settler
from api.numbers import InputError, read_id
from api.replies import json_reply
from api.reports import counts
from api.shell import SHELL, Shell
from api.version import version
from engine import (
    HistoryLate, HouseStopped, Kind, Overloaded, PairStatus, SelfTrade, WithdrawalStatus)

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

# They read what they are given by themselves.
OWN_BODIES = frozenset({"add_shares"})

Handler = Callable[[web.Request], Awaitable[Any]]
# A name in a path that may hold slashes.
PATTERNS = {"{clientId}": "{clientId:.+}"}

log = logging.getLogger("orebook")


def add_routes(app: web.Application) -> None:
    """The dialect on an app that has a SHELL. Raises SealError when the key file cannot be used."""
    shell = app[SHELL]
    app[SETTLER] = Settler(shell.house)
    OperatorDialect(shell, Seal.open(shell.config.data.dir), app[SETTLER]).add_routes(app)


def envelope(code: int, answered: Any, message: str | None) -> bytes:
    """The JSON of an answer; `answered` may be JSON already."""
    if isinstance(answered, msgspec.Raw):
        return b'{"code":%d,"data":%b,"message":null}' % (code, bytes(answered))
    body = {"code": code, "data": answered, "message": message}
    # A name in a request may hold what no encoding can write.
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


class OperatorDialect:
    """The calls, bound to one house. Each gets its fields and returns what goes into the envelope's
    `data`; one that is a whole response or JSON goes out as it is."""

    def __init__(self, shell: Shell, seal: Seal, settler: Settler):
        house = shell.house
        self._shell = shell
        self._house = house
        self._seal = seal
        self._desk = Desk(shell)
        self._parts = (self, PoolCalls(self._desk, settler), ShareCalls(self._desk),
                       PaymentCalls(self._desk))
        self._client_tokens = shell.client_tokens
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
        handler = next(found for calls in self._parts
                       if (found := getattr(calls, operation.name, None)) is not None)
        names = frozenset(field.name for field in operation.fields)

        @wraps(handler)
        async def call(request: web.Request) -> Any:
            if operation.shows == "operator":
                await self._check_caller(request)
            if operation.name in OWN_BODIES:
                return await handler(request)
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
            except HistoryLate:
                code, message = CODES[Fault.SYSTEM], "the history is not there now, try again"
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
            if isinstance(answered, web.StreamResponse):
                return answered
            encoded = envelope(code, answered, message)
            # Not the direct way: other origins' headers are added to aiohttp's response only.
            return json_reply(request, encoded, direct=False)
        return answer

    async def no_such_call(self, request: web.Request) -> None:
        """Any path or method that is none of ours."""
        raise Refused(Fault.INPUT, f"there is no {request.method} {request.path}")

    # -- the calls --------------------------------------------------------------------------------

    async def add_coin(self, request: web.Request, body: Fields) -> dict:
        name, title, kind = body.text("name", 16), body.text("title"), body.text("type")
        scale = body.whole("scale", SCALE_MAX)
        fee = body.count("withdraw_fee", scale, zero=True) if body.has("withdraw_fee") else 0
        body.end()
        number = await self._desk.submit(Kind.ADD_COIN, {
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
        number = await self._desk.submit(Kind.ADD_PAIR, {
            "name": name, "price_scale": price_scale, "amount_scale": amount_scale,
            "min_qty": min_qty, "maker_fee_ppm": maker_fee_ppm, "taker_fee_ppm": taker_fee_ppm,
            "self_trade": int(self_trade)})
        return {"pair": name, "number": number}

    async def set_pair_status(self, request: web.Request, body: Fields) -> None:
        pair = self._desk.listed("pair", self._house.core.pairs, body.text("pair"))
        status = body.choice("status", PAIR_STATUSES)
        body.end()
        await self._desk.submit(Kind.SET_PAIR_STATUS, {"pair": pair.number, "status": int(status)})

    async def deposit(self, request: web.Request, body: Fields) -> dict:
        user = self._desk.user("user", body.name_or_uid("user"))
        coin = self._desk.coin("coin", body.text("coin"))
        amount, txid = body.count("amount", coin.scale), body.text("txid")
        body.end()
        return await self._desk.submit(Kind.DEPOSIT, {
            "uid": user.uid, "coin": coin.number, "amount": amount, "txid": txid})

    async def list_withdrawals(self, request: web.Request, query: Fields) -> list[dict]:
        status = query.choice("status", WITHDRAWAL_STATUSES) if query.has("status") else 0
        user = None
        if query.has("account"):
            if query.has("user"):
                raise InputError("account", "not together with user")
            user = self._house.core.users.get(
                self._desk.account("account", query.text("account")).number)
        elif query.has("user"):
            user = self._desk.user("user", query.text("user"))
        limit = query.whole("limit", WITHDRAWALS_MAX) if query.has("limit") else WITHDRAWALS_DEFAULT
        before = query.whole("before") if query.has("before") else None
        query.end()
        store = self._house.core.withdrawals
        if user is None:
            found = store.listed(int(status), before, limit)
        else:
            found = store.of_user(user.uid, before=before, limit=WITHDRAWALS_MAX)
            found = [one for one in found if status in (0, one.status)][:limit]
        shown = [self._desk.withdrawal_view(one.view()) for one in found]
        await self._house.settled()
        return shown

    async def step_withdrawal(self, request: web.Request, body: Fields) -> dict:
        kind = body.choice("action", STEPS)
        fields: dict[str, Any] = {"id": read_id("id", request.match_info["id"])}
        if kind == Kind.FINISH_WITHDRAWAL:
            fields["txid"] = body.text("txid")
        body.end()
        return self._desk.withdrawal_view(await self._desk.submit(kind, fields))

    async def add_credential(self, request: web.Request, body: Fields) -> dict:
        scope = body.choice("scope", SCOPES)
        user = None
        if scope == SCOPE_ACCOUNT or body.has("account"):
            user = self._desk.user("account", body.name_or_uid("account"))
        body.end()
        client_id, secret_key, secret_salt = (
            secrets.token_hex(8), secrets.token_hex(32), secrets.token_hex(16))
        uid = user.uid if user is not None else None
        await self._desk.submit(Kind.ADD_CREDENTIAL, sealed_credential(
            self._seal, client_id, secret_key, secret_salt, scope, uid))
        return {"clientId": client_id, "secretKey": secret_key, "secretSalt": secret_salt}

    async def remove_credential(self, request: web.Request, query: Fields) -> None:
        await self._desk.submit(Kind.REMOVE_CREDENTIAL, {
            "client_id": request.match_info["clientId"]})

    async def state(self, request: web.Request, query: Fields) -> dict:
        house, core = self._house, self._house.core
        shown = {
            "seq": house.seq, "durable_seq": None, "state_hash": core.state_hash(),
            "version": version(), "uptime": int(time.monotonic() - self._started_s),
            "counts": counts(core),
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
