"""The operator's calls for the pool as they are described; see operator_described."""

from api.dialects.described import Field, Operation

COIN = Field("coin", "text", "as `BTC`")
DAY = "a UTC day, as `2026-01-31`"
NETWORK = {"coin": "BTC", "difficulty": "21448277761059.71", "subsidy": "6.25",
           "fees_per_block": "0.74", "blocks": 1, "day": "2026-01-31", "epoch": 1,
           "since": "2026-01-31 08:00:00"}
SETTLEMENT = {"coin": "BTC", "day": "2026-01-30", "accounts": 1, "gross": "0.00586194",
              "net": "0.00574470", "commission": "0", "pool": "0.00011724", "fee_rate": "0.1185",
              "profit_per_p": "0.00586194", "settled_at": "2026-01-31 08:10:00"}
PAYMENT = {
    "userName": "farm", "at": "2026-01-30", "btcPaid": "0.00574470", "bchPaid": "0.00000000",
    "rmbPaid": "0.00", "btcRemain": "0.00000000", "bchRemain": "0.00000000", "rmbRemain": "0.00",
    "btcLockReason": "", "bchLockReason": "", "rmbLockReason": "", "payType": "BTC",
    "address": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "bchAddress": "", "payments": [2]}


def _call(name: str, method: str, path: str, summary: str, fields: tuple[Field, ...] = (),
          answers: object = None) -> Operation:
    return Operation(name, method, f"/operator/{path}", summary, fields, "operator", answers)


def operations(withdrawal: dict) -> tuple[Operation, ...]:
    """The calls; `withdrawal` is an example of one as it is shown."""
    return (
        _call("set_network", "POST", "network",
              "Says what holds for a mined coin's chain from now on; the first one begins its "
              "mining.", (
                  COIN,
                  Field("difficulty", "decimal", "exactly: at most 20 digits, and 18 decimals"),
                  Field("subsidy", "decimal", "what a block brings beside its fees, in the coin"),
                  Field("fees_per_block", "decimal", "in the coin; may be 0"),
                  Field("blocks_today", "whole", "how many blocks this UTC day has had: those "
                        "since the number given before bear these fees and this subsidy, a lower "
                        "number takes back the last ones; at most 1,000,000", required=False),
              ), NETWORK),
        _call("list_networks", "GET", "network", "The present state of each mined coin's chain; "
              "`blocks` are those counted on the `day` of its last change.", (), [NETWORK]),
        _call("add_shares", "POST", "shares",
              "Counts shares of workers, all rows or none; a list of rows may also be the whole "
              "body, and `source` and `batch` parameters of the address.", (
                  Field("rows", "list", "1 to 10,000 of {user, worker, coin, difficulty, accepted, "
                        "rejected, at}"),
                  Field("source", "whole", "who counts shares, 1 to 65,535; together with `batch`",
                        required=False),
                  Field("batch", "whole", "a number above the last one of this source, else "
                        "nothing is counted and `duplicate` is true", required=False),
              ), {"rows": 1, "duplicate": False}),
        _call("settle", "POST", "settle", "Settles a day of a coin now, to its end; one that is "
              "settled already is a `duplicate`.", (COIN, Field("day", "text", f"{DAY}, over")),
              SETTLEMENT | {"duplicate": False}),
        _call("list_settlements", "GET", "settlements", "The sums of settled days, oldest first.", (
            Field("coin", "text", "only of this coin", required=False),
            Field("start", "text", f"the first day, {DAY}"),
            Field("end", "text", "the last day, at most 366 with the first"),
        ), [SETTLEMENT]),
        _call("list_payments", "GET", "payments", "What each sub-account is paid for a settled "
              "day, and why the rest is not: as Profit.GetAllUserPaymentByDay, with the ids of "
              "its payments.", (
                  Field("day", "text", DAY),
                  Field("format", "choice", "`csv`: a file, whose first line names the columns; "
                        "else as any answer", required=False, choices=("json", "csv")),
              ), [PAYMENT]),
        _call("step_payment", "POST", "payments/{id}", "Takes a payment of the pool to its end.", (
            Field("id", "whole", "the withdrawal's number"),
            Field("action", "choice", "`finish` once it is paid; `fail` returns the money, for a "
                  "later payment", choices=("finish", "fail")),
            Field("txid", "text", "the transaction that paid it, with `finish`", required=False),
        ), withdrawal),
        _call("list_transactions", "GET", "transactions",
              "Transactions that pay withdrawals and are not finished with.", (), [{
                  "txid": "9c" * 32, "coin": "BTC", "withdrawals": [1], "unfinished": 1,
                  "transaction": "02000000"}]),
        _call("step_transaction", "POST", "transactions/{txid}", "Gives a signed transaction up: "
              "its withdrawals are approved again. Only where it can't be mined any more.", (
                  Field("txid", "text", "the transaction"),
                  Field("action", "choice", "what to do", choices=("unsign",)),
              ), {"withdrawals": [1]}),
        _call("lock_account", "POST", "accounts/lock",
              "Stops the payments of a sub-account, or lets them go on.", (
                  Field("user", "text", "the sub-account's name"),
                  Field("locked", "flag", "whether nothing is paid"))),
    )
