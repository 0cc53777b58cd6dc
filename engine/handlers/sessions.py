"""Logging in and out."""

from engine.codes import Kind, Result
from engine.handlers.checks import is_digest
from ledger.expiries import NS_PER_S
from ledger.sessions import LIFETIME_S_MAX


def create_session(core, ts_ns, seq, args):
    """UNKNOWN_USER (also: who may not log in), BAD_DIGEST, BAD_LIFETIME, SESSION_EXISTS."""
    uid, token_digest = args["uid"], args["token_digest"]
    if not core.users.is_active(uid):
        return Result.UNKNOWN_USER
    if not is_digest(token_digest):
        return Result.BAD_DIGEST
    if not 1 <= args["lifetime_s"] <= LIFETIME_S_MAX:
        return Result.BAD_LIFETIME
    # An expired one too: a token of 256 random bits that comes again is a fault of who made it.
    if token_digest in core.sessions:
        return Result.SESSION_EXISTS
    expires_ns = ts_ns + args["lifetime_s"] * NS_PER_S
    core.sessions.create(token_digest, uid, ts_ns, expires_ns)
    return Result.OK


def end_session(core, ts_ns, seq, args):
    """UNKNOWN_SESSION (an expired one too)."""
    if core.sessions.find(args["token_digest"], ts_ns) is None:
        return Result.UNKNOWN_SESSION
    core.sessions.end(args["token_digest"])
    return Result.OK


HANDLERS = {
    Kind.CREATE_SESSION: create_session,
    Kind.END_SESSION: end_session,
}
FIELDS = {
    Kind.CREATE_SESSION: {"uid": int, "token_digest": bytes, "lifetime_s": int},
    Kind.END_SESSION: {"token_digest": bytes},
}
