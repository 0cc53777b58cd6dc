"""The operator's calls for the pool: networks, settlement, payments, locks."""

from typing import Any

from aiohttp import web

from api import times
from api.dialects.fields import Fields
from api.dialects.operator_desk import Desk, Refused, why
from api.errors import MEANINGS, Fault
from api.mining import difficulty, ranges
from api.mining.profits import RATE_SCALE, date_text, rounded
from api.mining.settling import Settler, SettlingRefused
from api.numbers import read_id, text
from engine import Kind

DIFFICULTY_SCALE = 18
BLOCKS_MAX = 1_000_000
# What no caller can give as a request id: payments of a settlement.
PAYMENT = "pay|"
TRANSACTION_STEPS = {"unsign": Kind.UNSIGN_WITHDRAWALS}
PAYMENT_STEPS = {"finish": Kind.FINISH_WITHDRAWAL, "fail": Kind.REJECT_WITHDRAWAL}


class PoolCalls:
    """The calls, bound to one house. Each gets its fields and returns what goes into the envelope's
    `data`."""

    def __init__(self, desk: Desk, settler: Settler):
        self._desk = desk
        self._house = desk.house
        self._settler = settler

    # -- what is mined ----------------------------------------------------------------------------

    async def set_network(self, request: web.Request, body: Fields) -> dict[str, Any]:
        coin = self._desk.coin("coin", body.text("coin"))
        fields = {
            "coin": coin.number,
            "difficulty": difficulty.exact("difficulty", body.decimal("difficulty")),
            "subsidy": body.count("subsidy", coin.scale),
            "fees_per_block": body.count("fees_per_block", coin.scale, zero=True),
        }
        if body.has("blocks_today"):
            fields["blocks_today"] = body.whole("blocks_today", BLOCKS_MAX)
        body.end()
        await self._desk.submit(Kind.SET_NETWORK, fields)
        return self._network_view(coin)

    async def list_networks(self, request: web.Request, query: Fields) -> list[dict]:
        core = self._house.core
        shown = [self._network_view(core.coins.get(number)) for number in core.networks.coins()]
        await self._house.settled()
        return shown

    def _network_view(self, coin) -> dict[str, Any]:
        network = self._house.core.networks.get(coin.number)
        return {
            "coin": coin.name, "difficulty": text(network.difficulty, DIFFICULTY_SCALE),
            "subsidy": text(network.subsidy, coin.scale),
            "fees_per_block": text(network.fees_per_block, coin.scale),
            "blocks": network.blocks_today, "day": date_text(network.day),
            "epoch": network.epoch,
            "since": times.text(network.since_ns, self._desk.shell.zone),
        }

    # -- settlement -------------------------------------------------------------------------------

    async def settle(self, request: web.Request, body: Fields) -> dict[str, Any]:
        coin, day = self._desk.coin("coin", body.text("coin")), ranges.day(body, "day")
        body.end()
        try:
            settled = await self._settler.settle(coin.number, day)
        except SettlingRefused as error:
            raise Refused(MEANINGS[error.code].fault, why(error.kind, error.code)) from None
        return self._settlement_view(settled.day_sum) | {"duplicate": settled.duplicate}

    async def list_settlements(self, request: web.Request, query: Fields) -> list[dict]:
        core = self._house.core
        coins = ([self._desk.coin("coin", query.text("coin")).number] if query.has("coin")
                 else core.networks.coins())
        first, last = ranges.days(query, "start", "end")
        query.end()
        found = (core.settlements.of_day(coin, day)
                 for day in range(first, last + 1) for coin in coins)
        shown = [self._settlement_view(one) for one in found if one is not None]
        await self._house.settled()
        return shown

    def _settlement_view(self, settled) -> dict[str, Any]:
        """The sum of a settled day."""
        coin = self._house.core.coins.get(settled.coin)
        amounts = {name: text(getattr(settled, name), coin.scale)
                   for name in ("gross", "net", "commission", "pool")}
        return {
            "coin": coin.name, "day": date_text(settled.day), "accounts": settled.accounts,
        } | amounts | {
            "fee_rate": text(rounded(settled.fees, settled.subsidies), RATE_SCALE),
            "profit_per_p": text(settled.profit_per_p, coin.scale),
            "settled_at": times.text(settled.settled_ns, self._desk.shell.zone),
        }

    # -- payments ---------------------------------------------------------------------------------

    async def step_payment(self, request: web.Request, body: Fields) -> dict[str, Any]:
        kind = body.choice("action", PAYMENT_STEPS)
        number = read_id("id", request.match_info["id"])
        fields: dict[str, Any] = {"id": number}
        if kind == Kind.FINISH_WITHDRAWAL:
            fields["txid"] = body.text("txid")
        body.end()
        withdrawal = self._house.core.withdrawals.get(number)
        if withdrawal is None or not (withdrawal.request_id or "").startswith(PAYMENT):
            raise Refused(Fault.OPERATION, "id: is no payment of the pool")
        return self._desk.withdrawal_view(await self._desk.submit(kind, fields))

    async def list_transactions(self, request: web.Request, query: Fields) -> list[dict]:
        core = self._house.core
        shown = [{
            "txid": signed.txid, "coin": core.coins.get(signed.coin).name,
            "withdrawals": list(signed.ids), "unfinished": signed.unfinished,
            "transaction": signed.transaction.hex(),
        } for signed in core.withdrawals.signed]
        await self._house.settled()
        return shown

    async def step_transaction(self, request: web.Request, body: Fields) -> dict[str, Any]:
        kind = body.choice("action", TRANSACTION_STEPS)
        body.end()
        txid = request.match_info["txid"]
        return {"withdrawals": await self._desk.submit(kind, {"txid": txid})}

    async def lock_account(self, request: web.Request, body: Fields) -> None:
        account = self._desk.account("user", body.text("user"))
        locked = body.flag("locked")
        body.end()
        await self._desk.submit(Kind.LOCK_ACCOUNT, {"account": account.number, "locked": locked})
