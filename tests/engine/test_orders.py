"""The table of open orders alone, against a dict."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.orders import Orders

# Ids that collide: equal in their low 32 bits, or neighbours, or far apart.
order_ids = st.one_of(
    st.integers(1, 50),
    st.builds(lambda high, low: high << 32 | low, st.integers(0, 9), st.integers(1, 5)),
    st.integers(1, 2**64 - 1),
)


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(st.tuples(order_ids, st.integers(1, 4)), max_size=80))
def test_open_and_close_agree_with_a_dict(steps):
    orders, model = Orders(), {}
    for order_id, user in steps:
        if order_id in model:
            orders.close(order_id)
            del model[order_id]
        else:
            orders.open(order_id, user, 1)
            model[order_id] = user
        assert orders.check() == []
        assert len(orders) == len(model)
        assert all(orders.slot(known) for known in model)
        for user in range(1, 5):
            assert orders.of_user(user) == [
                known for known in reversed(model) if model[known] == user]


def test_the_index_grows_and_the_slots_are_used_again():
    generator = random.Random(7)
    orders, live, next_id = Orders(), [], 1
    for _ in range(60_000):
        if len(live) < 10_000 or generator.random() < 0.5:
            orders.open(next_id, 1 + next_id % 97, 1)
            live.append(next_id)
            next_id += 1
        else:
            at = generator.randrange(len(live))
            live[at], live[-1] = live[-1], live[at]
            orders.close(live.pop())
    assert orders.check() == []
    assert all(orders.slot(order_id) for order_id in live)
    assert orders.memory()[0] <= 64 * (len(live) + 12_000)


def test_an_order_that_is_not_open():
    orders = Orders()
    orders.open(5, 1, 1)
    orders.close(5)
    assert orders.slot(5) == 0
    with pytest.raises(KeyError):
        orders.close(5)


def test_dump_goes_on_as_the_table_would():
    orders = Orders()
    for order_id in range(1, 2000):
        orders.open(order_id, order_id % 5 + 1, order_id)
    for order_id in range(1, 2000, 3):
        orders.close(order_id)
    again = Orders.load(orders.dump())
    assert again.dump() == orders.dump()
    assert again.check() == []
    assert again.open(3000, 2, 1) == orders.open(3000, 2, 1)
    with pytest.raises(ValueError):
        Orders.load(orders.dump()[:-8])
