#!/usr/bin/env bash
# Builds kube-apiserver and etcd from the Go modules beside this file, once per version, into a cache outside the tree,
# and prints the folder that holds both. Does nothing when they are there. Cold: about 10 minutes on two cores.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version_of() { sed -n "s#^\(require \)\?[[:space:]]*$2 \(v[0-9.]*\).*#\2#p" "$here/$1/go.mod" | head -n 1; }
k8s=$(version_of kube-apiserver k8s.io/kubernetes)
etcd=$(version_of etcd go.etcd.io/etcd/server/v3)
: "${SNAPSHOT_GROUPS_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/velero-snapshot-groups}"
bin="$SNAPSHOT_GROUPS_CACHE/control-plane/k8s-$k8s-etcd-$etcd"
mkdir -p "$bin"
command -v go >/dev/null || { echo "control-plane.sh: needs Go (https://go.dev/dl) to build kube-apiserver $k8s and etcd $etcd" >&2; exit 3; }
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
exec 9>"$bin/.lock" && flock 9 # two test runs at once: one builds, the other waits
build() { # build NAME MODULE PACKAGE LDFLAGS
  [ ! -x "$bin/$1" ] || return 0
  echo "control-plane.sh: building $1 (once; kept in $bin)" >&2
  (cd "$here/$2" && go build -trimpath -ldflags "-s -w $4" -o "$bin/$1.part" "$3") && mv "$bin/$1.part" "$bin/$1"
}
# Without these the server calls itself v0.0.0 and kubectl refuses to compare versions.
minor=$(echo "$k8s" | cut -d. -f2)
ld="-X k8s.io/component-base/version.gitVersion=$k8s -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$minor"
build kube-apiserver kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "$ld"
build etcd etcd . ""
echo "$bin"
