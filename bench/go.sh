#!/usr/bin/env bash
# Takes today's ModelCar base image, in Go, out of the wheel that it ships in: target/bench/go, and its sizes beside it.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../tools/common.sh"

peers=target/bench
[ ! -e $peers/go.json ] || exit 0
mkdir -p $peers
python3 -m venv $peers/venv
$peers/venv/bin/pip --quiet --disable-pip-version-check download --no-deps --dest $peers modelcar-base-image==0.1.0
python3 bench/bench.py unpack $peers/modelcar_base_image-0.1.0-*.whl $peers/go
