#!/bin/bash
# Builds the two images from static programs, without an engine: target/images/<program>.oci.tar, the same image digest for the
# same programs and commit. With docker or podman instead: see images/README.md.
#   usage: images/build.sh <folder with coordinator and hook-agent>
set -euo pipefail
programs=$(realpath "$1")
cd "$(dirname "$0")/.."
command -v buildah >/dev/null || { echo "images: no buildah (Debian: apt-get install --no-install-recommends buildah); or use docker: images/README.md" >&2; exit 1; }
out=$PWD/target/images
# A store of its own: nothing is left in the user's, and vfs works where overlay mounts are forbidden.
store=(--storage-driver vfs --root "$out/store" --runroot "$out/run")
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# The commit's time stands for the build's.
time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
for program in coordinator hook-agent; do
  if ! ldd "$programs/$program" 2>&1 | grep -qE 'statically linked|not a dynamic executable'; then
    echo "images: $programs/$program needs a loader, and an image FROM scratch has none: make agent coordinator-static" >&2
    exit 1
  fi
  context=$out/$program
  mkdir -p "$context"
  install -m 0555 "$programs/$program" "$context/$program"
  version=$("$programs/$program" --version | cut -d' ' -f2)
  buildah "${store[@]}" bud --quiet --timestamp "$time" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
    --file "images/$program/Containerfile" --tag "$program:$version" "$context" >/dev/null
  rm -f "$out/$program.oci.tar"
  buildah "${store[@]}" push --quiet "$program:$version" "oci-archive:$out/$program.oci.tar:$program:$version" >/dev/null
  echo "images: $program:$version $(du -k "$out/$program.oci.tar" | cut -f1) KiB, target/images/$program.oci.tar"
done
