"""engine/worker_hours and engine/hour_writer: every hour of every worker is what the shares say,
whatever happens to the house, its scribe and its files."""

import asyncio
import logging
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from engine import House, HouseSettings
from engine.core import Core
from engine.hour_writer import HourWriter
from engine.replay import (
    JOURNAL_FOLDER, Follower, last_seq_of, rebuild_history, write_snapshot)
from engine.snapshot import list_snapshots
from pool.hour_files import HourFolder, first_hour_kept
from tests.engine.cold_house import ColdHouse
from tests.engine.shared_hours import ACCOUNTS, NS_PER_S, SETUP, Counted, Pool
from tests.support.processes import scribe_of, until, wait_ended

WAIT_S = 200
HOUR_S, DAY_S = 3_600, 86_400
START_S = 19_700 * DAY_S + 5 * HOUR_S + 17 * 60
FAR = 10**9


def run(coroutine):
    async def limited():
        async with asyncio.timeout(WAIT_S):
            return await coroutine

    return asyncio.run(limited())


class Life:
    """A house in a folder, and the pool that it must know."""

    def __init__(self, directory: Path, seed: int = 1):
        self.directory = Path(directory)
        self.folder = HourFolder(self.directory / "hours")
        self.pool = Pool(START_S, seed)
        self.first_hour = START_S // HOUR_S
        self.house: House | None = None

    async def open(self) -> None:
        settings = HouseSettings(segment_bytes=64 << 10, snapshot_every_bytes=10_000,
                                 clock=self.pool.clock)
        self.house = await House.open(self.directory, settings)
        if self.house.seq == 0:
            for record in SETUP:
                await self.submit(record)

    async def submit(self, record: bytes) -> None:
        reply = await self.house.submit(record)
        assert reply.code == 1, reply

    async def mine(self, until_s: int, names: list[str], step_s: int = 2 * HOUR_S) -> None:
        """Shares of some of the workers at times up to one."""
        draw = self.pool.draw
        while True:
            self.pool.now_s += draw.randrange(60, step_s)
            if self.pool.now_s >= until_s:
                self.pool.now_s = until_s
                return
            some = draw.sample(names, draw.randrange(1, len(names) + 1))
            await self.submit(self.pool.batch(some, late_s=draw.choice([0, 60, 600])))

    async def restart(self) -> None:
        await self.house.close()
        await self.open()

    async def lose_scribe(self) -> None:
        pid = until(lambda: scribe_of(os.getpid()))
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(wait_ended, pid)

    def damage(self) -> tuple[list[int], tuple[int, int]]:
        """Remove and spoil files: of the newest hours, which come again from the core and the
        journal behind the newest snapshot, and of older ones, which do not."""
        newest = self.folder.hours()[-6:]
        lost_hour = first_hour_kept(self.pool.now_s) + 13 * 24
        for hour in (*newest[1:], lost_hour):
            self.folder.path_of(hour).unlink()
        os.truncate(self.folder.path_of(newest[0]), 30)
        spoiled = bytearray(self.folder.path_of(lost_hour + 1).read_bytes())
        spoiled[20] ^= 1
        self.folder.path_of(lost_hour + 1).write_bytes(spoiled)
        return newest, (lost_hour, lost_hour + 1)

    async def compare(self, lost: tuple[int, ...] = ()) -> None:
        """Ask for all that there is, and count it anew from the shares."""
        counted, hours = Counted(self.pool), self.house.worker_hours
        now_s = self.pool.now_s
        known = [hour for hour in range(max(first_hour_kept(now_s), self.first_hour),
                                        now_s // HOUR_S) if hour not in lost]
        for account in ACCOUNTS:
            periods = await hours.of_account(account, 0, FAR)
            assert self.cut(periods) == [
                (hour * HOUR_S, *counted.account(account, hour)) for hour in known]
            active = await hours.active_of_account(account, 0, FAR)
            assert self.cut(active) == [
                (hour * HOUR_S, len(counted.active[account, hour])) for hour in known]
            for worker in self.pool.plain.listed(account, now_s).values():
                periods = await hours.of_worker(account, worker.name, 0, FAR)
                assert self.cut(periods) == [
                    (hour * HOUR_S, *counted.worker(account, worker.name, hour))
                    for hour in known], worker.name
            rows = [(start_s, list(zip(*columns)))
                    async for start_s, columns in hours.of_workers(account, 0, FAR)]
            assert self.cut(rows) == [
                (hour * HOUR_S, counted.rows(account, now_s, hour)) for hour in known]

    def cut(self, found: list[tuple]) -> list[tuple]:
        """From the first hour that had a share on; before it all is nothing."""
        first_s = self.first_hour * HOUR_S
        assert all(not any(what) if isinstance(what, list) else what == 0
                   for start_s, *rest in found if start_s < first_s for what in rest)
        return [tuple(each) for each in found if each[0] >= first_s]


# -- a house ---------------------------------------------------------------------------------------

NAMES = ["2.a", "2.b", "4.a", "2.c", "4.long name of a worker that lies elsewhere", "4.d"]


@pytest.mark.slow
def test_memory_and_files_tell_the_same_as_the_shares(tmp_path):
    async def scenario():
        life = Life(tmp_path)
        await life.open()
        await life.compare()
        await life.mine(START_S + 40 * HOUR_S, NAMES)
        await life.compare()
        hours = life.house.worker_hours
        now = life.pool.now_s // HOUR_S
        assert len(life.folder.hours()) >= 39
        assert await hours.of_worker(2, "nobody", 0, FAR) == []
        assert await hours.of_worker(77, "a", 0, FAR) == []
        assert [part async for part in hours.of_workers(77, now - 1, now)] == [
            ((now - 1) * HOUR_S, ([], [], []))]
        for first, last, count in ((now, now + 5, 0), (now - 1, now, 1), (now - 3, now - 4, 0),
                                   (now - 30, now - 28, 3), (now - 26, now - 22, 5)):
            assert len(await hours.of_worker(2, "a", first, last)) == count
            assert len(await hours.active_of_account(2, first, last)) == count
            assert len([part async for part in hours.of_workers(2, first, last)]) == count
        # The last 24 hours are those of the core's own calls.
        number = life.house.core.workers.find(2, "a")
        assert (await hours.of_worker(2, "a", now - 24, now)
                == life.house.core.workers.hours(number, life.pool.now_s))
        await life.house.close()

        # What a snapshot still has is written when the scribe starts, without any command.
        write_snapshot(tmp_path)
        newest = life.folder.hours()[-3:]
        for hour in newest:
            life.folder.path_of(hour).unlink()
        await life.open()
        await life.house.history.order(1)
        assert life.folder.hours()[-3:] == newest
        await life.house.close()

    run(scenario())


@pytest.mark.slow
def test_the_latest_share_counts_and_its_hour_is_written_after_it(tmp_path):
    async def scenario():
        life = Life(tmp_path)
        await life.open()
        end_s = (life.first_hour + 1) * HOUR_S
        life.pool.now_s = end_s - 30
        await life.submit(life.pool.batch(["2.a", "4.a"]))
        life.pool.now_s = end_s + 599
        await life.submit(life.pool.rows([(2, "a")], [(0, 1, 5, 1, 1 << 20, end_s - 1)]))
        await life.house.history.order(1)
        assert life.first_hour not in life.folder.hours()
        life.pool.now_s = end_s + 600
        await life.submit(life.pool.rows([(2, "a")], [(0, 1, 5, 1, 1 << 20, end_s)]))
        await life.house.history.order(1)
        assert life.first_hour in life.folder.hours()
        # So late that what is asked comes from files, over a day without a share.
        life.pool.now_s = end_s + 30 * HOUR_S
        await life.compare()
        await life.submit(life.pool.batch(["4.a"]))
        await life.compare()
        await life.house.close()

    run(scenario())


@pytest.mark.slow
def test_a_house_without_a_scribe_serves_on_and_the_next_one_knows_all(tmp_path, caplog):
    async def scenario():
        life = Life(tmp_path, seed=3)
        await life.open()
        await life.mine(START_S + 30 * HOUR_S, NAMES)
        await life.compare()
        await life.lose_scribe()
        await life.mine(START_S + 32 * HOUR_S, NAMES)
        await life.compare()
        await life.lose_scribe()
        await life.mine(START_S + 70 * HOUR_S, NAMES)
        there = life.folder.hours()
        first_in_memory = life.house.core.workers.minute // 60 - 24
        lost = tuple(range(there[-1] + 1, first_in_memory))
        assert len(lost) > 5
        with caplog.at_level(logging.WARNING):
            await life.compare(lost)
        told = [record.message for record in caplog.records if "is not known" in record.message]
        assert len(told) == len(set(told)) == len(lost)
        await life.restart()
        await life.compare()
        await life.house.close()

    run(scenario())


@pytest.mark.slow
def test_forty_days_with_restarts_kills_and_damage(tmp_path):
    life = Life(tmp_path, seed=2)

    async def scenario():
        await life.open()
        await life.mine(START_S + 2 * DAY_S, [*NAMES, "2.old"])
        number = life.house.core.workers.find(2, "old")
        await life.restart()
        await life.mine(START_S + 9 * DAY_S, NAMES, step_s=4 * HOUR_S)
        await life.lose_scribe()
        await life.mine(START_S + 12 * DAY_S, NAMES, step_s=4 * HOUR_S)
        await life.compare()
        # A long silence with the house, then one without it.
        life.pool.now_s += 3 * DAY_S
        await life.compare()
        await life.mine(START_S + 20 * DAY_S, NAMES, step_s=6 * HOUR_S)
        await life.house.close()
        life.pool.now_s += 2 * DAY_S
        await life.open()
        await life.compare()
        await life.mine(START_S + 31 * DAY_S - 6 * HOUR_S, NAMES, step_s=6 * HOUR_S)
        await life.compare()
        await life.house.close()
        newest, lost = life.damage()
        await life.open()
        await life.compare(lost)
        assert [life.folder.fault_of(hour) for hour in newest] == [None] * 6
        # The old worker goes with the day, though the core hears of that from the next share only.
        assert life.house.core.workers.find(2, "old") == number
        assert await life.house.worker_hours.of_worker(2, "old", 0, FAR) != []
        life.pool.now_s = (START_S // DAY_S + 33) * DAY_S
        assert life.house.core.workers.find(2, "old") == number
        assert await life.house.worker_hours.of_worker(2, "old", 0, FAR) == []
        # Who comes next has its number, but none of its hours.
        await life.submit(life.pool.batch(["4.new"]))
        assert life.house.core.workers.find(4, "new") == number
        await life.compare(lost)
        await life.mine(START_S + 40 * DAY_S, [*NAMES, "4.new", "2.old"], step_s=6 * HOUR_S)
        await life.compare(lost)
        await life.house.close()
        return lost

    lost = run(scenario())
    assert list_snapshots(tmp_path / "snapshots")
    prove_that_a_replay_writes_the_same(life, lost)


def prove_that_a_replay_writes_the_same(life, lost):
    directory = life.directory
    told = {hour: content for hour, content in contents(life.folder).items() if hour not in lost}
    assert len(told) == 31 * 24 - len(lost)

    # One run over the whole journal.
    (directory / "copy").mkdir()
    shutil.copytree(directory / JOURNAL_FOLDER, directory / "copy" / JOURNAL_FOLDER)
    writer = HourWriter(directory / "copy")
    follower = Follower(directory / "copy", Core(), writer.write_final)
    for _ in follower.advance(last_seq_of(directory)):
        pass
    follower.close()
    again = contents(writer.folder)
    assert {hour: again[hour] for hour in told} == told
    assert set(again) - set(told) == set(lost)

    # So does the offline command, which brings back what was lost.
    shutil.rmtree(life.folder.directory)
    rebuild_history(directory)
    assert contents(life.folder) == again


def contents(folder):
    return {hour: folder.path_of(hour).read_bytes() for hour in folder.hours()}


# -- the writer ------------------------------------------------------------------------------------

@pytest.fixture
def mined():
    """A core with one share, its pool, and a way to give it another batch."""
    pool = Pool(START_S)
    house = ColdHouse(ts_ns=pool.clock())
    for record in SETUP:
        house.send(record)

    def share(*names):
        house.ts_ns = pool.clock()
        house.send(pool.batch(list(names)))

    share("2.a")
    return house.core, pool, share


def test_a_house_without_workers_writes_nothing(tmp_path):
    writer = HourWriter(tmp_path)
    writer.write_final(Core(), START_S * NS_PER_S)
    writer.write_final(Core(), (START_S + 90 * DAY_S) * NS_PER_S)
    assert list(tmp_path.iterdir()) == []


def test_every_hour_of_a_long_silence_is_known(tmp_path, mined):
    core, pool, _ = mined
    writer = HourWriter(tmp_path)
    hour = pool.now_s // HOUR_S
    pool.now_s += 2 * DAY_S
    writer.write_final(core, pool.clock())
    assert writer.folder.hours() == list(range(hour - 24, pool.now_s // HOUR_S))
    for each in writer.folder.hours():
        with writer.folder.open(each) as file:
            assert (file.worker(1) != (0, 0)) == (each == hour)


@pytest.mark.slow
def test_of_a_silence_of_months_only_what_may_be_read_is_written(tmp_path, mined):
    core, pool, _ = mined
    writer = HourWriter(tmp_path)
    writer.write_final(core, pool.clock())
    pool.now_s += 90 * DAY_S
    writer.write_final(core, pool.clock())
    now = pool.now_s // HOUR_S
    assert writer.folder.hours() == list(range(now - 31 * 24, now))


def test_a_whole_file_is_left_alone_and_a_damaged_one_written_anew(tmp_path, mined, caplog):
    core, pool, _ = mined
    folder = HourWriter(tmp_path).folder
    hour = pool.now_s // HOUR_S
    pool.now_s += 2 * HOUR_S
    HourWriter(tmp_path).write_final(core, pool.clock())
    whole = folder.path_of(hour).read_bytes()
    before = [os.stat(folder.path_of(each)).st_ino for each in folder.hours()]
    os.truncate(folder.path_of(hour), len(whole) - 1)
    HourWriter(tmp_path).write_final(core, pool.clock())
    after = [os.stat(folder.path_of(each)).st_ino for each in folder.hours()]
    changed = [each for each, old, new in zip(folder.hours(), before, after) if old != new]
    assert changed == [hour] and folder.path_of(hour).read_bytes() == whole
    assert "written anew" in caplog.text


def test_what_the_disk_did_not_take_is_tried_again(tmp_path, mined, caplog):
    core, pool, share = mined
    (tmp_path / "hours").write_text("no folder")
    writer = HourWriter(tmp_path)
    hour = pool.now_s // HOUR_S
    pool.now_s += 2 * HOUR_S
    writer.write_final(core, pool.clock())
    assert "are not on disk" in caplog.text
    (tmp_path / "hours").unlink()
    share("2.a", "4.b")
    writer.write_final(core, pool.clock())     # not due again yet
    assert writer.folder.hours() == []
    pool.now_s += HOUR_S
    writer.write_final(core, pool.clock())
    assert writer.folder.hours()[-3:] == [hour, hour + 1, hour + 2]
    with writer.folder.open(hour + 2) as file:
        numbers = np.array([1, 2], np.uint32)
        assert (np.array(file.workers(numbers)) == core.workers.hour_of_workers(
            numbers, hour + 2)).all()
