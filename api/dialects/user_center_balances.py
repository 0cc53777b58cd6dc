"""Balances in the user center: crediting, debiting, transferring, freezing.

Each is one command, both legs of it or none. `requestId` is the caller's own: the same call with
the same id again is answered as the first time and moves nothing.
"""

from api.auth import pay_password, rights
from api.dialects.user_center_calls import Call, Denied, Handler, check_fields
from api.dialects.user_center_operations import BALANCE_FIELDS, FREEZE, TRANSFER_FIELDS
from engine import Kind


async def add_balance(call: Call) -> None:
    await _move(call, Kind.CREDIT_BALANCE)


async def reduce_balance(call: Call) -> None:
    given = {name: value for name, value in call.given.items() if value is not None}
    if call.has("buyerUserId"):
        check_fields(given, TRANSFER_FIELDS)
        return await transfer_balance(call)
    check_fields(given, BALANCE_FIELDS)
    await _move(call, Kind.DEBIT_BALANCE)


async def transfer_balance(call: Call) -> None:
    _, buyer = _parties(call)
    coin = call.coin("coinId")
    amount, request_id = _amount(call, "transNum", coin), call.request_id()
    await _check_pay_password(call)
    seller, _ = _parties(call)
    await call.submit(Kind.TRANSFER_BALANCE, by=call.caller.uid, from_uid=seller.uid,
                      to_uid=buyer.uid, coin=coin.number, amount=amount, request_id=request_id)


async def allocate_balance(call: Call) -> None:
    user = call.user("UserId", rights.may_freeze)
    kind = (Kind.FREEZE_BALANCE if call.choice("oper_type") == FREEZE else Kind.UNFREEZE_BALANCE)
    await _submit(call, kind, user, "AssetsNum")


async def _move(call: Call, kind: Kind) -> None:
    """A credit or a debit."""
    await _submit(call, kind, call.user("uid", rights.may_manage_balances_of), "quantityNum")


async def _submit(call: Call, kind: Kind, user, amount_field: str) -> None:
    coin = call.coin("coinId")
    await call.submit(kind, by=call.caller.uid, uid=user.uid, coin=coin.number,
                      amount=_amount(call, amount_field, coin), request_id=call.request_id())


def _parties(call: Call) -> tuple:
    """Seller and buyer. The buyer may be anybody: it only receives."""
    seller = call.user("sellerUserId")
    buyer = call.core.users.get(call.uid("buyerUserId"))
    if buyer is None:
        raise Denied("unknown_user", "buyerUserId: not known")
    return seller, buyer


async def _check_pay_password(call: Call) -> None:
    """Returns where the seller's payment password is not asked for, or was given."""
    seller = call.user("sellerUserId")
    asked = rights.asks_for_pay_password(call.caller, seller)
    password = call.text("paypassword") if asked or call.has("paypassword") else None
    if asked:
        await pay_password.check(call.shell, seller.uid, password, call.address)
        call.identify()


def _amount(call: Call, name: str, coin) -> int:
    """A field in the coin's units."""
    return call.fields.count(name, coin.scale)


HANDLERS: dict[str, Handler] = {
    "Balance/AddBalance": add_balance,
    "Balance/ReduceBalance": reduce_balance,
    "Balance/TransferBalance": transfer_balance,
    "Balance/AllocationBalance": allocate_balance,
}
