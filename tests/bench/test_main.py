"""The command line: what is run, shown and written."""

import json
import sys

import pytest
from click.testing import CliRunner

from bench import peers, workload
from bench.__main__ import main
from bench.machine import describe


@pytest.fixture
def invoke(tmp_path):
    def invoke(*arguments):
        json_path = tmp_path / "out.json"
        result = CliRunner().invoke(
            main, [*arguments, "--cache", str(tmp_path / "cache"), "--json", str(json_path)],
            catch_exceptions=False)
        return result, json.loads(json_path.read_text()) if json_path.is_file() else None
    return invoke


def test_replay_of_a_mix(invoke):
    result, written = invoke("replay", "--mix", "A", "--n", "2000", "--repeat", "1")
    assert result.exit_code == 0
    assert "Replay" in result.output
    assert set(written["machine"]) == set(describe())
    assert written["results"]["replay"]["mixes"]["A"]["commands"] == 2_000 + 1_002


@pytest.mark.parametrize("arguments", [
    ("nonsense",), ("matching", "--mix", "A,C"), ("matching", "--n", "0"),
    ("matching", "--repeat", "0"),
])
def test_bad_arguments_are_refused(invoke, arguments):
    result, written = invoke(*arguments)
    assert result.exit_code == 2
    assert written is None


def test_a_missing_peer_is_reported_as_missing(invoke, tmp_path):
    result, written = invoke("peers", "--mix", "A", "--n", "100",
                             "--peers-python", sys.executable)
    assert result.exit_code == 0
    for name, peer in peers.PEERS.items():
        try:
            __import__(peer.module)
        except ImportError:
            assert peer.module in written["results"]["peers"][name]["missing"]
        else:
            assert written["results"]["peers"][name]["A"]["right"]


@pytest.mark.parametrize("mix", ["A", "B"])
@pytest.mark.parametrize("name", sorted(peers.PEERS))
def test_a_peer_does_what_the_workload_says(name, mix):
    pytest.importorskip(peers.PEERS[name].module, reason=f"{name} is not installed")
    assert peers.measure(peers.PEERS[name](), workload.generate(mix, 2_000))["right"]


def test_the_machine_line_names_processor_and_flags():
    line = describe()
    assert line["cpu"] and line["cpus"] >= 1
    assert "-O" in line["compiler_flags"]
