"""Every number that is written to disk or shown to a client: one enum a subject, none reused.

Zero is no member of any of them: memory that nobody set never reads as an answer.
"""


cpdef enum Kind:
    """What a command asks for. Below 64: packed, hot; from 64: msgpack (engine/commands)."""
    PLACE_ORDER = 1
    CANCEL_ORDER = 2
    AMEND_ORDER = 3
    CANCEL_ALL = 4
    ADD_SHARES = 5
    ADD_COIN = 64
    ADD_PAIR = 65
    SET_PAIR_STATUS = 66
    SET_LIMITS = 67
    REGISTER_USER = 70
    ISSUE_CODE = 71
    CREATE_SESSION = 72
    END_SESSION = 73
    SET_PASSWORD = 74
    SET_PAY_PASSWORD = 75
    SET_WITHDRAW_ADDRESS = 76
    ADD_CREDENTIAL = 77
    REMOVE_CREDENTIAL = 78
    USE_NONCE = 79
    SET_PERMISSIONS = 80
    SET_PROFILE = 81
    SET_IDENTITY = 82
    BIND_DEVICE = 83
    REMOVE_DEVICE = 84
    TRY_PAY_PASSWORD = 85
    CLEAR_PAY_TRIES = 86
    DEPOSIT = 90
    REQUEST_WITHDRAWAL = 91
    APPROVE_WITHDRAWAL = 92
    REJECT_WITHDRAWAL = 93
    FINISH_WITHDRAWAL = 94
    CREDIT_BALANCE = 95
    DEBIT_BALANCE = 96
    TRANSFER_BALANCE = 97
    FREEZE_BALANCE = 98
    UNFREEZE_BALANCE = 99
    SET_MINING = 100
    OPEN_WALLET = 101
    TRANSFER_ORE = 102
    EXTRACT_ORE = 103
    BUY_FORCE = 104
    CLAIM_ORE = 105
    SIGN_IN = 106
    ADD_ACCOUNT = 110
    ADD_SUB_ACCOUNT = 111
    SET_CONTACT = 112
    SET_FEES = 113
    SET_COIN_HARVEST = 114
    SET_MONEY_HARVEST = 115
    SET_COIN_TO_MONEY = 116
    LOCK_ACCOUNT = 117
    ADD_OBSERVER = 118
    CHANGE_OBSERVER = 119
    REMOVE_OBSERVER = 120
    ADD_GROUP = 121
    RENAME_GROUP = 122
    REMOVE_GROUP = 123
    SET_WORKER_GROUP = 124
    SIGN_WITHDRAWALS = 130
    UNSIGN_WITHDRAWALS = 131
    SET_NETWORK = 140
    BEGIN_SETTLEMENT = 141
    SETTLE_ACCOUNTS = 142
    SELL_EARNINGS = 143


cpdef enum Result:
    """The answer to a command (docs/results.md).

    1xx the command itself, 2xx what it names, 3xx money, 4xx orders, 5xx users,
    6xx withdrawals and requests, 7xx room, 8xx mining.
    """
    OK = 1
    BAD_COMMAND = 101
    BAD_SIDE = 102
    BAD_TYPE = 103
    BAD_TIF = 104
    BAD_FLAGS = 105
    BAD_PRICE = 106
    BAD_QTY = 107
    BAD_STOP_PRICE = 108
    BAD_QUOTE_AMOUNT = 109
    BAD_POST_ONLY = 110
    BAD_CLIENT_ID = 111
    BAD_NAME = 112
    BAD_SCALE = 113
    BAD_FEE = 114
    BAD_STATUS = 115
    BAD_AMOUNT = 116
    BAD_ADDRESS = 117
    BAD_TXID = 118
    BAD_REQUEST_ID = 119
    BAD_LIMIT = 120
    BAD_TITLE = 121
    BAD_SELF_TRADE = 122
    BAD_GROUP = 123
    BAD_EMAIL = 124
    BAD_PHONE = 125
    BAD_PASSWORD_HASH = 126
    BAD_DIGEST = 127
    BAD_LIFETIME = 128
    BAD_SCOPE = 129
    BAD_SEALED_KEY = 130
    BAD_NONCE = 131
    BAD_EXPIRY = 132
    BAD_USERNAME = 133
    BAD_FIELDS = 134
    BAD_DEVICE = 135
    BAD_RATE = 136
    BAD_FORCE = 137
    BAD_DAY = 138
    BAD_SOURCE = 139
    NO_CONTACT = 140
    NO_CHANGE = 141
    BAD_SPEED = 142
    BAD_DESCRIPTION = 143
    BAD_WORKER_COUNT = 144
    BAD_FEE_TYPE = 145
    BAD_COMMISSION = 146
    BAD_REFER = 147
    BAD_MIN = 148
    BAD_BANK = 149
    BAD_TOKEN = 150
    BAD_RIGHTS = 151
    BAD_REMARK = 152
    BAD_DIFFICULTY = 153
    NO_SHARES = 154
    BAD_TIME = 155
    BAD_WORKERS = 156
    BAD_BLOCKS = 157
    BAD_SUBSIDY = 158
    BAD_IDS = 190
    BAD_TRANSACTION = 191
    UNKNOWN_USER = 201
    UNKNOWN_COIN = 202
    UNKNOWN_PAIR = 203
    UNKNOWN_ORDER = 204
    UNKNOWN_WITHDRAWAL = 205
    UNKNOWN_SESSION = 206
    UNKNOWN_CREDENTIAL = 207
    UNKNOWN_DEVICE = 208
    UNKNOWN_WALLET = 209
    UNKNOWN_ACCOUNT = 210
    COIN_EXISTS = 211
    PAIR_EXISTS = 212
    USER_EXISTS = 213
    CREDENTIAL_EXISTS = 214
    SESSION_EXISTS = 215
    UNKNOWN_OBSERVER = 216
    UNKNOWN_GROUP = 217
    ACCOUNT_EXISTS = 218
    OBSERVER_EXISTS = 219
    GROUP_EXISTS = 220
    UNKNOWN_WORKER = 221
    UNKNOWN_TRANSACTION = 290
    NOT_ENOUGH_MONEY = 301
    AMOUNT_TOO_LARGE = 302
    SAME_ACCOUNT = 303
    NOT_ENOUGH_FROZEN = 304
    PAIR_HALTED = 401
    PAIR_CANCEL_ONLY = 402
    BELOW_MIN_AMOUNT = 403
    TOO_MANY_OPEN_ORDERS = 404
    WOULD_CROSS = 405
    CLIENT_ID_TAKEN = 406
    CODE_TOO_SOON = 501
    CODE_WRONG = 502
    CODE_EXPIRED = 503
    CODE_DEAD = 504
    NONCE_USED = 505
    NO_PAY_PASSWORD = 506
    PAY_PASSWORD_LOCKED = 507
    NO_WITHDRAW_ADDRESS = 601
    WRONG_STATE = 602
    REQUEST_ID_TAKEN = 603
    TXID_TAKEN = 604
    MIXED_COINS = 605
    TOO_MANY_COINS = 701
    TOO_MANY_PAIRS = 702
    TOO_MANY_USERS = 703
    TOO_MANY_WITHDRAWALS = 704
    TOO_MANY_DEVICES = 705
    TOO_MANY_FIELDS = 706
    TOO_MANY_ACCOUNTS = 707
    TOO_MANY_OBSERVERS = 708
    TOO_MANY_GROUPS = 709
    TOO_MANY_WORKERS = 710
    TOO_MANY_EPOCHS = 711
    NO_MINING = 801
    MINING_COIN_FIXED = 802
    SIGNED_IN_ALREADY = 803
    NOT_ENOUGH_ORE = 804
    NO_NETWORK = 805
    NO_SETTLEMENT = 806
    SETTLEMENT_RUNNING = 807


cpdef enum Side:
    BUY = 1
    SELL = 2


cpdef enum OrderType:
    LIMIT = 1
    MARKET = 2
    STOP_LIMIT = 3
    STOP_MARKET = 4


cpdef enum Tif:
    """Time in force: good till cancelled, immediate or cancel, fill or kill."""
    GTC = 1
    IOC = 2
    FOK = 3


cpdef enum OrderFlag:
    """Bits of an order's `flags`."""
    POST_ONLY = 1
    HAS_CLIENT_ID = 2


cpdef enum OrderStatus:
    """WAITING is a stop order that has not been triggered."""
    WAITING = 1
    OPEN = 2
    PARTIALLY_FILLED = 3
    FILLED = 4
    CANCELLED = 5


cpdef enum SelfTrade:
    """What happens when an order would hit a resting order of the same user."""
    CANCEL_MAKER = 1
    CANCEL_TAKER = 2
    CANCEL_BOTH = 3
    ALLOW = 4


cpdef enum PairStatus:
    TRADING = 1
    CANCEL_ONLY = 2
    HALTED = 3


cpdef enum EventKind:
    """What happened to an order (engine/events)."""
    ORDER_PLACED = 1
    ORDER_TRIGGERED = 2
    TRADE = 3
    ORDER_AMENDED = 4
    ORDER_CANCELLED = 5


cpdef enum Reason:
    """Why an order was cancelled."""
    BY_USER = 1
    NOT_FILLED = 2
    SELF_TRADE = 3
    NO_MONEY = 4
    CROSSED = 5


cpdef enum HouseAccount:
    """The accounts of the house, one of each per coin.

    EXTERNAL stands for the world outside: what users hold came from there, so it is negative. MINED
    is what the pool owed its sub-accounts for their work, negative too; POOL is what it kept of it.
    """
    EXTERNAL = 1
    FEES = 2
    ISSUANCE = 3
    MINED = 4
    POOL = 5


cpdef enum WithdrawalStatus:
    REQUESTED = 1
    APPROVED = 2
    FINISHED = 3
    REJECTED = 4
    SIGNED = 5


cpdef enum FeeType:
    """How a sub-account is paid: by its shares, or with its part of the blocks' fees besides."""
    PPS = 1
    FPPS = 2


cpdef enum ObserverRight:
    """Bits of an observer link's `rights`: what who opens it may see."""
    DASHBOARD = 1
    WORKER = 2
    PROFIT = 4


cpdef enum LockReason:
    """Why a sub-account's balance of a coin is not paid out; 0: it is, or there is none."""
    BELOW_MINIMUM = 1
    NO_ADDRESS = 2
    ACCOUNT_LOCKED = 3
    NOT_AUTOMATIC = 4
    NOT_SOLD = 5
    TOO_MANY_PAYMENTS = 6
