"""Houses that mine: with a clock of the test's, so that days can pass, or over HTTP on a folder
whose days have passed."""

import asyncio
import json
import threading
import time
from contextlib import asynccontextmanager

from engine import Kind
from tests.api.conftest import HouseThread
from tests.support.past import Clock, PastHouse, opened

DAY_S = 86_400
BTC, BCH, CNY = 1, 2, 3
BTC_ADDRESS = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
DIFFICULTY = "21448277761059.71"
SUBSIDY = 625_000_000


class Mine(PastHouse):
    """A house and what a test does to its core."""

    async def list_coins(self):
        for name in ("BTC", "BCH", "CNY"):
            await self.do(Kind.ADD_COIN, name=name, title=name, type="coin", scale=8)

    async def networked(self, coin=BTC, difficulty=DIFFICULTY, subsidy=SUBSIDY, **fields):
        await self.network(coin, difficulty, subsidy, **fields)

    async def farm(self, name, address=BTC_ADDRESS, least=100_000):
        """A new sub-account, paid from that many units of BTC on; its number."""
        _, number = await self.account(name)
        if address:
            await self.do(Kind.SET_COIN_HARVEST, account=number, coin=BTC, address=address,
                          min=least)
        return number

    async def work(self, account, accepted, coin=BTC):
        """Shares of one worker, now."""
        await self.shares([(account, "w", coin, accepted, 0, 1 << 32, int(self.now_s))])


@asynccontextmanager
async def mine(directory, clock):
    """A house on a folder, whose clock the test sets."""
    async with opened(directory, clock) as house:
        yield Mine(house, clock)


class Floor:
    """A house with a clock that the tests of a file set, on an event loop in a thread; the clock
    may only be put forward."""

    def __init__(self, directory, now_s):
        self.clock = Clock(now_s)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self._context = mine(directory, self.clock)
        self.one = self.run(self._context.__aenter__())

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def close(self):
        self.run(self._context.__aexit__(None, None, None))
        self.loop.call_soon_threadsafe(self.loop.stop)


def mined_yesterday(directory, names=("farm", "field")):
    """Leaves a folder in which each sub-account has worked yesterday, `farm` most; the numbers."""
    async def work():
        today = int(time.time()) // DAY_S * DAY_S
        clock = Clock(today - DAY_S // 2)
        async with mine(directory, clock) as one:
            await one.list_coins()
            await one.networked(blocks_today=0)
            numbers = [await one.farm(name) for name in names]
            for place, number in enumerate(numbers):
                await one.work(number, 1000 >> place)
            await one.networked(fees=50_000_000, blocks_today=3)
            return dict(zip(names, numbers))
    return asyncio.run(work())


class PoolDoor(HouseThread):
    """A house over HTTP; `operator` calls it as its super administrator."""

    def __init__(self, directory, **sections):
        super().__init__(directory, **sections)
        self.token = ""
        self.token = self.granted("POST", "login", {
            "user": "operator", "password": "operator-password"})["token"]

    def operator(self, method, path, body=None, headers=None):
        """The envelope; bytes are sent as they are."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        answer = self.request(method, f"/operator/{path}", body,
                              {"token": self.token} | (headers or {}))
        envelope = json.loads(answer.body)
        assert list(envelope) == ["code", "data", "message"]
        return envelope

    def granted(self, method, path, body=None, headers=None):
        envelope = self.operator(method, path, body, headers)
        assert (envelope["code"], envelope["message"]) == (0, None), envelope
        return envelope["data"]

    def denied(self, code, words, method, path, body=None, headers=None):
        """The call is refused with that code and words, and the state is what it was."""
        before = self.state_hash()
        envelope = self.operator(method, path, body, headers)
        assert (envelope["code"], envelope["data"]) == (code, None), envelope
        assert envelope["message"].startswith(words), envelope["message"]
        assert self.state_hash() == before
