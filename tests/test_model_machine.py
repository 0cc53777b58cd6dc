"""Core and model side by side under Hypothesis: after each command everything is compared.

A house of two pairs over three coins, three users, prices of a few ticks: orders meet, users meet
themselves, stops set off stops. Dump and load happen in the middle of it all.
"""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.codes import OrderFlag, OrderType, PairStatus, SelfTrade, Side, Tif
from engine.core import Core
from tests.model.commands import (
    AddCoin, AddPair, AmendOrder, ApproveWithdrawal, CancelAll, CancelOrder, Deposit,
    FinishWithdrawal, PlaceOrder, RegisterUser, RejectWithdrawal, RequestWithdrawal, SetLimits,
    SetPairStatus, SetWithdrawAddress,
)
from tests.model.comparison import apply_both, compare_bars, compare_state, require_equal
from tests.model.exchange import Model

START_NS = 1_735_603_200_000_000_000      # 2024-12-31 00:00 UTC
AMOUNT_MAX = 2**63 - 1
EDGES = (-2**63, -1, 0, 1, 2**31, 2**62, AMOUNT_MAX // 10, AMOUNT_MAX - 1, AMOUNT_MAX)

users = st.integers(1, 3)
pairs = st.integers(1, 2)
sides = st.sampled_from([int(side) for side in Side])
types = st.sampled_from([int(type) for type in OrderType])
tifs = st.sampled_from([int(tif) for tif in Tif])
prices = st.integers(1, 8)
quantities = st.integers(1, 12)
edges = st.sampled_from(EDGES)
client_ids = st.sampled_from([None, None, b"a", b"b", b"c:1"])


@st.composite
def good_orders(draw) -> PlaceOrder:
    """Orders whose form is right; what else may be wrong with them depends on the house."""
    kind, side, qty = draw(types), draw(sides), draw(quantities)
    order = PlaceOrder(draw(users), draw(pairs), side, kind, draw(tifs), client_id=draw(client_ids))
    if kind in (OrderType.STOP_LIMIT, OrderType.STOP_MARKET):
        order.stop_price = draw(prices)
    if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        order.price, order.qty = draw(prices), qty
        if order.tif == Tif.GTC and draw(st.integers(0, 4)) == 0:
            order.flags = int(OrderFlag.POST_ONLY)
        return order
    order.tif = int(draw(st.sampled_from([Tif.IOC, Tif.FOK])))
    order.qty = qty
    if side == Side.BUY and draw(st.booleans()):
        order.qty, order.tif, order.quote_amount = 0, int(Tif.IOC), draw(st.integers(1, 400))
    return order


class House(RuleBasedStateMachine):
    """Each rule is one command to both; the last placements are kept to name their orders."""

    @initialize(modes=st.tuples(*[st.sampled_from([int(mode) for mode in SelfTrade])] * 2),
                fees=st.sampled_from([0, 2_000, 333_333, 999_999]),
                money=st.sampled_from([300, 10_000, AMOUNT_MAX // 3]))
    def open_house(self, modes, fees, money):
        self.core, self.model = Core(), Model()
        self.ts_ns = START_NS
        self.order_ids = [1]
        commands = [
            AddCoin("AAA", "A", "coin", 1, withdraw_fee=3), AddCoin("BBB", "B", "coin", 0),
            AddCoin("USD", "U", "coin", 2),
            # A lot of the first is 10 units, a lot at a tick 10; of the second one unit each.
            AddPair("AAA/USD", 1, 0, 1, 2_000, fees, modes[0]),
            AddPair("BBB/USD", 2, 0, 2, fees, 1_000, modes[1]),
        ]
        for uid in (1, 2, 3):
            commands.append(RegisterUser(f"user{uid}"))
            commands.append(SetWithdrawAddress(uid, 3, f"address-{uid}"))
            commands += [Deposit(uid, coin, money, f"first-{uid}") for coin in (1, 2, 3)]
        self.send(*commands)

    def send(self, *commands, after_ns: int = 1):
        self.ts_ns += after_ns
        outcome = apply_both(self.core, self.model, list(commands), self.ts_ns)
        for command, result in zip(commands, outcome.results):
            if isinstance(command, PlaceOrder) and result[4]:
                self.order_ids = (self.order_ids + [result[4]])[-12:]

    def owned(self, number: int) -> tuple[int, int]:
        """(user, order id) of one of the last orders, an open one if it can be."""
        ids = [order_id for order_id in self.order_ids if order_id in self.model.orders]
        ids = ids or self.order_ids
        order_id = ids[number % len(ids)]
        order = self.model.orders.get(order_id)
        return (order.user if order is not None else 1), order_id

    @rule(order=good_orders())
    def place(self, order):
        self.send(order)

    @rule(orders=st.lists(good_orders(), min_size=2, max_size=6),
          after_ns=st.sampled_from([1, 60 * 10**9, 86_400 * 10**9, 40 * 86_400 * 10**9]))
    def place_several(self, orders, after_ns):
        self.send(*orders, after_ns=after_ns)

    @rule(order=good_orders(), value=edges, field=st.sampled_from(
        ["price", "qty", "quote_amount", "stop_price"]))
    def place_at_edge(self, order, value, field):
        self.send(replace(order, **{field: value}))

    @rule(order=good_orders(), qty=edges, price=edges)
    def place_at_two_edges(self, order, qty, price):
        self.send(replace(order, qty=qty, price=price))

    @rule(order=good_orders(), value=st.integers(0, 255), field=st.sampled_from(
        ["user", "pair", "side", "type", "tif", "flags"]))
    def place_odd(self, order, value, field):
        # HAS_CLIENT_ID is the record writer's to set: alone it makes a record that is not whole.
        self.send(replace(order, **{field: value & ~2 if field == "flags" else value}))

    @rule(order=good_orders(), client_id=st.binary(max_size=38))
    def place_with_any_client_id(self, order, client_id):
        self.send(replace(order, client_id=client_id))

    @rule(order=good_orders(), client_id=st.sampled_from([b"a", b"b"]))
    def place_twice(self, order, client_id):
        order.client_id = client_id
        self.send(order, order)

    @rule(number=st.integers(0, 11), pair=st.integers(0, 3))
    def cancel(self, number, pair):
        user, order_id = self.owned(number)
        self.send(CancelOrder(user, order_id, pair))

    @rule(user=st.integers(0, 4), pair=st.integers(0, 2),
          client_id=st.sampled_from([b"a", b"b", b"c:1"]))
    def cancel_by_client_id(self, user, pair, client_id):
        self.send(CancelOrder(user, 0, pair, client_id))

    @rule(user=st.integers(0, 4), pair=st.integers(0, 3))
    def cancel_all(self, user, pair):
        self.send(CancelAll(user, pair))

    @rule(number=st.integers(0, 11), price=st.integers(0, 8), qty=st.integers(0, 14))
    def amend(self, number, price, qty):
        user, order_id = self.owned(number)
        self.send(AmendOrder(user, order_id, price, qty))

    @rule(number=st.integers(0, 11), price=edges, qty=edges)
    def amend_at_edge(self, number, price, qty):
        user, order_id = self.owned(number)
        self.send(AmendOrder(user, order_id, price, qty))

    @rule(user=st.integers(0, 4), number=st.integers(0, 11), pair=st.integers(0, 3))
    def amend_anybodys(self, user, number, pair):
        self.send(AmendOrder(user, self.owned(number)[1], 5, 5, pair))

    @rule(pair=pairs, status=st.sampled_from([int(status) for status in PairStatus]))
    def set_pair_status(self, pair, status):
        self.send(SetPairStatus(pair, status))

    @precondition(lambda self: any(
        pair.status != PairStatus.TRADING for pair in self.model.pairs.values()))
    @rule()
    def resume_trading(self):
        self.send(*[SetPairStatus(pair, int(PairStatus.TRADING)) for pair in self.model.pairs])

    @rule(limit=st.sampled_from([0, 0, 2, 5]))
    def set_limits(self, limit):
        self.send(SetLimits(limit))

    @rule(user=users, coin=st.integers(1, 3), amount=st.sampled_from(
        [1, 50, 10**4, AMOUNT_MAX // 2, AMOUNT_MAX]), number=st.integers(0, 30))
    def deposit(self, user, coin, amount, number):
        self.send(Deposit(user, coin, amount, f"tx{number}"))

    @rule(user=users, amount=st.sampled_from([None, 1, 40, 10**4]),
          request_id=st.sampled_from([None, None, "r1", "r2"]))
    def request_withdrawal(self, user, amount, request_id):
        self.send(RequestWithdrawal(user, 3, amount, request_id))

    @rule(number=st.integers(0, 6), step=st.sampled_from([
        ApproveWithdrawal, RejectWithdrawal, lambda id: FinishWithdrawal(id, "out"),
        lambda id: FinishWithdrawal(id, "another")]))
    def decide_withdrawal(self, number, step):
        self.send(step(max(0, len(self.model.withdrawals) - number)))

    @rule()
    def dump_and_load(self):
        state_hash = self.core.state_hash()
        self.core = Core.load(self.core.dump())
        require_equal("hash after load", self.core.state_hash(), state_hash)

    @invariant()
    def same_state(self):
        compare_state(self.core, self.model)

    def teardown(self):
        if hasattr(self, "core"):
            compare_bars(self.core, self.model)


TestHouse = pytest.mark.slow(House.TestCase)
TestHouse.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
