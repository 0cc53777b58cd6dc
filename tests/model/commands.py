"""Commands as plain objects: one object feeds the model, and its record feeds the core.

A command knows its record (`encode`) and nothing else. Fields carry the units of docs/core.md and
docs/commands.md; whatever fits its field can be written, sense or nonsense.
"""

from dataclasses import asdict, dataclass
from typing import ClassVar

from engine import commands
from engine.codes import Kind
from pool.share_book import packed_batch


@dataclass(slots=True)
class PlaceOrder:
    user: int
    pair: int
    side: int
    type: int
    tif: int
    price: int = 0
    qty: int = 0
    quote_amount: int = 0
    stop_price: int = 0
    flags: int = 0                    # without HAS_CLIENT_ID, which the client id brings
    client_id: bytes | None = None

    def encode(self) -> bytes:
        return commands.place_order(
            self.user, self.pair, self.side, self.type, self.tif, self.price, self.qty,
            self.quote_amount, self.stop_price, self.flags, self.client_id)


@dataclass(slots=True)
class CancelOrder:
    user: int
    order_id: int = 0
    pair: int = 0
    client_id: bytes | None = None

    def encode(self) -> bytes:
        return commands.cancel_order(self.user, self.order_id, self.pair, self.client_id)


@dataclass(slots=True)
class AmendOrder:
    user: int
    order_id: int
    price: int = 0
    qty: int = 0
    pair: int = 0

    def encode(self) -> bytes:
        return commands.amend_order(self.user, self.order_id, self.price, self.qty, self.pair)


@dataclass(slots=True)
class CancelAll:
    user: int
    pair: int = 0

    def encode(self) -> bytes:
        return commands.cancel_all(self.user, self.pair)


@dataclass(slots=True)
class AddShares:
    """Names are (account, bytes), rows (name, coin, accepted, rejected, difficulty in 2^-16, at_s),
    as tests/pool/plain_workers takes them."""
    names: list[tuple[int, bytes]]
    rows: list[tuple]
    source: int = 0
    number: int = 0                   # of the source's batches

    def encode(self) -> bytes:
        return commands.add_shares(packed_batch(self.names, self.rows), self.source, self.number)


@dataclass(slots=True)
class Malformed:
    """A record that is framed (its size is true) but is no command."""
    record: bytes

    def encode(self) -> bytes:
        return self.record


class Cold:
    """A command of docs/commands.md: its fields are the keys of its payload."""
    __slots__ = ()
    KIND: ClassVar[int]

    def encode(self) -> bytes:
        return commands.cold(self.KIND, asdict(self))


@dataclass(slots=True)
class AddCoin(Cold):
    KIND: ClassVar[int] = Kind.ADD_COIN
    name: str
    title: str
    type: str
    scale: int
    withdraw_fee: int | None = None


@dataclass(slots=True)
class AddPair(Cold):
    KIND: ClassVar[int] = Kind.ADD_PAIR
    name: str
    price_scale: int
    amount_scale: int
    min_qty: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    self_trade: int


@dataclass(slots=True)
class SetPairStatus(Cold):
    KIND: ClassVar[int] = Kind.SET_PAIR_STATUS
    pair: int
    status: int


@dataclass(slots=True)
class SetLimits(Cold):
    KIND: ClassVar[int] = Kind.SET_LIMITS
    open_orders_per_user: int


@dataclass(slots=True)
class RegisterUser(Cold):
    KIND: ClassVar[int] = Kind.REGISTER_USER
    username: str
    password_hash: str = "$argon2id$of-nothing"
    group: int = 1
    source: int | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(slots=True)
class CreateSession(Cold):
    KIND: ClassVar[int] = Kind.CREATE_SESSION
    uid: int
    token_digest: bytes
    lifetime_s: int


@dataclass(slots=True)
class EndSession(Cold):
    KIND: ClassVar[int] = Kind.END_SESSION
    token_digest: bytes


@dataclass(slots=True)
class SetPassword(Cold):
    KIND: ClassVar[int] = Kind.SET_PASSWORD
    uid: int
    password_hash: str
    keep_token_digest: bytes | None = None


@dataclass(slots=True)
class SetPayPassword(Cold):
    KIND: ClassVar[int] = Kind.SET_PAY_PASSWORD
    uid: int
    password_hash: str


@dataclass(slots=True)
class TryPayPassword(Cold):
    KIND: ClassVar[int] = Kind.TRY_PAY_PASSWORD
    uid: int


@dataclass(slots=True)
class ClearPayTries(Cold):
    KIND: ClassVar[int] = Kind.CLEAR_PAY_TRIES
    uid: int


@dataclass(slots=True)
class SetPermissions(Cold):
    KIND: ClassVar[int] = Kind.SET_PERMISSIONS
    uid: int
    fields: dict


@dataclass(slots=True)
class SetProfile(Cold):
    KIND: ClassVar[int] = Kind.SET_PROFILE
    uid: int
    fields: dict


@dataclass(slots=True)
class SetIdentity(Cold):
    KIND: ClassVar[int] = Kind.SET_IDENTITY
    uid: int
    fields: dict


@dataclass(slots=True)
class BindDevice(Cold):
    KIND: ClassVar[int] = Kind.BIND_DEVICE
    uid: int
    device_id: str
    name: str
    os: str


@dataclass(slots=True)
class RemoveDevice(Cold):
    KIND: ClassVar[int] = Kind.REMOVE_DEVICE
    uid: int
    device_id: str


@dataclass(slots=True)
class SetWithdrawAddress(Cold):
    KIND: ClassVar[int] = Kind.SET_WITHDRAW_ADDRESS
    uid: int
    coin: int
    address: str


@dataclass(slots=True)
class Deposit(Cold):
    KIND: ClassVar[int] = Kind.DEPOSIT
    uid: int
    coin: int
    amount: int
    txid: str


@dataclass(slots=True)
class RequestWithdrawal(Cold):
    KIND: ClassVar[int] = Kind.REQUEST_WITHDRAWAL
    uid: int
    coin: int
    amount: int | None = None
    request_id: str | None = None


@dataclass(slots=True)
class ApproveWithdrawal(Cold):
    KIND: ClassVar[int] = Kind.APPROVE_WITHDRAWAL
    id: int


@dataclass(slots=True)
class RejectWithdrawal(Cold):
    KIND: ClassVar[int] = Kind.REJECT_WITHDRAWAL
    id: int


@dataclass(slots=True)
class FinishWithdrawal(Cold):
    KIND: ClassVar[int] = Kind.FINISH_WITHDRAWAL
    id: int
    txid: str


@dataclass(slots=True)
class CreditBalance(Cold):
    KIND: ClassVar[int] = Kind.CREDIT_BALANCE
    by: int
    uid: int
    coin: int
    amount: int
    request_id: str | None = None


@dataclass(slots=True)
class DebitBalance(Cold):
    KIND: ClassVar[int] = Kind.DEBIT_BALANCE
    by: int
    uid: int
    coin: int
    amount: int
    request_id: str | None = None


@dataclass(slots=True)
class TransferBalance(Cold):
    KIND: ClassVar[int] = Kind.TRANSFER_BALANCE
    by: int
    from_uid: int
    to_uid: int
    coin: int
    amount: int
    request_id: str | None = None


@dataclass(slots=True)
class FreezeBalance(Cold):
    KIND: ClassVar[int] = Kind.FREEZE_BALANCE
    by: int
    uid: int
    coin: int
    amount: int
    request_id: str | None = None


@dataclass(slots=True)
class UnfreezeBalance(Cold):
    KIND: ClassVar[int] = Kind.UNFREEZE_BALANCE
    by: int
    uid: int
    coin: int
    amount: int
    request_id: str | None = None


@dataclass(slots=True)
class SetMining(Cold):
    KIND: ClassVar[int] = Kind.SET_MINING
    coin: int
    rate: int
    force_price: int
    sign_in_force: int
    initial_force: int


@dataclass(slots=True)
class OpenWallet(Cold):
    KIND: ClassVar[int] = Kind.OPEN_WALLET
    uid: int


@dataclass(slots=True)
class TransferOre(Cold):
    KIND: ClassVar[int] = Kind.TRANSFER_ORE
    uid: int
    wallet: int
    amount: int


@dataclass(slots=True)
class ExtractOre(Cold):
    KIND: ClassVar[int] = Kind.EXTRACT_ORE
    uid: int
    amount: int
    wallet: int | None = None


@dataclass(slots=True)
class BuyForce(Cold):
    KIND: ClassVar[int] = Kind.BUY_FORCE
    uid: int
    force: int


@dataclass(slots=True)
class ClaimOre(Cold):
    KIND: ClassVar[int] = Kind.CLAIM_ORE
    uid: int
    amount: int


@dataclass(slots=True)
class SignIn(Cold):
    KIND: ClassVar[int] = Kind.SIGN_IN
    uid: int
    day: int


@dataclass(slots=True)
class AddAccount(Cold):
    KIND: ClassVar[int] = Kind.ADD_ACCOUNT
    username: str
    password_hash: str
    phone: str | None = None
    email: str | None = None


@dataclass(slots=True)
class AddSubAccount(Cold):
    KIND: ClassVar[int] = Kind.ADD_SUB_ACCOUNT
    uid: int
    name: str
    theory_speed: int
    description: str
    worker_count: int


@dataclass(slots=True)
class SetContact(Cold):
    KIND: ClassVar[int] = Kind.SET_CONTACT
    uid: int
    phone: str | None = None
    email: str | None = None


@dataclass(slots=True)
class SetFees(Cold):
    KIND: ClassVar[int] = Kind.SET_FEES
    account: int
    fee_type: int | None = None
    fee: int | None = None
    refer: int | None = None
    commission: int | None = None
    bch_pps_fee: int | None = None
    bch_commission: int | None = None


@dataclass(slots=True)
class SetCoinHarvest(Cold):
    KIND: ClassVar[int] = Kind.SET_COIN_HARVEST
    account: int
    coin: int
    address: str
    min: int


@dataclass(slots=True)
class SetMoneyHarvest(Cold):
    KIND: ClassVar[int] = Kind.SET_MONEY_HARVEST
    account: int
    province: str
    city: str
    bank: str
    branch: str
    owner: str
    number: str
    min: int


@dataclass(slots=True)
class SetCoinToMoney(Cold):
    KIND: ClassVar[int] = Kind.SET_COIN_TO_MONEY
    account: int
    auto: bool


@dataclass(slots=True)
class LockAccount(Cold):
    KIND: ClassVar[int] = Kind.LOCK_ACCOUNT
    account: int
    locked: bool


@dataclass(slots=True)
class AddObserver(Cold):
    KIND: ClassVar[int] = Kind.ADD_OBSERVER
    account: int
    token: bytes
    rights: int
    remark: str | None = None


@dataclass(slots=True)
class ChangeObserver(Cold):
    KIND: ClassVar[int] = Kind.CHANGE_OBSERVER
    id: int
    rights: int | None = None
    remark: str | None = None


@dataclass(slots=True)
class RemoveObserver(Cold):
    KIND: ClassVar[int] = Kind.REMOVE_OBSERVER
    id: int


@dataclass(slots=True)
class AddGroup(Cold):
    KIND: ClassVar[int] = Kind.ADD_GROUP
    account: int
    name: str


@dataclass(slots=True)
class RenameGroup(Cold):
    KIND: ClassVar[int] = Kind.RENAME_GROUP
    account: int
    id: int
    name: str


@dataclass(slots=True)
class RemoveGroup(Cold):
    KIND: ClassVar[int] = Kind.REMOVE_GROUP
    account: int
    id: int


@dataclass(slots=True)
class SetWorkerGroup(Cold):
    KIND: ClassVar[int] = Kind.SET_WORKER_GROUP
    account: int
    id: int
    workers: list


@dataclass(slots=True)
class SetNetwork(Cold):
    KIND: ClassVar[int] = Kind.SET_NETWORK
    coin: int
    difficulty: str
    subsidy: int
    fees_per_block: int
    blocks_today: int | None = None


@dataclass(slots=True)
class BeginSettlement(Cold):
    KIND: ClassVar[int] = Kind.BEGIN_SETTLEMENT
    coin: int
    day: int


@dataclass(slots=True)
class SettleAccounts(Cold):
    KIND: ClassVar[int] = Kind.SETTLE_ACCOUNTS
    coin: int
    day: int
    count: int


@dataclass(slots=True)
class SellEarnings(Cold):
    KIND: ClassVar[int] = Kind.SELL_EARNINGS
    coin: int
    day: int


def encode_batch(batch) -> bytes:
    """The records of a batch of commands, one behind the other."""
    return b"".join([command.encode() for command in batch])
