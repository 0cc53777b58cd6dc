"""Core and model side by side: withdrawals approved, signed, finished, given up, in any order."""

import random

from engine.codes import Result, WithdrawalStatus
from engine.core import Core
from tests.model.cold_payouts import SignWithdrawals, UnsignWithdrawals
from tests.model.commands import (
    AddCoin, ApproveWithdrawal, Deposit, FinishWithdrawal, RegisterUser, RejectWithdrawal,
    RequestWithdrawal, SetWithdrawAddress,
)
from tests.model.comparison import apply_both, compare_state, require_equal
from tests.model.exchange import Model

START_NS = 1_735_603_200_000_000_000
STEPS = 600
USERS = (1, 2)
COINS = (1, 2)
MUST_HAPPEN = {
    "SignWithdrawals": """OK BAD_IDS UNKNOWN_WITHDRAWAL BAD_TXID BAD_TRANSACTION TXID_TAKEN
        WRONG_STATE MIXED_COINS""",
    "UnsignWithdrawals": "OK UNKNOWN_TRANSACTION WRONG_STATE",
    "FinishWithdrawal": "OK UNKNOWN_WITHDRAWAL WRONG_STATE",
    "RejectWithdrawal": "OK UNKNOWN_WITHDRAWAL WRONG_STATE",
}


def opening():
    yield from (AddCoin(name, name, "coin", 8, withdraw_fee=2) for name in ("AAA", "BBB"))
    yield from (RegisterUser(f"user{uid}") for uid in USERS)
    for uid in USERS:
        for coin in COINS:
            yield SetWithdrawAddress(uid, coin, f"address-{uid}-{coin}")
            yield Deposit(uid, coin, 10**6, "first")


def next_command(choose: random.Random, model: Model):
    """Mostly one that may be done: about the newest withdrawals, or those that are signed."""
    count = len(model.withdrawals)
    number = choose.choice([max(0, count - choose.randint(-1, 8)), count + 1])
    coin = choose.choice(COINS)
    approved = [one["id"] for one in model.withdrawals.values()
                if one["status"] == WithdrawalStatus.APPROVED and one["coin"] == coin]
    signed = {one["id"]: one["txid"] for one in model.withdrawals.values()
              if one["status"] == WithdrawalStatus.SIGNED}
    match choose.randint(0, 11):
        case 0 | 1 | 2:
            return RequestWithdrawal(choose.choice(USERS), coin, choose.randint(3, 50))
        case 3 | 4 | 5:
            return ApproveWithdrawal(number)
        case 6:
            return RejectWithdrawal(number)
        case 7:
            return FinishWithdrawal(*choose.choice([(number, "by hand"), *signed.items()]))
        case 8:
            return UnsignWithdrawals(choose.choice(["another", *signed.values()]))
    txid = choose.choice(["", *map("t{}".format, range(60)), *signed.values()])
    ids = choose.choice([approved[:3], approved[:3], approved[:1], [number], [], [number, number],
                         approved[:1] + [max(1, number)]])
    if txid in model.transactions and choose.randint(0, 1):
        ids = model.transactions[txid][0]
    return SignWithdrawals(ids, txid, choose.choice([b"one", b"one", b"one", b"two", b""]))


def test_core_and_model_agree_on_signed_withdrawals():
    happened = set()
    for seed in (1, 2, 3):
        happened |= run(seed)
    wanted = {(name, result) for name, results in MUST_HAPPEN.items()
              for result in results.split()}
    assert wanted <= happened


def run(seed: int) -> set[tuple[str, str]]:
    """(command, result) of all that happened."""
    choose, core, model = random.Random(seed), Core(), Model()
    apply_both(core, model, list(opening()), START_NS)
    happened = set()
    for step in range(STEPS):
        command = next_command(choose, model)
        outcome = apply_both(core, model, [command], START_NS + step)
        happened.add((type(command).__name__, Result(outcome.results[0][0]).name))
        if step % 50 == 0:
            compare_state(core, model)
            core = Core.load(core.dump())
        for number, wanted in model.withdrawals.items():
            require_equal(f"withdrawal {number}", core.withdrawals.get(number).view(), wanted)
    compare_state(core, model)
    return happened
