"""A farm of a thousand workers that mines two coins for three days and into a fourth, with a market
that buys what some of its sub-accounts sell; told to a house and, beside it, to the plain pool.

The days end now, so that another house can be asked about the present. All chance has one seed.
"""

import dataclasses
import random
import time

from api.config import DEFAULT_COINS, Config, Credential, Operator, Storage
from engine import Kind, OrderType, Side, Tif, add_shares, place_order
from pool.share_book import packed_batch
from tests.support.past import PastHouse
from tests.support.plain_pool import PPS, PlainAccount, PlainPool, PlainShares

DAY_S, HOUR_S = 86_400, 3_600
SEED = 20_260_131
WORKERS = 1_000
DAYS = 3
ADDRESSES = ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
             "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")
BCH_ADDRESS = "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"
COINS = {"BTC": "0.0001", "BCH": "0.001"}               # what a withdrawal costs
WITHDRAW_FEES = {"BTC": 10_000, "BCH": 100_000}
TAKER_PPM = 2_000
BANK = {"province": "Sichuan", "city": "Chengdu", "bank": "Bank", "branch": "West",
        "owner": "The Farm", "number": "6222 0000 1111"}
MASTER = "farmer"
SECRETS = {"secret_key": "the farm's own secret key", "secret_salt": "and its own salt of it"}
ONE = 1 << 16
# Whole ones, powers of two, and two with a fraction.
DIFFICULTIES = (4_096 * ONE, 65_536 * ONE, 100_000 * ONE, 8_192 * ONE + 1, 12_345 * ONE // 2)


def config_of(directory) -> Config:
    """Of the house that lives through the days, and of the one that serves its folder."""
    coins = tuple(dataclasses.replace(coin, withdraw_fee=COINS.get(coin.name, "0"))
                  for coin in DEFAULT_COINS)
    return Config(
        data=Storage(dir=str(directory), segment_mb=1), coins=coins,
        operator=Operator("operator-password"),
        credentials=(Credential("farm-client", scope="account", account=MASTER, **SECRETS),
                     Credential("pool-client", scope="operator", **SECRETS)))


@dataclasses.dataclass
class Worker:
    account: int
    name: str
    coins: tuple[int, ...]      # it takes turns
    difficulty: int
    rejects: int                # of a thousand shares; 1,000: all
    from_s: int
    until_s: int


class Farm:
    """The story, and the plain pool that lives through the same."""

    def __init__(self, told: PastHouse, first_day: int, end_s: int):
        self.told, self.first_day, self.end_s = told, first_day, end_s
        self.random = random.Random(SEED)
        self.btc, self.bch, self.cny = (told.coin(name) for name in ("BTC", "BCH", "CNY"))
        self.shares = PlainShares()
        self.pool = PlainPool(
            self.btc, self.bch, self.cny,
            {told.coin(name): fee for name, fee in WITHDRAW_FEES.items()}, TAKER_PPM)
        self.closed = {self.btc: -1, self.bch: -1}
        self.names: dict[str, int] = {}
        self.workers: list[Worker] = []
        self.batches = 0
        # A time for each step: (Unix seconds, what happens then).
        self.steps: list[tuple] = []

    @property
    def start_s(self) -> int:
        return self.first_day * DAY_S

    # -- who is there ------------------------------------------------------------------------------

    async def open_accounts(self):
        """Each with its own way to be paid; the numbers of all rise in this order."""
        told, address = self.told, ADDRESSES
        uid = told.core.users.by_name(MASTER).uid
        broker, _ = await told.account("broker")
        self.maker, _ = await told.account("maker")
        await told.do(Kind.DEPOSIT, uid=self.maker, coin=self.cny, amount=10**15, txid="maker")
        btc, bch = self.btc, self.bch
        paid = {btc: (address[0], 100_000), bch: (BCH_ADDRESS, 1_000_000)}
        settings = {
            "farmer": {"harvests": paid},
            "pps": {"fee_type": PPS, "fee": 100, "harvests": {btc: (address[1], 10_000_000)}},
            "no_address": {},
            "locked": {"locked": True, "harvests": paid},
            "by_hand": {"harvests": {btc: (address[2], 0)}},
            "brought": {"fee": 300, "commission": 50, "refer": broker, "harvests": paid},
            "brought_too": {"fee": 1_000, "commission": 999, "refer": "farmer"},
            "brought_early": {"fee": 9_000, "commission": 9_000, "refer": "idle", "harvests": paid},
            "sells": {"sells": True, "bank": (BANK, 10_000)},
            "sells_to_none": {"sells": True, "fee": 9_999},
            "sells_by_hand": {"sells": True, "bank": (BANK, 0)},
            "bitcoin_cash": {"bch_fee": 150, "bch_commission": 40, "refer": "brought",
                             "harvests": paid},
            "sells_both": {"sells": True, "bank": (BANK, 100)},
            "free": {"fee": 0, "bch_fee": 0, "harvests": paid},
            "idle": {"harvests": {btc: (address[1], 100_000)}},
            "sells_later": {"harvests": {btc: (address[0], 0)}, "bank": (BANK, 100)},
        }
        for name in settings:
            self.names[name] = await told.do(
                Kind.ADD_SUB_ACCOUNT, uid=uid, name=name, theory_speed=0, description="",
                worker_count=0)
        for name, fields in settings.items():
            refer = fields.get("refer", 0)
            fields["refer"] = self.names.get(refer, refer)
            account = PlainAccount(self.names[name], name, **fields)
            self.pool.accounts[account.number] = account
            await self._set(account)

    async def _set(self, account: PlainAccount):
        told, number = self.told, account.number
        await told.do(Kind.SET_FEES, account=number, fee_type=account.fee_type, fee=account.fee,
                      refer=account.refer, commission=account.commission,
                      bch_pps_fee=account.bch_fee, bch_commission=account.bch_commission)
        for coin, (address, least) in account.harvests.items():
            await told.do(Kind.SET_COIN_HARVEST, account=number, coin=coin, address=address,
                          min=least)
        if account.bank:
            fields, least = account.bank
            await told.do(Kind.SET_MONEY_HARVEST, account=number, min=least, **fields)
        if account.sells:
            await told.do(Kind.SET_COIN_TO_MONEY, account=number, auto=True)
        if account.locked:
            await told.do(Kind.LOCK_ACCOUNT, account=number, locked=True)

    def hire(self):
        """The workers: some come late, stop early, are silent for the last day, are rejected."""
        names = [name for name in self.names if name != "idle"]
        for number in range(WORKERS):
            name = "farmer" if number % 5 == 0 else self.random.choice(names)
            coins = {"bitcoin_cash": (self.bch,), "sells_both": (self.btc, self.bch)}.get(
                name, (self.btc, self.bch) if number % 7 == 0 else (self.btc,))
            worker = Worker(self.names[name], f"rig.{number:04}", coins,
                            self.random.choice(DIFFICULTIES), self.random.choice((0, 0, 5, 80)),
                            self.start_s, self.end_s + 1)
            if number % 10 == 1:
                worker.from_s += self.random.randrange(DAYS * DAY_S)
            elif number % 10 == 2:
                worker.until_s = self.end_s - self.random.randrange(DAYS * DAY_S)
            elif number % 100 == 3:
                worker.until_s = self.end_s - self.random.randrange(1_500)
            elif number % 100 == 4:
                worker.rejects = 1_000
            self.workers.append(worker)

    # -- what happens ------------------------------------------------------------------------------

    async def live(self):
        """All of it, in the order of time."""
        self.steps = [*self._networks(), *self._settlements(), *self._batches()]
        self.steps.sort(key=lambda step: step[0])
        for at_s, step, *arguments in self.steps:
            self.told.now_s = at_s
            await step(at_s, *arguments)
        self.told.now_s = self.end_s

    def _networks(self):
        """Difficulty changes in the middle of a day, and so does the subsidy; a reorganization
        takes a block back. On the first day nobody counts blocks, of BCH nobody ever does."""
        btc, bch, start_s = self.btc, self.bch, self.start_s
        hour = [start_s + count * HOUR_S for count in range(DAYS * 24 + 1)]
        old, new = "21448277761059.71", "19298087186262.61"
        whole, half = 625_000_000, 312_500_000
        for at_s, *state in (
                (hour[0] - 60, btc, old, whole, 11_000_000),
                (hour[0] - 30, bch, "448277761059.0625", whole, 70_000),
                (hour[12] + 1, btc, old, whole, 29_000_000),
                (hour[30] + 1, btc, old, whole, 13_000_000, 36),
                (hour[36] + 1, btc, new, whole, 12_345_678, 71),
                (hour[41] + 7, bch, "500000000000", whole, 90_000),
                (hour[47] + 3_001, btc, new, whole, 15_000_000, 145),
                (hour[47] + 3_101, btc, new, whole, 15_000_000, 143),
                (hour[54] + 1, btc, new, half, 9_000_000, 40),
                (hour[71] + 3_001, btc, new, half, 8_000_000, 150)):
            yield at_s, self._set_network, *state

    async def _set_network(self, at_s, coin, difficulty, subsidy, fees, *blocks):
        counted = {"blocks_today": blocks[0]} if blocks else {}
        await self.told.do(Kind.SET_NETWORK, coin=coin, difficulty=difficulty, subsidy=subsidy,
                           fees_per_block=fees, **counted)
        self.pool.networks[coin].set(at_s, difficulty, subsidy, fees, *blocks)

    def _settlements(self):
        """Each day soon after its end; the second so early that shares of it still come."""
        bids = ([(17_000_000, 1_500), (16_990_000, 700)], [(16_000_000, 300)],
                [(18_000_000, 3_000), (17_500_000, 50_000)])
        for place, early_s in enumerate((600, 60, 600)):
            end_s = (self.first_day + place + 1) * DAY_S + early_s
            yield end_s - 30, self._place_bids, bids[place]
            yield end_s, self._settle, self.first_day + place
            yield end_s + 600, self._look_after_payments, self.first_day + place
        yield self.start_s + DAY_S + HOUR_S, self._begin_to_sell

    async def _place_bids(self, at_s, bids):
        btc, bch = (self.told.core.pairs.by_name(name).number for name in ("BTC/CNY", "BCH/CNY"))
        for coin, pair, price, lots in (*((self.btc, btc, *bid) for bid in bids),
                                        (self.bch, bch, 250_000, 150_000)):
            await self.told.send(place_order(
                self.maker, pair, Side.BUY, OrderType.LIMIT, Tif.GTC, price, lots, 0, 0, 0, None))
            self.pool.bid(coin, price, lots)

    async def _settle(self, at_s, day):
        for coin in (self.btc, self.bch):
            await self.told.settle(coin, day)
            self.pool.settle(coin, day, self.shares.work[coin, day])
            self.closed[coin] = day

    async def _look_after_payments(self, at_s, day):
        """Those of the first accounts are paid, but for one that fails; the others stay open."""
        for (account, coin, of_day), payment in list(self.pool.payments.items()):
            if of_day != day or account > self.names["sells"]:
                continue
            withdrawal = self.told.core.withdrawals.by_request_id(account, f"pay|{coin}|{day}")
            if (account, coin, day) == (self.names["farmer"], self.btc, self.first_day):
                await self.told.do(Kind.REJECT_WITHDRAWAL, id=withdrawal.id)
                self.pool.reject(account, coin, day)
            else:
                await self.told.do(Kind.FINISH_WITHDRAWAL, id=withdrawal.id,
                                   txid=f"{account}.{coin}.{day}")
                self.pool.finish(account, coin, day)

    async def _begin_to_sell(self, at_s):
        number = self.names["sells_later"]
        await self.told.do(Kind.SET_COIN_TO_MONEY, account=number, auto=True)
        self.pool.accounts[number].sells = True

    # -- shares ------------------------------------------------------------------------------------

    def _batches(self):
        """Every hour, in the last one every five minutes."""
        dense_s = self.end_s - HOUR_S
        for place, at_s in enumerate(range(self.start_s + 240, dense_s, HOUR_S)):
            yield at_s, self._work, place
        for place, at_s in enumerate(range(dense_s, self.end_s + 1, 300)):
            yield at_s, self._work, place

    async def _work(self, came_s, place):
        """A batch of what everybody has done; some of it comes late, some has a fast clock. Each
        tenth batch is sent twice."""
        names, rows, chance = [], [], self.random.randrange
        epochs = {coin: network.states[-1][1] for coin, network in self.pool.networks.items()}
        for worker in self.workers:
            if not worker.from_s <= came_s < worker.until_s:
                continue
            coin = worker.coins[place % len(worker.coins)]
            count = 40 + chance(40)
            rejected = count * worker.rejects // 1_000 + (worker.rejects > chance(1_000))
            accepted = max(0, count - rejected)
            at_s = came_s + 40 if chance(100) == 0 else came_s - chance(590)
            rows.append((len(names), coin, accepted, rejected, worker.difficulty, at_s))
            names.append((worker.account, worker.name.encode()))
            self.shares.add(worker.account, worker.name, coin, accepted, rejected,
                            worker.difficulty, at_s, came_s, epochs[coin], self.closed[coin])
        if not rows:
            return
        self.batches += 1
        record = add_shares(packed_batch(names, rows), 1, self.batches)
        for _ in range(2 if self.batches % 10 == 0 else 1):
            await self.told.send(record)


async def story(told: PastHouse) -> Farm:
    """Three days and the fourth up to now."""
    first_day = told.now_s // DAY_S + 1
    today_s = (first_day + DAYS) * DAY_S
    # The last day must be settled, whatever time it is.
    farm = Farm(told, first_day, max(int(time.time()) - 30, today_s + 1_300))
    await farm.open_accounts()
    farm.hire()
    await farm.live()
    return farm
