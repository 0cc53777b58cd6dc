"""Commands of a workload about shares and networks: batches of a few workers, whose names come
again; sources that send a batch once more; chains whose state changes.
"""

from tests.model.cold_shares import LAST_S
from tests.model.commands import AddShares, Malformed, SetNetwork, SetWorkerGroup
from tests.model.money import AMOUNT_MAX
from tests.model.workload_accounts import odd_or

NAMES = [*(b"rig%d" % number for number in range(8)), "矿机1号".encode(), b"x" * 24, b"y" * 64]
ODD_NAMES = (b"", b"x" * 65, b"a\x1f", b"\x80", b"\xc3(", "c1\x80".encode())
ONE = 1 << 16
# Of shares, in 2^-16; no worker has two of the last one in a day.
DIFFICULTIES = (ONE, 1_024 * ONE, 65_536 * ONE, 3, 5 * ONE // 2, (1 << 40) * ONE, 1 << 63)
DIFFICULTY_WEIGHTS = (30, 30, 30, 3, 3, 3, 1)
NETWORK_DIFFICULTIES = ("1", "16307420938523.983", "0.000000000000000001",
                        "9" * 20 + "." + "9" * 18)
ODD_DIFFICULTIES = ("0", "", "1.", ".5", "-1", "1e5", "1" * 21, "1." + "1" * 19, "١", "1\n", "0.0")
MINED_COINS = (1, 2, 3)
SOURCES = (1, 2, 65_535)


def opening() -> list:
    return [SetNetwork(1, "16307420938523.983", 625_000_000, 12_345_678)]


def any_account(workload) -> int:
    """Mostly the favorite; seldom a number that is no sub-account's."""
    choose = workload.random
    numbers = list(workload.model.accounts)
    if choose.random() < 0.03:
        return choose.choice((0, 1, 2**32 - 1, len(workload.model.users) + 2))
    return numbers[0] if choose.random() < 0.6 else choose.choice(numbers)


def add_shares(workload) -> AddShares:
    choose = workload.random
    now_s = workload.ts_ns // 10**9
    odd_names = ODD_NAMES if choose.random() < 0.4 else NAMES
    names = [(any_account(workload), odd_or(workload, choose.choice(NAMES), *odd_names))
             for _ in range(choose.choice((1, 1, 2, 5)))]
    rows = [row(workload, len(names), now_s) for _ in range(choose.choice((1, 2, 6)))]
    if choose.random() < 0.02:
        rows = []
    source = choose.choice((0, 0, *SOURCES))
    last = workload.model.share_batches.get(source, 0)
    number = odd_or(workload, last + choose.choice((1, 1, 2, 1_000)), last, 1, 0)
    return AddShares(names, rows, source, number if source else odd_or(workload, 0, 1))


def row(workload, names: int, now_s: int) -> tuple:
    choose = workload.random
    accepted = choose.choice((0, 1, 1, choose.randint(1, 50)))
    rejected = choose.choice((0, 0, 0, 1, choose.randint(1, 50)))
    difficulty = choose.choices(DIFFICULTIES, DIFFICULTY_WEIGHTS)[0]
    if difficulty == DIFFICULTIES[-1]:
        accepted, rejected = choose.choice(((1, 0), (0, 1), (1, 1), (2, 0)))
    elif accepted == rejected == 0 and choose.random() < 0.8:
        accepted = 1
    age_s = choose.choice((0, 0, 0, choose.randint(0, 600), choose.randint(-60, 0)))
    coin = choose.choice(list(workload.model.networks) or [1])
    at_s = min(now_s - age_s, LAST_S)
    fields = [choose.randrange(names), coin, accepted, rejected, difficulty, at_s]
    if choose.random() < 0.03:
        at, value = choose.choice((
            (0, names), (0, 2**32 - 1), (1, 0), (1, workload.COINS), (1, 1_001), (1, 65_535),
            (2, 2**32 - 1), (4, 0), (4, 2**64 - 1), (5, 0), (5, min(now_s - 601, LAST_S)),
            (5, min(now_s + 61, LAST_S))))
        fields[at] = value
    return tuple(fields)


def broken_shares(workload) -> Malformed:
    """A record that is no whole batch: its head is true, what follows is cut, or longer."""
    choose = workload.random
    batch = AddShares([(any_account(workload), b"rig1")],
                      [(0, 1, 1, 0, ONE, 0)]).encode()[4:]
    body = choose.choice((
        batch[:choose.randrange(4, len(batch), 8)], batch + bytes(8),
        batch[:12] + choose.randbytes(8) + batch[20:]))
    size = 4 + len(body)
    return Malformed(size.to_bytes(4, "little") + body)


def set_network(workload) -> SetNetwork:
    """Mostly with other fees and one more block; each change of difficulty is an epoch."""
    choose = workload.random
    coin = choose.choice(MINED_COINS)
    chain = workload.model.networks.get(coin)
    day = workload.ts_ns // (86_400 * 10**9)
    blocks = len(chain.blocks.get(day, ())) if chain else 0
    last = chain.states[-1] if chain else None
    difficulty = choose.choice(NETWORK_DIFFICULTIES)
    if last is not None and choose.random() < 0.7:
        difficulty = text_of(last.difficulty)
    subsidy = last.subsidy if last and choose.random() < 0.9 else choose.choice((1, AMOUNT_MAX))
    command = SetNetwork(coin, difficulty, subsidy, choose.choice((0, 10**6, 10**7, AMOUNT_MAX)),
                         choose.choice((None, blocks, blocks + 1, blocks + 3, blocks // 2, 0)))
    if choose.random() < 0.3:
        field, values = choose.choice((
            ("coin", (0, workload.COINS + 1, -1)), ("difficulty", ODD_DIFFICULTIES),
            ("subsidy", (0, -1, AMOUNT_MAX + 1)), ("fees_per_block", (-1, AMOUNT_MAX + 1)),
            ("blocks_today", (-1, 1_000_001))))
        setattr(command, field, choose.choice(values))
    return command


def text_of(difficulty) -> str:
    """A Fraction that came from a decimal, once more as that."""
    whole, behind = divmod(int(difficulty * 10**18), 10**18)
    return f"{whole}.{behind:018}"


def set_worker_group(workload) -> SetWorkerGroup:
    choose, model = workload.random, workload.model
    account = any_account(workload)
    groups = list(model.accounts[account].groups) if account in model.accounts else []
    own = [worker.name for worker in model.workers.workers.values() if worker.account == account]
    names = choose.sample(own, min(len(own), choose.choice((1, 2, 5)))) or ["nobody"]
    if choose.random() < 0.15:
        names = choose.choice(([], [1], ["rig1", None], ["nobody"], names + ["nobody"],
                               names * 10_001, names + names))
    return SetWorkerGroup(account, odd_or(workload, choose.choice((0, *groups[:4], *groups[:4])),
                                          -1, 2**40), names)


MAKERS = ((add_shares, 4), (broken_shares, 0.3), (set_network, 1), (set_worker_group, 1))
