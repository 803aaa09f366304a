#!/usr/bin/env bash
# Fetches the jars of an OpenSearch node (opensearch/pom.xml) from Maven Central, once a version, into the cache outside the tree, and
# prints their folder. 60 MB. Exit codes: 0 printed; 3 Java (a JDK of 17 or later) or Maven is missing; else what Maven ended with.
set -euo pipefail
# shellcheck source=build-once.sh
. "$(dirname "${BASH_SOURCE[0]}")/build-once.sh"
for program in mvn javac; do
  command -v $program >/dev/null || {
    echo "$me: needs $program (Debian: apt-get install --no-install-recommends default-jdk-headless maven)" >&2
    exit 3
  }
done
version=$(sed -nE '/<artifactId>opensearch</{n;s/.*<version>([0-9.]+)<.*/\1/p}' "$tools/opensearch/pom.xml" | tail -1)
folder=$SNAPSHOT_GROUPS_CACHE/opensearch/$version
if [ ! -d "$folder/jars" ]; then
  hold "$folder"
  [ -d "$folder/jars" ] || {
    echo "$me: fetching OpenSearch $version (once; kept in $folder)" >&2
    rm -rf "$folder/part"
    mvn -q -B -f "$tools/opensearch/pom.xml" dependency:copy-dependencies -DoutputDirectory="$folder/part" >&2
    mv "$folder/part" "$folder/jars"
  }
fi
echo "$folder/jars"
