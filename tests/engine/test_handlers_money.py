"""Deposits and withdrawals: each refusal in its order, where the money is, and what repeats do."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.codes import HouseAccount, Kind, Result, WithdrawalStatus
from engine.halt import Halt
from ledger import withdrawals
from tests.engine.cold_house import HASH, START_NS, ColdHouse

INT64_MAX = 2**63 - 1
ALICE, BOB = 1, 2
BTC, USDT = 1, 2
BTC_ADDRESS = "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu"
BTC_FEE = 50


@pytest.fixture
def house():
    return new_house()


def new_house():
    """Alice has 1,000 units of BTC, and an address for each coin; a withdrawal of BTC costs 50."""
    house = ColdHouse()
    for name, fee in (("BTC", BTC_FEE), ("USDT", None)):
        house.must(Kind.ADD_COIN, name=name, title=name, type="chain", scale=8, withdraw_fee=fee)
    for username in ("alice", "bob"):
        house.must(Kind.REGISTER_USER, username=username, password_hash=HASH, group=2)
    house.must(Kind.SET_WITHDRAW_ADDRESS, uid=ALICE, coin=BTC, address=BTC_ADDRESS)
    house.must(Kind.SET_WITHDRAW_ADDRESS, uid=ALICE, coin=USDT, address="T-address")
    house.must(Kind.DEPOSIT, uid=ALICE, coin=BTC, amount=1000, txid="first")
    return house


def money(house, uid=ALICE, coin=BTC):
    """available, frozen, and what the house has: EXTERNAL, FEES."""
    accounts = house.accounts
    return (accounts.available(uid, coin), accounts.frozen(uid, coin),
            accounts.house(HouseAccount.EXTERNAL, coin), accounts.house(HouseAccount.FEES, coin))


def test_statuses_have_the_numbers_of_the_codes():
    assert ({status.name: int(status) for status in withdrawals.Status}
            == {status.name: int(status) for status in WithdrawalStatus})


# -- deposits -----------------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"uid": 3, "coin": 3}, Result.UNKNOWN_USER),
    ({"uid": -1}, Result.UNKNOWN_USER),
    ({"coin": 3, "amount": 0}, Result.UNKNOWN_COIN),
    ({"amount": 0, "txid": ""}, Result.BAD_AMOUNT),
    ({"amount": -1}, Result.BAD_AMOUNT),
    ({"amount": 2**63}, Result.BAD_AMOUNT),
    ({"txid": ""}, Result.BAD_TXID),
    ({"txid": "x" * 129}, Result.BAD_TXID),
    ({"txid": "a\tb"}, Result.BAD_TXID),
    ({"amount": INT64_MAX - 999}, Result.AMOUNT_TOO_LARGE),
    ({"amount": INT64_MAX - 1000, "txid": "x" * 128}, Result.OK),
])
def test_deposit(house, change, expected):
    args = {"uid": BOB, "coin": BTC, "amount": 7, "txid": "t"} | change
    result, value = house.do(Kind.DEPOSIT, **args)
    assert result == expected
    assert value == ({"duplicate": False} if expected == Result.OK else None)
    assert money(house, BOB)[0] == (args["amount"] if expected == Result.OK else 0)
    assert house.accounts.trial_balance(BTC) == 0


def test_a_deposit_is_credited_once_for_coin_txid_and_user(house):
    again = {"uid": ALICE, "coin": BTC, "amount": 1000, "txid": "first"}
    assert house.must(Kind.DEPOSIT, **again) == {"duplicate": True}
    assert house.must(Kind.DEPOSIT, **again | {"amount": 5}) == {"duplicate": True}
    assert money(house) == (1000, 0, -1000, 0)
    for other in ({"uid": BOB}, {"coin": USDT}, {"txid": "First"}):
        assert house.must(Kind.DEPOSIT, **again | other) == {"duplicate": False}


# -- requests -----------------------------------------------------------------------------------

@pytest.mark.parametrize("change, expected", [
    ({"uid": 3, "coin": 3}, Result.UNKNOWN_USER),
    ({"coin": 3, "request_id": ""}, Result.UNKNOWN_COIN),
    ({"request_id": "", "amount": 0}, Result.BAD_REQUEST_ID),
    ({"request_id": "a b"}, Result.BAD_REQUEST_ID),
    ({"request_id": "x" * 37}, Result.BAD_REQUEST_ID),
    ({"uid": BOB, "amount": 0}, Result.BAD_AMOUNT),
    ({"amount": -1}, Result.BAD_AMOUNT),
    ({"amount": 2**63}, Result.BAD_AMOUNT),
    ({"uid": BOB}, Result.NO_WITHDRAW_ADDRESS),
    ({"amount": 1001}, Result.NOT_ENOUGH_MONEY),
    ({"coin": USDT, "amount": None}, Result.NOT_ENOUGH_MONEY),
    ({"amount": BTC_FEE}, Result.BAD_AMOUNT),
    ({"amount": BTC_FEE + 1}, Result.OK),
    ({"amount": 1000}, Result.OK),
    ({"amount": None}, Result.OK),
    ({"request_id": "x" * 36}, Result.OK),
])
def test_request_withdrawal(house, change, expected):
    args = {"uid": ALICE, "coin": BTC, "amount": 100} | change
    result, value = house.do(Kind.REQUEST_WITHDRAWAL, **args)
    assert result == expected
    if expected == Result.OK:
        amount = args["amount"] or 1000
        assert value == {
            "id": 1, "uid": ALICE, "coin": BTC, "amount": amount, "fee": BTC_FEE,
            "address": BTC_ADDRESS, "status": WithdrawalStatus.REQUESTED, "txid": None,
            "requested_ns": START_NS, "request_id": change.get("request_id")}
        assert money(house) == (1000 - amount, amount, -1000, 0)
        assert house.withdrawals.get(1).view() == value


def test_a_request_id_gives_the_first_withdrawal_again(house):
    args = {"uid": ALICE, "coin": BTC, "amount": 400, "request_id": "r"}
    first = house.must(Kind.REQUEST_WITHDRAWAL, **args)
    assert house.must(Kind.REQUEST_WITHDRAWAL, **args) == first
    for other in ({"amount": 401}, {"amount": None}, {"amount": 0}, {"coin": USDT}):
        assert house.do(Kind.REQUEST_WITHDRAWAL, **args | other)[0] == Result.REQUEST_ID_TAKEN
    assert money(house) == (600, 400, -1000, 0)
    house.must(Kind.REJECT_WITHDRAWAL, id=1)
    again = house.must(Kind.REQUEST_WITHDRAWAL, **args)
    assert again == first | {"status": WithdrawalStatus.REJECTED}
    assert money(house) == (1000, 0, -1000, 0)


def test_a_request_for_everything_is_repeated_as_such(house):
    args = {"uid": ALICE, "coin": BTC, "request_id": "r"}
    first = house.must(Kind.REQUEST_WITHDRAWAL, **args)
    house.must(Kind.DEPOSIT, uid=ALICE, coin=BTC, amount=5, txid="second")
    assert house.must(Kind.REQUEST_WITHDRAWAL, **args) == first
    assert house.do(Kind.REQUEST_WITHDRAWAL, **args, amount=1000)[0] == Result.REQUEST_ID_TAKEN


def test_request_ids_are_each_users_own(house):
    house.must(Kind.REQUEST_WITHDRAWAL, uid=ALICE, coin=BTC, amount=100, request_id="r")
    house.must(Kind.SET_WITHDRAW_ADDRESS, uid=BOB, coin=USDT, address="T-bob")
    house.must(Kind.DEPOSIT, uid=BOB, coin=USDT, amount=100, txid="b")
    value = house.must(Kind.REQUEST_WITHDRAWAL, uid=BOB, coin=USDT, request_id="r")
    assert (value["id"], value["uid"], value["fee"]) == (2, BOB, 0)


def test_a_request_id_is_free_again_after_enough_others_closed(house, monkeypatch):
    monkeypatch.setattr(withdrawals, "REMEMBERED_MAX", 2)
    args = {"uid": ALICE, "coin": BTC, "amount": 100}
    for number, request_id in enumerate(("a", None, "b"), 1):
        house.must(Kind.REQUEST_WITHDRAWAL, **args, request_id=request_id)
        house.must(Kind.REJECT_WITHDRAWAL, id=number)
    assert house.must(Kind.REQUEST_WITHDRAWAL, **args, request_id="a")["id"] == 1
    assert house.must(Kind.REQUEST_WITHDRAWAL, **args, request_id="c")["id"] == 4
    house.must(Kind.REJECT_WITHDRAWAL, id=4)
    assert house.must(Kind.REQUEST_WITHDRAWAL, **args, request_id="b")["id"] == 3
    assert house.must(Kind.REQUEST_WITHDRAWAL, **args, request_id="a")["id"] == 5
    assert house.withdrawals.get(1).request_id == "a"


def test_open_withdrawals_are_limited(house, monkeypatch):
    monkeypatch.setattr("engine.handlers.money.OPEN_PER_USER_MAX", 2)
    args = {"uid": ALICE, "coin": BTC, "amount": 100}
    for _ in range(2):
        house.must(Kind.REQUEST_WITHDRAWAL, **args)
    assert house.do(Kind.REQUEST_WITHDRAWAL, **args)[0] == Result.TOO_MANY_WITHDRAWALS
    house.must(Kind.REJECT_WITHDRAWAL, id=1)
    house.must(Kind.REQUEST_WITHDRAWAL, **args)


def test_a_changed_address_does_not_redirect_what_was_requested(house):
    house.must(Kind.REQUEST_WITHDRAWAL, uid=ALICE, coin=BTC, amount=100)
    house.must(Kind.SET_WITHDRAW_ADDRESS, uid=ALICE, coin=BTC,
               address="3CWFddi6m4ndiGyKqzYvsFYagqDLPVMTzC")
    assert house.must(Kind.APPROVE_WITHDRAWAL, id=1)["address"] == BTC_ADDRESS


# -- steps --------------------------------------------------------------------------------------

STEPS = {
    "approve": (Kind.APPROVE_WITHDRAWAL, {}),
    "reject": (Kind.REJECT_WITHDRAWAL, {}),
    "finish": (Kind.FINISH_WITHDRAWAL, {"txid": "paid"}),
    "finish otherwise": (Kind.FINISH_WITHDRAWAL, {"txid": "otherwise"}),
}
SIGNED = {"ids": [1], "txid": "paid", "transaction": b"signed"}
AFTER = {   # the way there, its status, then what each step says
    "requested": ([], 1, {"approve": Result.OK, "reject": Result.OK,
                          "finish": Result.WRONG_STATE, "finish otherwise": Result.WRONG_STATE}),
    "approved": (["approve"], 2, {"approve": Result.OK, "reject": Result.OK, "finish": Result.OK,
                                  "finish otherwise": Result.OK}),
    "finished": (["approve", "finish"], 3,
                 {"approve": Result.WRONG_STATE, "reject": Result.WRONG_STATE,
                  "finish": Result.OK, "finish otherwise": Result.WRONG_STATE}),
    "signed": (["approve", "sign"], 5,
               {"approve": Result.WRONG_STATE, "reject": Result.WRONG_STATE, "finish": Result.OK,
                "finish otherwise": Result.WRONG_STATE}),
    "signed and finished": (["approve", "sign", "finish"], 3,
                            {"approve": Result.WRONG_STATE, "reject": Result.WRONG_STATE,
                             "finish": Result.OK, "finish otherwise": Result.WRONG_STATE}),
    "given up": (["approve", "sign", "unsign"], 2,
                 {"approve": Result.OK, "reject": Result.OK, "finish": Result.OK,
                  "finish otherwise": Result.OK}),
    "rejected": (["reject"], 4, {"approve": Result.WRONG_STATE, "reject": Result.OK,
                                 "finish": Result.WRONG_STATE,
                                 "finish otherwise": Result.WRONG_STATE}),
    "rejected late": (["approve", "reject"], 4,
                      {"approve": Result.WRONG_STATE, "reject": Result.OK,
                       "finish": Result.WRONG_STATE, "finish otherwise": Result.WRONG_STATE}),
}
MONEY = {1: (600, 400, -1000, 0), 2: (600, 400, -1000, 0), 3: (600, 0, -650, 50),
         4: (1000, 0, -1000, 0), 5: (600, 400, -1000, 0)}


def take(house, step):
    """A step of the first withdrawal: (result, value)."""
    if step == "sign":
        return house.do(Kind.SIGN_WITHDRAWALS, **SIGNED)
    if step == "unsign":
        return house.do(Kind.UNSIGN_WITHDRAWALS, txid="paid")
    kind, args = STEPS[step]
    return house.do(kind, id=1, **args)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", AFTER)
def test_steps(house, state, step):
    way, status, results = AFTER[state]
    house.must(Kind.REQUEST_WITHDRAWAL, uid=ALICE, coin=BTC, amount=400)
    assert [take(house, earlier)[0] for earlier in way] == [Result.OK] * len(way)
    assert house.withdrawals.get(1).status == status and money(house) == MONEY[status]
    result, value = take(house, step)
    assert result == results[step]
    view = house.withdrawals.get(1).view()
    assert money(house) == MONEY[view["status"]]
    if result == Result.OK:
        assert value == view
        assert view["status"] == {"approve": 2, "reject": 4}.get(step, 3)
        assert view["txid"] == STEPS[step][1].get("txid")


def test_steps_check_their_fields(house):
    for kind in (Kind.APPROVE_WITHDRAWAL, Kind.REJECT_WITHDRAWAL):
        for number in (0, 1, -1, 2**64 - 1):
            assert house.do(kind, id=number)[0] == Result.UNKNOWN_WITHDRAWAL
    assert house.do(Kind.FINISH_WITHDRAWAL, id=1, txid="")[0] == Result.UNKNOWN_WITHDRAWAL
    house.must(Kind.REQUEST_WITHDRAWAL, uid=ALICE, coin=BTC, amount=400)
    assert house.do(Kind.FINISH_WITHDRAWAL, id=1, txid="")[0] == Result.BAD_TXID


def test_books_that_do_not_hold_the_amount_halt(house):
    house.must(Kind.REQUEST_WITHDRAWAL, uid=ALICE, coin=BTC, amount=400)
    house.must(Kind.APPROVE_WITHDRAWAL, id=1)
    house.accounts.release(ALICE, BTC, 400)
    with pytest.raises(Halt, match="release"):
        house.do(Kind.REJECT_WITHDRAWAL, id=1)
    with pytest.raises(Halt, match="payment"):
        house.do(Kind.FINISH_WITHDRAWAL, id=1, txid="t")


# -- signing ------------------------------------------------------------------------------------

def approved_house(count=3):
    """As new_house, with so many approved withdrawals of BTC, then one of USDT and a requested
    one."""
    house = new_house()
    house.must(Kind.DEPOSIT, uid=ALICE, coin=USDT, amount=1000, txid="first")
    for number in range(1, count + 3):
        coin = USDT if number == count + 1 else BTC
        house.must(Kind.REQUEST_WITHDRAWAL, uid=ALICE, coin=coin, amount=60)
        if number < count + 2:
            house.must(Kind.APPROVE_WITHDRAWAL, id=number)
    return house


GOOD = {"ids": [2, 1], "txid": "t", "transaction": b"signed"}


@pytest.mark.parametrize("change, expected", [
    ({"ids": [], "txid": ""}, Result.BAD_IDS),
    ({"ids": [1, 1]}, Result.BAD_IDS),
    ({"ids": [1, True]}, Result.BAD_IDS),
    ({"ids": [1, None]}, Result.BAD_IDS),
    ({"ids": [1, [2]]}, Result.BAD_IDS),
    ({"ids": list(range(1001))}, Result.BAD_IDS),
    ({"ids": [1, 99], "txid": ""}, Result.UNKNOWN_WITHDRAWAL),
    ({"ids": [0, 1]}, Result.UNKNOWN_WITHDRAWAL),
    ({"ids": list(range(1000))}, Result.UNKNOWN_WITHDRAWAL),
    ({"txid": "", "transaction": b""}, Result.BAD_TXID),
    ({"txid": "x" * 129}, Result.BAD_TXID),
    ({"transaction": b"", "ids": [5, 4]}, Result.BAD_TRANSACTION),
    ({"transaction": b"x" * 102_401}, Result.BAD_TRANSACTION),
    ({"ids": [5, 4]}, Result.WRONG_STATE),          # one is requested, and the coins are two
    ({"ids": [1, 4]}, Result.MIXED_COINS),
    ({"transaction": b"x" * 102_400}, Result.OK),
    ({"ids": [4]}, Result.OK),
    ({}, Result.OK),
])
def test_sign_withdrawals(change, expected):
    house = approved_house()
    args = GOOD | change
    assert house.do(Kind.SIGN_WITHDRAWALS, **args) == (expected, None)
    signed = [house.withdrawals.get(number).status == WithdrawalStatus.SIGNED
              for number in range(1, 6)]
    assert signed == [expected == Result.OK and number in args["ids"] for number in range(1, 6)]
    if expected == Result.OK:
        kept = house.withdrawals.signed.get(args["txid"])
        assert (kept.ids, kept.transaction) == (tuple(args["ids"]), args["transaction"])


def test_what_is_signed_is_signed_once():
    house = approved_house()
    house.must(Kind.SIGN_WITHDRAWALS, **GOOD)
    before = house.state_hash()
    assert house.do(Kind.SIGN_WITHDRAWALS, **GOOD)[0] == Result.OK
    for other in ({"ids": [1, 2]}, {"ids": [2]}, {"ids": [3]}, {"transaction": b"another"}):
        assert house.do(Kind.SIGN_WITHDRAWALS, **GOOD | other)[0] == Result.TXID_TAKEN
    for ids in ([1], [3, 2]):
        again = GOOD | {"ids": ids, "txid": "u"}
        assert house.do(Kind.SIGN_WITHDRAWALS, **again)[0] == Result.WRONG_STATE
    assert house.reloaded().state_hash() == house.state_hash() == before


def test_a_transaction_is_kept_until_all_it_pays_is_finished():
    house = approved_house()
    house.must(Kind.SIGN_WITHDRAWALS, **GOOD)
    house.must(Kind.FINISH_WITHDRAWAL, id=1, txid="t")
    twin = house.reloaded()
    for one in (house, twin):
        assert one.withdrawals.signed.get("t").transaction == b"signed"
        assert one.do(Kind.SIGN_WITHDRAWALS, **GOOD)[0] == Result.OK
        assert one.do(Kind.UNSIGN_WITHDRAWALS, txid="t")[0] == Result.WRONG_STATE
        one.must(Kind.FINISH_WITHDRAWAL, id=2, txid="t")
        assert len(one.withdrawals.signed) == 0
        assert one.do(Kind.SIGN_WITHDRAWALS, **GOOD)[0] == Result.WRONG_STATE
        assert one.do(Kind.UNSIGN_WITHDRAWALS, txid="t")[0] == Result.UNKNOWN_TRANSACTION
    assert house.dump() == twin.dump()


def test_what_is_given_up_may_be_signed_anew():
    house = approved_house()
    before = house.state_hash()
    house.must(Kind.SIGN_WITHDRAWALS, **GOOD)
    assert house.do(Kind.UNSIGN_WITHDRAWALS, txid="u")[0] == Result.UNKNOWN_TRANSACTION
    assert house.must(Kind.UNSIGN_WITHDRAWALS, txid="t") == [2, 1]
    assert house.state_hash() == before
    house.must(Kind.SIGN_WITHDRAWALS, **GOOD | {"txid": "u"})
    assert house.withdrawals.get(1).txid == "u"


# -- any order of things ------------------------------------------------------------------------

@st.composite
def commands(draw):
    kind = draw(st.sampled_from([Kind.DEPOSIT, *[Kind.REQUEST_WITHDRAWAL] * 3, *(
        kind for kind, _ in STEPS.values()), *[Kind.SIGN_WITHDRAWALS] * 2,
        Kind.UNSIGN_WITHDRAWALS]))
    if kind == Kind.SIGN_WITHDRAWALS:
        return kind, {"ids": draw(st.lists(st.integers(1, 5), min_size=1, max_size=2)),
                      "txid": draw(st.sampled_from("xy")), "transaction": b"signed"}
    if kind == Kind.UNSIGN_WITHDRAWALS:
        return kind, {"txid": draw(st.sampled_from("xy"))}
    if kind == Kind.DEPOSIT:
        return kind, {"uid": draw(st.integers(1, 3)), "coin": draw(st.integers(1, 2)),
                      "amount": draw(st.integers(0, 300)), "txid": draw(st.sampled_from("abcdef"))}
    if kind == Kind.REQUEST_WITHDRAWAL:
        return kind, {"uid": ALICE, "coin": draw(st.integers(1, 2)),
                      "amount": draw(st.none() | st.integers(1, 300)),
                      "request_id": draw(st.none() | st.sampled_from("rstuv"))}
    args = {"id": draw(st.integers(1, 6))}
    return kind, args | ({"txid": draw(st.sampled_from("xy"))} if kind == Kind.FINISH_WITHDRAWAL
                         else {})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(commands(), max_size=25), st.data())
def test_money_is_kept_and_a_reloaded_house_goes_on_the_same(history, data):
    # That frozen money is what open withdrawals hold, and that it all adds up to zero, is the
    # core's own check after each command.
    house = new_house()
    reload_at = data.draw(st.integers(0, len(history)))
    twin = None
    for place, (kind, args) in enumerate(history):
        if place == reload_at:
            twin = house.reloaded()
            assert twin.dump() == house.dump()
        answer = house.do(kind, **args)
        if twin is not None:
            assert twin.do(kind, **args) == answer
            assert twin.dump() == house.dump()
