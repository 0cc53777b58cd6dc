"""Builds the compiled modules; everything else about the package is in pyproject.toml.

The list below is explicit because a glob that finds nothing builds an empty wheel without a word.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

MODULES = [
    "ledger.accounts",
    "kline.bars",
    "engine.codes",
    "engine.commands",
    "engine.records",
    "engine.events",
    "engine.orders",
    "engine.book",
    "engine.matching",
    "engine.exchange",
    "engine.core",
]
COMPILE_FLAGS = ["-O3", "-fno-strict-aliasing", "-fno-semantic-interposition", "-Wall",
                 "-Wno-unused-function"]


def extensions() -> list[Extension]:
    sources = {name: name.replace(".", "/") + ".pyx" for name in MODULES}
    missing = [path for path in sources.values() if not Path(path).is_file()]
    if missing:
        raise SystemExit(f"setup.py: these sources are missing: {', '.join(missing)}")
    return [Extension(name, [path], extra_compile_args=COMPILE_FLAGS)
            for name, path in sources.items()]


setup(
    ext_modules=cythonize(
        extensions(),
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "initializedcheck": False,
            "embedsignature": True,
        },
    ),
    # The compiler runs once for each core: most of a build from nothing is its time.
    options={"build_ext": {"parallel": len(os.sched_getaffinity(0))}},
)
