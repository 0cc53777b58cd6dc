"""The application around the dialects: health, metrics, unknown paths, limits, origins."""

import asyncio
import json
import socket
from types import SimpleNamespace

import pytest
from aiohttp import web

from api.app import make_app
from api.config import Config, Server
from api.site import LimitedSite

ORIGIN = "https://page.example"


def test_health_and_metrics(house):
    assert house.request("GET", "/healthz").status == 200
    assert house.request("GET", "/readyz").status == 200
    house.done("get_rank")
    house.refused("get_coin")
    page = house.request("GET", "/metrics")
    assert page.headers["Content-Type"].startswith("text/plain")
    lines = page.body.decode().splitlines()
    assert "orebook_up 1.0" in lines
    assert 'orebook_answers_total{call="get_rank",dialect="router",outcome="ok"} 1.0' in lines
    assert any(line.startswith('orebook_answers_total{call="get_coin",dialect="router",'
                               'outcome="refused"}') for line in lines)
    assert f"orebook_commands_total {float(house.house.seq)}" in lines


@pytest.mark.parametrize("method, path", [
    ("GET", "/"), ("GET", "/nope"), ("POST", "/healthz"), ("DELETE", "/router/x"), ("GET", "/%ff"),
    ("GET", "/../etc/passwd")])
def test_unknown_paths_are_answered_in_json(house, method, path):
    answer = house.request(method, path, None, {"Accept": "text/html"})
    assert answer.status == 404
    assert json.loads(answer.body) == {
        "status": False, "data": "", "description": "path: not known"}


def test_a_large_body_is_refused(house):
    size = house.config.server.max_body_bytes
    answer = house.request("POST", "/router?router=login", "user=" + "x" * size)
    assert answer.status == 413
    assert json.loads(answer.body)["description"] == "body: is too large"
    # Without a length known before: in chunks.
    chunks = iter([b"user="] + [b"x" * 65536] * (size // 65536 + 1))
    answer = house.request("POST", "/router?router=login", chunks)
    assert answer.status == 413


def test_a_body_that_does_not_decompress(house):
    answer = house.request("POST", "/router?router=login", b"not gzip",
                           {"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert json.loads(answer.body)["status"] is False


def test_what_is_no_http_gets_no_page(house):
    with socket.create_connection(("127.0.0.1", house.port)) as client:
        client.sendall(b"GET / HTTP/9.9\r\nAccept: text/html\r\n\r\n")
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert b" 400 " in answer.splitlines()[0]
    assert b"<" not in answer and b"Traceback" not in answer


def test_a_stopped_house_says_so(own_house):
    house = own_house()

    async def stop():
        house.house._sequencer._stop("the disk is gone", [])

    house.run(stop())
    ready = house.request("GET", "/readyz")
    assert (ready.status, ready.body) == (503, b'{"status":"stopped"}')
    assert house.request("GET", "/healthz").status == 200
    assert b"orebook_up 0.0" in house.request("GET", "/metrics").body
    for path in ("/router?router=get_rank", "/router?router=get_coin"):
        answer = house.request("GET", path)
        assert answer.status == 503
        assert "stopped" in json.loads(answer.body)["description"]


def test_origins(own_house):
    house = own_house(server=Server(port=0, cors_origins=(ORIGIN,)))
    headers = house.request("GET", "/router?router=get_rank", None, {"Origin": ORIGIN}).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Vary"] == "Origin"
    headers = house.request("GET", "/router?router=get_rank", None,
                            {"Origin": "https://evil.example"}).headers
    assert "Access-Control-Allow-Origin" not in headers
    asked = house.request("OPTIONS", "/router?router=buy", None, {
        "Origin": ORIGIN, "Access-Control-Request-Method": "POST"})
    assert asked.status == 204
    assert "session" in asked.headers["Access-Control-Allow-Headers"]
    assert asked.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_any_origin_comes_without_cookies(own_house):
    house = own_house(server=Server(port=0, cors_origins=("*",)))
    headers = house.request("GET", "/router?router=get_rank", None, {"Origin": ORIGIN}).headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers


def test_no_more_connections_than_allowed(house):
    """On an address of its own: the limit is the site's."""
    async def run():
        runner = web.AppRunner(make_app(house.house, Config(data=house.config.data)))
        await runner.setup()
        await LimitedSite(runner, "127.0.0.1", 0, connections_max=2).start()
        address = runner.addresses[0][:2]
        try:
            held = [await asyncio.open_connection(*address) for _ in range(2)]
            for reader, writer in held:
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert b" 200 " in await reader.readline()
            reader, writer = await asyncio.open_connection(*address)
            refusal = await reader.read()
            assert refusal.startswith(b"HTTP/1.1 503 ")
            envelope = json.loads(refusal.partition(b"\r\n\r\n")[2])
            assert envelope["description"] == "too many connections"
            for _, one in [*held, (reader, writer)]:
                one.close()
                await one.wait_closed()
            while runner.server.connections:
                await asyncio.sleep(0)
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in await reader.readline()
            writer.close()
        finally:
            await runner.cleanup()
    house.run(run())


def test_requests_can_be_logged(own_house, caplog):
    house = own_house(server=Server(port=0, access_log=True))
    caplog.set_level("INFO", "aiohttp.access")
    answer = house.request("GET", "/router?router=get_coin&pair=BTC/USDT")
    house.close()
    line, = (record.getMessage() for record in caplog.records if record.name == "aiohttp.access")
    assert f'"GET /router?router=get_coin&pair=BTC/USDT HTTP/1.1" 200 {len(answer.body)} ' in line


def test_an_error_of_ours_shows_nothing(own_house, caplog):
    """A broken handler: its caller gets the envelope, the log gets the reason."""
    house = own_house()
    house.house.history = None
    token = house.new_user("alice").token
    answer = house.request("POST", "/router?router=get_ledger", None, {"session": token})
    assert answer.status == 500
    assert json.loads(answer.body) == {"status": False, "data": "", "description": "internal error"}
    assert "router get_ledger failed" in caplog.text and "AttributeError" in caplog.text
    house.house.history = SimpleNamespace(close=nothing)


async def nothing():
    pass
