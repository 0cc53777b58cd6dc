"""Faults between stores: what the sub-accounts, their ledger accounts and the contacts say of each
other. Each store checks itself; this is the part of `Core.check` that no store can see alone.
"""

from ledger.users import ACCOUNT_MARK, SUB_ACCOUNT


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
