# Everything a contributor needs; a machine with Python 3.11 or newer and make is enough.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# The first Python that is new enough; `make PYTHON=/path/to/python …` names another.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3.14 python3 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)

BIN := .venv/bin
UV := $(BIN)/uv
PYTEST_ARGS ?=

.PHONY: help setup compiled demo test lint format soak soak-lowest soak-newest lock clean \
	benchmark-quality benchmark-pipeline benchmark-score benchmark-prediction-log benchmark-serving \
	benchmark-monitoring benchmark-loop benchmark-features

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null \
		|| grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

# --- the environment -------------------------------------------------------------------------------------------

setup: .venv/.ready ## Make .venv with the locked dependencies and this package

# Two stamps: an edit of pyproject.toml does not fetch the locked packages again.
.venv/.locked: requirements.lock
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "Mainspring needs Python 3.11 or newer. Install one, or name it: make PYTHON=/path/to/python3.12 …" >&2; \
		exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/system-packages required \
		$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
	@.ci/system-packages required libgomp1
	@echo "Making .venv with $$($(PYTHON) --version) and the packages of requirements.lock (a minute or two, once) …"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/.ready: .venv/.locked pyproject.toml
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# As pip does for what it copies: where Python may not write these files itself, each start would pay for it.
compiled: .venv/.ready
	@$(BIN)/python -m compileall -q src

lock: .venv/.ready ## Resolve the newest versions into requirements.lock, and take them into use
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --extra all --group dev pyproject.toml -o requirements.lock
	@$(MAKE) --no-print-directory setup

# --- what it does ----------------------------------------------------------------------------------------------

demo: compiled ## See the whole loop at work on made-up data (at most five minutes)
	@$(BIN)/mainspring demo

# --- checks ----------------------------------------------------------------------------------------------------

lint: .venv/.ready ## Style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

test: compiled ## All checks and all tests but the long ones
	@.ci/system-packages optional curl postgresql prometheus redis-server
	@$(MAKE) --no-print-directory lint
	@PATH="$$PATH:$$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)" \
		$(BIN)/python -m pytest -n 2 -m "not soak" $(PYTEST_ARGS)

format: .venv/.ready ## Put the sources into the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

soak: compiled soak-lowest soak-newest ## The suite under the lowest and the newest allowed versions, then the long tests
	@$(BIN)/python -m pytest -n 2 -m soak --hypothesis-profile=default $(PYTEST_ARGS)

soak-lowest soak-newest: soak-%: .venv/.ready
	@mkdir -p build
	@$(UV) pip compile --quiet --upgrade --python-version $$($(BIN)/python -c 'import platform; print(platform.python_version())') \
		--resolution $(if $(filter lowest,$*),lowest-direct,highest) --no-header --extra all pyproject.toml -o build/$*.txt
	@$(UV) venv --quiet --clear --python $(BIN)/python build/venv-$*
	@$(UV) pip install -qq --python build/venv-$*/bin/python -r build/$*.txt --group dev -e .
	@build/venv-$*/bin/python -m pytest -n 2 -m "not soak" --hypothesis-profile=default $(PYTEST_ARGS)

# --- measurements ----------------------------------------------------------------------------------------------

benchmark-quality: compiled ## Scores of `init` and `run` with defaults on real data sets (MAINSPRING_TEST_DATA)
	@$(BIN)/python benchmarks/quality.py

benchmark-pipeline: compiled ## From a CSV to the first HTTP answer, beside a plain scikit-learn + MLflow script
	@$(BIN)/python benchmarks/pipeline.py

benchmark-score: compiled ## Batch scoring of 5 million rows, beside pandas + predict_proba
	@$(BIN)/python benchmarks/score.py

benchmark-prediction-log: compiled ## What the prediction log costs, and how quick a year of it is to read
	@$(BIN)/python benchmarks/prediction_log.py

benchmark-serving: compiled ## Requests a second of the gateway, beside what else serves such a model (25 minutes)
	@.ci/system-packages required wrk
	@$(BIN)/python benchmarks/serving.py $(BENCHMARK_ARGS)

benchmark-monitoring: compiled ## Two tables compared beside Evidently, an hour added to a week, the gateway watched (25 minutes)
	@.ci/system-packages required wrk
	@$(BIN)/python benchmarks/monitoring.py $(BENCHMARK_ARGS)

benchmark-features: compiled ## History, materialisation and online features, beside Feast (15 minutes)
	@.ci/system-packages required redis-server
	@$(BIN)/python benchmarks/features.py $(BENCHMARK_ARGS)

benchmark-loop: compiled ## Trainings by the loop on streams that change, beside schedules and a forest; a year of it (2 hours)
	@$(BIN)/python benchmarks/loop.py $(BENCHMARK_ARGS)
	@$(BIN)/python benchmarks/loop_year.py

clean: ## Remove what was made
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
