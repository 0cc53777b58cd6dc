"""The house's side of the scribe: a second process that writes the history and makes snapshots.

It replays what is durable on a core of its own (engine/scribe_process). So the live process never
pays for SQLite, never stalls for a snapshot, and each snapshot compares two independent runs of the
same commands. They talk over the process's stdin and stdout in little-endian records:

    house -> scribe, 32 bytes: u8 Ask, 7 zero bytes, u64 seq, 16s state hash (of SNAPSHOT)
    scribe -> house, 16 bytes: u8 Tell, u8 SnapshotResult, u16 zero, u32 length, u64 seq,
        then `length` bytes of text (of FAILED)

The first record is DURABLE with the seq that the house has recovered.

Invariants:
- `history_seq` is committed. It goes back only where a restarted scribe has to begin anew.
- One DURABLE at a time is unanswered; the next tells the newest seq. A batch costs nothing here.
- A death that was not asked for is logged and the scribe restarted, once in RESTART_GAP_S. A house
  whose scribe is gone (`failed`) serves on, but without history and new snapshots.
- After `close` the history has all that was durable, unless that took longer than CLOSE_MAX_S.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
import itertools
import logging
import os
import struct
import sys
from pathlib import Path

from engine.history import HistoryLate

ASK = struct.Struct("<B7xQ16s")
TELL = struct.Struct("<BBHIQ")
NO_HASH = bytes(16)
WAIT_MAX_S = 5
CLOSE_MAX_S = 60        # in all; service managers wait for 90 s
STOP_MIN_S = 10         # of that, kept for the time from STOP to the process's end
RESTART_GAP_S = 600

log = logging.getLogger(__name__)


class Ask(enum.IntEnum):
    DURABLE = 1         # the journal may be read up to seq
    SNAPSHOT = 2        # take one at seq, where the live core has this state hash
    STOP = 3


class Tell(enum.IntEnum):
    READY = 1           # has caught up with the history's seq
    HISTORY = 2         # has committed everything up to seq
    SNAPSHOT_DONE = 3
    FAILED = 4          # ends, for the reason in the text


class SnapshotResult(enum.IntEnum):
    """What became of a snapshot."""
    WRITTEN = 1
    MISMATCH = 2        # the two cores differ, so one of them is wrong
    LATE = 3            # the scribe's core was past that seq, or it is not the last of a frame
    FAILED = 4          # the disk took no snapshot, or the scribe died


class Scribe:
    """A running scribe. `history_seq`: how far the history has come. `failed`: None or a reason."""

    def __init__(self, directory: Path, durable_seq: int, keep_snapshots: int):
        """Use `start`."""
        self.history_seq = -1
        self.failed: str | None = None
        self._directory = Path(directory)
        self._keep_snapshots = keep_snapshots
        self._durable_seq = durable_seq
        self._sent_seq = 0
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task | None = None
        self._restarted_at_s: float | None = None
        self._closing = False
        self._ready = asyncio.Event()
        self._snapshots: dict[int, asyncio.Future[SnapshotResult]] = {}
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._waiter_count = itertools.count()

    @classmethod
    async def start(cls, directory: Path, durable_seq: int, keep_snapshots: int = 3) -> Scribe:
        """Start the process; it catches up by itself. Raises OSError."""
        scribe = cls(directory, durable_seq, keep_snapshots)
        await scribe._spawn()
        scribe._task = asyncio.create_task(scribe._run())
        return scribe

    @property
    def pid(self) -> int | None:
        """Of the process, None once it is gone for good."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running else None

    def durable(self, seq: int) -> None:
        """The journal is on disk up to `seq`, the last command of a frame."""
        self._durable_seq = seq
        if self.history_seq >= self._sent_seq:
            self._send_durable()

    def snapshot(self, seq: int, state_hash: str) -> asyncio.Future[SnapshotResult]:
        """Ask for a snapshot at `seq`, the last command of a frame, before it is told as durable.

        `state_hash` is the live core's there.
        """
        if seq in self._snapshots:
            return self._snapshots[seq]
        done = asyncio.get_running_loop().create_future()
        if self.failed is not None or self._closing:
            done.set_result(SnapshotResult.FAILED)
            return done
        self._snapshots[seq] = done
        self._send(Ask.SNAPSHOT, seq, bytes.fromhex(state_hash))
        return done

    async def ready(self) -> None:
        """Wait until the process has caught up with its history. Raises HistoryLate if it can't."""
        await self._ready.wait()
        if self.failed is not None:
            raise HistoryLate(f"there is no scribe: {self.failed}")

    async def wait_history(self, seq: int, timeout_s: float = WAIT_MAX_S) -> None:
        """Wait until the history has everything up to `seq`. Raises HistoryLate."""
        if self.history_seq >= seq:
            return
        if self.failed is not None:
            raise HistoryLate(f"there is no scribe: {self.failed}")
        reached = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (seq, next(self._waiter_count), reached))
        try:
            async with asyncio.timeout(timeout_s):
                await reached
        except HistoryLate:
            raise
        except TimeoutError:
            raise HistoryLate(f"the history has come to {self.history_seq}, not to {seq}") from None

    async def close(self) -> None:
        """Wait until the history has all that is durable, and end the process. May be repeated.

        What it could not write in time, or by a scribe that died, is written at the next start.
        """
        if self._closing or self._task is None:
            return
        self._closing = True
        deadline_s = asyncio.get_running_loop().time() + CLOSE_MAX_S
        try:
            await self.wait_history(self._durable_seq, CLOSE_MAX_S - STOP_MIN_S)
        except HistoryLate as late:
            log.warning("the next start writes the rest of the history: %s", late)
        self._send(Ask.STOP)
        try:
            async with asyncio.timeout_at(deadline_s):
                await asyncio.shield(self._task)
        except TimeoutError:
            log.error("the scribe did not end within %d s: killed", CLOSE_MAX_S)
            self._process.kill()
            await self._task

    async def _spawn(self) -> None:
        # The engine may lie where only this process's sys.path finds it; -P keeps the working
        # directory's folders from being taken for our packages.
        path = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "engine.scribe_process", str(self._directory),
            str(self._keep_snapshots),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
            # Ctrl-C in a terminal is for the house, which then ends its scribe in order.
            start_new_session=True)
        self._send_durable()

    def _send_durable(self) -> None:
        self._sent_seq = self._durable_seq
        self._send(Ask.DURABLE, self._sent_seq)

    def _send(self, ask: Ask, seq: int = 0, state_hash: bytes = NO_HASH) -> None:
        stdin = self._process.stdin
        if not stdin.is_closing():
            stdin.write(ASK.pack(ask, seq, state_hash))

    async def _run(self) -> None:
        """Listen to the process, and to the one that takes its place."""
        while True:
            reason = await self._listen()
            self._drop_snapshots()
            if self._closing:
                self._give_up("the house is closed")
                return
            now_s = asyncio.get_running_loop().time()
            if self._restarted_at_s is None or now_s - self._restarted_at_s >= RESTART_GAP_S:
                log.error("the scribe died and is restarted: %s", reason)
                self._restarted_at_s = now_s
                self.history_seq = -1
                try:
                    await self._spawn()
                    continue
                except OSError as error:
                    reason = str(error)
            log.critical("the scribe died again: no history, no snapshots from now on: %s", reason)
            self._give_up(reason)
            return

    async def _listen(self) -> str:
        """Take in what the process tells until it ends; why it did."""
        stdout, text = self._process.stdout, ""
        try:
            while True:
                tell, result, _, length, seq = TELL.unpack(await stdout.readexactly(TELL.size))
                text = (await stdout.readexactly(length)).decode("utf-8", "replace") or text
                if tell == Tell.READY:
                    self._ready.set()
                elif tell == Tell.HISTORY:
                    self._reach(seq)
                elif tell == Tell.SNAPSHOT_DONE:
                    self._finish_snapshot(seq, SnapshotResult(result))
        except asyncio.IncompleteReadError:
            pass
        self._process.stdin.close()
        code = await self._process.wait()
        return f"exit {code}{text and ': '}{text}"

    def _reach(self, seq: int) -> None:
        self.history_seq = seq
        while self._waiters and self._waiters[0][0] <= seq:
            _, _, reached = heapq.heappop(self._waiters)
            if not reached.done():
                reached.set_result(None)
        if seq >= self._sent_seq and self._durable_seq > self._sent_seq:
            self._send_durable()

    def _finish_snapshot(self, seq: int, result: SnapshotResult) -> None:
        if result == SnapshotResult.MISMATCH:
            log.critical("snapshot %d: the scribe's state is not the house's; one is wrong", seq)
        elif result != SnapshotResult.WRITTEN:
            log.error("snapshot %d: %s", seq, result.name)
        done = self._snapshots.pop(seq, None)
        if done is not None and not done.done():
            done.set_result(result)

    def _drop_snapshots(self) -> None:
        for seq in list(self._snapshots):
            self._finish_snapshot(seq, SnapshotResult.FAILED)

    def _give_up(self, reason: str) -> None:
        """There is no process any more: nobody is to wait for it."""
        self.failed = self.failed or reason
        self._ready.set()
        self._drop_snapshots()
        for _, _, reached in self._waiters:
            if not reached.done():
                reached.set_exception(HistoryLate(f"there is no scribe: {reason}"))
        self._waiters.clear()
