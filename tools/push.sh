#!/usr/bin/env bash
# Pushes what `make image` built: the list of four platforms as IMAGE, and the one with USER 1001 as IMAGE-nonroot.
# PUSH_FLAGS are for podman, such as --tls-verify=false for a registry on this machine.
set -euo pipefail
# shellcheck source=tools/containers.sh
. "$(dirname "$0")/containers.sh"

image=${IMAGE:-}
[[ $image =~ /[^/]+:[^/]+$ ]] || die "where to? make push IMAGE=registry/name:tag"
use_podman
for list in latest nonroot; do
  podman manifest exists "localhost/modelcar-base:$list" || die "there is no localhost/modelcar-base:$list yet: make image"
done

push() { # push LIST DESTINATION ARCHIVE
  local digest
  digest=$(mktemp)
  # shellcheck disable=SC2086 # words
  podman manifest push --quiet --all --digestfile "$digest" ${PUSH_FLAGS:-} "$1" "docker://$2" >/dev/null
  say "$2@$(<"$digest")"
  [ "$(<"$digest")" = "$(digest_of "$3")" ] || die "that is not the digest of $3: was the list changed since?"
  rm "$digest"
}
push localhost/modelcar-base:latest "$image" dist/modelcar-base.oci.tar
push localhost/modelcar-base:nonroot "$image-nonroot" dist/modelcar-base-nonroot.oci.tar
