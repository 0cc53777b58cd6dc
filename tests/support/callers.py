"""Calls of the pool in the pages of docs/: what the shell functions of docs/pool-callers.md do.

`act ACTION 'JSON'` becomes a request that is not signed yet, `$(jwt)` in a header stays as it is:
`completed` makes both good, each time anew, for neither is good twice.
"""

import json
import re
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tests.api import pool_doors
from tests.support.curl import Jars, Request, expanded, request

TOKEN = "$(jwt)"
NOW = "$(date +%s)"
PATH = "/action-api"
FUNCTIONS = re.compile(r"^```shell\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(command: str, variables: Mapping[str, str], jars: Jars) -> Request:
    """What a command of a page asks for. Raises as `curl.request`."""
    command = command.replace(NOW, str(int(time.time())))
    if not command.startswith("act "):
        return request(command, variables, jars)
    _, action, text = shlex.split(expanded(command, variables))
    headers = {"Authorization": TOKEN, "Content-Type": "application/json"}
    return Request("POST", variables["HOUSE"] + PATH, headers, {}, unsigned(action, text), None)


def unsigned(action: str, text: str) -> str:
    """A body that `completed` will sign."""
    return json.dumps({"action": action, "data": text})


def completed(asked: Request, variables: Mapping[str, str]) -> Request:
    """The request with a token and a signature, where it is one that needs them."""
    if TOKEN not in asked.headers.values():
        return asked
    own = {"clientId": variables["CLIENT_ID"], "secretKey": variables["SECRET_KEY"],
           "secretSalt": variables.get("SECRET_SALT", "")}
    headers = {name: pool_doors.token_of(own) if value == TOKEN else value
               for name, value in asked.headers.items()}
    body = asked.body
    if urlsplit(asked.url).path == PATH:
        given = json.loads(body)
        signed = pool_doors.signed_body(own, action=given["action"], text=given["data"])
        body = pool_doors.written(signed).decode()
    return asked._replace(headers=headers, body=body)


def functions(page: Path) -> str:
    """What is to be typed before the examples: the functions themselves."""
    return "\n".join(FUNCTIONS.findall(page.read_text(encoding="utf-8")))
