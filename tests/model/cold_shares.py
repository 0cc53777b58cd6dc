"""Shares and networks: batches of shares, the chains that are mined, the groups of workers.

Every share is kept (tests/pool/plain_workers), every state of a chain, every block by itself. Each
function checks, in the order of its lines, and only then changes something.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction

from engine.codes import Result
from tests.model import commands
from tests.model.money import AMOUNT_MAX, is_amount
from tests.pool.plain_workers import DAY_S, PlainWorker, PlainWorkers

DAY_NS = DAY_S * 10**9
WORK_MAX = 2**64 - 1              # of a worker in a day, accepted or rejected
EPOCHS_MAX = 4_096                # coins' days and epochs with work
KEPT_DAYS = 32                    # one more than is shown
LATE_MAX_S, AHEAD_MAX_S = 600, 60
LAST_S = 2**32 - 1                # no share has a later time
BLOCKS_MAX = 1_000_000
DIGITS = frozenset("0123456789")


@dataclass(slots=True)
class ChainState:
    """What holds from a time on."""
    start_ns: int
    epoch: int
    difficulty: Fraction
    subsidy: int                  # units a block
    fees_per_block: int           # units


@dataclass(slots=True)
class Chain:
    """A coin's states, oldest first; of each day's blocks (subsidy, fees) in units."""
    states: list[ChainState] = field(default_factory=list)
    blocks: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def in_force(self, day: int) -> list[tuple]:
        """(from ns, to ns, epoch, difficulty, subsidy, fees) of a day's times, as states held."""
        found = []
        for at, state in enumerate(self.states):
            start_ns = max(state.start_ns, day * DAY_NS)
            end_ns = (day + 1) * DAY_NS
            if at + 1 < len(self.states):
                end_ns = min(end_ns, self.states[at + 1].start_ns)
            if start_ns < end_ns:
                found.append((start_ns, end_ns, state.epoch, state.difficulty, state.subsidy,
                              state.fees_per_block))
        return joined(found)


def joined(periods: list[tuple]) -> list[tuple]:
    """Periods of states, one behind the other, without the limits at which nothing changes."""
    found: list[tuple] = []
    for period in periods:
        if found and found[-1][1] == period[0] and found[-1][2:] == period[2:]:
            period = (found.pop()[0], *period[1:])
        found.append(period)
    return found


def forget_old_shares(workers: PlainWorkers) -> None:
    """Drop those that are shown nowhere any more."""
    limit_s = (workers.minute // 1_440 - KEPT_DAYS) * DAY_S
    workers.shares = [share for share in workers.shares if share.at_s >= limit_s]


def recent(workers: PlainWorkers, seconds: int) -> PlainWorkers:
    """With the shares of the last seconds only: as good for what looks at no others."""
    limit_s = workers.minute * 60 - seconds
    return replace(workers, shares=[share for share in workers.shares if share.at_s >= limit_s])


# Shares

def add_shares(model, c: commands.AddShares) -> tuple:
    """A whole result: a refusal has the place of what is wrong, OK the number of rows."""
    if (c.source == 0) != (c.number == 0):
        return answered(Result.BAD_COMMAND)
    if c.source != 0 and c.number <= model.share_batches.get(c.source, 0):
        model.happened["shares", "repeated", ""] += 1
        return answered(Result.OK, duplicate=1)
    ts_s = min(model.ts_ns // 10**9, LAST_S)
    code, place = refusal(model, c, ts_s)
    if code != Result.OK:
        return answered(code, place)
    if model.ts_ns // 10**9 > LAST_S:
        return answered(Result.BAD_TIME)
    had = len(model.workers.workers)
    model.workers.advance(ts_s)
    model.happened["workers", "silent for 30 days", ""] += had - len(model.workers.workers)
    model.workers.take(text_names(c), c.rows, ts_s)
    forget_old_shares(model.workers)
    if c.source != 0:
        model.share_batches[c.source] = c.number
    return answered(Result.OK, len(c.rows))


def answered(code: int, count: int = 0, duplicate: int = 0) -> tuple:
    return (int(code), 0, duplicate, count, 0, 0, 0)


def text_names(c: commands.AddShares) -> list[tuple[int, str]]:
    return [(account, name.decode()) for account, name in c.names]


def refusal(model, c: commands.AddShares, ts_s: int) -> tuple[int, int]:
    """(code, place) of a batch that is framed well."""
    if not c.rows:
        return Result.BAD_COMMAND, 0
    for place, (account, name) in enumerate(c.names):
        if not is_worker_name(name):
            return Result.BAD_NAME, place
        if account not in model.accounts:
            return Result.UNKNOWN_ACCOUNT, place
    for place, row in enumerate(c.rows):
        code = row_refusal(model, c, row, ts_s)
        if code != Result.OK:
            return code, place
    if epochs_with(model, c, ts_s) > EPOCHS_MAX:
        return Result.TOO_MANY_EPOCHS, 0
    return Result.AMOUNT_TOO_LARGE if is_too_much(model, c, ts_s) else Result.OK, 0


def is_worker_name(name: bytes) -> bool:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return False
    return 1 <= len(name) <= 64 and not any(
        one < " " or "\x7f" <= one < "\xa0" for one in text)


def row_refusal(model, c: commands.AddShares, row: tuple, ts_s: int) -> int:
    name, coin, accepted, rejected, difficulty, at_s = row
    if name >= len(c.names):
        return Result.BAD_COMMAND
    if coin not in model.networks:
        return Result.NO_NETWORK
    if difficulty == 0:
        return Result.BAD_DIFFICULTY
    if accepted == rejected == 0:
        return Result.NO_SHARES
    if max(accepted, rejected) * difficulty > WORK_MAX:
        return Result.AMOUNT_TOO_LARGE
    if not ts_s - LATE_MAX_S <= at_s <= ts_s + AHEAD_MAX_S:
        return Result.BAD_TIME
    return Result.OK


def paid_day(model, coin: int, at_s: int, ts_s: int) -> int:
    day = min(at_s, ts_s) // DAY_S
    return ts_s // DAY_S if day <= model.workers.closed.get(coin, -1) else day


def epochs_with(model, c: commands.AddShares, ts_s: int) -> int:
    """Sums of work by coin, day and epoch, those that the batch begins included."""
    keys = {key[:3] for key in model.workers.paid}
    return len(keys | {(coin, paid_day(model, coin, at_s, ts_s), model.workers.epochs[coin])
                       for _, coin, accepted, _, _, at_s in c.rows if accepted})


def is_too_much(model, c: commands.AddShares, ts_s: int) -> bool:
    """Whether a worker's day would exceed 64 bits; all that are new count as one."""
    workers = {(worker.account, worker.name): worker for worker in model.workers.workers.values()}
    names = [workers.get(name) for name in text_names(c)]
    days: dict[tuple, list[int]] = {}
    for name, _, accepted, rejected, difficulty, at_s in c.rows:
        worker, day = names[name], min(at_s, ts_s) // DAY_S
        key = id(worker), day
        if key not in days:
            before = [share for share in model.workers.shares
                      if share.worker is worker and share.at_s // DAY_S == day]
            days[key] = [sum(share.accepted for share in before),
                         sum(share.rejected for share in before)]
        days[key][0] += accepted * difficulty
        days[key][1] += rejected * difficulty
    return max(map(max, days.values())) > WORK_MAX


# Groups of workers

def set_worker_group(model, c: commands.SetWorkerGroup) -> tuple[int, object]:
    if c.account not in model.accounts:
        return Result.UNKNOWN_ACCOUNT, None
    if c.id != 0 and c.id not in model.accounts[c.account].groups:
        return Result.UNKNOWN_GROUP, None
    if not 1 <= len(c.workers) <= 10_000 or not all(isinstance(one, str) for one in c.workers):
        return Result.BAD_WORKERS, None
    own = workers_of(model, c.account)
    if not own.keys() >= set(c.workers):
        return Result.UNKNOWN_WORKER, None
    for name in c.workers:
        own[name].group = c.id
    return Result.OK, None


def workers_of(model, account: int) -> dict[str, PlainWorker]:
    return {worker.name: worker for worker in model.workers.workers.values()
            if worker.account == account}


def ungroup(model, account: int, group: int) -> None:
    """The group is gone: its workers are in none."""
    for worker in workers_of(model, account).values():
        if worker.group == group:
            worker.group = 0


# Networks

def set_network(model, c: commands.SetNetwork) -> tuple[int, object]:
    if c.coin not in model.coins:
        return Result.UNKNOWN_COIN, None
    if not is_difficulty(c.difficulty):
        return Result.BAD_DIFFICULTY, None
    if not is_amount(c.subsidy):
        return Result.BAD_SUBSIDY, None
    if not 0 <= c.fees_per_block <= AMOUNT_MAX:
        return Result.BAD_FEE, None
    if c.blocks_today is not None and not 0 <= c.blocks_today <= BLOCKS_MAX:
        return Result.BAD_BLOCKS, None
    chain = model.networks.setdefault(c.coin, Chain())
    epoch = chain.states[-1].epoch if chain.states else 1
    difficulty = Fraction(c.difficulty)
    if chain.states:
        epoch += (chain.states[-1].difficulty, chain.states[-1].subsidy) != (difficulty, c.subsidy)
    chain.states.append(
        ChainState(model.ts_ns, epoch, difficulty, c.subsidy, c.fees_per_block))
    if c.blocks_today is not None:
        blocks = chain.blocks.setdefault(model.ts_ns // DAY_NS, [])
        del blocks[c.blocks_today:]
        blocks += [(c.subsidy, c.fees_per_block)] * (c.blocks_today - len(blocks))
    model.workers.epochs[c.coin] = epoch
    return Result.OK, None


def is_difficulty(text: str) -> bool:
    whole, point, behind = text.partition(".")
    return (1 <= len(whole) <= 20 and DIGITS.issuperset(whole)
            and (not point or 1 <= len(behind) <= 18 and DIGITS.issuperset(behind))
            and Fraction(text) > 0)


HANDLERS = {
    commands.SetWorkerGroup: set_worker_group,
    commands.SetNetwork: set_network,
}
