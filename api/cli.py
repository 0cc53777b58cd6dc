"""The command `orebook`: one group, its sub-commands, and how a process of ours ends.

What a sub-command needs is imported when it runs, so that `--help` and the calls to a running house
start at once. Messages for the user go to standard error, results to standard output.
"""

import dataclasses
import logging
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli_offline import import_group, rebuild_history, replay, snapshot, verify
from api.cli_operator import operator
from api.version import version

if TYPE_CHECKING:
    from api.config import Config
    from api.serve import Running

NO_O_TEXT = ("orebook: refuses to run under python -O (or with PYTHONOPTIMIZE): libraries it "
             "relies on check with assert, which that removes")
USAGE = 2


def main() -> None:
    """The entry point. Exit codes: docs/operator.md."""
    if sys.flags.optimize:
        click.echo(NO_O_TEXT, err=True)
        raise SystemExit(USAGE)
    cli.main(prog_name="orebook")


@click.group()
@click.version_option(version(), prog_name="orebook", message="%(prog)s %(version)s")
def cli() -> None:
    """An exchange and a mining pool in one durable process."""


def house_options(command):
    """The options of a command that starts a house."""
    for option in (
        click.option("--port", type=click.IntRange(0, 65535), help="0: any free one."),
        click.option("--host", help="The address to answer on."),
        click.option("--config", "config_path", type=click.Path(path_type=Path, dir_okay=False),
                     help="A TOML file; without it every key has its default."),
    ):
        command = option(command)
    return command


@cli.command()
@house_options
@click.option("--data", "directory", help="The data folder.  [default: ./data]")
def serve(config_path: Path | None, host: str | None, port: int | None,
          directory: str | None) -> None:
    """Start a house. SIGTERM or Ctrl-C ends it cleanly."""
    from api.serve import serve as run

    config = _config(config_path, host, port, directory)
    _log_to_stderr()
    _run_house(run(config, _announce(config)))
    click.echo("orebook: ended cleanly", err=True)


@cli.command()
@house_options
@click.option("--seed", type=int, default=1, show_default=True, help="Of the orders that are sent.")
@click.option("--seconds", type=click.IntRange(1), help="End by itself after so long.")
@click.option("--keep", is_flag=True, help="Leave the folder where it is.")
def demo(config_path: Path | None, host: str | None, port: int | None, seed: int,
         seconds: int | None, keep: bool) -> None:
    """Start a house on a temporary folder, with users who trade on it."""
    from rich.console import Console

    from api.demo import demo as run

    config = _config(config_path, host, port, None)
    _log_to_stderr(logging.WARNING)
    _run_house(run(config, seed, seconds, keep, Console()))


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure this machine: matching, journal, replay, http, …  (bench --help)"""
    from bench.__main__ import main as run

    run.main(list(arguments), prog_name="orebook bench")


def _config(path: Path | None, host: str | None, port: int | None,
            directory: str | None) -> "Config":
    """File and environment, and over them what the command line says."""
    from api.config import ConfigError, load

    try:
        config = load(path)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    server = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    data = {"dir": directory} if directory is not None else {}
    return dataclasses.replace(config, server=dataclasses.replace(config.server, **server),
                               data=dataclasses.replace(config.data, **data))


def _run_house(work: Coroutine[Any, Any, str | None]) -> None:
    """Runs a house to its end; exits with its code where that is not the one it should come to."""
    import uvloop

    from api.serve import Exit, StartRefused

    try:
        reason = uvloop.run(work)
    except StartRefused as error:
        click.echo(f"orebook: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    if reason is not None:
        click.echo(f"orebook: the house has stopped: {reason}", err=True)
        raise SystemExit(Exit.STOPPED)


def _announce(config: "Config") -> Callable[["Running"], None]:
    """Tells whoever has started it where the house is."""
    def announce(running: "Running") -> None:
        if running.new_password is not None:
            click.echo(f"The super administrator `operator` has the password {running.new_password}"
                       "\n(shown this once; OREBOOK_OPERATOR_PASSWORD sets it at the first start)")
        folder = Path(config.data.dir).resolve()
        click.echo(f"Orebook answers at {running.url}, data in {folder}")
        # Whoever waits for this line may read it through a pipe.
        sys.stdout.flush()
    return announce


def _log_to_stderr(level: int = logging.INFO) -> None:
    logging.basicConfig(level=level, stream=sys.stderr,
                        format="%(asctime)s %(levelname)s %(name)s: %(message)s")


for command in (operator, replay, verify, snapshot, rebuild_history, import_group):
    cli.add_command(command)

if __name__ == "__main__":
    main()
