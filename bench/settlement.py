"""Measures a settlement: the pool's day of many sub-accounts, command by command.

Every account has worked in each of the day's epochs, has fees of its own, and one in three a
referrer; one in PAID_OF has an address and is paid. The commands are those that a house sends.

Invariant: figures are reported only if the day's sum adds up to the unit, the books balance, and
the core's own checks find nothing.
"""

from collections.abc import Iterator
from importlib import import_module
from time import perf_counter_ns

import numpy as np

from api.mining.settling import ACCOUNTS_PER_COMMAND
from bench.machine import in_fresh_process, one_core, without_cycle_search
from bench.venue import WrongAnswer
from engine.codes import HouseAccount, Kind, Result
from engine.commands import RESULT_DTYPE, add_shares, cold
from engine.core import Core
from ledger.addresses import check
from pool.share_book import packed_batch

ACCOUNTS = 100_000
ACCOUNTS_PER_MASTER = 1_000
EPOCHS = 3
PAID_OF = 2
BATCH_ROWS = 20_000
BTC = 1
DAY, DAY_S = 20_000, 86_400
NS_PER_S = 10**9
ADDRESS = "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu"
SUBSIDY, FEES = 312_500_000, 9_876_543


def run(count: int = ACCOUNTS) -> dict:
    """The figures of a day of `count` sub-accounts: of the core alone, then of a house that serves
    others meanwhile. Raises WrongAnswer."""
    # By its name: it is built on what is here.
    in_house = import_module("bench.settling").measure
    return in_fresh_process(measure, count) | in_fresh_process(in_house, count)


def measure(count: int) -> dict:
    with without_cycle_search(), one_core():
        day = Day(count)
        day.open()
        day.work()
        return {"accounts": count} | settle(day) | whole(day)


class Day:
    """A core on DAY, and what it is sent."""

    def __init__(self, count: int):
        self.core = Core()
        self.count = count
        self.chance = np.random.default_rng(7)
        self.now_s = DAY * DAY_S

    def do(self, *records: bytes) -> dict[int, object]:
        """The values of a batch, all of which is OK."""
        outcome = self.core.apply(b"".join(records), self.core.seq + 1, self.now_s * NS_PER_S)
        codes = np.frombuffer(outcome.results, RESULT_DTYPE)["code"]
        if (codes != Result.OK).any():
            raise WrongAnswer(f"{Result(int(codes[codes != Result.OK][0])).name} in a batch")
        return outcome.values

    def open(self) -> None:
        """Coins, masters and their sub-accounts, fees, addresses."""
        if not check("BTC", ADDRESS):
            raise WrongAnswer(f"{ADDRESS} is no address")
        self.do(*(cold(Kind.ADD_COIN, {"name": name, "title": name, "type": "coin", "scale": 8})
                  for name in ("BTC", "CNY")))
        masters = -(-self.count // ACCOUNTS_PER_MASTER)
        self.do(*(cold(Kind.REGISTER_USER, {"username": f"master{number}", "password_hash": "$x",
                                            "group": 2}) for number in range(masters)))
        self.numbers = list(self.do(*(cold(Kind.ADD_SUB_ACCOUNT, {
            "uid": 1 + number % masters, "name": f"account{number}", "theory_speed": 0,
            "description": "", "worker_count": 1}) for number in range(self.count))).values())
        self.do(*self.settings())

    def settings(self) -> Iterator[bytes]:
        for number in self.numbers:
            fee = int(self.chance.integers(100, 400))
            refer = self.numbers[0] if number % 3 == 0 and number != self.numbers[0] else 0
            yield cold(Kind.SET_FEES, {"account": number, "fee_type": 1 + number % 2, "fee": fee,
                                       "commission": fee // 4, "refer": refer})
            if number % PAID_OF == 0:
                yield cold(Kind.SET_COIN_HARVEST, {
                    "account": number, "coin": BTC, "address": ADDRESS, "min": 10**5})

    def work(self) -> None:
        """A share of each account in each epoch, some PH/s over the day."""
        for epoch in range(EPOCHS):
            self.do(cold(Kind.SET_NETWORK, {
                "coin": BTC, "difficulty": f"{15_597_303_219_607 + epoch}.9183", "blocks_today":
                48 * (epoch + 1), "subsidy": SUBSIDY, "fees_per_block": FEES + epoch}))
            for at in range(0, self.count, BATCH_ROWS):
                part = self.numbers[at:at + BATCH_ROWS]
                difficulties = self.chance.integers(1 << 34, 1 << 36, len(part)).tolist()
                self.do(add_shares(packed_batch(
                    [(number, b"rig") for number in part],
                    [(place, BTC, 10_000, 100, difficulty, self.now_s)
                     for place, difficulty in enumerate(difficulties)])))
            self.now_s += DAY_S // EPOCHS
        self.now_s = (DAY + 1) * DAY_S + 600


def settle(day: Day) -> dict:
    """The day's settlement; milliseconds of all its commands, of the longest and of the last."""
    elapsed_ns = []

    def do(kind: int, **fields: int) -> dict:
        record = cold(kind, {"coin": BTC, "day": DAY} | fields)
        begin = perf_counter_ns()
        (value,) = day.do(record).values()
        elapsed_ns.append(perf_counter_ns() - begin)
        return value

    earned = paid = 0
    step = do(Kind.BEGIN_SETTLEMENT)
    while not step["done"]:
        step = do(Kind.SETTLE_ACCOUNTS, count=ACCOUNTS_PER_COMMAND)
        earned += len(step["earnings"])
        paid += sum(1 for earning in step["earnings"] if earning[12])
    if earned != day.count:
        raise WrongAnswer(f"{earned} of {day.count} accounts have earned")
    return {"commands": len(elapsed_ns), "payments": paid,
            "settlement_ms": sum(elapsed_ns) / 10**6, "longest_ms": max(elapsed_ns) / 10**6,
            "begin_ms": elapsed_ns[0] / 10**6, "last_ms": elapsed_ns[-1] / 10**6,
            "us_per_account": sum(elapsed_ns) / 10**3 / day.count}


def whole(day: Day) -> dict:
    """What the state as a whole costs afterwards; the sums are as they must be."""
    core = day.core
    check_sums(day)
    begin = perf_counter_ns()
    core.settlements.digest()
    digest_ns = perf_counter_ns() - begin
    begin = perf_counter_ns()
    Core.load(core.dump())
    return {"digest_ms": digest_ns / 10**6,
            "dump_and_load_s": (perf_counter_ns() - begin) / 10**9}


def check_sums(day: Day) -> None:
    """The accounts have what the day's sum says, and the house agrees with itself."""
    core = day.core
    done = core.settlements.of_day(BTC, DAY)
    got = sum(sum(core.balance(number, BTC)) for number in day.numbers)
    if (got != done.net + done.commission or got == 0
            or core.house(HouseAccount.POOL, BTC) != done.pool
            or core.accounts.trial_balance(BTC) != 0):
        raise WrongAnswer(f"accounts have {got} after {done}")
    core.check()
