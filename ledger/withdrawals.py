"""What users have asked to be paid out: every withdrawal there ever was, by number.

    REQUESTED -> APPROVED -> FINISHED, and REJECTED from the first two
                 APPROVED -> SIGNED -> FINISHED, and back to APPROVED

A signed one has a transaction that pays it, in `signed`, together with the others it pays.

An open one (requested, approved, signed) is an object. A closed one never changes again and is kept
packed, in about 200 bytes; with 8 bytes more in its user's index it stays findable forever.

A request id names one withdrawal among a user's open and last REMEMBERED_MAX closed ones that had
one. Money is not moved here: who changes a status posts what belongs to it.

Invariants (`check`): open ones are requested, approved or signed, packed ones finished or rejected;
a signed or finished one has a txid, no other has; the signed ones are just those that transactions
say are still to be finished; the fee is less than the amount; every withdrawal is in its user's
index, in order; request ids name what they must, and no more; the running hash is that of all
records, the transactions' included.
"""

import enum
import struct
from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain, islice

import msgspec

from ledger.digests import RunningHash, hash_of
from ledger.signed_transactions import SignedTransaction, SignedTransactions
from ledger.signed_transactions import record_of as transaction_record

REMEMBERED_MAX = 10_000
OPEN_PER_USER_MAX = 1_000
# uid, coin, status, 1 if all that was available was asked for, amount, fee, requested_ns, then the
# lengths in bytes of the texts that follow: address, txid, request id. 0 stands for none.
ID = struct.Struct("=Q")
HEAD = struct.Struct("<IHBBqqqHHB")


class Status(enum.IntEnum):
    """The numbers of engine.codes.WithdrawalStatus."""
    REQUESTED = 1
    APPROVED = 2
    FINISHED = 3
    REJECTED = 4
    SIGNED = 5


CLOSED = (Status.FINISHED, Status.REJECTED)
# As plain numbers, which most withdrawals begin with.
REQUESTED, APPROVED = int(Status.REQUESTED), int(Status.APPROVED)


# Withdrawals and indexes may be many, and none refers back to another: the collector of garbage,
# which would stop the house while it walks over them, has no business with them. So their numbers
# are in bytes: an array would be the collector's, too.
class Withdrawal(msgspec.Struct, gc=False):
    id: int
    uid: int
    coin: int
    amount: int                 # units, the fee included
    fee: int                    # units
    address: str
    status: int                 # a Status
    txid: str | None            # of a signed or finished one
    requested_ns: int
    request_id: str | None
    whole: bool                 # the request named no amount but asked for all that was available

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED

    def view(self) -> dict:
        """What is shown of it."""
        return {"id": self.id, "uid": self.uid, "coin": self.coin, "amount": self.amount,
                "fee": self.fee, "address": self.address, "status": self.status, "txid": self.txid,
                "requested_ns": self.requested_ns, "request_id": self.request_id}


class UserWithdrawals(msgspec.Struct, gc=False):
    """One user's index."""
    ids: bytearray = msgspec.field(default_factory=bytearray)           # all, rising: ID each
    by_request_id: dict[str, int] = {}
    remembered: bytearray = msgspec.field(default_factory=bytearray)    # closed ones that had one
    open_count: int = 0


class Withdrawals:
    """All withdrawals of a house. Ids are given out from 1, without gaps."""

    __slots__ = ("signed", "_open", "_packed", "_by_user", "_hash")

    def __init__(self):
        self._hash = RunningHash()
        self.signed = SignedTransactions(self._hash)    # for reading
        self._open: dict[int, Withdrawal] = {}
        self._packed: list[bytes | None] = []       # by id - 1; None: it is open
        self._by_user: dict[int, UserWithdrawals] = {}

    def __len__(self) -> int:
        return len(self._packed)

    def get(self, withdrawal_id: int) -> Withdrawal | None:
        """The withdrawal of that id, or None. A closed one's object is a copy."""
        if not 1 <= withdrawal_id <= len(self._packed):
            return None
        packed = self._packed[withdrawal_id - 1]
        return self._open[withdrawal_id] if packed is None else unpacked(withdrawal_id, packed)

    def by_request_id(self, uid: int, request_id: str) -> Withdrawal | None:
        """The one that bears it, among the user's open and last REMEMBERED_MAX closed ones."""
        own = self._by_user.get(uid)
        withdrawal_id = own.by_request_id.get(request_id) if own is not None else None
        return None if withdrawal_id is None else self.get(withdrawal_id)

    def open_count(self, uid: int) -> int:
        own = self._by_user.get(uid)
        return own.open_count if own is not None else 0

    def open_ones(self) -> Iterator[Withdrawal]:
        """Those whose amount is frozen, in order of their ids."""
        return iter(self._open.values())

    def approved(self, coin: int) -> Iterator[Withdrawal]:
        """The approved ones of a coin, in order of their ids."""
        return (one for one in self.open_ones()
                if one.status == Status.APPROVED and one.coin == coin)

    def holds(self) -> Iterator[tuple[int, int, int]]:
        """What they freeze: (uid, coin, units) of each open one."""
        return ((one.uid, one.coin, one.amount) for one in self.open_ones())

    def of_user(self, uid: int, coin: int = 0, before: int | None = None,
                limit: int = 100) -> list[Withdrawal]:
        """A user's, newest first: of one coin (0: any), with ids below `before`."""
        own = self._by_user.get(uid)
        # A copy: as long as the index itself is looked at, it cannot grow.
        ids = list(ids_in(own.ids)) if own is not None else []
        end = len(ids) if before is None else bisect_left(ids, before)
        found = (self.get(ids[place]) for place in range(end - 1, -1, -1))
        return list(islice((one for one in found if coin in (0, one.coin)), limit))

    def listed(self, status: int = 0, before: int | None = None,
               limit: int = 100) -> list[Withdrawal]:
        """All users', newest first: of one status (0: any), with ids below `before`."""
        end = len(self._packed) if before is None else min(before - 1, len(self._packed))
        ids = range(end, 0, -1)
        if status in (Status.REQUESTED, Status.APPROVED, Status.SIGNED):
            ids = (number for number in reversed(self._open) if number <= end)
        found = (self.get(number) for number in ids)
        return list(islice((one for one in found if status in (0, one.status)), limit))

    def request(self, uid: int, coin: int, amount: int, fee: int, address: str, requested_ns: int,
                request_id: str | None, whole: bool) -> Withdrawal:
        """Note the next withdrawal; amount and fee in units. The request id must be free."""
        return self._insert(Withdrawal(len(self._packed) + 1, uid, coin, amount, fee, address,
                                       REQUESTED, None, requested_ns, request_id, whole))

    def request_approved(self, uid: int, coin: int, amount: int, fee: int, address: str,
                         requested_ns: int, request_id: str | None) -> Withdrawal:
        """As `request` of a named amount, then `approve`; packed and hashed once."""
        return self._insert(Withdrawal(len(self._packed) + 1, uid, coin, amount, fee, address,
                                       APPROVED, None, requested_ns, request_id, False))

    def approve(self, withdrawal: Withdrawal) -> None:
        self._change(withdrawal, Status.APPROVED)

    def sign(self, withdrawals: list[Withdrawal], txid: str, transaction: bytes) -> None:
        """Approved ones of one coin are paid by this transaction, whose txid is not in use."""
        ids = tuple(withdrawal.id for withdrawal in withdrawals)
        self.signed.add(SignedTransaction(txid, withdrawals[0].coin, ids, transaction, len(ids)))
        for withdrawal in withdrawals:
            self._change(withdrawal, Status.SIGNED, txid)

    def unsign(self, txid: str) -> tuple[int, ...]:
        """Give up a transaction none of whose withdrawals is finished: all are approved again.
        Their ids; KeyError where there is no such transaction."""
        ids = self.signed.remove(txid).ids
        for number in ids:
            self._change(self._open[number], Status.APPROVED)
        return ids

    def finish(self, withdrawal: Withdrawal, txid: str) -> None:
        """It has been paid; a signed one by the transaction that was signed."""
        if withdrawal.status == Status.SIGNED:
            self.signed.finish_one(withdrawal.txid)
        self._close(withdrawal, Status.FINISHED, txid)

    def reject(self, withdrawal: Withdrawal) -> None:
        self._close(withdrawal, Status.REJECTED)

    def _insert(self, withdrawal: Withdrawal) -> Withdrawal:
        """Append an open withdrawal to all indexes."""
        own = self._by_user.get(withdrawal.uid)
        if own is None:
            own = self._by_user[withdrawal.uid] = UserWithdrawals()
        if withdrawal.request_id is not None:
            if withdrawal.request_id in own.by_request_id:
                raise ValueError(f"withdrawal {withdrawal.id}: its request id is taken")
            own.by_request_id[withdrawal.request_id] = withdrawal.id
        own.ids += ID.pack(withdrawal.id)
        own.open_count += 1
        self._packed.append(None)
        self._open[withdrawal.id] = withdrawal
        self._hash.add(record_of(withdrawal.id, packed(withdrawal)))
        return withdrawal

    def _change(self, withdrawal: Withdrawal, status: Status, txid: str | None = None) -> None:
        self._hash.remove(record_of(withdrawal.id, packed(withdrawal)))
        withdrawal.status = int(status)
        withdrawal.txid = txid
        self._hash.add(record_of(withdrawal.id, packed(withdrawal)))

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def _close(self, withdrawal: Withdrawal, status: Status, txid: str | None = None) -> None:
        self._change(withdrawal, status, txid)
        del self._open[withdrawal.id]
        self._packed[withdrawal.id - 1] = packed(withdrawal)
        own = self._by_user[withdrawal.uid]
        own.open_count -= 1
        if withdrawal.request_id is None:
            return
        own.remembered += ID.pack(withdrawal.id)
        if len(own.remembered) > REMEMBERED_MAX * ID.size:
            forgotten = self.get(*ID.unpack_from(own.remembered))
            del own.remembered[:ID.size]
            del own.by_request_id[forgotten.request_id]

    def dump(self) -> list:
        """Records by id; for each user which closed ones' request ids still count, in order; the
        signed transactions."""
        records = [packed(self._open[number]) if record is None else record
                   for number, record in enumerate(self._packed, 1)]
        remembered = [[uid, list(ids_in(own.remembered))] for uid, own in self._by_user.items()]
        return [records, remembered, self.signed.dump()]

    @classmethod
    def load(cls, dumped: list) -> "Withdrawals":
        """What `dump` gave, as withdrawals again; ValueError where it contradicts itself."""
        # A dump from before there were signed transactions has no third part.
        records, remembered, *rest = dumped
        withdrawals = cls()
        withdrawals.signed = SignedTransactions.load(rest[0] if rest else [], withdrawals._hash)
        by_user = withdrawals._by_user
        for uid, ids in remembered:
            by_user[uid] = UserWithdrawals(remembered=bytearray(b"".join(map(ID.pack, ids))))
        counting = {number for own in by_user.values()
                    for number in ids_in(own.remembered)}
        for number, record in enumerate(records, 1):
            withdrawal = unpacked(number, record)
            if withdrawal.uid not in by_user:
                raise ValueError(f"withdrawal {number}: user {withdrawal.uid} is missing")
            own = by_user[withdrawal.uid]
            own.ids += ID.pack(number)
            withdrawals._hash.add(record_of(number, record))
            if withdrawal.request_id is not None and (
                    not withdrawal.is_closed or number in counting):
                own.by_request_id[withdrawal.request_id] = number
            if withdrawal.is_closed:
                withdrawals._packed.append(record)
            else:
                own.open_count += 1
                withdrawals._packed.append(None)
                withdrawals._open[number] = withdrawal
        return withdrawals

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds. O(withdrawals)."""
        faults = []
        by_user: dict[int, list[Withdrawal]] = {}
        for number, record in enumerate(self._packed, 1):
            withdrawal = self._open.get(number) if record is None else unpacked(number, record)
            if withdrawal is None or withdrawal.id != number:
                faults.append(f"withdrawal {number} is neither open nor packed")
                continue
            by_user.setdefault(withdrawal.uid, []).append(withdrawal)
            if withdrawal.is_closed != (record is not None):
                faults.append(f"{withdrawal} is not where its status belongs")
            if (withdrawal.txid is not None) != (
                    withdrawal.status in (Status.SIGNED, Status.FINISHED)):
                faults.append(f"{withdrawal} has a txid that does not go with its status")
            if not 0 <= withdrawal.fee < withdrawal.amount:
                faults.append(f"{withdrawal} has a fee that is not part of the amount")
        if not faults and self.digest() != hash_of(chain(
                (record_of(*entry) for entry in enumerate(self.dump()[0], 1)),
                map(transaction_record, self.signed))):
            faults.append("the running hash of the withdrawals is not that of their records")
        faults += self.signed.check() + self._signed_faults()
        if len(self._open) != self._packed.count(None):
            faults.append(f"{len(self._open)} are open, {self._packed.count(None)} not packed")
        if list(by_user) != list(self._by_user):
            faults.append(f"users {list(self._by_user)}, but withdrawals of {list(by_user)}")
        for uid, own in self._by_user.items():
            faults += user_faults(uid, own, by_user.get(uid, []))
        return faults

    def _signed_faults(self) -> list[str]:
        """Where withdrawals and transactions disagree; part of `check`."""
        faults = []
        signed = {one.id: (one.txid, one.coin) for one in self.open_ones()
                  if one.status == Status.SIGNED}
        for transaction in self.signed:
            of_it = transaction.txid, transaction.coin
            own = [number for number in transaction.ids if signed.pop(number, None) == of_it]
            if len(own) != transaction.unfinished:
                faults.append(f"transaction {transaction.txid} of {transaction.ids}: {own} are"
                              f" signed, {transaction.unfinished} said to be")
        return faults + [f"withdrawal {number} is signed by no transaction of its coin"
                         for number in signed]


def user_faults(uid: int, own: UserWithdrawals, withdrawals: list[Withdrawal]) -> list[str]:
    """What is wrong with one user's index, given the user's withdrawals in order."""
    faults = []
    ids, remembered = list(ids_in(own.ids)), list(ids_in(own.remembered))
    if ids != [withdrawal.id for withdrawal in withdrawals]:
        faults.append(f"user {uid}: index {ids}")
    if own.open_count != sum(not withdrawal.is_closed for withdrawal in withdrawals):
        faults.append(f"user {uid}: {own.open_count} are said to be open")
    counting = set(remembered)
    expected = {withdrawal.request_id: withdrawal.id for withdrawal in withdrawals
                if withdrawal.request_id is not None
                and (not withdrawal.is_closed or withdrawal.id in counting)}
    if own.by_request_id != expected:
        faults.append(f"user {uid}: request ids {own.by_request_id}, not {expected}")
    closed = {withdrawal.id for withdrawal in withdrawals
              if withdrawal.is_closed and withdrawal.request_id is not None}
    if not counting <= closed or len(counting) != len(remembered) or len(
            counting) != min(len(closed), REMEMBERED_MAX):
        faults.append(f"user {uid}: {len(counting)} of {len(closed)} closed request ids count")
    return faults


def ids_in(packed: bytearray) -> memoryview:
    """The numbers of an index. To be let go before the index grows."""
    return memoryview(packed).cast(ID.format[-1])


def packed(withdrawal: Withdrawal) -> bytes:
    """A withdrawal without its id, as bytes."""
    address = withdrawal.address.encode()
    txid = (withdrawal.txid or "").encode()
    request_id = (withdrawal.request_id or "").encode()
    head = HEAD.pack(withdrawal.uid, withdrawal.coin, withdrawal.status, withdrawal.whole,
                     withdrawal.amount, withdrawal.fee, withdrawal.requested_ns,
                     len(address), len(txid), len(request_id))
    return head + address + txid + request_id


def unpacked(number: int, record: bytes) -> Withdrawal:
    """What `packed` gave, as a withdrawal again; ValueError where a record is cut off."""
    if len(record) < HEAD.size:
        raise ValueError(f"withdrawal {number}: {len(record)} bytes are too few")
    uid, coin, status, whole, amount, fee, requested_ns, *lengths = HEAD.unpack_from(record)
    if len(record) != HEAD.size + sum(lengths):
        raise ValueError(f"withdrawal {number}: {len(record)} bytes, its texts {lengths}")
    address_end = HEAD.size + lengths[0]
    txid_end = address_end + lengths[1]
    address = record[HEAD.size:address_end].decode()
    txid = record[address_end:txid_end].decode()
    request_id = record[txid_end:].decode()
    return Withdrawal(number, uid, coin, amount, fee, address, status, txid or None, requested_ns,
                      request_id or None, bool(whole))


def record_of(number: int, record: bytes) -> bytes:
    """What the running hash takes of a withdrawal: its id, and what `packed` gave."""
    return number.to_bytes(8, "little") + record
