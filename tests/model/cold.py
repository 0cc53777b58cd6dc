"""The cold commands that the model knows; here: coins, pairs, limits, names, deposits, withdrawals.

Each function checks, in the order of its lines, and only then changes something. It gives the code
and, on OK, the value of docs/commands.md (None: there is none).
"""

from collections.abc import Iterator

from engine.codes import HouseAccount, PairStatus, Result, SelfTrade, WithdrawalStatus
from tests.model import (
    cold_accounts, cold_balances, cold_mining, cold_payouts, cold_settlement, cold_shares,
    cold_users, commands,
)
from tests.model.money import is_amount
from tests.model.state import Coin, Pair, User, person

REJECTABLE = (WithdrawalStatus.REQUESTED, WithdrawalStatus.APPROVED)
OPEN_STATUSES = (*REJECTABLE, WithdrawalStatus.SIGNED)
FEE_RATE_MAX_PPM = 999_999
SCALE_MAX = 8
OPEN_WITHDRAWALS_MAX = 1_000     # of one user


def handle(model, command: commands.Cold) -> tuple[int, object]:
    """(code, value) of one cold command."""
    return HANDLERS[type(command)](model, command)


def add_coin(model, c: commands.AddCoin) -> tuple[int, object]:
    if not (1 <= len(c.name) <= 16 and c.name.isascii() and c.name.isalnum() and c.name.isupper()):
        return Result.BAD_NAME, None
    if not 0 <= c.scale <= SCALE_MAX:
        return Result.BAD_SCALE, None
    if (c.withdraw_fee or 0) < 0:
        return Result.BAD_FEE, None
    if any(coin.name == c.name for coin in model.coins.values()):
        return Result.COIN_EXISTS, None
    number = len(model.coins) + 1
    model.coins[number] = Coin(number, c.name, c.scale, c.withdraw_fee or 0)
    return Result.OK, number


def add_pair(model, c: commands.AddPair) -> tuple[int, object]:
    coins = {coin.name: coin for coin in model.coins.values()}
    base, quote = (coins.get(name) for name in c.name.split("/"))
    if base is None or quote is None:
        return Result.UNKNOWN_COIN, None
    if (min(c.price_scale, c.amount_scale) < 0 or c.amount_scale > base.scale
            or c.price_scale + c.amount_scale > quote.scale):
        return Result.BAD_SCALE, None
    if c.min_qty < 1:
        return Result.BAD_QTY, None
    if not (0 <= c.maker_fee_ppm <= FEE_RATE_MAX_PPM and 0 <= c.taker_fee_ppm <= FEE_RATE_MAX_PPM):
        return Result.BAD_FEE, None
    if any(pair.name == c.name for pair in model.pairs.values()):
        return Result.PAIR_EXISTS, None
    number = len(model.pairs) + 1
    model.pairs[number] = Pair(
        number, c.name, base.number, quote.number,
        lot_units=10 ** (base.scale - c.amount_scale),
        tick_lot_units=10 ** (quote.scale - c.price_scale - c.amount_scale),
        min_qty=c.min_qty, maker_fee_ppm=c.maker_fee_ppm, taker_fee_ppm=c.taker_fee_ppm,
        self_trade=int(SelfTrade(c.self_trade)), status=int(PairStatus.TRADING))
    return Result.OK, number


def set_pair_status(model, c: commands.SetPairStatus) -> tuple[int, object]:
    if c.pair not in model.pairs:
        return Result.UNKNOWN_PAIR, None
    if c.status not in PairStatus.__members__.values():
        return Result.BAD_STATUS, None
    model.pairs[c.pair].status = c.status
    return Result.OK, None


def set_limits(model, c: commands.SetLimits) -> tuple[int, object]:
    if c.open_orders_per_user < 0:
        return Result.BAD_LIMIT, None
    model.open_orders_per_user = c.open_orders_per_user
    return Result.OK, None


def register_user(model, c: commands.RegisterUser) -> tuple[int, object]:
    if c.source is not None and not 1 <= c.source <= 99:
        return Result.BAD_SOURCE, None
    if any(user.username.casefold() == c.username.casefold() for user in model.users.values()):
        return Result.USER_EXISTS, None
    uid = len(model.users) + 1
    model.users[uid] = User(uid, c.username, c.source, c.group)
    cold_accounts.note_contacts(model, model.users[uid], phone=c.phone, email=c.email)
    return Result.OK, uid


def set_withdraw_address(model, c: commands.SetWithdrawAddress) -> tuple[int, object]:
    if person(model, c.uid) is None:
        return Result.UNKNOWN_USER, None
    if c.coin not in model.coins:
        return Result.UNKNOWN_COIN, None
    model.users[c.uid].addresses[c.coin] = c.address
    return Result.OK, None


def is_txid(txid: str) -> bool:
    return 1 <= len(txid) <= 128 and txid.isprintable()


def deposit(model, c: commands.Deposit) -> tuple[int, object]:
    if c.uid not in model.users:
        return Result.UNKNOWN_USER, None
    if c.coin not in model.coins:
        return Result.UNKNOWN_COIN, None
    if not is_amount(c.amount):
        return Result.BAD_AMOUNT, None
    if not is_txid(c.txid):
        return Result.BAD_TXID, None
    key = (c.coin, c.txid, c.uid)
    if key in model.deposits:
        return Result.OK, {"duplicate": True}
    if not model.money.deposit(c.uid, c.coin, c.amount):
        return Result.AMOUNT_TOO_LARGE, None
    model.deposits.add(key)
    return Result.OK, {"duplicate": False}


def request_withdrawal(model, c: commands.RequestWithdrawal) -> tuple[int, object]:
    if c.uid not in model.users:
        return Result.UNKNOWN_USER, None
    if c.coin not in model.coins:
        return Result.UNKNOWN_COIN, None
    user = model.users[c.uid]
    # Chosen: a withdrawal's request ids and those of CREDIT_BALANCE and the like are not the same.
    earlier = user.request_ids.get(c.request_id)
    if earlier is not None:
        if (earlier["coin"], user.requested[c.request_id]) == (c.coin, c.amount):
            return Result.OK, dict(earlier)
        return Result.REQUEST_ID_TAKEN, None
    available = model.money.available[c.uid, c.coin]
    amount = available if c.amount is None else c.amount
    fee = model.coins[c.coin].withdraw_fee
    if c.amount is not None and not is_amount(amount):
        return Result.BAD_AMOUNT, None
    if c.coin not in user.addresses:
        return Result.NO_WITHDRAW_ADDRESS, None
    open_ones = sum(withdrawal["uid"] == c.uid for withdrawal in open_withdrawals(model))
    if open_ones >= OPEN_WITHDRAWALS_MAX:
        return Result.TOO_MANY_WITHDRAWALS, None
    if amount > available or amount == 0:
        return Result.NOT_ENOUGH_MONEY, None
    if amount <= fee:
        return Result.BAD_AMOUNT, None
    model.money.hold(c.uid, c.coin, amount)
    withdrawal = {
        "id": len(model.withdrawals) + 1, "uid": c.uid, "coin": c.coin, "amount": amount,
        "fee": fee, "address": user.addresses[c.coin], "txid": None,
        "status": int(WithdrawalStatus.REQUESTED), "requested_ns": model.ts_ns,
        "request_id": c.request_id}
    model.withdrawals[withdrawal["id"]] = withdrawal
    if c.request_id is not None:
        user.request_ids[c.request_id] = withdrawal
        user.requested[c.request_id] = c.amount
    return Result.OK, dict(withdrawal)


def approve_withdrawal(model, c: commands.ApproveWithdrawal) -> tuple[int, object]:
    withdrawal = model.withdrawals.get(c.id)
    if withdrawal is None:
        return Result.UNKNOWN_WITHDRAWAL, None
    if withdrawal["status"] == WithdrawalStatus.APPROVED:
        return Result.OK, dict(withdrawal)
    if withdrawal["status"] != WithdrawalStatus.REQUESTED:
        return Result.WRONG_STATE, None
    withdrawal["status"] = int(WithdrawalStatus.APPROVED)
    return Result.OK, dict(withdrawal)


def reject_withdrawal(model, c: commands.RejectWithdrawal) -> tuple[int, object]:
    withdrawal = model.withdrawals.get(c.id)
    if withdrawal is None:
        return Result.UNKNOWN_WITHDRAWAL, None
    if withdrawal["status"] == WithdrawalStatus.REJECTED:
        return Result.OK, dict(withdrawal)
    if withdrawal["status"] not in REJECTABLE:
        return Result.WRONG_STATE, None
    withdrawal["status"] = int(WithdrawalStatus.REJECTED)
    model.money.release(withdrawal["uid"], withdrawal["coin"], withdrawal["amount"])
    return Result.OK, dict(withdrawal)


def finish_withdrawal(model, c: commands.FinishWithdrawal) -> tuple[int, object]:
    withdrawal = model.withdrawals.get(c.id)
    if withdrawal is None:
        return Result.UNKNOWN_WITHDRAWAL, None
    if not is_txid(c.txid):
        return Result.BAD_TXID, None
    if withdrawal["status"] == WithdrawalStatus.FINISHED and withdrawal["txid"] == c.txid:
        return Result.OK, dict(withdrawal)
    if (withdrawal["status"] != WithdrawalStatus.APPROVED
            and (withdrawal["status"], withdrawal["txid"]) != (WithdrawalStatus.SIGNED, c.txid)):
        return Result.WRONG_STATE, None
    withdrawal["status"] = int(WithdrawalStatus.FINISHED)
    withdrawal["txid"] = c.txid
    uid, coin, fee = withdrawal["uid"], withdrawal["coin"], withdrawal["fee"]
    model.money.pay_frozen(uid, coin, withdrawal["amount"] - fee, HouseAccount.EXTERNAL)
    model.money.pay_frozen(uid, coin, fee, HouseAccount.FEES)
    return Result.OK, dict(withdrawal)


def open_withdrawals(model) -> Iterator[dict]:
    """Those whose amount is still frozen."""
    return (w for w in model.withdrawals.values() if w["status"] in OPEN_STATUSES)


HANDLERS = {
    commands.AddCoin: add_coin,
    commands.AddPair: add_pair,
    commands.SetPairStatus: set_pair_status,
    commands.SetLimits: set_limits,
    commands.RegisterUser: register_user,
    commands.SetWithdrawAddress: set_withdraw_address,
    commands.Deposit: deposit,
    commands.RequestWithdrawal: request_withdrawal,
    commands.ApproveWithdrawal: approve_withdrawal,
    commands.RejectWithdrawal: reject_withdrawal,
    commands.FinishWithdrawal: finish_withdrawal,
    **cold_users.HANDLERS,
    **cold_balances.HANDLERS,
    **cold_mining.HANDLERS,
    **cold_payouts.HANDLERS,
    **cold_accounts.HANDLERS,
    **cold_shares.HANDLERS,
    **cold_settlement.HANDLERS,
}
