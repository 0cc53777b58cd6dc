"""Writes command records; the one place that knows their layout from Python.

Every function returns one record as bytes; records are joined to a batch with `b"".join`. Arguments
that do not fit their field raise OverflowError: a dialect checks its input before it comes here.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy, memset

import msgpack
import numpy as np

from engine.codes cimport (
    ADD_SHARES, AMEND_ORDER, CANCEL_ALL, CANCEL_ORDER, HAS_CLIENT_ID, PLACE_ORDER)

RESULT_DTYPE = np.dtype([
    ("code", "<u2"), ("status", "u1"), ("duplicate", "u1"), ("count", "<u4"), ("order_id", "<u8"),
    ("filled", "<i8"), ("remaining", "<i8"),
])
PLACE_DTYPE = np.dtype([
    ("size", "<u4"), ("kind", "<u2"), ("pair", "<u2"), ("user", "<u4"), ("side", "u1"),
    ("type", "u1"), ("tif", "u1"), ("flags", "u1"), ("price", "<i8"), ("qty", "<i8"),
    ("quote_amount", "<i8"), ("stop_price", "<i8"),
])
CANCEL_DTYPE = np.dtype([
    ("size", "<u4"), ("kind", "<u2"), ("pair", "<u2"), ("user", "<u4"), ("zero", "<u4"),
    ("order_id", "<u8"),
])
AMEND_DTYPE = np.dtype(CANCEL_DTYPE.descr + [("price", "<i8"), ("qty", "<i8")])

for struct_size, dtype, expected in (
    (sizeof(ResultRow), RESULT_DTYPE, 32), (sizeof(PlaceOrder), PLACE_DTYPE, 48),
    (sizeof(CancelOrder), CANCEL_DTYPE, 24), (sizeof(AmendOrder), AMEND_DTYPE, 40),
):
    if struct_size != expected or dtype.itemsize != expected:
        raise ImportError(f"a record has {struct_size} bytes, its dtype {dtype.itemsize},"
                          f" not {expected}")


cdef inline Py_ssize_t padded(Py_ssize_t size) noexcept:
    return (size + 7) & ~7


cdef bytes with_client_id(void* record, Py_ssize_t size, bytes client_id):
    """The record, its size field filled in, followed by the client id where there is one."""
    cdef Py_ssize_t length = 0 if client_id is None else PyBytes_GET_SIZE(client_id)
    cdef Py_ssize_t whole = size if client_id is None else padded(size + 1 + length)
    if length > 255:
        raise OverflowError("a client id has at most 255 bytes in a record")
    (<Head*> record).size = <uint32_t> whole
    out = PyBytes_FromStringAndSize(NULL, whole)
    cdef char* to = PyBytes_AS_STRING(out)
    memset(to, 0, whole)
    memcpy(to, record, size)
    if client_id is not None:
        to[size] = <char> length
        memcpy(to + size + 1, PyBytes_AS_STRING(client_id), length)
    return out


def place_order(uint32_t user, uint16_t pair, uint8_t side, uint8_t type, uint8_t tif,
                int64_t price=0, int64_t qty=0, int64_t quote_amount=0, int64_t stop_price=0,
                uint8_t flags=0, bytes client_id=None):
    """PLACE_ORDER. price, stop_price in ticks, qty in lots, quote_amount in quote units."""
    cdef PlaceOrder record
    record.head.kind = PLACE_ORDER
    record.head.pair = pair
    record.user = user
    record.side = side
    record.type = type
    record.tif = tif
    record.flags = flags | (HAS_CLIENT_ID if client_id is not None else 0)
    record.price = price
    record.qty = qty
    record.quote_amount = quote_amount
    record.stop_price = stop_price
    return with_client_id(&record, sizeof(record), client_id)


def cancel_order(uint32_t user, uint64_t order_id=0, uint16_t pair=0, bytes client_id=None):
    """CANCEL_ORDER, by order id or, with order_id 0, by client id."""
    cdef CancelOrder record
    record.head.kind = CANCEL_ORDER
    record.head.pair = pair
    record.user = user
    record.zero = 0
    record.order_id = order_id
    return with_client_id(&record, sizeof(record), client_id)


def amend_order(uint32_t user, uint64_t order_id, int64_t price=0, int64_t qty=0, uint16_t pair=0):
    """AMEND_ORDER. price in ticks and qty (the new total) in lots; 0 leaves it as it is."""
    cdef AmendOrder record
    record.head.kind = AMEND_ORDER
    record.head.pair = pair
    record.user = user
    record.zero = 0
    record.order_id = order_id
    record.price = price
    record.qty = qty
    return with_client_id(&record, sizeof(record), None)


def cancel_all(uint32_t user, uint16_t pair=0):
    """CANCEL_ALL of a user's open orders, of one pair or (0) of all."""
    cdef CancelAll record
    record.head.kind = CANCEL_ALL
    record.head.pair = pair
    record.user = user
    record.zero = 0
    return with_client_id(&record, sizeof(record), None)


def add_shares(bytes batch not None, uint16_t source=0, uint64_t number=0):
    """ADD_SHARES. `batch` as in docs/pool-core.md, of whole 8 bytes; `number` is its number of
    that source, 0 of source 0."""
    cdef AddShares record
    if PyBytes_GET_SIZE(batch) & 7:
        raise OverflowError(f"a batch of {PyBytes_GET_SIZE(batch)} bytes")
    record.head.kind = ADD_SHARES
    record.head.pair = source
    record.head.size = <uint32_t> (sizeof(record) + PyBytes_GET_SIZE(batch))
    record.batch = number
    return PyBytes_FromStringAndSize(<char*> &record, sizeof(record)) + batch


def cold(uint16_t kind, dict args not None):
    """A command of docs/commands.md; `args` are its fields."""
    cdef bytes payload = msgpack.packb(args, use_bin_type=True)
    cdef ColdCommand record
    record.head.kind = kind
    record.head.pair = 0
    record.head.size = <uint32_t> padded(sizeof(record) + PyBytes_GET_SIZE(payload))
    record.length = <uint32_t> PyBytes_GET_SIZE(payload)
    record.zero = 0
    head = PyBytes_FromStringAndSize(<char*> &record, sizeof(record))
    return (head + payload).ljust(record.head.size, b"\0")
