# Two commands do everything in a fresh clone: `make study` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= runs/study

.PHONY: setup study test lint types test-oldest bench mutants clean

setup: $(VENV)/.done

# A CPU build of torch first: a bare `torch` would bring gigabytes of CUDA with it.
$(VENV)/.done: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

study: setup
	$(BIN)/backsight study builtin:plain --out $(OUT)

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# The seam's tests with the oldest supported torch and transformers, in an environment of its own.
test-oldest: setup
	$(MAKE) setup VENV=.venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check torch==2.11.0 transformers==5.17.0
	.venv-oldest/bin/python -m pytest tests/seam

bench: setup
	$(BIN)/python benchmarks/replay.py
	$(BIN)/python benchmarks/image_sweep.py

# Changes to formulas that no test notices: mutmut's mutants of src/backsight/maths, on a copy of the last commit.
mutants: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .mutants mutmut==2.5.1
	PYTHONPATH=.mutants OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mutants.py

clean:
	rm -rf $(VENV) .venv-oldest .mutants runs
