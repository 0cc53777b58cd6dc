"""The ledger of the model: dictionaries of integers, every posting written out.

Invariants (`check`): nothing a user has is negative, and the accounts of a coin sum up to zero.
"""

from collections import defaultdict

from engine.codes import HouseAccount

AMOUNT_MAX = 2**63 - 1


class ModelFault(Exception):
    """The model broke an invariant of its own: its code is wrong, whatever the core does."""


class Money:
    """All amounts in units of the coin; every account starts at zero."""

    def __init__(self):
        self.available = defaultdict(int)     # (user, coin) -> units
        self.frozen = defaultdict(int)        # (user, coin) -> units
        self.house = defaultdict(int)         # (HouseAccount, coin) -> units

    def deposit(self, user: int, coin: int, amount: int) -> bool:
        """EXTERNAL -> available; False where the coin's supply would exceed 2^63 - 1."""
        if amount - self.house[HouseAccount.EXTERNAL, coin] > AMOUNT_MAX:
            return False
        self.house[HouseAccount.EXTERNAL, coin] -= amount
        self.available[user, coin] += amount
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

    def check(self) -> None:
        totals = defaultdict(int)
        for balances in (self.available, self.frozen):
            for (user, coin), amount in balances.items():
                if not 0 <= amount <= AMOUNT_MAX:
                    raise ModelFault(f"user {user} has {amount} of coin {coin}")
                totals[coin] += amount
        for (_, coin), amount in self.house.items():
            totals[coin] += amount
        if any(totals.values()):
            raise ModelFault(f"trial balances {dict(totals)}")
