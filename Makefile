# `make` alone explains itself. Needs Python 3.11 or newer and nothing else.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
BENCH_INSTALLED := .venv/.installed-bench
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help install demo dev test lint check unit chaos bench bench-quick docs snapshots histories postgres-versions lock clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## The virtual environment, with all pinned dependencies

$(INSTALLED): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## See it work: real PostgreSQL and Temporal, a Novu stand-in, 300 notifications
	@exec $(BIN)/xnovu demo

dev: $(INSTALLED) ## Keep that stack up, until Ctrl-C
	@exec $(BIN)/xnovu dev

test: $(INSTALLED) ## All tests, on real servers, in three processes that have their own
	$(BIN)/python -m pytest -n 3 --dist worksteal

unit: $(INSTALLED) ## The tests that need no server, in seconds
	$(BIN)/python -m pytest tests/unit tests/house tests/benchmarks

chaos: $(INSTALLED) ## The soak: everything is struck while it works (CHAOS_SECONDS=180, CHAOS_SEED=1, CHAOS_GROUP_SIZE=100)
	@exec $(BIN)/python -m benchmarks.chaos

bench: $(BENCH_INSTALLED) ## Speed, beside the queues one would pick instead: benchmarks/RESULTS.md (30 minutes)
	@exec $(BIN)/python -m benchmarks.speed

bench-quick: $(BENCH_INSTALLED) ## The same in five minutes, every step of it; the figures are rough
	@exec $(BIN)/python -m benchmarks.speed --quick

$(BENCH_INSTALLED): $(INSTALLED) requirements-bench.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

lint: $(INSTALLED) ## Style, types and import floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## All that CI does, in CI's order

docs: $(INSTALLED) ## Write the table of settings in docs/settings.md again
	$(BIN)/python -m tests.support.handbook

snapshots: $(INSTALLED) ## Write every composed SQL statement again, to be read in the diff
	$(BIN)/python -m tests.support.snapshots

histories: $(INSTALLED) ## Record the workflow histories anew that the replay tests replay
	$(BIN)/python -m tests.support.histories

postgres-versions: $(INSTALLED) ## PostgreSQL 14 to 17 beside 18, for the tests of migrations (needs npm)
	$(BIN)/python -m tests.support.versions 14 15 16 17

lock: ## Pin the dependencies anew (needs uv)
	$(LOCK) -o requirements.lock
	$(LOCK) --extra dev-stack --group dev -o requirements-dev.lock
	$(LOCK) --extra dev-stack --extra bench --group dev -o requirements-bench.lock

clean: ## Take away what was installed and built
	rm -rf .venv .postgres dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
