"""Miners against the plain twin that settles nothing, and what each refusal and limit does."""

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool.ore import Miners
from pool.views import Miner, Settings
from pool.wallet_addresses import address_of
from tests.pool.plain_miners import PlainMiners

AMOUNT_MAX = 2**63 - 1
NS_PER_S = 10**9
START_NS = 1_700_000_000 * NS_PER_S
COIN = 3
FIRST = Settings(COIN, 10**9, 7, 10, 100)     # a unit for one force and second
HEAD_BYTES, ROW_BYTES = 40, 56
# Where a field lies in a row, and how it is packed.
FIELDS = {"force": (0, "<q"), "opened_ns": (8, "<q"), "settled_ns": (16, "<q"),
          "accrued": (24, "<q"), "carry": (32, "<Q"), "claimed": (40, "<q"), "user": (48, "<I")}


def opened(*uids: int, holds: Settings = FIRST) -> Miners:
    miners = Miners()
    miners.set_settings(holds, START_NS)
    for uid in uids:
        miners.open(uid, START_NS)
    return miners


def spoiled(miners: Miners, number: int, **fields: int) -> bytes:
    """A dump in which fields of one miner have other values."""
    dumped = bytearray(miners.dump())
    for name, value in fields.items():
        place, form = FIELDS[name]
        struct.pack_into(form, dumped, HEAD_BYTES + (number - 1) * ROW_BYTES + place, value)
    return bytes(dumped)


# -- everything at random --------------------------------------------------------------------------

gaps_ns = st.one_of(st.just(0), st.integers(0, 100), st.integers(0, 10 * NS_PER_S),
                    st.integers(0, 10**17))
factors = st.one_of(st.integers(0, 5), st.integers(0, 10**12), st.integers(0, AMOUNT_MAX),
                    st.sampled_from([1, 10**9, 10**18 - 1, 10**18, AMOUNT_MAX]))
uids = st.integers(1, 6)
steps = st.one_of(
    st.tuples(st.just("open"), uids),
    st.tuples(st.just("set_force"), uids, factors),
    st.tuples(st.just("claim"), uids, st.integers(0, 1000)),      # thousandths of what there is
    st.tuples(st.just("sign_in"), uids, st.integers(1, 3)),       # days later
    st.tuples(st.just("set_settings"), factors),
    st.tuples(st.just("reload")),
)


def step_both(miners: Miners, twin: PlainMiners, step: tuple, ts_ns: int) -> Miners:
    """Do one step where it is possible; the miners after it."""
    kind, *args = step
    if kind == "reload":
        again = Miners.load(miners.dump())
        assert again.dump() == miners.dump()
        return again
    if kind == "set_settings":
        changed = FIRST._replace(rate=args[0], initial_force=args[0] % 1000)
        miners.set_settings(changed, ts_ns)
        twin.set_settings(changed, ts_ns)
        return miners
    uid, known = args[0], twin.find(args[0])
    if kind == "open":
        if known is None:
            assert miners.open(uid, ts_ns) == twin.open(uid, ts_ns)
    elif known is not None:
        if kind == "claim":
            amount = twin.claimable(uid, ts_ns) * args[1] // 1000
            args = [min(amount, AMOUNT_MAX - known.claimed), ts_ns]
        elif kind == "sign_in":
            args = [(known.signed_day or 0) + args[1]]
        else:
            args = [args[1], ts_ns]
        getattr(miners, kind)(uid, *args)
        getattr(twin, kind)(uid, *args)
    return miners


@settings(max_examples=300, deadline=None)
@given(plan=st.lists(st.tuples(gaps_ns, steps), max_size=30), later_ns=gaps_ns)
def test_miners_agree_with_the_plain_twin(plan, later_ns):
    miners, twin, ts_ns = opened(), PlainMiners(), START_NS
    twin.set_settings(FIRST, START_NS)
    for gap_ns, step in plan:
        ts_ns += gap_ns
        miners = step_both(miners, twin, step, ts_ns)
        assert miners.check() == []
        assert miners.settings == twin.settings and len(miners) == len(twin.miners)
        for count in (0, 1, 3, 10):
            assert miners.rank(count) == twin.rank(count)
        for view in twin.views():
            assert miners.of_user(view.uid) == miners.get(view.number) == view
            assert miners.by_address(view.address) == view
            for at_ns in (ts_ns, ts_ns + later_ns):
                assert miners.claimable(view.uid, at_ns) == twin.claimable(view.uid, at_ns)


@settings(max_examples=200, deadline=None)
@given(force=factors, rate=factors, gaps=st.lists(gaps_ns, min_size=1, max_size=20),
       chance=st.randoms(use_true_random=False))
def test_how_often_it_is_settled_makes_no_difference(force, rate, gaps, chance):
    seldom, often = (opened(1, holds=FIRST._replace(rate=rate, initial_force=force))
                     for _ in range(2))
    ts_ns = START_NS
    for gap_ns in gaps:
        ts_ns += gap_ns
        chance.choice((lambda: often.claim(1, 0, ts_ns), lambda: often.set_force(1, force, ts_ns),
                       lambda: often.claimable(1, ts_ns)))()
    for miners in (seldom, often):
        miners.claim(1, 0, ts_ns)
    assert often.dump() == seldom.dump()


@settings(max_examples=50, deadline=None)
@given(amounts=st.lists(st.integers(1, 50), min_size=1, max_size=50),
       gap_ns=st.integers(NS_PER_S, 3 * NS_PER_S), force=st.integers(50, 120),
       rate=st.integers(10**9, 3 * 10**9))
def test_many_claims_leave_what_one_claim_leaves(amounts, gap_ns, force, rate):
    many, one = (opened(1, holds=FIRST._replace(rate=rate, initial_force=force))
                 for _ in range(2))
    ts_ns = START_NS
    for amount in amounts:
        ts_ns += gap_ns
        many.claim(1, amount, ts_ns)
    one.claim(1, sum(amounts), ts_ns)
    assert many.dump() == one.dump()


def test_a_thousand_claims_of_one_are_a_claim_of_a_thousand():
    many, one = opened(1), opened(1)
    step_ns = NS_PER_S // 100 + 1       # a little over a unit
    for claim in range(1, 1_001):
        many.claim(1, 1, START_NS + claim * step_ns)
    one.claim(1, 1_000, START_NS + 1_000 * step_ns)
    assert many.dump() == one.dump()
    assert many.of_user(1).claimed == 1_000


# -- what accrues ----------------------------------------------------------------------------------

def test_a_unit_is_there_when_it_is_whole():
    miners = opened(1, holds=FIRST._replace(rate=1, initial_force=1))
    assert miners.claimable(1, START_NS + 10**18 - 1) == 0
    assert miners.claimable(1, START_NS + 10**18) == 1
    miners.claim(1, 0, START_NS + 10**18 - 1)
    assert miners.claimable(1, START_NS + 10**18) == 1


def test_a_change_of_force_or_rate_counts_from_then_on():
    miners = opened(1)
    miners.set_force(1, 300, START_NS + 2 * NS_PER_S)
    assert miners.claimable(1, START_NS + 3 * NS_PER_S) == 2 * 100 + 300
    miners.set_settings(FIRST._replace(rate=10**10), START_NS + 3 * NS_PER_S)
    assert miners.claimable(1, START_NS + 3 * NS_PER_S) == 500
    miners.set_settings(FIRST._replace(rate=0), START_NS + 4 * NS_PER_S)
    assert miners.claimable(1, AMOUNT_MAX) == 500 + 3_000


def test_what_has_accrued_stops_at_all_64_bits():
    miners = opened(1, holds=FIRST._replace(rate=AMOUNT_MAX, initial_force=AMOUNT_MAX))
    assert miners.claimable(1, START_NS) == 0
    for at_ns in (START_NS + NS_PER_S, AMOUNT_MAX):
        assert miners.claimable(1, at_ns) == AMOUNT_MAX
    miners.claim(1, AMOUNT_MAX - 5, START_NS + NS_PER_S)
    assert miners.claimable(1, START_NS + NS_PER_S) == 5
    miners.set_settings(FIRST._replace(rate=0), START_NS + NS_PER_S)
    assert miners.claimable(1, AMOUNT_MAX) == 5


def test_at_the_limit_nothing_is_carried_however_it_was_come_to():
    holds = FIRST._replace(rate=10**18 - 1, initial_force=AMOUNT_MAX // 2)
    often, seldom = opened(1, holds=holds), opened(1, holds=holds)
    often.claim(1, 0, START_NS + 1)        # below the limit, with a carry
    for miners in (often, seldom):
        miners.claim(1, 0, START_NS + 3)
        assert miners.check() == []
    assert often.dump() == seldom.dump()


@pytest.mark.parametrize("short", [0, 1, 2])
def test_the_last_units_before_the_limit_accrue(short):
    miners = opened(1, holds=FIRST._replace(rate=10**18, initial_force=AMOUNT_MAX - short))
    assert miners.claimable(1, START_NS + 1) == AMOUNT_MAX - short
    assert miners.claimable(1, START_NS + 2) == AMOUNT_MAX


def test_a_moment_before_the_last_settlement_counts_as_that():
    miners = opened(1)
    miners.set_force(1, 5, START_NS + NS_PER_S)
    for at_ns in (START_NS + NS_PER_S, START_NS, 0, -AMOUNT_MAX):
        assert miners.claimable(1, at_ns) == 100


def test_reading_changes_nothing():
    miners = opened(1, 2)
    dumped = miners.dump()
    assert miners.claimable(1, AMOUNT_MAX) > 0
    assert len(miners.rank(5)) == 2
    assert miners.dump() == dumped


# -- rank ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("forces", [3, 1000, AMOUNT_MAX])
def test_a_long_rank_is_sorted_whatever_rises_and_falls(forces):
    chance, count = random.Random(forces), 3_000
    miners = opened(*range(1, count + 1))
    force = dict.fromkeys(range(1, count + 1), 100)
    for step in range(6_000):
        uid = chance.randint(1, count)
        force[uid] = chance.randrange(forces)
        miners.set_force(uid, force[uid], START_NS)
        if step % 1_000 == 999:
            miners = chance.choice((miners, Miners.load(miners.dump())))
            expected = sorted(force, key=lambda uid: (-force[uid], uid))
            for length in (1, 10, 100, count + 1):
                assert [view.uid for view in miners.rank(length)] == expected[:length]
    assert miners.check() == []


def test_of_two_equals_the_older_miner_is_first():
    miners = opened(9, 5, 7)
    miners.set_force(7, 101, START_NS)
    assert [view.uid for view in miners.rank(3)] == [7, 9, 5]
    miners.set_force(9, 101, START_NS)
    assert [view.uid for view in miners.rank(3)] == [9, 7, 5]
    miners.set_force(9, 99, START_NS)
    assert [view.uid for view in miners.rank(2)] == [7, 5]
    assert miners.rank(0) == miners.rank(-1) == []


# -- who and what ----------------------------------------------------------------------------------

def test_a_miner_in_full():
    miners = opened(8, 9)
    miners.sign_in(9, 19_675)
    miners.set_force(9, 110, START_NS + NS_PER_S)
    miners.claim(9, 40, START_NS + NS_PER_S)
    assert miners.get(2) == Miner(2, 9, 110, START_NS, 40, 19_675, address_of(2))
    assert miners.get(1) == Miner(1, 8, 100, START_NS, 0, None, address_of(1))
    assert miners.settings == FIRST and len(miners) == 2


@pytest.mark.parametrize("number", [-1, 0, 2, 2**32, 2**64])
def test_who_is_not_there_is_none(number):
    miners = opened(1)
    assert miners.get(number) is None
    assert miners.of_user(number) is None and number not in miners
    assert miners.by_address(address_of(2)) is None
    assert miners.by_address(address_of(0)) is None
    assert miners.by_address("nonsense") is None


def test_nobody_is_there_at_first():
    miners = Miners()
    assert (miners.settings, len(miners), miners.rank(10), miners.check()) == (None, 0, [], [])
    assert Miners.load(miners.dump()).dump() == miners.dump()


def test_users_of_any_number_may_mine():
    miners = opened(1, 255, 256, 257, 100_000)
    for each in (miners, Miners.load(miners.dump())):
        assert [each.of_user(uid).number for uid in (1, 255, 256, 257, 100_000)] == [1, 2, 3, 4, 5]
        assert each.of_user(99_999) is None and each.check() == []


@pytest.mark.parametrize("kind, args, error", [
    ("open", (1, START_NS + 9), ValueError),                     # it has one
    ("open", (0, START_NS + 9), ValueError),
    ("open", (2, START_NS + 8), ValueError),                     # time goes back
    ("set_force", (1, 5, START_NS + 8), ValueError),
    ("set_force", (1, -1, START_NS + 9), ValueError),
    ("set_force", (1, 2**63, START_NS + 9), OverflowError),
    ("set_force", (2, 5, START_NS + 9), IndexError),
    ("claim", (1, 901, START_NS + NS_PER_S * 9), ValueError),    # more than it has yielded
    ("claim", (1, -1, START_NS + 9), ValueError),
    ("claim", (1, 0, START_NS + 8), ValueError),
    ("claim", (2, 0, START_NS + 9), IndexError),
    ("claimable", (2, START_NS), IndexError),
    ("claimable", (2**32 - 1, START_NS), IndexError),
    ("sign_in", (1, 5), ValueError),                             # this day
    ("sign_in", (1, 4), ValueError),
    ("sign_in", (2, 6), IndexError),
    ("set_settings", (FIRST._replace(coin=4), START_NS + 9), ValueError),
    ("set_settings", (FIRST._replace(coin=0), START_NS + 9), ValueError),
    ("set_settings", (FIRST._replace(rate=-1), START_NS + 9), ValueError),
    ("set_settings", (FIRST._replace(rate=2**63), START_NS + 9), OverflowError),
    ("set_settings", (FIRST._replace(force_price=0), START_NS + 9), ValueError),
    ("set_settings", (FIRST._replace(sign_in_force=2**63), START_NS + 9), ValueError),
    ("set_settings", (FIRST._replace(initial_force=-1), START_NS + 9), ValueError),
    ("set_settings", (FIRST._replace(rate=5), START_NS + 8), ValueError),
])
def test_what_cannot_be_done_changes_nothing(kind, args, error):
    miners = opened(1)
    miners.claim(1, 0, START_NS + 9)
    miners.sign_in(1, 5)
    dumped = miners.dump()
    with pytest.raises(error):
        getattr(miners, kind)(*args)
    assert miners.dump() == dumped and miners.check() == []


def test_what_all_have_claimed_is_added_up():
    miners = opened(7, 8, 9)
    later_ns = START_NS + 60 * NS_PER_S
    for uid, amount in ((7, 6_000), (9, 1), (9, 5)):
        miners.claim(uid, amount, later_ns)
    assert (miners.all_claimed(), Miners().all_claimed()) == (6_006, 0)


def test_claims_beyond_all_64_bits_are_refused():
    miners = Miners.load(spoiled(opened(1), 1, claimed=AMOUNT_MAX - 5, accrued=10))
    with pytest.raises(ValueError):
        miners.claim(1, 6, START_NS)
    miners.claim(1, 5, START_NS)
    assert miners.of_user(1).claimed == AMOUNT_MAX


def test_nobody_mines_without_settings():
    with pytest.raises(ValueError):
        Miners().open(1, START_NS)


# -- dumps -----------------------------------------------------------------------------------------

def test_a_dump_of_another_length_is_refused():
    dumped = opened(1, 2).dump()
    assert len(dumped) == HEAD_BYTES + 2 * ROW_BYTES
    for length in range(len(dumped)):
        with pytest.raises(ValueError):
            Miners.load(dumped[:length])
    with pytest.raises(ValueError):
        Miners.load(dumped + b"\0")


@pytest.mark.parametrize("user", [0, 1])
def test_two_miners_of_a_user_are_refused(user):
    with pytest.raises(ValueError):
        Miners.load(spoiled(opened(1, 2), 2, user=user))


@pytest.mark.parametrize("fields", [
    {"force": -1}, {"accrued": -1}, {"claimed": -1}, {"carry": 10**18}, {"opened_ns": -1},
    {"accrued": AMOUNT_MAX, "carry": 1}, {"opened_ns": START_NS + 1},
])
def test_the_check_finds_what_cannot_be(fields):
    faults = Miners.load(spoiled(opened(1, 2, 3), 2, **fields)).check()
    assert len(faults) == 1 and faults[0].startswith("miner 2")


def test_the_check_finds_settings_that_cannot_be():
    dumped = opened(1).dump()
    for place, value in ((0, 0), (8, -1), (16, 0), (16, -1), (24, -1), (32, -1)):
        wrong = bytearray(dumped)
        struct.pack_into("<q" if place else "<I", wrong, place, value)
        assert len(Miners.load(bytes(wrong)).check()) == 1


def test_the_largest_carry_and_the_limit_are_no_faults():
    for fields in ({"carry": 10**18 - 1}, {"accrued": AMOUNT_MAX}, {"force": 0}):
        assert Miners.load(spoiled(opened(1, 2), 2, **fields)).check() == []
