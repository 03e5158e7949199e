#!/usr/bin/env bash
# Runs ModelCars in whole pods: with the tools that clusters and users have, on the images that `make image` built.
# Arguments go to pytest.
set -euo pipefail
# shellcheck source=tools/builder.sh
. "$(dirname "$0")/../../tools/builder.sh"

use_podman
for service in docker.io containerd; do
  [ "$(id -u)" != 0 ] || command -v "${service/docker.io/dockerd}" >/dev/null ||
    say "$service is a service that starts at boot from now on; apt-get purge $service removes it"
done
packages=(busybox-static catatonit curl jq shellcheck)
[ "$(id -u)" != 0 ] || packages+=(nftables) # by which Debian 13's podman gives root's builds a network
tools/packages.sh "${packages[@]}"
for image in localhost/modelcar-base:{latest,nonroot}; do
  podman image exists "$image" || podman manifest exists "$image" || die "there is no $image yet: make image"
done
if [[ $(podman info --format '{{.Host.CgroupControllers}}' 2>/dev/null) != *memory* ]]; then
  say "podman cannot limit memory here, as a user's cannot by control groups of version 1: pods go without KServe's limits"
  export LIMITS=none
fi

venv target/e2e/venv tests/e2e/requirements.txt 20

# shellcheck source=tests/e2e/predictor.sh
. tests/e2e/predictor.sh
choose_builder
if [ ${#STAND_IN_VOLUMES[@]} -gt 0 ]; then export STAND_IN BUILDER_VOLUMES="${STAND_IN_VOLUMES[*]}"; fi
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PWD/tests/clients PREDICTOR
temporary_folder "$PWD/target/e2e" # on the disk, as a node has it: what is written to memory counts against a pod's limit
cd tests/e2e
../../target/e2e/venv/bin/pytest -p no:terminal -p no:cacheprovider -p report --basetemp "$TEMPORARY/pytest" --rootdir . "$@"
