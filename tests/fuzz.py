"""Framed nonsense for the core: `python -m tests.fuzz --seconds N --seed S`.

Records whose size is true and whose content is anything: mostly commands that are nearly right,
with spoiled fields, flipped bits, odd msgpack, and now and then plain random bytes. The core must
answer each of them. After every batch each coin's trial balance is zero, refused commands have
answered with nothing but a code, and a batch of refusals alone has left the state hash as it was; a
second core that gets the records one by one, and so never reads ahead, answers the same. At
checkpoints every invariant is checked, and the second core goes on from the first one's dump.

The campaign of tests/campaign.py knows what the right answers are; this one knows only that there
must be one.
"""

import argparse
import random
import struct
import sys
import time
from collections import Counter

import msgpack
import numpy as np

from engine.codes import Kind, Result, SelfTrade
from engine.commands import (
    PLACE_DTYPE, RESULT_DTYPE, add_shares, amend_order, cancel_all, cancel_order, cold,
)
from engine.core import Core
from engine.handlers import FIELDS
from pool.share_book import packed_batch
from tests.model.cold_mining import DAY_NS
from tests.model.workload import EDGES, PAIRS, START_NS, USERS, WIDE_PAIR, listings

HEAD = struct.Struct("<IHH")
COLD_HEAD = struct.Struct("<II")
CHECK_EVERY = 50              # batches
# Prices and quantities whose products, in the wide pair's units, end just below and above 2^63.
WIDE = (1, 3, 303_700, 303_701, 46_116_860_184, 92_233_720_368, 92_233_720_369)
ORDERS_WANTED = 600           # open orders; beyond it somebody cancels all
HOT_KINDS = (Kind.PLACE_ORDER, Kind.CANCEL_ORDER, Kind.AMEND_ORDER, Kind.CANCEL_ALL,
             Kind.ADD_SHARES)
SHARE_COUNTS = (0, 1, 1, 1, 5, 1_000, 2**32 - 1)
SHARE_DIFFICULTIES = (0, 1, 2**16, 2**16, 2**30, 2**63, 2**64 - 1)
WORKERS = ("rig1", "rig2", "rig3", "x" * 24, "x" * 64, "矿机")
# A refused command may change something only by counting a wrong code's try.
HARMLESS = {int(result) for result in Result} - {Result.OK, Result.CODE_WRONG}
ALL_TYPES = (
    None, True, 0, -1, 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, -2**63, 0.0, 1.5,
    float("nan"), float("inf"), "", "x", "\0", "\x7f", "é" * 40, "\u202e", "x" * 40, "x" * 5_000,
    b"", b"x", bytes(32), b"x" * 2_000, [], [[]], {}, {"a": {"b": []}}, msgpack.ExtType(5, b"x"),
    msgpack.Timestamp(1, 2),
)
# Bytes that msgpack itself has to refuse, or that are no map.
BAD_PAYLOADS = (
    b"", b"\xc1", b"\x81", b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\x81\x01\x02",
    b"\x81\xc0\xc0", b"\x81\x90\x01", b"\xc7\x00\xff", b"\xd4\xff\x00",
    b"\xc7\x0c\xff" + b"\xff" * 12,
    b"\x91" * 2_000 + b"\xc0", b"\x81\xa1a" * 2_000 + b"\xc0", b"\xa2\xff\xfe", b"\x80\x80",
    b"\x82\xa1a\x01\xa1a\x02", b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\xc6\xff\xff\xff\xff",
)
# What a field of that name plausibly holds. Few values, so that they meet again.
PLAUSIBLE = {
    "uid": range(0, USERS + 4), "coin": range(0, 8), "pair": range(0, PAIRS + 3),
    "id": range(0, 60),
    "amount": (0, 1, 500, 501, 10**6, 10**9, 2**62, 2**63 - 1, 2**63), "scale": (0, 2, 6, 8, 9),
    "withdraw_fee": (0, 1, 10**6, 2**63 - 1), "status": (0, 1, 1, 1, 2, 3, 4),
    "group": (0, 1, 2, 3), "min_qty": (0, 1, 5, 2**63 - 1), "price_scale": (0, 2, 8),
    "amount_scale": (0, 4, 8), "maker_fee_ppm": (0, 1_000, 999_999, 10**6),
    "taker_fee_ppm": (0, 2_000, 999_999, 10**6), "self_trade": (0, *map(int, SelfTrade), 5),
    "open_orders_per_user": (0, 0, 0, 3, 300, 2**32 - 1, 2**32), "lifetime_s": (0, 1, 60, 10**9),
    "name": ("AAA", "BBB", "NEW", "AAA/USD", "AAA/NEW", "NEW/USD", "AAA/AAA", "a/b", "Ann"),
    "title": ("Coin", ""), "type": ("coin",),
    "username": ("USER1", *(f"name{n}" for n in range(60))),
    "password_hash": ("$argon2id$x",) * 5 + ("é",), "email": ("a@example.org", ""),
    "phone": ("1", ""),
    "code_digest": (bytes(32), b"c" * 32, b"c"),
    "token_digest": [bytes([n]) * 32 for n in range(40)],
    "keep_token_digest": (bytes(32), b"c"), "address": ("addr", "here", "with space", "x" * 129),
    "client_id": ("robot", "human", "human", "bad id"), "sealed_key": (b"k", b"k", b""),
    "sealed_salt": (b"s",),
    "scope": ("account", "operator", "other"), "nonce": ["", *(f"n{n}" for n in range(20))],
    "txid": [f"t{n}" for n in range(30)], "request_id": [f"r{n}" for n in range(60)] + ["r r"],
    "by": range(1, USERS + 1), "from_uid": range(0, USERS + 1), "to_uid": range(0, USERS + 1),
    "source": (0, 1, 99, 100), "device_id": ["", *(f"d{n}" for n in range(25))],
    "os": ("Linux", "x" * 64, "x" * 65), "fields": (
        {}, {"a": 1}, {"a": 0, "b": 2**31}, {"a": "text"}, {"a": "x" * 257}, {"a": b"sealed"},
        {"a": bytes(1_201)}, {"a": None}, {"a": None, "b": True}, {"a b": 1}, {b"a": 1},
        {"is_allow_login": 0}, {"is_allow_login": 1}, {"is_allow_login": None},
        *({f"{letter}{n}": value for n in range(60)} for letter in "fg" for value in (
            1, "text", b"sealed", None))),
    "rate": (-1, 0, 7, 3_333_333_333, 3_333_333_333, 2**63 - 1, 2**63),
    "force_price": (0, 1, 1, 997, 2**63 - 1, 2**63),
    "sign_in_force": (-1, 0, 10, 10, 2**62, 2**63 - 1, 2**63),
    "initial_force": (-1, 0, 100, 100, 2**63 - 1, 2**63),
    "account": range(USERS - 1, USERS + 12), "theory_speed": (0, 10**8, 2**63 - 1, 2**63),
    "description": ("", "x" * 128, "x" * 129), "worker_count": (0, 10, 2**31 - 1, 2**31),
    "fee_type": (0, 1, 2, 3), "refer": (-1, 0, 1, *range(USERS, USERS + 12)),
    **dict.fromkeys(("fee", "commission", "bch_pps_fee", "bch_commission"),
                    (-1, 0, 0, 100, 200, 200, 9_999, 10_000)),
    "min": (-1, 0, 1, 10**5, 10**6, 10**7), "auto": (True, False), "locked": (True, False),
    **dict.fromkeys(("province", "city", "bank", "branch", "owner", "number"),
                    (*["北京"] * 20, "", "x" * 65)),
    "token": [b"", bytes(15), *(bytes([n]) * 16 for n in range(60))],
    "rights": (0, 1, 2, 4, 7, 8), "remark": ("", "运维", "x" * 128, "x" * 129),
    "force": (0, 1, 1, 5, 100, 2**62, 2**63 - 1, 2**63), "wallet": range(0, USERS + 3),
    "difficulty": ("1", "1", "2", "16307420938523.983", "9" * 20 + "." + "9" * 18, "0", "1.", "x"),
    "subsidy": (0, 1, 1, 625_000_000, 2**63 - 1, 2**63),
    "fees_per_block": (-1, 0, 10**6, 2**63 - 1, 2**63),
    "blocks_today": (-1, 0, 1, 2, 3, 144, 10**6, 10**6 + 1),
    "workers": (*([name] for name in WORKERS), WORKERS[:3], (), [1], [None, "rig1"],
                ["nobody"], WORKERS[:1] * 10_001),
    "count": (0, 1, 2, 10_000, 10_001),
    "ids": ([], *([n] for n in range(12)), *([n, n + 1] for n in range(12)), [1, 1], [None]),
    "transaction": (b"", b"signed", b"signed", b"x" * 102_400, b"x" * 102_401),
}


class Failure(Exception):
    """The core broke a promise."""


class Fuzz:
    """A run in progress. `run` raises Failure, or whatever the core raises."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.core, self.twin = Core(), Core()
        self.core.reads_ahead = True
        self.ts_ns = START_NS
        self.batches = 0
        self.trades = 0
        self.answers: Counter[int] = Counter()
        self.send([command.encode() for command in listings()])

    def run(self, batches: int) -> None:
        for _ in range(batches):
            choose = self.random
            self.ts_ns += choose.choice((0, 0, 0, 0, 0, 1, 10**9, 61 * 10**9, 10**12))
            self.send([self.record() for _ in range(choose.choice((1, 1, 2, 5, 40)))])
            if self.batches % CHECK_EVERY == 0:
                self.checkpoint()

    def send(self, records: list[bytes]) -> None:
        """Apply a batch, and its records one by one to the twin; hold both to the promises."""
        before, first_seq = self.core.state_hash(), self.core.seq + 1
        outcome = self.core.apply(b"".join(records), first_seq, self.ts_ns)
        rows = np.frombuffer(outcome.results, RESULT_DTYPE)
        single = [self.twin.apply(record, first_seq + i, self.ts_ns)
                  for i, record in enumerate(records)]
        require(len(rows) == len(records), "one result a record")
        require(b"".join(bytes(one.results) for one in single) == bytes(outcome.results),
                "the same results one by one")
        require(b"".join(bytes(one.events) for one in single) == bytes(outcome.events),
                "the same events one by one")
        require([value for one in single for value in one.values.values()]
                == list(outcome.values.values()), "the same values one by one")
        require(all(rows["code"][i] == Result.OK for i in outcome.values), "values with OK only")
        self.require_refusals(records, rows, before)
        for coin in range(1, self.core.accounts.coin_count + 1):
            require(self.core.accounts.trial_balance(coin) == 0, f"trial balance of coin {coin}")
        self.batches += 1
        self.trades = self.core.exchange.trade_count
        self.answers.update(rows["code"].tolist())

    def require_refusals(self, records: list[bytes], rows: np.ndarray, before: str) -> None:
        """What was refused shows nothing, but shares the place of what is wrong; if all was, the
        state is what it was `before`."""
        is_refused = rows["code"] != Result.OK
        of_shares = np.array([HEAD.unpack_from(record)[1] == Kind.ADD_SHARES for record in records])
        blank = np.zeros_like(rows)
        blank["code"] = rows["code"]
        blank["count"][of_shares] = rows["count"][of_shares]
        require(rows[is_refused].tobytes() == blank[is_refused].tobytes(),
                "a refusal has a code and nothing else")
        codes = set(rows["code"].tolist())
        require(codes <= HARMLESS | {Result.OK, Result.CODE_WRONG}, f"known codes in {codes}")
        if codes <= HARMLESS:
            require(self.core.state_hash() == before, f"refusals {codes} change nothing")

    def checkpoint(self) -> None:
        """All invariants; the twin's state is the same, and so is one loaded from a dump."""
        self.core.check()
        live, dumped = self.core.state_hash(), self.core.dump()
        require(self.twin.state_hash() == live, "the same hash one by one")
        require(self.twin.dump() == dumped, "the same dump one by one")
        self.twin = Core.load(dumped)
        require(self.twin.state_hash() == live, "the same hash after a load")
        require(self.twin.dump() == dumped, "the same dump after a load")

    # -- records -----------------------------------------------------------------------------------

    def record(self) -> bytes:
        choose = self.random
        if len(self.core.exchange.orders) > ORDERS_WANTED and choose.random() < 0.1:
            return cancel_all(choose.randint(1, USERS))
        if choose.random() < 0.02:      # what halts trade is undone before long
            return cold(Kind.SET_PAIR_STATUS, {"pair": choose.randint(1, PAIRS), "status": 1})
        if choose.random() < 0.005:
            return cold(Kind.SET_LIMITS, {"open_orders_per_user": 0})
        if choose.random() < 0.015:     # of one user, so that a limit is met
            return choose.choice((
                *[cold(Kind.TRY_PAY_PASSWORD, {"uid": 1})] * 9,
                cold(Kind.SET_PAY_PASSWORD, {"uid": choose.choice((1, 2)), "password_hash": "x"}),
                *[cold(Kind.BIND_DEVICE, {"uid": 1, "device_id": f"d{choose.randint(0, 30)}",
                                          "name": "phone", "os": "x"})] * 5))
        maker = choose.choices(
            (self.placement, self.of_order, self.shares, self.of_fields, self.payload, self.noise),
            cum_weights=(46, 64, 70, 95, 98, 100))[0]
        record = maker()
        if choose.random() < 0.05:
            record = self.flipped(record)
        if choose.random() < 0.02:
            record = self.resized(record)
        return record

    def number(self, low: int, high: int) -> int:
        """Mostly a small number of that range, now and then one at the edge of 64 bits."""
        choose = self.random
        return choose.choice(EDGES) if choose.random() < 0.03 else choose.randint(low, high)

    def placement(self) -> bytes:
        """PLACE_ORDER with fields that often go together."""
        choose = self.random
        row = np.zeros(1, PLACE_DTYPE)[0]
        row["user"], row["pair"] = choose.randint(1, USERS), choose.randint(1, PAIRS)
        row["side"], row["type"] = choose.randint(1, 2), choose.choice((1, 1, 1, 1, 2, 3, 4))
        market, stop = row["type"] in (2, 4), row["type"] in (3, 4)
        row["tif"] = choose.choice((2, 3) if market else (1, 1, 1, 2, 3))
        row["flags"] = 1 if row["tif"] == 1 and choose.random() < 0.2 else 0
        row["price"] = 0 if market else self.number(90, 110)
        row["qty"] = self.number(1, 30)
        if market and row["side"] == 1 and choose.random() < 0.4:
            row["qty"], row["quote_amount"], row["tif"] = 0, self.number(1, 10**7), 2
        row["stop_price"] = self.number(90, 110) if stop else 0
        if row["pair"] == WIDE_PAIR and choose.random() < 0.5:
            row["price"] = row["price"] and choose.choice(WIDE)
            row["qty"] = row["qty"] and choose.choice(WIDE)
            row["quote_amount"] = row["quote_amount"] and choose.choice((10**8, 2**62, 2**63 - 1))
        if choose.random() < 0.1:
            field = choose.choice(("user", "pair", "side", "type", "tif", "flags"))
            row[field] = choose.randint(0, 255)
        behind = b""
        if choose.random() < 0.2:
            row["flags"] |= 2
            client_id = b"id%d" % choose.randint(0, 400)
            if choose.random() < 0.1:
                client_id = choose.randbytes(choose.choice((0, 3, 40)))
            behind = bytes([len(client_id)]) + client_id
        return framed(Kind.PLACE_ORDER, int(row["pair"]), row.tobytes()[HEAD.size:] + behind)

    def of_order(self) -> bytes:
        """CANCEL_ORDER, AMEND_ORDER, CANCEL_ALL."""
        choose = self.random
        user = choose.randint(0, USERS + 1)
        order_id = choose.randint(0, self.core.seq + 1)
        open_orders = self.core.open_orders(user) if 1 <= user <= USERS else []
        if open_orders and choose.random() < 0.8:
            order_id = choose.choice(open_orders).order_id
        kind = choose.random()
        if kind < 0.6:
            return amend_order(user, order_id, choose.choice((0, self.number(90, 110))),
                               choose.choice((0, self.number(1, 40))), choose.choice((0, 0, 0, 1)))
        if kind < 0.8:
            return cancel_order(user, order_id, choose.choice((0, 0, 0, 1)))
        if kind < 0.98:
            return cancel_order(user, client_id=b"id%d" % choose.randint(0, 400))
        return cancel_all(user, choose.randint(0, PAIRS + 1))

    def shares(self) -> bytes:
        """ADD_SHARES: a batch that is mostly good, its source and number; or some bytes are not."""
        choose, now_s = self.random, self.ts_ns // 10**9
        accounts = [one.number for one in self.core.sub_accounts] * 4 + [0, 1, 2**32 - 1]
        names = [(choose.choice(accounts), choose.choice(WORKERS).encode())
                 for _ in range(choose.choice((1, 1, 2, 4)))]
        rows = [(choose.randrange(len(names)), choose.choice((1, 1, 1, 2, 3, 1_001)),
                 choose.choice(SHARE_COUNTS), choose.choice(SHARE_COUNTS),
                 choose.choice(SHARE_DIFFICULTIES),
                 now_s + choose.choice((0, 0, 0, -60, -600, 60, 61)))
                for _ in range(choose.choice((1, 1, 3)))]
        batch = bytearray(packed_batch(names, rows))
        for _ in range(choose.choice((0, 0, 0, 1, 4))):
            batch[choose.randrange(len(batch))] = choose.choice((0, 1, 255, choose.randrange(256)))
        if choose.random() < 0.05:
            batch = batch[:choose.randrange(0, len(batch), 8)]
        source = choose.choice((0, 0, 1, 2**16 - 1))
        return add_shares(bytes(batch), source, choose.choice((0, 1, self.core.seq, 2**64 - 1))
                          if choose.random() < 0.1 else source and self.core.seq)

    def of_fields(self) -> bytes:
        """A command of docs/commands.md, its fields mostly of the right types."""
        choose = self.random
        kind = choose.choice(list(FIELDS))
        soon_ns = self.ts_ns + choose.choice((0, 1, 10**12, 10**12, 3600 * 10**9 + 1))
        today = self.ts_ns // DAY_NS
        of_now = {"expires_ns": (soon_ns,), "day": range(today - 2, today + 3)}
        args = {name: choose.choice(PLAUSIBLE.get(name) or of_now[name]) for name in FIELDS[kind]}
        for name in list(args):
            if type(None) in getattr(FIELDS[kind][name], "__args__", ()) and choose.random() < 0.4:
                args[name] = None
        spoil = choose.random()
        if spoil < 0.15:
            args[choose.choice(list(args))] = choose.choice(ALL_TYPES)
        elif spoil < 0.2:
            del args[choose.choice(list(args))]
        elif spoil < 0.25:
            args[choose.choice(("more", b"more", ""))] = choose.choice(ALL_TYPES)
        return cold_record(kind, msgpack.packb(args))

    def payload(self) -> bytes:
        """A cold command of any kind whose payload is no map of fields, or not whole."""
        choose = self.random
        kind = choose.choice((*FIELDS, choose.randint(0, 2**16 - 1)))
        payload = choose.choice((*BAD_PAYLOADS, choose.randbytes(choose.randint(0, 40)),
                                 msgpack.packb(choose.choice(ALL_TYPES))))
        length = len(payload)
        if choose.random() < 0.3:
            length = choose.choice((0, 1, length + 1, 2**31, 2**32 - 1))
        return cold_record(kind, payload, length)

    def noise(self) -> bytes:
        """Random bytes behind a head that is right about the size."""
        choose = self.random
        kind = choose.choice((*HOT_KINDS, *FIELDS, choose.randint(0, 2**16 - 1)))
        return framed(kind, choose.choice((0, 1, choose.randint(0, 2**16 - 1))),
                      choose.randbytes(choose.choice((0, 8, 16, 32, 40, 48, 120))))

    def flipped(self, record: bytes) -> bytes:
        """One bit behind the size turned over."""
        spoiled = bytearray(record)
        place = self.random.randrange(4, len(spoiled))
        spoiled[place] ^= 1 << self.random.randrange(8)
        return bytes(spoiled)

    def resized(self, record: bytes) -> bytes:
        """Cut off, or longer than it need be; the head tells so."""
        size = self.random.randrange(8, len(record) + 24, 8)
        return struct.pack("<I", size) + record[4:size].ljust(size - 4, b"\xff")


def framed(kind: int, pair: int, body: bytes) -> bytes:
    size = HEAD.size + len(body) + -len(body) % 8
    return (HEAD.pack(size, kind, pair & 0xFFFF) + body).ljust(size, b"\0")


def cold_record(kind: int, payload: bytes, length: int | None = None) -> bytes:
    return framed(kind, 0, COLD_HEAD.pack(len(payload) if length is None else length, 0) + payload)


def require(holds: bool, promise: str) -> None:
    if not holds:
        raise Failure(f"broken: {promise}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    until = time.monotonic() + arguments.seconds
    fuzz = Fuzz(arguments.seed)
    try:
        while time.monotonic() < until:
            fuzz.run(CHECK_EVERY)
    except Exception:
        print(f"seed {arguments.seed}, batch {fuzz.batches + 1}, from command {fuzz.core.seq + 1}")
        raise
    for code, count in sorted(fuzz.answers.items()):
        print(f"{Result(code).name:>24} {count:>10,}")
    missing = [result.name for result in Result if result not in fuzz.answers]
    print(f"{fuzz.core.seq:,} commands, {fuzz.trades:,} trades; never answered:", *missing)
    return 0


if __name__ == "__main__":
    sys.exit(main())
