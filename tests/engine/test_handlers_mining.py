"""Mining: each refusal in its order, where the ore is, what repeats do, and all of it at random
against a plain model."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.codes import HouseAccount, Kind, Result
from engine.halt import Halt
from pool.views import Settings
from tests.engine.cold_house import HASH, NS_PER_S, START_NS, ColdHouse
from tests.pool.plain_miners import PlainMiners

INT64_MAX = 2**63 - 1
ALICE, BOB, CAROL = 1, 2, 3      # Carol has no wallet
USDT, ORE = 1, 2
DAY = START_NS // (86_400 * NS_PER_S)
# A unit for one force and second: a new miner yields 100 units a second.
MINING = {"coin": ORE, "rate": 10**9, "force_price": 7, "sign_in_force": 10, "initial_force": 100}


@pytest.fixture
def house():
    return new_house()


def new_house():
    """Alice has wallet 1, Bob wallet 2, each 1,000 units of ore in it, claimed after 10 s."""
    house = bare_house()
    house.must(Kind.SET_MINING, **MINING)
    for uid in (ALICE, BOB):
        house.must(Kind.OPEN_WALLET, uid=uid)
    house.ts_ns += 10 * NS_PER_S
    for uid in (ALICE, BOB):
        house.must(Kind.CLAIM_ORE, uid=uid, amount=1000)
    return house


def bare_house():
    """Three users and two coins, and no mining."""
    house = ColdHouse()
    for name in ("USDT", "ORE"):
        house.must(Kind.ADD_COIN, name=name, title=name, type="coin", scale=0)
    for username in ("alice", "bob", "carol"):
        house.must(Kind.REGISTER_USER, username=username, password_hash=HASH, group=2)
    return house


def ore(house):
    """What the wallets and the exchange balances of the three have, then FEES and ISSUANCE."""
    accounts, users = house.accounts, (ALICE, BOB, CAROL)
    return ([accounts.wallet(uid, ORE) for uid in users],
            [accounts.available(uid, ORE) for uid in users],
            accounts.house(HouseAccount.FEES, ORE), accounts.house(HouseAccount.ISSUANCE, ORE))


UNTOUCHED = ([1000, 1000, 0], [0, 0, 0], 0, -2000)


# -- settings -----------------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"coin": 3, "rate": -1}, Result.UNKNOWN_COIN),
    ({"coin": 0}, Result.UNKNOWN_COIN),
    ({"coin": USDT, "rate": -1}, Result.MINING_COIN_FIXED),
    ({"rate": -1, "force_price": 0}, Result.BAD_RATE),
    ({"rate": 2**63}, Result.BAD_RATE),
    ({"force_price": 0, "sign_in_force": -1}, Result.BAD_AMOUNT),
    ({"force_price": 2**63}, Result.BAD_AMOUNT),
    ({"sign_in_force": -1}, Result.BAD_FORCE),
    ({"sign_in_force": 2**63}, Result.BAD_FORCE),
    ({"initial_force": -1}, Result.BAD_FORCE),
    ({"initial_force": 2**63}, Result.BAD_FORCE),
    ({"rate": 0, "sign_in_force": 0, "initial_force": 0, "force_price": 1}, Result.OK),
    (dict.fromkeys(("rate", "force_price", "sign_in_force", "initial_force"), INT64_MAX),
     Result.OK),
])
def test_set_mining(house, change, expected):
    args = MINING | change
    assert house.do(Kind.SET_MINING, **args) == (expected, None)
    assert house.miners.settings == Settings(**(args if expected == Result.OK else MINING))
    assert ore(house) == UNTOUCHED


def test_the_first_settings_choose_any_coin():
    house = bare_house()
    assert house.miners.settings is None
    house.must(Kind.SET_MINING, **MINING | {"coin": USDT})
    assert house.accounts.has_wallets(USDT) and not house.accounts.has_wallets(ORE)
    assert house.do(Kind.SET_MINING, **MINING)[0] == Result.MINING_COIN_FIXED


@pytest.mark.parametrize("kind, args", [
    (Kind.OPEN_WALLET, {}), (Kind.TRANSFER_ORE, {"wallet": 1, "amount": 0}),
    (Kind.EXTRACT_ORE, {"amount": 0}), (Kind.BUY_FORCE, {"force": 0}),
    (Kind.CLAIM_ORE, {"amount": 0}), (Kind.SIGN_IN, {"day": 0})])
def test_before_there_are_settings_there_is_no_mining(kind, args):
    house = bare_house()
    for uid in (ALICE, 0):
        assert house.do(kind, uid=uid, **args) == (Result.NO_MINING, None)


def test_a_new_rate_counts_for_all_from_then_on(house):
    house.ts_ns += NS_PER_S
    house.must(Kind.SET_MINING, **MINING | {"rate": 3 * 10**9})
    house.ts_ns += NS_PER_S
    for uid in (ALICE, BOB):
        assert house.miners.claimable(uid, house.ts_ns) == 100 + 300


# -- wallets ------------------------------------------------------------------------------------

def test_a_wallet_is_opened_once(house):
    assert house.do(Kind.OPEN_WALLET, uid=4) == (Result.UNKNOWN_USER, None)
    assert house.do(Kind.OPEN_WALLET, uid=-1) == (Result.UNKNOWN_USER, None)
    before = house.state_hash()
    assert house.must(Kind.OPEN_WALLET, uid=BOB) == 2
    assert house.state_hash() == before
    assert house.must(Kind.OPEN_WALLET, uid=CAROL) == 3
    miner = house.miners.of_user(CAROL)
    assert (miner.number, miner.force, miner.opened_ns) == (3, 100, house.ts_ns)
    assert house.miners.by_address(miner.address) == miner


def test_a_new_miner_has_the_initial_force_of_its_time(house):
    house.must(Kind.SET_MINING, **MINING | {"initial_force": 5})
    house.must(Kind.OPEN_WALLET, uid=CAROL)
    assert [house.miners.get(number).force for number in (1, 2, 3)] == [100, 100, 5]


def test_users_who_come_later_may_open_one(house):
    for number in range(4, 300):
        house.must(Kind.REGISTER_USER, username=f"user{number}", password_hash=HASH, group=2)
    assert house.must(Kind.OPEN_WALLET, uid=299) == 3
    house.must(Kind.TRANSFER_ORE, uid=ALICE, wallet=3, amount=7)
    assert house.accounts.wallet(299, ORE) == 7


@pytest.mark.parametrize("change, expected", [
    ({"uid": 4, "wallet": 9}, Result.UNKNOWN_USER),
    ({"uid": -1}, Result.UNKNOWN_USER),
    ({"uid": CAROL, "wallet": 9, "amount": 0}, Result.UNKNOWN_WALLET),
    ({"wallet": 3, "amount": 0}, Result.UNKNOWN_WALLET),
    ({"wallet": 0}, Result.UNKNOWN_WALLET),
    ({"wallet": -1}, Result.UNKNOWN_WALLET),
    ({"wallet": 2**64 - 1}, Result.UNKNOWN_WALLET),
    ({"wallet": 1, "amount": 0}, Result.BAD_AMOUNT),
    ({"amount": -1}, Result.BAD_AMOUNT),
    ({"amount": 2**63}, Result.BAD_AMOUNT),
    ({"wallet": 1, "amount": 1001}, Result.SAME_ACCOUNT),
    ({"amount": 1001}, Result.NOT_ENOUGH_MONEY),
    ({"amount": 1000}, Result.OK),
    ({"amount": 1}, Result.OK),
])
def test_transfer_ore(house, change, expected):
    args = {"uid": ALICE, "wallet": 2, "amount": 10} | change
    assert house.do(Kind.TRANSFER_ORE, **args) == (expected, None)
    moved = args["amount"] if expected == Result.OK else 0
    assert ore(house) == ([1000 - moved, 1000 + moved, 0], [0, 0, 0], 0, -2000)


@pytest.mark.parametrize("change, expected", [
    ({"uid": 4, "wallet": 9}, Result.UNKNOWN_USER),
    ({"uid": CAROL, "wallet": 9, "amount": 0}, Result.UNKNOWN_WALLET),
    ({"wallet": 3, "amount": 0}, Result.UNKNOWN_WALLET),
    ({"wallet": 0}, Result.UNKNOWN_WALLET),
    ({"wallet": -1}, Result.UNKNOWN_WALLET),
    ({"amount": 0}, Result.BAD_AMOUNT),
    ({"amount": -1}, Result.BAD_AMOUNT),
    ({"amount": 2**63}, Result.BAD_AMOUNT),
    ({"amount": 1001}, Result.NOT_ENOUGH_MONEY),
    ({"wallet": None}, Result.OK),
    ({"wallet": 1, "amount": 1000}, Result.OK),
    ({"wallet": 2}, Result.OK),
])
def test_extract_ore(house, change, expected):
    args = {"uid": ALICE, "amount": 10} | change
    result, value = house.do(Kind.EXTRACT_ORE, **args)
    assert result == expected
    if expected != Result.OK:
        assert (value, ore(house)) == (None, UNTOUCHED)
        return
    receiver = args.get("wallet") or ALICE
    assert value == {"uid": receiver, "coin": ORE}
    available = [0, 0, 0]
    available[receiver - 1] = args["amount"]
    assert ore(house) == ([1000 - args["amount"], 1000, 0], available, 0, -2000)


def test_what_an_order_or_a_withdrawal_needs_does_not_come_from_the_wallet(house):
    house.must(Kind.SET_WITHDRAW_ADDRESS, uid=ALICE, coin=ORE, address="here")
    args = {"uid": ALICE, "coin": ORE, "amount": 500}
    assert house.do(Kind.REQUEST_WITHDRAWAL, **args)[0] == Result.NOT_ENOUGH_MONEY
    house.must(Kind.EXTRACT_ORE, uid=ALICE, amount=500)
    house.must(Kind.REQUEST_WITHDRAWAL, **args)
    assert ore(house) == ([500, 1000, 0], [0, 0, 0], 0, -2000)


# -- force --------------------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"uid": 4, "force": 0}, Result.UNKNOWN_USER),
    ({"uid": CAROL, "force": 0}, Result.UNKNOWN_WALLET),
    ({"force": 0}, Result.BAD_FORCE),
    ({"force": -1}, Result.BAD_FORCE),
    ({"force": 2**63}, Result.BAD_FORCE),
    ({"force": INT64_MAX // 7 + 1}, Result.AMOUNT_TOO_LARGE),
    ({"force": INT64_MAX // 7}, Result.NOT_ENOUGH_MONEY),
    ({"force": 143}, Result.NOT_ENOUGH_MONEY),      # 1,001 units
    ({"force": 142}, Result.OK),
    ({"force": 1}, Result.OK),
])
def test_buy_force(house, change, expected):
    args = {"uid": ALICE, "force": 5} | change
    result, value = house.do(Kind.BUY_FORCE, **args)
    bought = args["force"] if expected == Result.OK else 0
    assert (result, value) == (expected, 100 + bought if bought else None)
    assert house.miners.of_user(ALICE).force == 100 + bought
    assert ore(house) == ([1000 - 7 * bought, 1000, 0], [0, 0, 0], 7 * bought, -2000)
    house.ts_ns += NS_PER_S
    assert house.miners.claimable(ALICE, house.ts_ns) == 100 + bought


def test_force_that_is_too_much_is_not_bought_and_not_paid():
    house = bare_house()
    house.must(Kind.SET_MINING, **MINING | {"initial_force": INT64_MAX - 5, "force_price": 1})
    house.must(Kind.OPEN_WALLET, uid=ALICE)
    house.ts_ns += 1
    house.must(Kind.CLAIM_ORE, uid=ALICE, amount=10)
    assert house.do(Kind.BUY_FORCE, uid=ALICE, force=11)[0] == Result.NOT_ENOUGH_MONEY
    assert house.do(Kind.BUY_FORCE, uid=ALICE, force=6)[0] == Result.AMOUNT_TOO_LARGE
    assert house.must(Kind.BUY_FORCE, uid=ALICE, force=5) == INT64_MAX
    assert ore(house) == ([5, 0, 0], [0, 0, 0], 5, -10)


@pytest.mark.parametrize("change, expected", [
    ({"uid": 4, "day": DAY + 2}, Result.UNKNOWN_USER),
    ({"uid": CAROL, "day": DAY + 2}, Result.UNKNOWN_WALLET),
    ({"day": DAY - 2}, Result.BAD_DAY),
    ({"day": DAY + 2}, Result.BAD_DAY),
    ({"day": 2**64 - 1}, Result.BAD_DAY),
    ({"day": -2**63}, Result.BAD_DAY),
    ({"day": DAY - 1}, Result.SIGNED_IN_ALREADY),
    ({"day": DAY}, Result.SIGNED_IN_ALREADY),
    ({"day": DAY + 1}, Result.OK),
    ({"uid": BOB, "day": DAY - 1}, Result.OK),
])
def test_sign_in(house, change, expected):
    """Alice has signed in today."""
    house.must(Kind.SIGN_IN, uid=ALICE, day=DAY)
    args = {"uid": ALICE} | change
    before = house.miners.of_user(args["uid"])
    result, value = house.do(Kind.SIGN_IN, **args)
    assert result == expected
    after = house.miners.of_user(args["uid"])
    if expected == Result.OK:
        assert value == before.force + 10
        assert after == before._replace(force=value, signed_day=args["day"])
    else:
        assert (value, after) == (None, before)


def test_a_sign_in_that_would_be_lost_may_be_tried_again():
    house = bare_house()
    house.must(Kind.SET_MINING, **MINING | {"initial_force": INT64_MAX - 9})
    house.must(Kind.OPEN_WALLET, uid=ALICE)
    assert house.do(Kind.SIGN_IN, uid=ALICE, day=DAY) == (Result.AMOUNT_TOO_LARGE, None)
    assert house.miners.of_user(ALICE).signed_day is None
    house.must(Kind.SET_MINING, **MINING | {"sign_in_force": 9})
    assert house.must(Kind.SIGN_IN, uid=ALICE, day=DAY) == INT64_MAX


def test_the_first_days_of_all_may_be_signed_in_on():
    house = ColdHouse(ts_ns=0)
    house.must(Kind.ADD_COIN, name="ORE", title="ORE", type="coin", scale=0)
    house.must(Kind.REGISTER_USER, username="alice", password_hash=HASH, group=2)
    house.must(Kind.SET_MINING, **MINING | {"coin": 1})
    house.must(Kind.OPEN_WALLET, uid=ALICE)
    for day, force in ((-1, 110), (0, 120), (1, 130)):
        assert house.must(Kind.SIGN_IN, uid=ALICE, day=day) == force
        assert house.miners.of_user(ALICE).signed_day == day


# -- claims -------------------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"uid": 4, "amount": 0}, Result.UNKNOWN_USER),
    ({"uid": CAROL, "amount": 0}, Result.UNKNOWN_WALLET),
    ({"amount": 0}, Result.BAD_AMOUNT),
    ({"amount": -1}, Result.BAD_AMOUNT),
    ({"amount": 2**63}, Result.BAD_AMOUNT),
    ({"amount": 101}, Result.NOT_ENOUGH_ORE),
    ({"amount": INT64_MAX}, Result.NOT_ENOUGH_ORE),
    ({"amount": 100}, Result.OK),
])
def test_claim_ore(house, change, expected):
    """A second after the last claim."""
    house.ts_ns += NS_PER_S
    args = {"uid": ALICE, "amount": 10} | change
    assert house.do(Kind.CLAIM_ORE, **args) == (expected, None)
    claimed = args["amount"] if expected == Result.OK else 0
    assert ore(house) == ([1000 + claimed, 1000, 0], [0, 0, 0], 0, -2000 - claimed)
    assert house.miners.of_user(ALICE).claimed == 1000 + claimed
    assert house.miners.claimable(ALICE, house.ts_ns) == 100 - claimed


def test_claims_stop_where_the_supply_would_exceed_64_bits(house):
    house.must(Kind.DEPOSIT, uid=CAROL, coin=ORE, amount=INT64_MAX - 2050, txid="all")
    house.ts_ns += NS_PER_S
    assert house.do(Kind.CLAIM_ORE, uid=ALICE, amount=51)[0] == Result.AMOUNT_TOO_LARGE
    house.must(Kind.CLAIM_ORE, uid=ALICE, amount=50)
    assert house.do(Kind.CLAIM_ORE, uid=BOB, amount=1)[0] == Result.AMOUNT_TOO_LARGE
    deposit = {"uid": CAROL, "coin": ORE, "amount": 1, "txid": "more"}
    assert house.do(Kind.DEPOSIT, **deposit)[0] == Result.AMOUNT_TOO_LARGE
    assert house.miners.claimable(ALICE, house.ts_ns) == 50


# -- the core's own checks ----------------------------------------------------------------------

def test_ore_in_a_wallet_without_a_miner_stops_the_house(house):
    house.accounts.credit_wallet(CAROL, ORE, 1, HouseAccount.ISSUANCE)
    with pytest.raises(Halt, match="user 3 has 1 in a wallet and no miner"):
        house.check()


def test_wallets_of_another_coin_stop_the_house(house):
    house.accounts.open_wallets(USDT)
    with pytest.raises(Halt, match="coin 1 has wallets"):
        house.check()


def test_wallets_before_there_is_mining_stop_the_house():
    house = bare_house()
    house.accounts.open_wallets(ORE)
    with pytest.raises(Halt, match="coin 2 has wallets"):
        house.check()


def test_a_miner_of_nobody_stops_the_house(house):
    house.miners.open(77, house.ts_ns)
    with pytest.raises(Halt, match="3 miners of 2 users"):
        house.check()


def test_settings_whose_coin_has_no_wallets_stop_the_house():
    for coin in (ORE, 77):
        house = bare_house()
        house.miners.set_settings(Settings(coin, 1, 1, 0, 0), house.core.ts_ns)
        with pytest.raises(Halt, match=f"coin {coin} is mined and has no wallets"):
            house.check()


def test_ore_that_no_miner_has_claimed_stops_the_house(house):
    house.accounts.credit_wallet(ALICE, ORE, 5, HouseAccount.ISSUANCE)
    with pytest.raises(Halt, match="2000 units were claimed, 2005 issued"):
        house.check()


def test_a_miner_ahead_of_time_stops_the_house(house):
    house.miners.set_force(ALICE, 1, house.core.ts_ns + 1)
    with pytest.raises(Halt, match="a miner is settled up to"):
        house.check()


# -- everything at random -----------------------------------------------------------------------

USERS = range(1, 5)
LAST_UID = 5        # no such user


class PlainHouse:
    """What docs/commands.md says of mining, line by line, over dicts."""

    def __init__(self):
        self.miners = PlainMiners()
        self.wallet = dict.fromkeys(USERS, 0)
        self.available = dict.fromkeys(USERS, 0)
        self.fees = self.issued = 0

    def do(self, kind, args, ts_ns):
        """(result, value)"""
        if kind == Kind.SET_MINING:
            self.miners.set_settings(Settings(**args), ts_ns)
            return Result.OK, None
        if self.miners.settings is None:
            return Result.NO_MINING, None
        if args["uid"] not in USERS:
            return Result.UNKNOWN_USER, None
        own = self.miners.of_user(args["uid"])
        if kind == Kind.OPEN_WALLET:
            return Result.OK, own.number if own else self.miners.open(args["uid"], ts_ns)
        if own is None:
            return Result.UNKNOWN_WALLET, None
        owners = {view.number: view.uid for view in self.miners.views()} | {None: own.uid}
        if args.get("wallet") not in owners:
            return Result.UNKNOWN_WALLET, None
        if args.get("amount", 1) < 1:
            return Result.BAD_AMOUNT, None
        do = getattr(self, Kind(kind).name.lower())
        return do(own, owners[args.get("wallet")], args, ts_ns)

    def transfer_ore(self, own, other, args, ts_ns):
        if own.uid == other:
            return Result.SAME_ACCOUNT, None
        if self.wallet[own.uid] < args["amount"]:
            return Result.NOT_ENOUGH_MONEY, None
        self.wallet[own.uid] -= args["amount"]
        self.wallet[other] += args["amount"]
        return Result.OK, None

    def extract_ore(self, own, other, args, ts_ns):
        if self.wallet[own.uid] < args["amount"]:
            return Result.NOT_ENOUGH_MONEY, None
        self.wallet[own.uid] -= args["amount"]
        self.available[other] += args["amount"]
        return Result.OK, {"uid": other, "coin": ORE}

    def buy_force(self, own, other, args, ts_ns):
        if args["force"] < 1:
            return Result.BAD_FORCE, None
        cost = args["force"] * self.miners.settings.force_price
        if cost > INT64_MAX:
            return Result.AMOUNT_TOO_LARGE, None
        if self.wallet[own.uid] < cost:
            return Result.NOT_ENOUGH_MONEY, None
        return self.strengthen(own, args["force"], ts_ns, cost)

    def claim_ore(self, own, other, args, ts_ns):
        if self.miners.claimable(own.uid, ts_ns) < args["amount"]:
            return Result.NOT_ENOUGH_ORE, None
        if self.issued + args["amount"] > INT64_MAX:
            return Result.AMOUNT_TOO_LARGE, None
        self.miners.claim(own.uid, args["amount"], ts_ns)
        self.wallet[own.uid] += args["amount"]
        self.issued += args["amount"]
        return Result.OK, None

    def sign_in(self, own, other, args, ts_ns):
        if abs(ts_ns // (86_400 * NS_PER_S) - args["day"]) > 1:
            return Result.BAD_DAY, None
        if own.signed_day is not None and own.signed_day >= args["day"]:
            return Result.SIGNED_IN_ALREADY, None
        answer = self.strengthen(own, self.miners.settings.sign_in_force, ts_ns)
        if answer[0] == Result.OK:
            self.miners.sign_in(own.uid, args["day"])
        return answer

    def strengthen(self, own, force, ts_ns, cost=0):
        if own.force + force > INT64_MAX:
            return Result.AMOUNT_TOO_LARGE, None
        self.wallet[own.uid] -= cost
        self.fees += cost
        self.miners.set_force(own.uid, own.force + force, ts_ns)
        return Result.OK, own.force + force

    def accounts(self):
        return self.wallet, self.available, self.fees, -self.issued


def shown(house):
    """What PlainHouse.accounts shows, of the real one; a wallet that is not there holds nothing."""
    accounts = house.accounts
    wallet = {uid: accounts.wallet(uid, ORE) if accounts.has_wallets(ORE) else 0 for uid in USERS}
    return (wallet, {uid: accounts.available(uid, ORE) for uid in USERS},
            accounts.house(HouseAccount.FEES, ORE), accounts.house(HouseAccount.ISSUANCE, ORE))


uids = st.sampled_from([*USERS, *USERS, *USERS, LAST_UID])
amounts = st.one_of(st.integers(1, 100), st.integers(0, 1000), st.integers(0, 1000),
                    st.integers(1, 62).map(lambda bits: 2**bits))
wallets = st.integers(0, 5)
commands = st.one_of(
    st.tuples(st.just(Kind.SET_MINING), st.fixed_dictionaries({
        "coin": st.just(ORE), "force_price": st.sampled_from([1, 3, 2**40]),
        "rate": st.sampled_from([0, 10**9, 10**9 + 7, 10**15]),
        "sign_in_force": st.sampled_from([0, 10, 2**62]),
        "initial_force": st.sampled_from([0, 100, 2**50])})),
    st.tuples(st.just(Kind.OPEN_WALLET), st.fixed_dictionaries({"uid": uids})),
    st.tuples(st.just(Kind.TRANSFER_ORE), st.fixed_dictionaries(
        {"uid": uids, "wallet": wallets, "amount": amounts})),
    st.tuples(st.just(Kind.EXTRACT_ORE), st.fixed_dictionaries(
        {"uid": uids, "amount": amounts, "wallet": st.none() | st.integers(1, 5)})),
    st.tuples(st.just(Kind.BUY_FORCE), st.fixed_dictionaries({"uid": uids, "force": amounts})),
    st.tuples(st.just(Kind.CLAIM_ORE), st.fixed_dictionaries({"uid": uids, "amount": amounts})),
    st.tuples(st.just(Kind.SIGN_IN), st.fixed_dictionaries({
        "uid": uids, "day": st.integers(DAY - 2, DAY + 4)})),
)
gaps_ns = st.sampled_from([0, 0, 1, NS_PER_S - 1, 5 * NS_PER_S, 86_400 * NS_PER_S])
# Nobody, or three of four, with ore in their wallets.
beginnings = st.sampled_from([[], [
    (0, (Kind.SET_MINING, MINING)),
    *((0, (Kind.OPEN_WALLET, {"uid": uid})) for uid in USERS[:3]),
    *((4 * NS_PER_S, (Kind.CLAIM_ORE, {"uid": uid, "amount": 400})) for uid in USERS[:3]),
]])


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(beginning=beginnings, history=st.lists(st.tuples(gaps_ns, commands), max_size=25),
       reload_at=st.integers(0, 30))
def test_commands_in_any_order_do_what_the_text_says(beginning, history, reload_at):
    house, plain = bare_house(), PlainHouse()
    house.must(Kind.REGISTER_USER, username="dave", password_hash=HASH, group=2)
    for place, (gap_ns, (kind, args)) in enumerate(beginning + history):
        if place == reload_at:
            dumped = house.dump()
            house = house.reloaded()
            assert house.dump() == dumped
        house.ts_ns += gap_ns
        assert house.do(kind, **args) == plain.do(kind, args, house.ts_ns)
        assert shown(house) == plain.accounts()
        assert house.miners.rank(10) == plain.miners.rank(10)
        assert house.miners.settings == plain.miners.settings
        for view in plain.miners.views():
            assert (house.miners.claimable(view.uid, house.ts_ns)
                    == plain.miners.claimable(view.uid, house.ts_ns))
    assert sum(view.claimed for view in house.miners.rank(10)) == plain.issued
    assert house.reloaded().state_hash() == house.state_hash()
