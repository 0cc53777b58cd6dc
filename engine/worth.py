"""What a sub-account's work is worth before its day is settled: for readers, nothing is posted."""

from pool.pps import Valuation


def pps_of_day(core, account: int, coin: int, day: int) -> int:
    """Units of the coin that an account's work for a UTC day is worth by PPS so far, rounded down
    once; without the blocks' fees, and before the pool's fee. 0 where there is no work."""
    works = core.workers.work(account, coin, day)
    if not works:
        return 0
    gross, _, _ = Valuation(core.networks.epochs(coin), 0, 1).amounts(works, False, 0, 0)
    return gross
