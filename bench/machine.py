"""What a figure was measured on, and how a process is pinned, separated and charged."""

import ast
import gc
import os
import platform
import sysconfig
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def describe() -> dict:
    """The machine and the build, as they go beside every result."""
    return {
        "cpu": cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "compiler": platform.python_compiler(),
        "compiler_flags": compiler_flags(),
    }


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, model = line.partition(":")
        if name.strip() == "model name":
            return model.strip()
    return platform.processor() or platform.machine()


def compiler_flags() -> str:
    """Those of Python's own build, which setuptools takes over, then those of setup.py."""
    flags = (sysconfig.get_config_var("CFLAGS") or "").split()
    setup = Path(__file__).resolve().parent.parent / "setup.py"
    if setup.is_file():
        for node in ast.parse(setup.read_text()).body:
            if isinstance(node, ast.Assign) and node.targets[0].id == "COMPILE_FLAGS":
                flags += ast.literal_eval(node.value)
    chosen = [flag for flag in flags if flag.startswith(("-O", "-march", "-mtune", "-f"))]
    return " ".join(dict.fromkeys(chosen))


@contextmanager
def one_core() -> Iterator[int]:
    """Hold this thread on one of its processors, the last one: the first has most interrupts."""
    allowed = os.sched_getaffinity(0)
    chosen = max(allowed)
    os.sched_setaffinity(0, {chosen})
    try:
        yield chosen
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """Keep Python from looking for garbage in cycles: that costs by what is alive, not by what is
    done, and comes when it likes.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def in_fresh_process(function: Callable, *arguments):
    """Call a function of a module where nothing has run before, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def resident_bytes() -> int:
    """Memory that this process has in RAM now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def cpu_ticks(pid: int) -> int:
    """User and system time of a process and its threads, in TICKS_PER_S; not its children's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
