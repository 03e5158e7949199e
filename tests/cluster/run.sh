#!/usr/bin/env bash
# run.sh test [PYTEST ARGUMENT...]: tests on a Kubernetes node with KServe that is made for them, on this machine.
# run.sh up, run.sh down: a node that stays, for who develops.
# RUNTIME: containerd or crio; KSERVE: a version that components/ has.
set -euo pipefail
# shellcheck source=tools/builder.sh
. "$(dirname "$0")/../../tools/builder.sh"

export RUNTIME=${RUNTIME:-containerd} KSERVE=${KSERVE:-0.20.0}
[[ $RUNTIME =~ ^(containerd|crio)$ ]] || die "RUNTIME=$RUNTIME: containerd or crio"
[ -d "tests/cluster/components/kserve-$KSERVE" ] ||
  die "KSERVE=$KSERVE: one of $(cd tests/cluster/components && echo kserve-* | sed 's/kserve-//g')"
node=$PWD/target/cluster/node
what=${1:-test}
shift || true
if [ "$what" = down ]; then
  as_root python3 tests/cluster/node.py down "$node"
  exit
fi

[ -e dist/modelcar-base.oci.tar ] || die "there is no dist/modelcar-base.oci.tar yet: make image"
if [ "$(id -u)" != 0 ]; then
  # Asked once, also where building takes longer than sudo remembers.
  sudo -v
  while sleep 60; do sudo -n -v; done &
  trap 'kill $!' EXIT
fi
use_podman
packages=(busybox-static containernetworking-plugins curl docker-registry etcd-server gcc iproute2 jq libc6-dev libcap2-bin make
  nftables openssl podman python3 skopeo util-linux)
[ "$RUNTIME" = containerd ] || packages+=(conmon)
tools/packages.sh "${packages[@]}"
runtime=("$RUNTIME")
[ "$RUNTIME" != containerd ] || runtime+=(gvisor)
tests/cluster/build.sh kubernetes runc "${runtime[@]}" "kserve-$KSERVE"

# shellcheck source=tests/e2e/predictor.sh
. tests/e2e/predictor.sh
images=target/cluster/images
export PREDICTOR_ARCHIVE=$PWD/$images/predictor-${PREDICTOR##*:}.oci.tar MODEL=$PWD/$images/model.joblib
if [ ! -e "$PREDICTOR_ARCHIVE" ] || [ ! -e "$MODEL" ]; then
  slow 30 "writing the model server's image into an archive"
  rm -rf $images
  mkdir -p $images
  podman run --rm --network none --entrypoint /bin/sh "$PREDICTOR" -c '/venv/bin/python /train.py /tmp/m && cat /tmp/m' >"$MODEL"
  podman save --quiet --format oci-archive --output "$PREDICTOR_ARCHIVE.new" "$PREDICTOR"
  mv "$PREDICTOR_ARCHIVE.new" "$PREDICTOR_ARCHIVE"
fi

venv target/e2e/venv tests/e2e/requirements.txt 20
venv=$PWD/target/e2e/venv
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PWD/tests/clients
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo --preserve-env=RECORD,RUNTIME,KSERVE,PREDICTOR_ARCHIVE,MODEL,PYTHONDONTWRITEBYTECODE,PYTHONPATH "$@"; fi; }
case $what in
  up)
    root "$venv/bin/python" tests/cluster/node.py up "$node" "$RUNTIME"
    say "a node with nothing on it yet, until make cluster-down: target/cluster/node/kubectl get pods --all-namespaces"
    ;;
  test)
    cd tests/cluster
    [ $# -gt 0 ] || set -- test_node.py test_document.py test_injection.py test_examples.py test_people.py test_life.py test_permissions.py
    root "$venv/bin/pytest" -p no:terminal -p no:cacheprovider -p report --rootdir . "$@"
    ;;
  *) die "test, up or down?" ;;
esac
