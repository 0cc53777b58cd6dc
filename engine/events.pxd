"""What happened to orders: records of 96 bytes, from the core to the scribe and the streams.

Which fields a kind sets is in docs/core.md; all others are 0.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from engine.records cimport RecordBuffer


cdef packed struct Event:
    uint8_t kind
    uint8_t side
    uint16_t pair
    uint32_t user
    uint64_t seq
    uint64_t order_id
    int64_t price
    int64_t qty
    uint64_t trade_id
    uint64_t maker_order_id
    int64_t maker_fee
    int64_t taker_fee
    int64_t stop_price
    int64_t quote_amount
    uint32_t maker_user
    uint8_t type
    uint8_t tif
    uint8_t flags
    uint8_t reason


cdef inline Event* next_event(RecordBuffer events) except NULL:
    """Room for one more event; its content is undefined."""
    if events.count == events.capacity:
        events.reserve(events.count + 1)
    events.count += 1
    return <Event*> events.base + (events.count - 1)
