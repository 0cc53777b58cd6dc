"""Sub-commands that work on files, not on a running house: replay, verify, snapshot and their like.

`replay` and `verify` change nothing. `snapshot` and `rebuild-history` take the folder's lock, so
they are refused while a house runs on it. Exit codes: docs/operator.md.
"""

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from api.terminal import progress_bar, show_fields, show_json_rows, show_rows

FAULT, FOLDER_IN_USE, DAMAGED = 1, 3, 4
SECONDS = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,9}))?", re.ASCII)
# As replies give a `timetick`, and as `verify` shows its `ts_ns`.
MILLISECONDS = re.compile(r"[0-9]{13}", re.ASCII)
NANOSECONDS = re.compile(r"[0-9]{19}", re.ASCII)
# Only a second has one: in 10:09:01.5 or T100901.5.
FRACTION = re.compile(
    r"(?:(?<=:[0-9]{2}:[0-9]{2})|(?<=T[0-9]{6}))[.,]([0-9]{1,9})(?=Z$|[+-]|$)", re.ASCII)
NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DIRECTORY = click.argument("directory", metavar="DIR",
                           type=click.Path(path_type=Path, exists=True, file_okay=False))


class Instant(click.ParamType):
    """A time on the command line, as UTC nanoseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None,
                ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if found := SECONDS.fullmatch(value):
            return int(found[1]) * NS_PER_S + _fraction_ns(found[2])
        if MILLISECONDS.fullmatch(value):
            return int(value) * NS_PER_MS
        if NANOSECONDS.fullmatch(value):
            return int(value)
        # Python cuts fractions off at microseconds; a time that `replay` shows has nanoseconds.
        fraction = FRACTION.search(value)
        whole = FRACTION.sub("", value, count=1)
        try:
            if "." in whole or "," in whole:
                raise ValueError
            moment = datetime.fromisoformat(whole)
        except ValueError:
            self.fail(f"{value!r} is neither a time as 2026-01-31T08:00:00+08:00 nor UNIX seconds",
                      param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        passed = moment - EPOCH
        seconds = passed.days * 86_400 + passed.seconds
        return seconds * NS_PER_S + _fraction_ns(fraction and fraction[1])


def _fraction_ns(digits: str | None) -> int:
    """Nanoseconds of the digits behind a second's point."""
    return int((digits or "0").ljust(9, "0"))


@contextmanager
def faults_told() -> Iterator[None]:
    """Turns what can go wrong with a data folder into a message and an exit code."""
    from engine import FolderLocked, Halt, JournalDamage

    try:
        yield
    except BrokenPipeError:
        raise   # who reads us has enough (`| head`): click ends quietly
    except FolderLocked as error:
        fault, code = error, FOLDER_IN_USE
    except (JournalDamage, Halt) as error:
        fault, code = error, DAMAGED
    except (OSError, ValueError) as error:
        fault, code = error, FAULT
    else:
        return
    click.echo(f"orebook: {fault}", err=True)
    raise SystemExit(code)


@click.command()
@DIRECTORY
@click.option("--until-seq", type=click.IntRange(0), help="Stop right after this command.")
@click.option("--until-time", "until_ns", type=Instant(),
              help="Stop after the last command up to this time: ISO 8601 (UTC where it names no "
                   "zone), UNIX seconds, or milliseconds as in a timetick.")
@click.option("--report", type=click.Choice(["balances", "orders", "trades", "state"]),
              default="state", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(directory: Path, until_seq: int | None, until_ns: int | None, report: str,
           as_json: bool) -> None:
    """Rebuild the state as of a point from the journal in DIR, and show it. Changes nothing."""
    from api import reports
    from engine import replay_folder, replay_trades

    point = {"until_seq": until_seq, "until_ns": until_ns}
    show = show_json_rows if as_json else show_rows
    with faults_told():
        if report == "trades":
            # On a terminal they are progress enough, as they come.
            bar = nullcontext() if sys.stdout.isatty() else progress_bar("replay")
            with bar as progress:
                show(reports.trades(replay_trades(directory, **point, progress=progress)))
            return
        with progress_bar("replay") as progress:
            core = replay_folder(directory, **point, progress=progress)
        if report != "state":
            show({"balances": reports.balances, "orders": reports.orders}[report](core))
        elif as_json:
            click.echo(json.dumps(reports.state(core)))
        else:
            show_fields(reports.state(core))


@click.command()
@DIRECTORY
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(directory: Path, as_json: bool) -> None:
    """Check all of DIR: every frame and snapshot, a full replay, all hashes, all invariants.

    Ends with 1, and says where, if anything is not as it must be.
    """
    from engine import verify_folder

    with faults_told(), progress_bar("verify") as progress:
        report = verify_folder(directory, progress)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report), ensure_ascii=False))
    else:
        shown = dataclasses.asdict(report)
        faults, notes = shown.pop("faults"), shown.pop("notes")
        show_fields(shown)
        for note in notes:
            click.echo(f"note: {note}")
        for fault in faults:
            click.echo(f"FAULT: {fault}")
        click.echo("all is as it must be" if not faults else f"{len(faults)} faults")
    if not report.ok:
        raise SystemExit(FAULT)


@click.command()
@DIRECTORY
def snapshot(directory: Path) -> None:
    """Write a snapshot of the state at the end of DIR's journal."""
    from engine import write_snapshot

    with faults_told(), progress_bar("replay") as progress:
        path = write_snapshot(directory, progress)
    click.echo(path)


@click.command("rebuild-history")
@DIRECTORY
def rebuild_history(directory: Path) -> None:
    """Delete DIR's history database and write it anew from the journal."""
    from engine import rebuild_history as run

    with faults_told(), progress_bar("history") as progress:
        reached = run(directory, progress)
    click.echo(f"the history is at command {reached.seq}")


@click.group("import")
def import_group() -> None:
    """Send recorded order flow through the engine."""


@import_group.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--pair", default="AAPL/USD", show_default=True, help="The pair made for it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def lobster(file: Path, pair: str, as_json: bool) -> None:
    """Send a LOBSTER message file through an engine of its own, and compare.

    Where the order book file lies beside it, the best prices are looked for in it.
    """
    from engine import run_lobster

    with faults_told(), progress_bar("rows") as progress:
        summary = run_lobster(file, pair=pair, progress=_rows_of(file, progress))
    shown = dataclasses.asdict(summary)
    if as_json:
        click.echo(json.dumps(shown))
    else:
        show_fields(shown)


def _rows_of(file: Path, progress: Callable[[int, int], None] | None):
    """A progress of rows done, given one of rows done and rows in all."""
    if progress is None:
        return None
    with open(file, "rb") as lines:
        rows = sum(1 for _ in lines)
    return lambda done: progress(done, rows)
