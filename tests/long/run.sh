#!/usr/bin/env bash
# Runs the tests that take minutes on the shipped files: 1,000 starts and stops natively, as many emulated, 1,000 kills
# at random moments, 500 sidecars at once, a directory of 1,000,000 files. `make binaries` first; as root, as the other tests.
#
# usage: tests/long/run.sh [STARTS [SIDECARS]]
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../../tools/common.sh"

tools/packages.sh qemu-user-static
cd tests/long
TEST_SECONDS=3600 exec ../../tools/unchanged.sh cargo run --release --quiet --locked -- "$@"
