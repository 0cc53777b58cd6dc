"""Observer links: making one, changing what it shows, ending it."""

from engine.codes import Kind, Result
from engine.handlers.checks import is_text
from pool.observers import LINKS_PER_ACCOUNT_MAX, RIGHTS_ALL, TOKEN_BYTES

REMARK_LENGTH_MAX = 128


def add_observer(core, ts_ns, seq, args):
    """UNKNOWN_ACCOUNT, BAD_TOKEN, BAD_RIGHTS, BAD_REMARK, OBSERVER_EXISTS (the token is in use),
    TOO_MANY_OBSERVERS."""
    account, token, remark = args["account"], args["token"], args.get("remark") or ""
    if account not in core.sub_accounts:
        return Result.UNKNOWN_ACCOUNT
    if len(token) != TOKEN_BYTES:
        return Result.BAD_TOKEN
    if not 1 <= args["rights"] <= RIGHTS_ALL:
        return Result.BAD_RIGHTS
    if not is_text(remark, 0, REMARK_LENGTH_MAX):
        return Result.BAD_REMARK
    if core.observers.by_token(token) is not None:
        return Result.OBSERVER_EXISTS
    if core.observers.count_of(account) >= LINKS_PER_ACCOUNT_MAX:
        return Result.TOO_MANY_OBSERVERS
    return Result.OK, core.observers.add(account, token, args["rights"], ts_ns, remark).id


def change_observer(core, ts_ns, seq, args):
    """UNKNOWN_OBSERVER, NO_CHANGE, BAD_RIGHTS, BAD_REMARK."""
    link, rights, remark = core.observers.get(args["id"]), args.get("rights"), args.get("remark")
    if link is None:
        return Result.UNKNOWN_OBSERVER
    if rights is None and remark is None:
        return Result.NO_CHANGE
    if rights is not None and not 1 <= rights <= RIGHTS_ALL:
        return Result.BAD_RIGHTS
    if remark is not None and not is_text(remark, 0, REMARK_LENGTH_MAX):
        return Result.BAD_REMARK
    core.observers.change(link.id, rights=link.rights if rights is None else rights,
                          remark=link.remark if remark is None else remark)
    return Result.OK


def remove_observer(core, ts_ns, seq, args):
    """UNKNOWN_OBSERVER."""
    if core.observers.get(args["id"]) is None:
        return Result.UNKNOWN_OBSERVER
    core.observers.remove(args["id"])
    return Result.OK


HANDLERS = {
    Kind.ADD_OBSERVER: add_observer,
    Kind.CHANGE_OBSERVER: change_observer,
    Kind.REMOVE_OBSERVER: remove_observer,
}
FIELDS = {
    Kind.ADD_OBSERVER: {"account": int, "token": bytes, "rights": int, "remark": str | None},
    Kind.CHANGE_OBSERVER: {"id": int, "rights": int | None, "remark": str | None},
    Kind.REMOVE_OBSERVER: {"id": int},
}
