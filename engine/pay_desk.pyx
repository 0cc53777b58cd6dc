"""Where a settlement's accounts have their turn: what each has earned is posted, and paid
(docs/settlement.md).

An account is posted to once, when its turn comes; where its coins are to be sold, what it is paid
waits for the sale, and its earning is given twice: as it is before, and as it is after.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from engine.codes cimport (
    ACCOUNT_LOCKED, BELOW_MINIMUM, FPPS, MINED, NO_ADDRESS, NOT_AUTOMATIC, NOT_SOLD,
    TOO_MANY_PAYMENTS)
from ledger.accounts cimport Accounts
from ledger.user_records cimport ADDRESS_HEAD_BYTES, HEAD_BYTES, withdraw_address
from ledger.withdrawals cimport Withdrawals
from pool.day_worth cimport TOO_MUCH, Amounts, DayWorth
from pool.terms cimport (
    COIN_TO_MONEY, LOCKED, NO_HARVEST, Harvest, Terms, harvest_min, terms_of)
from pool.totals cimport AccountTotal, Totals, total_at
from pool.wide cimport wide_high, wide_int, wide_low, wide_of

import json

from engine.codes import PairStatus
from engine.halt import Halt
from engine.handlers.accounts import BANK_FIELDS
from engine.handlers.checks import AMOUNT_MAX
from ledger import users
from ledger.withdrawals import OPEN_PER_USER_MAX
from pool import subaccounts
from pool.pps import Valuation
from pool.settlements import Sale

cdef enum:
    MONEY_ONE = 100           # a minimum counts 0.01 CNY

PPS_ONLY = "BCH"              # the coin that has a fee and a commission of its own
MONEY = "CNY"
NO_WORK = "0"
cdef uint32_t open_max = OPEN_PER_USER_MAX

if ((sizeof(Terms), sizeof(Harvest)) != (subaccounts.HEAD.size, subaccounts.HARVEST.size)
        or (HEAD_BYTES, ADDRESS_HEAD_BYTES) != (users.HEAD.size, users.ADDRESS_HEAD.size)):
    raise ImportError("what is read of users and sub-accounts is not laid out as they pack it")


# What an account's day has brought it, in units; zeros where it had no work.
cdef struct Due:
    uint32_t account
    int64_t gross
    int64_t commission
    uint32_t refer            # who got the commission, 0: nobody
    int64_t net


# How an account left the desk.
cdef struct Closing:
    int64_t sold              # units of the coin
    int64_t money             # units of money that they brought
    uint32_t paid_coin        # 0: nothing was paid
    int64_t paid              # units of it
    uint64_t payment          # the withdrawal's id
    int reason                # codes.LockReason: why coins are left unpaid, 0: there are none
    int money_reason


def valuation_of(core, running) -> Valuation:
    """What work is worth in the running settlement."""
    return Valuation(core.networks.epochs(running.coin), running.fees, running.subsidies)


cdef class PayDesk:
    """One command's work on the running settlement; `leave` ends it.

    Attributes to read: `earnings`, in the order of docs/settlement.md; `lost`: accounts whose
    earning the coin's supply could not bear.
    """

    cdef readonly list earnings
    cdef readonly list lost
    cdef object core
    cdef object running       # pool.settlements.Running
    cdef object settlements
    cdef Withdrawals withdrawals
    cdef Accounts accounts
    cdef Totals totals
    cdef dict records         # of sub-accounts, packed
    cdef list users           # packed
    cdef DayWorth worth       # None until an account's work is asked for
    cdef object coin          # ledger.listings.Coin
    cdef object money         # the same, or None
    cdef object pair          # ledger.listings.Pair, None where nothing can be sold
    cdef str request_id
    cdef uint32_t number      # of the coin
    cdef uint32_t money_number              # 0: there is no money
    cdef int64_t withdraw_fee
    cdef int64_t day
    cdef int64_t ts_ns
    cdef bint is_pps_only
    cdef uint32_t worked      # accounts
    cdef int64_t net
    cdef int64_t commission
    cdef Due due              # of the account whose turn it is
    cdef object work          # its work as text

    def __init__(self, core, running, int64_t ts_ns):
        self.earnings, self.lost = [], []
        self.core, self.running = core, running
        self.settlements, self.withdrawals = core.settlements, core.withdrawals
        self.accounts = core.accounts
        self.totals = core.settlements.totals
        self.records, self.users = core.sub_accounts.records(), core.users.records()
        self.coin = core.coins.get(running.coin)
        self.money = core.coins.by_name(MONEY)
        pair = core.pairs.by_name(f"{self.coin.name}/{MONEY}")
        self.pair = pair if pair is not None and pair.status == PairStatus.TRADING else None
        self.request_id = f"pay|{running.coin}|{running.day}"
        self.number = running.coin
        self.money_number = 0 if self.money is None else self.money.number
        self.withdraw_fee = self.coin.withdraw_fee
        self.day, self.ts_ns = running.day, ts_ns
        self.is_pps_only = self.coin.name == PPS_ONLY

    def settle(self, list numbers not None):
        """Post what each of some accounts, numbers rising, has earned; pay those that need not wait
        for a sale."""
        cdef uint32_t number
        self.worth = DayWorth(self.core.workers, self.number, self.day,
                              valuation_of(self.core, self.running))
        for number in numbers:
            self.settle_one(number)
            self.running.cursor = number

    def sell(self, sale):
        """Sell what the book takes of an account's coins (pool.settlements.Sale), then pay it."""
        cdef Closing closing
        cdef int64_t left = 0
        cdef int64_t unsold
        memset(&closing, 0, sizeof(Closing))
        self.due.account, self.work, self.due.gross, self.due.commission = sale[:4]
        self.due.refer, self.due.net = sale[4:]
        if not terms_of(self.records[sale.account]).flags & COIN_TO_MONEY:
            self.close_in_coin(terms_of(self.records[sale.account]), 0, NULL, &closing)
            return
        unsold = self.to_sell(0)
        lots = 0 if self.pair is None else unsold // self.pair.base_unit
        if lots:
            _, filled, closing.money = self.core.sell_at_market(
                sale.account, self.pair.number, lots)
            closing.sold = filled * self.pair.base_unit
        left = min(unsold - closing.sold, self.coins())
        self.close_in_money(0, left, &closing)

    def leave(self):
        """Add what was posted to the running settlement."""
        running = self.running
        running.accounts += self.worked
        running.net += self.net
        running.commission += self.commission
        if self.worth is not None:
            running.add_works(self.worth.paid(False), False)
            running.add_works(self.worth.paid(True), True)

    # -- an account's turn -------------------------------------------------------------------------

    cdef int64_t coins(self) except -1:
        """Available units of the coin."""
        return self.accounts.balance(self.due.account, self.number).available

    cdef int64_t moneys(self) except -1:
        """Available units of money."""
        if self.money_number == 0:
            return 0
        return self.accounts.balance(self.due.account, self.money_number).available

    cdef int settle_one(self, uint32_t number) except -1:
        cdef const Terms* terms
        cdef Closing closing
        cdef int64_t unsold
        memset(&self.due, 0, sizeof(Due))
        self.due.account = number
        self.worth.read(number)
        if self.worth.work_count == 0 and not self.coins() and not self.moneys():
            return 0
        terms = terms_of(self.records[number])
        self.work = NO_WORK
        if self.worth.work_count != 0:
            self.post(terms)
        memset(&closing, 0, sizeof(Closing))
        if not terms.flags & COIN_TO_MONEY:
            return self.close_in_coin(terms, self.due.net, NULL, &closing)
        unsold = self.to_sell(self.due.net)
        if self.pair is not None and unsold >= self.pair.base_unit:
            return self.wait(unsold, &closing)
        return self.close_in_money(self.due.net, unsold, &closing)

    cdef int post(self, const Terms* terms) except -1:
        """Credit the account and its referrer with the work that was read."""
        cdef Due* due = &self.due
        cdef Amounts amounts
        cdef bint with_fees = terms.fee_type == FPPS and not self.is_pps_only
        cdef uint32_t fee = terms.bch_pps_fee if self.is_pps_only else terms.fee
        cdef uint32_t rate = terms.bch_commission if self.is_pps_only else terms.commission
        self.work = str(wide_int(self.worth.work) if wide_high(self.worth.work) != 0
                        else wide_low(self.worth.work))
        self.worked += 1
        self.worth.amounts(with_fees, fee, rate if terms.refer != 0 else 0, &amounts)
        if amounts.gross == TOO_MUCH or not self.credit(terms.refer, &amounts):
            self.lost.append(due.account)
            return 0
        due.gross, due.net, due.commission = amounts.gross, amounts.net, amounts.commission
        if amounts.commission != 0:
            due.refer = terms.refer
            self.sell_of_referrer(amounts.commission)
        self.net += due.net
        self.commission += due.commission
        self.worth.count_as_paid(with_fees)
        return 0

    cdef bint credit(self, uint32_t refer, const Amounts* amounts) except -1:
        """False, and nothing is posted, where the coin's supply cannot bear both."""
        cdef uint32_t account = self.due.account
        if not self.accounts.credit(account, self.number, amounts.net, MINED):
            return False
        if amounts.commission != 0 and not self.accounts.credit(
                refer, self.number, amounts.commission, MINED):
            if not self.accounts.debit(account, self.number, amounts.net, MINED):
                raise Halt(f"the books refuse the return of {account}")
            return False
        return True

    # -- sales -------------------------------------------------------------------------------------

    cdef int64_t to_sell(self, int64_t net) except -1:
        """Units: the day's net and what earlier sales left, so far as it is still there."""
        cdef const AccountTotal* total = total_at(self.totals, self.due.account, self.number)
        cdef int64_t unsold = 0 if total is NULL else total.unsold
        return min(unsold + net, self.coins())

    cdef int sell_of_referrer(self, int64_t commission) except -1:
        """Let a commission wait for the referrer's next sale, where its coins are sold."""
        cdef uint32_t refer = self.due.refer
        cdef const AccountTotal* total
        record = self.records.get(refer)
        if record is None or not terms_of(record).flags & COIN_TO_MONEY:
            return 0
        total = total_at(self.totals, refer, self.number)
        commission += 0 if total is NULL else total.unsold
        return self.totals.add(refer, self.number, self.day, wide_of(0), &commission, 0)

    cdef int wait(self, int64_t unsold, Closing* closing) except -1:
        """Let the account wait for its sale; its earning until then, if it had work."""
        cdef Due* due = &self.due
        self.settlements.sell_later(Sale(due.account, self.work, due.gross, due.commission,
                                         due.refer, due.net))
        if self.is_without_work():
            return 0
        self.totals.add(due.account, self.number, self.day, wide_of(due.net), &unsold, 0)
        closing.reason = NOT_SOLD
        closing.money_reason = NOT_SOLD if self.moneys() else 0
        return self.tell(closing)

    # -- payments ----------------------------------------------------------------------------------

    cdef int close_in_coin(self, const Terms* terms, int64_t earned, const int64_t* unsold,
                           Closing* closing) except -1:
        """Pay an account its coins, if that can be."""
        cdef int64_t nothing = 0
        self.pay_coin(terms, closing)
        if closing.paid:
            unsold = &nothing
        closing.money_reason = NOT_AUTOMATIC if self.moneys() else 0
        if not closing.paid and self.is_without_work():
            return 0
        self.totals.add(self.due.account, self.number, self.day, wide_of(earned),
                        unsold, closing.paid)
        return self.tell(closing)

    cdef int close_in_money(self, int64_t earned, int64_t unsold, Closing* closing) except -1:
        """Pay an account its money, if that can be; `unsold` is what stays to be sold."""
        self.pay_money(closing)
        closing.reason = NOT_SOLD if self.coins() else 0
        if not closing.paid and not closing.sold and self.is_without_work():
            return 0
        self.totals.add(self.due.account, self.number, self.day, wide_of(earned), &unsold, 0)
        if closing.money or closing.paid:
            self.totals.add(self.due.account, self.money_number, self.day,
                            wide_of(closing.money), NULL, closing.paid)
        return self.tell(closing)

    cdef bint is_without_work(self) except -1:
        return self.work == NO_WORK

    cdef int pay_coin(self, const Terms* terms, Closing* closing) except -1:
        """All that is available, to the account's address; or say why not."""
        cdef int64_t available = self.coins()
        cdef int64_t least = harvest_min(terms, self.number)
        if available == 0:
            return 0
        closing.reason = self.lock_reason(terms, least, available, available, self.withdraw_fee)
        if closing.reason == 0:
            self.pay(self.number, available, self.withdraw_fee,
                     withdraw_address(self.users[self.due.account - 1], self.number), closing)
        return 0

    cdef int pay_money(self, Closing* closing) except -1:
        """All whole 0.01 that are available, to the account's bank; or say why not."""
        cdef const Terms* terms = terms_of(self.records[self.due.account])
        available = self.moneys()
        if available == 0:
            return 0
        one = 10 ** self.money.scale
        hundredths = available * MONEY_ONE // one
        amount = hundredths * one // MONEY_ONE
        # There may be more of them than any minimum, and than 63 bits hold.
        hundredths = min(hundredths, AMOUNT_MAX)
        bank = self.core.sub_accounts.get(self.due.account).money_harvest
        closing.money_reason = self.lock_reason(
            terms, NO_HARVEST if bank is None else bank.min, hundredths, amount,
            self.money.withdraw_fee)
        if closing.money_reason == 0:
            address = json.dumps({name: getattr(bank, name) for name in BANK_FIELDS},
                                 sort_keys=True, ensure_ascii=False)
            self.pay(self.money_number, amount, self.money.withdraw_fee, address, closing)
        return 0

    cdef int lock_reason(self, const Terms* terms, int64_t least, int64_t counted, int64_t amount,
                         int64_t withdraw_fee) except -1:
        """Why an amount is not paid, 0 where it is: `counted` is in the unit of `least`."""
        if terms.flags & LOCKED:
            return ACCOUNT_LOCKED
        if least == NO_HARVEST:
            return NO_ADDRESS
        if least == 0:
            return NOT_AUTOMATIC
        if counted < least or amount <= withdraw_fee:
            return BELOW_MINIMUM
        if self.withdrawals.open_count(self.due.account) >= open_max:
            return TOO_MANY_PAYMENTS
        return 0

    cdef int pay(self, uint32_t coin, int64_t amount, int64_t withdraw_fee, address,
                 Closing* closing) except -1:
        """By an approved withdrawal, whose amount is frozen from now on."""
        if not self.accounts.hold(self.due.account, coin, amount):
            raise Halt(f"the books refuse a payment of {self.due.account}")
        closing.paid_coin, closing.paid = coin, amount
        closing.payment = self.withdrawals.request_approved(
            self.due.account, coin, amount, withdraw_fee, address, self.ts_ns, self.request_id).id
        return 0

    cdef int tell(self, const Closing* closing) except -1:
        """The account's earning."""
        cdef const Due* due = &self.due
        self.earnings.append([
            due.account, self.number, self.day, self.work, due.gross, due.commission, due.refer,
            due.net, closing.sold, closing.money, closing.paid_coin, closing.paid,
            closing.payment, self.coins(), self.moneys(), closing.reason, closing.money_reason])
        return 0
