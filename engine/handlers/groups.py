"""The groups of a sub-account: names under which it sorts its workers, and which are in each."""

from engine.codes import Kind, Result
from engine.handlers.checks import is_text
from pool.subaccounts import GROUP_ID_MAX, GROUPS_MAX, Group

NAME_LENGTH_MAX = 64
WORKERS_MAX = 10_000


def add_group(core, ts_ns, seq, args):
    """UNKNOWN_ACCOUNT, BAD_NAME, GROUP_EXISTS, TOO_MANY_GROUPS (100, or no number is left)."""
    account, name = core.sub_accounts.get(args["account"]), args["name"]
    if account is None:
        return Result.UNKNOWN_ACCOUNT
    if not is_text(name, 1, NAME_LENGTH_MAX):
        return Result.BAD_NAME
    if account.group_named(name) is not None:
        return Result.GROUP_EXISTS
    if len(account.groups) >= GROUPS_MAX or account.next_group > GROUP_ID_MAX:
        return Result.TOO_MANY_GROUPS
    group = Group(account.next_group, name)
    core.sub_accounts.change(account.number, groups=(*account.groups, group),
                             next_group=group.id + 1)
    return Result.OK, group.id


def rename_group(core, ts_ns, seq, args):
    """UNKNOWN_ACCOUNT, UNKNOWN_GROUP, BAD_NAME, GROUP_EXISTS (another one of that name)."""
    refused, account, group = named(core, args)
    if refused is not None:
        return refused
    if not is_text(args["name"], 1, NAME_LENGTH_MAX):
        return Result.BAD_NAME
    if account.group_named(args["name"]) not in (None, group):
        return Result.GROUP_EXISTS
    core.sub_accounts.change(account.number, groups=tuple(
        group._replace(name=args["name"]) if one is group else one for one in account.groups))
    return Result.OK


def remove_group(core, ts_ns, seq, args):
    """UNKNOWN_ACCOUNT, UNKNOWN_GROUP. Its workers belong to none afterwards."""
    refused, account, group = named(core, args)
    if refused is not None:
        return refused
    core.workers.ungroup(account.number, group.id)
    core.sub_accounts.change(account.number, groups=tuple(
        one for one in account.groups if one is not group))
    return Result.OK


def set_worker_group(core, ts_ns, seq, args):
    """UNKNOWN_ACCOUNT, UNKNOWN_GROUP (0 is none), BAD_WORKERS (not 1 to 10,000 texts),
    UNKNOWN_WORKER. All or none."""
    account, names = args["account"], args["workers"]
    if account not in core.sub_accounts:
        return Result.UNKNOWN_ACCOUNT
    if args["id"] != 0 and core.sub_accounts.get(account).group(args["id"]) is None:
        return Result.UNKNOWN_GROUP
    if not 1 <= len(names) <= WORKERS_MAX or any(type(name) is not str for name in names):
        return Result.BAD_WORKERS
    numbers = [core.workers.find(account, name) for name in names]
    if 0 in numbers:
        return Result.UNKNOWN_WORKER
    for number in numbers:
        core.workers.set_group(number, args["id"])
    return Result.OK


def named(core, args):
    """(None, the SubAccount, its Group) that a command names, or (its refusal, None, None):
    UNKNOWN_ACCOUNT, UNKNOWN_GROUP."""
    account = core.sub_accounts.get(args["account"])
    if account is None:
        return Result.UNKNOWN_ACCOUNT, None, None
    group = account.group(args["id"])
    if group is None:
        return Result.UNKNOWN_GROUP, None, None
    return None, account, group


HANDLERS = {
    Kind.ADD_GROUP: add_group,
    Kind.RENAME_GROUP: rename_group,
    Kind.REMOVE_GROUP: remove_group,
    Kind.SET_WORKER_GROUP: set_worker_group,
}
FIELDS = {
    Kind.ADD_GROUP: {"account": int, "name": str},
    Kind.RENAME_GROUP: {"account": int, "id": int, "name": str},
    Kind.REMOVE_GROUP: {"account": int, "id": int},
    Kind.SET_WORKER_GROUP: {"account": int, "id": int, "workers": list},
}
