"""The user center over HTTP: every call, its paths, its envelope, its codes, its tokens."""

import json
import re
import time
from pathlib import Path

import pytest

from api.auth import sessions
from api.config import Limits
from api.dialects.user_center import OPERATIONS
from api.dialects.user_center_codes import BASES, NUMBERS, OTHER, code_of
from api.refusals import REASONS
from engine import Kind, Result
from engine.handlers import HANDLERS
from tests.api.conftest import NO_PASSWORD
from tests.api.user_centers import (
    FORM, PASSWORD, PAY_PASSWORD, Hashing, done, hashed, new_token, new_user, read, refused, send)

ROOT = Path(__file__).parents[2]
SEED = ROOT.parent / "shared" / "seeds" / "user-center-api.md"
BY_TOKEN = [operation for operation in OPERATIONS if operation.shows == "token"]
WAYS = {"json": "/api/{}", "form": "/API/{}/", "multipart": "/aPi/{}", "query": "/Api/{}/"}


@pytest.fixture
def hashing(monkeypatch):
    return Hashing(monkeypatch)


@pytest.fixture(scope="module")
def people(house):
    """A user with both passwords, another one, and an administrator."""
    user = new_user(house, password_hash=hashed(house, PASSWORD), BTC=10**10,
                    pay_password_hash=hashed(house, PAY_PASSWORD))
    house.submit(Kind.BIND_DEVICE, uid=user.uid, device_id="bound", name="phone", os="ios")
    return {"user": user, "other": new_user(house, BTC=10**10), "admin": new_user(house, "admin")}


def right(name, user, other, turn=""):
    """The fields of a call that its user may make, and what its `data` is."""
    uid = str(user.uid)
    device = {"uid": uid, "device_id": f"d{turn}"}
    coin = {"coinId": "BTC", "requestId": f"r{turn}"}
    transfer = {"sellerUserId": uid, "buyerUserId": str(other.uid), "transNum": "0.5",
                "paypassword": PAY_PASSWORD, **coin}
    return {
        "UserCenter/Login": ({"usercount": user.name.upper(), "password": PASSWORD}, None),
        "UserCenter/Regist": ({"usercount": f"new {turn}", "password": PASSWORD,
                               "source_type": 2}, "添加成功"),
        "Password/Login": ({"usercount": user.name, "password": PASSWORD}, "密码修改成功"),
        "Password/Pay": ({"uid": uid, "paypassword": PAY_PASSWORD, "oper_type": 1}, "验证成功"),
        "Device/AddBindDevice": ({**device, "device_name": "my phone", "device_os": "android"},
                                 "绑定成功"),
        "Device/RemoveBindDevice": (device, "移除成功"),
        "Device/CheckBindDevice": ({"uid": uid, "device_id": "bound"}, {"groupid": "2"}),
        "User/Auth": ({"column": ["is_allow_login", "vip"], "value": [1, 2], "oper_type": 1,
                       "uid": uid}, "操作成功"),
        "User/Info": ({"column": ["mobile", "country"], "value": ["138", "中国"],
                       "oper_type": 1}, "操作成功"),
        "User/RealInfo": ({"column": "first_name", "value": "吴", "oper_type": 1}, "操作成功"),
        "Balance/AddBalance": ({**coin, "quantityNum": "1.5", "uid": uid}, "充值成功"),
        "Balance/ReduceBalance": ({**coin, "quantityNum": "0.5", "uid": uid}, "操作成功"),
        "Balance/TransferBalance": (transfer, "操作成功"),
        "Balance/AllocationBalance": ({**coin, "UserId": uid, "AssetsNum": "0.1",
                                       "oper_type": 1}, "操作成功"),
    }[name]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_call_in_every_way(house, people, operation, way):
    name, user = operation.name, people["user"]
    fields, expected = right(name, user, people["other"], f"{way}-{name}")
    if name == "Device/RemoveBindDevice":
        house.submit(Kind.BIND_DEVICE, uid=user.uid, device_id=fields["device_id"], name="n",
                     os="o")
    if name == "User/Auth":
        house.submit(Kind.SET_PERMISSIONS, uid=user.uid,
                     fields={column: None for column in fields["column"]})
    by_admin = name in ("User/Auth", "Balance/AddBalance", "Balance/ReduceBalance")
    token = people["admin" if by_admin else "user"].token if operation.shows == "token" else None
    spelled = name if way == "json" else name.swapcase()
    shown = done(house, name, fields, token, way=way, path=WAYS[way].format(spelled))
    if name == "UserCenter/Login":
        assert list(shown) == ["token", "deadLine", "uid"]
        assert shown["uid"] == str(user.uid)
        assert done(house, "Device/CheckBindDevice", {"uid": user.uid, "device_id": "bound"},
                    shown["token"]) == {"groupid": "2"}
    else:
        assert shown == expected


def test_a_user_of_the_center_is_one_of_the_house(house):
    done(house, "UserCenter/Login", {"usercount": "Both Doors", "password": PASSWORD,
                                     "source_type": "1"})
    user = house.house.core.users.by_name("both doors")
    assert (user.source, user.group) == (1, 2)
    assert house.done("login", user="Both Doors", pass_=PASSWORD)
    shown = done(house, "UserCenter/Login", {"usercount": "both doors", "password": PASSWORD})
    assert shown["uid"] == str(user.uid)
    # A token of one dialect opens the others.
    assert house.done("get_user_coin", shown["token"])["BTC"]["total"] == "0"


def test_the_deadline_is_the_sessions_end(house, people):
    shown = done(house, "UserCenter/Login",
                 {"usercount": people["user"].name, "password": PASSWORD})
    session = house.house.core.sessions.find(sessions.digest(shown["token"]), 0)
    assert session.expires_ns - session.created_ns == 7 * 86_400 * 10**9
    assert shown["deadLine"] == session.expires_ns // 10**9


# -- what is refused -------------------------------------------------------------------------------

FAILURES = {
    "UserCenter/Login": "登录失败", "UserCenter/Regist": "添加失败", "Password/Login": "密码修改失败",
    "Password/Pay": "验证失败", "Device/AddBindDevice": "绑定失败",
    "Device/RemoveBindDevice": "移除失败", "Balance/AddBalance": "充值失败",
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_refusal_says_which_call_and_why(house, people, operation):
    """Each field that is missing, empty or of a wrong form is named, and so is one too many."""
    name = operation.name
    fields, _ = right(name, people["user"], people["other"], "x")
    token = people["admin"].token
    before = house.state_hash()
    for field in operation.fields:
        wrong = [{}, {"": 1}, [], True]
        if field.required:
            answer = send(house, name, {k: v for k, v in fields.items() if k != field.name}, token)
            assert (answer.reason, answer.message) == ("input", f"{field.name}: is missing")
            wrong = [None, "", *wrong]
        if field.name not in fields:
            continue
        for value in wrong:
            if field.name == "value" and value in ([], ""):
                continue        # as good as none
            answer = send(house, name, fields | {field.name: value}, token)
            assert (answer.status, answer.reason, answer.http) == (0, "input", 200), value
            assert answer.message.startswith(f"{field.name}: "), (value, answer)
            if field.name not in ("oper_type", "source_type"):
                assert answer.data == FAILURES.get(name, "操作失败")
    for extra in ("requestid", "token", "session", "user", "amount", "coin", "\ud800"):
        answer = send(house, name, fields | {extra: "1"}, token)
        assert (answer.reason, answer.status) == ("input", 0)
        named = extra.encode("utf-8", "replace").decode()
        assert answer.message == f"{named}: is not a field of this call"
    assert house.state_hash() == before


@pytest.mark.parametrize("check, change", [(1, 2), ("1", "2"), ("01", "02"), ("1.0", "2e0")])
def test_a_number_has_its_text_in_every_notation(house, check, change):
    user = new_user(house)
    fields = {"uid": user.uid, "paypassword": "135790"}
    assert done(house, "Password/Pay", fields | {"oper_type": change}, user.token) == "修改成功"
    assert done(house, "Password/Pay", fields | {"oper_type": check}, user.token) == "验证成功"
    wrong = fields | {"oper_type": check, "paypassword": "000000"}
    assert send(house, "Password/Pay", wrong, user.token).data == "验证失败"


def test_the_failures_of_calls_with_two_forms(house, people):
    token = people["user"].token
    assert send(house, "UserCenter/Login", {"usercount": "x", "password": PASSWORD,
                                            "source_type": 1}).data == "添加失败"
    uid = people["user"].uid
    assert send(house, "Password/Pay", {"uid": uid, "paypassword": "no", "oper_type": 2},
                token).data == "修改失败"
    assert send(house, "Password/Pay", {"uid": uid, "paypassword": "no", "oper_type": 3},
                token).data == "操作失败"


@pytest.mark.parametrize("fields, reason, named", [
    ({"usercount": "ab"}, "bad_username", "usercount"),
    ({"usercount": "a\x00bc"}, "bad_username", "usercount"),
    ({"usercount": "x" * 65}, "bad_username", "usercount"),
    ({"usercount": "operator"}, "user_exists", "usercount"),
    ({"usercount": "OPERATOR"}, "user_exists", "usercount"),
    ({"password": "short"}, "input", "password"),
    ({"password": "x" * 129}, "input", "password"),
    ({"password": 123456}, "input", "password"),
    ({"source_type": 3}, "input", "source_type"),
    ({"source_type": "1.5"}, "input", "source_type"),
    ({"source_type": 0}, "input", "source_type"),
])
@pytest.mark.parametrize("name", ["UserCenter/Login", "UserCenter/Regist"])
def test_who_cannot_be_registered(house, name, fields, reason, named):
    good = {"usercount": "newcomer", "password": PASSWORD, "source_type": 1}
    why, message = refused(house, name, good | fields)
    assert why == reason and message.startswith(f"{named}: ")


def test_a_wrong_login_tells_nothing(house, people):
    new = new_user(house, password_hash=hashed(house, PASSWORD))
    house.submit(Kind.SET_PERMISSIONS, uid=new.uid, fields={"is_allow_login": 0})
    told = {refused(house, "UserCenter/Login", {"usercount": name, "password": password})
            for name, password in ((people["user"].name, "wrong horse"), ("nobody", PASSWORD),
                                   (new.name, PASSWORD))}
    assert told == {("wrong_password", "usercount or password: wrong")}


def test_guesses_are_slowed_down(own_house):
    house = own_house(limits=Limits(logins_per_minute=2, registrations_per_minute=2))
    user = new_user(house, password_hash=hashed(house, PASSWORD))
    guess = {"usercount": user.name, "password": "wrong horse"}
    for _ in range(2):
        assert refused(house, "UserCenter/Login", guess)[0] == "wrong_password"
    right_one = guess | {"password": PASSWORD}
    assert refused(house, "UserCenter/Login", right_one)[0] == "throttled"
    for number in range(2):
        done(house, "UserCenter/Regist", {"usercount": f"one {number}", "password": PASSWORD,
                                          "source_type": 1})
    assert refused(house, "UserCenter/Regist", {"usercount": "one more", "password": PASSWORD,
                                                "source_type": 1})[0] == "throttled"


# -- tokens ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("operation", BY_TOKEN, ids=lambda operation: operation.name)
def test_nobody_gets_in_without_a_live_token(house, people, operation, monkeypatch):
    user = new_user(house, "admin", BTC=10**8)
    fields, _ = right(operation.name, user, people["other"], "t")
    assert refused(house, operation.name, fields)[0] == "no_token"
    assert refused(house, operation.name, fields, "")[0] == "no_token"
    for token in ("x", "x" * 5000):
        assert refused(house, operation.name, fields, token)[0] == "bad_token"
    for path in (f"/api/{operation.name}?token={user.token}",
                 f"/api/{operation.name}?session={user.token}"):
        assert refused(house, operation.name, fields, path=path)[0] == "no_token"

    ended = new_token(house, user.uid)
    house.submit(Kind.SET_PASSWORD, uid=user.uid, password_hash=hashed(house, "another"),
                 keep_token_digest=sessions.digest(user.token))
    assert refused(house, operation.name, fields, ended)[0] == "bad_token"

    expired = house.run(sessions.begin(house.house, user.uid, 1))
    ahead_ns = time.time_ns() + 2 * 10**9
    with monkeypatch.context() as later:
        later.setattr(time, "time_ns", lambda: ahead_ns)
        assert refused(house, operation.name, fields, expired)[0] == "bad_token"

    house.submit(Kind.SET_PERMISSIONS, uid=user.uid, fields={"is_allow_login": 0})
    assert refused(house, operation.name, fields, user.token)[0] == "bad_token"


def test_a_new_password_ends_all_other_sessions(house):
    user, deputy = new_user(house), new_user(house, "deputy")
    change = {"usercount": user.name, "password": "first horse"}
    second = new_token(house, user.uid)
    assert done(house, "Password/Login", change, user.token)
    assert refused(house, "Password/Login", change, second)[0] == "bad_token"
    # One who acts for the user keeps the own session, and the user none.
    assert done(house, "Password/Login", change | {"password": "second horse"}, deputy.token)
    assert refused(house, "Password/Login", change, user.token)[0] == "bad_token"
    assert refused(house, "UserCenter/Login", change)[0] == "wrong_password"
    assert done(house, "UserCenter/Login", change | {"password": "second horse"})


@pytest.mark.parametrize("name", ["Password/Login", "Password/Pay"])
def test_a_session_that_ends_while_the_new_password_is_hashed_changes_nothing(
        house, hashing, name):
    """A thief's call is on its way when the user throws it out."""
    user = new_user(house)
    fields = {"Password/Login": {"usercount": user.name, "password": "stolen horse"},
              "Password/Pay": {"uid": user.uid, "paypassword": "stolen horse", "oper_type": 2}}
    answer = hashing.during(send, house, name, fields[name], user.token)
    house.submit(Kind.SET_PASSWORD, uid=user.uid, password_hash=NO_PASSWORD)
    before = house.state_hash()
    assert hashing.ended(answer).reason == "bad_token"
    assert house.state_hash() == before


@pytest.mark.parametrize("name", ["Password/Login", "Password/Pay"])
def test_a_right_that_ends_while_the_new_password_is_hashed_changes_nothing(house, hashing, name):
    user, deputy = new_user(house), new_user(house, "deputy")
    fields = {"Password/Login": {"usercount": user.name, "password": "stolen horse"},
              "Password/Pay": {"uid": user.uid, "paypassword": "stolen horse", "oper_type": 2}}
    answer = hashing.during(send, house, name, fields[name], deputy.token)
    house.submit(Kind.SET_PERMISSIONS, uid=deputy.uid, fields={"act_for_users": None})
    before = house.state_hash()
    assert hashing.ended(answer).reason == "no_right"
    assert house.state_hash() == before


# -- paths, methods, bodies ------------------------------------------------------------------------

@pytest.mark.parametrize("path", [
    "/api", "/api/", "/API", "/api/UserCenter", "/api/UserCenter/Logins", "/api/UserCenter/Login/x",
    "/api//UserCenter/Login", "/api/UserCenter/Login//", "/api/%00", "/api/a%0Ab", "/api/%ff",
    "/api/Device/Chec%E2%84%AABindDevice"])
def test_a_path_that_is_no_call(house, path):
    answer = send(house, "", {"usercount": "x"}, path=path)
    assert (answer.http, answer.status, answer.data) == (200, 0, "操作失败")
    assert (answer.code, answer.message) == (9002, "path: not known")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_method_that_is_not_post(house, method):
    answer = send(house, "", {"usercount": "x"}, path="/api/UserCenter/Login", method=method)
    assert (answer.http, answer.code, answer.message) == (200, 9002, "method: must be POST")
    assert answer.data == "登录失败"


@pytest.mark.parametrize("body, content_type", [
    (b"{", "application/json"), (b"[]", "application/json"), (b"\xff", FORM), (b"a=%ff", FORM),
    (b"{\"usercount\": \"a\", \"usercount\": \"b\"}", "application/json"),
    (b"--x\r\n", "multipart/form-data; boundary=y"), (b"usercount=a&usercount=b", FORM),
    (b"--y\r\nno header\r\n\r\na\r\n--y--\r\n", "multipart/form-data; boundary=y"),
    (b"--y\r\nA: %b\r\n\r\na\r\n--y--\r\n" % (b"b" * 9000), "multipart/form-data; boundary=y"),
    (b" [\"password\"]", "APPLICATION/JSON"),
    (b"not gzip", "gzip")])
def test_a_body_that_cannot_be_read(house, body, content_type):
    headers = {"Content-Encoding": "gzip"} if content_type == "gzip" else {
        "Content-Type": content_type}
    answer = read(house.request("POST", "/api/UserCenter/Login", body, headers),
                  "UserCenter/Login")
    assert (answer.http, answer.status, answer.reason) == (200, 0, "input")


def test_a_body_that_is_too_large(house):
    size = house.config.server.max_body_bytes
    answer = send(house, "UserCenter/Login", {"usercount": "x" * size})
    assert (answer.http, answer.reason, answer.data) == (413, "too_large", "登录失败")


def test_a_stopped_house_says_so(own_house):
    house = own_house()
    user = new_user(house)

    async def stop():
        house.house._sequencer._stop("the disk is gone", [])
    house.run(stop())
    for fields in ({"column": "a", "oper_type": 2}, {"column": "a", "oper_type": 9},
                   {"column": "a", "value": "b", "oper_type": 1}):
        answer = send(house, "User/Info", fields, user.token)
        assert (answer.http, answer.reason, answer.data) == (503, "stopped", "操作失败")


def test_the_answers_are_counted(house):
    done(house, "UserCenter/Login", {"usercount": "counted", "password": PASSWORD,
                                     "source_type": "1"})
    send(house, "", path="/api/nowhere")
    lines = house.request("GET", "/metrics").body.decode()
    assert re.search(r'orebook_answers_total\{call="UserCenter/Login",dialect="user_center",'
                     r'outcome="ok"\}', lines)
    assert re.search(r'orebook_answers_total\{call="",dialect="user_center",outcome="refused"\}',
                     lines)


# -- codes and documents ---------------------------------------------------------------------------

# What a call can't be refused for, as the dialect has checked it or made it itself.
NEVER = {
    "bad_password_hash", "bad_group", "bad_email", "bad_phone", "bad_name", "bad_source",
    "bad_digest", "code_expired", "code_dead", "code_wrong", "bad_lifetime", "session_exists",
    "bad_fields", "bad_amount", "unknown_session",
}


def test_every_reason_has_a_code():
    assert set(BASES) == {operation.name for operation in OPERATIONS}
    assert set(REASONS) <= set(NUMBERS)
    assert len(set(NUMBERS.values())) == len(NUMBERS)
    results = {result.name.lower() for result in Result} - {"ok"}
    numbers = [NUMBERS.get(reason, OTHER) for reason in set(REASONS) | results]
    assert all(0 < number < 100 for number in numbers) and OTHER not in NUMBERS.values()
    assert code_of("Password/Pay", "pay_password_locked") == 2232


def test_every_result_of_the_commands_sent_has_a_number_of_its_own():
    files = [*ROOT.glob("api/dialects/user_center*.py"), ROOT / "api/auth/registration.py",
             ROOT / "api/auth/pay_password.py", ROOT / "api/auth/sessions.py"]
    kinds = {kind for file in files for kind in re.findall(r"Kind\.([A-Z_]+)", file.read_text())}
    assert {"SET_IDENTITY", "CREDIT_BALANCE", "TRY_PAY_PASSWORD", "REGISTER_USER"} <= kinds
    given = set()
    for kind in kinds:
        words = re.findall(r"\b[A-Z][A-Z_]+\b", HANDLERS[Kind[kind]].__doc__)
        given |= {word.lower() for word in words if word in Result.__members__}
    assert given - {"ok"} - NEVER <= set(NUMBERS)
    assert not NEVER & set(NUMBERS)


def test_the_page_lists_the_codes():
    page = (ROOT / "docs/user-center.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", page, re.MULTILINE))
    assert {reason: int(number) for number, reason in rows.items()} == NUMBERS
    bases = dict(re.findall(r"^\| (\d+) \| (\w+/\w+) \|", page, re.MULTILINE))
    assert {name: int(base) for base, name in bases.items()} == BASES


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_page_describes_each_field(operation):
    page = (ROOT / "docs/user-center.md").read_text()
    section = re.search(rf"^### {operation.name}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| `(\w+)` \| (required|optional) \|", section[1], re.MULTILINE)
    assert rows == [(field.name, "required" if field.required else "optional")
                    for field in operation.fields]


def test_the_seed_is_all_there():
    if not SEED.exists():
        pytest.skip("the seed documents are not beside this checkout")
    described = {operation.path.lower(): operation for operation in OPERATIONS}
    sections = re.split(r"^### ", SEED.read_text().split("http 客户端API请求")[1], flags=re.MULTILINE)
    found = 0
    for section in sections[1:]:
        path = "/" + re.search(r">(Api/\w+/\w+)<", section)[1].lower()
        operation = described[path]
        sent = section.split("响应status")[0]
        names = set(re.findall(r"^([A-Za-z_]+) +\|", sent.split("T -> ")[0], re.MULTILINE))
        assert names and names <= {field.name for field in operation.fields}
        assert (operation.shows == "token") == ("是否携带token：是" in section)
        found += 1
    assert found == 14


def test_the_examples_are_whole():
    for operation in OPERATIONS:
        assert json.dumps(operation.answers) != "null" and operation.method == "POST"
