"""The pool's workers as they are read: speeds, lists, counts, work."""

from libc.stdint cimport int64_t, uint32_t

from pool.counters cimport Window
from pool.share_book cimport ShareBook
from pool.wide cimport wide_t


cpdef enum WorkerStatus:
    """By the age of a worker's last share."""
    RUNNING = 1
    STOPPED = 2
    INVALID = 3


# Whose work is asked for.
cdef enum Owner:
    WORKER = 1
    ACCOUNT
    COIN
    ALL


# An account's workers in the order of their first shares.
cdef struct Listed:
    uint32_t* numbers
    uint32_t count


cdef class Workers(ShareBook):
    cdef int64_t minute_at(self, int64_t now_s) except -1
    cdef wide_t work_of(self, Owner owner, uint32_t number, int which,
                        const Window* window) noexcept
    cdef object speed_over(self, Owner owner, uint32_t number, const Window* window)
    cdef object speeds_of(self, Owner owner, uint32_t number, int64_t now_s)
    cdef list periods_of(self, Owner owner, uint32_t number, int64_t now_s, int kind,
                         int64_t length)
    cdef object line_of(self, const Listed* listed, uint32_t at, const wide_t* works,
                        int64_t now_s, int64_t running_minutes, int64_t stopped_hours)
    cdef int open_hour(self, int64_t hour, Window* window) except -1
    cdef list active_of(self, uint32_t account, int64_t now_s, int kind, int64_t length)
    cdef int list_workers(self, uint32_t account, int64_t now_s, Listed* listed) except -1
    cdef void gather(self, const Listed* listed, int which, const Window* window,
                     wide_t* works) noexcept nogil
