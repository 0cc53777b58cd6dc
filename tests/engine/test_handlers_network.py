"""SET_NETWORK: each refusal, in order, what OK changes, and what the core's check says of it."""

import pytest

from engine.codes import Kind, Result
from engine.core import Core
from engine.halt import Halt
from pool import networks as pool_networks
from pool.networks import Blocks, Network
from tests.engine.cold_house import START_NS, ColdHouse

BTC, BCH = 1, 2
DAY_NS = 86_400 * 10**9
DAY = START_NS // DAY_NS
ONE = 10**18
NUMBER_MAX = 2**63 - 1
SET = {"coin": BTC, "difficulty": "16307420938523.983", "subsidy": 625_000_000,
       "fees_per_block": 12_345_678, "blocks_today": 3}


@pytest.fixture
def house():
    house = ColdHouse()
    for name in ("BTC", "BCH"):
        house.must(Kind.ADD_COIN, name=name, title=name, type="coin", scale=8)
    return house


@pytest.mark.parametrize("change, expected", [
    ({"coin": 3, "difficulty": ""}, Result.UNKNOWN_COIN),
    ({"coin": 0}, Result.UNKNOWN_COIN),
    ({"coin": -1}, Result.UNKNOWN_COIN),
    ({"difficulty": "", "subsidy": 0}, Result.BAD_DIFFICULTY),
    ({"subsidy": 0, "fees_per_block": -1}, Result.BAD_SUBSIDY),
    ({"subsidy": NUMBER_MAX + 1}, Result.BAD_SUBSIDY),
    ({"fees_per_block": -1, "blocks_today": -1}, Result.BAD_FEE),
    ({"fees_per_block": NUMBER_MAX + 1}, Result.BAD_FEE),
    ({"blocks_today": -1}, Result.BAD_BLOCKS),
    ({"blocks_today": 1_000_001}, Result.BAD_BLOCKS),
    ({"subsidy": True}, Result.BAD_COMMAND),
    ({"difficulty": 5}, Result.BAD_COMMAND),
    ({"difficulty": b"5"}, Result.BAD_COMMAND),
    ({"difficulty": 1.5}, Result.BAD_COMMAND),
    ({"blocks_today": None}, Result.OK),
    ({"blocks_today": 0}, Result.OK),
    ({"blocks_today": 1_000_000, "fees_per_block": NUMBER_MAX}, Result.OK),
    ({"subsidy": 1, "fees_per_block": 0}, Result.OK),
    ({"subsidy": NUMBER_MAX}, Result.OK),
    ({}, Result.OK),
])
def test_set_network(house, change, expected):
    args = SET | change
    assert house.do(Kind.SET_NETWORK, **args) == (expected, None)
    if expected == Result.OK:
        assert house.networks.get(BTC) == Network(
            BTC, 16307420938523983 * 10**15, args["subsidy"], args["fees_per_block"], 1, START_NS,
            args["blocks_today"] or 0, DAY)
        assert house.workers.epoch_of(BTC) == 1
    else:
        assert len(house.networks) == 0


@pytest.mark.parametrize("text", [
    "", "0", "0.0", "00", "0." + "0" * 18, "-1", "+1", "1e5", "1E5", ".5", "5.", "1.2.3", " 1",
    "1 ", "1\n", "1,5", "1_000", "0x1", "inf", "nan", "١", "１", "1" * 21, "0" * 20 + "1",
    "1." + "1" * 19, "1.\n", "½"])
def test_what_is_no_difficulty(house, text):
    assert house.do(Kind.SET_NETWORK, **SET | {"difficulty": text})[0] == Result.BAD_DIFFICULTY


@pytest.mark.parametrize("text, difficulty", [
    ("1", ONE), ("01.50", 3 * ONE // 2), ("0." + "0" * 17 + "1", 1),
    ("9" * 20 + "." + "9" * 18, 10**38 - 1), ("520808749422.14", 52080874942214 * 10**16)])
def test_a_difficulty_is_exact(house, text, difficulty):
    house.must(Kind.SET_NETWORK, **SET | {"difficulty": text})
    assert house.networks.get(BTC).difficulty == difficulty
    assert house.reloaded().networks.get(BTC) == house.networks.get(BTC)


def test_an_epoch_is_that_of_the_workers(house):
    for change, epoch in (({}, 1), ({"fees_per_block": 1}, 1), ({"difficulty": "2"}, 2),
                          ({"difficulty": "2.0"}, 2), ({"subsidy": 5}, 3), ({}, 4)):
        house.ts_ns += 1
        house.must(Kind.SET_NETWORK, **SET | {"difficulty": "1"} | change)
        assert house.workers.epoch_of(BTC) == house.networks.get(BTC).epoch == epoch
    with pytest.raises(IndexError):
        house.workers.epoch_of(BCH)
    assert house.reloaded().workers.epoch_of(BTC) == 4


def test_blocks_are_those_of_the_commands_utc_day(house):
    house.ts_ns = (DAY + 1) * DAY_NS - 1
    house.must(Kind.SET_NETWORK, **SET)
    house.ts_ns += 1
    house.must(Kind.SET_NETWORK, **SET | {"blocks_today": 1})
    assert [house.networks.blocks_of_day(BTC, day) for day in (DAY, DAY + 1)] == [
        [Blocks(3, 625_000_000, 12_345_678)], [Blocks(1, 625_000_000, 12_345_678)]]


def test_a_chain_without_room_keeps_its_state(house, monkeypatch):
    monkeypatch.setattr(pool_networks, "ENTRIES_MAX", 2)
    house.must(Kind.SET_NETWORK, **SET | {"blocks_today": 1})
    house.must(Kind.SET_NETWORK, **SET | {"blocks_today": 2, "fees_per_block": 1})
    assert house.do(Kind.SET_NETWORK, **SET)[0] == Result.TOO_MANY_EPOCHS
    assert house.do(Kind.SET_NETWORK, **SET | {"blocks_today": -1})[0] == Result.BAD_BLOCKS
    house.must(Kind.SET_NETWORK, **SET | {"coin": BCH})


def test_it_is_part_of_the_state(house):
    hashes = [house.state_hash()]
    for change in ({"blocks_today": None}, {"blocks_today": 0, "fees_per_block": 1},
                   {"blocks_today": 1, "fees_per_block": 1}, {"coin": BCH}, {"difficulty": "1"}):
        house.ts_ns += 1
        house.must(Kind.SET_NETWORK, **SET | change)
        hashes.append(house.state_hash())
    assert len(set(hashes)) == len(hashes)
    again = house.reloaded()
    assert (again.state_hash(), again.dump()) == (hashes[-1], house.dump())


@pytest.mark.parametrize("spoil, fault", [
    (lambda core: core.workers.set_epoch(BTC, 2), "takes shares in epoch 2"),
    (lambda core: core.workers.set_epoch(BCH, 1), "takes shares in epoch 1, not in None"),
    (lambda core: core.networks.set(BCH, START_NS, 1, 1, 0, None), "epoch None"),
    (lambda core: core.networks.set(9, START_NS, 1, 1, 0, None), "no such coin"),
    (lambda core: core.networks.set(BTC, START_NS + 1, SET["subsidy"], 1, 0, None),
     "has a network since"),
    (lambda core: core.workers.advance(START_NS // 10**9 + 60), "shares were taken up to minute"),
])
def test_check_compares_networks_and_workers(house, spoil, fault):
    house.must(Kind.SET_NETWORK, **SET)
    core = Core.load(house.dump())
    core.check()
    spoil(core)
    with pytest.raises(Halt, match=fault):
        core.check()
