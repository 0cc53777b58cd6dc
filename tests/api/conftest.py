"""A real house with the real application on a free port, in a thread of its own.

In the test's process, so that a test can look at the core between two requests; over HTTP for the
rest, with nothing of ours on the client's side.
"""

import asyncio
import http.client
import json
import threading
import urllib.parse
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

from api.auth import passwords, sessions
from api.config import Config, Limits, Mail, Operator, Pair, Server, Storage
from api.serve import running
from engine import Kind, Result, cold
from tests.support.past import NO_PASSWORD

TEST_PAIRS = (Pair("BTC/USDT", 2, 6), Pair("BCH/USDT", 2, 6, min_amount="0.5"),
              Pair("ORE/USDT", 4, 4))


@contextmanager
def cheap_hashes():
    """A Passwords that is made within this hashes as the real one does, in no time; what the real
    settings are, its own tests say."""
    with pytest.MonkeyPatch.context() as settings:
        settings.setattr(passwords, "MEMORY_KIB", 8)
        settings.setattr(passwords, "PASSES", 1)
        yield


class HouseThread:
    """A house in a thread; `call` speaks the router dialect to it."""

    def __init__(self, directory, real_hashes=False, **sections):
        """real_hashes: a password takes its time."""
        defaults = {
            "server": Server(port=0), "data": Storage(dir=str(directory), segment_mb=1),
            "mail": Mail(return_codes=True), "limits": Limits(logins_per_minute=0),
            "operator": Operator("operator-password"), "pairs": TEST_PAIRS,
        }
        self.config = Config(**defaults | sections)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        with nullcontext() if real_hashes else cheap_hashes():
            self._thread.start()
            self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def _run(self):
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            self._ready.set()

    async def _serve(self):
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with running(self.config) as started:
            self.house = started.house
            self.port = urllib.parse.urlsplit(started.url).port
            self._ready.set()
            await self._stop.wait()

    def close(self):
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def run(self, coroutine):
        """The result of a coroutine on the house's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def submit(self, kind, **arguments):
        """A cold command; its value."""
        async def submit():
            return await self.house.submit(cold(kind, arguments))
        reply = self.run(submit())
        if reply.code != Result.OK:
            raise RuntimeError(f"{kind!r}: {reply}")
        return reply.value

    def state_hash(self):
        async def state_hash():
            return self.house.core.state_hash()
        return self.run(state_hash())

    def new_user(self, name, **deposits):
        """A user with a session, and coins in units: `uid`, `token`."""
        uid = self.submit(Kind.REGISTER_USER, username=name, password_hash=NO_PASSWORD, group=2)
        for coin, amount in deposits.items():
            self.submit(Kind.DEPOSIT, uid=uid, coin=self.house.core.coins.by_name(coin).number,
                        amount=amount, txid=f"{name}-{coin}")
        return SimpleNamespace(uid=uid, name=name, token=self.run(sessions.begin(self.house, uid)))

    def request(self, method, path, body=None, headers=None):
        """status, headers, body as bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return SimpleNamespace(status=answer.status, headers=answer.headers, body=answer.read())
        finally:
            connection.close()

    def call(self, router, token=None, method=None, **parameters):
        """The envelope of a router; parameters go as a form, or as the query of a GET."""
        method = method or ("GET" if router in READ_BY_GET else "POST")
        parameters = {name.rstrip("_"): value for name, value in parameters.items()}
        encoded = urllib.parse.urlencode(parameters)
        path = "/router?router=" + router
        headers = {"session": token} if token else {}
        if method == "GET":
            return self.envelope(method, f"{path}&{encoded}" if encoded else path, None, headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self.envelope(method, path, encoded, headers)

    def call_json(self, router, token=None, **parameters):
        """As `call`, with the parameters as a JSON body."""
        headers = {"Content-Type": "application/json"} | ({"session": token} if token else {})
        return self.envelope("POST", "/router?router=" + router, json.dumps(parameters), headers)

    def envelope(self, *arguments):
        answer = self.request(*arguments)
        assert answer.headers["Content-Type"].startswith("application/json")
        envelope = json.loads(answer.body)
        assert list(envelope) == ["status", "data", "description"]
        assert isinstance(envelope["status"], bool) and isinstance(envelope["description"], str)
        if not envelope["status"]:
            assert envelope["data"] == "" and envelope["description"]
        return envelope

    def done(self, router, token=None, **parameters):
        """The `data` of a call that must be granted."""
        envelope = self.call(router, token, **parameters)
        assert envelope["status"], envelope
        return envelope["data"]

    def refused(self, router, token=None, **parameters):
        """The description of a call that must be refused."""
        envelope = self.call(router, token, **parameters)
        assert not envelope["status"], envelope
        return envelope["description"]


READ_BY_GET = {"get_rank", "get_coin", "get_deal_record", "get_depth", "get_simple_k_line",
               "get_coin_k_line"}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    thread = HouseThread(tmp_path_factory.mktemp("house"))
    yield thread
    thread.close()


@pytest.fixture
def own_house(tmp_path):
    """Makes houses that a test has for itself: `own_house(server=Server(...))`."""
    threads = []

    def make(directory=tmp_path / "house", **sections):
        threads.append(HouseThread(directory, **sections))
        return threads[-1]

    yield make
    for thread in threads:
        thread.close()
