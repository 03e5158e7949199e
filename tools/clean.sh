#!/usr/bin/env bash
# Removes everything that was built here, podman's private storage included, which a plain rm cannot where it is in use.
set -euo pipefail
# shellcheck source=tools/containers.sh
. "$(dirname "$0")/containers.sh"

# A user's node is root's, and must not stand.
node=target/cluster/node
if [ -e $node/lock ]; then
  flock --nonblock $node/lock true || die "there is a node in $node: make cluster-down, then run the same command again"
  [ -O $node ] || { needs_root "removing $node" && as_root rm -rf --one-file-system $node; }
fi
remove_containers
rm -rf --one-file-system dist target tests/target
