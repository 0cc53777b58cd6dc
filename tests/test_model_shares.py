"""docs/core.md and docs/commands.md on shares and networks, in figures worked out by hand, for core
and model alike.

One user with two sub-accounts; coin 1 is mined, coin 2 is not.
"""

import numpy as np
import pytest

from engine.codes import Result
from engine.commands import RESULT_DTYPE
from engine.core import Core
from tests.model.commands import (
    AddAccount, AddCoin, AddGroup, AddShares, AddSubAccount, RemoveGroup, SetNetwork,
    SetWorkerGroup, encode_batch,
)
from tests.model.comparison import compare_state
from tests.model.exchange import Model

FARM, HALL, NOBODY = 2, 3, 9
MINED, OTHER = 1, 2
ONE = 1 << 16
DAY = 20_000
NOON_S = DAY * 86_400 + 43_200
RIG = (FARM, b"rig")
ROW = (0, MINED, 3, 1, 5 * ONE, NOON_S)
NETWORK = SetNetwork(MINED, "16307420938523.983", 625_000_000, 7)


class SmallHouse:
    """A core or a model, with a clock that only the test moves."""

    def __init__(self, subject):
        self.subject = subject
        self.now_s = NOON_S
        assert set(self.do(
            AddCoin("AAA", "A", "coin", 8), AddCoin("BBB", "B", "coin", 8),
            AddAccount("farm", "hash", "1", None), AddSubAccount(1, "hall", 0, "", 0),
            AddGroup(FARM, "first"), NETWORK)) == {("OK", 0)}

    def do(self, *commands) -> list[tuple[str, int]]:
        """(result, count) of each command."""
        first_seq, ts_ns = self.subject.seq + 1, self.now_s * 10**9
        if isinstance(self.subject, Model):
            results = self.subject.apply(list(commands), first_seq, ts_ns).results
        else:
            outcome = self.subject.apply(encode_batch(commands), first_seq, ts_ns)
            results = np.frombuffer(outcome.results, RESULT_DTYPE).tolist()
        return [(Result(result[0]).name + " again" * result[2], result[3]) for result in results]


@pytest.fixture(params=[Model, Core])
def house(request):
    return SmallHouse(request.param())


STEPS = [
    (NETWORK, ("OK", 0)),
    (SetNetwork(3, "1", 1, 0), ("UNKNOWN_COIN", 0)),
    (SetNetwork(MINED, "1e5", 0, 0), ("BAD_DIFFICULTY", 0)),
    (SetNetwork(MINED, "0.000000000000000000", 1, 0), ("BAD_DIFFICULTY", 0)),
    (SetNetwork(MINED, "1", 0, -1), ("BAD_SUBSIDY", 0)),
    (SetNetwork(MINED, "1", 1, -1, -1), ("BAD_FEE", 0)),
    (SetNetwork(MINED, "1", 1, 0, -1), ("BAD_BLOCKS", 0)),
    (AddShares([RIG], [ROW], 0, 1), ("BAD_COMMAND", 0)),
    (AddShares([RIG], [ROW], 1, 0), ("BAD_COMMAND", 0)),
    (AddShares([RIG], []), ("BAD_COMMAND", 0)),
    (AddShares([RIG, (NOBODY, b"")], [ROW]), ("BAD_NAME", 1)),
    (AddShares([RIG, (NOBODY, b"x")], [(2, 0, 0, 0, 0, 0)]), ("UNKNOWN_ACCOUNT", 1)),
    (AddShares([RIG], [ROW, (1, OTHER, 0, 0, 0, 0)]), ("BAD_COMMAND", 1)),
    (AddShares([RIG], [ROW, (0, OTHER, 0, 0, 0, 0)]), ("NO_NETWORK", 1)),
    (AddShares([RIG], [ROW, ROW, (0, MINED, 0, 0, 0, 0)]), ("BAD_DIFFICULTY", 2)),
    (AddShares([RIG], [(0, MINED, 0, 0, ONE, 0)]), ("NO_SHARES", 0)),
    (AddShares([RIG], [ROW, (0, MINED, 2, 0, 1 << 63, 0)]), ("AMOUNT_TOO_LARGE", 1)),
    (AddShares([RIG], [ROW, (0, MINED, 1, 0, ONE, NOON_S - 601)]), ("BAD_TIME", 1)),
    (AddShares([RIG], [ROW, (0, MINED, 1, 0, ONE, NOON_S + 61)]), ("BAD_TIME", 1)),
    (AddShares([RIG], [ROW, (0, MINED, 1, 0, 2**64 - 1, NOON_S)]), ("AMOUNT_TOO_LARGE", 0)),
    (AddShares([RIG], [ROW, ROW[:5] + (NOON_S - 600,)], 5, 7), ("OK", 2)),
    (AddShares([RIG], [ROW], 5, 7), ("OK again", 0)),
    (AddShares([], [], 5, 6), ("OK again", 0)),
    (AddShares([RIG], [ROW], 6, 6), ("OK", 1)),
    (AddShares([(HALL, b"rig"), (FARM, b"two")], [ROW, (1, *ROW[1:5], NOON_S + 60)]), ("OK", 2)),
    (SetWorkerGroup(1, 9, []), ("UNKNOWN_ACCOUNT", 0)),
    (SetWorkerGroup(FARM, 9, []), ("UNKNOWN_GROUP", 0)),
    (SetWorkerGroup(HALL, 1, ["rig"]), ("UNKNOWN_GROUP", 0)),
    (SetWorkerGroup(FARM, 1, []), ("BAD_WORKERS", 0)),
    (SetWorkerGroup(FARM, 1, ["x", 1]), ("BAD_WORKERS", 0)),
    (SetWorkerGroup(FARM, 1, ["rig", "x"]), ("UNKNOWN_WORKER", 0)),
    (SetWorkerGroup(FARM, 1, ["rig", "two"]), ("OK", 0)),
    (SetWorkerGroup(FARM, 0, ["two"]), ("OK", 0)),
]


@pytest.mark.parametrize("kind", [Model, Core])
def test_each_step_has_its_answer(kind):
    house = SmallHouse(kind())
    for command, expected in STEPS:
        assert (command, house.do(command)[0]) == (command, expected)


def test_core_and_model_have_come_to_one_state():
    core, model = SmallHouse(Core()), SmallHouse(Model())
    for command, _ in [*STEPS, (RemoveGroup(FARM, 1), None)]:
        assert core.do(command) == model.do(command)
        compare_state(core.subject, model.subject)
    assert core.subject.workers.work(FARM, MINED, DAY) == [(1, 4 * 15 * ONE)]
    # A pool's own figures: 1,715,585,024 in 5 minutes are 24.56 PH/s.
    row = (0, MINED, 1_715_585_024 // 1_024, 0, 1_024 * ONE, NOON_S + 600)
    for house in (core, model):
        house.now_s += 600
        assert house.do(AddShares([(HALL, b"rig")], [row])) == [("OK", 1)]
        house.now_s += 60
        assert house.do(AddShares([RIG], [(0, MINED, 0, 1, ONE, house.now_s)])) == [("OK", 1)]
    compare_state(core.subject, model.subject)
    speeds = core.subject.workers.account_speeds(HALL, core.now_s)
    assert speeds.speed_5m.valid_speed == 24561271905291252


def test_a_day_s_blocks_bear_the_fees_they_came_with(house):
    for fees, total in ((7, 2), (8, 3), (9, 2), (9, 4)):
        house.do(SetNetwork(MINED, "1", 50, fees, total))
    chain = house.subject.networks
    if isinstance(house.subject, Model):
        assert chain[MINED].blocks == {DAY: [(50, 7), (50, 7), (50, 9), (50, 9)]}
    else:
        assert [tuple(blocks) for blocks in chain.blocks_of_day(MINED, DAY)] == [
            (2, 50, 7), (2, 50, 9)]
