"""Applies batches of commands to the state, and shows, dumps, loads, hashes and checks that state.

It reads no clock, no configuration, no random numbers: the same commands at the same sequence
numbers and times give the same bytes. A batch is either malformed, and then nothing of it is
applied, or each of its commands gets its result.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memset

import struct

import msgpack
import xxhash

from engine.ahead cimport Ahead, ahead_start, ahead_step
from engine.book cimport ASKS, BIDS, OrderBook
from engine.codes cimport (
    ADD_COIN, ADD_SHARES, AMEND_ORDER, BAD_COMMAND, BAD_TIME, CANCEL_ALL, CANCEL_ORDER,
    HAS_CLIENT_ID, IOC, ISSUANCE, MARKET, OK, PLACE_ORDER, SELL, TRADE,
)
from engine.commands cimport (
    AddShares, AmendOrder, CancelAll, CancelOrder, ColdCommand, PlaceOrder)
from engine.events cimport Event
from engine.orders cimport BY_QUOTE, WAITING_STOP, Order, Orders, OrderTable, order_slot
from engine.pair cimport Pair, hold_of, remaining_of, status_of
from kline.bars cimport Bars
from pool.ore cimport Miners
from pool.shares cimport Refusal
from pool.workers cimport Workers

from engine.client_ids import ClientIds
from engine.codes import Result
from engine.faults import account_faults, settlement_faults, share_faults
from engine.halt import Halt
from engine.handlers import FIELDS, HANDLERS
from engine.handlers.schema import fits
from engine.views import OrderView
from ledger.codes import Codes
from ledger.contacts import Contacts
from ledger.credentials import Credentials
from ledger.deposits import Deposits
from ledger.freezes import Freezes
from ledger.listings import Coins, Pairs
from ledger.nonces import Nonces
from ledger.pay_tries import PayTries
from ledger.request_ids import RequestIds
from ledger.sessions import Sessions
from ledger.users import Users
from ledger.withdrawals import Withdrawals
from pool.networks import Networks
from pool.observers import Observers
from pool.settlements import Settlements
from pool.share_sources import ShareSources
from pool.shares import Reason
from pool.subaccounts import SubAccounts

cdef enum:
    # From how many orders or users on to read ahead (engine/ahead): below that all is in the
    # caches anyway.
    LARGE_ORDERS = 1 << 14
    LARGE_USERS = 1 << 16

cdef enum:
    NS_PER_S = 1_000_000_000
    REASONS_MAX = 16
    LAST_S = 0xFFFFFFFF       # that a share can have as its time: in the year 2106

LAYOUT = b"orebook state 6\n"
HEAD = struct.Struct("<Qq")           # seq, ts_ns
PART_HEAD = struct.Struct("<HQ")      # bytes of a part's name, bytes of the part
CHECKSUM_BYTES = 16
STORES = {
    "coins": Coins, "pairs": Pairs, "users": Users, "sessions": Sessions, "codes": Codes,
    "pay_tries": PayTries, "credentials": Credentials, "nonces": Nonces, "deposits": Deposits,
    "withdrawals": Withdrawals, "freezes": Freezes, "request_ids": RequestIds,
    "contacts": Contacts, "sub_accounts": SubAccounts, "observers": Observers,
    "networks": Networks, "share_sources": ShareSources, "settlements": Settlements,
}
RUNNING_HASHES = frozenset({"users", "sessions", "pay_tries", "nonces", "deposits", "withdrawals",
                            "freezes", "request_ids", "contacts", "sub_accounts", "observers",
                            "networks", "share_sources", "settlements"})
# What a refused batch of shares is answered with; the names of all others are the same.
SHARE_RESULTS = {
    Reason.MALFORMED: Result.BAD_COMMAND, Reason.BAD_COIN: Result.NO_NETWORK,
    Reason.TOO_LARGE: Result.AMOUNT_TOO_LARGE,
}
cdef uint16_t[REASONS_MAX] share_results
for reason in Reason:
    share_results[<int> reason] = SHARE_RESULTS.get(reason) or Result[reason.name]


cdef class Outcome:

    def __init__(self, RecordBuffer results, RecordBuffer events, dict values, Py_ssize_t count):
        self.results = results
        self.events = events
        self.values = values
        self.count = count


cdef Py_ssize_t count_commands(const char* at, Py_ssize_t size) except -1:
    """How many records a batch has; ValueError where they do not fill it exactly."""
    cdef const char* end = at + size
    cdef Py_ssize_t count = 0
    cdef uint32_t step
    while at < end:
        step = (<const Head*> at).size if end - at >= <Py_ssize_t> sizeof(Head) else 0
        if step < sizeof(Head) or step & 7 or step > end - at:
            raise ValueError(f"command {count} of the batch is no whole record")
        at += step
        count += 1
    return count


cdef inline const Head* next_of(const Head* head) noexcept nogil:
    return <const Head*> (<const char*> head + head.size)


cdef class Core:
    """The state of a house. `Core()` is empty: no coin, no pair, no user."""

    def __init__(self):
        self.result_buffers = BufferPool(sizeof(ResultRow))
        self.event_buffers = BufferPool(sizeof(Event))
        self.accounts = Accounts()
        self.miners = Miners()
        self.workers = Workers()
        self.exchange = Exchange(self.accounts, Orders())
        self.set_stores({name: store() for name, store in STORES.items()})

    # -- commands ----------------------------------------------------------------------------------

    def apply(self, bytes commands not None, uint64_t first_seq, int64_t ts_ns):
        """Apply a batch of records (docs/core.md).

        ValueError, and nothing applied, where it is malformed, out of order or back in time.
        """
        cdef const char* start = PyBytes_AS_STRING(commands)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(commands)
        cdef Py_ssize_t count = count_commands(start, size)
        cdef dict values = {}
        cdef RecordBuffer results
        if first_seq != self.seq + 1:
            raise ValueError(f"the batch starts at {first_seq}, the last command was {self.seq}")
        if ts_ns < self.ts_ns:
            raise ValueError(f"time goes back from {self.ts_ns} to {ts_ns}")
        results = self.result_buffers.take()
        results.reserve(count)
        results.count = count
        memset(results.base, 0, <size_t> count * sizeof(ResultRow))
        self.exchange.events = self.event_buffers.take()
        self.exchange.ts_ns = ts_ns
        self.ts_ns = ts_ns
        self.apply_hot(<const Head*> start, <const Head*> (start + size),
                       <ResultRow*> results.base, values)
        outcome = Outcome(results, self.exchange.events, values, count)
        self.exchange.events = None
        return outcome

    cdef int apply_hot(self, const Head* first, const Head* end, ResultRow* rows,
                       dict values) except -1:
        """The one dispatch of commands; in a large state it reads ahead."""
        cdef Exchange exchange = self.exchange
        cdef const Head* head = first
        cdef Ahead ahead
        cdef bint large = (self.reads_ahead or exchange.orders.table.used > LARGE_ORDERS
                           or exchange.accounts.user_count > LARGE_USERS)
        cdef ResultRow* row = rows
        cdef uint16_t kind
        if large:
            ahead_start(&ahead, first, end)
        while head < end:
            if large:
                ahead_step(&ahead, exchange, self.seq + 1)
            kind = head.kind
            self.seq += 1
            row.code = BAD_COMMAND
            if kind == PLACE_ORDER:
                if head.size >= sizeof(PlaceOrder):
                    exchange.place(<const PlaceOrder*> head, self.seq, row)
            elif kind == AMEND_ORDER:
                if head.size >= sizeof(AmendOrder):
                    exchange.amend(<const AmendOrder*> head, self.seq, row)
            elif kind == CANCEL_ORDER:
                if head.size >= sizeof(CancelOrder):
                    exchange.cancel(<const CancelOrder*> head, self.seq, row)
            elif kind == CANCEL_ALL:
                if head.size >= sizeof(CancelAll):
                    exchange.cancel_all(<const CancelAll*> head, self.seq, row)
            elif kind == ADD_SHARES:
                if head.size >= sizeof(AddShares):
                    self.add_shares(<const AddShares*> head, row)
            elif kind >= ADD_COIN and head.size >= sizeof(ColdCommand):
                self.apply_cold(head, row, values, row - rows)
            head = next_of(head)
            row += 1
        return 0

    cdef int add_shares(self, const AddShares* command, ResultRow* row) except -1:
        """A batch of shares as a whole, once where its source numbers its batches."""
        cdef uint16_t source = command.head.pair
        cdef const char* batch = <const char*> command + sizeof(AddShares)
        cdef size_t size = command.head.size - sizeof(AddShares)
        cdef int64_t now_s = self.ts_ns // NS_PER_S
        cdef int64_t ts_s = min(now_s, <int64_t> LAST_S)
        cdef bytearray flags = self.sub_accounts.flags
        cdef Refusal refusal
        if (source == 0) != (command.batch == 0):
            return 0
        if source != 0 and command.batch <= self.share_sources.last(source):
            row.code = OK
            row.duplicate = 1
            return 0
        refusal = self.workers.check_batch(
            batch, size, ts_s, <const uint8_t*> PyByteArray_AS_STRING(flags),
            <uint32_t> PyByteArray_GET_SIZE(flags))
        row.code = share_results[refusal.reason]
        if row.code != OK:
            row.count = refusal.place
            return 0
        if now_s > ts_s:
            row.code = BAD_TIME
            return 0
        row.count = (<const uint32_t*> batch)[1]
        self.workers.apply_batch(batch, size, ts_s)
        if source != 0:
            self.share_sources.take(source, command.batch)
        return 0

    cdef int apply_cold(self, const Head* head, ResultRow* row, dict values,
                        Py_ssize_t index) except -1:
        """Unpack a cold command, check its fields' types, and let its handler answer."""
        cdef const ColdCommand* command = <const ColdCommand*> head
        cdef const char* payload = <const char*> command + sizeof(ColdCommand)
        if command.length > head.size - sizeof(ColdCommand):
            return 0
        handler = HANDLERS.get(head.kind)
        if handler is None:
            return 0
        try:
            args = msgpack.unpackb(payload[:command.length])
        except (ValueError, msgpack.exceptions.UnpackException):
            return 0
        if not fits(args, FIELDS[head.kind]):
            return 0
        answer = handler(self, self.ts_ns, self.seq, args)
        if type(answer) is tuple:
            code, value = answer
            values[index] = value
        else:
            code = answer
        row.code = code
        return 0

    cdef int set_stores(self, dict stores) except -1:
        self.coins, self.pairs, self.users = stores["coins"], stores["pairs"], stores["users"]
        self.sessions, self.codes = stores["sessions"], stores["codes"]
        self.nonces, self.pay_tries = stores["nonces"], stores["pay_tries"]
        self.credentials = stores["credentials"]
        self.deposits, self.withdrawals = stores["deposits"], stores["withdrawals"]
        self.freezes, self.request_ids = stores["freezes"], stores["request_ids"]
        self.contacts, self.sub_accounts = stores["contacts"], stores["sub_accounts"]
        self.observers, self.networks = stores["observers"], stores["networks"]
        self.share_sources, self.settlements = stores["share_sources"], stores["settlements"]
        return 0

    # -- what handlers ask for ---------------------------------------------------------------------

    def open_coin(self, number):
        """Accounts for a coin that was just listed."""
        self.accounts.open_coin(number)

    def open_pair(self, listing):
        """A book and bars for a pair (ledger.listings.Pair) that was just listed."""
        self.exchange.open_pair(listing, OrderBook(), Bars())

    def open_user(self, uid):
        """Balances and an order list for a user who was just registered."""
        self.exchange.open_user(uid)

    def set_pair_status(self, number, status):
        self.exchange.set_pair_status(number, status)

    @property
    def limits(self):
        """The limits that commands set: `open_orders_per_user` (0: none)."""
        return {"open_orders_per_user": self.exchange.open_orders_per_user}

    def set_limits(self, open_orders_per_user):
        self.exchange.open_orders_per_user = open_orders_per_user

    def sell_at_market(self, uint32_t uid, uint32_t pair, int64_t lots):
        """Sell lots of a user's by a market order whose id is the running command's seq.

        (code, lots filled, units of quote that they brought, net of the fee). Once a command.
        """
        cdef PlaceOrder order
        cdef ResultRow row
        cdef Py_ssize_t at = self.exchange.events.count
        cdef const Event* event
        memset(&order, 0, sizeof(PlaceOrder))
        memset(&row, 0, sizeof(ResultRow))
        order.head.size = sizeof(PlaceOrder)
        order.head.kind = PLACE_ORDER
        order.head.pair = <uint16_t> pair
        order.user = uid
        order.side, order.type, order.tif = SELL, MARKET, IOC
        order.qty = lots
        self.exchange.place(&order, self.seq, &row)
        # Not the change of what is available: orders of the user's that it met or triggered
        # change that too.
        money = 0
        while at < self.exchange.events.count:
            event = <const Event*> self.exchange.events.base + at
            if event.kind == TRADE and event.order_id == self.seq:
                money += (event.price * event.qty * self.exchange.pairs[pair].quote_unit
                          - event.taker_fee)
            at += 1
        return row.code, row.filled, money

    # -- reading -----------------------------------------------------------------------------------

    def balance(self, uid, coin):
        """(available, frozen) in units."""
        return self.accounts.available(uid, coin), self.accounts.frozen(uid, coin)

    def house(self, account, coin):
        """Units on a house account (codes.HouseAccount) of a coin."""
        return self.accounts.house(account, coin)

    def depth(self, uint32_t pair, Py_ssize_t levels):
        """(bids, asks) of a pair, each a list of (price, qty), best first."""
        cdef OrderBook book = self.exchange.books[self.known_pair(pair)]
        return book.depth(BIDS, levels), book.depth(ASKS, levels)

    def bars(self, uint32_t pair):
        """The bars, ticker and last trades of a pair."""
        return self.exchange.bars[self.known_pair(pair)]

    def known_pair(self, uint32_t pair):
        """The number of a listed pair; IndexError for another."""
        if not 1 <= pair <= self.exchange.pair_count:
            raise IndexError(f"there is no pair {pair}")
        return pair

    def order(self, uint64_t order_id):
        """An open order, or None."""
        cdef uint32_t slot = order_slot(&self.exchange.orders.table, order_id)
        return None if slot == 0 else self.view(slot)

    def open_orders(self, uint32_t uid, uint32_t pair=0, uint64_t before=0, Py_ssize_t limit=-1):
        """A user's open orders, newest first, of one pair or (0) of all.

        `before` leaves out all but those with smaller ids, `limit` (-1: none) all behind so many.
        """
        cdef OrderTable* table = &self.exchange.orders.table
        cdef uint32_t slot
        views = []
        if not 1 <= uid <= self.accounts.user_count:
            raise IndexError(f"there is no user {uid}")
        slot = order_slot(table, before) if before != 0 else 0
        if slot != 0 and table.orders[slot].user == uid:
            slot = table.orders[slot].older
        else:
            slot = table.users[uid].newest
            while slot != 0 and before != 0 and table.orders[slot].id >= before:
                slot = table.orders[slot].older
        while slot != 0 and limit != 0:
            if pair == 0 or table.orders[slot].pair == pair:
                views.append(self.view(slot))
                limit -= 1
            slot = table.orders[slot].older
        return views

    def client_order(self, uid, client_id):
        """(order_id, status, filled, remaining) of the order a user gave a client id, or None.

        It is open, or among his last closed ones that had one.
        """
        named = self.exchange.client_ids.find(uid, client_id)
        if named is None:
            return None
        if named.status:
            return named.order_id, named.status, named.filled, named.remaining
        view = self.order(named.order_id)
        filled = view.qty - view.remaining if view.qty else 0
        return view.order_id, view.status, filled, view.remaining

    cdef object view(self, uint32_t slot):
        cdef Order* order = self.exchange.orders.table.orders + slot
        cdef Pair* pair = &self.exchange.pairs[order.pair]
        cdef bint waiting = order.flags & WAITING_STOP != 0
        client_id = None
        if order.flags & HAS_CLIENT_ID:
            client_id = self.exchange.client_ids.of_order(order.id)
        return OrderView(
            order.id, order.user, order.pair, order.side, order.type, order.tif, order.flags & 3,
            status_of(order), order.price, order.qty, remaining_of(order),
            pair.book.levels[order.level].price if waiting else 0,
            order.remaining if order.flags & BY_QUOTE else 0, client_id)

    # -- the state as a whole ----------------------------------------------------------------------

    def parts(self):
        """The state as named lists of buffers, always in one order: what a dump holds."""
        yield from self.live_parts()
        yield "workers", self.workers.pieces()
        yield "exchange", [msgpack.packb([
            self.exchange.trade_count, self.exchange.open_orders_per_user,
            self.exchange.client_ids.dump()])]
        for name in STORES:
            yield name, [msgpack.packb(getattr(self, name).dump())]

    def live_parts(self):
        """The part of the state that is C arrays without a running hash, as buffers over them."""
        yield "accounts", self.accounts.pieces()
        yield "miners", self.miners.pieces()
        yield "orders", self.exchange.orders.pieces()
        for number in range(1, self.exchange.pair_count + 1):
            yield f"book {number}", self.exchange.books[number].pieces()
            yield f"bars {number}", [self.exchange.bars[number].dump()]

    def state_hash(self):
        """128 bits in hex over all of the state but the last sequence number and time.

        Arrays are read where they lie, and large stores keep their hash up to date: a house of a
        million users is held up for some milliseconds, not for seconds.
        """
        state = xxhash.xxh3_128(self.workers.digest())
        for name, pieces in self.live_parts():
            state.update(f"{name} {sum(map(len, pieces))}\n".encode())
            for piece in pieces:
                state.update(piece)
        state.update(msgpack.packb([
            self.exchange.trade_count, self.exchange.open_orders_per_user,
            self.exchange.client_ids.digest()]))
        for name in STORES:
            store = getattr(self, name)
            state.update(store.digest() if name in RUNNING_HASHES else msgpack.packb(store.dump()))
        return state.hexdigest()

    def dump(self):
        """The whole state; `Core.load` gives a core that goes on exactly as this one would.

        It ends with a checksum (xxh3_128) over all before it.
        """
        pieces = [LAYOUT, HEAD.pack(self.seq, self.ts_ns)]
        for name, part in self.parts():
            pieces += [PART_HEAD.pack(len(name), sum(map(len, part))), name.encode(), *part]
        checksum = xxhash.xxh3_128()
        for piece in pieces:
            checksum.update(piece)
        pieces.append(checksum.digest())
        return b"".join(pieces)

    @staticmethod
    def load(bytes dumped not None):
        """What `dump` gave, as a core again; ValueError where it is not whole, or not ours."""
        cdef Core core = Core()
        at = len(LAYOUT) + HEAD.size
        end = len(dumped) - CHECKSUM_BYTES
        if dumped[:len(LAYOUT)] != LAYOUT:
            raise ValueError("the dump is not of this version's layout")
        # Before anything is believed: slots and levels point into memory.
        if end < at or xxhash.xxh3_128_digest(memoryview(dumped)[:end]) != dumped[end:]:
            raise ValueError(f"the dump of {len(dumped)} bytes has a wrong checksum")
        core.seq, core.ts_ns = HEAD.unpack_from(dumped, len(LAYOUT))
        parts = {}
        while at < end:
            name_length, length = PART_HEAD.unpack_from(dumped, at)
            at += PART_HEAD.size
            name = dumped[at:at + name_length].decode()
            at += name_length
            parts[name] = dumped[at:at + length]
            at += length
        core.restore(parts)
        return core

    def restore(self, parts):
        """Take over the pieces of a dump; only for `load`, on an empty core."""
        self.set_stores({name: store.load(msgpack.unpackb(parts[name], strict_map_key=False))
                         for name, store in STORES.items()})
        self.accounts = Accounts.load(parts["accounts"])
        self.miners = Miners.load(parts["miners"])
        self.workers = Workers.load(parts["workers"])
        self.exchange = Exchange(self.accounts, Orders.load(parts["orders"]))
        trade_count, open_orders_per_user, client_ids = msgpack.unpackb(parts["exchange"])
        self.exchange.trade_count = trade_count
        self.exchange.open_orders_per_user = open_orders_per_user
        self.exchange.client_ids = ClientIds.load(client_ids)
        for listing in self.pairs:
            self.exchange.open_pair(listing, OrderBook.load(parts[f"book {listing.number}"]),
                                    Bars.load(parts[f"bars {listing.number}"]))

    def check(self):
        """Raise Halt, naming every fault, unless all invariants hold. O(state)."""
        cdef Exchange exchange = self.exchange
        faults = self.accounts.check() + exchange.orders.check() + self.miners.check()
        faults += self.workers.check()
        faults += self.user_faults() + self.wallet_faults() + account_faults(self)
        faults += share_faults(self) + settlement_faults(self)
        for number in range(1, exchange.pair_count + 1):
            faults += exchange.books[number].check(exchange.orders)
            faults += exchange.bars[number].check()
        for name in STORES:
            faults += getattr(self, name).check()
        named, held = self.open_holds()
        faults += exchange.client_ids.check(named)
        for store in (self.withdrawals, self.freezes):
            for uid, coin, amount in store.holds():
                held[uid, coin] = held.get((uid, coin), 0) + amount
        # what is frozen is exactly what open orders, withdrawals and freezes hold
        for coin in range(1, self.accounts.coin_count + 1):
            for uid in range(1, self.accounts.user_count + 1):
                frozen, units = self.accounts.frozen(uid, coin), held.pop((uid, coin), 0)
                if frozen != units:
                    faults.append(f"user {uid}, coin {coin}: {frozen} frozen, {units} held")
        faults += [f"user {uid}, coin {coin}: {units} held, and no such account"
                   for (uid, coin), units in held.items()]
        if faults:
            raise Halt("; ".join(faults))

    def user_faults(self):
        """Users and coins have accounts, sessions and tries have users, who may log in where it is
        a session; part of `check`."""
        accounts = self.accounts.user_count, self.accounts.coin_count
        faults = []
        if accounts != (len(self.users), len(self.coins)):
            faults.append(f"{len(self.users)} users and {len(self.coins)} coins,"
                          f" accounts of {accounts}")
        faults += [f"user {uid} has a session and may not log in"
                   for _, uid, *_ in self.sessions.dump() if not self.users.is_active(uid)]
        faults += [f"there is no user {uid}, who has tried a payment password"
                   for uid, *_ in self.pay_tries.dump() if uid not in self.users]
        return faults

    def wallet_faults(self):
        """The mined coin alone has wallets, miners' users alone have something in them, what was
        issued was claimed, no miner is ahead of time; part of `check`."""
        mining = self.miners.settings
        faults = [f"coin {coin} has wallets" for coin in range(1, self.accounts.coin_count + 1)
                  if self.accounts.has_wallets(coin) and (mining is None or coin != mining.coin)]
        if mining is None or faults:
            return faults
        if mining.coin > self.accounts.coin_count or not self.accounts.has_wallets(mining.coin):
            return [f"coin {mining.coin} is mined and has no wallets"]
        for uid in range(1, self.accounts.user_count + 1):
            units = self.accounts.wallet(uid, mining.coin)
            if units != 0 and uid not in self.miners:
                faults.append(f"user {uid} has {units} in a wallet and no miner")
        users = sum(uid in self.miners for uid in range(1, self.accounts.user_count + 1))
        if users != len(self.miners):
            faults.append(f"{len(self.miners)} miners of {users} users")
        claimed, issued = self.miners.all_claimed(), -self.house(ISSUANCE, mining.coin)
        if claimed != issued:
            faults.append(f"{claimed} units were claimed, {issued} issued")
        if self.miners.latest_ns > self.ts_ns:
            faults.append(f"a miner is settled up to {self.miners.latest_ns}, it is {self.ts_ns}")
        return faults

    def open_holds(self):
        """Ids of open orders with a client id, and what all hold: {(uid, coin): units}."""
        cdef OrderTable* table = &self.exchange.orders.table
        cdef Order* order
        cdef Pair* pair
        cdef uint32_t slot
        named = set()
        held = {}
        for slot in range(1, table.used):
            order = table.orders + slot
            if order.id == 0:
                continue
            if order.flags & HAS_CLIENT_ID:
                named.add(order.id)
            pair = &self.exchange.pairs[order.pair]
            key = order.user, pair.base if order.side == SELL else pair.quote
            held[key] = held.get(key, 0) + hold_of(pair, order)
        return named, held
