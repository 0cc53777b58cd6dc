"""The action API's earnings: `Profit.*`, sums, days and payments of sub-accounts.

A day is one of UTC; start and end are included. A day is shown once it is settled; amounts are
exact.
"""

from collections.abc import AsyncIterator

import msgspec

from api.dialects.action_api_calls import Call, Handler, action
from api.dialects.action_api_speed import DAYS
from api.dialects.action_api_subaccounts import USER_NAME
from api.dialects.described import Field
from api.mining import day_payments, profits, ranges
from api.mining.coins import CNY
from api.numbers import InputError

COIN_LENGTH_MAX = 64

SUM = {"total": 50.123, "remain": 0.000123, "type": "btc"}

OPERATIONS = (
    action("Profit.GetSubAccountSummary", "What a sub-account has earned, was paid last and has "
           "left, of each coin: btc, bch, cny, then others that are mined. `autoPay` is the least "
           "amount that is paid by itself, 0: nothing is, -1: there is no address.", (USER_NAME,),
           [{"latestPay": 0.0112, "total": 50.123, "remain": 0.000123, "autoPay": 0.01,
             "type": "btc"}]),
    action("Profit.GetAccountSummary", "The same in all sub-accounts of a main account.",
           (Field("account", "text", "the main account's name, in any case"),), [SUM]),
    action("Profit.GetByDay", "What a sub-account has earned on each settled day. `status`: saved, "
           "paying, finish, or none where nothing was earned.", (
               USER_NAME,
               Field("coinType", "text", "`btc`, `bch` or another coin that is mined; `cny`: what "
                                         "the sale of them has brought"), *DAYS),
           [{"at": "2020-04-01", "profitPerP": 0.000123, "speed": 1.0, "total": 0.000123,
             "status": "finish"}]),
    action("Profit.GetAllUserPaymentByDay", "What each sub-account is paid for a settled day, and "
           "why the rest is not; without those that had neither work nor a payment.",
           (Field("day", "text", "as `2020-02-29`"),), [{
               "userName": "test", "at": "2020-04-01",
               "btcPaid": "0.01234567", "bchPaid": "0.01234567", "rmbPaid": "0.00",
               "btcRemain": "0.00000000", "bchRemain": "0.00000000", "rmbRemain": "0.00",
               "btcLockReason": "", "bchLockReason": "", "rmbLockReason": "", "payType": "BTC",
               "address": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
               "bchAddress": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"}]),
)


async def sub_account_summary(call: Call) -> object:
    return profits.account_sums(call.core, call.account("userName").number)


async def account_summary(call: Call) -> object:
    return profits.master_sums(call.core, call.user("account").uid)


async def by_day(call: Call) -> object:
    account = call.account("userName")
    is_money = call.text("coinType", COIN_LENGTH_MAX).upper() == CNY
    coin = call.core.coins.by_name(CNY) if is_money else call.coin("coinType")
    if coin is None:
        raise InputError("coinType", "is not listed")
    first, last = ranges.days(call.fields, "start", "end")
    listed = profits.money_bills_list if is_money else profits.bills_list
    return await listed(call.house, account.number, coin, first, last)


async def payments_by_day(call: Call) -> AsyncIterator[bytes]:
    day, before = ranges.day(call.fields, "day"), b"["
    async for rows in day_payments.slices_of_day(call.house, day):
        # Without the brackets around them.
        yield before + msgspec.json.encode(rows)[1:-1]
        before = b","
    yield b"]" if before == b"," else b"[]"


ACTIONS: dict[str, Handler] = {
    "Profit.GetSubAccountSummary": sub_account_summary,
    "Profit.GetAccountSummary": account_summary,
    "Profit.GetByDay": by_day,
    "Profit.GetAllUserPaymentByDay": payments_by_day,
}
