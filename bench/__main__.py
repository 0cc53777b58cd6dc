"""`python -m bench [SUBJECT…]`: runs benchmarks, prints tables, and writes all of it as JSON.

Without a subject, or with `all`: everything but what has to be asked for, the peers (`peers` or
--peers), which must be installed, `users`, `pool` and `settlement`, which take minutes and
gigabytes, and `workers` and `shares`, one call each.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import click
from rich.console import Console

from bench import machine, report, users, workload

SUBJECTS = ("matching", "journal", "replay", "http", "logins")
ASKED_FOR = ("peers", "users", "pool", "settlement", "workers", "shares")
# The peers' own table: the widest mix takes their trees and lists too long.
PEER_MIXES = ("A", "B")


def split_mixes(context: click.Context, parameter: click.Parameter, text: str) -> list[str]:
    mixes = text.split(",")
    for mix in mixes:
        if mix not in workload.MIXES:
            raise click.BadParameter(f"{mix!r} is none of {', '.join(workload.MIXES)}")
    return mixes


@click.command(name="bench")
@click.argument("subjects", nargs=-1, type=click.Choice((*SUBJECTS, *ASKED_FOR, "all")))
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False),
              help="Write machine and results to a file.")
@click.option("--repeat", type=click.IntRange(1), default=5, show_default=True,
              help="Rounds of each measurement; the median counts.")
@click.option("--mix", "mixes", default=",".join(workload.MIXES), show_default=True,
              callback=split_mixes, help="Workloads, separated by commas.")
@click.option("--n", "count", type=click.IntRange(1), default=workload.MESSAGES,
              show_default=True, help="Messages of each workload.")
@click.option("--users", "user_count", type=click.IntRange(1), default=users.USERS,
              show_default=True, help="Users of the house of many users.")
@click.option("--cache", type=click.Path(path_type=Path, file_okay=False), default=None,
              help="Folder for generated workloads.  [default: orebook-bench in the user's cache]")
@click.option("--peers", "with_peers", is_flag=True, help="Other order books from PyPI, too.")
@click.option("--peers-python", default=sys.executable,
              help="The Python that has the peers installed.  [default: this one]")
def main(subjects, json_path, repeat, mixes, count, user_count, cache, with_peers, peers_python):
    """Measure the engine on this machine."""
    chosen = list(dict.fromkeys(
        name for subject in subjects or ("all",)
        for name in (SUBJECTS if subject == "all" else (subject,))))
    if with_peers and "peers" not in chosen:
        chosen.append("peers")
    options = {
        "matching": {"mixes": mixes, "count": count, "repeat": repeat, "cache": cache},
        "journal": {},
        "replay": {"mixes": mixes, "count": count, "repeat": repeat, "cache": cache},
        "http": {"repeat": repeat},
        "peers": {"mixes": [mix for mix in mixes if mix in PEER_MIXES], "count": count,
                  "cache": cache, "python": peers_python},
        "users": {"count": user_count},
        "logins": {},
        "pool": {},
        "settlement": {},
        "workers": {},
        "shares": {},
    }
    console = Console()
    found = {"machine": machine.describe(), "results": {}}
    console.print(", ".join(f"{name} {figure}" for name, figure in found["machine"].items()))
    for subject in chosen:
        with console.status(f"{subject} …"):
            result = import_module(f"bench.{subject}").run(**options[subject])
        found["results"][subject] = result
        report.show(console, subject, result)
    if json_path is not None:
        json_path.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
