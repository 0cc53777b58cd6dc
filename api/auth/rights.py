"""Who may do what to whom, beyond the own user: by group and by permission.

A user acts for itself. A super administrator (group 1) may do all; the permission `act_for_users`
lets its holder name other users, `manage_balances` lets it credit and debit them. Nobody gains by
it what only the other one may do: whoever acts for a user can set its password and be that user.

`caller` and `user` are users as the core shows them; `user` is None for one that does not exist, so
that a caller without the right is told the same of both.
"""

GROUP_ADMINISTRATOR = 1
ACT_FOR_USERS = "act_for_users"
MANAGE_BALANCES = "manage_balances"
MAY_LOG_IN = "is_allow_login"
# Who could grant these could grant them to itself, by way of another user.
ADMINISTRATORS_FIELDS = frozenset({ACT_FOR_USERS, MANAGE_BALANCES})


def is_administrator(user) -> bool:
    return user.group == GROUP_ADMINISTRATOR


def acts_for_users(caller) -> bool:
    """Whether the caller may name others at all."""
    return is_administrator(caller) or caller.permissions.get(ACT_FOR_USERS, 0) > 0


def manages_balances(caller) -> bool:
    return is_administrator(caller) or caller.permissions.get(MANAGE_BALANCES, 0) > 0


def may_act_for(caller, user) -> bool:
    """Whether the caller may do what the user may do itself."""
    if is_self(caller, user):
        return True
    return acts_for_users(caller) and not may_do_more(user, caller)


def may_do_more(user, caller) -> bool:
    """Whether who acts as the user may do what the caller, who acts for users, may not."""
    if user is None or is_administrator(caller):
        return False
    # Another one who acts for users may set the caller's own permissions, and undo what keeps its
    # money frozen.
    return acts_for_users(user) or manages_balances(user) and not manages_balances(caller)


def may_manage_balances_of(caller, user) -> bool:
    """Whether the caller may credit and debit the user."""
    if not manages_balances(caller):
        return False
    return user is None or not is_administrator(user) or is_administrator(caller)


def may_freeze(caller, user) -> bool:
    """Whether the caller may freeze what the user has, and undo that."""
    return may_act_for(caller, user) or may_manage_balances_of(caller, user)


def may_read_identity(caller, user) -> bool:
    """Whether the caller may read who the user really is: to act for it is not enough."""
    return is_self(caller, user) or is_administrator(caller)


def may_set_permissions(caller, user) -> bool:
    """Whether the caller may set any permission of the user: only administrators set their own."""
    if is_self(caller, user):
        return is_administrator(caller)
    return may_act_for(caller, user)


def may_set_permission(caller, user, name: str, value: int | None) -> bool:
    """Whether who `may_set_permissions` of the user may set this one to that; None removes it."""
    if is_self(caller, user) and name == MAY_LOG_IN and value == 0:
        # The last administrator would lock out itself, and nobody could let it in again.
        return False
    return is_administrator(caller) or name not in ADMINISTRATORS_FIELDS


def asks_for_pay_password(caller, payer) -> bool:
    """Whether the caller must give the payer's payment password to pay somebody else: what a
    user's own token pays does so once one is set."""
    return (is_self(caller, payer) and not acts_for_users(caller)
            and payer.pay_password_hash is not None)


def is_self(caller, user) -> bool:
    return user is not None and user.uid == caller.uid
