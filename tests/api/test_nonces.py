"""All nonces of a request are spent, or none: in a real house, at once and one after the other."""

import asyncio
import itertools
import time

import pytest

from api.auth.nonces import Nonce, NonceRefused, NonceSpender
from engine import House, HouseSettings, Kind, Overloaded, cold

NS = 1_000_000_000
_numbers = itertools.count()


def credential(client_id):
    return {"client_id": client_id, "sealed_key": b"k", "sealed_salt": b"s", "scope": "operator"}


@pytest.fixture
def client_id(house):
    """A client that has spent nothing."""
    client_id = f"client{next(_numbers)}"
    house.submit(Kind.ADD_CREDENTIAL, **credential(client_id))
    return client_id


def nonces(*texts, expires_ns=None):
    expires_ns = time.time_ns() + 60 * NS if expires_ns is None else expires_ns
    return tuple(Nonce(text.partition(":")[0], text, expires_ns) for text in texts)


async def outcomes(*spending):
    """For each: None where it was spent, else the refusal's words."""
    results = await asyncio.gather(*spending, return_exceptions=True)
    assert all(result is None or isinstance(result, NonceRefused) for result in results), results
    return [None if result is None else str(result) for result in results]


async def keep_the_disk_busy(house):
    """The last command applied, a new one: what comes now waits for it. It changes nothing."""
    house.submit(cold(Kind.REMOVE_CREDENTIAL, {"client_id": "nobody"}))
    await asyncio.sleep(0)
    return house.seq


def test_a_used_one_leaves_the_others_unspent(house, client_id):
    async def test():
        spender = NonceSpender(house.house)
        await spender.spend(client_id, nonces("rnd:1", "sign:1"))
        seq = house.house.seq
        assert await outcomes(spender.spend(client_id, nonces("rnd:2", "sign:1")),
                              spender.spend(client_id, nonces("rnd:1", "sign:2"))) == [
            "sign: was used before", "rnd: was used before"]
        assert house.house.seq == seq
        await spender.spend(client_id, nonces("rnd:2", "sign:2"))
    house.run(test())


def test_of_those_at_once_the_first_wins_and_the_others_lose_nothing(house, client_id):
    async def test():
        spender = NonceSpender(house.house)
        seq = house.house.seq
        assert await outcomes(*(spender.spend(client_id, nonces(f"rnd:{number}", "sign:1"))
                                for number in range(5))) == [
            None] + ["sign: was used before"] * 4
        assert house.house.seq == seq + 2
        assert await outcomes(*(spender.spend(client_id, nonces(f"rnd:{number}", f"sign:{number}"))
                                for number in range(2, 5))) == [None] * 3
    house.run(test())


def test_who_gives_up_has_spent_them_all_the_same(house, client_id):
    async def test():
        spender = NonceSpender(house.house)
        seq = await keep_the_disk_busy(house.house)
        given_up = asyncio.ensure_future(spender.spend(client_id, nonces("rnd:1", "sign:1")))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await outcomes(spender.spend(client_id, nonces("rnd:2", "sign:1"))) == [
            "sign: was used before"]
        assert house.house.seq == seq + 2
        with pytest.raises(asyncio.CancelledError):
            await given_up
    house.run(test())


def test_two_spenders_and_the_core_has_the_last_word(house, client_id):
    async def test():
        first, second = NonceSpender(house.house), NonceSpender(house.house)
        assert await outcomes(first.spend(client_id, nonces("rnd:1")),
                              second.spend(client_id, nonces("rnd:1"))) == [
            None, "rnd: was used before"]
    house.run(test())


def test_a_refusal_waits_until_what_it_tells_is_on_disk(house, client_id):
    async def test():
        first = asyncio.ensure_future(
            NonceSpender(house.house).spend(client_id, nonces("rnd:1")))
        while not house.house.core.nonces.is_used(client_id, "rnd:1", time.time_ns()):
            await asyncio.sleep(0)
        assert await outcomes(NonceSpender(house.house).spend(client_id, nonces("rnd:1"))) == [
            "rnd: was used before"]
        assert house.house.durable_seq == house.house.seq
        await first
    house.run(test())


def test_expired_and_removed(house, client_id):
    async def test():
        spender = NonceSpender(house.house)
        seq = house.house.seq
        assert await outcomes(
            spender.spend(client_id, nonces("rnd:1", expires_ns=house.house.core.ts_ns)),
            spender.spend("nobody", nonces("rnd:1"))) == [
            "rnd: the request it belongs to has expired", "the credential is gone"]
        assert house.house.seq == seq
        removed = house.house.submit(cold(Kind.REMOVE_CREDENTIAL, {"client_id": client_id}))
        # It follows the removal, which nobody has seen yet.
        assert await outcomes(spender.spend(client_id, nonces("rnd:1"))) == [
            "the credential is gone"]
        await removed
    house.run(test())


def test_a_house_that_is_too_busy_says_so(tmp_path):
    async def test():
        house = await House.open(tmp_path / "house",
                                 HouseSettings(segment_bytes=1 << 20, queue_max=1))
        try:
            await house.submit(cold(Kind.ADD_CREDENTIAL, credential("a")))
            spender = NonceSpender(house)
            with pytest.raises(Overloaded):
                await spender.spend("a", nonces("rnd:1", "sign:1"))
            # The first is on its way; the other is not.
            assert await outcomes(spender.spend("a", nonces("rnd:1"))) == ["rnd: was used before"]
            assert await outcomes(spender.spend("a", nonces("sign:1"))) == [None]
        finally:
            await house.close()
    asyncio.run(test())
