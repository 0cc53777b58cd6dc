"""The chains that the pool mines: difficulty, subsidy, fees, and the day's blocks."""

import re

from engine.codes import Kind, Result
from engine.handlers.checks import AMOUNT_MAX, is_amount
from pool.networks import BLOCKS_MAX, DIFFICULTY_SCALE

DIFFICULTY = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,18}))?")


def set_network(core, ts_ns, seq, args):
    """UNKNOWN_COIN, BAD_DIFFICULTY, BAD_SUBSIDY, BAD_FEE, BAD_BLOCKS, TOO_MANY_EPOCHS (65,536
    states of days that are not settled)."""
    coin, blocks = args["coin"], args.get("blocks_today")
    if core.coins.get(coin) is None:
        return Result.UNKNOWN_COIN
    difficulty = difficulty_of(args["difficulty"])
    if difficulty == 0:
        return Result.BAD_DIFFICULTY
    if not is_amount(args["subsidy"]):
        return Result.BAD_SUBSIDY
    if not 0 <= args["fees_per_block"] <= AMOUNT_MAX:
        return Result.BAD_FEE
    if blocks is not None and not 0 <= blocks <= BLOCKS_MAX:
        return Result.BAD_BLOCKS
    if not core.networks.has_room(coin):
        return Result.TOO_MANY_EPOCHS
    network = core.networks.set(coin, ts_ns, difficulty, args["subsidy"], args["fees_per_block"],
                                blocks)
    core.workers.set_epoch(coin, network.epoch)
    return Result.OK


def difficulty_of(text: str) -> int:
    """A decimal in 10^-18; 0 for what is none."""
    found = DIFFICULTY.fullmatch(text)
    if found is None:
        return 0
    whole, behind = found.groups(default="")
    return int(whole + behind.ljust(DIFFICULTY_SCALE, "0"))


HANDLERS = {
    Kind.SET_NETWORK: set_network,
}
FIELDS = {
    Kind.SET_NETWORK: {"coin": int, "difficulty": str, "subsidy": int, "fees_per_block": int,
                       "blocks_today": int | None},
}
