"""How a settlement pays: to an address, to a bank after a sale, or why not; and each day once."""

import json

import pytest

from engine.codes import (
    Kind, LockReason, OrderType, PairStatus, Result, SelfTrade, Side, Tif, WithdrawalStatus,
)
from engine.commands import place_order
from ledger.withdrawals import OPEN_PER_USER_MAX
from pool.totals import Total
from tests.engine.settlement_house import (
    ADDRESS, BANK, BTC, CNY, CNY_UNIT, DAY, FARM, HALL, MAKER, SettlementHouse,
)

MUCH = 200_000              # units: above the least amount that a coin is paid from
PRICE = 300                 # 3 CNY for a BTC: a lot of 100 units is 300 units of CNY


@pytest.fixture
def house():
    return SettlementHouse()


def of_sale(*, lots=10_000, shares=MUCH, **changes):
    """FARM is paid in CNY for what it mines; MAKER buys so many lots."""
    house = SettlementHouse()
    house.btc_cny = house.pair(**changes)
    if lots:
        house.buy(house.btc_cny, PRICE, lots)
    house.to_money(FARM)
    house.mine(FARM, shares)
    return house


# -- to an address ---------------------------------------------------------------------------------

def test_all_that_is_there_is_paid_once_it_reaches_the_minimum(house):
    house.harvest(FARM, minimum=10**5)
    house.mine(FARM, 99_999)
    first = house.settle()[FARM]
    assert (first.remain, first.reason, first.paid, first.payment) == (
        99_999, LockReason.BELOW_MINIMUM, 0, 0)
    house.to_day(DAY + 1).mine(FARM, 1)
    second = house.settle(day=DAY + 1)[FARM]
    assert (second.net, second.paid_coin, second.paid, second.payment) == (1, BTC, 10**5, 1)
    assert (second.remain, second.reason) == (0, 0)
    assert house.balance(FARM, BTC) == (0, 10**5)
    payment = house.withdrawals.get(1)
    assert (payment.uid, payment.coin, payment.amount, payment.address, payment.status) == (
        FARM, BTC, 10**5, ADDRESS, WithdrawalStatus.APPROVED)
    assert payment.request_id == f"pay|{BTC}|{DAY + 1}"
    assert house.settlements.totals.get(FARM, BTC) == Total(10**5, 0, 10**5, DAY + 1)


def lock(house):
    house.harvest(FARM)
    house.must(Kind.LOCK_ACCOUNT, account=FARM, locked=True)


def lock_without_address(house):
    house.must(Kind.LOCK_ACCOUNT, account=FARM, locked=True)


@pytest.mark.parametrize("spoil, shares, reason", [
    (lock, MUCH, LockReason.ACCOUNT_LOCKED),
    (lock_without_address, 1, LockReason.ACCOUNT_LOCKED),
    (lambda house: None, 1, LockReason.NO_ADDRESS),
    (lambda house: house.harvest(FARM, 0), 1, LockReason.NOT_AUTOMATIC),
    (lambda house: house.harvest(FARM), 99_999, LockReason.BELOW_MINIMUM),
    (lambda house: house.harvest(FARM), 10**5, 0),
])
def test_why_a_coin_is_not_paid(house, spoil, shares, reason):
    spoil(house)
    house.mine(FARM, shares)
    found = house.settle()[FARM]
    assert (found.reason, found.remain) == (reason, shares if reason else 0)
    assert len(house.withdrawals) == (reason == 0)


def test_an_account_with_too_many_open_payments_waits_for_their_end(house):
    house.harvest(FARM)
    house.must(Kind.DEPOSIT, uid=FARM, coin=BTC, amount=OPEN_PER_USER_MAX, txid="t")
    for _ in range(OPEN_PER_USER_MAX):
        house.accounts.hold(FARM, BTC, 1)
        house.withdrawals.request(FARM, BTC, 1, 0, ADDRESS, 1, None, False)
    house.mine(FARM, MUCH)
    assert house.settle()[FARM].reason == LockReason.TOO_MANY_PAYMENTS
    house.must(Kind.REJECT_WITHDRAWAL, id=1)
    assert house.settle(day=DAY + 1)[FARM].paid == MUCH + 1


def test_a_payment_that_the_fee_would_eat_is_below_the_minimum():
    house = SettlementHouse()
    dear = house.must(Kind.ADD_COIN, name="DEAR", title="x", type="coin", scale=8,
                      withdraw_fee=MUCH)
    house.network(dear)
    house.harvest(FARM, coin=dear)
    house.mine(FARM, MUCH, dear)
    assert house.settle(dear)[FARM].reason == LockReason.BELOW_MINIMUM
    house.to_day(DAY + 1).mine(FARM, 1, dear)
    assert house.settle(dear, DAY + 1)[FARM].paid == MUCH + 1
    assert house.withdrawals.get(1).fee == MUCH


def test_who_had_no_address_is_paid_later_without_having_worked(house):
    house.mine(FARM, MUCH)
    assert house.settle()[FARM].reason == LockReason.NO_ADDRESS
    assert house.settle(day=DAY + 1) == {}
    house.harvest(FARM)
    found = house.settle(day=DAY + 2)[FARM]
    assert (found.work, found.gross, found.net, found.paid) == ("0", 0, 0, MUCH)
    assert house.settlements.of_day(BTC, DAY + 2).accounts == 0
    assert house.settlements.totals.get(FARM, BTC) == Total(MUCH, 0, MUCH, DAY + 2)


def test_a_rejected_payment_is_made_again_with_the_next_day(house):
    house.harvest(FARM)
    house.mine(FARM, MUCH)
    house.settle()
    house.must(Kind.REJECT_WITHDRAWAL, id=1)
    assert house.balance(FARM, BTC) == (MUCH, 0)
    found = house.settle(day=DAY + 1)[FARM]
    assert (found.paid, found.payment) == (MUCH, 2)
    house.must(Kind.FINISH_WITHDRAWAL, id=2, txid="chain")
    assert house.balance(FARM, BTC) == (0, 0) and house.settle(day=DAY + 2) == {}


def test_no_caller_can_take_a_payment_s_request_id(house):
    house.harvest(FARM)
    house.must(Kind.DEPOSIT, uid=FARM, coin=BTC, amount=MUCH, txid="t")
    assert house.do(Kind.REQUEST_WITHDRAWAL, uid=FARM, coin=BTC, amount=1,
                    request_id=f"pay|{BTC}|{DAY}")[0] == Result.BAD_REQUEST_ID


# -- coin to money ---------------------------------------------------------------------------------

def test_what_was_earned_is_sold_and_paid_to_the_bank():
    house = of_sale(shares=MUCH + 33)
    house.bank(FARM)
    seq = house.core.seq
    found = house.settle()[FARM]
    # 2,000 lots of 300 units of CNY are 0.006 CNY; 33 units are no lot.
    assert (found.sold, found.money) == (MUCH, 600_000)
    assert (found.remain, found.reason) == (33, LockReason.NOT_SOLD)
    assert (found.paid, found.money_remain) == (0, 600_000)
    assert found.money_reason == LockReason.BELOW_MINIMUM
    assert house.settlements.totals.get(FARM, BTC).unsold == 33
    assert house.settlements.totals.get(FARM, CNY) == Total(600_000, 0, 0, DAY)
    assert [trade.price for trade in house.core.bars(house.btc_cny).last_trades(9)] == [PRICE]
    assert house.core.seq == seq + 3
    assert house.core.bars(house.btc_cny).last_trades(1)[0].ts_ns == house.ts_ns


def rich_sale(**changes):
    """As `of_sale`, at 30,000 CNY for a BTC: 60 CNY in all."""
    house = of_sale(lots=0, **changes)
    house.buy(house.btc_cny, 3_000_000, 10_000)
    return house


def test_cny_are_paid_in_whole_hundredths():
    house = rich_sale(taker_fee_ppm=333)
    house.bank(FARM, minimum=100)
    found = house.settle()[FARM]
    got = 6_000_000_000 - 6_000_000_000 * 333 // 10**6
    assert (found.money, found.paid_coin, found.payment) == (got, CNY, 1)
    assert (found.paid, found.money_remain) == (5_998 * CNY_UNIT, got - 5_998 * CNY_UNIT)
    assert (found.reason, found.money_reason) == (0, 0)
    payment = house.withdrawals.get(1)
    assert json.loads(payment.address) == BANK and payment.coin == CNY
    assert payment.address == json.dumps(BANK, sort_keys=True, ensure_ascii=False)
    assert payment.request_id == f"pay|{BTC}|{DAY}"
    assert payment.status == WithdrawalStatus.APPROVED
    assert house.settlements.totals.get(FARM, CNY) == Total(got, 0, found.paid, DAY)
    assert house.settlements.totals.get(FARM, BTC) == Total(MUCH, 0, 0, DAY)


@pytest.mark.parametrize("cny_scale, paid", [(8, 2**63 - 1 - 775_807), (1, 2**63 - 1),
                                             (0, 2**63 - 1)])
def test_all_cny_that_can_exist_are_paid_at_once(cny_scale, paid):
    house = SettlementHouse(cny_scale=cny_scale)
    house.to_money(FARM)
    house.bank(FARM, minimum=2**63 - 1 if cny_scale < 2 else 100)
    house.must(Kind.DEPOSIT, uid=FARM, coin=CNY, amount=2**63 - 1, txid="all")
    found = house.settle()[FARM]
    assert (found.paid_coin, found.paid, found.money_remain) == (CNY, paid, 2**63 - 1 - paid)


@pytest.mark.parametrize("spoil, reason", [
    (lambda house: (house.bank(FARM), house.must(
        Kind.LOCK_ACCOUNT, account=FARM, locked=True)), LockReason.ACCOUNT_LOCKED),
    (lambda house: None, LockReason.NO_ADDRESS),
    (lambda house: house.bank(FARM, 0), LockReason.NOT_AUTOMATIC),
    (lambda house: house.bank(FARM, 6_001), LockReason.BELOW_MINIMUM),
    (lambda house: house.bank(FARM, 6_000), 0),
])
def test_why_cny_are_not_paid(spoil, reason):
    house = rich_sale()
    spoil(house)
    found = house.settle()[FARM]
    assert (found.money, found.money_reason) == (6_000 * CNY_UNIT, reason)
    assert found.paid == (0 if reason else 6_000 * CNY_UNIT)
    # Once nothing is in the way, they are paid without work.
    house.bank(FARM)
    house.must(Kind.LOCK_ACCOUNT, account=FARM, locked=False)
    later = house.settle(day=DAY + 1)
    assert (FARM in later) == (reason != 0)
    assert house.balance(FARM, CNY) == (0, 6_000 * CNY_UNIT)


def test_what_the_book_does_not_take_is_sold_the_next_time():
    house = of_sale(lots=1_500)
    first = house.settle()[FARM]
    assert (first.sold, first.remain, first.reason) == (150_000, 50_000, LockReason.NOT_SOLD)
    assert house.settlements.totals.get(FARM, BTC).unsold == 50_000
    house.to_day(DAY + 1).buy(house.btc_cny, PRICE, 10_000)
    house.mine(FARM, 100)
    second = house.settle(day=DAY + 1)[FARM]
    assert (second.net, second.sold, second.remain, second.reason) == (100, 50_100, 0, 0)


def test_a_referrer_s_commissions_are_sold_with_what_it_has_mined():
    house = of_sale(shares=100)
    house.to_money(FARM, auto=False)
    house.to_money(HALL)
    house.must(Kind.SET_FEES, account=FARM, fee=9_000, commission=5_000, refer=HALL)
    house.mine(FARM, MUCH - 100)
    # HALL comes after FARM, so what it got is sold on the same day; no lot is left of its own 30.
    house.mine(HALL, 1_030)
    found = house.settle()
    assert (found[FARM].commission, found[FARM].refer, found[FARM].sold) == (MUCH // 2, HALL, 0)
    assert (found[HALL].sold, found[HALL].remain) == (MUCH // 2 + 1_000, 30)
    assert house.settlements.totals.get(HALL, BTC) == Total(1_030, 30, 0, DAY)


def test_a_commission_that_comes_after_the_referrer_s_turn_waits_for_the_next_sale():
    house = of_sale(shares=1_030)
    house.must(Kind.SET_FEES, account=HALL, fee=9_000, commission=5_000, refer=FARM)
    house.mine(HALL, 1_000)
    house.to_day(DAY + 1)
    house.must(Kind.BEGIN_SETTLEMENT, coin=BTC, day=DAY)
    house.must(Kind.SETTLE_ACCOUNTS, coin=BTC, day=DAY, count=2)
    # FARM waits for its sale already: the commission goes with it.
    step = house.must(Kind.SELL_EARNINGS, coin=BTC, day=DAY)
    assert step["done"] and step["earnings"][0][8] == 1_500
    # Where it does not wait, the next day takes it, work or not.
    house.mine(HALL, 1_000)
    assert FARM not in house.settle(day=DAY + 1)
    assert house.settlements.totals.get(FARM, BTC).unsold == 30 + 500
    found = house.settle(day=DAY + 2)[FARM]
    assert (found.work, found.sold, found.remain) == ("0", 500, 30)


def test_coins_that_did_not_come_from_mining_are_not_sold():
    house = of_sale(shares=1_000)
    house.must(Kind.DEPOSIT, uid=FARM, coin=BTC, amount=5_000, txid="t")
    assert house.settle()[FARM].sold == 1_000


@pytest.mark.parametrize("prevent", [
    lambda house: None,
    lambda house: house.must(Kind.SET_PAIR_STATUS, pair=house.pair(), status=PairStatus.HALTED),
    lambda house: house.must(Kind.SET_PAIR_STATUS, pair=house.pair(),
                             status=PairStatus.CANCEL_ONLY),
    lambda house: house.pair(),
    lambda house: house.pair(min_qty=2_001),
], ids=["no pair", "halted", "cancel only", "nobody buys", "below the pair's minimum"])
def test_what_cannot_be_sold_stays_in_coin(house, prevent):
    prevent(house)
    house.to_money(FARM)
    house.harvest(FARM)
    house.mine(FARM, MUCH)
    found = house.settle()[FARM]
    assert (found.sold, found.money, found.remain, found.reason, found.paid) == (
        0, 0, MUCH, LockReason.NOT_SOLD, 0)
    assert house.settlements.totals.get(FARM, BTC).unsold == MUCH
    # Paid as coin, nothing waits for a sale any more.
    house.to_money(FARM, auto=False)
    assert house.settle(day=DAY + 1)[FARM].paid == MUCH
    assert house.settlements.totals.get(FARM, BTC).unsold == 0


def test_a_pair_that_halts_before_the_sale_leaves_the_coins():
    house = of_sale().to_day(DAY + 1)
    house.must(Kind.BEGIN_SETTLEMENT, coin=BTC, day=DAY)
    step = house.must(Kind.SETTLE_ACCOUNTS, coin=BTC, day=DAY, count=9)
    assert (step["sales"], step["done"], step["earnings"][0][15]) == (
        1, False, LockReason.NOT_SOLD)
    house.must(Kind.SET_PAIR_STATUS, pair=house.btc_cny, status=PairStatus.HALTED)
    step = house.must(Kind.SELL_EARNINGS, coin=BTC, day=DAY)
    assert (step["sales"], step["done"], step["earnings"][0][8]) == (0, True, 0)
    assert house.balance(FARM, BTC) == (MUCH, 0)


def test_what_is_left_of_the_account_s_money_when_its_sale_comes_is_sold():
    house = of_sale().to_day(DAY + 1)
    house.must(Kind.BEGIN_SETTLEMENT, coin=BTC, day=DAY)
    house.must(Kind.SETTLE_ACCOUNTS, coin=BTC, day=DAY, count=9)
    house.must(Kind.TRANSFER_BALANCE, by=MAKER, from_uid=FARM, to_uid=HALL, coin=BTC,
               amount=MUCH - 250)
    step = house.must(Kind.SELL_EARNINGS, coin=BTC, day=DAY)
    assert step["earnings"][0][8] == 200 and house.settlements.totals.get(FARM, BTC).unsold == 50


def test_who_turns_it_off_before_the_sale_is_paid_in_coin():
    house = of_sale().to_day(DAY + 1)
    house.harvest(FARM)
    house.must(Kind.BEGIN_SETTLEMENT, coin=BTC, day=DAY)
    house.must(Kind.SETTLE_ACCOUNTS, coin=BTC, day=DAY, count=9)
    house.to_money(FARM, auto=False)
    step = house.must(Kind.SELL_EARNINGS, coin=BTC, day=DAY)
    assert step["done"] and step["earnings"][0][10:12] == [BTC, MUCH]
    assert house.settlements.totals.get(FARM, BTC).earned == MUCH


def test_other_coins_of_the_account_are_not_sold():
    house = of_sale()
    house.must(Kind.DEPOSIT, uid=FARM, coin=BTC, amount=5_000, txid="own")
    found = house.settle()[FARM]
    assert (found.sold, found.remain, found.reason) == (MUCH, 5_000, LockReason.NOT_SOLD)


@pytest.mark.parametrize("self_trade, sold, frozen", [
    (SelfTrade.CANCEL_MAKER, MUCH, 0),
    (SelfTrade.CANCEL_TAKER, 0, 150_300),
    (SelfTrade.CANCEL_BOTH, 0, 0),
])
def test_the_account_s_own_order_is_no_proceeds(self_trade, sold, frozen):
    house = of_sale(lots=2_000, self_trade=int(self_trade))
    house.must(Kind.DEPOSIT, uid=FARM, coin=CNY, amount=150_300, txid="own")
    house.buy(house.btc_cny, PRICE + 1, 499, user=FARM)
    assert house.balance(FARM, CNY)[1] == 499 * (PRICE + 1)
    found = house.settle()[FARM]
    assert (found.sold, found.money) == (sold, sold // 100 * PRICE)
    assert house.balance(FARM, CNY)[1] == (499 * (PRICE + 1) if frozen else 0)


def test_a_sale_may_trigger_the_account_s_own_stop():
    house = of_sale(lots=3_000)
    house.must(Kind.DEPOSIT, uid=FARM, coin=BTC, amount=500, txid="own")
    house.send(place_order(FARM, house.btc_cny, Side.SELL, OrderType.STOP_MARKET, Tif.IOC,
                           qty=5, stop_price=PRICE))
    found = house.settle()[FARM]
    assert (found.sold, found.money) == (MUCH, MUCH // 100 * PRICE)
    assert found.money_remain == found.money + 5 * PRICE


# -- over stops ------------------------------------------------------------------------------------

def busy_house():
    """Three accounts of all sorts, a day's work, and a book that takes half of the sale."""
    house = of_sale(lots=1_000)
    house.bank(FARM)
    house.harvest(HALL)
    house.must(Kind.SET_FEES, account=HALL, fee_type=2, fee=300, commission=100, refer=MAKER)
    house.network(fees=12_345, blocks=2)
    house.mine(HALL, 3 * MUCH + 1)
    return house.to_day(DAY + 1)


def test_a_stop_between_any_two_commands_changes_nothing():
    going, stopped = busy_house(), busy_house()
    steps = [(Kind.BEGIN_SETTLEMENT, {}), *[(Kind.SETTLE_ACCOUNTS, {"count": 1})] * 2,
             (Kind.SELL_EARNINGS, {})]
    for kind, more in steps:
        stopped = stopped.reloaded()
        values = [house.must(kind, coin=BTC, day=DAY, **more) for house in (going, stopped)]
        assert values[0] == values[1]
        assert going.state_hash() == stopped.state_hash() == stopped.reloaded().state_hash()
    assert values[0]["done"] and going.core.dump() == stopped.core.dump()
