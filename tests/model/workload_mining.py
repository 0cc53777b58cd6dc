"""Commands of a workload about mining: settings, wallets, force, claims, sign-ins.

Only the miner of user 1 ever gets a force at the end of 63 bits: what the others yield stays small
enough to tell a unit more from a unit less. User 6 never has a wallet.
"""

from tests.model.cold_mining import DAY_NS, miner_of
from tests.model.commands import (
    BuyForce, ClaimOre, ExtractOre, OpenWallet, SetMining, SignIn, TransferOre,
)
from tests.model.money import AMOUNT_MAX

ORE = 6                   # coin number
GIANT = 1                 # uid
WITHOUT_WALLET = 6        # uid
READY_MAX = 10**12        # units that are claimed at once; all the supply must not be used up
FORCE_MAX = 10**7         # that a sign-in may add to any miner


def opening() -> list:
    """Each command before there is any mining, then the first settings and wallets."""
    return [
        OpenWallet(1), TransferOre(1, 1, 1), ExtractOre(1, 1), BuyForce(1, 1), ClaimOre(1, 1),
        SignIn(1, 0),
        SetMining(ORE, 3_333_333_333, 997, 10, 100), OpenWallet(3), OpenWallet(1),
    ]


def set_mining(workload) -> SetMining:
    choose = workload.random
    workload.mining_is_new = True
    giant = miner_of(workload.model, GIANT)
    to_the_end = AMOUNT_MAX - (giant.force if giant else 0)
    command = SetMining(
        ORE, choose.choice((0, 7, 3_333_333_333, 10**10, choose.randint(1, 10**10))),
        choose.choice((1, 10, 997, 10**6)),
        choose.choice((0, 10, 10, 123, 2**62, to_the_end - choose.randint(0, 50), AMOUNT_MAX)),
        choose.choice((0, 100, 100, 1_000)))
    field, value = choose.choice((
        ("coin", 1), ("coin", 0), ("coin", workload.COINS + 1), ("rate", -1), ("force_price", 0),
        ("force_price", AMOUNT_MAX), ("sign_in_force", -1), ("initial_force", -1)))
    if choose.random() < 0.45:
        setattr(command, field, value)
    return command


def open_wallet(workload) -> OpenWallet:
    uid = workload.user_or_odd()
    return OpenWallet(uid if uid != WITHOUT_WALLET else GIANT)


def in_wallet(workload, uid: int) -> int:
    """Some of the ore in a wallet; or an odd amount."""
    choose = workload.random
    has = workload.model.money.wallets[uid]
    if choose.random() < 0.15:
        return choose.choice((0, -1, has, has + 1, AMOUNT_MAX))
    return choose.randint(1, max(1, has // choose.choice((1, 2, 100))))


def wallet_or_odd(workload) -> int:
    return workload.random.randint(0 if workload.random.random() < 0.1 else 1,
                                   len(workload.model.miners) + 1)


def transfer_ore(workload) -> TransferOre:
    uid = workload.user_or_odd()
    return TransferOre(uid, wallet_or_odd(workload), in_wallet(workload, uid))


def extract_ore(workload) -> ExtractOre:
    uid = workload.user_or_odd()
    wallet = workload.random.choice((None, None, wallet_or_odd(workload)))
    return ExtractOre(uid, in_wallet(workload, uid), wallet)


def buy_force(workload) -> BuyForce:
    choose = workload.random
    uid = workload.user_or_odd()
    force = choose.choice((1, 2, choose.randint(1, 100), choose.randint(1, 100), 0, -1, 10**14))
    if choose.random() < 0.1:
        uid, force = GIANT, choose.choice((1, 100, AMOUNT_MAX // 997 + 1, AMOUNT_MAX))
    return BuyForce(uid, force)


def claim_ore(workload) -> ClaimOre:
    """Mostly a unit more or less than the miner has ready, or about that."""
    choose = workload.random
    uid = workload.user_or_odd()
    miner = miner_of(workload.model, uid)
    ready = miner.ready(workload.ts_ns) if miner else 0
    if ready > READY_MAX:
        small = choose.randint(1, 10**6)
        return ClaimOre(uid, choose.choice((small, small, AMOUNT_MAX)) if ready == AMOUNT_MAX
                        else small)
    return ClaimOre(uid, choose.choice((ready, ready, ready + 1, ready // 2, ready // 100, 1, 0,
                                        -1)))


def sign_in(workload) -> SignIn:
    choose = workload.random
    uid = workload.user_or_odd()
    # Settings of the same batch are not in the model yet.
    if uid in workload.model.users and (
            workload.mining_is_new or workload.model.mining.sign_in_force > FORCE_MAX):
        uid = GIANT
    today = workload.ts_ns // DAY_NS
    return SignIn(uid, today + choose.choice((-2, -1, 0, 0, 0, 0, 0, 0, 1, 2)))


MAKERS = (
    (set_mining, 0.4), (open_wallet, 0.5), (transfer_ore, 1), (extract_ore, 1), (buy_force, 1.2),
    (claim_ore, 3), (sign_in, 1.2),
)
