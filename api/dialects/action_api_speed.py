"""The action API's speeds: `Speed.*`, of sub-accounts, workers and the pool.

A day is one of UTC, an hour begins in the house's zone; start and end are included. What is not
kept any more, or is not over yet, is left out: days older than 30, hours older than 31 days.
"""

from collections.abc import AsyncIterator

from api.dialects.action_api_calls import Call, Denied, Handler, action
from api.dialects.action_api_subaccounts import USER_NAME
from api.dialects.described import Field
from api.mining import bulk, ranges, speeds
from api.mining.coins import mined
from api.times import NS_PER_S

TIME = "time"
WORKER_LENGTH_MAX = 64          # bytes; no name has more characters
COIN_LENGTH_MAX = 64
ALL = "all"

WORKER = Field("worker", "text", "the worker's name, without the sub-account's")
START_DAY = Field("start", "text", "the first day, as `2020-02-29`")
END_DAY = Field("end", "text", "the last day, at most 366 with the first")
START_TIME = Field("start", "text", "from when, as `2020-01-01 08:00:00`")
END_TIME = Field("end", "text", "until when, at most 31 days later; an hour that begins then is "
                                "the last one")
DAYS, TIMES = (START_DAY, END_DAY), (START_TIME, END_TIME)

SPEED = {"validSpeed": 24561271905291252, "rejectRate": 0.007}
DAILY = [{"time": "2020-04-01", **SPEED}]
HOURLY = [{"time": "2020-04-01 00:00:00", **SPEED}]
REALTIME = {"speed5m": SPEED, "speed10m": SPEED, "speed30m": SPEED, "speed24h": SPEED}
TOTAL = {"totalSpeed": 24561271905291252, "rejectRate": 0.007}

OPERATIONS = (
    action("Speed.GetSubAccountDailySpeed", "A sub-account's speed on each of these days, of the "
           "last 30.", (USER_NAME, *DAYS), DAILY),
    action("Speed.GetSubAccountHourlySpeed", "A sub-account's speed in each of these hours.",
           (USER_NAME, *TIMES), HOURLY),
    action("Speed.GetSubAccountRealtimeSpeed", "A sub-account's speed of the last 5, 10 and 30 "
           "minutes and 24 hours.", (USER_NAME,), REALTIME),
    action("Speed.GetWorkerDailySpeed", "A worker's speed on each of these days, of the last 30.",
           (USER_NAME, WORKER, *DAYS), DAILY),
    action("Speed.GetWorkerHourlySpeed", "A worker's speed in each of these hours.",
           (USER_NAME, WORKER, *TIMES), HOURLY),
    action("Speed.GetSubAccountAllWorkersHourlySpeedBulk", "The speed of each of a sub-account's "
           "workers in each of these hours in which it had shares, hour by hour.",
           (USER_NAME, *TIMES), [{"worker": "100x001", **HOURLY[0]}]),
    action("Speed.GetSystemDailySpeed", "The pool's speed on each of the last 30 days.", (), DAILY),
    action("Speed.GetSystemHourlySpeed", "The pool's speed in each of the last 24 hours.", (),
           HOURLY),
    action("Speed.GetSystemRealtimeSpeed", "The pool's speed of the last 5, 10 and 30 minutes.", (
        Field("coinType", "text", "`btc`, `bch` or another coin that is mined: a list of one; "
                                  "`all`: one for each of them, BTC first"),
    ), [{"speed5m": TOTAL, "speed10m": TOTAL, "speed30m": TOTAL}]),
)


def worker_of(call: Call, account: int) -> int:
    """The number of the account's worker in the field `worker`. Raises InputError, Denied."""
    number = call.core.workers.find(account, call.text("worker", WORKER_LENGTH_MAX))
    if number == 0:
        raise Denied("unknown_worker", "worker: is none of the sub-account's")
    return number


def now_s(call: Call) -> int:
    return call.now_ns() // NS_PER_S


# -- of a sub-account ------------------------------------------------------------------------------

async def account_daily(call: Call) -> object:
    account = call.account("userName")
    first, last = ranges.days(call.fields, "start", "end")
    return speeds.daily(call.core, account.number, first, last, now_s(call), TIME)


async def account_hourly(call: Call) -> object:
    account = call.account("userName")
    first, last = ranges.hours(call.fields, "start", "end", call.shell.zone)
    hours = await call.house.worker_hours.of_account(account.number, first, last)
    return hour_rows(call, hours)


async def account_realtime(call: Call) -> object:
    account = call.account("userName")
    return speeds.realtime(call.core, account.number, now_s(call), with_24h=True)


# -- of its workers --------------------------------------------------------------------------------

async def worker_daily(call: Call) -> object:
    account = call.account("userName")
    number = worker_of(call, account.number)
    first, last = ranges.days(call.fields, "start", "end")
    return speeds.worker_daily(call.core, number, first, last, now_s(call), TIME)


async def worker_hourly(call: Call) -> object:
    account = call.account("userName")
    worker_of(call, account.number)
    first, last = ranges.hours(call.fields, "start", "end", call.shell.zone)
    hours = await call.house.worker_hours.of_worker(
        account.number, call.text("worker", WORKER_LENGTH_MAX), first, last)
    return hour_rows(call, hours)


def workers_hourly(call: Call) -> AsyncIterator[bytes]:
    account, zone = call.account("userName"), call.shell.zone
    first, last = ranges.hours(call.fields, "start", "end", zone)
    return bulk.worker_hours(call.house, account.number, first, last, zone, TIME)


def hour_rows(call: Call, hours: list) -> list[dict[str, object]]:
    label = speeds.hour_label(call.shell.zone)
    return [{TIME: label(hour.start_s), **speeds.speed(*hour[1:])} for hour in hours]


# -- of the pool -----------------------------------------------------------------------------------

async def system_daily(call: Call) -> object:
    return speeds.system_daily(call.core, now_s(call), TIME)


async def system_hourly(call: Call) -> object:
    return speeds.system_hourly(call.core, now_s(call), call.shell.zone, TIME)


async def system_realtime(call: Call) -> object:
    if call.text("coinType", COIN_LENGTH_MAX).lower() == ALL:
        coins = [coin.number for coin in mined(call.core)]
    else:
        coins = [call.coin("coinType").number]
    now = now_s(call)
    return [speeds.system_realtime(call.core, coin, now) for coin in coins]


ACTIONS: dict[str, Handler] = {
    "Speed.GetSubAccountDailySpeed": account_daily,
    "Speed.GetSubAccountHourlySpeed": account_hourly,
    "Speed.GetSubAccountRealtimeSpeed": account_realtime,
    "Speed.GetWorkerDailySpeed": worker_daily,
    "Speed.GetWorkerHourlySpeed": worker_hourly,
    "Speed.GetSubAccountAllWorkersHourlySpeedBulk": workers_hourly,
    "Speed.GetSystemDailySpeed": system_daily,
    "Speed.GetSystemHourlySpeed": system_hourly,
    "Speed.GetSystemRealtimeSpeed": system_realtime,
}
