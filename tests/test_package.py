"""The package as others get it: a source distribution, a wheel built from that alone, the wheel
installed and used. Nothing is fetched: the build tools are those of this environment. What is
compiled here is not optimized, for that takes most of the time and none of this looks at it; what
`make build` compiles, and all other tests run, is.
"""

import ast
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["setuptools"]["packages"]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only git knows which files are ours"),
]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True,
                          env=os.environ | environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def modules() -> list[str]:
    """The compiled modules that setup.py lists."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    return next(ast.literal_eval(node.value) for node in tree.body
                if isinstance(node, ast.Assign) and node.targets[0].id == "MODULES")


def our_files() -> list[str]:
    """What is in git or could be: neither compiled nor a cache."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT)
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def in_packages(names: list[str]) -> set[str]:
    tops = {package.partition(".")[0] for package in PACKAGES}
    return {name for name in names if name.partition("/")[0] in tops}


def export(files: list[str], folder: Path) -> Path:
    """A copy of these files, as a checkout would have them."""
    for name in files:
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def files() -> list[str]:
    return our_files()


@pytest.fixture(scope="module")
def sdist(files, tmp_path_factory) -> Path:
    tree = export(files, tmp_path_factory.mktemp("tree"))
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-c", "import sys; from setuptools.build_meta import build_sdist;"
        " build_sdist(sys.argv[1])", out, cwd=tree)
    built, = out.iterdir()
    return built


@pytest.fixture(scope="module")
def compiler(tmp_path_factory) -> Path:
    """The compiler that Python was built with, told last to optimize nothing."""
    script = tmp_path_factory.mktemp("compiler") / "cc"
    script.write_text(f'#!/bin/sh\nexec {sysconfig.get_config_var("CC")} "$@" -O0\n')
    script.chmod(0o755)
    return script


@pytest.fixture(scope="module")
def wheel(sdist, compiler, tmp_path_factory) -> Path:
    """Built where nothing but the source distribution is in reach."""
    out = tmp_path_factory.mktemp("wheel")
    run(*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", out, sdist,
        cwd=out, CC=str(compiler))
    built, = out.iterdir()
    return built


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Path:
    """A folder with the wheel installed in it."""
    folder = tmp_path_factory.mktemp("site")
    run(*PIP, "install", "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder)
    return folder


def test_the_source_distribution_has_all_sources_and_nothing_built(sdist, files):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in names if name.endswith((".c", ".so", ".pyc"))} == set()
    wanted = in_packages(files) | {name for name in files if name.startswith(("tests/", "docs/"))}
    assert wanted - names == set()
    assert {f"{module.replace('.', '/')}.pyx" for module in modules()} <= names
    assert {"setup.py", "pyproject.toml", "Makefile", "README.md", "CHANGELOG.md"} <= names


def test_the_wheel_has_every_module_and_every_package(wheel, files):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    compiled = {name.partition(".")[0].replace("/", ".") for name in names if name.endswith(".so")}
    assert compiled == set(modules())
    assert {f"{package.replace('.', '/')}/__init__.py" for package in PACKAGES} <= names
    assert in_packages(files) - names == set()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {package.partition(".")[0] for package in PACKAGES} | {
        f"orebook-{PROJECT['project']['version']}.dist-info"}


USE = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
places = {name: importlib.import_module(name).__file__ for name in sys.argv[2:]}
from engine import Kind, Result, cold
from engine.core import Core
core = Core()
coin = {"name": "ORE", "title": "Ore", "type": "coin", "scale": 8}
outcome = core.apply(cold(Kind.ADD_COIN, coin), 1, 1_000)
core.check()
print(json.dumps({"places": places, "seq": core.seq, "value": outcome.values[0],
                  "coins": [coin.name for coin in core.coins]}))
"""


def test_the_installed_wheel_works_from_anywhere(site, tmp_path):
    wanted = [*modules(), *PACKAGES]
    told = json.loads(run(sys.executable, "-I", "-c", USE, site, *wanted, cwd=tmp_path))
    assert [name for name in wanted if not told["places"][name].startswith(f"{site}/")] == []
    assert (told["seq"], told["value"], told["coins"]) == (1, 1, ["ORE"])


def test_the_command_is_installed(site, tmp_path):
    start = "import sys; sys.path.insert(0, sys.argv.pop(1)); from api.cli import main; main()"
    assert (site / "bin" / "orebook").is_file()
    told = run(sys.executable, "-I", "-c", start, site, "--version", cwd=tmp_path)
    assert PROJECT["project"]["version"] in told


@pytest.mark.parametrize("module", ["ledger.accounts", "engine.core"])
def test_a_missing_source_stops_the_build(files, module, tmp_path):
    """Else the wheel would lack the module, and whoever installs it would be the first to know."""
    path = module.replace(".", "/") + ".pyx"
    tree = export([name for name in files if name != path], tmp_path)
    done = subprocess.run([sys.executable, "setup.py", "--version"], cwd=tree, text=True,
                          capture_output=True)
    assert done.returncode != 0
    assert path in done.stderr
