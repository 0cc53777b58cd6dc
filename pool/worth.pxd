"""What work is worth: units, and 2^-128 of a unit; its parts at rates in 10^-4, rounded down."""

from libc.stdint cimport uint32_t, uint64_t

from pool.wide cimport wide_t

cdef extern from * nogil:
    """
    #ifndef OREBOOK_WORTH
    #define OREBOOK_WORTH
    #include <stdint.h>

    typedef struct { unsigned __int128 whole; unsigned __int128 part; } orebook_worth;

    /* Add work x what one is worth, in 2^-128 of a unit. */
    static inline void worth_add(orebook_worth *worth, uint64_t work, unsigned __int128 of_one) {
        unsigned __int128 low = (unsigned __int128) work * (uint64_t) of_one;
        unsigned __int128 high = (unsigned __int128) work * (uint64_t) (of_one >> 64);
        unsigned __int128 middle = high << 64;
        worth->part += low;
        worth->whole += worth->part < low;
        worth->part += middle;
        worth->whole += (high >> 64) + (worth->part < middle);
    }

    /* Add 2^-128 of a unit, so many times. */
    static inline void worth_raise(orebook_worth *worth, unsigned __int128 times) {
        worth->part += times;
        worth->whole += worth->part < times;
    }

    /* Of less than 2^64 units, at a rate of at most 10^4. */
    static inline uint64_t worth_part(const orebook_worth *worth, uint32_t rate) {
        unsigned __int128 low = (unsigned __int128) (uint64_t) worth->part * rate;
        unsigned __int128 high = (worth->part >> 64) * rate + (low >> 64);
        return (uint64_t) ((worth->whole * rate + (high >> 64)) / 10000u);
    }
    #endif
    """
    ctypedef struct Worth "orebook_worth":
        wide_t whole
        wide_t part
    void worth_add(Worth* worth, uint64_t work, wide_t of_one)
    void worth_raise(Worth* worth, wide_t times)
    uint64_t worth_part(const Worth* worth, uint32_t rate)
