"""The cold commands of mining: settings, wallets, force, claims, sign-ins.

Each function checks, in the order of its lines, and only then changes something. What a miner has
yielded is not kept: it is summed up, in fractions, from all that happened to it (`Miner.ready`).
"""

from collections.abc import Callable

from engine.codes import HouseAccount, Result
from tests.model import commands
from tests.model.money import AMOUNT_MAX, is_amount
from tests.model.state import Miner, Mining, person

DAY_NS = 86_400 * 1_000_000_000


def set_mining(model, c: commands.SetMining) -> tuple[int, object]:
    if c.coin not in model.coins:
        return Result.UNKNOWN_COIN, None
    if model.mining is not None and model.mining.coin != c.coin:
        return Result.MINING_COIN_FIXED, None
    if not 0 <= c.rate <= AMOUNT_MAX:
        return Result.BAD_RATE, None
    if not is_amount(c.force_price):
        return Result.BAD_AMOUNT, None
    if not (0 <= c.sign_in_force <= AMOUNT_MAX and 0 <= c.initial_force <= AMOUNT_MAX):
        return Result.BAD_FORCE, None
    model.mining = Mining(c.coin, c.rate, c.force_price, c.sign_in_force, c.initial_force)
    for miner in model.miners.values():
        miner.note(model.ts_ns, rate=c.rate)
    return Result.OK, None


def open_wallet(model, c: commands.OpenWallet) -> tuple[int, object]:
    if model.mining is None:
        return Result.NO_MINING, None
    if person(model, c.uid) is None:
        return Result.UNKNOWN_USER, None
    miner = miner_of(model, c.uid)
    if miner is None:
        miner = Miner(len(model.miners) + 1, c.uid, model.ts_ns)
        miner.note(model.ts_ns, force=model.mining.initial_force, rate=model.mining.rate)
        model.miners[miner.number] = miner
    return Result.OK, miner.number


def miner_of(model, uid: int) -> Miner | None:
    return next((miner for miner in model.miners.values() if miner.uid == uid), None)


def of_own_wallet(act: Callable) -> Callable:
    """A command of somebody who must have a wallet: `act` gets the command and the miner."""
    def handle(model, c) -> tuple[int, object]:
        if model.mining is None:
            return Result.NO_MINING, None
        if c.uid not in model.users:
            return Result.UNKNOWN_USER, None
        miner = miner_of(model, c.uid)
        if miner is None:
            return Result.UNKNOWN_WALLET, None
        return act(model, c, miner)

    return handle


@of_own_wallet
def transfer_ore(model, c: commands.TransferOre, miner: Miner) -> tuple[int, object]:
    if c.wallet not in model.miners:
        return Result.UNKNOWN_WALLET, None
    if not is_amount(c.amount):
        return Result.BAD_AMOUNT, None
    if c.wallet == miner.number:
        return Result.SAME_ACCOUNT, None
    if c.amount > model.money.wallets[c.uid]:
        return Result.NOT_ENOUGH_MONEY, None
    model.money.wallets[c.uid] -= c.amount
    model.money.wallets[model.miners[c.wallet].uid] += c.amount
    return Result.OK, None


@of_own_wallet
def extract_ore(model, c: commands.ExtractOre, miner: Miner) -> tuple[int, object]:
    if c.wallet is not None and c.wallet not in model.miners:
        return Result.UNKNOWN_WALLET, None
    if not is_amount(c.amount):
        return Result.BAD_AMOUNT, None
    if c.amount > model.money.wallets[c.uid]:
        return Result.NOT_ENOUGH_MONEY, None
    receiver = c.uid if c.wallet is None else model.miners[c.wallet].uid
    model.money.wallets[c.uid] -= c.amount
    model.money.available[receiver, model.mining.coin] += c.amount
    return Result.OK, {"uid": receiver, "coin": model.mining.coin}


@of_own_wallet
def buy_force(model, c: commands.BuyForce, miner: Miner) -> tuple[int, object]:
    if not is_amount(c.force):
        return Result.BAD_FORCE, None
    cost = c.force * model.mining.force_price
    # Chosen: a cost beyond 63 bits first, though nobody has as much.
    if cost > AMOUNT_MAX:
        return Result.AMOUNT_TOO_LARGE, None
    if cost > model.money.wallets[c.uid]:
        return Result.NOT_ENOUGH_MONEY, None
    if miner.force + c.force > AMOUNT_MAX:
        return Result.AMOUNT_TOO_LARGE, None
    model.money.wallets[c.uid] -= cost
    model.money.house[HouseAccount.FEES, model.mining.coin] += cost
    miner.note(model.ts_ns, force=miner.force + c.force)
    return Result.OK, miner.force


@of_own_wallet
def claim_ore(model, c: commands.ClaimOre, miner: Miner) -> tuple[int, object]:
    if not is_amount(c.amount):
        return Result.BAD_AMOUNT, None
    ready = miner.ready(model.ts_ns)
    if c.amount > ready:
        return Result.NOT_ENOUGH_ORE, None
    if not model.money.issue(model.mining.coin, c.amount, HouseAccount.ISSUANCE):
        return Result.AMOUNT_TOO_LARGE, None
    model.money.wallets[c.uid] += c.amount
    miner.note(model.ts_ns, claimed=c.amount)
    if ready == AMOUNT_MAX:
        model.happened["claimed", "from 2^63 - 1", ""] += 1
    model.happened["claimed", "all to the unit" if c.amount == ready else "a part", ""] += 1
    return Result.OK, None


@of_own_wallet
def sign_in(model, c: commands.SignIn, miner: Miner) -> tuple[int, object]:
    if abs(c.day - model.ts_ns // DAY_NS) > 1:
        return Result.BAD_DAY, None
    if miner.signed_day is not None and c.day <= miner.signed_day:
        return Result.SIGNED_IN_ALREADY, None
    if miner.force + model.mining.sign_in_force > AMOUNT_MAX:
        return Result.AMOUNT_TOO_LARGE, None
    miner.signed_day = c.day
    miner.note(model.ts_ns, force=miner.force + model.mining.sign_in_force)
    return Result.OK, miner.force


HANDLERS = {
    commands.SetMining: set_mining,
    commands.OpenWallet: open_wallet,
    commands.TransferOre: transfer_ore,
    commands.ExtractOre: extract_ore,
    commands.BuyForce: buy_force,
    commands.ClaimOre: claim_ore,
    commands.SignIn: sign_in,
}
