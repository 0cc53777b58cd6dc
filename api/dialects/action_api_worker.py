"""The action API's workers: `Worker.*`, lists and counts of a sub-account's workers, its groups.

A day is one of UTC, an hour begins in the house's zone; start and end are included. The running
hour and day are shown as they are so far.
"""

from api.dialects.action_api_calls import Call, Handler, action
from api.dialects.action_api_speed import DAYS, START_DAY, now_s
from api.dialects.action_api_subaccounts import USER_NAME
from api.dialects.described import Field
from api.mining import ranges, speeds, workers
from api.numbers import InputError
from engine import Kind

GROUP_LENGTH_MAX = 64
GROUP_ID_MAX = 2**32 - 1
WORKERS_MAX = 10_000

GROUP_NAME = Field("name", "text", "the group's name, 1 to 64 characters, no control ones")
GROUP_ID = Field("groupId", "integer", "the group's id")
HOUR_DAYS = (START_DAY, Field("end", "text", "the last day, at most 31 with the first"))

SPEED = {"validSpeed": 24561271905291252, "rejectRate": 0.007}
GROUP = {"id": 1, "name": "四川"}

OPERATIONS = (
    action("Worker.GetSubAccountWorkerList", "A sub-account's workers, in the order of their first "
           "shares; `group` is null for a worker of no group.", (USER_NAME,), [{
               "name": "worker1x100", "speed5m": SPEED, "speed24h": SPEED, "speed30m": SPEED,
               "lastCommitTime": "2020-04-01 10:02:12", "status": 1, "group": GROUP}]),
    action("Worker.GetSubAccountWorkerSummary", "How many of its workers run, have stopped, and "
           "are invalid.", (USER_NAME,), {"running": 123, "stopped": 1, "invalid": 2}),
    action("Worker.GetSubAccountWorkerGroupList", "A sub-account's groups, oldest first.",
           (USER_NAME,), [GROUP]),
    action("Worker.CreateGroup", "Adds a group; at most 100.", (USER_NAME, GROUP_NAME)),
    action("Worker.UpdateGroup", "Names a group anew.", (USER_NAME, GROUP_NAME, GROUP_ID)),
    action("Worker.DeleteGroup", "Removes a group; its workers are in none then.",
           (USER_NAME, GROUP_ID)),
    action("Worker.SetWorkerGroupBulk", "Puts workers into a group, all or none.", (
        USER_NAME,
        Field("groupId", "integer", "the group's id; 0: take them out of their groups"),
        Field("workers", "texts", "1 to 10,000 names of workers"))),
    action("Worker.GetSubAccountWorkerHourlyActiveNumList", "How many workers had an accepted "
           "share in each hour of these days, of the last 31.", (USER_NAME, *HOUR_DAYS),
           [{"at": "2020-04-01 00:00:00", "workerNum": 100}]),
    action("Worker.GetSubAccountWorkerDailyActiveNumList", "How many workers had an accepted share "
           "on each of these days, of the last 30 and today.", (USER_NAME, *DAYS),
           [{"at": "2020-04-01", "workerNum": 100}]),
)


# -- lists and counts ------------------------------------------------------------------------------

async def worker_list(call: Call) -> object:
    account = call.account("userName")
    return await workers.listed_with_groups(call.house, account.number, now_s(call),
                                            call.shell.config.pool, call.shell.zone)


async def worker_summary(call: Call) -> object:
    account = call.account("userName")
    return await workers.summary(call.core, account.number, now_s(call), call.shell.config.pool)


async def active_hours(call: Call) -> object:
    account, zone = call.account("userName"), call.shell.zone
    first, last = ranges.hours_of_days(call.fields, "start", "end")
    now = now_s(call)
    running = now // ranges.HOUR_S
    # The hours kept elsewhere end before the running one.
    so_far = workers.online_hours(call.core, account.number, now, zone, max(first, running), last)
    past = await call.house.worker_hours.active_of_account(
        account.number, first, min(last, running - 1))
    label = speeds.hour_label(zone)
    return [{"at": label(hour.start_s), "workerNum": hour.workers} for hour in past] + so_far


async def active_days(call: Call) -> object:
    account = call.account("userName")
    first, last = ranges.days(call.fields, "start", "end")
    return workers.online_days(call.core, account.number, now_s(call), first, last)


# -- groups ----------------------------------------------------------------------------------------

async def group_list(call: Call) -> object:
    return [{"id": group.id, "name": group.name} for group in call.account("userName").groups]


async def create_group(call: Call) -> None:
    account, name = call.account("userName"), call.text("name", GROUP_LENGTH_MAX)
    await call.submit(Kind.ADD_GROUP, account=account.number, name=name)


async def update_group(call: Call) -> None:
    account, name = call.account("userName"), call.text("name", GROUP_LENGTH_MAX)
    await call.submit(Kind.RENAME_GROUP, account=account.number, id=group_id(call), name=name)


async def delete_group(call: Call) -> None:
    account = call.account("userName")
    await call.submit(Kind.REMOVE_GROUP, account=account.number, id=group_id(call))


async def set_worker_group(call: Call) -> None:
    account, names = call.account("userName"), call.texts("workers", WORKERS_MAX)
    if not names:
        raise InputError("workers", "must have one entry")
    await call.submit(Kind.SET_WORKER_GROUP, account=account.number, id=group_id(call),
                      workers=names)


def group_id(call: Call) -> int:
    return call.fields.whole("groupId", GROUP_ID_MAX)


OWN_WORDS = {(f"Worker.{name}", "unknown_group"): "groupId: not a group of this sub-account"
             for name in ("UpdateGroup", "DeleteGroup", "SetWorkerGroupBulk")}
ACTIONS: dict[str, Handler] = {
    "Worker.GetSubAccountWorkerList": worker_list,
    "Worker.GetSubAccountWorkerSummary": worker_summary,
    "Worker.GetSubAccountWorkerGroupList": group_list,
    "Worker.CreateGroup": create_group,
    "Worker.UpdateGroup": update_group,
    "Worker.DeleteGroup": delete_group,
    "Worker.SetWorkerGroupBulk": set_worker_group,
    "Worker.GetSubAccountWorkerHourlyActiveNumList": active_hours,
    "Worker.GetSubAccountWorkerDailyActiveNumList": active_days,
}
