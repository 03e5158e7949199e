#!/usr/bin/env bash
# Removes everything that was built here, podman's private storage included, which a plain rm cannot where it is in use.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

if [ -s target/containers/env ] && command -v podman >/dev/null; then
  # shellcheck source=/dev/null
  (. target/containers/env && podman rm --all --force --time 0 >/dev/null && podman unmount --all >/dev/null)
  if [ "$(id -u)" = 0 ]; then umount target/containers/storage/overlay 2>/dev/null || true; else podman unshare rm -rf target/containers; fi
fi
rm -rf dist target tests/target
