# The targets that people type. Each installs what it needs first (scripts/setup.sh) and skips what is there; what a
# target does stands in scripts/. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)

# No progress bars where nobody watches.
export CARGO_TERM_PROGRESS_WHEN ?= $(shell [ -t 1 ] && echo auto || echo never)

.PHONY: help setup build demo test test-6.0 check bench soak bench-plan openstack openstack-up openstack-down world world-up world-down puppetserver clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install everything that the other targets need
	@scripts/setup.sh

build: ## build the module (kamscale.so) and the agent, optimized
	@scripts/setup.sh build
	cargo build --release -p kamscale-module
	cargo build --release -p kamscale-agent
	ln -sfn libkamscale.so $(TARGET)/release/kamscale.so
	@echo "built: $(TARGET)/release/kamscale.so, kamscale-agent, kamscale"

demo: ## play a conference-call day: real Kamailio, real calls, pools that grow and shrink (two minutes)
	@scripts/setup.sh demo
	@$(MAKE) build
	cargo run --release -p kamscale-tests --bin demo

test: ## run every test of the project
	@scripts/setup.sh test puppet
	@scripts/run-tests.sh

test-6.0: ## build the module against Kamailio 6.0 (Debian 13's) and run every end-to-end test with it
	@scripts/setup.sh test
	@scripts/test-6.0.sh

check: ## formatting, lints, docs, dependency and licence rules, the rules of the house
	@scripts/setup.sh check
	@scripts/check.sh

bench: ## measure ours and the stock way in the same Kamailio, and print the figures (PART=calls: some of them)
	@scripts/setup.sh bench
	@$(MAKE) build
	cargo run --release -p kamscale-tests --bin bench -- $(PART)

soak: ## an hour of calls, changes and faults of the agent, and what has grown (KAMSCALE_SOAK_S=600: ten minutes)
	@scripts/setup.sh bench
	@$(MAKE) build
	cargo run --release -p kamscale-tests --bin soak

bench-plan: ## play every scenario of the simulator with our plan and its rivals (SEEDS=2: a quick look; SEEDS="10 101": other days)
	@scripts/setup.sh plan
	cargo run --release -p kamscale-tests --bin bench-plan -- $(SEEDS)

openstack: ## the whole loop with real Keystone, Heat, Gnocchi and Aodh: scenarios, faults, figures (SHORT=1: in 15 minutes)
	@$(MAKE) build
	@scripts/openstack.sh $(if $(SHORT),--short)

openstack-up: ## start real Keystone, Heat, Gnocchi and Aodh on loopback (OPENSTACK="--nova --with etcd": more of it)
	@scripts/setup.sh openstack $(if $(findstring --nova,$(OPENSTACK)),nova)
	@tests/openstack/up.sh $(OPENSTACK)

puppetserver: ## members that export themselves: puppetserver, PuppetDB and three nodes (some minutes)
	@scripts/setup.sh puppetserver
	@$(MAKE) build
	@puppet/spec/puppetserver.sh

openstack-down: ## stop them, and everything that they started
	@tests/openstack/down.sh

world: ## the platform's two stories, each decided by the agent and by Aodh, and every fault (WORLD=by_feature.agent: one of them)
	@$(MAKE) build
	@scripts/world.sh $(WORLD)

world-up: ## the whole platform on this machine: every host boots, by real Heat and Puppet (DECIDE=aodh: Aodh decides about pools)
	@scripts/setup.sh openstack world
	@$(MAKE) build
	@tests/world/up.sh $(DECIDE)

world-down: ## end it, with everything that it made
	@tests/world/down.sh

clean: ## remove everything built, Kamailio's headers too
	cargo clean
