"""docs/commands.md in figures worked out by hand, for core and model alike: permissions, devices,
payment passwords, balances, mining.

Three users: ann and ben have money of two coins, cat has none. Coin 3 is mined.
"""

import numpy as np
import pytest

from engine.codes import HouseAccount, Result
from engine.commands import RESULT_DTYPE
from engine.core import Core
from tests.model.cold_mining import miner_of
from tests.model.commands import (
    AddCoin, BindDevice, BuyForce, ClaimOre, ClearPayTries, CreateSession, CreditBalance,
    DebitBalance, Deposit, EndSession, ExtractOre, FreezeBalance, OpenWallet, RegisterUser,
    RemoveDevice, RequestWithdrawal, SetIdentity, SetMining, SetPassword, SetPayPassword,
    SetPermissions, SetProfile, SetWithdrawAddress, SignIn, TransferBalance, TransferOre,
    TryPayPassword, UnfreezeBalance, encode_batch,
)
from tests.model.comparison import compare_state
from tests.model.exchange import Model

AMOUNT_MAX = 2**63 - 1
ANN, BEN, CAT, NOBODY = 1, 2, 3, 4
FIRST, SECOND, ORE = 1, 2, 3
MONEY = 10**9
SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
TODAY = 20_000                      # days since 1970
NOON_NS = (TODAY * 24 + 12) * 60 * MINUTE_NS
# Units that a force of 100 yields in a second: 333.3333333
RATE = 3_333_333_333
PRICE = 7
MINING = SetMining(ORE, RATE, PRICE, sign_in_force=10, initial_force=100)


class SmallHouse:
    """A core or a model, with a clock that only the test moves."""

    def __init__(self, subject):
        self.subject = subject
        self.ts_ns = NOON_NS
        self.do(AddCoin("AAA", "A", "coin", 8), AddCoin("BBB", "B", "coin", 8),
                AddCoin("ORE", "O", "coin", 4),
                *[RegisterUser(name) for name in ("ann", "ben", "cat")],
                *[Deposit(uid, coin, MONEY, "first") for uid in (ANN, BEN)
                  for coin in (FIRST, SECOND)])

    def do(self, *commands) -> tuple[list[str], dict[int, object]]:
        """(names of the results, values by index)."""
        first_seq = self.subject.seq + 1
        if isinstance(self.subject, Model):
            outcome = self.subject.apply(list(commands), first_seq, self.ts_ns)
            codes = [result[0] for result in outcome.results]
        else:
            outcome = self.subject.apply(encode_batch(commands), first_seq, self.ts_ns)
            codes = np.frombuffer(outcome.results, dtype=RESULT_DTYPE)["code"].tolist()
        return [Result(code).name for code in codes], outcome.values

    def codes(self, *commands) -> list[str]:
        return self.do(*commands)[0]

    def value(self, command) -> object:
        """What a command gives that must be done."""
        codes, values = self.do(command)
        assert codes == ["OK"]
        return values.get(0)

    def later(self, ns: int) -> "SmallHouse":
        self.ts_ns += ns
        return self

    def mining(self, *uids: int) -> "SmallHouse":
        """With settings, and with wallets of these users."""
        assert set(self.codes(MINING, *map(OpenWallet, uids))) == {"OK"}
        return self

    def wallet(self, uid: int) -> int:
        if isinstance(self.subject, Model):
            return self.subject.money.wallets[uid]
        return self.subject.accounts.wallet(uid, ORE)

    def ready(self, uid: int) -> int:
        """Units that the user's miner has ready now."""
        if isinstance(self.subject, Model):
            return miner_of(self.subject, uid).ready(self.ts_ns)
        return self.subject.miners.claimable(uid, self.ts_ns)


@pytest.fixture(params=[Model, Core])
def house(request):
    return SmallHouse(request.param())


# Who and what is named is looked at first, in the order of docs/commands.md; each command has all
# the faults that come later.
REFUSALS = [
    (SetPermissions(NOBODY, {}), "UNKNOWN_USER"),
    (SetPermissions(ANN, {}), "BAD_FIELDS"),
    (SetPermissions(ANN, {"a b": 1}), "BAD_FIELDS"),
    (SetPermissions(ANN, {"x" * 65: 1}), "BAD_FIELDS"),
    (SetPermissions(ANN, {"x" * 64: 2**31 - 1}), "OK"),
    (SetPermissions(ANN, {"x": 2**31}), "BAD_FIELDS"),
    (SetPermissions(ANN, {"x": -1}), "BAD_FIELDS"),
    (SetPermissions(ANN, {"x": True}), "BAD_FIELDS"),
    (SetPermissions(ANN, {"x": None}), "OK"),
    (SetPermissions(ANN, {f"f{n}": 1 for n in range(64)}), "OK"),
    (SetPermissions(ANN, {f"f{n}": 1 for n in range(65)}), "TOO_MANY_FIELDS"),
    (SetPermissions(ANN, {f"f{n}": n or None for n in range(65)}), "OK"),
    (SetPermissions(ANN, {f"f{n}": n - 1 for n in range(65)}), "BAD_FIELDS"),
    (SetProfile(NOBODY, {}), "UNKNOWN_USER"),
    (SetProfile(ANN, {"mobile": ""}), "BAD_FIELDS"),
    (SetProfile(ANN, {"mobile": "x" * 256}), "OK"),
    (SetProfile(ANN, {"mobile": "x" * 257}), "BAD_FIELDS"),
    (SetProfile(ANN, {"mobile": "1\x1b2"}), "BAD_FIELDS"),
    (SetProfile(ANN, {"mobile": b"1"}), "BAD_FIELDS"),
    (SetIdentity(NOBODY, {}), "UNKNOWN_USER"),
    (SetIdentity(ANN, {"card": bytes(1_200)}), "OK"),
    (SetIdentity(ANN, {"card": bytes(1_201)}), "BAD_FIELDS"),
    (SetIdentity(ANN, {"card": "text"}), "BAD_FIELDS"),
    (BindDevice(NOBODY, "", "", ""), "UNKNOWN_USER"),
    (BindDevice(ANN, "x" * 128, "x" * 64, "x" * 64), "OK"),
    (BindDevice(ANN, "x" * 129, "x", "x"), "BAD_DEVICE"),
    (BindDevice(ANN, "x", "x" * 65, "x"), "BAD_DEVICE"),
    (BindDevice(ANN, "x", "x", ""), "BAD_DEVICE"),
    (BindDevice(ANN, "x", "x", "a\nb"), "BAD_DEVICE"),
    (RemoveDevice(NOBODY, "x"), "UNKNOWN_USER"),
    (RemoveDevice(ANN, "x"), "UNKNOWN_DEVICE"),
    (TryPayPassword(NOBODY), "UNKNOWN_USER"),
    (TryPayPassword(ANN), "NO_PAY_PASSWORD"),
    (ClearPayTries(NOBODY), "UNKNOWN_USER"),
    (ClearPayTries(ANN), "OK"),
    (RegisterUser("dan", source=0), "BAD_SOURCE"),
    (RegisterUser("dan", source=100), "BAD_SOURCE"),
    (RegisterUser("dan", source=99), "OK"),
    (RegisterUser("ann", source=0), "BAD_SOURCE"),
    (CreditBalance(NOBODY, ANN, 9, 0, ""), "UNKNOWN_USER"),
    (CreditBalance(ANN, NOBODY, 9, 0, ""), "UNKNOWN_USER"),
    (CreditBalance(ANN, ANN, 9, 0, ""), "UNKNOWN_COIN"),
    (CreditBalance(ANN, ANN, FIRST, 0, ""), "BAD_REQUEST_ID"),
    (CreditBalance(ANN, ANN, FIRST, 0), "BAD_AMOUNT"),
    (CreditBalance(ANN, ANN, FIRST, AMOUNT_MAX - 2 * MONEY + 1), "AMOUNT_TOO_LARGE"),
    (CreditBalance(ANN, ANN, FIRST, AMOUNT_MAX - 2 * MONEY), "OK"),
    (DebitBalance(ANN, CAT, FIRST, 1), "NOT_ENOUGH_MONEY"),
    (DebitBalance(CAT, ANN, FIRST, MONEY + 1), "NOT_ENOUGH_MONEY"),
    (DebitBalance(CAT, ANN, FIRST, MONEY), "OK"),
    (TransferBalance(ANN, NOBODY, BEN, 9, 0), "UNKNOWN_USER"),
    (TransferBalance(ANN, ANN, NOBODY, 9, 0), "UNKNOWN_USER"),
    (TransferBalance(ANN, CAT, CAT, 9, 0), "UNKNOWN_COIN"),
    (TransferBalance(ANN, CAT, CAT, FIRST, 0), "BAD_AMOUNT"),
    (TransferBalance(ANN, CAT, CAT, FIRST, 1), "SAME_ACCOUNT"),
    (TransferBalance(ANN, CAT, BEN, FIRST, 1), "NOT_ENOUGH_MONEY"),
    (TransferBalance(CAT, ANN, BEN, FIRST, MONEY), "OK"),
    (FreezeBalance(ANN, CAT, FIRST, 1), "NOT_ENOUGH_MONEY"),
    (UnfreezeBalance(ANN, ANN, FIRST, -1), "BAD_AMOUNT"),
    (UnfreezeBalance(ANN, ANN, FIRST, 1), "NOT_ENOUGH_FROZEN"),
    (SetMining(9, -1, 0, -1, -1), "UNKNOWN_COIN"),
    (SetMining(ORE, -1, 0, -1, -1), "BAD_RATE"),
    (SetMining(ORE, 0, 0, -1, -1), "BAD_AMOUNT"),
    (SetMining(ORE, 0, 1, -1, 0), "BAD_FORCE"),
    (SetMining(ORE, 0, 1, 0, -1), "BAD_FORCE"),
    (SetMining(ORE, 0, 1, 0, 0), "OK"),
    (SetMining(FIRST, AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX), "OK"),
    *[(command, "NO_MINING") for command in (
        OpenWallet(NOBODY), TransferOre(NOBODY, 9, 0), ExtractOre(NOBODY, 0), BuyForce(NOBODY, 0),
        ClaimOre(NOBODY, 0), SignIn(NOBODY, 0))],
]
# The same when there is mining: ann and ben have wallets 1 and 2, ann's miner a force of 100.
REFUSED_MINING = [
    (SetMining(FIRST, -1, 0, -1, -1), "MINING_COIN_FIXED"),
    (OpenWallet(NOBODY), "UNKNOWN_USER"),
    (TransferOre(NOBODY, 9, 0), "UNKNOWN_USER"),
    (TransferOre(CAT, 1, 0), "UNKNOWN_WALLET"),
    (TransferOre(ANN, 3, 0), "UNKNOWN_WALLET"),
    (TransferOre(ANN, 1, 0), "BAD_AMOUNT"),
    (TransferOre(ANN, 1, 1), "SAME_ACCOUNT"),
    (TransferOre(ANN, 2, 1), "NOT_ENOUGH_MONEY"),
    (ExtractOre(NOBODY, 0, 9), "UNKNOWN_USER"),
    (ExtractOre(CAT, 0, 1), "UNKNOWN_WALLET"),
    (ExtractOre(ANN, 0, 0), "UNKNOWN_WALLET"),
    (ExtractOre(ANN, 0, 2), "BAD_AMOUNT"),
    (ExtractOre(ANN, 1, 2), "NOT_ENOUGH_MONEY"),
    (BuyForce(NOBODY, 0), "UNKNOWN_USER"),
    (BuyForce(CAT, 0), "UNKNOWN_WALLET"),
    (BuyForce(ANN, 0), "BAD_FORCE"),
    (BuyForce(ANN, AMOUNT_MAX // PRICE + 1), "AMOUNT_TOO_LARGE"),
    (BuyForce(ANN, AMOUNT_MAX // PRICE), "NOT_ENOUGH_MONEY"),
    (ClaimOre(NOBODY, 0), "UNKNOWN_USER"),
    (ClaimOre(CAT, 0), "UNKNOWN_WALLET"),
    (ClaimOre(ANN, 0), "BAD_AMOUNT"),
    (ClaimOre(ANN, 1), "NOT_ENOUGH_ORE"),
    (SignIn(NOBODY, 0), "UNKNOWN_USER"),
    (SignIn(CAT, 0), "UNKNOWN_WALLET"),
    (SignIn(ANN, TODAY - 2), "BAD_DAY"),
    (SignIn(ANN, TODAY + 2), "BAD_DAY"),
    (SignIn(ANN, TODAY - 1), "OK"),
    (SignIn(ANN, TODAY + 1), "OK"),
]


@pytest.mark.parametrize(("command", "wanted"), REFUSALS)
def test_commands_are_checked_in_order(house, command, wanted):
    assert house.codes(command) == [wanted]


@pytest.mark.parametrize(("command", "wanted"), REFUSED_MINING)
def test_commands_of_miners_are_checked_in_order(house, command, wanted):
    assert house.mining(ANN, BEN).codes(command) == [wanted]


def test_who_may_not_log_in_is_logged_out_and_stays_so(house):
    digests = [bytes([n]) * 32 for n in range(3)]
    barred = SetPermissions(ANN, {"is_allow_login": 0, "other": 1})
    assert house.codes(
        CreateSession(ANN, digests[0], 60), CreateSession(BEN, digests[1], 60), barred,
        EndSession(digests[0]), CreateSession(ANN, digests[0], 60), EndSession(digests[1]),
        SetPermissions(ANN, {"is_allow_login": None}), CreateSession(ANN, digests[0], 60)) == [
        "OK", "OK", "OK", "UNKNOWN_SESSION", "UNKNOWN_USER", "OK", "OK", "OK"]


def test_a_new_password_keeps_one_session(house):
    digests = [bytes([n]) * 32 for n in range(3)]
    house.do(*[CreateSession(ANN, digest, 60) for digest in digests])
    assert house.codes(SetPassword(ANN, "hash", digests[1]), *map(EndSession, digests)) == [
        "OK", "UNKNOWN_SESSION", "OK", "UNKNOWN_SESSION"]


def test_twenty_devices(house):
    assert set(house.codes(*[BindDevice(ANN, f"d{n}", "phone", "x") for n in range(20)])) == {"OK"}
    assert house.codes(BindDevice(ANN, "d20", "phone", "x"), BindDevice(ANN, "d0", "new", "y"),
                       BindDevice(BEN, "d20", "phone", "x"), RemoveDevice(ANN, "d7"),
                       BindDevice(ANN, "d20", "phone", "x"), RemoveDevice(ANN, "d7")) == [
        "TOO_MANY_DEVICES", "OK", "OK", "OK", "OK", "UNKNOWN_DEVICE"]


def test_five_tries_lock_for_15_minutes_from_the_fifth(house):
    tries = [TryPayPassword(ANN)]
    house.do(SetPayPassword(ANN, "hash"), SetPayPassword(BEN, "hash"))
    for _ in range(4):
        # Not 15 minutes after the one before: each counts with it.
        assert house.later(15 * MINUTE_NS - 1).codes(*tries) == ["OK"]
    assert house.later(1).codes(*tries * 2) == ["OK", "PAY_PASSWORD_LOCKED"]
    assert house.later(15 * MINUTE_NS - 1).codes(*tries, TryPayPassword(BEN)) == [
        "PAY_PASSWORD_LOCKED", "OK"]
    assert house.later(1).codes(*tries * 6) == ["OK"] * 5 + ["PAY_PASSWORD_LOCKED"]


@pytest.mark.parametrize("forget", [ClearPayTries(ANN), SetPayPassword(ANN, "another")])
def test_tries_are_forgotten(house, forget):
    assert house.codes(SetPayPassword(ANN, "hash"), *[TryPayPassword(ANN)] * 5, forget,
                       *[TryPayPassword(ANN)] * 6) == ["OK"] * 12 + ["PAY_PASSWORD_LOCKED"]


def test_fifteen_minutes_without_a_try_begin_anew(house):
    house.do(SetPayPassword(ANN, "hash"), *[TryPayPassword(ANN)] * 4)
    assert house.later(15 * MINUTE_NS).codes(*[TryPayPassword(ANN)] * 6) == (
        ["OK"] * 5 + ["PAY_PASSWORD_LOCKED"])


def test_a_request_id_moves_once_for_each_who_asks(house):
    credit = CreditBalance(ANN, CAT, FIRST, 5, "id")
    moves = [credit, credit, CreditBalance(ANN, CAT, FIRST, 6, "id"),
             DebitBalance(ANN, CAT, FIRST, 5, "id"), CreditBalance(BEN, CAT, FIRST, 5, "id"),
             # Refused, so its id is free for another.
             DebitBalance(ANN, CAT, FIRST, 11, "other"), DebitBalance(ANN, CAT, FIRST, 3, "other"),
             # A withdrawal's ids are others.
             SetWithdrawAddress(ANN, FIRST, "address"), RequestWithdrawal(ANN, FIRST, 9, "id")]
    codes, values = house.do(*moves)
    assert codes == ["OK", "OK", "REQUEST_ID_TAKEN", "REQUEST_ID_TAKEN", "OK", "NOT_ENOUGH_MONEY",
                     "OK", "OK", "OK"]
    assert [values[n]["duplicate"] for n in (0, 1, 4, 6)] == [False, True, False, False]
    assert house.subject.balance(CAT, FIRST) == (7, 0)


def test_credits_and_debits_are_the_world_outside(house):
    house.do(CreditBalance(ANN, CAT, FIRST, 100), DebitBalance(CAT, ANN, FIRST, 40),
             TransferBalance(CAT, CAT, BEN, FIRST, 30))
    assert house.subject.house(HouseAccount.EXTERNAL, FIRST) == -(2 * MONEY + 60)
    assert [house.subject.balance(uid, FIRST)[0] for uid in (ANN, BEN, CAT)] == [
        MONEY - 40, MONEY + 30, 70]


def test_what_is_frozen_are_two_parts(house):
    house.do(SetWithdrawAddress(ANN, FIRST, "address"), RequestWithdrawal(ANN, FIRST, 500),
             FreezeBalance(ANN, ANN, FIRST, 30), FreezeBalance(BEN, ANN, FIRST, 12))
    assert house.subject.balance(ANN, FIRST) == (MONEY - 542, 542)
    own, others = (lambda amount: UnfreezeBalance(ANN, ANN, FIRST, amount),
                   lambda amount: UnfreezeBalance(CAT, ANN, FIRST, amount))
    # Another takes the other's 12 first, then 8 of the user's 30.
    assert house.codes(own(31), others(43), others(20), own(23), own(22), others(1)) == [
        "NOT_ENOUGH_FROZEN", "NOT_ENOUGH_FROZEN", "OK", "NOT_ENOUGH_FROZEN", "OK",
        "NOT_ENOUGH_FROZEN"]
    assert house.subject.balance(ANN, FIRST) == (MONEY - 500, 500)


def test_wallets_are_numbered_in_order_and_opened_once(house):
    assert [house.value(command) for command in (
        MINING, OpenWallet(CAT), OpenWallet(ANN), OpenWallet(CAT))] == [None, 1, 2, 1]


def test_ore_accrues_to_the_unit_however_often_it_is_asked_for(house):
    house.mining(ANN)
    assert house.ready(ANN) == 0
    assert house.later(SECOND_NS).ready(ANN) == 333
    assert house.codes(ClaimOre(ANN, 334), ClaimOre(ANN, 333)) == ["NOT_ENOUGH_ORE", "OK"]
    # 0.3333333 units are carried: with two more seconds there are 666.9999999, and so on.
    assert house.later(2 * SECOND_NS).ready(ANN) == 666
    assert house.later(1_000).ready(ANN) == 667
    for _ in range(1_000):
        house.later(997).do(ClaimOre(ANN, 1))
    elapsed_ns = 3 * SECOND_NS + 1_000 + 997 * 1_000
    assert house.wallet(ANN) + house.ready(ANN) == 100 * elapsed_ns * RATE // 10**18


def test_a_change_of_force_or_rate_settles_what_came_before(house):
    house.mining(ANN)
    house.later(30 * SECOND_NS).do(ClaimOre(ANN, 9_999))
    assert house.value(BuyForce(ANN, 1_000)) == 1_100           # 7,000 units
    assert house.wallet(ANN) == 2_999
    assert house.subject.house(HouseAccount.FEES, ORE) == 7_000
    assert house.later(SECOND_NS).value(SignIn(ANN, TODAY)) == 1_110
    house.later(SECOND_NS).do(SetMining(ORE, 10**9, 1, 0, 5))
    house.later(SECOND_NS)
    parts = 100 * 30 * RATE + 1_100 * RATE + 1_110 * RATE + 1_110 * 10**9
    assert house.ready(ANN) == parts // 10**9 - 9_999
    house.do(OpenWallet(BEN))
    assert house.later(10 * SECOND_NS).ready(BEN) == 50


def test_what_has_accrued_stops_at_the_last_amount(house):
    house.do(SetMining(ORE, AMOUNT_MAX, 1, 0, AMOUNT_MAX), OpenWallet(ANN))
    assert house.later(400 * 86_400 * SECOND_NS).ready(ANN) == AMOUNT_MAX
    # No time passes: what is claimed is gone. A nanosecond brings it all back.
    assert house.codes(ClaimOre(ANN, 10), ClaimOre(ANN, AMOUNT_MAX - 9)) == ["OK", "NOT_ENOUGH_ORE"]
    assert house.ready(ANN) == AMOUNT_MAX - 10
    assert house.later(1).ready(ANN) == AMOUNT_MAX


def test_the_supply_is_what_came_from_outside_and_what_was_mined(house):
    house.do(SetMining(ORE, AMOUNT_MAX, 1, 0, AMOUNT_MAX), OpenWallet(ANN))
    house.later(SECOND_NS)
    assert house.codes(
        CreditBalance(ANN, BEN, ORE, AMOUNT_MAX - 10), ClaimOre(ANN, 11), ClaimOre(ANN, 10),
        CreditBalance(ANN, BEN, ORE, 1), DebitBalance(ANN, BEN, ORE, 5), ClaimOre(ANN, 6),
        CreditBalance(ANN, BEN, ORE, 6), ClaimOre(ANN, 5)) == [
        "OK", "AMOUNT_TOO_LARGE", "OK", "AMOUNT_TOO_LARGE", "OK", "AMOUNT_TOO_LARGE",
        "AMOUNT_TOO_LARGE", "OK"]
    # What was mined and has left the house makes room for as much from outside.
    assert house.codes(ExtractOre(ANN, 15), DebitBalance(BEN, ANN, ORE, 15),
                       CreditBalance(ANN, CAT, ORE, 16), CreditBalance(ANN, CAT, ORE, 15)) == [
        "OK", "OK", "AMOUNT_TOO_LARGE", "OK"]


def test_one_sign_in_a_day(house):
    house.mining(ANN, BEN)
    assert house.codes(SignIn(ANN, TODAY), SignIn(ANN, TODAY), SignIn(ANN, TODAY - 1),
                       SignIn(BEN, TODAY - 1), SignIn(BEN, TODAY), SignIn(ANN, TODAY + 1),
                       SignIn(ANN, TODAY + 1)) == [
        "OK", "SIGNED_IN_ALREADY", "SIGNED_IN_ALREADY", "OK", "OK", "OK", "SIGNED_IN_ALREADY"]
    assert house.later(12 * 60 * MINUTE_NS).codes(
        SignIn(BEN, TODAY - 1), SignIn(BEN, TODAY + 2), SignIn(ANN, TODAY + 2)) == [
        "BAD_DAY", "OK", "OK"]


def test_a_sign_in_that_is_too_much_may_be_tried_again(house):
    house.mining(ANN)
    too_much = SetMining(ORE, RATE, PRICE, AMOUNT_MAX - 99, 0)
    assert house.codes(too_much, SignIn(ANN, TODAY)) == ["OK", "AMOUNT_TOO_LARGE"]
    assert house.codes(SetMining(ORE, RATE, PRICE, AMOUNT_MAX - 100, 0)) == ["OK"]
    assert house.value(SignIn(ANN, TODAY)) == AMOUNT_MAX
    house.later(SECOND_NS).do(ClaimOre(ANN, 10**6))
    assert house.codes(BuyForce(ANN, 1), BuyForce(ANN, 10**6)) == [
        "AMOUNT_TOO_LARGE", "NOT_ENOUGH_MONEY"]
    assert house.wallet(ANN) == 10**6


def test_ore_goes_from_wallet_to_wallet_and_to_an_exchange_balance(house):
    house.mining(ANN, CAT).later(SECOND_NS)
    house.do(ClaimOre(ANN, 300), TransferOre(ANN, 2, 100))
    assert house.value(ExtractOre(ANN, 50)) == {"uid": ANN, "coin": ORE}
    assert house.value(ExtractOre(ANN, 20, 2)) == {"uid": CAT, "coin": ORE}
    assert (house.wallet(ANN), house.wallet(CAT)) == (130, 100)
    assert [house.subject.balance(uid, ORE) for uid in (ANN, BEN, CAT)] == [
        (50, 0), (0, 0), (20, 0)]
    assert house.subject.house(HouseAccount.ISSUANCE, ORE) == -300


def test_nothing_of_it_is_lost_in_a_dump():
    live, model = SmallHouse(Core()), SmallHouse(Model())
    for house in (live, model):
        house.mining(ANN, CAT).later(SECOND_NS + 1)
        house.do(ClaimOre(ANN, 300), TransferOre(ANN, 2, 100), SignIn(CAT, TODAY),
                 SetPayPassword(ANN, "hash"), *[TryPayPassword(ANN)] * 5,
                 BindDevice(ANN, "d1", "phone", "x"), SetIdentity(BEN, {"card": b"sealed"}),
                 FreezeBalance(ANN, ANN, FIRST, 30, "id"), FreezeBalance(BEN, ANN, FIRST, 12))
    live.subject = Core.load(live.subject.dump())
    compare_state(live.subject, model.subject)
    for house in (live, model):
        house.later(SECOND_NS)
        assert house.codes(TryPayPassword(ANN), SignIn(CAT, TODAY), ClaimOre(CAT, 700),
                           FreezeBalance(ANN, ANN, FIRST, 31, "id")) == [
            "PAY_PASSWORD_LOCKED", "SIGNED_IN_ALREADY", "OK", "REQUEST_ID_TAKEN"]
    compare_state(live.subject, model.subject)
