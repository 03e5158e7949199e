#!/usr/bin/env bash
# Runs the inputs that are kept in Miri, the interpreter of Rust, which takes minutes: tests/fuzz/miri.sh [FILE...].
# It is a component of the nightly toolchain, which is installed if it is missing; nothing else here needs that.
#
# Every access is checked for its bounds, for what has not been written yet, and for the aliasing rules of tree
# borrows. The kernel is the made-up one, so there is no system call that Miri could not follow.
set -euo pipefail
cd "$(dirname "$0")"
cargo +nightly miri --version >/dev/null 2>&1 ||
  rustup toolchain install nightly --profile minimal --component miri --component rust-src
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance -Zmiri-ignore-leaks -Zmiri-tree-borrows"
[ $# -gt 0 ] || set -- corpus
cargo +nightly miri run --locked --quiet --bin replay -- "$@"
