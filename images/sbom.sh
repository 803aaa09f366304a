#!/bin/bash
# Writes what each program is made of: target/images/<program>.cdx.json, CycloneDX 1.5, from Cargo.lock and the features that the shipped
# build uses, without what only tests and build scripts need. The same commit gives the same file.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.5.7
cargo cyclonedx --version >/dev/null 2>&1 || { echo "sbom: installing cargo-cyclonedx $version, once"; cargo install --locked --quiet cargo-cyclonedx --version $version; }
out=${IMAGES_OUT:-$PWD/target/images}
mkdir -p "$out"
# It writes beside each package's Cargo.toml, of all members of the workspace: into a copy of what it reads, then.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar cf - --exclude=./target --exclude=./.git . | tar xf - -C "$copy"
# The commit's time stands for this file's.
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}" +%FT%TZ)
(cd "$copy" && cargo cyclonedx --quiet --format json --spec-version 1.5 --target x86_64-unknown-linux-musl --no-build-deps)
for program in coordinator hook-agent; do
  # The time, a random serial number and this copy's path are all that differs from one run to the next.
  sed -E -e '/"serialNumber":/d' -e "s#\"timestamp\": \"[^\"]*\"#\"timestamp\": \"$created\"#" -e "s#$copy/?##g" -e 's#(path\+)?file://[^"?\#]*/#file:///#g' "$copy/$program/$program.cdx.json" >"$out/$program.cdx.json"
  echo "sbom: $program: $(grep -c '"type": "library"' "$out/$program.cdx.json") libraries, $out/$program.cdx.json"
done
