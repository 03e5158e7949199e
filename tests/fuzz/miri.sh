#!/usr/bin/env bash
# Runs the inputs that are kept in Miri, where a nightly toolchain with it is installed:
# `rustup toolchain install nightly --component miri,rust-src`. It takes minutes.
#
# Every access is checked for its bounds, for what has not been written yet, and for the aliasing rules of tree
# borrows. The kernel is the made-up one, so there is no system call that Miri could not follow.
set -euo pipefail
cd "$(dirname "$0")"
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance -Zmiri-ignore-leaks ${1:--Zmiri-tree-borrows}"
cargo +nightly miri run --release --bin replay -- corpus
