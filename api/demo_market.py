"""The market the demo plays: what its makers and takers want, drawn from one seed.

Pure: it knows no network and no house. Prices are ticks and amounts lots of the pair, in integers;
a market's fair price walks at random and is pulled back to where it started, so it never runs off.
"""

from dataclasses import dataclass
from random import Random

LEVELS = 8


@dataclass(frozen=True, slots=True)
class Market:
    """One pair as the demo trades it; `start` in ticks, `lot` the size of a usual order in lots."""

    pair: str
    price_scale: int
    amount_scale: int
    start: int
    step: int
    lot: int


MARKETS = (
    Market("BTC/USDT", 2, 6, start=9_500_000, step=1_500, lot=40_000),
    Market("BCH/USDT", 2, 6, start=42_000, step=15, lot=2_000_000),
    Market("BTC/CNY", 2, 6, start=67_500_000, step=11_000, lot=25_000),
    Market("BCH/CNY", 2, 6, start=298_000, step=110, lot=1_500_000),
    Market("ORE/USDT", 4, 4, start=2_500, step=3, lot=8_000_000),
)


@dataclass(frozen=True, slots=True)
class Order:
    """One order to send: side `buy` or `sell`, price in ticks (0: a market order), qty in lots."""

    side: str
    price: int
    qty: int


class FairPrice:
    """A price that walks: `step()` is its next value, in ticks, the same for the same seed."""

    def __init__(self, market: Market, random: Random):
        self._market = market
        self._random = random
        self.price = market.start

    def step(self) -> int:
        """Moves at most four steps, more likely towards the start the farther away it is."""
        away = self.price - self._market.start
        pull = away * 4 // (self._market.start // 20 + 1)
        moved = self._random.randint(-4, 4) - pull
        self.price = max(self._market.step, self.price + moved * self._market.step)
        return self.price


def maker_orders(market: Market, fair: int, random: Random) -> list[Order]:
    """A ladder around the fair price: LEVELS bids and asks, larger the farther away."""
    orders = []
    spread = market.step
    for level in range(LEVELS):
        distance = spread + level * market.step + random.randint(0, market.step - 1)
        qty = market.lot * (level + 2) // 2 + random.randint(0, market.lot)
        orders.append(Order("buy", max(1, fair - distance), qty))
        orders.append(Order("sell", fair + distance, qty))
    return orders


def taker_order(market: Market, fair: int, random: Random) -> Order:
    """An order that takes: mostly a limit some steps beyond the fair price, sometimes at market."""
    side = random.choice(("buy", "sell"))
    qty = random.randint(market.lot // 10 + 1, market.lot * 2)
    if random.randrange(5) == 0:
        return Order(side, 0, qty)
    reach = market.step * random.randint(1, 6)
    return Order(side, max(1, fair + reach if side == "buy" else fair - reach), qty)
