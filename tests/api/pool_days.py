"""A pool that has worked for days: its folder, written with a clock of its own, the shares that it
was sent, and the action API as a client calls it.

The clock stands in a year to come, so it stands still once the folder is served: time never goes
back, and the machine's clock is behind. Three days are settled, a fourth one runs.
"""

import asyncio
import json
import shutil
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import NamedTuple

from api.auth.client_tokens import sealed_credential
from api.auth.seal import Seal
from api.config import DEFAULT_COINS, DEFAULT_PAIRS, Config, Operator, Storage
from api.first_start import first_start
from engine import Kind, OrderType, Side, Tif, place_order
from tests.api import pool_doors
from tests.api.conftest import NO_PASSWORD, HouseThread
from tests.support.past import Clock, PastHouse, opened

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
DAY = 25_631                            # 2040-03-05
FIRST_DAY = DAY - 3
NOW_S = DAY * DAY_S + 12 * HOUR_S + 7 * MINUTE_S + 30
BTC, BCH, CNY = 1, 2, 4
BANK_FEE = 2 * 10**8                    # of each payment in CNY
COINS = tuple(replace(coin, withdraw_fee="2") if coin.name == "CNY" else coin
              for coin in DEFAULT_COINS)
DAYS = ["2040-03-02", "2040-03-03", "2040-03-04"]
BTC_ADDRESS = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
BCH_ADDRESS = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"
BANK = {"province": "北京", "city": "北京", "bank": "中国银行", "branch": "西二旗支行",
        "owner": "李鸿章", "number": "6223211231313123"}
SUBSIDY, FEES = 625_000_000, 50_000_000
# The difficulty of each coin's chain from a time on; BTC's changes in the middle of the second day.
CHAINS = {BTC: [(FIRST_DAY * DAY_S, 1_000), ((FIRST_DAY + 1) * DAY_S + 12 * HOUR_S, 1_250)],
          BCH: [(FIRST_DAY * DAY_S, 640)]}
PRICES = {BTC: 50_000, BCH: 30_000}     # CNY that the market pays


class Share(NamedTuple):
    """What one row of a batch says."""
    account: str
    worker: str
    coin: int
    accepted: int
    rejected: int
    difficulty: int
    at_s: int

    @property
    def work(self) -> int:
        return self.accepted * self.difficulty

    @property
    def refused(self) -> int:
        return self.rejected * self.difficulty


class Writer(PastHouse):
    """Fills a house: `sent` is all shares that it was sent, `numbers` who has which number."""

    def __init__(self, house, seal, clock):
        super().__init__(house, clock)
        self.seal = seal
        self.sent: list[Share] = []
        self.numbers: dict[str, int] = {}

    async def work(self, *shares: Share) -> None:
        """Shares, which may be of one moment each, as one batch."""
        await self.shares([(self.numbers[share.account], *share[1:]) for share in shares])
        self.sent += shares

    async def add_accounts(self) -> None:
        """Two users: one has four sub-accounts, the other one that never works."""
        for user, subs in {"alpha": ("beta", "gamma", "delta"), "other": ()}.items():
            uid, self.numbers[user] = await self.account(user)
            for sub in subs:
                self.numbers[sub] = await self.do(
                    Kind.ADD_SUB_ACCOUNT, uid=uid, name=sub, theory_speed=0,
                    description="", worker_count=0)
        number = self.numbers
        await self.do(Kind.SET_COIN_HARVEST, account=number["alpha"], coin=BTC,
                      address=BTC_ADDRESS, min=100_000)
        await self.do(Kind.SET_COIN_HARVEST, account=number["gamma"], coin=BCH,
                      address=BCH_ADDRESS, min=0)
        for name, least in (("beta", 100), ("delta", 50_000)):
            await self.do(Kind.SET_COIN_TO_MONEY, account=number[name], auto=True)
            await self.do(Kind.SET_MONEY_HARVEST, account=number[name], **BANK, min=least)
        await self.do(Kind.SET_FEES, account=number["gamma"], fee_type=1, fee=125,
                      refer=number["alpha"], commission=50)

    async def add_market(self) -> None:
        """Somebody who buys coins for CNY."""
        uid = await self.do(Kind.REGISTER_USER, username="market", password_hash=NO_PASSWORD,
                            group=2)
        await self.do(Kind.DEPOSIT, uid=uid, coin=CNY, amount=10**15, txid="market")
        for coin, price in PRICES.items():
            pair = self.core.pairs.by_name(f"{self.core.coins.get(coin).name}/CNY")
            await self.send(place_order(uid, pair.number, Side.BUY, OrderType.LIMIT, Tif.GTC,
                                        price=price * 100, qty=100 * 10**6))

    async def work_for_an_hour(self, start_s: int) -> None:
        """Shares in the middle of an hour; how many depends on the hour."""
        hour = start_s // HOUR_S
        at_s = start_s + 30 * MINUTE_S
        self.now_s = at_s + 20
        shares = [Share("alpha", "rig 1", BTC, 3 + hour % 5, hour % 3, 2, at_s),
                  Share("alpha", '"2"\\四川', BTC, 7, 0, 3, at_s + 7),
                  Share("beta", "rig 1", BTC, 1 + hour % 4, 0, 1, at_s)]
        if hour % 2:
            shares.append(Share("alpha", "cash", BCH, 2, 1, 8, at_s))
        if hour % 6 == 0:
            shares.append(Share("gamma", "night", BTC, 5, hour % 4, 5, at_s))
        if hour % 24 == 3:
            shares += [Share("delta", "both", coin, 1, 0, 1, at_s) for coin in (BTC, BCH)]
        await self.work(*shares)

    async def settle(self, coin: int, day: int) -> None:
        step = await self.do(Kind.BEGIN_SETTLEMENT, coin=coin, day=day)
        while not step["done"]:
            step = await self.do(Kind.SETTLE_ACCOUNTS, coin=coin, day=day, count=2)
            while step["sales"]:
                step = await self.do(Kind.SELL_EARNINGS, coin=coin, day=day)

    async def end_day(self, day: int) -> None:
        """Settle a day, and pay what it has brought: that of the first, never that of the second,
        not yet that of the third."""
        self.now_s = (day + 1) * DAY_S + 10 * MINUTE_S
        if day == DAY - 1:
            await self.do(Kind.LOCK_ACCOUNT, account=self.numbers["gamma"], locked=True)
        for coin in (BTC, BCH):
            await self.settle(coin, day)
        for payment in list(self.core.withdrawals.open_ones()):
            if day == FIRST_DAY:
                await self.do(Kind.FINISH_WITHDRAWAL, id=payment.id, txid=f"tx-{payment.id}")
            elif day == FIRST_DAY + 1:
                await self.do(Kind.REJECT_WITHDRAWAL, id=payment.id)

    async def live(self) -> None:
        self.now_s = FIRST_DAY * DAY_S
        await self.add_accounts()
        await self.add_market()
        for coin, states in CHAINS.items():
            await self.network(coin, states[0][1], SUBSIDY, FEES)
        for hour in range(FIRST_DAY * 24, DAY * 24 + 12):
            if hour % 24 == 0 and hour // 24 > FIRST_DAY:
                await self.end_day(hour // 24 - 1)
            if hour * HOUR_S == CHAINS[BTC][1][0]:
                self.now_s = hour * HOUR_S
                await self.network(BTC, CHAINS[BTC][1][1], SUBSIDY, FEES)
            await self.work_for_an_hour(hour * HOUR_S)
        self.now_s = NOW_S - 5 * MINUTE_S
        await self.work(*(Share("alpha", "rig 1", BTC, 11, 2, 4, NOW_S - ago_s)
                          for ago_s in (330, 331, 500, 700, 850)))
        self.now_s = NOW_S
        await self.work(Share("alpha", "rig 1", BTC, 13, 0, 5, NOW_S - 120),
                        Share("alpha", "cash", BCH, 1, 2, 8, NOW_S - 90),
                        Share("beta", "new", BTC, 0, 3, 1, NOW_S - 15))

    async def add_credential(self, client_id: str, scope: str, uid: int | None) -> dict:
        own = {"clientId": client_id, "secretKey": f"key of {client_id}, kept well",
               "secretSalt": f"salt of {client_id}, kept well"}
        await self.do(Kind.ADD_CREDENTIAL, **sealed_credential(
            self.seal, client_id, own["secretKey"], own["secretSalt"], scope, uid))
        return own


async def write(directory) -> SimpleNamespace:
    clock = Clock(FIRST_DAY * DAY_S - 10)
    async with opened(directory, clock) as house:
        seal = Seal.open(directory)
        config = Config(data=Storage(dir=str(directory)), coins=COINS, pairs=DEFAULT_PAIRS,
                        operator=Operator("operator-password"))
        await first_start(house, config, seal)
        writer = Writer(house, seal, clock)
        await writer.live()
        credential = await writer.add_credential("actions", "operator", None)
        miner = await writer.add_credential("miner", "account",
                                            house.core.users.by_name("alpha").uid)
    return SimpleNamespace(directory=directory, shares=writer.sent, numbers=writer.numbers,
                           credential=credential, miner=miner)


_written: list[SimpleNamespace] = []


class Days:
    """A house of such a pool, served; calls are signed as its client signs them. What a test
    changes is its own house's only."""

    def __init__(self, tmp_path_factory):
        if not _written:
            _written.append(asyncio.run(write(tmp_path_factory.mktemp("days") / "house")))
        self.shares, self.numbers = _written[0].shares, _written[0].numbers
        self.credential, self.miner = _written[0].credential, _written[0].miner
        directory = tmp_path_factory.mktemp("served") / "house"
        shutil.copytree(_written[0].directory, directory)
        self.house = HouseThread(directory, pairs=DEFAULT_PAIRS)
        self.core = self.house.house.core

    def close(self):
        self.house.close()

    def answer(self, action, given, credential=None, text=None):
        """`text`: of `data`, instead of that of what is given."""
        credential = credential or self.credential
        token = pool_doors.token_of(credential, exp=NOW_S + 180)
        body = pool_doors.signed_body(credential, given, action=action, at=str(NOW_S), text=text)
        headers = {"Authorization": token, "Content-Type": "application/json"}
        return self.house.request("POST", "/action-api", pool_doors.written(body), headers)

    def at_once(self, action, texts):
        """The envelopes of an action with each of these texts as `data`."""
        return [json.loads(self.answer(action, None, text=text).body) for text in texts]

    def call(self, action, given, credential=None):
        """The envelope of an answer, its form checked; numbers with a point are Decimals."""
        answer = self.answer(action, given, credential)
        if answer.status != 200:
            raise RuntimeError(f"{action} {given}: {answer.status}")
        envelope = SimpleNamespace(**json.loads(answer.body, parse_float=Decimal))
        if list(vars(envelope)) != ["code", "data", "message"]:
            raise RuntimeError(f"{action} {given}: {envelope}")
        return envelope

    def done(self, action, **given):
        """The `data` of a call that must be granted."""
        envelope = self.call(action, given)
        if envelope.code != 0 or envelope.message is not None:
            raise RuntimeError(f"{action} {given}: {envelope}")
        return envelope.data

    def refused(self, action, given, credential=None):
        """(code, message) of a call that must be refused, and change nothing but its nonces."""
        before = self.state()
        envelope = self.call(action, given, credential)
        if envelope.code == 0 or envelope.data is not None or not envelope.message:
            raise RuntimeError(f"{action} {given}: {envelope}")
        if self.state() != before:
            raise RuntimeError(f"{action} {given}: refused, and yet something has changed")
        return envelope.code, envelope.message

    def state(self):
        async def digests():
            return [store.digest() for store in (
                self.core.users, self.core.sub_accounts, self.core.workers, self.core.settlements,
                self.core.withdrawals)]
        return self.house.run(digests())


# -- the plain recomputation -----------------------------------------------------------------------

def speed(shares, start_s: int, end_s: int, seconds: int | None = None) -> dict:
    """The speed of some shares over a time, as the API shows it."""
    within = [share for share in shares if start_s <= share.at_s < end_s]
    work, refused = sum(share.work for share in within), sum(share.refused for share in within)
    rate = 0
    if work + refused:
        permille = int(Fraction(1_000 * refused, work + refused) + Fraction(1, 2))
        rate = permille if permille == 0 else Decimal(permille) / 1_000
    return {"validSpeed": int((work << 32) / (seconds or end_s - start_s)), "rejectRate": rate}


def window(shares, minutes: int) -> dict:
    """Over the whole minutes before NOW_S."""
    end_s = NOW_S // MINUTE_S * MINUTE_S
    return speed(shares, end_s - minutes * MINUTE_S, end_s)


def hour_text(hour: int) -> str:
    """An hour in Beijing time."""
    local = hour + 8
    return f"{day_text(local // 24)} {local % 24:02}:00:00"


def day_text(day: int) -> str:
    return f"2040-03-{day - DAY + 5:02}"


def difficulty_at(coin: int, at_s: int) -> int:
    return [difficulty for start_s, difficulty in CHAINS[coin] if start_s <= at_s][-1]


def pps(shares, coin: int, day: int) -> Fraction:
    """Units that the accepted shares of a day are worth, without the blocks' fees."""
    return sum((Fraction(share.work * SUBSIDY, difficulty_at(coin, share.at_s)) for share in shares
                if share.coin == coin and share.at_s // DAY_S == day), Fraction(0))


def profit_per_p(coin: int, day: int) -> int:
    """Units that 10^15 H/s bring in a day by PPS, half up."""
    moments = [day * DAY_S, day * DAY_S + DAY_S // 2, (day + 1) * DAY_S]
    value = sum(Fraction(10**15 * SUBSIDY * (end_s - start_s),
                         difficulty_at(coin, start_s) << 32)
                for start_s, end_s in zip(moments, moments[1:]))
    return int(value + Fraction(1, 2))


def coins(units: int) -> Decimal:
    """Units of 10^-8 as a JSON number's value."""
    return Decimal(units) / 10**8
