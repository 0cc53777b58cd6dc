"""How often each thing happened in a run, and the list of things that must have happened.

A run that never met a refusal, a self-trade mode or a cascade of stops proved nothing about it.
"""

from collections import Counter

from engine.codes import (
    EventKind, LockReason, OrderStatus, OrderType, Reason, Result, SelfTrade, Tif,
)
from tests.model.commands import AmendOrder, PlaceOrder

# Command -> the results that a run must have seen.
RESULTS = {
    "PlaceOrder": """OK BAD_SIDE BAD_TYPE BAD_TIF BAD_FLAGS BAD_PRICE BAD_QTY BAD_STOP_PRICE
        BAD_QUOTE_AMOUNT BAD_POST_ONLY BAD_CLIENT_ID UNKNOWN_USER UNKNOWN_PAIR NOT_ENOUGH_MONEY
        AMOUNT_TOO_LARGE PAIR_HALTED PAIR_CANCEL_ONLY BELOW_MIN_AMOUNT TOO_MANY_OPEN_ORDERS
        WOULD_CROSS CLIENT_ID_TAKEN""",
    "AmendOrder": """OK UNKNOWN_USER UNKNOWN_ORDER BAD_PRICE BAD_QTY PAIR_HALTED PAIR_CANCEL_ONLY
        BELOW_MIN_AMOUNT AMOUNT_TOO_LARGE WOULD_CROSS NOT_ENOUGH_MONEY""",
    "CancelOrder": "OK UNKNOWN_USER UNKNOWN_ORDER",
    "CancelAll": "OK UNKNOWN_USER UNKNOWN_PAIR",
    "Malformed": "BAD_COMMAND",
    "AddCoin": "OK COIN_EXISTS BAD_SCALE",
    "AddPair": "OK PAIR_EXISTS UNKNOWN_COIN BAD_SCALE BAD_FEE",
    "SetPairStatus": "OK UNKNOWN_PAIR BAD_STATUS",
    "SetLimits": "OK BAD_LIMIT",
    "RegisterUser": "OK USER_EXISTS BAD_SOURCE",
    "CreateSession": "OK UNKNOWN_USER BAD_DIGEST BAD_LIFETIME SESSION_EXISTS",
    "EndSession": "OK UNKNOWN_SESSION",
    "SetPassword": "OK UNKNOWN_USER BAD_DIGEST",
    "SetPayPassword": "OK UNKNOWN_USER",
    "TryPayPassword": "OK UNKNOWN_USER NO_PAY_PASSWORD PAY_PASSWORD_LOCKED",
    "ClearPayTries": "OK UNKNOWN_USER",
    "SetPermissions": "OK UNKNOWN_USER BAD_FIELDS TOO_MANY_FIELDS",
    "SetProfile": "OK UNKNOWN_USER BAD_FIELDS TOO_MANY_FIELDS",
    "SetIdentity": "OK UNKNOWN_USER BAD_FIELDS TOO_MANY_FIELDS",
    "BindDevice": "OK UNKNOWN_USER BAD_DEVICE TOO_MANY_DEVICES",
    "RemoveDevice": "OK UNKNOWN_USER UNKNOWN_DEVICE",
    "SetWithdrawAddress": "OK",
    "Deposit": "OK UNKNOWN_USER UNKNOWN_COIN AMOUNT_TOO_LARGE",
    "RequestWithdrawal": """OK UNKNOWN_USER BAD_AMOUNT NOT_ENOUGH_MONEY NO_WITHDRAW_ADDRESS
        REQUEST_ID_TAKEN""",
    "ApproveWithdrawal": "OK UNKNOWN_WITHDRAWAL WRONG_STATE",
    "RejectWithdrawal": "OK UNKNOWN_WITHDRAWAL WRONG_STATE",
    "FinishWithdrawal": "OK UNKNOWN_WITHDRAWAL WRONG_STATE",
    "CreditBalance": """OK UNKNOWN_USER UNKNOWN_COIN BAD_REQUEST_ID REQUEST_ID_TAKEN BAD_AMOUNT
        AMOUNT_TOO_LARGE""",
    "DebitBalance": """OK UNKNOWN_USER UNKNOWN_COIN BAD_REQUEST_ID REQUEST_ID_TAKEN BAD_AMOUNT
        NOT_ENOUGH_MONEY""",
    "TransferBalance": """OK UNKNOWN_USER UNKNOWN_COIN BAD_REQUEST_ID REQUEST_ID_TAKEN BAD_AMOUNT
        SAME_ACCOUNT NOT_ENOUGH_MONEY""",
    "FreezeBalance": """OK UNKNOWN_USER UNKNOWN_COIN BAD_REQUEST_ID REQUEST_ID_TAKEN BAD_AMOUNT
        NOT_ENOUGH_MONEY""",
    "UnfreezeBalance": """OK UNKNOWN_USER UNKNOWN_COIN BAD_REQUEST_ID REQUEST_ID_TAKEN BAD_AMOUNT
        NOT_ENOUGH_FROZEN""",
    "SetMining": "OK UNKNOWN_COIN MINING_COIN_FIXED BAD_RATE BAD_AMOUNT BAD_FORCE",
    "OpenWallet": "OK NO_MINING UNKNOWN_USER",
    "TransferOre": """OK NO_MINING UNKNOWN_USER UNKNOWN_WALLET BAD_AMOUNT SAME_ACCOUNT
        NOT_ENOUGH_MONEY""",
    "ExtractOre": "OK NO_MINING UNKNOWN_USER UNKNOWN_WALLET BAD_AMOUNT NOT_ENOUGH_MONEY",
    "BuyForce": """OK NO_MINING UNKNOWN_USER UNKNOWN_WALLET BAD_FORCE NOT_ENOUGH_MONEY
        AMOUNT_TOO_LARGE""",
    "ClaimOre": """OK NO_MINING UNKNOWN_USER UNKNOWN_WALLET BAD_AMOUNT NOT_ENOUGH_ORE
        AMOUNT_TOO_LARGE""",
    "AddAccount": """OK BAD_USERNAME BAD_NAME BAD_PASSWORD_HASH BAD_EMAIL BAD_PHONE NO_CONTACT
        USER_EXISTS ACCOUNT_EXISTS""",
    "AddSubAccount": """OK UNKNOWN_USER BAD_NAME BAD_SPEED BAD_DESCRIPTION BAD_WORKER_COUNT
        ACCOUNT_EXISTS""",
    "SetContact": "OK UNKNOWN_USER NO_CONTACT BAD_EMAIL BAD_PHONE",
    "SetFees": """OK UNKNOWN_ACCOUNT NO_CHANGE BAD_FEE_TYPE BAD_FEE BAD_REFER
        BAD_COMMISSION""",
    "SetCoinHarvest": "OK UNKNOWN_ACCOUNT UNKNOWN_COIN BAD_ADDRESS BAD_MIN",
    "SetMoneyHarvest": "OK UNKNOWN_ACCOUNT BAD_BANK BAD_MIN",
    "SetCoinToMoney": "OK UNKNOWN_ACCOUNT",
    "LockAccount": "OK UNKNOWN_ACCOUNT",
    "AddObserver": """OK UNKNOWN_ACCOUNT BAD_TOKEN BAD_RIGHTS BAD_REMARK OBSERVER_EXISTS
        TOO_MANY_OBSERVERS""",
    "ChangeObserver": "OK UNKNOWN_OBSERVER NO_CHANGE BAD_RIGHTS BAD_REMARK",
    "RemoveObserver": "OK UNKNOWN_OBSERVER",
    "AddGroup": "OK UNKNOWN_ACCOUNT BAD_NAME GROUP_EXISTS TOO_MANY_GROUPS",
    "RenameGroup": "OK UNKNOWN_ACCOUNT UNKNOWN_GROUP BAD_NAME GROUP_EXISTS",
    "RemoveGroup": "OK UNKNOWN_ACCOUNT UNKNOWN_GROUP",
    "AddShares": """OK BAD_COMMAND BAD_NAME UNKNOWN_ACCOUNT NO_NETWORK BAD_DIFFICULTY NO_SHARES
        AMOUNT_TOO_LARGE BAD_TIME""",
    "SetWorkerGroup": "OK UNKNOWN_ACCOUNT UNKNOWN_GROUP BAD_WORKERS UNKNOWN_WORKER",
    "SetNetwork": "OK UNKNOWN_COIN BAD_DIFFICULTY BAD_SUBSIDY BAD_FEE BAD_BLOCKS",
    "BeginSettlement": "OK UNKNOWN_COIN NO_NETWORK BAD_DAY SETTLEMENT_RUNNING",
    "SettleAccounts": "OK NO_SETTLEMENT BAD_LIMIT",
    "SellEarnings": "OK NO_SETTLEMENT",
    "SignIn": """OK NO_MINING UNKNOWN_USER UNKNOWN_WALLET BAD_DAY SIGNED_IN_ALREADY
        AMOUNT_TOO_LARGE""",
}
# Moves of a balance that have to come again with their request id.
MOVES = ("CreditBalance", "DebitBalance", "TransferBalance", "FreezeBalance", "UnfreezeBalance")
# What a placed order of a type can have come to when its command is done.
STATUSES = {
    "LIMIT": "OPEN PARTIALLY_FILLED FILLED CANCELLED",
    "MARKET": "FILLED CANCELLED",
    "STOP_LIMIT": "WAITING OPEN PARTIALLY_FILLED FILLED CANCELLED",
    "STOP_MARKET": "WAITING FILLED CANCELLED",
}
EXPECTED = [
    *[("result", command, result)
      for command, results in RESULTS.items() for result in results.split()],
    *[("order", type, status)
      for type, statuses in STATUSES.items() for status in statuses.split()],
    *[("tif", tif.name, status) for tif in Tif for status in ("FILLED", "CANCELLED")],
    *[("event", kind.name, "") for kind in EventKind if kind != EventKind.ORDER_CANCELLED],
    *[("event", "ORDER_CANCELLED", reason.name) for reason in Reason],
    *[("self-trade", mode.name, "order cancelled")
      for mode in SelfTrade if mode != SelfTrade.ALLOW],
    ("self-trade", "ALLOW", "traded"),
    *[("stops in a command", number, "") for number in ("1", "2", "3 or more")],
    *[("client id repeated", status.name, "") for status in OrderStatus],
    *[("amended", status, "") for status in ("WAITING", "OPEN", "PARTIALLY_FILLED", "FILLED")],
    ("trades in a command", "2", ""), ("trades in a command", "3 or more", ""),
    *[("request repeated", move, "") for move in MOVES],
    *[("unfrozen", whose, "by " + whom) for whose, whom in (
        ("the own part", "the user"), ("the other part", "another"),
        ("both parts", "another"))],
    *[("claimed", what, "") for what in ("all to the unit", "a part", "from 2^63 - 1")],
    ("pay tries", "forgotten", "15 minutes later"), ("pay tries", "unlocked", "15 minutes later"),
    ("pay tries", "unlocked", "to the nanosecond"),
    ("sessions", "ended", "by a permission"),
    *[("sub-account", "traded", "as " + what) for what in ("taker", "maker")],
    ("shares", "repeated", ""),
    *[("settlement", "sold", what) for what in ("all", "in part", "nothing")],
    *[("settlement", "reason", reason.name) for reason in LockReason
      if reason != LockReason.TOO_MANY_PAYMENTS],
    *[("settlement", what, "AAA") for what in ("paid", "not paid")],
]


def names_of(enum) -> dict[int, str]:
    """Number -> name; 0, which is no member, has none."""
    return {0: ""} | {int(member): member.name for member in enum}


RESULT, STATUS, TYPE, TIF, KIND, REASON, MODE = map(
    names_of, (Result, OrderStatus, OrderType, Tif, EventKind, Reason, SelfTrade))


def at_most_three(number: int) -> str:
    return str(number) if number < 3 else "3 or more"


class Tally:
    """Counts by (subject, what, detail)."""

    def __init__(self):
        self.counts = Counter()

    def note(self, model, batch: list, outcome) -> None:
        """Count what a batch brought; `model` has just applied it."""
        counts = self.counts
        counts.update(model.happened)
        model.happened.clear()
        for command, result in zip(batch, outcome.results):
            counts["result", type(command).__name__, RESULT[result[0]]] += 1
            if result[0] == Result.OK and type(command) in (PlaceOrder, AmendOrder):
                self.note_order(command, result)
        stops, trades = Counter(), Counter()
        for event in outcome.events:
            kind, _, pair, user, seq, *_, maker_user, _, _, _, reason = event
            counts["event", KIND[kind], REASON[reason]] += 1
            mode = MODE[model.pairs[pair].self_trade]
            if reason == Reason.SELF_TRADE:
                counts["self-trade", mode, "order cancelled"] += 1
            elif kind == EventKind.ORDER_TRIGGERED:
                stops[seq] += 1
            elif kind == EventKind.TRADE:
                trades[seq] += 1
                for uid, what in ((user, "taker"), (maker_user, "maker")):
                    counts["sub-account", "traded", "as " + what] += uid in model.accounts
                if user == maker_user:
                    counts["self-trade", mode, "traded"] += 1
        for number in stops.values():
            counts["stops in a command", at_most_three(number), ""] += 1
        for number in trades.values():
            counts["trades in a command", at_most_three(number), ""] += 1

    def note_order(self, command, result: tuple) -> None:
        status, duplicate = STATUS[result[1]], result[2]
        if type(command) is AmendOrder:
            self.counts["amended", status, ""] += 1
        elif duplicate:
            self.counts["client id repeated", status, ""] += 1
        else:
            self.counts["order", TYPE[command.type], status] += 1
            self.counts["tif", TIF[command.tif], status] += 1

    def missing(self) -> list[tuple]:
        """What should have happened and did not."""
        return [key for key in EXPECTED if not self.counts[key]]

    def table(self) -> str:
        """One line a count, by subject."""
        return "\n".join(f"{count:>10,}  {subject:<20} {what:<20} {detail}".rstrip()
                         for (subject, what, detail), count in sorted(self.counts.items()))
