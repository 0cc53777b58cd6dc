"""Integer arithmetic on money: products in 128 bits; an overflow is an answer, not a wrap.

Nothing here raises; nothing here rounds but `fee_of`, which rounds down.
"""

from libc.stdint cimport int64_t, uint32_t


cdef extern from * nogil:
    """
    #include <stdint.h>

    /* a * b, or -1 where it exceeds 2^63 - 1. a, b >= 0. */
    static inline int64_t amount_product(int64_t a, int64_t b) {
        int64_t product;
        return __builtin_mul_overflow(a, b, &product) ? -1 : product;
    }

    /* a + b, or -1 where it exceeds 2^63 - 1. a, b >= 0. */
    static inline int64_t amount_sum(int64_t a, int64_t b) {
        int64_t sum;
        return __builtin_add_overflow(a, b, &sum) ? -1 : sum;
    }

    /* amount * fee_rate_ppm / 10^6, rounded down. A 64-bit division by a constant is several times
       cheaper than one of 128 bits, and nearly all amounts allow it. */
    static inline int64_t amount_fee(int64_t amount, uint32_t fee_rate_ppm) {
        if ((uint64_t) amount < (UINT64_C(1) << 43))
            return (int64_t) ((uint64_t) amount * fee_rate_ppm / 1000000u);
        return (int64_t) ((unsigned __int128) (uint64_t) amount * fee_rate_ppm / 1000000u);
    }
    """
    int64_t product_of "amount_product"(int64_t a, int64_t b)
    int64_t sum_of "amount_sum"(int64_t a, int64_t b)
    int64_t fee_of "amount_fee"(int64_t amount, uint32_t fee_rate_ppm)
