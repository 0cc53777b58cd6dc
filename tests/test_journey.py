"""One user's way through the whole house, over HTTP, with a crash and a restart in between.

She comes in at the router, gets her token and payment password at the user center, mines in the
wallet, sells the ore at the router and is paid out by the operator. At each step every door that
shows a balance shows the same, to the last unit; and no end of the server changes anything.
"""

import email
import json
import re
import signal
from decimal import Decimal

import pytest

from engine.codes import HouseAccount
from engine.replay import replay
from engine.verify import verify
from tests.api.serving import PASSWORD, USER_PASSWORD, ServedHouse

PAY_PASSWORD = "246813"
ADDRESS = "TQn9Y2khEsLJW1ChVWFMSMeRDow5KcbLSE"
# 100 force yield 100,000 ORE a second: what she needs is there before she asks.
SETTINGS = {"OREBOOK_MAIL_RETURN_CODES": "false", "OREBOOK_ORE_RATE_PER_FORCE_SECOND": "1000",
            "OREBOOK_ORE_FORCE_PRICE": "0.25"}


class Venue:
    """The data folder, and the server that has it at the moment."""

    def __init__(self, directory):
        self.directory = directory
        self.house = ServedHouse(directory, **SETTINGS)
        self.operator_token = self.house.login_operator()

    def restart(self, number: int) -> None:
        """End the server by a signal and start another: the state is the same."""
        before = self.state_hash()
        code = self.house.end(number)
        assert code == (0 if number == signal.SIGTERM else -number)
        assert replay(self.directory).state_hash() == before
        self.house = ServedHouse(self.directory, **SETTINGS)
        assert self.state_hash() == before

    def state_hash(self) -> str:
        return self.house.state_hash(self.operator_token)

    def mailed_code(self) -> str:
        newest = max((self.directory / "outbox").glob("*.eml"))
        return re.search(r"\b[0-9]{6}\b", email.message_from_bytes(
            newest.read_bytes()).get_payload())[0]

    def operator(self, method: str, path: str, body: dict | None = None):
        return self.house.done(method, path, body, self.operator_token)

    def center(self, path: str, token: str = "", **fields):
        """What the user center shows; a refusal is a RuntimeError with its message."""
        _, _, answer = self.house.request(
            "POST", f"/api/{path}", json.dumps(fields).encode(),
            {"token": token, "Content-Type": "application/json"} if token else {})
        envelope = json.loads(answer)
        if envelope["status"] != 1:
            raise RuntimeError(envelope["message"])
        return envelope["data"]

    def wallet(self, method: str, path: str, token: str = "", **fields):
        """What the wallet shows; a refusal is a RuntimeError with its message."""
        body = json.dumps(fields).encode() if fields else None
        status, _, answer = self.house.request(
            method, f"/{path}/", body, {"session": token} if token else {})
        envelope = json.loads(answer, parse_float=str)
        if status != 200:
            raise RuntimeError(envelope["message"])
        return envelope.get("data")


class Person:
    """A user, with the user center's token, which opens all the doors."""

    def __init__(self, venue: Venue, name: str):
        self.venue = venue
        login = venue.center("UserCenter/Login", usercount=name, password=USER_PASSWORD)
        self.name, self.token, self.uid = name, login["token"], int(login["uid"])

    def router(self, name: str, **parameters: str):
        return self.venue.house.router(name, self.token, **parameters)

    def center(self, path: str, **fields):
        return self.venue.center(path, self.token, **fields)

    def wallet(self, method: str, path: str, **fields):
        return self.venue.wallet(method, path, self.token, **fields)

    def must_have(self, **balances: tuple[str, str]) -> None:
        """Exactly these coins are there, (available, frozen), and the ledger says so, too."""
        shown = {coin: balance for coin, balance in self.router("get_user_coin").items()
                 if balance["total"] != "0"}
        wanted = {coin: {"available": parts[0], "frozen": parts[1], "total": total(*parts)}
                  for coin, parts in balances.items()}
        entries = self.router("get_ledger", limit="1000")
        booked = {coin: total(*(entry["amount"] for entry in entries if entry["coin"] == coin))
                  for coin in balances}
        assert shown == wanted
        assert booked == {coin: balance["total"] for coin, balance in wanted.items()}

    def must_mine(self, wallet: object, force: int, claimed: int) -> None:
        """Wallet, miner and rank show this; `wallet` as JSON has it, decimals as text."""
        number = self.wallet("GET", "wallet/get/login")["id"]
        miner = self.wallet("GET", "mining/get/login")
        assert self.wallet("GET", "wallet/get/login")["money"] == wallet
        assert (miner["id"], miner["user_id"]) == (number, self.uid)
        assert (miner["force"], miner["extract"]) == (force, claimed)
        rank = self.wallet("GET", "mining/rank")
        assert rank[0] == miner | {"name": self.name}


def total(*amounts: str) -> str:
    """The sum of amounts as the doors write it: exact, without zeros at the end."""
    text = f"{sum(map(Decimal, amounts)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@pytest.fixture
def venue(tmp_path):
    venue = Venue(tmp_path / "house")
    yield venue
    venue.house.kill_all()


def come_in(venue: Venue) -> Person:
    """Mia registers at the router with a mailed code; the rest of what she is, at the user center.
    """
    venue.house.router("make_valid_code", user="mia")
    with pytest.raises(RuntimeError, match="valid_code"):
        venue.house.router("regeist_user", user="mia", valid_code="no", **{"pass": USER_PASSWORD})
    venue.house.router("regeist_user", user="mia", valid_code=venue.mailed_code(),
                       **{"pass": USER_PASSWORD})
    mia = Person(venue, "mia")
    device = {"uid": mia.uid, "device_id": "A-1"}
    with pytest.raises(RuntimeError, match="device"):
        mia.center("Device/CheckBindDevice", **device)
    assert mia.center("Device/AddBindDevice", device_name="phone", device_os="x", **device) == (
        "绑定成功")
    assert mia.center("Device/CheckBindDevice", **device) == {"groupid": "2"}
    mia.center("Password/Pay", uid=mia.uid, paypassword=PAY_PASSWORD, oper_type=2)
    assert mia.center("Password/Pay", uid=mia.uid, paypassword=PAY_PASSWORD, oper_type=1) == (
        "验证成功")
    mia.must_have()
    return mia


def mine(mia: Person) -> None:
    """She signs in, claims, buys force, and sends ore to her exchange balance."""
    mia.must_mine(0, force=100, claimed=0)
    assert mia.wallet("GET", "sign") == {"signed": False}
    mia.wallet("PATCH", "sign")
    assert mia.wallet("GET", "sign") == {"signed": True}
    mia.must_mine(0, force=110, claimed=0)
    while mia.wallet("GET", "get/may")["may_num"] < 500:
        pass        # more than that comes in the time of a question
    mia.wallet("PATCH", "mining/gain", num=500)
    mia.must_mine(500, force=110, claimed=500)
    with pytest.raises(RuntimeError, match="num"):
        mia.wallet("PATCH", "wallet/promote", num=2_001)
    mia.wallet("PATCH", "wallet/promote", num=41)
    mia.must_mine("489.75", force=151, claimed=500)
    mia.wallet("PATCH", "wallet/extract", num=300)
    mia.must_mine("189.75", force=151, claimed=500)
    mia.must_have(ORE=("300", "0"))


def sell(venue: Venue, mia: Person) -> Person:
    """Ben comes in at the user center, is given dollars by the operator, and buys her ore."""
    venue.center("UserCenter/Login", usercount="ben", password=USER_PASSWORD, source_type=1)
    ben = Person(venue, "ben")
    venue.center("Balance/AddBalance", venue.center(
        "UserCenter/Login", usercount="operator", password=PASSWORD)["token"],
        uid=ben.uid, coinId="USDT", quantityNum="30.5", requestId="in-1")
    venue.operator("POST", "deposits", {"user": "ben", "coin": "USDT", "amount": "100",
                                        "txid": "tx-1"})
    ben.must_have(USDT=("130.5", "0"))
    ben.center("Balance/AllocationBalance", UserId=ben.uid, coinId="USDT", AssetsNum="0.5",
               oper_type=1)
    ben.must_have(USDT=("130", "0.5"))
    assert ben.router("buy", pair="ORE/USDT", amount="250", price="0.5")["status"] == "open"
    ben.must_have(USDT=("5", "125.5"))
    # 250 of the 300 at 0.5: 0.2 % of what each receives are the house's.
    sale = mia.router("sell", pair="ORE/USDT", amount="300", price="0.4999")
    assert (sale["filled"], sale["remaining"], sale["status"]) == (
        "250", "50", "partially_filled")
    mia.must_have(ORE=("0", "50"), USDT=("124.75", "0"))
    ben.must_have(ORE=("249.5", "0"), USDT=("5", "0.5"))
    return ben


def ask_for_payment(mia: Person) -> None:
    """To her address, with the payment password and not without."""
    mia.router("set_withdraw_address", coin="USDT", address=ADDRESS)
    asked = {"coin": "USDT", "amount": "100.25", "request_id": "out-1"}
    for wrong in ({}, {"pay_password": "135790"}):
        with pytest.raises(RuntimeError, match="password"):
            mia.router("withdraw", **asked, **wrong)
    mia.must_have(ORE=("0", "50"), USDT=("124.75", "0"))
    for _ in range(2):      # the second time it is the same withdrawal
        withdrawal = mia.router("withdraw", **asked, pay_password=PAY_PASSWORD)
        assert withdrawal == {"withdraw_id": 1, "amount": "100.25", "fee": "0",
                              "status": "requested"}
    mia.must_have(ORE=("0", "50"), USDT=("24.5", "100.25"))


def pay_out(venue: Venue, mia: Person) -> None:
    """The operator approves and pays."""
    shown, = venue.operator("GET", "withdrawals?status=requested")
    assert (shown["user"], shown["coin"], shown["amount"], shown["address"]) == (
        "mia", "USDT", "100.25", ADDRESS)
    venue.operator("POST", "withdrawals/1", {"action": "approve"})
    mia.must_have(ORE=("0", "50"), USDT=("24.5", "100.25"))
    venue.operator("POST", "withdrawals/1", {"action": "finish", "txid": "paid-1"})
    record, = mia.router("get_withdraw_record")
    assert (record["status"], record["txid"]) == ("finished", "paid-1")
    mia.must_have(ORE=("0", "50"), USDT=("24.5", "0"))


@pytest.mark.slow
def test_a_miner_is_paid_out_through_all_doors_whatever_happens_to_the_server(venue):
    mia = come_in(venue)
    mine(mia)
    venue.restart(signal.SIGKILL)
    mia.must_mine("189.75", force=151, claimed=500)
    mia.must_have(ORE=("300", "0"))
    with pytest.raises(RuntimeError, match="today"):
        mia.wallet("PATCH", "sign")
    ben = sell(venue, mia)
    ask_for_payment(mia)
    venue.restart(signal.SIGTERM)
    mia.must_have(ORE=("0", "50"), USDT=("24.5", "100.25"))
    ben.must_have(ORE=("249.5", "0"), USDT=("5", "0.5"))
    pay_out(venue, mia)
    assert mia.router("cancel_all") == {"count": 1}
    ben.center("Balance/AllocationBalance", UserId=ben.uid, coinId="USDT", AssetsNum="0.5",
               oper_type=2)
    mia.must_have(ORE=("50", "0"), USDT=("24.5", "0"))
    ben.must_have(ORE=("249.5", "0"), USDT=("5.5", "0"))
    mia.must_mine("189.75", force=151, claimed=500)
    live = venue.state_hash()
    assert venue.house.end() == 0
    report = verify(venue.directory)
    assert report.ok and report.state_hash == live
    # What is in the house came in, and nothing else: 500 ORE were mined, 130.5 - 100.25 USDT came.
    core = replay(venue.directory)
    core.check()
    assert not any(core.accounts.trial_balance(coin.number) for coin in core.coins)
    house = {(coin.name, account): core.house(account, coin.number) for coin in core.coins
             for account in HouseAccount if core.house(account, coin.number)}
    assert house == {
        ("USDT", HouseAccount.EXTERNAL): -(13_050_000_000 - 10_025_000_000),
        ("USDT", HouseAccount.FEES): 25_000_000,        # 0.2 % of 125
        ("ORE", HouseAccount.ISSUANCE): -5_000_000,
        ("ORE", HouseAccount.FEES): 102_500 + 5_000,    # 41 force, and 0.2 % of 250
    }
