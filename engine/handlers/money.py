"""Money that enters and leaves the house: deposits and withdrawals.

A withdrawal's amount is frozen from its request until it is finished (posted to the world outside,
the fee to the house) or rejected (released). Signing moves no money: from then on one transaction
alone can pay those it names, until it is given up by a command of its own. A posting that fails
although the store says the amount is frozen means that the books are wrong: Halt.
"""

from engine.codes import HouseAccount, Kind, Result, WithdrawalStatus
from engine.halt import Halt
from engine.handlers.checks import is_amount, is_client_id, is_txid
from ledger.signed_transactions import IDS_MAX, TRANSACTION_BYTES_MAX
from ledger.withdrawals import OPEN_PER_USER_MAX


def deposit(core, ts_ns, seq, args):
    """UNKNOWN_USER, UNKNOWN_COIN, BAD_AMOUNT, BAD_TXID, then OK with nothing done for one that has
    been credited, AMOUNT_TOO_LARGE (the coin's supply would exceed 64 bits)."""
    user, coin = core.users.get(args["uid"]), core.coins.get(args["coin"])
    if user is None:
        return Result.UNKNOWN_USER
    if coin is None:
        return Result.UNKNOWN_COIN
    if not is_amount(args["amount"]):
        return Result.BAD_AMOUNT
    if not is_txid(args["txid"]):
        return Result.BAD_TXID
    if core.deposits.is_credited(coin.number, args["txid"], user.uid):
        return Result.OK, {"duplicate": True}
    if not core.accounts.credit(user.uid, coin.number, args["amount"], HouseAccount.EXTERNAL):
        return Result.AMOUNT_TOO_LARGE
    core.deposits.add(coin.number, args["txid"], user.uid)
    return Result.OK, {"duplicate": False}


def request_withdrawal(core, ts_ns, seq, args):
    """UNKNOWN_USER, UNKNOWN_COIN, BAD_REQUEST_ID, then a request id that counts: OK with the first
    withdrawal or REQUEST_ID_TAKEN; BAD_AMOUNT, NO_WITHDRAW_ADDRESS, TOO_MANY_WITHDRAWALS,
    NOT_ENOUGH_MONEY, BAD_AMOUNT (the fee would leave nothing)."""
    user, coin = core.users.get(args["uid"]), core.coins.get(args["coin"])
    asked, request_id = args.get("amount"), args.get("request_id")
    if user is None:
        return Result.UNKNOWN_USER
    if coin is None:
        return Result.UNKNOWN_COIN
    if request_id is not None:
        if not is_client_id(request_id):
            return Result.BAD_REQUEST_ID
        first = core.withdrawals.by_request_id(user.uid, request_id)
        if first is not None:
            if first.coin == coin.number and asked == (None if first.whole else first.amount):
                return Result.OK, first.view()
            return Result.REQUEST_ID_TAKEN
    if asked is not None and not is_amount(asked):
        return Result.BAD_AMOUNT
    address = user.withdraw_address(coin.number)
    if address is None:
        return Result.NO_WITHDRAW_ADDRESS
    if core.withdrawals.open_count(user.uid) >= OPEN_PER_USER_MAX:
        return Result.TOO_MANY_WITHDRAWALS
    available = core.accounts.available(user.uid, coin.number)
    amount = available if asked is None else asked
    if not 1 <= amount <= available:
        return Result.NOT_ENOUGH_MONEY
    if amount <= coin.withdraw_fee:
        return Result.BAD_AMOUNT
    posted(core.accounts.hold(user.uid, coin.number, amount), "hold", args)
    withdrawal = core.withdrawals.request(user.uid, coin.number, amount, coin.withdraw_fee, address,
                                          ts_ns, request_id, asked is None)
    return Result.OK, withdrawal.view()


def approve_withdrawal(core, ts_ns, seq, args):
    """UNKNOWN_WITHDRAWAL, WRONG_STATE."""
    withdrawal = core.withdrawals.get(args["id"])
    if withdrawal is None:
        return Result.UNKNOWN_WITHDRAWAL
    if withdrawal.status == WithdrawalStatus.APPROVED:
        return Result.OK, withdrawal.view()
    if withdrawal.status != WithdrawalStatus.REQUESTED:
        return Result.WRONG_STATE
    core.withdrawals.approve(withdrawal)
    return Result.OK, withdrawal.view()


def reject_withdrawal(core, ts_ns, seq, args):
    """UNKNOWN_WITHDRAWAL, WRONG_STATE."""
    withdrawal = core.withdrawals.get(args["id"])
    if withdrawal is None:
        return Result.UNKNOWN_WITHDRAWAL
    if withdrawal.status == WithdrawalStatus.REJECTED:
        return Result.OK, withdrawal.view()
    if withdrawal.status not in (WithdrawalStatus.REQUESTED, WithdrawalStatus.APPROVED):
        return Result.WRONG_STATE
    posted(core.accounts.release(withdrawal.uid, withdrawal.coin, withdrawal.amount),
           "release", withdrawal)
    core.withdrawals.reject(withdrawal)
    return Result.OK, withdrawal.view()


def finish_withdrawal(core, ts_ns, seq, args):
    """UNKNOWN_WITHDRAWAL, BAD_TXID, WRONG_STATE (also: signed or finished with another txid)."""
    withdrawal = core.withdrawals.get(args["id"])
    if withdrawal is None:
        return Result.UNKNOWN_WITHDRAWAL
    if not is_txid(args["txid"]):
        return Result.BAD_TXID
    if withdrawal.status == WithdrawalStatus.FINISHED and withdrawal.txid == args["txid"]:
        return Result.OK, withdrawal.view()
    if withdrawal.status == WithdrawalStatus.SIGNED:
        if withdrawal.txid != args["txid"]:
            return Result.WRONG_STATE
    elif withdrawal.status != WithdrawalStatus.APPROVED:
        return Result.WRONG_STATE
    uid, coin, fee = withdrawal.uid, withdrawal.coin, withdrawal.fee
    posted(core.accounts.pay_frozen(uid, coin, withdrawal.amount - fee, HouseAccount.EXTERNAL),
           "payment", withdrawal)
    posted(core.accounts.pay_frozen(uid, coin, fee, HouseAccount.FEES), "fee", withdrawal)
    core.withdrawals.finish(withdrawal, args["txid"])
    return Result.OK, withdrawal.view()


def sign_withdrawals(core, ts_ns, seq, args):
    """BAD_IDS, UNKNOWN_WITHDRAWAL, BAD_TXID, BAD_TRANSACTION, then a txid that is kept: OK with
    nothing done for the same content, else TXID_TAKEN; WRONG_STATE, MIXED_COINS."""
    ids, txid, transaction = args["ids"], args["txid"], args["transaction"]
    if not are_ids(ids):
        return Result.BAD_IDS
    withdrawals = [core.withdrawals.get(number) for number in ids]
    if None in withdrawals:
        return Result.UNKNOWN_WITHDRAWAL
    if not is_txid(txid):
        return Result.BAD_TXID
    if not 1 <= len(transaction) <= TRANSACTION_BYTES_MAX:
        return Result.BAD_TRANSACTION
    kept = core.withdrawals.signed.get(txid)
    if kept is not None:
        is_same = (kept.ids, kept.transaction) == (tuple(ids), transaction)
        return Result.OK if is_same else Result.TXID_TAKEN
    if any(one.status != WithdrawalStatus.APPROVED for one in withdrawals):
        return Result.WRONG_STATE
    if any(one.coin != withdrawals[0].coin for one in withdrawals):
        return Result.MIXED_COINS
    core.withdrawals.sign(withdrawals, txid, transaction)
    return Result.OK


def unsign_withdrawals(core, ts_ns, seq, args):
    """UNKNOWN_TRANSACTION, WRONG_STATE (one of its withdrawals is finished: so it was paid)."""
    signed = core.withdrawals.signed.get(args["txid"])
    if signed is None:
        return Result.UNKNOWN_TRANSACTION
    if signed.unfinished != len(signed.ids):
        return Result.WRONG_STATE
    return Result.OK, list(core.withdrawals.unsign(signed.txid))


def are_ids(ids: list) -> bool:
    """Between 1 and IDS_MAX whole numbers, each once."""
    return (1 <= len(ids) <= IDS_MAX and all(type(number) is int for number in ids)
            and len(set(ids)) == len(ids))


def posted(done: bool, posting: str, subject: object) -> None:
    if not done:
        raise Halt(f"the books refuse the {posting} of {subject}")


HANDLERS = {
    Kind.DEPOSIT: deposit,
    Kind.REQUEST_WITHDRAWAL: request_withdrawal,
    Kind.APPROVE_WITHDRAWAL: approve_withdrawal,
    Kind.REJECT_WITHDRAWAL: reject_withdrawal,
    Kind.FINISH_WITHDRAWAL: finish_withdrawal,
    Kind.SIGN_WITHDRAWALS: sign_withdrawals,
    Kind.UNSIGN_WITHDRAWALS: unsign_withdrawals,
}
FIELDS = {
    Kind.DEPOSIT: {"uid": int, "coin": int, "amount": int, "txid": str},
    Kind.REQUEST_WITHDRAWAL: {"uid": int, "coin": int, "amount": int | None,
                              "request_id": str | None},
    Kind.APPROVE_WITHDRAWAL: {"id": int},
    Kind.REJECT_WITHDRAWAL: {"id": int},
    Kind.FINISH_WITHDRAWAL: {"id": int, "txid": str},
    Kind.SIGN_WITHDRAWALS: {"ids": list, "txid": str, "transaction": bytes},
    Kind.UNSIGN_WITHDRAWALS: {"txid": str},
}
