"""The HTTP benchmark's own parts, over real sockets."""

import asyncio
import os

import pytest

from bench import http, machine
from bench.http import CONNECTIONS, Crowd
from bench.venue import WrongAnswer

pytestmark = pytest.mark.slow


async def talk(port, requests):
    crowd = Crowd(http.buy_request("token"))
    await crowd.connect(port)
    await crowd.send(requests)
    crowd.close()
    return crowd


@pytest.mark.parametrize("requests", [1, CONNECTIONS, 1_000])
def test_every_request_is_answered(requests):
    with http.bare_server(200) as server:
        before = machine.cpu_ticks(server.process.pid)
        crowd = asyncio.run(talk(server.port, requests))
        assert machine.cpu_ticks(server.process.pid) >= before
    assert len(crowd.callers) == CONNECTIONS
    assert crowd.to_send == crowd.to_come == 0
    assert len(crowd.body) == 200
    assert server.process.returncode is not None


async def answer_no(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    body = b'{"status":false,"description":"no"}'
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def hang_up(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(("answer", "error"), [
    (answer_no, WrongAnswer), (hang_up, ConnectionError),
])
def test_a_no_and_a_lost_connection_end_the_measurement(answer, error):
    async def run():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        crowd = Crowd(http.buy_request("token"))
        await crowd.connect(server.sockets[0].getsockname()[1])
        try:
            with pytest.raises(error):
                await crowd.send(CONNECTIONS)
        finally:
            crowd.close()
            server.close()

    asyncio.run(run())


def test_a_server_that_ends_is_reported_with_its_last_words(tmp_path):
    command = ["sh", "-c", "echo out of luck; exit 3"]
    with pytest.raises(RuntimeError, match="out of luck"):
        with http.running(command, http.free_port(), tmp_path / "log"):
            pass


def test_a_house_is_measured():
    figures = http.run(requests=500, repeat=1)
    assert figures["house"]["requests"] == figures["bare"]["requests"] == 500
    assert figures["house"]["cpu_us_per_request"] > 0
    assert figures["ratio"] > 0


def test_children_of_a_process():
    async def run():
        child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
        found = machine.children(os.getpid())
        child.stdin.close()
        await child.wait()
        return child.pid, found

    pid, found = asyncio.run(run())
    assert pid in found
    assert pid not in machine.children(os.getpid())
