# shellcheck shell=bash
# Sourced by the other scripts here: the platforms, how to speak to the user, how to become root.

# Every script works from the root of the checkout.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# The list of architectures, by the name that an image has for them.
ARCHES=()
# shellcheck disable=SC2034 # used by those that source this
declare -A TARGET=() QEMU=() CPU=() DEBIAN=()
while read -r image kernel debian target _ _ _ _ cpu _; do
  ARCHES+=("$image")
  # shellcheck disable=SC2034
  TARGET[$image]=$target QEMU[$image]=$kernel CPU[$image]=$cpu DEBIAN[$image]=$debian
done < <(grep -vE '^(#|image )' arches.txt)
unset image kernel debian target cpu
# shellcheck disable=SC2034 # used by those that source this
PROGRAM=link-model-and-wait

triple() { echo "${TARGET[$1]}"; }

# This machine's architecture, as an image names it.
host_arch() {
  local arch
  for arch in "${ARCHES[@]}"; do
    [ "${QEMU[$arch]}" != "$(uname -m)" ] || echo "$arch"
  done
}

# The digest of the manifest list in an archive that `make image` wrote: what a registry will call it by.
digest_of() { tar -xOf "$1" ./index.json | jq -r '.manifests[0].digest'; }

say() { echo "${0##*/}: $*"; }
die() { echo "${0##*/}: $*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "not root, and there is no sudo: run as root: $*"
  fi
}
