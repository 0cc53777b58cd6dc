"""The naive reference of the core: docs/core.md and docs/commands.md once more, slow and obvious.

`Model.apply` takes the commands of a batch as objects (tests/model/commands) and gives the results,
events and values that the core must give for their records. It shares no code with the core but the
numbers of engine/codes. Where the document leaves a choice, the comment at the place says what was
chosen.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from engine.codes import (
    EventKind, OrderStatus, OrderType, PairStatus, Reason, Result, SelfTrade, Side, Tif,
)
from tests.model import cold, cold_settlement, cold_shares
from tests.model.book import BUY, HAS_CLIENT_ID, POST_ONLY, SELL, STOP_TYPES, Order
from tests.model.commands import (
    AddShares, AmendOrder, CancelAll, CancelOrder, Cold, Malformed, PlaceOrder,
)
from tests.model.money import AMOUNT_MAX, Money, ModelFault
from tests.model.state import Account, Coin, Miner, Mining, Observer, Pair, User
from tests.pool.plain_workers import PlainWorkers

CLOSED_KEPT = 10_000
CLIENT_ID_CHARACTERS = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:/_-")
PRICED_TYPES = (OrderType.LIMIT, OrderType.STOP_LIMIT)


def refused(code: int) -> tuple:
    """A result that is not OK: all its other fields are 0."""
    return (int(code), 0, 0, 0, 0, 0, 0)


def answer(order: Order, count: int = 0, duplicate: int = 0) -> tuple:
    """OK, with the order's present state."""
    return (int(Result.OK), order.status, duplicate, count, order.order_id, order.filled,
            order.remaining)


@dataclass(slots=True)
class Outcome:
    results: list[tuple] = field(default_factory=list)       # in RESULT_DTYPE's order
    events: list[tuple] = field(default_factory=list)        # in EVENT_DTYPE's order
    values: dict[int, object] = field(default_factory=dict)  # index of a cold command -> its value


class Model:
    """One house. `seq` and `ts_ns` are those of the last command applied."""

    def __init__(self):
        self.seq = 0
        self.ts_ns = 0
        self.coins: dict[int, Coin] = {}
        self.pairs: dict[int, Pair] = {}
        self.users: dict[int, User] = {}
        self.orders: dict[int, Order] = {}        # the open ones
        self.money = Money()
        self.deposits: set[tuple] = set()         # (coin, txid, uid)
        self.withdrawals: dict[int, dict] = {}
        self.transactions: dict[str, tuple] = {}  # every one ever signed: txid -> (ids, bytes)
        self.requests: dict[tuple, Cold] = {}     # (who asked, request id) -> the command
        self.freezes = defaultdict(int)           # (user, coin, whose: cold_balances) -> units
        self.accounts: dict[int, Account] = {}    # sub-accounts, by number
        self.observers: dict[int, Observer] = {}
        self.observers_made = 0
        self.contacts: list[tuple] = []           # (phone or email, folded text, uid)
        self.mining: Mining | None = None
        self.miners: dict[int, Miner] = {}        # by wallet number
        self.workers = PlainWorkers()
        self.networks: dict[int, cold_shares.Chain] = {}
        self.share_batches: dict[int, int] = {}   # source -> the last batch's number
        self.settlement: cold_settlement.Settlement | None = None
        self.settled: dict[tuple, dict] = {}      # (coin, day) -> its sum
        self.totals: dict[tuple, cold_settlement.Total] = {}    # (account, coin) -> what it earned
        self.open_orders_per_user = 0             # 0: no limit
        self.trade_count = 0
        self.taken = 0                            # trades that the command's own order took
        self.events: list[tuple] = []
        self.happened: Counter[tuple] = Counter()    # what results do not tell (tests/model/tally)

    # Commands in, results and events out

    def apply(self, batch: list, first_seq: int, ts_ns: int) -> Outcome:
        """Apply commands numbered from first_seq, all at one time (UTC, nanoseconds)."""
        outcome = Outcome()
        self.events = outcome.events
        self.ts_ns = ts_ns
        for index, command in enumerate(batch):
            self.seq = first_seq + index
            self.taken = 0
            if isinstance(command, Cold):
                code, value = cold.handle(self, command)
                result = refused(code)
                if value is not None:
                    outcome.values[index] = value
            else:
                result = self.HOT[type(command)](self, command)
            outcome.results.append(result)
        return outcome

    def malformed(self, command: Malformed) -> tuple:
        return refused(Result.BAD_COMMAND)

    def emit(self, kind: int, order: Order, *, price: int = 0, qty: int = 0, stop_price: int = 0,
             quote_amount: int = 0, type: int = 0, tif: int = 0, flags: int = 0,
             reason: int = 0) -> None:
        """An event about one order; a TRADE has its own place below."""
        self.events.append((
            int(kind), order.side, order.pair, order.user, self.seq, order.order_id, price, qty,
            0, 0, 0, 0, stop_price, quote_amount, 0, type, tif, flags, int(reason)))

    # PLACE_ORDER

    def place_order(self, command: PlaceOrder) -> tuple:
        if command.user not in self.users:
            return refused(Result.UNKNOWN_USER)
        if command.pair not in self.pairs:
            return refused(Result.UNKNOWN_PAIR)
        code = self.refuse_form(command)
        if code:
            return refused(code)
        earlier = self.earlier_order(command)
        if earlier is not None:
            if earlier.placed == command:
                return answer(earlier, duplicate=1)
            return refused(Result.CLIENT_ID_TAKEN)
        order = Order(self.seq, command, command.user, command.pair, command.side, command.price,
                      command.qty)
        code = self.refuse_numbers(command) or self.refuse_now(order)
        if code:
            return refused(code)
        order.held = self.hold_wanted(order)
        if not self.hold(order, order.held):
            return refused(Result.NOT_ENOUGH_MONEY)
        self.open(order)
        self.emit(EventKind.ORDER_PLACED, order, price=order.price, qty=order.qty,
                  stop_price=command.stop_price, quote_amount=command.quote_amount,
                  type=command.type, tif=command.tif, flags=order.flags)
        pair = self.pairs[order.pair]
        if command.type not in STOP_TYPES:
            self.run(order)
        elif pair.book.stop_is_due(order.side, command.stop_price):
            self.trigger(order)
        else:
            order.status = int(OrderStatus.WAITING)
            pair.book.add(order)
        return self.finish(order)

    def finish(self, order: Order) -> tuple:
        """Answer for an order that has finished matching, then run the stops that became due.

        Chosen: the answer is the order as its own matching left it, and `count` the trades it took.
        What triggered stops then do to it shows in the events, as with any later order.
        """
        result = answer(order, self.taken)
        self.run_stops(self.pairs[order.pair])
        return result

    def refuse_form(self, c: PlaceOrder) -> int:
        """Checks 4 and 5."""
        if c.side not in Side.__members__.values():
            return Result.BAD_SIDE
        if c.type not in OrderType.__members__.values():
            return Result.BAD_TYPE
        if c.tif not in Tif.__members__.values():
            return Result.BAD_TIF
        if c.flags & ~(POST_ONLY | HAS_CLIENT_ID):
            return Result.BAD_FLAGS
        if c.client_id is not None and not (
                1 <= len(c.client_id) <= 36 and CLIENT_ID_CHARACTERS.issuperset(c.client_id)):
            return Result.BAD_CLIENT_ID
        return 0

    def earlier_order(self, c: PlaceOrder) -> Order | None:
        """Check 6: the order that has this client id."""
        if c.client_id is None:
            return None
        user = self.users[c.user]
        return user.open_client_ids.get(c.client_id) or user.closed_client_ids.get(c.client_id)

    def refuse_numbers(self, c: PlaceOrder) -> int:
        """Checks 7 to 11."""
        priced = c.type in PRICED_TYPES
        if (c.price <= 0) if priced else (c.price != 0):
            return Result.BAD_PRICE
        by_quote = not priced and c.side == BUY and c.qty == 0 and c.quote_amount > 0
        if not by_quote and not (c.qty > 0 and c.quote_amount == 0):
            if c.qty < 0 or (c.qty == 0 and c.quote_amount == 0):
                return Result.BAD_QTY
            return Result.BAD_QUOTE_AMOUNT
        if (c.stop_price <= 0) if c.type in STOP_TYPES else (c.stop_price != 0):
            return Result.BAD_STOP_PRICE
        if not priced and (c.tif == Tif.GTC or (by_quote and c.tif != Tif.IOC)):
            return Result.BAD_TIF
        if c.flags & POST_ONLY and not (priced and c.tif == Tif.GTC):
            return Result.BAD_POST_ONLY
        return 0

    def refuse_now(self, order: Order) -> int:
        """Checks 12 to 16."""
        pair = self.pairs[order.pair]
        code = self.refuse_status(pair)
        if code:
            return code
        if not order.by_quote and order.qty < pair.min_qty:
            return Result.BELOW_MIN_AMOUNT
        if self.too_large(pair, order.price, order.qty):
            return Result.AMOUNT_TOO_LARGE
        limit = self.open_orders_per_user
        if limit and len(self.users[order.user].orders) >= limit:
            return Result.TOO_MANY_OPEN_ORDERS
        if (order.post_only and order.placed.type == OrderType.LIMIT
                and pair.book.would_cross(order.side, order.price)):
            return Result.WOULD_CROSS
        return 0

    def refuse_status(self, pair: Pair) -> int:
        if pair.status == PairStatus.CANCEL_ONLY:
            return Result.PAIR_CANCEL_ONLY
        if pair.status == PairStatus.HALTED:
            return Result.PAIR_HALTED
        return 0

    def too_large(self, pair: Pair, price: int, qty: int) -> bool:
        return pair.base_amount(qty) > AMOUNT_MAX or pair.quote_amount(price, qty) > AMOUNT_MAX

    # Holds

    def coin_given(self, order: Order) -> int:
        pair = self.pairs[order.pair]
        return pair.quote if order.side == BUY else pair.base

    def hold_wanted(self, order: Order) -> int:
        """Units to hold for an order as it arrives, before it meets anything."""
        pair = self.pairs[order.pair]
        if order.side == SELL:
            return pair.base_amount(order.remaining)
        if order.by_quote:
            return order.placed.quote_amount
        if order.placed.type in PRICED_TYPES:
            return pair.quote_amount(order.price, order.remaining)
        if order.placed.type == OrderType.STOP_MARKET:
            return 0
        return self.cost_now(order)

    def cost_now(self, order: Order) -> int:
        """What the fills of a market buy by qty will cost: nothing for a FOK not to be filled."""
        fills = self.fills_ahead(order)
        if order.placed.tif == Tif.FOK and sum(lots for _, lots in fills) < order.remaining:
            return 0
        pair = self.pairs[order.pair]
        return sum(pair.quote_amount(maker.price, lots) for maker, lots in fills)

    def hold(self, order: Order, amount: int) -> bool:
        return self.money.hold(order.user, self.coin_given(order), amount)

    def release_all(self, order: Order) -> None:
        self.money.release(order.user, self.coin_given(order), order.held)
        order.held = 0

    # Matching

    def fills_ahead(self, order: Order) -> list[tuple[Order, int]]:
        """(maker, lots) of the trades that an order by qty would make now, in order."""
        pair = self.pairs[order.pair]
        wanted = order.remaining
        fills = []
        for maker in pair.book.ahead_of(order.side, order.price):
            if wanted == 0:
                break
            if maker.user == order.user and pair.self_trade != SelfTrade.ALLOW:
                if pair.self_trade == SelfTrade.CANCEL_MAKER:
                    continue
                break
            lots = min(wanted, maker.remaining)
            fills.append((maker, lots))
            wanted -= lots
        return fills

    def run(self, order: Order) -> None:
        """A limit or market order meets the book; what is left of it rests or is cancelled."""
        tif = order.placed.tif
        if tif == Tif.FOK:
            if sum(lots for _, lots in self.fills_ahead(order)) < order.remaining:
                self.cancel(order, Reason.NOT_FILLED)
                return
        self.match(order)
        if order.order_id not in self.orders:
            return
        if tif == Tif.GTC:
            self.pairs[order.pair].book.add(order)
        else:
            self.cancel(order, Reason.NOT_FILLED)

    def match(self, order: Order) -> None:
        """Trade until the order is closed or crosses nothing any more."""
        pair = self.pairs[order.pair]
        opposite = SELL if order.side == BUY else BUY
        while order.order_id in self.orders and pair.book.would_cross(order.side, order.price):
            maker = pair.book.best(opposite)
            lots = min(self.lots_wanted(order, maker.price), maker.remaining)
            if lots == 0:
                # A budget that pays no lot is spent: it meets nobody, not even its own user.
                # Chosen: one that bought nothing at all is not filled.
                if order.filled:
                    self.close(order, OrderStatus.FILLED)
                return
            elif maker.user == order.user and pair.self_trade != SelfTrade.ALLOW:
                if pair.self_trade in (SelfTrade.CANCEL_MAKER, SelfTrade.CANCEL_BOTH):
                    self.cancel(maker, Reason.SELF_TRADE)
                if pair.self_trade in (SelfTrade.CANCEL_TAKER, SelfTrade.CANCEL_BOTH):
                    self.cancel(order, Reason.SELF_TRADE)
            else:
                self.trade(order, maker, lots)

    def lots_wanted(self, order: Order, price: int) -> int:
        if order.by_quote:
            return order.held // self.pairs[order.pair].quote_amount(price, 1)
        return order.remaining

    def trade(self, taker: Order, maker: Order, lots: int) -> None:
        pair = self.pairs[taker.pair]
        base_amount = pair.base_amount(lots)
        quote_amount = pair.quote_amount(maker.price, lots)
        buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
        # A priced buy held its own price for these lots: what it saves comes back now.
        held = pair.quote_amount(buyer.price, lots) if buyer.price else quote_amount
        self.money.take_frozen(seller.user, pair.base, base_amount)
        self.money.take_frozen(buyer.user, pair.quote, held)
        self.money.available[buyer.user, pair.quote] += held - quote_amount
        seller.held -= base_amount
        buyer.held -= held
        maker_gets, taker_gets = (
            (quote_amount, base_amount) if taker.side == BUY else (base_amount, quote_amount))
        maker_fee = maker_gets * pair.maker_fee_ppm // 1_000_000
        taker_fee = taker_gets * pair.taker_fee_ppm // 1_000_000
        self.money.receive(maker.user, pair.quote if taker.side == BUY else pair.base,
                           maker_gets, maker_fee)
        self.money.receive(taker.user, pair.base if taker.side == BUY else pair.quote,
                           taker_gets, taker_fee)
        self.trade_count += 1
        self.taken += 1
        pair.book.last_price = maker.price
        pair.trades.append((self.trade_count, self.ts_ns, maker.price, lots, taker.side))
        self.events.append((
            int(EventKind.TRADE), taker.side, taker.pair, taker.user, self.seq, taker.order_id,
            maker.price, lots, self.trade_count, maker.order_id, maker_fee, taker_fee, 0, 0,
            maker.user, 0, 0, 0, 0))
        self.fill(maker, lots)
        self.fill(taker, lots)

    def fill(self, order: Order, lots: int) -> None:
        order.filled += lots
        order.status = int(OrderStatus.PARTIALLY_FILLED)
        # Chosen: a budget spent to the last unit is filled, even if that emptied the book.
        done = order.held == 0 if order.by_quote else order.remaining == 0
        if done:
            self.close(order, OrderStatus.FILLED)

    # Stops

    def run_stops(self, pair: Pair) -> None:
        if pair.status != PairStatus.TRADING:
            return
        while (order := pair.book.due_stop()) is not None:
            pair.book.remove(order)
            self.trigger(order)

    def trigger(self, order: Order) -> None:
        """A stop acts as the limit or market order that it stands for. It is in no queue now."""
        pair = self.pairs[order.pair]
        order.status = int(OrderStatus.OPEN)
        self.emit(EventKind.ORDER_TRIGGERED, order, price=order.price, qty=order.remaining)
        if order.post_only and pair.book.would_cross(order.side, order.price):
            self.cancel(order, Reason.CROSSED)
            return
        if order.side == BUY and order.price == 0 and not order.by_quote:
            cost = self.cost_now(order)
            if not self.hold(order, cost):
                self.cancel(order, Reason.NO_MONEY)
                return
            order.held = cost
        self.run(order)

    # The life of an order

    def open(self, order: Order) -> None:
        user = self.users[order.user]
        self.orders[order.order_id] = order
        user.orders[order.order_id] = order
        if order.placed.client_id is not None:
            user.open_client_ids[order.placed.client_id] = order

    def close(self, order: Order, status: int) -> None:
        """Out of everything, its hold returned."""
        user = self.users[order.user]
        book = self.pairs[order.pair].book
        if book.holds(order):
            book.remove(order)
        self.release_all(order)
        order.status = int(status)
        del self.orders[order.order_id]
        del user.orders[order.order_id]
        client_id = order.placed.client_id
        if client_id is not None:
            del user.open_client_ids[client_id]
            user.closed_client_ids[client_id] = order
            if len(user.closed_client_ids) > CLOSED_KEPT:
                del user.closed_client_ids[next(iter(user.closed_client_ids))]

    def cancel(self, order: Order, reason: int) -> None:
        self.emit(EventKind.ORDER_CANCELLED, order, price=order.price, qty=order.remaining,
                  reason=reason)
        self.close(order, OrderStatus.CANCELLED)

    # CANCEL_ORDER, CANCEL_ALL, AMEND_ORDER

    def open_order(self, user: int, order_id: int, pair: int,
                   client_id: bytes | None = None) -> Order | None:
        """An open order as a command names it, if it is the user's and the pair's (0: any)."""
        if order_id == 0 and client_id is not None:
            order = self.users[user].open_client_ids.get(client_id)
        else:
            order = self.users[user].orders.get(order_id)
        if order is None or (pair != 0 and order.pair != pair):
            return None
        return order

    def cancel_order(self, command: CancelOrder) -> tuple:
        if command.user not in self.users:
            return refused(Result.UNKNOWN_USER)
        order = self.open_order(command.user, command.order_id, command.pair, command.client_id)
        if order is None:
            return refused(Result.UNKNOWN_ORDER)
        self.cancel(order, Reason.BY_USER)
        return answer(order)

    def cancel_all(self, command: CancelAll) -> tuple:
        if command.user not in self.users:
            return refused(Result.UNKNOWN_USER)
        if command.pair != 0 and command.pair not in self.pairs:
            return refused(Result.UNKNOWN_PAIR)
        orders = [order for order in self.users[command.user].orders.values()
                  if command.pair in (0, order.pair)]
        for order in sorted(orders, key=lambda order: order.order_id, reverse=True):
            self.cancel(order, Reason.BY_USER)
        return (int(Result.OK), 0, 0, len(orders), 0, 0, 0)

    def amend_order(self, command: AmendOrder) -> tuple:
        if command.user not in self.users:
            return refused(Result.UNKNOWN_USER)
        order = self.open_order(command.user, command.order_id, command.pair)
        if order is None:
            return refused(Result.UNKNOWN_ORDER)
        pair = self.pairs[order.pair]
        price, qty = command.price or order.price, command.qty or order.qty
        code = self.refuse_amendment(command, order, pair, price, qty)
        if code:
            return refused(code)
        more = self.hold_amended(order, pair, price, qty) - order.held
        if more > 0 and not self.hold(order, more):
            return refused(Result.NOT_ENOUGH_MONEY)
        if more < 0:
            self.money.release(order.user, self.coin_given(order), -more)
        order.held += more
        keeps_place = price == order.price and qty <= order.qty
        if not keeps_place:
            pair.book.remove(order)
        order.price, order.qty = price, qty
        self.emit(EventKind.ORDER_AMENDED, order, price=price, qty=qty)
        if keeps_place:
            return answer(order)
        if order.waiting:
            # A stop that loses its place goes behind those of the same stop price.
            pair.book.add(order)
            return answer(order)
        self.run(order)
        return self.finish(order)

    def refuse_amendment(self, c: AmendOrder, order: Order, pair: Pair, price: int,
                         qty: int) -> int:
        """The checks of AMEND_ORDER but the first two and the last; price and qty: the new ones."""
        if c.price < 0 or (c.price and order.price == 0):
            return Result.BAD_PRICE
        if c.qty < 0 or (c.price == 0 and c.qty == 0) or (c.qty and order.by_quote):
            return Result.BAD_QTY
        code = self.refuse_status(pair)
        if code:
            return code
        if qty <= order.filled:
            return Result.BAD_QTY
        if qty < pair.min_qty:
            return Result.BELOW_MIN_AMOUNT
        # Chosen: price times the new total, as if the order were placed anew.
        if self.too_large(pair, price, qty):
            return Result.AMOUNT_TOO_LARGE
        if order.post_only and not order.waiting and pair.book.would_cross(order.side, price):
            return Result.WOULD_CROSS
        return 0

    def hold_amended(self, order: Order, pair: Pair, price: int, qty: int) -> int:
        """Units that the open part of an amended order holds."""
        if order.side == SELL:
            return pair.base_amount(qty - order.filled)
        return pair.quote_amount(price, qty - order.filled)

    HOT = {PlaceOrder: place_order, CancelOrder: cancel_order, CancelAll: cancel_all,
           AmendOrder: amend_order, AddShares: cold_shares.add_shares, Malformed: malformed}

    # What can be read, in the core's words

    def balance(self, uid: int, coin: int) -> tuple[int, int]:
        return self.money.available[uid, coin], self.money.frozen[uid, coin]

    def house(self, account: int, coin: int) -> int:
        return self.money.house[account, coin]

    def depth(self, pair: int, levels: int) -> tuple[list, list]:
        book = self.pairs[pair].book
        return book.depth(BUY, levels), book.depth(SELL, levels)

    def open_orders(self, uid: int, pair: int = 0) -> list[tuple]:
        """Views of a user's open orders, newest first."""
        return [order.view() for _, order in sorted(self.users[uid].orders.items(), reverse=True)
                if pair in (0, order.pair)]

    def client_order(self, uid: int, client_id: str) -> tuple | None:
        user = self.users[uid]
        key = client_id.encode()
        order = user.open_client_ids.get(key) or user.closed_client_ids.get(key)
        return order and (order.order_id, order.status, order.filled, order.remaining)

    def check(self) -> None:
        """Raise ModelFault where the model itself broke a rule that must always hold."""
        self.money.check(self.mining.coin if self.mining else 0)
        frozen = defaultdict(int)
        for order in self.orders.values():
            frozen[order.user, self.coin_given(order)] += order.held
            if order.held != self.hold_wanted(order):
                raise ModelFault(f"a wrong hold: {order}")
            if not self.pairs[order.pair].book.holds(order):
                raise ModelFault(f"an open order in no queue: {order}")
        for withdrawal in cold.open_withdrawals(self):
            frozen[withdrawal["uid"], withdrawal["coin"]] += withdrawal["amount"]
        for (uid, coin, _), amount in self.freezes.items():
            frozen[uid, coin] += amount
        for key, amount in self.money.frozen.items():
            if frozen[key] != amount:
                raise ModelFault(f"{key}: {amount} frozen, {frozen[key]} held")
        for pair in self.pairs.values():
            pair.book.check()
