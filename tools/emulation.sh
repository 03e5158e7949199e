# shellcheck shell=bash
# Sourced by scripts that run foreign files by their name: `emulation_on` has the kernel hand them to QEMU,
# `emulation_off` takes back what was changed for that. What the machine had already is used and left alone.
# shellcheck source=tools/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

BINFMT=/proc/sys/fs/binfmt_misc
BINFMT_MOUNTED=
BINFMT_ADDED=()

emulation_on() {
  local arch name
  for arch in "${ARCHES[@]}"; do
    name=qemu-${QEMU[$arch]}
    if [ "$arch" = "$(host_arch)" ] || [ -e "$BINFMT/$name" ]; then continue; fi
    tools/packages.sh qemu-user-static
    # Installing the package may have done it all.
    [ ! -e "$BINFMT/$name" ] || continue
    if [ ! -e "$BINFMT/register" ]; then
      as_root mount -t binfmt_misc binfmt_misc "$BINFMT" || die "cannot mount binfmt_misc, so foreign programs cannot run here"
      BINFMT_MOUNTED=yes
      [ ! -e "$BINFMT/$name" ] || continue
    fi
    as_root tee "$BINFMT/register" <"/usr/lib/binfmt.d/$name.conf" >/dev/null || die "the kernel did not take QEMU for $arch"
    BINFMT_ADDED+=("$name")
  done
}

emulation_off() {
  local name
  for name in "${BINFMT_ADDED[@]}"; do echo -1 | as_root tee "$BINFMT/$name" >/dev/null || true; done
  [ -z "$BINFMT_MOUNTED" ] || as_root umount "$BINFMT" || true
  BINFMT_ADDED=() BINFMT_MOUNTED=
}
