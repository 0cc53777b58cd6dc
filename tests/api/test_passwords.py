"""Passwords: hashed in their thread, checked, bounded."""

import asyncio
import threading

import pytest

from api.auth.passwords import Passwords, TooBusy, is_new_password


def with_passwords(work, **settings):
    async def run():
        passwords = Passwords(**settings)
        try:
            return await work(passwords)
        finally:
            passwords.close()
    return asyncio.run(run())


def test_right_wrong_and_nobody():
    async def work(passwords):
        stored = await passwords.hash("päss word")
        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert await passwords.hash("päss word") != stored
        assert await passwords.verify(stored, "päss word") is True
        assert await passwords.verify(stored, "pass word") is False
        assert await passwords.verify(None, "päss word") is False
        assert await passwords.verify(None, "nobody's password") is False
        assert await passwords.verify("not a hash", "päss word") is False
    with_passwords(work)


def test_nobody_costs_a_hash_too():
    """Not by the clock: by what the hasher is asked to do."""
    async def work(passwords):
        hasher = passwords._hasher
        seen = []

        class Watched:
            def hash(self, password):
                return hasher.hash(password)

            def verify(self, stored, password):
                seen.append(stored)
                return hasher.verify(stored, password)

        passwords._hasher = Watched()
        await passwords.verify(None, "guess")
        await passwords.verify(await passwords.hash("secret"), "guess")
        assert len(seen) == 2
        assert seen[0].split("$")[:4] == seen[1].split("$")[:4]
    with_passwords(work)


def test_the_queue_is_bounded_and_the_loop_stays_free():
    async def work(passwords):
        started = threading.Event()
        go_on = threading.Event()

        def block():
            started.set()
            go_on.wait()

        blocked = asyncio.get_running_loop().run_in_executor(passwords._thread, block)
        await asyncio.to_thread(started.wait)
        waiting = [asyncio.create_task(passwords.hash("secret")) for _ in range(3)]
        while passwords.waiting < 3:
            await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            await passwords.hash("secret")
        go_on.set()
        await blocked
        assert len(set(await asyncio.gather(*waiting))) == 3
        assert passwords.waiting == 0
        await passwords.hash("secret")
    with_passwords(work, queue_max=3)


def test_lengths():
    assert [is_new_password("x" * length) for length in (0, 5, 6, 128, 129)] == [
        False, False, True, True, False]
