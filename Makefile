# make run, make test and make check create .venv from requirements.lock when it is missing or out of date.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,\
  $(shell $(name) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $(name))))
# No usage data from Prefect, and no notice about it.
export DO_NOT_TRACK := 1
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: help install run test test-all test-faults bench check schema lock clean
.DELETE_ON_ERROR:

help:
	@echo "make install      create .venv; all others do it too when they need it"
	@echo "make run          train the three networks on MNIST and write the report (artifacts/latest)"
	@echo "make test         5 minutes: what a change is likely to break, a real run, a Prefect worker, a browser page"
	@echo "make test-all     20 minutes: everything"
	@echo "make check        ruff, mypy and the direction of imports"
	@echo "make test-faults  the long fault tests: kills and damages at random points"
	@echo "make bench        speed beside Keras, PyTorch and JAX (two to three hours)"
	@echo "make schema       write the JSON Schema of results.json into docs/"
	@echo "make lock         resolve requirements.lock anew (needs uv)"
	@echo "make clean        remove .venv; artifacts stay"

install: $(INSTALLED)

run: $(INSTALLED)
	@$(BIN)/python flows/mnist_pipeline.py $(ARGS)

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses 2 -m "not long" --durations 15 $(ARGS)

test-all: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses 3 --durations 30 $(ARGS)

test-faults: $(INSTALLED)
	MNIST_PIPELINE_LONG_FAULTS=1 $(BIN)/python -m pytest tests/flows/test_faults.py tests/flows/test_damages.py -rP

bench: $(INSTALLED)
	@for what in epochs whole growth; do $(BIN)/python -m benchmarks.speed $$what || exit 1; done

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

schema: $(INSTALLED)
	$(BIN)/python -c 'from tasks.results.file import json_schema; print(json_schema(), end="")' > docs/results.schema.json

# --no-deps, because the lock is complete, and pip 23 stumbles over extras in hashed requirements.
$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found: install one, or name it with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"This needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is %d.%d. Name another with make PYTHON=..." % v)'
	@echo "Installing into .venv from requirements.lock (about 3 GB; once) ..."
	@$(PYTHON) -m venv .venv
	@{ $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock \
	  && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . ; } \
	  || { echo "The packages could not be installed. Is a package index reachable (pip download six)?" >&2; exit 1; }
	@touch $@

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --all-extras --group test --group check pyproject.toml -o requirements.lock

clean:
	rm -rf .venv
