"""The other side of a payout: a small node of one wallet, with a mempool and a chain, over HTTP.

It does what the calls of a real one do as far as payouts see it, and refuses what a real one
refuses: inputs that are locked, spent, or not there. A transaction is JSON in hexadecimal; `paid`
tells which transactions have paid an address, which is what a test has to know.
"""

import base64
import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER, PASSWORD = "node-user", "node-password"
FEE = Decimal("0.0001")
DUST = Decimal("0.00001")
NO_SUCH = -5


class Refusal(Exception):
    """The node answers with an error."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Cut(Exception):
    """The node closes the connection in place of an answer."""


class ScriptedNode:
    """`before` and `after` may hold a function for a method: it gets the parameters, or the answer,
    and may raise Refusal or Cut, or (after) give another answer."""

    def __init__(self, coins=("50", "50")):
        self.chain_name = "regtest"
        self.downloading = False
        self.user, self.password = USER, PASSWORD
        self.before: dict[str, Callable] = {}
        self.after: dict[str, Callable] = {}
        self.calls: list[str] = []
        self.gate = threading.Event()       # each call waits for it
        self.gate.set()
        self.mines = False                  # a block whenever it is asked about the chain
        self.unspent = {(f"{number:064x}", 0): Decimal(coin)
                        for number, coin in enumerate(coins, 1)}
        self.all_outputs = dict(self.unspent)
        self.locked: set[tuple] = set()
        self.mempool: dict[str, dict] = {}
        self.mined: dict[str, tuple[int, dict]] = {}
        self.spent_by: dict[tuple, str] = {}
        self.height = 100
        self.made = 0
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    # -- what a test looks at -----------------------------------------------------------------

    def paid(self, address) -> list[tuple[str, Decimal]]:
        """(txid, amount) of what the network has for an address."""
        with self._lock:
            transactions = self.mempool | {txid: shown for txid, (_, shown) in self.mined.items()}
            return [(txid, Decimal(amount)) for txid, shown in transactions.items()
                    for to, amount in shown["outputs"] if to == address]

    def mine(self, blocks=1):
        with self._lock:
            for _ in range(blocks):
                self.height += 1
                for txid, shown in self.mempool.items():
                    self.mined[txid] = (self.height, shown)
                self.mempool = {}

    def forget(self):
        """The node is started anew, and its mempool is gone; so are its locks."""
        with self._lock:
            for shown in self.mempool.values():
                self._undo(shown)
            self.mempool, self.locked = {}, set()

    def spend_elsewhere(self, transaction: bytes):
        """Another, mined transaction spends the inputs of this one."""
        with self._lock:
            shown = json.loads(transaction)
            self.mempool.pop(shown["txid"], None)
            for output in map(tuple, shown["inputs"]):
                self.spent_by[output] = "another"
                self.unspent.pop(output, None)

    # -- HTTP ---------------------------------------------------------------------------------

    def _handler(node):     # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                login = base64.b64encode(f"{node.user}:{node.password}".encode()).decode()
                if self.headers["Authorization"] != f"Basic {login}":
                    return self.answer(401, b"")
                node.gate.wait(60)
                try:
                    status, body = node.answer(request["method"], request["params"])
                except Cut:
                    self.close_connection = True
                    return None
                self.answer(status, json.dumps(body | {"id": request["id"]}, default=str).encode())

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass
        return Handler

    def answer(self, method, params):
        self.calls.append(method)
        try:
            if method in self.before:
                self.before[method](*params)
            with self._lock:
                result = getattr(self, method)(*params)
            if method in self.after:
                changed = self.after[method](result)
                result = result if changed is None else changed
        except Refusal as error:
            return 500, {"result": None, "error": {"code": error.code, "message": str(error)}}
        return 200, {"result": result, "error": None}

    # -- the calls ----------------------------------------------------------------------------

    def getblockchaininfo(self):
        if self.mines:
            self.mine()
        return {"chain": self.chain_name, "initialblockdownload": self.downloading}

    def getbalances(self):
        return {"mine": {"trusted": sum((amount for output, amount in self.unspent.items()
                                         if output not in self.locked), Decimal(0))}}

    def validateaddress(self, address):
        if not address.startswith("L"):
            return {"isvalid": False}
        # As with two spellings of one address: upper case pays the same script.
        return {"isvalid": True, "scriptPubKey": address.lower().encode().hex()}

    def getrawchangeaddress(self):
        self.made += 1
        return f"Lchange{self.made}"

    def createrawtransaction(self, inputs, outputs):
        listed = [(address, amount) for output in outputs for address, amount in output.items()]
        if len({address.lower() for address, _ in listed}) < len(listed):
            raise Refusal(-8, "Invalid parameter, duplicated address")
        return packed({"inputs": inputs, "outputs": listed})

    def fundrawtransaction(self, transaction, options):
        shown = unpacked(transaction)
        amounts = [Decimal(amount) for _, amount in shown["outputs"]]
        if min(amounts) < DUST:
            raise Refusal(-4, "Transaction amount too small")
        left = sum(amounts) + FEE
        for output, amount in self.unspent.items():
            if left > 0 and output not in self.locked:
                shown["inputs"].append(output)
                left -= amount
        if left > 0:
            raise Refusal(-4, "Insufficient funds")
        if left < 0:
            shown["outputs"].insert(0, (options["changeAddress"], f"{-left:.8f}"))
        if options["lockUnspents"]:
            self.locked.update(shown["inputs"])
        return {"hex": packed(shown), "fee": FEE, "changepos": 0 if left < 0 else -1}

    def signrawtransactionwithwallet(self, transaction):
        shown = unpacked(transaction)
        self.made += 1
        shown["txid"] = hashlib.sha256(f"{self.made} {transaction}".encode()).hexdigest()
        return {"hex": packed(shown), "complete": True}

    def decoderawtransaction(self, transaction):
        shown = unpacked(transaction)
        return {"txid": shown.get("txid", "0" * 64),
                "vin": [{"txid": txid, "vout": vout} for txid, vout in shown["inputs"]],
                "vout": [{"value": Decimal(amount),
                          "scriptPubKey": {"hex": address.lower().encode().hex()}}
                         for address, amount in shown["outputs"]]}

    def testmempoolaccept(self, transactions):
        shown = unpacked(transactions[0])
        missing = not all(tuple(output) in self.unspent for output in shown["inputs"])
        return [{"txid": shown["txid"], "allowed": not missing} | (
            {"reject-reason": "missing-inputs"} if missing else {})]

    def sendrawtransaction(self, transaction):
        shown = unpacked(transaction)
        txid = shown["txid"]
        if txid in self.mempool:
            return txid
        if txid in self.mined:
            raise Refusal(-27, "Transaction already in block chain")
        inputs = [tuple(output) for output in shown["inputs"]]
        if not all(output in self.unspent for output in inputs):
            raise Refusal(-25, "bad-txns-inputs-missingorspent")
        for output in inputs:
            del self.unspent[output]
            self.locked.discard(output)
            self.spent_by[output] = txid
        for vout, (address, amount) in enumerate(shown["outputs"]):
            if address.startswith("Lchange"):
                self.unspent[txid, vout] = self.all_outputs[txid, vout] = Decimal(amount)
        self.mempool[txid] = shown
        return txid

    def gettransaction(self, txid):
        if txid in self.mempool:
            return {"confirmations": 0}
        if txid in self.mined:
            return {"confirmations": self.height - self.mined[txid][0] + 1}
        raise Refusal(NO_SUCH, "Invalid or non-wallet transaction id")

    def getmempoolentry(self, txid):
        if txid not in self.mempool:
            raise Refusal(NO_SUCH, "Transaction not in mempool")
        return {}

    def listlockunspent(self):
        return [{"txid": txid, "vout": vout} for txid, vout in sorted(self.locked)]

    def lockunspent(self, unlock, outputs):
        named = {(output["txid"], output["vout"]) for output in outputs}
        if unlock and not named <= self.locked:
            raise Refusal(-8, "Invalid parameter, expected locked output")
        if not unlock and not named <= self.unspent.keys():
            raise Refusal(-8, "Invalid parameter, expected unspent output")
        self.locked = self.locked - named if unlock else self.locked | named
        return True

    def _undo(self, shown):
        for output in map(tuple, shown["inputs"]):
            self.unspent[output] = self.all_outputs[output]
        for vout in range(len(shown["outputs"])):
            self.unspent.pop((shown["txid"], vout), None)

    def payments(self) -> dict[str, list]:
        """All that was ever paid and stands: address -> [(txid, amount)], change left out."""
        found = defaultdict(list)
        with self._lock:
            addresses = {address for shown in [*self.mempool.values(), *(
                one for _, one in self.mined.values())] for address, _ in shown["outputs"]}
        for address in addresses:
            if not address.startswith("Lchange"):
                found[address] = self.paid(address)
        return dict(found)


def packed(shown) -> str:
    return json.dumps(shown).encode().hex()


def unpacked(transaction) -> dict:
    shown = json.loads(bytes.fromhex(transaction))
    return shown | {"inputs": [tuple(output) for output in shown["inputs"]]}
