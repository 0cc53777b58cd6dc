"""The small stores: what they find and drop, that a dump is all of them, what `check` notices."""

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.codes import CODE_LIFETIME_NS, Codes, Match
from ledger.credentials import Credential, Credentials
from ledger.deposits import Deposits, deposit_key
from ledger.digests import digest_of
from ledger.expiries import NS_PER_S, Expiries
from ledger.listings import Coins, Pairs
from ledger.nonces import Nonces
from ledger.sessions import SESSIONS_PER_USER_MAX, Session, Sessions


def reloaded(store):
    """The store once through a dump as bytes; its own dump must be the same."""
    dumped = msgpack.packb(store.dump())
    again = type(store).load(msgpack.unpackb(dumped))
    assert msgpack.packb(again.dump()) == dumped
    assert again.check() == []
    return again


def filled_coins():
    coins = Coins()
    coins.add("BTC", "Bitcoin", "chain", 8, 50)
    coins.add("ORE", "Ore", "mined", 4, 0)
    return coins


def filled_pairs():
    pairs = Pairs()
    pairs.add("BTC/ORE", 1, 2, 1, 2, 1, 1000, 2000, 1, 1, 10**6, 10)
    return pairs


def filled_sessions():
    sessions = Sessions()
    for uid, token in ((1, b"a"), (2, b"b"), (1, b"c")):
        sessions.create(token * 32, uid, 5, 10 * NS_PER_S)
    return sessions


def filled_codes():
    codes = Codes()
    codes.issue("Alice", b"d" * 32, 5)
    codes.issue("bob", b"e" * 32, 6)
    codes.count_wrong_try("ALICE")
    return codes


def filled_nonces():
    nonces = Nonces()
    nonces.use("c", "n", 5, 3 * NS_PER_S)
    nonces.use("c", "m", 5, 3 * NS_PER_S + 1)
    return nonces


def filled_credentials():
    credentials = Credentials()
    credentials.add(Credential("c-2", b"k", b"s", "account", 1))
    credentials.add(Credential("c-1", b"k", b"s", "operator", None))
    return credentials


def filled_deposits():
    deposits = Deposits()
    deposits.add(1, "t", 2)
    deposits.add(1, "u", 2)
    return deposits


FILLED = [filled_coins, filled_pairs, filled_sessions, filled_codes, filled_nonces,
          filled_credentials, filled_deposits]


@pytest.mark.parametrize("filled", FILLED)
def test_a_store_is_sound_and_its_dump_is_all_of_it(filled):
    store = filled()
    assert store.check() == []
    reloaded(store)
    empty = type(store)()
    assert empty.dump() != store.dump()
    reloaded(empty)


# -- listings -----------------------------------------------------------------------------------

def test_listings_are_found_by_number_and_exact_name():
    coins = reloaded(filled_coins())
    assert [coin.name for coin in coins] == ["BTC", "ORE"]
    assert coins.get(2) is coins.by_name("ORE") and coins.get(2).scale == 4
    for number in (0, 3, -1, 2**64):
        assert coins.get(number) is None
    assert coins.by_name("btc") is None
    with pytest.raises(ValueError):
        coins.add("BTC", "", "", 8, 0)
    with pytest.raises(ValueError):
        Coins.load([[2, "BTC", "Bitcoin", "chain", 8, 0]])


def test_check_notices_a_broken_listing():
    pairs = filled_pairs()
    pairs.get(1).number = 3
    assert "place 1" in pairs.check()[0]
    pairs = filled_pairs()
    pairs.get(1).name = "X/Y"
    assert "not found by its name" in pairs.check()[0]
    pairs = filled_pairs()
    pairs.get(1).quote = 1
    assert "both sides" in pairs.check()[0]
    coins = filled_coins()
    coins._by_name["XYZ"] = coins.get(1)
    assert "3 names" in coins.check()[0]


# -- sessions -----------------------------------------------------------------------------------

def test_sessions_are_found_until_they_expire_or_end():
    sessions = reloaded(filled_sessions())
    assert sessions.find(b"a" * 32, 10 * NS_PER_S - 1) == Session(1, 5, 10 * NS_PER_S)
    assert sessions.find(b"a" * 32, 10 * NS_PER_S) is None
    assert sessions.of_user(1) == [b"a" * 32, b"c" * 32]
    sessions.end(b"a" * 32)
    assert sessions.find(b"a" * 32, 5) is None and b"a" * 32 not in sessions
    with pytest.raises(KeyError):
        sessions.end(b"a" * 32)
    with pytest.raises(ValueError):
        sessions.create(b"b" * 32, 1, 6, 7)


def test_ending_all_keeps_one_and_touches_no_other_user():
    sessions = filled_sessions()
    sessions.end_all(1, keep=b"c" * 32)
    assert sessions.of_user(1) == [b"c" * 32] and sessions.of_user(2) == [b"b" * 32]
    sessions.end_all(1)
    assert sessions.of_user(1) == [] and sessions.check() == []


def test_expired_sessions_are_dropped_by_the_next_one():
    sessions = filled_sessions()
    sessions.create(b"d" * 32, 3, 11 * NS_PER_S, 12 * NS_PER_S)
    assert len(sessions) == 1 and sessions.check() == []


def test_check_notices_broken_sessions():
    sessions = filled_sessions()
    sessions._by_user[2] = {}
    faults = sessions.check()
    assert any("not among its user's" in fault for fault in faults)
    assert any("has 0 sessions" in fault for fault in faults)
    sessions = filled_sessions()
    sessions._expiries.take_due(20 * NS_PER_S)
    assert "by expiry" in sessions.check()[0]
    sessions = Sessions()
    for number in range(SESSIONS_PER_USER_MAX + 1):
        sessions._insert(bytes([number]) * 32, Session(1, 1, 2))
    assert "101 sessions" in sessions.check()[0]


# -- codes --------------------------------------------------------------------------------------

def test_codes_match_by_name_without_case_and_only_in_time():
    codes = reloaded(filled_codes())
    assert codes.match("ALICE", b"d" * 32, 7) is Match.RIGHT
    assert codes.match("alice", b"e" * 32, 7) is Match.WRONG
    assert codes.match("eve", b"d" * 32, 7) is Match.NONE
    assert codes.match("alice", b"d" * 32, 5 + CODE_LIFETIME_NS) is Match.NONE
    for _ in range(4):
        codes.count_wrong_try("alice")
    assert codes.match("alice", b"d" * 32, 7) is Match.DEAD
    codes.use("bob")
    assert codes.match("bob", b"e" * 32, 7) is Match.NONE


def test_codes_whose_time_is_up_are_dropped_by_the_next():
    codes = filled_codes()
    codes.issue("eve", b"f" * 32, CODE_LIFETIME_NS + NS_PER_S)
    assert len(codes) == 1 and codes.check() == []


def test_check_notices_broken_codes():
    codes = filled_codes()
    for _ in range(5):
        codes.count_wrong_try("alice")
    assert "6 wrong tries" in codes.check()[0]
    codes = filled_codes()
    codes._expiries.add("eve", 5)
    assert "3 by expiry" in codes.check()[0]


# -- nonces, credentials, deposits --------------------------------------------------------------

def test_nonces_are_used_until_they_expire():
    nonces = reloaded(filled_nonces())
    assert nonces.is_used("c", "n", 3 * NS_PER_S - 1)
    assert not nonces.is_used("c", "n", 3 * NS_PER_S)
    assert not nonces.is_used("d", "n", 5)
    nonces.use("c", "n", 3 * NS_PER_S, 9 * NS_PER_S)
    assert nonces.is_used("c", "n", 8 * NS_PER_S)
    assert len(nonces) == 2 and nonces.check() == []
    nonces.use("c", "x", 4 * NS_PER_S, 9 * NS_PER_S)
    assert len(nonces) == 2 and nonces.is_used("c", "n", 8 * NS_PER_S)


def test_a_nonce_used_again_within_its_last_second_is_not_dropped_with_the_first_use():
    nonces = Nonces()
    nonces.use("c", "n", 1, 500)
    nonces.use("c", "n", 600, 9 * NS_PER_S)
    assert len(nonces) == 1 and nonces.check() == []
    nonces.use("c", "m", 2 * NS_PER_S, 9 * NS_PER_S)
    assert nonces.is_used("c", "n", 8 * NS_PER_S) and nonces.check() == []


def test_a_client_id_and_a_nonce_do_not_run_into_each_other():
    nonces = Nonces()
    nonces.use("ab", "c", 1, 2)
    assert not nonces.is_used("a", "bc", 1)
    assert digest_of(b"ab", b"c") != digest_of(b"a", b"bc") != digest_of(b"abc")


def test_check_notices_broken_nonces():
    nonces = filled_nonces()
    nonces._insert(b"short", 5)
    assert "nonce" in nonces.check()[0]
    nonces = filled_nonces()
    nonces._expiries.take_due(9 * NS_PER_S)
    assert "0 by expiry" in nonces.check()[0]
    with pytest.raises(ValueError):
        Nonces.load([b"x" * 16, []])


def test_credentials_come_and_go():
    credentials = reloaded(filled_credentials())
    assert [credential.client_id for credential in credentials] == ["c-2", "c-1"]
    credentials.remove("c-2")
    assert credentials.get("c-2") is None and len(credentials) == 1
    with pytest.raises(KeyError):
        credentials.remove("c-2")
    with pytest.raises(ValueError):
        credentials.add(Credential("c-1", b"k", b"s", "operator", None))


def test_check_notices_broken_credentials_and_shows_no_secret():
    credentials = filled_credentials()
    credentials.add(Credential("c-3", b"secret", b"secret", "account", None))
    credentials.add(Credential("c-4", b"secret", b"secret", "root", 1))
    faults = credentials.check()
    assert len(faults) == 2 and "c-3" in faults[0] and "c-4" in faults[1]
    assert "secret" not in "".join(faults)


def test_deposits_are_known_by_coin_txid_and_user():
    deposits = reloaded(filled_deposits())
    assert deposits.is_credited(1, "t", 2)
    for other in ((2, "t", 2), (1, "T", 2), (1, "t", 1)):
        assert not deposits.is_credited(*other)
    deposits._credited[b"short"] = None
    assert deposits.check() == ["deposit " + b"short".hex()]
    with pytest.raises(ValueError):
        Deposits.load(b"x" * 17)


def test_keys_are_the_same_on_every_machine():
    # A dump holds them: a change of this number is a change of the format.
    assert deposit_key(1, "t", 2).hex() == "8dc4898bf6f79228afb3f22defeedd87"


# -- expiries -----------------------------------------------------------------------------------

@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5 * NS_PER_S),
                          st.sampled_from(["add", "remove", "take"]))))
def test_expiries_like_a_plain_dictionary(steps):
    expiries, plain = Expiries(), {}
    for key, ns, what in steps:
        if what == "add" and key not in plain:
            expiries.add(key, ns)
            plain[key] = ns
        elif what == "remove" and key in plain:
            expiries.remove(key, plain.pop(key))
        elif what == "take":
            due = {one for one, expires_ns in plain.items()
                   if -(-expires_ns // NS_PER_S) * NS_PER_S <= ns}
            taken = expiries.take_due(ns)
            assert set(taken) == due and len(taken) == len(due)
            plain = {one: expires_ns for one, expires_ns in plain.items() if one not in due}
        assert len(expiries) == len(plain)
