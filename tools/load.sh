#!/usr/bin/env bash
# Loads what `make image` wrote into podman: localhost/modelcar-base:latest and :nonroot, each a list of all platforms,
# and each platform as TAG-ARCH.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

command -v podman >/dev/null || die "there is no podman here: docker load --input dist/modelcar-base.oci.tar loads them into docker"
for list in localhost/modelcar-base:{latest,nonroot}; do
  archive=dist/modelcar-base-${list#*:}.oci.tar
  archive=${archive/-latest/}
  [ -e "$archive" ] || die "there is no $archive yet: make image"
  podman manifest rm "$list" >/dev/null 2>&1 || true
  ids=()
  for arch in "${ARCHES[@]}"; do
    former=$(podman image inspect --format '{{.Id}}' "$list-$arch" 2>/dev/null || true)
    id=$(podman pull --quiet --arch "$arch" "oci-archive:$archive")
    # Without a name of its own it would go with the last image that someone made from it and removed.
    podman tag "$id" "$list-$arch"
    [ "$former" = "$id" ] || [ -z "$former" ] || podman rmi "$former" >/dev/null 2>&1 || true # unless something is made from it
    ids+=("$id")
  done
  podman untag "$list" "$list" # which each was given, as the archive tells it
  podman manifest create "$list" >/dev/null
  for id in "${ids[@]}"; do podman manifest add "$list" "containers-storage:$id" >/dev/null; done
done
