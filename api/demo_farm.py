"""The farm of the demo: two sub-accounts whose workers' shares are counted and sent to the house.

Everything goes in through the doors of the pool: the account through the action API, the network's
state and the shares through the operator's calls. What a worker finds is drawn from one seed.
"""

import asyncio
import time
from dataclasses import dataclass, field
from random import Random

from api.client import HouseClient

FARMER = "farmer"
PASSWORD = "demo-password"
PHONE = "13800138000"
SUB_ACCOUNTS = (FARMER, "farmer_south")
WORKERS_EACH = 24
SPAN_S = 5.0                    # between two batches of shares
DIFFICULTY = 65_536             # of a share
SHARES_A_SPAN = (10, 24)        # of a worker that runs
REJECTED_IN = 200               # one share of so many is rejected
STOP_IN = 400                   # a worker stops in one span of so many, and comes back as rarely
SOURCE = 1
# What the chains were in November 2019.
NETWORKS = (
    {"coin": "BTC", "difficulty": "12720005267390.51", "subsidy": "12.5",
     "fees_per_block": "0.31"},
    {"coin": "BCH", "difficulty": "263283190211.46", "subsidy": "12.5", "fees_per_block": "0.002"},
)
RIGHTS = ["dashboard_observer", "worker_observer", "profit_observer"]


@dataclass
class Worker:
    """One machine: whose it is, what it mines, whether it runs."""

    account: str
    name: str
    coin: str
    runs: bool = True


@dataclass
class Farm:
    """The farmer's account and its workers; `link` shows them to anyone who has it."""

    operator: HouseClient
    seed: int
    link: str = ""
    rows: int = 0
    _workers: list[Worker] = field(default_factory=list)
    _batch: int = 0

    async def come_in(self, url: str) -> None:
        """Makes the account, its workers and an observer link; sets the networks."""
        for network in NETWORKS:
            await self.operator.operator("POST", "network", network)
        granted = await self.operator.operator("POST", "credentials", {"scope": "operator"})
        async with HouseClient(url, granted["clientId"], granted["secretKey"],
                               granted["secretSalt"]) as pool:
            await pool.action("Account.Create", {
                "account": FARMER, "phone": PHONE, "password": PASSWORD})
            await pool.action("SubAccount.Create", {
                "master": FARMER, "userName": SUB_ACCOUNTS[1], "theorySpeed": 0.01,
                "description": "south hall", "workerCount": WORKERS_EACH})
            await pool.action("SubAccount.AddObserverInfo", {
                "userName": FARMER, "rights": RIGHTS, "remark": "demo"})
            links = await pool.action("SubAccount.GetObserverList", {"userName": FARMER})
        self.link = links[0]["link"]
        self._workers = [
            Worker(account, f"{hall}x{place:02}", "BTC" if place % 4 else "BCH")
            for hall, account in enumerate(SUB_ACCOUNTS, 1) for place in range(1, WORKERS_EACH + 1)]

    def link_at(self, url: str) -> str:
        """The observer link of a house that answers there; it may not know its own address."""
        return url + self.link if self.link.startswith("/") else self.link

    async def mine(self, stop: asyncio.Event) -> None:
        """Sends what the workers found, batch by batch, until the stop."""
        random = Random(f"{self.seed} farm")
        while not stop.is_set():
            rows = self._found(random, int(time.time()))
            self._batch += 1
            await self.operator.operator(
                "POST", "shares", rows, {"source": str(SOURCE), "batch": str(self._batch)})
            self.rows += len(rows)
            try:
                await asyncio.wait_for(stop.wait(), SPAN_S)
            except TimeoutError:
                pass

    def _found(self, random: Random, at: int) -> list[dict]:
        rows = []
        for worker in self._workers:
            if random.randrange(STOP_IN) == 0:
                worker.runs = not worker.runs
            if not worker.runs:
                continue
            accepted = random.randint(*SHARES_A_SPAN)
            rejected = sum(random.randrange(REJECTED_IN) == 0 for _ in range(accepted))
            rows.append({"user": worker.account, "worker": worker.name, "coin": worker.coin,
                         "difficulty": DIFFICULTY, "accepted": accepted, "rejected": rejected,
                         "at": at})
        return rows
