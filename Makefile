# citystream. `make help` lists what can be made.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
FUZZTIME ?= 30s
CHAOSTIME ?= 10m
KAFKACHAOSTIME ?= 30s
BENCH ?= .
SCHEDULES ?= 4000
ARGS ?=
N ?= 4
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Build, and run the main job to its end (ARGS="--vehicles 20" adds flags)
	bin/citystream up $(ARGS)

.PHONY: up-local
up-local: build ## Run a cluster as processes of this machine: two masters and N=4 workers, until Ctrl-C (ARGS="--simulate 100" adds a fleet)
	bin/citystream lab --workers $(N) $(ARGS)

.PHONY: build
build: compiler ## Build bin/citystream
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o bin/citystream ./cmd/citystream

# Two packages at a time: some start brokers and stores of their own.
.PHONY: test
test: build ## Build, and run all tests
	$(GO) test -race -timeout 10m -p 2 ./...

# One package at a time: each starts a broker of its own, unless KAFKA_BOOTSTRAP_SERVERS names one.
.PHONY: test-kafka
test-kafka: compiler ## Run the tests that need Apache Kafka or ZooKeeper, with Java 17 and Maven, or on KAFKA_BOOTSTRAP_SERVERS
	@[ -n "$${KAFKA_BOOTSTRAP_SERVERS:-}" ] || { command -v java && command -v mvn; } >/dev/null || \
		{ echo "No Java and Maven found: install a JDK 17 and Maven, or set KAFKA_BOOTSTRAP_SERVERS to a cluster for tests." >&2; exit 1; }
	$(GO) test -race -tags kafka -count=1 -timeout 15m -p 1 -run Apache ./engine/adapter/kafka ./cmd/citystream
	@if { command -v java && command -v mvn; } >/dev/null; then set -x; $(GO) test -race -tags kafka -count=1 -timeout 5m ./cluster/lease/zookeeper; \
	else echo "No Java and Maven found: the lease in ZooKeeper is not tested."; fi
	$(GO) test -tags chaos -count=1 -timeout 15m -run TestChaos ./cmd/citystream -chaos.apache -chaos.time $(KAFKACHAOSTIME)

.PHONY: test-readers
test-readers: compiler python ## Read Parquet files with pyarrow, DuckDB, polars and DataFusion, with Python 3.11 or newer
	$(GO) test -tags readers -count=1 -timeout 15m -v -run TestReaders ./engine/parquetfile

# Without the SQL engine, which it does not need. What -v says while tests run is noise.
.PHONY: test-catalog
test-catalog: python ## Run the catalog's tests on the local Glue and on moto's, with Python 3.11 or newer
	CGO_ENABLED=0 $(GO) test -tags moto -count=1 -timeout 15m -v -run 'TestTheLocalGlue|TestMotoIsAGlue' ./local/aws | grep -v '^=== '

.PHONY: test-clients
test-clients: compiler python ## Use the local AWS endpoint with boto3, AWS CLI, awswrangler and PyAthena, with Python 3.11 or newer
	$(GO) test -tags clients -count=1 -timeout 15m -v -run TestClientsOfOthers ./cmd/citystream | grep -v '^=== '

# The packages are kept in the user's cache directory: more than a gigabyte, and loaded once. ensurepip is what Debian's python3 leaves out.
.PHONY: python
python:
	@[ -n "$${CITYSTREAM_PYTHON:-}" ] || python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "No Python 3.11 or newer with venv and pip found: install it (Debian: python3-venv), or set CITYSTREAM_PYTHON to a python that has the packages of the requirements files in testdata." >&2; exit 1; }

.PHONY: lint
lint: compiler ## Check format, vet, staticcheck, go.mod and generated files
	@unformatted=$$($(GO) tool gofumpt -l .); \
	if [ -n "$$unformatted" ]; then printf 'not formatted; run go tool gofumpt -w . for:\n%s\n' "$$unformatted" >&2; exit 1; fi
	$(GO) vet -tags kafka,chaos,readers,failover,scaleout,moto,clients ./...
	$(GO) tool staticcheck -tags kafka,chaos,readers,failover,scaleout,moto,clients ./...
	$(GO) mod tidy -diff
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(MAKE) --no-print-directory generate OUT="$$fresh"; \
	for f in messages/*.pb.go docs/configuration.md; do \
		cmp -s "$$f" "$$fresh/$${f##*/}" || { echo "$$f is stale: run make generate" >&2; exit 1; }; \
	done

# OUT puts everything generated into one directory instead of its place.
.PHONY: generate
generate: ## Write generated code and docs/configuration.md anew
	$(GO) run ./messages/gen -in messages -out $(or $(OUT),messages)
	$(GO) run ./config/gen $(or $(OUT),docs)/configuration.md

.PHONY: bench
bench: bench-packages bench-program ## Run all benchmarks: half an hour

.PHONY: bench-packages
bench-packages: compiler ## Run Go's benchmarks of the packages, in benchstat's form (BENCH=regexp chooses)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -p 1 \
		$$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n 1 dirname | sort -u)

.PHONY: bench-program
bench-program: build ## Measure the whole program (ARGS="steady", or "--compare OLD steady"; ARGS=-h lists what there is)
	$(GO) run ./bench $(ARGS)

.PHONY: large
large: ## Let 1,000 simulated workers with 100,000 partitions start, die, return and change their leader (ARGS="-large.patience 4" on a busy machine)
	$(GO) test -count=1 -timeout 10m -v -run TestALargeCluster ./actors -large $(ARGS)

.PHONY: many
many: compiler ## Register, announce, list and query five tables of 10,000 Hive partitions at the local endpoint (ARGS="-many 1000" for fewer)
	$(GO) test -count=1 -timeout 10m -v -run TestManyHivePartitions ./local/aws -many 10000 $(ARGS)

.PHONY: bench-guard
bench-guard: build ## Check that the worker costs not far more than the bare path
	$(GO) run ./bench guard

# Without -race, which would cost nine schedules of ten.
.PHONY: simulate
simulate: ## Put the commit protocol through random schedules (SCHEDULES=4000 in each of four worlds), and let each call of the catalog fail
	$(GO) test -count=1 -timeout 0 -run TestEveryRecordIsCommittedOnceWhateverHappens ./engine/pipeline -rapid.checks=$(SCHEDULES)
	$(GO) test -count=1 -timeout 10m -run TestEachCallOfTheCatalogMayGoWrong ./actors -catalog.faults

.PHONY: simulate-long
simulate-long: ## The same for hours
	$(MAKE) simulate SCHEDULES=2000000

.PHONY: chaos
chaos: compiler ## Kill and pause real processes on an unkind store while a fleet produces, then verify (CHAOSTIME=10m)
	$(GO) test -tags chaos -count=1 -timeout 0 -v -run TestChaos ./cmd/citystream -chaos.time $(CHAOSTIME)

# Alone on the machine: the figures are times.
.PHONY: scaleout
scaleout: compiler ## Start 1, 2, 4 and 8 worker nodes, and measure throughput and moves (SCALEOUT="-scaleout.table FILE -scaleout.plot FILE" writes them)
	$(GO) test -tags scaleout -count=1 -timeout 30m -v -run TestScaleout ./cmd/citystream $(SCALEOUT)

.PHONY: failover
failover: compiler ## Let nodes and stores of a cluster fail, on all three lease stores (FAILOVER="-failover.leases store" chooses)
	$(GO) test -tags failover -count=1 -timeout 60m -v -run TestFailover ./cmd/citystream $(FAILOVER)

.PHONY: mutants
mutants: ## Break the protocol on purpose in each way of mutants/, and check that tests turn red
	mutants/run.sh

.PHONY: fuzz
fuzz: ## Run each fuzz target for a time (FUZZTIME=30s)
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file target; do \
		echo "$${file%/*} $${target#func }"; \
		$(GO) test -run '^$$' -fuzz "^$${target#func }\$$" -fuzztime $(FUZZTIME) "$${file%/*}"; \
	done

.PHONY: clean
clean: ## Remove what was built; ./data stays
	rm -rf bin

# The embedded SQL engine is C++. Without a compiler the linker would fill a page; go itself only turns cgo off.
.PHONY: compiler
compiler:
	@command -v $(GO) >/dev/null || { echo "No Go found: install it from https://go.dev/dl/ (go.mod names the version)." >&2; exit 1; }
	@probe=$$(mktemp -d); trap 'rm -rf "$$probe"' EXIT; \
	lib=stdc++; if [ "$$(uname)" = Darwin ]; then lib=c++; fi; \
	if ! echo 'int main(void) { return 0; }' | $$($(GO) env CC) -x c - -l$$lib -o "$$probe/a" >/dev/null 2>&1; then \
		printf '%s\n' \
			"No C and C++ compiler found ($$($(GO) env CC) cannot link a program). The embedded SQL engine needs one to be built." \
			"  Debian, Ubuntu:  sudo apt-get install gcc g++" \
			"  Fedora, RHEL:    sudo dnf install gcc gcc-c++" \
			"  Alpine:          sudo apk add build-base" \
			"  macOS:           xcode-select --install" >&2; exit 1; \
	fi
	@if [ "$$($(GO) env CGO_ENABLED)" != 1 ]; then \
		echo "CGO_ENABLED is 0, but the embedded SQL engine needs cgo: run 'unset CGO_ENABLED' (or 'go env -u CGO_ENABLED'), or CGO_ENABLED=1 make build." >&2; exit 1; \
	fi
