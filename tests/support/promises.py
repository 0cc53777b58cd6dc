"""What a house has told a user, and whether it keeps to it after its death.

An answer is a promise: an order is there, at least so much of it is filled, it has ended so. What
was asked and not answered may have happened, once, or not. Amounts are in lots of 10^-SCALE, money
in units of 10^-COIN_SCALE.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

SCALE = 6
COIN_SCALE = 8
CLOSED = ("filled", "cancelled")


def lots(text: str) -> int:
    return int(Decimal(text or 0).scaleb(SCALE))


def units(text: str) -> int:
    return int(Decimal(text).scaleb(COIN_SCALE))


@dataclass
class Order:
    """An order as its sender knows it."""
    client_id: str
    side: str                                   # the router: buy, sell
    fields: dict[str, str]                      # its parameters
    order_id: int = 0                           # 0: no yes so far
    refused: str = ""                           # why, where the answer was no
    filled: int = 0                             # at least
    ended: str = ""                             # the status that it ended with
    gone: bool = False                          # said to be no longer open
    totals: set[int] = field(default_factory=set)   # one of these; empty: by quote amount

    def __post_init__(self):
        if "amount" in self.fields:
            self.totals = {lots(self.fields["amount"])}

    @property
    def is_open(self) -> bool:
        """As far as the sender knows."""
        return bool(self.order_id) and not self.ended and not self.gone

    def answered(self, answer: dict) -> str:
        """Take in a yes to its placement, amendment or cancellation; what contradicts, or ""."""
        before = self.order_id, self.filled, self.ended
        told = answer["order_id"], lots(answer["filled"]), answer["status"]
        if self.order_id not in (0, told[0]):
            return f"{self.client_id}: order {before}, then {told}"
        if told[1] < self.filled or (self.ended and told[1:] != (self.filled, self.ended)):
            return f"{self.client_id}: {before}, then {told}"
        self.order_id, self.filled = told[:2]
        if told[2] in CLOSED:
            self.ended = told[2]
        return ""

    def faults(self, row: dict | None) -> Iterator[str]:
        """What is wrong with how the house shows it now. `row` is None where it does not."""
        if row is None:
            if self.order_id:
                yield f"order {self.order_id} ({self.client_id}) was answered and is lost"
            return
        name = f"order {row['order_id']} ({self.client_id})"
        if self.refused:
            yield f"{name} was refused ({self.refused}) and is there"
        if self.order_id not in (0, row["order_id"]):
            yield f"{name} was answered as {self.order_id}"
        filled, status = lots(row["filled"]), row["status"]
        if filled < self.filled or (self.ended and (filled, status) != (self.filled, self.ended)):
            yield f"{name}: answered {self.filled} {self.ended}, now {filled} {status}"
        if self.gone and status not in CLOSED:
            yield f"{name} was said to be closed and is {status}"
        if self.totals and lots(row["amount"]) not in self.totals:
            yield f"{name}: a total of {row['amount']}, not one of {self.totals}"
        if row["side"] != self.side:
            yield f"{name}: {row['side']}, not {self.side}"

    def learn(self, row: dict) -> None:
        """What the house shows after its start holds from now on."""
        self.filled = lots(row["filled"])
        self.totals = {lots(row["amount"])} if self.totals else set()
        if row["status"] in CLOSED:
            self.ended = row["status"]


@dataclass
class Withdrawal:
    """A withdrawal as its sender knows it."""
    request_id: str
    coin: str
    amount: str
    withdraw_id: int = 0
    refused: str = ""

    def faults(self, row: dict | None) -> Iterator[str]:
        if row is None:
            if self.withdraw_id:
                yield f"withdrawal {self.withdraw_id} was answered and is lost"
            return
        told = row["withdraw_id"], row["coin"], row["amount"]
        if self.refused or told != (self.withdraw_id or told[0], self.coin, self.amount):
            yield f"{self} is {told}"


@dataclass
class Deposit:
    """A deposit as the operator knows it. `credited`: it was answered, as new or as a duplicate."""
    txid: str
    user: str
    coin: str
    amount: str
    credited: bool = False


@dataclass
class Figures:
    """Numbers that one client alone changes, one request after the other: it knows them all, but
    for what the one request did that was not answered. Names are the client's."""
    known: dict[str, int]
    if_done: dict[str, int] | None = None       # what they are if the open request was done

    def ask(self, changes: dict[str, int]) -> None:
        """A request goes out that will change these numbers by so much."""
        self.if_done = self.known | {
            name: self.known[name] + change for name, change in changes.items()}

    def answered(self, yes: bool) -> None:
        if yes:
            self.known = self.if_done
        self.if_done = None

    def settle(self, shown: dict[str, int]) -> str:
        """Take in what is shown after a death; what contradicts, or ""."""
        possible = [self.known] if self.if_done is None else [self.known, self.if_done]
        fault = "" if shown in possible else f"{shown} is none of {possible}"
        self.known, self.if_done = shown, None
        return fault


@dataclass
class Promises:
    """All that one user was told. `orders` by client id, `withdrawals` by request id."""
    orders: dict[str, Order] = field(default_factory=dict)
    withdrawals: dict[str, Withdrawal] = field(default_factory=dict)
    shown: dict[int, int] = field(default_factory=dict)     # order id -> filled, as lists told

    def show(self, rows: list[dict]) -> None:
        """Take in a list of open orders: what was shown once, no crash may take back."""
        for row in rows:
            order_id = row["order_id"]
            self.shown[order_id] = max(self.shown.get(order_id, 0), lots(row["filled"]))

    def faults(self, orders: list[dict], withdrawals: list[dict]) -> Iterator[str]:
        """What is wrong with all that the house shows of the user now."""
        yield from self.row_faults(self.orders, orders, "client_id")
        yield from self.row_faults(self.withdrawals, withdrawals, "request_id")
        filled = {row["order_id"]: lots(row["filled"]) for row in orders}
        for order_id, at_least in self.shown.items():
            if filled.get(order_id, -1) < at_least:
                yield (f"order {order_id} was shown with {at_least} filled, "
                       f"now {filled.get(order_id, 'it is lost')}")

    def row_faults(self, known: dict, rows: list[dict], key: str) -> Iterator[str]:
        by_name = {row[key]: row for row in rows}
        if len(by_name) != len(rows):
            names = sorted(row[key] for row in rows)
            twice = {one for one, next_one in zip(names, names[1:]) if one == next_one}
            yield f"more than once: {key} {sorted(twice)}"
        for name in by_name.keys() - known.keys():
            yield f"nobody has asked for {by_name[name]}"
        for name, one in known.items():
            yield from one.faults(by_name.get(name))
