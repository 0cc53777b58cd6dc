"""What lets programs in: client ids with their sealed secrets, what they may do and for whom.

Secrets come and stay sealed; opening them is up to the shell, which has the key.

Invariants (`check`): scopes are known; a credential of scope `account` has a user.
"""

from collections.abc import Iterator
from typing import NamedTuple

SCOPE_ACCOUNT = "account"
SCOPE_OPERATOR = "operator"
SCOPES = (SCOPE_ACCOUNT, SCOPE_OPERATOR)


class Credential(NamedTuple):
    client_id: str
    sealed_key: bytes
    sealed_salt: bytes
    scope: str              # one of SCOPES
    uid: int | None         # whom it acts for; always there with scope `account`


class Credentials:
    """Credentials by client id, in order of creation."""

    __slots__ = ("_credentials",)

    def __init__(self):
        self._credentials: dict[str, Credential] = {}

    def __len__(self) -> int:
        return len(self._credentials)

    def __iter__(self) -> Iterator[Credential]:
        return iter(self._credentials.values())

    def get(self, client_id: str) -> Credential | None:
        return self._credentials.get(client_id)

    def add(self, credential: Credential) -> None:
        """Remember a credential whose client id is new."""
        if credential.client_id in self._credentials:
            raise ValueError(f"client id {credential.client_id} is taken")
        self._credentials[credential.client_id] = credential

    def remove(self, client_id: str) -> None:
        """Forget a credential; KeyError where there is none."""
        del self._credentials[client_id]

    def dump(self) -> list:
        return [list(credential) for credential in self]

    @classmethod
    def load(cls, dumped: list) -> "Credentials":
        """What `dump` gave, as credentials again."""
        credentials = cls()
        for fields in dumped:
            credentials.add(Credential(*fields))
        return credentials

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds. Secrets are not shown."""
        return [f"client id {credential.client_id}: scope {credential.scope}, user {credential.uid}"
                for credential in self
                if credential.scope not in SCOPES
                or credential.scope == SCOPE_ACCOUNT and credential.uid is None]
