"""Which session a request shows, and the cookie that keeps it: one for all dialects with sessions,
so that a login in one opens the others.

No page of another site can make a browser send the cookie along with anything but a link that is
followed (SameSite=Lax), and no script can read it (HttpOnly).
"""

from collections.abc import Mapping

from aiohttp import web

from api.auth import sessions
from api.numbers import InputError

# Of the cookie, the header and the parameter.
NAME = "session"


def token_of(request: web.BaseRequest, parameters: Mapping[str, object]) -> str:
    """The token in the parameter, else the header, else the cookie; "" where there is none.

    Raises InputError where the parameter is no text.
    """
    token = parameters.get(NAME)
    if token is None:
        headers = request.headers
        token = headers.get(NAME)
        if token is None:
            token = _cookie(headers.get("Cookie", ""))
    if not isinstance(token, str):
        raise InputError(NAME, "must be a text")
    return token


def keep_token(response: web.StreamResponse, token: str, secure: bool) -> None:
    """Put the token into the response's cookie; "" deletes the cookie."""
    settings = {"path": "/", "httponly": True, "samesite": "Lax", "secure": secure or None}
    if token:
        response.set_cookie(NAME, token, max_age=sessions.LIFETIME_S, **settings)
    else:
        response.del_cookie(NAME, **settings)


def _cookie(header: str) -> str:
    """The value of our cookie in a Cookie header, "" when it is not there."""
    for part in header.split(";"):
        name, _, value = part.partition("=")
        if name.strip() == NAME:
            return value.strip().strip('"')
    return ""
