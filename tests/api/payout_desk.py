"""A house, a node, and between them a payout worker that does a round when a test tells it to."""

import asyncio
from collections import Counter
from decimal import Decimal
from types import SimpleNamespace

import aiohttp

from api.config import Coin, Wallet
from api.payouts.running import worker_of
from engine import Kind, WithdrawalStatus
from tests.api.conftest import HouseThread

UNITS = 10**8
FEE = 1_000_000                 # of a withdrawal, units
IDLE_S = 0.2
APPROVED, FINISHED, REJECTED, SIGNED = (
    WithdrawalStatus.APPROVED, WithdrawalStatus.FINISHED,
    WithdrawalStatus.REJECTED, WithdrawalStatus.SIGNED)


def short_session():
    """Keeps a connection through a round, and not much longer: a node that is to stop waits until
    the last one is closed, else half a minute."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=IDLE_S))


class Desk:
    """A house, a node, and a worker between them that does a round when it is told to."""

    def __init__(self, house, node, **login):
        self.house, self.node = house, node
        self.count = len(house.house.core.users)
        self.answers = Counter()
        self.settings = {"chain": "regtest", "confirmations": 2, "poll_seconds": 1} | login
        self.worker = house.run(self.new_worker())

    async def new_worker(self):
        self.session = short_session()
        return worker_of(self.house.house, Wallet("LTC", self.node.url, **self.settings),
                         self.session, self.answers)

    def close(self):
        """Nothing stays open, so that the next test finds nothing to pay."""
        self.house.run(self.session.close())
        withdrawals = self.house.house.core.withdrawals
        for one in list(withdrawals.signed):
            self.house.submit(Kind.UNSIGN_WITHDRAWALS, txid=one.txid)
        for one in list(withdrawals.open_ones()):
            self.house.submit(Kind.REJECT_WITHDRAWAL, id=one.id)

    def restarted(self):
        """As after a crash: another worker, that remembers nothing."""
        self.house.run(self.session.close())
        self.worker = self.house.run(self.new_worker())

    def round(self):
        """The outcomes of a round."""
        before = self.answers.copy()
        self.house.run(self.worker.round())
        return {outcome for _, _, outcome in self.answers - before}

    def approved(self, *amounts, address=None):
        """New withdrawals, each of a user of its own: (id, address, what goes out)."""
        found = []
        for amount in amounts:
            self.count += 1
            units = int(Decimal(amount) * UNITS)
            name = f"payee-{self.count}"
            uid = self.house.new_user(name, LTC=units).uid
            to = address or f"L{name}"
            coin = self.house.house.core.coins.by_name("LTC").number
            self.house.submit(Kind.SET_WITHDRAW_ADDRESS, uid=uid, coin=coin, address=to)
            asked = self.house.submit(Kind.REQUEST_WITHDRAWAL, uid=uid, coin=coin, amount=units)
            self.house.submit(Kind.APPROVE_WITHDRAWAL, id=asked["id"])
            found.append(SimpleNamespace(id=asked["id"], uid=uid, address=to, coin=coin,
                                         out=Decimal(units - FEE) / UNITS))
        return found

    def status(self, one):
        return self.house.house.core.withdrawals.get(one.id).status

    def signed(self):
        return list(self.house.house.core.withdrawals.signed)

    def paid_once(self, *payees):
        """Each payee has what is due, from one transaction."""
        return all([amount for _, amount in self.node.paid(one.address)] == [one.out]
                   for one in payees)

    def finish(self, *payees):
        """Rounds and blocks until all is finished; then each was paid once, from its own txid."""
        for _ in range(6):
            self.round()
            self.node.mine()
        assert [self.status(one) for one in payees] == [FINISHED] * len(payees)
        assert self.paid_once(*payees)
        for one in payees:
            txid = self.house.house.core.withdrawals.get(one.id).txid
            assert [txid] == [paid for paid, _ in self.node.paid(one.address)]
            assert self.house.house.core.balance(one.uid, one.coin) == (0, 0)
        assert self.signed() == [] and self.node.locked == set()
        self.house.house.core.check()


def new_house(directory):
    """A house that lists LTC, a withdrawal of which costs FEE, and USD."""
    return HouseThread(directory, pairs=(), coins=(
        Coin("LTC", 8, withdraw_fee="0.01"), Coin("USD", 2)))
