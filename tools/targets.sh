#!/usr/bin/env bash
# Makes sure that the Rust toolchain in use has `core` for all targets, which is all that a build needs beside
# the toolchain itself. Two ways lead there:
#   rustup  `rustup target add`, the ordinary one.
#   debian  where rustup cannot download: Debian's source package of exactly this compiler's library, compiled here
#           and put where rustup would have put it. Only this needs RUSTC_BOOTSTRAP; the program's build does not.
# CORE_FROM=rustup or CORE_FROM=debian allows only that way.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

command -v rustc >/dev/null || die "no rustc found: install Rust (rustup, or your distribution's packages)"
version=$(rustc --version)
release=$(rustc -vV | sed -n 's/^release: //p')
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
sysroot=$(rustc --print sysroot)
marker=built-from-rust-src # holds the compiler's version, in a folder that this script filled

root_if_needed() { if [ -w "$sysroot/lib/rustlib" ]; then "$@"; else needs_root "putting core into $sysroot"; as_root "$@"; fi; }
libdir() { rustc --print target-libdir --target "$1"; }
has_core() { compgen -G "$(libdir "$1")/libcore[-.]*rlib" >/dev/null; }

# What an earlier run compiled is of no use to another compiler, and in the way of what rustup installed later.
drop_stale() {
  local dir
  dir=$(libdir "$1")
  [ -e "$dir/$marker" ] || return 0
  if [ "$(<"$dir/$marker")" != "$version" ] || compgen -G "$dir/libcore-*.rlib" >/dev/null; then
    root_if_needed rm -f "$dir"/{libcore.rlib,libcompiler_builtins.rlib,$marker}
  fi
}

# `rustup check` asks for little and answers soon; 0 and 100 are its two ways of success.
rustup_downloads() {
  command -v rustup >/dev/null && rustup target list --installed >/dev/null 2>&1 || return 1
  local status=0
  timeout 20 rustup check >/dev/null 2>&1 </dev/null || status=$?
  [ $status = 0 ] || [ $status = 100 ]
}

# Downloads the source package of this release into folder $1. The suite that has it need not be among the machine's own:
# its package lists go to a folder of their own, from the mirrors that the machine uses anyway.
download_source() {
  command -v apt-get >/dev/null || die "core for $missing is missing: rustup cannot download it, and there is no apt-get to take Debian's rust-src from"
  local origin mirror suite found apt=(-qq -o Dir::Etc::SourceList="$1/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists="$1/lists" -o Dir::Cache="$1/cache")
  mkdir -p "$1"/{lists,cache}/partial "$1/cache/archives/partial"
  : >"$1/log"
  while read -r origin mirror; do
    case $origin in
      Debian) set -- "$1" {stable,oldstable}-backports stable testing unstable ;;
      Debian-Security) set -- "$1" {stable,oldstable}-security ;;
      *) continue ;;
    esac
    for suite in "${@:2}"; do
      echo "deb $mirror $suite main" >"$1/sources.list"
      if ! apt-get "${apt[@]}" update >>"$1/log" 2>&1; then
        [ -z "$(cause "$1/log")" ] || break 2
        continue
      fi
      found=$(apt-cache "${apt[@]}" madison rust-src rust-web-src |
        awk -v release="$release" -F ' *[|] *' 'match($2, "^" release "[-+~]") { gsub(" ", "", $1); print $1 "=" $2; exit }')
      [ -n "$found" ] || continue
      say "taking $found from Debian $suite"
      (cd "$1" && apt-get "${apt[@]}" download "$found") >>"$1/log" 2>&1 && return
    done
  done < <(debian_sources)
  die_of "$1/log" "core for $missing is missing: rustup cannot download it, and no Debian suite gives the source of Rust $release"
}

# Compiles core, and an empty compiler_builtins as nothing of it is used, from library folder $1 for target $2. The flags
# are those of Rust's own releases (the profile `dist` in library/Cargo.toml, and bootstrap's for the standard library):
# even the debug information counts, for without it the optimiser's choices in our program come out differently.
compile_core() {
  local library=$1 target=$2 out=$1/out/$2
  local flags=(--target "$target" --crate-type rlib --edition 2024 --out-dir "$out" -L "$out" --cap-lints allow
    -C opt-level=3 -C codegen-units=1 -C debuginfo=1 -C embed-bitcode=yes -C panic=unwind -C force-unwind-tables=yes
    -C force-frame-pointers=non-leaf -C symbol-mangling-version=v0 -Z unstable-options -Z force-unstable-if-unmarked
    -Z inline-mir -Z inline-mir-preserve-debug -Z mir_strip_debuginfo=locals-in-tiny-functions
    --remap-path-prefix "$library=/rustc/$commit/library")
  mkdir -p "$out"
  RUSTC_BOOTSTRAP=1 rustc --crate-name core "${flags[@]}" "$library/core/src/lib.rs"
  RUSTC_BOOTSTRAP=1 rustc --crate-name compiler_builtins "${flags[@]}" - \
    <<<'#![feature(compiler_builtins)] #![no_std] #![compiler_builtins] #![allow(internal_features)]'
  echo "$version" >"$out/$marker"
  root_if_needed mkdir -p "$(libdir "$target")"
  root_if_needed cp "$out"/{libcompiler_builtins.rlib,libcore.rlib,$marker} "$(libdir "$target")"
}

# Two builds at once, of two checkouts perhaps, must not both fill it.
exec 9<"$sysroot/lib"
flock 9

missing=
for arch in "${ARCHES[@]}"; do
  target=$(triple "$arch")
  drop_stale "$target"
  has_core "$target" || missing+="${missing:+ }$target"
done
[ -n "$missing" ] || exit 0
# cargo does not notice another core, and what was built with the former one does not fit it.
for target in $missing; do rm -rf "target/$target"; done

if [ "${CORE_FROM:-rustup}" = rustup ] && rustup_downloads; then
  say "rustup target add $missing"
  # shellcheck disable=SC2086 # a list of words
  if rustup --quiet target add $missing; then exit 0; fi
  [ -z "${CORE_FROM:-}" ] || die "rustup could not add $missing: see above"
elif [ "${CORE_FROM:-}" = rustup ]; then
  die "core for $missing is missing, and rustup is not there or cannot download"
fi

slow 60 "not from rustup: compiling core of Rust $release from Debian's rust-src for $missing"
work=$(mktemp -d)
cleanup() { rm -rf "$work"; }
chmod 755 "$work" # apt's own user reads it
download_source "$work"
mkdir "$work/source"
dpkg-deb --fsys-tarfile "$work"/rust*-src_*.deb | tar -x -C "$work/source"
library=$(echo "$work"/source/usr/src/rustc*-"$release"/library)
[ -f "$library/core/src/lib.rs" ] || die "Debian's source package of Rust $release holds no library/core: was its layout changed?"
for target in $missing; do compile_core "$library" "$target"; done
