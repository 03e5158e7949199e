# shellcheck shell=bash
# Sourced by the other scripts here: the four platforms, how to speak to the user, how to become root.

# Every script works from the root of the checkout.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# Image architecture -> the name in a Rust target. QEMU and the kernel's handlers use a third spelling for one of them.
declare -A CPU=([amd64]=x86_64 [arm64]=aarch64 [ppc64le]=powerpc64le [s390x]=s390x)
declare -A QEMU=([amd64]=x86_64 [arm64]=aarch64 [ppc64le]=ppc64le [s390x]=s390x)
ARCHES=(amd64 arm64 ppc64le s390x)
# shellcheck disable=SC2034 # used by those that source this
PROGRAM=link-model-and-wait

triple() { echo "${CPU[$1]}-unknown-linux-gnu"; }

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
