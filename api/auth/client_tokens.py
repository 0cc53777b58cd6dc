"""Client credentials: says which client a JWT in `Authorization` belongs to.

A token is HS256 over `{"clientId", "rnd", "exp"}` with the client's secretKey. It is good until
`exp`, at most ten minutes ahead, and its (clientId, rnd) works once: what was used is a command in
the journal, so a replay after a crash is still a replay. A nonce is spent only by a token that is
good in every other respect, and nobody without the key can make the journal grow.

Checked in this order: that it is a JWT; its alg; that the payload has its three claims; the
signature; exp; that the credential's user may log in; the scope; that rnd was not used.
"""

import json
import logging
import re
import secrets
import warnings
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, NamedTuple

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OctKey

from api.auth.nonces import Nonce, NonceRefused, NonceSpender, now_ns
from api.auth.seal import Seal, SealError
from engine import House

AHEAD_MAX_S = 600
TOKEN_CHARACTERS_MAX = 4096
RND = re.compile(r"[0-9]{8,64}", re.ASCII)
RND_PREFIX = "rnd:"
NS = 1_000_000_000

# Of a time only its first 20 digits can matter: to multiply 1e999999999 out would take long.
TIME_DIGITS_MAX = 20

WRONG_SIGNATURE = "the token's signature is wrong, or its clientId is not known"

log = logging.getLogger("orebook")


class CallerRefused(Exception):
    """The request shows no caller. Its text says why, and never whether a client id exists."""


class TokenRefused(CallerRefused):
    """The token shows no caller."""


class WrongScope(Exception):
    """The caller is known, but its credential is not for this door."""


class Client(NamedTuple):
    """Who calls: `uid` is 0 where the credential belongs to no user."""

    client_id: str
    scope: str
    uid: int


class Shown(NamedTuple):
    """What a good token shows. Not spent yet: until then it shows the same again."""

    client: Client
    credential: Any         # as `core.credentials` has it, its secrets sealed
    rnd: Nonce


def sealed_credential(seal: Seal, client_id: str, secret_key: str, secret_salt: str, scope: str,
                      uid: int | None) -> dict[str, Any]:
    """The fields of the ADD_CREDENTIAL for a client whose secrets are given in the clear."""
    return {
        "client_id": client_id,
        "sealed_key": seal.seal(secret_key.encode(), key_context(client_id)),
        "sealed_salt": seal.seal(secret_salt.encode(), salt_context(client_id)),
        "scope": scope, "uid": uid,
    }


def key_context(client_id: str) -> str:
    """What a credential's secretKey is sealed for."""
    return f"credential key {client_id}"


def salt_context(client_id: str) -> str:
    """What a credential's secretSalt is sealed for."""
    return f"credential salt {client_id}"


class ClientTokens:
    """Checks the tokens of all of a house's credentials."""

    __slots__ = ("_house", "_seal", "_spender", "_nobody", "_unreadable")

    def __init__(self, house: House, seal: Seal):
        self._house = house
        self._seal = seal
        self._spender = NonceSpender(house)
        # An unknown client costs what a known one does, so that its refusal looks like any other.
        self._nobody = SimpleNamespace(**sealed_credential(
            seal, "nobody", secrets.token_urlsafe(32), secrets.token_urlsafe(32), "", None))
        self._unreadable: set[str] = set()

    async def client(self, authorization: str, scope: str, *, rnd_text: bool = True) -> Client:
        """The client that made the `Authorization` header's token, its rnd spent on disk.

        Raises as `check` and `spend`.
        """
        return await self.spend(self.check(authorization, scope, rnd_text=rnd_text))

    def check(self, authorization: str, scope: str, *, rnd_text: bool = True) -> Shown:
        """What the `Authorization` header's token shows; nothing is spent.

        `rnd_text`: whether rnd may be a text of digits, or must be a number. Raises TokenRefused,
        or WrongScope when the credential's scope is not `scope`.
        """
        signed = _parse(authorization)
        claims = _claims(signed.payload, rnd_text)
        credential = self._signer(signed, claims["clientId"])
        exp_ns = self._exp_ns(claims["exp"])
        uid = credential.uid or 0
        if uid and not self._house.core.users.is_active(uid):
            raise TokenRefused("the credential's user may not log in")
        if credential.scope != scope:
            raise WrongScope(f"the credential's scope is {credential.scope}, not {scope}")
        return Shown(Client(credential.client_id, credential.scope, uid), credential,
                     Nonce("rnd", f"{RND_PREFIX}{_rnd(claims['rnd'], rnd_text)}", exp_ns))

    async def spend(self, shown: Shown, *more: Nonce) -> Client:
        """The client, once the token's rnd and the request's other nonces are spent on disk.

        All or none of them. Raises TokenRefused, Overloaded, HouseStopped.
        """
        try:
            await self._spender.spend(shown.client.client_id, (shown.rnd, *more))
        except NonceRefused as error:
            raise TokenRefused(str(error)) from None
        return shown.client

    def opened(self, credential: Any) -> tuple[bytes, bytes]:
        """A credential's secretKey and secretSalt.

        Raises SealError where they were sealed by a key that is gone; the log says so once.
        """
        client_id = credential.client_id
        try:
            return (self._seal.unseal(credential.sealed_key, key_context(client_id)),
                    self._seal.unseal(credential.sealed_salt, salt_context(client_id)))
        except SealError as error:
            if client_id not in self._unreadable:
                self._unreadable.add(client_id)
                log.warning("credential %s: %s; remove it and make it anew", client_id, error)
            raise

    def _signer(self, signed: jws.CompactSignature, client_id: str) -> Any:
        """The credential of that id, which has signed the token."""
        credential = self._house.core.credentials.get(client_id)
        try:
            key, _ = self.opened(self._nobody if credential is None else credential)
            good = jws.validate_compact(signed, _signing_key(key), algorithms=["HS256"])
        except (SealError, JoseError, ValueError, TypeError):
            good = False
        if not good or credential is None:
            raise TokenRefused(WRONG_SIGNATURE)
        return credential

    def _exp_ns(self, exp: object) -> int:
        """When the token ends, UTC nanoseconds."""
        if type(exp) is int:
            exp = Decimal(exp)
        if not isinstance(exp, Decimal):
            raise TokenRefused("exp must be a number of seconds")
        exp_ns, at_ns = exact_ns(exp), now_ns(self._house)
        if exp_ns <= at_ns:
            raise TokenRefused("the token has expired")
        if exp_ns > at_ns + AHEAD_MAX_S * NS:
            raise TokenRefused(f"exp must be at most {AHEAD_MAX_S} seconds ahead")
        return exp_ns


def exact_ns(seconds: Decimal) -> int:
    """A UNIX time in nanoseconds, cut off there. What no clock will ever show stays beyond it."""
    if seconds.adjusted() > TIME_DIGITS_MAX:
        seconds = Decimal(10) ** TIME_DIGITS_MAX * (1 if seconds > 0 else -1)
    return int(seconds * NS)


def _signing_key(secret_key: bytes) -> OctKey:
    with warnings.catch_warnings():
        # A short key was somebody's own choice in the configuration: said there, not here.
        warnings.simplefilter("ignore", SecurityWarning)
        return OctKey.import_key(secret_key)


def _parse(authorization: str) -> jws.CompactSignature:
    """The token's three parts, nothing of it proven."""
    text = authorization.strip()
    if text[:7].lower() == "bearer ":
        text = text[7:].strip()
    if not text or len(text) > TOKEN_CHARACTERS_MAX:
        raise TokenRefused("Authorization must be a JWT")
    try:
        signed = jws.extract_compact(text.encode("ascii"))
        if not isinstance(signed.protected, dict):
            raise ValueError
    except (JoseError, ValueError, TypeError, RecursionError):
        raise TokenRefused("Authorization must be a JWT") from None
    if signed.protected.get("alg") != "HS256":
        raise TokenRefused("a token's alg must be HS256")
    return signed


def _claims(payload: bytes, rnd_text: bool) -> dict:
    try:
        claims = json.loads(payload, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError):
        raise TokenRefused("the token's payload must be JSON") from None
    if not isinstance(claims, dict):
        raise TokenRefused("the token's payload must be a JSON object")
    for name in ("clientId", "rnd", "exp"):
        if name not in claims:
            raise TokenRefused(f"the token lacks {name}")
    if not isinstance(claims["clientId"], str):
        raise TokenRefused("clientId must be a string")
    _rnd(claims["rnd"], rnd_text)
    return claims


def _rnd(rnd: object, text: bool) -> str:
    """Its digits; the number and the text of the same digits are the same nonce."""
    # str() of a longer integer is quadratic, and refused by Python itself beyond 4,300 digits.
    if type(rnd) is int and 0 <= rnd < 10 ** 64:
        rnd = str(rnd)
    elif not text:
        raise TokenRefused("rnd must be a whole number of 8 to 64 digits")
    if type(rnd) is not str or not RND.fullmatch(rnd):
        raise TokenRefused("rnd must have 8 to 64 digits")
    return rnd


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
