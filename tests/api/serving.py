"""A real `orebook serve` as a child process, and plain calls to it: no client of ours between."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).parents[2]
PASSWORD = "operator-password"
USER_PASSWORD = "user-password"
ANSWERS = re.compile(r"Orebook answers at (https?://([0-9.]+):([0-9]+)), data in (.+)")


def environment(**changes: str) -> dict[str, str]:
    """The tests' own environment without any setting of ours, and with these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OREBOOK_")}
    return clean | {"PYTHONPATH": str(ROOT)} | changes


def orebook(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs `orebook …` to its end."""
    return subprocess.run([sys.executable, "-m", "api.cli", *arguments], text=True, timeout=120,
                          capture_output=True, env=environment(**changes), stdin=subprocess.DEVNULL)


class ServedHouse:
    """A child that serves `directory`; `printed` is what it wrote to standard output so far."""

    def __init__(self, directory: Path, *arguments: str, **changes: str):
        settings = {"OREBOOK_OPERATOR_PASSWORD": PASSWORD, "OREBOOK_MAIL_RETURN_CODES": "true",
                    "OREBOOK_DATA_SEGMENT_MB": "1"} | changes
        self.directory = directory
        self.errors = directory.with_name(directory.name + ".stderr")
        self.printed = ""
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "serve", "--port", "0", "--data", str(directory),
                 *arguments],
                stdout=subprocess.PIPE, stderr=errors, text=True, env=environment(**settings))
        for line in self.process.stdout:
            self.printed += line
            if found := ANSWERS.search(line):
                self.url, self.host, self.port = found[1], found[2], int(found[3])
                return
        raise RuntimeError(f"no address, exit {self.process.wait()}: {self.errors.read_text()}")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and waits; the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code

    def kill_all(self) -> None:
        """The end of the power: `kill -9`, no last words."""
        if self.process.poll() is None:
            self.end(signal.SIGKILL)

    # -- calls ------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: bytes | None = None,
                headers: dict[str, str] | None = None) -> tuple[int, str, bytes]:
        """(status, content type, body)."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers.get("Content-Type", ""), response.read()
        finally:
            connection.close()

    def operator(self, method: str, path: str, body: object = None, token: str | None = None,
                 jwt: str | None = None) -> dict:
        """The envelope of an operator call; `body` is sent as JSON, bytes as they are."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["token"] = token
        if jwt is not None:
            headers["Authorization"] = jwt
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        status, content_type, answer = self.request(method, f"/operator/{path}", body, headers)
        envelope = json.loads(answer)
        if (status, content_type.split(";")[0]) != (200, "application/json"):
            raise RuntimeError(f"{method} {path}: {status} {content_type} {answer!r}")
        if list(envelope) != ["code", "data", "message"]:
            raise RuntimeError(f"{method} {path}: {envelope}")
        return envelope

    def done(self, method: str, path: str, body: object = None, token: str | None = None,
             jwt: str | None = None):
        """The answer of a call that must succeed."""
        envelope = self.operator(method, path, body, token, jwt)
        if envelope["code"] != 0 or envelope["message"] is not None:
            raise RuntimeError(f"{method} {path}: {envelope}")
        return envelope["data"]

    def router(self, name: str, session: str = "", method: str = "POST", **parameters: str):
        """What the router answers with; a refusal is a RuntimeError with its description."""
        encoded = urllib.parse.urlencode(parameters)
        query = f"/router?router={name}" + (f"&{encoded}" if method == "GET" else "")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if session:
            headers["session"] = session
        body = encoded.encode() if method == "POST" else None
        envelope = json.loads(self.request(method, query, body, headers)[2])
        if not envelope["status"]:
            raise RuntimeError(envelope["description"])
        return envelope["data"]

    def login_operator(self) -> str:
        return self.done("POST", "login", {"user": "operator", "password": PASSWORD})["token"]

    def new_user(self, name: str) -> str:
        """Registers a user through the router and logs it in; the token."""
        code = self.router("make_valid_code", user=name)
        self.router("regeist_user", user=name, valid_code=code, **{"pass": USER_PASSWORD})
        return self.router("login", user=name, **{"pass": USER_PASSWORD})

    def state_hash(self, token: str) -> str:
        return self.done("GET", "state", token=token)["state_hash"]


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header: dict, payload: dict | str, key: bytes, digest=hashlib.sha256) -> str:
    """A JWT as RFC 7515 writes it, made here and not by the library under test."""
    if not isinstance(payload, str):
        payload = json.dumps(payload)
    body = f"{encoded(json.dumps(header).encode())}.{encoded(payload.encode())}"
    return f"{body}.{encoded(hmac.new(key, body.encode(), digest).digest())}"


_rnd = time.time_ns()


def claims(client_id: str, **changes: object) -> dict:
    """A payload that is good and was never used, but for the changes; None takes a claim away."""
    global _rnd
    _rnd += 1
    good = {"clientId": client_id, "rnd": _rnd, "exp": time.time() + 180}
    return {name: value for name, value in (good | changes).items() if value is not None}


def token_of(credential: dict, **changes: object) -> str:
    """A token that a credential's owner makes."""
    return signed({"alg": "HS256", "typ": "JWT"}, claims(credential["clientId"], **changes),
                  credential["secretKey"].encode())
