# What can be done here: `make help`.

SHELL := bash
.DEFAULT_GOAL := help
# The steps share the machine and cargo's lock: one after the other, each with its own output.
.NOTPARALLEL:

export PATH := $(CURDIR)/target/tools/bin:$(CURDIR)/target/venv/bin:$(PATH)
MINUTES ?= 5

.PHONY: help
help: ## List what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Build and start the service alone, without Kafka or Redis: nothing is kept
	@scripts/setup build
	cargo run --locked -- dev

.PHONY: test
test: ## Run the tests against a real Kafka and a real Redis (ARGS= goes to cargo test)
	@scripts/setup test
	@scripts/tools python
	scripts/with-services scripts/test $(ARGS)

.PHONY: faults
faults: ## Inject every fault into a release build, and write what came of it into docs/reliability.md
	@scripts/setup test
	FAULTS=full FAULTS_PAGE=$(CURDIR)/docs/reliability.md scripts/with-services \
		cargo test --locked --release --test faults -- $(ARGS)

.PHONY: soak
soak: ## Streams under faults drawn by chance for half an hour, into docs/reliability.md (SOAK=5: minutes, no page; SEED= repeats the draws)
	@scripts/setup test
	SOAK=$(or $(SOAK),30) $(if $(SEED),SEED=$(SEED)) $(if $(SOAK),,SOAK_PAGE=$(CURDIR)/docs/reliability.md) \
		scripts/with-services \
		cargo test --locked --release --test streams -- --exact soak --ignored --nocapture

.PHONY: soak-writes
soak-writes: ## Writers under faults drawn by chance, for MINUTES=5 (SEED= repeats a run)
	@scripts/setup test
	MINUTES=$(MINUTES) $(if $(SEED),SEED=$(SEED)) scripts/with-services \
		cargo test --locked --release --test faults -- --exact soak

.PHONY: bench
bench: ## Measure against the limits and against glue, into docs/performance.md (hours; QUICK=1: minutes, no page)
	@scripts/setup test
	scripts/bench --command '$(bench_command)' $(bench_options) $(ARGS)

# A quick run is for looking and for the release's check; the page is written by a whole one.
bench_options = $(if $(QUICK),--quick,--docs) $(if $(CHECK),--check) $(if $(SAVE),--save) $(if $(SOAK),--soak $(SOAK))
bench_command = make bench$(if $(QUICK), QUICK=1)$(if $(SAVE), SAVE=1)$(if $(SOAK), SOAK=$(SOAK))$(if $(ARGS), ARGS="$(ARGS)")

.PHONY: bench-parser
bench-parser: ## Measure the parser against serde_json and sonic-rs (ARGS= goes to criterion)
	@scripts/setup build
	cargo bench --locked --package dual-stream-bench --bench event -- $(ARGS)

.PHONY: sabotage
sabotage: ## Break the service on purpose in some ways, and see that the fault suites notice each
	@scripts/setup test
	scripts/with-services scripts/sabotage

.PHONY: check
check: check-tools check-format check-scripts check-docker check-dependencies check-advisories ## Run all that CI runs
check: check-unused check-clippy check-docs check-api check-tests

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: docs
docs: ## Build the code's documentation
	cargo doc --locked --no-deps
	@echo "target/doc/dual_stream/index.html"

.PHONY: schemathesis
schemathesis: check-tools-python ## Hold the running service against openapi.yaml, for a minute
	cargo build --locked
	scripts/with-services scripts/schemathesis

.PHONY: fuzz
fuzz: ## Fuzz for MINUTES=5 (needs cargo-fuzz and a nightly Rust)
	@scripts/setup build
	scripts/fuzz $(MINUTES)

.PHONY: docker
docker: ## Build the container image, dual-stream:dev
	docker build --tag dual-stream:dev .

# The steps of `make check`; each can be run alone.

.PHONY: check-tools check-tools-python
check-tools: check-tools-python
	@scripts/step 'Rust tools' scripts/tools rust

check-tools-python:
	@scripts/step 'set-up' scripts/setup test
	@scripts/step 'Python tools' scripts/tools python

.PHONY: check-format
check-format:
	@scripts/step 'format' cargo fmt --all --check

.PHONY: check-scripts
check-scripts: check-tools-python
	@scripts/step 'shellcheck' shellcheck --external-sources $(filter-out scripts/sabotage,$(wildcard scripts/*)) .ci/run

.PHONY: check-docker
check-docker: check-tools-python
	@scripts/step 'hadolint' hadolint Dockerfile
	@scripts/step 'docker-compose.yml' check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

.PHONY: check-dependencies
check-dependencies: check-tools
	@scripts/step 'licences, bans, sources' cargo deny --locked --workspace check --hide-inclusion-graph bans licenses sources

.PHONY: check-advisories
check-advisories: check-tools
	@scripts/step 'advisories' scripts/audit

.PHONY: check-unused
check-unused: check-tools
	@scripts/step 'unused dependencies' cargo machete

.PHONY: check-clippy
check-clippy:
	@scripts/step 'clippy' cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: check-docs
check-docs:
	@RUSTDOCFLAGS='-D warnings' scripts/step 'documentation' cargo doc --locked --no-deps

.PHONY: check-api
check-api: check-tools-python
	@scripts/step 'build' cargo build --locked
	@scripts/step 'the README' scripts/readme
	@scripts/step 'schemathesis' scripts/with-services scripts/schemathesis

.PHONY: check-tests
check-tests: check-tools-python
	@scripts/step 'tests' scripts/with-services scripts/test
