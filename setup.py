"""Builds the compiled modules; everything else about the package is in pyproject.toml.

The list below is explicit because a glob that finds nothing builds an empty wheel without a word.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MODULES = [
    "ledger.accounts",
    "ledger.withdrawals",
    "kline.bars",
    "pool.ore",
    "pool.worker_names",
    "pool.counters",
    "pool.work",
    "pool.shares",
    "pool.share_book",
    "pool.rosters",
    "pool.share_packing",
    "pool.workers",
    "pool.totals",
    "pool.day_worth",
    "engine.codes",
    "engine.commands",
    "engine.records",
    "engine.events",
    "engine.orders",
    "engine.book",
    "engine.matching",
    "engine.exchange",
    "engine.ahead",
    "engine.pay_desk",
    "engine.core",
]
# The last two are for code that is generated: functions that nobody calls, loops over enums.
COMPILE_FLAGS = ["-O3", "-fno-strict-aliasing", "-fno-semantic-interposition", "-Wall",
                 "-Wno-unused-function", "-Wno-sign-compare"]
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "embedsignature": True,
}


class TranslatingBuild(build_ext):
    """Translates the modules to C when they are built: a source distribution keeps the .pyx."""

    def run(self) -> None:
        translated = {module.name: module.sources
                      for module in cythonize(self.extensions, compiler_directives=DIRECTIVES)}
        for extension in self.extensions:
            extension.sources = translated[extension.name]
        super().run()


def extensions() -> list[Extension]:
    sources = {name: name.replace(".", "/") + ".pyx" for name in MODULES}
    missing = [path for path in sources.values() if not Path(path).is_file()]
    if missing:
        raise SystemExit(f"setup.py: these sources are missing: {', '.join(missing)}")
    return [Extension(name, [path], extra_compile_args=COMPILE_FLAGS)
            for name, path in sources.items()]


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": TranslatingBuild},
    # One compiler for each core. The translation stays in one process: a pool of them would run
    # this file again wherever Python does not fork.
    options={"build_ext": {"parallel": len(os.sched_getaffinity(0))}},
)
