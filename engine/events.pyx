"""The event records of events.pxd: their numpy layout."""

import numpy as np

EVENT_DTYPE = np.dtype([
    ("kind", "u1"), ("side", "u1"), ("pair", "<u2"), ("user", "<u4"), ("seq", "<u8"),
    ("order_id", "<u8"), ("price", "<i8"), ("qty", "<i8"), ("trade_id", "<u8"),
    ("maker_order_id", "<u8"), ("maker_fee", "<i8"), ("taker_fee", "<i8"), ("stop_price", "<i8"),
    ("quote_amount", "<i8"), ("maker_user", "<u4"), ("type", "u1"), ("tif", "u1"), ("flags", "u1"),
    ("reason", "u1"),
])

if sizeof(Event) != 96 or EVENT_DTYPE.itemsize != 96:
    raise ImportError(f"an event has {sizeof(Event)} bytes, its dtype {EVENT_DTYPE.itemsize},"
                      " not 96")


def decode(events):
    """A read-only structured array (EVENT_DTYPE, shape (n,)) over a batch's events (bytes-like)."""
    return np.frombuffer(events, dtype=EVENT_DTYPE)
