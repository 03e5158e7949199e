# shellcheck shell=bash
# Sourced, after tools/builder.sh and use_podman: sets PREDICTOR to the model server's image, which is made anew when what
# it is made of changes.

predictor=tests/e2e/predictor
PREDICTOR=localhost/modelcar-base-predictor:$(cat "$predictor"/* | sha256sum | head -c 12)
if ! podman image exists "$PREDICTOR"; then
  start=$SECONDS
  base=$(sed -n 's/^ARG BASE=//p' "$predictor"/Containerfile)
  if ! podman pull --quiet "$base" >/dev/null 2>&1; then
    say "$base cannot be pulled"
    base=localhost/modelcar-base-python:${CODENAME:-none}
    podman image exists "$base" || debian_image "$base" python3-venv,ca-certificates || die "there is no other image with Python either"
  fi
  podman images --quiet localhost/modelcar-base-predictor | xargs -r podman rmi --force >/dev/null # of another time
  slow 120 "installing kserve and scikit-learn, once"
  podman build --quiet --layers=false --network host --build-arg "BASE=$base" --build-arg PIP_CERT="$CERTIFICATES" \
    -v "$CERTIFICATES:$CERTIFICATES:ro" --tag "$PREDICTOR" "$predictor" >/dev/null
  say "$PREDICTOR: built in $((SECONDS - start)) s"
fi
