"""The command records (docs/core.md) as packed structs, and the results' layout."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    CLIENT_ID_MAX = 36


cdef packed struct Head:
    uint32_t size
    uint16_t kind
    uint16_t pair


cdef packed struct PlaceOrder:
    Head head
    uint32_t user
    uint8_t side
    uint8_t type
    uint8_t tif
    uint8_t flags
    int64_t price
    int64_t qty
    int64_t quote_amount
    int64_t stop_price


cdef packed struct CancelOrder:
    Head head
    uint32_t user
    uint32_t zero
    uint64_t order_id


cdef packed struct AmendOrder:
    Head head
    uint32_t user
    uint32_t zero
    uint64_t order_id
    int64_t price
    int64_t qty


cdef packed struct CancelAll:
    Head head
    uint32_t user
    uint32_t zero


# The batch of docs/pool-core.md follows; in the place of the pair is its source.
cdef packed struct AddShares:
    Head head
    uint64_t batch


cdef packed struct ColdCommand:
    Head head
    uint32_t length
    uint32_t zero


cdef packed struct ResultRow:
    uint16_t code
    uint8_t status
    uint8_t duplicate
    uint32_t count
    uint64_t order_id
    int64_t filled
    int64_t remaining
