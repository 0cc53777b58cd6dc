"""What readers of the miners are given: plain tuples, detached from the arrays."""

from typing import NamedTuple


class Settings(NamedTuple):
    """What holds for all miners."""

    coin: int             # number of the mined coin
    rate: int             # 10^-9 units for one force and second
    force_price: int      # units for one force
    sign_in_force: int    # what a sign-in adds
    initial_force: int    # what a new miner has


class Miner(NamedTuple):
    """A miner and its wallet as they were when asked for."""

    number: int               # of both, from 1
    uid: int
    force: int
    opened_ns: int
    claimed: int              # units, all its claims together
    signed_day: int | None    # of the last sign-in, days since 1970-01-01; None: never
    address: str              # of the wallet
