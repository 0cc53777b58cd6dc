"""A house as the benchmarks use it: one pair, funded users, a workload as batches of commands.

Prices and quantities of a workload are the pair's ticks and lots. Order ids follow from the
batches: an order's id is the sequence number of its command, and `Stream` numbers the commands on
from the opening's.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.workload import ADD, CANCEL, MOVE, TAKE, Workload
from engine import commands
from engine.codes import Kind, OrderType, Result, SelfTrade, Tif

BASE, QUOTE, PAIR = 1, 2, 1
BASE_SCALE, QUOTE_SCALE = 8, 6
PRICE_SCALE, AMOUNT_SCALE = 2, 4
FEE_PPM = 2_000
# Units in all; half of what a coin's supply may be, so that every user can be given the same.
SUPPLY = 2**62
FUNDS_MAX = 10**15
OPENING_TS_NS = 1_700_000_000_000_000_000
OPENING_RECORDS = 10_000
BATCH_RECORDS = 16_384

NO_PASSWORD = "!"


class WrongAnswer(RuntimeError):
    """The engine did not do what the workload's reference did: no figure is worth showing."""


@dataclass(frozen=True)
class Batch:
    first_seq: int
    count: int
    records: bytes

    @property
    def ts_ns(self) -> int:
        """A million commands to a second, so that bars and ticker move on."""
        return OPENING_TS_NS + self.first_seq * 1_000


def funds(users: int) -> int:
    """Units of each coin that each user gets."""
    return min(FUNDS_MAX, SUPPLY // users)


def opening(users: int) -> Iterator[bytes]:
    """The records that list the pair (fees 0.2 %, self-trade allowed) and fund its users."""
    for name, scale in (("BASE", BASE_SCALE), ("QUOTE", QUOTE_SCALE)):
        yield commands.cold(Kind.ADD_COIN, {
            "name": name, "title": name, "type": "coin", "scale": scale,
        })
    yield commands.cold(Kind.ADD_PAIR, {
        "name": "BASE/QUOTE", "price_scale": PRICE_SCALE, "amount_scale": AMOUNT_SCALE,
        "min_qty": 1, "maker_fee_ppm": FEE_PPM, "taker_fee_ppm": FEE_PPM,
        "self_trade": int(SelfTrade.ALLOW),
    })
    amount = funds(users)
    for uid in range(1, users + 1):
        yield commands.cold(Kind.REGISTER_USER, {
            "username": f"user{uid}", "password_hash": NO_PASSWORD, "group": 2,
        })
        for coin in (BASE, QUOTE):
            yield commands.cold(Kind.DEPOSIT, {
                "uid": uid, "coin": coin, "amount": amount, "txid": f"{uid}",
            })


def opening_batches(users: int) -> Iterator[Batch]:
    first_seq = 1
    gathered = []
    for record in opening(users):
        gathered.append(record)
        if len(gathered) == OPENING_RECORDS:
            yield Batch(first_seq, len(gathered), b"".join(gathered))
            first_seq += len(gathered)
            gathered.clear()
    if gathered:
        yield Batch(first_seq, len(gathered), b"".join(gathered))


def opening_count(users: int) -> int:
    """How many commands `opening` gives."""
    return 3 + 3 * users


def apply(core, batch: Batch):
    """Apply a batch and return its Outcome. WrongAnswer if any command was refused."""
    outcome = core.apply(batch.records, batch.first_seq, batch.ts_ns)
    codes = np.frombuffer(outcome.results, dtype=commands.RESULT_DTYPE)["code"]
    refused = np.flatnonzero(codes != Result.OK)
    if len(codes) != batch.count or len(refused):
        first = f", the first {Result(codes[refused[0]]).name}" if len(refused) else ""
        raise WrongAnswer(f"{len(refused)} of {batch.count} commands refused{first}")
    return outcome


class Stream:
    """A workload's messages as command records, numbered from first_seq."""

    def __init__(self, workload: Workload, first_seq: int):
        self.messages = workload.messages
        self.first_seq = first_seq
        action = self.messages["action"]
        placing = np.flatnonzero((action == ADD) | (action == TAKE))
        if not np.array_equal(self.messages["order"][placing], np.arange(1, len(placing) + 1)):
            raise ValueError("the orders of the workload are not numbered 1, 2, 3 …")
        # By the workload's order number, which starts at 1.
        self.order_ids = np.concatenate(([0], placing + first_seq)).astype(np.uint64)

    def batches(self, start: int, stop: int, records: int = BATCH_RECORDS) -> Iterator[Batch]:
        """The messages from `start` to before `stop`, `records` to a batch."""
        for at in range(start, stop, records):
            messages = self.messages[at:min(at + records, stop)]
            yield Batch(self.first_seq + at, len(messages), self.encode(messages))

    def encode(self, messages: np.ndarray) -> bytes:
        """Records of different sizes one behind the other: each kind's are made as one array, then
        scattered to their places in 8-byte words, of which every record has a whole number.
        """
        action = messages["action"]
        kinds = (
            ((action == ADD) | (action == TAKE), self.place_orders, commands.PLACE_DTYPE),
            (action == CANCEL, self.cancel_orders, commands.CANCEL_DTYPE),
            (action == MOVE, self.amend_orders, commands.AMEND_DTYPE),
        )
        words = np.zeros(len(messages), dtype=np.int64)
        for chosen, _, dtype in kinds:
            words[chosen] = dtype.itemsize // 8
        ends = np.cumsum(words)
        starts = ends - words
        out = np.empty(ends[-1], dtype=np.uint64)
        for chosen, fill, dtype in kinds:
            rows = np.zeros(np.count_nonzero(chosen), dtype=dtype)
            rows["size"] = dtype.itemsize
            rows["pair"] = PAIR
            rows["user"] = messages["user"][chosen]
            fill(rows, messages[chosen])
            width = dtype.itemsize // 8
            out[starts[chosen][:, None] + np.arange(width)] = rows.view("<u8").reshape(-1, width)
        return out.tobytes()

    def place_orders(self, rows: np.ndarray, messages: np.ndarray) -> None:
        rows["kind"] = Kind.PLACE_ORDER
        rows["type"] = OrderType.LIMIT
        rows["tif"] = np.where(messages["action"] == ADD, int(Tif.GTC), int(Tif.IOC))
        for field in ("side", "price", "qty"):
            rows[field] = messages[field]

    def cancel_orders(self, rows: np.ndarray, messages: np.ndarray) -> None:
        rows["kind"] = Kind.CANCEL_ORDER
        rows["order_id"] = self.order_ids[messages["order"]]

    def amend_orders(self, rows: np.ndarray, messages: np.ndarray) -> None:
        rows["kind"] = Kind.AMEND_ORDER
        rows["order_id"] = self.order_ids[messages["order"]]
        rows["price"] = messages["price"]
