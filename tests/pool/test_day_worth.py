"""What a day's work is worth, read from the sheets: as by exact fractions, for any work."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pool.day_worth import DayWorth
from pool.pps import Valuation
from pool.share_book import packed_batch
from pool.shares import Reason
from pool.workers import Workers
from tests.pool.test_pps import DIFFICULTIES, DIFFICULTY_ONE, WORK_ONE, rounded

COIN, DAY, DAY_S = 1, 19_676, 86_400
AT_S = DAY * DAY_S
ACCOUNTS = (3, 7)
IDLE = 5
IS_ACCOUNT = bytes(number in ACCOUNTS for number in range(max(ACCOUNTS) + 1))
RIGS = 9
AMOUNT_MAX = 2**63 - 1


def worked(epochs: dict) -> Workers:
    """Workers on a closed DAY: by epoch, then by account, the work of each share, a rig's each."""
    workers = Workers()
    workers.advance(AT_S)
    for epoch, of_accounts in sorted(epochs.items()):
        workers.set_epoch(COIN, epoch)
        for account, rig, work in ((account, rig, work) for account, works in of_accounts.items()
                                   for rig, work in enumerate(works)):
            batch = packed_batch([(account, b"rig%d" % rig)], [(0, COIN, 1, 0, work, AT_S)])
            assert workers.refusal_of(batch, AT_S, IS_ACCOUNT) == (Reason.OK, 0)
            workers.take(batch, AT_S)
    workers.advance(AT_S + DAY_S)
    workers.close_day(COIN, DAY)
    return workers


EPOCHS = st.dictionaries(
    st.integers(1, 2**32 - 1),
    st.tuples(DIFFICULTIES, st.one_of(st.integers(1, AMOUNT_MAX), st.integers(1, 20)),
              st.dictionaries(st.sampled_from(ACCOUNTS), st.lists(
                  st.one_of(st.integers(1, 2**61), st.just(2**61),
                            st.integers(1, 5_000).map(lambda one: one * WORK_ONE)),
                  min_size=1, max_size=RIGS))),
    min_size=1, max_size=6)
RATES = st.integers(0, 9_999)


@given(EPOCHS, st.one_of(st.just(0), st.integers(0, 2**70)), st.integers(1, 2**70),
       st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.booleans(), RATES, RATES), max_size=6))
@settings(max_examples=300, deadline=None)
def test_amounts_are_those_of_exact_fractions(drawn, fees, subsidies, asked):
    rates = {epoch: (difficulty, subsidy) for epoch, (difficulty, subsidy, _) in drawn.items()}
    workers = worked({epoch: works for epoch, (_, _, works) in drawn.items()})
    worth = DayWorth(workers, COIN, DAY, Valuation(rates, fees, subsidies))
    for account, with_fees, fee, commission in asked:
        works = [(epoch, sum(of[account])) for epoch, (_, _, of) in sorted(drawn.items())
                 if account in of]
        gross, net, part = rounded(rates, fees, subsidies, works, with_fees, 10_000 - fee,
                                   commission)
        if gross > AMOUNT_MAX:
            gross = net = part = None
        assert worth.of_account(account, with_fees, fee, commission) == (
            sum(work for _, work in works), gross, net, part)


def test_who_has_not_worked_has_earned_nothing():
    worth = DayWorth(worked({1: {3: [WORK_ONE]}}), COIN, DAY, Valuation({1: (1, 1)}, 0, 1))
    for account in (IDLE, ACCOUNTS[1]):
        assert worth.of_account(account, True, 100, 50) == (0, 0, 0, 0)


def test_a_whole_number_of_units_is_not_lost_to_rounding():
    worth = DayWorth(
        worked({1: {3: [30 * WORK_ONE], 7: [30 * WORK_ONE - 1]},
                2: {3: [70 * WORK_ONE], 7: [70 * WORK_ONE]}}),
        COIN, DAY, Valuation({1: (3 * DIFFICULTY_ONE, 1), 2: (7 * DIFFICULTY_ONE, 1)}, 1, 10))
    assert worth.of_account(3, False, 0, 0)[1:] == (20, 20, 0)
    assert worth.of_account(7, False, 0, 0)[1] == 19
    assert worth.of_account(3, True, 5_000, 2_500)[1:] == (22, 11, 5)
