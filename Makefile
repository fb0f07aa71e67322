# Two commands do everything in a fresh clone: `make study` and `make test`.
PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/study
WORKERS ?= 2
ARGS ?=

# Exact releases: what is tested each time, and the oldest that is supported. torch is no line of a lock: which build
# it is differs from machine to machine (CPU, CUDA), and so do its hashes.
LOCK ?= requirements/lock.txt
TORCH ?= torch==2.13.0
OLDEST_LOCK := requirements/oldest.txt
OLDEST_TORCH ?= torch==2.11.0
OLDEST_TRANSFORMERS := transformers==5.17.0
NEWEST_TORCH ?= torch

BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
BUILTIN := $(notdir $(patsubst %/,%,$(wildcard src/backsight/builtin/*/)))
# One thread a process: the tests' models are small, and several processes share the machine.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.PHONY: setup lock study test lint types test-releases test-oldest test-newest docs bench mutants clean

setup: $(VENV)/.done

# The lock first, so that torch's own call finds what it needs; a torch that somebody else put there stays.
$(VENV)/.done: pyproject.toml $(LOCK)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes --no-deps -r $(LOCK)
	if test -e $(VENV)/.torch || ! $(BIN)/python -c 'import torch' 2>/dev/null; then $(INSTALL) '$(TORCH)' && touch $(VENV)/.torch; fi
	$(INSTALL) --no-build-isolation --no-deps -e .
	touch $@

# Both locks anew, with the newest releases inside the bounds of pyproject.toml; the oldest differs only where it must.
COMPILE = .venv-lock/bin/uv pip compile pyproject.toml --quiet --extra test --extra docs --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-annotate --no-emit-package torch --excludes requirements/gpu.txt \
	--custom-compile-command 'make lock'
lock:
	test -x .venv-lock/bin/python || $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check --upgrade uv
	echo '$(TORCH)' > .venv-lock/pins.txt
	$(COMPILE) --upgrade --constraints .venv-lock/pins.txt --output-file $(LOCK)
	printf '%s\n' '$(OLDEST_TORCH)' '$(OLDEST_TRANSFORMERS)' > .venv-lock/pins.txt
	cp $(LOCK) $(OLDEST_LOCK)
	$(COMPILE) --constraints .venv-lock/pins.txt --output-file $(OLDEST_LOCK)

study: setup
	$(BIN)/backsight study --out $(OUT)

test: setup
	$(PYTEST) $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# What hangs on the releases of torch and transformers: the seam, every built-in model's verdict, every contract.
test-releases:
	$(BIN)/python -c 'import torch, transformers; print(f"transformers {transformers.__version__}, torch {torch.__version__}")'
	$(PYTEST) tests/seam tests/test_known.py tests/test_baking.py $(ARGS)
	set -e; for name in $(BUILTIN); do $(BIN)/backsight doctor builtin:$$name; done

# The oldest supported releases, from a lock of their own.
test-oldest:
	$(MAKE) --no-print-directory setup VENV=.venv-oldest LOCK=$(OLDEST_LOCK) TORCH='$(OLDEST_TORCH)'
	$(MAKE) --no-print-directory test-releases VENV=.venv-oldest

# The newest that the registry serves, beyond the upper bound too; the environment is made anew each time.
test-newest:
	rm -rf .venv-newest
	$(PYTHON) -m venv .venv-newest
	$(PYTHON) requirements/unbounded.py > .venv-newest/newest.txt
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check '$(NEWEST_TORCH)' -r .venv-newest/newest.txt
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	$(MAKE) --no-print-directory test-releases VENV=.venv-newest

# The documentation as a site, in site/: broken links, anchors and pictures fail. Docstrings are read, never imported.
docs: setup
	$(BIN)/properdocs build --config-file mkdocs.yml  # its --quiet hides warnings from --strict

bench: setup
	$(BIN)/python benchmarks/replay.py
	$(BIN)/python benchmarks/image_sweep.py

# Changes to formulas that no test notices: mutmut's mutants of src/backsight/maths, on a copy of the last commit.
mutants: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .mutants mutmut==2.5.1
	PYTHONPATH=.mutants OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mutants.py

clean:
	rm -rf $(VENV) .venv-oldest .venv-newest .venv-lock .mutants runs site
