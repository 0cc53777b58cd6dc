"""The application around the dialects: health, metrics, unknown paths, limits, origins."""

import asyncio
import gzip
import json
import re
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


def sent(port, request):
    """What is answered to these very bytes until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(request)
        answer = b""
        while part := client.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


HEAD = b"Host: x\r\nAccept: text/html\r\nConnection: close\r\n"


@pytest.mark.parametrize("request_, status, naming", [
    (b"hello secret\r\n\r\n", 400, "HTTP"),
    (b"GET /secret HTTP/9.9\r\n" + HEAD + b"\r\n", 400, "HTTP"),
    (b"\x16\x03\x01\x00\xa5secret\r\n\r\n", 400, "HTTP"),
    (b"GET /secret HTTP/1.1\r\n" + HEAD + b"Cookie: session=secret\0\r\n\r\n", 400, "HTTP"),
    (b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"secret" * 4000 + b"\r\n\r\n", 400, "too long"),
    (b"GET /" + b"secret" * 4000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 400, "too long"),
    (b"GET / HTTP/1.1\r\n" + HEAD + b"X: secret\r\n" * 500 + b"\r\n", 400, "HTTP"),
    (b"SECRET /router?router=login HTTP/1.1\r\n" + HEAD + b"\r\n", 400, "HTTP"),
    (b"POST /router HTTP/1.1\r\n" + HEAD + b"Content-Length: -3\r\n\r\n", 400, "HTTP"),
    (b"POST /router HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400,
     "HTTP"),
    (b"POST /router HTTP/1.1\r\n" + HEAD + b"Expect: secret\r\nContent-Length: 1\r\n\r\na", 417,
     "Expect"),
    (b"CONNECT secret:80 HTTP/1.1\r\n" + HEAD + b"\r\n", 404, "path"),
    (b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"\r\n", 404, "path"),
], ids=str)
def test_what_is_no_request_gets_the_envelope_and_leaves_no_secret(
        house, caplog, request_, status, naming):
    head, body = sent(house.port, request_)
    assert head.startswith((b"HTTP/1.0 %d " % status, b"HTTP/1.1 %d " % status))
    assert b"Content-Type: application/json" in head and b"aiohttp" not in head
    envelope = json.loads(body)
    assert (envelope["status"], envelope["data"]) == (False, "")
    assert naming in envelope["description"]
    assert "secret" not in (body.decode() + caplog.text).lower()
    assert house.done("get_rank")


@pytest.mark.parametrize("method", ["HEAD", "PUT", "OPTIONS", "TRACE", "PROPFIND", "DELETE"])
def test_other_methods_are_refused_by_the_dialect(house, method):
    answer = house.request(method, "/router?router=get_rank")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("application/json")
    if method != "HEAD":
        assert json.loads(answer.body)["description"] == "method: get_rank must be called by GET"
    answer = house.request(method, "/operator")
    assert answer.status == 200
    if method != "HEAD":
        assert json.loads(answer.body)["code"] == 5010


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
    # Every dialect's answers and preflights, not only the router's.
    for path in ("/operator/state", "/healthz", "/nowhere"):
        asked = house.request("OPTIONS", path, None, {
            "Origin": ORIGIN, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "token"})
        assert asked.status == 204 and "token" in asked.headers["Access-Control-Allow-Headers"]
        headers = house.request("GET", path, None, {"Origin": ORIGIN}).headers
        assert headers["Access-Control-Allow-Origin"] == ORIGIN
    # No browser asks like this: it is a call with a wrong method.
    assert "method" in house.envelope("OPTIONS", "/router?router=get_rank")["description"]


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


@pytest.mark.parametrize("begun", [
    b"", b"GET /healthz HT", b"POST /router HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nuser",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_connection_that_is_held_is_closed(house, begun):
    """Silent from the start, with a request that never ends, or after an answer."""
    async def run():
        runner = web.AppRunner(make_app(house.house, Config(data=house.config.data)))
        await runner.setup()
        await LimitedSite(runner, "127.0.0.1", 0, connections_max=0, held_max_s=0.2).start()
        try:
            reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
            writer.write(begun)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 200 ") if b"healthz HTTP" in begun else not answer
            writer.close()
        finally:
            await runner.cleanup()
    house.run(run())


def test_the_rest_of_a_compressed_body_is_not_waited_for(house):
    packed = gzip.compress(bytes(8 << 20))

    async def run():
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(b"POST /action-api HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
                     b"Content-Length: %d\r\n\r\n%b" % (len(packed), packed[:-1]))
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert b'"code":5020' in answer
        writer.close()
    asyncio.run(run())


def test_requests_can_be_logged(own_house, caplog):
    house = own_house(server=Server(port=0, access_log=True))
    caplog.set_level("INFO", "orebook.access")
    size = len(house.request("GET", "/router?router=get_coin&pair=BTC/USDT").body)
    house.request("POST", "/router?router=login&user=alice&pass=correct-horse", None,
                  {"Referer": "http://x/?session=secret-token"})
    house.request("GET", "/a%0Ab?session=secret-token")
    house.request("GET", "/router?router=a%0Ab%ff")
    house.request("GET", "/ob/d1c705db37b09aebabe75872613c8a80?page=2")
    house.request("GET", "/%6fb/d1c705db37b09aebabe75872613c8a80")
    house.request("GET", "//ob/d1c705db37b09aebabe75872613c8a80")
    house.request("GET", "/pool/ob/d1c705db37b09aebabe75872613c8a80")
    house.close()
    lines = [record.getMessage() for record in caplog.records if record.name == "orebook.access"]
    assert lines[0].startswith(f"127.0.0.1 GET /router?router=get_coin 200 {size} 0.")
    assert lines[1].startswith("127.0.0.1 POST /router?router=login 200 ")
    assert lines[2].startswith("127.0.0.1 GET /a%0Ab 404 ")
    assert lines[3].startswith("127.0.0.1 GET /router?router=a%0Ab")
    assert lines[4].startswith("127.0.0.1 GET /ob/... 404 ")
    assert not re.search("correct-horse|secret-token|d1c705db|\n", "".join(lines))


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
