"""The pool's workers against a recount of all shares: every number, after any gap and restart."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pool.rosters import WorkerStatus
from pool.share_book import packed_batch
from pool.shares import Reason
from pool.workers import Workers
from tests.pool.plain_workers import DAY_S, HOUR_S, MINUTE_S, ONE, PlainWorkers

DAY = 19_676
START_S = DAY * DAY_S - 7 * MINUTE_S      # seven minutes before a day turns
ACCOUNTS = (3, 7, 4_000_000)
IS_ACCOUNT = bytes(number in ACCOUNTS for number in range(max(ACCOUNTS) + 1))
COINS = (1, 2)
NAMES = ("a", "rig1", "矿机9", "x" * 23, "y" * 24, "z" * 64)


def filled(*batches: tuple) -> Workers:
    """Workers of two coins that took batches of (names, rows, ts_s)."""
    workers = Workers()
    workers.advance(START_S)
    for coin in COINS:
        workers.set_epoch(coin, 1)
    for batch in batches:
        take(workers, *batch)
    return workers


def take(workers: Workers, names: list, rows: list, ts_s: int) -> None:
    batch = packed_batch([(account, name.encode()) for account, name in names], rows)
    assert workers.refusal_of(batch, ts_s, IS_ACCOUNT) == (Reason.OK, 0)
    workers.take(batch, ts_s)


def compare(workers: Workers, plain: PlainWorkers, now_s: int) -> None:
    """Everything that can be read at a moment."""
    for account in (*ACCOUNTS, 5):
        compare_account(workers, plain, account, now_s)
    for number, worker in plain.workers.items():
        def is_asked(share, worker=worker):
            return share.worker is worker
        assert workers.find(worker.account, worker.name) == number
        assert (workers.name_of(number), workers.account_of(number)) == (
            worker.name, worker.account)
        assert workers.speeds(number, now_s) == plain.speeds(is_asked, now_s)
        assert workers.hours(number, now_s) == plain.periods(is_asked, now_s, HOUR_S, 24)
        assert workers.days(number, now_s) == plain.periods(is_asked, now_s, DAY_S, 30)
    for coin in (*COINS, 3):
        def is_asked(share, coin=coin):
            return share.coin == coin
        assert workers.coin_speeds(coin, now_s) == plain.speeds(is_asked, now_s)
        assert workers.coin_hours(coin, now_s) == plain.periods(is_asked, now_s, HOUR_S, 24)
        assert workers.coin_days(coin, now_s) == plain.periods(is_asked, now_s, DAY_S, 30)
    assert workers.all_speeds(now_s) == plain.speeds(lambda share: True, now_s)
    assert workers.all_hours(now_s) == plain.periods(lambda share: True, now_s, HOUR_S, 24)
    assert workers.all_days(now_s) == plain.periods(lambda share: True, now_s, DAY_S, 30)
    compare_work(workers, plain)
    compare_arrays(workers, plain, now_s)


def compare_account(workers: Workers, plain: PlainWorkers, account: int, now_s: int) -> None:
    def is_asked(share):
        return share.worker.account == account

    assert workers.account_speeds(account, now_s) == plain.speeds(is_asked, now_s)
    assert workers.account_hours(account, now_s) == plain.periods(is_asked, now_s, HOUR_S, 24)
    assert workers.account_days(account, now_s) == plain.periods(is_asked, now_s, DAY_S, 30)
    assert workers.active_hours(account, now_s) == plain.active(account, now_s, HOUR_S, 25)
    assert workers.active_days(account, now_s) == plain.active(account, now_s, DAY_S, 31)
    listed = plain.listed(account, now_s)
    lines = plain.lines(account, now_s, 10, 24)
    assert workers.workers_of(account, now_s) == list(listed)
    assert workers.list_of(account, now_s, 10, 24) == lines
    assert workers.counts_of(account, now_s, 10, 24) == tuple(
        sum(line.status == status for line in lines) for status in WorkerStatus)


def compare_work(workers: Workers, plain: PlainWorkers) -> None:
    for coin in COINS:
        days = sorted({key[1] for key in plain.paid if key[0] == coin})
        assert workers.work_days(coin) == days
        for day in days:
            assert workers.accounts_with_work(coin, day) == sorted(
                {key[3] for key in plain.paid if key[:2] == (coin, day)})
            for account in (*ACCOUNTS, 5):
                assert workers.work(account, coin, day) == plain.work(account, coin, day)
            assert workers.work_of_day(coin, day) == [
                (account, plain.work(account, coin, day)) for account in ACCOUNTS
                if plain.work(account, coin, day)]


def compare_arrays(workers: Workers, plain: PlainWorkers, now_s: int) -> None:
    speeds = workers.speeds_5m_all(now_s)
    found = {number: int(speed) for number, speed in enumerate(speeds) if speed}
    assert found == {number: speed for number in plain.workers
                     if (speed := workers.speeds(number, now_s).speed_5m.valid_speed)}
    for hour in (plain.minute // 60, plain.minute // 60 - 1):
        accepted, rejected = workers.sums_of_hour(hour)
        for number, worker in plain.workers.items():
            shares = [share for share in plain.shares
                      if share.worker is worker and share.at_s // HOUR_S == hour]
            assert accepted[number] == sum(share.accepted for share in shares)
            assert rejected[number] == sum(share.rejected for share in shares)


# -- strategies ------------------------------------------------------------------------------------

# Within a minute, over one boundary or the other, as long as what is kept, or for months.
gaps_s = st.one_of(
    st.integers(0, 90), st.integers(0, 900), st.sampled_from([60, 420, 421, 600, 601]),
    st.integers(0, 3 * HOUR_S), st.integers(0, 3 * DAY_S),
    st.integers(28, 33).map(lambda days: days * DAY_S), st.integers(0, 200 * DAY_S))
# As pools have them; with a fraction; and so large that 32 bits above the fraction end soon.
difficulties = st.one_of(
    st.integers(10, 33).map(lambda bits: ONE << bits), st.integers(1, 5 * ONE),
    st.integers(0, 1 << 16).map(lambda more: (ONE << 30) + more), st.integers(1, 1 << 49))
rows_of = st.lists(st.tuples(
    st.integers(0, 2),                                       # place in the names
    st.sampled_from(COINS),
    st.integers(0, 5), st.integers(0, 3),                    # accepted, rejected
    difficulties,
    st.sampled_from([0, 0, 0, 1, 59, 60, 300, 599, 600, -1, -60])),  # seconds late
    min_size=1, max_size=5)
steps_of = st.lists(st.one_of(
    st.tuples(st.just("shares"), gaps_s,
              st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(NAMES)),
                       min_size=3, max_size=3), rows_of),
    st.tuples(st.sampled_from(["advance", "restart", "epoch", "close", "drop", "group", "ungroup"]),
              gaps_s, st.sampled_from(COINS), st.integers(1, 3))), max_size=12)


def step_plain(plain: PlainWorkers, step: tuple, ts_s: int) -> None:
    kind, _, first, second = step
    if kind == "shares":
        plain.take(first, rows_at(second, ts_s), ts_s)
    elif kind == "advance":
        plain.advance(ts_s)
    elif kind == "epoch":
        plain.epochs[first] += second
    elif kind == "close":
        plain.closed[first] = plain.minute // 1_440 - 1
    elif kind == "drop" and first in plain.closed:
        plain.drop_day(first, plain.closed[first])
    elif kind in ("group", "ungroup"):
        for worker in list(plain.workers.values())[:second]:
            worker.group = first if kind == "group" else 0


def step_workers(workers: Workers, plain: PlainWorkers, step: tuple, ts_s: int) -> None:
    """The same, after `plain` has done it."""
    kind, _, first, second = step
    if kind == "shares":
        take(workers, first, rows_at(second, ts_s), ts_s)
    elif kind == "advance":
        workers.advance(ts_s)
    elif kind == "epoch":
        workers.set_epoch(first, plain.epochs[first])
    elif kind == "close":
        workers.close_day(first, plain.closed[first])
    elif kind == "drop" and first in plain.closed:
        workers.drop_day(first, plain.closed[first])
    elif kind in ("group", "ungroup"):
        for number in list(plain.workers)[:second]:
            workers.set_group(number, plain.workers[number].group)


def rows_at(drawn: list, ts_s: int) -> list[tuple]:
    """Rows that have at least one share."""
    return [(name, coin, accepted or not rejected, rejected, difficulty, ts_s - late_s)
            for name, coin, accepted, rejected, difficulty, late_s in drawn]


@settings(max_examples=60, deadline=None)
@given(steps=steps_of, later_s=gaps_s)
def test_everything_agrees_with_a_recount_of_all_shares(steps, later_s):
    workers, straight, plain = filled(), filled(), PlainWorkers(START_S // 60, epochs={1: 1, 2: 1})
    ts_s = START_S
    for step in steps:
        ts_s += step[1]
        step_plain(plain, step, ts_s)
        step_workers(straight, plain, step, ts_s)
        step_workers(workers, plain, step, ts_s)
        if step[0] == "restart":
            workers = Workers.load(workers.dump())
    compare(workers, plain, max(ts_s, 60 * plain.minute))
    compare(workers, plain, ts_s + later_s)
    assert workers.check() == []
    assert workers.dump() == straight.dump()
    assert workers.digest() == straight.digest()
    assert Workers.load(workers.dump()).digest() == straight.digest()


@settings(max_examples=60, deadline=None)
@given(steps=steps_of, later_s=gaps_s)
def test_a_read_gives_what_it_would_give_when_time_has_come(steps, later_s):
    workers, plain, ts_s = filled(), PlainWorkers(START_S // 60, epochs={1: 1, 2: 1}), START_S
    for step in steps:
        ts_s += step[1]
        step_plain(plain, step, ts_s)
        step_workers(workers, plain, step, ts_s)
    before = workers.digest()
    now_s = max(ts_s, 60 * plain.minute) + later_s
    ahead = [reads(workers, account, now_s) for account in ACCOUNTS]
    assert workers.digest() == before
    workers.advance(now_s)
    assert [reads(workers, account, now_s) for account in ACCOUNTS] == ahead


def reads(workers: Workers, account: int, now_s: int) -> list:
    return [workers.list_of(account, now_s, 10, 24), workers.counts_of(account, now_s, 10, 24),
            workers.account_speeds(account, now_s), workers.account_hours(account, now_s),
            workers.account_days(account, now_s), workers.active_hours(account, now_s),
            workers.active_days(account, now_s), workers.all_speeds(now_s)]
