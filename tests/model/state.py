"""What a house consists of beside money and orders: coins, pairs, users, miners."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from tests.model.book import Book, Order
from tests.model.money import AMOUNT_MAX

# The product of a force, nanoseconds and a rate that is one unit of ore.
ONE_UNIT = 10**18
ENTRIES_MAX = 60          # of a miner's history; then its past becomes one number


@dataclass(slots=True)
class Coin:
    number: int
    name: str
    scale: int
    withdraw_fee: int         # units


@dataclass(slots=True)
class Pair:
    number: int
    name: str
    base: int                 # coin number
    quote: int                # coin number
    lot_units: int            # units of the base coin in one lot
    tick_lot_units: int       # units of the quote coin for one lot at a price of one tick
    min_qty: int              # lots
    maker_fee_ppm: int
    taker_fee_ppm: int
    self_trade: int
    status: int
    book: Book = field(default_factory=Book)
    trades: list[tuple] = field(default_factory=list)   # (id, ts_ns, price, qty, taker's side)

    def base_amount(self, qty: int) -> int:
        return qty * self.lot_units

    def quote_amount(self, price: int, qty: int) -> int:
        return price * qty * self.tick_lot_units


SUB_ACCOUNT = 3           # the group of users that are sub-accounts


@dataclass(slots=True)
class User:
    uid: int
    username: str
    source: int | None = None                                         # 1 to 99
    group: int = 1
    phone: str | None = None
    email: str | None = None
    orders: dict[int, Order] = field(default_factory=dict)            # the open ones, by order id
    open_client_ids: dict[bytes, Order] = field(default_factory=dict)
    closed_client_ids: dict[bytes, Order] = field(default_factory=dict)    # oldest first
    addresses: dict[int, str] = field(default_factory=dict)           # by coin
    request_ids: dict[str, dict] = field(default_factory=dict)        # -> the withdrawal
    requested: dict[str, int | None] = field(default_factory=dict)    # request id -> amount asked
    sessions: dict[bytes, int] = field(default_factory=dict)          # -> expires_ns, oldest first
    permissions: dict[str, int] = field(default_factory=dict)
    profile: dict[str, str] = field(default_factory=dict)
    identity: dict[str, bytes] = field(default_factory=dict)
    devices: dict[str, tuple[str, str]] = field(default_factory=dict)     # id -> (name, os)
    pay_password_hash: str | None = None
    pay_tries: list[int] = field(default_factory=list)                # times, ns


def person(model, uid: int) -> User | None:
    """The user of that number that somebody can log in as."""
    user = model.users.get(uid)
    return user if user is not None and user.group != SUB_ACCOUNT else None


@dataclass(slots=True)
class Account:
    """What the pool knows of a sub-account."""
    number: int
    master: int
    name: str
    theory_speed: int = 0
    description: str = ""
    worker_count: int = 0
    fee_type: int = 2
    fee: int = 200            # rates are in 10^-4
    commission: int = 0
    bch_pps_fee: int = 200
    bch_commission: int = 0
    refer: int = 0
    coin_to_money: bool = False
    locked: bool = False
    coin_harvests: dict[int, tuple[int, int]] = field(default_factory=dict)   # -> (min, when)
    money_harvest: tuple | None = None
    groups: dict[int, str] = field(default_factory=dict)
    groups_made: int = 0


@dataclass(slots=True)
class Observer:
    account: int
    token: bytes
    rights: int
    created_ns: int
    remark: str


@dataclass(slots=True)
class Mining:
    """What SET_MINING has set last."""
    coin: int
    rate: int                 # 10^-9 units for one force and second
    force_price: int          # units for one force
    sign_in_force: int
    initial_force: int


@dataclass(slots=True)
class Entry:
    """From `since_ns` on a miner has this force at this rate; `claimed` units left it just then."""
    since_ns: int
    force: int
    rate: int
    claimed: int


@dataclass(slots=True)
class Miner:
    number: int               # of its wallet, too
    uid: int
    opened_ns: int
    signed_day: int | None = None
    claimed: int = 0          # units, from the first on
    start: Fraction = Fraction(0)     # units it had ready when its oldest entry began
    entries: list[Entry] = field(default_factory=list)

    @property
    def force(self) -> int:
        return self.entries[-1].force

    def note(self, ts_ns: int, force: int | None = None, rate: int | None = None,
             claimed: int = 0) -> None:
        """Something changed: a new force, a new rate, or some units were claimed."""
        last = self.entries[-1] if self.entries else Entry(ts_ns, 0, 0, 0)
        self.entries.append(Entry(ts_ns, last.force if force is None else force,
                                  last.rate if rate is None else rate, claimed))
        self.claimed += claimed
        if len(self.entries) > ENTRIES_MAX:
            self.start = self.total(ts_ns) + claimed
            self.entries = self.entries[-1:]

    def total(self, ts_ns: int) -> Fraction:
        """Units that it has yielded by then and that are not claimed: all of its history again.

        It stops at 2^63 - 1 units, until some are claimed.
        """
        total = self.start
        now = Entry(ts_ns, 0, 0, 0)
        for entry, until in pairwise([*self.entries, now]):
            total -= entry.claimed
            product = entry.force * entry.rate * (until.since_ns - entry.since_ns)
            total = min(total + Fraction(product, ONE_UNIT), Fraction(AMOUNT_MAX))
        return total

    def ready(self, ts_ns: int) -> int:
        """Whole units that may be claimed."""
        return self.total(ts_ns) // 1
