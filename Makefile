# Everything that is built, tried and checked here. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

ARCH := $(shell uname -m)
MUSL := $(ARCH)-unknown-linux-musl
GNU := $(ARCH)-unknown-linux-gnu
# Each test under a real Velero has a cluster of its own: half a gigabyte, and mostly waiting.
E2E_AT_ONCE ?= 3
DENY_VERSION := 0.20.2
# Nothing here may ask a cloud for credentials.
export AWS_EC2_METADATA_DISABLED := true
export CARGO_BUILD_JOBS ?= 2
export CARGO_TERM_COLOR ?= auto

.PHONY: coordinator-static images e2e bench-e2e
.PHONY: help build agent demo test lint deny unit bench control-plane fmt

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 27

build: ## Both programs, for trying out
	cargo build --locked -p hook-agent -p coordinator

agent: ## The hook-agent as it is shipped: static, for any image
	@if rustup target add $(MUSL) >/dev/null 2>&1; then \
	  echo "agent: $(MUSL)"; \
	  CC_$(subst -,_,$(MUSL))=$${CC_$(subst -,_,$(MUSL)):-gcc} cargo build --locked --profile dist --target $(MUSL) -p hook-agent; \
	else \
	  echo "agent: no $(MUSL) target to be had here, so $(GNU) with a static C library"; \
	  RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --profile dist --target $(GNU) -p hook-agent; \
	fi

coordinator-static: ## The coordinator as it is shipped: static, for an image FROM scratch
	@if rustup target add $(MUSL) >/dev/null 2>&1; then \
	  echo "coordinator: $(MUSL)"; \
	  CC_$(subst -,_,$(MUSL))=$${CC_$(subst -,_,$(MUSL)):-gcc} cargo build --locked --profile dist --target $(MUSL) -p coordinator; \
	else \
	  echo "coordinator: no $(MUSL) target to be had here, so $(GNU) with a static C library"; \
	  RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --profile dist --target $(GNU) -p coordinator; \
	fi

images: agent coordinator-static ## Both images FROM scratch, as OCI archives in target/images; needs buildah, no engine
	@target=$(MUSL); rustup target list --installed 2>/dev/null | grep -qx "$$target" || target=$(GNU); \
	images/build.sh "target/$$target/dist"

demo: build ## The product at work, without a cluster: three layouts, three verdicts, in under a minute
	cargo run --locked --quiet -p testbed --bin demo

test: lint deny agent control-plane unit e2e go-tools ## Every check; green on a machine with only Rust and Go

lint: ## Formatting and lints
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

deny: ## Licences, sources and banned crates of all dependencies (deny.toml)
	@cargo deny --version >/dev/null 2>&1 || { echo "deny: installing cargo-deny $(DENY_VERSION), once"; cargo install --locked cargo-deny --version $(DENY_VERSION) >/dev/null; }
	cargo deny --workspace check bans licenses sources

control-plane: ## A real kube-apiserver and etcd, built once into a cache outside the tree
	@if [ -n "$${KUBEBUILDER_ASSETS:-}" ] || { command -v kube-apiserver && command -v etcd; } >/dev/null; then echo "control-plane: found"; \
	elif command -v go >/dev/null; then tests/tools/control-plane.sh >/dev/null && echo "control-plane: ready"; \
	elif [ "$${CI:-}" = true ]; then echo "control-plane: no Go, no kube-apiserver: with CI=true that is a failure" >&2; exit 1; \
	else echo "control-plane: SKIPPED, needs Go (https://go.dev/dl) or KUBEBUILDER_ASSETS; the tests against a real kube-apiserver will say so too"; fi

unit: ## All tests
	cargo test --locked --workspace --no-fail-fast

e2e: agent control-plane ## Both programs under a real Velero server; a quarter of an hour to build it, once, then minutes
	cargo test --locked -p testbed --test e2e -- --test-threads=$(E2E_AT_ONCE)

go-tools: ## The Go programs of the real beds: formatted, vetted, tested
	@if ! command -v go >/dev/null; then \
	  if [ "$${CI:-}" = true ]; then echo "go-tools: no Go: with CI=true that is a failure" >&2; exit 1; fi; \
	  echo "go-tools: SKIPPED, needs Go (https://go.dev/dl)"; exit 0; \
	fi; \
	set -e; for module in kubelet ebs-driver; do \
	  cd $(CURDIR)/tests/tools/$$module; echo "go-tools: $$module"; \
	  unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "go-tools: run gofmt -w on $$unformatted" >&2; exit 1; }; \
	  CGO_ENABLED=0 go vet -trimpath ./...; CGO_ENABLED=0 go test -trimpath ./...; \
	done

bench: agent control-plane ## What it costs, as ratios to a baseline in the same run; three minutes once built
	cargo bench --locked -p testbed --bench numbers
	cargo bench --locked -p coordinator-core --bench plan

bench-e2e: agent control-plane ## The same under a real Velero, beside the system before ours: most of an hour; PARTS=ours leaves parts out
	cargo bench --locked -p testbed --bench e2e_numbers -- $(PARTS)

fmt: ## Format everything
	cargo fmt --all
