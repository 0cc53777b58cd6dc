"""Takes batches of shares into the names, sums and work of the pool: all of a batch, or nothing."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from pool.counters cimport COINS_MAX, Counters, Moment, Run
from pool.shares cimport Batch, Brought, Refusal
from pool.work cimport Sheet, Work
from pool.worker_names cimport WorkerNames

cdef enum:
    # A row's minute is the running one or one of these before it.
    MINUTES_BACK = 12
    DAY_S = 86400
    SILENT_DAYS = 30


cdef struct Found:
    uint32_t number          # of the worker; 0: there is none
    uint32_t account         # slot; 0: the account has none


cdef class ShareBook:
    cdef readonly WorkerNames names
    cdef Counters counters
    cdef Work sheets
    # Of the batch that was checked last; no part of the state.
    cdef const char* checked              # where it lies; NULL: it was refused, or is applied
    cdef bytes held                       # keeps it there, where Python gave it
    cdef size_t checked_size
    cdef int64_t checked_s
    cdef Batch batch
    cdef Brought brought
    cdef uint32_t* name_at                # in the batch, by the name's place
    cdef Found* found                     # by the name's place
    cdef uint32_t room                    # for names
    cdef uint32_t unknown_names
    cdef uint32_t unknown_accounts        # names whose account has no worker yet
    # Of the batch that is applied.
    cdef Moment[MINUTES_BACK] moments     # by minutes back
    cdef Sheet* sheet_of[2][COINS_MAX + 1]    # by days ago
    cdef bint[COINS_MAX + 1] is_moved     # yesterday's work counts for today

    cdef Refusal check_batch(self, const char* start, size_t size, int64_t ts_s,
                             const uint8_t* accounts, uint32_t account_count) except *
    cdef int apply_batch(self, const char* start, size_t size, int64_t ts_s) except -1
    cdef int reserve(self, uint32_t names) except -1
    cdef void resolve(self) noexcept
    cdef uint32_t over_limit(self, int64_t ts_s) except 0
    cdef bint has_room_after(self, int64_t ts_s) noexcept
    cdef bint needs_sheet(self, uint32_t coin, int64_t today, uint32_t days_ago) noexcept
    cdef uint32_t sheets_needed(self, int64_t today) noexcept
    cdef bint fits_days(self, int64_t today) except -1
    cdef bint fits_day(self, int which, int64_t today, uint32_t days_ago) except -1
    cdef int prepare(self, int64_t ts_s) except -1
    cdef void apply_rows(self, uint32_t ts_s) noexcept
    cdef Found bring(self, uint32_t place) noexcept
    cdef void end_run(self, Run* run) noexcept nogil
    cdef void look_ahead(self, uint32_t at, uint32_t now_minute, uint32_t ts_s) noexcept nogil
    cdef int load_into(self, bytes dumped) except -1
