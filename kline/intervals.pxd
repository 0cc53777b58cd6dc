"""Where a bar starts, for each interval: aligned in UTC, weeks on Monday, months on the 1st.

Invariant: `start_of` never answers a later moment than it was given, and answers a start with
itself. Moments are nanoseconds since 1970, UTC, never negative; only the week that holds 1970-01-01
starts before 0. Calendar arithmetic after Howard Hinnant, "chrono-Compatible Low-Level Date
Algorithms".
"""

from libc.stdint cimport int64_t

cimport cython

cdef enum Interval:    # the order of intervals.INTERVALS
    MIN_1
    MIN_3
    MIN_5
    MIN_15
    MIN_30
    HOUR_1
    HOUR_2
    HOUR_4
    HOUR_6
    HOUR_12
    DAY_1
    WEEK_1
    MONTH_1
    INTERVAL_COUNT

cdef enum:
    MINUTE_NS = 60_000_000_000
    HOUR_NS = 60 * MINUTE_NS
    DAY_NS = 24 * HOUR_NS


@cython.cdivision(True)
cdef inline int64_t day_of_month(int64_t day) noexcept nogil:
    """0 on the first of a month. `day` counts from 1970-01-01."""
    # Years are counted from 1 March, so that a leap day is the last of its year.
    cdef int64_t era_day = (day + 719468) % 146097
    cdef int64_t year = (era_day - era_day // 1460 + era_day // 36524 - era_day // 146096) // 365
    cdef int64_t year_day = era_day - (365 * year + year // 4 - year // 100)
    cdef int64_t month = (5 * year_day + 2) // 153
    return year_day - (153 * month + 2) // 5


@cython.cdivision(True)
cdef inline int64_t start_of(int interval, int64_t ts_ns) noexcept nogil:
    """The start of the bar that holds a moment; Interval.MIN_1 for an unknown interval."""
    cdef int64_t day
    if interval >= WEEK_1:
        day = ts_ns // DAY_NS
        if interval == MONTH_1:
            return (day - day_of_month(day)) * DAY_NS
        return (day - (day + 3) % 7) * DAY_NS    # 1970-01-01 was a Thursday
    # Divisors are spelled out: division by a constant is a multiplication.
    if interval == MIN_3:
        return ts_ns - ts_ns % (3 * MINUTE_NS)
    if interval == MIN_5:
        return ts_ns - ts_ns % (5 * MINUTE_NS)
    if interval == MIN_15:
        return ts_ns - ts_ns % (15 * MINUTE_NS)
    if interval == MIN_30:
        return ts_ns - ts_ns % (30 * MINUTE_NS)
    if interval == HOUR_1:
        return ts_ns - ts_ns % HOUR_NS
    if interval == HOUR_2:
        return ts_ns - ts_ns % (2 * HOUR_NS)
    if interval == HOUR_4:
        return ts_ns - ts_ns % (4 * HOUR_NS)
    if interval == HOUR_6:
        return ts_ns - ts_ns % (6 * HOUR_NS)
    if interval == HOUR_12:
        return ts_ns - ts_ns % (12 * HOUR_NS)
    if interval == DAY_1:
        return ts_ns - ts_ns % DAY_NS
    return ts_ns - ts_ns % MINUTE_NS
