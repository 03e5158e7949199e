#!/usr/bin/env bash
# Builds dist/modelcar_base_image-*.whl from dist/modelcar-base.oci.tar; the same image gives the same bytes.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../tools/common.sh"

[ -e dist/modelcar-base.oci.tar ] || die "there is no dist/modelcar-base.oci.tar yet: make image"
venv target/wheel/venv python/requirements.txt 10
export PYTHONDONTWRITEBYTECODE=1 SOURCE_DATE_EPOCH=315532800
target/wheel/venv/bin/python python/src/modelcar_base_image/prepare.py dist/modelcar-base.oci.tar target/wheel/embedded_oci_layout
rm -rf target/wheel/out
log=$(cd python && ../target/wheel/venv/bin/hatchling build -t wheel -d ../target/wheel/out 2>&1) || die "$log"
rm -f dist/modelcar_base_image-*.whl
mv target/wheel/out/*.whl dist/
for wheel in dist/modelcar_base_image-*.whl; do say "$wheel: $(stat -c %s "$wheel") bytes"; done
