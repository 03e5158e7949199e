#!/usr/bin/env bash
# run.sh test [PYTEST ARGUMENT...]: tests on a Kubernetes node with KServe that is made for them, on this machine.
# run.sh figures: what ModelCars cost on such a node, into docs/benchmarks-cluster.md.
# run.sh up, run.sh down: a node that stays, for who develops.
# RUNTIME: containerd or crio; KSERVE: a version that components/ has; NODE: the node's folder, target/cluster/node.
set -euo pipefail
# shellcheck source=tools/builder.sh
. "$(dirname "$0")/../../tools/builder.sh"

export RUNTIME=${RUNTIME:-containerd} KSERVE=${KSERVE:-0.20.0} NODE=${NODE:-$PWD/target/cluster/node}
[[ $RUNTIME =~ ^(containerd|crio)$ ]] || die "RUNTIME=$RUNTIME: containerd or crio"
[ -d "tests/cluster/components/kserve-$KSERVE" ] ||
  die "KSERVE=$KSERVE: one of $(cd tests/cluster/components && echo kserve-* | sed 's/kserve-//g')"
what=${1:-test}
shift || true
if [ "$what" = down ]; then
  as_root python3 tests/cluster/node.py down "$NODE"
  exit
fi

[ -e dist/modelcar-base.oci.tar ] || die "there is no dist/modelcar-base.oci.tar yet: make image"
needs_root "a node"
beside='' tests=''
cleanup() {
  [ -z "$beside" ] || kill "$beside" 2>/dev/null || true
  if [ -n "$tests" ]; then # interrupted: they end their node, and see that all is as it was
    mapfile -t pids < <(asking=$BASHPID && started $$)
    as_root kill "${pids[@]}" 2>/dev/null || true
    wait "$tests" || true
  fi
  # What root wrote here is the user's; the node's own folder may be in use.
  [ "$(id -u)" = 0 ] || as_root find "$PWD"/{docs,target/cluster,tests} -path "$NODE" -prune -o \
    -user root -exec chown -h "$(id -u):$(id -g)" {} + 2>/dev/null
}
# If `make` is killed, what it has started ends, too; a node has a session of its own, and ends with who keeps it.
read -r _ _ _ _ _ session _ </proc/$$/stat
started() { # started PID: its descendants but for the one that asks
  local pid
  for pid in $(pgrep --parent "$1" --session "$session"); do
    [ "$pid" = "$asking" ] || { echo "$pid" && started "$pid"; }
  done
}
{
  trap - EXIT INT TERM HUP
  asking=$BASHPID
  while [ -d /proc/$PPID ]; do
    sleep 1
    # Asked once, also where building takes longer than sudo remembers.
    [ "$(id -u)" = 0 ] || [ $((SECONDS % 60)) != 0 ] || sudo -n -v 2>/dev/null || true
  done
  mapfile -t pids < <(started $$)
  as_root kill "${pids[@]}" $$
} &
beside=$!

# A test of this script starts it again: all is there then.
if [ -z "${PREDICTOR_ARCHIVE:-}" ]; then
  use_podman
  packages=(busybox-static containernetworking-plugins curl docker-registry etcd-server gcc iproute2 jq libc6-dev libcap2-bin make
    nftables openssl podman procps python3 skopeo util-linux)
  [ "$RUNTIME" = containerd ] || packages+=(conmon)
  tools/packages.sh "${packages[@]}"
  components=(kubernetes runc "$RUNTIME" "kserve-$KSERVE")
  [ "$RUNTIME" = crio ] || components+=(gvisor)
  # Two minutes less where tests are named, and Tekton's are not among them.
  [ "$what" != test ] || [[ "$*" == *test_*.py* && "$*" != *test_tekton.py* ]] || components+=(tekton)
  tests/cluster/build.sh "${components[@]}"

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
fi
silence

venv=$PWD/target/e2e/venv
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PWD/tests/clients
kept=CARS,COPY_MIB,KSERVE,MODEL,NODE,PREDICTOR_ARCHIVE,PYTHONDONTWRITEBYTECODE,PYTHONPATH,RECORD,RUNTIME
root=()
[ "$(id -u)" = 0 ] || root=(sudo "--preserve-env=$kept")
run_tests() {
  # Waited for, as bash hears of a signal to end only then; with an ear for Ctrl-C, which what stands before `&` has not.
  (cd tests/cluster && exec "${root[@]}" env --default-signal=INT "$venv/bin/pytest" -p no:terminal -p no:cacheprovider -p report --rootdir . "$@") &
  tests=$!
  wait $tests
  tests=''
}
case $what in
  up)
    "${root[@]}" "$venv/bin/python" tests/cluster/node.py up "$NODE" "$RUNTIME"
    say "a node with nothing on it yet, until make cluster-down: ${NODE#"$PWD/"}/kubectl get pods --all-namespaces"
    ;;
  figures)
    [ "$RUNTIME" = containerd ] || die "figures are measured with RUNTIME=containerd"
    bench/go.sh
    run_tests figures.py
    ;;
  test)
    [ $# -gt 0 ] || set -- test_node.py test_document.py test_injection.py test_llm.py test_examples.py test_people.py \
      test_copy_mode.py test_life.py test_control_groups.py test_permissions.py test_tekton.py
    run_tests "$@"
    ;;
  *) die "test, figures, up or down?" ;;
esac
