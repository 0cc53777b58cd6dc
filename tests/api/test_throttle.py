"""The throttle on a clock of the test's own."""

from hypothesis import given
from hypothesis import strategies as st

from api.auth.throttle import DELAY_MAX_S, KEYS_MAX, OrderRate, Throttle, address_key


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
    throttle.take_back("a")
    assert throttle.delay_s("a", 0.0) == 0
    throttle.take_back("a")
    throttle.take_back("a")
    assert len(throttle) == 0


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
