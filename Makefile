# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE := $(VENV)/node
PACKAGES := api bench engine kline ledger pool
SOURCES := $(shell find $(PACKAGES) -name '*.pyx' -o -name '*.pxd')

# Python's compiled files are kept, also where the environment says not to: else each of the hundreds
# of processes that the tests start would compile all that it imports.
export PYTHONDONTWRITEBYTECODE :=

IN_MEMORY = $(shell [ "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 1000000 ] \
	2>/dev/null && echo TMPDIR=/dev/shm)

.PHONY: run demo test unit bench build clean

run: build
	$(BIN)/orebook serve

demo: build
	$(BIN)/orebook demo

test: build $(NODE)/.installed
	$(BIN)/python -m pytest -n 2 --dist loadfile

# The quick part's files are in memory where there is room for them: there a house waits for no disk.
# The whole is run on the disk.
unit: build
	$(IN_MEMORY) $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

bench: build
	$(BIN)/orebook bench

build: $(VENV)/.built

# The environment. An editable install builds the modules in place, too.
$(VENV)/.installed: pyproject.toml setup.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip "setuptools>=77" "Cython>=3.1,<4"
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable ".[test]"
	touch $@

$(VENV)/.built: $(VENV)/.installed $(SOURCES)
	$(BIN)/python setup.py --quiet build_ext --inplace
	touch $@

# What the published JavaScript examples require: a test runs them where npm could install it, and
# says that it is skipped where not.
$(NODE)/.installed: tests/node/package.json tests/node/package-lock.json | build
	mkdir -p $(NODE)
	cp tests/node/package.json tests/node/package-lock.json tests/node/.npmrc $(NODE)
	if npm ci --prefix $(NODE) --ignore-scripts --no-audit --no-fund --silent; then touch $@; \
	else echo "the published JavaScript examples are not run: npm could not install their packages"; fi

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache
	find $(PACKAGES) \( -name '*.so' -o -name '*.c' \) -delete
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +
