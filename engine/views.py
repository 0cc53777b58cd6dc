"""What the shell is given to read: plain tuples, detached from the core's memory."""

from typing import NamedTuple


class OrderView(NamedTuple):
    """An open order. Prices are in ticks; qty, remaining in lots; quote_amount in quote units.

    `remaining` is 0 for an order by quote amount; stop_price is 0 once the order is triggered.
    """

    order_id: int
    uid: int
    pair: int
    side: int
    type: int
    tif: int
    flags: int
    status: int
    price: int
    qty: int
    remaining: int
    stop_price: int
    quote_amount: int
    client_id: str | None
