#!/usr/bin/env bash
# Has the image and the wheel used by software that others wrote: olot, modelcar-maker, RamaLama,
# podman, buildah, docker, skopeo, a registry.
# Arguments go to pytest.
set -euo pipefail
# shellcheck source=tools/containers.sh
. "$(dirname "$0")/../../tools/containers.sh"
# shellcheck source=tools/emulation.sh
. "$(dirname "$0")/../../tools/emulation.sh"

use_podman
tools/packages.sh skopeo buildah docker-registry
if ! command -v dockerd >/dev/null; then # elsewhere it may come with another package
  say "docker.io is a service that starts at boot from now on; apt-get purge docker.io removes it"
  tools/packages.sh docker.io
fi
command -v docker >/dev/null || tools/packages.sh docker-cli # a part of docker.io until Debian 13
needs_root "running docker, and registering QEMU with the kernel meanwhile,"
for image in localhost/modelcar-base:{latest,nonroot}; do
  podman manifest exists "$image" || die "there is no $image yet: make image"
done

venv=$PWD/target/clients/venv
venv target/clients/venv tests/clients/requirements.txt 20
compgen -G 'target/clients/peer/*.whl' >/dev/null ||
  "$venv/bin/pip" download --quiet --no-deps --dest target/clients/peer modelcar-base-image==0.1.0
wheels=(dist/modelcar_base_image-*.whl)
"$venv/bin/pip" install --quiet --force-reinstall --no-index --no-deps "${wheels[@]}"
WHEEL=$PWD/${wheels[0]}
PEER=$(echo "$PWD"/target/clients/peer/modelcar_base_image-0.1.0-*.whl)
export WHEEL PEER PYTHONDONTWRITEBYTECODE=1 PATH=$venv/bin:$PATH

# In a storage of these tests' own: an image that is pulled into the storage where the very same one was built takes its
# place, manifest and all, and the list of platforms then names one that is gone.
temporary_folder /tmp # as the paths of a storage and of a socket may not be long
cleanup() {
  emulation_off
  podman rmi --all --force >/dev/null 2>&1 || true
  [ "$(id -u)" = 0 ] || podman system migrate >/dev/null 2>&1 || true # ends the process that keeps a user's namespace
  # shellcheck source=/dev/null
  . "$CONTAINERS/env" # what ends after this is the other podman
}
install -d -m 0700 "$TEMPORARY"/r{,/libpod{,/tmp}} # podman 5 writes there, and makes what containers.conf names
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/s"\nrootless_storage_path = "%s/s"\nrunroot = "%s/r"\n' \
  "$TEMPORARY" "$TEMPORARY" "$TEMPORARY" >"$TEMPORARY/storage.conf"
export CONTAINERS_STORAGE_CONF=$TEMPORARY/storage.conf XDG_RUNTIME_DIR=$TEMPORARY/r
skopeo copy --quiet "oci-archive:dist/modelcar-base.oci.tar" containers-storage:localhost/modelcar-base:latest

[ $# -gt 0 ] || set -- python/tests tests/clients
emulation_on
PYTHONPATH=$PWD/tests/clients:$PWD/python/tests "$venv/bin/pytest" -p no:terminal -p no:cacheprovider -p report \
  --basetemp "$TEMPORARY/pytest" --rootdir . --import-mode importlib "$@"
