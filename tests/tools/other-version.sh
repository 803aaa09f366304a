#!/usr/bin/env bash
# Makes a Go module for another version than the one that is kept here, in the cache outside the tree, and prints its folder.
#   other-version.sh kube-apiserver v1.36.3
#   other-version.sh velero v1.17.2
#   other-version.sh velero-plugin-for-aws v1.14.3
# Where a version needs a library that cannot be had, the next patch of that library takes its place; said on stderr.
set -euo pipefail
# shellcheck source=build-once.sh
. "$(dirname "${BASH_SOURCE[0]}")/build-once.sh"

# How many patches further a library may be taken.
patches_max=5

# downloaded FIELD MODULE@VERSION: where its GoMod file or Dir is.
downloaded() {
  local answer
  answer=$(cd / && go mod download -json "$2") || { echo "$me: $2 cannot be had: $answer" >&2; return 1; }
  sed -nE "s/.*\"$1\": \"(.*)\",?\$/\1/p" <<<"$answer"
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

# begin FOLDER PACKAGE: an empty module that imports the package.
begin() {
  rm -rf "$1"
  mkdir -p "$1"
  printf '//go:build tools\n\npackage tools\n\nimport _ "%s"\n' "$2" >"$1/tools.go"
  (cd "$1" && go mod init "testbed/$(basename "$1")" >/dev/null 2>&1)
}

kube_apiserver() {
  local version=$1 folder="$SNAPSHOT_GROUPS_CACHE/modules/kube-apiserver-$1" gomod staged
  begin "$folder" k8s.io/kubernetes/cmd/kube-apiserver
  gomod=$(downloaded GoMod "k8s.io/kubernetes@$version")
  cd "$folder"
  go mod edit -require="k8s.io/kubernetes@$version"
  # k8s.io/kubernetes replaces these by folders of its own tree; published, they carry its number with v0.
  for staged in $(sed -nE 's#.*(k8s\.io/[a-z-]+) => \./staging/.*#\1#p' "$gomod" | sort -u); do
    go mod edit -replace="$staged=$staged@v0.${version#v1.}"
  done
  go mod tidy >&2
  echo "$folder"
}

# with_libraries NAME MODULE PACKAGE VERSION: for a program that depends on Kubernetes' published libraries.
with_libraries() {
  local folder="$SNAPSHOT_GROUPS_CACHE/modules/$1-$4" gomod replacement module version had
  begin "$folder" "$3"
  gomod=$(downloaded GoMod "$2@$4")
  # The checksum database does not know every fork that it replaces libraries by; its own go.sum does.
  cat "$(downloaded Dir "$2@$4")/go.sum" >"$folder/go.sum"
  cd "$folder"
  go mod edit -require="$2@$4"
  # Replacements do not reach who depends on a module.
  sed -nE 's#^(replace )?[[:space:]]*([^ ]+) => ([^ ]+) (v[^ ]+)$#\2=\3@\4#p' "$gomod" | while read -r replacement; do
    go mod edit -replace="$replacement"
  done
  # Kubernetes' libraries belong together: all take the patch that all can be had in.
  sed -nE 's#^(require)?[[:space:]]*(k8s\.io/[a-z-]+) (v0\.[0-9]+\.[0-9]+)( .*)?$#\2 \3#p' "$gomod" | grep -v '/v2 ' >k8s-libraries
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
velero) with_libraries "$1" github.com/vmware-tanzu/velero github.com/vmware-tanzu/velero/cmd/velero "$2" ;;
velero-plugin-for-aws)
  with_libraries "$1" github.com/vmware-tanzu/velero-plugin-for-aws github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws "$2"
  ;;
*)
  echo "$me: usage: other-version.sh kube-apiserver|velero|velero-plugin-for-aws VERSION" >&2
  exit 2
  ;;
esac
