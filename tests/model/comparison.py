"""Core against model: the same commands in, everything that can be read compared.

`apply_both` compares what a batch answers, `compare_state` all that can be read afterwards; both
raise Disagreement, with both sides' version in its text.
"""

from dataclasses import astuple

import numpy as np

from engine.codes import HouseAccount
from engine.commands import RESULT_DTYPE
from engine.events import EVENT_DTYPE
from tests.model import bars, cold_users
from tests.model.cold_balances import OTHERS, OWN
from tests.model.commands import encode_batch
from tests.model.compare_settlement import compare_settlement
from tests.model.compare_shares import compare_shares
from tests.model.exchange import Model

DEPTH_LEVELS = 1_000
LAST_TRADES = 1_000
VIEW_FIELDS = ("order_id", "uid", "pair", "side", "type", "tif", "flags", "status", "price", "qty",
               "remaining", "stop_price", "quote_amount", "client_id")
USER_FIELDS = ("username", "source", "group", "email", "phone", "permissions", "profile",
               "identity", "pay_password_hash")
ACCOUNT_FIELDS = ("name", "master", "theory_speed", "description", "worker_count", "fee_type",
                  "fee", "commission", "bch_pps_fee", "bch_commission", "refer", "coin_to_money",
                  "locked")


class Disagreement(AssertionError):
    """Core and model differ."""


def require_equal(what: str, core_side, model_side) -> None:
    if core_side != model_side:
        raise Disagreement(f"{what}\n  core:  {core_side}\n  model: {model_side}")


def apply_both(core, model: Model, batch: list, ts_ns: int):
    """Apply a batch at the next sequence numbers to both; the model's outcome, if the core agrees.

    Raises Disagreement with the index of the first command that was answered differently.
    """
    first_seq = model.seq + 1
    given = core.apply(encode_batch(batch), first_seq, ts_ns)
    wanted = model.apply(batch, first_seq, ts_ns)
    results = np.frombuffer(given.results, dtype=RESULT_DTYPE).tolist()
    events = np.frombuffer(given.events, dtype=EVENT_DTYPE).tolist()
    if results != wanted.results:
        require_equal("number of results", len(results), len(wanted.results))
        index = next(i for i in range(len(results)) if results[i] != wanted.results[i])
        require_equal(f"result of command {first_seq + index}, {batch[index]}, in the order"
                      f" {RESULT_DTYPE.names}", results[index], wanted.results[index])
    if events != wanted.events:
        require_equal(f"events in the order {EVENT_DTYPE.names}",
                      *first_difference(events, wanted.events))
    require_equal(f"values of {batch}", given.values, wanted.values)
    return wanted


def first_difference(left: list, right: list) -> tuple[list, list]:
    """Both lists from a little before the place where they part."""
    same = 0
    while same < min(len(left), len(right)) and left[same] == right[same]:
        same += 1
    return left[max(0, same - 2):same + 4], right[max(0, same - 2):same + 4]


def view_fields(view) -> tuple:
    return tuple(getattr(view, name) for name in VIEW_FIELDS)


def compare_state(core, model: Model) -> None:
    """Every balance, house account, depth, open order, user and miner; but first both sides' own
    invariants."""
    model.check()
    core.check()
    require_equal("seq and time", (core.seq, core.ts_ns), (model.seq, model.ts_ns))
    for coin in model.coins:
        require_equal(f"trial balance of coin {coin}", core.accounts.trial_balance(coin), 0)
        for account in HouseAccount.__members__.values():
            require_equal(f"{account!r} of coin {coin}", core.house(account, coin),
                          model.house(account, coin))
        for uid in model.users:
            require_equal(f"balance of user {uid}, coin {coin}", core.balance(uid, coin),
                          model.balance(uid, coin))
            require_equal(f"freezes of user {uid}, coin {coin}", tuple(core.freezes.get(uid, coin)),
                          (model.freezes[uid, coin, OWN], model.freezes[uid, coin, OTHERS]))
    for number in model.pairs:
        bids, asks = core.depth(number, DEPTH_LEVELS)
        require_equal(f"depth of pair {number}", ([*map(tuple, bids)], [*map(tuple, asks)]),
                      model.depth(number, DEPTH_LEVELS))
        require_equal(f"status of pair {number}", core.pairs.get(number).status,
                      model.pairs[number].status)
    for uid in model.users:
        compare_orders(core, model, uid)
        compare_user(core, model, uid)
    compare_mining(core, model)
    compare_accounts(core, model)
    compare_shares(core, model, require_equal)
    compare_settlement(core, model, require_equal)


def compare_user(core, model: Model, uid: int) -> None:
    """Fields, devices, sessions, tries."""
    given, wanted = core.users.get(uid), model.users[uid]
    for name in USER_FIELDS:
        require_equal(f"{name} of user {uid}", getattr(given, name), getattr(wanted, name))
    require_equal(f"devices of user {uid}", [tuple(device) for device in given.devices],
                  [(device_id, *texts) for device_id, texts in wanted.devices.items()])
    require_equal(f"addresses of user {uid}", dict(given.withdraw_addresses), wanted.addresses)
    require_equal(f"sessions of user {uid}", core.sessions.of_user(uid), list(wanted.sessions))
    require_equal(f"pay tries of user {uid}", core.pay_tries.count(uid, model.ts_ns),
                  len(cold_users.pay_tries(wanted, model.ts_ns)))


def compare_accounts(core, model: Model) -> None:
    """Sub-accounts, by number, name and master; observers; who is found by phone and mail."""
    require_equal("numbers of sub-accounts", [account.number for account in core.sub_accounts],
                  list(model.accounts))
    for number, account in model.accounts.items():
        given = core.sub_accounts.get(number)
        for name in ACCOUNT_FIELDS:
            require_equal(f"{name} of sub-account {number}", getattr(given, name),
                          getattr(account, name))
        require_equal(f"coins of sub-account {number}",
                      {coin: rest for coin, *rest in given.coin_harvests},
                      {coin: list(rest) for coin, rest in account.coin_harvests.items()})
        require_equal(f"bank of sub-account {number}",
                      given.money_harvest and tuple(given.money_harvest), account.money_harvest)
        require_equal(f"groups of sub-account {number}", list(map(tuple, given.groups)),
                      list(account.groups.items()))
        require_equal(f"sub-account {account.name}",
                      core.users.sub_account(account.name.upper()).uid, number)
    for uid in model.users:
        require_equal(f"sub-accounts of user {uid}", list(core.sub_accounts.of_master(uid)), [
            account.number for account in model.accounts.values() if account.master == uid])
        require_equal(f"links of sub-account {uid}",
                      [tuple(link) for link in core.observers.of_account(uid)],
                      [(link_id, *astuple(link)) for link_id, link in model.observers.items()
                       if link.account == uid])
    for link_id, link in model.observers.items():
        require_equal(f"token of link {link_id}", core.observers.by_token(link.token).id, link_id)
    require_equal("number of links", len(core.observers), len(model.observers))
    for what, text, _ in set(model.contacts):
        find = core.contacts.by_phone if what == "phone" else core.contacts.by_email
        require_equal(f"users of {what} {text}", find(core.users, text),
                      [uid for *entry, uid in model.contacts if entry == [what, text]])


def compare_mining(core, model: Model) -> None:
    """Settings, wallets, miners, what they have ready, their rank."""
    require_equal("settings of mining", core.miners.settings and tuple(core.miners.settings),
                  model.mining and astuple(model.mining))
    require_equal("number of miners", len(core.miners), len(model.miners))
    for number, miner in model.miners.items():
        given = core.miners.get(number)
        require_equal(f"miner {number}", given[:6], (
            number, miner.uid, miner.force, miner.opened_ns, miner.claimed, miner.signed_day))
        require_equal(f"miner of user {miner.uid}", core.miners.of_user(miner.uid), given)
        require_equal(f"wallet {given.address}", core.miners.by_address(given.address), given)
        require_equal(f"ore ready at miner {number}", core.miners.claimable(
            miner.uid, model.ts_ns), miner.ready(model.ts_ns))
    for uid in model.users if model.mining is not None else ():
        require_equal(f"wallet of user {uid}", core.accounts.wallet(uid, model.mining.coin),
                      model.money.wallets[uid])
    strongest = sorted(model.miners.values(), key=lambda miner: (-miner.force, miner.number))
    for count in (1, 3, 10):
        require_equal(f"rank of {count}", [miner.number for miner in core.miners.rank(count)],
                      [miner.number for miner in strongest[:count]])


def compare_orders(core, model: Model, uid: int) -> None:
    wanted = model.open_orders(uid)
    require_equal(f"open orders of user {uid}",
                  [view_fields(view) for view in core.open_orders(uid)], wanted)
    for view in wanted[:5]:
        order_id, pair, client_id = view[0], view[2], view[13]
        require_equal(f"order {order_id}", view_fields(core.order(order_id)), view)
        require_equal(f"open orders of user {uid}, pair {pair}",
                      [v.order_id for v in core.open_orders(uid, pair)],
                      [v[0] for v in model.open_orders(uid, pair)])
        if client_id is not None:
            require_client_order(core, model, uid, client_id)
    user = model.users[uid]
    closed = list(user.closed_client_ids)
    for client_id in closed[:2] + closed[-2:]:
        require_client_order(core, model, uid, client_id.decode())


def require_client_order(core, model: Model, uid: int, client_id: str) -> None:
    given = core.client_order(uid, client_id)
    require_equal(f"client order {client_id} of user {uid}", given and tuple(given),
                  model.client_order(uid, client_id))


def compare_bars(core, model: Model) -> None:
    """Bars of all intervals and the last trades of all pairs."""
    for number, pair in model.pairs.items():
        given = core.bars(number)
        for interval in bars.INTERVALS:
            require_equal(f"{interval} bars of pair {number}", *first_difference(
                [tuple(bar) for bar in given.bars(interval, model.ts_ns)],
                [tuple(bar) for bar in bars.bars(pair.trades, interval, model.ts_ns)]))
        newest_first = pair.trades[:-LAST_TRADES - 1:-1]
        require_equal(f"last trades of pair {number}",
                      *first_difference([tuple(trade) for trade in given.last_trades(LAST_TRADES)],
                                        newest_first))
