"""Core.load: what a dump gave goes on as before; anything else is a ValueError, never a core."""

import random

import pytest

from engine.core import LAYOUT, Core
from tests.fuzz import Fuzz


@pytest.fixture(scope="module")
def core():
    """A core in which much has happened: every store and both sides of the books hold something."""
    fuzz = Fuzz(seed=3)
    fuzz.run(batches=150)
    return fuzz.core


@pytest.fixture(scope="module")
def dumped(core):
    return core.dump()


def test_a_whole_dump_is_loaded(core, dumped):
    again = Core.load(dumped)
    again.check()
    assert (again.seq, again.ts_ns, again.state_hash()) == (core.seq, core.ts_ns, core.state_hash())
    assert again.dump() == dumped


def test_a_dump_cut_off_anywhere_is_refused(dumped):
    lengths = [*range(100), *random.Random(1).sample(range(len(dumped)), 200), len(dumped) - 1]
    for length in lengths:
        with pytest.raises(ValueError):
            Core.load(dumped[:length])


def test_a_dump_with_more_behind_it_is_refused(dumped):
    for more in (b"\0", b"\0" * 16, dumped):
        with pytest.raises(ValueError):
            Core.load(dumped + more)


def test_a_dump_with_one_bit_turned_is_refused(dumped):
    places = [*range(200), *random.Random(2).sample(range(len(dumped)), 400), len(dumped) - 1]
    for place in places:
        spoiled = bytearray(dumped)
        spoiled[place] ^= 1 << place % 8
        with pytest.raises(ValueError):
            Core.load(bytes(spoiled))


def test_a_dump_of_another_layout_is_named_as_such(dumped):
    with pytest.raises(ValueError, match="layout"):
        Core.load(b"orebook state 0\n" + dumped[len(LAYOUT):])
