"""The scribe's process: `python -m engine.scribe_process FOLDER KEEP`, started by engine/scribe.

Follows the journal on a core of its own, up to what the house says is durable; writes the history
and the workers' hours; takes the snapshots it is asked for.

Invariants:
- It reads nothing behind the last DURABLE: what a crash could take back is never in the history.
- The history goes on exactly where it was; where it is not of this journal it is written anew.
- The process ends when its stdin does, which its house's death brings about; at the next frame.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sqlite3
import sys
from pathlib import Path

from engine.core import Core
from engine.halt import Halt
from engine.history_writer import (
    HISTORY_FILE, HistoryWriter, is_damage, open_writer, remove_history)
from engine.hour_writer import HourWriter
from engine.journal import JournalDamage
from engine.replay import Follower, load_newest, take_snapshot
from engine.scribe import ASK, TELL, Ask, SnapshotResult, Tell

NICENESS = 10
READ_BYTES = 4096

log = logging.getLogger(__name__)


class ScribeProcess:
    """One run of the scribe, on two file descriptors: what it is asked and what it tells."""

    def __init__(self, directory: Path, keep_snapshots: int, asks: int, tells: int):
        self.directory = Path(directory)
        self.keep_snapshots = keep_snapshots
        self.history_path = self.directory / HISTORY_FILE
        self.asks = asks
        self.tells = tells
        self.unread = b""
        self.durable_seq: int | None = None
        self.snapshots: dict[int, str] = {}     # wanted: seq -> the live core's state hash
        self.stopping = False
        self.writer: HistoryWriter | None = None
        self.hours = HourWriter(self.directory)
        self.follower: Follower | None = None

    def run(self) -> None:
        """Serve until the house wants no more. Raises whatever makes going on impossible."""
        while self.durable_seq is None and not self.stopping:
            self.take_asks(wait=True)
        try:
            if not self.stopping:
                self.catch_up()
            while not self.stopping:
                self.follow()
                self.take_snapshots()
                self.take_asks(wait=self.follower.core.seq >= self.durable_seq)
        finally:
            if self.writer is not None:
                self.writer.close()
            if self.follower is not None:
                self.follower.close()

    def catch_up(self) -> None:
        """Bring core and history to the same seq: that of the history, or the start."""
        self.writer = open_writer(self.history_path)
        if self.writer.seq > self.durable_seq or not self.replay_to_history():
            if self.stopping:
                return
            log.warning("history is rebuilt: it is not of this journal")
            self.writer.close()
            remove_history(self.history_path)
            self.hours.remove_all()
            self.writer = HistoryWriter(self.history_path)
            self.follow_from(Core())
        self.tell(Tell.READY, self.writer.seq)
        self.tell(Tell.HISTORY, self.writer.seq)

    def replay_to_history(self) -> bool:
        """Replay, without writing, what the history has; false where that is something else."""
        reached = self.writer.reached
        core, _ = load_newest(self.directory, max_seq=reached.seq)
        self.follow_from(core)
        for frame, _ in self.follower.advance(reached.seq):
            self.take_asks(wait=False)
            if self.stopping:
                return False
        frame = self.follower.frame
        return core.seq == reached.seq and (frame is None or frame.outcome == reached.outcome)

    def follow_from(self, core: Core) -> None:
        if self.follower is not None:
            self.follower.close()
        self.hours.write_final(core, core.ts_ns)
        self.follower = Follower(self.directory, core, self.hours.write_final)

    def follow(self) -> None:
        """Apply and write everything up to the durable seq."""
        for frame, outcome in self.follower.advance(self.durable_seq):
            self.writer.add(frame, outcome)
            if self.writer.is_full:
                self.commit()
            self.take_snapshots()
            self.take_asks(wait=False)
            if self.stopping:
                break
        self.commit()

    def commit(self) -> None:
        self.tell(Tell.HISTORY, self.writer.commit(self.follower.core))

    def take_snapshots(self) -> None:
        """Those that are due at the core's seq."""
        seq = self.follower.core.seq
        for wanted in sorted(self.snapshots):
            if wanted > seq:
                break
            state_hash = self.snapshots.pop(wanted)
            result = SnapshotResult.LATE if wanted < seq else self.snapshot_result(state_hash)
            self.tell(Tell.SNAPSHOT_DONE, wanted, result)

    def snapshot_result(self, state_hash: str) -> SnapshotResult:
        """Compare with the live core's state hash, and write a snapshot."""
        core = self.follower.core
        own_hash = core.state_hash()
        if own_hash != state_hash:
            log.critical("command %d: state hash %s here, %s in the house", core.seq, own_hash,
                         state_hash)
            return SnapshotResult.MISMATCH
        frame = self.follower.frame
        if frame is None and core.seq > 0:
            return SnapshotResult.WRITTEN   # it was loaded from there
        try:
            take_snapshot(self.directory, core, own_hash, frame, self.keep_snapshots)
        except OSError as error:
            log.error("no snapshot of command %d: %s", core.seq, error)
            return SnapshotResult.FAILED
        return SnapshotResult.WRITTEN

    def take_asks(self, wait: bool) -> None:
        """Take in what the house asks, waiting for it or not. The end of stdin is a STOP."""
        if not wait and not select.select([self.asks], [], [], 0)[0]:
            return
        part = os.read(self.asks, READ_BYTES)
        self.stopping = self.stopping or not part
        self.unread += part
        while len(self.unread) >= ASK.size:
            ask, seq, state_hash = ASK.unpack_from(self.unread)
            self.unread = self.unread[ASK.size:]
            if ask == Ask.DURABLE:
                self.durable_seq = seq
            elif ask == Ask.SNAPSHOT:
                self.snapshots[seq] = state_hash.hex()
            elif ask == Ask.STOP:
                self.stopping = True
            else:
                raise Halt(f"the house asks {ask}, which there is not")

    def tell(self, tell: Tell, seq: int = 0, result: int = 0, text: str = "") -> None:
        encoded = text.encode()
        os.write(self.tells, TELL.pack(tell, result, 0, len(encoded), seq) + encoded)


def main(arguments: list[str]) -> int:
    """The process's exit code: 0 when it was stopped, 1 when it could not go on."""
    directory, keep_snapshots = Path(arguments[0]), int(arguments[1])
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # A service manager signals all processes of a service: the house says when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(NICENESS)
    # What a stray print writes must not get between the records.
    tells = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    process = ScribeProcess(directory, keep_snapshots, sys.stdin.fileno(), tells)
    try:
        process.run()
        return 0
    except BrokenPipeError:
        return 0    # the house is gone
    except sqlite3.Error as error:
        reason = f"{process.history_path}: {error}"
        if is_damage(error):
            # It is derived: the next scribe writes it anew.
            remove_history(process.history_path)
    except (Halt, JournalDamage, OSError) as error:
        reason = str(error)
    except Exception as error:
        log.exception("the scribe failed")
        reason = repr(error)
    try:
        process.tell(Tell.FAILED, text=reason)
    except BrokenPipeError:
        log.critical("the scribe failed, and its house is gone: %s", reason)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
