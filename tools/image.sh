#!/usr/bin/env bash
# Builds the manifest lists localhost/modelcar-base:latest and :nonroot for all platforms, writes them to
# dist/*.oci.tar, and runs them as KServe does. Two builds of the same source give the same digests: files and images
# bear the time 0, so that nothing but the content counts, not even a commit that leaves it alone, and no cached
# layer or builder's label gets in. The platforms are built one by one, as a list built at once has them in any order. The
# history stays: podman builds on no image without it.
set -euo pipefail
# shellcheck source=tools/builder.sh
. "$(dirname "$0")/builder.sh"

# Same source, same version: only the Containerfile is read by those who build with podman alone.
grep -qx "version = \"$(sed -n 's/.*image\.version="\(.*\)".*/\1/p' Containerfile | uniq)\"" Cargo.toml ||
  die "Containerfile and Cargo.toml tell different versions"

# What was not seen to work is not left to be shipped.
archives=(dist/modelcar-base.oci.tar dist/modelcar-base-nonroot.oci.tar)
drop_archives() { rm -f "${archives[@]}"; }
drop_archives
trap drop_archives EXIT

use_podman
choose_builder
mkdir -p dist

# docker loads images by such a file, which has no lists: each platform gets a tag of its own.
docker_manifest() { # docker_manifest LAYOUT LIST
  local arch manifest
  for arch in "${ARCHES[@]}"; do
    manifest=$(jq -r '.manifests[0].digest' "$1/index.json")
    manifest=$(jq -r --arg arch "$arch" '.manifests[] | select(.platform.architecture == $arch).digest' "$1/blobs/${manifest/:/\/}")
    jq --arg tag "$2-$arch" '{Config: .config.digest, RepoTags: [$tag], Layers: [.layers[].digest]}
      | (.Config, .Layers[]) |= "blobs/" + sub(":"; "/")' "$1/blobs/${manifest/:/\/}"
  done | jq --slurp --compact-output . >"$1/manifest.json"
}

build() { # build LIST TARGET ARCHIVE
  local list=$1 target=$2 archive=$3 arch image former layout
  podman manifest rm "$list" >/dev/null 2>&1 || podman untag "$list" >/dev/null 2>&1 || true
  podman manifest create "$list" >/dev/null
  for arch in "${ARCHES[@]}"; do
    say "building $list for linux/$arch"
    image=$(podman build --quiet --platform "linux/$arch" --target "$target" --manifest "$list" "${BUILDER[@]}" \
      --layers=false --timestamp 0 --identity-label=false -f Containerfile . 2>"$CONTAINERS/build.log") ||
      { tail -n 30 "$CONTAINERS/build.log" >&2; die "podman could not build it: see above"; }
    # Without a name of its own it would go with the last image that someone made from it and removed.
    former=$(podman image inspect --format '{{.Id}}' "$list-$arch" 2>/dev/null || true)
    podman tag "${image##*$'\n'}" "$list-$arch"
    [ "$former" = "${image##*$'\n'}" ] || [ -z "$former" ] || podman rmi "$former" >/dev/null 2>&1 || true
  done
  layout=$(mktemp -d)
  podman manifest push --quiet --all "$list" "oci:$layout:${list##*:}" >/dev/null
  docker_manifest "$layout" "$list"
  tar --sort=name --blocking-factor=1 --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf "$archive" -C "$layout" .
  rm -rf "$layout"
}

build localhost/modelcar-base:latest root dist/modelcar-base.oci.tar
build localhost/modelcar-base:nonroot nonroot dist/modelcar-base-nonroot.oci.tar
tools/check-image.sh
trap - EXIT

for list in latest nonroot; do
  archive=dist/modelcar-base-$list.oci.tar
  archive=${archive/-latest/}
  say "localhost/modelcar-base:$list $(digest_of "$archive"), also in $archive"
done
[ ! -s "$CONTAINERS/env" ] || say "podman's own set-up does not work here; to use the images, type first: . target/containers/env"
