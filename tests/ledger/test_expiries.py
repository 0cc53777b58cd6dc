"""ledger/expiries: keys come back when their second begins, and nothing stays of those removed."""

import random
import tracemalloc

from ledger.expiries import NS_PER_S, Expiries


def test_keys_are_due_earliest_first_and_once():
    expiries = Expiries()
    for key, expires_ns in (("late", 3 * NS_PER_S), ("soon", 1), ("sooner", 0), ("then", NS_PER_S)):
        expiries.add(key, expires_ns)
    assert expiries.take_due(0) == ["sooner"]
    assert expiries.take_due(NS_PER_S - 1) == []
    assert expiries.take_due(2 * NS_PER_S) == ["soon", "then"]
    assert expiries.take_due(2 * NS_PER_S) == []
    assert len(expiries) == 1


def test_random_adds_and_removals_against_a_dict():
    choose = random.Random(4)
    expiries, twin = Expiries(), {}
    for key in range(20_000):
        expires_ns = choose.randrange(0, 500 * NS_PER_S)
        expiries.add(key, expires_ns)
        twin[key] = expires_ns
        if choose.random() < 0.8:
            gone = choose.choice(list(twin)[-5:])
            expiries.remove(gone, twin.pop(gone))
        if key % 1000 == 0:
            now_ns = key * NS_PER_S // 100
            due = [one for one, at_ns in twin.items() if -(-at_ns // NS_PER_S) * NS_PER_S <= now_ns]
            assert sorted(expiries.take_due(now_ns)) == sorted(due)
            for one in due:
                del twin[one]
            assert len(expiries) == len(twin)


def test_logging_in_and_out_again_and_again_takes_no_memory():
    expiries = Expiries()
    tracemalloc.start()
    try:
        for _ in range(50_000):
            expiries.add("token", NS_PER_S)
            expiries.remove("token", NS_PER_S)
        kept_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept_bytes < 10_000
