"""Transactions that are signed and not yet finished with: the bytes to send, and whom they pay.

One is kept from the moment it is signed until all its withdrawals are finished, or until it is
given up, so that whatever happens in between only these bytes can be sent, again and again.

Invariants (`check`): each pays between 1 and IDS_MAX withdrawals of one coin, and no withdrawal is
paid by two; between 1 and all of them are still to be finished.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgpack

from ledger.digests import RunningHash

IDS_MAX = 1_000
TRANSACTION_BYTES_MAX = 100 * 1024


class SignedTransaction(NamedTuple):
    txid: str
    coin: int
    ids: tuple[int, ...]        # of the withdrawals it pays, as the command gave them
    transaction: bytes          # as the network takes it
    unfinished: int             # how many of them are


class SignedTransactions:
    """By txid, in the order of their signing. Records go into the running hash that it is given."""

    __slots__ = ("_by_txid", "_hash")

    def __init__(self, running_hash: RunningHash):
        self._by_txid: dict[str, SignedTransaction] = {}
        self._hash = running_hash

    def __len__(self) -> int:
        return len(self._by_txid)

    def __iter__(self) -> Iterator[SignedTransaction]:
        return iter(self._by_txid.values())

    def get(self, txid: str) -> SignedTransaction | None:
        return self._by_txid.get(txid)

    def add(self, signed: SignedTransaction) -> None:
        """Keep one whose txid is not in use."""
        if signed.txid in self._by_txid:
            raise ValueError(f"transaction {signed.txid} is there")
        self._by_txid[signed.txid] = signed
        self._hash.add(record_of(signed))

    def remove(self, txid: str) -> SignedTransaction:
        """Take one out; KeyError where it is not kept."""
        signed = self._by_txid.pop(txid)
        self._hash.remove(record_of(signed))
        return signed

    def finish_one(self, txid: str) -> None:
        """One of its withdrawals is finished; with the last of them it is dropped."""
        before = self._by_txid[txid]
        after = before._replace(unfinished=before.unfinished - 1)
        self._hash.remove(record_of(before))
        if after.unfinished == 0:
            del self._by_txid[txid]
            return
        self._by_txid[txid] = after
        self._hash.add(record_of(after))

    def dump(self) -> list:
        return [list(signed) for signed in self]

    @classmethod
    def load(cls, dumped: list, running_hash: RunningHash) -> "SignedTransactions":
        """What `dump` gave, as transactions again."""
        transactions = cls(running_hash)
        for txid, coin, ids, transaction, unfinished in dumped:
            transactions.add(SignedTransaction(txid, coin, tuple(ids), transaction, unfinished))
        return transactions

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = []
        paid: set[int] = set()
        for txid, signed in self._by_txid.items():
            ids = set(signed.ids)
            if txid != signed.txid or not 1 <= len(ids) == len(signed.ids) <= IDS_MAX:
                faults.append(f"transaction {txid} is kept with {signed.txid} and {signed.ids}")
            if not 1 <= signed.unfinished <= len(signed.ids):
                faults.append(f"transaction {txid} has {signed.unfinished} to finish")
            if ids & paid:
                faults.append(f"transaction {txid} pays {sorted(ids & paid)} a second time")
            paid |= ids
        return faults


def record_of(signed: SignedTransaction) -> bytes:
    """What the running hash takes of it. A withdrawal's record begins with its id, and no id is
    as large as these letters."""
    return b"transaction" + msgpack.packb(signed)
