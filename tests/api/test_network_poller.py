"""What a node knows of its chain gets to the core: with a node that is written for it, over HTTP,
and a house whose clock the test sets."""

import logging
import time
from collections import Counter

import aiohttp
import pytest

from api.config import Network
from api.mining.network_poller import poller_of
from engine import Kind
from tests.api.chain_nodes import ChainServer
from tests.api.mining_house import DAY_S, Floor, PoolDoor
from tests.api.nodes import PASSWORD, USER, Cut, Refusal
from tests.support.processes import until

class Look:
    """A house, a node, and a poller between them that looks when it is told to. Each has a coin of
    its own, and begins at noon of a day of its own."""

    count = 0

    def __init__(self, floor, speaks):
        Look.count += 1
        self.floor, self.one, self.core, self.clock = floor, floor.one, floor.one.core, floor.clock
        self.name = f"C{Look.count}"
        self.coin = floor.run(self.one.do(Kind.ADD_COIN, name=self.name, title="Coin", type="coin",
                                          scale=8))
        self.clock.now_s = (self.day() + 2) * DAY_S + DAY_S // 2
        self.noon = self.clock.now_s
        self.node = ChainServer(self.noon - DAY_S, speaks)
        self.answers = Counter()
        self.session = floor.run(self._session())
        self.restart()

    async def _session(self):
        return aiohttp.ClientSession()

    def restart(self, **settings):
        """Another poller, that remembers nothing."""
        settings = {"coin": self.name, "chain": "regtest", "user": USER,
                    "password": PASSWORD} | settings
        self.poller = poller_of(self.one.house, Network(url=self.node.url, **settings),
                                self.session, self.answers, self.clock)

    def close(self):
        self.floor.run(self.session.close())
        self.node.close()

    def look(self):
        """How many commands a look has sent."""
        before = self.one.house.seq
        self.floor.run(self.poller.look())
        return self.one.house.seq - before

    def state(self):
        """(difficulty, subsidy, fees, blocks of the day) as the core has them."""
        network = self.core.networks.get(self.coin)
        return (network.difficulty, network.subsidy, network.fees_per_block,
                network.blocks_today if network.day == self.day() else 0)

    def blocks(self, day=None):
        """The fees of each block that was counted on a day."""
        counted = self.core.networks.blocks_of_day(self.coin, self.day() if day is None else day)
        return [blocks.fees_per_block for blocks in counted for _ in range(blocks.count)]

    def day(self):
        return int(self.clock.now_s) // DAY_S


@pytest.fixture(scope="module")
def floor(tmp_path_factory):
    floor = Floor(tmp_path_factory.mktemp("networks") / "house", 20_000 * DAY_S)
    yield floor
    floor.close()


@pytest.fixture
def look(floor, request, caplog):
    caplog.set_level(logging.INFO, "orebook.networks")
    look = Look(floor, getattr(request, "param", "stats"))
    yield look
    look.close()


def told(caplog):
    """What the log was told of networks."""
    return [record.message for record in caplog.records if record.name == "orebook.networks"]


DIFFICULTY = 1500_25 * 10**16


def test_at_the_start_the_state_of_the_tip_is_told(look, caplog):
    assert look.look() == 1
    assert look.state() == (DIFFICULTY, 625_000_000, 10_000_000, 0)
    assert look.core.workers.epoch_of(look.coin) == 1
    for _ in range(3):
        assert look.look() == 0
    assert look.answers == {("networks", look.name, "ok"): 4}


def test_each_block_of_the_day_has_its_own_fees(look, caplog):
    for number in range(1, 4):
        look.node.add(look.noon - 1000 + number, fees=number)
    assert look.look() == 3
    assert look.blocks() == [1, 2, 3]
    look.node.add(look.noon, fees=4)
    assert look.look() == 1
    look.node.add(look.noon, fees=5, subsidy=312_500_000, difficulty="2000")
    assert look.look() == 1
    assert look.blocks() == [1, 2, 3, 4, 5]
    assert look.state() == (2000 * 10**18, 312_500_000, 5, 5)
    assert look.core.networks.get(look.coin).epoch == 2


def test_the_difficulty_is_that_of_the_next_block_where_the_node_tells(look, caplog):
    look.node.next_difficulty = 126271255279306.53
    look.look()
    assert look.state()[0] == 126271255279306_53 * 10**16
    # A test network's has more digits than are taken.
    look.node.next_difficulty = 4.656542373906925e-10
    look.node.add(look.noon)
    look.look()
    assert look.state()[0] == 465654237


def test_a_fork_takes_blocks_back(look, caplog):
    for number in range(1, 5):
        look.node.add(look.noon + number, fees=number)
    look.look()
    look.node.fork(2)
    for number in range(3):
        look.node.add(look.noon + 10 + number, fees=30 + number)
    # One takes two back, then each of the three.
    assert look.look() == 4
    assert look.blocks() == [1, 2, 30, 31, 32]
    look.node.fork(5)
    assert look.look() == 1
    assert look.blocks() == [] and look.state()[3] == 0
    # As deep as yesterday.
    look.node.fork(3)
    look.node.add(look.noon + 20, fees=7)
    assert look.look() == 1
    assert look.blocks() == [7]


def test_a_new_poller_goes_on_from_what_is_counted(look, caplog):
    for number in range(1, 4):
        look.node.add(look.noon + number, fees=number)
    look.look()
    look.restart()
    assert look.look() == 1
    assert look.blocks() == [1, 2, 3]
    look.node.add(look.noon + 10, fees=4)
    look.restart()
    assert look.look() == 1
    assert look.blocks() == [1, 2, 3, 4]
    look.node.fork(2)
    look.restart()
    assert look.look() == 1
    assert look.blocks() == [1, 2]


def test_a_new_day_begins_without_blocks(look, caplog):
    look.node.add(look.noon, fees=1)
    # A node's clock may be ahead: this one is tomorrow's.
    look.node.add(look.noon + DAY_S // 2 + 10, fees=2)
    look.look()
    assert look.blocks() == [1]
    for look.clock.now_s in (look.noon + DAY_S // 2 - 1, look.noon + DAY_S // 2 + 1):
        look.node.add(look.clock.now_s, fees=3)
        # So close to midnight nothing is told.
        assert look.look() == 0
    look.clock.now_s += 60
    assert look.look() == 2
    assert look.blocks(look.day() - 1) == [1] and look.blocks() == [2, 3]
    assert look.look() == 0
    look.clock.now_s += DAY_S
    # The day is another, the tip is not.
    assert look.look() == 1
    assert look.blocks() == [] and look.state()[3] == 0
    look.node.add(look.clock.now_s, fees=9)
    assert look.look() == 1
    assert look.blocks() == [9]


@pytest.mark.parametrize("look", ["stats", "coins", "fees"], indirect=True)
def test_what_a_block_brought_in_every_way_to_tell_it(look):
    look.node.add(look.noon, subsidy=625_000_000, fees=11_036_520)
    look.look()
    assert look.state()[1:] == (625_000_000, 11_036_520, 1)


@pytest.mark.parametrize("look", ["fees"], indirect=True)
def test_a_whole_number_in_a_block_is_one_of_coins(look):
    look.node.add(look.noon)
    look.node.after = {"getblock": lambda block: {
        "tx": [{"vout": [{"value": 7}]}, {"vout": [{"value": 5}], "fee": 1}]}}
    assert look.look() == 1
    assert look.state()[1:] == (600_000_000, 100_000_000, 1)
    look.node.add(look.noon + 1)
    for wrong in (-1, True, 2**63, "x", None):
        look.node.after = {"getblock": lambda block, wrong=wrong: {
            "tx": [{"vout": [{"value": 7}]}, {"vout": [{"value": 5}], "fee": wrong}]}}
        assert look.look() == 0, wrong


@pytest.mark.parametrize("look", ["sums"], indirect=True)
def test_a_sum_is_told_apart_by_the_subsidy_that_is_known(look, caplog):
    look.node.add(look.noon, fees=123)
    assert look.look() == 0
    assert "POST network" in told(caplog)[-1]
    look.floor.run(look.one.networked(look.coin))
    assert look.look() == 1
    assert look.state()[1:] == (625_000_000, 123, 1)


def cut(*params):
    raise Cut


def starting(*params):
    raise Refusal(-28, "Loading block index...")


def test_while_the_node_is_away_the_state_stays(look, caplog):
    look.node.add(look.noon, fees=1)
    look.look()
    state = look.state()
    look.node.add(look.noon, fees=2)
    for trouble in (cut, starting):
        for method in ("getblockchaininfo", "getblockheader", "getmininginfo"):
            look.node.before = {method: trouble}
            caplog.clear()
            for _ in range(3):
                assert look.look() == 0
            assert len(told(caplog)) == 1, method
            assert look.state() == state
    look.node.before = {}
    look.node.password = "another"
    assert look.look() == 0
    assert "does not accept" in told(caplog)[-1]
    assert PASSWORD not in caplog.text and USER not in caplog.text
    look.node.password = PASSWORD
    caplog.clear()
    assert look.look() == 1
    assert told(caplog) == [f"{look.name}: the node answers again"]
    assert look.blocks() == [1, 2]


def test_a_look_that_was_cut_off_is_made_good(look, caplog):
    for number in range(1, 6):
        look.node.add(look.noon + number, fees=number)
    asked = []

    def third(*params):
        asked.append(params)
        if len(asked) == 3:
            raise Cut
    look.node.before = {"getblockstats": third, "getblock": third}
    assert look.look() == 2
    assert look.blocks() == [1, 2]
    assert look.look() == 3
    assert look.blocks() == [1, 2, 3, 4, 5]


NO_ANSWERS = (
    ("getblockchaininfo", {"chain": "main", "initialblockdownload": False}),
    ("getblockchaininfo", {"chain": "regtest", "initialblockdownload": True}),
    ("getblockchaininfo", {"chain": "regtest", "initialblockdownload": False}),
    ("getblockchaininfo", []), ("getblockheader", {}), ("getblockheader", "x"),
    ("getblockheader", {"hash": "a", "time": "x", "mediantime": 1, "difficulty": 1}),
    ("getblockheader", {"hash": "a", "time": 1, "mediantime": -1, "difficulty": 1}),
    ("getblockheader", {"hash": "a", "time": 1, "mediantime": 1}),
    ("getmininginfo", {"next": {}}), ("getmininginfo", {"next": {"difficulty": "x"}}),
    ("getmininginfo", {"next": {"difficulty": 0}}),
    ("getmininginfo", {"next": {"difficulty": 1e30}}),
    ("getblockstats", {}), ("getblockstats", {"subsidy": -1, "totalfee": 0}),
    ("getblockstats", {"subsidy": 0, "totalfee": 0}), ("getblockstats", {"subsidy": 1}),
    ("getblockstats", {"subsidy": 2**63, "totalfee": 0}), ("getblockstats", "x"),
)


def test_an_answer_that_is_none_changes_nothing(look, caplog):
    for count, (method, answer) in enumerate(NO_ANSWERS, 1):
        look.node.after = {method: lambda result, answer=answer: answer}
        assert look.look() == 0, (method, answer)
        assert look.core.networks.get(look.coin) is None
        assert look.answers == {("networks", look.name, "not_now"): count}
    assert not any(record.exc_info for record in caplog.records), caplog.text
    look.node.after = {}
    assert look.look() == 1


def test_a_coin_that_is_not_listed_is_told_once(look, caplog):
    look.restart(coin="XYZ")
    for _ in range(2):
        assert look.look() == 0
    assert told(caplog) == ["XYZ: the network's state stays as it is: the coin is not listed"]


@pytest.mark.slow
def test_a_served_house_asks_its_nodes(tmp_path):
    node = ChainServer(int(time.time()) - DAY_S)
    node.add(int(time.time()), fees=7)
    door = PoolDoor(tmp_path / "house", networks=(Network(
        "BTC", node.url, USER, PASSWORD, chain="regtest", poll_seconds=1),))
    try:
        until(lambda: door.granted("GET", "network"))
        shown, = door.granted("GET", "network")
        assert (shown["coin"], shown["difficulty"], shown["fees_per_block"], shown["blocks"]) == (
            "BTC", "1500.25", "0.00000007", 1)
        page = door.request("GET", "/metrics").body.decode()
        assert 'orebook_network_looks_total{coin="BTC",outcome="ok"}' in page
    finally:
        door.close()
        node.close()
