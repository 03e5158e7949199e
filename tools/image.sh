#!/usr/bin/env bash
# Builds the images for all platforms by the Containerfile, makes dist/*.oci.tar of them, and runs those as KServe does.
# Two builds of the same source give the same digests, on any machine: files and images bear the time 0, so that nothing
# but the content counts, not even a commit that leaves it alone, and tools/pack.py makes all that is around the files.
set -euo pipefail
# shellcheck source=tools/builder.sh
. "$(dirname "$0")/builder.sh"

# Same source, same version: only the Containerfile is read by those who build with podman alone.
grep -qx "version = \"$(sed -n 's/.*image\.version="\(.*\)".*/\1/p' Containerfile | uniq)\"" Cargo.toml ||
  die "Containerfile and Cargo.toml tell different versions"

# What was not seen to work is not left to be shipped.
archives=(dist/modelcar-base.oci.tar dist/modelcar-base-nonroot.oci.tar)
rm -f "${archives[@]}"
work=
cleanup() {
  rm -rf "$work" "${archives[@]}"
  podman rm --all --force --time 0 >/dev/null 2>&1 || true # a build that was interrupted leaves its container
}

tools/packages.sh python3 zopfli
use_podman
choose_builder
work=$(mktemp -d)

slow 90 "building ${#ARCHES[@]} platforms by the Containerfile"
for target in root nonroot; do
  mkdir "$work/$target"
  for arch in "${ARCHES[@]}"; do
    image=$(podman build --quiet --platform "linux/$arch" --target "$target" "${BUILDER[@]}" \
      --layers=false --timestamp 0 --identity-label=false -f Containerfile . 2>"$CONTAINERS/build.log") ||
      die_of "$CONTAINERS/build.log" "podman could not build the image for linux/$arch"
    image=${image##*$'\n'}
    podman push --quiet "$image" "oci:$work/$target/$arch" 2>"$CONTAINERS/build.log" || die_of "$CONTAINERS/build.log" "podman could not write the image for linux/$arch"
    podman rmi --force "$image" >/dev/null
  done
done
tools/pack.py "$work"
slow 60 "running the images as KServe does"
tools/load.sh
tools/check-image.sh
archives=()

for list in latest nonroot; do
  archive=dist/modelcar-base-$list.oci.tar
  archive=${archive/-latest/}
  say "$archive $(digest_of "$archive")"
done
say "to use them: make load (podman), or docker load --input dist/modelcar-base.oci.tar"
