"""The calls of the pool's user API as they are described; its dispatch takes their methods, paths
and fields from here.

An operation is served by the function of user_api_calls that has its name.
"""

from api.dialects.described import Field, Operation

ACCOUNT = Field("account", "text", "a sub-account of the credential's user; without it its first "
                "one, which has the user's name", required=False)
COIN = Field("coinType", "text", "`btc`, `bch`, or another coin that is mined, in any case")
DAYS = (Field("startDay", "text", "the first day, as `2020-02-29`"),
        Field("endDay", "text", "the last day; at most 366 days with the first"))
HOURS = (Field("start", "text", "as `2020-01-01 08:00:00`, in the house's time zone"),
         Field("end", "text", "in the same way, at most 31 days later"))
RIGHTS = "`dashboard_observer`, `worker_observer`, `profit_observer`"

SPEED = {"validSpeed": 24561271905291252, "rejectRate": 0.007}


def _call(name: str, path: str, summary: str, fields: tuple[Field, ...], answers: object,
          method: str = "GET") -> Operation:
    return Operation(name, method, f"/user-api/{path}", summary, (ACCOUNT, *fields), "account",
                     answers)


OPERATIONS = (
    _call("list_profits", "profit/list", "What was earned on each settled day.", (COIN, *DAYS),
          [{"day": "2020-01-01", "total": 0.94418618, "netAvgFee": 0.0781,
            "profitPerP": 0.00123}]),
    _call("list_payments", "pay/list", "What was paid for each day.", (COIN, *DAYS),
          [{"day": "2020-01-01", "amount": 0.94418618, "total": 0.94418618,
            "address": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"}]),
    _call("show_profit_today", "profit/today",
          "What the shares of the running day have earned by PPS, before any fee.", (COIN,),
          {"total": 0.28508561}),
    _call("show_speeds", "speed/realtime", "The speeds of the last 5, 10 and 30 minutes.", (),
          {"speed5m": SPEED, "speed10m": SPEED, "speed30m": SPEED}),
    _call("list_speeds_by_hour", "speed/hourly/24h", "The speed in each of the last 24 hours.", (),
          [{"at": "2020-01-01 08:00:00", **SPEED}]),
    _call("list_speeds_by_day", "speed/daily/30d", "The speed in each of the last 30 days.", (),
          [{"at": "2020-01-01", **SPEED}]),
    _call("list_workers_by_hour", "speed/user-workers/hourly",
          "The speed of each worker in each hour in which it had shares, of the last 31 days.",
          HOURS, [{"worker": "100x001", "at": "2020-04-01 00:00:00", **SPEED}]),
    _call("count_workers", "worker/summary", "How many workers run, have stopped, are invalid.", (),
          {"running": 12, "stopped": 1, "invalid": 0}),
    _call("list_workers", "worker/list", "Every worker with its speeds.", (),
          [{"name": "4x18x88", "speed5m": SPEED, "speed30m": SPEED, "speed24h": SPEED,
            "status": 1}]),
    _call("count_workers_by_day", "worker/online-num/daily",
          "How many workers had accepted shares on each of the last 30 days, and today.", (),
          [{"at": "2020-04-01", "workerNum": 100}]),
    _call("show_pay_setting", "account/pay-setting", "Where and from which amount on a coin is "
          "paid out.", (COIN,), {"address": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "min": 0.001}),
    _call("list_sub_accounts", "account/sub-account/list", "The names of all sub-accounts.", (),
          ["account1", "account2", "account3"]),
    _call("create_observer", "observer/create", "Makes a link that shows a sub-account without a "
          "login.", (
              Field("rights", "list", f"what it shows: {RIGHTS}"),
              Field("remark", "text", "what it is for, at most 128 characters", required=False),
          ), True, "POST"),
)
