"""Measures the list of a sub-account's workers over HTTP: `GET /user-api/worker/list`.

A house serves in a process of its own, as it does for others; a client in this one asks on a
kept-alive connection, each time with a new token, and reads the answer to its end.

Invariant: figures are reported only if every answer has every worker with the speed of its shares.
"""

import asyncio
import http.client
import json
import multiprocessing
import secrets
import tempfile
import time
from statistics import median
from time import perf_counter_ns
from urllib.parse import urlsplit

import uvloop
from joserfc import jwt
from joserfc.jwk import OctKey

from api.auth.client_tokens import sealed_credential
from api.auth.seal import Seal
from api.config import Config, Operator, Server, Storage
from api.serve import running
from bench.venue import WrongAnswer
from engine import House, Kind, Result, add_shares, cold
from pool.share_book import packed_batch

WORKERS = 10_000
REQUESTS = 50
WARM_UP_REQUESTS = 3
MINUTES = (2, 3, 4)             # ago, in which each worker has shares
COIN = 1
ONE = 1 << 16                   # a difficulty of 1
CLIENT_ID = "bench"
SECRET_KEY = "the key of the benchmark's client"
TOKEN_LIFETIME_S = 60
# Never verified: nobody logs in.
NO_PASSWORD = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"


def run(count: int = WORKERS, requests: int = REQUESTS) -> dict:
    """Milliseconds of a call for `count` workers. Raises WrongAnswer."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(count, there), daemon=True)
    process.start()
    try:
        return measure(here.recv(), count, requests)
    finally:
        here.send("end")
        process.join()


# -- the client ------------------------------------------------------------------------------------

def measure(port: int, count: int, requests: int) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    elapsed_ns, body = [], b""
    for number in range(WARM_UP_REQUESTS + requests):
        headers = {"Authorization": new_token()}
        begin = perf_counter_ns()
        connection.request("GET", "/user-api/worker/list", headers=headers)
        body = connection.getresponse().read()
        elapsed_ns.append(perf_counter_ns() - begin)
        check(json.loads(body), count)
    connection.close()
    measured = sorted(elapsed_ns[WARM_UP_REQUESTS:])
    return {
        "workers": count, "requests": requests, "answer_mb": len(body) / 10**6,
        "list_ms": median(measured) / 10**6, "list_ms_slowest": measured[-1] / 10**6,
    }


def new_token() -> str:
    claims = {"clientId": CLIENT_ID, "rnd": 10**18 + secrets.randbelow(10**18),
              "exp": int(time.time()) + TOKEN_LIFETIME_S}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET_KEY))


def check(envelope: dict, count: int) -> None:
    """Every worker in its order, each with one speed of the last half hour."""
    rows = envelope["data"]
    if envelope["code"] != 0 or len(rows) != count:
        raise WrongAnswer(f"{envelope['code']} {envelope['message']}: {len(rows or ())} workers")
    for number, row in enumerate(rows):
        speed = int((len(MINUTES) * (number + 1) * ONE << 16) / 1_800)
        if row["name"] != name_of(number) or row["speed30m"]["validSpeed"] != speed:
            raise WrongAnswer(f"worker {number}: {row}")


def name_of(number: int) -> str:
    return f"s21x{number}"


# -- the house -------------------------------------------------------------------------------------

def serve(count: int, control) -> None:
    """Serve a house of so many workers until the control has something to read."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_workers(count, control))


async def serve_workers(count: int, control) -> None:
    with tempfile.TemporaryDirectory(prefix="orebook-bench-") as folder:
        config = Config(server=Server(port=0), data=Storage(dir=folder, segment_mb=1),
                        operator=Operator("bench-password"))
        async with running(config) as started:
            await fill(started.house, Seal.open(folder), count)
            control.send(urlsplit(started.url).port)
            await asyncio.get_running_loop().run_in_executor(None, control.recv)


async def fill(house: House, seal: Seal, count: int) -> None:
    await send(house, cold(Kind.SET_NETWORK, {
        "coin": COIN, "difficulty": "1000", "subsidy": 1, "fees_per_block": 0}))
    added = await send(house, cold(Kind.ADD_ACCOUNT, {
        "username": "miner", "password_hash": NO_PASSWORD, "phone": "1"}))
    await send(house, cold(Kind.ADD_CREDENTIAL, sealed_credential(
        seal, CLIENT_ID, SECRET_KEY, "no salt is needed", "account", added["uid"])))
    names = [(added["account"], name_of(number).encode()) for number in range(count)]
    for minute in MINUTES:
        at_s = int(time.time()) - 60 * minute
        await send(house, add_shares(packed_batch(
            names, [(number, COIN, number + 1, number % 50, ONE, at_s)
                    for number in range(count)])))


async def send(house: House, record: bytes):
    """The value of a command that must be done."""
    reply = await house.submit(record)
    if reply.code != Result.OK:
        raise WrongAnswer(f"the house has refused a command: {Result(reply.code).name}")
    return reply.value
