"""What the operator's calls have in common: the house, its commands, and names in requests.

A call ends with `Refused` or an InputError, and has changed nothing then.
"""

from typing import Any

from api import times
from api.errors import MEANINGS, Fault, words
from api.numbers import InputError, text
from api.shell import Shell
from engine import Kind, Reply, Result, WithdrawalStatus, cold

ACCOUNT_MARK = "\x1f"       # stands before the name of a sub-account's ledger account

# Where the words that all dialects share would name a field that these calls do not have.
OWN_WORDS = {
    (Kind.ADD_PAIR, Result.BAD_NAME): "pair: must be two different coins as BASE/QUOTE",
    (Kind.ADD_PAIR, Result.UNKNOWN_COIN): "pair: both coins must be listed",
    (Kind.ADD_PAIR, Result.BAD_SCALE): "price_scale, amount_scale: an amount has at most the base "
                                       "coin's decimals, both together at most the quote coin's",
    (Kind.ADD_PAIR, Result.BAD_QTY): "min_amount: out of range",
    (Kind.DEPOSIT, Result.AMOUNT_TOO_LARGE): "amount: there would be more of the coin than "
                                             "2^63 - 1 of its units",
    (Kind.SET_NETWORK, Result.BAD_DIFFICULTY): "difficulty: must be more than zero, with at most "
                                               "20 digits and 18 decimals",
    (Kind.SET_NETWORK, Result.BAD_FEE): "fees_per_block: out of range",
    (Kind.BEGIN_SETTLEMENT, Result.BAD_DAY): "day: is not over",
    (Kind.UNSIGN_WITHDRAWALS, Result.WRONG_STATE): "action: one of its withdrawals is finished",
}


class Refused(Exception):
    """Ends a call: whose fault it is, and the message for the caller."""

    def __init__(self, fault: Fault, message: str):
        super().__init__(message)
        self.fault = fault


def why(kind: Kind, code: int) -> str:
    """The words for a command's refusal, naming the field of the call or of the configuration."""
    return OWN_WORDS.get((kind, code)) or words(code)


def account_name(username: str) -> str:
    """A ledger account's name as it is shown: a sub-account's without its mark."""
    return username.removeprefix(ACCOUNT_MARK)


class Desk:
    """One house, as the calls see it."""

    def __init__(self, shell: Shell):
        self.shell = shell
        self.house = shell.house

    async def submit(self, kind: Kind, fields: dict[str, Any]) -> Any:
        """One command, on disk; its value. A result other than OK ends the call."""
        return checked(kind, await self.house.submit(cold(kind, fields)))

    def listed(self, field: str, listings, name: str):
        """The listed coin or pair of that name."""
        listed = listings.by_name(name)
        if listed is None:
            raise InputError(field, "is not listed")
        return listed

    def coin(self, field: str, name: str):
        """The listed coin of that name."""
        return self.listed(field, self.house.core.coins, name)

    def user(self, field: str, name_or_uid: str | int):
        """A user by name, or whoever has that number, a sub-account too."""
        users = self.house.core.users
        user = users.by_name(name_or_uid) if type(name_or_uid) is str else users.get(name_or_uid)
        if user is None:
            raise InputError(field, "is no user")
        return user

    def account(self, field: str, name: str):
        """The pool's sub-account of that name."""
        core = self.house.core
        found = core.users.sub_account(name)
        if found is None:
            raise InputError(field, "is no sub-account")
        return core.sub_accounts.get(found.uid)

    def withdrawal_view(self, withdrawal: dict) -> dict:
        """A withdrawal as docs/commands.md gives it, in the words and decimals of a reply."""
        core = self.house.core
        coin = core.coins.get(withdrawal["coin"])
        return {
            "id": withdrawal["id"], "uid": withdrawal["uid"],
            "user": account_name(core.users.get(withdrawal["uid"]).username), "coin": coin.name,
            "amount": text(withdrawal["amount"], coin.scale),
            "fee": text(withdrawal["fee"], coin.scale), "address": withdrawal["address"],
            "status": WithdrawalStatus(withdrawal["status"]).name.lower(),
            "txid": withdrawal["txid"], "request_id": withdrawal["request_id"],
            "requested_at": times.text(withdrawal["requested_ns"], self.shell.zone),
        }


def checked(kind: Kind, reply: Reply) -> Any:
    """The value of a command that was done; Refused for any other."""
    if reply.code != Result.OK:
        raise Refused(MEANINGS[reply.code].fault, why(kind, reply.code))
    return reply.value
