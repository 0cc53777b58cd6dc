"""Measures what a buy order costs over HTTP, in CPU time of the server, against a bare handler.

A real house (`orebook serve` on a temporary folder) and a bare aiohttp server run side by side; one
load generator, in this process, talks to them in turn over the same number of kept-alive
connections, each with one request in flight. A server's CPU time comes from the kernel, all its
threads included; that of the house's scribe, a process of its own, is shown apart.

The ratio is the bare server's CPU time per request by the house's: 1 would mean that everything but
reading and answering is free. Requests and answers have the same size on both sides, and every
answer of the house must say yes.
"""

import asyncio
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter_ns, sleep

import uvloop

from api.client import HouseClient
from bench.machine import TICKS_PER_S, children, cpu_ticks
from bench.venue import WrongAnswer

CONNECTIONS = 64
REQUESTS = 20_000
WARM_UP_REQUESTS = 2_000
REPEAT = 3
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30

USER = "bench"
PASSWORD = "bench-password"
PAIR = "BTC/USDT"
FUNDS = "1000000000"

CONFIG = """
[mail]
return_codes = true
[limits]
orders_per_second = 0
open_orders_per_user = 0
"""


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen
    port: int


@dataclass(frozen=True)
class Charge:
    """What a number of requests took: CPU in ticks of the kernel, time in nanoseconds."""
    requests: int
    cpu_ticks: int
    children_ticks: int
    elapsed_ns: int


class Caller(asyncio.Protocol):
    """One connection: sends its request again as soon as the answer to the last one is whole."""

    def __init__(self, crowd: "Crowd"):
        self.crowd = crowd
        self.received = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.crowd.ready(self)

    def send(self) -> None:
        self.transport.write(self.crowd.request)

    def data_received(self, received: bytes) -> None:
        self.received += received
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, behind = head.lower().partition(b"content-length:")
        length = int(behind.partition(b"\r\n")[0])
        if len(body) >= length:
            self.received = b""
            self.crowd.answered(self, head, body)

    def connection_lost(self, error) -> None:
        self.crowd.fail(ConnectionError("the server has closed a connection"))


class Crowd:
    """All connections to one server, and how many requests they still have to send."""

    def __init__(self, request: bytes):
        self.request = request
        self.callers = []
        self.body = b""
        self.to_send = self.to_come = 0
        self.done = None
        self.closing = False

    async def connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: Caller(self), "127.0.0.1", port)

    def ready(self, caller: Caller) -> None:
        self.callers.append(caller)

    async def send(self, requests: int) -> None:
        """Send so many and wait for all answers."""
        self.done = asyncio.get_running_loop().create_future()
        self.to_send = self.to_come = requests
        for caller in self.callers[:requests]:
            self.to_send -= 1
            caller.send()
        await self.done

    def answered(self, caller: Caller, head: bytes, body: bytes) -> None:
        self.body = body
        if not head.startswith(b"HTTP/1.1 200") or b"true" not in body[:20]:
            self.fail(WrongAnswer(body.decode("utf-8", "replace")))
            return
        self.to_come -= 1
        if self.to_send:
            self.to_send -= 1
            caller.send()
        elif not self.to_come:
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.closing and self.done is not None and not self.done.done():
            self.done.set_exception(error)

    def close(self) -> None:
        self.closing = True
        for caller in self.callers:
            caller.transport.abort()


def run(requests: int = REQUESTS, repeat: int = REPEAT) -> dict:
    """CPU and rates of both servers, medians of `repeat` turns. Raises WrongAnswer."""
    return uvloop.run(measure(requests, repeat))


async def measure(requests: int, repeat: int) -> dict:
    with ExitStack() as stack:
        house = stack.enter_context(house_server())
        token = await open_account(house.port)
        house_crowd = Crowd(buy_request(token))
        await house_crowd.connect(house.port)
        stack.callback(house_crowd.close)
        await house_crowd.send(WARM_UP_REQUESTS)
        bare = stack.enter_context(bare_server(len(house_crowd.body)))
        bare_crowd = Crowd(house_crowd.request)
        await bare_crowd.connect(bare.port)
        stack.callback(bare_crowd.close)
        await bare_crowd.send(WARM_UP_REQUESTS)
        turns = []
        for _ in range(repeat):
            turns.append((await charge(bare, bare_crowd, requests),
                          await charge(house, house_crowd, requests)))
    return {
        "connections": CONNECTIONS,
        "bare": figures([turn[0] for turn in turns]),
        "house": figures([turn[1] for turn in turns]),
        "ratio": median(bare.cpu_ticks / house.cpu_ticks for bare, house in turns),
    }


async def charge(server: Server, crowd: Crowd, requests: int) -> Charge:
    pid = server.process.pid
    scribes = children(pid)
    ticks = cpu_ticks(pid)
    scribe_ticks = sum(map(cpu_ticks, scribes))
    begin = perf_counter_ns()
    await crowd.send(requests)
    elapsed_ns = perf_counter_ns() - begin
    return Charge(requests, cpu_ticks(pid) - ticks,
                  sum(map(cpu_ticks, scribes)) - scribe_ticks, elapsed_ns)


def figures(charges: list[Charge]) -> dict:
    def per_request_us(ticks: int, requests: int) -> float:
        return ticks * 1_000_000 / TICKS_PER_S / requests

    return {
        "requests": sum(one.requests for one in charges),
        "cpu_us_per_request": median(
            per_request_us(one.cpu_ticks, one.requests) for one in charges),
        "scribe_cpu_us_per_request": median(
            per_request_us(one.children_ticks, one.requests) for one in charges),
        "requests_per_s": median(one.requests * 1e9 / one.elapsed_ns for one in charges),
    }


def buy_request(token: str) -> bytes:
    """A limit buy far below any price: it is checked, held for, booked and journaled."""
    body = b"pair=BTC%2FUSDT&amount=0.001&price=100.00"
    return b"\r\n".join((
        b"POST /router?router=buy HTTP/1.1",
        b"Host: 127.0.0.1",
        b"session: " + token.encode(),
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Length: %d" % len(body),
        b"",
        body,
    ))


async def open_account(port: int) -> str:
    """Register a user and fund it, all over HTTP; its session token."""
    url = f"http://127.0.0.1:{port}"
    async with HouseClient(url) as operator, HouseClient(url) as client:
        code = await client.router("make_valid_code", user=USER)
        await client.router("regeist_user", user=USER, valid_code=code, **{"pass": PASSWORD})
        await operator.login_operator("operator", PASSWORD)
        await operator.operator("POST", "deposits", {
            "user": USER, "coin": PAIR.partition("/")[2], "amount": FUNDS,
            "txid": secrets.token_hex(8),
        })
        return await client.router("login", user=USER, **{"pass": PASSWORD})


@contextmanager
def house_server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="orebook-bench-") as folder:
        config = Path(folder) / "orebook.toml"
        config.write_text(f'{CONFIG}[operator]\npassword = "{PASSWORD}"\n')
        port = free_port()
        command = [sys.executable, "-m", "api.cli", "serve", "--config", str(config),
                   "--data", str(Path(folder) / "house"), "--port", str(port)]
        with running(command, port, Path(folder) / "log") as server:
            yield server


@contextmanager
def bare_server(answer_bytes: int) -> Iterator[Server]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="orebook-bench-") as folder:
        command = [sys.executable, "-m", "bench.bare", str(port), str(answer_bytes)]
        with running(command, port, Path(folder) / "log") as server:
            yield server


@contextmanager
def running(command: list[str], port: int, log_path: Path) -> Iterator[Server]:
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(process, port, log_path)
        yield Server(process, port)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(process: subprocess.Popen, port: int, log_path: Path) -> None:
    """Return once the server accepts connections. RuntimeError if it ends or takes too long."""
    deadline = monotonic() + START_TIMEOUT_S
    while process.poll() is None and monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            sleep(0.05)
    last_words = log_path.read_text(errors="replace")[-2_000:]
    raise RuntimeError(f"the server does not answer: {last_words}")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
