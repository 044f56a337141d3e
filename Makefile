# 'make' lists what there is. Everything runs from a clean clone; each target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
# uv installs the environment in seconds where pip takes two minutes; pip only fetches uv.
UV := VIRTUAL_ENV=.venv $(BIN)/uv
CHALLENGES := $(notdir $(patsubst %/challenge.toml,%,$(wildcard challenges/*/challenge.toml)))
REGISTRY := harness/lifecycle/tracking_server
REFERENCE := challenges/fraud_detection/submissions/reference

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint calibrate engine lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: .venv/ready ## make the environment in .venv

.venv/ready: bootstrap.lock requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "setup: making .venv and installing the locked dependencies (about half a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap.lock
	@$(UV) pip install --quiet --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --no-deps -e .
	@touch $@

demo: setup ## grade the reference submission and write its report
	@$(BIN)/harness grade $(REFERENCE) --challenge fraud_detection --profile public --sandbox auto --trusted

test: setup ## run the tests (those that need an engine are skipped where there is none)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not alone" $(PYTEST_ARGS)
	$(BIN)/python -m pytest -m alone $(PYTEST_ARGS)

lint: setup ## ruff and mypy, as CI runs them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

calibrate: setup ## grade every known submission and print what the rubric made of it
	@for id in $(CHALLENGES); do $(BIN)/harness challenge calibrate $$id $(CALIBRATE_ARGS) --json runs/calibration/$$id.json \
	  --html runs/calibration/$$id.html --markdown runs/calibration/$$id.md || exit $$?; done

engine: ## install and start a Docker engine (Debian), and get the base image
	@engine/install.sh

lock: setup ## write requirements.lock anew from pyproject.toml
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev --no-header --no-annotate \
	  --no-emit-index-url pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --constraints requirements.lock pyproject.toml -o harness/journey/requirements.lock
	cd $(REGISTRY) && $(abspath $(BIN))/uv pip compile --quiet --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" requirements.in -o requirements.lock

clean: ## remove what gradings left behind: containers, networks, caches; run folders stay
	@[ ! -x $(BIN)/harness ] || $(BIN)/harness clean
	@rm -rf .cache
