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

from cpython.bytearray cimport (
    PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8String
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

import enum
import struct
from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain, islice

from ledger.digests import RunningHash, hash_of
from ledger.signed_transactions import SignedTransaction, SignedTransactions
from ledger.signed_transactions import record_of as transaction_record

REMEMBERED_MAX = 10_000
OPEN_PER_USER_MAX = 1_000
ID = struct.Struct("=Q")            # of ID_BYTES

# What a record begins with; the texts follow, without a byte for those that are not there.
cdef packed struct Head:
    uint32_t uid
    uint16_t coin
    uint8_t status
    uint8_t whole
    int64_t amount
    int64_t fee
    int64_t requested_ns
    uint16_t address_bytes
    uint16_t txid_bytes
    uint8_t request_id_bytes


class Status(enum.IntEnum):
    """The numbers of engine.codes.WithdrawalStatus."""
    REQUESTED = 1
    APPROVED = 2
    FINISHED = 3
    REJECTED = 4
    SIGNED = 5


cdef enum:
    ID_BYTES = 8
    REQUESTED = 1
    APPROVED = 2
    FINISHED = 3
    REJECTED = 4
    SIGNED = 5


cdef class Withdrawal:
    def __init__(self, uint64_t id, uint32_t uid, uint32_t coin, int64_t amount, int64_t fee,
                 str address not None, int status, str txid, int64_t requested_ns,
                 str request_id, bint whole):
        self.id, self.uid, self.coin, self.amount, self.fee = id, uid, coin, amount, fee
        self.address, self.status, self.txid = address, status, txid
        self.requested_ns, self.request_id, self.whole = requested_ns, request_id, whole

    @property
    def is_closed(self):
        return self.status == FINISHED or self.status == REJECTED

    def view(self):
        """What is shown of it."""
        return {"id": self.id, "uid": self.uid, "coin": self.coin, "amount": self.amount,
                "fee": self.fee, "address": self.address, "status": self.status, "txid": self.txid,
                "requested_ns": self.requested_ns, "request_id": self.request_id}

    def __eq__(self, other):
        return (type(other) is Withdrawal and self.view() == other.view()
                and self.whole == other.whole)

    def __repr__(self):
        return f"Withdrawal({self.view()}, whole={self.whole})"


cdef class UserWithdrawals:
    """One user's index."""

    def __init__(self, bytearray ids not None):
        self.ids = ids


cdef class Withdrawals:
    """All withdrawals of a house. Ids are given out from 1, without gaps."""

    def __init__(self):
        self._hash = RunningHash()
        self.signed = SignedTransactions(self._hash)
        self._open, self._packed = {}, []
        self._by_user, self._by_request_id = {}, {}

    def __len__(self):
        return len(self._packed)

    def get(self, withdrawal_id):
        """The withdrawal of that id, or None. A closed one's object is a copy."""
        if not 1 <= withdrawal_id <= len(self._packed):
            return None
        packed = self._packed[withdrawal_id - 1]
        return self._open[withdrawal_id] if packed is None else unpacked(withdrawal_id, packed)

    def by_request_id(self, uid, request_id):
        """The one that bears it, among the user's open and last REMEMBERED_MAX closed ones."""
        found = self._by_request_id.get(request_id)
        if type(found) is dict:
            found = (<dict> found).get(uid)
        elif found is not None and self.uid_of(found) != uid:
            found = None
        return None if found is None else self.get(found)

    cpdef uint32_t open_count(self, uint32_t uid) except? 0xFFFFFFFF:
        cdef UserWithdrawals own = self._by_user.get(uid)
        return own.open_count if own is not None else 0

    def open_ones(self):
        """Those whose amount is frozen, in order of their ids."""
        return iter(self._open.values())

    def approved(self, coin):
        """The approved ones of a coin, in order of their ids."""
        return (one for one in self.open_ones()
                if one.status == Status.APPROVED and one.coin == coin)

    def holds(self):
        """What they freeze: (uid, coin, units) of each open one."""
        return ((one.uid, one.coin, one.amount) for one in self.open_ones())

    def of_user(self, uid, coin=0, before=None, limit=100):
        """A user's, newest first: of one coin (0: any), with ids below `before`."""
        own = self._by_user.get(uid)
        # A copy: as long as the index itself is looked at, it cannot grow.
        ids = list(ids_in(own.ids)) if own is not None else []
        end = len(ids) if before is None else bisect_left(ids, before)
        found = (self.get(ids[place]) for place in range(end - 1, -1, -1))
        return list(islice((one for one in found if coin in (0, one.coin)), limit))

    def listed(self, status=0, before=None, limit=100):
        """All users', newest first: of one status (0: any), with ids below `before`."""
        end = len(self._packed) if before is None else min(before - 1, len(self._packed))
        ids = range(end, 0, -1)
        if status in (Status.REQUESTED, Status.APPROVED, Status.SIGNED):
            ids = (number for number in reversed(self._open) if number <= end)
        found = (self.get(number) for number in ids)
        return list(islice((one for one in found if status in (0, one.status)), limit))

    def request(self, uint32_t uid, uint32_t coin, int64_t amount, int64_t fee, str address,
                int64_t requested_ns, str request_id, bint whole):
        """Note the next withdrawal; amount and fee in units. The request id must be free."""
        return self.insert(Withdrawal(len(self._packed) + 1, uid, coin, amount, fee, address,
                                      REQUESTED, None, requested_ns, request_id, whole))

    cpdef Withdrawal request_approved(self, uint32_t uid, uint32_t coin, int64_t amount,
                                      int64_t fee, str address, int64_t requested_ns,
                                      str request_id):
        """As `request` of a named amount, then `approve`; packed and hashed once."""
        return self.insert(Withdrawal(len(self._packed) + 1, uid, coin, amount, fee, address,
                                      APPROVED, None, requested_ns, request_id, False))

    def approve(self, Withdrawal withdrawal not None):
        self.change(withdrawal, APPROVED, None)

    def sign(self, list withdrawals not None, str txid, bytes transaction):
        """Approved ones of one coin are paid by this transaction, whose txid is not in use."""
        ids = tuple(withdrawal.id for withdrawal in withdrawals)
        self.signed.add(SignedTransaction(txid, withdrawals[0].coin, ids, transaction, len(ids)))
        for withdrawal in withdrawals:
            self.change(withdrawal, SIGNED, txid)

    def unsign(self, txid):
        """Give up a transaction none of whose withdrawals is finished: all are approved again.
        Their ids; KeyError where there is no such transaction."""
        ids = self.signed.remove(txid).ids
        for number in ids:
            self.change(self._open[number], APPROVED, None)
        return ids

    def finish(self, Withdrawal withdrawal not None, str txid):
        """It has been paid; a signed one by the transaction that was signed."""
        if withdrawal.status == Status.SIGNED:
            self.signed.finish_one(withdrawal.txid)
        self.close(withdrawal, FINISHED, txid)

    def reject(self, Withdrawal withdrawal not None):
        self.close(withdrawal, REJECTED, None)

    cdef Withdrawal insert(self, Withdrawal withdrawal):
        """Append an open withdrawal to all indexes."""
        cdef UserWithdrawals own
        number = withdrawal.id
        if withdrawal.request_id is not None:
            self.name(withdrawal.request_id, withdrawal.uid, number)
        own = self.own_of(withdrawal.uid)
        append_id(own.ids, number)
        own.open_count += 1
        self._packed.append(None)
        self._open[number] = withdrawal
        self._hash.add(record_of(withdrawal))
        return withdrawal

    cdef UserWithdrawals own_of(self, uint32_t uid):
        """A user's index, a fresh one for the first withdrawal."""
        own = self._by_user.get(uid)
        if own is None:
            own = self._by_user[uid] = UserWithdrawals(bytearray())
        return own

    cdef int change(self, Withdrawal withdrawal, int status, str txid) except -1:
        self._hash.remove(record_of(withdrawal))
        withdrawal.status = status
        withdrawal.txid = txid
        self._hash.add(record_of(withdrawal))
        return 0

    def digest(self):
        """The running hash. O(1)."""
        return self._hash.digest()

    cdef int close(self, Withdrawal withdrawal, int status, str txid) except -1:
        cdef UserWithdrawals own = self._by_user[withdrawal.uid]
        self.change(withdrawal, status, txid)
        del self._open[withdrawal.id]
        self._packed[withdrawal.id - 1] = packed(withdrawal)
        own.open_count -= 1
        if withdrawal.request_id is None:
            return 0
        if own.remembered is None:
            own.remembered = bytearray()
        append_id(own.remembered, withdrawal.id)
        if len(own.remembered) > REMEMBERED_MAX * ID.size:
            forgotten = self.get(*ID.unpack_from(own.remembered))
            del own.remembered[:ID.size]
            self.forget(forgotten.request_id, forgotten.uid)
        return 0

    cdef int name(self, str request_id, uint32_t uid, number) except -1:
        """Let a user's request id name a withdrawal; ValueError where it names another."""
        found = self._by_request_id.get(request_id)
        if found is None:
            self._by_request_id[request_id] = number
            return 0
        if type(found) is not dict:
            found = self._by_request_id[request_id] = {self.uid_of(found): found}
        if (<dict> found).setdefault(uid, number) != number:
            raise ValueError(f"withdrawal {number}: its request id is taken")
        return 0

    cdef int forget(self, str request_id, uint32_t uid) except -1:
        """A user's request id counts no more."""
        found = self._by_request_id[request_id]
        if type(found) is dict:
            del (<dict> found)[uid]
        if type(found) is not dict or not found:
            del self._by_request_id[request_id]
        return 0

    cdef uint32_t uid_of(self, number) except? 0xFFFFFFFF:
        """Whose a withdrawal is that is there."""
        record = self._packed[number - 1]
        if record is None:
            return (<Withdrawal?> self._open[number]).uid
        return (<const Head*> PyBytes_AS_STRING(record)).uid

    def dump(self):
        """Records by id; for each user which closed ones' request ids still count, in order; the
        signed transactions."""
        records = [packed(self._open[number]) if record is None else record
                   for number, record in enumerate(self._packed, 1)]
        remembered = [[uid, list(ids_in(own.remembered or b""))]
                      for uid, own in self._by_user.items()]
        return [records, remembered, self.signed.dump()]

    @staticmethod
    def load(dumped):
        """What `dump` gave, as withdrawals again; ValueError where it contradicts itself."""
        cdef Withdrawals withdrawals = Withdrawals()
        cdef Withdrawal withdrawal
        cdef UserWithdrawals own
        # A dump from before there were signed transactions has no third part.
        records, remembered, *rest = dumped
        withdrawals.signed = SignedTransactions.load(rest[0] if rest else [], withdrawals._hash)
        by_user = withdrawals._by_user
        for uid, ids in remembered:
            own = by_user[uid] = UserWithdrawals(bytearray())
            own.remembered = bytearray(b"".join(map(ID.pack, ids))) if ids else None
        counting = {number for _, ids in remembered for number in ids}
        for number, record in enumerate(records, 1):
            withdrawal = unpacked(number, record)
            if withdrawal.uid not in by_user:
                raise ValueError(f"withdrawal {number}: user {withdrawal.uid} is missing")
            own = by_user[withdrawal.uid]
            append_id(own.ids, number)
            withdrawals._hash.add(record_of(withdrawal))
            if withdrawal.request_id is not None and (
                    not withdrawal.is_closed or number in counting):
                withdrawals.name(withdrawal.request_id, withdrawal.uid, number)
            if withdrawal.is_closed:
                withdrawals._packed.append(record)
            else:
                own.open_count += 1
                withdrawals._packed.append(None)
                withdrawals._open[number] = withdrawal
        return withdrawals

    def check(self):
        """What is wrong, empty when every invariant holds. O(withdrawals)."""
        faults = []
        by_user = {}
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
                map(record_of, map(self.get, range(1, len(self._packed) + 1))),
                map(transaction_record, self.signed))):
            faults.append("the running hash of the withdrawals is not that of their records")
        faults += self.signed.check() + self._signed_faults()
        if len(self._open) != self._packed.count(None):
            faults.append(f"{len(self._open)} are open, {self._packed.count(None)} not packed")
        if list(by_user) != list(self._by_user):
            faults.append(f"users {list(self._by_user)}, but withdrawals of {list(by_user)}")
        named = self._named(by_user)
        for uid, own in self._by_user.items():
            faults += user_faults(uid, own, named.pop(uid, {}), by_user.get(uid, []))
        return faults + [f"user {uid}: request ids {own}, but no withdrawal"
                         for uid, own in named.items()]

    def _named(self, by_user):
        """{uid: {request id: withdrawal's id}} of the request ids that count, given withdrawals by
        uid; part of `check`."""
        owners = {withdrawal.id: uid for uid, own in by_user.items() for withdrawal in own}
        named = {}
        for request_id, found in self._by_request_id.items():
            of_users = found if type(found) is dict else {owners.get(found, 0): found}
            for uid, number in of_users.items():
                named.setdefault(uid, {})[request_id] = number
        return named

    def _signed_faults(self):
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


cdef list user_faults(uid, UserWithdrawals own, dict named, list withdrawals):
    """What is wrong with a user's index and request ids, given the user's withdrawals in order."""
    faults = []
    ids, remembered = list(ids_in(own.ids)), list(ids_in(own.remembered or b""))
    if ids != [withdrawal.id for withdrawal in withdrawals]:
        faults.append(f"user {uid}: index {ids}")
    if own.open_count != sum(not withdrawal.is_closed for withdrawal in withdrawals):
        faults.append(f"user {uid}: {own.open_count} are said to be open")
    counting = set(remembered)
    expected = {withdrawal.request_id: withdrawal.id for withdrawal in withdrawals
                if withdrawal.request_id is not None
                and (not withdrawal.is_closed or withdrawal.id in counting)}
    if named != expected:
        faults.append(f"user {uid}: request ids {named}, not {expected}")
    closed = {withdrawal.id for withdrawal in withdrawals
              if withdrawal.is_closed and withdrawal.request_id is not None}
    if not counting <= closed or len(counting) != len(remembered) or len(
            counting) != min(len(closed), REMEMBERED_MAX):
        faults.append(f"user {uid}: {len(counting)} of {len(closed)} closed request ids count")
    return faults


cdef int append_id(bytearray ids, uint64_t number) except -1:
    cdef Py_ssize_t end = PyByteArray_GET_SIZE(ids)
    PyByteArray_Resize(ids, end + ID_BYTES)
    memcpy(PyByteArray_AS_STRING(ids) + end, &number, ID_BYTES)
    return 0


cdef object ids_in(packed):
    """The numbers of an index. To be let go before the index grows."""
    return memoryview(packed).cast("Q")


cdef inline bytes utf8_of(str text):
    """A text's bytes, none where it is None; a text that gave its own would keep them forever."""
    return b"" if text is None else PyUnicode_AsUTF8String(text)


cpdef bytes record_of(Withdrawal its):
    """What the running hash takes of a withdrawal: its id in 8 bytes, and what `packed` gives.

    OverflowError where a text is too long to be told.
    """
    cdef Head head
    cdef bytes address = utf8_of(its.address)
    cdef bytes txid = utf8_of(its.txid)
    cdef bytes request_id = utf8_of(its.request_id)
    cdef Py_ssize_t address_bytes = PyBytes_GET_SIZE(address)
    cdef Py_ssize_t txid_bytes = PyBytes_GET_SIZE(txid)
    cdef Py_ssize_t request_id_bytes = PyBytes_GET_SIZE(request_id)
    cdef bytes record
    cdef char* at
    if address_bytes > 0xFFFF or txid_bytes > 0xFFFF or request_id_bytes > 0xFF:
        raise OverflowError(f"withdrawal {its.id}: a text is too long")
    head.uid, head.coin, head.status, head.whole = its.uid, its.coin, its.status, its.whole
    head.amount, head.fee, head.requested_ns = its.amount, its.fee, its.requested_ns
    head.address_bytes, head.txid_bytes = address_bytes, txid_bytes
    head.request_id_bytes = request_id_bytes
    record = PyBytes_FromStringAndSize(
        NULL, ID_BYTES + sizeof(Head) + address_bytes + txid_bytes + request_id_bytes)
    at = PyBytes_AS_STRING(record)
    memcpy(at, &its.id, ID_BYTES)
    at += ID_BYTES
    memcpy(at, &head, sizeof(Head))
    at += sizeof(Head)
    memcpy(at, PyBytes_AS_STRING(address), address_bytes)
    memcpy(at + address_bytes, PyBytes_AS_STRING(txid), txid_bytes)
    memcpy(at + address_bytes + txid_bytes, PyBytes_AS_STRING(request_id), request_id_bytes)
    return record


def packed(Withdrawal withdrawal not None):
    """A withdrawal without its id, as bytes."""
    return record_of(withdrawal)[ID_BYTES:]


def unpacked(uint64_t number, bytes record not None):
    """What `packed` gave, as a withdrawal again; ValueError where a record is cut off."""
    cdef const Head* head = <const Head*> PyBytes_AS_STRING(record)
    cdef Py_ssize_t address_end, txid_end
    if <size_t> len(record) < sizeof(Head):
        raise ValueError(f"withdrawal {number}: {len(record)} bytes are too few")
    address_end = sizeof(Head) + head.address_bytes
    txid_end = address_end + head.txid_bytes
    if len(record) != txid_end + head.request_id_bytes:
        raise ValueError(f"withdrawal {number}: {len(record)} bytes, its texts end at "
                         f"{txid_end + head.request_id_bytes}")
    return Withdrawal(number, head.uid, head.coin, head.amount, head.fee,
                      record[sizeof(Head):address_end].decode(), head.status,
                      record[address_end:txid_end].decode() or None, head.requested_ns,
                      record[txid_end:].decode() or None, head.whole)
