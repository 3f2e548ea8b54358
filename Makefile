# Everything installs into .venv from requirements.lock, hashes checked.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DO_NOT_TRACK := 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test tests-alone lint bench clean lock

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## the virtual environment, exactly as locked

$(VENV)/.installed: requirements.lock requirements-bootstrap.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Understudy needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-bootstrap.lock requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## the whole loop, told as it happens (DATA=FILE for the real bike data, KEEP=1 to leave everything up)
	$(BIN)/understudy --home .understudy demo $(if $(DATA),--data "$(DATA)") $(if $(KEEP),--keep)

bench: setup ## every benchmark, bounded; bench-NAME for one of them: table, results/NAME.json and plot
	missed=; for one in benchmarks/[a-z]*.py; do name=$$(basename $$one .py); [ $$name = frame ] || $(BIN)/python -m benchmarks.$$name || missed+=" $$name"; done; \
	  [ -z "$$missed" ] || { echo "bars missed or not finished:$$missed"; exit 1; }

bench-%: setup
	$(BIN)/python -m benchmarks.$*

test: setup ## lint, types and the tests, side by side (ARGS='-k name' for a part; UNDERSTUDY_SLOW=1 for the slow ones too)
	@$(MAKE) --no-print-directory --jobs 2 lint tests-alone

tests-alone: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup ## ruff, mypy and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: ## resolve the dependencies again and write requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group dev -o requirements.lock
	echo 'uv' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header - -o requirements-bootstrap.lock

clean: ## remove the environment, local state and caches
	rm -rf $(VENV) .understudy .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
