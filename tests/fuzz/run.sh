#!/usr/bin/env bash
# Runs the inputs that are kept, then looks for new ones: tests/fuzz/run.sh [SECONDS [JOBS]], 60 and all processors
# if not said. With address sanitizer, on the toolchain as it is: what it takes for unstable, it is told to allow.
#
# A finding is left in work/, and the exit code is not 0. New inputs are left in work/corpus/.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../../tools/common.sh"

cd tests/fuzz
seconds=${1:-60} jobs=${2:-$(nproc)}
target=$(rustc -vV | sed -n 's/^host: //p')

packages=()
command -v c++ >/dev/null || packages+=(g++)
command -v dash >/dev/null || packages+=(dash)
[ ${#packages[@]} -eq 0 ] || ../../tools/packages.sh "${packages[@]}"

export RUSTC_BOOTSTRAP=1 # -Z on a stable compiler
# Comparisons are not traced: a script is compared byte by byte, and that would take half of the time.
export RUSTFLAGS="-Zsanitizer=address -Cforce-unwind-tables=yes -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=3 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table"
slow 60 "compiling the program with address sanitizer"
cargo build --profile fuzz --locked --quiet --features fuzzer --target "$target"
bin=${CARGO_TARGET_DIR:-../target}/$target/fuzz

silence
mkdir -p work/corpus
"$bin/replay" corpus
[ "$seconds" -gt 0 ] || exit 0
# An end that unwinds through this many frames is no leak, and nothing here allocates but the harness.
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:malloc_context_size=0:quarantine_size_mb=16
status=0
slow "$seconds" "making scripts up"
"$bin/script" -fork="$jobs" -ignore_crashes=0 -max_total_time="$seconds" -max_len=1500 -timeout=10 -rss_limit_mb=4096 \
  -dict=dictionary -artifact_prefix=work/ work/corpus corpus >work/log 2>&1 || status=$?
made=$(sed -n 's/^#\([0-9]*\): cov: .*/\1/p' work/log | tail -n 1)
if [ $status != 0 ] || [ -z "$made" ]; then
  tail -n 60 work/log
  exit 1
fi
"$bin/replay" work/corpus | tail -n 20
echo "$made inputs made in $seconds s, no finding"
