"""Faults between stores: what sub-accounts, their ledger accounts and contacts say of each other,
and what workers, networks and settlements do. Each store checks itself; this is the part of
`Core.check` that no store can see alone.
"""

from engine.codes import HouseAccount
from ledger.users import ACCOUNT_MARK, SUB_ACCOUNT

NS_PER_S = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_S
MONEY = "CNY"               # what coins are sold for: its totals are of sales


def account_faults(core) -> list[str]:
    """Sub-accounts have ledger accounts of the same name, and only they; masters are people, who is
    named exists, a coin with a setting has an address, observers have an account, and users are
    found by phone and mail. Empty where all that holds. O(users)."""
    faults = core.contacts.faults_of(core.users)
    for user in core.users:
        account = core.sub_accounts.get(user.uid)
        named = None if account is None else ACCOUNT_MARK + account.name
        if named != (user.username if user.group == SUB_ACCOUNT else None):
            faults.append(f"user {user.uid}, {user.username!r}, is sub-account {named!r}")
        elif account is not None:
            settings = sorted(harvest.coin for harvest in account.coin_harvests)
            addresses = sorted(coin for coin, _ in user.withdraw_addresses)
            if settings != addresses:
                faults.append(f"sub-account {user.uid} has settings for coins {settings},"
                              f" addresses for {addresses}")
    for account in core.sub_accounts:
        if not 1 <= account.number <= len(core.users):
            faults.append(f"sub-account {account.number} has no ledger account")
        if core.users.person(account.master) is None:
            faults.append(f"sub-account {account.number} is of {account.master}, who is no user")
        if not 0 <= account.refer <= len(core.users):
            faults.append(f"sub-account {account.number} was referred by {account.refer}")
        faults += [f"sub-account {account.number} has a setting for coin {harvest.coin}"
                   for harvest in account.coin_harvests if core.coins.get(harvest.coin) is None]
    faults += [f"link {link.id} shows {link.account}, which is no sub-account"
               for link in core.observers if link.account not in core.sub_accounts]
    return faults


def share_faults(core) -> list[str]:
    """Workers belong to sub-accounts, and to groups that these have; no share is of a time to come;
    a coin takes shares where it has a network, in its epoch, and of each epoch that has work it is
    known what it is worth. Empty where all that holds. O(workers)."""
    faults = []
    if 60 * core.workers.minute > core.ts_ns // NS_PER_S:
        faults.append(f"shares were taken up to minute {core.workers.minute}, it is {core.ts_ns}")
    for number, groups in core.workers.names.groups_in_use().items():
        account = core.sub_accounts.get(number)
        if account is None:
            faults.append(f"{number} had workers and is no sub-account")
        elif not groups <= {group.id for group in account.groups}:
            faults.append(f"sub-account {number} has workers in the groups {sorted(groups)}")
    for coin in core.networks.coins():
        network = core.networks.get(coin)
        if core.coins.get(coin) is None or network.since_ns > core.ts_ns:
            faults.append(f"coin {coin} has a network since {network.since_ns}, and no such coin")
        unknown = set(core.workers.work_epochs(coin)) - core.networks.epochs(coin).keys()
        if unknown:
            faults.append(f"coin {coin} has work of the epochs {sorted(unknown)}, which are gone")
    for coin in core.coins:
        network, epoch = core.networks.get(coin.number), epoch_of(core, coin.number)
        if epoch != (network and network.epoch):
            faults.append(f"coin {coin.number} takes shares in epoch {epoch}, not in {network}")
    return faults


def epoch_of(core, coin: int) -> int | None:
    """The epoch in which a coin's shares count, None where it takes none."""
    try:
        return core.workers.epoch_of(coin)
    except IndexError:
        return None


def settlement_faults(core) -> list[str]:
    """Who earned or waits for a sale is a sub-account; no day that is settled has work left, and
    the running one is over and closed; what was owed for work, and what the pool kept, are the sums
    of all days; what accounts earned is what these say. Empty where all that holds. O(totals)."""
    settlements, running = core.settlements, core.settlements.running
    faults = []
    owed, kept, net = {}, {}, {}
    for done in settlements.sums():
        owed[done.coin] = owed.get(done.coin, 0) + done.gross
        kept[done.coin] = kept.get(done.coin, 0) + done.pool
        net[done.coin] = net.get(done.coin, 0) + done.net
        if done.day in core.workers.work_days(done.coin):
            faults.append(f"coin {done.coin}, day {done.day} is settled and has work")
    if running is not None:
        coin = running.coin
        owed[coin] = owed.get(coin, 0) + running.net + running.commission
        net[coin] = net.get(coin, 0) + running.net
        faults += [f"{sale.account} waits for a sale and is no sub-account"
                   for sale in running.sales if sale.account not in core.sub_accounts]
        if not 0 <= running.day < core.ts_ns // NS_PER_DAY or coin not in core.networks:
            faults.append(f"coin {coin}, day {running.day} is being settled at {core.ts_ns}")
    for account, coin, total in settlements.totals:
        if account not in core.sub_accounts or core.coins.get(coin) is None:
            faults.append(f"{account} has {total} of coin {coin}")
        elif core.coins.get(coin).name != MONEY:
            net[coin] = net.get(coin, 0) - total.earned
    for coin in core.coins:
        house = (-core.house(HouseAccount.MINED, coin.number),
                 core.house(HouseAccount.POOL, coin.number))
        sums = owed.get(coin.number, 0), kept.get(coin.number, 0)
        if house != sums:
            faults.append(f"coin {coin.number}: {house} owed and kept, the days' sums are {sums}")
        if net.get(coin.number, 0) != 0 and coin.name != MONEY:
            faults.append(f"coin {coin.number}: {net[coin.number]} earned by no account")
    return faults
