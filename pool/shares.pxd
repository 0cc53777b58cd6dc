"""A batch of shares as it comes: bytes that nobody has looked at yet.

    u32 names, u32 rows | names x {u32 account, u8 length, bytes} | zeros up to a multiple of 8
    | rows x Row

What is said about a batch alone is checked here; what needs to know workers, in workers.pyx.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from pool.counters cimport COINS_MAX
from pool.wide cimport wide_t

cdef enum:
    LATE_MAX_S = 600
    AHEAD_MAX_S = 60


# Why a batch is refused.
cpdef enum Reason:
    OK = 1
    MALFORMED
    BAD_NAME
    UNKNOWN_ACCOUNT
    BAD_COIN
    BAD_DIFFICULTY
    NO_SHARES
    TOO_LARGE
    BAD_TIME
    TOO_MANY_ACCOUNTS
    TOO_MANY_WORKERS
    TOO_MANY_EPOCHS


cdef struct Refusal:
    uint32_t reason          # Reason; OK: it is none
    uint32_t place           # of the name or the row


cdef struct Row:
    uint32_t name            # place in the names
    uint16_t coin
    uint16_t zero
    uint32_t accepted        # shares
    uint32_t rejected
    uint64_t difficulty      # 2^-16, of each
    uint32_t at_s
    uint32_t zero_too


cdef struct Batch:
    const char* start
    const Row* rows
    uint32_t name_count
    uint32_t row_count


# What all rows together bring.
cdef struct Brought:
    wide_t work[2]                   # accepted, rejected
    uint8_t coins[COINS_MAX + 1]     # bit d: accepted work of the running day (0), the one before


cdef bint batch_open(const char* start, size_t size, Batch* batch, uint32_t* name_at) noexcept nogil
cdef bint name_is_good(const char* name, uint8_t length) noexcept nogil
cdef Refusal rows_check(const Batch* batch, const uint32_t* epochs, int64_t now_s,
                        Brought* brought) noexcept nogil


cdef inline uint32_t names_claimed(const char* start, size_t size) noexcept nogil:
    """How many names a batch says that it has, 0 where it can't have as many."""
    cdef uint32_t count = (<const uint32_t*> start)[0] if size >= 8 else 0
    return count if count <= size // 5 else 0


cdef extern from * nogil:
    """
    #ifndef OREBOOK_SHARES
    #define OREBOOK_SHARES
    #include <string.h>

    /* Of a name in a batch; the byte after it is the name's length, then the name. */
    static inline uint32_t account_at(const char *at) {
        uint32_t account;
        memcpy(&account, at, 4);
        return account;
    }

    /* Whether work exceeds 64 bits. */
    static inline int work_is_too_large(uint32_t shares, uint64_t difficulty) {
        uint64_t work;
        return __builtin_mul_overflow((uint64_t) shares, difficulty, &work);
    }

    /* Whether some of 8 bytes is not printable ASCII. */
    static inline int word_is_odd(const char *at) {
        const uint64_t ones = UINT64_C(0x0101010101010101);
        uint64_t word, deleted;
        memcpy(&word, at, 8);
        deleted = word ^ ones * 0x7F;
        return ((word | (word - ones * 0x20) | (deleted - ones)) & ones * 0x80) != 0;
    }
    #endif
    """
    uint32_t account_at(const char* at)
    bint work_is_too_large(uint32_t shares, uint64_t difficulty)
    bint word_is_odd(const char* at)
