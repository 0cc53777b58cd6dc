"""Measures `POST /operator/shares` over HTTP: rows a second in MessagePack and in JSON.

A house serves in a process of its own, as it does for others; clients in this one send calls of
10,000 rows, each row of another worker, on kept-alive connections, each client as its own source.
The calls are written before the clock starts. Beside rows a second stands what a call takes of the
server's CPU time: clients, house and scribe share the machine.

Invariant: figures are reported only if every call was taken and the house has counted the work
that was sent.
"""

import asyncio
import http.client
import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter_ns
from typing import NamedTuple
from urllib.parse import urlsplit

import msgpack
import numpy as np
import uvloop

from api.config import Config, Operator, Server, Storage
from api.first_start import OPERATOR
from api.serve import running
from bench.machine import TICKS_PER_S, cpu_ticks
from bench.venue import WrongAnswer
from bench.workers import COIN, NO_PASSWORD, ONE, send
from engine import House, Kind, cold

ROWS = 10_000
CALLS = 40                      # of each client
WARM_UP_CALLS = 3
CLIENTS = (1, 4)
ACCOUNTS = 100
PASSWORD = "bench-password"
FORMS = {"msgpack": msgpack.packb, "json": lambda rows: json.dumps(rows).encode()}


class Sent(NamedTuple):
    """A call's body, and what is in it."""
    body: bytes
    form: str
    rows: int
    work: int                   # accepted, in 2^-16


def run(rows: int = ROWS, calls: int = CALLS) -> dict:
    """Rows a second by form and number of clients. Raises WrongAnswer."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        port = here.recv()
        figures = {"rows": rows, "calls": calls}
        work = batch = 0
        for form in FORMS:
            for clients in CLIENTS:
                sent = [written(rows, form, source) for source in range(1, clients + 1)]
                batch += calls + WARM_UP_CALLS
                taken = measured(port, process.pid, sent, calls, batch)
                figures |= {f"{form}_{clients}_{name}": figure for name, figure in taken.items()}
                work += sum(one.work for one in sent) * (calls + WARM_UP_CALLS)
        here.send("counted")
        if (counted := here.recv()) != work:
            raise WrongAnswer(f"work of {counted} from shares of {work}")
        return figures
    finally:
        here.send("end")
        process.join()


# -- the clients -----------------------------------------------------------------------------------

def written(rows: int, form: str, source: int) -> Sent:
    """A call with a row of each of a source's workers."""
    chance = np.random.default_rng(source)
    accepted = chance.integers(1, 20, rows).tolist()
    difficulties = (1 << chance.integers(10, 18, rows)).tolist()
    now_s = int(time.time())
    body = FORMS[form]([
        {"user": name_of(number % ACCOUNTS), "worker": f"s21x{source}x{number}", "coin": "BTC",
         "difficulty": difficulties[number], "accepted": accepted[number], "rejected": number % 2,
         "at": now_s} for number in range(rows)])
    return Sent(body, form, rows, int(np.dot(accepted, difficulties)) * ONE)


def name_of(account: int) -> str:
    return f"farm{account}"


def measured(port: int, pid: int, sent: list[Sent], calls: int, last_batch: int) -> dict:
    """All clients at once, each with its calls, whose batches end with that number."""
    rows = sent[0].rows
    clients = [Client(port, source, one) for source, one in enumerate(sent, 1)]
    first = last_batch - calls + 1
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(lambda client: client.send(first - WARM_UP_CALLS, WARM_UP_CALLS), clients))
        ticks, begin = cpu_ticks(pid), perf_counter_ns()
        list(pool.map(lambda client: client.send(first, calls), clients))
        elapsed_s = (perf_counter_ns() - begin) / 10**9
    done = calls * len(clients)
    cpu_s = (cpu_ticks(pid) - ticks) / TICKS_PER_S
    return {"rows_per_s": done * rows / elapsed_s, "cpu_ms_per_call": cpu_s * 1_000 / done}


class Client:
    """A connection whose caller has logged in."""

    def __init__(self, port: int, source: int, sent: Sent):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.source = source
        self.sent = sent
        self.headers = {"Content-Type": "application/json"}
        login = json.dumps({"user": OPERATOR, "password": PASSWORD}).encode()
        self.headers["token"] = self.asked("/operator/login", login)["token"]
        self.headers["Content-Type"] = f"application/{sent.form}"

    def send(self, first_batch: int, calls: int) -> None:
        for batch in range(first_batch, first_batch + calls):
            taken = self.asked(f"/operator/shares?source={self.source}&batch={batch}",
                               self.sent.body)
            if taken != {"rows": self.sent.rows, "duplicate": False}:
                raise WrongAnswer(f"batch {batch} of {self.source}: {taken}")

    def asked(self, path: str, body: bytes) -> dict:
        self.connection.request("POST", path, body, self.headers)
        answer = json.loads(self.connection.getresponse().read())
        if answer["code"] != 0:
            raise WrongAnswer(f"{path}: {answer['code']} {answer['message']}")
        return answer["data"]


# -- the house -------------------------------------------------------------------------------------

def serve(control) -> None:
    """Serve until the control has something to read; it is told the work that was counted."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_accounts(control))


async def serve_accounts(control) -> None:
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="orebook-bench-") as folder:
        config = Config(server=Server(port=0), data=Storage(dir=folder, segment_mb=64),
                        operator=Operator(PASSWORD))
        async with running(config) as started:
            house = started.house
            await fill(house)
            control.send(urlsplit(started.url).port)
            if await loop.run_in_executor(None, control.recv) == "counted":
                control.send(work_of(house))
                await loop.run_in_executor(None, control.recv)


async def fill(house: House) -> None:
    await send(house, cold(Kind.SET_NETWORK, {
        "coin": COIN, "difficulty": "1000", "subsidy": 1, "fees_per_block": 0}))
    for number in range(ACCOUNTS):
        await send(house, cold(Kind.ADD_ACCOUNT, {
            "username": name_of(number), "password_hash": NO_PASSWORD, "phone": f"{number}"}))


def work_of(house: House) -> int:
    """Accepted work that the house has counted, in 2^-16."""
    workers = house.core.workers
    return sum(work for day in workers.work_days(COIN)
               for _, works in workers.work_of_day(COIN, day) for _, work in works)
