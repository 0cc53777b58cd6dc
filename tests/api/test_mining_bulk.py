"""Answers that are sent in parts, by a real server: whole, refused before they begin, or broken off
so that nobody takes them for whole.
"""

import asyncio
import http.client
import json
import socket
import threading
from contextlib import ExitStack

import pytest
from aiohttp import web

from api.mining import bulk
from api.mining.envelopes import DONE_HEAD, DONE_TAIL
from api.numbers import InputError
from api.site import LimitedSite

PART = b"1," * 10_000
HELD_MAX_S = 0.3        # of the answers in time


async def whole():
    yield b"["
    for _ in range(50):
        yield PART
    yield b"1]"


async def refused():
    raise InputError("start", "is wrong")
    yield b"["


async def broken():
    yield b"["
    yield PART
    raise OSError("the disk is gone")


async def steady():
    """Takes longer than one request may, and gets on all the time."""
    yield b"["
    for _ in range(20):
        await asyncio.sleep(HELD_MAX_S / 10)
        yield PART
    yield b"1]"


async def endless():
    yield b"["
    while True:
        yield PART


ANSWERS = {"whole": whole, "refused": refused, "broken": broken, "steady": steady,
           "endless": endless}


class Server:
    """aiohttp on two free ports, one of them limited, in a thread of its own."""

    def __init__(self):
        self.ready = threading.Event()
        self.begun = threading.Event()      # an answer
        self.gone = threading.Event()       # a client, within its answer
        self.thread = threading.Thread(target=asyncio.run, args=(self.serve(),), daemon=True)
        self.thread.start()
        self.ready.wait()

    async def serve(self):
        self.loop, self.end = asyncio.get_running_loop(), asyncio.Event()
        # A limited site looks at all connections of its runner.
        runners = plain, limited = await self.runner(), await self.runner()
        await web.TCPSite(plain, "127.0.0.1", 0).start()
        await LimitedSite(limited, "127.0.0.1", 0, connections_max=0,
                          held_max_s=HELD_MAX_S).start()
        self.port, self.limited_port = (runner.addresses[0][1] for runner in runners)
        self.ready.set()
        await self.end.wait()
        for runner in runners:
            await runner.cleanup()

    async def runner(self):
        app = web.Application()
        app.router.add_get("/{name}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        return runner

    async def answer(self, request):
        self.begun.set()
        parts = ANSWERS[request.match_info["name"]]()
        try:
            return await bulk.send(request, DONE_HEAD, parts, DONE_TAIL)
        except InputError as error:
            return web.json_response({"refused": str(error)})
        except ConnectionError:
            self.gone.set()
            raise

    def close(self):
        self.loop.call_soon_threadsafe(self.end.set)
        self.thread.join()


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    yield connection
    connection.close()


def test_the_parts_are_one_answer_in_the_envelope(connection):
    for _ in range(2):                  # on one connection
        connection.request("GET", "/whole")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        envelope = json.loads(answer.read())
        assert envelope == {"code": 0, "data": [1] * (50 * 10_000 + 1), "message": None}


def test_what_is_wrong_before_the_first_part_is_a_refusal(connection):
    connection.request("GET", "/refused")
    assert json.loads(connection.getresponse().read()) == {"refused": "start: is wrong"}


def test_what_is_wrong_later_ends_the_connection_within_the_answer(connection, caplog):
    connection.request("GET", "/broken")
    answer = connection.getresponse()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    assert "the answer to /broken broke off" in caplog.text


def test_an_answer_that_gets_on_is_not_cut_off(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.limited_port, timeout=60)
    connection.request("GET", "/steady")
    envelope = json.loads(connection.getresponse().read())
    connection.close()
    assert len(envelope["data"]) == 20 * 10_000 + 1


def test_a_client_that_reads_nothing_is_let_go(server):
    server.begun.clear()
    server.gone.clear()
    with ExitStack() as clients:
        # On a machine that is held up long enough a request is cut off before its answer begins.
        while not server.begun.is_set():
            client = clients.enter_context(
                socket.create_connection(("127.0.0.1", server.limited_port)))
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            server.begun.wait(1)
        assert server.gone.wait(60)
