"""Sub-commands that work on files, not on a running house: replay, verify, snapshot and their like.

`replay` and `verify` change nothing. `snapshot` and `rebuild-history` take the folder's lock, so
they are refused while a house runs on it. Exit codes: docs/operator.md.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from api.terminal import progress_bar

FAULT, FOLDER_IN_USE, DAMAGED = 1, 3, 4
SECONDS = re.compile(r"[0-9]{1,10}(\.[0-9]{1,9})?", re.ASCII)
TRADES_MAX = 1000
DIRECTORY = click.argument("directory", metavar="DIR",
                           type=click.Path(path_type=Path, exists=True, file_okay=False))


class Instant(click.ParamType):
    """A time on the command line, as UTC nanoseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None,
                ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if SECONDS.fullmatch(value):
            return int(Decimal(value) * 1_000_000_000)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a time as 2026-01-31T08:00:00+08:00 nor UNIX seconds",
                      param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        passed = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
        # In integers: a float of today's seconds cannot hold microseconds times 1000.
        return (passed.days * 86_400 + passed.seconds) * 1_000_000_000 + passed.microseconds * 1_000


@contextmanager
def faults_told() -> Iterator[None]:
    """Turns what can go wrong with a data folder into a message and an exit code."""
    from engine import FolderLocked, Halt, JournalDamage

    try:
        yield
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
                   "zone), or UNIX seconds.")
@click.option("--report", type=click.Choice(["balances", "orders", "trades", "state"]),
              default="state", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(directory: Path, until_seq: int | None, until_ns: int | None, report: str,
           as_json: bool) -> None:
    """Rebuild the state as of a point from the journal in DIR, and show it. Changes nothing."""
    from engine.replay import replay as run

    from api import reports

    with faults_told(), progress_bar("replay") as progress:
        core = run(directory, until_seq=until_seq, until_ns=until_ns, progress=progress)
    shown = {"balances": reports.balances, "orders": reports.orders, "trades": reports.trades,
             "state": reports.state}[report](core)
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
    elif isinstance(shown, dict):
        _show_lines(shown)
    else:
        _show_table(shown)


@click.command()
@DIRECTORY
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(directory: Path, as_json: bool) -> None:
    """Check all of DIR: every frame and snapshot, a full replay, all hashes, all invariants.

    Ends with 1, and says where, if anything is not as it must be.
    """
    from engine.verify import verify as run

    with faults_told(), progress_bar("verify") as progress:
        report = run(directory, progress)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report), ensure_ascii=False))
    else:
        shown = dataclasses.asdict(report)
        faults, notes = shown.pop("faults"), shown.pop("notes")
        _show_lines(shown)
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
    from engine.replay import write_snapshot

    with faults_told(), progress_bar("replay") as progress:
        path = write_snapshot(directory, progress)
    click.echo(path)


@click.command("rebuild-history")
@DIRECTORY
def rebuild_history(directory: Path) -> None:
    """Delete DIR's history database and write it anew from the journal."""
    from engine.replay import rebuild_history as run

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
    from engine.lobster import run

    with faults_told(), progress_bar("rows") as progress:
        summary = run(file, pair=pair, progress=_rows_of(file, progress))
    shown = dataclasses.asdict(summary)
    if as_json:
        click.echo(json.dumps(shown))
    else:
        _show_lines(shown)


def _rows_of(file: Path, progress: Callable[[int, int], None] | None):
    """A progress of rows done, given one of rows done and rows in all."""
    if progress is None:
        return None
    with open(file, "rb") as lines:
        rows = sum(1 for _ in lines)
    return lambda done: progress(done, rows)


def _show_lines(shown: dict) -> None:
    width = max(map(len, shown))
    for name, value in shown.items():
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
        click.echo(f"{name:{width}}  {text}")


def _show_table(rows: list[dict]) -> None:
    if not rows:
        click.echo("none")
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)
