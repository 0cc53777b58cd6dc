"""The client of a node: what it makes of answers, good and bad; and the wallets' configuration."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import aiohttp
import pytest

from api.config import ConfigError, load
from api.payouts import rpc
from api.payouts.rpc import Login, NodeAway, RpcClient, RpcError


@pytest.fixture
def server():
    """Answers each request with `status` and `body`, and keeps what it got."""
    state = SimpleNamespace(status=200, body=b"", got=[], location=None)

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_POST(self):
            request = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append((self.path, self.headers["Authorization"], json.loads(request)))
            self.send_response(state.status)
            if state.location:
                self.send_header("Location", state.location)
            self.end_headers()
            if state.body is None:
                state.hangs.wait(60)
                return
            try:
                self.wfile.write(state.body)
            except OSError:
                pass        # the client had enough

        def log_message(self, *arguments):
            pass

    state.hangs = threading.Event()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://127.0.0.1:{http.server_port}/wallet/hot"
    yield state
    state.hangs.set()
    http.shutdown()
    http.server_close()


def call(server, *arguments, login=Login("me", "s3cret"), timeout_s=30):
    async def run():
        async with aiohttp.ClientSession() as session:
            return await RpcClient(session, server.url, login, timeout_s).call(*arguments)
    return asyncio.run(run())


def test_decimals_stay_text_and_whole_numbers_whole(server):
    server.body = b'{"result": {"value": 0.10000000, "tiny": 1e-8, "n": 7}, "error": null, "id": 1}'
    assert call(server, "decode", "aa", [1]) == {"value": "0.10000000", "tiny": "1e-8", "n": 7}
    ((path, authorization, request),) = server.got
    assert (path, authorization) == ("/wallet/hot", "Basic bWU6czNjcmV0")
    assert request == {"jsonrpc": "1.0", "id": 1, "method": "decode", "params": ["aa", [1]]}


def test_a_node_that_refuses_says_why(server):
    server.status = 500
    server.body = b'{"result": null, "error": {"code": -5, "message": "not there"}, "id": 1}'
    with pytest.raises(RpcError, match=r"get: not there \(-5\)") as refused:
        call(server, "get")
    assert refused.value.code == -5


@pytest.mark.parametrize("status, body", [
    (401, b""), (403, b""), (503, b"Work queue depth exceeded"), (200, b"{"), (200, b"[]"),
    (200, b"\xff"), (200, b'{"error": null, "id": 1}'), (200, b'{"result": 1, "id": 2}'),
    (200, b"[" * 100_000), (200, b'{"result": 1, "error": "text", "id": 1}'),
])
def test_what_is_no_answer_is_a_node_that_is_away(server, status, body):
    server.status, server.body = status, body
    with pytest.raises(NodeAway) as away:
        call(server, "get")
    assert "s3cret" not in str(away.value)


def test_an_answer_has_its_limit(server, monkeypatch):
    monkeypatch.setattr(rpc, "ANSWER_BYTES_MAX", 1000)
    server.body = b'{"result": "%s", "id": 1}' % (b"x" * 2000)
    with pytest.raises(NodeAway, match="more than 1000 bytes"):
        call(server, "get")


def test_a_node_that_says_nothing_is_away(server):
    server.body = None
    with pytest.raises(NodeAway, match="no answer"):
        call(server, "get", timeout_s=0.2)


def test_another_place_is_not_followed(server):
    server.status, server.location = 307, server.url
    with pytest.raises(NodeAway):
        call(server, "get")
    assert len(server.got) == 1


def test_nobody_there(server):
    nowhere = SimpleNamespace(url="http://127.0.0.1:9/")
    with pytest.raises(NodeAway):
        call(nowhere, "get")


def test_the_cookie_is_read_for_each_call(server, tmp_path):
    cookie = tmp_path / ".cookie"
    login = Login(cookie_file=str(cookie))
    with pytest.raises(NodeAway, match="cookie"):
        call(server, "get", login=login)
    server.body = b'{"result": 1, "error": null, "id": 1}'
    for content, header in (("__cookie__:a\n", "Basic X19jb29raWVfXzph"),
                            ("__cookie__:b", "Basic X19jb29raWVfXzpi")):
        cookie.write_text(content)
        assert call(server, "get", login=login) == 1
        assert server.got[-1][1] == header


# -- the configuration ----------------------------------------------------------------------------

GOOD = {"coin": "LTC", "url": "http://127.0.0.1:9332", "user": "u", "password": "hidden-3"}


def toml(*wallets):
    rows = ("{" + ", ".join(f"{name} = {json.dumps(value)}" for name, value in wallet.items()) + "}"
            for wallet in wallets)
    return {"OREBOOK_WALLETS": "[" + ", ".join(rows) + "]"}


def test_a_wallet_is_read():
    (wallet,) = load(None, toml(GOOD | {"fee_rate": "0.0002", "max_fee": "1"})).wallets
    assert (wallet.coin, wallet.chain, wallet.confirmations, wallet.fee_rate, wallet.max_fee) == (
        "LTC", "main", 6, "0.0002", "1")
    assert "hidden" not in repr(wallet)


@pytest.mark.parametrize("changes, naming", [
    ({"url": "127.0.0.1:9332"}, "url"), ({"url": "ftp://x"}, "url"), ({"url": "http://"}, "url"),
    ({"url": "http://u:p@x"}, "url"), ({"url": "http://x:99999"}, "url"),
    ({"url": "http://x/?a=b"}, "url"), ({"user": ""}, "both or neither"),
    ({"password": ""}, "both or neither"), ({"cookie_file": "c"}, "cookie_file"),
    ({"user": "", "password": ""}, "cookie_file"), ({"confirmations": 0}, "confirmations"),
    ({"poll_seconds": 0}, "poll_seconds"), ({"poll_seconds": 3601}, "poll_seconds"),
    ({"max_per_transaction": 0}, "max_per_transaction"),
    ({"max_per_transaction": 1001}, "max_per_transaction"), ({"fee_blocks": 0}, "fee_blocks"),
    ({"fee_rate": "0"}, "fee_rate"), ({"fee_rate": "-1"}, "fee_rate"), ({"max_fee": ""}, "max_fee"),
    ({"max_fee": "0.000000001"}, "max_fee"), ({"more": 1}, "more"),
])
def test_a_wallet_that_is_none(changes, naming):
    with pytest.raises(ConfigError, match=naming) as error:
        load(None, toml(GOOD | changes))
    assert "hidden" not in str(error.value)


def test_a_coin_has_one_wallet():
    with pytest.raises(ConfigError, match="LTC: a coin has one wallet"):
        load(None, toml(GOOD, GOOD))
