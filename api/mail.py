"""Mails the valid codes: into a folder of `.eml` files, or through an SMTP server.

The outbox is for a house without mail: whoever may read its folder may read the codes. A file has
its final name only once it is whole.
"""

import asyncio
import os
import re
import secrets
import string
import time
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime
from pathlib import Path

import aiosmtplib

from api.config import Mail

OUTBOX = "outbox"
SMTP_TIMEOUT_S = 15
IMPLICIT_TLS_PORT = 465
LOOPBACK = ("localhost", "127.0.0.1", "::1")
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")


class MailFailed(Exception):
    """The mail did not go out; the text says why, for the log."""


class Mailer:
    """Sends codes as `[mail]` says."""

    def __init__(self, settings: Mail, directory: str | os.PathLike):
        """directory: the data folder; the outbox lies below it."""
        self._settings = settings
        self._outbox = Path(directory) / OUTBOX

    def takes(self, username: str) -> bool:
        """Whether a code can be sent to that name: by SMTP it must be a mail address."""
        return self._settings.mode == "outbox" or is_address(username)

    async def send_code(self, username: str, code: str, minutes: int) -> None:
        """Sends a code that is valid for so many minutes; returns once it is out. MailFailed."""
        message = _message(self._settings.sender, username, code, minutes)
        try:
            if self._settings.mode == "smtp":
                await self._send(message)
            else:
                await asyncio.get_running_loop().run_in_executor(None, self._put, message)
        except (OSError, aiosmtplib.SMTPException, TimeoutError) as error:
            raise MailFailed(f"{type(error).__name__}: {error}") from error

    async def _send(self, message: EmailMessage) -> None:
        settings = self._settings
        own_tls = settings.port == IMPLICIT_TLS_PORT
        # A password crosses a network only under TLS; without one, TLS where the server offers it.
        must_start_tls = bool(settings.password) and settings.host not in LOOPBACK
        await aiosmtplib.send(
            message, hostname=settings.host, port=settings.port,
            username=settings.user or None, password=settings.password or None,
            use_tls=own_tls, start_tls=None if own_tls or not must_start_tls else True,
            timeout=SMTP_TIMEOUT_S)

    def _put(self, message: EmailMessage) -> None:
        self._outbox.mkdir(mode=0o700, exist_ok=True)
        # Names in the order of sending; the random part keeps two of one nanosecond apart.
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}.eml"
        draft = self._outbox / f".{name}"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(message.as_bytes())
        os.rename(draft, self._outbox / name)


def is_address(text: str) -> bool:
    """Whether mail can be sent to that text: local part, @, host name, ASCII only."""
    return ADDRESS.fullmatch(text) is not None


def _message(sender: str, username: str, code: str, minutes: int) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    if is_address(username):
        message["To"] = Address(addr_spec=username)
    else:
        # In the outbox any name will do. As a display name it may hold whatever a name may hold.
        message["To"] = Address(display_name=username, username="user", domain="localhost")
    message["Date"] = localtime()
    # Letters only: the one number in a mail that looks like a code is the code.
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(24))
    message["Message-ID"] = f"<{letters}@orebook>"
    message["Subject"] = "Your Orebook code"
    message.set_content(
        f"Your code is {code}\n\nIt is valid for {minutes} minutes. If you did not ask for it, "
        f"someone typed your name by mistake; nothing happens without the code.\n", cte="7bit")
    return message
