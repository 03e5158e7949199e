#!/usr/bin/env bash
# Runs the inputs that are kept, then looks for new ones: tests/fuzz/run.sh [SECONDS [JOBS]], 60 and all processors
# if not said. With address sanitizer, on the toolchain as it is: what it takes for unstable, it is told to allow.
#
# A finding is left in target/fuzz/, and the exit code is not 0. New inputs are left in target/fuzz/corpus/. What is kept in
# corpus/ is few that reach all that is reached: script -merge=1 -use_counters=0 NEW ../../target/fuzz/corpus corpus
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../../tools/common.sh"

work=$PWD/target/fuzz
cd tests/fuzz
seconds=${1:-60} jobs=${2:-$(nproc)}
target=$(rustc -vV | sed -n 's/^host: //p')

packages=()
command -v c++ >/dev/null || packages+=(g++)
command -v dash >/dev/null || packages+=(dash)
[ ${#packages[@]} -eq 0 ] || ../../tools/packages.sh "${packages[@]}"

export RUSTC_BOOTSTRAP=1 # -Z on a stable compiler
export RUSTFLAGS="-Zsanitizer=address -Cforce-unwind-tables=yes"
export RUSTC_WRAPPER=$PWD/coverage.sh
slow 60 "compiling the program with address sanitizer"
cargo build --profile fuzz --locked --quiet --features fuzzer --target "$target"
bin=${CARGO_TARGET_DIR:-../target}/$target/fuzz

silence
mkdir -p "$work/corpus"
"$bin/replay" corpus
[ "$seconds" -gt 0 ] || exit 0
# An end that unwinds through this many frames is no leak, and nothing here allocates but the harness.
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:malloc_context_size=0:quarantine_size_mb=1
# Each job takes over what the others have kept. Without entropic, which would be most of the time: runs are this short.
running=()
slow "$seconds" "making scripts up"
for job in $(seq "$jobs"); do
  "$bin/script" -max_total_time="$seconds" -max_len=400 -timeout=10 -rss_limit_mb=4096 -detect_leaks=0 -entropic=0 \
    -print_final_stats=1 -dict=dictionary -artifact_prefix="$work/" "$work/corpus" corpus >"$work/log.$job" 2>&1 &
  running+=($!)
done
made=0
for job in $(seq "$jobs"); do
  if ! wait "${running[job - 1]}"; then
    tail -n 60 "$work/log.$job"
    exit 1
  fi
  made=$((made + $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log.$job")))
done
"$bin/replay" "$work/corpus" | tail -n 20
echo "$made inputs made in $seconds s, no finding"
