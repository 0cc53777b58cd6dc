"""Real order flow through the engine, against a plain book and the published table of the file."""

import csv
from pathlib import Path

import pytest

from engine import lobster

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "lobster"
STEM = "AAPL_2012-06-21_34200000_37800000"
ROWS = 5_000


@pytest.fixture(scope="module")
def message_path():
    path = FOLDER / f"{STEM}_message_50.csv"
    if not path.is_file():
        pytest.skip("the LOBSTER sample is not beside the checkout")
    return path


class PlainBook:
    """The file's orders as it tells of them, in lists; no matching at all."""

    def __init__(self):
        self.orders = []    # [direction, price, number, size], oldest first
        self.counts = dict.fromkeys(
            ("submissions", "reductions", "deletions", "executions", "exact", "behind", "hidden",
             "unknown", "volume", "changes"), 0)
        self.tops = [(0, 0, 0, 0)]

    def best(self, direction):
        prices = [order[1] for order in self.orders if order[0] == direction]
        return (max(prices) if direction == 1 else min(prices)) if prices else 0

    def top(self):
        shown = []
        for direction in (-1, 1):
            price = self.best(direction)
            shown += [price, sum(order[3] for order in self.orders
                                 if order[:2] == [direction, price])]
        return tuple(shown)

    def step(self, kind, number, size, price, direction):
        known = [order for order in self.orders if order[2] == number]
        if kind == 1:
            self.counts["submissions"] += 1
            self.orders.append([direction, price, number, size])
        elif kind == 5:
            self.counts["hidden"] += 1
        elif not known:
            self.counts["unknown"] += 1
        else:
            self.take(known[0], kind, size)
        top = self.top()
        if top != self.tops[-1]:
            self.tops.append(top)
            self.counts["changes"] += 1

    def take(self, order, kind, size):
        self.counts[{2: "reductions", 3: "deletions", 4: "executions"}[kind]] += 1
        if kind == 4:
            best = self.best(order[0])
            first = next(other for other in self.orders if other[:2] == [order[0], best])
            exact = first is order
            self.counts["exact" if exact else "behind"] += 1
            self.counts["volume"] += size if exact else 0
        order[3] -= order[3] if kind == 3 else size
        if order[3] <= 0:
            self.orders.remove(order)


@pytest.fixture(scope="module")
def plain(message_path):
    book = PlainBook()
    with message_path.open(newline="") as file:
        for fields in list(csv.reader(file))[:ROWS]:
            book.step(*map(int, fields[1:]))
    return book


def test_first_rows_agree_with_a_plain_book(message_path, plain):
    summary = lobster.run(message_path, rows=ROWS)
    assert summary.rows == ROWS
    assert {name: getattr(summary, name) for name in plain.counts} == plain.counts
    assert (summary.crossing, summary.elsewhere, summary.halts) == (0, 0, 0)
    assert plain.counts["exact"] > 100


def test_every_best_level_agrees_with_a_plain_book(message_path, plain):
    replay = lobster.Replay("AAPL/USD", 0, None)
    tops = [replay.top]
    for _, row in zip(range(ROWS), lobster.read_rows(message_path), strict=False):
        replay.step(row)
        if replay.top != tops[-1]:
            tops.append(replay.top)
    assert tops == plain.tops


def test_the_whole_file_gives_its_table(message_path):
    told = []
    summary = lobster.run(message_path, progress=told.append)
    assert summary.rows == 91_997
    assert summary.submissions == 44_256
    assert summary.crossing == 0
    assert summary.hidden == 2_201
    assert summary.executions == 4_055
    assert summary.exact == 4_031
    assert summary.behind == 24
    assert summary.elsewhere == 0
    assert summary.changes == 23_457
    assert summary.changes_found == 23_342
    assert told == [*range(1_000, 91_997, 1_000), 91_997]


def write(path, *rows):
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


def test_a_file_of_every_type(tmp_path):
    path = write(
        tmp_path / f"{STEM}_message_1.csv",
        "34200.000000001,1,11,100,5000000,1",     # bid
        "34200.1,1,12,100,5000000,1",             # bid behind it
        "34200.2,1,13,50,5001000,-1",             # ask
        "34200.3,2,11,40,5000000,1",              # 60 left, still first
        "34200.4,4,11,60,5000000,1",              # and gone
        "34200.5,4,12,30,5000000,1",              # 70 left
        "34200.6,5,0,10,5000500,1",
        "34200.7,7,0,0,-1,-1",
        "34200.8,3,99,10,5000000,1",              # of before the file
        "34200.9,1,14,10,5000000,1",
        "34201.0,4,14,10,5000000,1",              # though 12 is first
        "34201.1,3,13,50,5001000,-1",
    )
    # The one-sided changes have other words there, and 80 and the second 70 are missing.
    write(
        tmp_path / f"{STEM}_orderbook_1.csv",
        "9999999999,0,5000000,100", "5001000,50,5000000,200", "5001000,50,5000000,160",
        "5001000,50,5000000,100", "5001000,50,5000000,70",
    )
    assert lobster.run(path, pair="XYZ/USD") == lobster.Summary(
        rows=12, submissions=4, crossing=0, reductions=1, deletions=1, executions=3, exact=2,
        behind=1, elsewhere=0, hidden=1, halts=1, unknown=1, volume=90, changes=9,
        changes_found=4)


def test_an_order_that_crosses_is_counted_and_both_are_gone(tmp_path):
    path = write(tmp_path / "message.csv", "1,1,1,100,50,-1", "2,1,2,100,50,1",
                 "3,3,1,100,50,-1", "4,4,2,100,50,1")
    summary = lobster.run(path)
    assert (summary.submissions, summary.crossing, summary.volume) == (2, 1, 100)
    assert (summary.deletions, summary.executions, summary.unknown) == (0, 0, 2)
    assert summary.changes_found is None


@pytest.mark.parametrize(("row", "reason"), [
    ("34200.1,1,11,100,5000000", "row 2 of message.csv is no message"),
    ("34200.1,1,11,100,5000000,0", "row 2 of message.csv is no message"),
    ("-34200.1,1,11,100,5000000,1", "row 2 of message.csv is no message"),
    ("noon,1,11,100,5000000,1", "row 2 of message.csv is no message"),
    ("34199.9,1,11,100,5000000,1", "row 2 of message.csv goes back in time"),
    ("34200.1,6,11,100,5000000,1", "row 2: there is no type 6"),
    ("34200.1,1,11,100,0,1", "row 2: the core answers BAD_PRICE"),
    ("34200.1,1,11,0,5000000,1", "row 2: the core answers BAD_QTY"),
])
def test_a_bad_row_is_named(tmp_path, row, reason):
    path = write(tmp_path / "message.csv", "34200.0,1,10,100,5000000,1", row)
    with pytest.raises(lobster.LobsterError, match=reason):
        lobster.run(path)


@pytest.mark.parametrize(("text", "expected_ns"), [
    ("34200", 34_200_000_000_000), ("0.5", 500_000_000), ("34200.004241176", 34_200_004_241_176),
    ("35821.088778456004", 35_821_088_778_456),
])
def test_time_is_read_exactly(text, expected_ns):
    assert lobster.nanoseconds(text) == expected_ns


def test_the_day_comes_from_the_name():
    assert lobster.midnight_of(Path("X_1970-01-02_0_1_message_1.csv")) == 86_400_000_000_000
    assert lobster.midnight_of(Path("message.csv")) == 0
