"""Mining: its settings, wallets, what miners yield and what it buys.

A wallet and a miner are opened together, for one user, under one number. Ore enters a wallet when
it is claimed (from ISSUANCE), leaves it for another wallet, the exchange balance or the house
(FEES), and never enters one from an exchange balance. A posting that fails although it was checked
means that the books are wrong: Halt.
"""

from engine.codes import HouseAccount, Kind, Result
from engine.handlers.checks import AMOUNT_MAX, is_amount
from engine.handlers.money import posted
from pool.views import Settings

DAY_NS = 86_400 * 1_000_000_000


def set_mining(core, ts_ns, seq, args):
    """UNKNOWN_COIN, MINING_COIN_FIXED, BAD_RATE, BAD_AMOUNT (the price of force), BAD_FORCE (what
    a sign-in or a new miner has)."""
    coin, mining = core.coins.get(args["coin"]), core.miners.settings
    if coin is None:
        return Result.UNKNOWN_COIN
    if mining is not None and coin.number != mining.coin:
        return Result.MINING_COIN_FIXED
    if not 0 <= args["rate"] <= AMOUNT_MAX:
        return Result.BAD_RATE
    if not is_amount(args["force_price"]):
        return Result.BAD_AMOUNT
    if not 0 <= args["sign_in_force"] <= AMOUNT_MAX or not 0 <= args["initial_force"] <= AMOUNT_MAX:
        return Result.BAD_FORCE
    core.accounts.open_wallets(coin.number)
    core.miners.set_settings(Settings(coin.number, args["rate"], args["force_price"],
                                      args["sign_in_force"], args["initial_force"]), ts_ns)
    return Result.OK


def open_wallet(core, ts_ns, seq, args):
    """NO_MINING, UNKNOWN_USER."""
    if core.miners.settings is None:
        return Result.NO_MINING
    if not core.users.is_person(args["uid"]):
        return Result.UNKNOWN_USER
    own = core.miners.of_user(args["uid"])
    return Result.OK, core.miners.open(args["uid"], ts_ns) if own is None else own.number


def transfer_ore(core, ts_ns, seq, args):
    """NO_MINING, UNKNOWN_USER, UNKNOWN_WALLET (the own, then the other), BAD_AMOUNT, SAME_ACCOUNT,
    NOT_ENOUGH_MONEY."""
    refused, own = named(core, args)
    if refused is not None:
        return refused
    other = core.miners.get(args["wallet"])
    if other is None:
        return Result.UNKNOWN_WALLET
    if not is_amount(args["amount"]):
        return Result.BAD_AMOUNT
    if other.number == own.number:
        return Result.SAME_ACCOUNT
    coin = core.miners.settings.coin
    if not core.accounts.move_wallet(own.uid, other.uid, coin, args["amount"]):
        return Result.NOT_ENOUGH_MONEY
    return Result.OK


def extract_ore(core, ts_ns, seq, args):
    """NO_MINING, UNKNOWN_USER, UNKNOWN_WALLET (the own, then the other), BAD_AMOUNT,
    NOT_ENOUGH_MONEY."""
    refused, own = named(core, args)
    if refused is not None:
        return refused
    other = own if args.get("wallet") is None else core.miners.get(args["wallet"])
    if other is None:
        return Result.UNKNOWN_WALLET
    if not is_amount(args["amount"]):
        return Result.BAD_AMOUNT
    coin = core.miners.settings.coin
    if not core.accounts.extract(own.uid, other.uid, coin, args["amount"]):
        return Result.NOT_ENOUGH_MONEY
    return Result.OK, {"uid": other.uid, "coin": coin}


def buy_force(core, ts_ns, seq, args):
    """NO_MINING, UNKNOWN_USER, UNKNOWN_WALLET, BAD_FORCE, AMOUNT_TOO_LARGE (the cost),
    NOT_ENOUGH_MONEY, AMOUNT_TOO_LARGE (the force after it)."""
    refused, own = named(core, args)
    if refused is not None:
        return refused
    if not is_amount(args["force"]):
        return Result.BAD_FORCE
    mining = core.miners.settings
    cost = args["force"] * mining.force_price
    if cost > AMOUNT_MAX:
        return Result.AMOUNT_TOO_LARGE
    if cost > core.accounts.wallet(own.uid, mining.coin):
        return Result.NOT_ENOUGH_MONEY
    force = own.force + args["force"]
    if force > AMOUNT_MAX:
        return Result.AMOUNT_TOO_LARGE
    posted(core.accounts.debit_wallet(own.uid, mining.coin, cost, HouseAccount.FEES),
           "payment of force", args)
    core.miners.set_force(own.uid, force, ts_ns)
    return Result.OK, force


def claim_ore(core, ts_ns, seq, args):
    """NO_MINING, UNKNOWN_USER, UNKNOWN_WALLET, BAD_AMOUNT, NOT_ENOUGH_ORE, AMOUNT_TOO_LARGE (the
    coin's supply)."""
    refused, own = named(core, args)
    if refused is not None:
        return refused
    amount, coin = args["amount"], core.miners.settings.coin
    if not is_amount(amount):
        return Result.BAD_AMOUNT
    if amount > core.miners.claimable(own.uid, ts_ns):
        return Result.NOT_ENOUGH_ORE
    if not core.accounts.credit_wallet(own.uid, coin, amount, HouseAccount.ISSUANCE):
        return Result.AMOUNT_TOO_LARGE
    core.miners.claim(own.uid, amount, ts_ns)
    return Result.OK


def sign_in(core, ts_ns, seq, args):
    """NO_MINING, UNKNOWN_USER, UNKNOWN_WALLET, BAD_DAY, SIGNED_IN_ALREADY, AMOUNT_TOO_LARGE (the
    force after it)."""
    refused, own = named(core, args)
    if refused is not None:
        return refused
    # Time zones reach from UTC-12 to UTC+14: the day there is the day here or a neighbour.
    if abs(args["day"] - ts_ns // DAY_NS) > 1:
        return Result.BAD_DAY
    if own.signed_day is not None and args["day"] <= own.signed_day:
        return Result.SIGNED_IN_ALREADY
    force = own.force + core.miners.settings.sign_in_force
    if force > AMOUNT_MAX:
        return Result.AMOUNT_TOO_LARGE
    core.miners.sign_in(own.uid, args["day"])
    core.miners.set_force(own.uid, force, ts_ns)
    return Result.OK, force


def named(core, args):
    """(None, the Miner) of a command's user, or (its refusal, None): NO_MINING, UNKNOWN_USER,
    UNKNOWN_WALLET."""
    if core.miners.settings is None:
        return Result.NO_MINING, None
    if args["uid"] not in core.users:
        return Result.UNKNOWN_USER, None
    own = core.miners.of_user(args["uid"])
    return (Result.UNKNOWN_WALLET if own is None else None), own


HANDLERS = {
    Kind.SET_MINING: set_mining,
    Kind.OPEN_WALLET: open_wallet,
    Kind.TRANSFER_ORE: transfer_ore,
    Kind.EXTRACT_ORE: extract_ore,
    Kind.BUY_FORCE: buy_force,
    Kind.CLAIM_ORE: claim_ore,
    Kind.SIGN_IN: sign_in,
}
FIELDS = {
    Kind.SET_MINING: {"coin": int, "rate": int, "force_price": int, "sign_in_force": int,
                      "initial_force": int},
    Kind.OPEN_WALLET: {"uid": int},
    Kind.TRANSFER_ORE: {"uid": int, "wallet": int, "amount": int},
    Kind.EXTRACT_ORE: {"uid": int, "amount": int, "wallet": int | None},
    Kind.BUY_FORCE: {"uid": int, "force": int},
    Kind.CLAIM_ORE: {"uid": int, "amount": int},
    Kind.SIGN_IN: {"uid": int, "day": int},
}
