"""One wallet of a node: makes a transaction that pays exactly what is due, and sends it.

Making and sending are two calls, because what is signed has to be on disk before it can reach
anyone. Between them lies `Signed`: the bytes, their txid and the outputs they spend.

Amounts are integers in the node's units (10^-8 of its coin). What the node answers is checked
against what was asked before it is believed; an answer of another form is a Refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.numbers import InputError, read, text
from api.payouts.rpc import NodeAway, RpcClient, RpcError

NODE_SCALE = 8
TRANSACTION_BYTES_MAX = 100 * 1024
# Codes of the node's errors (its rpc/protocol.h).
NOT_FOUND = -5
ALREADY_IN_CHAIN = -27
NOT_NOW = frozenset({
    -28,    # it is still starting
    -13,    # the wallet is locked
    -18,    # the wallet is not loaded
    -19,    # several are, and the URL names none
    -9, -10,    # it is not connected, it still reads the chain
    -32601,     # it has no wallet at all
})
SENT_BEFORE = ("txn-already-known", "txn-already-in-mempool", "already in block chain")


class NotNow(Exception):
    """Nothing can be made or sent just now, whatever it is."""


class Refused(Exception):
    """This transaction can't be made or sent; another one might."""


@dataclass(frozen=True, slots=True)
class WalletSettings:
    chain: str              # main, test, regtest …: as getblockchaininfo names it
    fee_rate: str           # coins for 1,000 virtual bytes; "": the node estimates
    fee_blocks: int         # for that estimate: mined within so many blocks
    fee_max: int            # units, of a whole transaction


class Due(NamedTuple):
    address: str
    units: int


class Output(NamedTuple):
    txid: str
    vout: int


@dataclass(frozen=True, slots=True)
class Signed:
    txid: str
    transaction: bytes
    spends: tuple[Output, ...]


class Wallet:
    """What payouts need of a node. Every call raises NotNow where the node is not there for it."""

    def __init__(self, rpc: RpcClient, settings: WalletSettings):
        self._rpc = rpc
        self._settings = settings
        self._change_address = ""       # taken from the node, and not used yet

    async def check_ready(self) -> None:
        """Raises NotNow where the node is of another network, or does not know all of the chain."""
        state = await self._call("getblockchaininfo")
        chain = of_type(state, "chain", str)
        if chain != self._settings.chain:
            raise NotNow(f"the node is of the network {chain}, not {self._settings.chain}")
        if state.get("initialblockdownload") is not False:
            raise NotNow("the node still reads the chain")

    async def free_inputs(self, keep: set[Output]) -> None:
        """Unlock what an interrupted try has locked; what `keep` names is locked."""
        locked = {output_of(one) for one in await self._call("listlockunspent")}
        await self._lock(sorted(locked - keep), unlock=True)
        for output in sorted(keep - locked):
            try:
                await self._lock([output], unlock=False)
            except Refused:
                continue    # it is spent, so nobody else can spend it: by this or another

    async def available(self) -> int:
        """Units that can be spent now."""
        balances = await self._call("getbalances")
        return units_of(of_type(balances, "mine", dict).get("trusted"))

    async def script_of(self, address: str) -> str:
        """The script, in hex, that pays an address. Refused where it is none of this network."""
        checked = await self._call("validateaddress", address)
        if checked.get("isvalid") is not True:
            raise Refused(f"{address!r} is no address of this network")
        return of_type(checked, "scriptPubKey", str)

    async def make(self, dues: Sequence[Due]) -> Signed:
        """A signed transaction that pays these, its inputs locked in the wallet. Refused, and
        nothing locked, where the node can't or won't."""
        scripts: dict[str, Due] = {}
        for due in dues:
            # Several may go to one address, which a transaction pays in one sum.
            script = await self.script_of(due.address)
            before = scripts.get(script)
            scripts[script] = Due(due.address, due.units + (before.units if before else 0))
        if not self._change_address:
            self._change_address = await self._call("getrawchangeaddress")
        change_script = await self.script_of(self._change_address)
        outputs = [{due.address: text(due.units, NODE_SCALE)} for due in scripts.values()]
        bare = await self._call("createrawtransaction", [], outputs)
        funded = await self._call("fundrawtransaction", bare, self._funding())
        hexadecimal = of_type(funded, "hex", str)
        spends = await self._spends(hexadecimal)
        try:
            fee = units_of(funded.get("fee"))
            if fee > self._settings.fee_max:
                raise Refused(f"its fee of {text(fee, NODE_SCALE)} is above max_fee")
            signed = await self._signed(hexadecimal, spends, {
                script: due.units for script, due in scripts.items()}, change_script)
        except Refused:
            await self.discard(spends)
            raise
        self._change_address = ""
        return signed

    async def discard(self, spends: Sequence[Output]) -> None:
        """Unlock the inputs of a transaction that will never be sent."""
        try:
            await self._lock(spends, unlock=True)
        except Refused:
            pass        # not locked any more

    async def send(self, transaction: bytes) -> None:
        """Give it to the network, the first time or again. Refused where the node rejects it."""
        try:
            await self._rpc.call("sendrawtransaction", transaction.hex())
        except RpcError as error:
            if error.code != ALREADY_IN_CHAIN and not any(
                    reason in error.message for reason in SENT_BEFORE):
                raise failure_of(error) from None
        except NodeAway as error:
            raise NotNow(str(error)) from None

    async def spent_by(self, transaction: bytes) -> tuple[Output, ...]:
        """The outputs that a transaction spends."""
        return await self._spends(transaction.hex())

    async def confirmations(self, txid: str) -> int | None:
        """How deep it is in the chain: 0 while it waits, less where another has taken its place,
        None where it is neither in the chain nor waits at this node."""
        try:
            found = await self._rpc.call("gettransaction", txid)
            count = of_type(found, "confirmations", int)
            if count != 0:
                return count
            await self._rpc.call("getmempoolentry", txid)
        except RpcError as error:
            if error.code == NOT_FOUND:
                return None
            raise failure_of(error) from None
        except NodeAway as error:
            raise NotNow(str(error)) from None
        return 0

    # -- making, step by step ---------------------------------------------------------------------

    def _funding(self) -> dict[str, Any]:
        """How fundrawtransaction is to choose: inputs locked, and nobody may replace it later."""
        options = {"changeAddress": self._change_address, "lockUnspents": True,
                   "replaceable": False}
        if self._settings.fee_rate:
            return options | {"feeRate": self._settings.fee_rate}
        return options | {"conf_target": self._settings.fee_blocks}

    async def _signed(self, hexadecimal: str, spends: tuple[Output, ...], due: dict[str, int],
                      change_script: str) -> Signed:
        """What the wallet has signed, after a look at what it is; `due`: units by script."""
        answer = await self._call("signrawtransactionwithwallet", hexadecimal)
        if answer.get("complete") is not True:
            raise Refused("the wallet cannot sign it")
        hexadecimal = of_type(answer, "hex", str)
        transaction = bytes_of(hexadecimal)
        if len(transaction) > TRANSACTION_BYTES_MAX:
            raise Refused(f"it would have {len(transaction)} bytes")
        shown = await self._call("decoderawtransaction", hexadecimal)
        check_outputs(of_type(shown, "vout", list), due, change_script)
        if tuple(map(output_of, of_type(shown, "vin", list))) != spends:
            raise Refused("what was signed spends something else than what was asked for")
        tried = await self._call("testmempoolaccept", [hexadecimal])
        if not (isinstance(tried, list) and len(tried) == 1 and isinstance(tried[0], dict)):
            raise Refused("testmempoolaccept: an answer of another form")
        if tried[0].get("allowed") is not True:
            raise Refused(f"the network would not take it: {tried[0].get('reject-reason')}")
        return Signed(of_type(shown, "txid", str), transaction, spends)

    async def _spends(self, hexadecimal: str) -> tuple[Output, ...]:
        shown = await self._call("decoderawtransaction", hexadecimal)
        return tuple(map(output_of, of_type(shown, "vin", list)))

    async def _lock(self, outputs: Sequence[Output], unlock: bool) -> None:
        # Without any output an unlock would unlock all.
        if outputs:
            await self._call("lockunspent", unlock, [
                {"txid": output.txid, "vout": output.vout} for output in outputs])

    async def _call(self, method: str, *params: Any) -> Any:
        """A call whose failure changes nothing. Raises NotNow, Refused."""
        try:
            return await self._rpc.call(method, *params)
        except RpcError as error:
            raise failure_of(error) from None
        except NodeAway as error:
            raise NotNow(str(error)) from None


def failure_of(error: RpcError) -> NotNow | Refused:
    return NotNow(str(error)) if error.code in NOT_NOW else Refused(str(error))


def check_outputs(outputs: list, due: dict[str, int], change_script: str) -> None:
    """Raises Refused unless they are what is due, each once, and at most one more: the change."""
    left = dict(due)
    changes = 0
    for output in outputs:
        script = of_type(of_type(output, "scriptPubKey", dict), "hex", str)
        units = units_of(output.get("value"))
        if left.get(script) == units:
            del left[script]
        elif script == change_script and changes == 0:
            changes = 1
        else:
            raise Refused(f"it would pay {units} units to the script {script}")
    if left:
        raise Refused(f"it would not pay {left}")


def of_type(answer: Any, name: str, kind: type) -> Any:
    """A field of an answer; Refused where it is not there, or another thing."""
    value = answer.get(name) if isinstance(answer, dict) else None
    if type(value) is not kind:
        raise Refused(f"the node's answer has no {name}")
    return value


def output_of(answer: Any) -> Output:
    return Output(of_type(answer, "txid", str), of_type(answer, "vout", int))


def units_of(value: Any) -> int:
    """Units of an amount that a node has printed."""
    try:
        return read("amount", str(value) if type(value) is int else value, NODE_SCALE, zero=True)
    except InputError as error:
        raise Refused(f"the node's answer: {error}") from None


def bytes_of(hexadecimal: str) -> bytes:
    try:
        return bytes.fromhex(hexadecimal)
    except ValueError:
        raise Refused("the node's answer is not hexadecimal") from None
