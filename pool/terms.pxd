"""Reads what a settlement needs of a sub-account's packed record (pool.subaccounts.packed), without
unpacking it."""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t

from cpython.bytes cimport PyBytes_AS_STRING

cdef enum:
    COIN_TO_MONEY = 1         # flags: sell what is earned
    LOCKED = 2                # pay nothing out
    NO_HARVEST = -1           # no coin's min


cdef packed struct Terms:
    uint32_t master
    int16_t fee               # rates are in 10^-4
    int16_t commission
    int16_t bch_pps_fee
    int16_t bch_commission
    uint32_t refer            # 0: none
    uint8_t fee_type
    uint8_t flags
    uint16_t harvests         # that follow


cdef packed struct Harvest:
    uint16_t coin
    int64_t min               # units; 0: not by itself
    int64_t updated_ns


cdef inline const Terms* terms_of(bytes record) noexcept:
    return <const Terms*> PyBytes_AS_STRING(record)


cdef inline int64_t harvest_min(const Terms* terms, uint32_t coin) noexcept nogil:
    """From how many units on a coin is paid out, NO_HARVEST where that was not set."""
    cdef const Harvest* harvest = <const Harvest*> (terms + 1)
    cdef uint32_t at
    for at in range(terms.harvests):
        if harvest[at].coin == coin:
            return harvest[at].min
    return NO_HARVEST
