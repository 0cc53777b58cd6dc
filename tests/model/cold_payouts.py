"""The cold commands that the model knows: signing withdrawals, and giving a transaction up.

The model remembers every transaction ever signed, and derives which of them still counts from what
its withdrawals look like: one of them is signed with its txid.
"""

from dataclasses import dataclass
from typing import ClassVar

from engine.codes import Kind, Result, WithdrawalStatus
from tests.model.commands import Cold

IDS_MAX = 1_000
TRANSACTION_BYTES_MAX = 102_400


@dataclass(slots=True)
class SignWithdrawals(Cold):
    KIND: ClassVar[int] = Kind.SIGN_WITHDRAWALS
    ids: list
    txid: str
    transaction: bytes


@dataclass(slots=True)
class UnsignWithdrawals(Cold):
    KIND: ClassVar[int] = Kind.UNSIGN_WITHDRAWALS
    txid: str


def signed_with(model, txid: str) -> list[dict]:
    return [one for one in model.withdrawals.values()
            if (one["status"], one["txid"]) == (WithdrawalStatus.SIGNED, txid)]


def sign_withdrawals(model, c: SignWithdrawals) -> tuple[int, object]:
    if (not 1 <= len(c.ids) <= IDS_MAX or len({repr(number) for number in c.ids}) < len(c.ids)
            or any(type(number) is not int for number in c.ids)):
        return Result.BAD_IDS, None
    if any(number not in model.withdrawals for number in c.ids):
        return Result.UNKNOWN_WITHDRAWAL, None
    if not (1 <= len(c.txid) <= 128 and c.txid.isprintable()):
        return Result.BAD_TXID, None
    if not 1 <= len(c.transaction) <= TRANSACTION_BYTES_MAX:
        return Result.BAD_TRANSACTION, None
    if signed_with(model, c.txid):
        if model.transactions[c.txid] == (c.ids, c.transaction):
            return Result.OK, None
        return Result.TXID_TAKEN, None
    chosen = [model.withdrawals[number] for number in c.ids]
    if {one["status"] for one in chosen} != {WithdrawalStatus.APPROVED}:
        return Result.WRONG_STATE, None
    if len({one["coin"] for one in chosen}) > 1:
        return Result.MIXED_COINS, None
    model.transactions[c.txid] = (list(c.ids), c.transaction)
    for one in chosen:
        one["status"], one["txid"] = int(WithdrawalStatus.SIGNED), c.txid
    return Result.OK, None


def unsign_withdrawals(model, c: UnsignWithdrawals) -> tuple[int, object]:
    signed = signed_with(model, c.txid)
    if not signed:
        return Result.UNKNOWN_TRANSACTION, None
    ids, _ = model.transactions[c.txid]
    if len(signed) < len(ids):
        return Result.WRONG_STATE, None
    for one in signed:
        one["status"], one["txid"] = int(WithdrawalStatus.APPROVED), None
    return Result.OK, ids


HANDLERS = {SignWithdrawals: sign_withdrawals, UnsignWithdrawals: unsign_withdrawals}
