"""Miners as the text describes them: nothing is ever settled. What a miner has yielded is worked
out again each time, in fractions, from all that has happened to it; the rank is sorted each time.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from pool.views import Miner, Settings
from pool.wallet_addresses import address_of

AMOUNT_MAX = 2**63 - 1


@dataclass
class PlainMiner:
    uid: int
    opened_ns: int
    force: int
    claimed: int = 0
    signed_day: int | None = None
    # (until_ns, force, rate) of a time that is over, or a claim's units
    past: list[tuple[int, int, int] | int] = field(default_factory=list)

    def left(self, force: int, rate: int, ts_ns: int) -> Fraction:
        """What could be claimed at a moment, parts of a unit included."""
        units, since_ns = Fraction(0), self.opened_ns
        for entry in (*self.past, (ts_ns, force, rate)):
            if isinstance(entry, int):
                units -= entry
                continue
            until_ns, force_then, rate_then = entry
            units += Fraction(force_then * (until_ns - since_ns) * rate_then, 10**18)
            units, since_ns = min(units, Fraction(AMOUNT_MAX)), until_ns
        return units


class PlainMiners:
    """The same calls as pool.ore.Miners, for the tests that give both the same."""

    def __init__(self):
        self.settings: Settings | None = None
        self.miners: list[PlainMiner] = []

    def set_settings(self, settings: Settings, ts_ns: int) -> None:
        for miner in self.miners:
            miner.past.append((ts_ns, miner.force, self.settings.rate))
        self.settings = settings

    def open(self, uid: int, ts_ns: int) -> int:
        self.miners.append(PlainMiner(uid, ts_ns, self.settings.initial_force))
        return len(self.miners)

    def set_force(self, uid: int, force: int, ts_ns: int) -> None:
        miner = self.find(uid)
        miner.past.append((ts_ns, miner.force, self.settings.rate))
        miner.force = force

    def claim(self, uid: int, amount: int, ts_ns: int) -> None:
        miner = self.find(uid)
        miner.past += [(ts_ns, miner.force, self.settings.rate), amount]
        miner.claimed += amount

    def sign_in(self, uid: int, day: int) -> None:
        self.find(uid).signed_day = day

    def find(self, uid: int) -> PlainMiner | None:
        return next((miner for miner in self.miners if miner.uid == uid), None)

    def claimable(self, uid: int, ts_ns: int) -> int:
        miner = self.find(uid)
        return int(miner.left(miner.force, self.settings.rate, ts_ns))

    def of_user(self, uid: int) -> Miner | None:
        return next((view for view in self.views() if view.uid == uid), None)

    def views(self) -> list[Miner]:
        return [Miner(number, miner.uid, miner.force, miner.opened_ns, miner.claimed,
                      miner.signed_day, address_of(number))
                for number, miner in enumerate(self.miners, 1)]

    def rank(self, count: int) -> list[Miner]:
        return sorted(self.views(), key=lambda view: (-view.force, view.number))[:count]
