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
say "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy -o DPkg::Lock::Timeout=600 "$@" </dev/null >>"$log" 2>&1; }
# The lists are refreshed only if the packages cannot be had from those that are there.
apt install --no-install-recommends "${missing[@]}" ||
  { apt update && apt install --no-install-recommends "${missing[@]}"; } ||
  { tail -n 20 "$log" >&2; die "apt-get could not install ${missing[*]}: see above; is a Debian mirror reachable?"; }
