"""What the README says to type does what it says, typed as it stands."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.api.serving import PASSWORD, ROOT, ServedHouse, environment

# Starts processes.
pytestmark = pytest.mark.slow


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="no bash or curl")
def test_a_first_trade(tmp_path):
    house = ServedHouse(tmp_path / "data", OREBOOK_MAIL_RETURN_CODES="false")
    try:
        script, = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        # Three things are the reader's own: address, password, and where the command lies.
        script = script.replace("http://127.0.0.1:8088", house.url).replace("secret-here", PASSWORD)
        command = tmp_path / ".venv/bin/orebook"
        command.parent.mkdir(parents=True)
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m api.cli "$@"\n')
        command.chmod(0o755)
        ended = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, text=True, timeout=120,
                               capture_output=True, env=environment(OREBOOK_URL=house.url))
        assert ended.returncode == 0, ended.stderr
    finally:
        assert house.end() == 0
    lines = ended.stdout.splitlines()
    answers = [json.loads(line) for line in lines if line.startswith("{")]
    assert all(answer["status"] for answer in answers), lines
    assert [line for line in lines if not line.startswith("{")] == ["duplicate  False"] * 2
    buy, sell, coins, depth, bars = (answer["data"] for answer in answers[-5:])
    assert (buy["status"], sell["status"], sell["filled"]) == ("open", "filled", "0.2")
    assert coins["BTC"]["available"] == "0.1996"
    assert coins["USDT"] == {"available": "5500", "frozen": "2700", "total": "8200"}
    assert depth["bid"] == [[9000, 0.3]] and depth["ask"] == []
    assert bars[-1]["close"] == "9000"
    assert (tmp_path / "alice.cookie").is_file()
