#!/usr/bin/env bash
# Builds the program for all architectures into dist/linux/ARCH/, without any container tool.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

tools/targets.sh
command -v cc >/dev/null || tools/packages.sh gcc libc6-dev # for the build script, as for any Rust program with one

log=$(mktemp)
cleanup() { rm -f "$log"; }
slow 30 "building $PROGRAM for ${#ARCHES[@]} platforms"
for arch in "${ARCHES[@]}"; do
  cargo build --release --locked --quiet --target "$(triple "$arch")" 2>"$log" || die_of "$log" "cargo could not build it for linux/$arch"
  cat "$log" >&2 # warnings
  install -D -m 0755 "target/$(triple "$arch")/release/$PROGRAM" "dist/linux/$arch/$PROGRAM"
  say "dist/linux/$arch/$PROGRAM: $(stat -c %s "dist/linux/$arch/$PROGRAM") bytes"
done
