#!/usr/bin/env bash
# Measures the program beside others that do its job or a part of it, and writes docs/benchmarks.{json,md,svg}.
# The peers are Debian's and PyPI's packages, and the sources in bench/peers/. As root; `make image` first.
#
# usage: bench/run.sh [RUNS]     400 by default, about four minutes on two processors, and then the copies, which take as
# long as the disk does. With RUNS the record in docs/ stays as it is, and the pages go to target/bench/. Only the copies:
# python3 bench/bench.py copies target/bench 400, as run.sh starts it.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../tools/common.sh"

[ "$(id -u)" = 0 ] || die "measuring needs root, for control groups and a /mnt of its own: run this as root"
# What the peers are measured at is this machine's own; the assembly is for x86_64.
[ "$(host_arch)" = amd64 ] || die "the peers in assembly are written for x86_64 only"
tools/packages.sh gcc libc6-dev binutils musl-tools busybox-static tini catatonit strace python3 python3-venv e2fsprogs diffutils

peers=target/bench
mkdir -p $peers
[ $# = 0 ] || export BENCH_OUT=$peers
say "measuring (usually 240 s with 400 runs, and as long as the disk takes for the copies)"
bench/go.sh
gcc -O2 -Wall -Wextra -static -o $peers/measure bench/measure.c
for name in link pause; do
  gcc -Os -s -static -o $peers/$name-glibc bench/peers/$name.c
  musl-gcc -Os -s -static -o $peers/$name-musl bench/peers/$name.c
done
for name in link exit; do
  gcc -c -o $peers/$name.o bench/peers/$name.S
  ld --oformat binary -N -Ttext=0 -e _start -o $peers/$name-asm $peers/$name.o
  chmod 0755 $peers/$name-asm
done
unshare --mount --propagation private sh -c 'mount -t tmpfs none /mnt && exec python3 bench/bench.py run '"$peers ${1:-400}"
