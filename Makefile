SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
# One process for the scenarios and their cluster, two for the rest: what two cores carry.
SIDE_BY_SIDE := 3
GROUPED := --dist=loadgroup --no-loadscope-reorder

.PHONY: help setup needs format lint check unit fuzz contract lab test test-engines demo demo-nodes demo-watch demo-services demo-down bench-join bench-leave bench-rebalance bench-heartbeat bench-decide bench-api bench-sentiment clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## Create .venv with all locked packages

.venv/ready: requirements/dev.txt requirements/bootstrap.txt setup.cfg | needs
	@requirements/setup.sh

needs: ## Install what the host lacks for the lab and the tests (Debian, Ubuntu; root)
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
	.venv/bin/shellcheck -x .ci/run ami/*.sh lab/*.sh requirements/*.sh

check: lint needs ## Lint, run the unit tests and the contract tests of what changed (before a commit; root)
	.venv/bin/pytest -n $(SIDE_BY_SIDE) $(GROUPED) tests/unit $$(.venv/bin/python tests/running/changed.py)

unit: setup ## Run the unit tests in parallel (seconds)
	.venv/bin/pytest -n auto $(GROUPED) tests/unit

fuzz: setup ## Try the properties with many random examples (minutes)
	.venv/bin/pytest -n auto $(GROUPED) tests/unit -m hypothesis --hypothesis-profile=fuzz

contract: setup needs ## Test the edges against real Redis, real Docker and the AWS stand-in (minutes; root)
	.venv/bin/pytest -n $(SIDE_BY_SIDE) $(GROUPED) tests/contract

lab: setup needs ## Run the scenarios on a cluster of booted machines (minutes; root)
	.venv/bin/pytest tests/lab

test: setup needs ## Run every test and report where the time went (root)
	.venv/bin/pytest -n $(SIDE_BY_SIDE) $(GROUPED) tests/lab tests/contract tests/unit

test-engines: setup needs ## Run the short set of scenarios on the oldest and newest engine, and mixed engines (root)
	.venv/bin/pytest tests/lab -m engines --engine 20.10
	.venv/bin/pytest tests/lab -m engines --engine 28.5
	.venv/bin/pytest tests/engines

demo: setup needs ## Boot three managers and three spot workers here, or continue with those that run (root)
	@$(PYTHON) -m lab up --resume --managers 3 --workers 3 --wait 120
	@$(PYTHON) -m lab show

demo-nodes: ## Print the demo cluster's nodes as JSON
	@$(PYTHON) -m lab nodes

demo-watch: demo ## Watch a demo worker being emptied while AWS takes it (root)
	@$(PYTHON) -m lab watch --interrupt

demo-services: demo ## Build the site and deploy it on the demo cluster (root)
	@$(PYTHON) -m lab site
	@$(PYTHON) -m lab show-site

demo-down: ## Take the demo cluster down and leave nothing behind (root)
	@$(PYTHON) -m lab down

bench-join: setup needs ## Compare how machines join: our agent, raw Docker, Ansible (root)
	@$(PYTHON) -m bench.join

bench-leave: setup needs ## Compare how workers leave: ours, Swarm's drain, a power cut (root)
	@$(PYTHON) -m bench.leave

bench-rebalance: setup needs ## Compare rebalancing with docker service update --force (root)
	@$(PYTHON) -m bench.rebalance

bench-heartbeat: setup needs ## Measure the heartbeat's load on the managers (root)
	@$(PYTHON) -m bench.heartbeat

bench-api: setup needs ## Compare public_api behind Traefik with its bare handler
	@$(PYTHON) -m bench.api

bench-sentiment: setup ## Score the sentiment on held-out headlines next to trivial baselines
	@$(PYTHON) -m bench.sentiment

bench-decide: setup ## Time one decision at 100, 1,000 and 5,000 nodes
	@$(PYTHON) -m bench.decide

clean: ## Remove what builds and tests left in this tree
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage ./*.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
