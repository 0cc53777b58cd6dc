"""Pays the approved withdrawals of one coin from one wallet, each once.

    make and sign a transaction -> SIGN_WITHDRAWALS, on disk -> send -> wait -> FINISH_WITHDRAWAL

Invariants: nothing is sent that is not on disk; what is on disk is sent again, the same bytes,
whenever the node does not know it; a withdrawal that has a transaction gets no other. So this may
be cut off anywhere (docs/payouts.md has each place), and a new worker goes on from the house's
state alone: what is remembered here are only pauses, and what the log was told.
"""

import asyncio
import logging
from collections.abc import Callable
from itertools import islice

from api.payouts.wallet import NODE_SCALE, Due, NotNow, Output, Refused, Wallet
from engine import House, HouseStopped, Kind, Overloaded, Result, WithdrawalStatus, cold

PAUSE_MAX_S = 600
REFUSED_PAUSE_MAX_S = 3600
LOOK_MAX = 2_000        # withdrawals: how far it looks for those that fit into what the wallet has
OK, NOT_NOW, SHORT, REFUSED, STUCK, FAULT = "ok", "not_now", "short", "refused", "stuck", "fault"

log = logging.getLogger("orebook.payouts")


class PayoutWorker:
    """`run` does rounds until it is cancelled or the house stops. Belongs to the house's loop."""

    def __init__(self, house: House, coin: str, wallet: Wallet, confirmations: int,
                 outputs_max: int, poll_s: int, count: Callable[[str], None]):
        """`count` is told the outcome of each round."""
        self._house = house
        self._coin_name = coin
        self._wallet = wallet
        self._confirmations = confirmations
        self._outputs_max = outputs_max
        self._poll_s = poll_s
        self._count = count
        self._outcomes: dict[str, None] = {}        # of the round, beside "ok"
        self._told: dict[object, str] = {}          # what the log knows, by subject
        self._untidy = True                         # inputs may be locked for nothing
        self._refused: dict[int, None] = {}         # withdrawals not to be tried until …
        self._retry_at_s = 0                        # … this time of the loop
        self._retry_pause_s = poll_s

    async def run(self) -> None:
        pause_s = self._poll_s
        while True:
            try:
                good = await self.round()
            except HouseStopped:
                return
            pause_s = self._poll_s if good else min(2 * pause_s, max(PAUSE_MAX_S, self._poll_s))
            await asyncio.sleep(pause_s)

    async def round(self) -> bool:
        """Look after all that is under way, then pay what can be paid; False: better wait longer.

        Raises HouseStopped.
        """
        self._outcomes = {}
        try:
            await self._work()
            self._fine("round")
        except NotNow as error:
            self._untidy = True
            self._tell("round", NOT_NOW, f"nothing can be paid now: {error}")
        except Refused as error:
            self._untidy = True
            self._tell("round", FAULT, f"nothing can be paid now: {error}")
        except HouseStopped:
            raise
        except Exception as error:
            self._untidy = True
            log.exception("%s: a fault of ours", self._coin_name)
            self._tell("round", FAULT, f"nothing can be paid now: {error!r}")
        for outcome in self._outcomes or (OK,):
            self._count(outcome)
        return not {NOT_NOW, FAULT} & self._outcomes.keys()

    async def _work(self) -> None:
        coin = self._house.core.coins.by_name(self._coin_name)
        if coin is None:
            raise NotNow("the coin is not listed")
        # What is read below may have been applied and not be on disk yet.
        await self._house.settled()
        await self._wallet.check_ready()
        unsent: set[Output] = set()
        for signed in list(self._house.core.withdrawals.signed):
            if signed.coin == coin.number and not await self._follow(signed):
                unsent.update(await self._wallet.spent_by(signed.transaction))
        if self._untidy or unsent:
            # No other transaction may take the inputs of one that the node does not know.
            await self._wallet.free_inputs(unsent)
            self._untidy = False
        await self._pay(coin)

    # -- what is signed ---------------------------------------------------------------------------

    async def _follow(self, signed) -> bool:
        """Send a transaction that the node does not know, finish one that is deep enough; False
        where the node won't have it."""
        depth = await self._wallet.confirmations(signed.txid)
        if depth is None:
            return await self._send(signed.txid, signed.transaction)
        if depth < 0:
            self._tell(signed.txid, STUCK, f"transaction {signed.txid} cannot be mined any more: "
                       "another has spent its inputs (docs/payouts.md says what to do)")
            return True
        self._fine(signed.txid)
        if depth >= self._confirmations:
            await self._finish(signed)
        return True

    async def _send(self, txid: str, transaction: bytes) -> bool:
        try:
            await self._wallet.send(transaction)
        except Refused as error:
            self._tell(txid, STUCK, f"transaction {txid} is signed and the node rejects it: "
                       f"{error}; it is sent again and again")
            return False
        log.info("%s: transaction %s is sent", self._coin_name, txid)
        self._fine(txid)
        return True

    async def _finish(self, signed) -> None:
        """All its withdrawals in one burst."""
        replies = [self._house.submit(cold(Kind.FINISH_WITHDRAWAL, {
            "id": number, "txid": signed.txid})) for number in signed.ids]
        for number, reply in zip(signed.ids, await asyncio.gather(*replies), strict=True):
            if reply.code != Result.OK:
                raise RuntimeError(f"withdrawal {number}, paid by {signed.txid}, was not finished:"
                                   f" {Result(reply.code).name}")
        log.info("%s: transaction %s is confirmed, its %d withdrawals are finished",
                 self._coin_name, signed.txid, len(signed.ids))

    # -- what is to be paid -----------------------------------------------------------------------

    async def _pay(self, coin) -> None:
        """Pay in as many transactions as it takes; the oldest first, those that fit into what the
        wallet has."""
        if asyncio.get_running_loop().time() >= self._retry_at_s:
            self._refused = {}
        while batch := await self._next_batch(coin):
            await self._pay_batch(coin, batch)
        if not self._refused:
            self._retry_pause_s = self._poll_s

    async def _next_batch(self, coin) -> list:
        approved = self._house.core.withdrawals.approved(coin.number)
        waiting = list(islice((one for one in approved if one.id not in self._refused), LOOK_MAX))
        if not waiting:
            self._fine("short")
            return []
        left = await self._wallet.available()
        fitting = []
        for one in waiting:
            units = units_due(one, coin)
            if units < left:
                left -= units
                fitting.append(one)
        if len(fitting) == len(waiting):
            self._fine("short")
        else:
            self._tell("short", SHORT, "the wallet has not enough for all that is approved")
        return list(islice(fitting, self._outputs_max))

    async def _pay_batch(self, coin, batch: list) -> None:
        """One transaction for all of them; where that is refused, for each half of them."""
        dues = [Due(one.address, units_due(one, coin)) for one in batch]
        try:
            signed = await self._wallet.make(dues)
        except Refused as error:
            if len(batch) == 1:
                self._put_off(batch[0].id, error)
                return
            half = len(batch) // 2
            await self._pay_batch(coin, batch[:half])
            await self._pay_batch(coin, batch[half:])
            return
        if await self._keep([one.id for one in batch], signed):
            for one in batch:
                self._fine(one.id)
            await self._send(signed.txid, signed.transaction)

    async def _keep(self, ids: list[int], signed) -> bool:
        """Put a transaction on disk; False where a withdrawal was rejected in the meantime, and
        the transaction is nothing any more."""
        try:
            reply = await self._house.submit(cold(Kind.SIGN_WITHDRAWALS, {
                "ids": ids, "txid": signed.txid, "transaction": signed.transaction}))
        except Overloaded:
            raise NotNow("the house is too busy") from None
        if reply.code == Result.OK:
            return True
        await self._wallet.discard(signed.spends)
        withdrawals = self._house.core.withdrawals
        if all(withdrawals.get(number).status == WithdrawalStatus.APPROVED for number in ids):
            raise RuntimeError(f"SIGN_WITHDRAWALS {ids}: {Result(reply.code).name}")
        return False

    def _put_off(self, number: int, error: Refused) -> None:
        """This one cannot be paid: not again before the pause is over, which grows."""
        if not self._refused:
            self._retry_at_s = asyncio.get_running_loop().time() + self._retry_pause_s
            self._retry_pause_s = min(2 * self._retry_pause_s,
                                      max(REFUSED_PAUSE_MAX_S, self._poll_s))
        self._refused[number] = None
        self._tell(number, REFUSED, f"withdrawal {number} cannot be paid: {error}")

    # -- what is told -----------------------------------------------------------------------------

    def _tell(self, subject: object, outcome: str, message: str) -> None:
        """Count it, and log it where it is news."""
        self._outcomes[outcome] = None
        if self._told.get(subject) != message:
            self._told[subject] = message
            log.warning("%s: %s", self._coin_name, message)

    def _fine(self, subject: object) -> None:
        self._told.pop(subject, None)


def units_due(withdrawal, coin) -> int:
    """What goes out, in the node's units."""
    return (withdrawal.amount - withdrawal.fee) * 10 ** (NODE_SCALE - coin.scale)
