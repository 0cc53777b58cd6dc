"""Seeded commands in which everything happens often: few users, a narrow price range, odd values.

`Workload` looks at the model it drives, to name orders that are open; the same seed gives the same
commands. One pair each for the ways to treat a self-trade; a fifth's amounts reach 2^63 - 1; on a
sixth what was mined is traded. What is about users, balances, mining and sub-accounts is in files
of its own.
"""

import random
from dataclasses import replace

from engine.codes import (
    Kind, OrderFlag, OrderType, PairStatus, SelfTrade, Side, Tif, WithdrawalStatus,
)
from tests.model import (
    workload_accounts, workload_balances, workload_mining, workload_settlement,
    workload_shares, workload_users,
)
from tests.model.commands import (
    AddCoin, AddPair, AmendOrder, ApproveWithdrawal, BindDevice, BuyForce, CancelAll, CancelOrder,
    ClaimOre, ClearPayTries, CreateSession, CreditBalance, DebitBalance, Deposit, ExtractOre,
    FinishWithdrawal, FreezeBalance, Malformed, OpenWallet, PlaceOrder, RegisterUser,
    RejectWithdrawal, RemoveDevice, RequestWithdrawal, SetIdentity, SetLimits, SetPairStatus,
    SetPassword, SetPayPassword, SetPermissions, SetProfile, SetWithdrawAddress, SignIn,
    TransferBalance, TransferOre, TryPayPassword, UnfreezeBalance,
)
from tests.model.exchange import Model
from tests.model.money import AMOUNT_MAX

START_NS = 1_709_164_800_000_000_000     # 2024-02-29 00:00 UTC: the bars meet a leap day
SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
USERS = 7
PAIRS = 6
WIDE_PAIR = 5
MAIN_PAIRS = (1, 2, 3, 4, 6)
WIDE_UNITS = 10**8           # units of a lot, and of a lot at one tick, of WIDE_PAIR
COINS = 6
ORE = workload_mining.ORE
SPENDING_COINS = (1, 2, 3, ORE)
OPEN_ORDERS_WANTED = 800     # beyond it users cancel everything now and then
CLIENT_IDS_REMEMBERED = 10_050
EDGES = (-2**63, -2**31, -1, 0, 1, 2, 2**31, 2**32, 2**53 + 1, 2**62, 2**63 - 2, 2**63 - 1)

SIDES = tuple(map(int, Side.__members__.values()))
TYPES = tuple(map(int, OrderType.__members__.values()))
TIFS = tuple(map(int, Tif.__members__.values()))
GTC, IOC, FOK = TIFS
LIMIT, MARKET, STOP_LIMIT, STOP_MARKET = TYPES
BUY, SELL = SIDES
POST_ONLY = int(OrderFlag.POST_ONLY)
# Field -> what to spoil a good placement with. HAS_CLIENT_ID (2) is the record writer's to set.
SPOILED = (
    ("user", (0, USERS + 1, 2**32 - 1)), ("pair", (0, PAIRS + 1, 65_535)), ("side", (0, 3, 255)),
    ("type", (0, *TYPES, 5, 255)), ("tif", (0, *TIFS, 4, 255)), ("flags", (1, 4, 8, 128, 255 - 2)),
    ("price", EDGES), ("qty", EDGES), ("quote_amount", EDGES), ("stop_price", EDGES),
    ("client_id", (b"", b"white space", b"x" * 36, b"x" * 37, b"\xff", b"a:b./-_9Z", b"\0",
                   b"y" * 255)),
)


def listings() -> list:
    """The commands that open the house: coins, pairs, users, their addresses and first money."""
    commands = [
        AddCoin("AAA", "A coin", "coin", 8, withdraw_fee=500),
        AddCoin("BBB", "B coin", "coin", 6),
        AddCoin("CNY", "Renminbi", "coin", 8, withdraw_fee=0),
        AddCoin("BIG", "Big coin", "coin", 8),
        AddCoin("VAST", "Vast coin", "coin", 8),
        AddCoin("ORE", "Ore", "coin", 4, withdraw_fee=7),
        AddPair("AAA/CNY", 2, 4, 1, 1_000, 2_000, int(SelfTrade.CANCEL_MAKER)),
        AddPair("BBB/CNY", 3, 5, 2, 0, 1_500, int(SelfTrade.CANCEL_TAKER)),
        AddPair("AAA/BBB", 1, 5, 1, 333, 777, int(SelfTrade.CANCEL_BOTH)),
        AddPair("BBB/AAA", 0, 6, 3, 1, 33_333, int(SelfTrade.ALLOW)),
        AddPair("BIG/VAST", 0, 0, 1, 0, 1, int(SelfTrade.CANCEL_MAKER)),
        AddPair("ORE/CNY", 2, 2, 1, 1_000, 2_000, int(SelfTrade.CANCEL_MAKER)),
    ]
    commands += [RegisterUser(f"user{number}", email="Shop@example.org", phone=f"+86 13{number}")
                 for number in range(1, USERS + 1)]
    for uid in range(1, USERS + 1):
        for coin in SPENDING_COINS:
            commands.append(SetWithdrawAddress(uid, coin, f"address-{uid}-{coin}"))
            # The last user is poor: much of what it asks for it cannot pay.
            amount = 10**7 if uid == USERS else 10**12
            commands.append(Deposit(uid, coin, amount, f"first-{uid}-{coin}"))
    # All that can exist of the wide pair's coins: products reach the very end of 63 bits.
    for coin in (4, 5):
        commands.append(Deposit(1, coin, 2**62, "wide-1"))
        commands.append(Deposit(2, coin, AMOUNT_MAX - 2**62, "wide-2"))
        commands.append(Deposit(3, coin, 1, "wide-3"))
    return (commands + workload_accounts.opening() + workload_mining.opening()
            + workload_shares.opening())


class Workload:
    """Batches of commands for a model that has applied all earlier ones."""

    # What the makers in other files need to know of this one.
    USERS, COINS, ORE, SPENDING_COINS = USERS, COINS, ORE, SPENDING_COINS

    def __init__(self, seed: int, model: Model):
        self.random = random.Random(seed)
        self.model = model
        self.ts_ns = START_NS
        self.middle = [100] * (PAIRS + 1)       # ticks, by pair; walks
        self.next_seq = 1                       # of the command being made
        self.recent = [(1, 1)] * 32             # (user, order id) of the last placements
        self.with_client_id = [[] for _ in range(USERS + 1)]    # placements by user, oldest first
        self.counter = 0
        self.mining_is_new = False              # the batch being made sets it
        self.makers, weights = zip(*self.MAKERS)
        self.weights = [sum(weights[:i + 1]) for i in range(len(weights))]

    def first_batch(self) -> tuple[list, int]:
        return listings(), self.ts_ns

    def next_batch(self) -> tuple[list, int]:
        """(commands, ts_ns), numbered from model.seq + 1."""
        choose = self.random
        self.advance_time()
        self.next_seq = self.model.seq + 1
        self.mining_is_new = False
        size = choose.choice((1, choose.randint(2, 20), choose.randint(20, 200)))
        batch = []
        for pair in self.model.pairs.values():
            if pair.status != PairStatus.TRADING and choose.random() < 0.3:
                batch.append(SetPairStatus(pair.number, int(PairStatus.TRADING)))
        if self.model.open_orders_per_user and choose.random() < 0.1:
            batch.append(SetLimits(0))
        if len(self.model.orders) > OPEN_ORDERS_WANTED and choose.random() < 0.5:
            batch.append(CancelAll(choose.randint(1, USERS)))
        batch += workload_users.tries_on_time(self)
        self.next_seq += len(batch)
        for maker in choose.choices(self.makers, cum_weights=self.weights, k=size):
            batch.append(maker(self))
            self.next_seq += 1
        return batch, self.ts_ns

    def advance_time(self) -> None:
        choose = self.random
        ends = workload_users.times_ahead(self) if choose.random() < 0.04 else []
        if ends:
            # To the moment when something is over, or a nanosecond before or after it; seldom
            # far ahead, or a long run leaves the years in which a share can have a time.
            if choose.random() < 0.9:
                ends = [end for end in ends if end < self.ts_ns + 2 * DAY_NS]
            self.ts_ns = max(self.ts_ns, choose.choice(ends) + choose.randint(-1, 1))
            return
        scale_s = choose.choices((0, 1, 60, 3_600, 86_400), (60, 30, 8, 1.8, 0.2))[0]
        self.ts_ns += choose.randint(0, 3 * max(10**6, scale_s * SECOND_NS))

    def unique(self, prefix: str) -> str:
        self.counter += 1
        return f"{prefix}{self.counter}"

    # Placements

    def price_near(self, pair: int, side: int) -> int:
        """Ticks around the pair's middle, mostly on the order's own side of it."""
        choose = self.random
        if choose.random() < 0.02:
            self.middle[pair] = min(max(self.middle[pair] + choose.choice((-1, 1)), 60), 140)
        distance = choose.randint(-3, 9)
        return self.middle[pair] - distance if side == BUY else self.middle[pair] + distance

    def placed(self, order: PlaceOrder) -> PlaceOrder:
        """Note a placement, so that later commands can name it; every fourth gets a client id."""
        choose = self.random
        if choose.random() < 0.25:
            order.client_id = self.unique("id:").encode()
            mine = self.with_client_id[order.user]
            mine.append(order)
            if len(mine) > CLIENT_IDS_REMEMBERED:
                del mine[:len(mine) // 50]
        self.recent[self.next_seq % len(self.recent)] = (order.user, self.next_seq)
        return order

    def any_pair(self) -> int:
        return self.random.choice(MAIN_PAIRS)

    def any_user(self) -> int:
        return self.random.randint(1, USERS)

    def user_or_odd(self) -> int:
        if self.random.random() < 0.03:
            return self.random.choice((0, USERS + 1, -1, 2**32))
        return self.any_user()

    def any_token_digest(self) -> bytes:
        """Of a session of some user; now and then of none."""
        sessions = list(self.model.users[self.any_user()].sessions) or [bytes(32)]
        return self.random.choice(sessions)

    def limit(self) -> PlaceOrder:
        choose = self.random
        pair, side = self.any_pair(), choose.choice(SIDES)
        tif = choose.choices(TIFS, (80, 10, 10))[0]
        flags = POST_ONLY if tif == GTC and choose.random() < 0.1 else 0
        return self.placed(PlaceOrder(self.any_user(), pair, side, LIMIT, tif,
                                      self.price_near(pair, side), choose.randint(1, 60),
                                      flags=flags))

    def market(self) -> PlaceOrder:
        choose = self.random
        pair, side = self.any_pair(), choose.choice(SIDES)
        if side == BUY and choose.random() < 0.5:
            return self.placed(PlaceOrder(self.any_user(), pair, side, MARKET, IOC,
                                          quote_amount=self.budget(pair)))
        return self.placed(PlaceOrder(self.any_user(), pair, side, MARKET,
                                      choose.choice((IOC, FOK)), qty=choose.randint(1, 150)))

    def budget(self, pair: int) -> int:
        """Units of quote: the cost of some levels to the unit, or of some lots, more or less."""
        choose = self.random
        listed = self.model.pairs[pair]
        asks = listed.book.depth(SELL, choose.choice((1, 2, 3, 100)))
        if asks and choose.random() < 0.3:
            return min(AMOUNT_MAX, sum(listed.quote_amount(price, qty) for price, qty in asks))
        price = asks[0][0] if asks else self.middle[pair]
        about = listed.quote_amount(price, choose.randint(1, 150))
        off = choose.randint(-3, 3) * choose.randint(0, 10**4)
        return min(AMOUNT_MAX, max(1, about + off))

    def stop(self) -> PlaceOrder:
        choose = self.random
        pair, side = self.any_pair(), choose.choice(SIDES)
        away = choose.randint(-2, 8)
        stop_price = self.middle[pair] + (away if side == BUY else -away)
        user, qty = self.any_user(), choose.randint(1, 60)
        if choose.random() < 0.5:
            tif = choose.choice(TIFS)
            flags = POST_ONLY if tif == GTC and choose.random() < 0.5 else 0
            price = self.price_near(pair, choose.choice(SIDES))
            return self.placed(PlaceOrder(user, pair, side, STOP_LIMIT, tif, price, qty,
                                          stop_price=stop_price, flags=flags))
        if side == BUY and choose.random() < 0.3:
            user = USERS    # the poor one, who will not be able to pay when it triggers
        if side == BUY and choose.random() < 0.3:
            return self.placed(PlaceOrder(user, pair, side, STOP_MARKET, IOC,
                                          quote_amount=self.budget(pair), stop_price=stop_price))
        return self.placed(PlaceOrder(user, pair, side, STOP_MARKET, choose.choice((IOC, FOK)),
                                      qty=qty, stop_price=stop_price))

    def wide(self) -> PlaceOrder:
        """On the pair whose products reach 2^63 - 1 and a little beyond."""
        choose = self.random
        price = choose.choice((1, choose.randint(1, 10), choose.randint(10**4, 10**6)))
        lots_max = AMOUNT_MAX // WIDE_UNITS // price
        lots = choose.choice((lots_max, lots_max // 2, lots_max // 1_000, 2 * lots_max, 10))
        qty = max(1, lots + choose.randint(-1, 1))
        side = choose.choice(SIDES)
        kind = choose.choices(TYPES, (70, 15, 10, 5))[0]
        order = PlaceOrder(choose.randint(1, 3), WIDE_PAIR, side, kind, choose.choice(TIFS), price,
                           qty)
        if kind in (MARKET, STOP_MARKET):
            order.price, order.tif = 0, choose.choice((IOC, FOK))
            if side == BUY and choose.random() < 0.5:
                order.qty, order.tif = 0, IOC
                order.quote_amount = choose.choice(
                    (AMOUNT_MAX, AMOUNT_MAX // 2, price * WIDE_UNITS))
        if kind in (STOP_LIMIT, STOP_MARKET):
            order.stop_price = choose.choice((1, price, 10**5, AMOUNT_MAX))
        return self.placed(order)

    def odd_place(self) -> PlaceOrder:
        """A good placement with one field spoiled."""
        choose = self.random
        order = replace(choose.choice((Workload.limit, Workload.market, Workload.stop))(self))
        field, values = choose.choice(SPOILED)
        setattr(order, field, choose.choice(values))
        return order

    def repeated(self) -> PlaceOrder:
        """A client id again, of a late order or one soon to be forgotten: as it was or changed."""
        choose = self.random
        mine = self.with_client_id[self.any_user()]
        if not mine:
            return self.limit()
        place = choose.choice((choose.randint(1, min(len(mine), 20)), choose.randint(1, len(mine)),
                               max(1, len(mine) - choose.randint(0, 100))))
        order = mine[-place]
        if choose.random() < 0.4:
            field = choose.choice(("side", "qty", "price", "pair", "tif", "type", "flags",
                                   "stop_price", "quote_amount"))
            order = replace(order, **{field: getattr(order, field) ^ 1})
        return order

    # Everything else about orders

    def open_order_id(self) -> tuple[int, int]:
        """(user, order id), mostly of an open order."""
        choose = self.random
        if choose.random() < 0.2 or not self.model.orders:
            return choose.choice(self.recent)
        for _ in range(3):
            user = self.model.users[self.any_user()]
            if user.orders:
                return user.uid, choose.choice(list(user.orders))
        return choose.choice(self.recent)

    def cancel(self) -> CancelOrder:
        choose = self.random
        user, order_id = self.open_order_id()
        pair = 0
        if choose.random() < 0.3:
            order = self.model.orders.get(order_id)
            known = order is not None and choose.random() < 0.8
            pair = order.pair if known else choose.randint(1, PAIRS + 1)
        if choose.random() < 0.05:
            user = choose.randint(0, USERS + 1)
        return CancelOrder(user, order_id, pair)

    def cancel_by_client_id(self) -> CancelOrder:
        choose = self.random
        user = self.any_user()
        ids = list(self.model.users[user].open_client_ids) if choose.random() < 0.8 else []
        client_id = choose.choice(ids) if ids else b"nobody's"
        return CancelOrder(user, 0, choose.choice((0, 0, self.any_pair())), client_id)

    def cancel_all(self) -> CancelAll:
        choose = self.random
        if choose.random() < 0.1:
            return CancelAll(choose.choice((0, USERS + 1)))
        return CancelAll(self.any_user(), choose.randint(0, PAIRS + 1))

    def amend(self) -> AmendOrder:
        choose = self.random
        user, order_id = self.open_order_id()
        order = self.model.orders.get(order_id)
        price, qty, pair = 0, 0, 0
        if order is not None and order.pair != WIDE_PAIR:
            what = choose.random()
            if what < 0.6:
                price = choose.choice((order.price, self.price_near(order.pair, order.side)))
            if what > 0.3:
                qty = choose.choice((order.qty, order.filled, order.filled + 1,
                                     choose.randint(1, 60)))
            pair = choose.choice((0, 0, order.pair, choose.randint(1, PAIRS)))
        elif order is not None:
            price = choose.choice((0, order.price + 1, 10**5))
            qty = choose.choice((0, order.qty + 1, 10**9))
        if choose.random() < 0.08:
            price, qty = choose.choice(EDGES), choose.choice((0, choose.choice(EDGES)))
        if choose.random() < 0.03:
            user = choose.randint(0, USERS + 1)
        return AmendOrder(user, order_id, price, qty, pair)

    def malformed(self) -> Malformed:
        """A head that promises more than the record has, or a kind that does not exist."""
        def record(size: int, kind: int, rest: bytes) -> bytes:
            head = size.to_bytes(4, "little") + kind.to_bytes(2, "little") + b"\1\0"
            return (head + rest).ljust(size, b"\0")

        user = (1).to_bytes(4, "little")
        with_id = user + bytes((BUY, LIMIT, GTC, 2)) + bytes(32)
        return Malformed(self.random.choice((
            record(8, 0, b""), record(16, 9, user), record(16, 65_535, user), record(24, 500, b""),
            record(8, Kind.PLACE_ORDER, b""), record(40, Kind.PLACE_ORDER, user),
            record(48, Kind.PLACE_ORDER, with_id), record(56, Kind.PLACE_ORDER, with_id + b"\x08"),
            record(16, Kind.CANCEL_ORDER, user), record(32, Kind.AMEND_ORDER, user),
            record(8, Kind.CANCEL_ALL, b""), record(8, Kind.DEPOSIT, b""),
            record(24, Kind.DEPOSIT, (9).to_bytes(4, "little")),
        )))

    # Money and settings

    def deposit(self) -> Deposit:
        choose = self.random
        uid, coin = self.any_user(), choose.choice(SPENDING_COINS)
        amount = choose.randint(1, 10**8 if uid == USERS else 10**11)
        odd = choose.random()
        if odd < 0.05:
            return Deposit(choose.choice((0, USERS + 1, uid)), choose.choice((0, COINS + 1, coin)),
                           choose.choice((0, -1, -2**63, 5)), self.unique("odd"))
        if odd < 0.1:
            return Deposit(uid, choose.choice((4, 5)), choose.choice((1, AMOUNT_MAX)),
                           self.unique("more"))
        if odd < 0.2:
            return Deposit(uid, coin, amount, f"first-{uid}-{coin}")
        return Deposit(uid, coin, amount, self.unique("tx"))

    def withdrawal(self) -> RequestWithdrawal:
        choose = self.random
        uid, coin = self.any_user(), choose.choice(SPENDING_COINS)
        amount = choose.choice((choose.randint(501, 10**9), choose.randint(501, 10**6), 0, -1,
                                2**62))
        request_id = f"request-{choose.randint(1, 20)}" if choose.random() < 0.5 else None
        odd = choose.random()
        if odd < 0.03:
            return RequestWithdrawal(uid, choose.choice((4, 5)), 10**3)
        if odd < 0.06:
            return RequestWithdrawal(choose.choice((0, USERS + 1)),
                                     choose.choice((0, COINS + 1, 1)), 10**3)
        if odd < 0.08:
            return RequestWithdrawal(uid, coin)
        return RequestWithdrawal(uid, coin, amount, request_id)

    def withdrawal_step(self):
        choose = self.random
        count = len(self.model.withdrawals)
        number = max(0, count - choose.choice((choose.randint(-1, 30), choose.randint(0, count))))
        current = self.model.withdrawals.get(number)
        step = choose.random()
        if current is not None and current["status"] == WithdrawalStatus.APPROVED and step < 0.7:
            return FinishWithdrawal(number, self.unique("out"))
        if step < 0.5:
            return ApproveWithdrawal(number)
        if step < 0.75:
            return RejectWithdrawal(number)
        if current is not None and current["txid"] and step < 0.9:
            return FinishWithdrawal(number, current["txid"])
        return FinishWithdrawal(number, f"another-{number}")

    def setting(self):
        choose = self.random
        return choose.choice((
            SetPairStatus(choose.randint(1, PAIRS), choose.choice((1, 2, 3))),
            SetPairStatus(choose.choice((0, PAIRS + 1)), 1),
            SetPairStatus(1, choose.choice((0, 4))),
            SetLimits(choose.choice((0, 25, 50))),
            SetLimits(-1),
            AddCoin("AAA", "again", "coin", 8),
            AddCoin("NEW", "scale", "coin", choose.choice((-1, 9))),
            AddPair("CNY/NONE", 1, 1, 1, 0, 0, 1),
            AddPair("AAA/CNY", 2, 4, 1, 0, 0, 1),
            AddPair("CNY/AAA", 8, 1, 1, 0, 0, 1),
            AddPair("CNY/BBB", 0, 0, 1, 0, 1_000_000, 1),
            RegisterUser("USER1", source=choose.choice((None, 1, 99))),
            RegisterUser("USER1", source=choose.choice((0, 100, -1))),
        ))

    def of_nobody(self):
        """What nearly all commands of users are refused first."""
        choose = self.random
        uid = choose.choice((0, USERS + 1, -1, 2**32))
        return choose.choice((
            CreateSession(uid, bytes(32), 1), SetPassword(uid, "hash"), SetPayPassword(uid, "hash"),
            TryPayPassword(uid), ClearPayTries(uid), SetPermissions(uid, {}), SetProfile(uid, {}),
            SetIdentity(uid, {}), BindDevice(uid, "", "", ""), RemoveDevice(uid, ""),
            CreditBalance(uid, 1, 0, 0), DebitBalance(1, uid, 0, 0),
            TransferBalance(1, uid, 1, 0, 0), TransferBalance(1, 1, uid, 0, 0),
            FreezeBalance(1, uid, 0, 0), UnfreezeBalance(1, uid, 0, 0),
            OpenWallet(uid), TransferOre(uid, 0, 0), ExtractOre(uid, 0), BuyForce(uid, 0),
            ClaimOre(uid, 0), SignIn(uid, 0),
        ))

    MAKERS = (
        (limit, 45), (market, 6), (stop, 10), (wide, 4), (odd_place, 4), (repeated, 3), (cancel, 9),
        (cancel_by_client_id, 2), (cancel_all, 0.2), (amend, 12), (malformed, 0.4), (deposit, 1),
        (withdrawal, 0.7), (withdrawal_step, 1), (setting, 1.2), (of_nobody, 0.6),
        *workload_users.MAKERS, *workload_balances.MAKERS, *workload_mining.MAKERS,
        *workload_accounts.MAKERS, *workload_shares.MAKERS, *workload_settlement.MAKERS,
    )
