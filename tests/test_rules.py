"""The code's own rules, kept by tests over the tree: who imports whom, how large things are, how
they are named, and that lists in one file are complete for what is in another.

A rule reads files and fails with all places that break it, as `path:line: why`.
"""

import ast
import functools
import os
import re
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest

import engine
from api.errors import MEANINGS
from engine.codes import Kind, Result
from engine.handlers import HANDLERS
from tests.conftest import LONGEST

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOP = ("api", "bench", "engine", "kline", "ledger", "pool")
LINE_CHARACTERS_MAX = 100
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70

# What each package may import of ours beside itself. `bench` and `tests` may import anything.
MAY_IMPORT = {
    "api": {"engine"},
    "engine": {"ledger", "kline", "pool"},
    "ledger": set(),
    "kline": set(),
    "pool": set(),
}
# The command line starts the benchmarks; nothing else of the shell knows them.
BENCH_STARTER = Path("api/cli.py")
# Compares with other engines where the machine happens to have them.
OPTIONAL_PEERS = Path("bench/peers.py")

FORBIDDEN_WORDS = {"data", "info", "manager", "helper", "helpers", "util", "utils"}
# Names that a library looks for: asyncio's protocols, aiosmtpd's handlers.
IMPOSED_NAMES = {"data_received", "handle_DATA"}


def sources(*suffixes: str, tops: tuple[str, ...] = (*TOP, "tests")) -> list[Path]:
    """The files with one of these suffixes, relative to the root."""
    found = [path.relative_to(ROOT) for top in tops for path in (ROOT / top).rglob("*")
             if path.suffix in suffixes and "__pycache__" not in path.parts]
    if "tests" in tops and ".py" in suffixes:
        found.append(Path("setup.py"))
    return sorted(found)


def read(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


class Tree(NamedTuple):
    """What the rules look at in a Python file."""
    imports: tuple[tuple[int, str, list[str]], ...]     # line, module, names taken from it
    definitions: tuple[tuple[int, str, int, bool], ...]     # line, name, lines, is a function
    float_calls: tuple[int, ...]                        # lines


@functools.cache
def tree_of(path: Path) -> Tree:
    imported, definitions, float_calls = [], [], []
    for node in ast.walk(ast.parse(read(path), str(path))):
        match node:
            case ast.Import():
                imported += [(node.lineno, alias.name, []) for alias in node.names]
            case ast.ImportFrom():
                # A relative import would hide from the other rules whose module it names.
                imported.append((node.lineno, "." * node.level + (node.module or ""),
                                 [alias.name for alias in node.names]))
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                definitions.append((node.lineno, node.name, node.end_lineno - node.lineno + 1,
                                    not isinstance(node, ast.ClassDef)))
            case ast.Call(func=ast.Name(id="float")):
                float_calls.append(node.lineno)
    return Tree(tuple(imported), tuple(definitions), tuple(float_calls))


def module_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tell(faults: list[str]) -> None:
    assert not faults, "\n" + "\n".join(faults)


# -- imports ---------------------------------------------------------------------------------------

CYTHON_FROM = re.compile(r"\s*from\s+([\w.]+)\s+c?import\s+(.*)")
CYTHON_PLAIN = re.compile(r"\s*c?import\s+([\w.]+(?:\s*,\s*[\w.]+)*)")


def imports(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """(line, module, names taken from it) of each import in a Python or Cython file; of
    `import x` the names are empty."""
    if path.suffix == ".py":
        yield from tree_of(path).imports
        return
    for number, line in enumerate(read(path).splitlines(), 1):
        if match := CYTHON_FROM.match(line):
            yield number, match[1], re.findall(r"\w+", match[2].partition("#")[0])
        elif match := CYTHON_PLAIN.match(line):
            for module in match[1].split(","):
                yield number, module.strip(), []


def test_imports_go_one_way():
    faults = []
    for path in sources(".py", ".pyx", ".pxd", tops=tuple(MAY_IMPORT)):
        package = path.parts[0]
        for line, module, _ in imports(path):
            top = module.split(".")[0]
            if top == "bench" and path == BENCH_STARTER:
                continue
            if module.startswith("."):
                faults.append(f"{path}:{line}: import it by its whole name")
            elif (top in TOP or top == "tests") and top not in MAY_IMPORT[package] | {package}:
                faults.append(f"{path}:{line}: {package} must not import {module}")
    tell(faults)


def test_the_shell_imports_only_what_the_engine_offers():
    faults = []
    for path in sources(".py", tops=("api",)):
        for line, module, names in imports(path):
            if module.split(".")[0] != "engine":
                continue
            if module != "engine" or not names:
                faults.append(f"{path}:{line}: write `from engine import ...`, not {module}")
            for name in names if module == "engine" else ():
                if name not in engine.__all__:
                    faults.append(f"{path}:{line}: {name} is not in engine.__all__")
    tell(faults)


def test_what_the_engine_offers_is_there():
    assert sorted(engine.__all__) == list(dict.fromkeys(sorted(engine.__all__)))
    assert [name for name in engine.__all__ if not hasattr(engine, name)] == []


def test_what_is_imported_is_declared():
    """A package that only the test environment happens to have is missing for whoever installs."""
    declared = {re.match(r"[\w-]+", requirement)[0].lower().replace("_", "-")
                for requirement in PROJECT["project"]["dependencies"]}
    offered_by = metadata.packages_distributions()
    faults = []
    for path in sources(".py", ".pyx", ".pxd", tops=TOP):
        if path == OPTIONAL_PEERS:
            continue
        for line, module, _ in imports(path):
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top in (*TOP, "libc", "cpython", "cython"):
                continue
            offering = {name.lower().replace("_", "-") for name in offered_by.get(top, [])}
            if not offering & declared:
                faults.append(f"{path}:{line}: {top} is no dependency in pyproject.toml")
    tell(faults)


# Third-party modules are loaded once, before any of ours: they take nine tenths of the time, and
# who needs one of them has to import it all the same. So is the engine before the shell, which
# takes nothing of it but by `from engine import`. Then each module of ours gets a process, forked
# from one that has its package and no other module: importing it begins with just that.
IMPORT_EACH = """
import importlib, itertools, os, sys, warnings

def import_it(name):
    try:
        importlib.import_module(name)
    except BaseException:
        import traceback
        print(f"import {name}:", traceback.format_exc(), flush=True)
        os._exit(0)

def import_alone(modules, depth):
    for parts, inside in itertools.groupby(modules, lambda module: module.split(".")[:depth]):
        inside = list(inside)
        child = os.fork()
        if child == 0:
            if depth == 1 and parts[0] in shell:
                import_it("engine")
            import_it(".".join(parts))
            import_alone([module for module in inside if module.count(".") >= depth], depth + 1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, inside

third_party, shell, ours = (text.split() for text in sys.stdin.read().split(";"))
for name in third_party:
    importlib.import_module(name)
warnings.simplefilter("error")
import_alone(sorted(ours, key=lambda module: module.split(".")), 1)
"""


@pytest.mark.slow
def test_every_module_imports_alone_and_without_a_warning(tmp_path):
    """No module needs another of ours to have been imported before, compiled ones included."""
    ours = [module_of(path) for path in sources(".py", ".pyx", tops=TOP)]
    first = {"cpython", "cython", "libc", "tests", *TOP}
    third_party = {module for path in sources(".py", ".pyx", tops=TOP)
                   for _, module, _ in imports(path)
                   if path != OPTIONAL_PEERS and module.split(".")[0] not in first}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH], cwd=tmp_path, text=True,
        input=";".join(map(" ".join, (sorted(third_party), ("api", "bench"), ours))),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        # One thread of numpy's: a fork keeps no others.
        env=os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"})
    assert done.stdout == ""
    assert done.returncode == 0


def test_every_file_compiles_without_a_warning():
    """What the cache of compiled files hides from an import, as a wrong escape in a text."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in sources(".py"):
            compile(read(path), str(path), "exec", dont_inherit=True)


# -- sizes -----------------------------------------------------------------------------------------

def test_lines_are_short():
    tell([f"{path}:{number}: {len(line)} characters"
          for path in sources(".py", ".pyx", ".pxd")
          for number, line in enumerate(read(path).splitlines(), 1)
          if len(line) > LINE_CHARACTERS_MAX])


def test_files_are_short():
    tell([f"{path}: {lines} lines" for path in sources(".py", ".pyx", ".pxd")
          if (lines := len(read(path).splitlines())) > FILE_LINES_MAX])


CYTHON_FUNCTION = re.compile(r"( *)(?:cdef|cpdef|def) (?!class )[^=]*?(\w+)\(")


def cython_functions(text: str) -> Iterator[tuple[int, str, int]]:
    """(line, name, lines) of the functions in Cython source: each ends before the next line that
    is not indented deeper than its head."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if not (head := CYTHON_FUNCTION.match(line)):
            continue
        end = last = at
        while (end := end + 1) < len(lines):
            if lines[end].strip():
                if len(lines[end]) - len(lines[end].lstrip()) <= len(head[1]):
                    break
                last = end
        yield at + 1, head[2], last - at + 1


def test_functions_fit_a_screen():
    faults = [f"{path}:{line}: {name} has {lines} lines" for path in sources(".py")
              for line, name, lines, is_function in tree_of(path).definitions
              if is_function and lines > FUNCTION_LINES_MAX]
    faults += [f"{path}:{line}: {name} has {lines} lines" for path in sources(".pyx", ".pxd")
               for line, name, lines in cython_functions(read(path)) if lines > FUNCTION_LINES_MAX]
    tell(faults)


def test_cython_functions_are_found():
    """The rule above would also pass if it found none."""
    found = {name: lines for path in sources(".pyx", ".pxd")
             for _, name, lines in cython_functions(read(path))}
    assert {"apply", "place", "level_append", "settle_fill", "hold"} <= set(found)
    assert found["place"] > 20


# -- money and words -------------------------------------------------------------------------------

def test_no_floats():
    """Integers only: text becomes a number in api/numbers, and never by way of a float."""
    faults = [f"{path}:{line}: float()" for path in sources(".py")
              if path.parts[0] not in ("bench", "tests") for line in tree_of(path).float_calls]
    faults += [f"{path}:{number}: {line.strip()}" for path in sources(".pyx", ".pxd")
               for number, line in enumerate(read(path).splitlines(), 1)
               if re.search(r"\bfloat\(|\b(cdef|<) *(long )?(double|float)\b", line)]
    tell(faults)


def names(path: Path) -> Iterator[tuple[int, str]]:
    """The names of a file, its classes and its functions."""
    yield 1, path.stem
    if path.suffix == ".py":
        yield from ((line, name) for line, name, _, _ in tree_of(path).definitions)
        return
    for number, line in enumerate(read(path).splitlines(), 1):
        if match := re.match(r" *(?:cdef|cpdef) (?:class|struct|enum) (\w+)", line):
            yield number, match[1]
    for number, name, _ in cython_functions(read(path)):
        yield number, name


def words(name: str) -> set[str]:
    """`OrderBook_view` -> order, book, view"""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_names_say_what_they_are():
    tell([f"{path}:{line}: {name}" for path in sources(".py", ".pyx", ".pxd")
          for line, name in names(path)
          if words(name) & FORBIDDEN_WORDS and name not in IMPOSED_NAMES])


# -- results ---------------------------------------------------------------------------------------

def results_page() -> dict[str, tuple[int, str, set[str]]]:
    """docs/results.md: {name: (number, meaning, commands)}"""
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (.+) \| (.+) \|$", read(Path("docs/results.md")),
                      re.MULTILINE)
    return {name: (int(number), meaning, set(commands.split(", ")))
            for number, name, meaning, commands in rows}


def test_every_result_is_explained():
    page = results_page()
    assert {name: row[0] for name, row in page.items()} == {r.name: r.value for r in Result}
    assert all(meaning.strip() for _, meaning, _ in page.values())
    assert set(MEANINGS) == set(Result)


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\b[A-Z][A-Z_]+\b", text)) & set(Result.__members__)


@pytest.mark.parametrize("kind", HANDLERS, ids=lambda kind: Kind(kind).name)
def test_the_results_of_a_cold_command_are_listed(kind):
    listed = {name for name, (_, _, commands) in results_page().items()
              if Kind(kind).name in commands}
    assert listed == named_in(HANDLERS[kind].__doc__) - {"OK"}


@pytest.mark.parametrize("kind", [kind.name for kind in Kind if kind not in HANDLERS])
def test_the_results_of_a_hot_command_are_listed(kind):
    """docs/core.md tells of PLACE_ORDER in a table, of the others in their section."""
    section = next(part for part in read(Path("docs/core.md")).split("\n## ")
                   if kind in part.splitlines()[0])
    listed = {name for name, (_, _, commands) in results_page().items() if kind in commands}
    if kind == "PLACE_ORDER":
        checks = re.findall(r"^\| \d+ \|.*\| (.*) \|$", section, re.MULTILINE)
        assert listed == named_in(" ".join(checks)) - {"OK", "BAD_COMMAND"}
    else:
        assert listed and listed <= named_in(section)


# -- the tests -------------------------------------------------------------------------------------

def test_the_files_that_come_first_are_there():
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []


# -- what is built ---------------------------------------------------------------------------------

def test_setup_builds_every_cython_module():
    tree = ast.parse(read(Path("setup.py")))
    listed = next(ast.literal_eval(node.value) for node in tree.body
                  if isinstance(node, ast.Assign) and node.targets[0].id == "MODULES")
    assert sorted(listed) == sorted(module_of(path) for path in sources(".pyx"))


def test_every_package_is_listed():
    there = [module_of(path) for path in sources(".py", tops=TOP) if path.name == "__init__.py"]
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == there
    folders = {str(path.parent).replace("/", ".") for path in sources(".py", ".pyx", tops=TOP)}
    assert folders == set(there)


def test_each_declaration_has_its_module():
    """A .pxd without a module beside it holds only inline code; with one, it is its contract."""
    for path in sources(".pxd", tops=TOP):
        module = [path.with_suffix(suffix) for suffix in (".pyx", ".py")
                  if (ROOT / path.with_suffix(suffix)).exists()]
        if not module:
            assert "cdef class" not in read(path), path
