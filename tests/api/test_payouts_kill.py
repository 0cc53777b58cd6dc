"""`kill -9` of a house at each step of a payout: after the next start everything is paid, once."""

import os
import signal
from decimal import Decimal

import pytest

from tests.api.nodes import PASSWORD, USER, ScriptedNode
from tests.api.serving import ServedHouse
from tests.support.processes import ASK_S, until

pytestmark = pytest.mark.slow

COINS = '[{name = "LTC", scale = 8, withdraw_fee = "0.01"}]'
CONFIRMATIONS = 2
PLACES = {      # the call of the node at which the house dies, before or after it has its effect
    "before anything is made": ("validateaddress", "before"),
    "with its inputs locked": ("fundrawtransaction", "after"),
    "before it is signed": ("signrawtransactionwithwallet", "before"),
    "signed, before the command": ("signrawtransactionwithwallet", "after"),
    "looked at, before the command": ("testmempoolaccept", "after"),
    "after the command, before it is sent": ("sendrawtransaction", "before"),
    "sent, before the answer": ("sendrawtransaction", "after"),
    "before it is known to be mined": ("gettransaction", "before"),
    "mined, before it is finished": ("gettransaction", "after"),
}


@pytest.fixture
def node():
    node = ScriptedNode(coins=("5", "5", "5"))
    yield node
    node.close()


def served(directory, node):
    wallet = (f'[{{coin = "LTC", url = "{node.url}", user = "{USER}", password = "{PASSWORD}", '
              f'chain = "regtest", confirmations = {CONFIRMATIONS}, poll_seconds = 1}}]')
    return ServedHouse(directory, OREBOOK_COINS=COINS, OREBOOK_PAIRS="[]", OREBOOK_WALLETS=wallet)


def ask_and_approve(house, token, count):
    """{address: what is due} of so many withdrawals, each of a user of its own."""
    due = {}
    for number in range(count):
        name = f"user-{number}"
        session = house.new_user(name)
        house.done("POST", "deposits", {"user": name, "coin": "LTC", "amount": "2",
                                        "txid": f"tx-{number}"}, token)
        house.router("set_withdraw_address", session, coin="LTC", address=f"Lof-{name}")
        asked = house.router("withdraw", session, coin="LTC", amount=f"1.{number}")
        house.done("POST", f"withdrawals/{asked['withdraw_id']}", {"action": "approve"}, token)
        due[f"Lof-{name}"] = Decimal(f"1.{number}") - Decimal("0.01")
    return due


@pytest.mark.parametrize("place", PLACES)
def test_a_house_that_is_killed_pays_each_withdrawal_once(tmp_path, node, place):
    method, when = PLACES[place]
    node.gate.clear()
    house = served(tmp_path / "house", node)
    token = house.login_operator()
    due = ask_and_approve(house, token, 3)
    dead = []

    def kill(*ignored):
        if not dead and (method != "gettransaction" or when == "before" or any(
                node.height - mined[0] + 1 >= CONFIRMATIONS for mined in node.mined.values())):
            dead.append(house.process.pid)
            os.kill(house.process.pid, signal.SIGKILL)
            house.process.wait()
    getattr(node, when)[method] = kill
    node.mines = True
    node.gate.set()
    until(lambda: dead)
    house.kill_all()
    house.process.stdout.close()
    house = served(tmp_path / "house", node)
    try:
        until(lambda: len(house.done("GET", "withdrawals?status=finished", token=token)) == 3,
              ASK_S)
        assert {address: [amount for _, amount in paid]
                for address, paid in node.payments().items()} == {
                    address: [amount] for address, amount in due.items()}
        finished = house.done("GET", "withdrawals?status=finished", token=token)
        assert {one["address"]: one["txid"] for one in finished} == {
            address: paid[0][0] for address, paid in node.payments().items()}
        assert node.locked == set()
        assert house.end() == 0
    finally:
        house.kill_all()
