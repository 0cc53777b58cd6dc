"""The pool's workers from nothing but the list of all shares: every number is counted anew."""

from dataclasses import dataclass, field
from fractions import Fraction

from pool.worker_views import Active, Period, Speed, Speeds, WorkerLine

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
ONE = 1 << 16     # a difficulty of 1
RUNNING, STOPPED, INVALID = 1, 2, 3


@dataclass
class PlainWorker:
    account: int
    name: str
    last_at_s: int = 0
    group: int = 0


@dataclass(frozen=True)
class Share:
    worker: PlainWorker
    coin: int
    at_s: int         # not later than it came
    accepted: int     # work
    rejected: int


@dataclass
class PlainWorkers:
    minute: int = 0
    shares: list[Share] = field(default_factory=list)
    workers: dict[int, PlainWorker] = field(default_factory=dict)      # in order of coming
    epochs: dict[int, int] = field(default_factory=dict)
    closed: dict[int, int] = field(default_factory=dict)
    paid: dict[tuple, int] = field(default_factory=dict)    # (coin, day, epoch, account): work

    # -- changes -----------------------------------------------------------------------------------

    def advance(self, ts_s: int) -> None:
        minute = ts_s // MINUTE_S
        if minute // 1_440 > self.minute // 1_440:
            limit_s = (minute // 1_440 - 30) * DAY_S
            self.workers = {number: worker for number, worker in self.workers.items()
                            if worker.last_at_s >= limit_s}
        self.minute = minute

    def take(self, names: list[tuple[int, str]], rows: list[tuple], ts_s: int) -> None:
        self.advance(ts_s)
        for name, coin, accepted, rejected, difficulty, at_s in rows:
            worker = self.worker(*names[name])
            at_s = min(at_s, ts_s)
            worker.last_at_s = max(worker.last_at_s, at_s)
            self.shares.append(
                Share(worker, coin, at_s, accepted * difficulty, rejected * difficulty))
            if accepted:
                day = at_s // DAY_S
                if day <= self.closed.get(coin, -1):
                    day = ts_s // DAY_S
                key = coin, day, self.epochs[coin], worker.account
                self.paid[key] = self.paid.get(key, 0) + accepted * difficulty

    def worker(self, account: int, name: str) -> PlainWorker:
        for worker in self.workers.values():
            if (worker.account, worker.name) == (account, name):
                return worker
        number = next(number for number in range(1, len(self.workers) + 2)
                      if number not in self.workers)
        self.workers[number] = PlainWorker(account, name)
        return self.workers[number]

    def drop_day(self, coin: int, day: int) -> None:
        self.paid = {key: work for key, work in self.paid.items() if key[:2] != (coin, day)}

    # -- reading -----------------------------------------------------------------------------------

    def speed(self, is_asked, start_s: int, end_s: int) -> Speed:
        found = [share for share in self.shares
                 if start_s <= share.at_s < end_s and is_asked(share)]
        accepted = sum(share.accepted for share in found)
        rejected = sum(share.rejected for share in found)
        rate = Fraction(rejected, accepted + rejected) if found else 0
        return Speed(int(float(accepted << 16) / (end_s - start_s)),
                     int(1000 * rate + Fraction(1, 2)))

    def speeds(self, is_asked, now_s: int) -> Speeds:
        minute_s = now_s - now_s % MINUTE_S
        hour_s = now_s - now_s % HOUR_S
        return Speeds(
            *(self.speed(is_asked, minute_s - length_s, minute_s) for length_s in (300, 600, 1800)),
            self.speed(is_asked, hour_s - DAY_S, hour_s))

    def periods(self, is_asked, now_s: int, seconds: int, count: int) -> list[Period]:
        end_s = now_s - now_s % seconds
        return [Period(start_s, *self.speed(is_asked, start_s, start_s + seconds))
                for start_s in range(end_s - count * seconds, end_s, seconds)]

    def active(self, account: int, now_s: int, seconds: int, count: int) -> list[Active]:
        last_s = now_s - now_s % seconds
        return [Active(start_s, len({
            id(share.worker) for share in self.shares
            if share.worker.account == account and share.accepted
            and start_s <= share.at_s < start_s + seconds}))
            for start_s in range(last_s - (count - 1) * seconds, last_s + 1, seconds)]

    def listed(self, account: int, now_s: int) -> dict[int, PlainWorker]:
        limit_s = 0
        if now_s // DAY_S > self.minute // 1_440:
            limit_s = (now_s // DAY_S - 30) * DAY_S
        return {number: worker for number, worker in self.workers.items()
                if worker.account == account and worker.last_at_s >= limit_s}

    def status(self, worker: PlainWorker, now_s: int, running_minutes: int,
               stopped_hours: int) -> int:
        age_s = now_s - worker.last_at_s
        if age_s < running_minutes * MINUTE_S:
            return RUNNING
        return STOPPED if age_s < stopped_hours * HOUR_S else INVALID

    def lines(self, account: int, now_s: int, running_minutes: int,
              stopped_hours: int) -> list[WorkerLine]:
        return [self.line(number, worker, now_s, running_minutes, stopped_hours)
                for number, worker in self.listed(account, now_s).items()]

    def line(self, number: int, worker: PlainWorker, now_s: int, running_minutes: int,
             stopped_hours: int) -> WorkerLine:
        speeds = self.speeds(lambda share: share.worker is worker, now_s)
        return WorkerLine(
            number, worker.name, *speeds.speed_5m, *speeds.speed_30m, *speeds.speed_24h,
            worker.last_at_s, self.status(worker, now_s, running_minutes, stopped_hours),
            worker.group)

    def work(self, account: int, coin: int, day: int) -> list[tuple[int, int]]:
        return sorted((epoch, work) for (its, its_day, epoch, owner), work in self.paid.items()
                      if (its, its_day, owner) == (coin, day, account))
