"""Observer links: found by number, token and account, numbered once, and every fault noticed."""

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool.observers import Link, Observers, packed

DASHBOARD, WORKER, PROFIT = 1, 2, 4


def token(number):
    return bytes([number]) * 16


def filled():
    """Accounts 5 and 6 have two links each; one was ended, the last to begin another."""
    observers = Observers()
    for number, account in enumerate((5, 6, 5, 6, 7), 1):
        observers.add(account, token(number), DASHBOARD | PROFIT, 10 + number, f"remark {number}")
    observers.change(2, rights=WORKER, remark="四川")
    observers.remove(5)
    return observers


def reloaded(observers):
    return Observers.load(msgpack.unpackb(msgpack.packb(observers.dump())))


@pytest.mark.parametrize("observers", [filled(), reloaded(filled())], ids=["live", "reloaded"])
def test_links_are_found(observers):
    second = Link(2, 6, token(2), WORKER, 12, "四川")
    assert observers.get(2) == observers.by_token(token(2)) == second
    assert observers.of_account(6) == [second, observers.get(4)]
    assert [link.id for link in observers] == [1, 2, 3, 4] and len(observers) == 4
    assert [observers.count_of(account) for account in (5, 6, 7)] == [2, 2, 0]
    assert observers.get(5) is observers.by_token(token(5)) is None
    assert observers.of_account(7) == [] and observers.check() == []


def test_a_number_is_never_given_twice():
    for observers in (filled(), reloaded(filled())):
        assert observers.add(5, token(5), WORKER, 20, "").id == 6


def test_what_is_not_there_cannot_be_changed():
    observers = filled()
    for missing in (0, 5, 6):
        with pytest.raises(KeyError):
            observers.change(missing, remark="x")
        with pytest.raises(KeyError):
            observers.remove(missing)
    with pytest.raises(ValueError, match="token of link 6 is in use"):
        observers.add(5, token(1), WORKER, 20, "")
    assert observers.dump() == filled().dump() and observers.digest() == filled().digest()


def test_the_digest_knows_the_next_number():
    observers = filled()
    observers.remove(observers.add(5, token(9), WORKER, 20, "").id)
    assert list(observers) == list(filled()) and observers.digest() != filled().digest()


def test_load_refuses_what_no_dump_gave():
    next_id, numbers, records = filled().dump()
    for broken in ([next_id, numbers * 2, records * 2], [next_id, numbers, records[1:]],
                   [next_id, numbers, records[:1] * 4], [next_id]):
        with pytest.raises(ValueError):
            Observers.load(broken)


@pytest.mark.parametrize("tamper, fault", [
    (lambda links: links._by_token.pop(token(1)), "link 1 is not found by its token"),
    (lambda links: links._by_token.update({token(9): 1}), "4 links, 4 by account, 5 tokens"),
    (lambda links: links._by_account.update({5: (1,)}), "link 3 is not among its account's"),
    (lambda links: links._by_account.update({9: ()}), "sub-account 9 has 0 links"),
    (lambda links: links._by_account.update({5: (1, 3, *range(10, 110))}), "5 has 102 links"),
    (lambda links: links.change(1, rights=0), "link 1 has rights 0"),
    (lambda links: links.change(1, rights=8), "link 1 has rights 8"),
    (lambda links: setattr(links, "_next_id", 4), "link 4, the next is 4"),
    (lambda links: links._records._records.update(
        {1: packed(links.get(1)._replace(remark="other"))}), "running hash of the observer links"),
])
def test_check_notices_what_is_broken(tamper, fault):
    observers = filled()
    tamper(observers)
    assert any(fault in found for found in observers.check())


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("add change remove".split()), st.integers(1, 8),
                          st.integers(1, 7)), max_size=40))
def test_any_order_of_beginning_and_ending(steps):
    observers, plain, made = Observers(), {}, 0
    for step, number, rights in steps:
        if step == "add":
            made += 1
            plain[made] = observers.add(number, token(made), rights, made, "")
        elif number in plain and step == "change":
            plain[number] = plain[number]._replace(rights=rights)
            observers.change(number, rights=rights)
        elif number in plain:
            del plain[number]
            observers.remove(number)
    assert list(observers) == list(plain.values()) and observers.check() == []
    again = reloaded(observers)
    assert (again.dump(), again.digest()) == (observers.dump(), observers.digest())
    for account in range(1, 9):
        assert again.of_account(account) == [
            link for link in plain.values() if link.account == account]
