"""What is read of the workers, by example: known speeds, windows, statuses, work."""

import numpy as np
import pytest

from pool.share_book import packed_batch
from pool.shares import Reason
from pool.worker_views import Active, Period, Speed
from pool.workers import Workers

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
ONE = 1 << 16
DAY = 19_676
NOON_S = DAY * DAY_S + 12 * HOUR_S
ACCOUNT = 3
NOTHING = Speed(0, 0)


@pytest.fixture
def workers() -> Workers:
    workers = Workers()
    for coin in (1, 2):
        workers.set_epoch(coin, 1)
    return workers


def add(workers: Workers, at_s: int, accepted: int = 1, rejected: int = 0, difficulty: int = ONE,
        name: str = "rig", account: int = ACCOUNT, coin: int = 1, ts_s: int | None = None) -> None:
    workers.add(account, name, coin, difficulty, accepted, rejected, at_s, ts_s or at_s)


# -- speeds ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("difficulty, minutes, field, speed", [
    (1_715_585_024, 5, "speed_5m", 24_561_271_905_291_252),
    (3_407_036_416, 10, "speed_10m", 24_388_516_638_335_084),
    (10_292_576_256, 30, "speed_30m", 24_559_043_561_725_624)])
def test_speeds_that_a_pool_has_published(workers, difficulty, minutes, field, speed):
    """One share of all the difficulty, or the difficulty in as many parts as there are minutes."""
    add(workers, NOON_S, difficulty=difficulty * ONE)
    for minute in range(minutes):
        part = difficulty // minutes + (minute < difficulty % minutes)
        add(workers, NOON_S + MINUTE_S * minute, difficulty=part * ONE, account=4)
    now_s = NOON_S + minutes * MINUTE_S
    for account in (ACCOUNT, 4):
        assert getattr(workers.account_speeds(account, now_s), field) == (speed, 0)
        number = workers.find(account, "rig")
        assert getattr(workers.speeds(number, now_s), field) == (speed, 0)


def test_a_minute_counts_from_its_end_for_as_long_as_the_window_is(workers):
    add(workers, NOON_S + 59, accepted=3)
    windows = {"speed_5m": 5, "speed_10m": 10, "speed_30m": 30}
    for minute in range(35):
        speeds = workers.speeds(1, NOON_S + minute * MINUTE_S + 30)
        for field, length in windows.items():
            counts = 1 <= minute <= length
            assert getattr(speeds, field) == Speed(
                int((3 * ONE << 16) / (60 * length)) if counts else 0, 0), (minute, field)
    for hour in range(26):
        speed = workers.speeds(1, NOON_S + hour * HOUR_S).speed_24h
        assert speed == (int((3 * ONE << 16) / DAY_S) if 1 <= hour <= 24 else 0, 0)


@pytest.mark.parametrize("accepted, rejected, rate", [
    (1, 0, 0), (0, 1, 1_000), (1, 1, 500), (2, 1, 333), (1, 2, 667), (1_999, 1, 1),
    (2_000, 1, 0), (1, 1_999, 1_000), (1, 2_000, 1_000), (399, 1, 3), (2**32 - 1, 2**32 - 1, 500)])
def test_a_reject_rate_is_in_thousandths_half_of_one_rounded_up(workers, accepted, rejected, rate):
    add(workers, NOON_S, accepted, rejected, 7 * ONE)
    for speeds in (workers.speeds(1, NOON_S + MINUTE_S), workers.coin_speeds(1, NOON_S + MINUTE_S)):
        assert speeds.speed_5m.reject_rate_permille == rate


def test_rates_of_large_sums_are_as_exact(workers):
    add(workers, NOON_S, 1, 0, 2**64 - 1)
    add(workers, NOON_S, 0, 1, 2**64 - 1)
    assert workers.speeds(1, NOON_S + MINUTE_S).speed_5m.reject_rate_permille == 500
    add(workers, NOON_S, 2, 1, 2**60 + 1, name="third", account=5)
    assert workers.account_speeds(5, NOON_S + MINUTE_S).speed_5m.reject_rate_permille == 333
    add(workers, NOON_S, 1_999, 0, 2**48 + 1, name="other", account=4)
    add(workers, NOON_S, 0, 1, 2**48 + 1, name="other", account=4)
    assert workers.account_speeds(4, NOON_S + MINUTE_S).speed_5m.reject_rate_permille == 1
    add(workers, NOON_S, 1, 0, ONE, name="other", account=4)
    assert workers.account_speeds(4, NOON_S + MINUTE_S).speed_5m.reject_rate_permille == 0


def test_hours_and_days_are_the_whole_ones_before_now(workers):
    add(workers, NOON_S, 3_600, 0)
    add(workers, NOON_S + HOUR_S, 7_200, 7_200)
    hours = workers.hours(1, NOON_S + HOUR_S + 5)
    assert [hour.start_s for hour in hours] == [
        NOON_S + HOUR_S * back for back in range(-23, 1)]
    assert hours[-1] == Period(NOON_S, 2**32, 0)
    assert workers.account_hours(ACCOUNT, NOON_S + 2 * HOUR_S)[-2:] == [
        hours[-1], Period(NOON_S + HOUR_S, 2**33, 500)]
    assert workers.days(1, NOON_S) == workers.all_days(NOON_S)
    assert {day.valid_speed for day in workers.days(1, NOON_S)} == {0}
    assert workers.coin_days(1, NOON_S + DAY_S)[-1] == Period(
        DAY * DAY_S, int((10_800 << 32) / DAY_S), 400)
    assert workers.coin_days(2, NOON_S + DAY_S)[-1] == Period(DAY * DAY_S, 0, 0)


def test_coins_are_apart_and_all_together(workers):
    add(workers, NOON_S, 300, 0, ONE, coin=1)
    add(workers, NOON_S, 600, 0, ONE, coin=2)
    now_s = NOON_S + MINUTE_S
    assert workers.coin_speeds(1, now_s).speed_5m == (2**32, 0)
    assert workers.coin_speeds(2, now_s).speed_5m == (2**33, 0)
    assert workers.all_speeds(now_s).speed_5m == workers.speeds(1, now_s).speed_5m == (3 * 2**32, 0)


def test_late_shares_change_the_minutes_hours_and_days_they_belong_to(workers):
    midnight_s = (DAY + 1) * DAY_S
    add(workers, midnight_s - 1, 300, ts_s=midnight_s + 599)
    now_s = midnight_s + 599
    assert workers.speeds(1, now_s).speed_10m == (2**31, 0)
    assert workers.hours(1, now_s)[-1].valid_speed == int((300 << 32) / HOUR_S)
    assert workers.active_days(ACCOUNT, now_s)[-2:] == [
        Active(midnight_s - DAY_S, 1), Active(midnight_s, 0)]
    assert workers.active_hours(ACCOUNT, now_s)[-2:] == [
        Active(midnight_s - HOUR_S, 1), Active(midnight_s, 0)]
    assert workers.names.last_at_s(1) == midnight_s - 1


def test_an_early_share_counts_as_now(workers):
    midnight_s = (DAY + 1) * DAY_S
    add(workers, midnight_s + 59, ts_s=midnight_s - 1)
    assert workers.names.last_at_s(1) == midnight_s - 1
    assert workers.active_days(ACCOUNT, midnight_s)[-2:] == [
        Active(midnight_s - DAY_S, 1), Active(midnight_s, 0)]
    assert workers.work_days(1) == [DAY]


def test_rejected_shares_make_no_worker_active(workers):
    add(workers, NOON_S, 0, 5)
    assert workers.active_hours(ACCOUNT, NOON_S)[-1] == Active(NOON_S, 0)
    add(workers, NOON_S, 1, 0)
    add(workers, NOON_S, 1, 0, difficulty=1, name="other")
    assert workers.active_hours(ACCOUNT, NOON_S)[-1] == Active(NOON_S, 2)
    assert workers.active_days(ACCOUNT, NOON_S)[-1] == Active(DAY * DAY_S, 2)


def test_the_array_of_all_speeds_is_by_number(workers):
    for number in range(1, 3_001):
        add(workers, NOON_S, number, 1, difficulty=(1 << 25) + (number % 2 << 16),
            name=f"rig{number}", account=3 + number % 7)
    for now_s in (NOON_S + MINUTE_S, NOON_S + 5 * MINUTE_S):
        array = workers.speeds_5m_all(now_s)
        assert array.dtype == np.float64
        assert [int(speed) for speed in array] == [0] + [
            workers.speeds(number, now_s).speed_5m.valid_speed for number in range(1, 3_001)]
    assert not workers.speeds_5m_all(NOON_S + 6 * MINUTE_S).any()
    # With a difficulty that is no whole number.
    add(workers, NOON_S, 1, difficulty=1, name="rig7", account=3)
    array = workers.speeds_5m_all(NOON_S + MINUTE_S)
    assert [int(speed) for speed in array[1:]] == [
        workers.speeds(number, NOON_S + MINUTE_S).speed_5m.valid_speed
        for number in range(1, 3_001 + (workers.find(3, "rig7") > 3_000))]


def test_speeds_below_one_and_beyond_64_bits(workers):
    add(workers, NOON_S, difficulty=1)
    assert workers.speeds(1, NOON_S + 300).speed_5m.valid_speed == 65_536 // 300
    assert workers.days(1, NOON_S + DAY_S)[-1].valid_speed == 0
    add(workers, NOON_S, difficulty=2**64 - 1, name="huge")
    expected = int(float((2**64 - 1) << 16) / 300)
    assert expected > 2**64
    assert workers.speeds(2, NOON_S + 300).speed_5m.valid_speed == expected
    assert int(workers.speeds_5m_all(NOON_S + 300)[2]) == expected


@pytest.mark.parametrize("difficulty", [ONE << 30, (ONE << 30) + 1, ONE << 34, (ONE << 34) - 1])
def test_sums_grow_past_each_of_their_parts(workers, difficulty):
    """Past 2^32 in a minute and an hour, 2^36 in a day, with a fraction and without."""
    for count in range(1, 12):
        add(workers, NOON_S, 1, 1, difficulty)
        assert [works.tolist() for works in workers.sums_of_hour(NOON_S // HOUR_S)] == [
            [0, count * difficulty]] * 2
        assert workers.days(1, NOON_S + DAY_S)[-1] == Period(
            DAY * DAY_S, int(float(count * difficulty << 16) / DAY_S), 500)
        assert workers.speeds_5m_all(NOON_S + MINUTE_S)[1] == int(
            float(count * difficulty << 16) / 300)
        assert workers.check() == []


def test_sums_of_an_hour_are_given_while_it_is_kept(workers):
    add(workers, NOON_S, 5, 3, 2**40 + 1)
    hour = NOON_S // HOUR_S
    for later in (0, 24):
        workers.advance(NOON_S + later * HOUR_S)
        accepted, rejected = workers.sums_of_hour(hour)
        assert (accepted.tolist(), rejected.tolist()) == (
            [0, 5 * (2**40 + 1)], [0, 3 * (2**40 + 1)])
    for gone in (hour - 1, hour + 25):
        with pytest.raises(ValueError, match="not kept"):
            workers.sums_of_hour(gone)


# -- an account's workers --------------------------------------------------------------------------

@pytest.mark.parametrize("age_s, status", [
    (0, 1), (599, 1), (600, 2), (86_399, 2), (86_400, 3), (29 * DAY_S, 3)])
def test_a_status_is_the_age_of_the_last_share(workers, age_s, status):
    add(workers, NOON_S, 0, 1)
    line, = workers.list_of(ACCOUNT, NOON_S + age_s, 10, 24)
    assert line.status == status
    counts = [0, 0, 0]
    counts[status - 1] = 1
    assert workers.counts_of(ACCOUNT, NOON_S + age_s, 10, 24) == tuple(counts)
    assert workers.list_of(ACCOUNT, NOON_S + age_s, 0, 0)[0].status == 3
    assert workers.list_of(ACCOUNT, NOON_S + age_s, 10**6, 0)[0].status == 1


def test_a_line_has_all_of_a_worker(workers):
    add(workers, NOON_S, 300, 100, name="first")
    add(workers, NOON_S + 6 * MINUTE_S + 7, 600, 0, name="第二")
    workers.set_group(2, 2**32 - 1)
    first, second = workers.list_of(ACCOUNT, NOON_S + 7 * MINUTE_S, 10, 24)
    assert first == (1, "first", 0, 0, 715_827_882, 250, 0, 0, NOON_S, 1, 0)
    assert second == (2, "第二", 2**33, 0, 1_431_655_765, 0, 0, 0, NOON_S + 367, 1, 2**32 - 1)
    first, second = workers.list_of(ACCOUNT, NOON_S + HOUR_S, 10, 24)
    assert (first.valid_speed_24h, first.reject_rate_24h_permille) == (14_913_080, 250)
    assert (second.valid_speed_24h, second.status) == (29_826_161, 2)


def test_a_silent_worker_is_there_for_30_days_and_its_number_is_used_again(workers):
    for name in ("first", "second", "third"):
        add(workers, NOON_S, name=name)
    add(workers, NOON_S + DAY_S, name="second")
    workers.set_group(1, 5)
    last_s = (DAY + 31) * DAY_S - 1
    assert workers.workers_of(ACCOUNT, last_s) == [1, 2, 3]
    assert workers.workers_of(ACCOUNT, last_s + 1) == [2]
    assert workers.counts_of(ACCOUNT, last_s + 1, 10, 24) == (0, 0, 1)
    assert (workers.advance(last_s), len(workers)) == (0, 3)
    assert workers.days(1, last_s)[0].valid_speed == int(2**32 / DAY_S)
    assert (workers.advance(last_s + 1), len(workers)) == (2, 1)
    assert (workers.find(ACCOUNT, "first"), workers.find(ACCOUNT, "third")) == (0, 0)
    for call in (workers.name_of, workers.account_of, lambda number: workers.set_group(number, 1),
                 lambda number: workers.speeds(number, last_s)):
        with pytest.raises(IndexError):
            call(1)
    for name, number in (("fourth", 1), ("first", 3), ("fifth", 4)):
        add(workers, last_s + 1, name=name)
        assert workers.find(ACCOUNT, name) == number
    assert workers.workers_of(ACCOUNT, last_s + 1) == [2, 1, 3, 4]
    assert workers.names.group_of(1) == 0
    assert workers.check() == []


def test_a_share_at_midnight_is_one_of_the_day_that_begins(workers):
    midnight_s = DAY * DAY_S
    add(workers, midnight_s, name="at midnight")
    add(workers, midnight_s - 1, name="before", ts_s=midnight_s)
    late_s = midnight_s + 30 * DAY_S
    assert workers.workers_of(ACCOUNT, late_s) == [1]
    assert (workers.advance(late_s), workers.workers_of(ACCOUNT, late_s)) == (1, [1])
    assert workers.workers_of(ACCOUNT, late_s + DAY_S) == []
    assert workers.days(1, late_s)[0].valid_speed == int(2**32 / DAY_S)


def test_groups_are_left_one_by_one_or_all_at_once(workers):
    for name in "abcd":
        add(workers, NOON_S, name=name)
    add(workers, NOON_S, account=4)
    for number, group in ((1, 7), (2, 8), (3, 7), (5, 7)):
        workers.set_group(number, group)
    assert [workers.names.group_of(number) for number in range(1, 6)] == [7, 8, 7, 0, 7]
    assert (workers.ungroup(ACCOUNT, 7), workers.ungroup(ACCOUNT, 0)) == (2, 0)
    workers.set_group(2, 0)
    assert [workers.names.group_of(number) for number in range(1, 6)] == [0, 0, 0, 0, 7]
    assert (workers.ungroup(9, 7), workers.check()) == (0, [])


@pytest.mark.parametrize("minutes", range(6))
def test_the_speeds_of_very_many_are_those_of_each(minutes):
    """Edges here and there: below the middle, and above it."""
    workers, odd = Workers(), {0: 1, 1_500: ONE - 1, 2_999: 2**55, 1_024: 3}
    workers.set_epoch(1, 1)
    names = [(ACCOUNT, f"w{name}".encode()) for name in range(3_000)]
    for minute in range(minutes):
        at_s = NOON_S + minute * MINUTE_S
        rows = [(name, 1, (name % 17 + 1), 0, (1 + name % 3) * ONE, at_s) for name in range(3_000)]
        if minute % 2:
            rows += [(name, 1, 1, 0, difficulty, at_s) for name, difficulty in odd.items()]
        batch = packed_batch(names, rows)
        assert workers.refusal_of(batch, at_s, bytes(ACCOUNT) + b"\1") == (Reason.OK, 0)
        workers.take(batch, at_s)
    now_s = NOON_S + 5 * MINUTE_S
    expected = [float(workers.speeds(number, now_s).speed_5m.valid_speed)
                for number in range(1, len(workers) + 1)]
    assert workers.speeds_5m_all(now_s).tolist() == [0.0, *expected]
    assert len(expected) == (3_000 if minutes else 0)


def test_what_never_had_a_share_is_nothing(workers):
    assert workers.account_speeds(9, NOON_S) == (NOTHING,) * 4
    assert workers.coin_speeds(1_000, NOON_S) == (NOTHING,) * 4
    assert (workers.workers_of(9, NOON_S), workers.list_of(9, NOON_S, 10, 24)) == ([], [])
    assert workers.counts_of(9, NOON_S, 10, 24) == (0, 0, 0)
    assert [hour.workers for hour in workers.active_hours(9, NOON_S)] == [0] * 25
    assert (workers.work(9, 1, DAY), workers.work_days(1)) == ([], [])
    assert workers.accounts_with_work(1, DAY) == []
    assert (workers.find(9, "rig"), workers.find(ACCOUNT, ""), len(workers)) == (0, 0, 0)
    assert workers.speeds_5m_all(NOON_S).tolist() == [0.0]
    for coin in (0, 1_001):
        with pytest.raises(IndexError):
            workers.coin_speeds(coin, NOON_S)


def test_moments_beyond_32_bits_are_none(workers):
    for call in (workers.all_speeds, workers.all_hours, workers.speeds_5m_all,
                 lambda now_s: workers.list_of(ACCOUNT, now_s, 10, 24),
                 lambda now_s: workers.roster(ACCOUNT, now_s)):
        for now_s in (2**32, -1):
            with pytest.raises(ValueError, match="no time"):
                call(now_s)


def test_the_first_day_of_all_has_no_day_before(workers):
    add(workers, 30)
    add(workers, 0)
    assert [hour.start_s for hour in workers.hours(1, 2 * HOUR_S)] == [0, HOUR_S]
    assert workers.days(1, DAY_S) == [Period(0, int(2**33 / DAY_S), 0)]
    assert workers.active_days(ACCOUNT, 0) == [Active(0, 1)]
    assert (workers.hours(1, 5), workers.check()) == ([], [])
    for day in range(1, 31):
        assert workers.advance(day * DAY_S) == 0
        assert workers.workers_of(ACCOUNT, day * DAY_S) == [1]
    assert workers.advance(31 * DAY_S) == 1


# -- work ------------------------------------------------------------------------------------------

def test_work_is_kept_by_coin_day_and_epoch(workers):
    add(workers, NOON_S, 5, 9, 3)
    workers.set_epoch(1, 4)
    add(workers, NOON_S, 7, 0, 3, name="other")
    add(workers, NOON_S, 1, 0, 1, account=1)
    add(workers, NOON_S, 11, 0, 3, coin=2)
    add(workers, NOON_S + DAY_S, 13, 0, 3)
    assert workers.work(ACCOUNT, 1, DAY) == [(1, 15), (4, 21)]
    assert workers.work(1, 1, DAY) == [(4, 1)]
    assert workers.work(ACCOUNT, 2, DAY) == [(1, 33)]
    assert workers.work(ACCOUNT, 1, DAY + 1) == [(4, 39)]
    assert workers.accounts_with_work(1, DAY) == [1, ACCOUNT]
    assert (workers.work_days(1), workers.work_days(2)) == ([DAY, DAY + 1], [DAY])
    assert (workers.epoch_of(1), workers.epoch_of(2)) == (4, 1)


def test_a_closed_day_gets_no_more_work_and_the_next_one_gets_it(workers):
    midnight_s = (DAY + 1) * DAY_S
    add(workers, midnight_s - 5, 2)
    add(workers, midnight_s - 4, 3, ts_s=midnight_s + 10)
    workers.close_day(1, DAY)
    add(workers, midnight_s - 3, 4, ts_s=midnight_s + 20)
    add(workers, midnight_s - 3, 8, coin=2, ts_s=midnight_s + 20)
    assert workers.work(ACCOUNT, 1, DAY) == [(1, 5 * ONE)]
    assert workers.work(ACCOUNT, 1, DAY + 1) == [(1, 4 * ONE)]
    assert workers.work(ACCOUNT, 2, DAY) == [(1, 8 * ONE)]
    assert workers.days(1, midnight_s + 20)[-1].valid_speed == int((17 << 32) / DAY_S)
    assert workers.check() == []
    workers.drop_day(1, DAY)
    assert (workers.work(ACCOUNT, 1, DAY), workers.work_days(1)) == ([], [DAY + 1])
    add(workers, midnight_s - 1, 1, ts_s=midnight_s + 30)
    assert workers.work(ACCOUNT, 1, DAY + 1) == [(1, 5 * ONE)]
    workers.close_day(1, DAY - 1)
    add(workers, midnight_s - 1, 1, ts_s=midnight_s + 40)
    assert workers.work(ACCOUNT, 1, DAY + 1) == [(1, 6 * ONE)]
    for each in (workers, Workers.load(workers.dump())):
        assert each.check() == []
        each.advance(midnight_s + 40 * DAY_S)
        assert each.work(ACCOUNT, 1, DAY + 1) == [(1, 6 * ONE)]
        assert each.check() == []


def test_what_coins_and_days_refuse(workers):
    workers.advance(NOON_S)
    workers.close_day(1, DAY - 1)
    for error, call in [
            (ValueError, lambda: workers.set_epoch(0, 1)),
            (ValueError, lambda: workers.set_epoch(1_001, 1)),
            (ValueError, lambda: workers.set_epoch(3, 0)),
            (ValueError, lambda: [workers.set_epoch(4, 9), workers.set_epoch(4, 8)]),
            (ValueError, lambda: workers.close_day(1, DAY)),
            (ValueError, lambda: workers.close_day(1, -1)),
            (ValueError, lambda: workers.drop_day(1, DAY)),
            (ValueError, lambda: workers.drop_day(2, DAY - 1)),
            (IndexError, lambda: workers.close_day(3, DAY - 1)),
            (IndexError, lambda: workers.drop_day(3, DAY - 1)),
            (IndexError, lambda: workers.epoch_of(3)), (IndexError, lambda: workers.epoch_of(0)),
            (ValueError, lambda: add(workers, NOON_S, coin=3)),
            (ValueError, lambda: add(workers, NOON_S, name="a\nb"))]:
        with pytest.raises(error):
            call()
    assert workers.check() == []
