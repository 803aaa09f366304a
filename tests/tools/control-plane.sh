#!/usr/bin/env bash
# Builds kube-apiserver and etcd from the Go modules beside this file, once per version, into a cache outside the tree,
# and prints the folder that holds both. Needs nothing when they are there. Cold: about 10 minutes on two idle cores.
# Exit codes: 0 printed; 3 Go is missing; else what the build ended with.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The versions are in the two go.mod files and nowhere else.
version_of() { sed -n "s#^require $2 \(v[0-9.]*\)\$#\1#p" "$here/$1/go.mod"; }
k8s=$(version_of kube-apiserver k8s.io/kubernetes)
etcd=$(version_of etcd go.etcd.io/etcd/server/v3)
[ -n "$k8s" ] && [ -n "$etcd" ] || { echo "control-plane.sh: no version in $here/{kube-apiserver,etcd}/go.mod" >&2; exit 1; }
: "${SNAPSHOT_GROUPS_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/velero-snapshot-groups}"
bin="$SNAPSHOT_GROUPS_CACHE/control-plane/k8s-$k8s-etcd-$etcd"

build() { # build NAME PACKAGE [LDFLAGS]
  [ ! -x "$bin/$1" ] || return 0
  echo "control-plane.sh: building $1 (once; kept in $bin)" >&2
  # Under another name until it is whole: an interrupted build leaves nothing that looks finished.
  (cd "$here/$1" && go build -mod=readonly -trimpath -ldflags "-s -w ${3:-}" -o "$bin/$1.part" "$2")
  mv "$bin/$1.part" "$bin/$1"
}

if [ ! -x "$bin/kube-apiserver" ] || [ ! -x "$bin/etcd" ]; then
  command -v go >/dev/null || {
    echo "control-plane.sh: needs Go (https://go.dev/dl) to build kube-apiserver $k8s and etcd $etcd" >&2
    exit 3
  }
  mkdir -p "$bin"
  # Two test runs at once: one builds, the other waits. Without flock (macOS) both build, each for itself is right.
  exec 9>"$bin/.lock"
  ! command -v flock >/dev/null || flock 9
  export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
  # Without these the server calls itself v0.0.0 and kubectl refuses to compare versions.
  minor=$(echo "$k8s" | cut -d. -f2)
  version=k8s.io/component-base/version
  build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "-X $version.gitVersion=$k8s -X $version.gitMajor=1 -X $version.gitMinor=$minor"
  build etcd .
fi
echo "$bin"
