"""The core: the whole state of a house, changed by commands alone."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from engine.commands cimport AddShares, Head, ResultRow
from engine.exchange cimport Exchange
from engine.records cimport BufferPool, RecordBuffer
from ledger.accounts cimport Accounts
from pool.ore cimport Miners
from pool.workers cimport Workers


cdef class Outcome:
    """What a batch gave: one result a command, the events, the values of cold commands by index."""
    cdef readonly RecordBuffer results   # commands.RESULT_DTYPE
    cdef readonly RecordBuffer events    # events.EVENT_DTYPE
    cdef readonly dict values
    cdef readonly Py_ssize_t count


cdef class Core:
    cdef readonly uint64_t seq        # of the last command applied
    cdef readonly int64_t ts_ns       # its time
    cdef public bint reads_ahead      # also in a small state, where it costs more than it gives
    cdef readonly Exchange exchange
    cdef readonly Accounts accounts
    cdef readonly Miners miners
    cdef readonly Workers workers
    cdef readonly object coins        # ledger.listings.Coins
    cdef readonly object pairs        # ledger.listings.Pairs
    cdef readonly object users        # the stores of ledger/
    cdef readonly object sessions
    cdef readonly object codes
    cdef readonly object pay_tries
    cdef readonly object credentials
    cdef readonly object nonces
    cdef readonly object deposits
    cdef readonly object withdrawals
    cdef readonly object freezes
    cdef readonly object request_ids
    cdef readonly object contacts
    cdef readonly object sub_accounts # the stores of pool/
    cdef readonly object observers
    cdef readonly object networks
    cdef readonly object share_sources
    cdef readonly object settlements
    cdef BufferPool result_buffers
    cdef BufferPool event_buffers

    cdef int apply_hot(self, const Head* first, const Head* end, ResultRow* rows,
                       dict values) except -1
    cdef int add_shares(self, const AddShares* command, ResultRow* row) except -1
    cdef int apply_cold(self, const Head* head, ResultRow* row, dict values,
                        Py_ssize_t index) except -1
    cdef int set_stores(self, dict stores) except -1
    cdef object view(self, uint32_t slot)
