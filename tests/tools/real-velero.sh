#!/usr/bin/env bash
# Builds what tests under a real Velero need beside a control plane, from the Go modules beside this file, once per version,
# into a cache outside the tree, and prints it as lines of NAME=PATH. Needs nothing when it is there.
#   real-velero.sh                  VELERO, VELERO_PLUGIN_FOR_AWS, KUBELET_STAND_IN, VELERO_CRDS (a folder of YAML files:
#                                   Velero's kinds and those of CSI snapshots). Cold: about 10 minutes on two idle cores.
#   real-velero.sh snapshot-chain   SNAPSHOT_CONTROLLER, CSI_SNAPSHOTTER, EBS_DRIVER, SNAPSHOT_CRDS. Cold: 5 minutes more.
# VELERO_VERSION and PLUGIN_VERSION (v1.17.1) ask for others than those in go.mod.
# Exit codes: 0 printed; 2 unknown argument; 3 Go is missing; else what the build ended with.
set -euo pipefail
# shellcheck source=build-once.sh
. "$(dirname "${BASH_SOURCE[0]}")/build-once.sh"

velero_module=github.com/vmware-tanzu/velero
plugin_module=github.com/vmware-tanzu/velero-plugin-for-aws
snapshot_module=github.com/kubernetes-csi/external-snapshotter

# own NAME FOLDER: a program whose source is beside this file, kept under what it was made from.
own() {
  local hash bin
  hash=$(cd "$tools/$2" && find . -name '*.go' ! -name '*_test.go' -o -name 'go.*' | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-16)
  bin="$SNAPSHOT_GROUPS_CACHE/$1/$hash"
  if [ ! -x "$bin/$1" ]; then
    need_go "$1"
    hold "$bin"
    build "$bin" "$tools/$2" "$1" .
  fi
  echo "$bin/$1"
}

# copy_crds TARGET FILE...: a folder with these files, or none.
copy_crds() {
  local target=$1
  shift
  rm -rf "$target.part"
  mkdir "$target.part"
  cp "$@" "$target.part/"
  # Files of the module cache are read-only, and a cache that cannot be removed is a nuisance.
  chmod -R u+w "$target.part"
  mv "$target.part" "$target"
}

# velero: the server and the definitions of its kinds.
velero() {
  local default version bin module source snapshots
  default=$(version_of "$tools/velero" $velero_module)
  version=${VELERO_VERSION:-$default}
  bin="$SNAPSHOT_GROUPS_CACHE/velero/$version"
  if [ ! -x "$bin/velero" ] || [ ! -d "$bin/crds" ]; then
    need_go "Velero $version"
    hold "$bin"
    module="$tools/velero"
    [ "$version" = "$default" ] || module=$("$tools/other-version.sh" velero "$version")
    build "$bin" "$module" velero $velero_module/cmd/velero "-X $velero_module/pkg/buildinfo.Version=$version"
    if [ ! -d "$bin/crds" ]; then
      source=$(module_folder "$module" $velero_module)
      snapshots=$(snapshot_client "$module")
      copy_crds "$bin/crds" "$source"/config/crd/v1/bases/*.yaml "$source"/config/crd/v2alpha1/bases/*.yaml \
        "$snapshots"/config/crd/snapshot.storage.k8s.io_*.yaml
    fi
  fi
  echo "VELERO=$bin/velero"
  echo "VELERO_CRDS=$bin/crds"
}

# plugin: one plugin serves any Velero: they speak over a protocol that has stayed the same.
plugin() {
  local default version bin module
  default=$(version_of "$tools/velero" $plugin_module)
  version=${PLUGIN_VERSION:-$default}
  bin="$SNAPSHOT_GROUPS_CACHE/velero-plugin-for-aws/$version"
  if [ ! -x "$bin/velero-plugin-for-aws" ]; then
    need_go "Velero's AWS plugin $version"
    hold "$bin"
    module="$tools/velero"
    [ "$version" = "$default" ] || module=$("$tools/other-version.sh" velero-plugin-for-aws "$version")
    build "$bin" "$module" velero-plugin-for-aws $plugin_module/velero-plugin-for-aws
  fi
  echo "VELERO_PLUGIN_FOR_AWS=$bin/velero-plugin-for-aws"
}

# snapshot_client FOLDER: the source of the snapshot client, of whichever major version FOLDER's go.mod asks for.
snapshot_client() {
  local module
  module=$(sed -nE "s#.*($snapshot_module/client/v[0-9]+) v.*#\1#p" "$1/go.mod" | head -n 1)
  module_folder "$1" "$module"
}

snapshot_chain() {
  local version bin program snapshots
  version=$(version_of "$tools/snapshotter" $snapshot_module/v8)
  bin="$SNAPSHOT_GROUPS_CACHE/snapshotter/$version"
  if [ ! -x "$bin/snapshot-controller" ] || [ ! -x "$bin/csi-snapshotter" ] || [ ! -d "$bin/crds" ]; then
    need_go "external-snapshotter $version"
    hold "$bin"
    for program in snapshot-controller csi-snapshotter; do
      build "$bin" "$tools/snapshotter" $program $snapshot_module/v8/cmd/$program "-X main.version=$version"
    done
    if [ ! -d "$bin/crds" ]; then
      snapshots=$(snapshot_client "$tools/snapshotter")
      copy_crds "$bin/crds" "$snapshots"/config/crd/snapshot.storage.k8s.io_*.yaml "$snapshots"/config/crd/groupsnapshot.storage.k8s.io_*.yaml
    fi
  fi
  echo "SNAPSHOT_CONTROLLER=$bin/snapshot-controller"
  echo "CSI_SNAPSHOTTER=$bin/csi-snapshotter"
  echo "SNAPSHOT_CRDS=$bin/crds"
}

case "${1:-velero}" in
velero)
  velero
  plugin
  stand_in=$(own kubelet-stand-in kubelet)
  echo "KUBELET_STAND_IN=$stand_in"
  ;;
snapshot-chain)
  snapshot_chain
  driver=$(own ebs-driver-stand-in ebs-driver)
  echo "EBS_DRIVER=$driver"
  ;;
*)
  echo "real-velero.sh: unknown argument $1; use velero (the default) or snapshot-chain" >&2
  exit 2
  ;;
esac
