"""The ledger of the model: dictionaries of integers, every posting written out.

Invariants (`check`): nothing a user has is negative, and the accounts of a coin sum up to zero.
"""

from collections import defaultdict

from engine.codes import HouseAccount

AMOUNT_MAX = 2**63 - 1
SOURCES = (HouseAccount.EXTERNAL, HouseAccount.ISSUANCE)      # of coins that nobody mines


def is_amount(amount: int) -> bool:
    """Above zero. Chosen: what no balance can ever be is no amount either."""
    return 0 < amount <= AMOUNT_MAX


class ModelFault(Exception):
    """The model broke an invariant of its own: its code is wrong, whatever the core does."""


class Money:
    """All amounts in units of the coin; every account starts at zero."""

    def __init__(self):
        self.available = defaultdict(int)     # (user, coin) -> units
        self.frozen = defaultdict(int)        # (user, coin) -> units
        self.house = defaultdict(int)         # (HouseAccount, coin) -> units
        self.wallets = defaultdict(int)       # user -> units of the mined coin

    def deposit(self, user: int, coin: int, amount: int) -> bool:
        """EXTERNAL -> available; False where the coin's supply would exceed 2^63 - 1."""
        if not self.issue(coin, amount, HouseAccount.EXTERNAL):
            return False
        self.available[user, coin] += amount
        return True

    def issue(self, coin: int, amount: int, house: int) -> bool:
        """Take units from an account of the house; False where it is too much.

        Chosen: the supply is what the accounts owe that are below zero; what one has above zero
        owes nothing when it leaves.
        """
        self.house[house, coin] -= amount
        owed = sum(-min(units, 0) for (_, its), units in self.house.items() if its == coin)
        if owed > AMOUNT_MAX:
            self.house[house, coin] += amount
            return False
        return True

    def hold(self, user: int, coin: int, amount: int) -> bool:
        """Available -> frozen; False where it is not available."""
        if amount > self.available[user, coin]:
            return False
        self.available[user, coin] -= amount
        self.frozen[user, coin] += amount
        return True

    def release(self, user: int, coin: int, amount: int) -> None:
        """Frozen -> available."""
        self.take_frozen(user, coin, amount)
        self.available[user, coin] += amount

    def pay_frozen(self, user: int, coin: int, amount: int, house: int) -> None:
        """Frozen -> house account."""
        self.take_frozen(user, coin, amount)
        self.house[house, coin] += amount

    def receive(self, user: int, coin: int, amount: int, fee: int) -> None:
        """What a fill brings: net of its fee to the user, the fee to FEES."""
        self.available[user, coin] += amount - fee
        self.house[HouseAccount.FEES, coin] += fee

    def take_frozen(self, user: int, coin: int, amount: int) -> None:
        if not 0 <= amount <= self.frozen[user, coin]:
            frozen = self.frozen[user, coin]
            raise ModelFault(f"user {user}, coin {coin}: {amount} of {frozen} frozen")
        self.frozen[user, coin] -= amount

    def check(self, mined_coin: int) -> None:
        """`mined_coin` is what wallets are kept in; 0: there is none."""
        totals = defaultdict(int)
        for user, amount in self.wallets.items():
            if not 0 <= amount <= AMOUNT_MAX:
                raise ModelFault(f"the wallet of user {user} has {amount}")
            totals[mined_coin] += amount
        for balances in (self.available, self.frozen):
            for (user, coin), amount in balances.items():
                if not 0 <= amount <= AMOUNT_MAX:
                    raise ModelFault(f"user {user} has {amount} of coin {coin}")
                totals[coin] += amount
        for (_, coin), amount in self.house.items():
            totals[coin] += amount
        if any(totals.values()):
            raise ModelFault(f"trial balances {dict(totals)}")
