#!/usr/bin/env bash
# cargo test with the given arguments; a few tests that fail are played once more, by themselves.
#
# Hundreds of these tests race real processes, clocks and control planes on machines of two cores. One that fails among the
# others and passes alone is named FLAKY, loudly, with all that it said the first time above it. One that fails twice has failed;
# more than PLAYED_AGAIN_MAX at once are no accident and fail at once.
set -uo pipefail
PLAYED_AGAIN_MAX=${PLAYED_AGAIN_MAX:-3}

said=$(mktemp)
trap 'rm -f "$said"' EXIT
# The arguments for the test programs come after `--`.
own=() programs=()
while [ $# -gt 0 ]; do
  if [ "$1" = -- ]; then shift; programs=("$@"); break; fi
  own+=("$1"); shift
done

cargo test "${own[@]}" -- ${programs[@]+"${programs[@]}"} 2>&1 | tee "$said"
code=${PIPESTATUS[0]}
[ "$code" -ne 0 ] || exit 0

mapfile -t failed < <(sed -nE 's/^test (.+) \.\.\. FAILED$/\1/p' "$said" | sort -u)
# What cargo says of a target that failed: `-p testbed --test e2e`, `-p shared --lib`, `-p testbed --bin demo`.
mapfile -t targets < <(sed -nE 's/^ *`(-p [^ ]+ )?(--(test|bin|bench|example) [^ `]+|--lib)`$/\2/p; s/.*to rerun pass `(-p [^ ]+ )?(--(test|bin|bench|example) [^ `]+|--lib)`$/\2/p' "$said" | sort -u)
# A program that died says nothing of the tests that it did not come to, and what did not build none at all.
if [ ${#failed[@]} -eq 0 ] || [ ${#targets[@]} -eq 0 ] || grep -q "process didn't exit successfully" "$said"; then exit "$code"; fi
if [ ${#failed[@]} -gt "$PLAYED_AGAIN_MAX" ]; then
  echo "${#failed[@]} tests failed: more than $PLAYED_AGAIN_MAX, so none is played again" >&2
  exit "$code"
fi

# The same packages as before: another choice would build other features of the same crates.
again=()
skip=false
for argument in "${own[@]}"; do
  case "$argument" in
    --test | --bin | --bench | --example) skip=true ;;
    --lib | --no-run) ;;
    *) if $skip; then skip=false; else again+=("$argument"); fi ;;
  esac
done
echo "PLAYED AGAIN, alone: ${failed[*]}" >&2
# shellcheck disable=SC2086 # each target is an option and its value
if cargo test "${again[@]}" ${targets[*]} -- --exact --test-threads=1 "${failed[@]}" 2>&1 | tee "$said"; then
  passed=$(grep -cE '^test .+ \.\.\. ok$' "$said")
  if [ "$passed" -ge ${#failed[@]} ]; then
    echo "FLAKY: failed among the others, passed alone: ${failed[*]}" >&2
    exit 0
  fi
  echo "only $passed of ${#failed[@]} were found again" >&2
fi
exit "$code"
