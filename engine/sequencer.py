"""Puts commands in one order: stamps a batch, applies it, journals it, answers when it is on disk.

Invariants:

- One batch at a time is on its way to the disk; meanwhile the next one gathers. No timer: a batch
  goes as soon as the disk is idle, at the end of the event loop's turn in which something arrived.
- Sequence numbers have no gaps; a batch's time is later than that of the batch before.
- A future resolves only when its command is on disk. Commands run in the order of `submit`.
- After a fail-stop (`stopped` says why) nothing is accepted, applied or answered any more.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from engine.halt import Halt
from engine.journal import COMMANDS_BYTES_MAX, JournalWriter, frame_bytes, outcome_digest

QUEUE_MAX = 65_536
QUEUE_BYTES_MAX = 256 << 20
BATCH_MAX = 4_096
BATCH_BYTES_MAX = 1 << 20

# code, status, duplicate, count, order_id, filled, remaining: commands.RESULT_DTYPE
RESULT = struct.Struct("<HBBIQqq")

from_bytes = int.from_bytes

log = logging.getLogger(__name__)


class Overloaded(RuntimeError):
    """Too many commands are waiting; this one was not accepted and may be tried again later."""


class HouseStopped(RuntimeError):
    """The house has stopped for good. Whether the command took place will show after a restart."""


class Reply(NamedTuple):
    """A command's result (docs/core.md). `value` is a cold command's, None for others."""
    code: int
    status: int
    duplicate: int
    count: int
    order_id: int
    filled: int
    remaining: int
    value: Any = None


class Batch(NamedTuple):
    """An applied batch on its way to the disk."""
    first_seq: int
    last_seq: int
    ts_ns: int
    futures: list[asyncio.Future]
    outcome: Any
    frame_bytes: int
    waiters: list[asyncio.Future]


def replies(outcome) -> list[Reply]:
    """A batch's results, one Reply each."""
    new = tuple.__new__  # Reply(...) and Reply._make take twice as long
    answers = [
        new(Reply, (code, status, duplicate, count, order_id, filled, remaining, None))
        for code, status, duplicate, count, order_id, filled, remaining
        in RESULT.iter_unpack(outcome.results)]
    for index, value in outcome.values.items():
        answers[index] = answers[index]._replace(value=value)
    return answers


class Sequencer:
    """The one way into the core. Belongs to the event loop it was made in; no call is thread-safe.

    Attributes to read: `seq`, `ts_ns` of the last applied command, `durable_seq`, `pending`
    (commands not applied yet) and `stopped` (None or the reason).
    """

    def __init__(self, core, writer: JournalWriter, clock: Callable[[], int] = time.time_ns,
                 queue_max: int = QUEUE_MAX, queue_bytes_max: int = QUEUE_BYTES_MAX,
                 batch_max: int = BATCH_MAX, batch_bytes_max: int = BATCH_BYTES_MAX):
        """`core` is at the journal's end. `clock` gives UTC in nanoseconds; it may go back.

        A batch has at most `batch_max` commands and `batch_bytes_max` bytes; a longer command
        goes alone.
        """
        if core.seq != writer.last_seq:
            raise ValueError(f"the core is at command {core.seq}, the journal at {writer.last_seq}")
        self.core = core
        self.seq = self.durable_seq = core.seq
        self.ts_ns = max(core.ts_ns, writer.ts_ns)
        self.stopped: str | None = None
        self.queue_max = queue_max
        self.queue_bytes_max = queue_bytes_max
        self.batch_max = batch_max
        self.batch_bytes_max = min(batch_bytes_max, COMMANDS_BYTES_MAX)
        self._writer = writer
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._records: list[bytes] = []
        self._futures: list[asyncio.Future] = []
        self._bytes = 0
        # True while something will send what is pending: a call of _send to come, or the disk.
        self._sending = False
        self._closing = False
        self._on_disk: Batch | None = None
        self._durable_callbacks: list[Callable[[int, int], None]] = []
        self._event_callbacks: list[Callable[[int, int, bytes], None]] = []
        self._stop_callbacks: list[Callable[[str], None]] = []
        writer.start(self._loop, self._on_done)

    @property
    def pending(self) -> int:
        return len(self._records)

    def on_events(self, callback: Callable[[int, int, bytes], None]) -> None:
        """Call `callback(first_seq, ts_ns, events)` for each batch with events, once durable."""
        self._event_callbacks.append(callback)

    def on_durable(self, callback: Callable[[int, int], None]) -> None:
        """Call `callback(durable_seq, frame_bytes)` for each batch, before its answers go out."""
        self._durable_callbacks.append(callback)

    def on_stop(self, callback: Callable[[str], None]) -> None:
        """Call `callback(reason)` at the fail-stop."""
        self._stop_callbacks.append(callback)

    def submit(self, record: bytes) -> asyncio.Future[Reply]:
        """Accept one command record; the future resolves once it is on disk.

        A cancelled future does not take the command back. Raises Overloaded, HouseStopped, and
        ValueError for what is no whole record or longer than a frame.
        """
        records = self._records
        if self.stopped is not None or self._closing:
            raise HouseStopped(self.stopped or "the house is closing")
        size = self._bytes + len(record)
        if len(records) >= self.queue_max or size > self.queue_bytes_max:
            raise Overloaded(f"{len(records)} commands are waiting")
        # Checked here, because one record that is not whole would spoil the batch of all others.
        if from_bytes(record[:4], "little") != len(record) or len(record) & 7 or not record:
            raise ValueError("this is no whole record")
        if size > COMMANDS_BYTES_MAX and len(record) > COMMANDS_BYTES_MAX:
            raise ValueError(f"a command of {len(record)} bytes")
        future = self._loop.create_future()
        records.append(record)
        self._futures.append(future)
        self._bytes = size
        if not self._sending:
            self._sending = True
            self._loop.call_soon(self._send)
        return future

    def stop(self, reason: str) -> None:
        """Fail-stop for a reason found elsewhere: nothing is answered any more."""
        if self.stopped is None:
            batch = self._on_disk
            self._stop(reason, [] if batch is None else batch.futures + batch.waiters)

    async def settled(self) -> None:
        """Return once all that is applied by now is on disk. Raises HouseStopped."""
        if self.stopped is not None:
            raise HouseStopped(self.stopped)
        if self._on_disk is not None:
            # A future of one's own: a waiter that is cancelled must not take the others along.
            waiter = self._loop.create_future()
            self._on_disk.waiters.append(waiter)
            await waiter

    async def close(self) -> None:
        """Accept nothing more, answer what was accepted, end the writer. May be repeated."""
        self._closing = True
        while self.stopped is None and (self._records or self._on_disk is not None):
            if self._on_disk is None:
                self._send()
            try:
                await self.settled()
            except HouseStopped:
                break
        # Joins threads, so it stays off the loop.
        await self._loop.run_in_executor(None, self._writer.close)

    def _send(self) -> None:
        """Apply the next batch and give it to the disk, which must be idle."""
        if self._on_disk is not None or self.stopped is not None:
            return
        if not self._records:
            self._sending = False
            return
        self._sending = True
        commands, futures = self._take_batch()
        first_seq = self.seq + 1
        ts_ns = max(self._clock(), self.ts_ns + 1)
        try:
            outcome = self.core.apply(commands, first_seq, ts_ns)
            if len(outcome.results) != RESULT.size * len(futures):
                raise Halt(f"{len(futures)} commands gave {len(outcome.results)} bytes of results")
            digest = outcome_digest(outcome.results, outcome.events)
        except BaseException as error:
            # Nobody knows what state the core is in, and the journal does not have this batch.
            log.critical("the core stopped at command %d", first_seq, exc_info=True)
            self._stop(f"the core stopped at command {first_seq}: {error!r}", futures)
            if not isinstance(error, Exception):
                raise
            return
        self.seq += len(futures)
        self.ts_ns = ts_ns
        self._on_disk = Batch(first_seq, self.seq, ts_ns, futures, outcome,
                              frame_bytes(len(commands)), [])
        self._writer.write(first_seq, len(futures), ts_ns, digest, commands)

    def _take_batch(self) -> tuple[bytes, list[asyncio.Future]]:
        """Take the oldest pending commands within the limits, at least one."""
        records, futures = self._records, self._futures
        if len(records) <= self.batch_max and self._bytes <= self.batch_bytes_max:
            self._records, self._futures = [], []
            self._bytes = 0
            return b"".join(records), futures
        count = size = 0
        for record in records[:self.batch_max]:
            if count and size + len(record) > self.batch_bytes_max:
                break
            count += 1
            size += len(record)
        self._records, self._futures = records[count:], futures[count:]
        self._bytes -= size
        return b"".join(records[:count]), futures[:count]

    def _on_done(self, failure: str | None) -> None:
        """The disk is done with the batch, or has failed for good."""
        batch = self._on_disk
        self._on_disk = None
        if failure is not None:
            self._stop(failure, batch.futures + batch.waiters)
            return
        self.durable_seq = batch.last_seq
        # The disk works on the next batch while this one is answered.
        self._send()
        if self._durable_callbacks:
            self._call(self._durable_callbacks, batch.last_seq, batch.frame_bytes)
        for future, reply in zip(batch.futures, replies(batch.outcome), strict=True):
            if not future.done():
                future.set_result(reply)
        for waiter in batch.waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._event_callbacks and batch.outcome.events:
            # A copy: the core fills its buffers anew.
            events = bytes(batch.outcome.events)
            self._call(self._event_callbacks, batch.first_seq, batch.ts_ns, events)

    def _stop(self, reason: str, unanswered: list[asyncio.Future]) -> None:
        """The fail-stop: nobody who still waits gets a yes."""
        self.stopped = reason
        unanswered += self._futures
        self._records, self._futures = [], []
        self._bytes = 0
        for future in unanswered:
            if not future.done():
                future.set_exception(HouseStopped(reason))
        self._call(self._stop_callbacks, reason)

    def _call(self, callbacks: list[Callable], *arguments) -> None:
        for callback in callbacks:
            try:
                callback(*arguments)
            except Exception as error:
                # A listener's fault is not the house's: what it was told is on disk all the same.
                self._loop.call_exception_handler({
                    "message": f"a callback of the sequencer failed: {callback!r}",
                    "exception": error})
