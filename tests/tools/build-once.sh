# Sourced by the scripts beside it: builds Go programs once, into a cache folder outside the tree.
# shellcheck shell=bash

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${SNAPSHOT_GROUPS_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/velero-snapshot-groups}"
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
# Said in messages.
me=$(basename "$0")

# version_of FOLDER MODULE: the version that FOLDER's go.mod asks for. Versions are in go.mod files and nowhere else.
version_of() {
  local version
  version=$(sed -nE "s#^(require)?[[:space:]]*$2 (v[0-9][^ ]*)\$#\2#p" "$1/go.mod")
  [ -n "$version" ] || { echo "$me: no version of $2 in $1/go.mod" >&2; exit 1; }
  echo "$version"
}

# need_go WHAT: ends the script with 3 where there is no Go; callers tell that from a build that fails.
need_go() {
  command -v go >/dev/null || {
    echo "$me: needs Go (https://go.dev/dl) to build $1" >&2
    exit 3
  }
}

# hold FOLDER: makes it and waits for its lock. Two test runs at once: one builds, the other waits. Without flock (macOS)
# both build, each for itself is right.
hold() {
  mkdir -p "$1"
  exec 9>"$1/.lock"
  ! command -v flock >/dev/null || flock 9
}

# build FOLDER MODULE-FOLDER NAME PACKAGE [LDFLAGS]: FOLDER/NAME from PACKAGE, unless it is there.
build() {
  [ ! -x "$1/$3" ] || return 0
  echo "$me: building $3 (once; kept in $1)" >&2
  # Under another name until it is whole: an interrupted build leaves nothing that looks finished.
  (cd "$2" && nice -n 5 go build -mod=readonly -trimpath -ldflags "-s -w ${5:-}" -o "$1/$3.part" "$4")
  mv "$1/$3.part" "$1/$3"
}

# module_folder FOLDER MODULE: where the source of the MODULE that FOLDER's go.mod asks for is; fetches it if need be.
module_folder() {
  (cd "$1" && go mod download "$2" >&2 && go list -mod=readonly -m -f '{{.Dir}}' "$2")
}
