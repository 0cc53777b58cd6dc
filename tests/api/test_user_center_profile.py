"""Permissions, profile and identity in the user center: lists, look-ups, and what stays secret."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.config import Server
from engine import Kind, cold, write_snapshot
from tests.api.user_centers import done, hashed, new_user, refused, send

AUTH, INFO, REAL = "User/Auth", "User/Info", "User/RealInfo"
SET, SHOW = 1, 2
WAYS = ("json", "form", "multipart", "query")


@pytest.fixture
def user(house):
    return new_user(house)


@pytest.fixture(scope="module")
def admin(house):
    return new_user(house, "admin")


@pytest.fixture(scope="module")
def deputy(house):
    return new_user(house, "deputy")


# -- lists -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", [INFO, REAL])
def test_fields_are_set_shown_compared_and_removed(house, user, name):
    columns = {"column": ["mobile", "country"], "value": ["13628379881", "中国"]}
    assert done(house, name, columns | {"oper_type": SET}, user.token) == "操作成功"
    shown = {"column": ["country", "mobile", "street"], "oper_type": SHOW}
    assert done(house, name, shown, user.token) == {
        "country": "中国", "mobile": "13628379881", "street": None}
    assert done(house, name, columns | {"oper_type": SHOW}, user.token) == "操作成功"
    for column, value in (("mobile", "13628379882"), ("street", "x"), ("country", None)):
        compared = {"column": column, "value": [value], "oper_type": SHOW}
        assert refused(house, name, compared, user.token) == (
            "no_match", "value: is not what is held")
    removed = {"column": ["mobile", "street"], "value": [None, None], "oper_type": SET}
    assert done(house, name, removed, user.token) == "操作成功"
    assert done(house, name, shown, user.token) == {
        "country": "中国", "mobile": None, "street": None}
    compared = {"column": ["country", "mobile"], "value": ["中国", None], "oper_type": SHOW}
    assert done(house, name, compared, user.token) == "操作成功"


def test_one_null_removes_one_field(house, user):
    for name in (INFO, REAL):
        done(house, name, {"column": "a", "value": "b", "oper_type": SET}, user.token)
        done(house, name, {"column": "a", "value": None, "oper_type": SET}, user.token)
        assert done(house, name, {"column": "a", "oper_type": SHOW}, user.token) == {"a": None}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("column, value", [
    (["a"], ["x"]), ("a", "x"), (["a", "b", "c"], ["x", "y=&z", "x"]), (["a"], "x"),
    ([f"c{number}" for number in range(64)], [f"v{number}" for number in range(64)])])
def test_a_list_comes_in_every_way(house, user, way, column, value):
    sent = {"column": column, "value": value, "oper_type": SET}
    assert done(house, INFO, sent, user.token, way=way) == "操作成功"
    columns, values = ([one] if type(one) is str else one for one in (column, value))
    assert done(house, INFO, {"column": column, "oper_type": SHOW}, user.token,
                way=way) == dict(zip(columns, values))


@pytest.mark.parametrize("way", ["form", "multipart", "query"])
def test_a_form_may_hold_a_json_list(house, user, way):
    sent = {"column": '["a", "b"]', "value": '["[x]", null]', "oper_type": SET}
    assert done(house, INFO, sent, user.token, way=way) == "操作成功"
    assert done(house, INFO, {"column": '["a","b"]', "oper_type": SHOW}, user.token,
                way=way) == {"a": "[x]", "b": None}
    why = refused(house, INFO, sent | {"value": "[x]"}, user.token, way=way)
    assert why == ("input", "value: begins with [ and is no JSON list")


def test_a_json_text_is_no_list(house, user):
    done(house, INFO, {"column": "a", "value": '["x"]', "oper_type": SET}, user.token)
    assert done(house, INFO, {"column": "a", "oper_type": SHOW}, user.token) == {"a": '["x"]'}


@pytest.mark.parametrize("none", [None, "", []])
@pytest.mark.parametrize("name, oper_type", [(AUTH, 3), (INFO, SHOW), (REAL, SHOW)])
def test_a_look_up_may_have_an_empty_value(house, user, name, oper_type, none):
    """The field is required in the contract, also where there is nothing to say."""
    sent = {"column": ["a"], "value": none, "oper_type": oper_type}
    assert done(house, name, sent, user.token) == {"a": None}
    if none == "":
        assert done(house, name, sent, user.token, way="form") == {"a": None}


@pytest.mark.parametrize("name, oper_type", [(AUTH, 3), (INFO, SHOW), (REAL, SHOW)])
def test_a_look_up_takes_no_object_for_an_empty_value(house, user, name, oper_type):
    why, message = refused(house, name, {"column": ["a"], "value": {}, "oper_type": oper_type},
                           user.token)
    assert why == "input" and message.startswith("value: ")


LONG = ["x" * 257, "a\nb", "a\x00", "\u202e", "", 1, 1.5, True, {}, ["x"], "\ud800"]


@pytest.mark.parametrize("name", [INFO, REAL])
@pytest.mark.parametrize("value", LONG, ids=repr)
def test_a_value_that_is_no_short_text(house, user, name, value):
    why, message = refused(house, name, {"column": ["a", "b"], "value": ["x", value],
                                         "oper_type": SET}, user.token)
    assert why == "input" and message.startswith("value: ")


@pytest.mark.parametrize("column", [
    [], [""], "", "a b", "é", "x" * 65, ["a", "a"], ["a", 1], ["a", None], [["a"]], 7, True, {},
    [f"c{number}" for number in range(65)], ["a", "\ud800"]], ids=lambda column: repr(column)[:20])
@pytest.mark.parametrize("name", [AUTH, INFO, REAL])
def test_a_column_that_is_no_name(house, admin, name, column):
    count = len(column) if isinstance(column, list) else 1
    why, message = refused(house, name, {"column": column, "value": ["1"] * count, "oper_type": 1},
                           admin.token)
    assert why == "input" and message.startswith("column: ")


@pytest.mark.parametrize("value", [["1"], ["1", "2", "3"], "1", [], "", None])
@pytest.mark.parametrize("name", [AUTH, INFO, REAL])
def test_as_many_values_as_columns(house, admin, name, value):
    sent = {"column": ["a", "b"], "value": value, "oper_type": 1}
    assert refused(house, name, sent, admin.token) == (
        "input", "value: must have one value for each column")
    del sent["value"]
    assert refused(house, name, sent, admin.token) == ("input", "value: is missing")


@pytest.mark.parametrize("name", [AUTH, INFO, REAL])
def test_at_most_64_fields(house, admin, name):
    user = new_user(house)
    sent = {"uid": user.uid, "column": [f"c{number}" for number in range(64)], "value": ["1"] * 64,
            "oper_type": 1}
    assert done(house, name, sent, admin.token)
    one_more = sent | {"column": "one_more", "value": "1"}
    assert refused(house, name, one_more, admin.token) == ("too_many_fields", "too many fields")


# -- permissions -----------------------------------------------------------------------------------

@pytest.mark.parametrize("way", WAYS)
def test_permissions_are_added_changed_shown_and_compared(house, admin, way):
    user = new_user(house)
    fields = {"uid": user.uid, "column": ["vip", "level"], "value": ["1", "2147483647"]}

    def call(oper_type, **changes):
        return send(house, AUTH, fields | {"oper_type": oper_type} | changes, admin.token, way=way)
    assert call(1).data == "操作成功"
    assert call(1).message == "column: vip is there already"
    assert call(1, column=["new", "vip"]).reason == "field_exists"
    assert call(2, value=["0", "7"]).data == "操作成功"
    assert call(2, column=["vip", "new"]).reason == "unknown_field"
    shown = {"uid": user.uid, "column": ["level", "vip", "new"], "oper_type": 3}
    assert send(house, AUTH, shown, user.token, way=way).data == {
        "level": 7, "vip": 0, "new": None}
    assert call(3, value=["0", "7"]).data == "操作成功"
    for value in (["0", "8"], ["1", "7"]):
        answer = call(3, value=value)
        assert (answer.status, answer.data, answer.reason) == (0, "操作失败", "no_match")


def test_null_removes_a_permission_and_adds_none(house, admin):
    user = new_user(house)
    fields = {"uid": user.uid, "column": "vip"}
    assert refused(house, AUTH, fields | {"value": None, "oper_type": 1}, admin.token) == (
        "input", "value: null removes a field, it adds none")
    done(house, AUTH, fields | {"value": 1, "oper_type": 1}, admin.token)
    done(house, AUTH, fields | {"value": [None], "oper_type": 2}, admin.token)
    assert done(house, AUTH, fields | {"oper_type": 3}, admin.token) == {"vip": None}


@pytest.mark.parametrize("value", [-1, "-1", "+1", 1.5, "x", True, "", 2**31, "9" * 400, {}, "1 "])
def test_a_permission_that_is_no_number(house, admin, user, value):
    sent = {"uid": user.uid, "column": ["vip"], "value": [value], "oper_type": 1}
    why, message = refused(house, AUTH, sent, admin.token)
    assert why == "input" and message.startswith("value: ")


def test_who_may_not_log_in_is_thrown_out_and_stays_out(house, admin):
    user = new_user(house, password_hash=hashed(house, "correct horse"))
    login = {"usercount": user.name, "password": "correct horse"}
    fields = {"uid": user.uid, "column": "is_allow_login"}
    done(house, AUTH, fields | {"value": 0, "oper_type": 1}, admin.token)
    assert send(house, INFO, {"column": "a", "oper_type": SHOW}, user.token).reason == "bad_token"
    assert refused(house, "UserCenter/Login", login)[0] == "wrong_password"
    done(house, AUTH, fields | {"value": 1, "oper_type": 2}, admin.token)
    assert done(house, "UserCenter/Login", login)


def test_of_many_that_add_the_same_permission_one_succeeds(house, user, admin):
    """Also while the disk is busy, so that what was submitted is not applied yet."""
    done_with = threading.Event()

    async def keep_the_disk_busy():
        while not done_with.is_set():
            await house.house.submit(cold(Kind.SET_PROFILE, {
                "uid": admin.uid, "fields": {"a": "b"}}))
    busy = asyncio.run_coroutine_threadsafe(keep_the_disk_busy(), house.loop)
    together = threading.Barrier(4)

    def add(number):
        together.wait()
        return [send(house, AUTH, {"uid": user.uid, "column": f"c{column}", "value": number,
                                   "oper_type": 1}, admin.token).status for column in range(10)]
    try:
        with ThreadPoolExecutor(4) as threads:
            statuses = list(threads.map(add, range(4)))
    finally:
        done_with.set()
        busy.result(60)
    assert [sum(of_column) for of_column in zip(*statuses)] == [1] * 10


# -- identity --------------------------------------------------------------------------------------

def test_an_identity_is_read_by_the_user_and_by_administrators(house, user, admin, deputy):
    done(house, REAL, {"uid": user.uid, "column": "first_name", "value": "wu",
                       "oper_type": SET}, deputy.token)
    shown = {"uid": user.uid, "column": "first_name", "oper_type": SHOW}
    for token in (user.token, admin.token):
        assert done(house, REAL, shown, token) == {"first_name": "wu"}
    # To compare would be to guess.
    for fields in (shown, shown | {"value": "wu"}):
        assert refused(house, REAL, fields, deputy.token)[0] == "no_right"


def test_a_sealed_value_opens_for_its_user_and_its_column_only(house, user, admin):
    done(house, REAL, {"column": ["first_name", "last_name"], "value": ["wu", "li"],
                       "oper_type": SET}, user.token)
    sealed = house.house.core.users.get(user.uid).identity
    assert sealed["first_name"] != b"wu" and b"wu" not in sealed["first_name"]
    other = new_user(house)
    house.submit(Kind.SET_IDENTITY, uid=other.uid, fields={"first_name": sealed["first_name"]})
    house.submit(Kind.SET_IDENTITY, uid=user.uid, fields={"last_name": sealed["first_name"]})
    for uid, column in ((other.uid, "first_name"), (user.uid, "last_name")):
        answer = send(house, REAL, {"uid": uid, "column": column, "oper_type": SHOW}, admin.token)
        assert (answer.http, answer.reason) == (500, "internal")
    # It can be set anew.
    done(house, REAL, {"column": "last_name", "value": "li", "oper_type": SET}, user.token)
    assert done(house, REAL, {"column": "last_name", "oper_type": SHOW}, user.token) == {
        "last_name": "li"}


def test_an_identity_and_a_password_show_up_nowhere(own_house, tmp_path, caplog):
    """Not in the logs, the metrics, or any file of the data folder, a snapshot included."""
    caplog.set_level("DEBUG")
    house = own_house(server=Server(port=0, access_log=True))
    marker, secret = "MARKERwu7Q", "SECRETpass9"
    user, admin = new_user(house), new_user(house, "admin")
    good = {"column": ["first_name", "second"], "value": [marker, marker], "oper_type": SET}
    texts = []
    for way in WAYS:
        texts.append(send(house, REAL, good, user.token, way=way))
        texts.append(send(house, REAL, good | {"value": [marker, marker + "\n"]}, user.token,
                          way=way))
        texts.append(send(house, REAL, good | {"column": ["a", marker + " "]}, user.token, way=way))
        texts.append(send(house, REAL, good, "no token", way=way))
        texts.append(send(house, REAL, good | {"oper_type": SHOW, "value": [marker, "x" + marker]},
                          admin.token, way=way))
        done(house, "Password/Pay", {"uid": user.uid, "paypassword": secret, "oper_type": 2},
             user.token, way=way)
        done(house, "Password/Login", {"usercount": user.name, "password": secret}, user.token,
             way=way)
        send(house, "UserCenter/Login", {"usercount": user.name, "password": secret + "x"}, way=way)
    assert marker not in json.dumps([vars(text) for text in texts])
    # A fault of ours writes a traceback.
    identity = house.house.core.users.get(user.uid).identity
    house.submit(Kind.SET_IDENTITY, uid=user.uid, fields={"other": identity["second"]})
    assert send(house, REAL, {"column": "other", "value": marker, "oper_type": SHOW},
                user.token).http == 500
    submit, house.house.submit = house.house.submit, None
    assert send(house, REAL, good, user.token).http == 500
    house.house.submit = submit
    assert done(house, REAL, {"column": "second", "oper_type": SHOW}, user.token) == {
        "second": marker}
    metrics = house.request("GET", "/metrics").body
    house.close()
    write_snapshot(Path(house.config.data.dir))
    assert "user_center User/RealInfo failed" in caplog.text and " POST /api/User/R" in caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {".seg", ".snap", ".sqlite", ".key"} <= {path.suffix for path in files}
    written = [path.read_bytes() for path in files] + [metrics, caplog.text.encode()]
    assert any(b"first_name" in text for text in written)
    for word in (marker, secret):
        assert not any(word.encode() in text for text in written)
