"""Letting programs in: client credentials, and nonces, which make a request count only once."""

from engine.codes import Kind, Result
from engine.handlers.checks import is_client_id, is_text
from ledger.credentials import SCOPE_ACCOUNT, SCOPES, Credential
from ledger.nonces import NONCE_LIFETIME_NS_MAX

SEALED_BYTES_MAX = 1024
NONCE_LENGTH_MAX = 128


def add_credential(core, ts_ns, seq, args):
    """BAD_CLIENT_ID, BAD_SEALED_KEY (the salt too), BAD_SCOPE, UNKNOWN_USER (also: scope `account`
    without a uid), CREDENTIAL_EXISTS."""
    client_id, scope, uid = args["client_id"], args["scope"], args.get("uid")
    if not is_client_id(client_id):
        return Result.BAD_CLIENT_ID
    if not 1 <= len(args["sealed_key"]) <= SEALED_BYTES_MAX:
        return Result.BAD_SEALED_KEY
    if not 1 <= len(args["sealed_salt"]) <= SEALED_BYTES_MAX:
        return Result.BAD_SEALED_KEY
    if scope not in SCOPES:
        return Result.BAD_SCOPE
    if uid is None and scope == SCOPE_ACCOUNT or uid is not None and core.users.person(uid) is None:
        return Result.UNKNOWN_USER
    if core.credentials.get(client_id) is not None:
        return Result.CREDENTIAL_EXISTS
    core.credentials.add(
        Credential(client_id, args["sealed_key"], args["sealed_salt"], scope, uid))
    return Result.OK


def remove_credential(core, ts_ns, seq, args):
    """UNKNOWN_CREDENTIAL. Its nonces stay used: a credential of that name may come again."""
    if core.credentials.get(args["client_id"]) is None:
        return Result.UNKNOWN_CREDENTIAL
    core.credentials.remove(args["client_id"])
    return Result.OK


def use_nonce(core, ts_ns, seq, args):
    """UNKNOWN_CREDENTIAL, BAD_NONCE, BAD_EXPIRY (past, or more than an hour ahead), NONCE_USED."""
    client_id, nonce, expires_ns = args["client_id"], args["nonce"], args["expires_ns"]
    if core.credentials.get(client_id) is None:
        return Result.UNKNOWN_CREDENTIAL
    if not is_text(nonce, 1, NONCE_LENGTH_MAX):
        return Result.BAD_NONCE
    if not ts_ns < expires_ns <= ts_ns + NONCE_LIFETIME_NS_MAX:
        return Result.BAD_EXPIRY
    if core.nonces.is_used(client_id, nonce, ts_ns):
        return Result.NONCE_USED
    core.nonces.use(client_id, nonce, ts_ns, expires_ns)
    return Result.OK


HANDLERS = {
    Kind.ADD_CREDENTIAL: add_credential,
    Kind.REMOVE_CREDENTIAL: remove_credential,
    Kind.USE_NONCE: use_nonce,
}
FIELDS = {
    Kind.ADD_CREDENTIAL: {"client_id": str, "sealed_key": bytes, "sealed_salt": bytes, "scope": str,
                          "uid": int | None},
    Kind.REMOVE_CREDENTIAL: {"client_id": str},
    Kind.USE_NONCE: {"client_id": str, "nonce": str, "expires_ns": int},
}
