#!/usr/bin/env bash
# Builds kube-apiserver and etcd from the Go modules beside this file, once per version, into a cache outside the tree,
# and prints the folder that holds both. Needs nothing when they are there. Cold: about 10 minutes on two idle cores.
# K8S_VERSION (v1.36.3) asks for another kube-apiserver than the one in go.mod.
# Exit codes: 0 printed; 3 Go is missing; else what the build ended with.
set -euo pipefail
# shellcheck source=build-once.sh
. "$(dirname "${BASH_SOURCE[0]}")/build-once.sh"
default=$(version_of "$tools/kube-apiserver" k8s.io/kubernetes)
k8s=${K8S_VERSION:-$default}
etcd=$(version_of "$tools/etcd" go.etcd.io/etcd/server/v3)
bin="$SNAPSHOT_GROUPS_CACHE/control-plane/k8s-$k8s-etcd-$etcd"

if [ ! -x "$bin/kube-apiserver" ] || [ ! -x "$bin/etcd" ]; then
  need_go "kube-apiserver $k8s and etcd $etcd"
  hold "$bin"
  module="$tools/kube-apiserver"
  [ "$k8s" = "$default" ] || module=$("$tools/other-version.sh" kube-apiserver "$k8s")
  # Without these the server calls itself v0.0.0 and kubectl refuses to compare versions.
  minor=$(echo "$k8s" | cut -d. -f2)
  version=k8s.io/component-base/version
  build "$bin" "$module" kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver \
    "-X $version.gitVersion=$k8s -X $version.gitMajor=1 -X $version.gitMinor=$minor"
  build "$bin" "$tools/etcd" etcd .
fi
echo "$bin"
