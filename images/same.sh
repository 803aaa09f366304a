#!/bin/bash
# Are two OCI archives the same images? Compares the digests of their indexes, which cover every byte that a registry is given; the archives'
# own files differ in their times.
#   usage: images/same.sh a.oci.tar b.oci.tar
set -euo pipefail
digest() { tar xOf "$1" index.json | grep -oE 'sha256:[0-9a-f]{64}' | sort; }
a=$(digest "$1") b=$(digest "$2")
[ -n "$a" ] || { echo "images: $1 has no index" >&2; exit 1; }
[ "$a" = "$b" ] || { echo "images: $1 and $2 differ: $a, $b" >&2; exit 1; }
echo "images: built twice, the same: $(basename "$1" .oci.tar) $(echo "$a" | head -1)"
