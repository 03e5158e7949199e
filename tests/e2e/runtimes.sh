#!/usr/bin/env bash
# runtimes.sh RUNTIME IMAGE: a ModelCar's init container and sidecar on a container runtime, with a reader in the
# sidecar's PID namespace: runc, crun (as podman drives them), containerd, docker, runsc (gVisor). IMAGE holds /models/model.txt.
# Exit 0: it links, waits, is read through /proc/PID/root, and ends with 0 when asked to. Exit 1: it does not.
# Exit 77: the runtime cannot be had or does not start here; the last line says why. Daemons get sockets and folders of
# their own and are ended.
set -euo pipefail
# shellcheck source=tools/containers.sh
. "$(dirname "$0")/../../tools/containers.sh"

# crun refuses a machine with both versions of cgroups. What it needs is a view of version 1 alone, in mounts of its own.
if [ "${1:-}" = crun ] && [ "$(stat -fc %T /sys/fs/cgroup/unified 2>/dev/null)" = cgroup2fs ] && [ "$(id -u)" = 0 ]; then
  exec unshare --mount sh -c 'umount /sys/fs/cgroup/unified && exec "$@"' sh "$PWD/tests/e2e/runtimes.sh" "$@"
fi

runtime=${1:?which runtime?}
image=${2:?which image?}
[[ $runtime =~ ^(runc|crun)$ ]] || [ "$(id -u)" = 0 ] || { echo "$runtime needs root"; exit 77; }
use_podman

# The pod's arguments as the kubelet hands them over.
init="echo 'Pre-fetching modelcar $image: ' && [ -d /models ] && [ \"\$(ls -A /models)\" ] && echo 'OK ... Prefetched and valid (/models exists)' || (echo 'NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)' && exit 1)"
# shellcheck disable=SC2016 # the program expands it
sidecar='ln -sf /proc/$$/root/models /mnt/models && sleep infinity'
name=e2e-$runtime-$$

work=$(mktemp -d)
daemons=() brought=() other_group=
remove() { :; } # each runtime has its own
cleanup() {
  remove >/dev/null 2>&1 || true
  for pid in "${daemons[@]}"; do
    kill "$pid" 2>/dev/null || continue
    wait "$pid" 2>/dev/null || true
  done
  # Daemons leave mounts behind that others may keep busy for a moment.
  awk -v work="$work/" 'index($2, work) == 1 { print $2 }' /proc/self/mounts | sort -r | xargs -r umount -l || true
  rm -rf "$work" "${brought[@]}"
}
trap cleanup EXIT
unavailable() { echo "$*"; exit 77; }
failed() { echo "$*" >&2; exit 1; }

install -d -m 0755 "$work" "$work/server/bin"
install -d -m 0777 "$work/mnt"
install -m 0755 "$(command -v busybox)" "$work/server/bin/"
chmod 0755 "$work"

until_true() { # until_true SECONDS COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

# What all runtimes must do, by the functions `run_init`, `start`, `read_model` (as a reader in the sidecar's PID
# namespace, of the same user, and of the group that is named) and `stop` (which prints the exit status). `other_group`
# is what comes of a reader of another group: `reads` where the runtime's default profile of seccomp lets the sidecar
# have a user namespace, `refused` where not; empty where both are root.
check() {
  local out began
  out=$(run_init 2>&1) || failed "init: $out"
  [[ $out == *"OK ... Prefetched and valid (/models exists)"* ]] || failed "init says: $out"
  start || failed "the sidecar does not start"
  until_true 10 test -L "$work/mnt/models" || failed "no link"
  [[ $(readlink "$work/mnt/models") =~ ^/proc/[0-9]+/root/models$ ]] || failed "the link is $(readlink "$work/mnt/models")"
  out=$(read_model 2>"$work/err") || failed "cannot be read through $(readlink "$work/mnt/models"): $out $(<"$work/err")"
  [[ $out == "I am one"* ]] || failed "read: $out"
  case $other_group in
    reads) out=$(read_model 4242 2>&1) || failed "another group cannot read: $out" ;;
    refused)
      if out=$(read_model 4242 2>&1); then failed "another group reads: tell it in docs/permissions.md"; fi
      [[ $out == *"Permission denied"* ]] || failed "another group: $out"
      ;;
  esac
  began=${EPOCHREALTIME/./}
  out=$(stop)
  [ "$out" = 0 ] || failed "exit $out when stopped"
  echo "stopped in $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
}

with_podman() { # with_podman RUNTIME
  podman_() { podman --runtime "$1" "${@:2}"; }
  out=$(podman_ "$1" run --rm --network none "$image" sh -c true 2>&1) || unavailable "$1 starts no container here: ${out##*$'\n'}"
  remove() { podman rm --force --time 0 "$name"; }
  run_init() { podman_ "$runtime" run --rm --network none "$image" sh -c "$init"; }
  local limits=(--cpus 0.01 --memory 15m)
  [ "${LIMITS:-}" != none ] || limits=()
  start() { podman_ "$runtime" run --detach --name "$name" --network none --user 1010 "${limits[@]}" -v "$work/mnt:/mnt:z" "$image" sh -c "$sidecar" >/dev/null; }
  other_group=reads
  read_model() {
    podman_ "$runtime" run --rm --network none --user "1010:${1:-0}" --pid "container:$name" -v "$work/mnt:/mnt:z" --rootfs "$work/server" \
      /bin/busybox cat /mnt/models/model.txt
  }
  stop() { podman stop --time 10 "$name" >/dev/null && podman inspect --format '{{.State.ExitCode}}' "$name"; }
  check
}

# To be asked when packages are there, whose own daemons may run: what ours bring, wherever else they are told to be.
will_bring() {
  local path
  for path in {/opt,/run}/containerd /etc/docker/key.json; do [ -e "$path" ] || brought+=("$path"); done
}

# Waits for a daemon of ours to answer.
up() { # up PID LOG COMMAND...
  local pid=$1 log=$2
  shift 2
  daemons+=("$pid")
  until_true 20 "$@" || unavailable "the daemon does not start here: $(tail -n 1 "$log" | cut -c 1-300)"
}

with_containerd() {
  command -v containerd >/dev/null || tools/packages.sh containerd runc >/dev/null || unavailable "the package containerd cannot be installed"
  tools/packages.sh docker-registry python3 >/dev/null || unavailable "the package docker-registry cannot be installed"
  will_bring
  cat >"$work/containerd.toml" <<-END
	version = 2
	root = "$work/root"
	state = "$work/state"
	disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
	[grpc]
	address = "$work/containerd.sock"
	[ttrpc]
	address = "$work/containerd.sock.ttrpc"
	END
  containerd --config "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
  client=(ctr --address "$work/containerd.sock" --namespace e2e)
  up $! "$work/containerd.log" "${client[@]}" version
  # By way of a registry, as a cluster gets it.
  local registry reference
  registry=127.0.0.1:$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
  printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s"}\n' "$work/registry" "$registry" >"$work/registry.yaml"
  docker-registry serve "$work/registry.yaml" >"$work/registry.log" 2>&1 &
  up $! "$work/registry.log" curl --silent --fail "http://$registry/v2/"
  reference=$registry/e2e/modelcar:1
  podman push --quiet --tls-verify=false "$image" "docker://$reference"
  "${client[@]}" image pull --plain-http "$reference" >/dev/null
  # With the profile of seccomp that Kubernetes calls RuntimeDefault. Not every ctr lets one choose a user: both are
  # root here, with containerd's default capabilities.
  options=(--seccomp --cgroup "" --mount "type=bind,src=$work/mnt,dst=/mnt,options=rbind:rw")
  remove() { "${client[@]}" task kill --signal KILL "$name"; "${client[@]}" task delete --force "$name"; "${client[@]}" container delete "$name"; }
  run_init() { "${client[@]}" run --rm --seccomp --cgroup "" "$reference" "$name-init" /bin/link-model-and-wait sh -c "$init"; }
  start() { "${client[@]}" run --detach --log-uri "file://$work/log" "${options[@]}" "$reference" "$name" /bin/link-model-and-wait sh -c "$sidecar"; }
  read_model() {
    local pid
    pid=$("${client[@]}" task ls | awk -v name="$name" '$1 == name { print $2 }')
    "${client[@]}" run --rm --seccomp --cgroup "" --with-ns "pid:/proc/$pid/ns/pid" --rootfs \
      --mount "type=bind,src=$work/mnt,dst=/mnt,options=rbind:rw" "$work/server" "$name-reader" /bin/busybox cat /mnt/models/model.txt
  }
  stop() {
    "${client[@]}" task kill --signal TERM "$name" >/dev/null
    until_true 10 ended
    # `delete` ends with the exit status of the task.
    local status=0
    "${client[@]}" task delete "$name" >/dev/null 2>&1 || status=$?
    echo "$status"
  }
  ended() { "${client[@]}" task ls | awk -v name="$name" '$1 == name && $3 == "STOPPED" { found = 1 } END { exit !found }'; }
  check
}

with_docker() {
  command -v dockerd >/dev/null || tools/packages.sh docker.io >/dev/null || unavailable "the package docker.io cannot be installed"
  command -v docker >/dev/null || tools/packages.sh docker-cli >/dev/null || unavailable "the package docker-cli cannot be installed"
  will_bring
  export DOCKER_HOST="unix://$work/docker.sock" DOCKER_CONFIG="$work/docker"
  echo '{}' >"$work/docker.json" # and not the machine's
  dockerd --host "$DOCKER_HOST" --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/docker.pid" --config-file "$work/docker.json" \
    --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false >"$work/docker.log" 2>&1 &
  up $! "$work/docker.log" docker version
  podman save --quiet --format docker-archive --output "$work/image.tar" "$image"
  docker load --quiet --input "$work/image.tar" >/dev/null
  tar -C "$work/server" -c . | docker import - e2e-server >/dev/null
  local common=(--network none --security-opt no-new-privileges)
  remove() { docker rm --force "$name"; }
  out=$(docker run --rm "${common[@]}" "$image" sh -c true 2>&1) || unavailable "dockerd runs, but starts no container here: ${out##*$'\n'}"
  run_init() { docker run --rm "${common[@]}" "$image" sh -c "$init"; }
  start() { docker run --detach --name "$name" "${common[@]}" --user 1010 -v "$work/mnt:/mnt" "$image" sh -c "$sidecar" >/dev/null; }
  other_group=refused
  read_model() { docker run --rm "${common[@]}" --user "1010:${1:-0}" --pid "container:$name" -v "$work/mnt:/mnt" e2e-server /bin/busybox cat /mnt/models/model.txt; }
  stop() { docker stop --time 10 "$name" >/dev/null && docker inspect --format '{{.State.ExitCode}}' "$name"; }
  check
}

# gVisor keeps all containers of a pod in one sandbox: what containerd tells it by annotations is told here, with no
# daemon between. Debian's is of 2022; RUNSC names another one. The old one's ptrace_scope holds for looking, too, unlike
# the kernel's: only the sidecar's user namespace gives a reader the CAP_SYS_PTRACE that it asks for.
with_runsc() {
  command -v "${RUNSC:-runsc}" >/dev/null || tools/packages.sh runsc >/dev/null || unavailable "the package runsc cannot be installed"
  local id
  runsc_() { timeout 60 "${RUNSC:-runsc}" --root "$work/state" --network none "$@" </dev/null; }
  bundle() { # bundle NAME ROOT KIND USER ARGS...
    mkdir "$work/bundle-$1"
    jq --null-input --arg root "$2" --arg kind "$3" --arg user "$4" --arg pod "$name" --arg mnt "$work/mnt" \
      '{ociVersion: "1.0.2", root: {path: $root, readonly: true}, hostname: "pod",
        process: {user: {uid: ($user | tonumber), gid: 0}, cwd: "/", env: ["PATH=/bin"], args: $ARGS.positional},
        annotations: {"io.kubernetes.cri.container-type": $kind, "io.kubernetes.cri.sandbox-id": $pod},
        mounts: [{destination: "/proc", type: "proc", source: "proc"},
          {destination: "/mnt", type: "bind", source: $mnt, options: ["rbind", "rw"]}],
        linux: {namespaces: (["mount", "ipc", "uts", "network"] | map({type: .}))}}' --args -- "${@:5}" >"$work/bundle-$1/config.json"
  }
  mkdir "$work/model"
  id=$(podman create --network none "$image")
  podman export "$id" | tar -x -C "$work/model"
  podman rm "$id" >/dev/null
  local entrypoint=/bin/link-model-and-wait
  bundle init "$work/model" sandbox 1010 $entrypoint sh -c "$init"
  bundle "$name" "$work/model" sandbox 1010 $entrypoint sleep infinity # the pod's own process
  bundle sidecar "$work/model" container 1010 $entrypoint sh -c "$sidecar"
  bundle server "$work/server" container 1010 /bin/busybox sleep 1000
  remove() { for id in server sidecar "$name"; do runsc_ delete --force "$id"; done; }
  run_init() { runsc_ run --bundle "$work/bundle-init" "$name-init"; }
  start() {
    for id in "$name" sidecar server; do
      runsc_ create --bundle "$work/bundle-$id" "$id" >"$work/$id.log" 2>&1 && runsc_ start "$id" || return 1
    done
  }
  other_group=reads
  read_model() { runsc_ exec --user "1010:${1:-0}" server /bin/busybox cat /mnt/models/model.txt; }
  stop() { runsc_ kill sidecar TERM && runsc_ wait sidecar | jq .exitStatus; }
  out=$(runsc_ run --bundle "$work/bundle-init" "$name-trial" 2>&1) || unavailable "runsc starts no container here: ${out##*$'\n'}"
  check
}

case $runtime in
  runc) command -v runc >/dev/null || tools/packages.sh runc >/dev/null && with_podman runc ;;
  crun) tools/packages.sh crun >/dev/null && with_podman crun ;;
  containerd) with_containerd ;;
  docker) with_docker ;;
  runsc) with_runsc ;;
  *) die "unknown runtime: $runtime" ;;
esac
