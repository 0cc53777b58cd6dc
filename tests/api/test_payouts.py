"""Payouts, a round at a time: a real house, and the test's own node at the other end."""

import asyncio
import concurrent.futures
import logging
from decimal import Decimal
from types import SimpleNamespace

import pytest

from api.config import Coin, Wallet
from engine import HouseStopped, Kind, Overloaded
from tests.api.nodes import PASSWORD, USER, Cut, Refusal, ScriptedNode
from tests.api.payout_desk import APPROVED, FINISHED, REJECTED, SIGNED, Desk, new_house

@pytest.fixture(scope="module")
def served(tmp_path_factory):
    thread = new_house(tmp_path_factory.mktemp("payouts"))
    yield thread
    thread.close()


@pytest.fixture
def node():
    node = ScriptedNode()
    yield node
    node.close()


@pytest.fixture
def desk(served, node):
    desk = Desk(served, node, user=USER, password=PASSWORD)
    yield desk
    desk.close()


# -- the way it should go -------------------------------------------------------------------------

def test_what_is_approved_goes_out_in_one_transaction(desk, node):
    payees = desk.approved("1", "2.5", "0.02")
    assert desk.round() == {"ok"}
    assert desk.paid_once(*payees) and len(node.mempool) == 1
    assert [desk.status(one) for one in payees] == [SIGNED] * 3
    (kept,) = desk.signed()
    assert list(node.mempool) == [kept.txid]
    node.mine()
    assert desk.round() == {"ok"} and desk.status(payees[0]) == SIGNED
    node.mine()
    assert desk.round() == {"ok"} and desk.status(payees[0]) == FINISHED
    desk.finish(*payees)
    assert node.calls.count("sendrawtransaction") == 1


def test_a_transaction_pays_no_more_withdrawals_than_it_may(desk, node):
    desk.settings["max_per_transaction"] = 2
    desk.restarted()
    payees = desk.approved("1", "1", "1", "1", "1")
    assert desk.round() == {"ok"}
    assert [len(one.ids) for one in desk.signed()] == [2, 2, 1]
    desk.finish(*payees)


def test_one_address_gets_one_sum(desk, node):
    first, second = desk.approved("1", "2", address="Ltwice")
    (third,) = desk.approved("3", address="LTWICE")
    assert desk.round() == {"ok"}
    ((_, amount),) = node.paid("LTWICE")
    assert amount == first.out + second.out + third.out


def test_what_is_only_requested_or_of_another_coin_is_left_alone(desk, node):
    (one,) = desk.approved("1")
    coin = desk.house.house.core.coins.by_name("USD").number
    desk.house.submit(Kind.DEPOSIT, uid=one.uid, coin=coin, amount=100, txid="usd")
    desk.house.submit(Kind.SET_WITHDRAW_ADDRESS, uid=one.uid, coin=coin, address="Lusd")
    asked = desk.house.submit(Kind.REQUEST_WITHDRAWAL, uid=one.uid, coin=coin, amount=100)
    desk.house.submit(Kind.APPROVE_WITHDRAWAL, id=asked["id"])
    desk.finish(one)
    assert desk.house.house.core.withdrawals.get(asked["id"]).status == APPROVED


@pytest.mark.slow
def test_a_worker_runs_with_the_house(own_house, node):
    node.mines = True
    house = own_house(pairs=(), coins=(Coin("LTC", 8, withdraw_fee="0.01"),), wallets=(
        Wallet("LTC", node.url, USER, PASSWORD, chain="regtest", confirmations=1, poll_seconds=1),))
    page = house.request("GET", "/metrics").body.decode()
    assert "orebook_signed_transactions 0.0" in page
    desk = SimpleNamespace(house=house, count=0)
    payees = Desk.approved(desk, "1")
    for _ in range(300):
        if house.house.core.withdrawals.get(payees[0].id).status == FINISHED:
            break
        house.run(asyncio.sleep(0.02))
    page = house.request("GET", "/metrics").body.decode()
    assert 'orebook_payout_rounds_total{coin="LTC",outcome="ok"}' in page
    assert [amount for _, amount in node.paid(payees[0].address)] == [payees[0].out]


# -- what fails -----------------------------------------------------------------------------------

METHODS = ("getblockchaininfo", "listlockunspent", "getbalances", "validateaddress",
           "getrawchangeaddress", "createrawtransaction", "fundrawtransaction",
           "decoderawtransaction", "signrawtransactionwithwallet", "testmempoolaccept",
           "sendrawtransaction")


def failing(failure, times=1):
    """A hook that fails so often."""
    left = [failure] * times

    def hook(*ignored):
        if left:
            raise left.pop()
    return hook


@pytest.mark.parametrize("failure", [Cut(), Refusal(-1, "no")], ids=repr)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", METHODS)
def test_a_call_that_fails_costs_nothing(desk, node, method, when, failure):
    payees = desk.approved("1", "2")
    getattr(node, when)[method] = failing(failure)
    desk.round()
    assert desk.house.house.stopped is None
    desk.restarted()
    desk.finish(*payees)


@pytest.mark.parametrize("method", ["gettransaction", "getmempoolentry", "sendrawtransaction"])
@pytest.mark.parametrize("failure", [Cut(), Refusal(-1, "no"), Refusal(-28, "loading")], ids=repr)
def test_a_call_that_fails_later_costs_nothing(desk, node, method, failure):
    payees = desk.approved("1", "2")
    desk.round()
    node.forget()
    node.before[method] = failing(failure)
    desk.round()
    assert len(desk.signed()) == 1
    desk.finish(*payees)


@pytest.mark.parametrize("change, reason", [
    ({"chain_name": "main"}, "network main"), ({"downloading": True}, "still reads"),
    ({"password": "other"}, "does not accept"),
])
def test_a_node_that_is_not_the_right_one_pays_nothing(desk, node, caplog, change, reason):
    payees = desk.approved("1")
    right = {name: getattr(node, name) for name in change}
    vars(node).update(change)
    assert [desk.round(), desk.round()] == [{"not_now"}] * 2
    told = [record.getMessage() for record in caplog.records if reason in record.getMessage()]
    assert len(told) == 1 and desk.signed() == []
    assert PASSWORD not in caplog.text
    vars(node).update(right)
    desk.finish(*payees)


def test_pauses_grow_and_end(desk, node, monkeypatch):
    paused = []

    async def pause(seconds):
        paused.append(seconds)
        if len(paused) == 12:
            node.downloading = False
        if len(paused) == 13:
            raise asyncio.CancelledError
    node.downloading = True
    monkeypatch.setattr("api.payouts.worker.asyncio.sleep", pause)
    with pytest.raises(concurrent.futures.CancelledError):
        desk.house.run(desk.worker.run())
    assert paused == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600, 1]


def test_what_does_not_fit_waits_and_the_rest_is_paid(desk, node, caplog):
    large, small = desk.approved("500", "1")
    assert [desk.round(), desk.round()] == [{"short"}] * 2
    assert desk.paid_once(small) and desk.status(large) == APPROVED
    assert caplog.text.count("not enough") == 1
    node.unspent["f" * 64, 1] = node.all_outputs["f" * 64, 1] = Decimal(600)
    desk.finish(large, small)


def test_one_that_cannot_be_paid_does_not_hold_up_the_others(desk, node, caplog):
    bad, good, dust, fine = *desk.approved("1", address="Xbad"), *desk.approved(
        "1", "0.010001", "2")
    desk.round()
    assert desk.paid_once(good, fine)
    assert [desk.status(bad), desk.status(dust)] == [APPROVED] * 2
    calls = len(node.calls)
    (late,) = desk.approved("1")
    desk.round()
    assert desk.paid_once(late) and "validateaddress" in node.calls[calls:]
    assert caplog.text.count(f"withdrawal {bad.id} cannot be paid") == 1
    assert caplog.text.count(f"withdrawal {dust.id} cannot be paid") == 1
    desk.house.submit(Kind.REJECT_WITHDRAWAL, id=bad.id)
    desk.house.submit(Kind.REJECT_WITHDRAWAL, id=dust.id)
    desk.finish(good, fine, late)


def test_a_fee_above_the_limit_is_not_paid(desk, node):
    desk.settings["max_fee"] = "0.00009999"
    desk.restarted()
    payees = desk.approved("1")
    assert desk.round() == {"refused"}
    assert desk.signed() == [] and node.locked == set() and node.mempool == {}
    desk.settings["max_fee"] = "0.0001"
    desk.restarted()
    desk.finish(*payees)


def more_for_the_first(shown):
    shown["vout"][1]["value"] += Decimal("0.00000001")


def one_more_output(shown):
    shown["vout"].append({"value": Decimal(1), "scriptPubKey": {"hex": "6a"}})


def change_twice(shown):
    shown["vout"].append(dict(shown["vout"][0]))


def one_paid_twice(shown):
    shown["vout"].append(dict(shown["vout"][1]))


def one_not_paid(shown):
    del shown["vout"][1]


def change_to_a_stranger(shown):
    shown["vout"][0]["scriptPubKey"] = {"hex": "6a"}


def another_input(shown):
    shown["vin"].append({"txid": "0" * 64, "vout": 7})


def no_amount(shown):
    shown["vout"][1]["value"] = None


def no_script(shown):
    del shown["vout"][1]["scriptPubKey"]


def no_txid(shown):
    shown["txid"] = 5


@pytest.mark.parametrize("lie", [
    more_for_the_first, one_more_output, change_twice, one_paid_twice, one_not_paid,
    change_to_a_stranger, another_input, no_amount, no_script, no_txid])
def test_a_transaction_that_is_not_what_was_asked_for_is_not_signed(desk, node, lie):
    payees = desk.approved("1")

    def lying(shown):
        if shown["txid"] != "0" * 64:       # of what is signed
            lie(shown)
        return shown
    node.after["decoderawtransaction"] = lying
    assert desk.round() == {"refused"}
    assert desk.signed() == [] and node.mempool == {} and node.locked == set()
    del node.after["decoderawtransaction"]
    desk.restarted()
    desk.finish(*payees)


def test_what_is_rejected_meanwhile_is_not_paid(desk, node):
    first, second = desk.approved("1", "2")

    def reject(answer):
        node.after.clear()
        desk.house.submit(Kind.REJECT_WITHDRAWAL, id=first.id)
    node.after["testmempoolaccept"] = reject
    desk.round()
    assert node.paid(first.address) == [] and desk.status(first) == REJECTED
    desk.finish(second)


@pytest.mark.parametrize("refusal", [Overloaded("full"), HouseStopped("disk")], ids=repr)
def test_what_the_house_does_not_take_is_not_sent(desk, node, monkeypatch, refusal):
    payees = desk.approved("1")
    house = desk.house.house
    submit = house.submit
    refusals = [refusal]

    def refuse(record):
        if refusals:
            raise refusals.pop()
        return submit(record)
    monkeypatch.setattr(house, "submit", refuse)
    if isinstance(refusal, HouseStopped):
        desk.house.run(desk.worker.run())       # it ends
        desk.restarted()
    else:
        assert desk.round() == {"not_now"}
    assert node.mempool == {} and node.locked != set()
    desk.finish(*payees)


# -- what is signed and not known -----------------------------------------------------------------

def test_a_node_that_has_forgotten_gets_the_same_bytes_again(desk, node):
    payees = desk.approved("1", "2")
    desk.round()
    (kept,) = desk.signed()
    node.forget()
    assert node.paid(payees[0].address) == []
    assert desk.round() == {"ok"}
    assert list(node.mempool) == [kept.txid] and desk.paid_once(*payees)
    desk.finish(*payees)


def test_the_inputs_of_what_the_node_rejects_are_for_nobody_else(desk, node, caplog):
    (first,) = desk.approved("60")
    desk.round()
    (kept,) = desk.signed()
    node.forget()
    node.before["sendrawtransaction"] = failing(Refusal(-26, "mempool min fee not met"), 3)
    (second,) = desk.approved("1")
    assert [desk.round() for _ in range(3)] == [{"stuck", "short"}] * 3
    assert desk.signed() == [kept] and len(node.locked) == 2
    assert caplog.text.count("rejects it") == 1
    desk.finish(first, second)


def test_a_transaction_whose_inputs_are_spent_waits_for_the_operator(desk, node, caplog):
    (payee,) = desk.approved("1")
    desk.round()
    (kept,) = desk.signed()
    node.spend_elsewhere(kept.transaction)
    node.gettransaction = lambda txid: {"confirmations": -3}
    assert [desk.round(), desk.round()] == [{"stuck"}] * 2
    assert desk.status(payee) == SIGNED and node.paid(payee.address) == []
    assert caplog.text.count("cannot be mined any more") == 1
    del node.gettransaction
    desk.house.submit(Kind.UNSIGN_WITHDRAWALS, txid=kept.txid)
    desk.finish(payee)


def test_the_log_has_no_secrets(desk, node, caplog):
    caplog.set_level(logging.DEBUG)
    payees = desk.approved("1")
    node.close()
    assert desk.round() == {"not_now"}
    assert "nothing can be paid now" in caplog.text
    assert PASSWORD not in caplog.text and USER not in caplog.text
    assert desk.status(payees[0]) == APPROVED
