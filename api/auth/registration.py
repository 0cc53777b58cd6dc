"""Registers users for the dialects that ask for no code: the same user exists in all of them.

Each costs a password hash and is never forgotten, so each address may register only so many in a
minute ([limits] registrations_per_minute), then it must wait for the next.
"""

import asyncio

from api.auth.login import TooManyAttempts
from api.auth.passwords import is_new_password
from api.auth.throttle import address_key
from api.numbers import InputError
from api.refusals import accepted
from api.shell import Shell
from engine import Kind, cold

GROUP_USER = 2


async def register(shell: Shell, username: str, password: str, address: str | None, *,
                   email: str | None = None, name: str | None = None,
                   source: int | None = None) -> int:
    """The uid of the new user, on disk.

    Raises InputError (password), CommandRefused, TooManyAttempts, passwords.TooBusy.
    """
    if not is_new_password(password):
        raise InputError("password", "must have 6 to 128 characters")
    take_registration(shell, address)
    # A name that is taken costs the same as one that is free.
    reply = await shell.house.submit(cold(Kind.REGISTER_USER, {
        "username": username, "password_hash": await shell.passwords.hash(password),
        "group": GROUP_USER, "email": email, "name": name, "source": source,
    }))
    return accepted(reply).value


def take_registration(shell: Shell, address: str | None) -> None:
    """Counts one of those that the address may make in a minute. Raises TooManyAttempts."""
    now_s = asyncio.get_running_loop().time()
    delay_s = shell.registrations.take(address_key(address), now_s)
    if delay_s > 0:
        raise TooManyAttempts(f"too many registrations, try again in {int(delay_s) + 1} s")
