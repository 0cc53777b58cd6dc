"""Who owns what: available and frozen units per user and coin, and the accounts of the house.

Balances of a coin are one array, indexed by user number: finding one is an addition, and it costs
16 bytes. A coin may have wallets too, a second account of each user, which costs 8.
"""

from libc.stdint cimport int64_t, uint32_t

from ledger.region cimport Region

cdef enum:
    COINS_MAX = 1000
    HOUSE_MAX = 8


cdef struct Balance:
    int64_t available     # units of the coin, never negative
    int64_t frozen        # units held by open orders, withdrawals and freezes, never negative


cdef struct CoinAccounts:
    Balance* balances             # by user number, `capacity` of them
    int64_t house[HOUSE_MAX]      # units, by the number of the house account; may be negative
    Region region
    int64_t* wallets              # units by user number, never negative; NULL: it has none
    Region wallet_region


cdef class Accounts:
    cdef CoinAccounts* coins      # by coin number
    cdef readonly uint32_t coin_count
    cdef readonly uint32_t user_count
    cdef uint32_t capacity        # users that every coin has room for; user_count < capacity

    cpdef bint credit(self, uint32_t user, uint32_t coin, int64_t amount,
                      uint32_t house) except -1
    cpdef bint debit(self, uint32_t user, uint32_t coin, int64_t amount,
                     uint32_t house) except -1
    cpdef bint hold(self, uint32_t user, uint32_t coin, int64_t amount) except -1
    cdef int grow(self, CoinAccounts* coin, uint32_t users) except -1
    cdef int grow_wallets(self, CoinAccounts* coin, uint32_t users) except -1
    cdef Balance* balance(self, uint32_t user, uint32_t coin) except NULL
    cdef int64_t* wallet_at(self, uint32_t user, uint32_t coin) except NULL
    cdef CoinAccounts* coin(self, uint32_t coin) except NULL
    cdef const char* restore(self, uint32_t number, const char* at, const char* end) except? NULL


cdef inline Balance* balance_of(CoinAccounts* coins, uint32_t user, uint32_t coin) noexcept nogil:
    """Unchecked: both numbers must be known to exist."""
    return coins[coin].balances + user
