"""Measures a house of many users: how fast they come in, what each weighs, how fast they are asked.

Each user comes as the dialects send it, in eight commands: a name with mail and password, a payment
password, a device, two profile fields, an address for withdrawals, a wallet with its miner, and
balances in two coins. All of it goes through `Core.apply`, in a process of its own; the commands
are encoded beside the clock.

Invariant: figures are reported only if every command was done, the house owes what was credited,
the rank begins with those who have signed in, and a loaded dump has the state hash of the core.
"""

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter_ns

from bench import venue
from bench.machine import in_fresh_process, one_core, resident_bytes, without_cycle_search
from bench.venue import Batch, WrongAnswer
from engine import commands
from engine.codes import HouseAccount, Kind
from engine.core import Core

USERS = 1_000_000
BATCH_USERS = 1_000
COIN, ORE = 1, 2                 # coin numbers
FUNDS = 10**9                    # units that each user gets of each coin
SIGN_INS = 10_000
RANK = 10
ROUNDS = 100
HASH_ROUNDS = 10
NS_PER_S = 10**9
# As long as argon2id hashes with the house's settings are.
PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "s" * 22 + "$" + "h" * 43


def run(count: int = USERS) -> dict:
    """The figures of a house of `count` users. Raises WrongAnswer."""
    return in_fresh_process(measure, count)


def measure(count: int) -> dict:
    with without_cycle_search(), one_core():
        core = Core()
        venue.apply(core, opening())
        before = resident_bytes()
        applied_ns, applied = fill(core, count)
        grown = resident_bytes() - before
        figures = {
            "users": count, "commands": applied,
            "commands_per_s": applied * NS_PER_S // applied_ns,
            "bytes_per_user": round(grown / count),
        }
        figures |= ask(core, min(count, SIGN_INS))
        return figures | dump_and_load(core, count)


def opening() -> Batch:
    """Two coins, of which one is mined."""
    records = [
        commands.cold(Kind.ADD_COIN, {"name": name, "title": name, "type": "coin", "scale": 4})
        for name in ("COIN", "ORE")]
    records.append(commands.cold(Kind.SET_MINING, {
        "coin": ORE, "rate": NS_PER_S, "force_price": 100, "sign_in_force": 10,
        "initial_force": 100}))
    return Batch(1, len(records), b"".join(records))


def of_user(uid: int) -> Iterator[bytes]:
    """The commands by which one user comes in."""
    name = f"user-{uid}@example.org"
    yield commands.cold(Kind.REGISTER_USER, {
        "username": name, "email": name, "password_hash": PASSWORD_HASH, "group": 2})
    yield commands.cold(Kind.SET_PAY_PASSWORD, {"uid": uid, "password_hash": PASSWORD_HASH})
    yield commands.cold(Kind.BIND_DEVICE, {
        "uid": uid, "device_id": f"device-{uid:012}", "name": "phone", "os": "Android 14"})
    yield commands.cold(Kind.SET_PROFILE, {
        "uid": uid, "fields": {"mobile": f"+86{uid:011}", "country": "China"}})
    yield commands.cold(Kind.SET_WITHDRAW_ADDRESS, {
        "uid": uid, "coin": COIN, "address": f"address-{uid:026}"})
    yield commands.cold(Kind.OPEN_WALLET, {"uid": uid})
    for coin in (COIN, ORE):
        yield commands.cold(Kind.CREDIT_BALANCE, {
            "by": uid, "uid": uid, "coin": coin, "amount": FUNDS})


def fill(core: Core, count: int) -> tuple[int, int]:
    """Let so many users come in; (nanoseconds that the core took, commands)."""
    first_seq, elapsed_ns, applied = core.seq + 1, 0, 0
    for first in range(1, count + 1, BATCH_USERS):
        records = [record for uid in range(first, min(first + BATCH_USERS, count + 1))
                   for record in of_user(uid)]
        batch = Batch(first_seq + applied, len(records), b"".join(records))
        applied += len(records)
        begin = perf_counter_ns()
        venue.apply(core, batch)
        elapsed_ns += perf_counter_ns() - begin
    for coin in (COIN, ORE):
        if core.house(HouseAccount.EXTERNAL, coin) != -FUNDS * count:
            raise WrongAnswer(f"the house owes {core.house(HouseAccount.EXTERNAL, coin)}")
    if not len(core.users) == len(core.miners) == count:
        raise WrongAnswer(f"{len(core.users)} users and {len(core.miners)} miners")
    return elapsed_ns, applied


def ask(core: Core, sign_ins: int) -> dict:
    """What one question and one change of force take in the full house."""
    day = core.ts_ns // (86_400 * NS_PER_S)
    # Each passes all the others who have not signed in: the longest way up in the rank.
    uids = [len(core.users) - number for number in range(sign_ins)]
    changes = [Batch(core.seq + 1 + number, 1,
                     commands.cold(Kind.SIGN_IN, {"uid": uid, "day": day}))
               for number, uid in enumerate(uids)]
    change_ns = [timed(lambda: venue.apply(core, change)) for change in changes]
    wanted = sorted(uids)[:RANK]
    found = [miner.uid for miner in core.miners.rank(len(wanted))]
    if found != wanted:
        raise WrongAnswer(f"the strongest are {found}, not {wanted}")
    return {
        "force_change_us": median(change_ns) / 1_000,
        f"rank_of_{RANK}_us": median(
            timed(lambda: core.miners.rank(RANK)) for _ in range(ROUNDS)) / 1_000,
        "state_hash_ms": median(timed(core.state_hash) for _ in range(HASH_ROUNDS)) / 1_000_000,
    }


def dump_and_load(core: Core, count: int) -> dict:
    """What a snapshot takes, and a start from it."""
    begin = perf_counter_ns()
    dumped = core.dump()
    dumped_ns = perf_counter_ns()
    loaded = Core.load(dumped)
    loaded_ns = perf_counter_ns()
    if loaded.state_hash() != core.state_hash():
        raise WrongAnswer("the loaded core has another state")
    return {
        "dump_s": (dumped_ns - begin) / NS_PER_S,
        "dump_bytes_per_user": round(len(dumped) / count),
        "load_s": (loaded_ns - dumped_ns) / NS_PER_S,
    }


def timed(call: Callable[[], object]) -> int:
    """Nanoseconds of one call."""
    begin = perf_counter_ns()
    call()
    return perf_counter_ns() - begin
