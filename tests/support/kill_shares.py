"""Who counts shares for the house that is killed: batches of numbered sources, one after the other.

A source knows to the share what its workers did, but for the last batch of a life, which may have
been taken or not: sent again under its number it counts once in any case.
"""

import random
import time

from tests.support.keep_alive import Connection
from tests.support.kill_clients import Client, Rush

WORKERS = 5
DIFFICULTY = 1_024


class ShareSource(Client):
    """One source, with workers of its own of a sub-account. Work is in whole difficulties."""

    def __init__(self, token: str, account: str, coin: str, number: int, seed: str):
        self.token = token
        self.account = account
        self.coin = coin
        self.number = number
        self.random = random.Random(seed)
        self.work = {f"s{number}x{worker}": 0 for worker in range(WORKERS)}    # by worker's name
        self.count = 0
        self.sent: list[dict] = []          # in this life, with a yes
        self.open: dict | None = None       # the one without an answer
        self.happened = self.lost = 0       # batches that were not answered: taken, and not

    def begin(self) -> None:
        self.sent = []

    async def act(self, rush: Rush, connection: Connection) -> None:
        self.open = self.next_batch()
        is_again = await self.send(rush, connection, self.open)
        if is_again:
            rush.faults.append(f"{self.open} is new and was known")
        self.sent.append(self.open)
        self.note_taken()

    def next_batch(self) -> dict:
        self.count += 1
        rows = [{"user": self.account, "worker": worker, "coin": self.coin,
                 "difficulty": DIFFICULTY, "accepted": self.random.randint(1, 1_000),
                 "rejected": self.random.randint(0, 3), "at": int(time.time())}
                for worker in self.random.sample(list(self.work), self.random.randint(1, WORKERS))]
        return {"source": self.number, "batch": self.count, "rows": rows}

    def note_taken(self) -> None:
        """The open batch counts."""
        self.work = self.work_with_open()
        self.open = None

    def work_with_open(self) -> dict[str, int]:
        """What there is where the open batch, if any, was taken."""
        work = dict(self.work)
        for row in self.open["rows"] if self.open is not None else ():
            work[row["worker"]] += row["accepted"] * DIFFICULTY
        return work

    async def send(self, rush: Rush, connection: Connection, batch: dict) -> bool:
        """Whether the batch was known already; it is taken in any case."""
        envelope = await rush.call(connection.operator("POST", "shares", self.token, batch))
        if envelope["code"] != 0:
            rush.faults.append(f"{batch}: {envelope}")
            return False
        return envelope["data"]["duplicate"]

    async def send_again(self, rush: Rush, connection: Connection) -> None:
        """All of the life before: what was taken is known, and counts no second time."""
        for batch in self.sent:
            if not await self.send(rush, connection, batch):
                rush.faults.append(f"{batch} was answered and is lost")
        if self.open is None:
            return
        is_known = await self.send(rush, connection, self.open)
        self.happened += is_known
        self.lost += not is_known
        if not await self.send(rush, connection, self.open):
            rush.faults.append(f"{self.open} was taken twice")
        self.note_taken()

    def faults(self, shown: dict[str, int], last: int) -> list[str]:
        """What contradicts the work of all workers and the last batch of this source, as a dead
        house's folder has them."""
        told = {worker: shown.get(worker, 0) for worker in self.work}, last
        taken = self.count - (self.open is not None)
        possible = (self.work, taken), (self.work_with_open(), self.count)
        return [] if told in possible else [f"{told} is none of {possible}"]
