"""Core and model side by side under Hypothesis: balances, mining, payment passwords.

A house of two coins, one of them mined, and three users who trade a little beside: what orders
hold, what is frozen and what is mined meet. Dump and load happen in the middle of it all.
"""

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.codes import OrderType, SelfTrade, Side, Tif
from engine.core import Core
from tests.model.cold_mining import DAY_NS, miner_of
from tests.model.cold_users import LOCK_NS
from tests.model.commands import (
    AddCoin, AddPair, BindDevice, BuyForce, CancelAll, ClaimOre, ClearPayTries, CreateSession,
    CreditBalance, DebitBalance, Deposit, EndSession, ExtractOre, FreezeBalance, OpenWallet,
    PlaceOrder, RegisterUser, RemoveDevice, RequestWithdrawal, SetMining, SetPayPassword,
    SetPermissions, SetWithdrawAddress, SignIn, TransferBalance, TransferOre, TryPayPassword,
    UnfreezeBalance,
)
from tests.model.comparison import apply_both, compare_state, require_equal
from tests.model.exchange import Model

START_NS = 1_735_603_200_000_000_000      # 2024-12-31 00:00 UTC
AMOUNT_MAX = 2**63 - 1
ORE, USD = 1, 2

users = st.integers(1, 3)
users_and_odd = st.integers(0, 4)
amounts = st.sampled_from([0, 1, 2, 50, 10**4, AMOUNT_MAX // 2, AMOUNT_MAX,
                           AMOUNT_MAX + 1])
request_ids = st.sampled_from([None, None, None, "m1", "m2"])
moves = st.sampled_from([CreditBalance, DebitBalance, FreezeBalance, UnfreezeBalance])
forces = st.sampled_from([-1, 0, 1, 7, 100, AMOUNT_MAX // 2, AMOUNT_MAX, AMOUNT_MAX + 1])
spans_ns = st.sampled_from([
    0, 1, 10**9, 61 * 10**9, LOCK_NS - 1, LOCK_NS, LOCK_NS + 1, DAY_NS, 400 * DAY_NS])


class House(RuleBasedStateMachine):
    """Each rule is one command, or the same several times, to both."""

    @initialize(money=st.sampled_from([300, 10**6, AMOUNT_MAX // 3]),
                rate=st.sampled_from([10**9, 3_333_333_333, AMOUNT_MAX]))
    def open_house(self, money, rate):
        self.core, self.model = Core(), Model()
        self.ts_ns = START_NS
        commands = [AddCoin("ORE", "O", "coin", 0, withdraw_fee=3), AddCoin("USD", "U", "coin", 0),
                    AddPair("ORE/USD", 0, 0, 1, 2_000, 333_333, int(SelfTrade.CANCEL_MAKER))]
        for uid in (1, 2, 3):
            commands += [RegisterUser(f"user{uid}"), SetWithdrawAddress(uid, ORE, f"address-{uid}"),
                         Deposit(uid, ORE, min(money, 10**6), "first"),
                         Deposit(uid, USD, money, "first")]
        self.send(*commands, SetMining(ORE, rate, 1, 5, 100), OpenWallet(2), OpenWallet(1))

    def send(self, *commands):
        apply_both(self.core, self.model, list(commands), self.ts_ns)

    @rule(span_ns=spans_ns)
    def wait(self, span_ns):
        self.ts_ns += span_ns

    @rule(move=moves, by=users, uid=users, coin=st.integers(1, 2), amount=amounts,
          request_id=request_ids)
    def move_balance(self, move, by, uid, coin, amount, request_id):
        self.send(move(by, uid, coin, amount, request_id))

    @rule(move=moves, by=users_and_odd, uid=users_and_odd, coin=st.integers(0, 3))
    def move_oddly(self, move, by, uid, coin):
        self.send(move(by, uid, coin, 5, "odd one"))

    @rule(by=users, payer=users_and_odd, payee=users, coin=st.integers(1, 2), amount=amounts,
          request_id=request_ids)
    def transfer_balance(self, by, payer, payee, coin, amount, request_id):
        self.send(TransferBalance(by, payer, payee, coin, amount, request_id))

    @rule(by=users, uid=users, coin=st.integers(1, 2), more=st.integers(-1, 1),
          move=st.sampled_from([DebitBalance, FreezeBalance]))
    def move_all(self, by, uid, coin, more, move):
        self.send(move(by, uid, coin, self.model.balance(uid, coin)[0] + more))

    @rule(by=users, uid=users, coin=st.integers(1, 2), more=st.integers(-1, 1))
    def unfreeze_all(self, by, uid, coin, more):
        self.send(UnfreezeBalance(by, uid, coin, self.model.balance(uid, coin)[1] + more))

    @rule(uid=users, side=st.sampled_from([int(side) for side in Side]), price=st.integers(1, 4),
          qty=st.integers(1, 60))
    def place(self, uid, side, price, qty):
        self.send(PlaceOrder(uid, 1, side, int(OrderType.LIMIT), int(Tif.GTC), price, qty))

    @rule(uid=users)
    def cancel_all(self, uid):
        self.send(CancelAll(uid))

    @rule(uid=users, amount=st.sampled_from([None, 10, 1_000]), request_id=request_ids)
    def request_withdrawal(self, uid, amount, request_id):
        self.send(RequestWithdrawal(uid, ORE, amount, request_id))

    # Mining

    @rule(rate=st.sampled_from([-1, 0, 1, 10**9, 3_333_333_333, AMOUNT_MAX]),
          price=st.sampled_from([0, 1, 3, AMOUNT_MAX]), sign_in_force=forces, initial_force=forces)
    def set_mining(self, rate, price, sign_in_force, initial_force):
        self.send(SetMining(ORE, rate, price, sign_in_force, initial_force))

    @rule(uid=users_and_odd)
    def open_wallet(self, uid):
        self.send(OpenWallet(uid))

    @rule(uid=users, parts=st.sampled_from([1, 1, 2, 100]), more=st.integers(-1, 1))
    def claim(self, uid, parts, more):
        miner = miner_of(self.model, uid)
        ready = miner.ready(self.ts_ns) if miner else 0
        self.send(ClaimOre(uid, ready // parts + more))

    @rule(uid=users, force=forces)
    def buy_force(self, uid, force):
        self.send(BuyForce(uid, force))

    @rule(uid=users, parts=st.sampled_from([1, 2]), more=st.integers(-1, 1))
    def buy_force_for_what_there_is(self, uid, parts, more):
        price = self.model.mining.force_price
        self.send(BuyForce(uid, self.model.money.wallets[uid] // parts // price + more))

    @rule(uid=users, wallet=st.integers(0, 4), parts=st.sampled_from([1, 2]),
          more=st.integers(-1, 1))
    def transfer_ore(self, uid, wallet, parts, more):
        self.send(TransferOre(uid, wallet, self.model.money.wallets[uid] // parts + more))

    @rule(uid=users, wallet=st.sampled_from([None, 0, 1, 2, 3]), parts=st.sampled_from([1, 2]),
          more=st.integers(-1, 1))
    def extract_ore(self, uid, wallet, parts, more):
        self.send(ExtractOre(uid, self.model.money.wallets[uid] // parts + more, wallet))

    @rule(uid=users, days=st.integers(-2, 2))
    def sign_in(self, uid, days):
        self.send(SignIn(uid, self.ts_ns // DAY_NS + days))

    # Users

    @rule(uid=users)
    def set_pay_password(self, uid):
        self.send(SetPayPassword(uid, f"hash{self.model.seq}"))

    @rule(uid=users, times=st.integers(1, 6))
    def try_pay_password(self, uid, times):
        self.send(*[TryPayPassword(uid)] * times)

    @rule(uid=users_and_odd)
    def clear_pay_tries(self, uid):
        self.send(ClearPayTries(uid))

    @rule(uid=users_and_odd, number=st.integers(0, 3), lifetime_s=st.sampled_from([1, 60, 10**6]))
    def create_session(self, uid, number, lifetime_s):
        self.send(CreateSession(uid, bytes([number]) * 32, lifetime_s))

    @rule(number=st.integers(0, 3))
    def end_session(self, number):
        self.send(EndSession(bytes([number]) * 32))

    @rule(uid=users_and_odd, value=st.sampled_from([None, 0, 1]))
    def allow_login(self, uid, value):
        self.send(SetPermissions(uid, {"is_allow_login": value}))

    @rule(uid=users, number=st.integers(0, 2), name=st.sampled_from(["phone", "", "tablet"]))
    def bind_device(self, uid, number, name):
        self.send(BindDevice(uid, f"d{number}", name, "x"))

    @rule(uid=users, number=st.integers(0, 2))
    def remove_device(self, uid, number):
        self.send(RemoveDevice(uid, f"d{number}"))

    @rule()
    def dump_and_load(self):
        state_hash = self.core.state_hash()
        self.core = Core.load(self.core.dump())
        require_equal("hash after load", self.core.state_hash(), state_hash)

    @invariant()
    def same_state(self):
        compare_state(self.core, self.model)


TestHouse = pytest.mark.slow(House.TestCase)
TestHouse.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
