"""`orebook demo`: a house on a temporary folder; clients trade on it, and a farm mines, over HTTP.

The house is the real one, started as `orebook serve` starts it. Everything else goes in through its
doors as anyone's client would: registering with a mailed code (which the demo's house returns),
deposits by the operator, orders through the router. The orders are drawn from one seed, the same in
each run; what they meet depends on the timing.
"""

import asyncio
import dataclasses
import secrets
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from rich.console import Console
from rich.live import Live
from rich.table import Table

from api.client import CallRefused, HouseClient
from api.config import Config
from api.demo_farm import FARMER, Farm
from api.demo_market import MARKETS, FairPrice, Market, Order, maker_orders, taker_order
from api.first_start import OPERATOR
from api.numbers import text
from api.serve import running

MAKERS = ("maker-1", "maker-2")
TAKERS = ("taker-1", "taker-2", "taker-3")
PASSWORD = "demo-password"
LINE = ("{pair} {price} ({increase} %), bid {bid}, ask {ask}, 24 h amount {amount}, "
        "{orders} orders sent")
ROUND_PAUSE_S = 0.5
SHOW_EVERY_S = 1.0
DEPOSITS = {"BTC": "1000", "BCH": "50000", "USDT": "100000000", "CNY": "700000000",
            "ORE": "100000000"}


@dataclass
class Tally:
    """What the demo's own clients sent, and which refusals they met."""

    orders: int = 0
    refused: Counter = field(default_factory=Counter)


class Players:
    """The demo's users, each logged in, and what they do on each pair."""

    def __init__(self, url: str, seed: int, stop: asyncio.Event):
        self.tally = Tally()
        self._url = url
        self._seed = seed
        self._stop = stop
        self._clients: dict[str, HouseClient] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Players":
        return self

    async def __aexit__(self, *exc_details) -> None:
        await self._stack.aclose()

    async def come_in(self, operator: HouseClient) -> None:
        """Registers every user, has the operator credit its deposits, and logs it in."""
        for name in (*MAKERS, *TAKERS):
            client = await self._stack.enter_async_context(HouseClient(self._url))
            code = await client.router("make_valid_code", user=name)
            await client.router("regeist_user", user=name, valid_code=code, **{"pass": PASSWORD})
            for coin, amount in DEPOSITS.items():
                await operator.operator("POST", "deposits", {
                    "user": name, "coin": coin, "amount": amount, "txid": f"demo-{name}-{coin}",
                })
            await client.login(name, PASSWORD)
            self._clients[name] = client

    async def trade(self, market: Market) -> None:
        """Plays one pair until the stop: in turn a maker renews its ladder, and takers take."""
        random = Random(f"{self._seed} {market.pair}")
        fair = FairPrice(market, random)
        round_number = 0
        while not self._stop.is_set():
            price = fair.step()
            # The other maker's ladder stays meanwhile, so the book is never empty.
            maker = MAKERS[round_number % len(MAKERS)]
            await self._call(maker, "cancel_all", pair=market.pair)
            for order in maker_orders(market, price, random):
                await self._order(maker, market, order)
            for taker in TAKERS:
                if random.randrange(2):
                    await self._order(taker, market, taker_order(market, price, random))
            round_number += 1
            await _pause(self._stop, ROUND_PAUSE_S)

    async def _order(self, name: str, market: Market, order: Order) -> None:
        parameters = {"pair": market.pair, "amount": text(order.qty, market.amount_scale)}
        if order.price:
            parameters["price"] = text(order.price, market.price_scale)
        else:
            parameters["type"] = "market"
        self.tally.orders += 1
        await self._call(name, order.side, **parameters)

    async def _call(self, name: str, router: str, **parameters: str) -> None:
        if self._stop.is_set():
            return
        try:
            await self._clients[name].router(router, **parameters)
        except CallRefused as refusal:
            self.tally.refused[str(refusal)] += 1


async def demo(config: Config, seed: int, seconds: int | None, keep: bool,
               console: Console) -> str | None:
    """Runs until SIGINT or SIGTERM, or `seconds` long; removes its folder unless `keep`.

    Returns the reason of a fail-stop, else None. Raises StartRefused.
    """
    folder = Path(tempfile.mkdtemp(prefix="orebook-demo-"))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    try:
        async with AsyncExitStack() as stack:
            password = secrets.token_urlsafe(12)
            house = await stack.enter_async_context(running(_demo_config(config, folder, password)))
            house.house.on_stop(lambda reason: stop.set())
            operator = await stack.enter_async_context(HouseClient(house.url))
            await operator.login_operator(OPERATOR, password)
            players = await stack.enter_async_context(Players(house.url, seed, stop))
            await players.come_in(operator)
            farm = Farm(operator, seed)
            await farm.come_in(house.url)
            _say(console, f"The house answers at {house.url}, its files are in {folder}.\n"
                          f"Log in as {TAKERS[0]} with the password {PASSWORD}, or as {OPERATOR} "
                          f"with {password}. Ctrl-C ends it.\n"
                          f"The workers of {FARMER} are seen at {farm.link_at(house.url)}")
            async with asyncio.TaskGroup() as group:
                for market in MARKETS:
                    group.create_task(players.trade(market))
                group.create_task(farm.mine(stop))
                group.create_task(_show(console, house.url, players.tally, stop))
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    kept = f" Its files stay in {folder}." if keep else ""
    _say(console, f"Ended after {players.tally.orders} orders and {farm.rows} counts of shares."
                  f"{kept}")
    return house.house.stopped


def _demo_config(config: Config, folder: Path, password: str) -> Config:
    """The given configuration on the demo's own folder; codes are returned, not mailed."""
    return dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, dir=str(folder)),
        mail=dataclasses.replace(config.mail, mode="outbox", return_codes=True),
        operator=dataclasses.replace(config.operator, password=password),
    )


async def _show(console: Console, url: str, tally: Tally, stop: asyncio.Event) -> None:
    """A live table on a terminal; elsewhere a line a pair whenever its price has changed."""
    async with HouseClient(url) as client:
        if console.is_terminal:
            with Live(console=console, refresh_per_second=4) as live:
                await _watch(client, stop, lambda rows: live.update(_table(rows, tally)))
            return
        shown: dict[str, str] = {}

        def print_changes(rows: list[dict]) -> None:
            for row in rows:
                if shown.get(row["pair"]) != row["price"]:
                    shown[row["pair"]] = row["price"]
                    _say(console, LINE.format(orders=tally.orders, **row))

        await _watch(client, stop, print_changes)


async def _watch(client: HouseClient, stop: asyncio.Event,
                 show: Callable[[list[dict]], None]) -> None:
    while not stop.is_set():
        rows = []
        ranks = await client.router("get_rank", method="GET")
        for rank in sorted(ranks, key=lambda rank: rank["name"]):
            depth = await client.router("get_depth", method="GET", pair=rank["name"], limit="1")
            rows.append({
                "pair": rank["name"], "price": rank["price"], "increase": rank["increase"],
                "amount": rank["amount"],
                "bid": depth["bid"][0][0] if depth["bid"] else "-",
                "ask": depth["ask"][0][0] if depth["ask"] else "-",
            })
        show(rows)
        await _pause(stop, SHOW_EVERY_S)


def _table(rows: list[dict], tally: Tally) -> Table:
    refused = ", ".join(f"{reason}: {count}" for reason, count in tally.refused.most_common(3))
    caption = f"{tally.orders} orders sent" + (f"; refused: {refused}" if refused else "")
    table = Table("pair", "price", "24 h %", "bid", "ask", "24 h amount", caption=caption)
    for row in rows:
        table.add_row(row["pair"], row["price"], row["increase"], str(row["bid"]), str(row["ask"]),
                      row["amount"])
    return table


def _say(console: Console, text: str) -> None:
    """Plain text, not broken into lines: it may be read by a program."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


async def _pause(stop: asyncio.Event, pause_s: float) -> None:
    """Returns after `pause_s`, or as soon as the stop is asked for."""
    try:
        await asyncio.wait_for(stop.wait(), pause_s)
    except TimeoutError:
        pass
