"""The calls of the operator dialect as they are described; its dispatch takes their methods and
paths from here, and refuses every field that is not in them.

An operation is served by the method that has its name. Its fields come in the
path where that names them, else in the query of a GET or DELETE and in the JSON body of a POST.
"""

from api.dialects import operator_pool_described
from api.dialects.described import Field, Operation

USER = Field("user", "user", "a name or a uid")
COIN = Field("coin", "text", "as `BTC`")
PAIR = Field("pair", "text", "`BASE/QUOTE`, as `BTC/USDT`")
WITHDRAWAL = {
    "id": 1, "uid": 2, "user": "alice", "coin": "BTC", "amount": "0.1", "fee": "0",
    "address": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "status": "approved", "txid": None,
    "request_id": None, "requested_at": "2026-01-31 08:00:00"}


def _call(name: str, method: str, path: str, summary: str, fields: tuple[Field, ...] = (),
          answers: object = None) -> Operation:
    return Operation(name, method, f"/operator/{path}", summary, fields, "operator", answers)


OPERATIONS = (
    Operation("login", "POST", "/operator/login",
              "Begins a session of 24 hours for a super administrator.",
              (Field("user", "text", "the name, in any case"),
               Field("password", "text", "the login password")),
              answers={"token": "m1xqBzXkYcQ0pXo8Xq4nVYw2m7gkq3GZ5m0bV9o5v1E"}),
    _call("logout", "POST", "logout", "Ends the session of the header `token`."),
    _call("add_coin", "POST", "coins", "Lists a coin.", (
        Field("name", "text", "1 to 16 characters, as `BTC`"),
        Field("title", "text", "what it is called, as `Bitcoin`"),
        Field("type", "text", "the sort of coin, as `coin` or `fiat`"),
        Field("scale", "whole", "decimals of an amount, 0 to 8"),
        Field("withdraw_fee", "decimal", "what a withdrawal costs, in the coin; else nothing",
              required=False),
    ), {"coin": "LTC", "number": 6}),
    _call("add_pair", "POST", "pairs", "Lists a pair, open for trading.", (
        PAIR,
        Field("price_scale", "whole", "decimals of a price"),
        Field("amount_scale", "whole", "decimals of an amount, at most the base coin's; both "
              "scales together at most the quote coin's"),
        Field("min_amount", "decimal", "the least an order may be for; else the smallest amount",
              required=False),
        Field("maker_fee", "decimal", "a rate below 1: `0.002` is 0.2 %"),
        Field("taker_fee", "decimal", "in the same way"),
        Field("self_trade", "choice", "what happens where a user would trade with itself; "
              "`cancel_maker` where it is not given", required=False,
              choices=("cancel_maker", "cancel_taker", "cancel_both", "none")),
    ), {"pair": "LTC/USDT", "number": 6}),
    _call("set_pair_status", "POST", "pairs/status", "Opens or halts a pair.", (
        PAIR,
        Field("status", "choice", "but for `open`, orders can only be cancelled; who places one is "
              "told which it is", choices=("open", "cancel_only", "halted")))),
    _call("deposit", "POST", "deposits", "Credits a user, once for each coin, txid and user.", (
        USER, COIN, Field("amount", "decimal", "how much of the coin"),
        Field("txid", "text", "the transaction, 1 to 128 printable characters"),
    ), {"duplicate": False}),
    _call("list_withdrawals", "GET", "withdrawals", "Withdrawals, newest first.", (
        Field("status", "choice", "only those in this state", required=False,
              choices=("requested", "approved", "finished", "rejected", "signed")),
        Field("user", "text", "only this user's, by name; looks at its last 1,000",
              required=False),
        Field("account", "text", "only this sub-account's, in the same way", required=False),
        Field("limit", "whole", "how many: 100, at most 1,000", required=False),
        Field("before", "whole", "only those with smaller ids", required=False),
    ), [WITHDRAWAL | {"status": "requested"}]),
    _call("step_withdrawal", "POST", "withdrawals/{id}", "Takes a withdrawal one step further.", (
        Field("id", "whole", "the withdrawal's number"),
        Field("action", "choice", "`approve`, then `finish` once it is paid; `reject` returns the "
              "money", choices=("approve", "reject", "finish")),
        Field("txid", "text", "the transaction that paid it, with `finish`", required=False),
    ), WITHDRAWAL),
    _call("add_credential", "POST", "credentials",
          "Makes a client credential; its secrets are shown this once.", (
              Field("scope", "choice", "what it may do", choices=("account", "operator")),
              Field("account", "user", "a name or a uid: whose it is; needed for `account`",
                    required=False),
          ), {"clientId": "0c1f8a52d9b3e647", "secretKey": "6f" * 32, "secretSalt": "a4" * 16}),
    _call("remove_credential", "DELETE", "credentials/{clientId}", "Removes a client credential.",
          (Field("clientId", "text", "the credential"),)),
    _call("state", "GET", "state", "What the house has done and holds; the hash is of the whole "
          "state, which takes its time in a large house.", (), {
              "seq": 27, "durable_seq": 27, "state_hash": "5d" * 16, "version": "0.1.0",
              "uptime": 60, "counts": {"users": 3, "sub_accounts": 2, "workers": 20, "coins": 5,
                                       "pairs": 5, "sessions": 1, "deposits": 2, "withdrawals": 1,
                                       "credentials": 0}}),
    *operator_pool_described.operations(WITHDRAWAL),
)
