"""The accounts of accounts.pxd, and the postings of single commands between them.

A coin's wallets, where it has them, are a second account of each user: nothing is held in one, and
no order is paid from it.

Invariants (`check`): no user's available, frozen or wallet is negative; for each coin the sum over
all users and house accounts is zero, and its supply, which is all that the house accounts owe
together, is at most 2^63 - 1: so every other sum is, too.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
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
    FLAG_BYTES = 8
    HOUSE_BYTES = 64

if HOUSE_BYTES != HOUSE_MAX * sizeof(int64_t):
    raise ImportError(f"{HOUSE_MAX} house accounts do not have {HOUSE_BYTES} bytes")

AMOUNT_MAX = 2**63 - 1


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
                region_release(&self.coins[number].wallet_region)
            free(self.coins)

    cdef int grow(self, CoinAccounts* coin, uint32_t users) except -1:
        if region_reserve(&coin.region, <size_t> users * sizeof(Balance)) != 0:
            raise MemoryError
        coin.balances = <Balance*> coin.region.base
        return self.grow_wallets(coin, users) if coin.wallets is not NULL else 0

    cdef int grow_wallets(self, CoinAccounts* coin, uint32_t users) except -1:
        if region_reserve(&coin.wallet_region, <size_t> users * sizeof(int64_t)) != 0:
            raise MemoryError
        coin.wallets = <int64_t*> coin.wallet_region.base
        return 0

    def open_coin(self, uint32_t coin):
        """Make accounts for the next coin."""
        if coin != self.coin_count + 1 or coin > COINS_MAX:
            raise IndexError(f"coin {coin} is not the next of {self.coin_count}")
        self.grow(&self.coins[coin], self.capacity)
        self.coin_count = coin

    def open_wallets(self, uint32_t coin):
        """Give every user a wallet of a coin, also those to come. Nothing if they have them."""
        self.grow_wallets(self.coin(coin), self.capacity)

    def has_wallets(self, uint32_t coin):
        """Whether a coin's wallets were opened."""
        return self.coin(coin).wallets is not NULL

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

    cdef int64_t* wallet_at(self, uint32_t user, uint32_t coin) except NULL:
        cdef CoinAccounts* accounts = self.coin(coin)
        if not 1 <= user <= self.user_count:
            raise IndexError(f"there is no user {user}")
        if accounts.wallets is NULL:
            raise IndexError(f"coin {coin} has no wallets")
        return accounts.wallets + user

    def available(self, uint32_t user, uint32_t coin):
        """Units the user may spend."""
        return self.balance(user, coin).available

    def frozen(self, uint32_t user, uint32_t coin):
        """Units that the user's open orders, withdrawals and freezes hold."""
        return self.balance(user, coin).frozen

    def wallet(self, uint32_t user, uint32_t coin):
        """Units in the user's wallet."""
        return self.wallet_at(user, coin)[0]

    def house(self, uint32_t house, uint32_t coin):
        """Units on an account of the house; negative where the house owes."""
        return self.coin(coin).house[house_index(house)]

    cpdef bint credit(self, uint32_t user, uint32_t coin, int64_t amount,
                      uint32_t house) except -1:
        """House account -> available."""
        cdef Balance* balance = self.balance(user, coin)
        if not pay_out(self.coin(coin), house_index(house), amount):
            return False
        balance.available += amount
        return True

    cpdef bint debit(self, uint32_t user, uint32_t coin, int64_t amount,
                     uint32_t house) except -1:
        """Available -> house account."""
        cdef Balance* balance = self.balance(user, coin)
        if amount < 0 or balance.available < amount:
            return False
        self.coin(coin).house[house_index(house)] += amount
        balance.available -= amount
        return True

    cpdef bint hold(self, uint32_t user, uint32_t coin, int64_t amount) except -1:
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

    def move(self, uint32_t from_user, uint32_t to_user, uint32_t coin, int64_t amount):
        """Available -> available of another user."""
        cdef Balance* source = self.balance(from_user, coin)
        cdef Balance* target = self.balance(to_user, coin)
        if amount < 0 or source.available < amount:
            return False
        source.available -= amount
        target.available += amount
        return True

    def credit_wallet(self, uint32_t user, uint32_t coin, int64_t amount, uint32_t house):
        """House account -> wallet."""
        cdef int64_t* wallet = self.wallet_at(user, coin)
        if not pay_out(self.coin(coin), house_index(house), amount):
            return False
        wallet[0] += amount
        return True

    def debit_wallet(self, uint32_t user, uint32_t coin, int64_t amount, uint32_t house):
        """Wallet -> house account."""
        cdef int64_t* wallet = self.wallet_at(user, coin)
        cdef int64_t* account = &self.coin(coin).house[house_index(house)]
        if amount < 0 or wallet[0] < amount:
            return False
        wallet[0] -= amount
        account[0] += amount
        return True

    def move_wallet(self, uint32_t from_user, uint32_t to_user, uint32_t coin, int64_t amount):
        """Wallet -> wallet of another user."""
        cdef int64_t* source = self.wallet_at(from_user, coin)
        cdef int64_t* target = self.wallet_at(to_user, coin)
        if amount < 0 or source[0] < amount:
            return False
        source[0] -= amount
        target[0] += amount
        return True

    def extract(self, uint32_t from_user, uint32_t to_user, uint32_t coin, int64_t amount):
        """Wallet -> available, of the same or another user."""
        cdef int64_t* source = self.wallet_at(from_user, coin)
        cdef Balance* target = self.balance(to_user, coin)
        if amount < 0 or source[0] < amount:
            return False
        source[0] -= amount
        target.available += amount
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
            if accounts.wallets is not NULL and accounts.wallets[user]:
                total += accounts.wallets[user]
        return total

    def check(self):
        """A list of what is wrong, empty when every invariant holds. O(coins x users)."""
        cdef uint32_t coin, user
        cdef Balance* balance
        cdef int64_t* wallets
        faults = []
        for coin in range(1, self.coin_count + 1):
            total = self.trial_balance(coin)
            if total != 0:
                faults.append(f"coin {coin}: the trial balance is {total}, not 0")
            supply = -sum(min(self.house(house, coin), 0) for house in range(HOUSE_MAX))
            if supply > AMOUNT_MAX:
                faults.append(f"coin {coin}: the house owes {supply}")
            wallets = self.coins[coin].wallets
            for user in range(1, self.user_count + 1):
                balance = self.coins[coin].balances + user
                if balance.available < 0 or balance.frozen < 0:
                    faults.append(f"user {user}, coin {coin}: available {balance.available},"
                                  f" frozen {balance.frozen}")
                if wallets is not NULL and wallets[user] < 0:
                    faults.append(f"user {user}, coin {coin}: {wallets[user]} in the wallet")
        return faults

    def pieces(self):
        """The accounts as buffers: how many coins and users; then for each coin whether it has
        wallets (0, 1; 8 bytes), the house accounts, all balances, all wallets.

        They show the live memory: to be read before the next posting.
        """
        cdef uint32_t number
        cdef CoinAccounts* coin
        parts = [self.coin_count.to_bytes(4, "little"), self.user_count.to_bytes(4, "little")]
        for number in range(1, self.coin_count + 1):
            coin = &self.coins[number]
            parts.append((coin.wallets is not NULL).to_bytes(FLAG_BYTES, "little"))
            parts.append(memory_of(<char*> coin.house, HOUSE_BYTES, PyBUF_READ))
            parts.append(memory_of(<char*> (coin.balances + 1),
                                   <Py_ssize_t> self.user_count * sizeof(Balance), PyBUF_READ))
            if coin.wallets is not NULL:
                parts.append(memory_of(<char*> (coin.wallets + 1),
                                       <Py_ssize_t> self.user_count * sizeof(int64_t), PyBUF_READ))
        return parts

    def dump(self):
        """The accounts as bytes."""
        return b"".join(self.pieces())

    @staticmethod
    def load(bytes dumped not None):
        """What `dump` gave, as accounts again; ValueError where the length is wrong."""
        cdef Accounts accounts = Accounts()
        cdef const char* at = PyBytes_AS_STRING(dumped)
        cdef const char* end = at + PyBytes_GET_SIZE(dumped)
        cdef uint32_t coins = int.from_bytes(dumped[:4], "little")
        cdef uint32_t users = int.from_bytes(dumped[4:8], "little")
        cdef uint32_t coin
        wrong = ValueError(f"{len(dumped)} bytes are no accounts of {coins} coins"
                           f" and {users} users")
        # Before any room is made; 2^32 - 1 users are one more than can be.
        if (coins > COINS_MAX or users == <uint32_t> 0xFFFFFFFF or len(dumped) < 8 + coins * (
                FLAG_BYTES + HOUSE_BYTES + users * <Py_ssize_t> sizeof(Balance))):
            raise wrong
        at += 8
        while accounts.capacity <= users:
            accounts.capacity = more_than(accounts.capacity)
        accounts.user_count = users
        for coin in range(1, coins + 1):
            accounts.open_coin(coin)
            at = accounts.restore(coin, at, end)
            if at is NULL:
                raise wrong
        if at != end:
            raise wrong
        return accounts

    cdef const char* restore(self, uint32_t number, const char* at, const char* end) except? NULL:
        """Take over one coin's part of a dump; where it ends, NULL where it is none."""
        cdef CoinAccounts* coin = &self.coins[number]
        cdef size_t balances_bytes = <size_t> self.user_count * sizeof(Balance)
        cdef size_t wallets_bytes = 0
        cdef uint64_t has_wallets
        if end - at < <Py_ssize_t> FLAG_BYTES:
            return NULL
        memcpy(&has_wallets, at, FLAG_BYTES)
        if has_wallets > 1:
            return NULL
        if has_wallets:
            self.grow_wallets(coin, self.capacity)
            wallets_bytes = <size_t> self.user_count * sizeof(int64_t)
        at += FLAG_BYTES
        if end - at < <Py_ssize_t> (HOUSE_BYTES + balances_bytes + wallets_bytes):
            return NULL
        memcpy(coin.house, at, HOUSE_BYTES)
        at += HOUSE_BYTES
        memcpy(coin.balances + 1, at, balances_bytes)
        at += balances_bytes
        if wallets_bytes != 0:
            memcpy(coin.wallets + 1, at, wallets_bytes)
        return at + wallets_bytes


cdef inline bint pay_out(CoinAccounts* coin, int house, int64_t amount) noexcept:
    """Take units from a house account; False, and nothing done, where the supply would exceed
    2^63 - 1. What an account has above zero adds nothing to the supply when it leaves."""
    cdef int64_t own = max(coin.house[house], <int64_t> 0)
    cdef int64_t supply = 0
    cdef int number
    if amount < 0:
        return False
    for number in range(HOUSE_MAX):
        supply -= min(coin.house[number], <int64_t> 0)
    if amount > own and sum_of(supply, amount - own) < 0:
        return False
    coin.house[house] -= amount
    return True


cdef inline uint32_t more_than(uint32_t capacity) noexcept:
    """The next larger capacity; 2^31 has no double in 32 bits."""
    return <uint32_t> 0xFFFFFFFF if capacity >= 0x80000000 else 2 * capacity


cdef int house_index(uint32_t house) except -1:
    if house >= HOUSE_MAX:
        raise IndexError(f"there is no house account {house}")
    return <int> house
