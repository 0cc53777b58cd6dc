"""Makes the order flows that the benchmarks send, with the totals that a correct book must reach.

A generator walks a plain reference book of its own, so every order that a message names is live
when the message comes, and trades, volume and notional are known exactly. Mixes:

- A: 1,000 live orders; 9 % limit orders, 3 % IOC, 6 % cancels, 82 % moves, among the 512 oldest
  orders; the price, size and move laws are those of exchange-core's published single-book test.
- B: 10,000 live orders; 60 % passive limit orders near the touch, 35 % cancels, 5 % IOC.
- wide: 1,000,000 live orders of 1,000,000 users over 10^9 ticks; about 47.5 % passive limit orders,
  42.5 % cancels, 5 % IOC, 5 % moves.

Invariants: the same mix, count and seed give the same messages on every machine; A and B draw their
random numbers in the order that fixes the published totals (docs/benchmarks.md).
"""

import heapq
import json
import math
import os
from bisect import bisect_left
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from struct import Struct

import numpy as np

SEED = 20240611
MESSAGES = 3_000_000
MIXES = ("A", "B", "wide")

# What a message asks for.
ADD, TAKE, CANCEL, MOVE = 1, 2, 3, 4

# One message. `order` counts ADD and TAKE messages from 1; price is the limit (of a MOVE the new
# one, of a CANCEL the resting one), in ticks; qty in lots (of a CANCEL or MOVE what remains);
# old_price is a MOVE's resting price.
MESSAGE_DTYPE = np.dtype([
    ("action", "u1"), ("side", "u1"), ("spare", "<u2"), ("user", "<u4"), ("order", "<u8"),
    ("price", "<i8"), ("qty", "<i8"), ("old_price", "<i8"),
])
PACK = Struct("<BBHIQqqq").pack
# Part of a cached file's name: raise it when a law changes.
FORMAT = 1

BUY, SELL = 0, 1
# In a message a side has the number that a command has (engine.codes.Side).
SIDE_NUMBER = (1, 2)


@dataclass(frozen=True)
class Totals:
    """What the messages after the prefill do in a correct book."""
    trades: int
    volume: int      # lots
    notional: int    # sum of price x qty, in ticks x lots
    live: int        # resting orders at the end


@dataclass(frozen=True)
class Workload:
    mix: str
    seed: int
    users: int
    prefill: int           # the first messages, which only fill the book
    messages: np.ndarray   # MESSAGE_DTYPE, shape (prefill + timed,)
    totals: Totals


class OldestFirst:
    """Live orders by age. Numbers only rise, so appending keeps them sorted."""

    def __init__(self):
        self.orders = []

    def add(self, order: int) -> None:
        self.orders.append(order)

    def remove(self, order: int) -> None:
        """O(n), but a memmove of some KiB for the thousand orders of mix A."""
        del self.orders[bisect_left(self.orders, order)]


class Unordered:
    """Live orders in an order that only removals change: the last one fills the gap."""

    def __init__(self):
        self.orders = []
        self.place = {}

    def add(self, order: int) -> None:
        self.place[order] = len(self.orders)
        self.orders.append(order)

    def remove(self, order: int) -> None:
        at = self.place.pop(order)
        last = self.orders.pop()
        if last != order:
            self.orders[at] = last
            self.place[last] = at


class ReferenceBook:
    """A plain price-time book: per side a dict of levels, each a dict of order -> remaining lots,
    oldest first.

    A level that runs empty stays until it is the best of its side: then `best` drops it.
    """

    def __init__(self, live):
        self.live = live
        self.orders = {}               # order -> (side, price, user)
        self.levels = ({}, {})
        self.heaps = ([], [])          # of prices, the bids' negated
        self.trades = 0
        self.volume = 0
        self.notional = 0
        self.last_price = 0

    def best(self, side: int) -> int | None:
        heap = self.heaps[side]
        levels = self.levels[side]
        while heap:
            price = heap[0] if side == SELL else -heap[0]
            if levels[price]:
                return price
            del levels[price]
            heapq.heappop(heap)
        return None

    def rest(self, order: int, side: int, price: int, qty: int, user: int) -> None:
        self.orders[order] = (side, price, user)
        level = self.levels[side].get(price)
        if level is None:
            self.levels[side][price] = {order: qty}
            heapq.heappush(self.heaps[side], price if side == SELL else -price)
        else:
            level[order] = qty

    def lift(self, order: int) -> int:
        """Take an order out of its level, but not out of the live ones; what remained of it."""
        side, price, _ = self.orders.pop(order)
        return self.levels[side][price].pop(order)

    def match(self, side: int, limit: int, qty: int) -> int:
        """Trade against the other side as far as the limit goes; what is left of qty."""
        other = 1 - side
        levels = self.levels[other]
        while qty:
            price = self.best(other)
            if price is None or (price > limit if side == BUY else price < limit):
                break
            level = levels[price]
            before = qty
            gone = []
            for order, remaining in level.items():
                self.trades += 1
                if remaining > qty:
                    level[order] = remaining - qty
                    qty = 0
                    break
                qty -= remaining
                gone.append(order)
                if not qty:
                    break
            for order in gone:
                del level[order], self.orders[order]
                self.live.remove(order)
            self.volume += before - qty
            self.notional += (before - qty) * price
            self.last_price = price
        return qty


class Flow:
    """Draws messages and walks the book with them; its subclasses say what is drawn."""
    users = 1_000
    live_class = Unordered

    def __init__(self, seed: int):
        self.random = Random(seed).random
        self.book = ReferenceBook(self.live_class())
        self.live = self.book.live.orders
        self.count = 0
        self.rows = bytearray()

    def below(self, n: int) -> int:
        return int(self.random() * n)

    def add(self, side: int, price: int, qty: int, user: int) -> None:
        self.count += 1
        self.rows += PACK(ADD, SIDE_NUMBER[side], 0, user, self.count, price, qty, 0)
        book = self.book
        remaining = book.match(side, price, qty)
        if remaining:
            book.rest(self.count, side, price, remaining, user)
            book.live.add(self.count)

    def take(self, side: int, price: int, qty: int, user: int) -> None:
        self.count += 1
        self.rows += PACK(TAKE, SIDE_NUMBER[side], 0, user, self.count, price, qty, 0)
        self.book.match(side, price, qty)

    def cancel(self, order: int) -> None:
        book = self.book
        side, price, user = book.orders[order]
        qty = book.lift(order)
        book.live.remove(order)
        self.rows += PACK(CANCEL, SIDE_NUMBER[side], 0, user, order, price, qty, 0)

    def move(self, order: int, new_price: int) -> None:
        book = self.book
        side, price, user = book.orders[order]
        qty = book.lift(order)
        self.rows += PACK(MOVE, SIDE_NUMBER[side], 0, user, order, new_price, qty, price)
        remaining = book.match(side, new_price, qty)
        if remaining:
            book.rest(order, side, new_price, remaining, user)
        else:
            book.live.remove(order)


class MixA(Flow):
    live_class = OldestFirst

    def prefill(self) -> None:
        self.book.last_price = 100_000
        while len(self.live) < 1_000:
            self.add_near_last()

    def step(self) -> None:
        few = len(self.live) < 1_000
        adds, cancels = (0.11, 0.04) if few else (0.07, 0.08)
        draw = self.random()
        if draw < adds:
            self.add_near_last()
        elif draw < adds + 0.03:
            side = BUY if self.below(4) >= 2 else SELL
            user = 1 + self.below(1_000)
            self.take(side, 150_000 if side == BUY else 50_000, self.draw_qty(), user)
        elif draw < adds + 0.03 + cancels:
            self.cancel(self.draw_live())
        else:
            self.move_towards_last(self.draw_live())

    def draw_live(self) -> int:
        return self.live[self.below(min(512, len(self.live)))]

    def draw_qty(self) -> int:
        return 1 + self.below(6) * self.below(6) * self.below(6)

    def add_near_last(self) -> None:
        side = BUY if self.below(4) >= 2 else SELL
        width = 1 + int(self.random() ** 2 * 5_000)
        gap = sum([self.below(width) for _ in range(4)]) // 4 * 2 - width
        if (gap > 0) != (side == SELL):
            gap = -gap
        price = self.book.last_price + gap
        qty = self.draw_qty()
        self.add(side, price, qty, 1 + self.below(1_000))

    def move_towards_last(self, order: int) -> None:
        price = self.book.orders[order][1]
        gap = self.book.last_price - price
        if gap:
            # A hundredth of the gap, rounded away from zero. In floating point, as the law was
            # published: 700 * 0.01 is a little more than 7 and gives 8, and the totals depend on
            # it.
            step = math.ceil(gap * 0.01) if gap > 0 else math.floor(gap * 0.01)
        else:
            step = self.below(2) * 2 - 1
        new_price = min(price + step, 125_000)
        self.move(order, new_price if new_price != price else price - 1)


class MixB(Flow):

    def prefill(self) -> None:
        for _ in range(10_000):
            self.add_near_touch()

    def step(self) -> None:
        draw = self.random()
        if draw < 0.60:
            self.add_near_touch()
        elif draw < 0.95:
            self.cancel(self.live[self.below(len(self.live))])
        else:
            side = self.below(2)
            user = 1 + self.below(1_000)
            # The more orders are live, the more is taken: that holds their number near 10,000.
            crowd = len(self.live) / 10_000.0
            qty = max(1, int(self.below(505) * crowd * crowd))
            self.take(side, 1_000_000 if side == BUY else 1, qty, user)

    def add_near_touch(self) -> None:
        side = self.below(2)
        # Exponential with a mean of 25 ticks, as random.expovariate draws it.
        distance = int(-math.log(1.0 - self.random()) / (1 / 25.0))
        best = self.book.best(1 - side)
        if side == BUY:
            price = (100_001 if best is None else best) - 1 - distance
        else:
            price = (99_999 if best is None else best) + 1 + distance
        qty = 1 + self.below(100)
        self.add(side, price, qty, 1 + self.below(1_000))


class MixWide(Flow):
    users = 1_000_000
    live_target = 1_000_000
    price_max = 1_000_000_000

    def prefill(self) -> None:
        for _ in range(self.live_target):
            self.add_passive()

    def step(self) -> None:
        adds = 0.55 if len(self.live) < self.live_target else 0.45
        draw = self.random()
        if draw < adds:
            self.add_passive()
        elif draw < 0.90:
            self.cancel(self.draw_live())
        elif draw < 0.95:
            side = self.below(2)
            limit = self.price_max if side == BUY else 1
            self.take(side, limit, 1 + self.below(100), 1 + self.below(self.users))
        else:
            order = self.draw_live()
            self.move(order, self.draw_price(self.book.orders[order][0]))

    def draw_live(self) -> int:
        return self.live[self.below(len(self.live))]

    def draw_price(self, side: int) -> int:
        """Anywhere from the other side's best price to the end of the range, denser near it."""
        middle = self.price_max // 2
        best = self.book.best(1 - side)
        nearness = self.random() ** 2
        if side == BUY:
            below = middle + 1 if best is None else best
            return max(1, below - 1 - int(nearness * (below - 1)))
        above = middle if best is None else best
        return min(self.price_max, above + 1 + int(nearness * (self.price_max - above)))

    def add_passive(self) -> None:
        side = self.below(2)
        price = self.draw_price(side)
        self.add(side, price, 1 + self.below(100), 1 + self.below(self.users))


FLOWS = {"A": MixA, "B": MixB, "wide": MixWide}


def generate(mix: str, count: int = MESSAGES, seed: int = SEED) -> Workload:
    """`count` messages of a mix behind its prefill. Takes microseconds a message: see `load`."""
    flow = FLOWS[mix](seed)
    flow.prefill()
    prefill = len(flow.rows) // MESSAGE_DTYPE.itemsize
    book = flow.book
    book.trades = book.volume = book.notional = 0
    step = flow.step
    for _ in range(count):
        step()
    messages = np.frombuffer(flow.rows, dtype=MESSAGE_DTYPE)
    totals = Totals(book.trades, book.volume, book.notional, len(flow.live))
    return Workload(mix, seed, flow.users, prefill, messages, totals)


def default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "orebook-bench"


def load(mix: str, count: int = MESSAGES, seed: int = SEED, cache: Path | None = None) -> Workload:
    """The workload from the cache folder; generated and kept there the first time."""
    folder = cache if cache is not None else default_cache()
    stem = f"{mix}-{count}-{seed}-v{FORMAT}"
    head_path = folder / f"{stem}.json"
    rows_path = folder / f"{stem}.npy"
    if not head_path.is_file():
        keep(generate(mix, count, seed), head_path, rows_path)
    head = json.loads(head_path.read_text())
    messages = np.load(rows_path, mmap_mode="r")
    totals = Totals(**head["totals"])
    return Workload(mix, seed, head["users"], head["prefill"], messages, totals)


def keep(workload: Workload, head_path: Path, rows_path: Path) -> None:
    """Write both files under other names first: a head in place says that its rows are whole."""
    head = {"users": workload.users, "prefill": workload.prefill, "totals": asdict(workload.totals)}
    head_path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = rows_path.with_suffix(f".{os.getpid()}")
    with unfinished.open("wb") as file:
        np.save(file, workload.messages)
    unfinished.replace(rows_path)
    unfinished.write_text(json.dumps(head))
    unfinished.replace(head_path)
