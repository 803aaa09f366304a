#!/usr/bin/env bash
# Makes a Go module for another version than the one that is kept here, in the cache outside the tree, and prints its folder.
#   other-version.sh kube-apiserver v1.36.3
#   other-version.sh velero v1.17.1 v1.13.1     (Velero, its AWS plugin)
# Where a version needs a library that cannot be had, the next patch of that library takes its place; said on stderr.
set -euo pipefail
# shellcheck source=build-once.sh
. "$(dirname "${BASH_SOURCE[0]}")/build-once.sh"

# How many patches further a library may be taken.
patches_max=5

# gomod_of MODULE@VERSION: the path of its go.mod.
gomod_of() {
  local answer
  answer=$(cd / && go mod download -json "$1") || { echo "$me: $1 cannot be had: $answer" >&2; return 1; }
  sed -nE 's/.*"GoMod": "(.*)",?$/\1/p' <<<"$answer"
}

# available MODULE VERSION: that version or the first patch after it that can be had.
available() {
  local base=${2%.*} patch=${2##*.} tried=0
  while [ $tried -le $patches_max ]; do
    if (cd / && go mod download "$1@$base.$((patch + tried))") >/dev/null 2>&1; then
      echo "$base.$((patch + tried))"
      return 0
    fi
    tried=$((tried + 1))
  done
  echo "$me: neither $1@$2 nor the next $patches_max patches can be had" >&2
  return 1
}

# begin FOLDER FROM: a module with the same imports and no versions.
begin() {
  rm -rf "$1"
  mkdir -p "$1"
  cp "$tools/$2/tools.go" "$1/"
  (cd "$1" && go mod init "testbed/$2" >/dev/null 2>&1)
}

kube_apiserver() {
  local version=$1 folder="$SNAPSHOT_GROUPS_CACHE/modules/kube-apiserver-$1" staged
  begin "$folder" kube-apiserver
  local gomod
  gomod=$(gomod_of "k8s.io/kubernetes@$version")
  cd "$folder"
  go mod edit -require="k8s.io/kubernetes@$version"
  # k8s.io/kubernetes replaces these by folders of its own tree; published, they carry its number with v0.
  for staged in $(sed -nE 's#.*(k8s\.io/[a-z-]+) => \./staging/.*#\1#p' "$gomod" | sort -u); do
    go mod edit -replace="$staged=$staged@v0.${version#v1.}"
  done
  go mod tidy >&2
  echo "$folder"
}

velero() {
  local velero=$1 plugin=$2 folder="$SNAPSHOT_GROUPS_CACHE/modules/velero-$1-plugin-$2" gomod wanted module version had
  begin "$folder" velero
  gomod=$(gomod_of "github.com/vmware-tanzu/velero@$velero")
  cd "$folder"
  go mod edit -require="github.com/vmware-tanzu/velero@$velero" -require="github.com/vmware-tanzu/velero-plugin-for-aws@$plugin"
  # Replacements do not reach who depends on a module.
  sed -nE 's#^(replace )?[[:space:]]*([^ ]+) => ([^ ]+) (v[^ ]+)$#\2=\3@\4#p' "$gomod" | while read -r wanted; do
    go mod edit -replace="$wanted"
  done
  # Its Kubernetes libraries belong together: all take the patch that all can be had in.
  sed -nE 's#^(require)?[[:space:]]*(k8s\.io/(api|apiextensions-apiserver|apimachinery|apiserver|cli-runtime|client-go|component-base|kms|kube-aggregator|metrics)) (v0\.[0-9.]+).*#\2 \4#p' "$gomod" >k8s-libraries
  while read -r module version; do
    had=$(available "$module" "$version")
    [ "$had" = "$version" ] || echo "$me: $module $had in place of $version, which cannot be had" >&2
    echo "$module $had"
  done <k8s-libraries >k8s-available
  version=$(awk '{print $2}' k8s-available | sort -V | tail -n 1)
  while read -r module had; do
    go mod edit -require="$module@$version"
  done <k8s-available
  go mod tidy >&2
  echo "$folder"
}

case "${1:-}" in
kube-apiserver) kube_apiserver "$2" ;;
velero) velero "$2" "$3" ;;
*)
  echo "$me: usage: other-version.sh kube-apiserver VERSION | velero VERSION PLUGIN-VERSION" >&2
  exit 2
  ;;
esac
