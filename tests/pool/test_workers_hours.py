"""What is read of single hours, of all workers and accounts or of some, for who keeps history."""

import random

import numpy as np
import pytest

from pool.workers import Workers, period_of
from tests.pool.plain_workers import HOUR_S, ONE, PlainWorkers

START_S = 1_700_000_000
ACCOUNTS = (3, 9, 4)


@pytest.fixture(scope="module")
def pair():
    """Workers that had shares for 30 hours, and their plain twin."""
    draw = random.Random(7)
    workers, plain = Workers(), PlainWorkers(epochs={1: 1})
    workers.set_epoch(1, 1)
    ts_s = START_S
    for _ in range(400):
        ts_s += draw.randrange(600)
        account, name = draw.choice(ACCOUNTS), f"rig{draw.randrange(5)}"
        row = (1, draw.choice([0, 1, 7, 1_000]), draw.choice([1, 0, 3]),
               draw.choice([1, ONE, 2**20 * ONE, 2**32 * ONE]), ts_s - draw.randrange(600))
        if row[1] or row[2]:
            coin, accepted, rejected, difficulty, at_s = row
            workers.add(account, name, coin, difficulty, accepted, rejected, at_s, ts_s)
            plain.take([(account, name)], [(0, coin, accepted, rejected, difficulty, at_s)], ts_s)
    return workers, plain


def hours_kept(workers):
    reached = workers.minute // 60
    return range(reached - 24, reached + 1)


def works(plain, is_asked, hour):
    found = [share for share in plain.shares
             if share.at_s // HOUR_S == hour and is_asked(share.worker)]
    return sum(share.accepted for share in found), sum(share.rejected for share in found)


def test_an_accounts_hour_is_the_sum_of_its_shares(pair):
    workers, plain = pair
    assert {workers.place_of(account) for account in ACCOUNTS} == {1, 2, 3}
    assert workers.place_of(1) == 0
    for hour in hours_kept(workers):
        columns = [column.tolist() for column in workers.account_sums_of_hour(hour)]
        assert [len(column) for column in columns] == [4] * 5
        assert [column[0] for column in columns] == [0] * 5
        for account in ACCOUNTS:
            low, high, rejected_low, rejected_high, active = [
                column[workers.place_of(account)] for column in columns]
            wanted = works(plain, lambda worker: worker.account == account, hour)
            assert (high << 64 | low, rejected_high << 64 | rejected_low) == wanted
            assert active == plain.active(account, hour * HOUR_S, HOUR_S, 1)[0].workers
            assert workers.hour_of_account(account, hour) == (*wanted, active)


def test_an_accounts_hour_may_exceed_64_bits():
    workers = Workers()
    workers.set_epoch(1, 1)
    for name in ("one", "two", "three"):
        workers.add(5, name, 1, 2**63, 1, 1, START_S, START_S)
    hour = START_S // HOUR_S
    assert workers.hour_of_account(5, hour) == (3 << 63, 3 << 63, 3)
    assert [int(column[1]) for column in workers.account_sums_of_hour(hour)] == [
        1 << 63, 1, 1 << 63, 1, 3]
    assert period_of(hour, 3 << 63, 3 << 63) == workers.account_hours(5, START_S + HOUR_S)[-1]


def test_the_hour_of_some_workers_is_that_of_all(pair):
    workers, plain = pair
    for hour in hours_kept(workers):
        accepted, rejected = workers.sums_of_hour(hour)
        numbers = np.array([5, 1, 9], np.uint32)
        some = workers.hour_of_workers(numbers, hour)
        assert [column.tolist() for column in some] == [
            accepted[numbers].tolist(), rejected[numbers].tolist()]
        for number, worker in plain.workers.items():
            assert (accepted[number], rejected[number]) == works(
                plain, lambda its: its is worker, hour)


def test_a_speed_from_an_hours_work_is_the_one_that_the_hours_have(pair):
    workers, plain = pair
    now_s = (workers.minute // 60 + 1) * HOUR_S
    for number in plain.workers:
        asked = np.array([number], np.uint32)
        for period in workers.hours(number, now_s):
            hour = period.start_s // HOUR_S
            accepted, rejected = workers.hour_of_workers(asked, hour)
            assert period_of(hour, int(accepted[0]), int(rejected[0])) == period
    assert len(workers.hours(1, now_s)) == 24


def test_an_hour_that_is_not_kept_is_refused_and_one_to_come_is_zero(pair):
    workers, _ = pair
    reached = workers.minute // 60
    one = np.array([1], np.uint32)
    with pytest.raises(ValueError, match="is not kept"):
        workers.account_sums_of_hour(reached - 25)
    with pytest.raises(ValueError, match="is not kept"):
        workers.account_sums_of_hour(reached + 1)
    for ask in (lambda hour: workers.hour_of_workers(one, hour),
                lambda hour: workers.hour_of_account(3, hour)):
        with pytest.raises(ValueError, match="is not kept"):
            ask(reached - 25)
    assert [column.tolist() for column in workers.hour_of_workers(one, reached + 1)] == [[0], [0]]
    assert workers.hour_of_account(3, reached + 100) == (0, 0, 0)
    assert workers.hour_of_account(77, reached) == (0, 0, 0)
