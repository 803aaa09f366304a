# Everything that is built, tried and checked here. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

ARCH := $(shell uname -m)
MUSL := $(ARCH)-unknown-linux-musl
GNU := $(ARCH)-unknown-linux-gnu
ARM64 := aarch64-unknown-linux-musl
OCI_ARCH := $(if $(filter aarch64,$(ARCH)),arm64,amd64)
# Each test under a real Velero has a cluster of its own: half a gigabyte, and mostly waiting.
E2E_AT_ONCE ?= 3
# Most tests wait for programs that wait: two a processor take two thirds of the time that one does.
TESTS_AT_ONCE ?= $(shell echo $$((2 * $$(nproc))))
DENY_VERSION := 0.20.2
# What `make e2e-matrix` tries; the first of each goes with all of the other.
VELEROS ?= v1.18.3,v1.17.2,v1.16.2,v1.15.2,v1.14.1
KUBERNETESES ?= v1.35.4,v1.37.2,v1.36.3
# In CI a database that is missing is a failure; elsewhere the tests that need it say SKIPPED.
ifeq ($(CI),true)
export POSTGRES_REQUIRED := yes
export MARIADB_REQUIRED := yes
export REDIS_REQUIRED := yes
endif
# Nothing here may ask a cloud for credentials.
export AWS_EC2_METADATA_DISABLED := true
export CARGO_BUILD_JOBS ?= 2
export CARGO_TERM_COLOR ?= auto

.PHONY: browser coordinator-static arm64 images agent-image monitoring-tools databases wall-clock e2e e2e-matrix bench-e2e
.PHONY: help build agent demo test lint deny unit bench control-plane fmt

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 27

# Always of the whole workspace: with another selection cargo unifies features differently, and builds most of it anew.
build: ## Both programs, for trying out
	cargo build --locked --workspace --bin hook-agent --bin coordinator

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

arm64: ## Both programs for arm64, static; needs that target of Rust's and a C compiler for ring
	@tests/tools/from-debian.sh aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	@if rustup target add $(ARM64) >/dev/null 2>&1 && command -v aarch64-linux-gnu-gcc >/dev/null; then \
	  echo "arm64: $(ARM64)"; \
	  export CC_aarch64_unknown_linux_musl=aarch64-linux-gnu-gcc CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=aarch64-linux-gnu-gcc; \
	  for program in hook-agent coordinator; do cargo build --locked --profile dist --target $(ARM64) -p $$program; done; \
	else \
	  echo "arm64: SKIPPED, needs rustup target add $(ARM64) and aarch64-linux-gnu-gcc"; \
	fi

images: agent coordinator-static arm64 ## All images FROM scratch, as OCI archives in target/images, with an SBOM each; checked; no engine needed
	@tests/tools/from-debian.sh buildah buildah
	@tests/tools/from-debian.sh qemu-aarch64-static qemu-user-static
	@target=$(MUSL); rustup target list --installed 2>/dev/null | grep -qx "$$target" || target=$(GNU); \
	architectures="$(OCI_ARCH)=target/$$target/dist"; \
	[ $(OCI_ARCH) = arm64 ] || [ ! -x target/$(ARM64)/dist/coordinator ] || architectures="$$architectures arm64=target/$(ARM64)/dist"; \
	images/build.sh coordinator,hook-agent $$architectures; \
	IMAGES_OUT=$(CURDIR)/target/images/again images/build.sh coordinator,hook-agent $$architectures >/dev/null; \
	for program in coordinator hook-agent; do images/same.sh target/images/$$program.oci.tar target/images/again/$$program.oci.tar; done; \
	rm -rf target/images/again
	images/sbom.sh
	cargo test --locked --workspace --test images

agent-image: agent ## The hook-agent's image alone, built twice, unpacked and run (not part of `make test`)
	@tests/tools/from-debian.sh buildah buildah
	@command -v buildah >/dev/null || exit 0; \
	target=$(MUSL); rustup target list --installed 2>/dev/null | grep -qx "$$target" || target=$(GNU); \
	for place in agent agent-again; do IMAGES_OUT=$(CURDIR)/target/images/$$place images/build.sh hook-agent "$(OCI_ARCH)=target/$$target/dist"; done; \
	images/same.sh target/images/agent/hook-agent.oci.tar target/images/agent-again/hook-agent.oci.tar; \
	IMAGES=hook-agent IMAGES_DIR=$(CURDIR)/target/images/agent cargo test --locked --quiet --workspace --test images

demo: ## The product at work, without a cluster: three layouts, three verdicts, in under a minute
	cargo build --locked --workspace --bin hook-agent --bin coordinator --bin demo
	$${CARGO_TARGET_DIR:-target}/debug/demo

test: lint deny agent control-plane monitoring-tools databases wall-clock browser unit e2e go-tools ## Every check; green on a machine with only Rust and Go

lint: ## Formatting and lints
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@# What `cargo test` leaves out, all targets leave out as well.
	cargo clippy --locked --workspace --test e2e --test images -- -D warnings

deny: ## Licences, sources and banned crates of all dependencies (deny.toml)
	@cargo deny --version >/dev/null 2>&1 || { echo "deny: installing cargo-deny $(DENY_VERSION), once"; cargo install --locked cargo-deny --version $(DENY_VERSION) >/dev/null; }
	cargo deny --workspace check bans licenses sources

control-plane: ## A real kube-apiserver and etcd, built once into a cache outside the tree
	@if [ -n "$${KUBEBUILDER_ASSETS:-}" ] || { command -v kube-apiserver && command -v etcd; } >/dev/null; then echo "control-plane: found"; \
	elif command -v go >/dev/null; then tests/tools/control-plane.sh >/dev/null && echo "control-plane: ready"; \
	elif [ "$${CI:-}" = true ]; then echo "control-plane: no Go, no kube-apiserver: with CI=true that is a failure" >&2; exit 1; \
	else echo "control-plane: SKIPPED, needs Go (https://go.dev/dl) or KUBEBUILDER_ASSETS; the tests against a real kube-apiserver will say so too"; fi

monitoring-tools: ## promtool, and a JDK and Maven for OpenSearch's jars: what alerts and panels are tried with
	@tests/tools/from-debian.sh promtool prometheus
	@tests/tools/from-debian.sh javac default-jdk-headless
	@tests/tools/from-debian.sh mvn maven

databases: ## PostgreSQL, MariaDB, Redis and XFS: what recipes and group cuts are tried with. Installed, not started
	@tests/tools/from-debian.sh pg_createcluster postgresql postgresql-common
	@tests/tools/from-debian.sh mariadbd mariadb-server-core mariadb-client-core
	@tests/tools/from-debian.sh redis-server redis-server redis-tools
	@tests/tools/from-debian.sh mkfs.xfs xfsprogs

wall-clock: ## libfaketime: how a test sets the clock of programs of its own, and of nobody else
	@tests/tools/from-debian.sh faketime faketime

browser: ## Chromium: what the status page is looked at with
	@tests/tools/from-debian.sh chromium chromium

unit: ## All tests; what fails among the others and passes alone is named FLAKY
	tests/tools/cargo-test.sh --locked --workspace --no-fail-fast -- --test-threads=$(TESTS_AT_ONCE)

e2e: agent control-plane ## Both programs under a real Velero server; a quarter of an hour to build it, once, then minutes
	tests/tools/cargo-test.sh --locked --workspace --test e2e -- --test-threads=$(E2E_AT_ONCE)

e2e-matrix: agent ## A choice of those tests under one version of Velero and Kubernetes after another; writes docs/versions.md. Not part of CI
	cargo run --locked -p testbed --bin e2e-matrix -- --velero $(VELEROS) --kubernetes $(KUBERNETESES) --plugin $(shell sed -nE 's,.*velero-plugin-for-aws (v[0-9.]+)$$,\1,p' tests/tools/velero/go.mod)

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

bench: agent control-plane ## What it costs, as ratios to a baseline in the same run; a quarter of an hour once built
	cargo bench --locked --workspace --bench numbers
	cargo bench --locked --workspace --bench plan
	cargo bench --locked --workspace --bench contenders

bench-e2e: agent control-plane ## The same under a real Velero, beside the system before ours: most of an hour; PARTS=ours leaves parts out
	cargo bench --locked --workspace --bench e2e_numbers -- $(PARTS)

fmt: ## Format everything
	cargo fmt --all
