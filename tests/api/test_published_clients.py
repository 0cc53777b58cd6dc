"""The JavaScript examples of the pool's two published documents get in as they stand.

Only their placeholders are filled in: address, credential, parameters, and what to do with the
answer. They run under Node.js with the packages that they require (tests/node/package.json), which
`make test` installs into the environment where npm is there.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine import Kind
from tests.api.action_apis import OPERATION, ActionApi
from tests.api.conftest import NO_PASSWORD, HouseThread
from tests.api.pool_doors import AUTHENTICATION, Doors

SEEDS = Path(__file__).parents[3] / "shared" / "seeds"
NODE_MODULES = Path(sys.prefix) / "node" / "node_modules"
PACKAGES = json.loads((Path(__file__).parents[1] / "node" / "package.json").read_text())[
    "dependencies"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SEEDS.is_dir(), reason="../shared is not beside the checkout"),
    pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js"),
    pytest.mark.skipif(not all((NODE_MODULES / name).is_dir() for name in PACKAGES),
                       reason="the packages of tests/node are not installed"),
]

# What an example's parameters may hold, and what a signature must not stumble over.
PARAMETERS = r"""{ account: '币安 "a\\b" é\u2028😀', rate: 1e-7, big: 1e21, list: [1.50, -0] }"""
GIVEN = {"account": '币安 "a\\b" é\u2028😀', "rate": "1e-7", "big": "1e+21", "list": ["1.5", "0"]}


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    opened = Doors(tmp_path_factory.mktemp("doors") / "house")
    yield opened
    opened.close()


def examples():
    """The three programs: the user API's, and the action API's without and with a signature."""
    fence = re.compile(r"```javascript\n(.*?)```", re.DOTALL)
    user_api, = fence.findall((SEEDS / "pool-user-api.md").read_text())
    # This document has no fences: a program goes from its first line to the next heading.
    program = re.compile(r"^(?:const crypto|const _) = require.*?(?=^\d+\. )",
                         re.DOTALL | re.MULTILINE)
    token_only, with_signature = program.findall((SEEDS / "pool-action-api.md").read_text())
    return {"user-api": user_api, "action-api, token": token_only,
            "action-api, signature": with_signature}


def filled_in(program, url, own, parameters=PARAMETERS):
    """The program with its placeholders replaced; every one must be there."""
    fillings = [
        (r"'http://service_url'", json.dumps(url)),
        (r"(?<=clientId = )'x+'", json.dumps(own["clientId"])),
        (r"(?<=secretKey = )'x+'", json.dumps(own["secretKey"])),
        (r"\{\.\.\.\}|(?<=parameters = )\{\}", parameters),
        (r"function \((?:resp)?\) \{\n *(?:\.{6}|// 结果处理)\n",
         "function (resp) { console.log(JSON.stringify(resp));\n"),
    ]
    if "secretSalt = " in program:
        fillings.append((r"(?<=secretSalt = )'x+'", json.dumps(own["secretSalt"])))
    for pattern, filling in fillings:
        program, count = re.subn(pattern, lambda match, filling=filling: filling, program)
        assert count == 1, pattern
    return program


def run(folder, program):
    """What the program prints, as JSON."""
    path = folder / "example.js"
    path.write_text(program)
    ended = subprocess.run(["node", "--no-deprecation", path], text=True, timeout=60,
                           capture_output=True, env=os.environ | {"NODE_PATH": str(NODE_MODULES)})
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_a_token_opens_the_user_api(doors, tmp_path):
    uid = doors.house.submit(Kind.REGISTER_USER, username="miner", password_hash=NO_PASSWORD,
                             group=2)
    own = doors.new_credential("miner-client", "account", uid)
    url = f"http://127.0.0.1:{doors.port}/user-api"
    for example in ("user-api", "action-api, token"):
        assert run(tmp_path, filled_in(examples()[example], url, own)) == {
            "code": 0, "message": None, "data": {
                "client": {"client_id": "miner-client", "scope": "account", "uid": uid}}}


def test_a_token_and_a_signature_open_the_action_api(doors, tmp_path):
    own = doors.new_credential("pool-operator")
    url = f"http://127.0.0.1:{doors.port}/action-api"
    program = filled_in(examples()["action-api, signature"], url, own)
    assert run(tmp_path, program) == {"code": 0, "message": None, "data": {
        "client": {"client_id": "pool-operator", "scope": "operator", "uid": 0},
        "action": "action-xxx", "given": GIVEN}}
    # And it was the signature that opened it.
    wrong = run(tmp_path, program.replace(own["secretSalt"], own["secretSalt"] + "x"))
    assert (wrong["code"], wrong["message"]) == (AUTHENTICATION, "sign: is wrong")


def test_an_action_is_done(tmp_path):
    """Against the whole application, and not against its doors alone."""
    house = HouseThread(tmp_path / "house")
    try:
        api = ActionApi(house)
        program = filled_in(
            examples()["action-api, signature"], f"http://127.0.0.1:{house.port}/action-api",
            api.own, json.dumps({"account": "farm", "phone": "13811012345",
                                 "password": "correct \"horse\" é😀"}))
        program = program.replace("'action-xxx'", "'Account.Create'")
        assert run(tmp_path, program) == {"code": 0, "data": None, "message": None}
        again = run(tmp_path, program)
        assert (again["code"], again["message"]) == (OPERATION, "account: this name is taken")
        assert api.done("Account.CheckPassword", account="farm",
                        password='correct "horse" é😀') is True
    finally:
        house.close()
