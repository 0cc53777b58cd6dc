"""Client ids: which order of a user bears which id of his own, so that a repeat is known.

Invariants (`check`): an id names one order of its user; a user keeps the ids of his open orders and
of the last 10,000 closed ones that had an id; the running hash is that of all records.
"""

from dataclasses import dataclass

import msgpack

from ledger.digests import RunningHash, hash_of

CLOSED_MAX = 10_000


@dataclass(slots=True)
class Named:
    """One order with a client id.

    `status`, `filled`, `remaining` are set when it closes; until then the order knows.
    """

    order_id: int
    fields: bytes
    status: int = 0
    filled: int = 0
    remaining: int = 0

    def record(self, uid: int, client_id: str) -> bytes:
        """All there is to know, for the running hash."""
        return msgpack.packb([uid, client_id, self.order_id, self.fields, self.status, self.filled,
                              self.remaining])


class ClientIds:
    """The client ids of all users."""

    def __init__(self) -> None:
        self._named: dict[int, dict[str, Named]] = {}    # uid -> client id -> order
        self._closed: dict[int, dict[str, None]] = {}    # uid -> ids of closed orders, oldest first
        self._open: dict[int, tuple[int, str]] = {}      # order id -> (uid, client id)
        self._hash = RunningHash()

    def find(self, uid: int, client_id: str) -> Named | None:
        named = self._named.get(uid)
        return None if named is None else named.get(client_id)

    def of_order(self, order_id: int) -> str | None:
        """The client id of an open order."""
        entry = self._open.get(order_id)
        return None if entry is None else entry[1]

    def add(self, uid: int, client_id: str, order_id: int, fields: bytes) -> None:
        """An order with a new id was accepted; `fields` are those a repetition must have too."""
        named = self._named.setdefault(uid, {})[client_id] = Named(order_id, fields)
        self._open[order_id] = (uid, client_id)
        self._hash.add(named.record(uid, client_id))

    def close(self, order_id: int, status: int, filled: int, remaining: int) -> None:
        """An order with an id closed; of too many closed ids its user's oldest goes."""
        uid, client_id = self._open.pop(order_id)
        named = self._named[uid][client_id]
        self._hash.remove(named.record(uid, client_id))
        named.status, named.filled, named.remaining = status, filled, remaining
        self._hash.add(named.record(uid, client_id))
        closed = self._closed.setdefault(uid, {})
        closed[client_id] = None
        if len(closed) > CLOSED_MAX:
            oldest = next(iter(closed))
            del closed[oldest]
            self._hash.remove(self._named[uid].pop(oldest).record(uid, oldest))

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._hash.digest()

    def dump(self) -> list:
        return [
            [uid, [[client_id, n.order_id, n.fields, n.status, n.filled, n.remaining]
                   for client_id, n in named.items()],
             list(self._closed.get(uid, ()))]
            for uid, named in self._named.items()
        ]

    @classmethod
    def load(cls, dumped: list) -> "ClientIds":
        ids = cls()
        for uid, named, closed in dumped:
            ids._named[uid] = {client_id: Named(*fields) for client_id, *fields in named}
            if closed:
                ids._closed[uid] = dict.fromkeys(closed)
            for client_id, entry in ids._named[uid].items():
                ids._hash.add(entry.record(uid, client_id))
                if not entry.status:
                    ids._open[entry.order_id] = (uid, client_id)
        return ids

    def check(self, open_order_ids: set[int]) -> list[str]:
        """What is wrong, given the ids of all open orders that have a client id."""
        faults = []
        if open_order_ids != set(self._open):
            faults.append(f"open orders with a client id: {sorted(open_order_ids)[:9]},"
                          f" known {sorted(self._open)[:9]}")
        if self.digest() != hash_of(entry.record(uid, client_id) for uid, named in
                                    self._named.items() for client_id, entry in named.items()):
            faults.append("the running hash of the client ids is not that of their records")
        for uid, named in self._named.items():
            closed = sum(1 for entry in named.values() if entry.status)
            if closed != len(self._closed.get(uid, ())) or closed > CLOSED_MAX:
                faults.append(f"user {uid}: {closed} closed ids,"
                              f" {len(self._closed.get(uid, ()))} listed")
        return faults
