"""What readers of the workers are given: plain tuples, detached from the columns."""

from typing import NamedTuple


class Speed(NamedTuple):
    """Over whole minutes, hours or days before the moment of reading."""

    valid_speed: int              # H/s, of accepted work
    reject_rate_permille: int     # rejected in all work


class Speeds(NamedTuple):
    """Of a worker, a sub-account, a coin or all."""

    speed_5m: Speed
    speed_10m: Speed
    speed_30m: Speed
    speed_24h: Speed


class Period(NamedTuple):
    """One whole hour or day."""

    start_s: int
    valid_speed: int              # H/s
    reject_rate_permille: int


class Active(NamedTuple):
    """An hour or a day, the running one too."""

    start_s: int
    workers: int                  # of an account, with accepted shares in it


class WorkerLine(NamedTuple):
    """A worker in its account's list."""

    number: int
    name: str
    valid_speed_5m: int           # H/s
    reject_rate_5m_permille: int
    valid_speed_30m: int
    reject_rate_30m_permille: int
    valid_speed_24h: int
    reject_rate_24h_permille: int
    last_at_s: int                # of its last share, accepted or not
    status: int                   # rosters.WorkerStatus
    group: int                    # 0: none
