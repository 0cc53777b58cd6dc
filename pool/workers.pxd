"""The pool's workers as they are read: speeds, hours, work."""

from libc.stdint cimport int64_t, uint32_t

from pool.counters cimport Window
from pool.rosters cimport Roster
from pool.share_book cimport ShareBook
from pool.wide cimport wide_t


# Whose work is asked for.
cdef enum Owner:
    WORKER = 1
    ACCOUNT
    COIN
    ALL


cdef class Workers(ShareBook):
    cdef wide_t work_of(self, Owner owner, uint32_t number, int which,
                        const Window* window) noexcept
    cdef object speed_over(self, Owner owner, uint32_t number, const Window* window)
    cdef object speeds_of(self, Owner owner, uint32_t number, int64_t now_s)
    cdef list periods_of(self, Owner owner, uint32_t number, int64_t now_s, int kind,
                         int64_t length)
    cdef int open_hour(self, int64_t hour, Window* window) except -1
    cdef Roster whole_roster(self, uint32_t account, int64_t now_s)
    cdef list active_of(self, uint32_t account, int64_t now_s, int kind, int64_t length)
