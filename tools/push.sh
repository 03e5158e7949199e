#!/usr/bin/env bash
# Pushes the archives that `make image` wrote: all platforms as IMAGE, and those with USER 1001 as IMAGE-nonroot.
# From the archives, not from podman's storage: what is there may have been loaded, tagged or built anew since.
# PUSH_FLAGS are for skopeo copy, such as --dest-tls-verify=false for a registry on this machine.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

image=${IMAGE:-}
[[ $image =~ /[^/]+:[^/]+$ ]] || die "where to? make push IMAGE=registry/name:tag"
tools/packages.sh skopeo jq
for archive in dist/modelcar-base.oci.tar dist/modelcar-base-nonroot.oci.tar; do
  [ -e "$archive" ] || die "there is no $archive yet: make image"
done

push() { # push ARCHIVE DESTINATION
  local digest
  digest=$(mktemp)
  # shellcheck disable=SC2086 # words
  skopeo copy --quiet --all --digestfile "$digest" ${PUSH_FLAGS:-} "oci-archive:$1" "docker://$2"
  say "$2@$(<"$digest")"
  [ "$(<"$digest")" = "$(digest_of "$1")" ] || die "that is not the digest of $1: the registry has another form of it"
  rm "$digest"
}
push dist/modelcar-base.oci.tar "$image"
push dist/modelcar-base-nonroot.oci.tar "$image-nonroot"
