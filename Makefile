# Everything a developer runs; `make help` lists it. Each recipe sets up first, which takes no time where all is there.

EXAMPLE ?= flights
PORT ?= 8787
DATA ?= .data
REPLAY ?= 600

# A recipe is one process that replaces its shell, so that a signal make passes on reaches the program itself.
# The chosen Node.js comes first in PATH: a tool's `#!/usr/bin/env node` would find an older one.
RUN = exec env PATH="$(CURDIR)/.node/bin:$(CURDIR)/node_modules/.bin:$$PATH"

.DEFAULT_GOAL := help
.PHONY: help setup run test check format build bench load clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## Install what is missing: Node.js, its packages, Python packages in .venv
	@exec tools/setup

run: setup ## Start the engine on an example (EXAMPLE=flights or fraud, PORT=8787 DATA=.data REPLAY=600; REPLAY=0: no replay)
	@$(RUN) node "examples/$(EXAMPLE)/run.ts" --port "$(PORT)" --data "$(DATA)" --replay "$(REPLAY)"

test: setup ## Run all tests of both languages
	@$(RUN) node tools/check.ts test

check: setup ## Run what .ci/run runs: lint, types, dead code, all tests, coverage
	@$(RUN) node tools/check.ts check

format: setup ## Format and sort imports in both languages
	@$(RUN) biome check --write
	@$(RUN) .venv/bin/python -m ruff check --quiet --fix --config python/pyproject.toml python examples bench
	@$(RUN) .venv/bin/python -m ruff format --quiet --config python/pyproject.toml python examples bench

build: setup ## Compile src to dist, as it is published
	@rm -rf dist
	@$(RUN) tsc -p tsconfig.build.json

bench: setup ## Measure against the floors and append to bench/results.ndjson
	@$(RUN) node bench/run.ts

load: setup ## Drive the running engine with HTTP and WebSocket load (PORT=8787)
	@$(RUN) node load/run.ts --url "http://127.0.0.1:$(PORT)"

clean: ## Remove what set-up, build and tests made; the data folder stays
	@rm -rf .node .venv .setup.lock node_modules tools/node/node_modules dist coverage python/.coverage
	@rm -rf python/.mypy_cache python/.pytest_cache python/.ruff_cache python/.hypothesis .ruff_cache .mypy_cache
