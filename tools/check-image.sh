#!/usr/bin/env bash
# Runs both images as KServe runs a ModelCar, on all platforms, builds a ModelCar on each as users do, and compares
# what is in them with dist/linux/, unless BUILDER_RUST, the version of Rust that built the images, is not this machine's.
# QEMU runs the foreign ones, as a file put into the container: nothing is registered with the kernel. Prints a table;
# fails if anything in it is not "ok".
set -euo pipefail
# shellcheck source=tools/containers.sh
. "$(dirname "$0")/containers.sh"

# The pod's arguments as the kubelet hands them over, `$$` already being one `$`: KServe's init container and sidecar.
INIT="echo 'Pre-fetching modelcar registry/model:1: ' && [ -d /models ] && [ \"\$(ls -A /models)\" ] && echo 'OK ... Prefetched and valid (/models exists)' || (echo 'NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)' && exit 1)"
# shellcheck disable=SC2016 # the program expands it
SIDECAR='ln -sf /proc/$$/root/models /mnt/models && sleep infinity'

use_podman
work=$(mktemp -d)
container=modelcar-check-$$
cleanup() {
  podman rm --force --ignore --time 0 "$container" >/dev/null 2>&1 || true
  rm -rf "$work"
}
tools/packages.sh qemu-user-static

# The archive, unpacked: blob DIGEST is a path, image ARCHIVE ARCH the digest of a manifest.
for list in modelcar-base modelcar-base-nonroot; do
  mkdir "$work/$list"
  tar -xf "dist/$list.oci.tar" -C "$work/$list"
done
blob() { echo "$work/$1/blobs/${2/://}"; }
manifest() {
  local index
  index=$(jq -r '.manifests[0].digest' "$work/$1/index.json")
  blob "$1" "$(jq -r --arg arch "$2" '.manifests[] | select(.platform.architecture == $arch).digest' "$(blob "$1" "$index")")"
}
config() { blob "$1" "$(jq -r '.config.digest' "$(manifest "$1" "$2")")"; }
layer() { blob "$1" "$(jq -r '.layers[].digest' "$(manifest "$1" "$2")")"; }

# podman run with image $image of $arch, the way a strict cluster would. What podman says, and the program on standard
# error, goes to a log: a warning is no fault.
run() { # run [OPTION...] -- ARGUMENT...
  local options=()
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  if [ "$arch" != "$(host_arch)" ]; then
    options+=(-v "$(readlink -f "$(command -v "qemu-${QEMU[$arch]}-static")"):/qemu:ro,z" --entrypoint /qemu)
    set -- "$(jq -r '.config.Entrypoint[0]' "$config")" "$@"
  fi
  podman run --name "$container" --pull never --network none --read-only --cap-drop all "${options[@]}" "$image" "$@" 2>"$work/log"
}

# The exit status, and what was printed, on one line.
result() { local out status=0; out=$(run --rm "$@") || status=$?; echo "$status" "$out"; }
logged() { tail -n 3 "$work/log" | tr '\n' ' '; }

# What is wrong with $image, or nothing.
faults() {
  local out
  out=$(result -v "$work/models:/models:ro,z" -- sh -c "$INIT")
  [[ $out == "0 Pre-fetching"*$'\nOK'* ]] || { echo "init with a model: $out $(logged)"; return; }
  if [ "$list" = modelcar-base ]; then # the other one has the same files
    out=$(result -- sh -c "$INIT")
    [[ $out == "1 Pre-fetching"*$'\nNOK'* ]] || { echo "init without a model: $out $(logged)"; return; }
    out=$(result -- sh -c "test -L /bin/sh && test -L /bin/sleep && echo links")
    [ "$out" = "0 links" ] || { echo "/bin/sh or /bin/sleep is no link: $out $(logged)"; return; }
  fi

  rm -f "$work/mnt/models"
  out=$(run --detach -v "$work/mnt:/mnt:z" -- sh -c "$SIDECAR") || { echo "sidecar: $out $(logged)"; return; }
  for _ in {1..100}; do [ ! -L "$work/mnt/models" ] || break; sleep 0.1; done
  [ "$(readlink "$work/mnt/models")" = /proc/1/root/models ] || { echo "sidecar: no link, $(podman logs "$container" 2>&1)"; return; }
  podman stop --time 10 "$container" >/dev/null 2>"$work/log" || { echo "sidecar: not stopped: $(logged)"; return; }
  out=$(podman inspect --format '{{.State.ExitCode}}' "$container")
  podman rm "$container" >/dev/null 2>&1
  # One that does not end when it is asked to is killed after ten seconds, which is 137.
  [ "$out" = 0 ] || { echo "sidecar: exit $out when stopped"; return; }
}

# A ModelCar as its users make it; on this machine's own platform, as nothing in it differs by platform.
derived_fault() {
  local out
  printf 'FROM %s\nWORKDIR /models\nCOPY model.bin ./\nRUN [ -f model.bin ] && ls -A /models\n' "$1" >"$work/models/Containerfile"
  image=$(podman build --quiet --layers=false --network none -f "$work/models/Containerfile" "$work/models" 2>"$work/log") ||
    { logged; return; }
  image=${image##*$'\n'}
  out=$(result -- sh -c "$INIT")
  podman rmi --force "$image" >/dev/null 2>&1
  [[ $out == "0 Pre-fetching"*$'\nOK'* ]] || echo "init: $out $(logged)"
}

mkdir "$work"/{models,mnt}
touch "$work/models/model.bin"
chmod -R a+rX "$work"
chmod 0777 "$work/mnt" # like KServe's volume
rust=$(rustc --version)
same_rust=yes
[ "${BUILDER_RUST:-$rust}" = "$rust" ] || { same_rust= && say "not compared with dist/linux/: that is by $rust, the images by $BUILDER_RUST"; }

failed=
row() { printf '%-16s %10s %11s   %s\n' "$@"; }
row platform 'file bytes' 'layer bytes' result
for arch in "${ARCHES[@]}"; do
  file=dist/linux/$arch/$PROGRAM layer=$(layer modelcar-base "$arch")
  wrong=
  tar -xzOf "$layer" "bin/$PROGRAM" >"$work/file"
  [ -z "$same_rust" ] || cmp -s "$work/file" "$file" || wrong="another file than $file; "
  for list in modelcar-base modelcar-base-nonroot; do
    [ "$(layer $list "$arch")" = "${layer/modelcar-base/$list}" ] || wrong+="$list: not that one layer; "
    config=$(config $list "$arch")
    image=$(basename "$config")
    fault=$(faults)
    wrong+=${fault:+$list: $fault; }
  done
  cmp -s <(jq -S 'del(.config.User, .history)' "$(config modelcar-base "$arch")") <(jq -S 'del(.config.User, .history)' "$(config modelcar-base-nonroot "$arch")") ||
    wrong+="root and nonroot differ in more than USER; "
  row "linux/$arch" "$(stat -c %s "$work/file")" "$(stat -c %s "$layer")" "${wrong:-ok}"
  [ -z "$wrong" ] || failed=yes
done
arch=$(host_arch)
for list in latest nonroot; do
  fault=$(derived_fault "localhost/modelcar-base:$list")
  [ -z "$fault" ] || { say "a ModelCar FROM localhost/modelcar-base:$list: $fault"; failed=yes; }
done
[ -z "$failed" ] || die "image check failed: see the rows above that are not ok"
