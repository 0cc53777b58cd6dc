"""The clients of the house that is killed: each sends as fast as it is answered, until the cut.

What they send is drawn from a seed. `Rush.beat` is called at each request sent and each answer
taken in, and says when the house is to die.
"""

import asyncio
import random
from collections.abc import Callable

from tests.support.keep_alive import Connection, Cut
from tests.support.promises import Deposit, Order, Promises, Withdrawal

MIDDLE_CENTS = {"BTC/USDT": 10_000, "BCH/USDT": 2_000}
PAIRS = tuple(MIDDLE_CENTS)
WIDTH = 12              # ticks to each side that prices are drawn from
OPEN_MAX = 60           # of a trader; beyond it he cancels
# The longest names there may be: a journal of some segments comes together sooner.
CLIENT_ID_LENGTH, TXID_LENGTH = 36, 128
# How a placement looks, and how often.
SHAPES = {"limit": 60, "ioc": 8, "fok": 6, "post_only": 8, "market": 6, "budget": 3,
          "stop_limit": 6, "stop_market": 3}


class Rush:
    """One life of a house under load: counts its beats and gives the word to kill."""

    def __init__(self, beats: int, kill: Callable[[], None]):
        self.beats = beats
        self.kill = kill
        self.answers = 0
        self.faults: list[str] = []

    def beat(self) -> None:
        self.beats -= 1
        if self.beats == 0:
            self.kill()

    async def call(self, asked) -> dict:
        """Await one request; its envelope. Raises Cut."""
        sent = asyncio.ensure_future(asked)
        # One turn: the request is on its way when the beat counts it.
        await asyncio.sleep(0)
        self.beat()
        answer = await sent
        self.answers += 1
        self.beat()
        return answer


class Client:
    """One connection, with one request at a time."""

    def begin(self) -> None:
        """A new life: forget what was sent in the one before."""

    async def run(self, rush: Rush, host: str, port: int) -> None:
        """Send until the house is dead."""
        self.begin()
        connection = None
        try:
            connection = await Connection.connect(host, port)
            while True:
                await self.act(rush, connection)
        except (Cut, OSError):
            pass
        finally:
            if connection is not None:
                connection.close()

    async def act(self, rush: Rush, connection: Connection) -> None:
        """The next request, and what its answer says. Raises Cut."""
        raise NotImplementedError


class Trader(Client):
    """One connection of a user. Its orders are its own; `unanswered` are those of the cuts."""

    def __init__(self, name: str, session: str, promises: Promises, seed: str):
        self.name = name
        self.session = session
        self.promises = promises
        self.random = random.Random(seed)
        self.own: list[Order] = []
        self.placed: list[Order] = []           # with a yes, in this life
        self.withdrawn: list[Withdrawal] = []   # asked for in this life
        self.unanswered: list[Order] = []
        self.count = 0

    def begin(self) -> None:
        self.placed, self.withdrawn, self.unanswered = [], [], []

    async def act(self, rush: Rush, connection: Connection) -> None:
        alive = [order for order in self.own if order.is_open]
        choice = self.random.random()
        if alive and (choice < 0.15 or len(alive) > OPEN_MAX):
            await self.cancel(rush, connection, self.random.choice(alive))
        elif alive and choice < 0.30:
            await self.amend(rush, connection, self.random.choice(alive))
        elif choice < 0.35:
            await self.withdraw(rush, connection)
        elif self.placed and choice < 0.40:
            await self.place(rush, connection, self.random.choice(self.placed))
        else:
            self.count += 1
            order = self.new_order(f"{self.name}-{self.count}".ljust(CLIENT_ID_LENGTH, "."))
            self.promises.orders[order.client_id] = order
            self.own = [*alive, order]
            await self.place(rush, connection, order)

    def new_order(self, client_id: str) -> Order:
        choose = self.random
        side, pair = choose.choice(("buy", "sell")), choose.choice(PAIRS)
        shape = choose.choices(tuple(SHAPES), tuple(SHAPES.values()))[0]
        cents = MIDDLE_CENTS[pair] + choose.randint(-WIDTH, WIDTH)
        price = f"{cents // 100}.{cents % 100:02d}"
        fields = {"pair": pair, "amount": f"0.{choose.randint(1, 50_000):06d}",
                  "client_id": client_id}
        if shape in ("limit", "ioc", "fok", "post_only", "stop_limit"):
            fields["price"] = price
        if shape in ("ioc", "fok"):
            fields["tif"] = shape.upper()
        if shape == "post_only":
            fields["post_only"] = "true"
        if shape in ("stop_limit", "stop_market"):
            fields |= {"type": shape, "stop_price": price}
        if shape == "market":
            fields["type"] = "market"
        if shape == "budget":
            side = "buy"
            del fields["amount"]
            fields |= {"type": "market", "quote_amount": str(choose.randint(1, 9))}
        return Order(client_id, side, fields)

    async def place(self, rush: Rush, connection: Connection, order: Order) -> None:
        """Send it, for the first time or again."""
        is_new = not order.order_id
        if is_new:
            self.unanswered.append(order)
        envelope = await rush.call(connection.router(order.side, self.session, **order.fields))
        if is_new:
            self.unanswered.remove(order)
        if envelope["status"]:
            self.note(rush, order.answered(envelope["data"]))
            if is_new:
                self.placed.append(order)
        elif is_new:
            order.refused = envelope["description"]
        else:
            self.note(rush, f"{order.client_id} sent again: {envelope['description']}")

    async def cancel(self, rush: Rush, connection: Connection, order: Order) -> None:
        by = ({"order_id": str(order.order_id)} if self.random.randrange(2)
              else {"client_id": order.client_id})
        envelope = await rush.call(connection.router("cancel_order", self.session, **by))
        if envelope["status"]:
            self.note(rush, order.answered(envelope["data"]))
            if order.ended != "cancelled":
                self.note(rush, f"{order.client_id} cancelled: {envelope['data']}")
        else:
            order.gone = True

    async def amend(self, rush: Rush, connection: Connection, order: Order) -> None:
        amount = self.random.randint(1, 50_000)
        before = set(order.totals)
        order.totals.add(amount)        # until it is answered it may be either
        envelope = await rush.call(connection.router(
            "amend_order", self.session, order_id=str(order.order_id), amount=f"0.{amount:06d}"))
        if envelope["status"]:
            order.totals = {amount}
            self.note(rush, order.answered(envelope["data"]))
        else:
            order.totals = before
            order.gone = "not an open order" in envelope["description"]

    async def withdraw(self, rush: Rush, connection: Connection) -> None:
        self.count += 1
        request_id = f"{self.name}-w{self.count}"
        # No zero at the end, so the house writes it in the same way.
        withdrawal = Withdrawal(request_id, "BTC", f"0.000{self.random.randint(0, 99):02d}1")
        self.promises.withdrawals[request_id] = withdrawal
        self.withdrawn.append(withdrawal)
        await self.send_withdrawal(rush, connection, withdrawal)

    async def send_withdrawal(self, rush: Rush, connection: Connection,
                              withdrawal: Withdrawal) -> None:
        """Send it, for the first time or again."""
        envelope = await rush.call(connection.router(
            "withdraw", self.session, coin=withdrawal.coin, amount=withdrawal.amount,
            request_id=withdrawal.request_id))
        if not envelope["status"]:
            withdrawal.refused = envelope["description"]
            return
        withdraw_id = envelope["data"]["withdraw_id"]
        if withdrawal.withdraw_id not in (0, withdraw_id):
            self.note(rush, f"{withdrawal} is {withdraw_id} as well")
        withdrawal.withdraw_id = withdraw_id

    async def send_again(self, rush: Rush, connection: Connection) -> None:
        """All that was placed or not answered in the life before; each must be what it was."""
        for order in [*self.placed, *self.unanswered]:
            await self.place(rush, connection, order)
        for withdrawal in self.withdrawn:
            if not withdrawal.refused:
                await self.send_withdrawal(rush, connection, withdrawal)

    def note(self, rush: Rush, fault: str) -> None:
        if fault:
            rush.faults.append(fault)


class Watcher(Client):
    """Reads a user's open orders all the time."""

    def __init__(self, session: str, promises: Promises):
        self.session = session
        self.promises = promises

    async def act(self, rush: Rush, connection: Connection) -> None:
        envelope = await rush.call(connection.router("get_open_orders", self.session))
        self.promises.show(envelope["data"])


class Operator(Client):
    """Credits deposits, and looks at the house's state between them."""

    def __init__(self, token: str, users: tuple[str, ...], seed: str):
        self.token = token
        self.users = users
        self.random = random.Random(seed)
        self.deposits: list[Deposit] = []
        self.sent: list[Deposit] = []       # in this life
        self.seq_shown = 0

    def begin(self) -> None:
        self.sent = []

    async def act(self, rush: Rush, connection: Connection) -> None:
        deposit = Deposit(
            f"tx-{len(self.deposits)}".ljust(TXID_LENGTH, "."),
            self.random.choice(self.users), self.random.choice(("BTC", "BCH", "USDT")),
            str(self.random.randint(1, 1000)))
        self.deposits.append(deposit)
        self.sent.append(deposit)
        await self.deposit(rush, connection, deposit)
        state = await rush.call(connection.operator("GET", "state", self.token))
        self.seq_shown = max(self.seq_shown, state["data"]["seq"])

    async def deposit(self, rush: Rush, connection: Connection, deposit: Deposit) -> None:
        """Send it, for the first time or again."""
        envelope = await rush.call(connection.operator("POST", "deposits", self.token, {
            "user": deposit.user, "coin": deposit.coin, "amount": deposit.amount,
            "txid": deposit.txid}))
        if envelope["code"] != 0:
            rush.faults.append(f"{deposit}: {envelope}")
        elif deposit.credited and not envelope["data"]["duplicate"]:
            rush.faults.append(f"{deposit} was credited again")
        else:
            deposit.credited = True

    async def send_again(self, rush: Rush, connection: Connection) -> None:
        """Each twice: what was not answered is credited by the first at the latest."""
        for deposit in [*self.sent, *self.sent]:
            await self.deposit(rush, connection, deposit)
