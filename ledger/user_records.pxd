"""Reads what a payment needs of a user's packed record (ledger.users.packed)."""

from libc.stdint cimport uint8_t

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.unicode cimport PyUnicode_DecodeUTF8

cdef enum:
    HEAD_BYTES = 4            # of a record: bytes of the name, number of addresses
    ADDRESS_HEAD_BYTES = 4    # of an address: coin, bytes of the text


cdef inline unsigned int two_bytes(const uint8_t* at) noexcept nogil:
    return at[0] | <unsigned int> at[1] << 8


cdef inline object withdraw_address(bytes record, unsigned int coin):
    """The address that withdrawals of a coin go to, None where there is none."""
    cdef const uint8_t* start = <const uint8_t*> PyBytes_AS_STRING(record)
    cdef const uint8_t* at = start + HEAD_BYTES + two_bytes(start)
    cdef unsigned int left = two_bytes(start + 2)
    cdef unsigned int size
    while left != 0:
        size = two_bytes(at + 2)
        if two_bytes(at) == coin:
            return PyUnicode_DecodeUTF8(<const char*> at + ADDRESS_HEAD_BYTES, size, NULL)
        at += ADDRESS_HEAD_BYTES + size
        left -= 1
    return None
