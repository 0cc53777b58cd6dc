"""The valid codes that prove a name is reachable: one at a time for each name, kept as digests.

A code lives CODE_LIFETIME_NS and dies of WRONG_TRIES_MAX wrong tries; a new one for the same name
is refused for CODE_PAUSE_NS after the last. Names are compared without regard to case. Codes whose
time is up are dropped when the next one is issued.

Invariants (`check`): no code has more wrong tries than kill it; expired ones are found by their
expiry.
"""

import enum
from dataclasses import astuple, dataclass

from ledger.expiries import NS_PER_S, Expiries

CODE_LIFETIME_NS = 600 * NS_PER_S
CODE_PAUSE_NS = 60 * NS_PER_S
WRONG_TRIES_MAX = 5


class Match(enum.Enum):
    """What a code proved to be. NONE: there is no code for the name, or its time is up."""
    RIGHT = 1
    WRONG = 2
    NONE = 3
    DEAD = 4


@dataclass(slots=True)
class Code:
    digest: bytes
    issued_ns: int
    wrong_tries: int = 0

    @property
    def expires_ns(self) -> int:
        return self.issued_ns + CODE_LIFETIME_NS


class Codes:
    """Codes by name."""

    __slots__ = ("_codes", "_expiries")

    def __init__(self):
        self._codes: dict[str, Code] = {}
        self._expiries = Expiries()

    def __len__(self) -> int:
        """Expired ones that are not dropped yet included."""
        return len(self._codes)

    def may_issue(self, username: str, ts_ns: int) -> bool:
        """False in the pause after the name's last code."""
        code = self._codes.get(username.casefold())
        return code is None or ts_ns >= code.issued_ns + CODE_PAUSE_NS

    def issue(self, username: str, digest: bytes, ts_ns: int) -> None:
        """Give the name a code in place of any older one, and drop those whose time is up."""
        for expired in self._expiries.take_due(ts_ns):
            del self._codes[expired]
        name = username.casefold()
        if name in self._codes:
            self._expiries.remove(name, self._codes.pop(name).expires_ns)
        self._insert(name, Code(digest, ts_ns))

    def match(self, username: str, digest: bytes, ts_ns: int) -> Match:
        """What a code given for a name is. Changes nothing."""
        code = self._codes.get(username.casefold())
        if code is None or ts_ns >= code.expires_ns:
            return Match.NONE
        if code.wrong_tries >= WRONG_TRIES_MAX:
            return Match.DEAD
        return Match.RIGHT if code.digest == digest else Match.WRONG

    def count_wrong_try(self, username: str) -> None:
        self._codes[username.casefold()].wrong_tries += 1

    def use(self, username: str) -> None:
        """Take away a code that has served; KeyError where there is none."""
        name = username.casefold()
        self._expiries.remove(name, self._codes.pop(name).expires_ns)

    def _insert(self, name: str, code: Code) -> None:
        self._codes[name] = code
        self._expiries.add(name, code.expires_ns)

    def dump(self) -> list:
        return [[name, *astuple(code)] for name, code in self._codes.items()]

    @classmethod
    def load(cls, dumped: list) -> "Codes":
        """What `dump` gave, as codes again."""
        codes = cls()
        for name, *code in dumped:
            codes._insert(name, Code(*code))
        return codes

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = [f"the code of {name!r} has {code.wrong_tries} wrong tries"
                  for name, code in self._codes.items()
                  if not 0 <= code.wrong_tries <= WRONG_TRIES_MAX]
        if len(self._codes) != len(self._expiries):
            faults.append(f"{len(self._codes)} codes, {len(self._expiries)} by expiry")
        return faults
