"""The settlement's benchmark: its figures are of a day that added up."""

import pytest

from bench import settlement
from bench.venue import WrongAnswer
from engine.codes import HouseAccount, Kind


@pytest.fixture(scope="module")
def day():
    day = settlement.Day(60)
    day.open()
    day.work()
    return day


def test_figures(day):
    figures = settlement.settle(day) | settlement.whole(day)
    # To begin, and one command of accounts; every other account has an address.
    assert figures["commands"] == 2 and figures["payments"] == 30
    assert figures["longest_ms"] <= figures["settlement_ms"]
    done = day.core.settlements.of_day(settlement.BTC, settlement.DAY)
    assert done.accounts == 60 and done.commission > 0 and done.fees > 0
    assert day.core.house(HouseAccount.MINED, settlement.BTC) == -done.gross


def test_books_that_are_off_by_a_unit_are_no_figure(day):
    if day.core.settlements.of_day(settlement.BTC, settlement.DAY) is None:
        settlement.settle(day)
    number = day.numbers[0]
    day.core.accounts.credit(number, settlement.BTC, 1, HouseAccount.EXTERNAL)
    with pytest.raises(WrongAnswer, match="accounts have"):
        settlement.whole(day)


def test_a_refusal_is_no_figure(day):
    with pytest.raises(WrongAnswer, match="NO_NETWORK"):
        settlement.Day(1).do(settlement.cold(Kind.ADD_COIN, {
            "name": "BTC", "title": "x", "type": "coin", "scale": 8}),
            settlement.cold(Kind.BEGIN_SETTLEMENT, {"coin": 1, "day": 0}))
