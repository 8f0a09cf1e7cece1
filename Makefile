# `make` alone lists what there is to do. Tools are installed as they are needed, by scripts/setup-*.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Clones share build output where MODEL_REGISTRY_CACHE names a folder for it (see scripts/env).
ifdef MODEL_REGISTRY_CACHE
export CARGO_TARGET_DIR ?= $(MODEL_REGISTRY_CACHE)/target
endif
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export MODEL_REGISTRY_BIN := $(CARGO_TARGET_DIR)/release/model-registry

UI := frontend/dist/index.html
UI_SOURCES := Cargo.toml Cargo.lock Trunk.toml $(wildcard schema.graphql) scripts/build-ui scripts/finish-ui.mjs \
  $(shell find frontend names \( -name node_modules -o -path frontend/dist \) -prune -o -type f -print)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 16

.PHONY: run
run: build ## Build what is out of date, then serve on http://127.0.0.1:8080, data in ./data (ARGS='--help' lists flags)
	exec $(MODEL_REGISTRY_BIN) serve $(ARGS)

.PHONY: build
build: $(UI) ## Build the release binary, with the UI inside
	cargo build --release

$(UI): $(UI_SOURCES)
	scripts/build-ui

.PHONY: dev
dev: ## Serve the UI on http://127.0.0.1:8081 and rebuild it and the server on every change
	scripts/dev

.PHONY: test
test: export QUICK := 1
test: ## Run all tests, and say how long each part took; installs PostgreSQL and Chromium where they are missing
	@scripts/test test-sqlite test-postgres test-storage test-ui build test-http test-gateways test-browser test-clients

.PHONY: test-sqlite
test-sqlite: ## Unit and integration tests, on SQLite
	cargo test

.PHONY: test-postgres
test-postgres: ## Integration tests again, on a private PostgreSQL
	scripts/with-postgres cargo test --test it

.PHONY: test-storage
test-storage: ## What a store promises, on a folder and on a private S3 server, also one that fails; and two servers on that and PostgreSQL
	scripts/with-postgres scripts/with-juicefs cargo test --test it -- stores:: storages:: placement:: replicas:: redirect:: linear:: arriving::parts --skip heavy

.PHONY: test-stores
test-stores: ## All integration tests with the files on private servers of S3 (JuiceFS, Ceph) and Azure (Azurite), but for those that look into the folder
	scripts/test-stores

.PHONY: test-upgrade
test-upgrade: build ## Three servers behind nginx and Caddy, under load: upgraded one by one from before the last migration, and killed (ARGS='-k caddy' chooses)
	scripts/test-upgrade $(ARGS)

.PHONY: test-ui
test-ui: ## Unit tests of the UI
	CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)/ui cargo test --package model-registry-ui

.PHONY: test-http
test-http: build ## The release binary against an audit of GraphQL over HTTP, and what dashboards read (ARGS='-g 22EB' chooses)
	scripts/test-http $(ARGS)

.PHONY: test-gateways
test-gateways: build ## The release binary behind GraphQL gateways, with another subgraph (ARGS='composition' chooses)
	scripts/test-gateways $(ARGS)

.PHONY: test-browser
test-browser: build ## The release binary in a real browser (ARGS='palette.spec.ts' chooses)
	scripts/with-postgres scripts/with-juicefs scripts/test-browser $(ARGS)

.PHONY: test-clients
test-clients: build ## The release binary with real clients; by itself also with more and rarer ones, and larger files
	scripts/test-clients

.PHONY: conformance
conformance: build ## Compare our answers to MLflow's requests with those of MLflow's own server
	scripts/conformance $(ARGS)

.PHONY: faults
faults: ## Kill the server, fail its disk, flip bits and sweep without grace, for a quarter of an hour at most: nothing acknowledged may be lost (FAULTS_SEED repeats a run)
	export FAULTS_SECONDS=$${FAULTS_SECONDS:-600}; \
	cargo test --test it -- --nocapture --test-threads 8 faults; \
	scripts/with-postgres cargo test --test it -- --nocapture --test-threads 8 faults

.PHONY: bench
bench: build ## Measure against references taken in the same run, MLflow's own server among them
	scripts/bench

.PHONY: schema
schema: ## Write schema.graphql and subgraph.graphql, as the server prints them
	cargo run --quiet -- schema > schema.graphql.new
	mv schema.graphql.new schema.graphql
	cargo run --quiet -- schema --subgraph > subgraph.graphql.new
	mv subgraph.graphql.new subgraph.graphql

.PHONY: lint
lint: ## Formatting and clippy, for the server and the UI; and whether the schema or the subgraph breaks clients of the one before
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings
	scripts/lint-ui
	scripts/check-schema
