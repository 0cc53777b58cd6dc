"""Orders and one pair's book, as sorted dictionaries: price -> orders in order of time.

Invariants (`check`): no level is empty, the best bid is below the best ask, no stop is due, and
every resting order has something left.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sortedcontainers import SortedDict

from engine.codes import OrderFlag, OrderStatus, OrderType, Side
from tests.model.commands import PlaceOrder
from tests.model.money import ModelFault

BUY = int(Side.BUY)
SELL = int(Side.SELL)
STOP_TYPES = (OrderType.STOP_LIMIT, OrderType.STOP_MARKET)
POST_ONLY = int(OrderFlag.POST_ONLY)
HAS_CLIENT_ID = int(OrderFlag.HAS_CLIENT_ID)


@dataclass(slots=True, eq=False)
class Order:
    """One order from its placement on. `placed` is the command as it came, never amended."""
    order_id: int
    placed: PlaceOrder
    user: int
    pair: int
    side: int
    price: int                # ticks; 0: takes any price
    qty: int                  # lots in total; 0 for an order by quote_amount
    filled: int = 0           # lots
    held: int = 0             # units of what it gives that are frozen for it
    status: int = int(OrderStatus.OPEN)

    @property
    def remaining(self) -> int:
        """Lots; 0 for an order by quote_amount, whatever it has filled."""
        return 0 if self.by_quote else self.qty - self.filled

    @property
    def by_quote(self) -> bool:
        return self.placed.quote_amount > 0

    @property
    def post_only(self) -> bool:
        return bool(self.placed.flags & POST_ONLY)

    @property
    def flags(self) -> int:
        """As in the record: with HAS_CLIENT_ID."""
        return self.placed.flags | (HAS_CLIENT_ID if self.placed.client_id is not None else 0)

    @property
    def waiting(self) -> bool:
        return self.status == OrderStatus.WAITING

    def view(self) -> tuple:
        """The fields of an OrderView, in order.

        Chosen: a stop that was triggered shows no stop price any more.
        """
        placed = self.placed
        stop_price = placed.stop_price if self.waiting else 0
        client_id = None if placed.client_id is None else placed.client_id.decode()
        return (self.order_id, self.user, self.pair, self.side, placed.type, placed.tif, self.flags,
                self.status, self.price, self.qty, self.remaining, stop_price,
                placed.quote_amount, client_id)


def crosses(side: int, price: int, opposite_price: int) -> bool:
    """Whether an order of a side and price would trade at a price of the other side."""
    if price == 0:
        return True
    return opposite_price <= price if side == BUY else opposite_price >= price


class Book:
    """The resting orders and the waiting stops of one pair."""

    def __init__(self):
        self.resting = {BUY: SortedDict(), SELL: SortedDict()}  # price -> {order_id: Order}
        self.stops = {BUY: SortedDict(), SELL: SortedDict()}    # stop price -> {order_id: Order}
        self.last_price = 0                                     # ticks; 0: no trade yet

    def holds(self, order: Order) -> bool:
        """Whether it rests or waits here: an order on its way through the book does neither."""
        levels, key = self._place_of(order)
        return order.order_id in levels.get(key, ())

    def add(self, order: Order) -> None:
        """Behind all that stand at its price (or wait at its stop price) already."""
        levels, key = self._place_of(order)
        levels.setdefault(key, {})[order.order_id] = order

    def remove(self, order: Order) -> None:
        levels, key = self._place_of(order)
        del levels[key][order.order_id]
        if not levels[key]:
            del levels[key]

    def _place_of(self, order: Order) -> tuple[SortedDict, int]:
        if order.waiting:
            return self.stops[order.side], order.placed.stop_price
        return self.resting[order.side], order.price

    def best(self, side: int) -> Order | None:
        """The first in the queue of a side."""
        levels = self.resting[side]
        if not levels:
            return None
        _, level = levels.peekitem(-1 if side == BUY else 0)
        return next(iter(level.values()))

    def ahead_of(self, side: int, price: int) -> Iterator[Order]:
        """The opposite orders that an order of this side and price crosses, in order."""
        levels = self.resting[SELL if side == BUY else BUY]
        for level_price in (levels if side == BUY else reversed(levels)):
            if not crosses(side, price, level_price):
                return
            yield from levels[level_price].values()

    def would_cross(self, side: int, price: int) -> bool:
        best = self.best(SELL if side == BUY else BUY)
        return best is not None and crosses(side, price, best.price)

    def stop_is_due(self, side: int, stop_price: int) -> bool:
        if self.last_price == 0:
            return False
        return self.last_price >= stop_price if side == BUY else self.last_price <= stop_price

    def due_stop(self) -> Order | None:
        """The stop that triggers next: buys first, lowest stop price; then sells, highest."""
        for side, place in ((BUY, 0), (SELL, -1)):
            if self.stops[side]:
                stop_price, level = self.stops[side].peekitem(place)
                if self.stop_is_due(side, stop_price):
                    return next(iter(level.values()))
        return None

    def depth(self, side: int, levels: int) -> list[tuple[int, int]]:
        """(price, lots) of the best levels of a side, best first."""
        prices = self.resting[side]
        ordered = reversed(prices) if side == BUY else iter(prices)
        return [(price, sum(order.remaining for order in prices[price].values()))
                for price, _ in zip(ordered, range(levels))]

    def check(self) -> None:
        for levels in (*self.resting.values(), *self.stops.values()):
            if not all(levels.values()):
                raise ModelFault("an empty price level")
        for levels in self.resting.values():
            for level in levels.values():
                if any(order.remaining <= 0 for order in level.values()):
                    raise ModelFault("a resting order with nothing left")
        bid, ask = self.best(BUY), self.best(SELL)
        if bid is not None and ask is not None and bid.price >= ask.price:
            raise ModelFault(f"crossed: bid {bid}, ask {ask}")
        if self.due_stop() is not None:
            raise ModelFault(f"a stop is due: {self.due_stop()}")
