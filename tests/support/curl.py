"""A `curl` command line as the request that it makes: what a page of docs/ may use of it.

Quotes, `$NAME` and lines continued with a backslash are read as a shell reads them. Cookie jars are
kept by name in a dict, not in files.
"""

import getopt
import re
import shlex
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import NamedTuple
from urllib.parse import quote_plus

SHORT = "sSX:d:H:b:c:G"
LONG = ["silent", "show-error", "request=", "data=", "header=", "cookie=", "cookie-jar=", "get",
        "data-urlencode=", "json="]
FORM = "application/x-www-form-urlencoded"
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")

Jars = dict[str, dict[str, str]]


class Request(NamedTuple):
    method: str
    url: str
    headers: dict[str, str]     # without cookies
    cookies: dict[str, str]
    body: str | None
    jar: str | None             # where the answer's cookies go


def request(command: str, variables: Mapping[str, str], jars: Jars) -> Request:
    """What the command asks for. ValueError for what is no curl command of ours, KeyError for a
    variable that is not there."""
    words = shlex.split(expanded(command.replace("\\\n", " "), variables))
    if not words or words[0] != "curl":
        raise ValueError(f"no curl command: {command}")
    try:
        options, urls = getopt.gnu_getopt(words[1:], SHORT, LONG)
    except getopt.GetoptError as error:
        raise ValueError(f"{error}: {command}") from None
    if len(urls) != 1:
        raise ValueError(f"not one address: {command}")
    method, parts, headers, cookies, jar, as_query = None, [], {}, {}, None, False
    for option, value in options:
        if option in ("-X", "--request"):
            method = value
        elif option in ("-d", "--data"):
            parts.append(value)
        elif option == "--data-urlencode":
            name, _, text = value.partition("=")
            parts.append(f"{name}={quote_plus(text)}")
        elif option == "--json":
            parts.append(value)
            headers |= {"Content-Type": "application/json", "Accept": "application/json"}
        elif option in ("-H", "--header"):
            name, _, text = value.partition(":")
            headers[name.strip()] = text.strip()
        elif option in ("-b", "--cookie"):
            cookies |= given_cookies(value, jars)
        elif option in ("-c", "--cookie-jar"):
            jar = value
        elif option in ("-G", "--get"):
            as_query = True
    url, body = urls[0], None
    if parts and as_query:
        url += ("&" if "?" in url else "?") + "&".join(parts)
    elif parts:
        body = "&".join(parts)
        headers = {"Content-Type": FORM} | headers
    return Request(method or ("GET" if body is None else "POST"), url, headers, cookies, body, jar)


def expanded(command: str, variables: Mapping[str, str]) -> str:
    """The command with its variables filled in where a shell would do so: not between '."""
    filled, quote, at = [], "", 0
    while at < len(command):
        sign = command[at]
        variable = VARIABLE.match(command, at) if sign == "$" and quote != "'" else None
        if variable is not None:
            value = variables[variable[1] or variable[2]]
            filled.append(re.sub(r'(["\\])', r"\\\1", value) if quote else shlex.quote(value))
            at = variable.end()
            continue
        if sign == "\\" and quote != "'":
            # shlex does not know that a dollar may be escaped between ".
            escaped = command[at:at + 2]
            filled.append("$" if quote and escaped == "\\$" else escaped)
            at += 2
            continue
        if sign in "'\"" and quote in ("", sign):
            quote = "" if quote else sign
        filled.append(sign)
        at += 1
    return "".join(filled)


def given_cookies(value: str, jars: Jars) -> dict[str, str]:
    """Those of `-b`: written out as `name=value; …`, or those in a jar, which may not be there."""
    if "=" in value:
        return {name: morsel.value for name, morsel in SimpleCookie(value).items()}
    return jars.get(value, {})


def keep_cookies(jars: Jars, jar: str, cookies: Mapping[str, str], set_cookie: list[str]) -> None:
    """What `-c` writes: the cookies that were sent, and what the answer set or deleted."""
    kept = dict(cookies)
    for line in set_cookie:
        for name, morsel in SimpleCookie(line).items():
            kept[name] = morsel.value
            if morsel["max-age"] == "0":
                del kept[name]
    jars[jar] = kept
