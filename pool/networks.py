"""The chains that the pool mines: what a share is worth, now and on the days not settled yet.

A coin's states follow each other in time; a change of difficulty or subsidy begins a new epoch, to
which work is booked (pool/work). Blocks of a day are counted where whoever sets the state does so.
What days that are settled needed is forgotten on demand; a coin that is never settled comes to an
end of its room (`has_room`).

Invariants (`check`): epochs rise from state to state where difficulty or subsidy change, and only
there; times do not fall, and no two states have the same time and epoch; days of blocks rise, no
count is empty and none like the one before it; numbers are in their ranges; the running hash is
that of all states and counts.
"""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from pool.records import DIGEST_BYTES, hash_of

DIFFICULTY_SCALE = 18
DIFFICULTY_MAX = 10**38 - 1     # 20 digits before the point and 18 behind it
NUMBER_MAX = 2**63 - 1          # of units
BLOCKS_MAX = 1_000_000          # of a day
EPOCH_MAX = 2**32 - 1
# Of a coin, states as well as counts: more than a year of a change every ten minutes.
ENTRIES_MAX = 1 << 16
NS_PER_DAY = 86_400 * 10**9


class State(NamedTuple):
    """What holds from a time on."""
    start_ns: int
    epoch: int
    difficulty: int         # 10^-18
    subsidy: int            # units a block
    fees_per_block: int     # units


class Blocks(NamedTuple):
    """Some blocks of a day, counted together."""
    count: int
    subsidy: int            # units a block
    fees_per_block: int     # units


class Network(NamedTuple):
    """A coin's chain as it is now."""
    coin: int
    difficulty: int         # 10^-18
    subsidy: int            # units a block
    fees_per_block: int     # units
    epoch: int
    since_ns: int           # when this state began
    blocks_today: int       # as counted last, 0 where nobody counts
    day: int                # of that count, else of the state: days since 1970-01-01


class Chain:
    """The states of one coin, oldest first, and its counted blocks by day."""

    __slots__ = ("states", "blocks", "counts")

    def __init__(self):
        self.states: list[State] = []
        self.blocks: dict[int, list[Blocks]] = {}
        self.counts = 0         # of all days


class Networks:
    """All coins that are mined, by their number. Days are UTC, since 1970-01-01."""

    __slots__ = ("_chains", "_sum")

    def __init__(self):
        self._chains: dict[int, Chain] = {}
        self._sum = 0

    def __len__(self) -> int:
        return len(self._chains)

    def __contains__(self, coin: int) -> bool:
        return coin in self._chains

    # -- reading -----------------------------------------------------------------------------------

    def coins(self) -> list[int]:
        """The coins that are mined, rising."""
        return sorted(self._chains)

    def get(self, coin: int) -> Network | None:
        """A coin's chain as it is now, None where it is not mined."""
        chain = self._chains.get(coin)
        if chain is None:
            return None
        state = chain.states[-1]
        day = max(chain.blocks, default=state.start_ns // NS_PER_DAY)
        count = sum(blocks.count for blocks in chain.blocks.get(day, ()))
        return Network(coin, state.difficulty, state.subsidy, state.fees_per_block, state.epoch,
                       state.start_ns, count, day)

    def epochs(self, coin: int) -> dict[int, tuple[int, int]]:
        """Of the states that are kept: {epoch: (difficulty in 10^-18, subsidy in units)}."""
        chain = self._chains.get(coin)
        return {} if chain is None else {
            state.epoch: (state.difficulty, state.subsidy) for state in chain.states}

    def states_of_day(self, coin: int, day: int) -> list[State]:
        """Those in force on a day, oldest first; the first may have begun before it."""
        states = self._chains[coin].states if coin in self._chains else []
        first = max(bisect_right(states, day * NS_PER_DAY, key=start_of) - 1, 0)
        return states[first:bisect_left(states, (day + 1) * NS_PER_DAY, key=start_of)]

    def blocks_of_day(self, coin: int, day: int) -> list[Blocks]:
        """The blocks that were counted on a day, in their order."""
        return list(self._chains[coin].blocks.get(day, ())) if coin in self._chains else []

    def has_room(self, coin: int) -> bool:
        """Whether one more state, and one more count of blocks, can be kept of a coin."""
        chain = self._chains.get(coin)
        return chain is None or (max(len(chain.states), chain.counts) < ENTRIES_MAX
                                 and chain.states[-1].epoch < EPOCH_MAX)

    # -- changes -----------------------------------------------------------------------------------

    def set(self, coin: int, ts_ns: int, difficulty: int, subsidy: int, fees_per_block: int,
            blocks_today: int | None) -> Network:
        """Let this hold from now on, and count the day's blocks where their number is given.

        The coin must have room (`has_room`), the numbers must be in their ranges.
        """
        chain = self._chains.setdefault(coin, Chain())
        last = chain.states[-1] if chain.states else None
        is_same = last is not None and last[2:4] == (difficulty, subsidy)
        epoch = 1 if last is None else last.epoch + (not is_same)
        state = State(ts_ns, epoch, difficulty, subsidy, fees_per_block)
        if last is None or last[1:] != state[1:]:
            if last is not None and last[:2] == state[:2]:
                self._sum -= hash_of_state(coin, chain.states.pop())    # it never was in force
            chain.states.append(state)
            self._sum += hash_of_state(coin, state)
        if blocks_today is not None:
            self._recount(coin, chain, ts_ns // NS_PER_DAY, blocks_today,
                          (subsidy, fees_per_block))
        return self.get(coin)

    def _recount(self, coin: int, chain: Chain, day: int, total: int,
                 brought: tuple[int, int]) -> None:
        """Let a day have had so many blocks: the last ones brought this, or some are taken back."""
        counted = chain.blocks.setdefault(day, [])
        more = total - sum(blocks.count for blocks in counted)
        while counted and (more < 0 or more > 0 and counted[-1][1:] == brought):
            self._sum -= hash_of_blocks(coin, day, len(counted), counted[-1])
            last = counted.pop()
            chain.counts -= 1
            more, brought = more + last.count, last[1:]
        if more > 0:
            counted.append(Blocks(more, *brought))
            chain.counts += 1
            self._sum += hash_of_blocks(coin, day, len(counted), counted[-1])
        if not counted:
            del chain.blocks[day]

    def forget(self, coin: int, day: int) -> None:
        """Drop what only days up to this one needed. No work of them may be left: without its
        epoch's state nobody knows what it was worth."""
        chain = self._chains[coin]
        # In the first moment of the next day shares may have come before its first state did.
        first = max(bisect_left(chain.states, (day + 1) * NS_PER_DAY, key=start_of) - 1, 0)
        self._sum -= sum(hash_of_state(coin, state) for state in chain.states[:first])
        del chain.states[:first]
        for past in [one for one in chain.blocks if one <= day]:
            counted = chain.blocks.pop(past)
            chain.counts -= len(counted)
            self._sum -= sum_of_blocks(coin, past, counted)

    # -- the state as a whole ----------------------------------------------------------------------

    def digest(self) -> bytes:
        """The running hash. O(1)."""
        return (self._sum % (1 << 8 * DIGEST_BYTES)).to_bytes(DIGEST_BYTES, "little")

    def dump(self) -> list:
        # A difficulty may exceed 64 bits.
        return [[coin, [[*state[:2], str(state.difficulty), *state[3:]] for state in chain.states],
                 [[day, [list(blocks) for blocks in counted]]
                  for day, counted in chain.blocks.items()]]
                for coin, chain in sorted(self._chains.items())]

    @classmethod
    def load(cls, dumped: list) -> "Networks":
        """What `dump` gave, as networks again; ValueError where it is not whole."""
        networks = cls()
        for coin, states, days in dumped:
            if not states or coin in networks:
                raise ValueError(f"coin {coin} has {len(states)} states, or is there twice")
            chain = networks._chains[coin] = Chain()
            chain.states = [State(start_ns, epoch, int(difficulty), subsidy, fees)
                            for start_ns, epoch, difficulty, subsidy, fees in states]
            chain.blocks = {day: [Blocks(*blocks) for blocks in counted] for day, counted in days}
            chain.counts = sum(map(len, chain.blocks.values()))
            networks._sum += sum_of_chain(coin, chain)
        return networks

    def check(self) -> list[str]:
        """What is wrong, empty when every invariant holds."""
        faults = []
        for coin, chain in self._chains.items():
            faults += [f"coin {coin}: {fault}" for fault in state_faults(chain.states)]
            faults += [f"coin {coin}: {fault}" for fault in block_faults(chain)]
        if self._sum != sum(sum_of_chain(*entry) for entry in self._chains.items()):
            faults.append("the running hash of the networks is not that of their entries")
        return faults


def start_of(state: State) -> int:
    return state.start_ns


def hash_of_state(coin: int, state: State) -> int:
    return hash_of(coin, f"state {tuple(state)}".encode())


def hash_of_blocks(coin: int, day: int, place: int, blocks: Blocks) -> int:
    """Of the count in a place of a day, from 1."""
    return hash_of(coin, f"blocks {day} {place} {tuple(blocks)}".encode())


def sum_of_blocks(coin: int, day: int, counted: list[Blocks]) -> int:
    return sum(hash_of_blocks(coin, day, place, blocks) for place, blocks in enumerate(counted, 1))


def sum_of_chain(coin: int, chain: Chain) -> int:
    """What a coin's entries add to the running hash."""
    return (sum(hash_of_state(coin, state) for state in chain.states)
            + sum(sum_of_blocks(coin, day, counted) for day, counted in chain.blocks.items()))


def state_faults(states: list[State]) -> list[str]:
    faults = [f"{state} is out of range" for state in states
              if not (state.start_ns >= 0 and 1 <= state.epoch <= EPOCH_MAX
                      and 1 <= state.difficulty <= DIFFICULTY_MAX
                      and 1 <= state.subsidy <= NUMBER_MAX
                      and 0 <= state.fees_per_block <= NUMBER_MAX)]
    if not 1 <= len(states) <= ENTRIES_MAX:
        faults.append(f"{len(states)} states")
    for before, after in zip(states, states[1:]):
        is_same = before[2:4] == after[2:4]
        if (after.start_ns < before.start_ns or after.epoch != before.epoch + (not is_same)
                or after[:2] == before[:2]):
            faults.append(f"{after} follows {before}")
    return faults


def block_faults(chain: Chain) -> list[str]:
    faults = []
    if list(chain.blocks) != sorted(chain.blocks):
        faults.append(f"blocks of the days {list(chain.blocks)}")
    if chain.counts != sum(map(len, chain.blocks.values())) or chain.counts > ENTRIES_MAX:
        faults.append(f"{chain.counts} counts of blocks are counted")
    for day, counted in chain.blocks.items():
        total = sum(blocks.count for blocks in counted)
        if not 1 <= total <= BLOCKS_MAX or any(
                blocks.count < 1 or not 1 <= blocks.subsidy <= NUMBER_MAX
                or not 0 <= blocks.fees_per_block <= NUMBER_MAX for blocks in counted):
            faults.append(f"day {day} has blocks {counted}")
        if any(before[1:] == after[1:] for before, after in zip(counted, counted[1:])):
            faults.append(f"day {day} has counts that are alike: {counted}")
    return faults
