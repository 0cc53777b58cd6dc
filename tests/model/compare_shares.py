"""Workers, shares and networks of the core against the model's; part of comparison.compare_state.

All names, counts, works and chains are compared each time; of speeds, which the model counts from
all shares anew, one account's, one coin's and everybody's, another one each time.
"""

from fractions import Fraction
from itertools import groupby

from pool.networks import DIFFICULTY_SCALE
from tests.model.cold_shares import DAY_NS, LAST_S, Chain, ChainState, recent
from tests.pool.plain_workers import DAY_S, HOUR_S, PlainWorkers

RUNNING_MINUTES, STOPPED_HOURS = 10, 24
LOOKED_AHEAD_S = (0, 45, 700, 90_000)
DAY_AND_HOUR_S = DAY_S + 2 * HOUR_S
UNIT = 10**DIFFICULTY_SCALE


def compare_shares(core, model, require_equal) -> None:
    """`require_equal` is comparison's."""
    plain, now_s = model.workers, min(model.ts_ns // 10**9, LAST_S - LOOKED_AHEAD_S[-1])
    require_equal("minute of the workers", core.workers.minute, plain.minute)
    require_equal("number of workers", len(core.workers), len(plain.workers))
    require_equal("batches of shares", dict(core.share_sources.dump()), model.share_batches)
    for number, worker in plain.workers.items():
        require_equal(f"worker {number}", (
            core.workers.name_of(number), core.workers.account_of(number),
            core.workers.names.group_of(number), core.workers.names.last_at_s(number),
            core.workers.find(worker.account, worker.name)), (
            worker.name, worker.account, worker.group, worker.last_at_s, number))
    for account in model.accounts:
        require_equal(f"workers of sub-account {account}", core.workers.workers_of(account, now_s),
                      list(plain.listed(account, now_s)))
    compare_networks(core, model, require_equal)
    compare_work(core, model, require_equal)
    if plain.shares:
        accounts = list(dict.fromkeys(share.worker.account for share in plain.shares))
        compare_speeds(core, plain, accounts[model.seq % len(accounts)],
                       now_s + LOOKED_AHEAD_S[model.seq % len(LOOKED_AHEAD_S)], require_equal)


def compare_speeds(core, plain: PlainWorkers, account: int, now_s: int, require_equal) -> None:
    """One account's, its list, and those of a coin and of all."""
    workers, late = core.workers, recent(plain, DAY_AND_HOUR_S)
    statuses = [plain.status(worker, now_s, RUNNING_MINUTES, STOPPED_HOURS)
                for worker in plain.listed(account, now_s).values()]
    coin = plain.shares[-1].coin
    require_equal(f"counts of account {account}", workers.counts_of(
        account, now_s, RUNNING_MINUTES, STOPPED_HOURS), tuple(map(statuses.count, (1, 2, 3))))
    require_equal(f"list of account {account}",
                  workers.list_of(account, now_s, RUNNING_MINUTES, STOPPED_HOURS),
                  late.lines(account, now_s, RUNNING_MINUTES, STOPPED_HOURS))
    for what, given, is_asked in (
            (f"speeds of account {account}", workers.account_speeds(account, now_s),
             lambda share: share.worker.account == account),
            (f"speeds of coin {coin}", workers.coin_speeds(coin, now_s),
             lambda share: share.coin == coin),
            ("all speeds", workers.all_speeds(now_s), lambda share: True)):
        require_equal(what, given, late.speeds(is_asked, now_s))
    require_equal(f"hours of account {account}", workers.account_hours(account, now_s),
                  late.periods(lambda share: share.worker.account == account, now_s, HOUR_S, 24))
    require_equal(f"days of coin {coin}", workers.coin_days(coin, now_s),
                  plain.periods(lambda share: share.coin == coin, now_s, DAY_S, 30))
    require_equal(f"workers by hour of account {account}", workers.active_hours(account, now_s),
                  late.active(account, now_s, HOUR_S, 25))


def compare_work(core, model, require_equal) -> None:
    """What is paid for, of each coin and day."""
    wanted: dict[tuple, dict] = {}
    for (coin, day, epoch, account), work in model.workers.paid.items():
        wanted.setdefault((coin, day), {}).setdefault(account, []).append((epoch, work))
    for coin in model.networks:
        require_equal(f"days with work of coin {coin}", core.workers.work_days(coin),
                      sorted(day for its, day in wanted if its == coin))
    for (coin, day), works in wanted.items():
        require_equal(f"work of coin {coin}, day {day}", core.workers.work_of_day(coin, day),
                      [(account, sorted(work)) for account, work in sorted(works.items())])


def compare_networks(core, model, require_equal) -> None:
    """Every coin's chain: what is in force, and the last two days."""
    require_equal("coins that are mined", core.networks.coins(), sorted(model.networks))
    for coin, chain in model.networks.items():
        given, state = core.networks.get(coin), chain.states[-1]
        require_equal(f"network of coin {coin}", (
            Fraction(given.difficulty, UNIT), given.subsidy, given.fees_per_block, given.epoch), (
            state.difficulty, state.subsidy, state.fees_per_block, state.epoch))
        require_equal(f"epoch of coin {coin}", core.workers.epoch_of(coin), state.epoch)
        today = model.ts_ns // DAY_NS
        for day in (today - 1, today):
            if day > model.workers.closed.get(coin, -1):
                require_equal(f"coin {coin} on day {day}", given_periods(core, coin, day),
                              chain.in_force(day))
                require_equal(f"blocks of coin {coin} on day {day}",
                              list(map(tuple, core.networks.blocks_of_day(coin, day))),
                              counted(chain, day))
        require_equal(f"blocks today of coin {coin}", (
            given.blocks_today if given.day == today else 0), len(chain.blocks.get(today, ())))


def given_periods(core, coin: int, day: int) -> list[tuple]:
    """What the core says of a day, as Chain.in_force does."""
    again = Chain()
    for start_ns, epoch, difficulty, subsidy, fees in core.networks.states_of_day(coin, day):
        again.states.append(ChainState(start_ns, epoch, Fraction(difficulty, UNIT), subsidy, fees))
    return again.in_force(day)


def counted(chain: Chain, day: int) -> list[tuple]:
    """(blocks, subsidy, fees) of a day's blocks in a row that brought the same."""
    return [(len(list(same)), *brought) for brought, same in groupby(chain.blocks.get(day, ()))]
