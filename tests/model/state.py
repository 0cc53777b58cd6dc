"""What a house consists of beside money and orders: coins, pairs, users."""

from dataclasses import dataclass, field

from tests.model.book import Book, Order


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


@dataclass(slots=True)
class User:
    uid: int
    username: str
    orders: dict[int, Order] = field(default_factory=dict)            # the open ones, by order id
    open_client_ids: dict[bytes, Order] = field(default_factory=dict)
    closed_client_ids: dict[bytes, Order] = field(default_factory=dict)    # oldest first
    addresses: dict[int, str] = field(default_factory=dict)           # by coin
    request_ids: dict[str, dict] = field(default_factory=dict)        # -> the withdrawal
    requested: dict[str, int | None] = field(default_factory=dict)    # request id -> amount asked
