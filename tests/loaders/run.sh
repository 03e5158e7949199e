#!/usr/bin/env bash
# Loads models with the loaders that servers use, through the link and from a copy, in pods as KServe makes them, and holds
# docs/loaders.md to what was seen. Packages are those of *.txt here; all that is made is under target/loaders.
set -euo pipefail
# shellcheck source=tools/builder.sh
. "$(dirname "$0")/../../tools/builder.sh"

use_podman
podman image exists localhost/modelcar-base:latest || podman manifest exists localhost/modelcar-base:latest ||
  die "there is no localhost/modelcar-base: make image"
tools/packages.sh python3-yaml gcc libgomp1

export LOADERS=$PWD/target/loaders READER=localhost/modelcar-base-reader:${CODENAME:-none}
podman image exists "$READER" || debian_image "$READER" python3,libgomp1 || die "no image with Python can be made here"

# Debian's Python, which the reader's image has too.
venv "$LOADERS/venv" tests/loaders/venv.txt 200
venv "$LOADERS/mlserver" tests/loaders/mlserver.txt 60

export PYTHONDONTWRITEBYTECODE=1
rm -rf "$LOADERS/models"
(cd "$LOADERS" && "venv/bin/python" "$OLDPWD/tests/loaders/models.py" models >models.log 2>&1) || { tail -n 20 "$LOADERS/models.log" >&2; die "the models could not be made"; }
temporary_folder "$LOADERS"
/usr/bin/python3 tests/loaders/check.py
