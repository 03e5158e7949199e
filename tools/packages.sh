#!/usr/bin/env bash
# Installs the Debian packages named, if any of them is missing: a fresh machine needs nothing prepared by hand.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

missing=()
for package; do
  [ "$(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || die "there is no apt-get here: install by your system's means what Debian calls: ${missing[*]}"
log=$(mktemp)
cleanup() { rm -f "$log"; }
# The lists are refreshed only if the packages cannot be had from those that are there; and what was interrupted in the
# middle of an installation is gone on with. In one go, so that it asks once.
# shellcheck disable=SC2016 # the inner shell expands it
install='
  apt() { DEBIAN_FRONTEND=noninteractive apt-get -qy -o DPkg::Lock::Timeout=600 "$@"; }
  apt install --no-install-recommends "$@" || { dpkg --configure -a && apt update && apt install --no-install-recommends "$@"; }'
needs_root "installing ${missing[*]}"
slow 30 "installing ${missing[*]}"
# In a process of its own, for what common.sh says of `apart`.
(as_root sh -c "$install" sh "${missing[@]}") </dev/null >"$log" 2>&1 || die_of "$log" "apt-get could not install ${missing[*]}"
