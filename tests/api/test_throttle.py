"""The throttle on a clock of the test's own."""

from hypothesis import given
from hypothesis import strategies as st

from api.auth.throttle import DELAY_MAX_S, KEYS_MAX, OrderRate, Quota, Throttle, address_key


def fail(throttle, key, now_s):
    throttle.begin(key, now_s)


def test_some_failures_are_free_then_the_delay_doubles():
    throttle = Throttle(3)
    now_s = 1000.0
    for _ in range(3):
        assert throttle.delay_s("a", now_s) == 0
        fail(throttle, "a", now_s)
    delays = []
    for _ in range(12):
        delays.append(throttle.delay_s("a", now_s))
        now_s += delays[-1]
        assert throttle.delay_s("a", now_s) == 0
        fail(throttle, "a", now_s)
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256] + [DELAY_MAX_S] * 3
    assert throttle.delay_s("b", now_s) == 0


def test_attempts_count_from_their_start():
    throttle = Throttle(2)
    for _ in range(2):
        throttle.begin("a", 5.0)
    assert throttle.delay_s("a", 5.0) == 1


def test_a_success_forgets():
    throttle = Throttle(1)
    throttle.begin("a", 0.0)
    assert throttle.delay_s("a", 0.0) > 0
    throttle.succeed("a")
    assert throttle.delay_s("a", 0.0) == 0
    assert len(throttle) == 0


def test_taking_back_forgets_one():
    throttle = Throttle(2)
    throttle.begin("a", 0.0)
    throttle.begin("a", 0.0)
    throttle.take_back("a", 0.0)
    assert throttle.delay_s("a", 0.0) == 0
    throttle.take_back("a", 0.0)
    throttle.take_back("a", 0.0)
    assert len(throttle) == 0


def test_fewer_than_the_limit_are_forgotten_at_the_end_of_their_minute():
    """Also where there is never a quiet minute."""
    throttle = Throttle(3)
    for number in range(100):
        assert throttle.delay_s("a", number * 30.0) == 0
        throttle.begin("a", number * 30.0)


def test_successes_do_not_keep_failures_alive():
    """As many users as share an address: those who know their passwords do not lock it for good."""
    throttle = Throttle(2)
    for _ in range(4):
        throttle.begin("a", 0.0)
    delay_s = throttle.delay_s("a", 0.0)
    now_s = delay_s
    while now_s < delay_s + 60:
        assert throttle.delay_s("a", now_s) == 0
        throttle.begin("a", now_s)
        throttle.take_back("a", now_s)
        now_s += 1
    throttle.begin("a", now_s)
    assert throttle.delay_s("a", now_s) == 0


def test_a_success_beside_a_failure_leaves_its_time():
    throttle = Throttle(1)
    throttle.begin("a", 0.0)
    throttle.begin("a", 5.0)
    throttle.take_back("a", 0.0)
    assert throttle.delay_s("a", 5.0) == 1


def test_a_quiet_minute_forgets():
    throttle = Throttle(2)
    throttle.begin("a", 0.0)
    throttle.begin("a", 60.0)
    throttle.begin("a", 60.0)
    assert throttle.delay_s("a", 60.0) == 1
    throttle.begin("a", 122.0)
    assert throttle.delay_s("a", 122.0) == 0


def test_no_limit():
    throttle = Throttle(0)
    for _ in range(1000):
        throttle.begin("a", 0.0)
    assert throttle.delay_s("a", 0.0) == 0
    assert len(throttle) == 0


def test_memory_is_bounded():
    throttle = Throttle(1)
    throttle.begin("first", 0.0)
    for number in range(KEYS_MAX):
        throttle.begin(str(number), 1.0)
    assert len(throttle) == KEYS_MAX
    assert throttle.delay_s("first", 1.0) == 0
    assert throttle.delay_s(str(KEYS_MAX - 1), 1.0) > 0


def test_a_quota_begins_anew_each_minute():
    quota = Quota(2)
    assert [quota.take("a", now_s) for now_s in (0.0, 10.0, 10.0, 50.0)] == [0, 0, 50, 10]
    assert [quota.take("a", now_s) for now_s in (60.0, 61.0, 62.0)] == [0, 0, 58]
    assert quota.take("b", 62.0) == 0


def test_a_quota_below_its_limit_never_waits():
    quota = Quota(600)
    assert not any(quota.take("a", second / 2) for second in range(0, 7200))


def test_a_quota_without_a_limit_and_one_with_many_keys():
    assert not any(Quota(0).take("a", 0.0) for _ in range(1000))
    quota = Quota(1)
    for number in range(KEYS_MAX + 10):
        quota.take(str(number), 1.0)
    assert len(quota) == KEYS_MAX
    assert quota.take("0", 1.0) == 0 and quota.take(str(KEYS_MAX), 1.0) > 0


@given(st.lists(st.integers(0, 2000), max_size=60), st.integers(1, 20))
def test_never_more_orders_than_the_rate_allows(gaps_ms, per_second):
    rate = OrderRate(per_second)
    now_ms = taken = 0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        taken += rate.take(1, now_ms / 1000)
        assert taken <= per_second + now_ms * per_second / 1000 + 1e-6
    assert rate.take(2, now_ms / 1000)


def test_neighbours_of_ipv6_share_a_key():
    assert address_key("2001:db8::1") == address_key("2001:db8:0:0:ffff::2")
    assert address_key("2001:db8::1") != address_key("2001:db8:0:1::1")
    assert address_key("fe80::1%eth0") == address_key("fe80::2%eth1")
    assert address_key("::ffff:192.0.2.1") == address_key("192.0.2.1") != address_key("192.0.2.2")
    assert address_key(None) == address_key("") == address_key("a socket")
