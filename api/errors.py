"""What a result code means to a caller: its class, and the reason in words.

`MEANINGS` covers every member of `engine.Result` (a test says so). A dialect turns the class into
its own code, or shows the words alone. Words begin with the parameter they speak of where there is
one.
"""

from enum import Enum
from typing import NamedTuple

from engine import Result


class Fault(Enum):
    """Whose fault it is; the dialects with numbers have one for each."""
    NONE = 0
    INPUT = 1               # the request is wrong, and will be tomorrow
    AUTHENTICATION = 2      # who calls is not shown
    OPERATION = 3           # not in this state of things
    RIGHT = 4               # not this caller
    SYSTEM = 5              # ours


class Meaning(NamedTuple):
    fault: Fault
    words: str


MEANINGS: dict[Result, Meaning] = {
    Result.OK: Meaning(Fault.NONE, ""),

    Result.BAD_COMMAND: Meaning(Fault.SYSTEM, "the command could not be read"),
    Result.BAD_SIDE: Meaning(Fault.INPUT, "side: must be buy or sell"),
    Result.BAD_TYPE: Meaning(Fault.INPUT,
                             "type: must be limit, market, stop_limit or stop_market"),
    Result.BAD_TIF: Meaning(Fault.INPUT, "tif: not for this type of order"),
    Result.BAD_FLAGS: Meaning(Fault.INPUT, "flags: not known"),
    Result.BAD_PRICE: Meaning(Fault.INPUT, "price: not for this order, or not more than zero"),
    Result.BAD_QTY: Meaning(Fault.INPUT, "amount: must be more than zero and than what is filled"),
    Result.BAD_STOP_PRICE: Meaning(Fault.INPUT,
                                   "stop_price: only for stop orders, and needed there"),
    Result.BAD_QUOTE_AMOUNT: Meaning(Fault.INPUT,
                                     "quote_amount: only for a market buy, in place of the amount"),
    Result.BAD_POST_ONLY: Meaning(Fault.INPUT, "post_only: only for a GTC order with a price"),
    Result.BAD_CLIENT_ID: Meaning(Fault.INPUT, "client_id: 1 to 36 of A-Z a-z 0-9 . : / _ -"),
    Result.BAD_NAME: Meaning(Fault.INPUT,
                             "name: too short, too long, or with a character not allowed"),
    Result.BAD_SCALE: Meaning(Fault.INPUT, "scale: out of range"),
    Result.BAD_FEE: Meaning(Fault.INPUT, "fee: out of range"),
    Result.BAD_STATUS: Meaning(Fault.INPUT, "status: not known"),
    Result.BAD_AMOUNT: Meaning(Fault.INPUT, "amount: out of range, or not more than the fee"),
    Result.BAD_ADDRESS: Meaning(Fault.INPUT, "address: not an address of this coin"),
    Result.BAD_TXID: Meaning(Fault.INPUT, "txid: must be 1 to 128 printable characters"),
    Result.BAD_REQUEST_ID: Meaning(Fault.INPUT, "request_id: 1 to 36 of A-Z a-z 0-9 . : / _ -"),
    Result.BAD_LIMIT: Meaning(Fault.INPUT, "limit: out of range"),
    Result.BAD_TITLE: Meaning(Fault.INPUT, "title: too long, or with a character not allowed"),
    Result.BAD_SELF_TRADE: Meaning(Fault.INPUT, "self_trade: not known"),
    Result.BAD_GROUP: Meaning(Fault.INPUT, "group: not known"),
    Result.BAD_EMAIL: Meaning(Fault.INPUT, "email: not a mail address"),
    Result.BAD_PHONE: Meaning(Fault.INPUT, "phone: not a phone number"),
    Result.BAD_PASSWORD_HASH: Meaning(Fault.SYSTEM, "the password could not be stored"),
    Result.BAD_DIGEST: Meaning(Fault.SYSTEM, "the token or code could not be stored"),
    Result.BAD_LIFETIME: Meaning(Fault.INPUT, "lifetime: out of range"),
    Result.BAD_SCOPE: Meaning(Fault.INPUT, "scope: must be account or operator"),
    Result.BAD_SEALED_KEY: Meaning(Fault.SYSTEM, "the secret could not be stored"),
    Result.BAD_NONCE: Meaning(Fault.INPUT, "nonce: too short, too long, or not printable"),
    Result.BAD_EXPIRY: Meaning(Fault.INPUT, "expiry: out of range"),
    Result.BAD_USERNAME: Meaning(Fault.INPUT,
                                 "user: must have 3 to 64 characters, no control ones"),

    Result.BAD_FIELDS: Meaning(Fault.INPUT, "fields: a name or a value is malformed"),
    Result.BAD_DEVICE: Meaning(Fault.INPUT, "device: its id, name or system is malformed"),
    Result.BAD_RATE: Meaning(Fault.INPUT, "rate: out of range"),
    Result.BAD_FORCE: Meaning(Fault.INPUT, "force: must be more than zero"),
    Result.BAD_DAY: Meaning(Fault.INPUT, "day: not one that this can be done for now"),
    Result.BAD_SOURCE: Meaning(Fault.INPUT, "source_type: not known"),
    Result.BAD_IDS: Meaning(Fault.INPUT, "ids: 1 to 1,000 whole numbers, each once"),
    Result.BAD_TRANSACTION: Meaning(Fault.INPUT, "transaction: 1 to 102,400 bytes"),
    Result.NO_CONTACT: Meaning(Fault.INPUT, "phone: needed where there is no mail"),
    Result.NO_CHANGE: Meaning(Fault.INPUT, "nothing to change is given"),
    Result.BAD_SPEED: Meaning(Fault.INPUT, "theorySpeed: out of range"),
    Result.BAD_DESCRIPTION: Meaning(
        Fault.INPUT, "description: more than 128 characters, or a control one"),
    Result.BAD_WORKER_COUNT: Meaning(Fault.INPUT, "workerCount: out of range"),
    Result.BAD_FEE_TYPE: Meaning(Fault.INPUT, "feeType: must be PPS or FPPS"),
    Result.BAD_COMMISSION: Meaning(Fault.INPUT, "commission: out of range, or above the fee"),
    Result.BAD_REFER: Meaning(Fault.INPUT, "refer: not known, or the account itself or its master"),
    Result.BAD_MIN: Meaning(Fault.INPUT, "min: not one of the least amounts that can be set"),
    Result.BAD_BANK: Meaning(Fault.INPUT, "address: 1 to 64 characters each, no control ones"),
    Result.BAD_TOKEN: Meaning(Fault.SYSTEM, "the link could not be made"),
    Result.BAD_RIGHTS: Meaning(Fault.INPUT, "rights: none, or one that is not known"),
    Result.BAD_REMARK: Meaning(Fault.INPUT, "remark: more than 128 characters, or a control one"),
    Result.BAD_DIFFICULTY: Meaning(Fault.INPUT, "difficulty: must be more than zero"),
    Result.NO_SHARES: Meaning(Fault.INPUT, "accepted: no share, nor a rejected one"),
    Result.BAD_TIME: Meaning(Fault.INPUT, "at: more than 600 s ago, or more than 60 s ahead"),
    Result.BAD_WORKERS: Meaning(Fault.INPUT, "workers: must be 1 to 10,000 names"),
    Result.BAD_BLOCKS: Meaning(Fault.INPUT, "blocks_today: must be 0 to 1,000,000"),
    Result.BAD_SUBSIDY: Meaning(Fault.INPUT, "subsidy: must be more than zero"),

    Result.UNKNOWN_USER: Meaning(Fault.OPERATION, "user: not known"),
    Result.UNKNOWN_COIN: Meaning(Fault.INPUT, "coin: not listed"),
    Result.UNKNOWN_PAIR: Meaning(Fault.INPUT, "pair: not listed"),
    Result.UNKNOWN_ORDER: Meaning(Fault.OPERATION, "order_id: not an open order of yours"),
    Result.UNKNOWN_WITHDRAWAL: Meaning(Fault.OPERATION, "id: not a withdrawal"),
    Result.UNKNOWN_SESSION: Meaning(Fault.AUTHENTICATION, "session: not logged in"),
    Result.UNKNOWN_CREDENTIAL: Meaning(Fault.OPERATION, "client_id: not a credential"),
    Result.UNKNOWN_DEVICE: Meaning(Fault.OPERATION, "device_id: not bound"),
    Result.UNKNOWN_WALLET: Meaning(Fault.OPERATION, "address: no wallet has it"),
    Result.UNKNOWN_ACCOUNT: Meaning(Fault.OPERATION, "userName: not a sub-account"),
    Result.UNKNOWN_OBSERVER: Meaning(Fault.OPERATION, "linkId: not an observer link"),
    Result.UNKNOWN_GROUP: Meaning(Fault.OPERATION, "group: not known"),
    Result.COIN_EXISTS: Meaning(Fault.OPERATION, "name: this coin is listed already"),
    Result.PAIR_EXISTS: Meaning(Fault.OPERATION, "pair: listed already"),
    Result.USER_EXISTS: Meaning(Fault.OPERATION, "user: this name is taken"),
    Result.CREDENTIAL_EXISTS: Meaning(Fault.OPERATION, "client_id: taken"),
    Result.SESSION_EXISTS: Meaning(Fault.SYSTEM, "the session could not be begun, try again"),
    Result.ACCOUNT_EXISTS: Meaning(Fault.OPERATION, "userName: this sub-account's name is taken"),
    Result.OBSERVER_EXISTS: Meaning(Fault.SYSTEM, "the link could not be made, try again"),
    Result.GROUP_EXISTS: Meaning(Fault.OPERATION, "name: the account has a group of this name"),
    Result.UNKNOWN_WORKER: Meaning(Fault.OPERATION, "workers: one is none of the account's"),
    Result.UNKNOWN_TRANSACTION: Meaning(Fault.OPERATION, "txid: no signed transaction"),

    Result.NOT_ENOUGH_MONEY: Meaning(Fault.OPERATION, "amount: not enough money available"),
    Result.AMOUNT_TOO_LARGE: Meaning(Fault.INPUT, "amount: price times amount is too large"),
    Result.SAME_ACCOUNT: Meaning(Fault.OPERATION, "both sides are the same account"),
    Result.NOT_ENOUGH_FROZEN: Meaning(Fault.OPERATION, "amount: less than that was frozen so"),

    Result.PAIR_HALTED: Meaning(Fault.OPERATION, "pair: trading is halted"),
    Result.PAIR_CANCEL_ONLY: Meaning(Fault.OPERATION, "pair: orders can only be cancelled now"),
    Result.BELOW_MIN_AMOUNT: Meaning(Fault.INPUT, "amount: less than the pair's least amount"),
    Result.TOO_MANY_OPEN_ORDERS: Meaning(Fault.OPERATION, "too many open orders"),
    Result.WOULD_CROSS: Meaning(Fault.OPERATION, "post_only: the order would trade at once"),
    Result.CLIENT_ID_TAKEN: Meaning(Fault.OPERATION, "client_id: taken by another order"),

    Result.CODE_TOO_SOON: Meaning(Fault.OPERATION, "user: a code went out less than 60 s ago"),
    Result.CODE_WRONG: Meaning(Fault.OPERATION, "valid_code: wrong"),
    Result.CODE_EXPIRED: Meaning(Fault.OPERATION, "valid_code: none is valid for this user"),
    Result.CODE_DEAD: Meaning(Fault.OPERATION,
                              "valid_code: too many wrong tries, ask for a new one"),
    Result.NONCE_USED: Meaning(Fault.AUTHENTICATION, "this request was made before"),
    Result.NO_PAY_PASSWORD: Meaning(Fault.OPERATION, "no payment password is set"),
    Result.PAY_PASSWORD_LOCKED: Meaning(
        Fault.OPERATION, "the payment password is locked for 15 minutes after five wrong tries"),

    Result.NO_WITHDRAW_ADDRESS: Meaning(Fault.OPERATION, "address: none is set for this coin"),
    Result.WRONG_STATE: Meaning(Fault.OPERATION, "action: not for a withdrawal in this state"),
    Result.REQUEST_ID_TAKEN: Meaning(Fault.OPERATION, "request_id: taken by another request"),
    Result.TXID_TAKEN: Meaning(Fault.OPERATION, "txid: of another signed transaction"),
    Result.MIXED_COINS: Meaning(Fault.OPERATION, "ids: withdrawals of more than one coin"),
    Result.TOO_MANY_COINS: Meaning(Fault.OPERATION, "no more coins can be listed"),
    Result.TOO_MANY_PAIRS: Meaning(Fault.OPERATION, "no more pairs can be listed"),
    Result.TOO_MANY_USERS: Meaning(Fault.OPERATION, "no more users can be registered"),
    Result.TOO_MANY_WITHDRAWALS: Meaning(Fault.OPERATION, "too many withdrawals are open"),
    Result.TOO_MANY_DEVICES: Meaning(Fault.OPERATION, "too many devices are bound"),
    Result.TOO_MANY_FIELDS: Meaning(Fault.OPERATION, "too many fields"),
    Result.TOO_MANY_ACCOUNTS: Meaning(Fault.OPERATION, "the user has too many sub-accounts"),
    Result.TOO_MANY_OBSERVERS: Meaning(Fault.OPERATION, "the account has too many observer links"),
    Result.TOO_MANY_GROUPS: Meaning(Fault.OPERATION, "the account has too many groups"),
    Result.TOO_MANY_WORKERS: Meaning(Fault.OPERATION, "the pool has too many workers"),
    Result.TOO_MANY_EPOCHS: Meaning(
        Fault.OPERATION, "too many days are not settled yet, with too many difficulties"),

    Result.NO_MINING: Meaning(Fault.OPERATION, "mining is not set up in this house"),
    Result.MINING_COIN_FIXED: Meaning(Fault.OPERATION, "coin: another one is mined here"),
    Result.SIGNED_IN_ALREADY: Meaning(Fault.OPERATION, "signed in today already"),
    Result.NOT_ENOUGH_ORE: Meaning(Fault.OPERATION, "num: more than can be claimed now"),
    Result.NO_NETWORK: Meaning(Fault.OPERATION, "coin: not mined, it has no network state"),
    Result.NO_SETTLEMENT: Meaning(Fault.OPERATION, "day: not being settled"),
    Result.SETTLEMENT_RUNNING: Meaning(Fault.OPERATION, "another day is being settled, try again"),
}


def words(code: int) -> str:
    """The reason for a refusal, as the caller is told it."""
    return MEANINGS[code].words
