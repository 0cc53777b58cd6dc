"""A pool whose shares are remembered one by one, and what each hour of each worker must be, counted
anew from the list.
"""

import random
from collections import defaultdict
from fractions import Fraction

from engine.codes import Kind
from engine.commands import add_shares, cold
from pool.share_book import packed_batch
from tests.pool.plain_workers import HOUR_S, ONE, PlainWorkers

NS_PER_S = 1_000_000_000
HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"
ACCOUNTS = (2, 4)        # each behind its master
DIFFICULTIES = (ONE, 65_536 * ONE, 3 * ONE // 2, 1, 2**33 * ONE)
SETUP = [
    cold(Kind.ADD_COIN, {"name": "BTC", "title": "Bitcoin", "type": "coin", "scale": 8}),
    *(cold(Kind.ADD_ACCOUNT, {"username": name, "password_hash": HASH, "phone": "1"})
      for name in ("one", "two")),
    cold(Kind.SET_NETWORK, {"coin": 1, "difficulty": "1000", "subsidy": 625_000_000,
                            "fees_per_block": 0}),
]


class Pool:
    """The shares, and the time that the next ones have."""

    def __init__(self, start_s: int, seed: int = 1):
        self.now_s = start_s
        self.draw = random.Random(seed)
        self.plain = PlainWorkers(epochs={1: 1})

    def clock(self) -> int:
        return self.now_s * NS_PER_S

    def batch(self, names: list[str], late_s: int = 0) -> bytes:
        """A command with shares of workers `account.name`, each up to `late_s` old."""
        workers = [(int(name.split(".")[0]), name.split(".")[1]) for name in names]
        rows = []
        for at in range(len(names)):
            accepted, rejected = self.draw.choice([(1, 0), (40, 1), (0, 2), (7, 0), (1_000, 30)])
            rows.append((at, 1, accepted, rejected, self.draw.choice(DIFFICULTIES),
                         self.now_s - self.draw.randrange(late_s + 1)))
        return self.rows(workers, rows)

    def rows(self, workers: list[tuple[int, str]], rows: list[tuple]) -> bytes:
        self.plain.take(workers, rows, self.now_s)
        return add_shares(packed_batch([(account, name.encode()) for account, name in workers],
                                       rows))


class Counted:
    """What the hours of a pool are: counted from its shares."""

    def __init__(self, pool: Pool):
        self.plain = pool.plain
        self.works = defaultdict(lambda: [0, 0])         # by worker and hour
        self.account_works = defaultdict(lambda: [0, 0])
        self.active = defaultdict(set)
        for share in pool.plain.shares:
            hour = share.at_s // HOUR_S
            for works in (self.works[id(share.worker), hour],
                          self.account_works[share.worker.account, hour]):
                works[0] += share.accepted
                works[1] += share.rejected
            if share.accepted:
                self.active[share.worker.account, hour].add(id(share.worker))

    def worker(self, account: int, name: str, hour: int) -> tuple[int, int]:
        worker = next(worker for worker in self.plain.workers.values()
                      if (worker.account, worker.name) == (account, name))
        return speed_of(*self.works.get((id(worker), hour), (0, 0)))

    def account(self, account: int, hour: int) -> tuple[int, int]:
        return speed_of(*self.account_works.get((account, hour), (0, 0)))

    def rows(self, account: int, now_s: int, hour: int) -> list[tuple[str, int, int]]:
        return [(worker.name, *speed_of(*self.works[id(worker), hour]))
                for worker in self.plain.listed(account, now_s).values()
                if (id(worker), hour) in self.works]


def speed_of(accepted: int, rejected: int) -> tuple[int, int]:
    """H/s of an hour's work, and thousandths of rejected work."""
    rate = Fraction(rejected, accepted + rejected) if accepted + rejected else 0
    return int(float(accepted << 16) / HOUR_S), int(1000 * rate + Fraction(1, 2))
