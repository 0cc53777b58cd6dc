"""The hot commands: place, cancel, cancel all, amend.

Each is checked as a flat list in the order of docs/core.md, and changes nothing before its last
check has passed.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from engine.commands cimport AmendOrder, CancelAll, CancelOrder, PlaceOrder, ResultRow
from engine.matching cimport Matching
from engine.orders cimport Order
from engine.pair cimport Pair


cdef class Exchange(Matching):
    cdef public uint32_t open_orders_per_user   # 0: no limit

    cdef int place(self, const PlaceOrder* command, uint64_t seq, ResultRow* result) except -1
    cdef int cancel(self, const CancelOrder* command, uint64_t seq, ResultRow* result) except -1
    cdef int cancel_all(self, const CancelAll* command, uint64_t seq, ResultRow* result) except -1
    cdef int amend(self, const AmendOrder* command, uint64_t seq, ResultRow* result) except -1

    cdef int place_checked(self, const PlaceOrder* command, bytes client_id,
                           ResultRow* result) except -1
    cdef int known_client_id(self, const PlaceOrder* command, bytes client_id,
                             ResultRow* result) except -1
    cdef int hold_for(self, Pair* pair, const PlaceOrder* command, uint64_t limit_key,
                      bint* fillable) except -1
    cdef int place_stop(self, Pair* pair, const PlaceOrder* command, bytes client_id,
                        ResultRow* result) except -1
    cdef uint64_t named_order(self, const CancelOrder* command) except? 0
    cdef int amend_in_place(self, Pair* pair, Order* order, int64_t qty,
                            ResultRow* result) except -1
    cdef int amend_again(self, Pair* pair, Order* order, int64_t price, int64_t qty,
                         ResultRow* result) except -1
