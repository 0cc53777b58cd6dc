"""Clients of the other doors of the house that is killed: a front end that moves its users'
balances through the user center, and miners with their wallets.

Each has users, and a coin of theirs, for itself, and waits for every answer: so it knows to the
unit what they have, but for the last request of a life, which may have been done or not.
"""

import json
import random

from tests.support.keep_alive import Connection
from tests.support.kill_clients import Client, Rush
from tests.support.promises import Figures

SIGN_IN_FORCE = 10
# What a miner may be told by a house that is well: it was too fast, or has signed in before.
NOT_YET = ("num: more than can be claimed now", "signed in today already")


class Door(Client):
    """A client that knows what its users have."""

    def __init__(self, users: tuple[str, str], figures: dict[str, int], seed: str):
        self.users = users
        self.random = random.Random(seed)
        self.figures = Figures(figures)
        self.happened = self.lost = 0       # requests that were not answered: done, and not done
        self.was_done = False               # the open one of the last life

    def two(self) -> tuple[str, str]:
        """Both users, in any order."""
        return tuple(self.random.sample(self.users, 2))

    def some(self, figure: str) -> int:
        """A part of what a figure is, at least 1, now and then too much."""
        if self.random.random() < 0.05:
            return self.figures.known[figure] + 1
        return self.random.randint(1, max(1, self.figures.known[figure] // 3))

    def settle(self, shown: dict[str, int]) -> str:
        """Take in what the house shows after its start; what is wrong with it, or ""."""
        self.was_done = shown == self.figures.if_done
        if self.figures.if_done is not None:
            self.happened += self.was_done
            self.lost += not self.was_done
        return self.figures.settle(shown)

    def fits(self, changes: dict[str, int]) -> bool:
        """No figure falls below zero by them."""
        return all(self.figures.known[name] + change >= 0 for name, change in changes.items())


class FrontEnd(Door):
    """Credits, debits, transfers, freezes and unfreezes, each with a request id.

    Its figures are `NAME available` and `NAME frozen`, in wholes of the coin.
    """

    def __init__(self, name: str, token: str, coin: str, uids: dict[str, int], seed: str):
        figures = {f"{user} {part}": 0 for user in uids for part in ("available", "frozen")}
        super().__init__(tuple(uids), figures, seed)
        self.name = name
        self.token = token
        self.coin = coin
        self.uids = uids
        self.count = 0
        self.sent: list[tuple] = []         # in this life: (path, body, changes) with a yes
        self.open: tuple | None = None      # the one without an answer

    def begin(self) -> None:
        self.sent = []

    async def act(self, rush: Rush, connection: Connection) -> None:
        request = self.next_request()
        self.open = request
        self.figures.ask(request[2])
        done = await self.send(rush, connection, request, self.fits(request[2]))
        self.figures.answered(done)
        self.open = None
        if done:
            self.sent.append(request)

    def next_request(self) -> tuple[str, dict, dict[str, int]]:
        """(path, body, what it changes)."""
        user, other = self.two()
        self.count += 1
        body = {"coinId": self.coin, "requestId": f"{self.name}-{self.count}"}
        mine, frozen = f"{user} available", f"{user} frozen"
        shape = self.random.choice(("credit", "credit", "debit", "transfer", "freeze", "unfreeze"))
        amount = self.random.randint(1, 1_000)
        if shape == "credit":
            return ("Balance/AddBalance", body | {"uid": self.uids[user], "quantityNum": amount},
                    {mine: amount})
        if shape == "unfreeze":
            amount = self.some(frozen)
            return ("Balance/AllocationBalance", body | {
                "UserId": self.uids[user], "AssetsNum": amount, "oper_type": 2},
                {mine: amount, frozen: -amount})
        amount = self.some(mine)
        if shape == "debit":
            return ("Balance/ReduceBalance", body | {
                "uid": self.uids[user], "quantityNum": amount}, {mine: -amount})
        if shape == "transfer":
            return ("Balance/TransferBalance", body | {
                "sellerUserId": self.uids[user], "buyerUserId": self.uids[other],
                "transNum": amount}, {mine: -amount, f"{other} available": amount})
        return ("Balance/AllocationBalance", body | {
            "UserId": self.uids[user], "AssetsNum": amount, "oper_type": 1},
            {mine: -amount, frozen: amount})

    async def send(self, rush: Rush, connection: Connection, request: tuple, wanted: bool) -> bool:
        """Whether it was done, which must be as wanted."""
        path, body, _ = request
        envelope = await rush.call(connection.request("POST", f"/api/{path}", json.dumps(body), {
            "token": self.token, "Content-Type": "application/json"}))
        done = envelope["status"] == 1
        if done != wanted:
            rush.faults.append(f"{request}, with {self.figures.known}: {envelope}")
        return done

    async def send_again(self, rush: Rush, connection: Connection) -> None:
        """All of the life before: what was done is answered so, and moves nothing.

        What was not answered was done, or is done now, or refused as if it were new.
        """
        for request in self.sent:
            await self.send(rush, connection, request, True)
        if self.open is None:
            return
        request, self.open = self.open, None
        fits = self.fits(request[2])
        for _ in range(2):
            await self.send(rush, connection, request, self.was_done or fits)
        if fits and not self.was_done:
            self.figures.ask(request[2])
            self.figures.answered(True)


class Miners(Door):
    """Two users who mine: claims, sign-ins, force, transfers between them, extracts.

    Its figures are, in whole ORE, `NAME wallet`, `NAME claimed` and `NAME available`, and
    `NAME force`.
    """

    def __init__(self, sessions: dict[str, str], addresses: dict[str, str],
                 figures: dict[str, int], seed: str):
        super().__init__(tuple(sessions), figures, seed)
        self.sessions = sessions
        self.addresses = addresses

    async def act(self, rush: Rush, connection: Connection) -> None:
        user, path, body, changes = self.next_request()
        self.figures.ask(changes)
        envelope = await rush.call(connection.request("PATCH", path, json.dumps(body), {
            "session": self.sessions[user], "Content-Type": "application/json"}))
        done = envelope["status"] == "success"
        if done != self.fits(changes) and envelope.get("message") not in NOT_YET:
            rush.faults.append(f"{user} {path} {body}, with {self.figures.known}: {envelope}")
        self.figures.answered(done)

    def next_request(self) -> tuple[str, str, dict, dict[str, int]]:
        """(user, path, body, what it changes)."""
        user, other = self.two()
        wallet = f"{user} wallet"
        shape = self.random.choice(
            ("gain", "gain", "gain", "sign", "promote", "extract", "give", "transfer"))
        if shape == "sign":
            return user, "/sign/", {}, {f"{user} force": SIGN_IN_FORCE}
        if shape == "gain":
            num = self.random.randint(1, 1_000)
            return user, "/mining/gain/", {"num": num}, {wallet: num, f"{user} claimed": num}
        num = self.some(wallet)
        if shape == "promote":
            return user, "/wallet/promote/", {"num": num}, {wallet: -num, f"{user} force": num}
        if shape == "extract":
            return user, "/wallet/extract/", {"num": num}, {wallet: -num, f"{user} available": num}
        body = {"num": num, "address": self.addresses[other]}
        if shape == "give":
            return user, "/wallet/extract/", body, {wallet: -num, f"{other} available": num}
        return user, "/wallet/transfer/", body, {wallet: -num, f"{other} wallet": num}


