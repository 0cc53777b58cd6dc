"""A day of a coin, settled: who gets what, how it is paid, and that nothing is done twice."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codes import FeeType, HouseAccount, Kind, Result
from engine.halt import Halt
from engine.handlers.settlement import ACCOUNTS_AT_ONCE_MAX
from pool.totals import Total
from tests.engine.settlement_house import (
    BCH, BTC, CNY, DAY, DAY_S, FARM, HALL, MAKER, MASTER, ONE, SettlementHouse,
)

NS_PER_S = 10**9
UNKNOWN_COIN = 9
COMMISSION = {"fee": 200, "commission": 100}


@pytest.fixture
def house():
    return SettlementHouse()


def begin(house, coin=BTC, day=DAY):
    return house.do(Kind.BEGIN_SETTLEMENT, coin=coin, day=day)


def accounts(house, coin=BTC, day=DAY, count=100):
    return house.do(Kind.SETTLE_ACCOUNTS, coin=coin, day=day, count=count)


def sell(house, coin=BTC, day=DAY):
    return house.do(Kind.SELL_EARNINGS, coin=coin, day=day)


def fees(house, account=FARM, **rates):
    house.must(Kind.SET_FEES, account=account, **rates)


# -- refusals --------------------------------------------------------------------------------------

def test_a_day_that_cannot_be_settled_is_refused_in_order(house):
    house.to_day(DAY + 1, second=0)
    assert begin(house, UNKNOWN_COIN, -1) == (Result.UNKNOWN_COIN, None)
    assert begin(house, CNY, -1) == (Result.NO_NETWORK, None)
    for day in (-1, DAY + 1, 2**62):
        assert begin(house, day=day) == (Result.BAD_DAY, None)
    assert begin(house) == (Result.OK, {"duplicate": False, "done": False})
    assert begin(house) == (Result.OK, {"duplicate": True, "done": False})
    assert begin(house, day=DAY - 1) == begin(house, BCH) == (Result.SETTLEMENT_RUNNING, None)
    assert begin(house, BCH, DAY + 1) == (Result.BAD_DAY, None)


def test_a_day_is_over_at_its_last_nanosecond_and_not_before(house):
    house.ts_ns = (DAY + 1) * DAY_S * NS_PER_S - 1
    assert begin(house) == (Result.BAD_DAY, None)
    house.ts_ns += 1
    assert begin(house)[0] == Result.OK


def test_no_day_is_settled_once_shares_have_no_time_any_more(house):
    house.ts_ns = 2**32 * NS_PER_S
    assert begin(house) == (Result.BAD_DAY, None)
    house.ts_ns -= 1
    assert begin(SettlementHouse(ts_ns=house.ts_ns), day=0)[0] == Result.OK


def test_only_the_running_settlement_goes_on(house):
    assert accounts(house, count=0) == sell(house) == (Result.NO_SETTLEMENT, None)
    begin(house.to_day(DAY + 1))
    for coin, day in ((BCH, DAY), (BTC, DAY - 1), (BTC, 2**62), (-1, DAY)):
        assert accounts(house, coin, day, 0) == (Result.NO_SETTLEMENT, None)
        assert sell(house, coin, day) == (Result.NO_SETTLEMENT, None)
    for count in (0, -1, ACCOUNTS_AT_ONCE_MAX + 1):
        assert accounts(house, count=count) == (Result.BAD_LIMIT, None)
    assert sell(house) == (Result.NO_SETTLEMENT, None)
    done = {"earnings": [], "lost": [], "done": True, "sales": 0}
    assert accounts(house, count=ACCOUNTS_AT_ONCE_MAX) == (Result.OK, done)
    assert accounts(house) == (Result.NO_SETTLEMENT, None)


def test_a_settled_day_is_settled_once(house):
    house.mine(FARM, 1_000)
    assert house.settle()[FARM].net == 1_000
    before = house.state_hash()
    assert begin(house) == (Result.OK, {"duplicate": True, "done": True})
    assert accounts(house)[0] == Result.NO_SETTLEMENT
    assert house.state_hash() == before and house.balance(FARM, BTC) == (1_000, 0)


# -- what is earned --------------------------------------------------------------------------------

def test_pps_less_the_fee_is_credited_and_the_pool_keeps_the_rest(house):
    fees(house, fee=200)
    house.mine(FARM, 1_049)
    house.mine(HALL, 10)
    found = house.settle()
    assert (found[FARM].gross, found[FARM].net) == (1_049, 1_028)
    assert found[FARM].work == str(1_049 * ONE)
    assert house.balance(FARM, BTC) == (1_028, 0) and house.balance(HALL, BTC) == (10, 0)
    assert house.house(HouseAccount.MINED, BTC) == -1_059
    assert house.house(HouseAccount.POOL, BTC) == 21
    done = house.settlements.of_day(BTC, DAY)
    assert (done.accounts, done.gross, done.net, done.commission, done.pool) == (
        2, 1_059, 1_038, 0, 21)
    assert done.settled_ns == house.ts_ns
    assert house.settlements.totals.get(FARM, BTC) == Total(1_028, 0, 0, DAY)
    assert house.workers.work_days(BTC) == []


def test_work_counts_at_the_difficulty_it_was_done_at(house):
    house.mine(FARM, 100)
    house.network(difficulty=4 * 10**6)
    house.mine(FARM, 100)
    house.network(subsidy=2 * 10**6)
    house.mine(FARM, 100)
    assert house.settle()[FARM].gross == 100 + 25 + 200


def test_what_each_account_loses_to_rounding_stays_with_the_pool(house):
    house.network(difficulty=3 * 10**6)
    house.mine(FARM, 5)
    house.mine(HALL, 4)
    found = house.settle()
    assert [one.gross for one in found.values()] == [1, 1]
    assert house.settlements.of_day(BTC, DAY).gross == 3
    assert house.house(HouseAccount.POOL, BTC) == 1


def test_fpps_adds_the_part_of_the_fees_of_the_counted_blocks(house):
    fees(house, HALL, fee_type=int(FeeType.FPPS))
    house.network(fees=10**5, blocks=3)
    house.network(fees=2 * 10**5, blocks=4)
    for account in (FARM, HALL):
        house.mine(account, 1_000)
    found = house.settle()
    assert (found[FARM].gross, found[HALL].gross) == (1_000, 1_125)
    done = house.settlements.of_day(BTC, DAY)
    assert Fraction(done.fees, done.subsidies) == Fraction(1, 8)


def test_without_counted_blocks_the_fees_are_those_of_the_states_by_time(house):
    fees(house, fee_type=int(FeeType.FPPS))
    house.network(fees=10**5)                       # half a day from noon on
    house.mine(FARM, 1_000)
    house.to_day(DAY, DAY_S // 4 * 3).network(fees=3 * 10**5)
    assert house.settle()[FARM].gross == 1_200


def test_bch_is_paid_by_pps_at_a_fee_and_commission_of_its_own(house):
    fees(house, fee_type=int(FeeType.FPPS), fee=5_000, commission=5_000, refer=MAKER,
         bch_pps_fee=100, bch_commission=50)
    house.network(BCH, fees=10**5, blocks=1)
    house.mine(FARM, 1_000, BCH)
    found = house.settle(BCH)[FARM]
    assert (found.gross, found.net, found.commission) == (1_000, 990, 5)
    assert house.balance(MAKER, BCH) == (5, 0) and house.balance(MAKER, BTC) == (0, 0)


@pytest.mark.parametrize("refer", [MAKER, HALL])
def test_a_referrer_gets_its_part_of_what_the_account_has_earned(house, refer):
    fees(house, refer=refer, **COMMISSION)
    house.mine(FARM, 1_099)
    found = house.settle()[FARM]
    assert (found.refer, found.commission, found.net) == (refer, 10, 1_077)
    assert house.balance(refer, BTC) == (10, 0)
    done = house.settlements.of_day(BTC, DAY)
    assert (done.gross, done.commission, done.pool) == (1_099, 10, 12)
    assert house.settlements.totals.get(refer, BTC).earned == 0


def test_a_commission_without_a_referrer_stays_with_the_pool(house):
    fees(house, **COMMISSION)
    house.mine(FARM, 1_000)
    found = house.settle()[FARM]
    assert (found.refer, found.commission) == (0, 0)
    assert house.house(HouseAccount.POOL, BTC) == 20


def test_a_share_that_comes_late_is_paid_for_a_day_later(house):
    house.mine(FARM, 100)
    house.to_day(DAY + 1, second=100)
    house.mine(FARM, 10, at_s=(DAY + 1) * DAY_S - 1)
    begin(house)
    house.mine(FARM, 1, at_s=(DAY + 1) * DAY_S - 2)
    assert house.settle()[FARM].gross == 110
    assert house.settle(day=DAY + 1)[FARM].gross == 1


def test_shares_of_the_first_moment_of_a_day_keep_their_difficulty(house):
    house.to_day(DAY + 1, second=0).network(difficulty=2 * 10**6)
    house.mine(FARM, 100)
    house.network(difficulty=4 * 10**6)
    house.mine(FARM, 100)
    house.settle()
    assert house.settle(day=DAY + 1)[FARM].gross == 75


def test_days_may_be_settled_in_another_order(house):
    house.mine(FARM, 100)
    house.to_day(DAY + 1).network(difficulty=10**7)
    house.mine(FARM, 100)
    house.to_day(DAY + 2).network(difficulty=2 * 10**6)
    house.mine(FARM, 100)
    assert [house.settle(day=day)[FARM].gross for day in (DAY + 1, DAY, DAY + 2)] == [10, 100, 50]
    assert house.settlements.totals.get(FARM, BTC) == Total(160, 0, 0, DAY + 2)


def test_fees_are_those_of_the_account_s_turn(house):
    house.mine(FARM, 1_000)
    house.mine(HALL, 1_000)
    begin(house.to_day(DAY + 1))
    accounts(house, count=1)
    for account in (FARM, HALL):
        fees(house, account, fee=1_000)
    assert accounts(house, count=1)[1]["earnings"][0][7] == 900
    assert (house.balance(FARM, BTC)[0], house.balance(HALL, BTC)[0]) == (1_000, 900)


def test_an_account_of_the_last_minute_has_its_turn(house):
    begin(house.to_day(DAY + 1))
    late = house.must(Kind.ADD_SUB_ACCOUNT, uid=MASTER, name="late", theory_speed=0,
                      description="", worker_count=0)
    assert accounts(house, count=2) == (Result.OK, {
        "earnings": [], "lost": [], "done": False, "sales": 0})
    assert house.settlements.running.cursor == HALL < late
    assert accounts(house, count=1)[1]["done"]


def test_what_the_supply_cannot_bear_is_settled_as_nothing(house):
    house.must(Kind.DEPOSIT, uid=MAKER, coin=BTC, amount=2**63 - 1_101, txid="much")
    fees(house, refer=MAKER, **COMMISSION)
    house.mine(FARM, 1_100)
    house.mine(HALL, 1_100)
    found = house.settle()
    # 1,078 and 11 are too much with the other's 1,100.
    assert [one.gross for one in found.values()] == [1_100, 0] and house.lost == [HALL]
    assert found[HALL].work == str(1_100 * ONE)
    done = house.settlements.of_day(BTC, DAY)
    assert (done.accounts, done.gross, done.net, done.commission, done.pool) == (
        2, 1_100, 1_078, 11, 11)


def test_a_gross_beyond_64_bits_is_settled_as_nothing(house):
    house.network(difficulty="0.000000000000000001", subsidy=2**63 - 1)
    house.mine(FARM, 2**32 - 1)
    found = house.settle()[FARM]
    assert (found.gross, found.net, found.work) == (0, 0, str((2**32 - 1) * ONE))
    assert house.lost == [FARM]
    assert house.settlements.of_day(BTC, DAY).gross == 0


def test_the_pool_s_part_is_nothing_where_the_supply_is_at_its_end(house):
    house.must(Kind.DEPOSIT, uid=MAKER, coin=BTC, amount=2**63 - 501, txid="much")
    fees(house, fee=5_000)
    house.mine(FARM, 1_000)
    house.settle()
    assert house.balance(FARM, BTC) == (500, 0)
    done = house.settlements.of_day(BTC, DAY)
    assert (done.gross, done.net, done.pool) == (500, 500, 0)


def test_the_pool_s_part_is_nothing_where_it_exceeds_64_bits(house):
    house.network(subsidy=2**62, difficulty=1)
    house.must(Kind.ADD_SUB_ACCOUNT, uid=MASTER, name="barn", theory_speed=0, description="",
               worker_count=0)
    for account in (FARM, HALL, MAKER + 1):
        fees(house, account, fee=9_999)
        house.mine(account, 1)
    found = house.settle()
    assert [one.net for one in found.values()] == [2**62 // 10_000] * 3
    done = house.settlements.of_day(BTC, DAY)
    assert (done.accounts, done.gross, done.pool) == (3, 3 * (2**62 // 10_000), 0)


def test_what_a_petahash_earns_is_kept_with_the_day(house):
    house.settle()
    # 10^15 × 86400 / 2^32 shares of a unit each.
    assert house.settlements.of_day(BTC, DAY).profit_per_p == 20_116_567_612


def forge_sum(house):
    sums = house.settlements._sums
    sums[BTC, DAY] = sums[BTC, DAY]._replace(gross=sums[BTC, DAY].gross + 1)


@pytest.mark.parametrize("spoil, fault", [
    (forge_sum, r"coin 1: \(1000, 20\) owed and kept, the days' sums are \(1001, 20\)"),
    (lambda house: house.accounts.debit(FARM, BTC, 5, HouseAccount.POOL), "25. owed and kept"),
    (lambda house: house.settlements.totals.note(FARM, BTC, DAY, earned=1),
     "-1 earned by no account"),
    (lambda house: house.settlements.totals.note(MAKER, BTC, DAY), "4 has Total"),
    (lambda house: house.settlements.begin(BTC, DAY + 1, 0, 1, 0), "is being settled at"),
    (lambda house: house.settlements._sums.update({
        (BTC, DAY + 1): house.settlements.of_day(BTC, DAY)._replace(
            day=DAY + 1, gross=0, net=0, pool=0)}), "is settled and has work"),
])
def test_the_core_notices_books_that_are_not_those_of_the_days(house, spoil, fault):
    fees(house, fee=200)
    house.mine(FARM, 1_000)
    house.settle()
    house.mine(FARM, 1)
    house.core.check()
    spoil(house)
    with pytest.raises(Halt, match=fault):
        house.core.check()


RATES = st.tuples(st.integers(0, 9_999), st.integers(0, 9_999)).map(
    lambda rates: {"fee": max(rates), "commission": min(rates)})


@given(st.lists(st.tuples(RATES, st.sampled_from([1, 2]), st.sampled_from([0, MAKER])),
                min_size=2, max_size=2),
       st.lists(st.tuples(st.sampled_from([FARM, HALL]), st.integers(1, 10**6),
                          st.integers(1, 10**12)), min_size=1, max_size=6),
       st.integers(0, 10**6), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_no_unit_is_lost_whatever_the_fees(of_accounts, shares, block_fees, count):
    house = SettlementHouse()
    house.network(fees=block_fees, blocks=1)
    for account, (rates, fee_type, refer) in zip((FARM, HALL), of_accounts):
        fees(house, account, fee_type=fee_type, refer=refer, **rates)
    for account, number, difficulty in shares:
        house.mine(account, number, difficulty=difficulty)
        house.network(difficulty=difficulty)
    found = house.settle(count=count).values()
    done = house.settlements.of_day(BTC, DAY)
    assert done.gross == done.net + done.commission + done.pool and done.pool >= 0
    assert done.gross == -house.house(HouseAccount.MINED, BTC)
    assert 0 <= done.gross - sum(one.gross for one in found) <= len(found)
    assert done.net == sum(one.net for one in found)
    assert house.accounts.trial_balance(BTC) == 0
