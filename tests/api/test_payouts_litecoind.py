"""Payouts through a real node: litecoind on a chain of its own. Skipped where it is not installed.
"""

import base64
import http.client
import json
import shutil
import socket
import subprocess
from decimal import Decimal

import pytest

from api.payouts.wallet import Due, NotNow
from engine import Kind
from tests.api.payout_desk import APPROVED, FINISHED, SIGNED, Desk, new_house
from tests.support.processes import ASK_S, until

LITECOIND = shutil.which("litecoind")

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(LITECOIND is None, reason="litecoind is not installed")]


class Litecoind:
    """A node that mines for itself, with one wallet."""

    def __init__(self, directory):
        self.directory = directory
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.cookie = directory / "regtest" / ".cookie"
        self.start()
        self.call("createwallet", "hot")
        self.home = self.call("getnewaddress")
        self.mine(102)

    def start(self):
        self.process = subprocess.Popen(
            [LITECOIND, "-regtest", f"-datadir={self.directory}", "-server", "-listen=0",
             f"-rpcport={self.port}", "-fallbackfee=0.0002", "-persistmempool=0", "-wallet=hot",
             "-walletbroadcast=0", "-printtoconsole=0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.answers, ASK_S)

    def answers(self):
        assert self.process.poll() is None, "litecoind has ended"
        try:
            self.call("getblockcount")
        except (OSError, http.client.HTTPException, ValueError, RuntimeError):
            return False        # no cookie, no port, or not ready yet
        return True

    def call(self, method, *params):
        """The result; each call has a connection of its own, so that none is left open."""
        login = base64.b64encode(self.cookie.read_bytes()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/", json.dumps({"method": method, "params": params}),
                               {"Authorization": f"Basic {login}"})
            answer = json.loads(connection.getresponse().read(), parse_float=Decimal)
        finally:
            connection.close()
        if answer["error"] is not None:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def mine(self, blocks=1):
        self.call("generatetoaddress", blocks, self.home)

    def restart(self):
        """Without its mempool and its locks."""
        self.stop()
        self.start()

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        self.cookie.unlink(missing_ok=True)

    def received(self, address):
        """What its own wallet has got at an address, in the chain or waiting."""
        return self.call("getreceivedbyaddress", address, 0)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = Litecoind(tmp_path_factory.mktemp("litecoind"))
    yield node
    node.stop()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    thread = new_house(tmp_path_factory.mktemp("house"))
    yield thread
    thread.close()


@pytest.fixture
def desk(served, node):
    desk = Desk(served, node, cookie_file=str(node.cookie), confirmations=2)
    yield desk
    desk.close()


def finish(desk, *payees):
    for _ in range(3):
        desk.round()
        desk.node.mine()
    assert [desk.status(one) for one in payees] == [FINISHED] * len(payees)
    assert [desk.node.received(one.address) for one in payees] == [one.out for one in payees]
    assert desk.signed() == [] and desk.node.call("listlockunspent") == []
    desk.house.house.core.check()


def approved(desk, *amounts):
    return [desk.approved(amount, address=desk.node.call("getnewaddress"))[0]
            for amount in amounts]


def test_all_kinds_of_addresses_are_paid(desk, node):
    payees = [desk.approved("1.00000001", address=node.call("getnewaddress", "", kind))[0]
              for kind in ("legacy", "p2sh-segwit", "bech32")]
    assert desk.round() == {"ok"}
    (kept,) = desk.signed()
    assert len(kept.ids) == 3 and node.call("getrawmempool") == [kept.txid]
    shown = node.call("getrawtransaction", kept.txid)
    assert bytes.fromhex(shown) == kept.transaction
    finish(desk, *payees)


def test_two_spellings_of_one_address_are_one_output(desk, node):
    address = node.call("getnewaddress", "", "bech32")
    first, second = (*desk.approved("1", address=address),
                     *desk.approved("2", address=address.upper()))
    assert desk.round() == {"ok"}
    assert node.received(address) == first.out + second.out


def test_the_fee_rate_is_kept(desk, node):
    desk.settings["fee_rate"] = "0.001"
    desk.restarted()
    (payee,) = approved(desk, "1")
    desk.round()
    (kept,) = desk.signed()
    entry = node.call("getmempoolentry", kept.txid)
    assert 0 <= entry["fees"]["base"] * 10**8 - entry["vsize"] * 100 <= 10
    finish(desk, payee)


def test_what_cannot_be_paid_does_not_hold_up_the_others(desk, node):
    (bad,) = desk.approved("1", address="no-address-at-all")
    (dust,) = approved(desk, "0.010001")
    (large,) = approved(desk, "1000000")
    (good,) = approved(desk, "3")
    assert desk.round() == {"refused", "short"}
    assert [desk.status(one) for one in (bad, dust, large, good)] == [APPROVED] * 3 + [SIGNED]
    assert node.received(good.address) == good.out


def unsent(desk, monkeypatch):
    """A withdrawal whose transaction is on disk and was never sent, and a new worker for it."""
    (payee,) = approved(desk, "2")

    async def broken(transaction):
        raise NotNow("cut off")
    monkeypatch.setattr(desk.worker._wallet, "send", broken)
    assert desk.round() == {"not_now"}
    desk.restarted()
    (kept,) = desk.signed()
    return payee, kept


def test_what_was_not_sent_is_sent_after_a_restart_of_both(desk, node, monkeypatch):
    payee, kept = unsent(desk, monkeypatch)
    node.restart()
    assert node.call("getrawmempool") == []
    desk.round()
    assert node.call("getrawmempool") == [kept.txid]
    node.restart()
    assert node.call("getrawmempool") == []
    desk.round()
    assert node.call("getrawmempool") == [kept.txid]
    finish(desk, payee)
    desk.round()
    assert node.received(payee.address) == payee.out


def test_what_is_in_the_chain_already_counts_as_sent(desk, node, monkeypatch):
    payee, kept = unsent(desk, monkeypatch)
    node.call("sendrawtransaction", kept.transaction.hex())
    node.mine()
    desk.house.run(desk.worker._wallet.send(kept.transaction))
    finish(desk, payee)


def test_what_was_signed_and_not_kept_is_signed_anew(desk, node):
    """As after a crash between the signature and the command: locked inputs are all that is left.
    """
    (payee,) = approved(desk, "1")
    due = Due(payee.address, int(payee.out * 10**8))
    lost = desk.house.run(desk.worker._wallet.make([due]))
    assert node.call("listlockunspent") != []
    desk.restarted()
    assert desk.round() == {"ok"}
    assert lost.txid not in [one.txid for one in desk.signed()]
    finish(desk, payee)


def test_a_lost_transaction_is_given_up_by_the_operator_only(desk, node, monkeypatch):
    payee, kept = unsent(desk, monkeypatch)
    inputs = [{"txid": one["txid"], "vout": one["vout"]} for one in
              node.call("decoderawtransaction", kept.transaction.hex())["vin"]]
    other = node.call("createrawtransaction", inputs, [{node.home: "1"}])
    other = node.call("fundrawtransaction", other)["hex"]
    other = node.call("signrawtransactionwithwallet", other)["hex"]
    node.call("sendrawtransaction", other)
    node.mine()
    assert [desk.round(), desk.round()] == [{"stuck"}] * 2
    assert desk.status(payee) == SIGNED and node.received(payee.address) == 0
    desk.house.submit(Kind.UNSIGN_WITHDRAWALS, txid=kept.txid)
    finish(desk, payee)
