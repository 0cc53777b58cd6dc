"""What all tests run with, whatever they test."""

import gc
import os

import pytest

# The tests start many short processes, and nothing multiplies matrices: threads that wait for it
# would take half of what such a process costs. Before numpy is imported, and for every child.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The longest files, the longest first. Two processes that take one whole file after another end at
# the same time where the last ones are short.
LONGEST = (
    "tests/test_kill.py", "tests/api/test_payouts_kill.py", "tests/test_package.py",
    "tests/engine/test_worker_hours.py", "tests/test_model_machine.py",
    "tests/bench/test_workload.py", "tests/api/test_settings.py", "tests/api/test_cli_serve.py",
)


def pytest_configure(config):
    # The files with the most tests would be first, which are quick.
    config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """A house of its own, two processes, makes a test slow. Of a run on more than one core, the
    longest files and those with slow tests come first."""
    for item in items:
        if "own_house" in item.fixturenames:
            item.add_marker(pytest.mark.slow)
    if hasattr(config, "workerinput"):
        places = {name: place for place, name in enumerate(LONGEST)}
        with_slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (places.get(item.nodeid.partition("::")[0], len(places)),
                                     item.path not in with_slow))


def pytest_collection_finish():
    """What was collected stays to the end, so nobody need look through it again and again."""
    gc.freeze()
