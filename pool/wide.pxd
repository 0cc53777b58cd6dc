"""Sums of 128 bits, the speeds that follow from them, and the coefficients of running hashes.

A running hash is the sum of value x coefficient over all cells of a column, modulo 2^128: it moves
with a cell by what the cell moves, and is 0 for a column of zeros. A speed is the one place that
counts in doubles, because it is defined so.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from * nogil:
    """
    #ifndef OREBOOK_WIDE
    #define OREBOOK_WIDE
    #include <stdint.h>
    typedef unsigned __int128 orebook_wide;

    #define wide_of(value) ((orebook_wide) (uint64_t) (value))
    #define wide_low(value) ((uint64_t) (value))
    #define wide_high(value) ((uint64_t) ((value) >> 64))

    static inline orebook_wide wide_join(uint64_t high, uint64_t low) {
        return (orebook_wide) high << 64 | low;
    }

    static inline orebook_wide wide_product(uint64_t a, uint64_t b) {
        return (orebook_wide) a * b;
    }

    /* Of a column's cell that was and is; also where it falls. */
    static inline void wide_move(orebook_wide *hash, uint64_t before, uint64_t now,
                                 uint64_t coefficient) {
        *hash += (orebook_wide) now * coefficient - (orebook_wide) before * coefficient;
    }

    /* 64 bits, odd, well mixed and different for each number (Steele, Lea, Flood: SplitMix64). */
    static inline uint64_t coefficient_of(uint64_t number) {
        uint64_t z = (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        return (z ^ (z >> 31)) | 1;
    }

    /* H/s, a whole number; work in 2^-16. Scaling by 2^16 is exact. */
    static inline double speed_double(orebook_wide work, uint32_t seconds) {
        double speed = (double) work * 65536.0 / seconds;
        return speed < 9007199254740992.0 ? (double) (int64_t) speed : speed;
    }

    /* Thousandths of rejected in all, half a thousandth rounded up; 0 where there is nothing.
       Both are below 2^117. */
    static inline uint32_t reject_permille(orebook_wide accepted, orebook_wide rejected) {
        orebook_wide all = accepted + rejected;
        if (rejected == 0) return 0;
        if (all >> 52 == 0)
            return (uint32_t) ((2000 * (uint64_t) rejected + (uint64_t) all)
                               / (2 * (uint64_t) all));
        return (uint32_t) ((2000 * rejected + all) / (2 * all));
    }

    static inline PyObject *speed_int(orebook_wide work, uint32_t seconds) {
        double speed = speed_double(work, seconds);
        return speed < 9e18 ? PyLong_FromLongLong((long long) speed) : PyLong_FromDouble(speed);
    }
    #endif
    """
    # 128 bits, which Cython does not know: operands of another type are widened by `wide_of`.
    ctypedef unsigned long long wide_t "orebook_wide"
    wide_t wide_of(uint64_t value)
    uint64_t wide_low(wide_t value)
    uint64_t wide_high(wide_t value)
    wide_t wide_join(uint64_t high, uint64_t low)
    wide_t wide_product(uint64_t a, uint64_t b)
    void wide_move(wide_t* hash, uint64_t before, uint64_t now, uint64_t coefficient)
    uint64_t coefficient_of(uint64_t number)
    uint32_t reject_permille(wide_t accepted, wide_t rejected)

cdef extern from *:
    object speed_int(wide_t work, uint32_t seconds)


cdef inline object wide_int(wide_t value):
    """As a Python number."""
    return <object> wide_high(value) << 64 | wide_low(value)
