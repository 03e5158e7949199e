#!/usr/bin/env bash
# Runs the tests, all of which look at the files in dist/linux/ as they are shipped. They are compiled by whoever calls
# this; only the compiled tests run as root, as they make namespaces and change users. What they print is in
# target/test.log; of failures the names and the first cause are shown, at the end.
set -euo pipefail

if [ "${1:-}" = --as-root ]; then # what cargo starts each test program by, for a user
  case ${2##*/} in arches-* | elf-* | numbers-*) exec "${@:2}" ;; esac # these only read; root may have no cargo
  mapfile -t names < <(compgen -e | grep -E '^(PATH|TMPDIR|CARGO_|RUST_|MODELCAR_|TEST_|DIFFERENTIAL_)')
  variables=()
  for name in "${names[@]}"; do variables+=("$name=${!name}"); done
  exec sudo -- env "${variables[@]}" "${@:2}"
fi

# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

# QEMU runs the foreign files; the shells and the tracer are what the program is compared with and watched by.
tools/packages.sh qemu-user-static busybox-static dash bash strace python3
tools/smoke.sh
if [ "$(id -u)" != 0 ]; then
  needs_root "running the tests"
  host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
  export "CARGO_TARGET_${host}_RUNNER=$PWD/tools/test.sh --as-root"
fi
say "compiling and running the tests (usually 170 s)"
log=$PWD/target/test.log status=0
cd tests
../tools/unchanged.sh cargo test --release --no-fail-fast "$@" 2>&1 | tee "$log" |
  sed --unbuffered '/^failures:$/,/^test result: /{/^test result: /!d}' || status=$?
[ $status != 0 ] || exit 0
[ $status -lt 128 ] || exit $status
failed=$(grep -E '^test .* \.\.\. FAILED$' "$log" | sed 's/^test \(.*\) \.\.\. FAILED$/  \1/' | sort -u || true)
cause=$(awk '/^---- .* stdout ----$/ { if (found++) exit } found && /^failures:$/ { exit } found && NF' "$log" | head -n 12)
echo
if [ -n "$failed" ]; then
  printf 'failed:\n%s\n\nthe first of them says:\n%s\n\n' "$failed" "$cause" >&2
  why=$(cause <(grep StorageFull "$log"))
  die "$(wc -l <<<"$failed") tests failed: ${why:-see above; all that was printed is in target/test.log}"
fi
tail -n 12 "$log" >&2
! grep -q 'this was changed on the machine' "$log" || die "the tests passed, but left this machine other than it was: see above"
die_of "$log" "the tests did not come to their end"
