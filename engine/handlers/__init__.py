"""The cold commands of docs/commands.md: who handles which kind, and which fields it takes.

A handler is `(core, ts_ns, seq, args) -> Result | (Result, value)`. Its docstring names the results
it gives beside OK, in the order of its checks. It checks everything before it changes anything; a
result other than OK means that nothing changed, except that a wrong code counts its tries.

FIELDS gives the type of each field; `type | None` marks those that may be missing or nil. The
dispatch calls `schema.fits` first, and answers BAD_COMMAND where it fails.
"""

from engine.handlers import (
    accounts, balances, coins, credentials, groups, mining, money, network, observers, profiles,
    sessions, settlement, users,
)

SUBJECTS = (coins, users, profiles, sessions, credentials, money, balances, mining, accounts,
            observers, groups, network, settlement)
HANDLERS = {kind: handler for subject in SUBJECTS for kind, handler in subject.HANDLERS.items()}
FIELDS = {kind: fields for subject in SUBJECTS for kind, fields in subject.FIELDS.items()}
