"""What all tests run with, whatever they test."""

import gc
import os

# The tests start many short processes, and nothing multiplies matrices: threads that wait for it
# would take half of what such a process costs. Before numpy is imported, and for every child.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collection_finish():
    """What was collected stays to the end, so nobody need look through it again and again."""
    gc.freeze()
