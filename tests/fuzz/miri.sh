#!/usr/bin/env bash
# Runs the inputs that are kept in Miri, the interpreter of Rust, which takes about an hour: tests/fuzz/miri.sh [FILE...].
# It is a component of the nightly toolchain, which is installed if it is missing; nothing else here needs that.
#
# Every access is checked for its bounds and for what has not been written yet. And for the aliasing rules of tree
# borrows, but for scripts that read directories or files: of the megabytes that these lend to the kernel Miri would keep
# account byte by byte, and take all the memory there is. The kernel is the made-up one, which Miri can follow.
set -euo pipefail
cd "$(dirname "$0")"
cargo +nightly miri --version >/dev/null 2>&1 ||
  rustup toolchain install nightly --profile minimal --component miri --component rust-src
[ $# -gt 0 ] || set -- corpus/*
mapfile -t small < <(grep -LaE 'ls|chmod|cp|rm|tar|cat|sh|copy|[*?[]' "$@")

replay() { # replay FLAG FILE...
  echo "with $1:"
  MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance $1" \
    cargo +nightly miri run --locked --quiet --bin replay -- "${@:2}"
}
replay -Zmiri-disable-stacked-borrows "$@"
[ ${#small[@]} = 0 ] || replay -Zmiri-tree-borrows "${small[@]}"
