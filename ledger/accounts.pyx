"""The accounts of accounts.pxd, and the postings of single commands between them.

Invariants (`check`): no user's available or frozen is negative; for each coin the sum over all
users and house accounts is zero. A coin's supply never exceeds 2^63 - 1: `credit` refuses what
would.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from ledger.amount cimport sum_of
from ledger.region cimport region_release, region_reserve
from ledger.transfers cimport hold, release

cdef extern from "Python.h":
    object memory_of "PyMemoryView_FromMemory"(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_READ

cdef enum:
    FIRST_CAPACITY = 256


cdef class Accounts:
    """All balances of a house. Coins and users are numbered from 1, without gaps.

    Postings take units of the coin, at least 0. They return False, and change nothing, where a
    balance is too small or a sum would exceed 2^63 - 1; IndexError for a coin, user or house
    account that does not exist.
    """

    def __cinit__(self):
        self.coins = <CoinAccounts*> calloc(COINS_MAX + 1, sizeof(CoinAccounts))
        if self.coins is NULL:
            raise MemoryError
        self.capacity = FIRST_CAPACITY

    def __dealloc__(self):
        cdef uint32_t number
        if self.coins is not NULL:
            for number in range(1, self.coin_count + 1):
                region_release(&self.coins[number].region)
            free(self.coins)

    cdef int grow(self, CoinAccounts* coin, uint32_t users) except -1:
        if region_reserve(&coin.region, <size_t> users * sizeof(Balance)) != 0:
            raise MemoryError
        coin.balances = <Balance*> coin.region.base
        return 0

    def open_coin(self, uint32_t coin):
        """Make accounts for the next coin."""
        if coin != self.coin_count + 1 or coin > COINS_MAX:
            raise IndexError(f"coin {coin} is not the next of {self.coin_count}")
        self.grow(&self.coins[coin], self.capacity)
        self.coin_count = coin

    def open_user(self, uint32_t user):
        """Make room for the next user's balances."""
        cdef uint32_t number
        cdef uint32_t capacity = self.capacity
        if user != self.user_count + 1:
            raise IndexError(f"user {user} is not the next of {self.user_count}")
        if user >= capacity:
            capacity = more_than(capacity)
            for number in range(1, self.coin_count + 1):
                self.grow(&self.coins[number], capacity)
            self.capacity = capacity
        self.user_count = user

    cdef CoinAccounts* coin(self, uint32_t coin) except NULL:
        if not 1 <= coin <= self.coin_count:
            raise IndexError(f"there is no coin {coin}")
        return &self.coins[coin]

    cdef Balance* balance(self, uint32_t user, uint32_t coin) except NULL:
        if not 1 <= user <= self.user_count:
            raise IndexError(f"there is no user {user}")
        return self.coin(coin).balances + user

    def available(self, uint32_t user, uint32_t coin):
        """Units the user may spend."""
        return self.balance(user, coin).available

    def frozen(self, uint32_t user, uint32_t coin):
        """Units that the user's open orders, withdrawals and freezes hold."""
        return self.balance(user, coin).frozen

    def house(self, uint32_t house, uint32_t coin):
        """Units on an account of the house; negative where the house owes."""
        return self.coin(coin).house[house_index(house)]

    def credit(self, uint32_t user, uint32_t coin, int64_t amount, uint32_t house):
        """House account -> available."""
        cdef Balance* balance = self.balance(user, coin)
        cdef int64_t* account = &self.coin(coin).house[house_index(house)]
        # The account that money enters from is the negative of the supply: this bound keeps every
        # sum in range.
        if amount < 0 or sum_of(0 if account[0] > 0 else -account[0], amount) < 0:
            return False
        account[0] -= amount
        balance.available += amount
        return True

    def debit(self, uint32_t user, uint32_t coin, int64_t amount, uint32_t house):
        """Available -> house account."""
        cdef Balance* balance = self.balance(user, coin)
        if amount < 0 or balance.available < amount:
            return False
        self.coin(coin).house[house_index(house)] += amount
        balance.available -= amount
        return True

    def hold(self, uint32_t user, uint32_t coin, int64_t amount):
        """Available -> frozen."""
        return amount >= 0 and hold(self.balance(user, coin), amount)

    def release(self, uint32_t user, uint32_t coin, int64_t amount):
        """Frozen -> available."""
        cdef Balance* balance = self.balance(user, coin)
        if amount < 0 or balance.frozen < amount:
            return False
        release(balance, amount)
        return True

    def pay_frozen(self, uint32_t user, uint32_t coin, int64_t amount, uint32_t house):
        """Frozen -> house account."""
        cdef Balance* balance = self.balance(user, coin)
        if amount < 0 or balance.frozen < amount:
            return False
        self.coin(coin).house[house_index(house)] += amount
        balance.frozen -= amount
        return True

    def trial_balance(self, uint32_t coin):
        """The sum of all accounts of a coin, the house's included: zero, always. O(users)."""
        cdef CoinAccounts* accounts = self.coin(coin)
        cdef object total = 0
        cdef uint32_t user
        cdef Balance* balance
        for house in range(HOUSE_MAX):
            total += accounts.house[house]
        for user in range(1, self.user_count + 1):
            balance = accounts.balances + user
            if balance.available or balance.frozen:
                total += balance.available
                total += balance.frozen
        return total

    def check(self):
        """A list of what is wrong, empty when every invariant holds. O(coins x users)."""
        cdef uint32_t coin, user
        cdef Balance* balance
        faults = []
        for coin in range(1, self.coin_count + 1):
            total = self.trial_balance(coin)
            if total != 0:
                faults.append(f"coin {coin}: the trial balance is {total}, not 0")
            for user in range(1, self.user_count + 1):
                balance = self.coins[coin].balances + user
                if balance.available < 0 or balance.frozen < 0:
                    faults.append(f"user {user}, coin {coin}: available {balance.available},"
                                  f" frozen {balance.frozen}")
        return faults

    def pieces(self):
        """The accounts as buffers: counts, then for each coin the house accounts and all balances.

        They show the live memory: to be read before the next posting.
        """
        cdef uint32_t coin
        parts = [self.coin_count.to_bytes(4, "little"), self.user_count.to_bytes(4, "little")]
        for coin in range(1, self.coin_count + 1):
            parts.append(memory_of(<char*> self.coins[coin].house, HOUSE_MAX * sizeof(int64_t),
                                   PyBUF_READ))
            parts.append(memory_of(<char*> (self.coins[coin].balances + 1),
                                   <Py_ssize_t> self.user_count * sizeof(Balance), PyBUF_READ))
        return parts

    def dump(self):
        """The accounts as bytes."""
        return b"".join(self.pieces())

    @staticmethod
    def load(bytes dumped not None):
        """What `dump` gave, as accounts again; ValueError where the length is wrong."""
        cdef Accounts accounts = Accounts()
        cdef const char* at = PyBytes_AS_STRING(dumped)
        cdef uint32_t coins = int.from_bytes(dumped[:4], "little")
        cdef uint32_t users = int.from_bytes(dumped[4:8], "little")
        cdef size_t house_size = HOUSE_MAX * sizeof(int64_t)
        cdef size_t balances_size = <size_t> users * sizeof(Balance)
        cdef uint32_t coin
        if (coins > COINS_MAX or PyBytes_GET_SIZE(dumped)
                != 8 + coins * <Py_ssize_t> (house_size + balances_size)):
            raise ValueError(f"{len(dumped)} bytes are no accounts of {coins} coins"
                             f" and {users} users")
        at += 8
        while accounts.capacity <= users:
            accounts.capacity = more_than(accounts.capacity)
        accounts.user_count = users
        for coin in range(1, coins + 1):
            accounts.open_coin(coin)
            memcpy(accounts.coins[coin].house, at, house_size)
            memcpy(accounts.coins[coin].balances + 1, at + house_size, balances_size)
            at += house_size + balances_size
        return accounts


cdef inline uint32_t more_than(uint32_t capacity) noexcept:
    """The next larger capacity; 2^31 has no double in 32 bits."""
    return <uint32_t> 0xFFFFFFFF if capacity >= 0x80000000 else 2 * capacity


cdef int house_index(uint32_t house) except -1:
    if house >= HOUSE_MAX:
        raise IndexError(f"there is no house account {house}")
    return <int> house
