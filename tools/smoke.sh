#!/usr/bin/env bash
# Starts each file in dist/linux/ once, on the oldest processor that it must do on, in seconds: a line per architecture.
# Fails if one of them does not start, before hundreds of tests find that out one by one.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

failed=
said=$(mktemp)
cleanup() { rm -f "$said"; }
for arch in "${ARCHES[@]}"; do
  file=dist/linux/$arch/$PROGRAM emulator=qemu-${QEMU[$arch]}-static status=0
  [ -e "$file" ] || die "there is no $file: make binaries"
  out=$(timeout 20 "$emulator" -cpu "${CPU[$arch]}" "$file" echo started 2>"$said") || status=$?
  if [ "$status $out" = "0 started" ] && { [ "$arch" != "$(host_arch)" ] || "$file" echo started >/dev/null; }; then
    say "linux/$arch: starts on ${CPU[$arch]}"
  else
    say "linux/$arch: does NOT start on ${CPU[$arch]}: exit status $status: $(tr '\n' ' ' <"$said")$out" >&2
    failed=yes
  fi
done
[ -z "$failed" ] || die "no test was run: see the lines above"
