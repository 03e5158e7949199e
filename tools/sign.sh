#!/usr/bin/env bash
# Signs both pushed lists, all platforms in them included, and attests dist/modelcar-base.{spdx,provenance}.json to them,
# with cosign: without a key in a workflow, by the key pair in COSIGN_KEY (a file) elsewhere. COSIGN_FLAGS go to all its
# calls. `make push IMAGE=registry/name:tag` and `make sbom provenance` first, then `make sign IMAGE=registry/name:tag`.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

image=$(image_name sign)
command -v cosign >/dev/null || die "there is no cosign here; make sign-test fetches one for itself"
for part in spdx provenance; do
  [ -e dist/modelcar-base.$part.json ] || die "there is no dist/modelcar-base.$part.json: make sbom provenance"
done
key=()
[ -z "${COSIGN_KEY:-}" ] || key=(--key "$COSIGN_KEY")
for archive in dist/modelcar-base.oci.tar dist/modelcar-base-nonroot.oci.tar; do
  target=${image%:*}@$(digest_of "$archive")
  # shellcheck disable=SC2086 # words
  cosign sign --yes --recursive "${key[@]}" ${COSIGN_FLAGS:-} "$target"
  # shellcheck disable=SC2086
  for attested in spdxjson:spdx slsaprovenance1:provenance; do
    cosign attest --yes --type "${attested%:*}" --predicate "dist/modelcar-base.${attested#*:}.json" "${key[@]}" ${COSIGN_FLAGS:-} "$target"
  done
  say "$target: signed, its parts and provenance attested"
done
