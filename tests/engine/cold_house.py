"""A core to send cold commands to, one at a time, that proves what must hold after each of them:
a refusal changes nothing (but a wrong code's tries), and every invariant holds.
"""

import numpy as np

from engine.codes import Result
from engine.commands import RESULT_DTYPE, cold
from engine.core import Core

NS_PER_S = 1_000_000_000
START_NS = 1_700_000_000 * NS_PER_S
HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"


class ColdHouse:
    """A core, and the time that its next command will have."""

    def __init__(self, core=None, ts_ns=START_NS):
        self.core = Core() if core is None else core
        self.ts_ns = ts_ns

    def __getattr__(self, name):
        """The stores and accounts of the core."""
        return getattr(self.core, name)

    def send(self, record):
        """(result, value) of one record; the value is None where there is none."""
        before = self.core.state_hash()
        outcome = self.core.apply(record, self.core.seq + 1, self.ts_ns)
        result = Result(int(np.frombuffer(outcome.results, RESULT_DTYPE)["code"][0]))
        if result not in (Result.OK, Result.CODE_WRONG) and self.core.state_hash() != before:
            raise AssertionError(f"{record} was refused with {result!r} and changed the state")
        self.core.check()
        return result, outcome.values.get(0)

    def do(self, kind, **args):
        """(result, value) of a cold command."""
        return self.send(cold(kind, args))

    def must(self, kind, **args):
        """The value of a command that has to succeed."""
        result, value = self.do(kind, **args)
        if result != Result.OK:
            raise AssertionError(f"{kind!r} {args}: {result!r}")
        return value

    def reloaded(self):
        """A house that goes on from a dump of this one."""
        return ColdHouse(Core.load(self.core.dump()), self.ts_ns)
