#!/usr/bin/env bash
# Runs the tests, all of which look at the files in dist/linux/ as they are shipped.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

# QEMU runs the foreign files; the shells and the tracer are what the program is compared with and watched by.
tools/packages.sh qemu-user-static busybox-static dash bash strace
tools/smoke.sh
cd tests
exec ../tools/unchanged.sh cargo test --release "$@"
