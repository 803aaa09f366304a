#!/bin/bash
# Builds the images from static programs, without an engine: target/images/<program>.oci.tar, an OCI archive with one manifest a
# processor architecture under one index; the same digest for the same programs and commit. With docker or podman: images/README.md.
#   usage: images/build.sh <program>[,<program>] <architecture>=<folder with the programs> [<architecture>=<folder>…]
#   such as: images/build.sh coordinator,hook-agent amd64=target/x86_64-unknown-linux-musl/dist
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,5p' "$0" >&2; exit 2; }
programs=${1//,/ }
shift
repository=$(cd "$(dirname "$0")/.." && pwd)
command -v buildah >/dev/null || { echo "images: no buildah (Debian: apt-get install --no-install-recommends buildah); or use docker: images/README.md" >&2; exit 1; }
out=${IMAGES_OUT:-$repository/target/images}
# A store of its own: nothing is left in the user's, and vfs works where overlay mounts are forbidden. Emptied first, so that nothing old
# gets into an index.
store=(--storage-driver vfs --root "$out/store" --runroot "$out/run")
rm -rf "$out/store" "$out/run"
mkdir -p "$out"
revision=$(git -C "$repository" rev-parse HEAD 2>/dev/null || echo unknown)
# The commit's time stands for the build's.
time=${SOURCE_DATE_EPOCH:-$(git -C "$repository" log -1 --format=%ct 2>/dev/null || echo 0)}
created=$(date -u -d "@$time" +%FT%TZ)
version=$(sed -nE '/^\[workspace.package\]/,/^\[/s/^version = "(.*)"/\1/p' "$repository/Cargo.toml")
source=https://github.com/velero-snapshot-groups/velero-snapshot-groups

for program in $programs; do
  index=$program:$version
  buildah "${store[@]}" manifest create "$index" >/dev/null
  for given in "$@"; do
    arch=${given%%=*} folder=$(realpath "${given#*=}")
    if ! file_type=$(LC_ALL=C head -c 20 "$folder/$program" | od -An -tx1 | tr -d ' \n'); then exit 1; fi
    case $arch in amd64) machine=3e00 ;; arm64) machine=b700 ;; *) echo "images: architecture $arch? amd64 or arm64" >&2; exit 2 ;; esac
    # ELF's e_machine, so that no image promises another processor than its program is for.
    [ "${file_type:36:4}" = $machine ] || { echo "images: $folder/$program is not for $arch" >&2; exit 1; }
    # A program interpreter (PT_INTERP) is the loader that an image FROM scratch does not have.
    if LC_ALL=C grep -qaE '/lib(64)?/ld-(linux|musl)' <(head -c 4096 "$folder/$program"); then
      echo "images: $folder/$program needs a loader, and an image FROM scratch has none: make agent coordinator-static" >&2
      exit 1
    fi
    context=$out/$program-$arch
    rm -rf "$context"
    mkdir -p "$context"
    install -m 0555 "$folder/$program" "$context/$program"
    annotations=()
    for pair in "title=$program" "version=$version" "revision=$revision" "source=$source" "created=$created" "licenses=Apache-2.0"; do
      annotations+=(--annotation "org.opencontainers.image.$pair")
    done
    buildah "${store[@]}" bud --quiet --platform "linux/$arch" --timestamp "$time" "${annotations[@]}" \
      --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "SOURCE=$source" \
      --file "$repository/images/$program/Containerfile" --manifest "$index" "$context" >/dev/null
    echo "images: $program for $arch: $(du -k --apparent-size "$context/$program" | cut -f1) KiB"
    rm -rf "$context"
  done
  rm -f "$out/$program.oci.tar"
  buildah "${store[@]}" manifest push --quiet --all "$index" "oci-archive:$out/$program.oci.tar:$index" >/dev/null
  echo "images: $index $(du -k "$out/$program.oci.tar" | cut -f1) KiB, $out/$program.oci.tar"
done
rm -rf "$out/store" "$out/run"
