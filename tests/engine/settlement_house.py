"""A house with a pool: coins, a pair, sub-accounts, networks; a clock that only the test moves.

Difficulty and subsidy are such that one share of difficulty 1 is worth one unit by PPS.
"""

from engine.codes import Kind, OrderType, SelfTrade, Side, Tif
from engine.commands import add_shares, place_order
from engine.core import Core
from engine.history import Earning
from pool.share_book import packed_batch
from tests.engine.cold_house import HASH, NS_PER_S, ColdHouse

BTC, BCH, CNY = 1, 2, 3
MASTER, FARM, HALL, MAKER = 1, 2, 3, 4        # FARM and HALL are sub-accounts of MASTER
DAY = 20_000
DAY_S = 86_400
ONE = 1 << 16                       # a difficulty of 1
SUBSIDY = 10**6
ADDRESS = "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu"
CNY_UNIT = 10**6                    # units of 0.01 CNY
BANK = {"province": "北京", "city": "北京", "bank": "中国银行", "branch": "西二旗支行",
        "owner": "张三", "number": "6217"}


class SettlementHouse(ColdHouse):
    """At noon of DAY; PPS for all, no fees, no settings for payments."""

    def __init__(self, core=None, ts_ns=(DAY * DAY_S + DAY_S // 2) * NS_PER_S, cny_scale=8):
        self.cny_scale = cny_scale
        self.lost = []
        super().__init__(core, ts_ns)
        if core is None:
            self.open()

    def open(self):
        for name, scale in (("BTC", 8), ("BCH", 8), ("CNY", self.cny_scale)):
            self.must(Kind.ADD_COIN, name=name, title=name, type="coin", scale=scale)
        self.must(Kind.REGISTER_USER, username="master", password_hash=HASH, group=2)
        for name in ("farm", "hall"):
            number = self.must(Kind.ADD_SUB_ACCOUNT, uid=MASTER, name=name, theory_speed=0,
                               description="", worker_count=0)
            self.must(Kind.SET_FEES, account=number, fee_type=1, fee=0, bch_pps_fee=0)
        self.must(Kind.REGISTER_USER, username="maker", password_hash=HASH, group=2)
        for coin in (BTC, BCH):
            self.network(coin)

    def network(self, coin=BTC, difficulty=SUBSIDY, subsidy=SUBSIDY, fees=0, blocks=None):
        self.must(Kind.SET_NETWORK, coin=coin, difficulty=str(difficulty), subsidy=subsidy,
                  fees_per_block=fees, blocks_today=blocks)

    def pair(self, **changes):
        """BTC/CNY: lots of 100 units, ticks of 0.01 CNY; MAKER has CNY to buy with."""
        pair = self.must(Kind.ADD_PAIR, **{
            "name": "BTC/CNY", "price_scale": 2, "amount_scale": 6, "min_qty": 1,
            "maker_fee_ppm": 0, "taker_fee_ppm": 0,
            "self_trade": int(SelfTrade.CANCEL_MAKER)} | changes)
        self.must(Kind.DEPOSIT, uid=MAKER, coin=CNY, amount=10**15, txid="first")
        return pair

    def buy(self, pair, price, lots, user=MAKER):
        """A limit order that rests."""
        self.send(place_order(user, pair, Side.BUY, OrderType.LIMIT, Tif.GTC, price=price,
                              qty=lots))

    def mine(self, account, shares, coin=BTC, at_s=None, difficulty=ONE):
        """Shares of one worker."""
        at_s = self.ts_ns // NS_PER_S if at_s is None else at_s
        result, _ = self.send(add_shares(packed_batch(
            [(account, b"w")], [(0, coin, shares, 0, difficulty, at_s)])))
        return result

    def to_day(self, day, second=600):
        self.ts_ns = (day * DAY_S + second) * NS_PER_S
        return self

    def settle(self, coin=BTC, day=DAY, count=100):
        """Settle a day to its end: the last earning of each account, by account. `lost` is then
        all that the steps have named so."""
        if self.ts_ns < (day + 1) * DAY_S * NS_PER_S:
            self.to_day(day + 1)
        found, self.lost = {}, []
        step = self.must(Kind.BEGIN_SETTLEMENT, coin=coin, day=day)
        while not step["done"]:
            if step.get("sales"):
                step = self.must(Kind.SELL_EARNINGS, coin=coin, day=day)
            else:
                step = self.must(Kind.SETTLE_ACCOUNTS, coin=coin, day=day, count=count)
            self.lost += step["lost"]
            for earning in map(Earning._make, step["earnings"]):
                found[earning.account] = earning
        return found

    def harvest(self, account, minimum=10**5, coin=BTC):
        """An address, and the least amount that is paid to it."""
        self.must(Kind.SET_COIN_HARVEST, account=account, coin=coin, address=ADDRESS, min=minimum)

    def bank(self, account, minimum=100):
        self.must(Kind.SET_MONEY_HARVEST, account=account, min=minimum, **BANK)

    def to_money(self, account, auto=True):
        self.must(Kind.SET_COIN_TO_MONEY, account=account, auto=auto)

    def reloaded(self):
        return SettlementHouse(Core.load(self.core.dump()), self.ts_ns)
