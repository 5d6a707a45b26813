SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Each of the many processes would compile all it imports anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
TESTS ?= tests
SEEDS ?= 30
WORKERS ?= 4

bin := .venv/bin
pip := $(bin)/pip --quiet --disable-pip-version-check --no-input install --root-user-action=ignore --only-binary=:all:
go := env GOPATH=$(CURDIR)/.parts/go GOCACHE=$(CURDIR)/.parts/go/build GOBIN=$(CURDIR)/.parts/bin \
	GOFLAGS=-modcacherw GOTOOLCHAIN=local CGO_ENABLED=0 $(bin)/go
loops := services/compliance/log/hashing/loops
lock := $(bin)/uv --quiet pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header

.PHONY: help up test check bench seeds soak lock clean

help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

up: ## Set up what is missing, then run all of Steward with a simulated group of two hospitals; Ctrl-C ends it.
	@$(MAKE) -j2 .set-up-to-run
	@exec $(bin)/steward up

test: ## Set up what is missing (gcc, Kafka, Orthanc, DCMTK, restic, curl, kustomize, Tessera), then run every test; TESTS=path runs some.
	@$(MAKE) -j3 .set-up-to-test
	@$(bin)/pytest -n $(WORKERS) $(TESTS)

check: ## Format, lint, types and architecture rules, in seconds.
	@$(MAKE) .venv/dev
	@$(MAKE) -j2 --output-sync --keep-going .style .types .architecture

bench: ## Run every benchmark: one table, and the same in benchmarks/latest.json.
	@$(MAKE) -j3 .set-up-to-test
	@$(bin)/python -m benchmarks

seeds: .venv/dev ## Write docs/seeds.md anew: which rows of the requirements which tests claim to meet.
	@$(bin)/python -m tests.seeds

soak: ## Run the kill tests with many seeds (SEEDS=n says how many), 10,000 hostile peers, 100,000 examples of fuzzed bytes.
	@$(MAKE) -j3 .set-up-to-test
	@STEWARD_KILL_SEEDS=$(SEEDS) $(bin)/pytest tests/e2e/kill
	@STEWARD_HOSTILE_RUNS=10000 STEWARD_FUZZ_EXAMPLES=100000 $(bin)/pytest --timeout 3600 tests/integration/probes/dicom

lock: .venv/made ## Renew requirements/*.lock from pyproject.toml.
	@parts/step "uv" $(pip) uv
	@parts/step "requirements/dev.lock" $(lock) --upgrade --extra up --extra dev -o requirements/dev.lock
	@parts/step "requirements/up.lock" $(lock) --upgrade --extra up -c requirements/dev.lock -o requirements/up.lock
	@parts/step "requirements/run.lock" $(lock) --upgrade -c requirements/dev.lock -o requirements/run.lock

clean: ## Remove what these targets brought (.venv, .parts, caches); your data in .steward stays.
	@rm -rf .venv .parts $(loops).so build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: .set-up-to-run .set-up-to-test .programs-to-run .programs-to-test .loops .style .types .architecture

.set-up-to-run: .venv/up .programs-to-run $(if $(shell command -v cc),$(loops).so)
.set-up-to-test: .venv/dev .programs-to-test .loops .parts/kafka/lib .parts/bin/kustomize .parts/bin/fsck

.programs-to-run:
	@parts/install curl restic

.programs-to-test:
	@parts/install gcc libc6-dev curl restic orthanc orthanc-dicomweb dcmtk snmpd monitoring-plugins-basic openjdk-17-jre-headless maven

.loops: .programs-to-test
	@$(MAKE) $(loops).so

# Whoever runs on the old library keeps it: it is replaced, not overwritten.
$(loops).so: $(loops).c
	@parts/step "The audit log's loops" $(CC) -O2 -Wall -Wextra -shared -fPIC -o $@.new $<
	@mv $@.new $@

.style:
	@$(bin)/ruff format --check --quiet . || { echo "Not formatted: run $(bin)/ruff format ."; exit 1; }
	@$(bin)/ruff check --quiet .

.types:
	@$(bin)/mypy

.architecture:
	@$(bin)/pytest --quiet tests/unit/test_architecture.py

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Steward needs Python 3.11 or newer, for example: make PYTHON=python3.12")'
	@parts/step "Python environment" $(PYTHON) -m venv .venv
	@touch $@

.venv/steward: .venv/made
	@pwd > "$$($(bin)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/steward.pth"
	@printf '#!/bin/sh\nexec "$${0%%/*}/python" -P -m services "$$@"\n' | install -m 755 /dev/stdin $(bin)/steward
	@touch $@

.venv/up: requirements/up.lock .venv/steward
	@parts/step "Python packages to run Steward" $(pip) --require-hashes -r $<
	@touch $@

.venv/dev: requirements/dev.lock .venv/steward
	@parts/step "Python packages to run and test Steward" $(pip) --require-hashes -r $<
	@touch .venv/up $@

.parts/kafka/lib: parts/kafka/pom.xml | .programs-to-test
	@parts/step "Apache Kafka" parts/fetch-kafka $@
	@touch $@

.parts/bin/kustomize: .venv/dev
	@parts/step "kustomize" $(go) install sigs.k8s.io/kustomize/kustomize/v5@v5.8.0
	@touch $@

.parts/bin/fsck: parts/tlog/go.sum $(wildcard parts/tlog/*/main.go) .venv/dev
	@parts/step "Go's and Tessera's transparency logs" $(go) -C parts/tlog install ./... tool
	@touch $@
