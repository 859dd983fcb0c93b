SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
# Two cores can run three test processes without scenarios. Beside a cluster, one is enough: with two,
# the machines of the cluster wait for the processors, and scenarios lose requests.
SIDE_BY_SIDE := 3
WITH_SCENARIOS := 2
GROUPED := --dist=loadgroup --no-loadscope-reorder

.PHONY: help setup needs format lint check unit fuzz contract lab test test-engines demo demo-nodes demo-watch demo-services demo-down bench-join bench-leave bench-rebalance bench-heartbeat bench-storm bench-decide bench-api bench-sentiment clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## Create .venv with all locked packages

.venv/ready: requirements/dev.txt requirements/bootstrap.txt setup.cfg | needs
	@requirements/setup.sh

needs: ## Install missing packages for the lab and the tests (Debian, Ubuntu; needs root)
	@lab/install-needs.sh
	@if [ -x lab/install-npm.sh ]; then lab/install-npm.sh; fi

format: setup ## Format the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lint: setup ## Check style, types, imports and shell scripts
	.venv/bin/ruff format --check .
	.venv/bin/ruff check --no-cache .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	$(PYTHON) tests/lint/vague_names.py agent bench cli lab leader runtime services tests/lint wire
	.venv/bin/shellcheck -x .ci/run ami/*.sh compose/scripts/*.sh lab/*.sh requirements/*.sh

check: lint needs ## Lint, and run the unit tests and the affected contract tests (before a commit; needs root)
	.venv/bin/pytest -n $(SIDE_BY_SIDE) $(GROUPED) tests/unit $$(.venv/bin/python tests/running/changed.py)

unit: setup ## Run the unit tests in parallel (takes seconds)
	.venv/bin/pytest -n auto $(GROUPED) tests/unit

fuzz: setup ## Run the property tests with many random inputs; print inputs, hours, faults
	.venv/bin/pytest -n auto $(GROUPED) tests/unit -m hypothesis --hypothesis-profile=fuzz

contract: setup needs ## Test the edges with real Redis, real Docker and simulated AWS (takes minutes; needs root)
	.venv/bin/pytest -n $(SIDE_BY_SIDE) $(GROUPED) tests/contract

lab: setup needs ## Run the scenarios on a cluster of booted machines (takes minutes; needs root)
	.venv/bin/pytest tests/lab

test: setup needs ## Run all tests and report where the time was spent (needs root)
	.venv/bin/pytest -n $(WITH_SCENARIOS) $(GROUPED) tests/lab tests/contract tests/unit

test-engines: setup needs ## Run a few scenarios on the oldest, the newest and mixed engines (needs root)
	.venv/bin/pytest tests/lab -m engines --engine 20.10
	.venv/bin/pytest tests/lab -m engines --engine 28.5
	.venv/bin/pytest tests/engines

demo: setup needs ## Start or resume a demo cluster of three managers and three spot workers (needs root)
	@$(PYTHON) -m lab up --resume --managers 3 --workers 3 --wait 120
	@$(PYTHON) -m lab show

demo-nodes: ## Print the demo cluster's nodes as JSON
	@$(PYTHON) -m lab nodes

demo-watch: demo ## Interrupt a demo worker and watch its tasks move to other nodes (needs root)
	@$(PYTHON) -m lab watch --interrupt

demo-services: demo ## Build the site and deploy it on the demo cluster (needs root)
	@$(PYTHON) -m lab site
	@$(PYTHON) -m lab show-site

demo-down: ## Stop the demo cluster and remove everything it created (needs root)
	@$(PYTHON) -m lab down

bench-join: setup needs ## Compare joining with our agent, plain Docker and Ansible (needs root)
	@$(PYTHON) -m bench.join

bench-leave: setup needs ## Compare leaving with our evacuation, Swarm's drain and a power cut (needs root)
	@$(PYTHON) -m bench.leave

bench-rebalance: setup needs ## Compare our rebalancing with `docker service update --force` (needs root)
	@$(PYTHON) -m bench.rebalance

bench-heartbeat: setup needs ## Measure the swarm heartbeat's load on the managers (needs root)
	@$(PYTHON) -m bench.heartbeat

bench-storm: setup needs ## Measure joins of up to 5,000 agents at once, and during a flood (needs root)
	@$(PYTHON) -m bench.storm

bench-api: setup needs ## Compare public_api behind Traefik with its handler alone
	@$(PYTHON) -m bench.api

bench-sentiment: setup ## Compare the sentiment model with simple baselines on held-out headlines
	@$(PYTHON) -m bench.sentiment

bench-decide: setup ## Measure the time of one decision with 100, 1,000 and 5,000 nodes
	@$(PYTHON) -m bench.decide

clean: ## Remove the files that builds and tests created in this tree
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage ./*.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
