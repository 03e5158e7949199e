#!/usr/bin/env bash
# Pushes the archives that `make image` wrote: all platforms as IMAGE, and those with USER 1001 as IMAGE-nonroot.
# From the archives, not from podman's storage: what is there may have been loaded, tagged or built anew since.
# PUSH_FLAGS are for skopeo copy, such as --dest-tls-verify=false for a registry on this machine.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

image=$(image_name push)
tools/packages.sh skopeo jq
for archive in dist/modelcar-base.oci.tar dist/modelcar-base-nonroot.oci.tar; do
  [ -e "$archive" ] || die "there is no $archive yet: make image"
done

work=$(mktemp -d)
cleanup() { rm -rf "$work"; }
push() { # push ARCHIVE DESTINATION
  local hint
  # shellcheck disable=SC2086 # words
  if ! skopeo copy --quiet --all --digestfile "$work/digest" ${PUSH_FLAGS:-} "oci-archive:$1" "docker://$2" 2>"$work/log"; then
    hint=$(cause "$work/log")
    ! grep -q 'HTTP response to HTTPS' "$work/log" || hint="a registry without TLS needs PUSH_FLAGS=--dest-tls-verify=false"
    ! grep -qiE 'unauthorized|authentication required|denied' "$work/log" || hint="log in first: skopeo login ${2%%/*}"
    tail -n 3 "$work/log" >&2
    die "$2 could not be pushed: ${hint:-see above}"
  fi
  say "$2@$(<"$work/digest")"
  [ "$(<"$work/digest")" = "$(digest_of "$1")" ] || die "that is not the digest of $1: the registry has another form of it"
}
push dist/modelcar-base.oci.tar "$image"
push dist/modelcar-base-nonroot.oci.tar "$image-nonroot"
