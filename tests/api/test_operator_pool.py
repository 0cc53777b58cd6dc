"""The operator's calls for the pool on a real house: networks, settlement, payments, locks."""

import csv
import io
import time
from datetime import date, timedelta
from decimal import Decimal

import pytest

from api import reports
from api.config import Pool
from engine import Kind
from tests.api import user_centers
from tests.api.mining_house import BTC_ADDRESS, DIFFICULTY, PoolDoor, mined_yesterday

INPUT, AUTHENTICATION, OPERATION, RIGHT = 5010, 5020, 5030, 5040
NETWORK = {"coin": "BCH", "difficulty": "123456789.000000000000000001", "subsidy": "6.25",
           "fees_per_block": "0"}
TRANSACTION = b"\x02\x00\x00\x00 signed"
DAY = (date.fromtimestamp(time.time()) - timedelta(1)).isoformat()
CALLS = {
    "set network": ("POST", "network", NETWORK), "networks": ("GET", "network", None),
    "shares": ("POST", "shares", [{}]), "settle": ("POST", "settle", {"coin": "BTC", "day": DAY}),
    "settlements": ("GET", f"settlements?start={DAY}&end={DAY}", None),
    "payments": ("GET", f"payments?day={DAY}", None),
    "payments as CSV": ("GET", f"payments?day={DAY}&format=csv", None),
    "payment": ("POST", "payments/1", {"action": "fail"}),
    "transactions": ("GET", "transactions", None),
    "transaction": ("POST", "transactions/tx", {"action": "unsign"}),
    "lock": ("POST", "accounts/lock", {"user": "farm", "locked": True}),
}


def yesterday():
    return (date.fromisoformat(time.strftime("%Y-%m-%d", time.gmtime())) - timedelta(1))


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A house whose pool has worked yesterday, and which settles nothing by itself."""
    directory = tmp_path_factory.mktemp("pool") / "house"
    mined_yesterday(directory)
    door = PoolDoor(directory, pool=Pool(settle=False), coins=(), pairs=())
    yield door
    door.close()


@pytest.fixture(scope="module")
def settled(door):
    """Yesterday is settled: the answer."""
    return door.granted("POST", "settle", {"coin": "BTC", "day": yesterday().isoformat()})


# -- who calls ------------------------------------------------------------------------------------

@pytest.mark.parametrize("call", CALLS)
def test_who_may_not_call_changes_nothing(door, call):
    method, path, body = CALLS[call]
    ordinary = door.new_user(f"ordinary-{len(door.house.core.users)}").token
    door.denied(AUTHENTICATION, "token: ", method, path, body, {"token": "wrong"})
    door.denied(AUTHENTICATION, "not logged in", method, path, body, {"token": ""})
    door.denied(RIGHT, "only for super", method, path, body, {"token": ordinary})


# -- networks -------------------------------------------------------------------------------------

def test_a_network_is_set_and_shown(door):
    shown = door.granted("POST", "network", NETWORK | {"fees_per_block": 0.125, "blocks_today": 2})
    assert shown["since"].count(":") == 2
    assert shown == {
        "coin": "BCH", "difficulty": "123456789.000000000000000001", "subsidy": "6.25",
        "fees_per_block": "0.125", "blocks": 2, "day": time.strftime("%Y-%m-%d", time.gmtime()),
        "epoch": 1, "since": shown["since"]}
    assert door.granted("POST", "network", NETWORK)["epoch"] == 1
    assert door.granted("POST", "network", NETWORK | {"difficulty": 1.5e3})["difficulty"] == "1500"
    assert [(one["coin"], one["epoch"]) for one in door.granted("GET", "network")] == [
        ("BTC", 1), ("BCH", 2)]


@pytest.mark.parametrize("changes, words", [
    ({"coin": "XYZ"}, "coin: is not listed"), ({"coin": 1}, "coin: must be"),
    ({"difficulty": "0"}, "difficulty: must be more"),
    ({"difficulty": "x"}, "difficulty: must be a number"),
    ({"difficulty": "-1"}, "difficulty: must be a number"),
    ({"difficulty": True}, "difficulty: must be a number"),
    ({"difficulty": [1]}, "difficulty: must be a number"),
    ({"difficulty": "1e20"}, "difficulty: is too large"),
    ({"difficulty": "1e999999999"}, "difficulty: "),
    ({"difficulty": "9" * 101}, "difficulty: must be a number of at most"),
    ({"difficulty": "0.1234567890123456789"}, "difficulty: must have at most 18 decimals"),
    ({"difficulty": "1e-19"}, "difficulty: is too small"),
    ({"subsidy": "0"}, "subsidy: must be more"), ({"subsidy": "0.000000001"}, "subsidy: "),
    ({"subsidy": "-1"}, "subsidy: "), ({"subsidy": "1e30"}, "subsidy: is too large"),
    ({"fees_per_block": "-1"}, "fees_per_block: "), ({"fees_per_block": "x"}, "fees_per_block: "),
    ({"blocks_today": 1_000_001}, "blocks_today: must be at most"),
    ({"blocks_today": "x"}, "blocks_today: "), ({"blocks_today": -1}, "blocks_today: "),
    ({"colour": 1}, "colour: is not a field"),
    *(({name: None}, f"{name}: is missing") for name in NETWORK),
])
def test_a_network_that_is_none(door, changes, words):
    door.denied(INPUT, words, "POST", "network", NETWORK | changes)


# -- settlement -----------------------------------------------------------------------------------

def test_a_day_is_settled_once(door, settled):
    assert settled.pop("settled_at").count(":") == 2
    assert settled.pop("duplicate") is False
    parts = [Decimal(settled[name]) for name in ("net", "commission", "pool")]
    assert Decimal(settled["gross"]) == sum(parts) and parts[0] > 0
    # 1,000 and 500 shares of 2^32 at a block's subsidy for 21448277761059.71, and its fees.
    pps = Decimal(1500 * 2**32) / Decimal(DIFFICULTY) * Decimal("6.25")
    rate = Decimal("0.08")          # 0.5 of each 6.25
    assert Decimal(settled["gross"]) == (pps * (1 + rate)).quantize(Decimal("1e-8"), "ROUND_DOWN")
    assert {name: settled[name] for name in ("coin", "day", "accounts", "fee_rate")} == {
        "coin": "BTC", "day": yesterday().isoformat(), "accounts": 2, "fee_rate": "0.08"}
    assert settled["profit_per_p"] == "0.00586194"
    before = door.state_hash()
    again = door.granted("POST", "settle", {"coin": "BTC", "day": yesterday().isoformat()})
    del again["settled_at"]
    assert again == settled | {"duplicate": True}
    # But for its BEGIN_SETTLEMENT nothing was sent, and that has changed nothing.
    assert door.state_hash() == before


def test_settled_days_are_listed(door, settled):
    day = yesterday()
    around = f"start={day - timedelta(3)}&end={day + timedelta(3)}"
    shown = door.granted("GET", f"settlements?{around}")
    assert [(one["coin"], one["day"], one["accounts"]) for one in shown] == [
        ("BTC", day.isoformat(), 2)]
    assert door.granted("GET", f"settlements?coin=BTC&start={day}&end={day}") == shown
    assert door.granted("GET", f"settlements?coin=BCH&{around}") == []
    before = day - timedelta(1)
    assert door.granted("GET", f"settlements?start={before}&end={before}") == []


@pytest.mark.parametrize("body, code, words", [
    ({"day": "2026-01-31"}, INPUT, "coin: is missing"), ({"coin": "BTC"}, INPUT, "day: is missing"),
    ({"coin": "XYZ", "day": "2026-01-31"}, INPUT, "coin: is not listed"),
    ({"coin": "CNY", "day": "2026-01-31"}, OPERATION, "coin: not mined"),
    ({"coin": "BTC", "day": "2026-02-30"}, INPUT, "day: must be a day"),
    ({"coin": "BTC", "day": "yesterday"}, INPUT, "day: must be a day"),
    ({"coin": "BTC", "day": 7}, INPUT, "day: must be"),
    ({"coin": "BTC", "day": "1969-12-31"}, INPUT, "day: must not be before 1970"),
    ({"coin": "BTC", "day": "9999-12-31"}, INPUT, "day: is not over"),
    ({"coin": "BTC", "day": "2026-01-31", "colour": 1}, INPUT, "colour: is not a field"),
])
def test_a_day_that_cannot_be_settled(door, body, code, words):
    door.denied(code, words, "POST", "settle", body)


def test_today_is_not_over(door):
    today = yesterday() + timedelta(1)
    door.denied(INPUT, "day: is not over", "POST", "settle",
                {"coin": "BTC", "day": today.isoformat()})


@pytest.mark.parametrize("query, words", [
    ("end=2026-01-31", "start: is missing"), ("start=2026-01-31", "end: is missing"),
    ("start=2026-01-31&end=2026-01-30", "end: must not be before"),
    ("start=2025-01-01&end=2026-01-02", "end: must be at most 366 days"),
    ("start=x&end=2026-01-31", "start: must be a day"),
    ("coin=XYZ&start=2026-01-31&end=2026-01-31", "coin: is not listed"),
    ("colour=red", "colour: is not a field"),
])
def test_a_list_of_days_that_is_none(door, query, words):
    door.denied(INPUT, words, "GET", f"settlements?{query}")


# -- payments -------------------------------------------------------------------------------------

def test_payments_of_a_day_as_json_and_as_a_file(door, settled):
    day = yesterday().isoformat()
    rows = door.granted("GET", f"payments?day={day}")
    assert [(row["userName"], row["at"], row["payType"]) for row in rows] == [
        ("farm", day, "BTC"), ("field", day, "BTC")]
    assert sum(Decimal(row["btcPaid"]) for row in rows) == Decimal(settled["net"])
    assert {row["address"] for row in rows} == {BTC_ADDRESS}
    ids = [payment for row in rows for payment in row["payments"]]
    assert [one["id"] for one in door.granted("GET", "withdrawals?account=FARM")] == ids[:1]
    file = door.request("GET", f"/operator/payments?day={day}&format=csv", None,
                        {"token": door.token})
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert file.headers["Content-Disposition"] == f'attachment; filename="payments-{day}.csv"'
    read = list(csv.DictReader(io.StringIO(file.body.decode(), newline="")))
    assert read == [row | {"payments": str(row["payments"][0])} for row in rows]
    header = "userName,at,btcPaid,bchPaid,rmbPaid,btcRemain,bchRemain,rmbRemain,btcLockReason," \
             "bchLockReason,rmbLockReason,payType,address,bchAddress,payments\r\n"
    assert file.body.decode().startswith(header)
    assert door.granted("GET", "payments?day=2020-01-31") == []
    empty = door.request("GET", "/operator/payments?day=2020-01-31&format=csv", None,
                         {"token": door.token})
    assert empty.body.decode() == header


@pytest.mark.parametrize("query, words", [
    ("", "day: is missing"), ("day=x", "day: must be a day"),
    ("day=2026-01-31&format=xls", "format: must be one of json, csv"),
    ("day=2026-01-31&colour=1", "colour: is not a field"),
])
def test_a_list_of_payments_that_is_none(door, query, words):
    door.denied(INPUT, words, "GET", f"payments?{query}")


def payment_of(door, name):
    return door.granted("GET", f"withdrawals?account={name}")[-1]


def test_a_payment_is_finished(door, settled):
    payment = payment_of(door, "farm")
    assert (payment["user"], payment["status"]) == ("farm", "approved")
    assert payment["request_id"].startswith("pay|")
    path = f"payments/{payment['id']}"
    for _ in range(2):
        paid = door.granted("POST", path, {"action": "finish", "txid": "paid"})
        assert paid == payment | {"status": "finished", "txid": "paid"}
    door.denied(OPERATION, "action: ", "POST", path, {"action": "fail"})
    door.denied(OPERATION, "action: ", "POST", path, {"action": "finish", "txid": "again"})
    row, = (row for row in door.granted("GET", f"payments?day={yesterday()}")
            if row["userName"] == "farm")
    assert Decimal(row["btcPaid"]) == Decimal(payment["amount"])


def test_a_payment_fails_and_its_money_returns(door, settled):
    payment = payment_of(door, "field")
    path = f"payments/{payment['id']}"
    for _ in range(2):
        assert door.granted("POST", path, {"action": "fail"})["status"] == "rejected"
    coin = door.house.core.coins.by_name("BTC")
    available, frozen = door.house.core.balance(payment["uid"], coin.number)
    assert (Decimal(available) / 10**8, frozen) == (Decimal(payment["amount"]), 0)
    door.denied(OPERATION, "action: ", "POST", path, {"action": "finish", "txid": "late"})


@pytest.fixture
def signed(door):
    """A withdrawal of a user, signed: (its id, the txid)."""
    number = len(door.house.core.withdrawals) + 1
    coin = door.house.core.coins.by_name("BTC").number
    uid = door.new_user(f"leaver-{number}", BTC=10**8).uid
    door.submit(Kind.SET_WITHDRAW_ADDRESS, uid=uid, coin=coin, address=BTC_ADDRESS)
    asked = door.submit(Kind.REQUEST_WITHDRAWAL, uid=uid, coin=coin, amount=10**7)
    door.submit(Kind.APPROVE_WITHDRAWAL, id=asked["id"])
    txid = f"{number:064x}"
    door.submit(Kind.SIGN_WITHDRAWALS, ids=[asked["id"]], txid=txid, transaction=TRANSACTION)
    return asked["id"], txid


def test_what_is_no_payment_is_not_touched(door, signed):
    number, _ = signed
    door.denied(OPERATION, "id: is no payment", "POST", f"payments/{number}", {"action": "fail"})
    door.denied(OPERATION, "id: is no payment", "POST", "payments/999999", {"action": "fail"})


@pytest.mark.parametrize("path, body, words", [
    ("payments/x", {"action": "fail"}, "id: "), ("payments/0", {"action": "fail"}, "id: "),
    ("payments/1", {}, "action: is missing"), ("payments/1", {"action": "approve"}, "action: "),
    ("payments/1", {"action": "finish"}, "txid: is missing"),
    ("payments/1", {"action": "fail", "txid": "t"}, "txid: is not a field"),
    ("payments/1", {"action": "fail", "colour": 1}, "colour: is not a field"),
])
def test_a_step_of_a_payment_that_is_none(door, path, body, words):
    door.denied(INPUT, words, "POST", path, body)


@pytest.mark.slow
def test_a_signed_payment_is_left_to_its_transaction(tmp_path):
    """By hand it can only be finished with the txid that was signed."""
    mined_yesterday(tmp_path / "house")
    other = PoolDoor(tmp_path / "house", pool=Pool(settle=False), coins=(), pairs=())
    try:
        other.granted("POST", "settle", {"coin": "BTC", "day": yesterday().isoformat()})
        payment = payment_of(other, "farm")
        other.submit(Kind.SIGN_WITHDRAWALS, ids=[payment["id"]], txid="ab" * 32,
                     transaction=TRANSACTION)
        path = f"payments/{payment['id']}"
        other.denied(OPERATION, "action: ", "POST", path, {"action": "fail"})
        other.denied(OPERATION, "action: ", "POST", path, {"action": "finish", "txid": "mine"})
        assert other.granted("POST", path, {"action": "finish", "txid": "ab" * 32})["status"] == \
            "finished"
    finally:
        other.close()


# -- transactions ---------------------------------------------------------------------------------

def test_a_signed_transaction_is_shown_and_given_up(door, signed):
    number, txid = signed
    shown, = (one for one in door.granted("GET", "transactions") if one["txid"] == txid)
    assert shown == {"txid": txid, "coin": "BTC", "withdrawals": [number], "unfinished": 1,
                     "transaction": TRANSACTION.hex()}
    assert door.granted("POST", f"transactions/{txid}", {"action": "unsign"}) == {
        "withdrawals": [number]}
    assert door.house.core.withdrawals.get(number).txid is None
    assert txid not in [one["txid"] for one in door.granted("GET", "transactions")]
    door.denied(OPERATION, "txid: no signed", "POST", f"transactions/{txid}", {"action": "unsign"})


@pytest.mark.parametrize("body, words", [
    ({}, "action: is missing"), ({"action": "sign"}, "action: must be one of unsign"),
    ({"action": "unsign", "txid": "t"}, "txid: is not a field"),
])
def test_a_step_of_a_transaction_that_is_none(door, signed, body, words):
    door.denied(INPUT, words, "POST", f"transactions/{signed[1]}", body)


def test_a_transaction_that_has_paid_is_not_given_up(door):
    ids = []
    coin = door.house.core.coins.by_name("BTC").number
    uid = door.new_user("two-payments", BTC=10**8).uid
    door.submit(Kind.SET_WITHDRAW_ADDRESS, uid=uid, coin=coin, address=BTC_ADDRESS)
    for _ in range(2):
        asked = door.submit(Kind.REQUEST_WITHDRAWAL, uid=uid, coin=coin, amount=10**7)
        door.submit(Kind.APPROVE_WITHDRAWAL, id=asked["id"])
        ids.append(asked["id"])
    door.submit(Kind.SIGN_WITHDRAWALS, ids=ids, txid="cd" * 32, transaction=TRANSACTION)
    door.submit(Kind.FINISH_WITHDRAWAL, id=ids[0], txid="cd" * 32)
    door.denied(OPERATION, "action: one of its withdrawals is finished", "POST",
                f"transactions/{'cd' * 32}", {"action": "unsign"})


# -- locks, and what is shown of sub-accounts ------------------------------------------------------

def test_an_account_is_locked_and_opened(door):
    number = door.house.core.users.sub_account("farm").uid
    for locked in (True, True, False):
        assert door.granted("POST", "accounts/lock", {"user": "FARM", "locked": locked}) is None
        assert door.house.core.sub_accounts.get(number).locked is locked


@pytest.mark.parametrize("changes, words", [
    ({"user": "nobody"}, "user: is no sub-account"), ({"user": "operator"}, "user: is no sub-"),
    ({"user": 1}, "user: must be"), ({"user": None}, "user: is missing"),
    ({"locked": "perhaps"}, "locked: must be true or false"),
    ({"locked": 2}, "locked: must be true or false"), ({"locked": None}, "locked: is missing"),
    ({"colour": 1}, "colour: is not a field"),
])
def test_a_lock_that_is_none(door, changes, words):
    door.denied(INPUT, words, "POST", "accounts/lock", {"user": "farm", "locked": True} | changes)


def test_sub_accounts_are_no_users(door):
    counts = door.granted("GET", "state")["counts"]
    core = door.house.core
    assert counts["users"] == len(core.users) - counts["sub_accounts"]
    assert (counts["sub_accounts"], counts["workers"]) == (2, 2)
    added = door.submit(Kind.ADD_SUB_ACCOUNT, uid=1, name="more", theory_speed=0, description="",
                        worker_count=0)
    assert door.granted("GET", "state")["counts"]["sub_accounts"] == 3
    deposit = {"coin": "BTC", "amount": "1", "txid": "for more"}
    door.denied(INPUT, "user: is no user", "POST", "deposits", deposit | {"user": "more"})
    door.denied(INPUT, "user: is no user", "POST", "deposits", deposit | {"user": "\x1fmore"})
    assert door.granted("POST", "deposits", deposit | {"user": added}) == {"duplicate": False}


def test_the_user_center_knows_no_sub_accounts(door):
    """Not even a super administrator finds one there by its number."""
    admin = user_centers.new_user(door, "admin").token
    number = door.house.core.users.sub_account("farm").uid
    for name in ("User/Auth", "User/Info", "User/RealInfo"):
        look_up = 3 if name == "User/Auth" else 2
        fields = {"uid": number, "oper_type": look_up, "column": ["x"]}
        assert user_centers.refused(door, name, fields, admin)[0] == "unknown_user"


def test_reports_name_sub_accounts_as_such(door, settled):
    async def reported():
        return list(reports.balances(door.house.core)), reports.state(door.house.core)
    rows, state = door.run(reported())
    shown = {(row["user"], row["coin"]): row for row in rows}
    farm = shown["sub-account field", "BTC"]
    assert farm["uid"] == door.house.core.users.sub_account("field").uid
    assert Decimal(shown["house MINED", "BTC"]["available"]) == -Decimal(settled["gross"])
    assert shown["house POOL", "BTC"]["available"] == settled["pool"]
    for coin in ("BTC", "BCH", "CNY"):
        assert sum(Decimal(row[part]) for row in rows if row["coin"] == coin
                   for part in ("available", "frozen")) == 0
    counts = state["counts"]
    assert counts["users"] + counts["sub_accounts"] == len(door.house.core.users)


def test_withdrawals_are_those_of_a_user_or_of_an_account(door, settled):
    """A user may have the name of somebody's sub-account."""
    assert door.granted("GET", "withdrawals?user=field") == []
    assert payment_of(door, "field")["user"] == "field"
    door.denied(INPUT, "account: is no sub-account", "GET", "withdrawals?account=operator")
    door.denied(INPUT, "account: not together", "GET", "withdrawals?account=field&user=field")


def test_metrics_tell_of_the_pool(door, settled):
    door.granted("POST", "network", NETWORK)
    lines = door.request("GET", "/metrics").body.decode().splitlines()
    shown = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    users = len(door.house.core.users) - len(door.house.core.sub_accounts)
    assert float(shown["orebook_users"]) == users
    assert float(shown["orebook_workers"]) == 2
    assert float(shown["orebook_settlement_running"]) == 0
    assert float(shown['orebook_pool_speed{coin="BTC"}']) == 0
    end = (yesterday() - date(1970, 1, 1)).days + 1
    assert float(shown['orebook_settled_until_seconds{coin="BTC"}']) == end * 86_400
    assert float(shown['orebook_settled_until_seconds{coin="BCH"}']) == 0
