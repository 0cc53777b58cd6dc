"""What can go wrong with a call, told once for the dialects: whose fault, a stable name, the words.

A dialect raises `Refused` for its own reasons, lets everything else through as it comes
(InputError, LoginRefused, HouseStopped, …), and asks `refusal_of` what to answer.
"""

import logging
from typing import NamedTuple

from aiohttp import web

from api.auth.login import LoginRefused, TooManyAttempts
from api.auth.passwords import TooBusy
from api.auth.sessions import SessionRefused
from api.errors import MEANINGS, Fault
from api.numbers import InputError
from engine import HistoryLate, House, HouseStopped, Overloaded, Reply, Result

log = logging.getLogger(__name__)


class Refusal(NamedTuple):
    """`reason` is one of REASONS, or the name of a Result in lower case."""
    fault: Fault
    reason: str
    words: str


# The reasons beside those of the core.
REASONS = {
    "input": Fault.INPUT,               # a field is missing or malformed
    "no_such_call": Fault.INPUT,        # path or method
    "too_large": Fault.INPUT,           # the body
    "no_token": Fault.AUTHENTICATION,   # nobody says who calls
    "bad_token": Fault.AUTHENTICATION,  # unknown, expired or revoked
    "wrong_password": Fault.AUTHENTICATION,
    "throttled": Fault.OPERATION,       # too many attempts
    "crowded": Fault.OPERATION,         # more passwords wait than can be hashed soon
    "no_right": Fault.RIGHT,
    "busy": Fault.SYSTEM,               # nothing was done; try again
    "stopped": Fault.SYSTEM,            # the house has stopped
    "internal": Fault.SYSTEM,
}


class Refused(Exception):
    """Ends a call; nothing has changed."""

    def __init__(self, reason: str, words: str):
        """reason: one of REASONS."""
        super().__init__(words)
        self.refusal = Refusal(REASONS[reason], reason, words)


class CommandRefused(Exception):
    """The core refused the call's command: `code` is its Result."""

    def __init__(self, code: int):
        super().__init__(MEANINGS[code].words)
        self.code = code


def accepted(reply: Reply) -> Reply:
    """The reply of a command that was carried out; raises CommandRefused for any other."""
    if reply.code != Result.OK:
        raise CommandRefused(reply.code)
    return reply


def refusal_of(error: Exception, call: str) -> Refusal:
    """What to tell the caller of `call`; what is a fault of ours goes into the log."""
    if isinstance(error, Refused):
        return error.refusal
    if isinstance(error, InputError):
        return Refusal(Fault.INPUT, "input", str(error))
    if isinstance(error, (CommandRefused, SessionRefused)):
        meaning = MEANINGS[error.code]
        return Refusal(meaning.fault, Result(error.code).name.lower(), meaning.words)
    if isinstance(error, TooManyAttempts):
        return Refusal(Fault.OPERATION, "throttled", str(error))
    if isinstance(error, LoginRefused):
        return Refusal(Fault.AUTHENTICATION, "wrong_password", str(error))
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return Refusal(Fault.INPUT, "too_large", "body: is too large")
    if isinstance(error, web.RequestPayloadError):
        return Refusal(Fault.INPUT, "input", "body: cannot be read")
    if isinstance(error, TooBusy):
        return Refusal(Fault.OPERATION, "crowded", "too many logins are waiting, try again")
    if isinstance(error, (Overloaded, HistoryLate)):
        return Refusal(Fault.SYSTEM, "busy", "too busy now, nothing was done: try again")
    if isinstance(error, HouseStopped):
        return Refusal(Fault.SYSTEM, "stopped",
                       "the house has stopped; what was asked for may be done or not")
    # The caller is told nothing that only we should know; the log has it all.
    log.error("%s failed", call, exc_info=error)
    return Refusal(Fault.SYSTEM, "internal", "a fault of ours; it is in the log")


async def once_settled(refusal: Refusal, house: House, call: str) -> Refusal:
    """A refusal, once all that it may rest on is on disk; that the house has stopped where that
    never comes."""
    if refusal.fault is not Fault.SYSTEM:
        try:
            await house.settled()
        except HouseStopped as stopped:
            return refusal_of(stopped, call)
    return refusal
