"""The calls of the pool's user API: what each reads of a request, and what it answers.

A call is a function `(Call) -> Answer`: it reads its fields, in the order in which they are
described, and gives what is to be done once the caller's token is spent. What it refuses is an
exception that `api.mining.envelopes` knows; nothing has changed then.
"""

import time
from collections.abc import Awaitable, Callable, Mapping

from api.auth.client_tokens import Client
from api.dialects.fields import Fields
from api.mining import bulk, observer_links, profits, ranges, speeds, workers
from api.mining.coins import BCH, BTC
from api.numbers import InputError, json_number
from api.refusals import Refused, accepted
from api.shell import Shell
from api.times import NS_PER_S
from engine import Kind, cold

NAME_LENGTH_MAX = 64        # of what a request names; what is there has limits of its own
REMARK_LENGTH_MAX = 128


# Gives what `data` is to show, or the parts of its JSON, to be sent as they are made.
Answer = Callable[[], Awaitable[object]]


class Call:
    """One request of a known client."""

    __slots__ = ("shell", "house", "core", "client", "given", "fields")

    def __init__(self, shell: Shell, client: Client, given: Mapping[str, object]):
        self.shell = shell
        self.house = shell.house
        self.core = shell.house.core
        self.client = client
        self.given = given
        self.fields = Fields(given)

    def now_s(self) -> int:
        """Never before what has happened: the core's time does not follow a clock set back."""
        return max(time.time_ns(), self.core.ts_ns) // NS_PER_S

    def account(self) -> int:
        """The number of the sub-account that the field `account` names, or of the first one.

        Raises InputError, and Refused for any that is not the caller's, whether there is one or
        not.
        """
        own = self.core.sub_accounts.of_master(self.client.uid)
        if self.fields.has("account"):
            found = self.core.users.sub_account(self.fields.text("account", NAME_LENGTH_MAX))
            if found is None or found.uid not in own:
                raise Refused("no_right", "account: is no sub-account of this credential's user")
            return found.uid
        if not own:
            raise Refused("no_right", "account: this credential's user has no sub-account")
        return own[0]

    def coin(self):
        """The listed coin that the field `coinType` names: BTC, BCH or one that is mined."""
        name = self.fields.text("coinType", NAME_LENGTH_MAX)
        coins = self.core.coins
        coin = coins.by_name(name) or coins.by_name(name.upper())
        if coin is None or (coin.name not in (BTC, BCH)
                            and self.core.networks.get(coin.number) is None):
            raise InputError("coinType", "is no coin that is mined")
        return coin

    def texts(self, field: str) -> list[str]:
        """A list of texts, or one text. Raises InputError."""
        given = self.given.get(field)
        if given is None:
            raise InputError(field, "is missing")
        texts = given if type(given) is list else [given]
        if not all(type(text) is str for text in texts):
            raise InputError(field, "must be a list of strings")
        return texts


# -- profits ---------------------------------------------------------------------------------------

def list_profits(call: Call) -> Answer:
    account, coin = call.account(), call.coin()
    first, last = ranges.days(call.fields, "startDay", "endDay")

    async def answer() -> object:
        return await profits.earnings_list(call.house, account, coin, first, last)
    return answer


def list_payments(call: Call) -> Answer:
    account, coin = call.account(), call.coin()
    first, last = ranges.days(call.fields, "startDay", "endDay")

    async def answer() -> object:
        return profits.payments_list(call.core, account, coin, first, last)
    return answer


def show_profit_today(call: Call) -> Answer:
    account, coin = call.account(), call.coin()

    async def answer() -> object:
        return profits.today(call.core, account, coin, call.now_s())
    return answer


# -- speeds ----------------------------------------------------------------------------------------

def show_speeds(call: Call) -> Answer:
    account = call.account()

    async def answer() -> object:
        return speeds.realtime(call.core, account, call.now_s())
    return answer


def list_speeds_by_hour(call: Call) -> Answer:
    account = call.account()

    async def answer() -> object:
        return speeds.hourly_24h(call.core, account, call.now_s(), call.shell.zone, "at")
    return answer


def list_speeds_by_day(call: Call) -> Answer:
    account = call.account()

    async def answer() -> object:
        return speeds.daily_30d(call.core, account, call.now_s(), "at")
    return answer


def list_workers_by_hour(call: Call) -> Answer:
    account, zone = call.account(), call.shell.zone
    first, last = ranges.hours(call.fields, "start", "end", zone)

    async def answer() -> object:
        return bulk.worker_hours(call.house, account, first, last, zone, "at")
    return answer


# -- workers ---------------------------------------------------------------------------------------

def count_workers(call: Call) -> Answer:
    account = call.account()

    async def answer() -> object:
        return await workers.summary(call.core, account, call.now_s(), call.shell.config.pool)
    return answer


def list_workers(call: Call) -> Answer:
    account = call.account()

    async def answer() -> object:
        return await workers.listed(call.house, account, call.now_s(), call.shell.config.pool)
    return answer


def count_workers_by_day(call: Call) -> Answer:
    account = call.account()

    async def answer() -> object:
        return workers.online_days(call.core, account, call.now_s())
    return answer


# -- settings --------------------------------------------------------------------------------------

def show_pay_setting(call: Call) -> Answer:
    account, coin = call.account(), call.coin()

    async def answer() -> object:
        harvest = call.core.sub_accounts.get(account).coin_harvest(coin.number)
        return {"address": call.core.users.get(account).withdraw_address(coin.number) or "",
                "min": json_number(harvest.min if harvest is not None else 0, coin.scale)}
    return answer


def list_sub_accounts(call: Call) -> Answer:
    # The field says whose: of any own sub-account, the answer is the same.
    call.account()

    async def answer() -> object:
        accounts = call.core.sub_accounts
        return [accounts.get(number).name for number in accounts.of_master(call.client.uid)]
    return answer


def create_observer(call: Call) -> Answer:
    account = call.account()
    rights = observer_links.rights_of("rights", call.texts("rights"))
    remark = ""
    if call.given.get("remark") not in (None, ""):
        remark = call.fields.text("remark", REMARK_LENGTH_MAX)

    async def answer() -> object:
        accepted(await call.house.submit(cold(Kind.ADD_OBSERVER, {
            "account": account, "token": observer_links.new_token(), "rights": rights,
            "remark": remark})))
        return True
    return answer
