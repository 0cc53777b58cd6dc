"""Shows results as tables. Every `run` of this package gives plain dicts: JSON keeps them as is."""

from rich.console import Console
from rich.table import Table


def show(console: Console, subject: str, result: dict) -> None:
    for table in TABLES.get(subject, plain)(subject, result):
        console.print(table)


def matching(subject: str, result: dict) -> list[Table]:
    rates = Table("mix", "commands", "live orders", "trades", "million/s", "rounds",
                  title="Matching, one processor, everything but the journal")
    for mix, row in result["mixes"].items():
        rounds = " ".join(f"{rate:.2f}" for rate in row["million_per_s_rounds"])
        rates.add_row(mix, f"{row['commands']:,}", f"{row['live_orders']:,}", f"{row['trades']:,}",
                      f"{row['million_per_s']:.2f}", rounds)
    return [rates, *(plain("memory", result["memory"]) if "memory" in result else ())]


def replay(subject: str, result: dict) -> list[Table]:
    table = Table("mix", "commands", "frames", "million/s", "rounds",
                  title="Replay of a journal, checksums and outcomes compared")
    for mix, row in result["mixes"].items():
        rounds = " ".join(f"{rate:.2f}" for rate in row["million_per_s_rounds"])
        table.add_row(mix, f"{row['commands']:,}", f"{row['frames']:,}",
                      f"{row['million_per_s']:.2f}", rounds)
    return [table]


def http(subject: str, result: dict) -> list[Table]:
    table = Table("server", "requests", "CPU µs/request", "scribe CPU µs/request", "requests/s",
                  title=f"POST buy, {result['connections']} connections",
                  caption=f"bare / house: {result['ratio']:.2f}")
    for name in ("bare", "house"):
        row = result[name]
        table.add_row(name, f"{row['requests']:,}", f"{row['cpu_us_per_request']:.1f}",
                      f"{row['scribe_cpu_us_per_request']:.1f}", f"{row['requests_per_s']:,.0f}")
    return [table]


def peers(subject: str, result: dict) -> list[Table]:
    table = Table("peer", "version", "mix", "million/s", "checked", title="Peers, one thread")
    for name, found in result.items():
        if "missing" in found:
            table.add_row(name, "missing", "", "", found["missing"])
            continue
        for mix, row in found.items():
            checked = ", ".join(row["checked"]) + ("" if row["right"] else ": wrong")
            table.add_row(name, row["version"], mix, f"{row['million_per_s']:.3f}", checked)
    return [table]


def plain(subject: str, result: dict) -> list[Table]:
    """One row a figure, for results without a table of their own."""
    table = Table("figure", "", title=subject)
    for name, figure in result.items():
        shown = f"{figure:,.2f}" if isinstance(figure, float) else str(figure)
        table.add_row(name.replace("_", " "), shown)
    return [table]


TABLES = {"matching": matching, "replay": replay, "http": http, "peers": peers}
