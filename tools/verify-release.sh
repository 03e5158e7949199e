#!/usr/bin/env bash
# Rebuilds both images from this source and tells whether one of them is DIGEST, the manifest list that was published.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

[[ ${DIGEST:-} =~ ^sha256:[0-9a-f]{64}$ ]] || die "which one? make verify-release DIGEST=sha256:..."
make --no-print-directory image
for archive in dist/modelcar-base.oci.tar dist/modelcar-base-nonroot.oci.tar; do
  [ "$(digest_of "$archive")" != "$DIGEST" ] || { say "$DIGEST is $archive, rebuilt here: verified"; exit 0; }
done
die "this source gives neither image the digest $DIGEST, with $(rustc --version)"
