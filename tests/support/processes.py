"""Other processes as the kernel shows them: a house's scribe, and when a process is gone."""

import os
import select
import time
from collections.abc import Callable
from pathlib import Path

WAIT_S = 60
POLL_S = 0.001
ASK_S = 0.05        # for what costs who is asked some of his time


def scribe_of(pid: int) -> int | None:
    """The scribe of the house that runs as `pid`, None where it has none (yet)."""
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = (task / "children").read_text().split()
            for child in children:
                if b"engine.scribe_process" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        except (FileNotFoundError, ProcessLookupError):
            continue    # it ended while we looked
    return None


def wait_ended(pid: int) -> None:
    """Return once a process has ended, which need not be our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([descriptor], [], [], WAIT_S)[0]:
            raise TimeoutError(f"process {pid} still runs after {WAIT_S} s")
    finally:
        os.close(descriptor)


def until(condition: Callable[[], object], pause_s: float = POLL_S) -> object:
    """What `condition` gives as soon as that is true; for what nobody can be waited for."""
    end_s = time.monotonic() + WAIT_S
    while not (result := condition()):
        if time.monotonic() > end_s:
            raise TimeoutError(f"{condition} is not true after {WAIT_S} s")
        time.sleep(pause_s)
    return result
