"""Checks payment passwords: the second lock, before money goes to somebody else.

The tries are counted by the core, on disk before the password is looked at: five wrong ones lock it
for 15 minutes in all dialects, and a restart changes nothing about that. All dialects come here.
"""

from api.auth.login import PASSWORD_LENGTH_MAX, Attempt, LoginRefused
from api.refusals import accepted
from api.shell import Shell
from engine import Kind, cold


class WrongPayPassword(LoginRefused):
    """It is not the user's. The text is for the caller."""


async def check(shell: Shell, uid: int, password: str, address: str | None) -> None:
    """Returns when it is the user's payment password.

    Raises WrongPayPassword, CommandRefused (NO_PAY_PASSWORD, PAY_PASSWORD_LOCKED), TooManyAttempts,
    passwords.TooBusy.
    """
    with Attempt(shell, f"payment of {uid}", address) as attempt, shell.passwords.place():
        accepted(await shell.house.submit(cold(Kind.TRY_PAY_PASSWORD, {"uid": uid})))
        password_hash = shell.house.core.users.get(uid).pay_password_hash
        right = await shell.passwords.verify(
            password_hash, password[:PASSWORD_LENGTH_MAX], placed=True)
        if not right or len(password) > PASSWORD_LENGTH_MAX:
            attempt.fail()
            raise WrongPayPassword("payment password: wrong")
        attempt.succeed()
        # It may have been changed while the old one was being checked.
        if shell.house.core.users.get(uid).pay_password_hash != password_hash:
            raise WrongPayPassword("payment password: has just been changed")
        accepted(await shell.house.submit(cold(Kind.CLEAR_PAY_TRIES, {"uid": uid})))
