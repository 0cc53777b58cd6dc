"""Client credentials: says which client a JWT in `Authorization` belongs to.

A token is HS256 over `{"clientId", "rnd", "exp"}` with the client's secretKey. It is good until
`exp`, at most ten minutes ahead, and its (clientId, rnd) works once: what was used is a command in
the journal, so a replay after a crash is still a replay. A nonce is spent only by a token that is
good in every other respect, and nobody without the key can make the journal grow.
"""

import json
import re
import secrets
import time
import warnings
from decimal import Decimal
from typing import Any, NamedTuple

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OctKey

from api.auth.seal import Seal, SealError
from engine import House, Kind, Result, cold

AHEAD_MAX_S = 600
TOKEN_CHARACTERS_MAX = 4096
RND = re.compile(r"[0-9]{8,64}", re.ASCII)
NS = 1_000_000_000

# Of exp only its first 20 digits can matter: Decimal would work long on 1e999999999.
EXP_DIGITS_MAX = 20


class TokenRefused(Exception):
    """The token shows no caller. Its text says why, and never whether a client id exists."""


class WrongScope(Exception):
    """The caller is known, but its credential is not for this door."""


class Client(NamedTuple):
    """Who calls: `uid` is 0 where the credential belongs to no user."""

    client_id: str
    scope: str
    uid: int


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

    __slots__ = ("_house", "_seal", "_nobody")

    def __init__(self, house: House, seal: Seal):
        self._house = house
        self._seal = seal
        self._nobody = OctKey.import_key(secrets.token_bytes(32))

    async def client(self, authorization: str, scope: str) -> Client:
        """The client that made the `Authorization` header's token, its rnd spent on disk.

        Raises TokenRefused, or WrongScope when the credential's scope is not `scope`.
        """
        signed = _parse(authorization)
        claims = _claims(signed.payload)
        client_id = claims["clientId"]
        credential = self._house.core.credentials.get(client_id)
        self._check_signature(signed, client_id, credential)
        exp_ns = _exp_ns(claims["exp"], self._now_ns())
        if credential.scope != scope:
            raise WrongScope(f"the credential's scope is {credential.scope}, not {scope}")
        reply = await self._house.submit(cold(Kind.USE_NONCE, {
            "client_id": client_id, "nonce": f"rnd:{_rnd(claims['rnd'])}", "expires_ns": exp_ns,
        }))
        if reply.code == Result.NONCE_USED:
            raise TokenRefused("this rnd was used before")
        if reply.code != Result.OK:
            raise TokenRefused("the credential is gone")
        return Client(client_id, credential.scope, credential.uid or 0)

    def _now_ns(self) -> int:
        """Never before the core's time: by that, spent nonces are forgotten once they expired."""
        return max(time.time_ns(), self._house.core.ts_ns)

    def _check_signature(self, signed: jws.CompactSignature, client_id: str, credential) -> None:
        # An unknown client costs an HMAC too, so that its refusal looks like any other.
        key = self._nobody if credential is None else self._key(client_id, credential.sealed_key)
        try:
            good = jws.validate_compact(signed, key, algorithms=["HS256"])
        except (JoseError, ValueError, TypeError):
            good = False
        if not good or credential is None:
            raise TokenRefused("the token's signature is wrong, or its clientId is not known")

    def _key(self, client_id: str, sealed_key: bytes) -> OctKey:
        try:
            secret = self._seal.unseal(sealed_key, key_context(client_id))
        except SealError as error:
            raise TokenRefused(f"this house cannot read the credential: {error}") from None
        with warnings.catch_warnings():
            # A short key was somebody's own choice in the configuration: said there, not here.
            warnings.simplefilter("ignore", SecurityWarning)
            return OctKey.import_key(secret)


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


def _claims(payload: bytes) -> dict:
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
    _rnd(claims["rnd"])
    return claims


def _rnd(rnd: object) -> str:
    """Its digits; the number and the text of the same digits are the same nonce."""
    # str() of a longer integer is quadratic, and refused by Python itself beyond 4,300 digits.
    if type(rnd) is int and 0 <= rnd < 10 ** 64:
        rnd = str(rnd)
    if type(rnd) is not str or not RND.fullmatch(rnd):
        raise TokenRefused("rnd must have 8 to 64 digits")
    return rnd


def _exp_ns(exp: object, now_ns: int) -> int:
    """When the token ends, UTC nanoseconds."""
    if type(exp) is int:
        exp = Decimal(exp)
    if not isinstance(exp, Decimal):
        raise TokenRefused("exp must be a number of seconds")
    if exp.adjusted() > EXP_DIGITS_MAX:
        exp = Decimal(10) ** EXP_DIGITS_MAX if exp > 0 else Decimal(0)
    if exp * NS <= now_ns:
        raise TokenRefused("the token has expired")
    if exp * NS > now_ns + AHEAD_MAX_S * NS:
        raise TokenRefused(f"exp must be at most {AHEAD_MAX_S} seconds ahead")
    return int(exp * NS)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
