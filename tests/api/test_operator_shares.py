"""POST /operator/shares on a real house: what is counted, what is refused and how it is named."""

import json
import time
from fractions import Fraction

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.mining import share_rows
from api.numbers import InputError
from engine import Kind
from tests.api.conftest import NO_PASSWORD
from tests.api.mining_house import PoolDoor

INPUT, OPERATION = 5010, 5030
PACKED = {"Content-Type": "application/msgpack"}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    door = PoolDoor(tmp_path_factory.mktemp("shares") / "house")
    for name in ("farm", "Field"):
        door.submit(Kind.ADD_ACCOUNT, username=name, password_hash=NO_PASSWORD,
                    email="owner@example.org")
    door.granted("POST", "network", {
        "coin": "BTC", "difficulty": "21448277761059.71", "subsidy": "6.25", "fees_per_block": "0"})
    yield door
    door.close()


def row(**changes):
    good = {"user": "farm", "worker": "rig", "coin": "BTC", "difficulty": 65536, "accepted": 20,
            "rejected": 1, "at": int(time.time())}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def work_of(door, user, worker):
    """(accepted, rejected) work of today, in 2^-16, of a worker that is there."""
    core = door.house.core
    number = core.workers.find(core.users.sub_account(user).uid, worker)
    assert number
    accepted, rejected = core.workers.sums_of_hour(int(time.time()) // 3600)
    return int(accepted[number]), int(rejected[number])


def test_rows_are_counted_for_their_workers(door):
    rows = [row(worker="a1"), row(worker="farm.a1", accepted=1), row(worker="a2", coin="btc"),
            row(user="FIELD", worker="field.b", difficulty="0.5", accepted=3, rejected=0),
            row(user="Field", worker="b", difficulty=1e3, at=time.time())]
    assert door.granted("POST", "shares", rows) == {"rows": 5, "duplicate": False}
    assert work_of(door, "farm", "a1") == (21 * 65536 << 16, 2 * 65536 << 16)
    assert work_of(door, "farm", "a2") == (20 * 65536 << 16, 65536 << 16)
    assert work_of(door, "field", "b") == ((3 << 15) + (20_000 << 16), 1000 << 16)


FINE = "137438953471.9999847412109375"     # 2^37 - 2^-16, as a double exactly


def test_both_notations_count_the_same(door):
    at = [int(time.time()), time.time() - 60]
    packed = [1, "2.5", 0.5, float(FINE), 2**43]
    written = [1, "2.5", 0.5, FINE, 2**43]
    for name, difficulties, encode, headers in (
            ("json", written, lambda rows: json.dumps(rows).encode(), {}),
            ("packed", packed, msgpack.packb, PACKED)):
        body = encode([row(worker=f"{name}-{place}", difficulty=difficulty, at=at[place % 2])
                       for place, difficulty in enumerate(difficulties)])
        assert door.granted("POST", "shares", body, headers)["rows"] == len(packed)
    for place in range(len(packed)):
        assert work_of(door, "farm", f"json-{place}") == work_of(door, "farm", f"packed-{place}")
    assert work_of(door, "farm", "packed-3") == (20 * (2**53 - 1), 2**53 - 1)


def test_a_numbered_batch_counts_once(door):
    body = {"rows": [row(worker="once")], "source": 7, "batch": 2**64 - 2}
    assert door.granted("POST", "shares", body) == {"rows": 1, "duplicate": False}
    before = door.state_hash()
    for again in (body, body | {"batch": "18446744073709551613"}, body | {"batch": 1}):
        assert door.granted("POST", "shares", again) == {"rows": 0, "duplicate": True}
    assert door.state_hash() == before
    # In the address, for who sends rows alone; another source counts by itself.
    for path, counted in (("shares?source=8&batch=1", 1), ("shares?batch=1&source=8", 0),
                          ("shares?source=8&batch=2", 1)):
        assert door.granted("POST", path, [row(worker="once")])["rows"] == counted
    assert work_of(door, "farm", "once")[0] == 3 * 20 * 65536 << 16


def test_a_batch_without_a_number_counts_each_time(door):
    for _ in range(2):
        door.granted("POST", "shares", [row(worker="twice")])
    assert work_of(door, "farm", "twice")[0] == 2 * 20 * 65536 << 16


def late():
    return time.time() - 1000


def ahead():
    return time.time() + 1000


NOT_ZERO_TO_32_BITS = "must be a whole number from 0 to 4294967295"


@pytest.mark.parametrize("changes, words", [
    ({"user": "nobody"}, "user: is no sub-account"), ({"user": ""}, "user: is no sub-account"),
    ({"user": "operator"}, "user: is no sub-account"), ({"user": 2}, "user: must be a string"),
    ({"user": None}, "user: must be a string"), ({"user": ...}, "user: is missing"),
    ({"worker": ""}, "worker: must have 1 to 64 bytes"),
    ({"worker": "farm."}, "worker: must have 1 to 64 bytes"),
    ({"worker": "é" * 33}, "worker: must have 1 to 64 bytes"),
    ({"worker": "a\x7fb"}, "worker: must have no control characters"),
    ({"worker": ...}, "worker: is missing"),
    ({"coin": "XYZ"}, "coin: is not listed"), ({"coin": "BCH"}, "coin: is not mined"),
    ({"coin": 1}, "coin: must be a string"), ({"coin": ...}, "coin: is missing"),
    ({"difficulty": 0}, "difficulty: must be more than zero"),
    ({"difficulty": "0.0"}, "difficulty: must be more than zero"),
    ({"difficulty": -1}, "difficulty: must have no sign"),
    ({"difficulty": "-0.5"}, "difficulty: must have no sign"),
    ({"difficulty": 0.1}, "difficulty: must be a multiple of 2^-16"),
    ({"difficulty": 2**-17}, "difficulty: must be a multiple of 2^-16"),
    ({"difficulty": "1e-999999999"}, "difficulty: must be a multiple of 2^-16"),
    ({"difficulty": 2**48}, "difficulty: is too large"),
    ({"difficulty": "1e999999999"}, "difficulty: is too large"),
    ({"difficulty": "NaN"}, "difficulty: must be a number"),
    ({"difficulty": "x"}, "difficulty: must be a number"),
    ({"difficulty": "1_000"}, "difficulty: must be a number"),
    ({"difficulty": " 5"}, "difficulty: must be a number"),
    ({"difficulty": "5\n"}, "difficulty: must be a number"),
    ({"difficulty": "\uff15"}, "difficulty: must be a number"),
    ({"difficulty": ""}, "difficulty: must be a number"),
    ({"difficulty": "Infinity"}, "difficulty: must be a number"),
    ({"difficulty": None}, "difficulty: must be a number"),
    ({"difficulty": [1]}, "difficulty: must be a number"),
    ({"difficulty": True}, "difficulty: must be a number"),
    ({"difficulty": ...}, "difficulty: is missing"),
    ({"accepted": -1}, f"accepted: {NOT_ZERO_TO_32_BITS}"),
    ({"accepted": 2**32}, f"accepted: {NOT_ZERO_TO_32_BITS}"),
    ({"accepted": 2**63}, f"accepted: {NOT_ZERO_TO_32_BITS}"),
    ({"accepted": None}, f"accepted: {NOT_ZERO_TO_32_BITS}"),
    ({"accepted": 1.5}, f"accepted: {NOT_ZERO_TO_32_BITS}"),
    ({"accepted": ...}, "accepted: is missing"),
    ({"accepted": 0, "rejected": 0}, "accepted: no share"),
    ({"rejected": "1"}, f"rejected: {NOT_ZERO_TO_32_BITS}"),
    ({"rejected": ...}, "rejected: is missing"),
    ({"difficulty": 2**47, "accepted": 2**32 - 1}, "difficulty: is too large for so many shares"),
    ({"at": "now"}, "at: must be a number"), ({"at": "1"}, "at: must be a number"),
    ({"at": None}, "at: must be a number"), ({"at": 2**32}, "at: must be Unix seconds"),
    ({"at": 2**63}, "at: must be Unix seconds"), ({"at": -1}, "at: must be Unix seconds"),
    ({"at": 1e300}, "at: must be Unix seconds"), ({"at": ...}, "at: is missing"),
    ({"at": late}, "at: more than 600 s ago"),
    ({"at": ahead}, "at: more than 600 s ago, or more than 60 s ahead"),
    ({"colour": "red"}, "colour: is not a field of this call"),
], ids=lambda value: str(value)[:40] if isinstance(value, str) else "")
def test_a_row_that_is_none_names_its_place(door, changes, words):
    """With good rows around it, of which none is counted."""
    code = OPERATION if "not mined" in words else INPUT
    bad = {name: value() if callable(value) else value
           for name, value in row(**{"worker": "bad"} | changes).items()}
    rows = [row(), row(worker="other"), bad, row()]
    door.denied(code, f"rows[2].{words}", "POST", "shares", rows)
    door.denied(code, f"rows[2].{words}", "POST", "shares", {"rows": rows})
    door.denied(code, f"rows[2].{words}", "POST", "shares", msgpack.packb(rows), PACKED)


def test_the_first_row_is_told_from_all_of_them(door):
    most = {"difficulty": 2**47, "rejected": 0}
    door.denied(INPUT, "rows[0].difficulty: is too large", "POST", "shares",
                [row(**most, accepted=2**32 - 1)])
    door.denied(INPUT, "rows: a worker's work of a day", "POST", "shares",
                [row(**most, accepted=1), row(**most, accepted=1)])


@pytest.mark.parametrize("body, words", [
    (b"", "body: must be JSON"), (b"[", "body: must be JSON"), (b"\xff\xfe", "body: must be JSON"),
    (b"7", "body: must be a list"), (b"{}", "rows: is missing"), (b"[]", "rows: must be 1 to"),
    (b"[[]]", "rows[0]: must be an object"), (b"[7]", "rows[0]: must be an object"),
    (b'{"rows": 7}', "rows: must be a list"), (b'{"rows": []}', "rows: must be 1 to 10,000"),
    (b'{"colour": 7}', "colour: is not a field"), (b"[" * 100_000, "rows[0]: must be"),
    (b'[{"user": "\\ud800"}]', "body: must be JSON"), (b" " * (9 << 20), "body: is too large"),
], ids=lambda value: str(value)[:20])
def test_a_body_that_is_none(door, body, words):
    door.denied(INPUT, words, "POST", "shares", body)


@pytest.mark.parametrize("numbers, words", [
    ({"source": 1}, "batch: is missing"), ({"batch": 1}, "source: is missing"),
    ({"source": 0, "batch": 1}, "source: must be 1 to 65535"),
    ({"source": 65536, "batch": 1}, "source: must be 1 to 65535"),
    ({"source": 1, "batch": 0}, "batch: must be 1 to"),
    ({"source": 1, "batch": 2**64}, "batch: must be 1 to 18446744073709551615"),
    ({"source": 1, "batch": "x"}, "batch: must be a number"),
    ({"source": -1, "batch": 1}, "source: must have no sign"),
    ({"source": 1.5, "batch": 1}, "source: must be a whole number"),
    ({"source": [1], "batch": 1}, "source: must be a whole number"),
])
def test_a_number_of_a_batch_that_is_none(door, numbers, words):
    door.denied(INPUT, words, "POST", "shares", {"rows": [row()]} | numbers)
    if all(isinstance(value, int) for value in numbers.values()):
        query = "&".join(f"{name}={value}" for name, value in numbers.items())
        door.denied(INPUT, words, "POST", f"shares?{query}", [row()])


@pytest.mark.parametrize("field", ["source", "batch"])
@pytest.mark.parametrize("written, words", [
    ("9" * 6_000_000, "{}: must be a number of at most 100 characters"),
    ("-" + "9" * 5_000, "{}: must be a number of at most 100 characters"),
    ("1." + "0" * 5_000, "{}: must be a whole number"), ("1e5", "{}: must be a whole number"),
    ("true", "{}: must be a whole number"), ('{"a": [1]}', "{}: must be a whole number"),
    ('"' + "9" * 5_000 + '"', "{}: must be a number of at most 100 characters"),
    ('"\\ud800"', "body: must be JSON"),
], ids=lambda value: value[:40])
def test_a_number_of_a_batch_is_no_number_before_its_digits_are_counted(door, field, written,
                                                                         words):
    """To make one of thousands of digits takes as long as a hundred rows; it may come often."""
    body = json.dumps({"rows": [row()], "source": 1, "batch": 1} | {field: "D"})
    door.denied(INPUT, words.format(field), "POST", "shares", body.replace('"D"', written).encode())


@pytest.mark.parametrize("key", ["k" * 1_000_000, " - at `$.k" * 100_000, "`\n - at `$" * 100_000],
                         ids=lambda value: value[:10])
def test_a_refusal_says_where_and_gives_no_long_key_back(door, key):
    for body, place in (({key: 1}, ""), ([row(), row() | {key: 1}], "rows[1].")):
        for sent, headers in ((json.dumps(body).encode(), {}), (msgpack.packb(body), PACKED)):
            envelope = door.operator("POST", "shares", sent, headers)
            assert envelope["code"] == INPUT
            assert envelope["message"].startswith(place) and len(envelope["message"]) < 200


@pytest.mark.parametrize("name", ["\u0149" * 300, "x" * 300_000])
def test_a_name_that_none_can_have_names_nothing(door, name):
    door.denied(INPUT, "rows[0].user: is no sub-account", "POST", "shares", [row(user=name)])
    door.denied(INPUT, "rows[0].coin: is not listed", "POST", "shares", [row(coin=name)])
    door.denied(INPUT, "rows[0].worker: must have 1 to 64 bytes", "POST", "shares",
                [row(worker=f"farm.{name}")])


def test_a_number_is_given_in_one_place(door):
    door.denied(INPUT, "source: is given twice", "POST", "shares?source=1&batch=1",
                {"rows": [row()], "source": 1, "batch": 1})
    door.denied(INPUT, "colour: is not a field", "POST", "shares?colour=1", [row()])


def test_the_caller_is_shown_first(door):
    envelope = door.operator("POST", "shares", b"no json", {"token": "wrong"})
    assert envelope["code"] == 5020


def test_ten_thousand_rows_are_one_call_and_no_row_more(door):
    rows = [row(worker=f"many-{number % 500}", difficulty=1 + number % 3)
            for number in range(10_000)]
    body = json.dumps(rows).encode()
    assert len(body) > door.config.server.max_body_bytes
    assert door.granted("POST", "shares", body)["rows"] == 10_000
    door.denied(INPUT, "rows: must be 1 to 10,000", "POST", "shares", [*rows, row()])
    count = sum(20 * (1 + number % 3) for number in range(0, 10_000, 500))
    assert work_of(door, "farm", "many-0")[0] == count << 16


def test_a_list_that_is_far_too_long_is_refused_in_both_notations(door):
    rows = [row()] * 100_000
    for body, headers in ((json.dumps(rows, separators=(",", ":")).encode(), {}),
                          (json.dumps({"rows": rows}, separators=(",", ":")).encode(), {}),
                          (msgpack.packb(rows), PACKED), (msgpack.packb({"rows": rows}), PACKED)):
        door.denied(INPUT, "rows: must be 1 to 10,000" if len(body) <= 8 << 20
                    else "body: is too large", "POST", "shares", body, headers)


def test_a_large_body_of_few_rows_is_taken(door):
    """What a body has of brackets and commas within strings says nothing of its length."""
    worker = '",[{' * 16
    rows = [row(worker=f"farm.{worker}", rejected=0)] * 10_000
    body = json.dumps(rows, indent=8).encode()
    assert 2 << 20 < len(body) < 8 << 20
    assert door.granted("POST", "shares", body)["rows"] == 10_000
    assert work_of(door, "farm", worker) == (200_000 * 65536 << 16, 0)


def counted(door):
    """(rows taken, rows of duplicates) as /metrics has them."""
    lines = door.request("GET", "/metrics").body.decode().splitlines()
    shown = dict(line.rsplit(" ", 1) for line in lines if line.startswith("orebook_share_rows"))
    return [float(shown.get(f'orebook_share_rows_total{{outcome="{outcome}"}}', 0))
            for outcome in ("taken", "duplicate")]


def test_metrics_tell_of_the_rows(door):
    taken, duplicate = counted(door)
    for rows in (2, 3):
        door.granted("POST", "shares", {"rows": rows * [row()], "source": 9, "batch": 1})
    door.denied(INPUT, "rows[0].at", "POST", "shares", [row(at=0)])
    assert counted(door) == [taken + 2, duplicate + 3]


@given(st.one_of(
    st.decimals(0, 2**50, allow_nan=False, allow_infinity=False).map(str),
    st.integers(1, 2**64 - 1).map(lambda units: str(Fraction(units, 65536))
                                  if units % 65536 == 0 else repr(units / 65536)),
    st.integers(0, 2**50).map(str)))
def test_a_difficulty_is_exact_or_refused(written):
    exact = Fraction(written) * 65536
    body = json.dumps([row(difficulty="D")]).replace('"D"', written).encode()
    try:
        table = share_rows.packed(share_rows.decoded(body, False).rows, lambda name: 1,
                                  lambda name: 1)
    except InputError:
        assert exact.denominator != 1 or not 0 < exact < 2**64
    else:
        assert int.from_bytes(table.batch[-16:-8], "little") == exact


def test_a_difficulty_of_a_million_digits_is_looked_at_no_longer_than_any(door):
    """By its exact ratio a request like this would keep all others waiting for half an hour."""
    body = json.dumps([row(difficulty="D")]).replace('"D"', "1." + "1" * 6_000_000).encode()
    door.denied(INPUT, "rows[0].difficulty: must be a multiple of 2^-16", "POST", "shares", body)
    shares = share_rows.decoded(body.replace(b"1" * 6_000_000, b"0" * 6_000_000), False)
    assert share_rows.packed(shares.rows, lambda name: 1, lambda name: 1).first_work == 20 << 16
