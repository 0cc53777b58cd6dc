"""The other side of a network: a node over HTTP that has a chain of blocks and nothing else."""

from tests.api.nodes import Refusal, ScriptedNode

NO_METHOD = -32601
COIN = 10**8


class ChainServer(ScriptedNode):
    """Blocks are added with their times; `fork` gives some of them up. `speaks` says how the node
    tells what a block brought: `stats` (whole units), `coins` (decimals), `fees` (of each
    transaction), or `sums` (of the first transaction alone)."""

    def __init__(self, first_s, speaks="stats"):
        super().__init__()
        self.speaks = speaks
        self.next_difficulty = None
        self.blocks = []
        self.made = 0
        self.known = {}
        for number in range(12):
            self.add(first_s + 600 * number)

    def add(self, time_s, subsidy=625_000_000, fees=10_000_000, difficulty="1500.25"):
        """A block on top of the others; its hash."""
        self.made += 1
        block_hash = f"{self.made:064x}"
        times = sorted([time_s, *(block["time"] for block in self.blocks[-10:])])
        block = {
            "hash": block_hash, "time": time_s, "mediantime": times[len(times) // 2],
            "difficulty": float(difficulty), "subsidy": subsidy, "fees": fees}
        if self.blocks:
            block["previousblockhash"] = self.blocks[-1]["hash"]
        self.blocks.append(block)
        self.known[block_hash] = block
        return block_hash

    def fork(self, count):
        """The last blocks are of the chain no longer, though they are known."""
        del self.blocks[-count:]

    # -- the calls ----------------------------------------------------------------------------

    def getblockchaininfo(self):
        return {"chain": self.chain_name, "initialblockdownload": self.downloading,
                "bestblockhash": self.blocks[-1]["hash"]}

    def getmininginfo(self):
        shown = {"difficulty": self.blocks[-1]["difficulty"]}
        if self.next_difficulty is not None:
            shown["next"] = {"difficulty": self.next_difficulty}
        return shown

    def getblockheader(self, block_hash):
        return {name: value for name, value in self.known[block_hash].items()
                if name not in ("subsidy", "fees")}

    def getblockstats(self, block_hash, names):
        block = self.known[block_hash]
        if self.speaks == "stats":
            return {"subsidy": block["subsidy"], "totalfee": block["fees"]}
        if self.speaks == "coins":
            return {"subsidy": block["subsidy"] / COIN, "totalfee": block["fees"] / COIN}
        raise Refusal(NO_METHOD, "Method not found")

    def getblock(self, block_hash, verbosity):
        block = self.known[block_hash]
        total = {"vout": [{"value": (block["subsidy"] + block["fees"]) / COIN}, {"value": 0.0}]}
        fees = {"fee": block["fees"] / COIN} if self.speaks == "fees" else {}
        return {"hash": block_hash, "tx": [total, {"vout": [{"value": 1.0}]} | fees]}
