"""What a miner yields, exactly: the product of three factors of 63 bits, and what is carried.

Nothing here raises, and nothing is rounded but once: the part of a unit goes into the carry.
"""

from libc.stdint cimport int64_t, uint64_t


cdef extern from * nogil:
    """
    #include <stdint.h>

    #define ORE_PARTS UINT64_C(1000000000000000000)

    /* accrued (units) and carry (10^-18 units, below 10^18) += force * elapsed_ns * rate.
       None of them is below 0. The sum stops at 2^63 - 1 units and no carry, however it was come
       to: yields added one by one stop where their sum does. */
    static inline void ore_yield(int64_t *accrued, uint64_t *carry,
                                 int64_t force, int64_t elapsed_ns, int64_t rate) {
        unsigned __int128 work = (unsigned __int128) (uint64_t) force * (uint64_t) elapsed_ns;
        /* The sum is high * 2^64 + (uint64_t) low; high has at most 126 bits. */
        unsigned __int128 low = (unsigned __int128) (uint64_t) work * (uint64_t) rate + *carry;
        unsigned __int128 high = (work >> 64) * (uint64_t) rate + (low >> 64);
        unsigned __int128 parts = high << 64 | (uint64_t) low;
        uint64_t units = (uint64_t) (parts / ORE_PARTS);
        /* From 10^18 on, high alone is 2^64 units. */
        if (high >= ORE_PARTS || units >= (uint64_t) INT64_MAX - (uint64_t) *accrued) {
            *accrued = INT64_MAX;
            *carry = 0;
            return;
        }
        *accrued += (int64_t) units;
        *carry = (uint64_t) (parts - (unsigned __int128) units * ORE_PARTS);
    }
    """
    uint64_t ORE_PARTS
    void ore_yield(int64_t* accrued, uint64_t* carry, int64_t force, int64_t elapsed_ns,
                   int64_t rate)
