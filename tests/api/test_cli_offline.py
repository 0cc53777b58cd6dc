"""What the offline commands read and show, without a process: times, rows."""

import json

import click
import pytest

from api.cli_offline import Instant
from api.terminal import ALIGNED_ROWS, show_json_rows, show_rows

S = 10**9
T = 1_795_255_741


@pytest.mark.parametrize("written, ns", [
    ("1795255741", T * S), ("0", 0), ("1795255741.5", T * S + S // 2),
    ("1795255741.000000001", T * S + 1),
    ("1795255741635", T * S + 635_000_000), ("1795255741635424645", T * S + 635_424_645),
    ("2026-11-21T10:09:01Z", T * S), ("2026-11-21 10:09:01", T * S),
    ("2026-11-21T18:09:01+08:00", T * S), ("20261121T100901Z", T * S),
    ("2026-11-21T10:09:01.635424645Z", T * S + 635_424_645),
    ("2026-11-21T18:09:01.635424645+08:00", T * S + 635_424_645),
    ("20261121T100901.5", T * S + S // 2), ("2026-11-21T10:09:01,25", T * S + S // 4),
    ("2026-11-21", T * S - 36_541 * S), ("1969-12-31T23:59:59.5Z", -S // 2),
])
def test_times(written, ns):
    assert Instant().convert(written, None, None) == ns


@pytest.mark.parametrize("written", [
    "", "now", "10:09", "2026-11-21T10.5", "2026-13-01", "12345678901", "-1", "1e9", "1_000",
    "1795255741.", "1795255741.0000000001", "2026-11-21T10:09:01.0000000001Z", "\u0661"])
def test_what_is_no_time(written):
    with pytest.raises(click.BadParameter, match="UNIX seconds"):
        Instant().convert(written, None, None)


def test_rows_are_shown_as_a_whole(capsys):
    address = "bc1p" + "0" * 100
    count = ALIGNED_ROWS + 5
    show_rows({"id": number, "address": address, "txid": None} for number in range(count))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["id", "address", "txid"]
    assert lines[1].split() == ["0", address] and lines[-1].split() == [str(count - 1), address]
    assert len(lines) == count + 1
    show_rows([])
    assert capsys.readouterr().out == "none\n"


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": 1, "b": "\u00e4"}, {"a": 2, "b": None}]])
def test_json_rows_are_one_array(capsys, rows):
    show_json_rows(iter(rows))
    assert json.loads(capsys.readouterr().out) == rows


def test_rows_are_passed_on_as_they_come(capsys):
    """A report of many millions of rows must not wait for its last one."""
    def rows():
        for number in range(10 * ALIGNED_ROWS):
            yield {"id": number}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        show_rows(rows())
    assert len(capsys.readouterr().out.splitlines()) == 10 * ALIGNED_ROWS + 1
