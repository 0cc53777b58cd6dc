"""The pool's sub-accounts: whose they are, what they pay, how they are paid, and their groups.

A sub-account's number is that of its ledger account; money, name look-up and payment addresses are
there. What is here is one packed record each, unpacked when asked for. With two coins, a bank, a
description and two groups it takes about 460 bytes, its ledger account some 490 more.

Invariants (`check`): each account is in its master's list, and in no other; no rate is out of
range, no commission above its fee; a coin has one setting; groups have numbers below the next one,
and no name twice; numbers rise; the running hash is that of all records.
"""

import re
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgpack
import msgspec

from pool.records import Records

NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
ACCOUNTS_PER_MASTER_MAX = 1_000
GROUPS_MAX = 100
GROUP_ID_MAX = 2**32 - 1
RATE_MAX = 9_999            # 10^-4: below 1
FPPS = 2                    # engine.codes.FeeType
FEE_DEFAULT = 200
# What a record begins with (terms.pxd): master, fee, commission, bch_pps_fee, bch_commission,
# refer, fee_type, flags, number of coin harvests. Then these: coin, min, updated_ns each.
HEAD = struct.Struct("<IhhhhIBBH")
HARVEST = struct.Struct("<Hqq")
COIN_TO_MONEY, LOCKED = 1, 2        # flags


class CoinHarvest(NamedTuple):
    """How a coin is paid out; the address is the ledger account's."""
    coin: int
    min: int                # units; 0: not by itself
    updated_ns: int


class MoneyHarvest(NamedTuple):
    """The bank account that CNY are paid to."""
    province: str
    city: str
    bank: str
    branch: str
    owner: str
    number: str
    min: int                # 0.01 CNY; 0: not by itself
    updated_ns: int


class Group(NamedTuple):
    """A name under which an account sorts its workers."""
    id: int
    name: str


class SubAccount(NamedTuple):
    """A sub-account as it was when asked for: a later change does not show in it."""
    number: int
    master: int                                 # uid
    name: str                                   # as it was added
    theory_speed: int = 0                       # 10^-8 PH/s
    description: str = ""
    worker_count: int = 0                       # as its master expects it
    fee_type: int = FPPS                        # engine.codes.FeeType
    fee: int = FEE_DEFAULT                      # rates are in 10^-4
    commission: int = 0
    bch_pps_fee: int = FEE_DEFAULT
    bch_commission: int = 0
    refer: int = 0                              # a user or sub-account; 0: none
    coin_harvests: tuple[CoinHarvest, ...] = ()     # one a coin
    money_harvest: MoneyHarvest | None = None
    coin_to_money: bool = False                 # sell what is earned
    locked: bool = False                        # pay nothing out
    groups: tuple[Group, ...] = ()              # in the order of their beginning
    next_group: int = 1

    def coin_harvest(self, coin: int) -> CoinHarvest | None:
        for harvest in self.coin_harvests:
            if harvest.coin == coin:
                return harvest
        return None

    def group(self, group_id: int) -> Group | None:
        return next((group for group in self.groups if group.id == group_id), None)

    def group_named(self, name: str) -> Group | None:
        return next((group for group in self.groups if group.name == name), None)


class Rest(NamedTuple):
    """What stands in a record behind the harvests, as msgpack."""
    number: int
    name: str
    theory_speed: int
    description: str
    worker_count: int
    money_harvest: MoneyHarvest | None
    groups: tuple[Group, ...]
    next_group: int


DECODER = msgspec.msgpack.Decoder(Rest)


def is_account_name(text: str) -> bool:
    """What may stand before the dot of a worker's full name."""
    return NAME.fullmatch(text) is not None


class SubAccounts:
    """All sub-accounts of a house."""

    __slots__ = ("flags", "_records", "_by_master")

    def __init__(self):
        # A byte for each number up to the last one: 1 where it is a sub-account. For reading.
        self.flags = bytearray()
        self._records = Records()
        self._by_master: dict[int, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, number: int) -> bool:
        return number in self._records

    def __iter__(self) -> Iterator[SubAccount]:
        """In the order of their numbers, which is that of their beginning."""
        return map(self.get, self._records)

    def get(self, number: int) -> SubAccount | None:
        record = self._records.get(number)
        return None if record is None else unpacked(record)

    def records(self) -> dict[int, bytes]:
        """What `packed` gave, by number. For reading."""
        return self._records.by_number

    def of_master(self, uid: int) -> tuple[int, ...]:
        """The numbers of a user's sub-accounts, oldest first."""
        return self._by_master.get(uid, ())

    def add(self, number: int, master: int, name: str, **fields: Any) -> SubAccount:
        """Keep a new sub-account, whose number is higher than all before it."""
        account = SubAccount(number, master, name, **fields)
        self._records.add(number, packed(account))
        self._flag(number)
        self._by_master[master] = (*self.of_master(master), number)
        return account

    def _flag(self, number: int) -> None:
        self.flags.extend(bytes(max(number + 1 - len(self.flags), 0)))
        self.flags[number] = 1

    def change(self, number: int, **fields: Any) -> SubAccount:
        """Set fields of a sub-account but number and master; KeyError where there is none."""
        account = self.get(number)
        if account is None:
            raise KeyError(number)
        account = account._replace(**fields)
        self._records.change(number, packed(account))
        return account

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return self._records.digest()

    def dump(self) -> list:
        return self._records.dump()

    @classmethod
    def load(cls, dumped: list) -> "SubAccounts":
        """What `dump` gave, as sub-accounts again; ValueError where it is not whole."""
        accounts = cls()
        accounts._records = Records.load(dumped)
        by_master: dict[int, list[int]] = {}
        for number, record in zip(*dumped):
            by_master.setdefault(HEAD.unpack_from(record)[0], []).append(number)
            accounts._flag(number)
        accounts._by_master = {master: tuple(own) for master, own in by_master.items()}
        return accounts

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = self._records.check("the sub-accounts")
        for account in self:
            faults += [f"sub-account {account.number}: {fault}" for fault in faults_of(account)]
            if account.number not in self.of_master(account.master):
                faults.append(f"sub-account {account.number} is not among its master's")
        if [number for number, flag in enumerate(self.flags) if flag] != list(self._records):
            faults.append("the flags of the sub-accounts are not those of their numbers")
        listed = sum(map(len, self._by_master.values()))
        if listed != len(self):
            faults.append(f"{len(self)} sub-accounts, {listed} by master")
        faults += [f"user {master} has {len(own)} sub-accounts"
                   for master, own in self._by_master.items()
                   if not 1 <= len(own) <= ACCOUNTS_PER_MASTER_MAX]
        return faults


def faults_of(account: SubAccount) -> list[str]:
    """What is wrong with a sub-account by itself."""
    faults = []
    fees = (account.fee, account.bch_pps_fee)
    commissions = (account.commission, account.bch_commission)
    if not all(0 <= commission <= fee <= RATE_MAX for commission, fee in zip(commissions, fees)):
        faults.append(f"fees {fees}, commissions {commissions}")
    coins = [harvest.coin for harvest in account.coin_harvests]
    if len(coins) != len(set(coins)):
        faults.append(f"settings for coins {coins}")
    ids = [group.id for group in account.groups]
    if ids != sorted(set(ids)) or not all(1 <= one < account.next_group for one in ids):
        faults.append(f"groups {ids}, the next is {account.next_group}")
    if len({group.name for group in account.groups}) != len(ids) or len(ids) > GROUPS_MAX:
        faults.append(f"{len(ids)} groups, or one name twice")
    return faults


def packed(account: SubAccount) -> bytes:
    """A sub-account as bytes: what a load and a settlement need as it is, the rest as msgpack."""
    its = account
    flags = COIN_TO_MONEY * its.coin_to_money | LOCKED * its.locked
    head = HEAD.pack(its.master, its.fee, its.commission, its.bch_pps_fee, its.bch_commission,
                     its.refer, its.fee_type, flags, len(its.coin_harvests))
    rest = Rest(its.number, its.name, its.theory_speed, its.description, its.worker_count,
                its.money_harvest, its.groups, its.next_group)
    return b"".join((head, *(HARVEST.pack(*harvest) for harvest in its.coin_harvests),
                     msgpack.packb(rest)))


def unpacked(record: bytes) -> SubAccount:
    """What `packed` gave, as a sub-account again."""
    (master, fee, commission, bch_pps_fee, bch_commission, refer, fee_type, flags,
     count) = HEAD.unpack_from(record)
    end = HEAD.size + count * HARVEST.size
    harvests = tuple(map(CoinHarvest._make, HARVEST.iter_unpack(record[HEAD.size:end]))
                     ) if count else ()
    (number, name, theory_speed, description, worker_count, money_harvest, groups,
     next_group) = DECODER.decode(record[end:])
    return SubAccount(
        number, master, name, theory_speed, description, worker_count, fee_type, fee, commission,
        bch_pps_fee, bch_commission, refer, harvests, money_harvest, flags & COIN_TO_MONEY != 0,
        flags & LOCKED != 0, groups, next_group)
