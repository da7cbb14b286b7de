# `make` alone explains itself. Needs Python 3.11 or newer and nothing else.
PYTHON ?= python3
BIN := .venv/bin
VERSIONS ?= 14 15 16 17
INSTALLED := .venv/.installed
BENCH_INSTALLED := .venv/.installed-bench
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml

# What the image has besides what the worker needs.
SHIPPED := --extra sentry --extra otel

# Compiled modules are kept: hundreds of the processes that tests start would compile them again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo dev test test-modes lint check audit unit fuzz fuzz-api chaos chaos-upgrade chaos-hostile bench bench-api bench-quick bench-page bench-upgrade image-steps docs release snapshots histories postgres-versions promtool browser pictures lock clean

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

test: $(INSTALLED) promtool browser ## All tests, on real servers, in four processes that have their own
	$(BIN)/python -m pytest -n 4 --dist worksteal

test-modes: $(INSTALLED) ## The disasters in both ways of a handoff; `make test` has each in one of them
	$(BIN)/python -m pytest -n 4 --dist worksteal --every-mode tests/faults

unit: $(INSTALLED) ## The tests that need no server, in seconds
	$(BIN)/python -m pytest tests/unit tests/house tests/benchmarks

fuzz: $(INSTALLED) ## Templates at random, for ten minutes: filled or refused, never executed, and written as Mako does
	$(BIN)/python -m pytest -n 2 --hypothesis-profile=fuzz tests/unit/templates -k "fragments or accept or unchanged or payload"

fuzz-api: $(INSTALLED) ## Requests at random to the API, for half an hour: none makes a fault, or an answer that its document lacks
	$(BIN)/python -m pytest -n 0 --hypothesis-profile=fuzz tests/integration/web/api/test_fuzz.py

chaos: $(INSTALLED) ## The soak: everything is struck while it works (CHAOS_SECONDS=180, CHAOS_SEED=1, CHAOS_GROUP_SIZE=100)
	@exec $(BIN)/python -m benchmarks.chaos

chaos-upgrade: $(INSTALLED) ## The version before and this version side by side, over the migrations (CHAOS_SECONDS=120, CHAOS_BEFORE=commit)
	@exec $(BIN)/python -m benchmarks.chaos.upgrade

chaos-hostile: $(INSTALLED) ## A hostile tenant against two others, in every way it has (CHAOS_SECONDS=120)
	@exec $(BIN)/python -m benchmarks.hostile

bench: $(BENCH_INSTALLED) ## Speed, beside the queues one would pick instead: benchmarks/RESULTS.md (30 minutes)
	@exec $(BIN)/python -m benchmarks.speed

bench-quick: $(BENCH_INSTALLED) ## The same in five minutes, every step of it; the figures are rough
	@exec $(BIN)/python -m benchmarks.speed --quick

bench-api: $(INSTALLED) ## How many notifications the API takes a second, beside INSERT
	@exec $(BIN)/python -m benchmarks.api

bench-page: $(INSTALLED) ## How long each view of the operator's page takes with ten million rows (20 minutes, 10 GB)
	@exec $(BIN)/python -m benchmarks.page

bench-upgrade: $(INSTALLED) ## How long writers wait for the migrations of this version, with a million rows
	@exec $(BIN)/python -m benchmarks.upgrade

$(BENCH_INSTALLED): $(INSTALLED) requirements-bench.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

lint: $(INSTALLED) ## Style, types, import floors and holes that a reader of code can see
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml xnovu_poller migrations hatch_build.py

check: lint test ## All that CI does, in CI's order
	@echo 'Not compared with the known holes of other packages, which needs the internet: make audit'

audit: $(INSTALLED) ## Compare the pinned packages with the known holes (needs the internet)
	@$(BIN)/python -m tests.support.audit

image-steps: $(INSTALLED) ## The steps of the Dockerfile without an engine, in an empty folder, and a worker from there
	@$(BIN)/python -m tests.support.image

release: $(INSTALLED) ## Wheel and source distribution in dist/, with hashes and notes, after all checks
	@$(BIN)/python -m tests.support.release faults
	@$(MAKE) check
	@$(BIN)/python -m tests.support.release

docs: $(INSTALLED) ## Write the table of settings in docs/settings.md and .env.example again
	$(BIN)/python -m tests.support.handbook

snapshots: $(INSTALLED) ## Write every composed SQL statement again, to be read in the diff
	$(BIN)/python -m tests.support.snapshots

histories: $(INSTALLED) ## Record the workflow histories anew that the replay tests replay
	$(BIN)/python -m tests.support.histories

postgres-versions: $(INSTALLED) ## PostgreSQL 14 to 17 beside 18, for the tests of migrations (needs npm)
	$(BIN)/python -m tests.support.versions $(VERSIONS)

promtool: $(INSTALLED) ## Prometheus' tool, for the test of the alerts, from Debian's package unless it is installed
	-$(BIN)/python -m tests.support.prometheus

browser: $(INSTALLED) ## Chromium, for the tests of the pages, from Debian's package unless it was fetched
	-$(BIN)/python -m tests.support.browser

pictures: $(INSTALLED) browser ## Take docs/pictures anew, of the pages with the demo's data
	$(BIN)/python -m pytest -n 0 tests/support/pictures.py

lock: ## Pin the dependencies anew (needs uv)
	$(LOCK) $(SHIPPED) -o requirements.lock
	$(LOCK) $(SHIPPED) --extra dev-stack --group dev -o requirements-dev.lock
	$(LOCK) $(SHIPPED) --extra dev-stack --extra bench --group dev -o requirements-bench.lock

clean: ## Take away what was installed and built
	rm -rf .venv .before .postgres .promtool .browser .pngquant dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
