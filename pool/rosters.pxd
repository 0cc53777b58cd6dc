"""An account's workers at a moment, to be found and read in slices."""

from libc.stdint cimport int64_t, uint32_t

from pool.counters cimport Window
from pool.share_book cimport ShareBook
from pool.wide cimport wide_t


cpdef enum WorkerStatus:
    """By the age of a worker's last share."""
    RUNNING = 1
    STOPPED = 2
    INVALID = 3


cdef class Roster:
    cdef ShareBook book
    cdef int64_t now_s
    cdef int64_t day          # in which the workers are found
    cdef uint32_t account     # slot
    cdef uint32_t next        # worker to be looked at; 0: all were
    cdef uint32_t* numbers    # of those that were found, in the order of their first shares
    cdef uint32_t count
    cdef uint32_t room        # for numbers

    cdef int begin(self, int64_t day) except -1
    cdef int add(self, uint32_t number) except -1
    cdef uint32_t end_of(self, int64_t end) noexcept
    cdef bint is_there(self, uint32_t number) noexcept
    cdef int64_t read_at_s(self) except -1
    cdef tuple shown(self, uint32_t first, size_t count, const wide_t* works,
                     int64_t running_minutes, int64_t stopped_hours)
    cdef void gather(self, uint32_t first, uint32_t end, int which, const Window* window,
                     wide_t* works) noexcept nogil
