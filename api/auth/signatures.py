"""Signed bodies: says which client a call of `/action-api` comes from, and what it has asked for.

The body is a JSON object of `action`, `at`, `data`, `signNonce`, `sign`. `sign` is the HMAC-SHA256
(key secretKey, hex in small letters) of action + at + data + signNonce + secretSalt: of `at` the
text of the JSON number as it came in (`1577836800.0` is not `1577836800`), of the strings what
their escapes stand for, in UTF-8. `data` is the text of a JSON object.

Checked in this order; what fails leaves both nonces unspent:

1. the token in `Authorization` (client_tokens; here rnd must be a number), its scope the last;
2. the body: UTF-8, a JSON object of these five fields and no other, each of its form;
3. `at`: at most five minutes before or after now;
4. `sign`, in constant time;
5. `data`: a JSON object;
6. the token's rnd and signNonce were not used. (clientId, signNonce) works once in the time that
   `at` is good for; an rnd and a signNonce of the same digits are two nonces.

A signNonce has no white space and no braces: so no other split of the signed text into its parts
is a request too.
"""

import hmac
from decimal import Decimal
from typing import Any, NamedTuple

from aiohttp import web

from api.auth.client_tokens import NS, CallerRefused, Client, ClientTokens, exact_ns
from api.auth.nonces import Nonce, now_ns
from api.auth.seal import SealError
from api.dialects.parameters import add_json
from api.numbers import TEXT_LENGTH_MAX, InputError, Number
from engine import House

AT_OFF_MAX_S = 300
NONCE_LENGTH_MAX = 64
NONCE_PREFIX = "sign:"
NOT_IN_NONCES = frozenset(" {}")
FIELDS = ("action", "at", "data", "signNonce", "sign")


class SignatureRefused(CallerRefused):
    """The token is good, but its client has not signed this body, or not now."""


class SignedBody(NamedTuple):
    """A body of the right form, nothing of it proven."""

    action: str
    at: str                 # the literal text of the number
    parameters: str         # the JSON text in `data`
    nonce: str
    sign: str

    def signed_text(self) -> str:
        """What the signature covers, but for the salt."""
        return self.action + self.at + self.parameters + self.nonce


class SignedCall(NamedTuple):
    """A call that its client has signed and that was not made before."""

    client: Client
    action: str
    given: dict[str, object]    # of `data`, as `parameters.add_json` reads it


class SignedCalls:
    """Checks the calls of all credentials of one scope."""

    __slots__ = ("_house", "_tokens", "_scope")

    def __init__(self, house: House, tokens: ClientTokens, scope: str):
        """`tokens` is one for all doors of the house: so a nonce is looked at in one place."""
        self._house = house
        self._tokens = tokens
        self._scope = scope

    async def call(self, request: web.BaseRequest) -> SignedCall:
        """The call that a request makes, its nonces spent on disk.

        Raises CallerRefused, WrongScope, InputError (the field, or `body`), Overloaded,
        HouseStopped, web.HTTPRequestEntityTooLarge.
        """
        shown = self._tokens.check(request.headers.get("Authorization", ""), self._scope,
                                   rnd_text=False)
        body = read_signed(await request.read())
        until_ns = self._good_until_ns(body.at)
        self._check_sign(shown.credential, body)
        given = _parameters(body.parameters)
        client = await self._tokens.spend(
            shown, Nonce("signNonce", NONCE_PREFIX + body.nonce, until_ns))
        return SignedCall(client, body.action, given)

    def _good_until_ns(self, at: str) -> int:
        """The first moment at which a body of that time is too old."""
        at_ns, off_max_ns = exact_ns(_decimal(at)), AT_OFF_MAX_S * NS
        if not at_ns - off_max_ns <= now_ns(self._house) < at_ns + off_max_ns:
            raise SignatureRefused(f"at: must be within {AT_OFF_MAX_S} seconds of now")
        return at_ns + off_max_ns

    def _check_sign(self, credential: Any, body: SignedBody) -> None:
        try:
            key, salt = self._tokens.opened(credential)
        except SealError:
            raise SignatureRefused("sign: is wrong") from None
        right = hmac.digest(key, body.signed_text().encode() + salt, "sha256").hex()
        if not hmac.compare_digest(right.encode(), body.sign.encode()):
            raise SignatureRefused("sign: is wrong")


def read_signed(body: bytes) -> SignedBody:
    """The fields of a body. Raises InputError, naming the field or `body`."""
    given: dict[str, object] = {}
    try:
        add_json(given, body.decode())
    except UnicodeDecodeError:
        raise InputError("body", "must be UTF-8") from None
    for field in FIELDS:
        if given.get(field) is None:
            raise InputError(field, "is missing")
        # A JSON number is a Number, which is a text too.
        if type(given[field]) is not (Number if field == "at" else str):
            raise InputError(field, f"must be a {'number' if field == 'at' else 'string'}")
    if len(given) > len(FIELDS):
        raise InputError("body", f"must have no other fields than {', '.join(FIELDS)}")
    signed = SignedBody(*(given[field] for field in FIELDS))
    if len(signed.at) > TEXT_LENGTH_MAX:
        raise InputError("at", f"must be a number of at most {TEXT_LENGTH_MAX} characters")
    _decimal(signed.at)
    if not 0 < len(signed.nonce) <= NONCE_LENGTH_MAX:
        raise InputError("signNonce", f"must have 1 to {NONCE_LENGTH_MAX} characters")
    if not signed.nonce.isprintable() or NOT_IN_NONCES.intersection(signed.nonce):
        raise InputError("signNonce", "must be printable, without white space and braces")
    return signed


def _decimal(at: str) -> Decimal:
    """The time that the number stands for, in seconds. Raises InputError."""
    try:
        seconds = Decimal(at)
    except ArithmeticError:
        raise InputError("at", "is out of range") from None
    if not seconds.is_finite():
        raise InputError("at", "must be a number")
    return seconds


def _parameters(text: str) -> dict[str, object]:
    """The members of the JSON object in `data`. Raises InputError."""
    given: dict[str, object] = {}
    try:
        add_json(given, text)
    except InputError as error:
        if error.field == "body":
            raise InputError("data", error.reason) from None
        raise
    return given
