#!/usr/bin/env bash
# from-debian.sh PROGRAM PACKAGE…: has a program of others there, from Debian's packages where that can be done. Where it cannot, one loud
# line, and with CI=true a failure. A package that brings a server brings it only: none is started, now or when the machine starts again.
set -euo pipefail
program=$1
shift
# Servers are where only root looks.
PATH=$PATH:/usr/sbin:/sbin
! command -v "$program" >/dev/null || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "$program: installing Debian's $*, once"
  export DEBIAN_FRONTEND=noninteractive
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  { apt-get install -y -qq --no-install-recommends "$@" || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; }; } >/dev/null 2>&1 || true
  if [ -d /run/systemd/system ]; then
    dpkg -L "$@" 2>/dev/null | sed -nE 's,.*/systemd/system/([^/@]+\.service)$,\1,p' | xargs -r systemctl --quiet disable || true
  fi
  ! command -v "$program" >/dev/null || exit 0
fi
[ "${CI:-}" != true ] || { echo "$program: not to be had, and with CI=true that is a failure (Debian: $*)" >&2; exit 1; }
echo "SKIPPED: what needs $program (Debian: apt-get install --no-install-recommends $*)"
