"""A short form of tests/fuzz.py: framed nonsense is answered, and changes only what it may."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.codes import Kind, Result
from engine.core import Core
from tests.fuzz import Failure, Fuzz, cold_record, framed

ROOT = Path(__file__).parents[1]
BATCHES = 250
# What a run that meets little of the core would miss.
EXPECTED_ANSWERS = 50
EXPECTED_TRADES = 100


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_framed_record_is_answered(seed):
    fuzz = Fuzz(seed)
    fuzz.run(BATCHES)
    fuzz.checkpoint()
    assert len(fuzz.answers) >= EXPECTED_ANSWERS
    assert fuzz.trades >= EXPECTED_TRADES


@pytest.mark.parametrize("kind", [0, 5, 63, 69, 87, 999, 65_535, *Kind])
@pytest.mark.parametrize("body_bytes", [0, 8, 16, 40, 80])
def test_a_record_of_zeros_or_ones_is_refused(kind, body_bytes):
    core = Core()
    before = core.state_hash()
    for body in (bytes(body_bytes), b"\xff" * body_bytes):
        outcome = core.apply(framed(kind, 0, body), core.seq + 1, 1)
        assert bytes(outcome.results)[2:] == bytes(30) and bytes(outcome.events) == b""
        assert bytes(outcome.results)[:2] != Result.OK.to_bytes(2, "little")
    assert core.state_hash() == before


def test_a_state_that_differs_from_the_twins_is_noticed():
    """The fuzz can fail: money came that no command brought."""
    fuzz = Fuzz(4)
    fuzz.core.accounts.credit(1, 1, 1, 1)
    with pytest.raises(Failure, match="one by one"):
        fuzz.checkpoint()


@pytest.mark.slow
def test_the_state_does_not_depend_on_how_python_hashes():
    program = ("from tests.fuzz import Fuzz; fuzz = Fuzz(5); fuzz.run(60);"
               " print(fuzz.core.state_hash())")
    hashes = {
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True,
                       env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("0", "1", "2")}
    assert len(hashes) == 1


def test_a_payload_longer_than_its_record_is_refused():
    core = Core()
    outcome = core.apply(cold_record(Kind.SET_LIMITS, b"\x80", length=9), 1, 1)
    assert int.from_bytes(bytes(outcome.results)[:2], "little") == Result.BAD_COMMAND
