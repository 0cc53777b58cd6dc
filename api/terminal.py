"""What the command line shows: rows as they come, and a bar while work takes long.

Standard output stays what the command was asked for; bars and messages go to standard error.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

import click

Report = Callable[[int, int], None]
# So many rows are looked at for the width of the columns; all others are passed on one by one.
ALIGNED_ROWS = 1000


@contextmanager
def progress_bar(title: str) -> Iterator[Report | None]:
    """Yields `report(done, total)`, to be called as the work goes on; None where nobody sees it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn)

    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                  TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def show_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Maps with the same keys as columns below their names; "none" where there is no row.

    Nothing is cut: who reads this, a program or a person, needs an address as a whole.
    """
    rows = iter(rows)
    first = list(islice(rows, ALIGNED_ROWS))
    if not first:
        click.echo("none")
        return
    names = list(first[0])
    widths = [max(len(name), *(len(_cell(row[name])) for row in first)) for name in names]
    for cells in chain([names], (map(_cell, row.values()) for row in chain(first, rows))):
        click.echo("  ".join(map(str.ljust, cells, widths)).rstrip())


def show_json_rows(rows: Iterable[dict[str, Any]]) -> None:
    """The same as a JSON array, a row a line."""
    ahead = "["
    for row in rows:
        click.echo(ahead + json.dumps(row, ensure_ascii=False), nl=False)
        ahead = ",\n"
    click.echo("[]" if ahead == "[" else "]")


def show_fields(fields: dict[str, Any]) -> None:
    """A map, a line for each key."""
    width = max(map(len, fields))
    for name, value in fields.items():
        shown = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
        click.echo(f"{name:{width}}  {shown}")


def _cell(value: object) -> str:
    return "" if value is None else str(value)
