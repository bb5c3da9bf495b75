# RiskHub's chores. Python 3.11 or newer and make are all they need; `make help` names them.

PYTHON ?= python3
VENV := .venv/bin/python
# More for pytest, as in: make test ARGS="-k engine -x"
ARGS ?=
# One process a core; ARGS="-n 0" for one process alone, as a debugger needs.
SPREAD := -n auto --maxprocesses 8 --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help run test lint bench proof e2e test-services ci lock clean \
	setup-run setup-test setup-e2e

help: ## name the chores
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

run: setup-run ## start everything and print the address to open; Ctrl-C stops it
	@$(VENV) -m riskhub.runhub

test: setup-test ## run the tests
	@$(VENV) -m pytest $(SPREAD) -m "not e2e and not slow" $(ARGS)

lint: setup-test ## check style, format and types
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check .
	@$(VENV) -m mypy riskhub positions venues

bench: setup-test ## measure, beside a reference in the same run
	@$(VENV) -m tests.bench $(ARGS)

proof: setup-test ## run the slow proofs, such as killing a poll at every step
	@$(VENV) -m pytest -m slow $(ARGS)

e2e: setup-e2e ## drive the pages in a real browser (Chromium)
	@$(VENV) -m pytest -m e2e $(ARGS)

test-services: setup-test ## run the database tests on DATABASE_URL and REDIS_URL
	@test -n "$$DATABASE_URL" -a -n "$$REDIS_URL" || { \
		echo "Set DATABASE_URL and REDIS_URL to servers that may be written to."; exit 1; }
	@$(VENV) -m pytest -p tests.setup.database_only -m "not e2e and not slow" $(ARGS)

ci: ## do all that a new machine must pass; installs Debian packages, so as root
	@.ci/run

lock: setup-e2e ## compile the lock files from requirements*.txt (ARGS=--upgrade: newest)
	@.venv/bin/uv --quiet pip compile $(COMPILE) requirements.txt -o requirements.lock
	@.venv/bin/uv --quiet pip compile $(COMPILE) requirements-test.txt -c requirements.lock -o requirements-test.lock
	@.venv/bin/uv --quiet pip compile $(COMPILE) requirements-e2e.txt -c requirements-test.lock -o requirements-e2e.lock

COMPILE := --universal --python-version 3.11 --generate-hashes --no-header $(ARGS)

clean: ## remove the environment and caches; keeps .data
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find riskhub positions venues tests -name __pycache__ -prune -exec rm -rf {} +
	@echo "Removed .venv and caches. Your data in .data is kept; remove that folder yourself."

setup-run setup-test setup-e2e: setup-%:
	@$(PYTHON) riskhub/boot/setup_env.py $*
