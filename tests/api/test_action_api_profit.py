"""`Profit.*` of the action API over HTTP: sums, days and payments of a pool that was settled on
three days, against the shares it was sent."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest

from api.dialects import action_api_speed, action_api_worker
from api.dialects.action_api_profit import OPERATIONS
from api.mining import day_payments, profits
from api.mining.day_payments import DayPayment, fixed, payments_of_day
from engine import Kind
from tests.api.action_apis import check_fields
from tests.api.pool_days import (
    BANK, BANK_FEE, BCH, BCH_ADDRESS, BTC, BTC_ADDRESS, CNY, DAY, DAY_S, DAYS, FEES, FIRST_DAY,
    NOW_S, PRICES, SUBSIDY, Days, coins, day_text, pps, profit_per_p)

INPUT, AUTHENTICATION, OPERATION, RIGHT = 5010, 5020, 5030, 5040
RANGE = {"start": "2040-03-01", "end": "2040-03-06"}
# The rates of docs: FPPS and 0.02 where nothing else is set; those of gamma are set.
KEPT, GAMMA_KEPT, GAMMA_COMMISSION = (Fraction(98, 100), Fraction(9_875, 10_000),
                                      Fraction(5, 1_000))


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    days = Days(tmp_path_factory)
    yield days
    days.close()


def net(days, account, coin, day):
    """Units that an account earns on a day, rounded down once."""
    value = pps([share for share in days.shares if share.account == account], coin, day)
    if account == "gamma":
        return int(value * GAMMA_KEPT)
    return int(value * KEPT * (1 if coin == BCH else Fraction(SUBSIDY + FEES, SUBSIDY)))


def commission(days, day):
    """What the work of gamma brings alpha."""
    shares = [share for share in days.shares if share.account == "gamma"]
    return int(pps(shares, BTC, day) * GAMMA_COMMISSION)


def three(amount_of):
    """The sum of something over the settled days."""
    return sum(amount_of(day) for day in range(FIRST_DAY, DAY))


def money(days, day, account="beta", coin=BTC):
    """Units of CNY that the sale of a day brings: coins go in lots of 10^-6, at a fee of 0.002.

    Beta's lots come out even; what delta's leave is sold with the next ones.
    """
    lots = [sum(net(days, account, coin, before) for before in range(FIRST_DAY, until)) // 100
            for until in (day, day + 1)]
    got = (lots[1] - lots[0]) * 100 * PRICES[coin]
    return got - got * 2 // 1_000


def speed(days, account, coin, day):
    work = sum(share.work for share in days.shares if share.account == account
               and share.coin == coin and share.at_s // DAY_S == day)
    return Decimal(int((work << 32) / DAY_S)) / 10**15


# -- sums ------------------------------------------------------------------------------------------

def test_a_summary_has_every_coin_in_order(days):
    summary = days.done("Profit.GetSubAccountSummary", userName="alpha")
    assert [row["type"] for row in summary] == ["btc", "bch", "cny"]
    assert {tuple(row) for row in summary} == {
        ("latestPay", "total", "remain", "autoPay", "type")}
    last = commission(days, DAY - 1) + sum(
        net(days, "alpha", BTC, day) for day in (DAY - 2, DAY - 1)) + sum(
        commission(days, day) for day in (DAY - 3, DAY - 2))
    rest = commission(days, DAY - 1)
    assert summary[0] == {
        "latestPay": coins(last - rest), "total": coins(three(lambda day: net(
            days, "alpha", BTC, day))), "remain": coins(rest), "autoPay": Decimal("0.001"),
        "type": "btc"}
    earned = coins(three(lambda day: net(days, "alpha", BCH, day)))
    assert summary[1] == {"latestPay": 0, "total": earned, "remain": earned, "autoPay": -1,
                          "type": "bch"}


def test_the_cny_of_a_summary_are_those_of_sales(days):
    cny = days.done("Profit.GetSubAccountSummary", userName="beta")[2]
    got = three(lambda day: money(days, day))
    first = money(days, FIRST_DAY) // 10**6 * 10**6
    paid = (got - first) // 10**6 * 10**6
    assert cny == {"latestPay": coins(paid - BANK_FEE), "total": coins(got),
                   "remain": coins(got - first - paid), "autoPay": 1, "type": "cny"}


def test_who_never_worked_has_nothing(days):
    nothing = {"latestPay": 0, "total": 0, "remain": 0, "autoPay": -1}
    assert days.done("Profit.GetSubAccountSummary", userName="other") == [
        nothing | {"type": name} for name in ("btc", "bch", "cny")]


def test_a_minimum_of_zero_is_not_automatic(days):
    days.house.submit(Kind.SET_COIN_HARVEST, account=days.numbers["other"], coin=BTC,
                      address=BTC_ADDRESS, min=0)
    assert days.done("Profit.GetSubAccountSummary", userName="other")[0]["autoPay"] == 0


def test_the_sum_of_a_user_is_that_of_the_sub_accounts(days):
    rows = days.done("Profit.GetAccountSummary", account="ALPHA")
    own = [days.done("Profit.GetSubAccountSummary", userName=name)
           for name in ("alpha", "beta", "gamma", "delta")]
    assert rows == [{"total": sum(one["total"] for one in of_coin),
                     "remain": sum(one["remain"] for one in of_coin), "type": of_coin[0]["type"]}
                    for of_coin in zip(*own)]
    assert rows[0]["total"] > 0 and rows[2]["total"] > 0


# -- days ------------------------------------------------------------------------------------------

def test_days_are_those_of_the_shares(days):
    rows = days.done("Profit.GetByDay", userName="alpha", coinType="btc", **RANGE)
    assert rows == [{
        "at": day_text(day), "profitPerP": coins(profit_per_p(BTC, day)),
        "speed": speed(days, "alpha", BTC, day), "total": coins(net(days, "alpha", BTC, day)),
        "status": status,
    } for day, status in zip(range(FIRST_DAY, DAY), ("finish", "saved", "paying"))]
    assert [row["at"] for row in rows] == DAYS
    assert list(rows[0]) == ["at", "profitPerP", "speed", "total", "status"]


def test_days_of_another_coin_are_saved_without_an_address(days):
    rows = days.done("Profit.GetByDay", userName="alpha", coinType="BCH", **RANGE)
    assert [(row["total"], row["status"]) for row in rows] == [
        (coins(net(days, "alpha", BCH, day)), "saved") for day in range(FIRST_DAY, DAY)]


def test_days_in_cny_show_what_the_sales_brought(days):
    rows = days.done("Profit.GetByDay", userName="beta", coinType="cny", **RANGE)
    assert rows == [{
        "at": day_text(day), "profitPerP": 0, "speed": speed(days, "beta", BTC, day),
        "total": coins(money(days, day)), "status": status,
    } for day, status in zip(range(FIRST_DAY, DAY), ("finish", "saved", "paying"))]


def test_the_ends_of_a_range_are_in_it(days):
    for start, end in ((0, 0), (1, 2), (2, 2)):
        rows = days.done("Profit.GetByDay", userName="alpha", coinType="btc", start=DAYS[start],
                         end=DAYS[end])
        assert [row["at"] for row in rows] == DAYS[start:end + 1]
    assert days.done("Profit.GetByDay", userName="other", coinType="btc", **RANGE) == []


def test_a_day_without_a_gain_needs_no_payment(days):
    assert profits.status_of(days.core, 0, [0]) == "none"
    assert profits.status_of(days.core, 1, [0]) == "saved"


# -- what the user API takes from here -------------------------------------------------------------

def test_earnings_have_the_day_s_rates(days):
    coin = days.core.coins.get(BTC)
    rows = days.house.run(profits.earnings_list(
        days.house.house, days.numbers["alpha"], coin, FIRST_DAY, DAY))
    shown = [{name: bytes(value).decode() if name != "day" else value
              for name, value in row.items()} for row in rows]
    assert shown == [{
        "day": day_text(day), "total": number(net(days, "alpha", BTC, day)), "netAvgFee": "0.08",
        "profitPerP": number(profit_per_p(BTC, day))} for day in range(FIRST_DAY, DAY)]


@pytest.mark.parametrize("fees, subsidies, expected", [
    # A pool's published figures of 149 blocks, in units.
    (11_036_520_932, 93_125_000_000, 1_185_129_765), (0, 5, 0), (1, 2, 5 * 10**9),
    (1, 2 * 10**10, 1), (1, 2 * 10**10 + 1, 0), (0, 0, 0)])
def test_a_rate_of_fees_has_ten_decimals_half_up(fees, subsidies, expected):
    assert profits.rounded(fees, subsidies) == expected


def number(units):
    """The text of units of 10^-8, without zeros at its end."""
    return f"{coins(units):f}".rstrip("0").rstrip(".") if units else "0"


def test_payments_are_what_was_not_rejected(days):
    account, coin = days.numbers["alpha"], days.core.coins.get(BTC)
    rows = profits.payments_list(days.core, account, coin, FIRST_DAY, DAY)
    first = net(days, "alpha", BTC, FIRST_DAY)
    later = sum(net(days, "alpha", BTC, day) for day in (DAY - 2, DAY - 1)) + sum(
        commission(days, day) for day in (DAY - 3, DAY - 2))
    assert [(row["day"], bytes(row["amount"]).decode(), bytes(row["total"]).decode(),
             row["address"]) for row in rows] == [
        (DAYS[0], number(first), number(first), BTC_ADDRESS),
        (DAYS[2], number(later), number(later), BTC_ADDRESS)]


def test_payments_of_sold_coins_are_listed_in_cny(days):
    account = days.numbers["beta"]
    assert profits.payments_list(days.core, account, days.core.coins.get(BTC), 0, DAY) == []
    rows = profits.payments_list(days.core, account, days.core.coins.get(CNY), FIRST_DAY, DAY)
    assert [row["day"] for row in rows] == [DAYS[0], DAYS[2]]
    first = money(days, FIRST_DAY) // 10**6 * 10**6 - BANK_FEE
    assert {bytes(rows[0][name]).decode() for name in ("amount", "total")} == {number(first)}
    assert json.loads(rows[0]["address"]) == BANK


def test_today_is_what_the_running_day_has_brought(days):
    for name, coin in (("alpha", BTC), ("alpha", BCH), ("gamma", BTC), ("other", BTC)):
        own = [share for share in days.shares if share.account == name]
        units = int(pps(own, coin, DAY))
        assert profits.today_units(days.core, days.numbers[name], coin, NOW_S) == units
        shown = profits.today(days.core, days.numbers[name], days.core.coins.get(coin), NOW_S)
        assert bytes(shown["total"]).decode() == number(units)


# -- payments of all -------------------------------------------------------------------------------

FIELDS = ["userName", "at", "btcPaid", "bchPaid", "rmbPaid", "btcRemain", "bchRemain", "rmbRemain",
          "btcLockReason", "bchLockReason", "rmbLockReason", "payType", "address", "bchAddress"]
NOTHING = {"btcPaid": "0.00000000", "bchPaid": "0.00000000", "rmbPaid": "0.00",
           "btcRemain": "0.00000000", "bchRemain": "0.00000000", "rmbRemain": "0.00",
           "btcLockReason": "", "bchLockReason": "", "rmbLockReason": "", "payType": "BTC",
           "address": "", "bchAddress": ""}


def text8(units):
    return f"{coins(units):.8f}"


def text2(units):
    """Cut down to hundredths."""
    return f"{Decimal(units // 10**6) / 100:.2f}"


def test_payments_of_a_day_have_every_sub_account_that_worked(days):
    rows = days.done("Profit.GetAllUserPaymentByDay", day=DAYS[0])
    assert [list(row) for row in rows] == [FIELDS] * 4
    assert [row["userName"] for row in rows] == ["alpha", "beta", "gamma", "delta"]
    assert {row["at"] for row in rows} == {DAYS[0]}
    assert rows[0] == {"userName": "alpha", "at": DAYS[0], **NOTHING,
                       "btcPaid": text8(net(days, "alpha", BTC, FIRST_DAY)),
                       "bchRemain": text8(net(days, "alpha", BCH, FIRST_DAY)),
                       "bchLockReason": "no address", "address": BTC_ADDRESS}
    assert rows[2] == {"userName": "gamma", "at": DAYS[0], **NOTHING,
                       "btcRemain": text8(net(days, "gamma", BTC, FIRST_DAY)),
                       "btcLockReason": "no address", "bchAddress": BCH_ADDRESS}


def test_cny_are_paid_to_the_bank(days):
    row = days.done("Profit.GetAllUserPaymentByDay", day=DAYS[0])[1]
    address = json.loads(row.pop("address"))
    assert address == {"province": "北京", "city": "北京", "name": "中国银行", "branch": "西二旗支行",
                       "owner": "李鸿章", "no": "6223211231313123"}
    assert row == {"userName": "beta", "at": DAYS[0],
                   **{name: value for name, value in NOTHING.items() if name != "address"},
                   "rmbPaid": text2(money(days, FIRST_DAY) - BANK_FEE), "payType": "BANK"}


def test_a_failed_payment_remains(days):
    alpha, beta, *_ = days.done("Profit.GetAllUserPaymentByDay", day=DAYS[1])
    assert (alpha["btcPaid"], alpha["btcLockReason"]) == ("0.00000000", "payment failed")
    # Accounts come in their order: what gamma's work brings alpha is there a day later.
    assert alpha["btcRemain"] == text8(net(days, "alpha", BTC, DAY - 2) + commission(days, DAY - 3))
    assert (beta["rmbPaid"], beta["rmbLockReason"]) == ("0.00", "payment failed")
    assert beta["payType"] == "BANK" and json.loads(beta["address"])["no"] == BANK["number"]


def test_cny_of_two_coins_are_one_balance(days):
    """That of BTC is below the minimum, that of both is not; it was rejected on the second day. On
    the third one that of BTC is enough with what was there, and that of BCH comes too late."""
    btc, bch = ([money(days, day, "delta", coin) for day in range(FIRST_DAY, DAY)]
                for coin in (BTC, BCH))
    rows = [days.done("Profit.GetAllUserPaymentByDay", day=day)[3] for day in DAYS]
    second = (btc[0] + bch[0]) % 10**6 + btc[1] + bch[1]
    third = second + btc[2]
    assert btc[0] < 500 * 10**8 <= btc[0] + bch[0]
    assert [(row["rmbPaid"], row["rmbRemain"], row["rmbLockReason"]) for row in rows] == [
        (text2(btc[0] + bch[0] - BANK_FEE), "0.00", ""),
        ("0.00", text2(second), "payment failed"),
        (text2(third - BANK_FEE), text2(third % 10**6 + bch[2]), "below the minimum")]
    assert [row["payType"] for row in rows] == ["BANK"] * 3
    assert {row[name] for row in rows for name in ("btcPaid", "bchPaid")} == {"0.00000000"}
    statuses = [[row["status"] for row in days.done(
        "Profit.GetByDay", userName="delta", coinType=coin, **RANGE)]
        for coin in ("btc", "bch", "cny")]
    assert statuses == [["saved", "saved", "paying"], ["finish", "saved", "saved"],
                        ["finish", "saved", "paying"]]


def test_slices_are_of_any_size(days, monkeypatch):
    whole = days.done("Profit.GetAllUserPaymentByDay", day=DAYS[0])
    for size in (1, 3, 4):
        monkeypatch.setattr(day_payments, "ROWS_AT_ONCE", size)
        assert days.done("Profit.GetAllUserPaymentByDay", day=DAYS[0]) == whole


def test_a_locked_account_is_paid_nothing(days):
    gamma = days.done("Profit.GetAllUserPaymentByDay", day=DAYS[2])[2]
    assert gamma["btcLockReason"] == "account locked"
    assert gamma["btcRemain"] == text8(three(lambda day: net(days, "gamma", BTC, day)))


def test_a_day_that_is_not_settled_has_no_payments(days):
    assert days.done("Profit.GetAllUserPaymentByDay", day=day_text(DAY)) == []
    assert days.done("Profit.GetAllUserPaymentByDay", day="1970-01-01") == []


def test_the_same_rows_are_there_for_an_export(days):
    rows = days.house.run(payments_of_day(days.house.house, FIRST_DAY))
    assert [type(row) for row in rows] == [DayPayment] * 4
    assert list(DayPayment.__struct_encode_fields__) == FIELDS
    shown = days.done("Profit.GetAllUserPaymentByDay", day=DAYS[0])
    assert [[getattr(row, name) for name in row.__struct_fields__] for row in rows] == [
        list(one.values()) for one in shown]


@pytest.mark.parametrize("units, decimals, expected", [
    (0, 8, "0.00000000"), (1, 8, "0.00000001"), (10**8, 8, "1.00000000"),
    (2**63 - 1, 8, "92233720368.54775807"), (999_999, 2, "0.00"), (1_999_999, 2, "0.01"),
    (123_456_000_000, 2, "1234.56")])
def test_fixed_texts_are_cut_down(days, units, decimals, expected):
    assert fixed(units, days.core.coins.get(BTC), decimals) == expected


# -- refusals --------------------------------------------------------------------------------------

GOOD = {
    "Profit.GetSubAccountSummary": {"userName": "alpha"},
    "Profit.GetAccountSummary": {"account": "alpha"},
    "Profit.GetByDay": {"userName": "alpha", "coinType": "btc", **RANGE},
    "Profit.GetAllUserPaymentByDay": {"day": DAYS[0]},
}


def test_there_are_four(days):
    assert {operation.name: {field.name for field in operation.fields}
            for operation in OPERATIONS} == {name: set(given) for name, given in GOOD.items()}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_field_has_its_form(days, operation):
    check_fields(days, operation.name, GOOD[operation.name], operation, never=('""',))


@pytest.mark.parametrize("field, wrong, code, message", [
    ("userName", "nobody", OPERATION, "userName: nobody is not a sub-account"),
    ("coinType", "doge", INPUT, "coinType: must be btc, bch, or another coin that is mined here"),
    ("coinType", "usdt", INPUT, "coinType: must be btc, bch, or another coin that is mined here"),
    ("start", "2040-02-30", INPUT, "start: must be a day as 2020-02-29"),
    ("start", "2040-3-1", INPUT, "start: must be a day as 2020-02-29"),
    ("start", "2040-03-07", INPUT, "end: must not be before start"),
    ("start", "2039-03-06", INPUT, "end: must be at most 366 days from start, both included"),
    ("end", "1969-12-31", INPUT, "end: must not be before 1970")])
def test_each_field_of_a_range_is_looked_at(days, field, wrong, code, message):
    given = GOOD["Profit.GetByDay"] | {field: wrong}
    assert days.refused("Profit.GetByDay", given) == (code, message)


def test_366_days_are_a_range(days):
    given = GOOD["Profit.GetByDay"] | {"start": "2039-03-07"}
    assert len(days.done("Profit.GetByDay", **given)) == 3


def test_names_must_be_known(days):
    assert days.refused("Profit.GetSubAccountSummary", {"userName": "nobody"})[0] == OPERATION
    assert days.refused("Profit.GetAccountSummary", {"account": "beta"}) == (
        OPERATION, "account: not a main account")
    assert days.refused("Profit.GetAllUserPaymentByDay", {"day": "yesterday"}) == (
        INPUT, "day: must be a day as 2020-02-29")


@pytest.mark.parametrize("action", [operation.name for operation in (
    *OPERATIONS, *action_api_speed.OPERATIONS, *action_api_worker.OPERATIONS)])
def test_every_call_is_for_the_pool_s_operator_alone(days, action):
    stranger = days.credential | {"secretKey": "the key of somebody else"}
    assert days.refused(action, {}, stranger)[0] == AUTHENTICATION
    assert days.refused(action, {}, days.miner)[0] == RIGHT
