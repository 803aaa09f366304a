#!/usr/bin/env bash
# Prints the folder of the Prometheus Operator's own CustomResourceDefinitions, from its Go module; fetches it once (Go keeps it).
# Exit codes: 0 printed; 3 Go is missing; else what Go ended with.
set -euo pipefail
# shellcheck source=build-once.sh
. "$(dirname "${BASH_SOURCE[0]}")/build-once.sh"
need_go "the Prometheus Operator's kinds (nothing is built)"
version=v0.85.0
answer=$(cd / && go mod download -json "github.com/prometheus-operator/prometheus-operator@$version") || { echo "$me: $answer" >&2; exit 1; }
echo "$(sed -nE 's/.*"Dir": "(.*)",?$/\1/p' <<<"$answer")/example/prometheus-operator-crd"
