"""The book alone, against a sorted dict of lists: every price law, any order of additions."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sortedcontainers import SortedDict

from engine.book import OrderBook
from engine.orders import Orders

BIDS, ASKS, STOP_BUYS, STOP_SELLS = range(4)
PRICE_MAX = 2**63 - 1

# Prices that share all, some or none of their leading bits.
prices = st.one_of(
    st.integers(1, 40),
    st.integers(1, PRICE_MAX),
    st.builds(lambda base, bit: base ^ (1 << bit) or 1, st.sampled_from([1, 10**9, PRICE_MAX]),
              st.integers(0, 62)),
)


class Twin:
    """A book and its naive model, changed together."""

    def __init__(self, side: int):
        self.side = side
        self.book, self.orders = OrderBook(), Orders()
        self.levels: SortedDict = SortedDict()   # price -> {order id: lots}, in time order
        self.prices: dict[int, int] = {}
        self.next_id = 1

    def add(self, price: int, lots: int) -> None:
        slot = self.orders.open(self.next_id, 1, lots)
        self.book.add(self.side, price, self.orders, slot)
        self.levels.setdefault(price, {})[self.next_id] = lots
        self.prices[self.next_id] = price
        self.next_id += 1

    def remove(self, order_id: int) -> None:
        self.book.remove(self.side, self.orders, self.orders.slot(order_id))
        self.orders.close(order_id)
        price = self.prices.pop(order_id)
        del self.levels[price][order_id]
        if not self.levels[price]:
            del self.levels[price]

    def compare(self) -> None:
        assert self.book.check(self.orders) == []
        expected = [(price, sum(lots.values())) for price, lots in self.levels.items()]
        if self.side in (BIDS, STOP_SELLS):
            expected.reverse()
        if self.side in (BIDS, ASKS):
            assert self.book.depth(self.side, len(expected) + 1) == expected


@pytest.mark.parametrize("side", [BIDS, ASKS])
@settings(max_examples=200, deadline=None)
@given(steps=st.lists(st.tuples(prices, st.integers(0, 3)), max_size=60),
       order=st.randoms(use_true_random=False))
def test_levels_are_found_in_order(side, steps, order):
    twin = Twin(side)
    for price, removals in steps:
        twin.add(price, 1 + price % 7)
        for _ in range(removals):
            if twin.prices:
                twin.remove(order.choice(list(twin.prices)))
        twin.compare()


@pytest.mark.parametrize("spread", [30, 10**5, 10**9, PRICE_MAX])
def test_long_runs_reuse_what_is_freed(spread):
    """Ten thousand steps around 200 live orders: levels and nodes do not grow with the steps."""
    generator = random.Random(spread)
    twin = Twin(generator.choice([BIDS, ASKS]))
    for step in range(10_000):
        if len(twin.prices) < 200 or generator.random() < 0.5:
            twin.add(generator.randint(1, spread), generator.randint(1, 9))
        else:
            twin.remove(generator.choice(list(twin.prices)))
        if step % 500 == 0:
            twin.compare()
    twin.compare()
    levels, nodes = twin.book.memory()
    most = 1 + max(400, len(twin.levels) + 200)
    assert levels <= 24 * most and nodes <= 72 * most


def test_dump_goes_on_as_the_book_would():
    twin = Twin(ASKS)
    for price in (5, 70, 5, 3 * 10**9, 71):
        twin.add(price, 2)
    twin.remove(2)
    dumped, orders = twin.book.dump(), twin.orders.dump()
    twin.book, twin.orders = OrderBook.load(dumped), Orders.load(orders)
    assert (twin.book.dump(), twin.orders.dump()) == (dumped, orders)
    twin.compare()
    twin.add(70, 4)
    twin.compare()


@pytest.mark.parametrize("length", [0, 10, -1])
def test_a_dump_of_another_length_is_refused(length):
    dumped = OrderBook().dump()
    with pytest.raises((ValueError, Exception), match="."):
        OrderBook.load(dumped[:length] if length else b"")


def test_check_names_a_crossed_book():
    orders, book = Orders(), OrderBook()
    book.add(BIDS, 100, orders, orders.open(1, 1, 1))
    assert book.check(orders) == []
    book.add(ASKS, 100, orders, orders.open(2, 1, 1))
    assert book.check(orders) == ["crossed at rest: bid 100, ask 100"]
