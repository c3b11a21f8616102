# Everything is set up by what needs it: git, make and python3 (3.11 or newer) are enough.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
PLAN ?= quick
RUNTIME ?= auto
BASE ?= origin/main

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
export UV_PYTHON_DOWNLOADS := never
# Where it is set, each of a hundred processes compiles what it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help bench verify report diff test test-all check format lock lock-beside setup clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

bench: $(VENV)/.harness ## Measure: make bench [PLAN=quick] [RUNTIME=auto]
	@$(BIN)/bench run $(PLAN) --runtime $(RUNTIME)

verify: $(VENV)/.harness ## Hold every contender against the contract
	@$(BIN)/bench verify

report: $(VENV)/.harness ## Draw the report of a run again: make report RUN=results/<folder>
	@$(BIN)/bench report $(RUN)

diff: $(VENV)/.harness ## Judge the working tree against another revision: make diff [BASE=origin/main]
	@$(BIN)/bench diff $(BASE) --runtime $(RUNTIME)

# Tests that measure run one at a time; all others side by side.
JOBS ?= 3
# NumPy's threads wait for each other where all cores are busy: four times the CPU for the same sums.
test test-all: export OPENBLAS_NUM_THREADS := 1
test: $(VENV)/.dev ## Run the tests that need neither a browser nor long runs
	@$(BIN)/pytest -m "not slow and not alone" -n $(JOBS) --dist loadfile
	@$(BIN)/pytest -m "not slow and alone"

test-all: test ## Run every test
	@$(BIN)/pytest -m "slow and not alone" -n 2 --dist loadfile --no-loadscope-reorder
	@$(BIN)/pytest -m "slow and alone and not long"

check: $(VENV)/.dev ## Style, types, direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	@$(BIN)/zizmor --offline --quiet .github/workflows action.yml
	@if command -v actionlint > /dev/null; then actionlint; \
	else echo "actionlint is not installed: its look at the workflows is left out"; fi

format: $(VENV)/.dev ## Put the code into its format
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

LOCKED := uv pip compile -q --universal --generate-hashes --custom-compile-command "make lock"
COMPILE := $(LOCKED) --upgrade --python-version 3.11
lock: $(VENV)/.dev ## Resolve every lock anew
	@set -e; PATH="$(CURDIR)/$(BIN):$$PATH"; \
	$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt; \
	$(COMPILE) pyproject.toml -c requirements/bootstrap.txt -o requirements/harness.txt; \
	$(COMPILE) pyproject.toml --group dev -c requirements/harness.txt -o requirements/dev.txt; \
	for app in apps/*_app; do (cd $$app && $(COMPILE) requirements.in -o requirements.txt); done
	@$(MAKE) --no-print-directory lock-beside

# A lock beside the usual one has the same versions where it may. Its first line names its oldest Python.
lock-beside: $(VENV)/.dev ## Resolve only the locks of other versions, beside the usual ones
	@set -e; PATH="$(CURDIR)/$(BIN):$$PATH"; for wanted in apps/*_app/requirements-*.in; do \
	  (cd $${wanted%/*}; name=$${wanted##*/}; lock=$${name%.in}.txt; \
	  oldest=$$(sed -n '1s/^# Python \([0-9.]*\) or newer.*/\1/p' $$name); cp requirements.txt $$lock; \
	  $(LOCKED) --python-version $${oldest:-3.11} $$name -o $$lock); done

setup: $(VENV)/.dev ## Make the environments and nothing else

clean: ## Remove environments and working files; results stay
	rm -rf $(VENV) .venvs .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "$(PYTHON) is missing or older than 3.11: install Python 3.11 or newer, or name one: make PYTHON=python3.13" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian, Ubuntu: apt install python3-venv)" >&2; exit 2; }
	@echo "setting up $(VENV)" >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.harness: $(VENV)/.uv requirements/harness.txt pyproject.toml
	@echo "installing the harness from requirements/harness.txt" >&2
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/harness.txt
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.harness requirements/dev.txt
	@echo "installing the tools of development from requirements/dev.txt" >&2
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@
