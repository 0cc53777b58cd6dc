"""What a real node knows of its chain: litecoind on a chain of its own. Skipped where it is not
installed."""

import time
from collections import Counter
from decimal import Decimal

import pytest

from api.config import Network
from api.mining.network_poller import poller_of
from engine import Kind
from tests.api.mining_house import Floor
from tests.api.payout_desk import short_session
from tests.api.test_payouts_litecoind import Litecoind
from tests.api.test_payouts_litecoind import pytestmark as installed

pytestmark = installed
COIN = 10**8


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = Litecoind(tmp_path_factory.mktemp("litecoind"))
    yield node
    node.stop()


@pytest.fixture(scope="module")
def poller(node, tmp_path_factory):
    """Looks at the node; `floor` is its house."""
    floor = Floor(tmp_path_factory.mktemp("house") / "house", time.time())
    floor.run(floor.one.do(Kind.ADD_COIN, name="LTC", title="Litecoin", type="coin", scale=8))

    async def session():
        return short_session()
    opened = floor.run(session())
    poller = poller_of(floor.one.house, Network(
        "LTC", node.url, cookie_file=str(node.cookie), chain="regtest"), opened, Counter(),
        floor.clock)
    poller.floor = floor
    yield poller
    floor.run(opened.close())
    floor.close()


def looked(poller):
    """The state after a look, and the day's blocks, one by one."""
    floor = poller.floor
    floor.clock.now_s = time.time()
    floor.run(poller.look())
    state = floor.one.core.networks.get(1)
    counted = floor.one.core.networks.blocks_of_day(1, state.day)
    return state, [(blocks.subsidy, blocks.fees_per_block)
                   for blocks in counted for _ in range(blocks.count)]


def of_node(node):
    """What the node says of each block of its chain."""
    stats = [node.call("getblockstats", height, ["subsidy", "totalfee", "time"])
             for height in range(1, node.call("getblockcount") + 1)]
    today = int(time.time()) // 86_400
    return [(one["subsidy"], one["totalfee"]) for one in stats if one["time"] // 86_400 == today]


def test_blocks_fees_and_difficulty_are_those_of_the_node(node, poller):
    state, blocks = looked(poller)
    assert blocks == of_node(node) and state.blocks_today == len(blocks) >= 100
    assert state.subsidy == 50 * COIN
    said = Decimal(node.call("getdifficulty"))
    assert abs(Decimal(state.difficulty) / 10**18 - said) <= Decimal("0.5e-18")
    paid = node.call("sendtoaddress", node.home, 1)
    node.call("sendrawtransaction", node.call("gettransaction", paid)["hex"])
    node.mine()
    state, blocks = looked(poller)
    assert blocks == of_node(node) and state.fees_per_block > 0
    assert state.fees_per_block == -int(node.call("gettransaction", paid)["fee"] * COIN)


def test_a_real_fork_takes_blocks_back(node, poller):
    node.mine(2)
    _, before = looked(poller)
    node.call("invalidateblock", node.call("getblockhash", node.call("getblockcount") - 1))
    _, fewer = looked(poller)
    assert len(fewer) == len(before) - 2 and fewer == of_node(node)
    node.call("generatetoaddress", 3, node.call("getnewaddress"))
    _, after = looked(poller)
    assert len(after) == len(before) + 1 and after == of_node(node)


def test_a_node_that_is_started_anew_is_found_again(node, poller):
    before, _ = looked(poller)
    node.stop()
    gone, _ = looked(poller)
    assert gone == before
    node.start()
    node.mine()
    state, blocks = looked(poller)
    assert state.blocks_today == before.blocks_today + 1 and blocks == of_node(node)
