"""Balances moved on somebody's behalf: each refusal in its order, repeats, and freezes that mix
with nothing that orders and withdrawals hold."""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.codes import HouseAccount, Kind, OrderType, Result, SelfTrade, Side, Tif
from engine.commands import cancel_all, cancel_order, place_order
from engine.halt import Halt
from engine.handlers import FIELDS, balances
from ledger.freezes import Frozen
from tests.engine.cold_house import HASH, ColdHouse

INT64_MAX = 2**63 - 1
ALICE, BOB, SERVER = 1, 2, 3
BTC, USDT = 1, 2
BTC_ADDRESS = "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu"
WITHDRAW_FEE = 5
ONE_USER = {"by": SERVER, "uid": ALICE, "coin": BTC, "amount": 100}
BASES = {
    Kind.CREDIT_BALANCE: ONE_USER,
    Kind.DEBIT_BALANCE: ONE_USER,
    Kind.TRANSFER_BALANCE: {"by": SERVER, "from_uid": ALICE, "to_uid": BOB, "coin": BTC,
                            "amount": 100},
    Kind.FREEZE_BALANCE: ONE_USER,
    Kind.UNFREEZE_BALANCE: ONE_USER,
}
KINDS = list(BASES)
# What each of them does to Alice's 850 available and 150 frozen, to Bob's 1,000, to the outside.
AFTER = {
    Kind.CREDIT_BALANCE: ((950, 150), (1000, 0), -2100),
    Kind.DEBIT_BALANCE: ((750, 150), (1000, 0), -1900),
    Kind.TRANSFER_BALANCE: ((750, 150), (1100, 0), -2000),
    Kind.FREEZE_BALANCE: ((750, 250), (1000, 0), -2000),
    Kind.UNFREEZE_BALANCE: ((950, 50), (1000, 0), -2000),
}


def new_house():
    """Alice and Bob have 1,000 units of BTC and of USDT each; no fees but a withdrawal's.

    A lot is one unit of BTC, and costs a unit of USDT at a price of one tick.
    """
    house = ColdHouse()
    for name, scale in (("BTC", 2), ("USDT", 4)):
        house.must(Kind.ADD_COIN, name=name, title=name, type="chain", scale=scale,
                   withdraw_fee=WITHDRAW_FEE)
    house.must(Kind.ADD_PAIR, name="BTC/USDT", price_scale=2, amount_scale=2, min_qty=1,
               maker_fee_ppm=0, taker_fee_ppm=0, self_trade=SelfTrade.CANCEL_TAKER)
    for username in ("alice", "bob", "server"):
        house.must(Kind.REGISTER_USER, username=username, password_hash=HASH, group=2)
    house.must(Kind.SET_WITHDRAW_ADDRESS, uid=ALICE, coin=BTC, address=BTC_ADDRESS)
    for uid in (ALICE, BOB):
        house.must(Kind.SET_WITHDRAW_ADDRESS, uid=uid, coin=USDT, address=f"T-{uid}")
        for coin in (BTC, USDT):
            house.must(Kind.DEPOSIT, uid=uid, coin=coin, amount=1000, txid="first")
    return house


@pytest.fixture
def house():
    """Others have frozen 100 of Alice's BTC, she 50; the server has used the request id `used`."""
    house = new_house()
    house.must(Kind.FREEZE_BALANCE, by=SERVER, uid=ALICE, coin=BTC, amount=100, request_id="used")
    house.must(Kind.FREEZE_BALANCE, by=ALICE, uid=ALICE, coin=BTC, amount=50)
    return house


def money(house, coin=BTC):
    """(available, frozen) of Alice and of Bob, and what came from outside."""
    return (house.balance(ALICE, coin), house.balance(BOB, coin),
            house.house(HouseAccount.EXTERNAL, coin))


BEFORE = ((850, 150), (1000, 0), -2000)


# -- refusals, in their order ----------------------------------------------------------------------

COMMON = [
    ({"by": 4, "coin": 3}, Result.UNKNOWN_USER),
    ({"by": 0}, Result.UNKNOWN_USER),
    ({"by": -1}, Result.UNKNOWN_USER),
    ({"coin": 3, "request_id": ""}, Result.UNKNOWN_COIN),
    ({"coin": -1}, Result.UNKNOWN_COIN),
    ({"request_id": "", "amount": 0}, Result.BAD_REQUEST_ID),
    ({"request_id": "a b"}, Result.BAD_REQUEST_ID),
    ({"request_id": "x" * 37}, Result.BAD_REQUEST_ID),
    ({"request_id": "used", "amount": 0}, Result.REQUEST_ID_TAKEN),
    ({"amount": 0}, Result.BAD_AMOUNT),
    ({"amount": -1}, Result.BAD_AMOUNT),
    ({"amount": 2**63}, Result.BAD_AMOUNT),
    ({"amount": 2**64 - 1}, Result.BAD_AMOUNT),
    ({}, Result.OK),
    ({"request_id": "x" * 36}, Result.OK),
    ({"request_id": None}, Result.OK),
]
OWN = {
    Kind.CREDIT_BALANCE: [
        ({"uid": 4, "coin": 3}, Result.UNKNOWN_USER),
        ({"amount": INT64_MAX - 1999}, Result.AMOUNT_TOO_LARGE),
        ({"amount": INT64_MAX}, Result.AMOUNT_TOO_LARGE),
        ({"amount": INT64_MAX - 2000}, Result.OK)],
    Kind.DEBIT_BALANCE: [
        ({"uid": 4, "coin": 3}, Result.UNKNOWN_USER),
        ({"amount": 851}, Result.NOT_ENOUGH_MONEY),
        ({"uid": SERVER, "amount": 1}, Result.NOT_ENOUGH_MONEY),
        ({"amount": 850}, Result.OK)],
    Kind.TRANSFER_BALANCE: [
        ({"from_uid": 4, "coin": 3}, Result.UNKNOWN_USER),
        ({"to_uid": 4, "coin": 3}, Result.UNKNOWN_USER),
        ({"to_uid": ALICE, "amount": 0}, Result.BAD_AMOUNT),
        ({"to_uid": ALICE, "amount": 851}, Result.SAME_ACCOUNT),
        ({"to_uid": ALICE}, Result.SAME_ACCOUNT),
        ({"amount": 851}, Result.NOT_ENOUGH_MONEY),
        ({"amount": 850}, Result.OK),
        ({"to_uid": SERVER}, Result.OK)],
    Kind.FREEZE_BALANCE: [
        ({"uid": 4, "coin": 3}, Result.UNKNOWN_USER),
        ({"amount": 851}, Result.NOT_ENOUGH_MONEY),
        ({"amount": 850}, Result.OK)],
    Kind.UNFREEZE_BALANCE: [
        ({"uid": 4, "coin": 3}, Result.UNKNOWN_USER),
        ({"amount": 151}, Result.NOT_ENOUGH_FROZEN),
        ({"by": ALICE, "amount": 51}, Result.NOT_ENOUGH_FROZEN),
        ({"coin": USDT, "amount": 1}, Result.NOT_ENOUGH_FROZEN),
        ({"uid": BOB, "amount": 1}, Result.NOT_ENOUGH_FROZEN),
        ({"by": ALICE, "amount": 50}, Result.OK),
        ({"amount": 150}, Result.OK)],
}


@pytest.mark.parametrize("kind, change, expected", [
    (kind, change, expected) for kind in KINDS for change, expected in COMMON + OWN[kind]])
def test_each_refusal_in_its_order(house, kind, change, expected):
    # That a refusal changes nothing is proved by the house after every command.
    result, value = house.do(kind, **BASES[kind] | change)
    assert result == expected
    assert value == ({"duplicate": False} if expected == Result.OK else None)
    if expected != Result.OK:
        assert money(house) == BEFORE
        assert len(house.request_ids) == 1
    assert house.accounts.trial_balance(BTC) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_each_moves_what_it_says(house, kind):
    house.must(kind, **BASES[kind])
    assert money(house) == AFTER[kind]
    assert money(house, USDT) == ((1000, 0), (1000, 0), -2000)
    assert len(house.request_ids) == 1


def test_what_was_credited_elsewhere_can_be_debited_to_the_outside(house):
    house.accounts.credit(ALICE, BTC, INT64_MAX - 2000, HouseAccount.ISSUANCE)
    house.must(Kind.DEBIT_BALANCE, **ONE_USER | {"amount": INT64_MAX - 1150})
    assert money(house) == ((0, 150), (1000, 0), INT64_MAX - 3150)
    assert house.do(Kind.CREDIT_BALANCE, **ONE_USER | {"amount": INT64_MAX})[0] == (
        Result.AMOUNT_TOO_LARGE)
    house.must(Kind.CREDIT_BALANCE, **ONE_USER | {"amount": INT64_MAX - 1150})
    assert money(house) == ((INT64_MAX - 1150, 150), (1000, 0), -2000)


# -- repeats ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
def test_a_repeat_moves_nothing_even_where_it_could_not_be_done_any_more(house, kind):
    args = BASES[kind] | {"request_id": "r"}
    assert house.must(kind, **args) == {"duplicate": False}
    assert money(house) == AFTER[kind]
    for one in (house, house.reloaded()):
        before = one.state_hash()
        assert one.must(kind, **args) == {"duplicate": True}
        one.must(Kind.DEBIT_BALANCE, **ONE_USER | {"amount": one.balance(ALICE, BTC)[0]})
        emptied = one.state_hash()
        assert one.must(kind, **args) == {"duplicate": True}
        assert one.state_hash() == emptied != before


@pytest.mark.parametrize("kind", KINDS)
def test_any_other_field_under_a_used_id_is_another_request(house, kind):
    args = BASES[kind] | {"request_id": "r"}
    house.must(kind, **args)
    after = money(house)
    for name in FIELDS[kind].keys() - {"by", "request_id"}:
        for other in {1, 2, 3} - {args[name]}:
            change = {name: other} if name != "coin" else {"coin": USDT}
            assert house.do(kind, **args | change)[0] == Result.REQUEST_ID_TAKEN, change
    for other in KINDS:
        if other != kind:
            assert house.do(other, **BASES[other] | {"request_id": "r"})[0] == (
                Result.REQUEST_ID_TAKEN)
    assert money(house) == after


def test_request_ids_are_those_of_who_asks(house):
    args = ONE_USER | {"amount": 10, "request_id": "used"}
    assert house.must(Kind.CREDIT_BALANCE, **args | {"by": BOB}) == {"duplicate": False}
    assert house.must(Kind.CREDIT_BALANCE, **args | {"by": ALICE}) == {"duplicate": False}
    assert house.do(Kind.CREDIT_BALANCE, **args)[0] == Result.REQUEST_ID_TAKEN
    # Nor are they mixed up with those of withdrawals.
    house.must(Kind.REQUEST_WITHDRAWAL, uid=ALICE, coin=USDT, amount=10, request_id="used")
    assert house.must(Kind.CREDIT_BALANCE, **args | {"by": ALICE}) == {"duplicate": True}


def test_a_refused_command_leaves_its_id_free(house):
    args = ONE_USER | {"amount": 851, "request_id": "r"}
    assert house.do(Kind.DEBIT_BALANCE, **args)[0] == Result.NOT_ENOUGH_MONEY
    house.must(Kind.CREDIT_BALANCE, **ONE_USER | {"amount": 1})
    assert house.must(Kind.DEBIT_BALANCE, **args) == {"duplicate": False}
    assert house.balance(ALICE, BTC) == (0, 150)


def test_commands_without_an_id_are_done_each_time(house):
    for _ in range(3):
        assert house.must(Kind.DEBIT_BALANCE, **ONE_USER) == {"duplicate": False}
    assert house.balance(ALICE, BTC) == (550, 150)


# -- freezes ---------------------------------------------------------------------------------------

def test_the_user_undoes_the_own_part_only_and_others_theirs_first(house):
    def unfreeze(by, amount):
        return house.do(Kind.UNFREEZE_BALANCE, by=by, uid=ALICE, coin=BTC, amount=amount)[0]

    assert house.freezes.get(ALICE, BTC) == Frozen(by_user=50, by_others=100)
    assert unfreeze(ALICE, 51) == Result.NOT_ENOUGH_FROZEN
    assert unfreeze(ALICE, 10) == Result.OK
    assert house.freezes.get(ALICE, BTC) == Frozen(40, 100)
    assert unfreeze(BOB, 60) == Result.OK
    assert house.freezes.get(ALICE, BTC) == Frozen(40, 40)
    assert unfreeze(SERVER, 81) == Result.NOT_ENOUGH_FROZEN
    assert unfreeze(SERVER, 55) == Result.OK
    assert house.freezes.get(ALICE, BTC) == Frozen(25, 0)
    assert unfreeze(ALICE, 26) == Result.NOT_ENOUGH_FROZEN
    assert unfreeze(ALICE, 25) == Result.OK
    assert len(house.freezes) == 0 and money(house) == ((1000, 0), (1000, 0), -2000)


def test_an_order_releases_its_own_hold_and_no_freeze(house):
    house.send(place_order(ALICE, 1, Side.SELL, OrderType.LIMIT, Tif.GTC, price=1, qty=800))
    order_id = house.seq
    assert house.balance(ALICE, BTC) == (50, 950)
    assert house.do(Kind.UNFREEZE_BALANCE, **ONE_USER | {"amount": 151})[0] == (
        Result.NOT_ENOUGH_FROZEN)
    house.must(Kind.FREEZE_BALANCE, **ONE_USER | {"amount": 50})
    assert house.send(cancel_order(ALICE, order_id))[0] == Result.OK
    assert house.balance(ALICE, BTC) == (800, 200)
    assert house.freezes.get(ALICE, BTC) == Frozen(50, 150)


def test_a_fill_is_paid_from_the_orders_hold_and_no_freeze(house):
    house.send(place_order(ALICE, 1, Side.SELL, OrderType.LIMIT, Tif.GTC, price=1, qty=850))
    assert house.send(place_order(
        ALICE, 1, Side.SELL, OrderType.LIMIT, Tif.GTC, price=1, qty=1))[0] == (
        Result.NOT_ENOUGH_MONEY)
    house.send(place_order(BOB, 1, Side.BUY, OrderType.MARKET, Tif.IOC, qty=850))
    assert money(house) == ((0, 150), (1850, 0), -2000)
    house.must(Kind.UNFREEZE_BALANCE, **ONE_USER | {"amount": 150})
    assert house.balance(ALICE, BTC) == (150, 0)


def test_frozen_money_is_not_withdrawn_and_a_withdrawals_not_unfrozen(house):
    frozen = ONE_USER | {"coin": USDT, "amount": 700}
    house.must(Kind.FREEZE_BALANCE, **frozen)
    withdrawal = {"uid": ALICE, "coin": USDT, "amount": 301}
    assert house.do(Kind.REQUEST_WITHDRAWAL, **withdrawal)[0] == Result.NOT_ENOUGH_MONEY
    assert house.must(Kind.REQUEST_WITHDRAWAL, uid=ALICE, coin=USDT)["amount"] == 300
    assert house.balance(ALICE, USDT) == (0, 1000)
    assert house.do(Kind.UNFREEZE_BALANCE, **frozen | {"amount": 701})[0] == (
        Result.NOT_ENOUGH_FROZEN)
    assert house.do(Kind.DEBIT_BALANCE, **frozen | {"amount": 1})[0] == Result.NOT_ENOUGH_MONEY
    house.must(Kind.APPROVE_WITHDRAWAL, id=1)
    house.must(Kind.FINISH_WITHDRAWAL, id=1, txid="paid")
    assert house.balance(ALICE, USDT) == (0, 700)
    house.must(Kind.UNFREEZE_BALANCE, **frozen)
    assert house.balance(ALICE, USDT) == (700, 0)


def test_books_that_do_not_hold_what_is_frozen_halt(house):
    house.accounts.release(ALICE, BTC, 100)
    with pytest.raises(Halt, match="user 1, coin 1: 50 frozen, 150 held"):
        house.core.check()
    with pytest.raises(Halt, match="release"):
        house.do(Kind.UNFREEZE_BALANCE, **ONE_USER)


def test_a_freeze_that_the_store_lost_is_noticed(house):
    house.freezes.unfreeze(ALICE, BTC, 100, by_user=False)
    with pytest.raises(Halt, match="user 1, coin 1: 150 frozen, 50 held"):
        house.core.check()


@pytest.mark.parametrize("uid, coin", [(77, BTC), (ALICE, 77), (0, BTC)])
def test_a_freeze_of_an_account_that_is_not_there_is_noticed(house, uid, coin):
    house.freezes.freeze(uid, coin, 5, by_user=True)
    with pytest.raises(Halt, match=f"user {uid}, coin {coin}: 5 held, and no such account"):
        house.core.check()


def test_freezes_and_request_ids_are_part_of_the_state(house):
    def changed(change):
        other = house.reloaded()
        change(other)
        return other.state_hash()

    hashes = {house.state_hash(), changed(lambda other: None),
              changed(lambda other: other.request_ids.add(ALICE, "r", 1)),
              changed(lambda other: other.freezes.freeze(ALICE, BTC, 1, True)),
              changed(lambda other: other.freezes.freeze(ALICE, BTC, 1, False))}
    assert len(hashes) == 4


# -- any order of things ---------------------------------------------------------------------------

PAYS = {ALICE: BTC, BOB: USDT}


@dataclass
class Plain:
    """The same, with lists and dictionaries: Alice sells BTC at one price, Bob buys at it.

    What each pays with is what each withdraws.
    """
    available: dict = field(default_factory=lambda: {
        (uid, coin): 0 if uid == SERVER else 1000 for uid in (1, 2, 3) for coin in (1, 2)})
    own: dict = field(default_factory=dict)             # (uid, coin) -> units, frozen by the user
    others: dict = field(default_factory=dict)          # … and by others
    orders: list = field(default_factory=list)          # [order id, uid, coin it pays, left]
    withdrawals: dict = field(default_factory=dict)     # id -> [uid, coin, amount, open?]
    used: dict = field(default_factory=dict)            # (by, request id) -> command

    def frozen(self, uid, coin):
        key = uid, coin
        return (self.own.get(key, 0) + self.others.get(key, 0)
                + sum(left for _, of, what, left in self.orders if (of, what) == key)
                + sum(amount for of, what, amount, is_open in self.withdrawals.values()
                      if is_open and (of, what) == key))

    def place(self, order_id, uid, qty):
        pays, gets = PAYS[uid], PAYS[BOB if uid == ALICE else ALICE]
        if qty > self.available[uid, pays]:
            return Result.NOT_ENOUGH_MONEY
        self.available[uid, pays] -= qty
        for order in [order for order in self.orders if order[1] != uid]:
            traded = min(qty, order[3])
            order[3] -= traded
            qty -= traded
            self.available[uid, gets] += traded
            self.available[order[1], pays] += traded
        self.orders = [order for order in self.orders if order[3]]
        if qty:
            self.orders.append([order_id, uid, pays, qty])
        return Result.OK

    def cancel(self, order_ids):
        for order_id, uid, coin, left in self.orders:
            if order_id in order_ids:
                self.available[uid, coin] += left
        self.orders = [order for order in self.orders if order[0] not in order_ids]

    def withdraw(self, uid, amount):
        if amount > self.available[uid, PAYS[uid]]:
            return Result.NOT_ENOUGH_MONEY
        self.available[uid, PAYS[uid]] -= amount
        self.withdrawals[len(self.withdrawals) + 1] = [uid, PAYS[uid], amount, True]
        return Result.OK

    def move(self, kind, args):
        """(result, value) of one of the commands in question."""
        command = kind, args
        earlier = self.used.get((args["by"], args["request_id"]))
        if earlier is not None:
            return (Result.OK, {"duplicate": True}) if earlier == command else (
                Result.REQUEST_ID_TAKEN, None)
        by, coin, amount = args["by"], args["coin"], args["amount"]
        uid = args.get("uid", args.get("from_uid"))
        key, parts = (uid, coin), [self.own] if by == uid else [self.others, self.own]
        if kind == Kind.TRANSFER_BALANCE and uid == args["to_uid"]:
            return Result.SAME_ACCOUNT, None
        if kind == Kind.UNFREEZE_BALANCE:
            if amount > sum(part.get(key, 0) for part in parts):
                return Result.NOT_ENOUGH_FROZEN, None
            for part in parts:
                taken = min(amount, part.get(key, 0))
                part[key] = part.get(key, 0) - taken
                self.available[key] += taken
                amount -= taken
        elif kind == Kind.CREDIT_BALANCE:
            self.available[key] += amount
        elif amount > self.available[key]:
            return Result.NOT_ENOUGH_MONEY, None
        else:
            self.available[key] -= amount
            if kind == Kind.TRANSFER_BALANCE:
                self.available[args["to_uid"], coin] += amount
            elif kind == Kind.FREEZE_BALANCE:
                parts[0][key] = parts[0].get(key, 0) + amount
        if args["request_id"] is not None:
            self.used[by, args["request_id"]] = command
        return Result.OK, {"duplicate": False}


# Few of each, so that they meet: what is frozen is undone, what is asked is asked again.
users, traders = st.integers(1, 3), st.integers(1, 2)
amounts = st.sampled_from((1, 100, 100, 200, 300, 600))
asked = {"by": users, "amount": amounts, "request_id": st.sampled_from((None, None, "r", "s"))}
freezes = st.sampled_from([Kind.FREEZE_BALANCE, Kind.UNFREEZE_BALANCE])
FREEZES = st.tuples(freezes, st.fixed_dictionaries(
    asked | {"uid": st.just(ALICE), "coin": st.just(BTC)}))
ONE_USER_MOVES = st.tuples(
    st.sampled_from([Kind.CREDIT_BALANCE, Kind.DEBIT_BALANCE]) | freezes,
    st.fixed_dictionaries(asked | {"uid": traders, "coin": st.integers(1, 2)}))
TRANSFERS = st.tuples(st.just(Kind.TRANSFER_BALANCE), st.fixed_dictionaries(
    asked | {"from_uid": traders, "to_uid": users, "coin": st.integers(1, 2)}))
STEPS = st.one_of(
    FREEZES, FREEZES, FREEZES, ONE_USER_MOVES, ONE_USER_MOVES, TRANSFERS,
    st.tuples(st.just("place"), traders, amounts),
    st.tuples(st.just("cancel"), st.integers(0, 3)), st.tuples(st.just("cancel all"), users),
    st.tuples(st.just("withdraw"), traders, st.sampled_from((WITHDRAW_FEE + 1, 150, 600))),
    st.tuples(st.sampled_from(["pay", "reject"]), st.integers(1, 4)))


def take(house, plain, step):
    """One step by both; (result, value) of the house and of the plain model."""
    match step:
        case ("place", uid, qty):
            side = Side.SELL if uid == ALICE else Side.BUY
            result, _ = house.send(place_order(uid, 1, side, OrderType.LIMIT, Tif.GTC, 1, qty))
            return (result, None), (plain.place(house.seq, uid, qty), None)
        case ("cancel", place):
            if place >= len(plain.orders):
                return None, None
            order_id, uid, *_ = plain.orders[place]
            plain.cancel([order_id])
            return house.send(cancel_order(uid, order_id)), (Result.OK, None)
        case ("cancel all", uid):
            plain.cancel([order[0] for order in plain.orders if order[1] == uid])
            return house.send(cancel_all(uid)), (Result.OK, None)
        case ("withdraw", uid, amount):
            result, _ = house.do(Kind.REQUEST_WITHDRAWAL, uid=uid, coin=PAYS[uid], amount=amount)
            return (result, None), (plain.withdraw(uid, amount), None)
        case ("pay" | "reject" as how, number):
            if not plain.withdrawals.get(number, [False])[-1]:
                return None, None
            uid, coin, amount, _ = plain.withdrawals[number]
            plain.withdrawals[number][-1] = False
            if how == "reject":
                plain.available[uid, coin] += amount
                return house.do(Kind.REJECT_WITHDRAWAL, id=number)[0], Result.OK
            house.must(Kind.APPROVE_WITHDRAWAL, id=number)
            return house.do(Kind.FINISH_WITHDRAWAL, id=number, txid="paid")[0], Result.OK
        case (kind, args):
            return house.do(kind, **args), plain.move(kind, args)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=20, max_size=50), st.integers(0, 50))
def test_freezes_never_mix_with_what_orders_and_withdrawals_hold(steps, reload_at):
    # That what is frozen is all held by something, that all adds up to zero, and that a refusal
    # changes nothing, is proved by the house after every command.
    house, plain = new_house(), Plain()
    for place, step in enumerate(steps):
        if place == reload_at:
            again = house.reloaded()
            assert (again.state_hash(), again.dump()) == (house.state_hash(), house.dump())
            house = again
        answered, expected = take(house, plain, step)
        assert answered == expected, step
        for (uid, coin), available in plain.available.items():
            assert house.balance(uid, coin) == (available, plain.frozen(uid, coin)), step
            assert house.freezes.get(uid, coin) == (
                plain.own.get((uid, coin), 0), plain.others.get((uid, coin), 0)), step


def test_all_commands_about_balances_are_handled_here():
    assert list(balances.HANDLERS) == KINDS == list(range(Kind.CREDIT_BALANCE, Kind.SET_MINING))
