"""A name and a password become a session: the one way for all dialects.

Order: the throttle, then one password hash whoever it is, then the session. A name that nobody
has, a wrong password and a user who may not log in are one answer at one cost.
"""

import asyncio
from typing import NamedTuple

from api.auth import sessions
from api.auth.throttle import address_key
from api.shell import Shell

# Longer ones are no password of ours; hashing them would be work for nothing.
PASSWORD_LENGTH_MAX = 1024
# No user's name is longer when it is folded: what is beyond tells no two users apart.
NAME_LENGTH_MAX = 3 * 64
WRONG = "user or pass: wrong"


class LoginRefused(Exception):
    """No session. The text is for the caller."""


class TooManyAttempts(LoginRefused):
    """The user or the address must wait."""


class Checked(NamedTuple):
    """A user who has given the password of that hash."""
    uid: int
    password_hash: str


class LoggedIn(NamedTuple):
    uid: int
    token: str


async def login(shell: Shell, username: str, password: str, address: str | None) -> LoggedIn:
    """The user's new session. Raises LoginRefused, passwords.TooBusy, sessions.SessionRefused."""
    checked = await check_password(shell, username, password, address)
    return LoggedIn(checked.uid, await begin_session(shell, checked))


async def begin_session(shell: Shell, checked: Checked,
                        lifetime_s: int = sessions.LIFETIME_S) -> str:
    """A new session's token, on disk. Raises LoginRefused, sessions.SessionRefused."""
    token = await sessions.begin(shell.house, checked.uid, lifetime_s)
    # A new password that was on its way to the core came before the session, which it should have
    # ended with all others.
    if shell.house.core.users.get(checked.uid).password_hash != checked.password_hash:
        await sessions.end(shell.house, token)
        raise LoginRefused(WRONG)
    return token


async def check_password(shell: Shell, username: str, password: str, address: str | None,
                         counts_address: bool = True) -> Checked:
    """The active user with that name and password. Raises as `login`.

    Without `counts_address` only the user's failures count: of who asks for many users.
    """
    user = shell.house.core.users.by_name(username)
    if user is not None and not user.active:
        user = None
    password_hash = user.password_hash if user is not None else None
    subject = f"login of {username.casefold()[:NAME_LENGTH_MAX]}"
    await check_secret(shell, subject, password_hash, password, address, counts_address)
    # The password may have been changed while the old one was being checked.
    now = shell.house.core.users.get(user.uid)
    if now.password_hash != password_hash or not now.active:
        raise LoginRefused(WRONG)
    return Checked(user.uid, password_hash)


async def check_secret(shell: Shell, subject: str, password_hash: str | None, password: str,
                       address: str | None, counts_address: bool = True) -> None:
    """Returns when the password is the hash's. `subject` is what is guessed at, for the throttle.

    Raises LoginRefused, passwords.TooBusy.
    """
    with Attempt(shell, subject, address, counts_address) as attempt:
        right = await shell.passwords.verify(password_hash, password[:PASSWORD_LENGTH_MAX])
        if not right or len(password) > PASSWORD_LENGTH_MAX:
            attempt.fail()
            raise LoginRefused(WRONG)
        attempt.succeed()


class Attempt:
    """A guess, as a context: it counts as wrong from its start, so that many at once gain nothing.

    Left without `fail` or `succeed` nothing was guessed, and nothing counts. Entering it raises
    TooManyAttempts.
    """

    __slots__ = ("_shell", "_keys", "_begun_s", "_outcome")

    def __init__(self, shell: Shell, subject: str, address: str | None,
                 counts_address: bool = True):
        """subject: what is guessed at, as "login of alice" or "payment of 7"."""
        self._shell = shell
        self._keys = [(shell.user_throttle, f"subject {subject}")]
        if counts_address:
            self._keys.append((shell.address_throttle, address_key(address)))
        self._begun_s = 0.0
        self._outcome: bool | None = None

    def __enter__(self) -> "Attempt":
        now_s = self._begun_s = asyncio.get_running_loop().time()
        delay_s = max(throttle.delay_s(key, now_s) for throttle, key in self._keys)
        if delay_s > 0:
            raise TooManyAttempts(f"too many attempts, try again in {int(delay_s) + 1} s")
        for throttle, key in self._keys:
            throttle.begin(key, now_s)
        return self

    def fail(self) -> None:
        self._outcome = False

    def succeed(self) -> None:
        self._outcome = True

    def __exit__(self, *exc_details) -> None:
        if self._outcome is False:
            return
        (user_throttle, subject_key), *others = self._keys
        # One who knows his own password says nothing about the others at his address.
        for throttle, key in others:
            throttle.take_back(key, self._begun_s)
        if self._outcome:
            user_throttle.succeed(subject_key)
        else:
            user_throttle.take_back(subject_key, self._begun_s)
