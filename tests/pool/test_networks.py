"""The chains that are mined: epochs, states by day, counted blocks, what is kept and forgotten."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool import networks as pool_networks
from pool.networks import NS_PER_DAY, Blocks, Network, Networks, State

BTC, BCH = 1, 2
DAY = 20_000
NOON_NS = DAY * NS_PER_DAY + NS_PER_DAY // 2
ONE = 10**18
NUMBER_MAX = 2**63 - 1


def setting(networks: Networks, ts_ns: int, difficulty: int = 5, subsidy: int = 50, fees: int = 0,
            blocks: int | None = None, coin: int = BTC) -> Network:
    """SET_NETWORK; the difficulty in whole ones."""
    assert networks.has_room(coin)
    return networks.set(coin, ts_ns, difficulty * ONE, subsidy, fees, blocks)


def healthy(networks: Networks) -> Networks:
    """Every invariant holds, and a dump loses nothing."""
    assert networks.check() == []
    again = Networks.load(networks.dump())
    assert (again.check(), again.dump(), again.digest()) == ([], networks.dump(), networks.digest())
    assert all(again.get(coin) == networks.get(coin) for coin in networks.coins())
    return networks


@pytest.fixture
def networks() -> Networks:
    networks = Networks()
    yield networks
    healthy(networks)


def test_a_coin_is_mined_from_its_first_state_on(networks):
    assert (BTC in networks, networks.get(BTC), len(networks), networks.coins()) == (
        False, None, 0, [])
    assert (networks.epochs(BTC), networks.states_of_day(BTC, DAY),
            networks.blocks_of_day(BTC, DAY), networks.has_room(BTC)) == ({}, [], [], True)
    network = setting(networks, NOON_NS, 5, 50, 7)
    assert network == Network(BTC, 5 * ONE, 50, 7, 1, NOON_NS, 0, DAY) == networks.get(BTC)
    setting(networks, NOON_NS, coin=BCH)
    assert (networks.coins(), BCH in networks) == ([BTC, BCH], True)


def test_coins_are_in_the_order_of_their_numbers(networks):
    setting(networks, NOON_NS, coin=BCH)
    setting(networks, NOON_NS, coin=BTC)
    assert networks.coins() == [BTC, BCH]


def test_an_epoch_is_a_time_of_one_difficulty_and_one_subsidy(networks):
    epochs = [setting(networks, NOON_NS + at, *state).epoch for at, state in enumerate(
        [(5, 50, 1), (5, 50, 1), (5, 50, 2), (6, 50, 2), (6, 25, 2), (6, 25, 3), (5, 50, 1)])]
    assert epochs == [1, 1, 1, 2, 3, 3, 4]
    assert networks.epochs(BTC) == {
        1: (5 * ONE, 50), 2: (6 * ONE, 50), 3: (6 * ONE, 25), 4: (5 * ONE, 50)}


def test_what_does_not_change_is_not_kept_again(networks):
    setting(networks, NOON_NS)
    before = networks.dump(), networks.digest()
    assert setting(networks, NOON_NS + 1).since_ns == NOON_NS
    assert (networks.dump(), networks.digest()) == before
    setting(networks, NOON_NS + 2, fees=1)
    assert networks.get(BTC).since_ns == NOON_NS + 2
    assert len(networks.states_of_day(BTC, DAY)) == 2


def test_a_state_that_was_never_in_force_is_not_kept_but_for_its_epoch(networks):
    setting(networks, NOON_NS, fees=1)
    setting(networks, NOON_NS, fees=2)
    assert networks.states_of_day(BTC, DAY) == [State(NOON_NS, 1, 5 * ONE, 50, 2)]
    # Shares may have come between two commands of one moment.
    setting(networks, NOON_NS, difficulty=6)
    setting(networks, NOON_NS, difficulty=5)
    assert [state.epoch for state in networks.states_of_day(BTC, DAY)] == [1, 2, 3]


def test_states_of_a_day_are_those_in_force_on_it(networks):
    start_ns, hour_ns = DAY * NS_PER_DAY, NS_PER_DAY // 24
    for at_ns, difficulty in ((-2 * NS_PER_DAY, 1), (-hour_ns, 2), (0, 3), (hour_ns, 4),
                              (NS_PER_DAY - 1, 5), (NS_PER_DAY, 6), (3 * NS_PER_DAY, 7)):
        setting(networks, start_ns + at_ns, difficulty)
    by_day = {day - DAY: [state.epoch for state in networks.states_of_day(BTC, day)]
              for day in range(DAY - 3, DAY + 5)}
    assert by_day == {-3: [], -2: [1], -1: [1, 2], 0: [3, 4, 5], 1: [6], 2: [6], 3: [7], 4: [7]}


def test_blocks_bear_the_fees_of_the_state_that_brought_them(networks):
    for at, (fees, total) in enumerate([(7, 3), (8, 4), (8, 6), (9, 6), (7, 7)]):
        assert setting(networks, NOON_NS + at, fees=fees, blocks=total).blocks_today == total
    assert networks.blocks_of_day(BTC, DAY) == [
        Blocks(3, 50, 7), Blocks(3, 50, 8), Blocks(1, 50, 7)]


def test_a_lower_number_takes_back_the_last_blocks(networks):
    setting(networks, NOON_NS, fees=7, blocks=3)
    setting(networks, NOON_NS + 1, fees=8, blocks=5)
    for total, blocks in ((4, [(3, 50, 7), (1, 50, 8)]), (3, [(3, 50, 7)]), (1, [(1, 50, 7)]),
                          (2, [(1, 50, 7), (1, 50, 9)]), (0, [])):
        assert setting(networks, NOON_NS + 2, fees=9, blocks=total).blocks_today == total
        assert networks.blocks_of_day(BTC, DAY) == [Blocks(*one) for one in blocks]
        healthy(networks)


def test_blocks_are_counted_for_each_day_anew(networks):
    setting(networks, NOON_NS, blocks=144)
    setting(networks, NOON_NS + 1, fees=1)
    assert networks.get(BTC)[-2:] == (144, DAY)
    assert setting(networks, NOON_NS + NS_PER_DAY, blocks=0)[-2:] == (144, DAY)
    assert setting(networks, NOON_NS + NS_PER_DAY, blocks=2)[-2:] == (2, DAY + 1)
    assert [networks.blocks_of_day(BTC, day) for day in (DAY - 1, DAY, DAY + 1)] == [
        [], [Blocks(144, 50, 0)], [Blocks(2, 50, 0)]]


def test_what_only_settled_days_needed_is_forgotten(networks):
    for day in range(5):
        setting(networks, NOON_NS + day * NS_PER_DAY, day + 1, blocks=day + 1)
    networks.forget(BTC, DAY + 1)
    assert networks.epochs(BTC) == {2: (2 * ONE, 50), 3: (3 * ONE, 50), 4: (4 * ONE, 50),
                                    5: (5 * ONE, 50)}
    assert [len(networks.blocks_of_day(BTC, DAY + day)) for day in range(5)] == [0, 0, 1, 1, 1]
    # The day after the last one forgotten is whole.
    assert [state.epoch for state in networks.states_of_day(BTC, DAY + 2)] == [2, 3]
    healthy(networks).forget(BTC, DAY + 1)
    healthy(networks).forget(BTC, DAY + 100)
    assert networks.get(BTC) == Network(BTC, 5 * ONE, 50, 0, 5, NOON_NS + 4 * NS_PER_DAY, 0,
                                        DAY + 4)


def test_the_first_moment_of_a_day_may_have_several_epochs(networks):
    """Commands of one moment come one after the other, with shares between them."""
    midnight_ns = (DAY + 1) * NS_PER_DAY
    for ts_ns, difficulty in ((NOON_NS - 1, 1), (NOON_NS, 2), (midnight_ns, 3), (midnight_ns, 4)):
        setting(networks, ts_ns, difficulty)
    networks.forget(BTC, DAY)
    assert sorted(networks.epochs(BTC)) == [2, 3, 4]
    networks.forget(BTC, DAY + 1)
    assert sorted(networks.epochs(BTC)) == [4]


def test_a_day_before_the_first_state_is_forgotten_without_loss(networks):
    setting(networks, NOON_NS, 1)
    setting(networks, NOON_NS + 1, 2)
    before = networks.dump()
    networks.forget(BTC, DAY - 5)
    networks.forget(BTC, DAY - 1)
    assert networks.dump() == before


def test_numbers_of_any_legal_size(networks):
    difficulty = 10**38 - 1
    networks.set(BTC, 0, difficulty, NUMBER_MAX, NUMBER_MAX, 1_000_000)
    networks.set(BTC, NUMBER_MAX, 1, 1, 0, 1)
    assert networks.epochs(BTC) == {1: (difficulty, NUMBER_MAX), 2: (1, 1)}
    assert networks.blocks_of_day(BTC, 0) == [Blocks(1_000_000, NUMBER_MAX, NUMBER_MAX)]


def test_room_is_bounded_and_comes_back_when_days_are_settled(networks, monkeypatch):
    monkeypatch.setattr(pool_networks, "ENTRIES_MAX", 3)
    for day in range(3):
        setting(networks, NOON_NS + day * NS_PER_DAY, day + 1)
    assert not networks.has_room(BTC) and networks.has_room(BCH)
    networks.forget(BTC, DAY + 1)
    assert networks.has_room(BTC)
    for fees in range(2):
        setting(networks, NOON_NS + 3 * NS_PER_DAY, 3, fees=fees, blocks=fees + 1)
    assert not networks.has_room(BTC)
    networks.forget(BTC, DAY + 3)
    assert networks.has_room(BTC)


@pytest.mark.parametrize("spoil, fault", [
    (lambda chain: chain.states.clear(), "0 states"),
    (lambda chain: chain.states.reverse(), "follows"),
    (lambda chain: chain.states.append(chain.states[-1]), "follows"),
    (lambda chain: chain.states.__setitem__(0, chain.states[0]._replace(epoch=2)), "follows"),
    (lambda chain: chain.states.__setitem__(1, chain.states[1]._replace(subsidy=0)),
     "out of range"),
    (lambda chain: chain.states.__setitem__(1, chain.states[1]._replace(difficulty=0)),
     "out of range"),
    (lambda chain: chain.states.__setitem__(1, chain.states[1]._replace(fees_per_block=8)),
     "running hash"),
    (lambda chain: chain.blocks[DAY].append(Blocks(0, 50, 0)), "has blocks"),
    (lambda chain: chain.blocks[DAY].append(chain.blocks[DAY][-1]), "alike"),
    (lambda chain: chain.blocks.__setitem__(DAY - 1, [Blocks(1, 1, 1)]), "blocks of the days"),
    (lambda chain: chain.blocks.__delitem__(DAY), "are counted"),
    (lambda chain: chain.blocks[DAY].reverse(), "running hash"),
])
def test_check_names_what_is_wrong(spoil, fault):
    networks = Networks()
    setting(networks, NOON_NS, blocks=2)
    setting(networks, NOON_NS + 1, 6, fees=1, blocks=3)
    chain = healthy(networks)._chains[BTC]
    spoil(chain)
    assert any(fault in one for one in networks.check())


@pytest.mark.parametrize("dumped", [
    [[BTC, [], []]], [[BTC, [[1, 1, "1", 1, 0]], []]] * 2, [[BTC, [[1, 1, "x", 1, 0]], []]]])
def test_what_no_dump_gave_is_refused(dumped):
    with pytest.raises(ValueError):
        Networks.load(dumped)


changes = st.lists(st.tuples(
    st.sampled_from([0, 1, NS_PER_DAY // 3, NS_PER_DAY, 40 * NS_PER_DAY]), st.integers(1, 2),
    st.integers(1, 2), st.integers(0, 2), st.sampled_from([None, 0, 1, 2, 5])), max_size=30)


@settings(max_examples=100, deadline=None)
@given(changes=changes, forgotten=st.integers(0, 30))
def test_days_are_the_same_however_much_is_forgotten_before_them(changes, forgotten):
    """Beside a list of all blocks, and of all states."""
    networks, ts_ns, states, blocks = Networks(), NOON_NS, [], {}
    for pause_ns, difficulty, subsidy, fees, total in changes:
        ts_ns += pause_ns
        setting(networks, ts_ns, difficulty, subsidy, fees, total)
        states.append((ts_ns, difficulty * ONE, subsidy, fees))
        if total is not None:
            its = blocks.setdefault(ts_ns // NS_PER_DAY, [])
            its[:] = its[:total] + [(subsidy, fees)] * (total - len(its))
    if changes:
        networks.forget(BTC, DAY + forgotten)
    healthy(networks)
    for day in range(DAY + forgotten + 1, ts_ns // NS_PER_DAY + 1):
        assert [tuple(one[1:]) for one in networks.blocks_of_day(BTC, day)
                for _ in range(one.count)] == blocks.get(day, [])
        # At any moment of it, the last state that had begun is in force.
        for moment_ns in (day * NS_PER_DAY, (day + 1) * NS_PER_DAY - 1):
            found = [tuple(state[2:]) for state in networks.states_of_day(BTC, day)
                     if state.start_ns <= moment_ns][-1:]
            assert found == [state[1:] for state in states if state[0] <= moment_ns][-1:]
