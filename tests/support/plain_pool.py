"""What a pool must say and pay, worked out plainly from a list of shares: sums in dictionaries,
money in fractions, a book of bids as a list. Nothing here is of the product.

Difficulties of shares are in 2^-16, money in units, days and hours counted from 1970-01-01, UTC.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
RATE_ONE = 10_000
PPM = 1_000_000
PPS, FPPS = 1, 2                # how an account is paid
BELOW_MINIMUM, NO_ADDRESS, LOCKED, NOT_AUTOMATIC, NOT_SOLD = 1, 2, 3, 4, 5
RUNNING, STOPPED, INVALID = 1, 2, 3


class PlainShares:
    """Sums of shares by whose they are: `(account, worker)`, `(account,)`, `(coin, "coin")`, `()`.
    """

    def __init__(self):
        self.units = {length: defaultdict(lambda: [0, 0]) for length in (MINUTE_S, HOUR_S, DAY_S)}
        self.last_s: dict[tuple, int] = {}          # in the order of the first shares
        self.active = defaultdict(set)
        # (coin, day) -> {account: {epoch: work}}: what is paid for.
        self.work = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        self.late = 0           # shares that came when their day was closed

    def add(self, account, worker, coin, accepted, rejected, difficulty, at_s, came_s, epoch,
            closed_day):
        """closed_day: the last day that was closed when they came."""
        at_s = min(at_s, came_s)
        whose = (account, worker)
        good, bad = accepted * difficulty, rejected * difficulty
        for length, units in self.units.items():
            for owner in (whose, (account,), (coin, "coin"), ()):
                sums = units[owner, at_s // length]
                sums[0] += good
                sums[1] += bad
        self.last_s[whose] = max(at_s, self.last_s.get(whose, 0))
        if good:
            for length in (HOUR_S, DAY_S):
                self.active[account, length, at_s // length].add(worker)
            day = at_s // DAY_S
            if day <= closed_day:
                day, self.late = came_s // DAY_S, self.late + 1
            self.work[coin, day][account][epoch] += good

    def speed(self, owner, length, first, last):
        """(H/s, thousandths) over whole minutes, hours or days, the last one included."""
        sums = [self.units[length].get((owner, unit), (0, 0)) for unit in range(first, last + 1)]
        good, bad = (sum(column) for column in zip(*sums))
        speed = int(float(good << 16) / (length * (last - first + 1)))
        every = good + bad
        return speed, (2_000 * bad + every) // (2 * every) if every else 0

    def speeds(self, owner, now_s):
        """Of 5, 10, 30 minutes and 24 hours."""
        minute, hour = now_s // MINUTE_S, now_s // HOUR_S
        return [*(self.speed(owner, MINUTE_S, minute - length, minute - 1)
                  for length in (5, 10, 30)), self.speed(owner, HOUR_S, hour - 24, hour - 1)]

    def periods(self, owner, length, count, now_s):
        """(start, H/s, thousandths) of each of the whole hours or days before the running one."""
        now = now_s // length
        return [(unit * length, *self.speed(owner, length, unit, unit))
                for unit in range(now - count, now)]

    def workers(self, account):
        return [worker for owner, worker in self.last_s if owner == account]

    def status(self, account, worker, now_s):
        age_s = now_s - self.last_s[account, worker]
        return RUNNING if age_s < 600 else INVALID if age_s >= DAY_S else STOPPED


@dataclass
class PlainNetwork:
    """A coin's chain. `states`: (since in ns, epoch, difficulty, subsidy, fees a block)."""
    states: list = field(default_factory=list)
    blocks: dict = field(default_factory=lambda: defaultdict(list))    # day -> (subsidy, fees) each

    def set(self, at_s, difficulty, subsidy, fees, blocks_today=None):
        epoch = 1
        if self.states:
            _, last, *worth, _ = self.states[-1]
            epoch = last + (worth != [Fraction(difficulty), subsidy])
        self.states.append((at_s * 10**9, epoch, Fraction(difficulty), subsidy, fees))
        if blocks_today is not None:
            counted = self.blocks[at_s // DAY_S]
            del counted[blocks_today:]
            counted += [(subsidy, fees)] * (blocks_today - len(counted))

    def in_force(self, day):
        """(state, ns of the day)"""
        start_ns, end_ns = day * DAY_S * 10**9, (day + 1) * DAY_S * 10**9
        ends = [state[0] for state in self.states[1:]] + [end_ns]
        lasted = [(state, min(end, end_ns) - max(state[0], start_ns))
                  for state, end in zip(self.states, ends)]
        return [(state, ns) for state, ns in lasted if ns > 0]

    def rate(self, day):
        """Fees by subsidies."""
        if blocks := self.blocks.get(day):
            return Fraction(sum(fees for _, fees in blocks), sum(subsidy for subsidy, _ in blocks))
        states = self.in_force(day)
        return Fraction(sum(ns * state[4] for state, ns in states),
                        sum(ns * state[3] for state, ns in states))

    def profit_per_p(self, day):
        states = self.in_force(day)
        mean = (sum(ns * 10**15 * DAY_S * Fraction(state[3]) / (state[2] * 2**32)
                    for state, ns in states) / sum(ns for _, ns in states))
        return int(mean + Fraction(1, 2))

    def pps(self, works):
        """The exact worth of {epoch: work}."""
        worth = {epoch: subsidy / difficulty for _, epoch, difficulty, subsidy, _ in self.states}
        return sum((Fraction(work, 1 << 16) * worth[epoch] for epoch, work in works.items()),
                   Fraction(0))


@dataclass
class PlainAccount:
    """A sub-account's settings, and what it has: {coin: units}."""
    number: int
    name: str
    fee_type: int = FPPS
    fee: int = 200
    commission: int = 0
    bch_fee: int = 200
    bch_commission: int = 0
    refer: int = 0
    sells: bool = False
    locked: bool = False
    harvests: dict = field(default_factory=dict)        # coin -> (address, min)
    bank: tuple | None = None                           # (address, min in 0.01)
    available: dict = field(default_factory=lambda: defaultdict(int))
    frozen: dict = field(default_factory=lambda: defaultdict(int))
    unsold: dict = field(default_factory=lambda: defaultdict(int))
    earned: dict = field(default_factory=lambda: defaultdict(int))


class PlainPool:
    """The money of a pool with coins `btc` and `bch`, sold for `cny`, all of 10^-8; lots are of
    10^-6 and ticks of 10^-2."""

    LOT = 100

    def __init__(self, btc, bch, cny, withdraw_fees, taker_ppm):
        self.btc, self.bch, self.cny = btc, bch, cny
        self.withdraw_fees, self.taker_ppm = withdraw_fees, taker_ppm
        self.accounts: dict[int, PlainAccount] = {}
        self.users = defaultdict(int)               # (uid, coin) -> what referrers got
        self.networks = {btc: PlainNetwork(), bch: PlainNetwork()}
        self.bids = {btc: [], bch: []}              # [price, lots], best first
        self.earnings: dict[tuple, list] = {}       # (account, coin, day) -> as documented
        self.payments: dict[tuple, list] = {}       # the same key -> [coin, amount, address, state]
        self.days: dict[tuple, dict] = {}

    def bid(self, coin, price, lots):
        self.bids[coin].append([price, lots])
        self.bids[coin].sort(key=lambda bid: -bid[0])

    def sell(self, coin, lots):
        """(lots sold, CNY got) by a market order."""
        sold = money = 0
        bids = self.bids[coin]
        while bids and sold < lots:
            traded = min(bids[0][1], lots - sold)
            got = bids[0][0] * traded
            money += got - got * self.taker_ppm // PPM
            sold += traded
            bids[0][1] -= traded
            if bids[0][1] == 0:
                bids.pop(0)
        return sold, money

    def settle(self, coin, day, works):
        """works: {account: {epoch: work}}"""
        network, waiting = self.networks[coin], []
        rate = network.rate(day)
        gross_sum, paid_out = Fraction(0), 0
        for account in self.accounts.values():
            mine = works.get(account.number, {})
            if not (mine or account.available[coin] or account.available[self.cny]):
                continue
            gross = network.pps(mine)
            if coin == self.btc and account.fee_type == FPPS:
                gross *= 1 + rate
            fee, commission = ((account.bch_fee, account.bch_commission) if coin == self.bch
                               else (account.fee, account.commission))
            net = int(gross * (RATE_ONE - fee) / RATE_ONE)
            cut = int(gross * commission / RATE_ONE) if account.refer else 0
            account.available[coin] += net
            account.earned[coin] += net
            if account.refer in self.accounts:
                self.accounts[account.refer].available[coin] += cut
            elif account.refer:
                self.users[account.refer, coin] += cut
            gross_sum += gross
            paid_out += net + cut
            due = [str(sum(mine.values())), int(gross), cut, account.refer if cut else 0, net]
            if account.sells:
                unsold = min(account.unsold[coin] + net, account.available[coin])
                account.unsold[coin] = unsold
                if unsold >= self.LOT:
                    waiting.append((account, due))
                    continue
            self.close(account, coin, day, due, 0, 0)
        for account, due in waiting:
            unsold = min(account.unsold[coin], account.available[coin])
            lots, money = self.sell(coin, unsold // self.LOT)
            account.available[coin] -= lots * self.LOT
            account.unsold[coin] = unsold - lots * self.LOT
            account.available[self.cny] += money
            self.close(account, coin, day, due, lots * self.LOT, money)
        self.days[coin, day] = {"gross": int(gross_sum), "pool": int(gross_sum) - paid_out,
                                "rate": rate, "profit_per_p": network.profit_per_p(day)}

    def close(self, account, coin, day, due, sold, money):
        """Pay what can be paid, and keep the day's earning."""
        cny = self.cny
        if account.sells:
            paid_coin, reasons = cny, [NOT_SOLD, 0]
            available = account.available[cny] // 10**6 * 10**6
            address, least = account.bank or (None, 0)
            least *= 10**6
        else:
            paid_coin, reasons = coin, [0, NOT_AUTOMATIC]
            available = account.available[coin]
            address, least = account.harvests.get(coin, (None, 0))
        reason = 0
        if account.locked:
            reason = LOCKED
        elif address is None:
            reason = NO_ADDRESS
        elif least == 0:
            reason = NOT_AUTOMATIC
        elif available < least or available <= self.withdraw_fees.get(paid_coin, 0):
            reason = BELOW_MINIMUM
        reasons[account.sells] = reason
        paid = 0 if reason else available
        if paid:
            account.available[paid_coin] -= paid
            account.frozen[paid_coin] += paid
            self.payments[account.number, coin, day] = [paid_coin, paid, address, "paying"]
            if not account.sells:
                account.unsold[coin] = 0
        elif due[0] == "0" and not sold:
            return
        remain, money_remain = account.available[coin], account.available[cny]
        self.earnings[account.number, coin, day] = [
            account.number, coin, day, *due, sold, money, paid_coin if paid else 0, paid,
            remain, money_remain, reasons[0] if remain else 0, reasons[1] if money_remain else 0]

    def finish(self, account, coin, day):
        payment = self.payments[account, coin, day]
        self.accounts[account].frozen[payment[0]] -= payment[1]
        payment[3] = "finish"

    def reject(self, account, coin, day):
        payment = self.payments[account, coin, day]
        self.accounts[account].frozen[payment[0]] -= payment[1]
        self.accounts[account].available[payment[0]] += payment[1]
        payment[3] = "saved"
