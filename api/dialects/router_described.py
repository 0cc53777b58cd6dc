"""The calls of the exchange router as they are described; the routes take their method, their
parameters and whether they need a session from here (`calls.Routes`).

`session` may come along with any of them, and `router` names the call: neither is listed. Examples
are answers of a house with its default coins and pairs.
"""

from api.dialects.described import Field, Operation
from api.numbers import json_number

PATH = "/router"


def _get(name: str, summary: str, fields: tuple[Field, ...], answers: object) -> Operation:
    """A call that anybody may read."""
    return Operation(name, "GET", PATH, summary, fields, answers=answers)


def _own(name: str, summary: str, fields: tuple[Field, ...] = (),
         answers: object = None) -> Operation:
    """A call for the user whose session it is."""
    return Operation(name, "POST", PATH, summary, fields, "session", answers)


# -- names and sessions ----------------------------------------------------------------------------

USER = Field("user", "text", "the user's name, in any case")
TOKEN = "m1xqBzXkYcQ0pXo8Xq4nVYw2m7gkq3GZ5m0bV9o5v1E"

USERS = (
    Operation("check_exist_name", "POST", PATH,
              "Whether an active user has this name; refused where none has.", (USER,)),
    Operation("make_valid_code", "POST", PATH,
              "Mails a code of six digits, with which the name can be registered. It lives for 10 "
              "minutes and dies of 5 wrong tries; the next one is refused for 60 s.",
              (Field("user", "text", "the name to register; a mail address where mail goes by "
                     "SMTP"),)),
    Operation("regeist_user", "POST", PATH, "Registers a user.", (
        Field("user", "text", "3 to 64 characters; unique, whatever its case"),
        Field("pass", "text", "6 to 128 characters"),
        Field("valid_code", "text", "the code that was mailed, six digits"))),
    Operation("login", "POST", PATH,
              "Begins a session of 24 hours: its token, and the cookie with it.",
              (USER, Field("pass", "text", "the login password")), answers=TOKEN),
    _own("logout", "Ends the session and deletes the cookie."),
)

# -- prices ----------------------------------------------------------------------------------------

PAIR = Field("pair", "text", "`BASE/QUOTE`, as `BTC/USDT`")
OPTIONAL_PAIR = Field("pair", "text", "only of this pair", required=False)

MARKET = (
    _get("get_rank", "All pairs, by their change in 24 hours, the highest first.", (), [
        {"name": "BTC/USDT", "price": "9000", "amount": "0.2", "increase": "0"}]),
    _get("get_coin", "A pair's price, its amount and change in 24 hours, and the price at which "
         "the day began, in this order.", (PAIR,), ["BTC/USDT", "9000", "0.2", "0", "9000"]),
    _get("get_deal_record", "The last 60 trades, newest first: price, amount, time in ms.",
         (PAIR,), [[9000, json_number(2, 1), 1767139200000]]),
    _get("get_depth", "The order book, best first: price and amount of each level.",
         (PAIR, Field("limit", "whole", "how many levels: 50, at most 1,000", required=False)),
         {"timetick": 1767139200000, "bid": [[9000, json_number(2, 1)]],
          "ask": [[9300, json_number(3, 1)]]}),
    _get("get_simple_k_line", "48 prices, oldest first: the highest 1-minute close in each half "
         "hour of the last 24.", (PAIR,), ["0", "9000"]),
    _get("get_coin_k_line", "The last bars, oldest first, at most 1,440.",
         (PAIR, Field("interval", "choice", "how long a bar is; `1min` where it is empty or not "
                      "given", required=False,
                      choices=("1min", "5min", "30min", "4h", "1d", "3min", "15min", "1h", "2h",
                               "6h", "12h", "1w", "1mon"))),
         [{"open": "9000", "close": "9000", "max": "9000", "min": "9000",
           "timetick": "1767139200000", "amount": "0.2"}]),
)

# -- orders ----------------------------------------------------------------------------------------

STATE = {"order_id": 27, "filled": "0", "remaining": "0.5", "status": "open"}
ORDER_ID = Field("order_id", "id", "the order's number; not with `client_id`", required=False)
CLIENT_ID = Field("client_id", "text", "the order's name, in place of `order_id`", required=False)
OF_PAIR = Field("pair", "text", "where given, the order must be of this pair", required=False)
START = Field("start", "text", "the first moment, as `2026-01-31 08:00:00` or in ms",
              required=False)
END = Field("end", "text", "the moment before which it ends, in the same way", required=False)
LIMIT = Field("limit", "whole", "how many: 100, at most 1,000", required=False)
BEFORE = Field("before", "id", "only those with smaller ids: the smallest of the page before",
               required=False)

ORDER_FIELDS = (
    PAIR,
    Field("amount", "decimal", "how much of the base coin; not with `quote_amount`",
          required=False),
    Field("price", "decimal", "in the quote coin; for `limit` and `stop_limit`, and only there",
          required=False),
    Field("type", "choice", "`limit` where it is not given", required=False,
          choices=("limit", "market", "stop_limit", "stop_market")),
    Field("tif", "choice", "until cancelled, what can be had now, or all now or nothing; `GTC` "
          "where it is not given and the order has a price, else `IOC`", required=False,
          choices=("GTC", "IOC", "FOK")),
    Field("post_only", "flag", "`true`: refused where it would trade at once", required=False),
    Field("client_id", "text", "a name of the caller's own, 1 to 36 of `A-Z a-z 0-9 . : / _ -`; "
          "the same order under the same name is placed once", required=False),
    Field("quote_amount", "decimal", "what a market buy spends, in place of `amount`",
          required=False),
    Field("stop_price", "decimal", "the last price that triggers a stop order", required=False),
)
ORDER = {
    "order_id": 27, "client_id": "", "pair": "BTC/USDT", "side": "buy", "type": "limit",
    "tif": "GTC", "post_only": False, "price": "9000", "stop_price": "", "amount": "0.5",
    "quote_amount": "", "status": "partially_filled", "filled": "0.2", "remaining": "0.3"}
OPEN_ORDER = ORDER | {"placed": "2026-01-31 08:00:00"}
PAST_ORDER = ORDER | {
    "status": "cancelled", "turnover": "1800", "reason": "by_user",
    "placed": "2026-01-31 08:00:00", "closed": "2026-01-31 08:05:00"}

TRADING = (
    _own("buy", "Places an order to buy: a limit order, good till cancelled, where nothing else "
         "is said.", ORDER_FIELDS, STATE),
    _own("sell", "Places an order to sell, in the same way.", ORDER_FIELDS, STATE),
    _own("cancel_order", "Cancels an open order.", (ORDER_ID, CLIENT_ID, OF_PAIR),
         STATE | {"status": "cancelled"}),
    _own("cancel_all", "Cancels all open orders, newest first.", (OPTIONAL_PAIR,), {"count": 2}),
    _own("amend_order", "Changes an order's price, amount or both. Less amount keeps its place, "
         "anything else loses it.", (
             Field("order_id", "id", "the order's number"),
             Field("price", "decimal", "the new price", required=False),
             Field("amount", "decimal", "the new total, what is filled included", required=False),
             OF_PAIR), STATE),
    _own("get_open_orders", "The open orders, newest first.", (
        OPTIONAL_PAIR, Field("limit", "whole", "how many: all, or at most 1,000", required=False),
        BEFORE), [OPEN_ORDER]),
    _own("get_order", "One order, open or closed, however old.",
         (ORDER_ID, CLIENT_ID), PAST_ORDER),
    _own("get_order_history", "Closed orders, newest first.",
         (OPTIONAL_PAIR, START, END, LIMIT, BEFORE), [PAST_ORDER]),
    _own("get_my_deals", "The user's part in trades, newest first.",
         (OPTIONAL_PAIR, START, END, LIMIT, BEFORE), [{
             "deal_id": 1, "order_id": 27, "pair": "BTC/USDT", "side": "buy", "role": "maker",
             "price": "9000", "amount": "0.2", "fee": "0.0004", "fee_coin": "BTC",
             "time": "2026-01-31 08:00:00", "timetick": 1769817600000}]),
)

# -- money -----------------------------------------------------------------------------------------

COIN = Field("coin", "text", "as `BTC`")
OPTIONAL_COIN = Field("coin", "text", "only of this coin", required=False)
ADDRESS = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"

MONEY = (
    _own("get_user_coin", "What the user has of every coin.", answers={
        "BTC": {"available": "0.1996", "frozen": "0", "total": "0.1996"},
        "USDT": {"available": "5500", "frozen": "2700", "total": "8200"}}),
    _own("set_withdraw_address", "Sets the address that withdrawals of a coin go to.",
         (COIN, Field("address", "text", "it is checked for its coin"))),
    _own("get_withdraw_address", "The address that withdrawals of a coin go to; empty where none "
         "is set.", (COIN,), ADDRESS),
    _own("withdraw", "Asks for a withdrawal to the address that is set. Its amount is frozen until "
         "it is finished or rejected.", (
             COIN,
             Field("amount", "decimal", "all that is available where it is not given",
                   required=False),
             Field("pay_password", "text", "the payment password, where the user has set one",
                   required=False),
             Field("request_id", "text", "a name of the caller's own, as an order's `client_id`; "
                   "the same request under the same name is made once", required=False)),
         {"withdraw_id": 1, "amount": "0.1", "fee": "0", "status": "requested"}),
    _own("get_withdraw_record", "The withdrawals, newest first.", (OPTIONAL_COIN, LIMIT, BEFORE), [{
        "withdraw_id": 1, "coin": "BTC", "amount": "0.1", "fee": "0", "address": ADDRESS,
        "status": "requested", "txid": "", "request_id": "", "time": "2026-01-31 08:00:00"}]),
    _own("get_ledger", "What has changed the user's balances, newest first.",
         (OPTIONAL_COIN, LIMIT, BEFORE), [{
             "id": 1, "coin": "USDT", "amount": "10000", "type": "deposit",
             "reference": "first-deposit", "time": "2026-01-31 08:00:00"}]),
)

OPERATIONS = USERS + MARKET + TRADING + MONEY
BY_NAME = {operation.name: operation for operation in OPERATIONS}
