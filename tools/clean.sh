#!/usr/bin/env bash
# Removes everything that was built here, podman's private storage included, which a plain rm cannot where it is in use.
set -euo pipefail
# shellcheck source=tools/containers.sh
. "$(dirname "$0")/containers.sh"

remove_containers
rm -rf --one-file-system dist target tests/target
