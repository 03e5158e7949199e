#!/usr/bin/env bash
# Signs both pushed lists, all platforms in them included, and attests dist/modelcar-base.spdx.json to them, with cosign:
# without a key in a workflow, by the key pair in COSIGN_KEY (a file) elsewhere. COSIGN_FLAGS go to both commands.
# `make push IMAGE=registry/name:tag` and `make sbom` first, then `make sign IMAGE=registry/name:tag`.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

image=${IMAGE:-}
[[ $image =~ /[^/]+:[^/]+$ ]] || die "which one? make sign IMAGE=registry/name:tag"
command -v cosign >/dev/null || die "there is no cosign here; make sign-test fetches one for itself"
[ -e dist/modelcar-base.spdx.json ] || die "there is no dist/modelcar-base.spdx.json: make sbom"
key=()
[ -z "${COSIGN_KEY:-}" ] || key=(--key "$COSIGN_KEY")
for archive in dist/modelcar-base.oci.tar dist/modelcar-base-nonroot.oci.tar; do
  target=${image%:*}@$(digest_of "$archive")
  # shellcheck disable=SC2086 # words
  cosign sign --yes --recursive "${key[@]}" ${COSIGN_FLAGS:-} "$target"
  # shellcheck disable=SC2086
  cosign attest --yes --type spdxjson --predicate dist/modelcar-base.spdx.json "${key[@]}" ${COSIGN_FLAGS:-} "$target"
  say "$target: signed, its parts listed"
done
