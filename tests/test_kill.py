"""The proof of the whole: a real house, killed by SIGKILL under HTTP load, twenty times.

One data folder lives through all of it. After each death: every order, cancellation, withdrawal,
deposit, every credit, transfer and freeze of a front end, every step of a miner and every batch of
shares that was answered yes is there, what was not answered is there at most once, and sending
again doubles nothing. The clients know nothing of the house but its answers.
"""

import asyncio
import email
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from engine.codes import EventKind
from engine.core import Core
from engine.events import decode
from engine.history_writer import HISTORY_FILE
from engine.replay import (
    JOURNAL_FOLDER, SNAPSHOT_FOLDER, Follower, last_seq_of, rebuild_history, replay,
    write_snapshot)
from engine.segments import list_segments
from engine.snapshot import list_snapshots
from engine.verify import verify
from tests.api import pool_doors
from tests.api.serving import PASSWORD, USER_PASSWORD, ServedHouse, environment
from tests.engine.test_history import rows_of
from tests.support.keep_alive import Connection
from tests.support.kill_clients import Operator, Rush, Trader, Watcher
from tests.support.kill_doors import Door, FrontEnd, Miners
from tests.support.kill_shares import ShareSource
from tests.support.processes import scribe_of, until, wait_ended
from tests.support.promises import COIN_SCALE, Promises, units

SEED = 20
KILLS = 20
USERS = ("ann", "bob", "cyd", "dan")
TRADERS_PER_USER = 2
COINS = ("BTC", "BCH", "USDT")
MOVED_COIN, ORE = "CNY", "ORE"      # nobody trades them here
# Who is at a front end, and who mines, with whom.
COUPLES = (USERS[:2], USERS[2:])
FIRST_DEPOSITS = {"BTC": "1000", "BCH": "1000", "USDT": "1000000"}
FARM, SOURCES = "farm", (1, 65_535)     # a sub-account, and who counts its shares
NETWORK = {"coin": "BTC", "difficulty": "16307420938523.983", "subsidy": "6.25",
           "fees_per_block": "0.1"}
SHARE_ONE = 1 << 16                     # a difficulty of 1
ADDRESS = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
PAGE = 1000
LATE = "the history is not up to date yet, try again"
LATE_MAX = 10           # each comes after 5 s
SETTINGS = {"OREBOOK_MAIL_RETURN_CODES": "false", "OREBOOK_DATA_SEGMENT_MB": "1",
            "OREBOOK_DATA_SNAPSHOT_EVERY_MB": "1",
            "OREBOOK_ORE_RATE_PER_FORCE_SECOND": "100000"}


@dataclass(frozen=True)
class Death:
    """How a life ends, and what happens before the next one."""
    beats: int              # requests sent and answers taken in until the kill
    scribe: str = ""        # dies too, "with" the house or "before" it; or "outlives" it a while
    starts: tuple[str, ...] = ()    # starts that are killed as well, each when it has come so far
    offline: str = ""       # "verify" the folder, or write a "snapshot"


def plan() -> list[Death]:
    """Twenty deaths; which of them are special is drawn, how many are not."""
    choose = random.Random(SEED)
    deaths = [{"beats": choose.randint(20, 2400)} for _ in range(KILLS)]
    scribes = ["with"] * 6 + ["before"] * 3 + ["outlives"] * 3
    starts = [("locked",), ("recovered",), ("scribe",), ("answers",), ("recovered", "scribe")]
    for death, scribe in zip(choose.sample(deaths, len(scribes)), scribes):
        death["scribe"] = scribe
    for death, stages in zip(choose.sample(deaths, len(starts)), starts):
        death["starts"] = stages
    # A scribe that outlives its house may still write to what would be compared.
    quiet = [death for death in deaths if death.get("scribe") != "outlives"]
    for death, offline in zip(choose.sample(quiet, 5), ["verify"] * 3 + ["snapshot"] * 2):
        death["offline"] = offline
    return [Death(**death) for death in deaths]


class World:
    """The data folder, the house that serves it, and everybody outside."""

    def __init__(self, directory):
        self.directory = directory
        self.house: ServedHouse | None = None
        self.promises = {name: Promises() for name in USERS}
        self.outlived: int | None = None    # a stopped scribe of a dead house
        self.happened = self.lost = 0       # orders that were not answered: done, and not done

    # -- lives ------------------------------------------------------------------------------------

    def start(self) -> None:
        self.house = ServedHouse(self.directory, **SETTINGS)
        if self.outlived is not None:
            os.kill(self.outlived, signal.SIGCONT)
            self.outlived = None

    def settle_in(self) -> None:
        """Users come in by the front door, once; their sessions have to last."""
        house = self.house
        token = house.login_operator()
        self.operator = Operator(token, USERS, f"{SEED} operator")
        self.sessions = {}
        for name in USERS:
            house.router("make_valid_code", user=name)
            house.router("regeist_user", user=name, valid_code=self.mailed_code(),
                         **{"pass": USER_PASSWORD})
            session = house.router("login", user=name, **{"pass": USER_PASSWORD})
            house.router("set_withdraw_address", session, coin="BTC", address=ADDRESS)
            self.sessions[name] = session
            for coin, amount in FIRST_DEPOSITS.items():
                body = {"user": name, "coin": coin, "amount": amount, "txid": f"first-{name}"}
                assert house.done("POST", "deposits", body, token) == {"duplicate": False}
        self.ended_session = house.router("login", user=USERS[0], **{"pass": USER_PASSWORD})
        house.router("logout", self.ended_session)
        self.traders = [
            Trader(f"{name}-{number}", self.sessions[name], self.promises[name],
                   f"{SEED} {name} {number}")
            for name in USERS for number in range(TRADERS_PER_USER)]
        self.watchers = [Watcher(self.sessions[name], self.promises[name]) for name in USERS[:2]]
        self.front_ends = [self.new_front_end(couple) for couple in COUPLES]
        self.miners = [self.new_miners(couple) for couple in COUPLES]
        self.new_farm(token)
        self.share_sources = [ShareSource(token, FARM, NETWORK["coin"], number, f"{SEED} {number}")
                              for number in SOURCES]

    def new_farm(self, token: str) -> None:
        """A sub-account that mines, made through the action API."""
        assert self.house.done("POST", "network", NETWORK, token)
        own = self.house.done("POST", "credentials", {"scope": "operator"}, token)
        body = pool_doors.signed_body(own, action="Account.Create", text=json.dumps(
            {"account": FARM, "phone": "1", "password": USER_PASSWORD}))
        answer = self.house.request("POST", "/action-api", pool_doors.written(body), {
            "Authorization": pool_doors.token_of(own), "Content-Type": "application/json"})[2]
        assert json.loads(answer)["code"] == 0, answer

    def new_front_end(self, couple: tuple[str, str]) -> FrontEnd:
        administrator = self.user_center("operator", PASSWORD)["token"]
        uids = {name: int(self.user_center(name, USER_PASSWORD)["uid"]) for name in couple}
        return FrontEnd(f"front-{couple[0]}", administrator, MOVED_COIN, uids,
                        f"{SEED} front {couple}")

    def user_center(self, name: str, password: str) -> dict:
        """What a login there gives."""
        body = json.dumps({"usercount": name, "password": password}).encode()
        envelope = json.loads(self.house.request("POST", "/api/UserCenter/Login", body)[2])
        assert envelope["status"] == 1, envelope
        return envelope["data"]

    def new_miners(self, couple: tuple[str, str]) -> Miners:
        addresses = {name: self.mined(name, "wallet/get/login/")["address"] for name in couple}
        return Miners({name: self.sessions[name] for name in couple}, addresses,
                      self.figures_of_miners(couple), f"{SEED} miners {couple}")

    def mined(self, name: str, path: str) -> dict:
        """What the mining wallet shows."""
        answer = self.house.request("GET", f"/{path}", headers={"session": self.sessions[name]})[2]
        envelope = json.loads(answer)
        assert envelope["status"] == "success", envelope
        return envelope["data"]

    def mailed_code(self) -> str:
        newest = max((self.directory / "outbox").glob("*.eml"))
        text = email.message_from_bytes(newest.read_bytes()).get_payload()
        return re.search(r"\b[0-9]{6}\b", text)[0]

    def live_and_die(self, death: Death) -> int:
        """Serve everybody until the kill; the number of answers that got through."""
        house = self.house.process.pid
        scribe = until(lambda: scribe_of(house))
        if death.scribe == "before":
            os.kill(scribe, signal.SIGKILL)

        def kill() -> None:
            if death.scribe == "outlives":
                os.kill(scribe, signal.SIGSTOP)
                self.outlived = scribe
            os.kill(house, signal.SIGKILL)
            if death.scribe == "with":
                os.kill(scribe, signal.SIGKILL)

        rush = Rush(death.beats, kill)
        asyncio.run(self.rush(rush))
        assert not rush.faults
        assert self.house.process.wait(60) == -signal.SIGKILL
        self.house.process.stdout.close()
        if self.outlived is None:
            wait_ended(scribe)
        return rush.answers

    async def rush(self, rush: Rush) -> None:
        clients = [*self.traders, *self.watchers, self.operator, *self.doors,
                   *self.share_sources]
        await asyncio.gather(*(
            client.run(rush, self.house.host, self.house.port) for client in clients))

    def start_and_kill(self, stage: str) -> None:
        """The next start is killed too, as soon as it has come to a stage."""
        errors = self.directory.with_name("killed-start.stderr")
        with open(errors, "wb") as file:
            child = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "serve", "--port", "0",
                 "--data", str(self.directory)],
                stdout=subprocess.PIPE, stderr=file, env=environment(**SETTINGS))
        try:
            if stage == "locked":
                lock, pid = self.directory / "LOCK", f"{child.pid}\n"
                until(lambda: lock.exists() and lock.read_text() == pid)
            elif stage == "recovered":
                until(lambda: b"recovered up to command" in errors.read_bytes())
            elif stage == "scribe":
                until(lambda: scribe_of(child.pid))
            else:
                while b"answers at" not in child.stdout.readline():
                    assert child.poll() is None, errors.read_text()
            scribe = scribe_of(child.pid)
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        if scribe is not None:
            wait_ended(scribe)

    @property
    def doors(self) -> list[Door]:
        return [*self.front_ends, *self.miners]

    # -- what has to hold -------------------------------------------------------------------------

    def check(self, state_hash: str) -> None:
        """What was told before the death holds, also when all of it is sent again.

        `state_hash` is what an offline replay gave, "" if there was none.
        """
        state = self.house.done("GET", "state", token=self.operator.token)
        assert state["seq"] >= self.operator.seq_shown
        assert state_hash in ("", state["state_hash"])
        with pytest.raises(RuntimeError, match="not logged in"):
            self.house.router("get_open_orders", self.ended_session)
        rows = {name: self.check_promises(name) for name in USERS}
        faults = [door.settle(self.figures_of(door)) for door in self.doors]
        assert not any(faults), faults
        for trader in self.traders:
            for order in trader.unanswered:
                if order.client_id in rows[self.user_of(trader)]:
                    self.happened += 1
                else:
                    self.lost += 1
        asyncio.run(self.ask_each_order())
        asyncio.run(self.send_again())
        for door in self.doors:
            assert self.figures_of(door) == door.figures.known
        for trader in self.traders:
            now = self.check_promises(self.user_of(trader))
            before = rows[self.user_of(trader)]
            # What was there is the same order, and the new ones are those that had been lost.
            assert {name: now[name] for name in before} == before
            assert all(order.client_id in now or order.refused for order in trader.unanswered)

    def figures_of(self, door: Door) -> dict[str, int]:
        """What a door's users have, as the house shows it now."""
        if isinstance(door, Miners):
            return self.figures_of_miners(door.users)
        return {f"{name} {part}": whole(self.balance(name, MOVED_COIN)[part])
                for name in door.users for part in ("available", "frozen")}

    def figures_of_miners(self, names: tuple[str, str]) -> dict[str, int]:
        figures = {}
        for name in names:
            miner = self.mined(name, "mining/get/login/")
            figures |= {f"{name} wallet": self.mined(name, "wallet/get/login/")["money"],
                        f"{name} claimed": miner["extract"], f"{name} force": miner["force"],
                        f"{name} available": whole(self.balance(name, ORE)["available"])}
        return figures

    def balance(self, name: str, coin: str) -> dict[str, str]:
        return self.house.router("get_user_coin", self.sessions[name])[coin]

    def user_of(self, trader: Trader) -> str:
        return trader.name.split("-")[0]

    def check_promises(self, name: str) -> dict[str, int]:
        """All orders and withdrawals of a user against the promises; client id -> order id."""
        promises, rows = self.promises[name], self.orders_of(name)
        withdrawals = self.pages("get_withdraw_record", name, "withdraw_id")
        assert not list(promises.faults(rows, withdrawals))
        for row in rows:
            promises.orders[row["client_id"]].learn(row)
        return {row["client_id"]: row["order_id"] for row in rows}

    def orders_of(self, name: str) -> list[dict]:
        """Open ones from the house's memory, closed ones from its history."""
        closed = self.pages("get_order_history", name, "order_id")
        return self.house.router("get_open_orders", self.sessions[name]) + closed

    def pages(self, router: str, name: str, key: str) -> list[dict]:
        """A whole list, newest first."""
        rows: list[dict] = []
        while True:
            before = {"before": str(rows[-1][key])} if rows else {}
            page = self.ask(router, name, limit=str(PAGE), **before)
            rows += page
            if len(page) < PAGE:
                return rows

    def ask(self, router: str, name: str, **parameters: str):
        """A question to the history, asked again while a new scribe has not caught up."""
        for _ in range(LATE_MAX):
            try:
                return self.house.router(router, self.sessions[name], **parameters)
            except RuntimeError as error:
                if LATE not in str(error):
                    raise
        raise TimeoutError(f"{router}: {LATE}")

    async def ask_each_order(self) -> None:
        """get_order finds each order of the last life, by either name."""
        async def ask(trader: Trader) -> None:
            connection = await Connection.connect(self.house.host, self.house.port)
            for number, order in enumerate(trader.placed):
                by = ({"client_id": order.client_id} if number % 2
                      else {"order_id": str(order.order_id)})
                for _ in range(LATE_MAX):
                    envelope = await connection.router("get_order", trader.session, **by)
                    if envelope["description"] != LATE:
                        break
                assert envelope["status"], envelope
                assert not list(order.faults(envelope["data"]))
            connection.close()

        await asyncio.gather(*map(ask, self.traders))

    async def send_again(self) -> None:
        rush = Rush(0, lambda: None)

        async def send(client) -> None:
            connection = await Connection.connect(self.house.host, self.house.port)
            await client.send_again(rush, connection)
            connection.close()

        await asyncio.gather(*map(send, [
            *self.traders, self.operator, *self.front_ends, *self.share_sources]))
        assert not rush.faults

    def placed_once(self) -> int:
        """How many orders there must be by now."""
        return sum(bool(order.order_id) for promises in self.promises.values()
                   for order in promises.orders.values())

    def check_offline(self) -> str:
        """The folder of a dead house: journal, snapshots, history are one; its state hash."""
        report = verify(self.directory)
        assert report.ok, report.faults
        core = replay(self.directory)
        assert core.state_hash() == report.state_hash
        assert replay(self.directory, use_snapshots=False).dump() == core.dump()
        core.check()
        assert not any(core.accounts.trial_balance(coin.number) for coin in core.coins)
        last_trade_id, orders = 0, 0
        follower = Follower(self.directory, Core())
        for _, outcome in follower.advance(last_seq_of(self.directory)):
            events = decode(outcome.events)
            orders += int(np.count_nonzero(events["kind"] == EventKind.ORDER_PLACED))
            for trade_id in events["trade_id"][events["kind"] == EventKind.TRADE].tolist():
                last_trade_id += 1
                assert trade_id == last_trade_id
        follower.close()
        assert (orders, last_trade_id) == (report.orders, report.trades)
        self.check_shares(core)
        return report.state_hash

    def check_shares(self, core: Core) -> None:
        """Each batch that was answered counts once, in the hours of these lives and for its pay."""
        now = core.workers.minute // 60
        work = sum(core.workers.sums_of_hour(hour)[0] for hour in range(now - 12, now + 1))
        numbers = core.workers.workers_of(core.users.sub_account(FARM).uid, core.ts_ns // 10**9)
        shown = {core.workers.name_of(number): int(work[number]) // SHARE_ONE
                 for number in numbers}
        faults = [source.faults(shown, core.share_sources.last(source.number))
                  for source in self.share_sources]
        assert not any(faults), faults

    def check_money(self) -> None:
        """What was deposited is what the users have and what they paid in fees; over HTTP."""
        given = dict.fromkeys(COINS, 0)
        for deposit in self.operator.deposits:
            given[deposit.coin] += int(deposit.amount) * 10**COIN_SCALE
        for coin, amount in FIRST_DEPOSITS.items():
            given[coin] += len(USERS) * int(amount) * 10**COIN_SCALE
        owned, fees, refs, moved, deal_ids = (
            dict.fromkeys(COINS, 0), dict.fromkeys(COINS, 0), [], [], set())
        for name in USERS:
            balances = self.ask("get_user_coin", name)
            entries = self.pages("get_ledger", name, "id")
            for coin in (MOVED_COIN, ORE):
                assert units(balances[coin]["total"]) == sum(
                    units(entry["amount"]) for entry in entries if entry["coin"] == coin)
            moved += [entry["reference"] for entry in entries if entry["coin"] == MOVED_COIN
                      and entry["type"] in ("credit", "debit")]
            for coin in COINS:
                total = units(balances[coin]["total"])
                owned[coin] += total
                mine = [entry for entry in entries if entry["coin"] == coin]
                assert sum(units(entry["amount"]) for entry in mine) == total
                fees[coin] -= sum(
                    units(entry["amount"]) for entry in mine if entry["type"] == "fee")
            refs += [entry["reference"] for entry in entries if entry["type"] == "deposit"
                     and not entry["reference"].startswith("first-")]
            deal_ids.update(row["deal_id"] for row in self.pages("get_my_deals", name, "deal_id"))
        assert {coin: owned[coin] + fees[coin] for coin in COINS} == given
        assert sorted(refs) == sorted(deposit.txid for deposit in self.operator.deposits)
        assert len(set(moved)) == len(moved) and moved      # each request id once
        assert sorted(deal_ids) == list(range(1, len(deal_ids) + 1)) and deal_ids


def whole(text: str) -> int:
    """An amount without decimals, as the front ends and miners move them."""
    amount, rest = divmod(units(text), 10**COIN_SCALE)
    assert rest == 0, text
    return amount


@pytest.mark.slow
def test_killed_twenty_times_under_load_no_answer_is_broken(tmp_path):
    world = World(tmp_path / "house")
    try:
        run(world)
    finally:
        if world.house is not None:
            world.house.kill_all()
        if world.outlived is not None:
            os.kill(world.outlived, signal.SIGKILL)


def run(world: World) -> None:
    world.start_and_kill("recovered")       # the very first start
    world.start()
    world.settle_in()
    answers = 0
    for death in plan():
        state_hash = ""
        answers += world.live_and_die(death)
        for stage in death.starts:
            world.start_and_kill(stage)
        if death.offline:
            state_hash = world.check_offline()
            if death.offline == "snapshot":
                write_snapshot(world.directory)
        world.start()
        world.check(state_hash)
    world.check_money()
    assert world.house.end() == 0
    world.check_offline()
    # The history that twenty scribes have written is the one that a single run writes.
    found = rows_of(world.directory / HISTORY_FILE)
    copy = world.directory.with_name("copy")
    shutil.copytree(world.directory, copy)
    rebuild_history(copy)
    assert rows_of(copy / HISTORY_FILE) == found
    assert len(found["orders"]) == world.placed_once() > 1000
    # It was what it claims to be: a house at work, cut off in the middle of it.
    assert answers > 5000 and world.happened and world.lost
    assert sum(door.happened for door in world.doors) and sum(door.lost for door in world.doors)
    assert all(min(door.figures.known.values()) >= 0 for door in world.doors)
    assert sum(source.happened + source.lost for source in world.share_sources)
    assert all(min(source.work.values()) for source in world.share_sources)
    assert len(list_segments(world.directory / JOURNAL_FOLDER)) > 1
    assert list_snapshots(world.directory / SNAPSHOT_FOLDER)
